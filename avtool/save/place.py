"""Where a value goes: a part file beside its file, renamed when all went well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from avtool import scratch
from avtool.errors import OutputError
from avtool.values import Array


@dataclass(frozen=True)
class Place:
    """Where a value goes.

    Args:
        name: of the value inside the file; title: of a picture.
        closing: closes what a sink has opened, also when the writing fails.
    """

    path: Path
    name: str
    title: str
    closing: ExitStack


class Sink(Protocol):
    """Takes a value's blocks in order; ``finish`` completes the file."""

    def write(self, block: Array) -> None: ...

    def finish(self) -> None: ...


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place to write to; it becomes ``path`` when all went well and vanishes otherwise.

    Raises:
        OutputError: it cannot be written; what is said of the part file is said of ``path``.
    """
    try:
        with scratch.part_file(path.parent) as part:
            try:
                yield part
            except OutputError as error:
                raise OutputError(str(error).replace(str(part), str(path))) from error
            part.replace(path)
    except OSError as error:
        why = error.strerror or error
        raise OutputError(f"{path}: cannot be written ({why})") from error


class Whole:
    """A value that is no stream: written in one go."""

    def __init__(self, value: Any, place: Place, *, writer: Callable[[Any, Place], None]) -> None:
        self._value, self._place, self._writer = value, place, writer

    def write(self, block: Array) -> None:
        raise TypeError("a whole value has no blocks")

    def finish(self) -> None:
        self._writer(self._value, self._place)
