"""A picture whose holes are filled from what is around them."""

from __future__ import annotations

import cv2
import numpy as np

from avtool.values import Array


def filled(picture: Array, known: Array) -> Array:
    """A picture whose unknown parts are filled by pulling and pushing (Gortler et al. 1996).

    Shape:
        picture: float32 or uint8 [h, w, 3]; known: float32 [h, w], 0 to 1. Returns float32
        [h, w, 3].
    """
    size = picture.shape[1], picture.shape[0]
    told = cv2.multiply(picture, cv2.merge([known] * 3), dtype=cv2.CV_32F)
    levels = [cv2.merge([*cv2.split(half(told)), half(known)])]
    while min(levels[-1].shape[:2]) > 2:
        levels.append(half(levels[-1]))
    coarsest = levels.pop()
    made: Array = coarsest[..., :3] / np.maximum(coarsest[..., 3:], 1e-6)
    for level in reversed(levels):
        made = cv2.resize(made, level.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        weight = np.maximum(level[..., 3:], 1e-6)
        # Of a coarse part, a quarter that is known tells its colour well.
        made += np.minimum(weight * 4, 1) * (level[..., :3] / weight - made)
    made = cv2.resize(made, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(made + known[..., None] * (picture - made))


def half(picture: Array) -> Array:
    """A picture [h, w] or [h, w, n] at half its size."""
    high, wide = picture.shape[:2]
    size = max(1, wide // 2), max(1, high // 2)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
