"""Shards: one file that holds the features of many inputs, for those who train.

``.tar`` is WebDataset's: key.npy with the array and key.json with all that made it, one after the
other. It is written by the standard library: the webdataset library's writer is a layer over it,
and loads torch. ``.parquet`` is a part of a data set, a row an input, its array as nested lists;
rows are written in groups, so that what waits in memory is bounded.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from avtool.errors import OutputError, text_of
from avtool.save import tables
from avtool.values import Array, Audio, Matrix

GROUP_BYTES = 32 << 20  # of the arrays in a row group


class Shard(Protocol):
    """Takes one input after the other; ``close`` completes the file."""

    def add(self, key: str, name: str, field: str, value: Audio | Matrix) -> None: ...

    def close(self) -> None: ...


def shard(path: Path, suffix: str) -> Shard:
    """A new shard.

    Raises:
        OutputError: its library is missing.
    """
    return Tar(path) if suffix == ".tar" else Part(path)


def keys(path: Path) -> Iterator[str]:
    """The keys of what is in a shard, in its order.

    Raises:
        OutputError: it cannot be read.
    """
    try:
        if path.suffix == ".tar":
            with tarfile.open(path, "r:") as file:
                names = [member.name for member in file if member.name.endswith(".json")]
            yield from (name.removesuffix(".json") for name in names)
            return
        with tables.parquet().ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["id"]):
                yield from batch.column(0).to_pylist()
    except (OSError, tarfile.TarError, ValueError) as error:
        raise OutputError(
            f"{path}: cannot be read ({error}); remove it, if it is damaged"
        ) from error


def facts(value: Audio | Matrix, name: str) -> dict[str, Any]:
    """All that made a value, as JSON has it; its times and axis follow from it."""
    if isinstance(value, Audio):
        return {"path": name, "sr": value.rate, "start": value.start}
    axis = "coefficients" if value.axis == "index" else "frequencies"
    bins = np.asarray(value.bins).tolist()
    timing = {"start": value.start, "hop_seconds": value.hop, "unit": value.unit, axis: bins}
    return {"path": name, **value.parameters, **timing}


class Tar:
    """A WebDataset shard: arrays are [bins, frames], sound is [channels, time]."""

    def __init__(self, path: Path) -> None:
        self._file = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    def add(self, key: str, name: str, field: str, value: Audio | Matrix) -> None:
        array = value.samples if isinstance(value, Audio) else value.values
        data = io.BytesIO()
        np.lib.format.write_array(data, array, allow_pickle=False)
        self._member(f"{key}.npy", data.getvalue())
        told = {"field": field, **facts(value, name)}
        self._member(f"{key}.json", json.dumps(told, default=str).encode())

    def _member(self, name: str, data: bytes) -> None:
        member = tarfile.TarInfo(name)  # of 1970: the same input gives the same bytes
        member.size = len(data)
        self._file.addfile(member, io.BytesIO(data))

    def close(self) -> None:
        self._file.close()


class Part:
    """A part of a Parquet data set: id, path, the array a frame (or sample) a list, and facts."""

    def __init__(self, path: Path) -> None:
        self._parquet, self._writer = tables.parquet(), None  # type: Any, Any
        self._file = path.open("wb")  # of Python's: a folder's name need not be UTF-8
        self._rows: list[tuple[str, str, Array, str]] = []
        self._field, self._bytes = "", 0

    def add(self, key: str, name: str, field: str, value: Audio | Matrix) -> None:
        rows = (value.samples if isinstance(value, Audio) else value.values).T
        if np.iscomplexobj(rows):
            raise OutputError("complex values do not fit .parquet; use -f tar")
        told = {"field": field, **facts(value, name)}
        self._rows.append((key, name, rows, json.dumps(told, default=str)))
        self._field, self._bytes = field, self._bytes + rows.nbytes
        if self._bytes > GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as arrow

        ids, names, arrays, told = zip(*self._rows, strict=True) if self._rows else ((),) * 4
        lists = arrow.list_(arrow.list_(arrow.float32()))
        schema = arrow.schema(
            [
                ("id", arrow.string()),
                ("path", arrow.string()),
                (self._field or "value", lists),
                ("shape", arrow.list_(arrow.int64())),
                ("parameters", arrow.string()),
            ]
        )
        columns = [
            arrow.array(ids, arrow.string()),
            arrow.array([text_of(name) for name in names], arrow.string()),
            _nested(arrays),
            arrow.array([list(each.shape) for each in arrays], arrow.list_(arrow.int64())),
            arrow.array(told, arrow.string()),
        ]
        self._writer = self._writer or self._parquet.ParquetWriter(self._file, schema)
        self._writer.write_table(arrow.Table.from_arrays(columns, schema=schema))
        self._rows, self._bytes = [], 0

    def close(self) -> None:
        if self._rows or self._writer is None:
            self._flush()
        self._writer.close()
        self._file.close()


def _nested(arrays: tuple[Array, ...]) -> Any:
    """Arrays [frames, bins] as lists of lists."""
    import pyarrow as arrow

    flat = np.concatenate([np.zeros(0, np.float32), *(np.ravel(each) for each in arrays)])
    frames, bins = ([each.shape[axis] for each in arrays] for axis in (0, 1))
    widths = np.repeat(np.array(bins, int), frames)
    inner = arrow.ListArray.from_arrays(_ends(widths), flat.astype(np.float32, copy=False))
    return arrow.ListArray.from_arrays(_ends(frames), inner)


def _ends(lengths: Any) -> Array:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
