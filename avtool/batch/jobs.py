"""From the words of a command line to jobs: inputs found, outputs named, nothing opened yet."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from avtool.batch.address import WRITABLE, hidden, is_address, path_of, same
from avtool.errors import InputError, shown, text_of
from avtool.scratch import temporary_folder

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
        made_of: the input whose output the source is, and so no input itself.
        key: what the input is called in a list; fault: why it cannot be done.
        alone: it needs a shard of its own, because it may kill its process.
        address: of the source, where it is no file of this machine; see ``batch.remote``.
        store: what comes before the outputs' paths where they go to an address; ends in ``/``.
    """

    source: Path
    name: str
    base: Path = Path()
    outputs: dict[str, list[Path]] = field(default_factory=dict)
    made_of: str = ""
    key: str = ""
    fault: str = ""
    alone: bool = False
    address: str = ""
    store: str = ""

    @property
    def title(self) -> str:
        """What a picture of it is called; what is not UTF-8 in a name cannot be drawn."""
        return shown(os.fsencode(Path(self.name).name).decode(errors="replace"))

    @property
    def paths(self) -> list[Path]:
        """All of its files."""
        return [path for paths in self.outputs.values() for path in paths]

    def named(self, field: str, suffix: str) -> Path:
        """The file of a field."""
        return self.base.with_name(f"{self.base.name}.{field}{suffix}")


@dataclass(frozen=True)
class Shard(Job):
    """Several inputs that become one file, ``base``; it has no outputs that could be missing."""

    parts: tuple[Job, ...] = ()
    number: int = 0


