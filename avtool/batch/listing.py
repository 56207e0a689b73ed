"""Inputs from a list, read as they are needed: a million of them take no more memory than one."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from posixpath import normpath, splitext
from typing import IO

from avtool.batch.address import is_address, path_of
from avtool.batch.jobs import Input, input_of
from avtool.errors import InputError

CHUNK = 1 << 16  # bytes, or rows of a Parquet file


def listed(place: str) -> Iterator[Input]:
    """The inputs of a list, in its order.

    Args:
        place: text with a path a line (or between NUL bytes, as ``find -print0`` writes them), or
            Parquet with a column ``path`` and perhaps ``id``; ``-`` is text on stdin. Paths are
            taken as they stand, from the working folder on; empty ones are left out.

    Raises:
        InputError: the list cannot be read.
    """
    if _is_parquet(place):
        yield from _rows(place)
        return
    with _opened(place) as file:
        for name in _names(file):
            yield input_of(name, key=key_of(name))


def counted(place: str) -> int | None:
    """How many inputs a list has, those that are named twice too; None for a pipe.

    Raises:
        InputError: the list cannot be read.
    """
    if _is_parquet(place):
        with _parquet(place) as file:
            return int(file.metadata.num_rows)
    if place == "-" or (Path(place).exists() and not Path(place).is_file()):
        return None
    with _opened(place) as file:
        return sum(1 for _ in _names(file))


def key_of(name: str) -> str:
    """What an input is called among the outputs: its path below the root, without its suffix.

    >>> key_of("/data/a/talk.wav"), key_of("../b/./talk.wav"), key_of("s3://bucket/talk.v2.wav")
    ('data/a/talk', 'b/talk', 'bucket/talk.v2')
    """
    name = path_of(name) if is_address(name) else name.partition("://")[2] or name
    return splitext(_below(name))[0]


def _below(path: str) -> str:
    path = normpath(path)
    return re.sub(r"^(\.\.?(/|$)|/)+", "", path) if path[0] in "./" else path


def _is_parquet(place: str) -> bool:
    return place.lower().endswith((".parquet", ".pq"))


@contextmanager
def _opened(place: str) -> Iterator[IO[bytes]]:
    if place == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(place).open("rb")  # noqa: SIM115
    except OSError as error:
        raise InputError(f"--files {place}: cannot be read ({error.strerror})") from error
    with file:
        yield file


def _names(file: IO[bytes]) -> Iterator[str]:
    """Names between line ends, or between NULs where there is one, as the system writes names."""
    rest, end = b"", b""
    while chunk := file.read1(CHUNK) if hasattr(file, "read1") else file.read(CHUNK):
        end = end or (b"\0" if b"\0" in chunk else b"\n" if b"\n" in chunk else b"")
        *whole, rest = (rest + chunk).split(end) if end else [rest + chunk]
        yield from _decoded(whole, end)
    yield from _decoded([rest], end)


def _decoded(names: list[bytes], end: bytes) -> Iterator[str]:
    for each in names:
        name = each if end == b"\0" else each.removesuffix(b"\r")
        if name.strip():
            yield name.decode(errors="surrogateescape")


@contextmanager
def _parquet(place: str):  # type: ignore[no-untyped-def]
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise InputError(
            f"--files {place}: Parquet needs pyarrow: pip install 'avtool[parquet]'"
        ) from None
    try:
        with ParquetFile(place) as file:
            yield file
    except (OSError, ArrowException) as error:
        raise InputError(f"--files {place}: cannot be read as Parquet ({error})") from error


def _rows(place: str) -> Iterator[Input]:
    with _parquet(place) as file:
        names = file.schema_arrow.names
        if "path" not in names:
            raise InputError(
                f"--files {place}: has no column 'path', only {', '.join(names) or 'none'}"
            )
        columns = ["path", *(["id"] if "id" in names else [])]
        for batch in file.iter_batches(CHUNK, columns=columns):
            for path, *ids in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                if path:
                    key = _below(str(ids[0])) if ids and ids[0] is not None else key_of(path)
                    yield input_of(path, key=key)
