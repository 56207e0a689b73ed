"""The summary of a face that speaks: its clearest moments, its best and its worst one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Protocol

import numpy as np

from avtool.models.speech_frontend import PHONES
from avtool.pipelines.lips.model import FPS as MOTION_FPS
from avtool.pipelines.lips.speech_to_motion import LOWER, Motion, gap, loudness
from avtool.pipelines.lips.values import Mouths
from avtool.values import FPS as TRACKED
from avtool.values import Array, Audio, Frames

CLEARLY = 0.4  # how likely a sound must be to be shown
SOUNDS = {  # what a mouth shows best, by phones
    "/a/": ("AA", "AE", "AH", "AY"),
    "/o/": ("OW", "UW", "AO", "W"),
    "/i/": ("IY", "IH", "EY"),
    "/m/": ("M", "B", "P"),
    "/f/": ("F", "V"),
    "silence": ("SIL",),
}
OPEN = ("/a/", "/o/", "/i/")
SPEAKS, OPENED = 0.5, 0.02  # part of its wide opening, and eyes' distances, of a mouth that speaks


class Film(Protocol):
    """What is seen of a face that speaks: ``pipeline.Result``."""

    @property
    def lips(self) -> Frames: ...
    @property
    def audio(self) -> Audio: ...
    @property
    def motion(self) -> Motion: ...
    @property
    def first(self) -> Array: ...
    @property
    def box(self) -> Callable[[int], Array]: ...
    @property
    def changed(self) -> Sequence[tuple[int, float]]: ...


def clearest(moved: Motion, fps: Fraction, count: int) -> list[tuple[str, int]]:
    """What is said most clearly of each kind, and the number of its picture, as they come."""
    found = []
    wide = np.clip(moved.amounts @ moved.shapes[:, LOWER, 1], 0, None)
    wide = wide / max(float(wide.max()), 1e-6)
    for name, phones in SOUNDS.items():
        likely = moved.phones[:, [PHONES.index(phone) for phone in phones]].sum(1)
        near = np.convolve(likely, np.full(3, 1 / 3), "same")  # not where it begins or ends
        best = int((near * (0.25 + wide if name in OPEN else 1)).argmax())
        if near[best] > CLEARLY:
            found.append((name, min(count - 1, round(best / MOTION_FPS * fps))))
    return sorted(found, key=lambda each: each[1])


class Moments:
    """A few moments of what is said most clearly, kept while the pictures are read; and those in
    which a speaking mouth is least and most changed, which are its best and its worst.

    Args:
        audio: the speech.
    """

    def __init__(self, result: Film, audio: Audio) -> None:
        self._result, self._audio = result, audio
        self._count = round((result.audio.seconds or 0) * result.lips.fps)
        self._wanted = clearest(result.motion, result.lips.fps, self._count)
        motion, times = result.motion, np.arange(self._count) / float(result.lips.fps)
        self._opened = gap(motion.lips(motion.at(times)))
        self._speaks = self._opened > max(SPEAKS * float(np.quantile(self._opened, 0.95)), OPENED)
        self._shown: list[tuple[str, float, Array]] = []
        self._ends: dict[str, tuple[int, float, Array]] = {}

    def watching(self, frames: Frames) -> Frames:
        """The same pictures; some of them are kept as they pass."""

        def images() -> Iterator[Array]:
            self._shown = [("the face", 0.0, self._cut(self._result.first, 0))]
            self._ends = {}
            for number, image in enumerate(frames.images()):
                for name, place in self._wanted:
                    if place == number:
                        time = float(number / frames.fps)
                        self._shown.append((name, time, self._cut(image, number)))
                self._judge(image, number)
                yield image

        return replace(frames, images=images)

    def picture(self) -> Mouths:
        """What was kept, with the opening of the lips and the loudness."""
        fps = self._result.lips.fps
        level = loudness(self._audio, max(1, round(self._count / fps * TRACKED)))
        ends = [
            (f"{name}: moved {100 * far:.1f} %", float(number / fps), image)
            for name, (number, far, image) in self._ends.items()
        ]
        return Mouths(self._shown + ends, self._opened, level, fps)

    def facts(self) -> dict[str, dict[str, float]]:
        """The best and the worst moment: seconds, and how far the lips were moved."""
        fps = self._result.lips.fps
        return {
            name: {"seconds": round(float(number / fps), 3), "moved": round(far, 4)}
            for name, (number, far, _) in self._ends.items()
        }

    def _judge(self, image: Array, number: int) -> None:
        """Keep a picture if the mouth speaks in it, and is less or more changed than in others."""
        painted, far = self._result.changed[-1] if self._result.changed else (-1, 0.0)
        if painted != number or not self._speaks[number]:
            return
        for name, sign in (("best", -1), ("worst", 1)):
            if name not in self._ends or sign * far > sign * self._ends[name][1]:
                self._ends[name] = number, far, self._cut(image, number)

    def _cut(self, image: Array, number: int) -> Array:
        box = self._result.box(number)
        wide, high = box[2:] - box[:2]
        reach = box + np.array([-0.1 * wide, 0.2 * high, 0.1 * wide, 0.15 * high])
        x0, y0, x1, y1 = np.clip(reach, 0, np.tile(image.shape[1::-1], 2)).round().astype(int)
        return np.asarray(image[y0:y1, x0:x1].copy())
