"""Whether a model is as sure as it is right."""

from __future__ import annotations

import numpy as np

from avtool.values import Array


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


def calibration_of_all(said: Array, true: Array, bins: int = 10, least: float = 0.05) -> float:
    """Expected calibration error of many answers that may each be true, of those at least so
    likely; what is nearly never true would hide the rest.

    Shape:
        said: how likely each was said to be [...]; true: bool [...]
    """
    kept = said >= least
    said, true = said[kept], true[kept]
    place = np.minimum((said * bins).astype(int), bins - 1)
    off = np.abs(np.bincount(place, said, bins) - np.bincount(place, true, bins))
    return float(off.sum() / max(1, len(said)))
