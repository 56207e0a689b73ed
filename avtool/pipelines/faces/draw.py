"""A contact sheet of faces: numbered portraits, when each is seen, and when each speaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from avtool.draw.canvas import typeface
from avtool.draw.sheet import FOOT, HEAD, MARGIN, RIGHT, SEEN_RGB, SIDE, SPEAKS_RGB, Sheet, row
from avtool.pipelines.faces.values import Face, Faces


def draw_sheet(value: Faces, path: Path, title: str) -> None:
    """Write the sheet as PNG, one row a face."""
    count = len(value.faces)
    said = "no face was found" if not count else "1 face" if count == 1 else f"{count} faces"
    foot = row(max(1, count))
    sheet = Sheet(foot + FOOT, title, said, MARGIN + SIDE + 84)
    if count:
        _key(sheet)
    sheet.time_axis(value.start, value.end, (HEAD - 8, foot - 14, foot - 4, foot + 62))
    for number, face in enumerate(value.faces):
        sheet.portrait(row(number), face.portrait)
        middle = row(number) + SIDE / 2
        sheet.text(MARGIN + SIDE + 42, middle, str(face.face), "mm", 44)
        _times(sheet, face, value.step, middle)
    sheet.save(path)


def _times(sheet: Sheet, face: Face, step: float, middle: float) -> None:
    """A light bar where the face is seen, a dark one in it where it speaks."""
    breaks = np.flatnonzero(np.diff(face.times) > 1.5 * step)
    firsts = np.concatenate([[0], breaks + 1])
    lasts = np.concatenate([breaks, [len(face.times) - 1]])
    seen = zip(face.times[firsts], face.times[lasts] + step, strict=True)
    for spans, half, radius, colour in (
        (seen, 30, 6, SEEN_RGB),
        (face.speaking, 18, 4, SPEAKS_RGB),
    ):
        for start, end in spans:
            x0, x1 = sheet.x(start), sheet.x(end)
            box = (x0, middle - half, max(x1, x0 + 1), middle + half)
            sheet.draw.rounded_rectangle(box, radius, colour)


def _key(sheet: Sheet) -> None:
    right = float(RIGHT)
    for colour, text in ((SPEAKS_RGB, "speaks"), (SEEN_RGB, "is seen")):
        sheet.grey(right, 72, text, "rm")
        right -= typeface(19).getlength(text) + 12
        sheet.draw.rounded_rectangle((right - 28, 63, right, 81), 4, colour)
        right -= 56
