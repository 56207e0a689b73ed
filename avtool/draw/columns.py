"""Time reduced to the columns of a picture while a value streams by."""

from __future__ import annotations

from typing import Literal

import numpy as np

from avtool.draw.canvas import PANEL_W
from avtool.values import Array


class Columns:
    """Rows over time, reduced to at most ``2 * limit`` columns by powers of two.

    Column c always holds frames c * factor and on, however the blocks were cut.
    """

    def __init__(self, how: Literal["max", "mean"], limit: int = PANEL_W) -> None:
        self._reduce = np.max if how == "max" else np.mean
        self._limit, self.factor, self.frames = 2 * limit, 1, 0
        self._columns: list[Array] = []
        self._count = 0
        self._pending: Array | None = None

    def add(self, rows: Array) -> None:
        """Rows [frames, n]."""
        self.frames += len(rows)
        if self._pending is not None and len(self._pending):
            rows = np.concatenate([self._pending, rows])
        first = 0
        while (n := min((len(rows) - first) // self.factor, self._limit - self._count)) > 0:
            part = rows[first : first + n * self.factor]
            self._columns.append(self._pooled(part, self.factor))
            self._count += n
            first += n * self.factor
            if self._count == self._limit:
                whole = self._pooled(np.concatenate(self._columns), 2)
                self._columns, self._count = [whole], len(whole)
                self.factor *= 2
        self._pending = rows[first:].copy()

    def _pooled(self, rows: Array, factor: int) -> Array:
        if factor == 1:
            return rows.copy()
        return self._reduce(rows.reshape(-1, factor, rows.shape[1]), axis=1)  # type: ignore[no-any-return]

    def done(self) -> Array:
        """All columns, the last perhaps of fewer frames: [columns, n]."""
        parts = list(self._columns)
        if self._pending is not None and len(self._pending):
            parts.append(self._reduce(self._pending, axis=0)[None])
        return np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)
