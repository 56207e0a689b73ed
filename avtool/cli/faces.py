"""`avtool faces`: who is in a video, and when each speaks."""

from __future__ import annotations

from functools import partial

from avtool import media
from avtool.batch.jobs import Job, Plan, expanded
from avtool.batch.request import Report, Request, Tick, stages
from avtool.cli.drive import drive
from avtool.media.picture import SUFFIXES
from avtool.pipelines import faces as pipeline
from avtool.save import formats, save
from avtool.speakers.tracks import tracks_of
from avtool.values import Faces


def run(
    *,
    inputs: list[str],
    device: str,
    out: str | None,
    format: list[str] | None,
    start: float,
    duration: float | None,
    overwrite: bool,
    strict: bool,
    json: bool,
) -> int:
    """Run `avtool faces`; returns the exit code."""
    request = Request(pipeline.Options(), start, duration, strict, device)
    plan = Plan({"faces": formats(Faces)}, format or [], ["json", "png"], out)
    done = partial(work, request)
    with expanded(inputs) as found:
        return drive(plan.jobs(found), done, request, overwrite=overwrite, as_json=json, out=out)


def work(request: Request, job: Job, tick: Tick) -> Report:
    """Find the faces of one file, and write who they are."""
    source = media.open(job.source, name=job.name)
    looking, hearing = stages(tick, source.info.duration, {"finding faces": 3, "hearing": 2})
    spec = request.part(pipeline.SPEC, audio=bool(source.info.audio))
    tracks = tracks_of(source, spec, looking, request.strict)
    clip = source.clip(spec, tick=hearing, strict=request.strict)
    models = pipeline.load(request.options, request.device)
    found = pipeline.run(clip, request.options, tracks=tracks, models=models).faces
    for paths in job.outputs.values():
        save(found, paths, name="faces", title=job.title)
    warnings = [*clip.warnings]
    if tracks and not source.info.audio and job.source.suffix.lower() not in SUFFIXES:
        warnings.append("has no sound, so nobody speaks")
    if not tracks:
        warnings.append("shows no face")
    return Report(
        job.name,
        outputs=[str(path) for path in job.paths],
        warnings=warnings,
        facts={"faces": len(tracks)},
    )
