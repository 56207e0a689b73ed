"""What is inside a mesh, also of one that is not closed.

A point's winding number is how often the surface goes round it (Jacobson, Kavan & Sorkine-Hornung,
"Robust Inside-Outside Segmentation using Generalized Winding Numbers", 2013). It is the mean, over
all directions, of the signed crossings of a ray; here over the 26 directions from a cell to its
neighbours, for all cells at once. Of a closed mesh every direction says the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from avtool.pipelines.shape.values import Distances, Frame, Surface
from avtool.values import Array

Line = tuple[tuple[int, int, int], tuple[int, int]]
SHEET = 0.6  # cells: how thick a surface that encloses nothing is taken to be, on either side
THIN = 1.1  # cells: a closed piece is made as thick where it is thinner
AXES = ((0, 1, 2), (1, 2, 0), (2, 0, 1))
SHEARS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
# Lines through a cell: along an axis, and what the other two move by in a step; each line once.
LINES = [(axes, shear) for axes in AXES[:1] for shear in SHEARS]
LINES += [(AXES[1], shear) for shear in ((0, 0), (1, 0), (-1, 0))]
LINES += [(AXES[2], (0, 0))]
MOST = 1 << 22  # pairs of a triangle and a column at a time
PIECES = 24  # open ones that are looked at one by one
SAMPLES = 150_000
NEAR = 3.0  # cells


@dataclass(frozen=True, eq=False)
class Pieces:
    """A mesh by what hangs together.

    Shape:
        label: int [f]; closed: bool [pieces], each edge is crossed as often forth as back.
    """

    label: Array
    closed: Array


def frame_of(vertices: Array, side: int, margin: float = 3.0) -> Frame:
    """A grid around points: their longest side takes all cells but a margin at either end."""
    low, high = vertices.min(0), vertices.max(0)
    cell = float((high - low).max()) / (side - 2 * margin)
    middle = (low + high) / 2 - cell * (side - 1) / 2
    return Frame((float(middle[0]), float(middle[1]), float(middle[2])), cell, side)


def pieces(surface: Surface) -> Pieces:
    """What hangs together by common vertices, and which of it is closed."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    faces, count = surface.faces, len(surface.vertices)
    a, b = faces[:, [0, 1, 2]].ravel(), faces[:, [1, 2, 0]].ravel()
    graph = coo_matrix((np.ones(len(a), bool), (a, b)), (count, count))
    _, label = connected_components(graph, directed=False)
    _, label = np.unique(label[faces[:, 0]], return_inverse=True)
    # Each edge's turns: +1 from its lower vertex to its higher one, -1 back.
    edge = np.minimum(a, b) * count + np.maximum(a, b)
    _, first, same = np.unique(edge, return_index=True, return_inverse=True)
    balance = np.bincount(same, np.where(a < b, 1, -1))
    closed = np.ones(label.max(initial=0) + 1, bool)
    closed[label[first[balance != 0] // 3]] = False
    return Pieces(label, closed)


def winding(corners: Array, side: int, lines: Sequence[Line]) -> Array:
    """The winding number of each cell's centre, a mean over lines: float32 [side, side, side].

    Args:
        corners: [f, 3, 3] in cells.
        lines: of ``LINES``, each looked along both ways.
    """
    total = np.zeros((side,) * 3, np.float32)
    at = np.indices((side,) * 3)
    for axes, (p, q) in lines:
        x, y, z = (corners[..., axis] for axis in axes)
        counts = _crossings(np.stack([x - p * z, y - q * z, z], -1), side)
        up = counts.sum(-1, keepdims=True) - counts.cumsum(-1)[..., :-1]  # signs above a cell
        both = (2 * up - counts.sum(-1, keepdims=True)) / 2  # above, less those below
        i, j, k = (at[axis] for axis in axes)
        total += both[i - p * k + side, j - q * k + side, k]
    return total / len(lines)


def _crossings(corners: Array, side: int) -> Array:
    """Where columns along z cross triangles: signs by cell, float32 [3 side, 3 side, side + 1].

    Entry k is what lies between the centres of cells k - 1 and k; columns are counted from -side.
    """
    counts = np.zeros((3 * side) ** 2 * (side + 1), np.float32)
    # A column that met an edge would meet both of its triangles, or none: so none meets one.
    x, y, z = corners[..., 0] - 1.3e-4, corners[..., 1] - 2.1e-4, corners[..., 2]
    low = np.maximum(np.ceil(np.stack([x.min(1), y.min(1)], 1)), -side).astype(np.int64)
    high = np.minimum(np.floor(np.stack([x.max(1), y.max(1)], 1)), 2 * side - 1).astype(np.int64)
    wide = np.maximum(high - low + 1, 0)
    sizes = wide.prod(1)
    area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
    some = np.flatnonzero((sizes > 0) & (np.abs(area) > 1e-12))
    ends = np.cumsum(sizes[some])
    for part in np.split(some, np.searchsorted(ends, np.arange(MOST, ends[-1:].sum(), MOST))):
        if not len(part):
            continue
        owner = np.repeat(part, sizes[part])
        within = np.arange(len(owner)) - np.repeat(
            np.cumsum(sizes[part]) - sizes[part], sizes[part]
        )
        i = low[owner, 0] + within // wide[owner, 1]
        j = low[owner, 1] + within % wide[owner, 1]
        weights = []
        for a, b in ((1, 2), (2, 0), (0, 1)):
            edge = (x[owner, a] - i) * (y[owner, b] - j) - (x[owner, b] - i) * (y[owner, a] - j)
            weights.append(edge / area[owner])
        hit = np.flatnonzero((weights[0] >= 0) & (weights[1] >= 0) & (weights[2] >= 0))
        owner, i, j = owner[hit], i[hit], j[hit]
        height = sum(w[hit] * z[owner, n] for n, w in enumerate(weights))
        k = np.clip(np.ceil(height), 0, side).astype(np.int64)
        column = ((i + side) * 3 * side + j + side) * (side + 1) + k
        sign = np.sign(area[owner]).astype(np.float32)
        counts += np.bincount(column, sign, len(counts)).astype(np.float32)
    return counts.reshape(3 * side, 3 * side, side + 1)


def distances(surface: Surface, frame: Frame) -> Distances:
    """The signed distance of each cell's centre from the surface.

    Closed pieces are inside where their winding number is above a half, together. An open piece is
    too where it encloses something; else it is a sheet, ``SHEET`` cells thick on either side. What
    is closed and thinner than ``THIN`` is made that thick.
    """
    parted = pieces(surface)
    corners = frame.inside(surface.corners)
    side = frame.side
    signed = np.full((side,) * 3, np.inf, np.float32)
    closed = parted.closed[parted.label]
    solid = np.zeros((side,) * 3, bool)
    walls, sheet = closed.copy(), np.zeros(len(closed), bool)
    if closed.any():
        turns = [line for line in LINES if line[1] == (0, 0)]
        solid |= winding(corners[closed], side, turns) > 0.5
    for these in _open(parted):
        inside = winding(corners[these], side, LINES) > 0.5
        area = np.linalg.norm(np.cross(*_edges(corners[these])), axis=1).sum() / 2
        if inside.sum() > area:
            solid |= inside
            walls |= these
        else:
            sheet |= these
    if walls.any():
        away = _away(corners[walls], side)
        signed = np.where(solid, -away, away)
    if sheet.any():
        signed = np.minimum(signed, _away(corners[sheet], side) - SHEET)
    thick = thickness(surface, parted) / frame.cell
    thin = closed & (thick < THIN)[parted.label]
    if thin.any():
        grown = THIN / 2 - float(thick[np.unique(parted.label[thin])].min()) / 2
        signed = np.minimum(signed, _away(corners[thin], side) - grown)
    return Distances((signed * frame.cell).astype(np.float32), frame)


def thickness(surface: Surface, parted: Pieces) -> Array:
    """How thick closed pieces are, about: twice the volume by the area [pieces]; 0 of others."""
    count = len(parted.closed)
    area = np.bincount(parted.label, np.linalg.norm(surface.spans, axis=1) / 2, count)
    parts = ((surface.corners.mean(1) - surface.vertices.mean(0)) * surface.spans).sum(1) / 6
    volume = np.bincount(parted.label, parts, count)
    return np.where(parted.closed, 2 * np.abs(volume) / np.maximum(area, 1e-30), 0)


def _open(parted: Pieces) -> list[Array]:
    """Faces of the open pieces, one by one if they are few: bool [f] each."""
    ragged = np.flatnonzero(~parted.closed)
    if not len(ragged):
        return []
    if len(ragged) > PIECES:
        return [~parted.closed[parted.label]]
    return [parted.label == each for each in ragged]


def _edges(corners: Array) -> tuple[Array, Array]:
    return corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]


def _away(corners: Array, side: int) -> Array:
    """Distance of each cell's centre from triangles [f, 3, 3] in cells: float32.

    Exact to the nearest triangles of many samples: near the surface those of the nearest samples,
    further away those of the samples in the nearest cell that has some, and in its neighbours'.
    """
    from scipy.ndimage import distance_transform_edt

    rng = np.random.default_rng(0)
    places, owner = sampled(corners, int(np.clip(2 * len(corners), 30_000, SAMPLES)), rng)
    places, owner = (
        np.concatenate([places, corners.mean(1)]),
        np.append(owner, np.arange(len(corners))),
    )
    held = np.full((side,) * 3, -1)
    held[tuple(np.rint(places).clip(0, side - 1).astype(int).T)] = owner
    away, at = distance_transform_edt(held < 0, return_indices=True)
    nearest = held[tuple(at)]
    centres = np.indices((side,) * 3).reshape(3, -1).T.astype(float)
    best = np.sqrt(_to_triangle(centres, corners[nearest.ravel()])).reshape((side,) * 3)
    for axis in (0, 1, 2, 0, 1, 2):
        for way in (1, -1):
            other = np.roll(nearest, way, axis)
            some = np.flatnonzero((other != nearest) & (away >= NEAR))
            told = np.sqrt(_to_triangle(centres[some], corners[other.flat[some]]))
            better = told < best.flat[some]
            best.flat[some[better]] = told[better]
            nearest.flat[some[better]] = other.flat[some[better]]
    near = np.flatnonzero(away < NEAR)
    best.flat[near] = to_triangles(centres[near], corners, places, owner)
    return np.asarray(best, np.float32)


def to_triangles(
    points: Array, corners: Array, places: Array, owner: Array, near: int = 6
) -> Array:
    """Distances of points [n, 3] from the triangles of the ``near`` nearest samples, float64 [n].

    Args:
        places, owner: samples on triangles [s, 3], and the triangle of each [s].
    """
    from scipy.spatial import cKDTree

    near = min(near, len(places))
    _, found = cKDTree(places).query(points, near)
    found = found.reshape(len(points), near)
    best = np.full(len(points), np.inf)
    before = np.full(len(points), -1)
    for n in range(near):
        chosen = owner[found[:, n]]
        some = np.flatnonzero(chosen != before)
        best[some] = np.minimum(best[some], _to_triangle(points[some], corners[chosen[some]]))
        before = chosen
    return np.sqrt(best)


def _to_triangle(p: Array, corners: Array) -> Array:
    """Squared distances of points from a triangle each, [n]: within it, or from its edges."""
    a, b, c = np.moveaxis(corners, 1, 0)
    normal = np.cross(b - a, c - a)
    length = np.maximum((normal * normal).sum(1), 1e-30)
    best = np.full(len(p), np.inf)
    within = np.ones(len(p), bool)
    for start, end in ((a, b), (b, c), (c, a)):
        edge, way = end - start, p - start
        t = np.clip((edge * way).sum(1) / np.maximum((edge * edge).sum(1), 1e-30), 0, 1)
        left = way - t[:, None] * edge
        best = np.minimum(best, (left * left).sum(1))
        within &= (np.cross(edge, way) * normal).sum(1) >= 0
    plane = ((p - a) * normal).sum(1) ** 2 / length
    return np.asarray(np.where(within, plane, best))


def sampled(corners: Array, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Points spread evenly over triangles [f, 3, 3]: [count, 3], and the triangle of each."""
    area = np.linalg.norm(np.cross(*_edges(corners)), axis=1)
    ends = np.cumsum(area)
    # One in each of as many equal parts of the area, and within a triangle by a sequence that
    # leaves no gaps (Roberts, "The Unreasonable Effectiveness of Quasirandom Sequences", 2018).
    number = np.arange(count)
    spots = (number + rng.random(count)) * (ends[-1] / count)
    owner = np.minimum(np.searchsorted(ends, spots), len(corners) - 1)
    begin = rng.random(2)
    root = np.sqrt((begin[0] + number * 0.7548776662466927) % 1)[:, None]
    t = ((begin[1] + number * 0.5698402909980532) % 1)[:, None]
    a, b, c = np.moveaxis(corners[owner], 1, 0)
    return (1 - root) * a + root * (1 - t) * b + root * t * c, owner
