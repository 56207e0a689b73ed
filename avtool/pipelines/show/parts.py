"""The files that a page shows: what other commands have written, and what they still have to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from avtool.batch.jobs import Job
from avtool.batch.request import Request, Tick
from avtool.batch.worker import Worker
from avtool.pipelines import pipeline, worker
from avtool.scratch import temporary_folder

MOST = 100  # faces whose voices are looked for beside a page

# What each command writes for a page, and what it wants to be told besides.
FILES = {
    "faces": {"faces": ".json"},
    "separate": {"rest": ".wav"},
    "localize": {"sources": ".json", "maps": ".npz"},
}
EXTRAS: dict[str, dict[str, Any]] = {"separate": {"video": False}, "localize": {"boxes": False}}


@contextmanager
def parts(
    request: Request, job: Job, tick: Tick, names: Sequence[str], warnings: list[str]
) -> Iterator[Path]:
    """The base of the files that commands make of an input; links to those that exist.

    Args:
        warnings: gets those of the commands.
    """
    share = 1 / (len(names) + 1)
    with temporary_folder() as folder:
        base = folder / job.base.name
        for each in _there(job):
            (folder / each.name).symlink_to(each.absolute())
        for number, name in enumerate(names):
            do, every = worker(name)
            asked = Request(
                *(pipeline(name).Options(), request.start, request.duration, request.strict),
                *(request.device, EXTRAS.get(name, {}), name),
            )
            outputs = {
                field: [base.with_name(f"{base.name}.{field}{suffix}")]
                for field, suffix in FILES[name].items()
            }
            part = Job(job.source, job.name, base, outputs)
            made = Worker(partial(do, asked), every and partial(every, asked), debug=True)
            warnings += made(part, partial(_part, tick, number * share, share)).warnings
        tick(1 - share, "writing the page")
        yield base


def _part(tick: Tick, before: float, share: float, part: float | None, stage: str) -> None:
    tick(before + share * (part or 0.0), stage)


def _there(job: Job) -> list[Path]:
    """What other commands have written beside the page, unless it is older than the input."""
    ends = ("faces.json", "rest.wav", "sources.json", "maps.npz")
    names = [f"{job.base.name}.{end}" for end in ends]
    names += [f"{job.base.name}.face{number}.wav" for number in range(1, MOST)]
    found = [job.base.with_name(name) for name in names]
    since = job.source.stat().st_mtime
    return [path for path in found if path.is_file() and path.stat().st_mtime >= since]
