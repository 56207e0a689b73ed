"""How a command line becomes a pipeline's run over all its inputs."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from typing import Any, get_type_hints

from avtool import media
from avtool.cli.batch import Report, Tick, drive
from avtool.cli.jobs import Job, Plan, expanded
from avtool.errors import InputError
from avtool.pipelines import pipeline, presets, spec
from avtool.save import save, sink_of


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
    jobs: int,
    overwrite: bool,
    strict: bool,
    json: bool,
    preset: str | None = None,
    **flags: Any,
) -> int:
    """Run a pipeline that turns sound into one value; returns the exit code.

    Raises:
        InputError: the options contradict each other.
    """
    module = pipeline(name)
    if mono and channel is not None:
        raise InputError("--mono and --channel contradict each other; give one")
    if out == "-" and sys.stdout.isatty():
        raise InputError("-o - would write to your terminal; pipe it somewhere")
    given = {flag: value for flag, value in flags.items() if value is not None}
    options = presets.options(module.Options, preset, **given)
    wanted = spec(module, options, start=start, duration=duration, channel=channel)
    if mono:
        wanted = replace(wanted, channel=None)
    types = get_type_hints(module.Result)
    plan = Plan(
        fields=list(types),
        formats=format or [],
        defaults=["npz", "png"],
        out=out,
        check=lambda field, suffix: sink_of(types[field], suffix),
    )

    def work(job: Job, tick: Tick) -> Report:
        source = media.open(job.source, name=job.name)
        total = source.info.duration
        clip = source.clip(wanted, tick=lambda seconds: tick(seconds, total), strict=strict)
        result = module.run(clip, options)
        for field, paths in job.outputs.items():
            save(getattr(result, field), paths, name=field, title=job.title)
        written = [str(path) for path in job.paths]
        return Report(job.name, "done", written, warnings=clip.warnings)

    with expanded(inputs) as found:
        return drive(
            plan.jobs(found),
            work,
            threads=jobs,
            overwrite=overwrite,
            as_json=json,
            out=out,
            options=asdict(options) | {"start": start, "duration": duration},
        )
