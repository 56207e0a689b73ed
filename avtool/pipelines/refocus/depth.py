"""How near everything is: people by the size of their faces, all of it by a stereo pair or a map.

Nearness is one over distance. A face that is twice as large is twice as near, and the circle of
confusion of a thin lens is as wide as the difference of nearness (both exactly, for faces of one
size): so all of it is told in pixels of a face's height.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from avtool import media
from avtool.errors import InputError, MediaError
from avtool.face import Track
from avtool.media import Media, Spec
from avtool.media.image import SUFFIXES, read_picture
from avtool.values import FPS, Array, Frames

PLACE, SIZE = 0.08, 0.6  # seconds over which a face's place, and its size, are averaged
HELD, FADES = 1.5, 0.5  # seconds that a lost face is thought to stay, and in which it goes then
WIDEST = 0.16  # of the width: disparities that are looked for
BORDER = 8  # pixels that are added above and below before two pictures are matched


@dataclass(frozen=True, eq=False)
class Given:
    """What a user knows of depth: a picture beside each of the film's, or one for all.

    Args:
        kind: "nearness": what is brighter is nearer; "metres": distances; "right": the right
            picture of a stereo pair, whose left one is refocused.
        source: a film; or a picture, uint8 RGB [height, width, 3], or metres [height, width].
    """

    kind: Literal["nearness", "metres", "right"]
    source: Media | Array
    name: str

    def images(self, frames: Frames, start: float, name: str) -> Iterator[Array]:
        """Its pictures beside those of a film, or a photo, that begins at ``start`` seconds.

        The last one stays, where it is shorter.

        Raises:
            MediaError: its pictures have another shape.
        """
        if isinstance(self.source, Media):
            if not self.source.info.video:
                raise MediaError(f"{self.name}: has no pictures that could tell the depth")
            seen = self.source.info.video[0]
            self._fits(seen.width, seen.height, frames, name)
            size = frames.width, frames.height
            spec = Spec(frames=True, fps=frames.fps, size=size, start=start)
            return _lasting(self.source.clip(spec).pictures().images(), self.name)
        self._fits(self.source.shape[1], self.source.shape[0], frames, name)
        return repeat(self.source)

    @property
    def ends(self) -> float | None:
        """When a film of it is over, in seconds; None of a picture, or where nobody knows."""
        return self.source.info.duration if isinstance(self.source, Media) else None

    def _fits(self, width: int, height: int, frames: Frames, name: str) -> None:
        if abs(width / height * frames.height / frames.width - 1) > 0.01:
            raise MediaError(
                f"{self.name}: is {width}x{height}, {name} is {frames.width}x{frames.height}; "
                "give depth of the same shape"
            )

    def near(self, grey: Array, told: Array) -> Array:
        """What one of its pictures says: nearness in any unit, 0 at infinity, float32 [h, w].

        Shape:
            grey: float32 [h, w], the picture that is refocused, small, 0 to 1.
        """
        size = grey.shape[1], grey.shape[0]
        if self.kind == "metres":
            values = 1 / np.maximum(np.nan_to_num(told, nan=np.inf), 1e-3)
        else:
            values = cv2.cvtColor(told, cv2.COLOR_RGB2GRAY)
        values = cv2.resize(values, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        if self.kind == "right":
            return disparity((grey * 255).astype(np.uint8), values.astype(np.uint8))
        return np.asarray(values)


def _lasting(images: Iterable[Array], name: str) -> Iterator[Array]:
    """Pictures, and the last of them for ever."""
    last = None
    for last in images:
        yield last
    if last is None:
        raise MediaError(f"{name}: has no pictures in this part that could tell the depth")
    yield from repeat(last)


def given(depth: str | None, right: str | None) -> Given | None:
    """The depth in a file, or that a stereo pair's right picture tells.

    Raises:
        MediaError: it cannot be read. InputError: it is no map of metres.
    """
    name = depth or right
    if name is None:
        return None
    kind: Literal["nearness", "right"] = "right" if right else "nearness"
    suffix = Path(name).suffix.lower()
    if suffix in SUFFIXES:
        return Given(kind, read_picture(name), name)
    if suffix != ".npy" or right:
        return Given(kind, media.open(name), name)
    try:
        metres = np.load(name, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise MediaError(f"{name}: cannot be read as an array ({error})") from error
    if metres.ndim != 2 or metres.dtype.kind not in "fiu" or not metres.size:
        raise InputError(
            f"{name}: is {metres.dtype} {list(metres.shape)}; metres are numbers [height, width]"
        )
    return Given("metres", metres.astype(np.float32), name)


def disparity(left: Array, right: Array) -> Array:
    """How many pixels further left the right picture shows each place, float32 [h, w].

    Semi-global matching (Hirschmüller 2008), both ways; where the two disagree the picture is
    hidden from one of the eyes, so it is as far away as the farther one of what is beside it.

    Shape:
        uint8 [h, w] each.
    """
    count = 16 * max(1, round(WIDEST * left.shape[1] / 16))
    matcher = cv2.StereoSGBM.create(
        minDisparity=0,
        numDisparities=count,
        blockSize=5,
        P1=8 * 25,
        P2=32 * 25,
        uniquenessRatio=5,
        speckleWindowSize=100,
        speckleRange=2,
        mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
    )
    edge = ((BORDER, BORDER), (count, count))  # where nothing is matched
    left, right = (np.pad(each, edge, mode="edge") for each in (left, right))
    inside = slice(BORDER, -BORDER), slice(count, -count)
    ours = matcher.compute(left, right)[inside].astype(np.float32) / 16
    theirs = matcher.compute(right[:, ::-1].copy(), left[:, ::-1].copy())
    theirs = theirs[:, ::-1][inside].astype(np.float32) / 16
    x = np.arange(ours.shape[1]) - ours.round().astype(int)
    there = np.take_along_axis(theirs, np.clip(x, 0, ours.shape[1] - 1), 1)
    agree = (ours >= 0) & (np.abs(ours - there) < 1.5)
    return np.asarray(cv2.medianBlur(_behind(ours, agree), 5))


def _behind(values: Array, known: Array) -> Array:
    """Values [h, w]; those that are not known are the farther one of the next in their row."""
    width = values.shape[1]
    places = np.arange(width)
    last = np.maximum.accumulate(np.where(known, places, -1), 1)
    following = np.minimum.accumulate(np.where(known, places, width)[:, ::-1], 1)[:, ::-1]
    held = np.pad(values, ((0, 0), (1, 1)), constant_values=np.inf)
    found = np.minimum(
        np.take_along_axis(held, last + 1, 1), np.take_along_axis(held, following + 1, 1)
    )
    return np.asarray(np.where(np.isfinite(found), found, 0), np.float32)


@dataclass(frozen=True, eq=False)
class Person:
    """Whose face it is, where and how large, at one time."""

    box: Array  # [4], x0, y0, x1, y1 in pixels
    size: float  # pixels that the face is high: its nearness
    there: float  # 1, and less while it is lost


@dataclass(frozen=True, eq=False)
class People:
    """The faces of a film over time, without the jitter of their finding."""

    tracks: Sequence[Track]
    _smooth: dict[int, tuple[Array, Array]] = field(default_factory=dict)

    def at(self, time: float) -> dict[int, Person]:
        """Those who are seen at a time, in seconds, by their numbers."""
        found = {}
        for track in self.tracks:
            place = time * FPS
            gap = float(np.abs(track.frames - place).min()) / FPS
            there = min(1.0, max(0.0, 1 + (HELD - gap) / FADES))
            if there:
                boxes, sizes = self._track(track)
                box = np.array([np.interp(place, track.frames, each) for each in boxes.T])
                size = float(np.interp(place, track.frames, sizes))
                found[track.face] = Person(box, size, there)
        return found

    def size(self, face: int, time: float) -> float:
        """How high a face is at a time, or was, or will be, where it is not seen."""
        (track,) = (each for each in self.tracks if each.face == face)
        return float(np.interp(time * FPS, track.frames, self._track(track)[1]))

    def _track(self, track: Track) -> tuple[Array, Array]:
        if track.face not in self._smooth:
            boxes = track.boxes.astype(np.float64)
            side = np.ptp(boxes.reshape(-1, 2, 2), axis=1).max(1)
            moved = np.abs(np.diff(boxes, axis=0)).max(1) > side[:-1] / 2
            breaks = np.flatnonzero(moved | (np.diff(track.frames) > 1)) + 1
            parts = np.split(boxes, breaks)
            sizes = [
                gaussian_filter1d(each[:, 3] - each[:, 1], SIZE * FPS, mode="nearest")
                for each in parts
            ]
            places = [gaussian_filter1d(each, PLACE * FPS, 0, mode="nearest") for each in parts]
            self._smooth[track.face] = np.concatenate(places), np.concatenate(sizes)
        return self._smooth[track.face]
