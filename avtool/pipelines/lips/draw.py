"""A mouth at work: the face as it was, then at sounds that need different mouths, and over time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from avtool.draw.palette import INK_RGB
from avtool.draw.sheet import HEAD, MARGIN, RIGHT, Sheet
from avtool.pipelines.lips.values import Mouths

GAP, LANES = 12, 250


def draw_mouths(value: Mouths, path: Path, title: str) -> None:
    """Write the picture as PNG."""
    count = max(4, len(value.shown))
    wide = (RIGHT - MARGIN - (count - 1) * GAP) // count
    ratio = max((image.shape[0] / image.shape[1] for _, _, image in value.shown), default=1.0)
    high = round(wide * min(ratio, 1.4))
    subtitle = "synthetic: nobody said this"
    if any(name.startswith("best") for name, *_ in value.shown):
        subtitle += (
            "; best and worst: lips moved least and most from the source while they speak, in %"
        )
        subtitle += " of the eyes' distance"
    sheet = Sheet(HEAD + high + 66 + LANES, title, subtitle)
    for column, (name, time, picture) in enumerate(value.shown):
        x = MARGIN + column * (wide + GAP)
        sheet.picture(x, HEAD, picture, wide, high, grow=True)
        sheet.text(x + wide / 2, HEAD + high + 22, name, "mm", 18)
        if column:
            sheet.grey(x + wide / 2, HEAD + high + 46, f"{time:.2f} s", "mm", 17)
    _lanes(sheet, value, HEAD + high + 74)
    sheet.save(path)


def _lanes(sheet: Sheet, value: Mouths, top: int) -> None:
    """Loudness, and how far the lips are open, over time."""
    fps = float(value.fps)
    seconds = max(len(value.opening) / fps, 1e-3)
    sheet.time_axis(0.0, seconds, (top, top + 150, top + 156, top + 190))
    sheet.sound(top + 36, value.level)
    highest = max(float(value.opening.max(initial=0)), 1e-3)
    gaps = np.maximum(value.opening, 0) / highest * 70
    points = [(sheet.x(k / fps), top + 146 - float(gap)) for k, gap in enumerate(gaps)]
    sheet.curve(top + 146, points)
    sheet.name(top + 112, "lips")
    for _, time, _ in value.shown[1:]:
        x = sheet.x(time)
        sheet.draw.line((x, top + 66, x, top + 146), INK_RGB)
