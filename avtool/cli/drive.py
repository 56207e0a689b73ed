"""Jobs from the command line: done, told of on stderr and stdout, and summed up in an exit code."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from avtool import scratch
from avtool.batch import thread
from avtool.batch.address import is_address
from avtool.batch.jobs import Input, Job, Plan, expanded, identity, refuse, searched
from avtool.batch.request import Report, Request, Tick
from avtool.batch.worker import Work, Worker
from avtool.cli.signals import INTERRUPTED, Interrupted
from avtool.cli.terminal import Progress, child, say
from avtool.errors import InputError, OutputError, shown

if TYPE_CHECKING:
    from avtool.batch.journal import Journal

DONE, FAILED = 0, 1
# Jobs from which on processes pay for their start: of networks; of features, by number or by size.
FEW_VIDEOS, MANY, MUCH_BYTES = 4, 64, 64 << 20
NETWORK_BYTES = 1500 << 20  # what a process with networks may come to
PER_SHARD = 1000  # inputs
FIRST = 20  # failures of a list that are told once more at its end


@dataclass(frozen=True)
class Batch:
    """How a command goes through its inputs, as its options of the same names say.

    Args:
        files: the list of the inputs; retry_failed: of it, do what failed before.
        also: suffixes beside those of sound and films that folders are searched for.
    """

    inputs: Sequence[str] | None
    files: str | None = None
    jobs: int | None = None
    cluster: str | None = None
    overwrite: bool = False
    retry_failed: bool = False
    json: bool = False
    also: Collection[str] = ()

    def check(self) -> None:
        """Raise where the options do not fit each other."""
        if not self.inputs and self.files is None:
            raise typer.BadParameter("Missing argument 'INPUT...', or --files LIST.")
        if self.inputs and self.files is not None:
            raise InputError("--files is a list of all inputs; name none besides")
        if self.retry_failed and self.files is None:
            raise InputError("--retry-failed goes through a list; give --files as before")
        if self.retry_failed and self.overwrite:
            raise InputError("--retry-failed and --overwrite contradict each other; give one")


def execute(
    batch: Batch,
    plan: Plan,
    work: Callable[[Request, Job, Tick], Report],
    request: Request,
    *,
    complete: Callable[[Job, Tick], Job] | None = None,
    keys: Callable[[Path], Iterable[str]] | None = None,
    per_shard: int = PER_SHARD,
) -> NoReturn:
    """Do a command for all inputs, and end the program with its exit code; see ``drive``.

    Args:
        work: does one job of the request, or one shard of jobs.
        keys: reads those of a shard's inputs; per_shard: how many it is to have.
    """
    batch.check()
    options: dict[str, Any] = {
        "complete": complete,
        "at_once": batch.jobs,
        "cluster": batch.cluster,
        "as_json": batch.json,
        "out": plan.out,
    }
    do = partial(work, request)
    if batch.files is None and not plan.shards:
        with expanded(batch.inputs or [], batch.also) as found:
            code = drive(plan.jobs(found), do, request, overwrite=batch.overwrite, **options)
        raise typer.Exit(code)
    from avtool.batch.journal import Journal  # what most runs need not load

    with _inputs(batch.inputs or [], batch.files, batch.also) as (each, total):
        jobs = plan.listed(each)
        facts = {"command": request.command, **request.facts(), "files": plan.written()}
        facts.pop("device", None)  # which resumes a run as well
        facts = json.loads(json.dumps(facts))
        with Journal(plan.store or plan.root, facts, total, batch.overwrite) as journal:
            jobs = journal.todo(jobs, batch.retry_failed)
            if keys is not None:
                taken = _agreed(journal, plan, request.command, keys, batch.overwrite)
                jobs = plan.sharded(jobs, request.command, per_shard, taken)
            code = drive(
                journal.noted(jobs),
                do,
                request,
                overwrite=journal.overwrite,
                journal=journal,
                total=total,
                **options,
            )
    raise typer.Exit(code)


@contextmanager
def _inputs(
    inputs: Sequence[str], files: str | None, also: Collection[str]
) -> Iterator[tuple[Iterable[Input], int | None]]:
    """Inputs with their keys, one by one, and how many they are, if that is known."""
    from avtool.batch.listing import counted, key_of, listed

    if files is not None:
        yield listed(files), counted(files)
        return
    with searched(inputs, also) as found:
        total = None
        if not any(map(is_address, inputs)):  # which may hold more than memory does
            every = list(found)
            found, total = iter(every), len(every)
        yield (each._replace(key=key_of(_place(each))) for each in found), total


def _place(each: Input) -> str:
    return str(each.below / each.path.name) if each.below else each.address or each.name


def _agreed(
    journal: Journal,
    plan: Plan,
    name: str,
    keys: Callable[[Path], Iterable[str]],
    overwrite: bool,
) -> set[int]:
    """The numbers of the shards that are there, and that the journal now agrees with."""
    from avtool.batch import remote

    there = plan.shards_there(name)
    if overwrite:
        for place in there.values():
            if plan.store:
                remote.remove(place)
            else:
                Path(place).unlink()
        return set()
    if gone := journal.agree(there, remote.reading(keys)):
        say.note(f"{journal.folder}: {len(gone)} shards are gone, so their files are made again")
    return set(there)


def drive(
    jobs: Iterable[Job],
    work: Work,
    request: Request | None = None,
    *,
    complete: Callable[[Job, Tick], Job] | None = None,
    at_once: int | None = 1,
    cluster: str | None = None,
    overwrite: bool = False,
    as_json: bool = False,
    out: str | None = None,
    read: Sequence[Path] = (),
    show: Callable[[Report], None] | None = None,
    journal: Journal | None = None,
    total: int | None = None,
) -> int:
    """Do all jobs and tell of each; one that fails does not stop the others.

    Args:
        jobs: a sequence, or what gives them one by one, where a journal keeps what becomes of them.
        work, complete, overwrite: see ``batch.worker.Worker``.
        at_once: jobs at a time, in processes of their own where there are several; None is as many
            as pay.
        cluster: the address of a Ray cluster to run on, see ``batch.cluster.reports``.
        request: whose options ``--json`` tells.
        out: what -o says; with ``-`` the first output of the one job goes to stdout.
        read: files that are read besides the jobs' inputs.
        show: prints a report to a person; else the names of its outputs are printed.
        total: how many jobs there are, where they are no sequence and that is known.

    Returns:
        The exit code: 0 all done or there already, 1 some failed, 130 interrupted.

    Raises:
        InputError: this machine has no such device, or an output is a file that is read.
    """
    if out == "-" and as_json:
        raise InputError("-o - and --json both write to stdout; give one of them")
    if cluster and out == "-":
        raise InputError("-o - is a pipe of this machine; leave out --cluster")
    if request and request.device not in ("", "auto", "cpu") and not cluster:
        from avtool.models import weights

        weights.device(request.device)  # one wrong option, not one failure per file
    own = getattr(request.options, "weights", None) if request else None
    named = jobs if isinstance(jobs, Sequence) else []
    total = len(named) if isinstance(jobs, Sequence) else total
    kept = _identities(
        [*read, *([Path(own)] if own else [])]
        + [job.source for job in named if (overwrite or not job.made_of) and not job.address]
    )
    refuse(named, kept)
    scratch.clear(Path(tempfile.gettempdir()))
    reports: Counter[str] = Counter()
    failures: list[str] = []  # of a list, the first ones
    show = show or _print_outputs
    options = request.facts() if request else {}
    with ExitStack() as stack:
        if out == "-":
            work, jobs = _streamed(work, named, stack.enter_context(scratch.temporary_folder()))
        progress = stack.enter_context(Progress(total))
        worker = Worker(work, complete, overwrite, frozenset(kept), say.debug)
        do: Work = worker
        if journal or any(job.address or job.store for job in named):
            from avtool.batch import remote

            do = remote.Fetching(worker)
        words = partial(child, say.quiet, say.verbose, say.debug)
        if at_once is None and not cluster:
            at_once = _fitting(named, request, total)
        most = min(filter(None, (at_once, total)), default=None)
        if cluster:
            from avtool.batch import cluster as machines

            device = request.device if request else ""
            running = machines.reports(do, jobs, progress.at, words, cluster, device, most)
        elif out != "-" and most and most > 1:
            from avtool.batch import processes

            running = processes.reports(do, jobs, progress.at, most, words)
        else:
            running = thread.reports(do, jobs, progress.at)
        try:
            with closing(running) as completed:
                for whole in completed:
                    ended = journal.note(whole) if journal else [whole]
                    progress.passed(whole.input, len(ended), journal.skipped if journal else 0)
                    for report in ended:
                        reports[report.status] += 1
                        # A shard's name is told once, not for each input.
                        told = None if out == "-" or whole.parts else show
                        _tell(report, options if as_json else None, told)
                        if report.error and (journal is None or len(failures) < FIRST):
                            failures.append(report.error)
                    if whole.parts and not as_json:
                        show(whole)
        except Interrupted:
            of = f" of {total}" if total is not None and journal is None else ""
            say.error(f"interrupted; {reports['done']}{of} done, a rerun goes on")
            return INTERRUPTED
    if total != 1 or journal:
        there = reports["skipped"] + (journal.skipped if journal else 0)
        counts = (f"{reports['done']} done", f"{there} already there")
        say.note(", ".join([*counts, f"{reports['failed']} failed"]))
    if len(failures) > 1 and reports.total() > 10:
        more = reports["failed"] - len(failures)
        where = f"and {more} more; 'avtool status {journal.folder}' tells why" if journal else ""
        say.error("failed:", *failures, *([where] if more else []))
    return FAILED if failures else DONE


def _tell(
    report: Report, options: dict[str, Any] | None, show: Callable[[Report], None] | None
) -> None:
    """What became of one input: words on stderr, JSON or its files on stdout."""
    for warning in report.warnings:
        say.warning(f"{report.input}: {warning}")
    if report.error:
        say.error(report.error)
    if options is not None:
        _print_json(report, options)
    elif show:
        show(report)


def _fitting(jobs: Sequence[Job], request: Request | None, total: int | None) -> int:
    """Processes that pay for their start, and that this machine has room for."""
    if total is not None and total < 2:
        return 1  # without what several processes take to load
    from avtool.batch import processes

    if request and request.device:
        few = total is not None and total < FEW_VIDEOS
        if request.device not in ("auto", "cpu") or few:
            return 1
        return processes.fitting(NETWORK_BYTES)
    if total is None or total >= MANY:
        return processes.cores()
    heavy = 0
    for each in jobs:
        with suppress(OSError):  # said when it is its turn
            # Of what lies at an address nothing is known before it is fetched.
            heavy += 0 if each.address else each.source.stat().st_size
    return processes.cores() if heavy >= MUCH_BYTES else 1


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
