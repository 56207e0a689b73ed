"""Tasks: a file that was sent, a command for it, what became of it; two at a time."""

from __future__ import annotations

import multiprocessing
import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from avtool.batch import processes
from avtool.batch.request import Cancelled, Report
from avtool.cli.asked import asked
from avtool.cli.terminal import child, say
from avtool.errors import told

AT_ONCE = 2
LONGEST = 120  # bytes of a name, to which the names of fields are added
# What each command is told besides, where it has the option.
FLAGS = {"page": ["--page"], "open": ["--no-open"], "avatar": ["--avatar"]}


@dataclass(eq=False)
class Task:
    """What became of a file so far.

    Args:
        name: as its user calls the file, but fit to be a file's name; flags: of the command.
        state: sent, waiting, running, done or failed; part: of the work, 0 to 1, where known.
        files: what was made, by name, a page first; sizes: theirs, in bytes.
    """

    name: str
    command: str
    folder: Path
    flags: Sequence[str]
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    state: str = "sent"
    stage: str = ""
    part: float | None = None
    began: float = 0.0
    words: list[str] = field(default_factory=list)  # an error, or warnings
    files: dict[str, Path] = field(default_factory=dict)
    sizes: list[tuple[str, int]] = field(default_factory=list)
    future: Future[None] | None = None

    def __post_init__(self) -> None:
        self.folder = self.folder / self.id
        for each in ("in", "out", "tmp"):
            (self.folder / each).mkdir(0o700, parents=True)
        # Closing one end tells whoever waits at the other.
        self.stopped, self.stop = multiprocessing.Pipe(duplex=False)

    @property
    def source(self) -> Path:
        """Where the file is that was sent."""
        return self.folder / "in" / self.name

    def told(self, name: str, part: float | None, stage: str) -> None:
        """How far it is; what was announced is not taken back."""
        self.stage = stage
        if part is not None:
            self.part = max(self.part or 0.0, min(1.0, part))

    def facts(self) -> dict[str, Any]:
        """It as JSON has it; ``left`` is in seconds."""
        took, part = time.monotonic() - self.began, self.part
        running = self.state == "running"
        return {
            "id": self.id,
            "name": self.name,
            "command": self.command,
            "state": self.state,
            "stage": self.stage if running else "",
            "part": part if running else None,
            "left": round(took / part - took) if running and part and part > 0.02 else None,
            "words": self.words,
            "files": self.sizes,
        }

    def run(self) -> None:
        """Do it in a process of its own, which its end or ``stop`` ends."""
        self.state, self.began = "running", time.monotonic()
        try:
            report = self._report()
        except Exception as error:
            report = Report(self.name, "failed", error=told(error, self.name))
        except Cancelled:
            return
        made = sorted(map(Path, report.outputs), key=lambda path: path.suffix != ".html")
        self.files = {path.name: path for path in made}
        self.sizes = [(path.name, path.stat().st_size) for path in made]
        words = [report.error] if report.error else report.warnings
        own = re.compile(rf"{re.escape(str(self.folder))}/(in|out|tmp)/")
        self.words = [own.sub("", each).removeprefix(f"{self.name}: ") for each in words]
        self.state = report.status

    def _report(self) -> Report:
        out = f"{self.folder / 'out'}/"
        line = asked(self.command, [*self.flags, "-o", out, "--", str(self.source)])
        jobs = [replace(job, name=self.name) for job in line.jobs]
        prepare = partial(_settle, self.folder / "tmp", say.quiet, say.verbose, say.debug)
        reports = processes.reports(line.worker, jobs, self.told, AT_ONCE, prepare, self.stopped)
        with closing(reports) as ended:
            return next(ended)


def _settle(folder: Path, *words: bool) -> None:
    """In a task's process: what it keeps of the file, it keeps in the task's folder."""
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    os.environ["AVTOOL_CACHE"] = str(folder / "cache")
    child(*words)


class Tasks:
    """All tasks; what is removed leaves nothing.

    Args:
        folder: which nobody else can read; keep: seconds from a task's end to its removal.
        device: where networks run.
    """

    def __init__(self, folder: Path, keep: float, device: str = "auto") -> None:
        self._folder, self.keep, self._device = folder, keep, device
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._all: dict[str, Task] = {}

    def new(self, name: str, command: str, options: set[str]) -> Task:
        """A task whose file is still to come.

        Args:
            options: that its command has.
        """
        flags = [each for option, flag in FLAGS.items() if option in options for each in flag]
        if "device" in options:
            flags += ["--device", self._device]
        task = Task(fit(name), command, self._folder, flags)
        self._all[task.id] = task
        return task

    def begin(self, task: Task) -> None:
        """Its file is there: it waits for its turn."""
        if task.id not in self._all:
            return  # removed while its file came
        task.state = "waiting"
        task.future = self._pool.submit(task.run)
        task.future.add_done_callback(lambda _: self._ended(task))

    def _ended(self, task: Task) -> None:
        if task.id in self._all:
            timer = threading.Timer(self.keep, self.remove, [task.id])
            timer.daemon = True
            timer.start()

    def get(self, id: str) -> Task | None:
        """A task by its id."""
        return self._all.get(id)

    def facts(self) -> list[dict[str, Any]]:
        """All as JSON has them, the newest first; ``before`` is how many it waits for."""
        found, before = list[dict[str, Any]](), 0
        for task in list(self._all.values()):
            found.insert(0, task.facts() | {"before": before})
            before += task.state in ("waiting", "running")
        return found

    def __len__(self) -> int:
        return len(self._all)

    def remove(self, id: str) -> None:
        """Stop a task and remove its files, as soon as nobody writes them."""
        if task := self._all.pop(id, None):
            task.stop.close()
            if task.future:
                task.future.cancel()
                task.future.add_done_callback(lambda _: shutil.rmtree(task.folder))
            else:
                shutil.rmtree(task.folder)

    def close(self) -> None:
        """Remove all of them; comes back when nothing works any more."""
        for id in list(self._all):
            self.remove(id)
        self._pool.shutdown()


def fit(name: str) -> str:
    r"""The name of a file, of what a browser calls one: no folder, no control characters.

    >>> fit("../../etc/talk\n.mp4"), fit("C:\\films\\talk.mp4"), fit("..")
    ('talk.mp4', 'talk.mp4', 'film')
    """
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join(letter for letter in last if letter.isprintable()).strip()
    if plain.strip(".") == "":
        return "film"
    stem, suffix = Path(plain).stem, Path(plain).suffix[:10]
    return stem.encode()[: LONGEST - len(suffix.encode())].decode(errors="ignore") + suffix
