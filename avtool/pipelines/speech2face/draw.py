"""A sheet of faces that a voice may have, and what was heard, with how sure it is."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from avtool.draw.sheet import HEAD, MARGIN, RIGHT, RULE, SEEN_RGB, SPEAKS_RGB, WIDTH, Sheet
from avtool.pipelines.speech2face.values import FaceSamples

ACROSS, GAP, BARS = 4, 24, 250
FIRST, LAST = 8, 90  # years


def draw_samples(value: FaceSamples, path: Path, title: str) -> None:
    """Write the sheet as PNG."""
    side = (RIGHT - MARGIN - (ACROSS - 1) * GAP) // ACROSS
    rows = max(1, -(-len(value.faces) // ACROSS))
    bars = HEAD + rows * (side + GAP)
    said = "drawn people who may have this voice, as often as it says; none of them is the speaker"
    sheet = Sheet(bars + BARS, title, said, MARGIN + 150)
    for number, face in enumerate(value.faces):
        row, column = divmod(number, ACROSS)
        small = Image.fromarray(face).resize((side, side), Image.Resampling.LANCZOS)
        sheet.image.paste(small, (MARGIN + column * (side + GAP), HEAD + row * (side + GAP)))
    _heard(sheet, value, bars + 20)
    sheet.save(path)


def _heard(sheet: Sheet, value: FaceSamples, top: int) -> None:
    """Sex as a share, age as an interval, and what the voice measures."""
    report = value.report
    left, right = sheet.left, WIDTH // 2
    share = report["sex"]["female"]
    middle = left + share * (right - left)
    sheet.name(top + 24, "sex")
    sheet.draw.rectangle((left, top + 12, middle, top + 36), fill=SEEN_RGB)
    sheet.draw.rectangle((middle, top + 12, right, top + 36), fill=SPEAKS_RGB)
    sheet.grey(left, top + 54, f"female {_percent(share)}")
    sheet.grey(right, top + 54, f"male {_percent(1 - share)}", "rm")

    def x(years: float) -> float:
        return left + (years - FIRST) / (LAST - FIRST) * (right - left)

    age = report["age"]
    low, high = age["interval80"]
    sheet.name(top + 104, "age")
    sheet.draw.line((left, top + 104, right, top + 104), RULE, 3)
    sheet.draw.rectangle((x(low), top + 94, x(high), top + 114), fill=SEEN_RGB)
    sheet.draw.line((x(age["median"]), top + 88, x(age["median"]), top + 120), SPEAKS_RGB, 5)
    for years in (10, 30, 50, 70, 90):
        sheet.grey(x(years), top + 136, str(years), "mm")
    sheet.grey(left, top + 172, f"{low:g} to {high:g} years in 80 of 100")
    unheard = [name for name, each in report.items() if each == "not heard"]
    sheet.grey(left, top + 204, "not heard: " + ", ".join(unheard))
    for row, (name, each) in enumerate(report["measured"].items()):
        parts = each if isinstance(each, list) else [each]
        text = ", ".join("-" if part is None else f"{part:g}" for part in parts)
        sheet.grey(right + 80, top + 14 + 27 * row, name)
        sheet.text(RIGHT, top + 14 + 27 * row, text, "rm", 19)


def _percent(share: float) -> str:
    """Nothing is quite sure.

    >>> _percent(0.998), _percent(0.002), _percent(0.97)
    ('> 99 %', '< 1 %', '97 %')
    """
    if share > 0.99:
        return "> 99 %"
    return "< 1 %" if share < 0.01 else f"{share:.0%}".replace("%", " %")
