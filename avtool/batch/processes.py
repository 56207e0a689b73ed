"""Jobs in processes that are started once and load their networks once.

The standard library's pools end when one of their processes does. Here a file that kills its
process (by its size, by a fault in a codec) fails alone, and another process takes its place.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from traceback import format_exc
from typing import Any

from avtool.batch.groups import Group, Groups
from avtool.batch.jobs import Job
from avtool.batch.request import Cancelled, Report
from avtool.batch.worker import Tell, Work, keep_memory
from avtool.media import ffmpeg

GROUP_SECONDS = 0.1  # that the jobs which are given together should take
OFTEN = 0.1  # seconds between two words of one process about how far it is
PATIENCE = 10.0  # seconds that a process has to end in order
_starting = threading.Lock()  # the environment is all threads' own


def reports(
    do: Work,
    jobs: Iterable[Job],
    tell: Tell,
    processes: int,
    prepare: Callable[[], None],
    stop: Connection | None = None,
) -> Generator[Report, None, None]:
    """What became of each job, in their order; closing it stops those that go on.

    Args:
        do: one job; it can be pickled, and raises nothing that is the job's own.
        tell: called with a job's name, how far it is and what it is doing.
        prepare: called first in each process; it can be pickled.
        stop: closing its other end stops them as well, from any thread.

    Raises:
        Cancelled: ``stop`` has said so.
    """
    threads = max(1, cores() // processes)
    groups, children = Groups(jobs, GROUP_SECONDS), list[_Child]()
    try:
        while groups.left:
            idle = [child for child in children if not child.jobs]
            while (idle or len(children) < processes) and (some := groups.next(processes)):
                if not idle:
                    children.append(_Child(do, prepare, threads))
                    idle = children[-1:]
                idle.pop().give(some)
            for child in _heard(children, stop):
                for (number, job), report in child.take(tell):
                    if report is None:
                        groups.lost(number, job)
                        continue
                    groups.done(number, report)
                    groups.took(report.seconds)
            yield from groups.reports()
    finally:
        for child in children:
            child.stop()
        for child in children:
            child.end()


def _heard(children: Sequence[_Child], stop: Connection | None) -> list[_Child]:
    """The children that have something to say, or have died; waits for one, if any is busy."""
    busy = {child.pipe: child for child in children if child.jobs}
    found = wait([*busy, *([stop] if stop else [])]) if busy else []
    if stop in found:
        raise Cancelled
    return [busy[pipe] for pipe in found if isinstance(pipe, Connection)]


class _Child:
    """A process, and the jobs that it has, by number; its pipe ends when it dies."""

    def __init__(self, do: Work, prepare: Callable[[], None], threads: int) -> None:
        self._given, self._threads = (do, prepare), threads
        self.jobs: Group = {}
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, *self._given), daemon=True)
        with _starting:
            before = os.environ.get("OMP_NUM_THREADS")
            os.environ["OMP_NUM_THREADS"] = str(self._threads)  # read when torch is loaded
            try:
                self._process.start()
            finally:
                if before is None:
                    del os.environ["OMP_NUM_THREADS"]
                else:
                    os.environ["OMP_NUM_THREADS"] = before
        theirs.close()

    def give(self, jobs: Group) -> None:
        self.jobs, self._began = jobs, time.monotonic()
        try:
            self.pipe.send(list(jobs.values()))
        except BrokenPipeError:
            pass  # it died while it waited; ``take`` finds out

    def take(self, tell: Tell) -> list[tuple[tuple[int, Job], Report | None]]:
        """What has become of its jobs, if they have ended; None where another killed it."""
        try:
            said: Any = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            said = [None for _ in self.jobs]
            if len(self.jobs) == 1:
                name = next(iter(self.jobs.values())).name
                said = [Report(name, "failed", error=f"{name}: {self._death()}")]
                said[0].seconds = round(time.monotonic() - self._began, 3)
            self._start()
        if isinstance(said, BaseException):
            raise said
        if isinstance(said, tuple):
            tell(*said)
            return []
        ended, self.jobs = list(zip(self.jobs.items(), said, strict=True)), {}
        return ended

    def _death(self) -> str:
        self._process.join()
        code = self._process.exitcode or 0
        if code == -signal.SIGKILL:
            return "its process was killed, as a system does that has no memory left; try --jobs 1"
        why = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"its process died of it ({why}); please report the file"

    def stop(self) -> None:
        """Ask it to end; what it has begun is cleaned up."""
        if self.jobs:
            self._process.terminate()
        self.pipe.close()

    def end(self) -> None:
        self._process.join(PATIENCE)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()


def _serve(pipe: Connection, do: Work, prepare: Callable[[], None]) -> None:
    """A child's life: jobs from the pipe, reports into it, until it closes."""
    stopped = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopped
        stopped = True
        ffmpeg.kill_all()  # wakes what waits for pictures or sound

    # Ctrl-C reaches all of a terminal's processes, but it is for the parent to say who stops.
    for each in (signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, stop)
    said = 0.0

    def tick(name: str, part: float | None, stage: str) -> None:
        nonlocal said
        if stopped:
            raise Cancelled
        if time.monotonic() - said > OFTEN:
            said = time.monotonic()
            try:
                pipe.send((name, part, stage))
            except OSError:
                raise Cancelled from None  # the parent has died: this is no fault of the job's

    keep_memory()
    try:
        prepare()
        while not stopped:
            jobs: list[Job] = pipe.recv()
            try:
                answer: object = [do(job, partial(tick, job.name)) for job in jobs]
            except Exception as error:  # --debug: the parent raises it
                error.add_note(format_exc())
                answer = error
            pipe.send(answer)
    except (EOFError, OSError, Cancelled):
        pass  # the parent has ended, or wants no more


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fitting(each_bytes: int) -> int:
    """How many processes of a size the free memory holds, one at least and one a core at most."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # no Linux: half of what there is
        free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return max(1, min(cores(), free // each_bytes))
