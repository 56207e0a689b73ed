"""From the options of a feature command to its files."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn, get_type_hints

from avtool import media
from avtool.batch.jobs import Job, Plan
from avtool.batch.request import Report, Request, Tick
from avtool.cli.drive import execute
from avtool.errors import InputError
from avtool.media import Spec
from avtool.pipelines import pipeline, spec
from avtool.pipelines.features import presets
from avtool.save import formats, save
from avtool.values import Matrix


def run(
    name: str,
    *,
    inputs: list[str],
    out: str | None,
    format: list[str] | None,
    start: float,
    duration: float | None,
    mono: bool,
    channel: int | None,
    jobs: int | None,
    overwrite: bool,
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
    files = {field: formats(kind) for field, kind in types.items()}
    plan = Plan(files, format or [], ["npz", "png"], out)
    request = Request(options, start, duration, strict)
    execute(
        inputs,
        plan,
        partial(work, name, wanted),
        request,
        at_once=jobs,
        overwrite=overwrite,
        as_json=json,
    )


def work(name: str, wanted: Spec, request: Request, job: Job, tick: Tick) -> Report:
    """Compute and write one file's features."""
    source = media.open(job.source, name=job.name, later=True)
    clip = source.clip(
        wanted,
        tick=lambda seconds: tick(seconds / clip.duration if clip.duration else None, ""),
        strict=request.strict,
    )
    result = pipeline(name).run(clip, request.options)
    for field, paths in job.outputs.items():
        value = getattr(result, field)
        if isinstance(value, Matrix):
            value = value.of_channels(clip.channels, wanted.channel)
        save(value, paths, name=field, title=job.title)
    return Report(job.name, outputs=[str(path) for path in job.paths], warnings=clip.warnings)