@dataclass(frozen=True)
class Plan:
    """What a command writes for each input.

    Args:
        files: by the result's fields, the suffixes that each can have.
        formats: asked for with -f; defaults: written where nothing is asked for.
        always: suffix by field of what is written besides, unless -o names one file.
        later: a pattern of fields that are known once an input has been looked at.
        shards: the suffix of the files that hold many inputs each; empty is a file an input.
    """

    files: Mapping[str, Collection[str]]
    formats: Sequence[str]
    defaults: Sequence[str]
    out: str | None
    always: Mapping[str, str] = field(default_factory=dict)
    later: str = ""
    shards: str = ""

    def outputs(self) -> list[tuple[str, str]]:
        """Fields with their suffixes, of which each input gets one file.

        Raises:
            InputError: the formats, or -o and -f, do not fit.
        """
        named = [part for text in self.formats for part in text.split(",") if part]
        end = Path(self.out).suffix if self.out and self._is_file() else ""
        if named and end and [f".{n.lstrip('.')}" for n in named] != [end]:
            raise InputError(
                f"-o {hidden(str(self.out))} and -f {','.join(named)} disagree; give one of them"
            )
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

    def jobs(self, inputs: Sequence[Input]) -> list[Job]:
        """Jobs of inputs.

        Raises:
            InputError: outputs and inputs do not fit each other.
        """
        outputs = self.outputs()
        if self.out == "-":
            outputs = [each for each in outputs if each[0] not in self.always]
            if len(inputs) != 1 or len(outputs) != 1:
                raise InputError("-o - takes one input and one format; add -f npy, say")
        if self._is_file() and len(inputs) > 1:
            out = hidden(str(self.out))
            raise InputError(f"-o {out} is one file for {len(inputs)} inputs; name a folder/")
        # talk.mp4 and talk.wav side by side: both keep their suffix.
        stems = Counter((each.below or Path()) / each.path.stem for each in inputs)
        jobs, taken = [], {}  # type: list[Job], dict[Path, str]
        for source, name, below, _, address in inputs:
            folder = below or Path()
            stem = source.stem if stems[folder / source.stem] == 1 else source.name
            base = self.root / folder / stem
            job = Job(source, name, base, address=address, store=self.store)
            for each, suffix in outputs:
                path = job.named(each, suffix)
                if self._is_file():
                    path = Path(str(self.out).removeprefix(self.store))
                if path in taken:
                    raise InputError(f"{taken[path]} and {name} would both become {path}")
                taken[path] = name
                job.outputs.setdefault(each, []).append(path)
            jobs.append(job)
        names = {path.name for path in taken}
        if not self.later and names.isdisjoint(each.path.name for each in inputs):
            return jobs
        made = {_entry(path, self.store and self.store + str(path)): n for path, n in taken.items()}
        return list(self._own(inputs, jobs, made))

    @cached_property
    def root(self) -> Path:
        """The folder of the outputs, below the store if there is one."""
        return Path(self.out) if self.out and is_folder(self.out) and not self.store else Path()

    @cached_property
    def store(self) -> str:
        """The address of the folder of the outputs, ending in ``/``; empty where it is none.

        Raises:
            InputError: nothing can be written there.
        """
        if not self.out or "://" not in self.out:
            return ""
        if self.out.partition("://")[0] not in WRITABLE:
            raise InputError(
                f"-o {hidden(self.out)}: cannot be written to; "
                f"use {', '.join(f'{each}://' for each in WRITABLE)}, or a folder"
            )
        return (self.out.rpartition("/")[0] if self._is_file() else self.out.rstrip("/")) + "/"

    def listed(self, inputs: Iterable[Input]) -> Iterator[Job]:
        """Jobs of the inputs of a list, one by one; their files are named after their keys.

        Raises:
            InputError: the formats, or -o and -f, do not fit, or -o is no folder.
        """
        if self.out == "-" or self._is_file():
            raise InputError(f"-o {hidden(self.out or '')}: a list's outputs go into a folder/")
        outputs = [] if self.shards else self.outputs()
        ends = tuple(f".{name}{suffix}" for name, suffix in outputs)
        return (self._listed(each, outputs, ends) for each in inputs)

    def written(self) -> list[Any]:
        """What the files of an input are, as JSON has it."""
        return [["", self.shards]] if self.shards else [list(each) for each in self.outputs()]

    def _listed(
        self, each: Input, outputs: Sequence[tuple[str, str]], ends: tuple[str, ...]
    ) -> Job:
        job = Job(
            *(each.path, each.name, self.root / each.key),
            key=text_of(each.key),
            address=each.address,
            store=self.store,
        )
        if self.shards == ".tar":  # whose readers end the key at its first dot
            folder, slash, last = job.key.rpartition("/")
            job = replace(job, key=folder + slash + last.replace(".", "_"))
        for name, suffix in outputs:
            job.outputs.setdefault(name, []).append(job.named(name, suffix))
        if not each.key:
            return replace(job, fault="is no file's name")
        if ends and each.name.endswith(ends):
            return replace(job, fault="is named as this command's outputs are, so it is no input")
        return job

    def sharded(
        self, jobs: Iterable[Job], name: str, size: int, taken: Collection[int]
    ) -> Iterator[Job]:
        """Jobs in shards of a size, by the first numbers not taken; the last shard is smaller."""
        numbers = (number for number in count() if number not in taken)
        waiting: list[Job] = []
        for job in jobs:
            if job.fault:
                yield job
                continue
            if job.alone:
                yield self._shard([job], name, next(numbers))
                continue
            waiting.append(job)
            if len(waiting) == size:
                yield self._shard(waiting, name, next(numbers))
                waiting = []
        if waiting:
            yield self._shard(waiting, name, next(numbers))

    def _shard(self, jobs: Sequence[Job], name: str, number: int) -> Shard:
        path = self.root / f"{name}-{number:06}{self.shards}"
        parts = tuple(replace(job, store="") for job in jobs)  # theirs is the shard's
        name = hidden(self.store) + str(path)
        return Shard(path, name, path, parts=parts, number=number, store=self.store)

    def shards_there(self, name: str) -> dict[int, str]:
        """Shards that are there, by number: their paths, or addresses."""
        pattern = re.compile(rf"{re.escape(name)}-(\d{{6,}}){re.escape(self.shards)}")
        names: Iterable[str] = []
        if self.store:
            from avtool.batch import remote  # which needs jobs itself

            names = remote.shards(self.store)
        elif is_dir(self.root):
            names = (path.name for path in self.root.iterdir())
        found = ((pattern.fullmatch(each), each) for each in names)
        root = self.store or f"{self.root}/"
        return {int(match[1]): root + each for match, each in found if match}

    def _own(
        self, inputs: Sequence[Input], jobs: list[Job], made: Mapping[Path, str]
    ) -> Iterator[Job]:
        """The jobs whose inputs are no earlier run's outputs; of what was named, each is kept."""
        bases = {
            _entry(job.base, job.store and job.store + str(job.base)): job.name for job in jobs
        }
        for (_, name, below, *_), job in zip(inputs, jobs, strict=True):
            place = _entry(job.source, job.address)
            maker = made.get(place, name)
            if self.later and (later := re.fullmatch(rf"(.+)\.{self.later}\.\w+", place.name)):
                maker = bases.get(place.with_name(later[1]), maker)
            if maker == name:
                yield job
            elif below is None:
                yield replace(job, made_of=maker)


