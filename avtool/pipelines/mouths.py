"""How near `avtool lips` comes to the real mouth of somebody who talks, and what else would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from avtool.face import LIPS, LIPS_INNER
from avtool.media import Clip
from avtool.metrics.lips import correlation, lag, landmark_distance
from avtool.pipelines import faces
from avtool.pipelines.film import meshes
from avtool.pipelines.hearing import FPS, opening
from avtool.pipelines.lips import said
from avtool.values import Array, Audio

MOST = 0.02  # part of the pictures in which the face may be lost for a moment
LOUD, BEFORE = 0.6, 2  # of ``loudness``: a word; pictures by which lips are ahead of the first one
DEEP = 40.0  # dB below the loudest at which a loudness-driven mouth is closed


@dataclass(frozen=True)
class Mouth:
    """One way to move a mouth, against the real one: distance over the eyes', r, lag in frames.

    Args:
        talking: r from the first word on, without the breath before it.
    """

    distance: float
    r: float
    talking: float
    lag: float


def real(clip: Clip) -> Array | None:
    """The motion of a talking face's lips, float32 [frames, 40, 2], away from its closed mouth.

    None where there is not one face all the time.
    """
    tracks = faces.find(clip)
    if len(tracks) != 1 or clip.frames is None:
        return None
    own = meshes(clip.frames, tracks[0])[:, list(LIPS)]
    seen = np.flatnonzero(np.isfinite(own[:, 0, 0]))
    if len(seen) < (1 - MOST) * len(own):
        return None
    near = seen[np.abs(seen[:, None] - np.arange(len(own))).argmin(0)]
    own = own[near]
    rest = own[np.argsort(opening(own))[: max(1, len(own) // 5)]].mean(0)
    moved: Array = (own - rest)[..., :2]
    return moved


def mouths(clip: Clip, weights: str | None = None) -> dict[str, Mouth]:
    """The real mouth of a clip against ours and what needs no network; empty where none is."""
    true = real(clip)
    if true is None or clip.audio is None:
        return {}
    moved = said(clip, weights)
    points = moved.lips(moved.at(np.arange(len(true)) / FPS))
    wide = moved.shapes[0, list(LIPS), :2]
    wide = wide * np.sign(gap(wide))
    loud = loudness(clip.audio, len(true))
    ways = {
        "avtool": points,
        "closed": np.zeros_like(true),
        "mean mouth": np.broadcast_to(wide, true.shape),
        "loudness": loud[:, None, None] * wide,
    }
    begins = max(0, int(np.argmax(loud > LOUD)) - BEFORE)
    return {way: compared(each, true, begins) for way, each in ways.items()}


def compared(points: Array, true: Array, begins: int = 0) -> Mouth:
    """Lips [frames, 40, 2] against the real ones; the first word begins at a frame."""
    ours, theirs = gap(points), gap(true)
    r, talking = correlation(ours, theirs), correlation(ours[begins:], theirs[begins:])
    return Mouth(landmark_distance(points, true), r, talking, lag(ours, theirs) if r else 0)


def gap(points: Array) -> Array:
    """How far lips [..., 40, 2] have opened, mean over the inner lips: [...]."""
    lower, upper = (
        [LIPS.index(point) for point in side] for side in (LIPS_INNER[1:10], LIPS_INNER[19:10:-1])
    )
    apart: Array = (points[..., lower, 1] - points[..., upper, 1]).mean(-1)
    return apart


def loudness(audio: Audio, frames: int) -> Array:
    """How loud each picture is, 0 to 1: dB over 40 dB below the loudest, in windows of 80 ms."""
    rate, first = 4 * FPS, 0
    power = np.zeros(4 * frames)
    for block in audio.blocks():
        sound = block.mean(0).astype(np.float64)
        places = ((first + np.arange(len(sound))) * rate / audio.rate).astype(int)
        power += np.bincount(places, sound**2, 4 * frames)[: 4 * frames]
        first += len(sound)
    window = np.hanning(10)[1:-1]
    near = np.lib.stride_tricks.sliding_window_view(np.pad(power, 2), 8)[::4]
    level = 10 * np.log10(near @ window / window.sum() * rate / audio.rate + 1e-10)
    return np.asarray(np.clip(1 + (level - level.max()) / DEEP, 0, 1))


def summary(rows: Sequence[Mouth], beside: Sequence[Mouth]) -> dict[str, float]:
    """Means over videos: distance in % of the eyes', how much under another way, r, lag."""
    distance = float(np.mean([row.distance for row in rows]))
    other = float(np.mean([row.distance for row in beside]))
    return {
        "distance": round(100 * distance, 2),
        "under loudness": round(100 * (1 - distance / other), 1),
        "r": round(float(np.mean([row.r for row in rows])), 3),
        "r talking": round(float(np.mean([row.talking for row in rows])), 3),
        "lag": round(float(np.mean([row.lag for row in rows])), 2),
    }
