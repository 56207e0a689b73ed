"""Smooth fields of displacement: where in the source each pixel of the new picture comes from.

Thin-plate splines through points of the mesh (Bookstein 1989), a little loose against their noise.
Backward, so the new picture has no holes; on a coarse grid, because they are smooth.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from avtool.values import Array

LOOSE = 2e-4  # of the spline, where the points' own spread is 1


@dataclass(frozen=True, eq=False)
class Spline:
    """A thin plate through values at points of the plane."""

    at: Array  # float32 [n, 2], of spread 1 around 0
    weight: Array  # float32 [n, 2]
    plane: Array  # float32 [3, 2]
    centre: Array
    spread: float

    @classmethod
    def fit(cls, points: Array, values: Array) -> Spline:
        """Through values [n, 2] at points [n, 2], both in pixels."""
        centre = points.mean(0)
        spread = max(float((points - centre).std()), 1e-6)
        at = (points - centre) / spread
        n = len(at)
        system = np.zeros((n + 3, n + 3))
        squared = sum(np.subtract.outer(k, k) ** 2 for k in at.T)
        system[:n, :n] = squared * np.log(np.maximum(squared, 1e-20)) + LOOSE * np.eye(n)
        system[:n, n], system[:n, n + 1 :] = 1, at
        system[n:, :n] = system[:n, n:].T
        solved = np.linalg.solve(system, np.concatenate([values, np.zeros((3, 2))]))
        solved = solved.astype(np.float32)
        return cls(at.astype(np.float32), solved[:n], solved[n:], centre, spread)

    def __call__(self, xs: Array, ys: Array) -> Array:
        """On the grid of columns xs [w] and rows ys [h] in pixels, float32 [h, w, 2]."""
        x = ((xs - self.centre[0]) / self.spread).astype(np.float32)
        y = ((ys - self.centre[1]) / self.spread).astype(np.float32)
        squared = (y[:, None] - self.at[:, 1])[:, None] ** 2 + (x[:, None] - self.at[:, 0]) ** 2
        squared += np.float32(1e-12)
        squared *= np.log(squared)
        bent = squared.reshape(-1, len(self.at)) @ self.weight
        flat = self.plane[0] + x[None, :, None] * self.plane[1] + y[:, None, None] * self.plane[2]
        return np.asarray(bent.reshape(len(y), len(x), 2) + flat)


@dataclass(frozen=True)
class Grid:
    """A box of a picture, and the coarser nodes on which fields over it are computed."""

    left: int
    top: int
    step: int  # pixels between nodes
    columns: int
    rows: int

    @classmethod
    def over(cls, low: Array, high: Array, step: float) -> Grid:
        """Over the box from low to high, x and y in pixels."""
        left, top = (int(k) for k in np.floor(low))
        whole = max(1, round(step))
        columns, rows = (int(k) for k in np.ceil((high - (left, top)) / whole))
        return cls(left, top, whole, max(1, columns), max(1, rows))

    @property
    def xs(self) -> Array:
        return self.left + (np.arange(self.columns) + 0.5) * self.step - 0.5

    @property
    def ys(self) -> Array:
        return self.top + (np.arange(self.rows) + 0.5) * self.step - 0.5

    def inside(self, height: int, width: int) -> tuple[slice, slice]:
        """Rows and columns of the box that a picture of this size has."""
        bottom, right = self.top + self.rows * self.step, self.left + self.columns * self.step
        y0, x0 = min(max(self.top, 0), height), min(max(self.left, 0), width)
        return slice(y0, max(y0, min(bottom, height))), slice(x0, max(x0, min(right, width)))

    def fetched(self, image: Array, field: Array) -> Array:
        """The picture's pixels from where the field points to, uint8 [h, w, 3] of ``inside``.

        Args:
            field: float32 [rows, columns, 2], displacement in pixels at the nodes.
        """
        rows, columns = self.inside(*image.shape[:2])
        size = (self.columns * self.step, self.rows * self.step)
        fine = cv2.resize(field, size, interpolation=cv2.INTER_LINEAR)  # cubic ripples
        fine = fine[rows.start - self.top :, columns.start - self.left :]
        fine = fine[: rows.stop - rows.start, : columns.stop - columns.start]
        x = fine[..., 0] + np.arange(columns.start, columns.stop, dtype=np.float32)
        y = fine[..., 1] + np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
        return cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def eased(x: Array) -> Array:
    """0 up to 0, 1 from 1 on, without a corner (Perlin 2002)."""
    t = np.clip(x, 0, 1)
    return np.asarray(t * t * t * (t * (6 * t - 15) + 10), np.float32)
