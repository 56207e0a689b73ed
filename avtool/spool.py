"""Rows that must be seen twice: in memory while they are few, in a temporary file after that."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any

import numpy as np

from avtool.values import Array, Audio

MEMORY_BYTES = 8 << 20
READ_ROWS = 256
READ_SAMPLES = 1 << 16  # of a kept sound at a time


class Spool:
    """A queue of float32 (or complex64) rows that can be read back from its start.

    >>> with Spool() as spool:
    ...     spool.append(np.ones((3, 2), np.float32))
    ...     spool.append(np.zeros((1, 2), np.float32))
    ...     [block.shape for block in spool.blocks()], spool.rows
    ([(4, 2)], 4)
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(MEMORY_BYTES, prefix="avtool-")  # noqa: SIM115
        self._columns = 0
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self.rows = 0

    def append(self, block: Array) -> None:
        """Add rows: [rows, columns]."""
        self._columns, self.dtype = block.shape[1], block.dtype
        self.rows += len(block)
        self._file.write(np.ascontiguousarray(block).data)

    def clear(self) -> None:
        """Forget all rows."""
        self._file.seek(0)
        self._file.truncate()
        self.rows = 0

    def blocks(self, rows: int = READ_ROWS) -> Iterator[Array]:
        """All rows from the first, so many at a time; several may read side by side."""
        size, place = rows * self._columns * self.dtype.itemsize, 0
        while size:
            self._file.seek(place)
            if not (data := self._file.read(size)):
                return
            place += len(data)
            yield np.frombuffer(data, self.dtype).reshape(-1, self._columns)

    def row(self, number: int) -> Array:
        """One row, [columns]."""
        return self.part(number, number + 1).reshape(-1)

    def part(self, first: int, stop: int) -> Array:
        """Rows from one to before another, [rows, columns]; fewer where it ends before."""
        size = self._columns * self.dtype.itemsize
        self._file.seek(first * size)
        return np.frombuffer(self._file.read((stop - first) * size), self.dtype).reshape(
            -1, self._columns
        )

    def __del__(self) -> None:
        self._file.close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def spooled(audio: Audio) -> Audio:
    """The same sound, decoded when it is first read and kept in a temporary file after that."""
    kept, whole = Spool(), [False]

    def blocks() -> Iterator[Array]:
        if whole[0]:
            yield from (rows.T.copy() for rows in kept.blocks(READ_SAMPLES))
            return
        kept.clear()
        for block in audio.blocks():
            kept.append(block.T)
            yield block
        whole[0] = True

    return replace(audio, blocks=blocks)
