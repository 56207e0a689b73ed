"""What a mouth does: the values of `avtool lips` beside its video, and their files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from avtool.save.place import Place
from avtool.values import Array


@dataclass(frozen=True, eq=False)
class Curves:
    """What a face does, as amounts of named units (Apple's ARKit has 52).

    Shape:
        amounts: float32 [frames, units], 0 to 1; names: of the units.
    """

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    amounts: Array
    fps: int
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Mouths:
    """A mouth at work, for the eye.

    Shape:
        shown: (what it says, seconds, uint8 RGB [height, width, 3]) of a few moments, the face as
        it was first, its best and its worst moment last; opening, level: float [pictures], the
        lips' opening over the eyes' distance and the sound's loudness, 0 to 1.
    """

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    shown: list[tuple[str, float, Array]]
    opening: Array
    level: Array
    fps: Fraction


def _curves_csv(value: Curves, place: Place) -> None:
    """A row a frame: its time in seconds, then each unit by its name."""
    with place.path.open("w", newline="") as file:
        file.write(",".join(["time", *value.names]) + "\n")
        times = np.arange(len(value.amounts)) / value.fps
        np.savetxt(file, np.column_stack([times, value.amounts]), "%.4g", ",")


def _curves_json(value: Curves, place: Place) -> None:
    frames = value.amounts.astype(np.float64).round(4).tolist()
    with place.path.open("w") as file:
        json.dump({"fps": value.fps, "names": list(value.names), "frames": frames}, file)
        file.write("\n")


def _mouths_png(value: Mouths, place: Place) -> None:
    from avtool.pipelines.lips.draw import draw_mouths

    draw_mouths(value, place.path, place.title)


Curves.WRITERS = {".csv": _curves_csv, ".json": _curves_json}
Mouths.WRITERS = {".png": _mouths_png}
