"""What became of each input of a run over a list: an SQLite file beside the outputs.

A rerun asks it, and not the disk, what is left. It never says done before a file is whole in its
place: reports are written down after the files, so a kill between the two leaves files that are
found when their turn comes again (plain files by their names, shards by the keys in them).
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from avtool.batch.address import hidden, is_address, same
from avtool.batch.jobs import Job, Shard
from avtool.batch.request import Report
from avtool.errors import InputError, OutputError, shown, text_of

LEFT, DONE, FAILED, DIED = range(4)  # DIED: its whole shard's process did
ROWS, SECONDS = 500, 1.0  # of reports that wait to be written down together
WAIT = 30.0  # seconds that another's write may take
PATIENCE = 3.0  # seconds in which the workers of a run that was killed end

SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shards (number INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS files (
    key TEXT PRIMARY KEY,  -- the name of its outputs
    source INTEGER,        -- a hash of its path: another path with the same key is seen
    state INTEGER,         -- LEFT, DONE, FAILED, DIED
    run INTEGER,           -- which last had it in its list, if it was not done
    shard INTEGER,         -- that holds it
    name TEXT, reason TEXT -- of a failure
) WITHOUT ROWID;
"""


def place_of(folder: Path | str, command: str) -> Path:
    """The journal's file; readers of data sets pass over what begins with a dot.

    SQLite cannot lie at an address: then it is a file of the working folder.
    """
    if is_address(folder):
        return Path(f".avtool-{command}-{_mark(str(folder))}.sqlite")
    return Path(folder) / f".avtool-{command}.sqlite"


def _mark(store: str) -> str:
    """What tells the journals of several addresses from each other."""
    return blake2b(same(store).rstrip("/").encode(), digest_size=6).hexdigest()


