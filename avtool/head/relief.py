"""What the years and the blood draw on a face: maps over it, seen from the front.

Folds and furrows are lines along which the skin is deeper; the map holds their slope, by which
the shader bends the normal. Places are metres on the mean head, so all of it moves with the skin.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from avtool.values import Array

LEFT, LOW, STEP = -0.09, -0.16, 0.0004  # of the maps, metres
SHAPE = (675, 450)  # from LOW up to 0.11, and from LEFT to its mirror image


class Relief(NamedTuple):
    """Maps over the face [675, 450]: slopes of lines, how deep they are, blood, oil, and creases.

    ``slope_x``, ``slope_y``: metres a metre, at ``lines`` 1; ``depth``: 0 to 1; ``red``: how much
    blood shines through; ``oil``: how much the skin shines; ``lip_x``: the slope of lips' creases.
    """

    slope_x: Array
    slope_y: Array
    depth: Array
    red: Array
    oil: Array
    lip_x: Array


def looked_up(place: Array) -> tuple[Relief, Array]:
    """The maps at places [n, 3], each [n], and which of the places are before the ears."""
    row = np.clip((place[:, 1] - LOW) / STEP, 0, SHAPE[0] - 1).astype(np.int32)
    column = np.clip((place[:, 0] - LEFT) / STEP, 0, SHAPE[1] - 1).astype(np.int32)
    where = row * SHAPE[1] + column
    before = (place[:, 2] > -0.075).astype(np.float32)
    return Relief(*(each.ravel()[where] * before for each in _maps())), before


@cache
def _maps() -> Relief:
    y, x = np.meshgrid(
        LOW + STEP * np.arange(SHAPE[0]), LEFT + STEP * np.arange(SHAPE[1]), indexing="ij"
    )
    rng = np.random.default_rng(21)
    depth = np.zeros(SHAPE)

    def line(points: list[tuple[float, float]], width: float, amount: float) -> None:
        """A furrow through points in millimetres, which thins to its ends."""
        way = np.array(points) / 1000
        run = np.linalg.norm(np.diff(way, axis=0), axis=1).sum()
        count = int(run / (0.4 * width)) + 2
        t = np.linspace(0, 1, count)
        knots = np.linspace(0, 1, len(way))
        px, py = (np.interp(t, knots, way[:, k]) for k in range(2))
        bends = np.cumsum(rng.normal(0, 0.0004 / np.sqrt(count), (2, count)), 1)
        for side in (1, -1) if px.min() > 0 else (1,):  # on both sides, or across
            cx, cy = side * (px + bends[0]), py + bends[1]
            low, high = ((at.min() - 3 * width, at.max() + 3 * width) for at in (cy, cx))
            box = tuple(
                slice(int((ends[0] - start) / STEP), int((ends[1] - start) / STEP) + 2)
                for ends, start in ((low, LOW), (high, LEFT))
            )
            far = (x[box][..., None] - cx) ** 2 + (y[box][..., None] - cy) ** 2
            ends = np.sin(np.pi * np.clip(t[far.argmin(-1)], 0.02, 0.98)) ** 0.6
            cut = amount * ends * np.exp(-far.min(-1) / width**2)
            np.maximum(depth[box], cut, out=depth[box])

    for k, level in enumerate((35, 43.5, 51, 58)):  # the forehead's
        sag = rng.normal(0, 0.6, 5)
        across = [
            (-36, level + 1),
            (-18, level + 1.5),
            (0, level - 1),
            (18, level + 1.5),
            (36, level + 1),
        ]
        line(
            [(a, b + s) for (a, b), s in zip(across, sag, strict=True)],
            0.0013,
            0.75 - 0.08 * k,
        )
    line([(5.5, 10), (6.5, 19), (5.0, 29)], 0.0013, 0.7)  # between the brows
    line([(-9, 4.5), (0, 3), (9, 4.5)], 0.0011, 0.4)
    for rise in (9, 3, -3, -9):  # crow's feet
        line(
            [(46.5, -1 + 0.25 * rise), (52, -1 + 0.7 * rise), (58, -1.5 + 1.25 * rise)],
            0.0009,
            0.65,
        )
    line([(17, -8), (22, -13.5), (30, -16.5), (38, -14.5), (44, -8)], 0.0016, 0.7)  # bags
    line([(15, -6), (17, -13), (24, -20), (31, -25)], 0.0018, 0.45)
    line(
        [(17.5, -36), (23, -44), (28.5, -54), (32.5, -66), (33, -72)], 0.0021, 1.0
    )  # nose to mouth
    line([(28, -69), (30, -78), (30, -90), (27, -98)], 0.0017, 0.7)  # below the mouth
    line([(-14, -86), (0, -88.5), (14, -86)], 0.0022, 0.5)
    for rise in (0, 5):
        line([(38, -45 - rise), (44, -58), (44, -74 + rise)], 0.0018, 0.3)
    for k in range(9):  # above the upper lip
        line([(1 + 2.5 * k, -50.5 - 0.2 * k), (1 + 2.7 * k, -57 - 0.2 * k)], 0.0007, 0.22)
    for level in (-132, -146):
        line([(-30, level + 6), (0, level), (30, level + 6)], 0.0015, 0.6)
    height = -0.0011 * depth * 1.0
    slope_y, slope_x = np.gradient(height, STEP)

    def blot(cx: float, cy: float, rx: float, ry: float) -> Array:
        return np.asarray(np.exp(-(((np.abs(x) - cx) / rx) ** 2) - ((y - cy) / ry) ** 2))

    red = 0.55 * blot(0.036, -0.034, 0.020, 0.019) + 0.5 * blot(0, -0.034, 0.012, 0.013)
    red += 0.25 * blot(0, -0.105, 0.020, 0.013) + 0.3 * blot(0.029, -0.010, 0.014, 0.007)
    red += 0.18 * blot(0.0, -0.05, 0.012, 0.008)
    oil = 0.55 + 0.5 * blot(0, 0.045, 0.038, 0.022) + 0.7 * blot(0, -0.02, 0.011, 0.028)
    oil += 0.45 * blot(0.036, -0.020, 0.016, 0.012) + 0.3 * blot(0, -0.103, 0.016, 0.012)
    creases = np.interp(x.ravel(), np.linspace(-0.03, 0.03, 121), rng.normal(0, 1, 121))
    lip_x = 0.10 * creases.reshape(SHAPE)
    maps = (slope_x, slope_y, depth, red, oil, lip_x)
    return Relief(*(np.asarray(each, np.float32) for each in maps))