def refuse(jobs: Sequence[Job], read: Collection[tuple[int, int] | None]) -> None:
    """Raise InputError where an output is one of the files that are read, by whatever name."""
    far = {same(job.address) for job in jobs if job.address}
    for job in jobs:
        for path in () if job.made_of else job.paths:
            with suppress(OSError):  # said when it is its turn
                there = None if job.store else identity(path)
                if (there and there in read) or (job.store and same(f"{job.store}{path}") in far):
                    raise InputError(
                        f"{hidden(job.store)}{path}: is an input, and {job.name} would be "
                        "written over it; name another -o"
                    )


def identity(path: Path) -> tuple[int, int] | None:
    """What a file is known by under all its names; None where there is none.

    Raises:
        OSError: the system does not tell.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def _entry(path: Path, address: str = "") -> Path:
    """A path in its one spelling, whose last part may be a link; or an address in its own."""
    return Path(same(address)) if address else _real(path.parent.absolute()) / path.name


@cache
def _real(folder: Path) -> Path:
    return Path(os.path.realpath(folder))


def is_folder(out: str) -> bool:
    """Whether -o names a folder: by its end, its being one, or its want of a suffix."""
    if "://" in out and not path_of(out).partition("/")[2]:
        return True  # a bucket, whose name may have dots
    return out.endswith(("/", os.sep)) or is_dir(out) or (out != "-" and not Path(out).suffix)


class Input(NamedTuple):
    """A file to look at.

    Args:
        below: its folder under the one it was found in, if it was.
        key: what it is called in a list.
        address: where it is no file of this machine; its name then tells no password.
    """

    path: Path
    name: str
    below: Path | None = None
    key: str = ""
    address: str = ""


def input_of(text: str, below: Path | None = None, key: str = "") -> Input:
    """An input as it is named: by its path, or its address."""
    if is_address(text):
        return Input(Path(path_of(text)), hidden(text), below, key, text)
    return Input(Path(text), text, below, key)


def is_dir(path: Path | str) -> bool:
    """Whether it is a folder; ``Path.is_dir`` raises for what lies in a closed one."""
    return os.path.isdir(path)  # noqa: PTH112


@contextmanager
def expanded(inputs: Sequence[str], also: Collection[str] = ()) -> Iterator[list[Input]]:
    """Inputs, of which folders become their media files, sorted; see ``searched``."""
    with searched(inputs, also) as found:
        yield list(found)


@contextmanager
def searched(inputs: Sequence[str], also: Collection[str] = ()) -> Iterator[Iterator[Input]]:
    """The same, one by one as they are found.

    Args:
        also: further suffixes that folders are searched for, as those of photos.

    A folder that cannot be searched is an input itself, and fails as one. stdin is spooled, because
    most containers need seeking.
    """
    with ExitStack() as stack:
        yield _searched(inputs, stack, also)


def _searched(inputs: Sequence[str], stack: ExitStack, also: Collection[str]) -> Iterator[Input]:
    for text in dict.fromkeys(inputs):
        if is_address(text):
            from avtool.batch import remote  # which needs jobs itself

            yield from (input_of(each, below) for each, below in remote.found(text))
        elif text == "-":
            yield Input(_spooled_stdin(stack), "stdin")
        elif is_dir(text):
            files = _media_files(Path(text), also)
            if not files:
                raise InputError(f"{text}: holds no media files")
            yield from (Input(p, str(p), _below(p, Path(text))) for p in files)
        else:
            yield Input(Path(text), text)


def refuse_addresses(inputs: Iterable[str | None], command: str) -> None:
    """Raise InputError where a command that takes files of this machine is given others."""
    for text in inputs:
        if text and "://" in text:
            raise InputError(
                f"{hidden(text)}: is an address; 'avtool {command}' takes files of this machine"
            )


def _below(path: Path, folder: Path) -> Path:
    return path.parent.relative_to(folder) if path != folder else Path()


def _media_files(folder: Path, also: Collection[str] = ()) -> list[Path]:
    """Media files in a folder and below it, and the folders that cannot be searched; sorted."""
    closed: list[Path] = []
    found = [
        path
        for place, _, names in os.walk(folder, onerror=lambda e: closed.append(Path(e.filename)))
        for path in map(Path(place).joinpath, names)
        if path.suffix.lower() in MEDIA_SUFFIXES or path.suffix.lower() in also
    ]
    return sorted(found + closed)


def _spooled_stdin(stack: ExitStack) -> Path:
    spool = stack.enter_context(temporary_folder()) / "stdin"
    with spool.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
    return spool


def videos(place: Path) -> list[Path]:
    """A file, or the media files of a folder, sorted.

    Raises:
        OSError: a folder cannot be searched.
    """
    files = _media_files(place) if place.is_dir() else [place]
    for folder in (path for path in files if path.is_dir()):
        list(folder.iterdir())  # raises: it could not be searched
    return [path for path in files if path.suffix.lower() in MEDIA_SUFFIXES]
