"""What was seen and heard in each file, in one SQLite file that grows and is used again."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avtool.errors import InputError, OutputError
from avtool.values import Array

OURS, VERSION = 0x61767478, 1  # in the file's head; another version's entries are made anew
TABLE = """create table if not exists files (
    path text primary key, known text not null, film integer not null,
    times blob not null, places blob not null, kinds blob not null, sounds text not null
)"""


@dataclass(frozen=True, eq=False)
class Entry:
    """A file's moments; a picture is one.

    Args:
        sounds: kind, start, end and probability of each sound that is heard.

    Shape:
        times: float32 [moments, 3], start, end, and the picture that stands for it, in seconds;
        places, kinds: float16 [moments, size], each of length 1: in the joint embedding, and in
        the space of open words
    """

    path: Path
    is_film: bool
    times: Array
    places: Array
    kinds: Array
    sounds: list[tuple[str, float, float, float]]


class Index:
    """A file of entries; each stays good as long as its file does not change.

    Args:
        network: names the weights that the places are of; those of others are looked at anew.

    Raises:
        InputError: it is no index.
    """

    def __init__(self, path: Path, network: str) -> None:
        self.path, self._network = path, network
        self._base = _opened(path)

    def known(self, path: Path) -> bool:
        """Whether a file has been looked at, as it is now."""
        row = self._base.execute("select known from files where path = ?", [_name(path)]).fetchone()
        return row is not None and row[0] == self._state(path)

    def add(self, entry: Entry) -> None:
        """One file more, kept at once."""
        values = (
            _name(entry.path),
            self._state(entry.path),
            entry.is_film,
            entry.times.astype("<f4").tobytes(),
            entry.places.astype("<f2").tobytes(),
            entry.kinds.astype("<f2").tobytes(),
            json.dumps(entry.sounds),
        )
        with _said(self.path), self._base:
            self._base.execute("insert or replace into files values (?, ?, ?, ?, ?, ?, ?)", values)

    def entries(self, paths: Iterable[Path]) -> Iterator[Entry]:
        """Those of these files that have been looked at."""
        for path in paths:
            row = self._base.execute(
                "select film, times, places, kinds, sounds from files where path = ?", [_name(path)]
            ).fetchone()
            if row is not None:
                times = np.frombuffer(row[1], "<f4").reshape(-1, 3)
                places, kinds = (
                    np.frombuffer(each, "<f2").reshape(len(times), -1 if len(times) else 0)
                    for each in row[2:4]
                )
                sounds = [tuple(each) for each in json.loads(row[4])]
                yield Entry(path, bool(row[0]), times, places, kinds, sounds)

    def close(self) -> None:
        self._base.close()

    def _state(self, path: Path) -> str:
        status = path.stat()
        return f"{status.st_size} {status.st_mtime_ns} {self._network}"


def _name(path: Path) -> str:
    return os.fspath(path.resolve())


def _opened(path: Path) -> sqlite3.Connection:
    with _said(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Paths of people's pictures are in it: nobody but the user may read it.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        base = sqlite3.connect(path, timeout=60, check_same_thread=False)
        mark, version = (
            base.execute(f"pragma {name}").fetchone()[0]
            for name in ("application_id", "user_version")
        )
        if mark != OURS and base.execute("select 1 from sqlite_master").fetchone():
            raise InputError(f"{path}: is no index of avtool's; name another file with --index")
        with base:
            if mark == OURS and version != VERSION:
                base.execute("drop table files")
            base.execute(TABLE)
            base.execute(f"pragma application_id = {OURS}")
            base.execute(f"pragma user_version = {VERSION}")
    return base


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OutputError(f"{path}: the index cannot be written ({error})") from error
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"{path}: is no index of avtool's ({error}); delete it, or name another with --index"
        ) from error
    except OSError as error:
        why = error.strerror or error
        raise OutputError(f"{path}: the index cannot be written ({why})") from error
