"""From the words of a command line to jobs: inputs found, outputs named, nothing opened yet."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from avtool.errors import InputError

# What a folder is searched for.
MEDIA_SUFFIXES = {
    *(".wav", ".wave", ".flac", ".aif", ".aiff", ".au", ".caf", ".w64", ".rf64", ".mp3", ".m4a"),
    *(".aac", ".ogg", ".oga", ".opus", ".wma", ".ac3", ".amr", ".mp4", ".m4v", ".mov", ".mkv"),
    *(".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".3gp", ".flv", ".wmv", ".ogv"),
    ".mxf",
}


@dataclass(frozen=True)
class Job:
    """One input and all files that it becomes.

    Args:
        base: of their names: talk.mp4 becomes ``base``.field.suffix.
        outputs: by the result's field.
    """

    source: Path
    name: str
    base: Path = Path()
    outputs: dict[str, list[Path]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What a picture of it is called."""
        return Path(self.name).name

    @property
    def paths(self) -> list[Path]:
        """All of its files."""
        return [path for paths in self.outputs.values() for path in paths]

    def named(self, field: str, suffix: str) -> Path:
        """The file of a field."""
        return self.base.with_name(f"{self.base.name}.{field}{suffix}")


@dataclass(frozen=True)
class Plan:
    """What a command writes for each input.

    Args:
        files: by the result's fields, the suffixes that each can have.
        formats: asked for with -f; defaults: written where nothing is asked for.
        always: suffix by field of what is written besides, unless -o names one file.
    """

    files: Mapping[str, Collection[str]]
    formats: Sequence[str]
    defaults: Sequence[str]
    out: str | None
    always: Mapping[str, str] = field(default_factory=dict)

    def outputs(self) -> list[tuple[str, str]]:
        """Fields with their suffixes, of which each input gets one file.

        Raises:
            InputError: the formats, or -o and -f, do not fit.
        """
        named = [part for text in self.formats for part in text.split(",") if part]
        end = Path(self.out).suffix if self.out and self._is_file() else ""
        if named and end and [f".{n.lstrip('.')}" for n in named] != [end]:
            raise InputError(f"-o {self.out} and -f {','.join(named)} disagree; give one of them")
        suffixes = [end] if end else [f".{n.lstrip('.')}" for n in named or self.defaults]
        known = list(dict.fromkeys(each for every in self.files.values() for each in every))
        found = []
        for suffix in dict.fromkeys(each.lower() for each in suffixes):
            if suffix not in known:
                what = suffix or "(none)"
                raise InputError(f"'{what}' is no format for this; use {', '.join(known)}")
            found += [(name, suffix) for name, own in self.files.items() if suffix in own]
        if self._is_file():
            return found[:1] if len(self.files) > 1 else found
        return found + list(self.always.items())

    def _is_file(self) -> bool:
        return bool(self.out) and self.out != "-" and not is_folder(str(self.out))

    def jobs(self, inputs: Sequence[tuple[Path, str, Path]]) -> list[Job]:
        """Jobs of inputs (path, name, folder under the output's folder)."""
        outputs = self.outputs()
        if self.out == "-":
            outputs = [each for each in outputs if each[0] not in self.always]
            if len(inputs) != 1 or len(outputs) != 1:
                raise InputError("-o - takes one input and one format; add -f npy, say")
        if self._is_file() and len(inputs) > 1:
            raise InputError(f"-o {self.out} is one file for {len(inputs)} inputs; name a folder/")
        root = Path(self.out) if self.out and is_folder(self.out) else Path()
        # talk.mp4 and talk.wav side by side: both keep their suffix.
        stems = Counter(folder / Path(name).stem for _, name, folder in inputs)
        jobs, taken = [], {}  # type: list[Job], dict[Path, str]
        for source, name, folder in inputs:
            stem = Path(name).stem if stems[folder / Path(name).stem] == 1 else Path(name).name
            job = Job(source, name, root / folder / stem)
            for each, suffix in outputs:
                path = Path(str(self.out)) if self._is_file() else job.named(each, suffix)
                if path in taken:
                    raise InputError(f"{taken[path]} and {name} would both become {path}")
                taken[path] = name
                job.outputs.setdefault(each, []).append(path)
            jobs.append(job)
        # A folder that holds an earlier run's outputs: they are no inputs of this one.
        return [job for job in jobs if job.source not in taken]


def is_folder(out: str) -> bool:
    """Whether -o names a folder: by its end, its being one, or its want of a suffix."""
    return (
        out.endswith(("/", os.sep)) or Path(out).is_dir() or (out != "-" and not Path(out).suffix)
    )


@contextmanager
def expanded(inputs: Sequence[str]) -> Iterator[list[tuple[Path, str, Path]]]:
    """Inputs as (path, name, folder below the output's): folders become their media files, sorted.

    stdin is spooled, because most containers need seeking.
    """
    found: list[tuple[Path, str, Path]] = []
    spool: Path | None = None
    try:
        for text in dict.fromkeys(inputs):
            if text == "-":
                spool = _spooled_stdin()
                found.append((spool, "stdin", Path()))
            elif (folder := Path(text)).is_dir():
                files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in MEDIA_SUFFIXES)
                if not files:
                    raise InputError(f"{text}: holds no media files")
                found += [(p, str(p), p.parent.relative_to(folder)) for p in files]
            else:
                found.append((Path(text), text, Path()))
        yield found
    finally:
        if spool is not None:
            spool.unlink()


def _spooled_stdin() -> Path:
    with tempfile.NamedTemporaryFile(prefix="avtool-", delete=False) as file:
        try:
            shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
        except BaseException:
            Path(file.name).unlink()
            raise
        return Path(file.name)


def videos(place: Path) -> list[Path]:
    """A file, or the media files of a folder, sorted."""
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    return [path for path in files if path.suffix.lower() in MEDIA_SUFFIXES]
