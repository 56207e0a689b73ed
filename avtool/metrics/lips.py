"""How near a moved mouth is to the real one: distance, opening, lag, closures.

Motion is float [frames, points, 2 or 3] in head coordinates, away from the closed mouth, eyes'
distance 1; an opening is float [frames].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from avtool.values import Array


def gain(motion: Array, true: Array) -> float:
    """The one factor that brings a motion nearest to the true one, never below 0.

    >>> gain(np.array([1.0, 2.0]), np.array([2.0, 4.0]))
    2.0
    """
    size = float((motion * motion).sum())
    return max(0.0, float((motion * true).sum()) / size) if size else 0.0


def landmark_distance(motion: Array, true: Array) -> float:
    """Mean distance of the points, head motion gone, one gain a clip (LMD, Chen et al. 2018)."""
    return float(np.linalg.norm(gain(motion, true) * motion - true, axis=-1).mean())


def correlation(a: Array, b: Array) -> float:
    """Pearson's r of two openings; 0 where one of them does not move.

    >>> correlation(np.array([0.0, 1.0, 2.0]), np.array([5.0, 4.0, 3.0]))
    -1.0
    """
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return round(float((a * b).sum()) / size, 12) if size else 0.0


def lag(opening: Array, true: Array, reach: int = 5) -> int:
    """How many frames an opening comes after the true one, where they agree best.

    >>> lag(np.array([0, 0, 0, 1.0, 0, 0]), np.array([0, 1.0, 0, 0, 0, 0]), 3)
    2
    """

    def at(shift: int) -> float:
        count = len(true) - abs(shift)
        return correlation(opening[max(0, shift) :][:count], true[max(0, -shift) :][:count])

    return max(range(-reach, reach + 1), key=lambda shift: (at(shift), -abs(shift)))


def closures(
    opening: Array, fps: float, spans: Sequence[tuple[float, float]], shut: float, reach: float
) -> tuple[float, float]:
    """Recall and false rate of closed lips.

    Args:
        spans: start and end in seconds of sounds that need closed lips.
        shut: an opening at or below this is closed; reach: seconds around a span that count.

    Returns:
        The part of spans in which the lips close; the part of the closed moments outside all
        spans, of all moments outside them.
    """
    times = np.arange(len(opening)) / fps
    closed = opening <= shut
    inside = np.zeros(len(opening), bool)
    met = []
    for start, end in spans:
        here = (times >= start - reach) & (times <= end + reach)
        inside |= here
        met.append(bool(closed[here].any()))
    outside = ~inside
    false = float(closed[outside].mean()) if outside.any() else 0.0
    return float(np.mean(met)) if met else 0.0, false
