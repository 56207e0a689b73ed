"""The moments of a refocused film that its picture shows, kept while the pictures are made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from avtool.face import Track
from avtool.pipelines.refocus.focus import Focus
from avtool.pipelines.refocus.scene import Shot
from avtool.pipelines.refocus.values import Moment, Refocused
from avtool.values import FPS

MOST = 3  # moments


class Moments:
    """For each face that is in focus, the middle of its longest time; three at most.

    Args:
        count: of pictures, about; stop: the f-number.
    """

    def __init__(
        self, focus: Focus, tracks: Sequence[Track], count: int, fps: Fraction, stop: float
    ) -> None:
        self._focus, self._fps, self._stop, self._count = focus, fps, stop, count
        self._wanted = sorted(self._places(tracks))
        self._kept: dict[int, Moment] = {}
        self._blurs: list[dict[int, float]] = []

    def _places(self, tracks: Sequence[Track]) -> list[int]:
        """The numbers of the pictures that are shown."""
        end = self._count / float(self._fps)
        times = [start for start, _ in self._focus.turns] + [end]
        longest: dict[int, tuple[float, float]] = {}
        for (start, face), after in zip(self._focus.turns, times[1:], strict=True):
            if after - start > longest.get(face, (0.0, 0.0))[0]:
                longest[face] = after - start, start
        found = []
        for face, (lasts, start) in longest.items():
            frames = next(each.frames for each in tracks if each.face == face) / FPS
            middle = start + lasts / 2
            seen = float(frames[np.abs(frames - middle).argmin()])
            found.append((lasts, min(self._count - 1, round(seen * self._fps))))
        return [place for _, place in sorted(found, reverse=True)[:MOST]]

    @property
    def complete(self) -> bool:
        """Whether all moments were seen."""
        return len(self._kept) == len(self._wanted)

    def watching(self, shots: Iterable[Shot]) -> Iterator[Shot]:
        """The same; some are kept as they pass."""
        self._kept, self._blurs = {}, []
        last = None
        for shot in shots:
            self._blurs.append(shot.scene.blurs)
            if shot.number in self._wanted:
                self._kept[shot.number] = self._moment(shot)
            last = shot
            yield shot
        if last is not None and not self._kept:  # it has fewer pictures than it says
            self._kept[last.number] = self._moment(last)

    def _moment(self, shot: Shot) -> Moment:
        time = float(shot.number / self._fps)
        here = self._focus.at(time)
        face = max(here, key=here.__getitem__)
        after, before = shot.after.copy(), shot.before.copy()
        return Moment(time, face, before, after, shot.scene.width(), shot.sharp)

    def value(self) -> Refocused:
        """What was kept."""
        moments = [self._kept[n] for n in sorted(self._kept)]
        return Refocused(moments, self._focus.turns, self._blurs, self._fps, self._stop)
