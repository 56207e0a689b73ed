"""A z-buffer in numpy: which triangle each pixel sees, and where in it.

A pixel is covered if its centre is inside the triangle by the edge functions (Pineda 1988), which
give the span of each row at once; so only covered pixels are ever listed. Depth is interpolated as
1/w, which is straight on the screen, and the weights are corrected for perspective.
"""

from __future__ import annotations

import numpy as np

from avtool.values import Array

SLACK = 1e-5  # of a weight: a pixel on the edge of two triangles belongs to both, not to none


def rasterise(
    points: Array, faces: Array, width: int, height: int, both_sides: Array | None = None
) -> tuple[Array, Array, Array]:
    """The nearest triangle behind each covered pixel.

    Args:
        points: float [v, 3]: x and y in pixels (pixel (i, j) has its centre at (i + 0.5,
            j + 0.5), y down) and the distance in front of the camera, which must be positive.
        faces: int [f, 3], corners counter-clockwise as seen, else the face shows its back.
        both_sides: bool [f]: faces that are seen from the back too; None: none is.

    Returns:
        flat pixel numbers int [n] that are covered, in order; the face of each int [n]; the
        weights of its corners float32 [n, 3].
    """
    corner = np.asarray(points, np.float64)[faces]  # [f, 3, 3]
    x, y = corner[..., 0], corner[..., 1]
    area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
    left = np.maximum(np.ceil(_each(np.minimum, x) - 0.5), 0).astype(np.int64)
    right = np.minimum(np.floor(_each(np.maximum, x) - 0.5), width - 1).astype(np.int64)
    top = np.maximum(np.ceil(_each(np.minimum, y) - 0.5), 0).astype(np.int64)
    bottom = np.minimum(np.floor(_each(np.maximum, y) - 0.5), height - 1).astype(np.int64)
    seen = (area < 0) if both_sides is None else (area < 0) | (both_sides & (area > 0))  # y is down
    kept = np.flatnonzero(seen & (right >= left) & (bottom >= top))

    # Weight k at a pixel is a_k i + b_k j + c_k, with i and j from the box's left upper pixel.
    x = x[kept] - (left[kept] + 0.5)[:, None]
    y = y[kept] - (top[kept] + 0.5)[:, None]
    x1, x2, y1, y2 = x[:, [1, 2, 0]], x[:, [2, 0, 1]], y[:, [1, 2, 0]], y[:, [2, 0, 1]]
    a, b, c = (k / area[kept, None] for k in (y1 - y2, x2 - x1, x1 * y2 - x2 * y1))
    near = 1 / corner[kept, :, 2]

    rows = bottom[kept] - top[kept] + 1
    owner, j = _spread(rows)  # of each row of each triangle: which triangle, which row
    a, start = a[owner], b[owner] * j[:, None] + c[owner]
    with np.errstate(divide="ignore", invalid="ignore"):
        cut = (-SLACK - start) / a
    flat = np.where((a == 0) & (start < -SLACK), np.inf, 0.0)
    low = _each(np.maximum, np.where(a > 0, cut, flat))
    high = _each(np.minimum, np.where(a < 0, cut, np.inf))
    last = right[kept] - left[kept]
    low = np.ceil(np.clip(low, 0, width))
    high = np.floor(np.clip(high, -1, last[owner]))
    row, i = _spread(np.maximum(high - low + 1, 0).astype(np.int64))
    i += low.astype(np.int64)[row]
    near = near[owner]
    slope, offset = (_each(np.add, near * k).astype(np.float32) for k in (a, start))
    nearness = slope[row]
    nearness *= i
    nearness += offset[row]
    pixel = ((top[kept][owner] + j) * width + left[kept][owner])[row]
    pixel += i

    nearest = np.zeros(width * height, np.float32)
    np.maximum.at(nearest, pixel, nearness)
    wins = np.flatnonzero(nearness == nearest[pixel])
    winner = np.full(width * height, -1, np.int64)
    winner[pixel[wins]] = wins  # the later face wins a tie
    covered = np.flatnonzero(winner >= 0)
    winner = winner[covered]
    row = row[winner]
    weight = (a[row] * i[winner, None] + start[row]) * near[row]
    weight /= _each(np.add, weight)[:, None]
    return covered, kept[owner[row]], weight.astype(np.float32)


def blended(attributes: Array, corners: Array, weight: Array) -> Array:
    """What vertices have, at places within their triangles: [v, a] -> [n, a].

    Args:
        corners: int [n, 3], of the triangles; weight: [n, 3], as ``rasterise`` tells it.
    """
    values = weight[:, 0, None] * attributes[corners[:, 0]]
    values += weight[:, 1, None] * attributes[corners[:, 1]]
    values += weight[:, 2, None] * attributes[corners[:, 2]]
    return np.asarray(values)


def _each(of: np.ufunc, values: Array) -> Array:
    """The least, the greatest or the sum of rows [n, 3], quicker than numpy's along an axis."""
    return np.asarray(of(of(values[:, 0], values[:, 1]), values[:, 2]))


def _spread(counts: Array) -> tuple[Array, Array]:
    """For each of ``counts[k]`` items its k, and its number among them.

    >>> _spread(np.array([2, 0, 3]))
    (array([0, 0, 2, 2, 2]), array([0, 1, 0, 1, 2]))
    """
    owner = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(owner))
    within -= (np.cumsum(counts) - counts)[owner]
    return owner, within
