"""Value and suffix to file: written beside its place as a ``.part``, then renamed, or not."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from avtool.errors import InputError, OutputError
from avtool.meshes import write_glb, write_obj
from avtool.spool import Spool
from avtool.values import (
    Array,
    Audio,
    Curves,
    Dubbed,
    Faces,
    Matrix,
    Mesh,
    Mouths,
    Plausible,
    Source,
    Sources,
    Video,
    Voices,
)

Stream = Audio | Matrix
Fed = Stream | Dubbed  # written block by block
Value = Fed | Video | Curves | Faces | Mesh | Mouths | Plausible | Voices | Sources


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
    kind = value if isinstance(value, type) else type(value)
    table = SINKS[kind]
    if suffix.lower() not in table:
        raise InputError(f"'{suffix or '(none)'}' is no format for this; use {', '.join(table)}")
    return table[suffix.lower()]


def formats(kind: type[Value]) -> tuple[str, ...]:
    """The suffixes that a value can be written with."""
    return tuple(SINKS[kind])


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place to write to; it becomes ``path`` when all went well and vanishes otherwise."""
    part = path.with_name(path.name + ".part")
    try:
        part.touch()
        yield part
        part.replace(path)
    except OSError as error:
        why = error.strerror or error
        raise OutputError(f"{path}: cannot be written ({why})") from error
    finally:
        part.unlink(missing_ok=True)


class _Npy:
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


class _Npz:
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


class _Csv:
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


class _Parquet:
    """.parquet: the same table; needs pyarrow."""

    def __init__(self, value: Stream, place: Place) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise OutputError("parquet needs pyarrow: pip install 'avtool[parquet]'") from None
        self._arrow, self._value, self._count = pyarrow, value, 0
        fields = [("time", pyarrow.float64())]
        fields += [(column, pyarrow.float32()) for column in _columns(value)]
        self._schema = pyarrow.schema(fields)
        writer = pyarrow.parquet.ParquetWriter(place.path, self._schema)
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


class _Sound:
    """.wav (32-bit float: nothing is clipped or rounded) or .flac (24 bits)."""

    def __init__(self, value: Audio, place: Place, *, kind: str) -> None:
        import soundfile

        self._failure = soundfile.LibsndfileError
        # A plain wav ends at 4 GiB.
        length = value.length_samples or (value.seconds or 0) * value.rate
        long = length * value.channels * 4 > 0.99 * 2**32
        subtype = "PCM_24" if kind == "FLAC" else "FLOAT"
        kind = "RF64" if kind == "WAV" and long else kind
        file = soundfile.SoundFile(
            place.path, "w", value.rate, value.channels, subtype=subtype, format=kind
        )
        self._file = place.closing.enter_context(file)
        if value.note:
            self._file.comment = value.note

    def write(self, block: Array) -> None:
        try:
            self._file.write(block.T)
        except self._failure as error:  # a full disk, said in libsndfile's words
            raise OSError(error.error_string) from error

    def finish(self) -> None:
        self._file.flush()


class _Dubbed:
    """.mp4 and the like: the pictures are copied, the sound waits in a file beside them."""

    def __init__(self, value: Dubbed, place: Place, *, suffix: str) -> None:
        folder = tempfile.TemporaryDirectory(prefix="avtool-")  # closed with the place
        self._sound = Path(place.closing.enter_context(folder), "sound.wav")
        self._value, self._place, self._suffix = value, place, suffix
        self._sink = _Sound(value.audio, replace(place, path=self._sound), kind="WAV")

    def write(self, block: Array) -> None:
        self._sink.write(block)

    def finish(self) -> None:
        from avtool.media.write import copy_pictures

        self._sink.finish()
        note = self._value.audio.note
        copy_pictures(self._value.path, self._sound, self._place.path, note, suffix=self._suffix)


class _Whole:
    """A value that is no stream: written in one go."""

    def __init__(self, value: Value, place: Place, *, writer: Callable[[Any, Place], None]) -> None:
        self._value, self._place, self._writer = value, place, writer

    def write(self, block: Array) -> None:
        raise TypeError("a whole value has no blocks")

    def finish(self) -> None:
        self._writer(self._value, self._place)


def _video(value: Video, place: Place, *, suffix: str) -> None:
    from avtool.media.write import write_video

    write_video(place.path, value.frames, value.audio, suffix=suffix)


def _faces_json(value: Faces, place: Place) -> None:
    """Boxes in source pixels, times in seconds."""
    faces = []
    for face in value.faces:
        boxes = face.boxes.astype(np.float64).round(1).tolist()
        track = zip(face.times.round(3).tolist(), boxes, strict=True)
        faces.append(
            {
                "face": face.face,
                "track": [{"t": t, "box": box} for t, box in track],
                "speaking": [[round(a, 3), round(b, 3)] for a, b in face.speaking],
            }
        )
    with place.path.open("w") as file:
        json.dump({"faces": faces}, file)
        file.write("\n")


def _faces_png(value: Faces, place: Place) -> None:
    from avtool.draw.sheet import draw_sheet

    draw_sheet(value, place.path, place.title)


