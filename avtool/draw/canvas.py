"""A picture with a title, one panel and its axes: an 8-bit palette PNG."""

from __future__ import annotations

import unicodedata
from functools import cache
from math import ceil, floor, log10
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from avtool.draw.palette import INK, MAP
from avtool.values import Array

WIDTH, HEIGHT = 1600, 800
LINE = 20  # pixels from tick to tick up a panel, that their texts stay apart
LEFT, TOP, RIGHT, BOTTOM = 116, 92, 148, 86  # margins around the panel
PANEL_W, PANEL_H = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM


class Canvas:
    """A picture with a title, one panel and its axes."""

    def __init__(self, title: str, subtitle: str) -> None:
        self._pixels = np.full((HEIGHT, WIDTH), MAP, np.uint8)
        self._ink = Image.new("L", (WIDTH, HEIGHT), 0)
        self._draw = ImageDraw.Draw(self._ink)
        room = WIDTH - LEFT - RIGHT
        self._text((LEFT, 30), fitted(title, 30, room), 30, "lm")
        self._text((LEFT, 64), fitted(subtitle, 19, room), 19, "lm", 150)
        box = (LEFT - 1, TOP - 1, LEFT + PANEL_W, TOP + PANEL_H)
        self._draw.rectangle(box, outline=120)

    def _text(
        self, at: tuple[float, float], text: str, size: int, anchor: str, shade: int = 255
    ) -> None:
        text, chosen = _legible(text, size)
        self._draw.text(at, text, fill=shade, font=chosen, anchor=anchor)

    def panel(self, shades: Array, *, smooth: bool = True) -> None:
        """Map shades [rows, columns] in 0..239 onto the panel; rows stay apart if not smooth."""
        whole = Image.fromarray(np.ascontiguousarray(shades))
        if not smooth:
            whole = whole.resize((whole.width, PANEL_H), Image.Resampling.NEAREST)
        if whole.size != (PANEL_W, PANEL_H):
            whole = whole.resize((PANEL_W, PANEL_H), Image.Resampling.BILINEAR)
        self._pixels[TOP : TOP + PANEL_H, LEFT : LEFT + PANEL_W] = np.asarray(whole)

    def note(self, text: str) -> None:
        self._text((LEFT + PANEL_W / 2, TOP + PANEL_H / 2), text, 24, "mm", 150)

    def time_axis(self, start: float, end: float) -> None:
        """Seconds, or minutes and hours where seconds would be many digits."""
        span = max(end - start, 1e-6)
        ticks, unit = time_ticks(start, end)
        for time, text in ticks:
            x = LEFT + (time - start) / span * PANEL_W
            self._draw.line((x, TOP + PANEL_H, x, TOP + PANEL_H + 8), fill=120)
            self._text((x, TOP + PANEL_H + 14), text, 20, "ma")
        self._text((LEFT + PANEL_W / 2, HEIGHT - 20), f"time [{unit}]", 20, "mm", 150)

    def value_axis(self, marks: list[tuple[float, str]], label: str) -> None:
        """Marks: (height in the panel, 0 at its foot to 1, text).

        Where two texts would lie on each other, the mark that comes first stays.
        """
        written: list[float] = []
        for height, text in marks:
            y = TOP + (1 - height) * PANEL_H
            if text and any(abs(y - other) < LINE for other in written):
                continue
            self._draw.line((LEFT - 9, y, LEFT - 1, y), fill=120)
            if text:
                self._text((LEFT - 15, y), text, 20, "rm")
                written.append(y)
        # Written sideways: drawn on its own, turned, and laid down.
        font = typeface(20)
        width = ceil(font.getlength(label))
        tag = Image.new("L", (width + 4, 30), 0)
        ImageDraw.Draw(tag).text((2, 15), label, fill=150, font=font, anchor="lm")
        turned = tag.rotate(90, expand=True)
        self._ink.paste(turned, (12, TOP + (PANEL_H - turned.height) // 2))

    def scale(self, low: float, high: float, unit: str) -> None:
        """The colour scale right of the panel."""
        x, width = LEFT + PANEL_W + 28, 22
        ramp = np.linspace(MAP - 1, 0, PANEL_H).round().astype(np.uint8)
        self._pixels[TOP : TOP + PANEL_H, x : x + width] = ramp[:, None]
        box = (x - 1, TOP - 1, x + width, TOP + PANEL_H)
        self._draw.rectangle(box, outline=120)
        step = nice((high - low) / 6)
        for k in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1):
            y = TOP + PANEL_H * (1 - (k * step - low) / max(high - low, 1e-9))
            self._draw.line((x + width, y, x + width + 6, y), fill=120)
            self._text((x + width + 12, y), f"{k * step:g}", 18, "lm")
        self._text((x + width / 2, TOP - 16), unit, 18, "mm", 150)

    def lane_names(self, names: list[str]) -> None:
        """Names right of the panel, one a lane of equal height, from the top."""
        for lane, name in enumerate(names):
            y = TOP + (lane + 0.5) * PANEL_H / len(names)
            self._text((LEFT + PANEL_W + 24, y), name, 18, "lm", 150)

    def legend(self, above: bool = False) -> None:
        """What the two shades of a waveform are, beside the panel or higher than it."""
        for row, (shade, text) in enumerate(((MAP - 1, "RMS"), (130, "peak"))):
            y = (30 if above else TOP + 14) + 30 * row
            x = LEFT + PANEL_W + 24
            self._pixels[y - 8 : y + 8, x : x + 16] = shade
            self._text((x + 26, y), text, 18, "lm", 150)

    def save(self, path: Path, palette: bytes) -> None:
        ink = np.asarray(self._ink)
        drawn = ink > 7
        pixels = self._pixels
        pixels[drawn] = MAP + (ink[drawn].astype(np.uint16) * (INK - 1) // 255).astype(np.uint8)
        image = Image.fromarray(pixels).convert("P")
        image.putpalette(palette)
        image.save(path, format="PNG", compress_level=3)


# Pillow's own font is Latin; for other scripts, what a system may have.
_OTHER_FONTS = ("NotoSansCJK-Regular.ttc", "DejaVuSans.ttf", "Arial Unicode.ttf", "msgothic.ttc")


@cache
def typeface(size: int, file: str = "") -> Any:
    """Pillow's own, or a font file's."""
    return ImageFont.truetype(file, size) if file else ImageFont.load_default(size)


def _legible(text: str, size: int) -> tuple[str, Any]:
    """The text and the first font that has all its letters; else without what no font here has."""
    if text.isascii() or _has_all(typeface(size), text):
        return text, typeface(size)
    for file in _OTHER_FONTS:
        try:
            font = typeface(size, file)
        except OSError:
            continue  # not on this system
        if _has_all(font, text):
            return text, font
    font = typeface(size)
    # "naïve" becomes "naive"; a letter with no plain form becomes a question mark.
    plain = (unicodedata.normalize("NFKD", c)[0] if not _has_all(font, c) else c for c in text)
    return "".join(c if _has_all(font, c) else "?" for c in plain), font


def _has_all(font: Any, text: str) -> bool:
    missing = bytes(font.getmask("\uffff"))
    return all(c.isascii() or bytes(font.getmask(c)) != missing for c in text)


def fitted(text: str, size: int, room: float) -> str:
    """The text, its middle left out where it is too long for its place."""
    text, font = _legible(text, size)
    shown, keep = text, len(text)
    while keep > 8 and font.getlength(shown) > room:
        keep -= 2
        shown = text[: keep // 2] + "..." + text[-(keep // 2) :]
    return shown


def wrapped(text: str, size: int, room: float) -> list[str]:
    """Lines of a text that fit, broken between words; too long a word loses its middle."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and typeface(size).getlength(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return [fitted(line, size, room) for line in lines]


def clock(seconds: float) -> str:
    """A time as a player shows it, with tenths; hours where there are some.

    >>> clock(59.96), clock(3723.5)
    ('1:00.0', '1:02:03.5')
    """
    minutes, tenths = divmod(round(max(0.0, seconds) * 10), 600)
    hours, minute = divmod(minutes, 60)
    second = f"{tenths // 10:02}.{tenths % 10}"
    return f"{hours}:{minute:02}:{second}" if hours else f"{minute}:{second}"


def nice(step: float) -> float:
    """The next of 1, 2, 5 times a power of ten.

    >>> nice(0.03), nice(13)
    (0.05, 20.0)
    """
    base = 10 ** floor(log10(max(step, 1e-12)))
    return float(next(m * base for m in (1, 2, 5, 10) if m * base >= step * 0.999999))


def time_ticks(start: float, end: float) -> tuple[list[tuple[float, str]], str]:
    """Round times in seconds with how they are written, and what the digits are."""
    step, show, unit = _time_step(start, end)
    count = range(ceil(start / step - 1e-9), floor(end / step + 1e-9) + 1)
    return [(k * step, show(k * step)) for k in count], unit


def _time_step(start: float, end: float) -> tuple[float, Any, str]:
    span = max(end - start, 1e-6)
    if end < 120:
        fine = nice(span / 10)
        digits = max(0, -floor(log10(fine) + 1e-9))
        return fine, lambda t: f"{t:.{digits}f}", "s"
    steps = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
    step = next((s for s in steps if s >= span / 12), 86400 * ceil(span / 12 / 86400))
    if end < 7200:
        return step, lambda t: f"{int(t) // 60}:{int(t) % 60:02d}", "min:s"
    return step, lambda t: f"{int(t) // 3600}:{int(t) // 60 % 60:02d}", "h:min"
