"""Jobs from the command line: done, told of on stderr and stdout, and summed up in an exit code."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import typer

from avtool import scratch
from avtool.batch import thread
from avtool.batch.jobs import Job, Plan, expanded, identity, refuse
from avtool.batch.request import Report, Request, Tick
from avtool.batch.worker import Work, Worker
from avtool.cli.signals import INTERRUPTED, Interrupted
from avtool.cli.terminal import Progress, child, say
from avtool.errors import InputError, OutputError, shown

DONE, FAILED = 0, 1
# Jobs from which on processes pay for their start: of networks; of features, by number or by size.
FEW_VIDEOS, MANY, MUCH_BYTES = 4, 64, 64 << 20
NETWORK_BYTES = 1500 << 20  # what a process with networks may come to


def execute(
    inputs: Sequence[str],
    plan: Plan,
    work: Callable[[Request, Job, Tick], Report],
    request: Request,
    *,
    complete: Callable[[Job, Tick], Job] | None = None,
    at_once: int | None = None,
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
            at_once=at_once,
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
    at_once: int | None = 1,
    overwrite: bool = False,
    as_json: bool = False,
    out: str | None = None,
    read: Sequence[Path] = (),
    show: Callable[[Report], None] | None = None,
) -> int:
    """Do all jobs and tell of each; one that fails does not stop the others.

    Args:
        work, complete, overwrite: see ``batch.worker.Worker``.
        at_once: jobs at a time, in processes of their own where there are several; None is as many
            as pay.
        request: whose options ``--json`` tells.
        out: what -o says; with ``-`` the first output of the one job goes to stdout.
        read: files that are read besides the jobs' inputs.
        show: prints a report to a person; else the names of its outputs are printed.

    Returns:
        The exit code: 0 all done or there already, 1 some failed, 130 interrupted.

    Raises:
        InputError: this machine has no such device, or an output is a file that is read.
    """
    if out == "-" and as_json:
        raise InputError("-o - and --json both write to stdout; give one of them")
    if request and request.device not in ("", "auto", "cpu"):
        from avtool.models import weights

        weights.device(request.device)  # one wrong option, not one failure per file
    own = getattr(request.options, "weights", None) if request else None
    kept = _identities(
        [*read, *([Path(own)] if own else [])]
        + [job.source for job in jobs if overwrite or not job.made_of]
    )
    refuse(jobs, kept)
    scratch.clear(Path(tempfile.gettempdir()))
    reports: Counter[str] = Counter()
    failures: list[str] = []
    show = show or _print_outputs
    options = request.facts() if request else {}
    with ExitStack() as stack:
        if out == "-":
            work, jobs = _streamed(work, jobs, stack.enter_context(scratch.temporary_folder()))
        progress = stack.enter_context(Progress(len(jobs)))
        do = Worker(work, complete, overwrite, frozenset(kept), say.debug)
        count = _fitting(jobs, request) if at_once is None else min(at_once, len(jobs))
        words = partial(child, say.quiet, say.verbose, say.debug)
        if count > 1 and out != "-":
            from avtool.batch import processes

            running = processes.reports(do, jobs, progress.at, count, words)
        else:
            running = thread.reports(do, jobs, progress.at)
        try:
            with closing(running) as completed:
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
        except Interrupted:
            say.error(f"interrupted; {reports['done']} of {len(jobs)} done, a rerun goes on")
            return INTERRUPTED
    if len(jobs) > 1:
        counts = (f"{reports['done']} done", f"{reports['skipped']} already there")
        say.note(", ".join([*counts, f"{reports['failed']} failed"]))
        if len(failures) > 1 and len(jobs) > 10:
            say.error("failed:", *failures)
    return FAILED if failures else DONE


def _fitting(jobs: Sequence[Job], request: Request | None) -> int:
    """Processes that pay for their start, and that this machine has room for."""
    if len(jobs) < 2:
        return 1  # without what several processes take to load
    from avtool.batch import processes

    if request and request.device:
        if request.device not in ("auto", "cpu") or len(jobs) < FEW_VIDEOS:
            return 1
        return min(processes.fitting(NETWORK_BYTES), len(jobs))
    heavy = 0
    for each in jobs if len(jobs) < MANY else ():
        with suppress(OSError):  # said when it is its turn
            heavy += each.source.stat().st_size
    if len(jobs) < MANY and heavy < MUCH_BYTES:
        return 1
    return min(processes.cores(), len(jobs))


def _identities(paths: Iterable[Path]) -> set[tuple[int, int] | None]:
    found = set()
    for path in paths:
        with suppress(OSError):  # it cannot be read: said when it is its turn
            found.add(identity(path))
    return found - {None}


def _streamed(work: Work, jobs: Sequence[Job], folder: Path) -> tuple[Work, list[Job]]:
    """The same for stdout: the first output is made in ``folder`` and copied from there."""

    def copied(job: Job, tick: Tick) -> Report:
        report = work(job, tick)
        report.outputs = [path for path in report.outputs if Path(path).parent != folder]
        if sys.stdout is None:
            raise OutputError("stdout: cannot be written (it is closed)")
        try:
            with job.paths[0].open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        except OSError as error:
            say.unwritten(error)
        return report

    def into(job: Job) -> Job:
        (name, (path,)) = next(iter(job.outputs.items()))
        return replace(job, outputs=job.outputs | {name: [folder / path.name]})

    return copied, [into(job) for job in jobs]


def _print_outputs(report: Report) -> None:
    if report.status == "skipped" and report.outputs:
        say.note(f"{report.input}: {', '.join(report.outputs)} exists; --overwrite replaces it")
    for path in report.outputs if report.status == "done" else ():
        say.data(shown(path))


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
    say.data(json.dumps(line))
