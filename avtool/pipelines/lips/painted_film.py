"""A film in which a face says another sound: its pictures, painted one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from fractions import Fraction
from itertools import islice

import numpy as np

from avtool.errors import InputError
from avtool.face import LIPS
from avtool.face.landmarks import EYES
from avtool.face.lip_points import opening
from avtool.pipelines.lips.calibration import Mouth, Sample, fitted
from avtool.pipelines.lips.speech_to_motion import Motion, gap
from avtool.pipelines.lips.video_face import (
    MOOD,
    FaceVideo,
    closed,
    eased,
    look,
    mesh_of,
    openings,
    ping_pong,
    steady,
)
from avtool.pipelines.lips.warp import Painter
from avtool.pipelines.lips.warp.topology import MOUTH
from avtool.spool import Spool
from avtool.values import FPS as TRACKED
from avtool.values import Array, Frames

SHUTTER = np.array([0.25, 0.5, 0.25], np.float32)
RINGS = [point for ring in MOUTH.upper + MOUTH.lower for point in ring]
AS_WIDE = 0.35, 1.05  # least and most of the opening of a mouth beside the usual one
FLESH = 0.04  # seconds over which the flesh around the lips follows them

Made = tuple[Frames, int, Callable[[int], Array]]  # pictures, how many, the face's box in each


def painted_film(
    film: FaceVideo,
    moved: Motion,
    wanted: int | None,
    energy: float,
    passed: list[tuple[float, float]],
    changed: list[tuple[int, float]],
) -> Made:
    """A film whose face says a motion.

    Args:
        wanted: how many pictures; None is as many as the film has.
        passed, changed: of ``pipeline.Result``, filled while the pictures are read.

    Raises:
        InputError: no picture shows the mouth well enough.
    """
    fps = film.frames.fps
    painter, spool = Painter(), Spool()
    samples: list[Sample] = []
    seen = look(film, moved, painter, spool, wanted, samples)
    strength = eased(seen, fps)
    painted = strength > 0
    if not painted.any():
        raise InputError("its face is always turned away or hidden, so no mouth can be painted")
    step = max(1, round(MOOD * fps))
    mouth = Mouth(closed(spool, painted, moved, step), moved.reach[:, None], step)
    count = wanted or len(seen)
    times = np.arange(count) / float(fps)
    # A shutter is open while lips move; the flesh around them is slower than they are.
    amounts, slow = (_blurred(moved, times, each) for each in (0.5 / float(fps), FLESH))

    def says(number: int) -> tuple[Array, float]:
        own = moved.mesh(slow[number])
        own[RINGS] = moved.mesh(amounts[number])[RINGS]
        return own, moved.drop(amounts[number])

    samples = [each for each in samples if painted[each.number]]
    mouth, wide = fitted(
        mouth,
        as_wide(film.track.lips, moved),
        samples,
        [steady(spool, each.number, painted) for each in samples],
        says,
        gap(moved.lips(amounts)),
        openings(spool)[strength == strength.max()],
        copy(painter),
    )
    wide *= energy

    def images() -> Iterator[Array]:
        passed.clear()
        changed.clear()
        for number, (place, image) in enumerate(islice(ping_pong(film, len(seen)), count)):
            share = strength[place]
            if not share:
                _note(passed, number, fps)
                yield image
                continue
            points = mesh_of(spool.part(place, place + 1))[0]
            own, further = steady(spool, place, painted)
            motion, drop = says(number)
            points, target = mouth.laid(place, points, own, further, wide * motion, share)
            eyes = float(np.hypot(*np.diff(points[EYES, :2], axis=0)[0]))
            changed.append((number, apart(points, target) / eyes))
            yield painter.paint(image, points, target, wide * drop * share)

    def box(number: int) -> Array:
        place = np.searchsorted(film.track.frames, round(number / fps * TRACKED))
        return np.asarray(film.track.boxes[min(int(place), len(film.track.boxes) - 1)])

    return Frames(images, fps, film.frames.width, film.frames.height), count, box


def as_wide(lips: Array, moved: Motion) -> float:
    """How wide a face's mouth opens in its film, beside the usual one.

    Shape:
        lips: [frames, 40, 3], in head coordinates.
    """
    own, usual = (
        float(np.ptp(np.quantile(opening(each), [0.2, 0.95])))
        for each in (lips, moved.lips(moved.amounts))
    )
    return float(np.clip(own / max(usual, 1e-3), *AS_WIDE))


def _blurred(moved: Motion, times: Array, apart: float) -> Array:
    """The amounts at times, by those so many seconds before and after too."""
    near = [moved.at(np.clip(times + k * apart, 0, moved.seconds)) for k in (-1, 0, 1)]
    return np.tensordot(SHUTTER, near, 1)


def apart(own: Array, target: Array) -> float:
    """How far the lips move between meshes [468, 3], mean over their points."""
    return float(np.hypot(*(target - own)[list(LIPS), :2].T).mean())


def _note(passed: list[tuple[float, float]], number: int, fps: Fraction) -> None:
    """A picture more that was passed through."""
    start, end = float(number / fps), float((number + 1) / fps)
    if passed and abs(passed[-1][1] - start) < 1e-6:
        start = passed.pop()[0]
    passed.append((start, end))
