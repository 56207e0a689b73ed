"""Where lips really end: the mesh's inner lips moved to where the picture shows their edges.

The mesh finds open lips less open than they are, the lower one most. What is painted over a
mouth has to know to the pixel what is lip and what is a tooth. So each edge is the cheapest path
along the mouth (as live-wire tools find outlines; Mortensen and Barrett 1995) that has this lip's
own colours on its one side and others on the other, near to where the mesh has it.
"""

from __future__ import annotations

import cv2
import numpy as np

from avtool.pipelines.lips.warp.topology import MOUTH, Pose
from avtool.values import Array

LEFT, RIGHT = MOUTH.upper[0][0], MOUTH.upper[0][-1]
MOUTHS = MOUTH.upper, MOUTH.lower
INNER = [list(rings[-1][1:-1]) for rings in MOUTHS]
SMALLEST = 8  # pixels from corner to corner
USUAL = 0.011, 0.021  # head units, of the upper and the lower lip, seen on nine people
COLUMNS, STEP = 48, 0.007  # along the mouth; head units from row to row
HIGH = 0.42  # head units that are looked at above and below the line through the corners
OUTWARDS, INWARDS = 0.075, 0.035  # head units from the mesh's edge that the path may go
KEPT = 0.35  # of a lip's thickness that is lip whatever it looks like
PATCH = np.array([[4, 3, 3]], np.float32)  # least spread of a lip's colours in Lab
BEND, AWAY = 0.8, 0.12  # cost of a step from column to column, and of the way from the mesh


def found(image: Array, points: Array) -> Array:
    """How much further out lips end than the mesh has it.

    Args:
        image: uint8 RGB [height, width, 3]; points: float32 [468, 3] in pixels.

    Returns:
        float32 [2, 9], head units: of the upper and the lower lip's inner points without corners.
    """
    unit = Pose.of(points).unit
    left, right = (points[k, :2].astype(np.float64) for k in (LEFT, RIGHT))
    long = float(np.hypot(*(right - left)))
    if long < SMALLEST:
        return np.zeros((2, len(INNER[0])), np.float32)
    x = (right - left) / long
    across, down = x * long / (COLUMNS - 1), np.array([-x[1], x[0]]) * STEP * unit
    rows = round(2 * HIGH / STEP)
    matrix = np.column_stack([across, down, left - rows / 2 * down])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(
        image, matrix, (COLUMNS, rows), flags=how, borderMode=cv2.BORDER_REPLICATE
    )
    lab = cv2.cvtColor(patch.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    own = (points[:, :2] - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T  # columns, rows
    lines = [[_line(own, ring) for ring in rings] for rings in (MOUTH.upper, MOUTH.lower)]
    middle = (lines[0][-1] + lines[1][-1]) / 2
    out = []
    for (outer, _, inner), ring, way in zip(lines, INNER, (1.0, -1.0), strict=True):
        further = way * (inner - _path(lab, outer, inner, middle, way)) * STEP
        out.append(np.interp(own[ring, 0], np.arange(COLUMNS), further))
    return np.array(out, np.float32)


def ended(own: Array, further: Array) -> Array:
    """A mesh [468, 3] in head coordinates whose lips end so much further out.

    The rings between a lip's edges keep their part of the way, so that none folds.
    """
    moved = own.copy()
    for rings, inner, by, way in zip(MOUTHS, INNER, further, (-1, 1), strict=True):
        outer, between = (list(ring[1:-1]) for ring in rings[:2])
        thick = np.maximum(np.abs(own[outer, 1] - own[inner, 1]), 1e-6)
        part = np.abs(own[between, 1] - own[outer, 1]) / thick
        moved[inner, 1] += way * by
        moved[between, 1] += way * by * np.clip(part, 0, 1)
    return moved


def usual(own: Array) -> Array:
    """How much further out lips usually end than a mesh [468, 3] has it, [2, 9] head units."""
    wide = own[INNER[1], 1] - own[INNER[0], 1]
    return np.outer(USUAL, np.clip((wide - 0.012) / 0.05, 0, 1))


def _line(own: Array, ring: tuple[int, ...]) -> Array:
    """The row of a ring at each column, float64 [columns]."""
    x = np.maximum.accumulate(own[list(ring), 0])
    return np.interp(np.arange(COLUMNS), x, own[list(ring), 1])


def _path(lab: Array, outer: Array, inner: Array, middle: Array, way: float) -> Array:
    """The rows at which a lip ends; ``way`` is 1 where its inside is further down."""
    thick = np.maximum((inner - outer) * way, 1.0)
    columns = np.arange(COLUMNS)
    share = np.linspace(0.1, 0.9, 9)[:, None]
    near = lab[_rows(outer + way * share * thick, len(lab)), columns]
    # The reddest half of what the mesh calls a lip is no skin, no tooth and no shade.
    red = near[..., 1] + 0.5 * near[..., 2]
    sure = np.take_along_axis(near, np.argsort(red, 0)[len(red) // 2 :, :, None], 0)
    spread = np.sqrt(sure.std(0).mean(0) ** 2 + PATCH**2)
    colour = cv2.GaussianBlur(sure.mean(0)[None], (0, 0), 3.0)[0]
    out, in_ = round(OUTWARDS / STEP), round(INWARDS / STEP)
    offsets = np.arange(-out, in_ + 1)
    at = inner + way * offsets[:, None]
    values = lab[_rows(at, len(lab)), columns]
    away = np.sqrt((((values - colour) / spread) ** 2).sum(-1))
    other = np.clip(away / 2.5 - 1, -0.6, 1)  # 1 is no lip
    cost = np.cumsum(other, 0)
    cost += AWAY * (offsets[:, None] / 3) ** 2
    cost = cost + 1e3 * ((at - (outer + way * KEPT * thick)) * way < 0)
    # Lips that the mesh finds closed are not far open.
    most = 0.012 / STEP + 0.5 * 2 * np.maximum((middle - inner) * way, 0)
    cost = cost + 1e3 * (-offsets[:, None] > most)
    cost = cost + 1e3 * (((at - middle) * way > 0) & (offsets[:, None] > -out))
    bend = BEND * np.abs(np.subtract.outer(offsets, offsets)).astype(np.float64)
    best, choice = cost[:, 0], []
    for column in range(1, COLUMNS):
        ways = best[:, None] + bend
        choice.append(ways.argmin(0))
        best = ways.min(0) + cost[:, column]
    place = int(best.argmin())
    path = [place]
    for step in reversed(choice):
        place = int(step[place])
        path.append(place)
    found = offsets[path[::-1]].astype(np.float64)
    found = np.convolve(np.pad(found, 3, mode="edge"), np.hanning(9)[1:-1] / 4, "valid")
    # The corners are where the mesh has them.
    fade = np.clip(np.minimum(columns, COLUMNS - 1 - columns) / 6, 0, 1)
    return np.asarray(inner + way * found * fade)


def _rows(places: Array, count: int) -> Array:
    return np.clip(np.round(places), 0, count - 1).astype(int)
