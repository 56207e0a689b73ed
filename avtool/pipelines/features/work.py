"""From the options of a feature command to its files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, get_type_hints

from avtool import media
from avtool.batch.jobs import Job, Plan, Shard, is_dir
from avtool.batch.request import Report, Request, Tick
from avtool.batch.worker import Worker
from avtool.cli import options as opt
from avtool.cli.drive import PER_SHARD, Batch, execute
from avtool.cli.terminal import say
from avtool.errors import InputError
from avtool.media import Spec
from avtool.page import Lane, Page
from avtool.pipelines import pipeline, spec
from avtool.pipelines.features import presets
from avtool.save import formats, replacing, save
from avtool.values import Audio, Matrix

DEFAULTS = ["npz", "png"]


def run(
    name: str,
    *,
    inputs: list[str] | None,
    files: str | None,
    out: str | None,
    format: list[str] | None,
    page: bool,
    start: float,
    duration: float | None,
    mono: bool,
    channel: int | None,
    jobs: int | None,
    cluster: str | None,
    overwrite: bool,
    retry_failed: bool,
    per_shard: int | None,
    strict: bool,
    json: bool,
    preset: str | None = None,
    **flags: Any,
) -> NoReturn:
    """Run a pipeline that turns sound into one value.

    Raises:
        InputError: the options contradict each other.
    """
    module = pipeline(name)
    if mono and channel is not None:
        raise InputError("--mono and --channel contradict each other; give one")
    if out == "-" and sys.stdout and sys.stdout.isatty():
        raise InputError("-o - would write to your terminal; pipe it somewhere")
    given = {flag: value for flag, value in flags.items() if value is not None}
    options = presets.options(module.Options, preset, **given)
    wanted = spec(module, options, start=start, duration=duration, channel=channel)
    if mono:
        wanted = replace(wanted, channel=None)
    types = get_type_hints(module.Result)
    known = {field: [*formats(kind), *formats(Page)] for field, kind in types.items()}
    suffix = _shards(out, format or [])
    if page and suffix:
        raise InputError("--page is of one input, a shard holds many; give one of them")
    if per_shard is not None and not suffix:
        raise InputError("--per-shard is for shards; add -f tar, or -o NAME.parquet/")
    asked = opt.formats(format, DEFAULTS, page)
    plan = Plan(known, asked, DEFAULTS, out, shards=suffix)
    request = Request(options, start, duration, strict, command=name)
    execute(
        Batch(inputs, files, jobs, cluster, overwrite, retry_failed, json),
        plan,
        partial(work_shard if suffix else work, name, wanted),
        request,
        keys=_keys if suffix else None,
        per_shard=per_shard or PER_SHARD,
    )


def _keys(path: Path) -> Iterator[str]:
    from avtool.save import shards

    return shards.keys(path)


def _shards(out: str | None, formats: list[str]) -> str:
    """The suffix of shards, if they are asked for: by -f tar, or -o NAME.parquet/."""
    named = [part.lstrip(".").lower() for text in formats for part in text.split(",") if part]
    if "tar" in named:
        if len(named) > 1:
            raise InputError("-f tar holds all that is written; give no other format")
        return ".tar"
    is_set = out and Path(out).suffix == ".parquet" and (out.endswith("/") or is_dir(out))
    return ".parquet" if is_set and named in ([], ["parquet"]) else ""


def work(name: str, wanted: Spec, request: Request, job: Job, tick: Tick) -> Report:
    """Compute and write one file's features."""
    values, warnings = _values(name, wanted, request, job, tick)
    for field, paths in job.outputs.items():
        pages = [path for path in paths if path.suffix == ".html"]
        plain = [path for path in paths if path not in pages]
        save(values[field], plain, name=field, title=job.title)
        if pages:
            save(_page(field, values[field], wanted, job), pages, name=field, title=job.title)
    return Report(job.name, outputs=[str(path) for path in job.paths], warnings=warnings)


def _page(name: str, value: Audio | Matrix, wanted: Spec, job: Job) -> Page:
    """A feature over the sound that it is of; the page's time begins where the part does."""
    clip = media.open(job.source, name=job.name).clip(wanted)
    lanes = [Lane("Sound", voice=clip.sound())]
    if isinstance(value, Matrix):
        shown = replace(value, start=value.start - clip.sound().start)
        lanes.insert(0, Lane(name.capitalize(), matrix=shown))
    return Page(job.title, clip.duration or 0.0, lanes=lanes)


class _Empty(Exception):
    """A shard of which nothing is left to write."""


def work_shard(name: str, wanted: Spec, request: Request, job: Job, tick: Tick) -> Report:
    """Compute the features of a shard's files, and write those that there are."""
    if not isinstance(job, Shard):
        raise TypeError(f"{job.name}: is no shard")
    from avtool.batch import remote
    from avtool.batch.journal import attended
    from avtool.save import shards

    reports: list[Report] = []
    with (
        suppress(_Empty),
        attended(job.store or job.base.parent, name),
        replacing(job.base) as part,
        closing(shards.shard(part, job.base.suffix)) as shard,
    ):

        def one(member: Job, ticked: Tick) -> Report:
            with remote.here(member, ticked) as near:
                values, warnings = _values(name, wanted, request, near, ticked)
                for field, value in values.items():
                    shard.add(member.key, member.name, field, value)
            return Report(member.name, outputs=[str(job.base)], warnings=warnings)

        do = Worker(one, debug=say.debug)
        for number, member in enumerate(job.parts):
            tick(number / len(job.parts), Path(member.name).name)
            reports.append(do(member, tick))
        if all(report.status == "failed" for report in reports):
            raise _Empty
    outputs = [str(job.base)] if any(report.outputs for report in reports) else []
    return Report(job.name, outputs=outputs, parts=reports)


def _values(
    name: str, wanted: Spec, request: Request, job: Job, tick: Tick
) -> tuple[dict[str, Audio | Matrix], list[str]]:
    """What a command gives for one file, and the warnings, which are complete when it is read."""
    source = media.open(job.source, name=job.name, later=True)
    clip = source.clip(
        wanted,
        tick=lambda seconds: tick(seconds / clip.duration if clip.duration else None, ""),
        strict=request.strict,
    )
    result = pipeline(name).run(clip, request.options)
    values = {}
    for field, value in vars(result).items():
        if isinstance(value, Matrix):
            value = value.of_channels(clip.channels, wanted.channel)
        values[field] = value
    return values, clip.warnings
