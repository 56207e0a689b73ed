"""A face's lips over time: their points, how far they are open, whether they move."""

from __future__ import annotations

import numpy as np

from avtool.face import LIPS
from avtool.face.tracks import Track
from avtool.values import Array

LOWER, UPPER = LIPS.index(14), LIPS.index(13)  # the middle of the inner lips
STILL = 0.005  # spread of the lips' opening, over the eyes' distance, of a mouth that rests


def lip_window(track: Track, first: int, frames: int) -> tuple[Array, Array]:
    """A face's lips float32 [frames, points, 3] at 25 fps, and where they are seen, bool [frames].

    Where they are not, the last known ones stand; those of filled gaps are no evidence.
    """
    times = np.arange(first, first + frames)
    place = np.clip(np.searchsorted(track.frames, times, "right") - 1, 0, None)
    seen = np.isin(times, track.frames[track.scores > 0])
    return track.lips[place].astype(np.float32), seen


def move(lips: Array) -> bool:
    """Whether lips [frames, 40, 3] open and close; a detector's jitter is no motion."""
    if len(lips) < 5:
        return False
    smooth = np.convolve(opening(lips), np.full(5, 0.2), "valid")
    return bool(smooth.std() > STILL)


def opening(lips: Array) -> Array:
    """How far lips [..., 40, 3] are open, over the eyes' distance: [...]."""
    apart = lips[..., UPPER, :2] - lips[..., LOWER, :2]
    distance: Array = np.linalg.norm(apart, axis=-1)
    return distance
