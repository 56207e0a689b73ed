"""Jobs in threads, one input or ten thousand: what exists is skipped, what fails stops nobody."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from avtool.batch.jobs import Job, identity, is_dir
from avtool.batch.request import Cancelled, Report, Tick
from avtool.errors import AvtoolError, OutputError, told
from avtool.media import ffmpeg

Work = Callable[[Job, Tick], Report]


class Batch:
    """Jobs to be done, some at a time.

    Args:
        work: makes a job's missing outputs.
        complete: looks at a job's input and gives the job with all the files that it will write;
            for commands whose files depend on what is in the input.
        overwrite: outputs that exist are made again.
        read: the ``identity`` of files that no output may replace.
        debug: what is raised by work is not reported but raised.
        tell: called with a job's name, how far it is and what it is doing.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        work: Work,
        *,
        complete: Callable[[Job, Tick], Job] | None = None,
        threads: int = 1,
        overwrite: bool = False,
        read: Collection[tuple[int, int] | None] = (),
        debug: bool = False,
        tell: Callable[[str, float | None, str], None] = lambda name, part, stage: None,
    ) -> None:
        self._jobs, self._work, self._complete = jobs, work, complete
        self._threads, self._overwrite, self._debug = threads, overwrite, debug
        self._tell, self._read = tell, read
        self._stop = threading.Event()
        self.done = 0  # jobs whose files were made, also those that end after an interrupt

    def reports(self) -> Generator[Report, None, None]:
        """What became of each job, in the order of the inputs; closing it stops the others."""
        _keep_memory()
        waiting: list[Future[Report]] = []
        pool = ThreadPoolExecutor(self._threads)
        try:
            for job in self._jobs:
                waiting.append(pool.submit(self._one, job))
                if len(waiting) >= 4 * self._threads:
                    yield waiting[0].result()
                    del waiting[0]
            while waiting:
                yield waiting[0].result()
                del waiting[0]
        finally:
            self._stop.set()
            for future in waiting:
                future.cancel()
            if waiting:
                ffmpeg.kill_all()  # wakes workers that wait for pictures or sound
            pool.shutdown(wait=True, cancel_futures=True)

    def _one(self, job: Job) -> Report:
        began = time.monotonic()

        def tick(part: float | None, stage: str) -> None:
            if self._stop.is_set():
                raise Cancelled
            self._tell(job.name, part, stage)

        try:
            report = self._made(job, tick)
        except Exception as error:  # of this file: the others go on
            if self._stop.is_set() and isinstance(error, (AvtoolError, OSError)):
                raise Cancelled from error  # an ffmpeg that was killed under it
            if self._debug:
                raise
            report = Report(job.name, "failed", error=told(error, job.name))
        self.done += report.status == "done"
        report.seconds = round(time.monotonic() - began, 3)
        return report

    def _made(self, job: Job, tick: Tick) -> Report:
        if job.made_of:
            words = f"is what {job.made_of} becomes, so it is no input"
            return Report(job.name, "skipped", warnings=[words])
        if is_dir(job.source):
            list(job.source.iterdir())  # raises: it could not be searched
        if self._complete is not None:
            job = self._complete(job, tick)
        missing = {
            name: [path for path in paths if self._wanted(path)]
            for name, paths in job.outputs.items()
        }
        if job.outputs and not any(missing.values()):
            return Report(job.name, "skipped", [str(path) for path in job.paths])
        for folder in {path.parent for path in job.paths}:
            with unwritable(folder):
                folder.mkdir(parents=True, exist_ok=True)
        return self._work(replace(job, outputs=missing), tick)

    def _wanted(self, path: Path) -> bool:
        """Whether a file is to be written; one that is read never is."""
        with unwritable(path):
            there = identity(path)
        if there in self._read and self._overwrite:
            raise OutputError(
                f"{path}: is an input of this run, and stays; name another -o folder/"
            )
        return self._overwrite or there is None


@contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """What the system has against a path, in a line."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); -o names another place"
        ) from error


def _keep_memory() -> None:
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