def _voices_png(value: Voices, place: Place) -> None:
    from avtool.draw.voices import draw_voices

    draw_voices(value, place.path, place.title)


def _sources_json(value: Sources, place: Place) -> None:
    """Source pixels, seconds, and how likely the source is visible."""

    def facts(source: Source) -> dict[str, Any]:
        found = {
            "t": round(source.time, 3),
            "visible": round(source.visible, 3),
            "peak": [round(x, 1) for x in source.peak],
            "box": [round(x, 1) for x in source.box],
            "cue": source.cue,
        }
        return found if source.face is None else found | {"face": source.face}

    whole = facts(value.clip)
    del whole["t"]
    with place.path.open("w") as file:
        json.dump({"steps": [facts(step) for step in value.steps], "clip": whole}, file)
        file.write("\n")


def _sources_npz(value: Sources, place: Place) -> None:
    """The maps [steps, rows, columns], float16, and their times."""
    rows = (step.time for step in value.steps)
    maps = np.stack([each.astype(np.float16) for each in value.maps()])
    with place.path.open("wb") as file:
        np.savez_compressed(file, maps=maps, time=np.fromiter(rows, float))


def _sources_png(value: Sources, place: Place) -> None:
    from avtool.draw.heat import draw_sources

    draw_sources(value, place.path, place.title)


def _curves_csv(value: Curves, place: Place) -> None:
    """A row a frame: its time in seconds, then each unit by its name."""
    with place.path.open("w", newline="") as file:
        file.write(",".join(["time", *value.names]) + "\n")
        times = np.arange(len(value.amounts)) / value.fps
        np.savetxt(file, np.column_stack([times, value.amounts]), "%.4g", ",")


def _curves_json(value: Curves, place: Place) -> None:
    frames = value.amounts.astype(np.float64).round(4).tolist()
    with place.path.open("w") as file:
        json.dump({"fps": value.fps, "names": list(value.names), "frames": frames}, file)
        file.write("\n")


def _mesh_glb(value: Mesh, place: Place) -> None:
    write_glb(value, place.path)


def _mesh_obj(value: Mesh, place: Place) -> None:
    write_obj(value, place.path)


def _plausible_png(value: Plausible, place: Place) -> None:
    if place.name == "faces":
        from avtool.draw.plausible import draw_plausible

        draw_plausible(value, place.path, place.title)
        return
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    words = PngInfo()
    words.add_text("Description", f"synthetic: {value.report['what']}")
    Image.fromarray(value.portrait).save(place.path, format="PNG", pnginfo=words)


def _plausible_json(value: Plausible, place: Place) -> None:
    with place.path.open("w") as file:
        json.dump(value.report, file, indent=1)
        file.write("\n")


def _mouths_png(value: Mouths, place: Place) -> None:
    from avtool.draw.mouths import draw_mouths

    draw_mouths(value, place.path, place.title)


def _png(value: Stream, place: Place) -> Sink:
    # Pillow is for those who ask for a picture.
    if isinstance(value, Audio):
        from avtool.draw.waveform import WaveformPicture

        return WaveformPicture(value, place.path, place.title)
    from avtool.draw.matrix import MatrixPicture

    return MatrixPicture(value, place.path, place.title, place.name)


_TABLES: dict[str, Callable[[Any, Place], Sink]] = {
    ".npz": _Npz,
    ".npy": _Npy,
    ".csv": _Csv,
    ".parquet": _Parquet,
    ".png": _png,
}
SINKS: dict[type, dict[str, Callable[[Any, Place], Sink]]] = {
    Matrix: _TABLES,
    Audio: {
        **_TABLES,
        ".wav": partial(_Sound, kind="WAV"),
        ".flac": partial(_Sound, kind="FLAC"),
    },
    Video: {
        suffix: partial(_Whole, writer=partial(_video, suffix=suffix))
        for suffix in (".mp4", ".mkv", ".mov", ".m4v")
    },
    Dubbed: {suffix: partial(_Dubbed, suffix=suffix) for suffix in (".mp4",)},
    Curves: {
        ".csv": partial(_Whole, writer=_curves_csv),
        ".json": partial(_Whole, writer=_curves_json),
    },
    Faces: {
        ".json": partial(_Whole, writer=_faces_json),
        ".png": partial(_Whole, writer=_faces_png),
    },
    Voices: {".png": partial(_Whole, writer=_voices_png)},
    Mouths: {".png": partial(_Whole, writer=_mouths_png)},
    Mesh: {
        ".glb": partial(_Whole, writer=_mesh_glb),
        ".obj": partial(_Whole, writer=_mesh_obj),
    },
    Plausible: {
        ".json": partial(_Whole, writer=_plausible_json),
        ".png": partial(_Whole, writer=_plausible_png),
    },
    Sources: {
        ".json": partial(_Whole, writer=_sources_json),
        ".npz": partial(_Whole, writer=_sources_npz),
        ".png": partial(_Whole, writer=_sources_png),
    },
}
