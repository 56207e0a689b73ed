"""Jobs from the command line: done, told of on stderr and stdout, and summed up in an exit code."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import typer

from avtool.batch.jobs import Job, Plan, expanded
from avtool.batch.request import Report, Request, Tick
from avtool.batch.threads import Batch, Work
from avtool.cli.terminal import Progress, say

DONE, FAILED, INTERRUPTED = 0, 1, 130


def execute(
    inputs: Sequence[str],
    plan: Plan,
    work: Callable[[Request, Job, Tick], Report],
    request: Request,
    *,
    complete: Callable[[Job, Tick], Job] | None = None,
    threads: int = 1,
    overwrite: bool = False,
    as_json: bool = False,
) -> NoReturn:
    """Do a command for all inputs, and end the program with its exit code; see ``drive``.

    Args:
        work: does one job of the request.
    """
    with expanded(inputs) as found:
        code = drive(
            plan.jobs(found),
            partial(work, request),
            request,
            complete=complete,
            threads=threads,
            overwrite=overwrite,
            as_json=as_json,
            out=plan.out,
        )
    raise typer.Exit(code)


def drive(
    jobs: Sequence[Job],
    work: Work,
    request: Request | None = None,
    *,
    complete: Callable[[Job, Tick], Job] | None = None,
    threads: int = 1,
    overwrite: bool = False,
    as_json: bool = False,
    out: str | None = None,
    show: Callable[[Report], None] | None = None,
) -> int:
    """Do all jobs and tell of each; one that fails does not stop the others.

    Args:
        work, complete, threads, overwrite: see ``batch.threads.Batch``.
        request: whose options ``--json`` tells.
        show: prints a report to a person; else the names of its outputs are printed.

    Returns:
        The exit code: 0 all done or there already, 1 some failed, 130 interrupted.

    Raises:
        InputError: this machine has no such device.
    """
    if request and request.device not in ("", "auto", "cpu"):
        from avtool.models import weights

        weights.device(request.device)  # one wrong option, not one failure per file
    reports: Counter[str] = Counter()
    failures: list[str] = []
    show = show or _print_outputs
    options = request.facts() if request else {}
    with Progress(len(jobs)) as progress, _terminated_as_interrupted():
        batch = Batch(
            jobs,
            partial(_to_stdout, work) if out == "-" else work,
            complete=complete,
            threads=threads,
            overwrite=overwrite or out == "-",
            debug=say.debug,
            tell=progress.at,
        )
        try:
            with closing(batch.reports()) as completed:
                for report in completed:
                    reports[report.status] += 1
                    progress.advance(report.input)
                    for warning in report.warnings:
                        say.warning(f"{report.input}: {warning}")
                    if report.error:
                        failures.append(report.error)
                        say.error(report.error)
                    if as_json:
                        _print_json(report, options)
                    elif out != "-":
                        show(report)
        except KeyboardInterrupt:
            say.error(f"interrupted; {batch.done} of {len(jobs)} done, a rerun goes on")
            return INTERRUPTED
    if len(jobs) > 1:
        counts = (f"{reports['done']} done", f"{reports['skipped']} already there")
        say.note(", ".join([*counts, f"{reports['failed']} failed"]))
        if len(failures) > 1 and len(jobs) > 10:
            say.error("failed:\n  " + "\n  ".join(failures))
    return FAILED if failures else DONE


def _to_stdout(work: Work, job: Job, tick: Tick) -> Report:
    (name, (path,)) = next(iter(job.outputs.items()))
    with tempfile.TemporaryDirectory(prefix="avtool-") as folder:
        target = Path(folder) / path.name
        report = work(replace(job, outputs={name: [target]}), tick)
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
