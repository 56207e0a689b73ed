"""How good the guess of a face is: found again among others, and as sure as it is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from avtool.values import Array


def retrieval(near: Array, at: Sequence[int] = (1, 5, 10)) -> list[float]:
    """How often the right one is among the nearest, for each of ``at`` (R@k).

    Shape:
        near: [queries, gallery], how alike; the right one of a query has the query's number.

    >>> retrieval(np.array([[3.0, 1.0, 2.0], [2.0, 1.0, 0.0], [0.0, 1.0, 2.0]]), (1, 2))
    [0.6666666666666666, 1.0]
    """
    right = near[np.arange(len(near)), np.arange(len(near))]
    # Among those that are as near the place is any, so that one answer for all is chance.
    before, alike = (near > right[:, None]).sum(1), (near == right[:, None]).sum(1)
    return [float(np.clip((k - before) / alike, 0, 1).mean()) for k in at]


def calibration_error(said: Array, true: Array, bins: int = 10) -> float:
    """Expected calibration error of the likelier of two answers (Guo et al. 2017).

    Shape:
        said: how likely the first answer was said to be [n]; true: bool [n], whether it was right.

    >>> calibration_error(np.array([0.9, 0.9, 0.1, 0.1]), np.array([True, True, False, False]))
    0.1
    """
    sure = np.maximum(said, 1 - said)
    right = (said > 0.5) == true
    place = np.minimum((sure * bins).astype(int), bins - 1)
    total = 0.0
    for each in np.unique(place):
        here = place == each
        total += here.mean() * abs(right[here].mean() - sure[here].mean())
    return round(float(total), 12)
