"""Where a sound comes from: the value of `avtool localize`, and its files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from avtool.save.place import Place
from avtool.values import Array


@dataclass(frozen=True, eq=False)
class Source:
    """Where a sound comes from, at one moment or over all of a clip.

    Args:
        visible: how likely the source is in the picture at all, 0 to 1.
        peak: x, y; box: x0, y0, x1, y1, both in source pixels.
        cue: what told most: "face", "motion", "stereo" or "attention"; face: its number, where it
            is one.
        kind: of sound that is heard, as AudioSet names it; empty where none is likely.
    """

    time: float
    visible: float
    peak: tuple[float, float]
    box: tuple[float, float, float, float]
    cue: str
    face: int | None
    kind: str = ""


@dataclass(frozen=True, eq=False)
class Sources:
    """Where the sound of a clip comes from, moment by moment.

    Shape:
        maps: one a step, float32 [rows, columns], the probability of each cell; what they lack to
        1 is nowhere. heats: the same for the eye, the peak as hot as it is likely. shown: (time,
        uint8 RGB [height, width, 3]) of a few moments; cues: for each of them, what each cue alone
        says, by name, 0 to 1 [rows, columns]; level: float [frames] in dB, 25 a second.
    """

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    steps: list[Source]
    clip: Source
    maps: Callable[[], Iterator[Array]]
    heats: Callable[[], Iterator[Array]]
    every: float  # seconds from one step to the next
    size: tuple[int, int]  # of the source, width and height
    shown: list[tuple[float, Array]]
    cues: list[dict[str, Array]]
    level: Array


def _sources_json(value: Sources, place: Place) -> None:
    """Source pixels, seconds, and how likely the source is visible."""

    def facts(source: Source) -> dict[str, Any]:
        found = {
            "t": round(source.time, 3),
            "visible": round(source.visible, 3),
            "peak": [round(x, 1) for x in source.peak],
            "box": [round(x, 1) for x in source.box],
            "cue": source.cue,
        }
        if source.face is not None:
            found["face"] = source.face
        return found | ({"kind": source.kind} if source.kind else {})

    whole = facts(value.clip)
    del whole["t"]
    with place.path.open("w") as file:
        json.dump({"steps": [facts(step) for step in value.steps], "clip": whole}, file)
        file.write("\n")


def _sources_npz(value: Sources, place: Place) -> None:
    """The maps [steps, rows, columns], float16, and their times."""
    rows = (step.time for step in value.steps)
    maps = np.stack([each.astype(np.float16) for each in value.maps()])
    with place.path.open("wb") as file:
        np.savez_compressed(file, maps=maps, time=np.fromiter(rows, float))


def _sources_png(value: Sources, place: Place) -> None:
    from avtool.pipelines.localize.draw import draw_sources

    draw_sources(value, place.path, place.title)


Sources.WRITERS = {".json": _sources_json, ".npz": _sources_npz, ".png": _sources_png}
