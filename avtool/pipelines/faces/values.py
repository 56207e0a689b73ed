"""Who is in a video: the value of `avtool faces`, and its files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from avtool.save.place import Place
from avtool.values import Array


@dataclass(frozen=True, eq=False)
class Face:
    """One person's face through a video.

    Shape:
        times: float64 [n], seconds, rising; boxes: float32 [n, 4], x0, y0, x1, y1 in source
        pixels; portrait: uint8 RGB [height, width, 3]; speaking: (start, end) in seconds.
    """

    face: int  # from 1
    times: Array
    boxes: Array
    portrait: Array
    speaking: list[tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Faces:
    """Who is in a video, in the order of their numbers."""

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    faces: list[Face]
    step: float  # seconds from one look to the next
    start: float
    end: float


def _faces_json(value: Faces, place: Place) -> None:
    """Boxes in source pixels, times in seconds."""
    faces = []
    for face in value.faces:
        boxes = face.boxes.astype(np.float64).round(1).tolist()
        track = zip(face.times.round(3).tolist(), boxes, strict=True)
        faces.append(
            {
                "face": face.face,
                "track": [{"t": t, "box": box} for t, box in track],
                "speaking": [[round(a, 3), round(b, 3)] for a, b in face.speaking],
            }
        )
    with place.path.open("w") as file:
        json.dump({"faces": faces}, file)
        file.write("\n")


def _faces_png(value: Faces, place: Place) -> None:
    from avtool.pipelines.faces.draw import draw_sheet

    draw_sheet(value, place.path, place.title)


Faces.WRITERS = {".json": _faces_json, ".png": _faces_png}
