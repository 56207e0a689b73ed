"""A sheet of faces that a voice may have, and what was heard, with how sure it is."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from avtool.draw.canvas import fitted, typeface
from avtool.draw.palette import INK_RGB, PAPER_RGB
from avtool.draw.sheet import GREY, HEAD, MARGIN, RULE, SPEAKS_RGB, WIDTH
from avtool.pipelines.speech2face.values import FaceSamples

ACROSS, GAP, BARS = 4, 24, 250
FIRST, LAST = 8, 90  # years


def draw_samples(value: FaceSamples, path: Path, title: str) -> None:
    """Write the sheet as PNG."""
    side = (WIDTH - 2 * MARGIN - (ACROSS - 1) * GAP) // ACROSS
    rows = max(1, -(-len(value.faces) // ACROSS))
    bars = HEAD + rows * (side + GAP)
    image = Image.new("RGB", (WIDTH, bars + BARS), PAPER_RGB)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, 36), fitted(title, 30, WIDTH - 2 * MARGIN), INK_RGB, typeface(30), "lm")
    text = "drawn people who may have this voice, as often as it says; none of them is the speaker"
    draw.text((MARGIN, 72), text, GREY, typeface(19), "lm")
    for number, face in enumerate(value.faces):
        row, column = divmod(number, ACROSS)
        small = Image.fromarray(face).resize((side, side), Image.Resampling.LANCZOS)
        image.paste(small, (MARGIN + column * (side + GAP), HEAD + row * (side + GAP)))
    _heard(draw, value, bars + 20)
    image.save(path, format="PNG")


def _heard(draw: ImageDraw.ImageDraw, value: FaceSamples, top: int) -> None:
    """Sex as a share, age as an interval, and what the voice measures."""
    report = value.report
    left, right = MARGIN + 150, WIDTH // 2
    share = report["sex"]["female"]
    middle = left + share * (right - left)
    draw.text((left - 16, top + 24), "sex", INK_RGB, typeface(20), "rm")
    draw.rectangle((left, top + 12, middle, top + 36), fill=(188, 205, 232))
    draw.rectangle((middle, top + 12, right, top + 36), fill=SPEAKS_RGB)
    draw.text((left, top + 54), f"female {_percent(share)}", GREY, typeface(19), "lm")
    draw.text((right, top + 54), f"male {_percent(1 - share)}", GREY, typeface(19), "rm")

    def x(years: float) -> float:
        return left + (years - FIRST) / (LAST - FIRST) * (right - left)

    age = report["age"]
    low, high = age["interval80"]
    draw.text((left - 16, top + 104), "age", INK_RGB, typeface(20), "rm")
    draw.line((left, top + 104, right, top + 104), RULE, 3)
    draw.rectangle((x(low), top + 94, x(high), top + 114), fill=(188, 205, 232))
    draw.line((x(age["median"]), top + 88, x(age["median"]), top + 120), SPEAKS_RGB, 5)
    for years in (10, 30, 50, 70, 90):
        draw.text((x(years), top + 136), str(years), GREY, typeface(19), "mm")
    said = f"{low:g} to {high:g} years in 80 of 100"
    draw.text((left, top + 172), said, GREY, typeface(19), "lm")
    unheard = [name for name, each in report.items() if each == "not heard"]
    draw.text((left, top + 204), "not heard: " + ", ".join(unheard), GREY, typeface(19), "lm")
    column = WIDTH // 2 + 80
    for row, (name, each) in enumerate(report["measured"].items()):
        parts = each if isinstance(each, list) else [each]
        text = ", ".join("-" if part is None else f"{part:g}" for part in parts)
        draw.text((column, top + 14 + 27 * row), name, GREY, typeface(19), "lm")
        draw.text((WIDTH - MARGIN, top + 14 + 27 * row), text, INK_RGB, typeface(19), "rm")


def _percent(share: float) -> str:
    """Nothing is quite sure.

    >>> _percent(0.998), _percent(0.002), _percent(0.97)
    ('> 99 %', '< 1 %', '97 %')
    """
    if share > 0.99:
        return "> 99 %"
    return "< 1 %" if share < 0.01 else f"{share:.0%}".replace("%", " %")
