"""The shots of a film, each with the picture from its middle; a few pictures are held at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from avtool.signal.cut import Cuts
from avtool.values import Array

SHORTEST = 0.4  # seconds; a shorter one is a flash
HELD = 16  # pictures of a shot from which the one in its middle is taken


@dataclass(frozen=True, eq=False)
class Shot:
    """From ``start`` to ``end`` seconds; ``picture`` is of ``at``, uint8 RGB [height, width, 3]."""

    start: float
    end: float
    at: float
    picture: Array


def shots(
    images: Iterable[Array], fps: float, start: float = 0.0, longest: float = math.inf
) -> Iterator[Shot]:
    """The shots of a film, in one pass over its pictures.

    Args:
        images: uint8 RGB [height, width, 3], ``fps`` a second; start: of the first, in seconds.
        longest: seconds of a shot; a longer one is several.
    """
    cuts = Cuts()
    first, held = 0, _Held()
    count = 0
    for count, image in enumerate(images, 1):
        cut = cuts.begins(image)
        place = count - 1
        lasts = (place - first) / fps
        if (cut and lasts >= SHORTEST) or lasts >= longest:
            yield _shot(fps, start, first, place, held)
            first, held = place, _Held()
        held.add(place, image)
    if count:
        yield _shot(fps, start, first, count, held)


def _shot(fps: float, start: float, first: int, end: int, held: _Held) -> Shot:
    place, picture = held.near((first + end - 1) / 2)
    return Shot(start + first / fps, start + end / fps, start + place / fps, picture)


class _Held:
    """Pictures of one shot, evenly apart, however long it becomes."""

    def __init__(self) -> None:
        self._pictures: list[tuple[int, Array]] = []
        self._count, self._step = 0, 1

    def add(self, place: int, image: Array) -> None:
        if self._count % self._step == 0:
            self._pictures.append((place, image))
        self._count += 1
        if len(self._pictures) > HELD:
            del self._pictures[1::2]
            self._step *= 2

    def near(self, place: float) -> tuple[int, Array]:
        return min(self._pictures, key=lambda each: abs(each[0] - place))
