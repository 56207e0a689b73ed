"""One job, from what its input holds to the files that are missing, whatever runs it."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from avtool.batch.jobs import Job, identity, is_dir
from avtool.batch.request import Report, Tick
from avtool.errors import InputError, OutputError, told

Work = Callable[[Job, Tick], Report]
Tell = Callable[[str, float | None, str], None]


@dataclass(frozen=True)
class Worker:
    """Does jobs: what exists is skipped, what fails is reported. It can be pickled if ``work`` can.

    Args:
        work: makes a job's missing outputs.
        complete: looks at a job's input and gives the job with all the files that it will write;
            for commands whose files depend on what is in the input.
        overwrite: outputs that exist are made again.
        read: the ``identity`` of files that no output may replace.
        debug: what is raised by work is not reported but raised.
        there: whether an output exists, where it is to lie elsewhere in the end.
    """

    work: Work
    complete: Callable[[Job, Tick], Job] | None = None
    overwrite: bool = False
    read: frozenset[tuple[int, int] | None] = frozenset()
    debug: bool = False
    there: Callable[[Path], bool] | None = None

    def __call__(self, job: Job, tick: Tick) -> Report:
        began = time.monotonic()
        try:
            report = self._made(job, tick)
        except Exception as error:  # of this file: the others go on
            if self.debug:
                raise
            report = Report(job.name, "failed", error=told(error, job.name))
        report.seconds = round(time.monotonic() - began, 3)
        return report

    def _made(self, job: Job, tick: Tick) -> Report:
        if job.fault:
            raise InputError(f"{job.name}: {job.fault}")
        if job.made_of:
            words = f"is what {job.made_of} becomes, so it is no input"
            return Report(job.name, "skipped", warnings=[words])
        if is_dir(job.source):
            list(job.source.iterdir())  # raises: it could not be searched
        if self.complete is not None:
            job = self.complete(job, tick)
        missing = {
            name: [path for path in paths if self._wanted(path)]
            for name, paths in job.outputs.items()
        }
        if job.outputs and not any(missing.values()):
            return Report(job.name, "skipped", [str(path) for path in job.paths])
        for folder in {path.parent for path in job.paths}:
            with unwritable(folder):
                folder.mkdir(parents=True, exist_ok=True)
        return self.work(replace(job, outputs=missing), tick)

    def _wanted(self, path: Path) -> bool:
        """Whether a file is to be written; one that is read never is."""
        if self.there is not None:
            return self.overwrite or not self.there(path)
        with unwritable(path):
            there = identity(path)
        if there in self.read and self.overwrite:
            raise OutputError(
                f"{path}: is an input of this run, and stays; name another -o folder/"
            )
        return self.overwrite or there is None


@contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """What the system has against a path, in a line."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); -o names another place"
        ) from error


def keep_memory() -> None:
    """Let the C library keep what is freed: it would ask the system anew for every short file.

    Fresh pages cost a batch of short files as much time as all its transforms.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt  # glibc's; others have none and need none
    except (AttributeError, OSError, TypeError):
        return
    trim_threshold, mmap_threshold = -1, -3
    mallopt(mmap_threshold, 16 << 20)
    mallopt(trim_threshold, 64 << 20)
