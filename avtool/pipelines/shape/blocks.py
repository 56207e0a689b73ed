"""Closed pieces that made things are put together of."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from avtool.pipelines.shape.values import Surface
from avtool.values import Array

Piece = tuple[Array, Array, bool]  # vertices [v, 3], faces [f, 3], whether it is convex


def ring(r: float, n: int, turn: float = 0.0, squash: float = 1.0) -> Array:
    """A ring of points [n, 2]."""
    a = turn + 2 * math.pi * np.arange(n) / n
    return np.stack([r * np.cos(a), squash * r * np.sin(a)], 1)


def loft(low: Array, high: Array, z0: float, z1: float) -> Piece:
    """A closed piece between two convex outlines [n, 2] of as many points, counter-clockwise."""
    n = len(low)
    points = np.concatenate(
        [np.column_stack([low, np.full(n, z0)]), np.column_stack([high, np.full(n, z1)])]
    )
    i = np.arange(n)
    j = (i + 1) % n
    sides = np.concatenate([np.stack([i, j, j + n], 1), np.stack([i, j + n, i + n], 1)])
    k = np.arange(1, n - 1)
    foot, top = np.stack([0 * k, k + 1, k], 1), np.stack([0 * k + n, k + n, k + n + 1], 1)
    return points, np.concatenate([sides, foot, top]), True


def box(x0: float, x1: float, y0: float, y1: float, z0: float, z1: float) -> Piece:
    """A box."""
    outline = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    return loft(outline, outline, z0, z1)


def leaned(piece: Piece, lean: float, z: float) -> Piece:
    """Sheared backwards (to -y) above a height."""
    points, faces, convex = piece
    points = points.copy()
    points[:, 1] -= lean * np.maximum(points[:, 2] - z, 0)
    return points, faces, convex


def bar(a: Sequence[float], b: Sequence[float], r: float, r1: float = 0.0, n: int = 8) -> Piece:
    """A straight bar from a to b, r thick at a and r1 at b."""
    return tube(np.array([a, b], float), r, r1 or r, n)


def tube(path: Array, r: float, r1: float = 0.0, n: int = 10, squash: float = 1.0) -> Piece:
    """A tube around a path [m, 3]; convex where that is straight."""
    m = len(path)
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    # Paths lie in the plane of x and z, or are straight.
    side = np.cross(along, [0.0, 1, 0] if abs(along[0, 1]) < 0.9 else [1.0, 0, 0])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(along, side)
    width = np.linspace(r, r1 or r, m)
    a = 2 * math.pi * np.arange(n) / n + math.pi / n
    round_ = np.cos(a)[:, None, None] * side + squash * np.sin(a)[:, None, None] * other
    points = (path + width[:, None] * round_).swapaxes(0, 1).reshape(-1, 3)  # [m, n, 3]
    i, j = np.indices((m - 1, n)).reshape(2, -1)
    p, q = i * n + j, i * n + (j + 1) % n
    sides = np.concatenate([np.stack([p, q, q + n], 1), np.stack([p, q + n, p + n], 1)])
    k, last = np.arange(1, n - 1), (m - 1) * n
    ends = [np.stack([0 * k, k + 1, k], 1), np.stack([last + 0 * k, last + k, last + k + 1], 1)]
    return _outwards(points, np.concatenate([sides, *ends]), m == 2)


def lathe(profile: Sequence[tuple[float, float]], n: int = 24, convex: bool = False) -> Piece:
    """A profile of (radius, height) turned about z, closed from its last point to its first."""
    r, z = np.array(profile, float).T
    m = len(r)
    a = 2 * math.pi * np.arange(n) / n
    points = np.stack(
        [np.outer(np.cos(a), r), np.outer(np.sin(a), r), np.tile(z, (n, 1))], -1
    ).reshape(-1, 3)
    i, j = np.indices((n, m)).reshape(2, -1)
    p, q = i * m + j, i * m + (j + 1) % m
    u, v = (i + 1) % n * m + j, (i + 1) % n * m + (j + 1) % m
    return _outwards(
        points, np.concatenate([np.stack([p, u, v], 1), np.stack([p, v, q], 1)]), convex
    )


def _outwards(points: Array, faces: Array, convex: bool) -> Piece:
    if Surface(points, faces).volume < 0:
        faces = faces[:, ::-1]
    return points, faces, convex


def moved(piece: Piece, x: float, y: float, z: float) -> Piece:
    """The same elsewhere."""
    return piece[0] + np.array([x, y, z]), piece[1], piece[2]
