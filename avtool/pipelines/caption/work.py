"""`avtool caption`: from the job of one input to its files."""

from __future__ import annotations

from pathlib import Path

from avtool import media
from avtool.batch.jobs import Job
from avtool.batch.request import Report, Request, Tick
from avtool.errors import MediaError
from avtool.media.image import SUFFIXES, read_picture
from avtool.pipelines.caption import pipeline
from avtool.pipelines.caption.pipeline import Models, Options
from avtool.save import save

_models: dict[Options, Models] = {}  # read once in each process


def work(request: Request, job: Job, tick: Tick) -> Report:
    """Say what is seen in one file."""
    source = (
        None if Path(job.name).suffix.lower() in SUFFIXES else media.open(job.source, name=job.name)
    )
    if source is None or source.info.format.endswith("_pipe"):  # ffmpeg's of single pictures
        clip = media.still(job.name, read_picture(job.source, pipeline.LARGEST))
        start = 0.0
    else:
        if not source.info.video:
            raise MediaError(f"{job.name}: has no pictures; caption takes a photo or a film")
        seconds = source.info.duration
        start = request.start
        clip = source.clip(
            pipeline.reading(source, request.part(pipeline.SPEC)),
            tick=lambda reached: tick(reached / seconds if seconds else None, "looking"),
            strict=request.strict,
        )
    if request.options not in _models:
        _models[request.options] = pipeline.load(request.options)
    found = pipeline.run(clip, request.options, models=_models[request.options], start=start)
    for field, paths in job.outputs.items():
        save(found.captions, paths, name=field, title=job.title)
    warnings = [*clip.warnings]
    unsure = sum(not seen.sure for seen in found.captions.seen)
    if unsure:
        what = (
            f"of {unsure} of {len(found.captions.seen)} shots" if found.captions.film else "of it"
        )
        warnings.append(f"I am not sure {what}: unlike the photographs that were learned from")
    return Report(
        job.name,
        outputs=[str(path) for path in job.paths],
        warnings=warnings,
        facts={"captions": [seen.text for seen in found.captions.seen]},
    )
