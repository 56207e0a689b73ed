"""The one driver: from jobs to files, for one input or ten thousand.

Skips what exists, runs `--jobs` at a time in threads (no model and no interpreter is started per
file), shows progress, and ends with the right exit code.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avtool.cli.jobs import Job
from avtool.cli.say import Progress, say
from avtool.errors import AvtoolError
from avtool.media import ffmpeg

DONE, FAILED, INTERRUPTED = 0, 1, 130

Tick = Callable[[float, float | None], None]


class Stopped(BaseException):
    """Raised in a worker at its next block, so that its part files and children are cleaned up."""


@dataclass
class Report:
    """What became of a job; also the line of `--json`."""

    input: str
    status: str = "done"  # or "skipped", "failed"
    outputs: list[str] = field(default_factory=list)
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)
    error: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)  # what the work has to tell


def drive(
    jobs: Sequence[Job],
    work: Callable[[Job, Tick], Report],
    *,
    threads: int = 1,
    overwrite: bool = False,
    as_json: bool = False,
    out: str | None = None,
    show: Callable[[Report], None] | None = None,
    options: dict[str, Any] | None = None,
) -> int:
    """Do all jobs and tell of each; one that fails does not stop the others.

    Args:
        work: makes a job's outputs; calls ``tick`` with the seconds done and total.
        show: prints a report to a person; else the names of its outputs are printed.

    Returns:
        The exit code: 0 all done or there already, 1 some failed, 130 interrupted.
    """
    _keep_memory()
    stop = threading.Event()
    reports: Counter[str] = Counter()
    failures: list[str] = []
    show = show or _print_outputs
    with Progress(len(jobs)) as progress, _terminated_as_interrupted():
        ended: list[str] = []  # also what ends after an interrupt

        def one(job: Job) -> Report:
            report = _one(job, work, overwrite or out == "-", stop, progress, out)
            ended.append(report.status)
            return report

        try:
            with closing(_completed(jobs, one, threads, stop)) as completed:
                for report in completed:
                    reports[report.status] += 1
                    progress.advance(report.input)
                    for warning in report.warnings:
                        say.warning(f"{report.input}: {warning}")
                    if report.error:
                        failures.append(report.error)
                        say.error(report.error)
                    if as_json:
                        _print_json(report, options or {})
                    elif out != "-":
                        show(report)
        except KeyboardInterrupt:
            done = ended.count("done")
            say.error(f"interrupted; {done} of {len(jobs)} done, a rerun goes on")
            return INTERRUPTED
    if len(jobs) > 1:
        counts = (f"{reports['done']} done", f"{reports['skipped']} already there")
        say.note(", ".join([*counts, f"{reports['failed']} failed"]))
        if len(failures) > 1 and len(jobs) > 10:
            say.error("failed:\n  " + "\n  ".join(failures))
    return FAILED if failures else DONE


def _completed(
    jobs: Sequence[Job], one: Callable[[Job], Report], threads: int, stop: threading.Event
) -> Generator[Report, None, None]:
    """Reports in the order of the inputs, with at most a few jobs waiting."""
    waiting: list[Future[Report]] = []
    pool = ThreadPoolExecutor(threads)
    try:
        for job in jobs:
            waiting.append(pool.submit(one, job))
            if len(waiting) >= 4 * threads:
                yield waiting[0].result()
                del waiting[0]
        while waiting:
            yield waiting[0].result()
            del waiting[0]
    finally:
        stop.set()
        for future in waiting:
            future.cancel()
        if waiting:
            ffmpeg.kill_all()  # wakes workers that wait for pictures or sound
        pool.shutdown(wait=True, cancel_futures=True)


def _one(
    job: Job,
    work: Callable[[Job, Tick], Report],
    overwrite: bool,
    stop: threading.Event,
    progress: Progress,
    out: str | None,
) -> Report:
    began = time.monotonic()

    def tick(seconds: float, total: float | None) -> None:
        if stop.is_set():
            raise Stopped
        progress.at(job.name, seconds, total)

    missing = {
        name: [path for path in paths if overwrite or not path.exists()]
        for name, paths in job.outputs.items()
    }
    try:
        if job.outputs and not any(missing.values()):
            return Report(job.name, "skipped", [str(path) for path in job.paths])
        if out == "-":
            report = _to_stdout(job, work, tick)
        else:
            for path in job.paths:
                path.parent.mkdir(parents=True, exist_ok=True)
            report = work(Job(job.source, job.name, missing), tick)
    except (AvtoolError, OSError) as error:
        if stop.is_set():
            raise Stopped from error  # an ffmpeg that was killed under it
        if say.debug:
            raise
        text = str(error) if isinstance(error, AvtoolError) else f"{job.name}: {error}"
        report = Report(job.name, "failed", error=text)
    except Exception as error:  # a fault of ours: told as one, and the other files go on
        if say.debug:
            raise
        fault = f"{type(error).__name__}: {error}; --debug shows where"
        report = Report(job.name, "failed", error=f"{job.name}: unexpected {fault}")
    report.seconds = round(time.monotonic() - began, 3)
    return report


def _to_stdout(job: Job, work: Callable[[Job, Tick], Report], tick: Tick) -> Report:
    (name, (path,)) = next(iter(job.outputs.items()))
    with tempfile.TemporaryDirectory(prefix="avtool-") as folder:
        target = Path(folder) / path.name
        report = work(Job(job.source, job.name, {name: [target]}), tick)
        try:
            with target.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            # The reader has seen enough (`| head`); the rest, and Python's own flush, go nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    report.outputs = []
    return report


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """A polite kill cleans up as Ctrl-C does."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_outputs(report: Report) -> None:
    if report.status == "skipped":
        say.note(f"{report.input}: {', '.join(report.outputs)} exists; --overwrite replaces it")
    for path in report.outputs if report.status == "done" else ():
        print(path, flush=True)


def _print_json(report: Report, options: dict[str, Any]) -> None:
    line = {
        "input": report.input,
        "status": report.status,
        "outputs": report.outputs,
        "options": options,
        "seconds": report.seconds,
        "warnings": report.warnings,
        **({"error": report.error} if report.error else {}),
        **report.facts,
    }
    print(json.dumps(line, ensure_ascii=False), flush=True)


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
