"""Arrays and tables: .npz, .npy, .csv, .parquet, row by row as they come."""

from __future__ import annotations

import json
import zipfile
from typing import IO, Any

import numpy as np

from avtool.errors import OutputError
from avtool.save.place import Place
from avtool.spool import Spool
from avtool.values import Array, Audio, Matrix

Stream = Audio | Matrix


class Npy:
    """.npy: [bins, frames] in Fortran order, so that frames are appended as they come."""

    def __init__(self, value: Stream, place: Place) -> None:
        self._rows = _rows(value)
        self._count, self._dtype = 0, np.dtype(np.float32)
        self._sound = isinstance(value, Audio)
        self._file = place.closing.enter_context(place.path.open("wb"))
        self._header()

    def _header(self) -> None:
        _npy_header(self._file, (self._rows, self._count), self._dtype)

    def write(self, block: Array) -> None:
        rows = block.T if self._sound else block
        self._dtype = rows.dtype
        self._count += len(rows)
        self._file.write(np.ascontiguousarray(rows).data)

    def finish(self) -> None:
        self._file.seek(0)
        self._header()  # as long as the first: numpy leaves room for the count to grow


def _npy_header(file: IO[bytes], shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
    header = {"descr": dtype.str, "fortran_order": True, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


class Npz:
    """.npz: the array under its name, its axes, and every parameter; no pickle.

    A zip's entry says its length before its data, and the length is known at the end only: rows
    wait in a spool.
    """

    def __init__(self, value: Stream, place: Place) -> None:
        self._value, self._place = value, place
        self._spool = place.closing.enter_context(Spool())

    def write(self, block: Array) -> None:
        self._spool.append(block.T if isinstance(self._value, Audio) else block)

    def finish(self) -> None:
        spool = self._spool
        with zipfile.ZipFile(self._place.path, "w") as file:
            for key, array in _axes(self._value, spool.rows).items():
                with self._entry(file, key) as entry:
                    np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)
            with self._entry(file, self._place.name) as entry:
                _npy_header(entry, (_rows(self._value), spool.rows), spool.dtype)
                for block in spool.blocks():
                    entry.write(block.data)

    @staticmethod
    def _entry(file: zipfile.ZipFile, key: str) -> IO[bytes]:
        # A fixed date: the same input gives the same bytes.
        return file.open(zipfile.ZipInfo(f"{key}.npy"), "w", force_zip64=True)


def _rows(value: Stream) -> int:
    return value.channels if isinstance(value, Audio) else len(value.bins)


def _axes(value: Stream, count: int) -> dict[str, Any]:
    if isinstance(value, Audio):
        return {"sr": value.rate, "start": value.start}
    axis = "coefficient" if value.axis == "index" else "frequency"
    parameters = {
        key: json.dumps(item) if item is None or isinstance(item, (tuple, list)) else item
        for key, item in value.parameters.items()
    }
    facts = {axis: value.bins, "time": value.times(count), "unit": value.unit}
    return parameters | facts


class Csv:
    """.csv: a row a frame (or sample): its time, then its values."""

    def __init__(self, value: Stream, place: Place) -> None:
        self._value, self._count = value, 0
        self._file = place.closing.enter_context(place.path.open("w", newline=""))
        self._file.write(",".join(["time", *_columns(value)]) + "\n")

    def write(self, block: Array) -> None:
        rows, times = _timed(self._value, block, self._count)
        self._count += len(rows)
        np.savetxt(self._file, np.column_stack([times, rows]), "%.9g", ",")

    def finish(self) -> None:
        self._file.flush()


def parquet() -> Any:
    """The module ``pyarrow.parquet``; raises OutputError where it is missing."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise OutputError("parquet needs pyarrow: pip install 'avtool[parquet]'") from None
    return pyarrow.parquet


class Parquet:
    """.parquet: the same table; needs pyarrow."""

    def __init__(self, value: Stream, place: Place) -> None:
        writers = parquet()
        import pyarrow

        self._arrow, self._value, self._count = pyarrow, value, 0
        fields = [("time", pyarrow.float64())]
        fields += [(column, pyarrow.float32()) for column in _columns(value)]
        self._schema = pyarrow.schema(fields)
        # A file of Python's: a folder's name need not be UTF-8.
        file = place.closing.enter_context(place.path.open("wb"))
        writer = writers.ParquetWriter(file, self._schema)
        self._writer = place.closing.enter_context(writer)

    def write(self, block: Array) -> None:
        rows, times = _timed(self._value, block, self._count)
        self._count += len(rows)
        columns = [times, *np.ascontiguousarray(rows.T)]
        arrays = [self._arrow.array(column) for column in columns]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))

    def finish(self) -> None:
        self._writer.close()


def _columns(value: Stream) -> list[str]:
    if isinstance(value, Audio):
        return [f"channel {n + 1}" for n in range(value.channels)]
    if value.axis == "index":
        return [f"c{n:.0f}" for n in value.bins]
    return [f"{hz:.6g} Hz" for hz in value.bins]


def _timed(value: Stream, block: Array, first: int) -> tuple[Array, Array]:
    """Rows of a table and their times in seconds."""
    if np.iscomplexobj(block):
        raise OutputError("complex values do not fit .csv or .parquet; use .npy or .npz")
    rows = block.T if isinstance(value, Audio) else block
    step = 1 / value.rate if isinstance(value, Audio) else value.hop
    return rows, value.start + step * np.arange(first, first + len(rows))