class Journal:
    """The journal of one run, for as long as it goes on.

    Args:
        folder: of the outputs, which is made; or its address.
        request: all that the outputs depend on, as JSON has it; ``command`` names the journal.
        total: inputs in the list, if that is known.
        overwrite: all is made anew, and what an earlier run wrote down is forgotten.

    Raises:
        InputError: the folder holds a run with other options.
        OutputError: it cannot be written, or another run is at work there.
    """

    def __init__(
        self, folder: Path | str, request: Mapping[str, Any], total: int | None, overwrite: bool
    ) -> None:
        self.path = place_of(folder, request["command"])
        self.folder, self.skipped = hidden(str(folder)), 0
        self._given: deque[Job] = deque()
        self._rows: list[tuple[Any, ...]] = []
        self._shards: list[int] = []
        self._written = time.monotonic()
        self._lock = self._locked()
        try:
            with self._said():
                self._db = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None)
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=NORMAL")
                self._db.executescript(SCHEMA)
                self._begin(dict(request), total, overwrite)
        except BaseException:
            os.close(self._lock)
            raise

    def _locked(self) -> int:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise OutputError(
                f"{self.path.parent}: its journal cannot be written ({error.strerror}); "
                "-o names another place"
            ) from error
        # Nobody else may be there, a run or a worker of one that was killed; our own may come.
        patience = time.monotonic() + PATIENCE
        while not (_taken(lock, fcntl.LOCK_EX) and _taken(lock, fcntl.LOCK_SH)):
            if time.monotonic() > patience:
                os.close(lock)
                raise OutputError(
                    f"{self.folder}: another run is at work there; wait for it, or name another -o"
                )
            time.sleep(0.05)
        return lock

    def _begin(self, request: dict[str, Any], total: int | None, overwrite: bool) -> None:
        facts = dict(self._db.execute("SELECT name, value FROM facts"))
        before = json.loads(facts["request"]) if "request" in facts else request
        if overwrite:
            self._db.execute("DELETE FROM files")
            self._db.execute("DELETE FROM shards")
            facts = {}
        elif before != request:
            other = [key for key in before | request if before.get(key) != request.get(key)]
            told = ", ".join(f"{k} {before.get(k)}, now {request.get(k)}" for k in other)
            raise InputError(
                f"{self.folder}: holds a run with other options ({told}); name another -o, "
                "or --overwrite makes all anew"
            )
        self.run = int(facts.get("run", 0)) + 1
        # Files that the run did not write itself are none of its own.
        self.overwrite = bool(facts.get("overwrite", overwrite))
        new = {"request": json.dumps(request), "run": self.run, "overwrite": int(self.overwrite)}
        self._keep(**new, total=total)

    def _keep(self, **facts: Any) -> None:
        self._db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts.items())

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with self._said():
                self.flush()
                self._db.close()
        finally:
            os.close(self._lock)

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise OutputError(
                f"{self.path}: cannot be written ({error}); -o names another place, on a disk of "
                "this machine"
            ) from error

    def todo(self, jobs: Iterable[Job], only_failed: bool = False) -> Iterator[Job]:
        """The jobs that are not done yet; each is written down before it is given."""
        jobs = iter(jobs)
        while chunk := list(islice(jobs, ROWS)):
            with self._said():
                given = self._chosen(chunk, only_failed)
            yield from given
        with self._said():
            ((total,),) = self._db.execute("SELECT count(*) FROM files")
            self._keep(total=total)

    def _chosen(self, chunk: Sequence[Job], only_failed: bool) -> list[Job]:
        marks = ",".join("?" * len(chunk))
        rows = self._db.execute(
            f"SELECT key, source, state, run FROM files WHERE key IN ({marks})",
            [job.key for job in chunk],
        )
        known = {key: rest for key, *rest in rows}
        given, new = [], []
        for job in chunk:
            source = _hash(same(job.address) if job.address else job.name)
            taken, state, run = known.get(job.key, (source, LEFT, 0))
            if taken != source:
                words = f"its files would have the names of another input's ({job.key})"
                given.append(replace(job, fault=f"{words}; give each an id, in a Parquet list"))
            elif state == DONE:
                self.skipped += 1
            elif run != self.run and (state != LEFT or not only_failed):
                given.append(replace(job, alone=state == DIED))
                new.append((job.key, source, state, self.run))
                known[job.key] = (source, state, self.run)
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT INTO files (key, source, state, run) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (key) DO UPDATE SET run = excluded.run",
            new,
        )
        self._db.execute("COMMIT")
        return given

    def noted(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """The same; the next report is that of the first that was given and has none."""
        for job in jobs:
            self._given.append(job)
            yield job

    def note(self, whole: Report) -> list[Report]:
        """Write down a report; gives those of the inputs, of which a shard has many."""
        job = self._given.popleft()
        shard = job if isinstance(job, Shard) else None
        jobs = shard.parts if shard else [job]
        died = shard is not None and not whole.parts
        reports = whole.parts or [replace(whole, input=each.name) for each in jobs]
        for each, report in zip(jobs, reports, strict=True):
            failed = report.status == "failed"
            if not each.fault:
                reason = shown((report.error or "").removeprefix(f"{report.input}: "))
                state = DIED if died else FAILED if failed else DONE
                told = (text_of(each.name), text_of(reason)) if failed else (None, None)
                number = shard.number if shard and not failed else None
                self._rows.append((state, number, *told, each.key))
        if shard and any(report.status != "failed" for report in reports):
            self._shards.append(shard.number)
        if len(self._rows) >= ROWS or time.monotonic() - self._written > SECONDS:
            with self._said():
                self.flush()
        return reports

    def flush(self) -> None:
        """Write down what waits."""
        self._db.execute("BEGIN")
        self._db.executemany(
            "UPDATE files SET state = ?, shard = ?, name = ?, reason = ? WHERE key = ?", self._rows
        )
        self._db.executemany("INSERT OR REPLACE INTO shards VALUES (?)", zip(self._shards))
        self._db.execute("COMMIT")
        self._rows.clear()
        self._shards.clear()
        self._written = time.monotonic()

    def agree(self, there: Mapping[int, str], keys: Callable[[str], Iterable[str]]) -> list[int]:
        """Hold what is written down against the shards that are there.

        Args:
            there: shards by number; keys: reads those in one.

        Returns:
            The numbers of shards that are gone; what they held is left again.

        Raises:
            InputError: a shard is not of this run.
        """
        with self._said():
            known = {number for (number,) in self._db.execute("SELECT number FROM shards")}
            gone = sorted(known - set(there))
            self._db.execute("BEGIN")
            for number in gone:
                self._db.execute(
                    "UPDATE files SET state = ?, shard = NULL WHERE shard = ?", (LEFT, number)
                )
                self._db.execute("DELETE FROM shards WHERE number = ?", (number,))
            for number in sorted(set(there) - known):  # whole, but its run did not live to tell
                rows = [(DONE, number, key) for key in keys(there[number])]
                told = "UPDATE files SET state = ?, shard = ? WHERE key = ?"
                if any(not self._db.execute(told, row).rowcount for row in rows):
                    self._db.execute("ROLLBACK")
                    raise InputError(
                        f"{hidden(there[number])}: is not of this run; name another -o, "
                        "or --overwrite makes all anew"
                    )
                self._db.execute("INSERT INTO shards VALUES (?)", (number,))
            self._db.execute("COMMIT")
        return gone


@dataclass(frozen=True)
class Told:
    """What a journal tells.

    Args:
        listed: inputs in the list; None where it came from a pipe and was not read to its end.
        reasons: failures by reason, the most frequent first.
    """

    command: str
    done: int
    failed: int
    listed: int | None
    reasons: dict[str, int]
    shards: int

    @property
    def left(self) -> int | None:
        """Inputs that are neither done nor failed."""
        return None if self.listed is None else max(0, self.listed - self.done - self.failed)


def journals(folder: str) -> list[Path]:
    """The journals of the runs into a folder, or to an address, sorted."""
    if is_address(folder):
        return sorted(Path().glob(f".avtool-*-{_mark(folder)}.sqlite"))
    return sorted(p for p in Path(folder).glob(".avtool-*.sqlite") if "-" not in p.stem[8:])


def told(path: Path) -> Told:
    """What became of the inputs of a run, which may go on meanwhile.

    Raises:
        OutputError: the journal cannot be read.
    """
    with _reading(path) as db:
        facts = dict(db.execute("SELECT name, value FROM facts"))
        counts = dict(db.execute("SELECT state, count(*) FROM files GROUP BY state"))
        reasons = db.execute(
            "SELECT reason, count(*) FROM files WHERE state >= ? GROUP BY reason "
            "ORDER BY count(*) DESC, reason",
            (FAILED,),
        )
        ((shards,),) = db.execute("SELECT count(*) FROM shards")
        return Told(
            json.loads(facts["request"])["command"],
            counts.get(DONE, 0),
            counts.get(FAILED, 0) + counts.get(DIED, 0),
            facts["total"],
            dict(reasons),
            shards,
        )


def failures(path: Path) -> Iterator[tuple[str, str]]:
    """Name and reason of each input that failed, in the order of their keys."""
    with _reading(path) as db:
        yield from db.execute("SELECT name, reason FROM files WHERE state >= ?", (FAILED,))


def check(path: Path, there: Callable[[str], bool]) -> int:
    """Look for the files of all that is done; what lacks one is left again, and counted.

    Args:
        there: whether the folder of the outputs has a file of a name.

    Raises:
        OutputError: the journal cannot be written.
    """
    try:
        with closing(sqlite3.connect(path, timeout=WAIT, isolation_level=None)) as db:
            facts = dict(db.execute("SELECT name, value FROM facts"))
            request = json.loads(facts["request"])
            rows = db.execute("SELECT key, shard FROM files WHERE state = ?", (DONE,))
            gone = [
                (LEFT, key)
                for key, shard in rows
                if not all(map(there, _files(key, shard, request)))
            ]
            db.execute("BEGIN")
            db.executemany("UPDATE files SET state = ?, shard = NULL WHERE key = ?", gone)
            db.execute("COMMIT")
    except sqlite3.Error as error:
        raise OutputError(f"{path}: cannot be written ({error})") from error
    return len(gone)


def _files(key: str, shard: int | None, request: Mapping[str, Any]) -> list[str]:
    if shard is not None:
        return [f"{request['command']}-{shard:06}{request['files'][0][1]}"]
    return [f"{key}.{field}{suffix}" for field, suffix in request["files"]]


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A journal to read, also of a folder in which nothing can be written."""
    where = f"file:{quote(os.fsencode(path.absolute()))}"
    try:
        try:
            db = sqlite3.connect(f"{where}?mode=ro", uri=True, timeout=WAIT)
            db.execute("SELECT 1 FROM facts LIMIT 1").fetchall()
        except sqlite3.OperationalError:
            db = sqlite3.connect(f"{where}?immutable=1", uri=True)
        with closing(db):
            yield db
    except sqlite3.Error as error:
        raise OutputError(f"{path}: is no journal that can be read ({error})") from error


def _taken(lock: int, how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks
    return True


@contextmanager
def attended(folder: Path | str, command: str) -> Iterator[None]:
    """While a shard is written: no other run begins, which would give its number away.

    Raises:
        OutputError: one has begun, so the run that this shard is of was killed.
    """
    lock = os.open(place_of(folder, command).with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not _taken(lock, fcntl.LOCK_SH):
            raise OutputError(f"{hidden(str(folder))}: another run is at work there; wait for it")
        yield
    finally:
        os.close(lock)


def _hash(name: str) -> int:
    digest = blake2b(name.encode(errors="surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
