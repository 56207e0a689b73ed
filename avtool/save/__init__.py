"""Value and suffix to file: written to a part file beside its place, then renamed, or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

from avtool.errors import InputError
from avtool.save import tables
from avtool.save.meshes import write_glb, write_obj
from avtool.save.place import Place, Sink, Whole, replacing
from avtool.save.sound import SoundFile
from avtool.values import Audio, Dubbed, Matrix, Mesh, Video

__all__ = ["Place", "formats", "opened", "replacing", "save", "sink_of"]


class Writable(Protocol):
    """A value of one command: it says how it is written, by suffix."""

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]


Stream = Audio | Matrix
Fed = Stream | Dubbed  # written block by block
Value = Fed | Video | Mesh | Writable


def save(value: Value, paths: Sequence[Path], *, name: str, title: str) -> None:
    """Write one value in several formats, reading it once.

    Args:
        paths: one file each; the suffix says the format.
        name: of the value inside the files; title: of a picture.

    Raises:
        InputError: a format is unknown. OutputError: a format cannot hold the value, or a file
            cannot be written.
    """
    with ExitStack() as stack:
        sinks = []
        for path in paths:
            make = sink_of(value, path.suffix)
            part = stack.enter_context(replacing(path))
            sinks.append(make(value, Place(part, name, title, stack)))
        if isinstance(value, Stream):
            for block in value.blocks():
                for sink in sinks:
                    sink.write(block)
        for sink in sinks:
            sink.finish()


@contextmanager
def opened(values: Iterable[tuple[Fed, Path, str]]) -> Iterator[list[Sink]]:
    """Sinks of several values that are made side by side; their files are there at the end.

    Args:
        values: each with its file and its name inside the file.

    Raises:
        InputError, OutputError: as ``save``.
    """
    with ExitStack() as stack:
        sinks = []
        for value, path, name in values:
            part = stack.enter_context(replacing(path))
            make = sink_of(value, path.suffix)
            sinks.append(make(value, Place(part, name, path.stem, stack)))
        yield sinks
        for sink in sinks:
            sink.finish()


def sink_of(value: Value | type[Value], suffix: str) -> Callable[[Any, Place], Sink]:
    """The writer of a value's type for a suffix; raises InputError where there is none."""
    table = _sinks(value if isinstance(value, type) else type(value))
    if suffix.lower() not in table:
        raise InputError(f"'{suffix or '(none)'}' is no format for this; use {', '.join(table)}")
    return table[suffix.lower()]


def formats(kind: type[Value]) -> tuple[str, ...]:
    """The suffixes that a value can be written with."""
    return tuple(_sinks(kind))


def _sinks(kind: type[Any]) -> Mapping[str, Callable[[Any, Place], Sink]]:
    if kind in SINKS:
        return SINKS[kind]
    return {suffix: partial(Whole, writer=writer) for suffix, writer in kind.WRITERS.items()}


def _png(value: Stream, place: Place) -> Sink:
    # Pillow is for those who ask for a picture.
    if isinstance(value, Audio):
        from avtool.draw.waveform import WaveformPicture

        return WaveformPicture(value, place.path, place.title)
    from avtool.draw.matrix import MatrixPicture

    return MatrixPicture(value, place.path, place.title, place.name)


def _dubbed(value: Dubbed, place: Place) -> Sink:
    from avtool.save.video import DubbedFile

    return DubbedFile(value, place, suffix=".mp4")


def _video(value: Video, place: Place, *, suffix: str) -> None:
    from avtool.save import video

    video.write(value, place, suffix=suffix)


_TABLES: dict[str, Callable[[Any, Place], Sink]] = {
    ".npz": tables.Npz,
    ".npy": tables.Npy,
    ".csv": tables.Csv,
    ".parquet": tables.Parquet,
    ".png": _png,
}
# What several commands give. What one command gives brings its writers itself.
SINKS: dict[type, dict[str, Callable[[Any, Place], Sink]]] = {
    Matrix: _TABLES,
    Audio: {
        **_TABLES,
        ".wav": partial(SoundFile, kind="WAV"),
        ".flac": partial(SoundFile, kind="FLAC"),
    },
    Video: {
        suffix: partial(Whole, writer=partial(_video, suffix=suffix))
        for suffix in (".mp4", ".mkv", ".mov", ".m4v")
    },
    Dubbed: {".mp4": _dubbed},
    Mesh: {
        ".glb": partial(Whole, writer=lambda value, place: write_glb(value, place.path)),
        ".obj": partial(Whole, writer=lambda value, place: write_obj(value, place.path)),
    },
}
