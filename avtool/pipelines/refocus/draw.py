"""Before and after, how wide the blur is, what is in focus; in whom the focus lies over time."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from avtool.draw.palette import MAP, palette
from avtool.draw.sheet import HEAD, MARGIN, RIGHT, SEEN_RGB, SPEAKS_RGB, Sheet
from avtool.pipelines.refocus.values import Moment, Refocused
from avtool.values import Array

SPACE, UNDER, LANE, AXIS = 12, 34, 44, 76
HIGHEST = 560  # pixels of a picture


def draw_sheet(value: Refocused, path: Path, title: str) -> None:
    """Write the sheet as PNG."""
    first = value.moments[0].before
    single = len(value.moments) == 1 and first.shape[1] > first.shape[0]
    across = 2 if single else 4
    wide = (RIGHT - MARGIN - (across - 1) * SPACE) // across
    high = min(HIGHEST, round(wide * first.shape[0] / first.shape[1]))
    rows = 2 if single else len(value.moments)
    film = len(value.blurs) > 1
    lanes = LANE * len(_faces(value)) + AXIS if film else 0
    subtitle = f"as a 50 mm lens at f/{value.stop:g} shows it; altered by avtool refocus"
    sheet = Sheet(HEAD + rows * (high + UNDER) + 8 + lanes, title, subtitle, MARGIN + 84)
    top = max(1.0, *(float(each.width.max()) for each in value.moments))
    for n, moment in enumerate(value.moments):
        for k, (name, picture) in enumerate(_pictures(moment, top)):
            x = MARGIN + (k % across) * (wide + SPACE)
            y = HEAD + (n + k // across) * (high + UNDER)
            sheet.picture(x, y, picture, wide, high, grow=True)
            when = f"{name}, {moment.time:.2f} s" if film and k == 0 else name
            sheet.grey(x + wide / 2, y + high + 16, when, "mm", 17)
    if film:
        _lanes(sheet, value, HEAD + rows * (high + UNDER) + 8)
    sheet.save(path)


def _pictures(moment: Moment, top: float) -> list[tuple[str, Array]]:
    """What is shown of a moment, with its name."""
    heat = np.frombuffer(palette("heat"), np.uint8).reshape(-1, 3)
    shades = (moment.width / top * (MAP - 1)).clip(0, MAP - 1).astype(np.uint8)
    size = moment.before.shape[1::-1]
    width = cv2.resize(heat[shades], size, interpolation=cv2.INTER_LINEAR)
    dim = moment.before * (0.25 + 0.75 * moment.sharp[..., None])
    return [
        ("before", moment.before),
        (f"face {moment.face} in focus", moment.after),
        (f"width of the blur, 0 (dark) to {top:.0f} pixels", np.asarray(width)),
        ("untouched", dim.astype(np.uint8)),
    ]


def _faces(value: Refocused) -> list[int]:
    return sorted({face for _, face in value.turns})


def _lanes(sheet: Sheet, value: Refocused, top: int) -> None:
    """When the focus lies in each face."""
    end = len(value.blurs) / float(value.fps)
    faces = _faces(value)
    foot = top + LANE * len(faces)
    sheet.time_axis(0.0, end, (top, foot + 4, foot + 10, foot + 52))
    ends = [time for time, _ in value.turns[1:]] + [end]
    for n, face in enumerate(faces):
        y = top + LANE * n + LANE // 2
        sheet.name(y, f"face {face}")
        sheet.draw.rounded_rectangle((sheet.left, y - 12, RIGHT, y + 12), 6, SEEN_RGB)
        for (start, own), after in zip(value.turns, ends, strict=True):
            if own == face and after > start:
                box = (sheet.x(start), y - 12, max(sheet.x(after), sheet.x(start) + 1), y + 12)
                sheet.draw.rounded_rectangle(box, 6, SPEAKS_RGB)
