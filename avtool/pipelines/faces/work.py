"""`avtool faces`: from the job of one input to its files."""

from __future__ import annotations

from avtool import media
from avtool.batch.jobs import Job
from avtool.batch.request import Report, Request, Tick, stages
from avtool.media.image import SUFFIXES
from avtool.pipelines import paged
from avtool.pipelines.faces import pipeline
from avtool.save import save
from avtool.speakers.tracks import tracks_of


def work(request: Request, job: Job, tick: Tick) -> Report:
    """Find the faces of one file, and write who they are."""
    source = media.open(job.source, name=job.name)
    looking, hearing = stages(tick, source.info.duration, {"finding faces": 3, "hearing": 2})
    spec = pipeline.reading(source, request.part(pipeline.SPEC))
    tracks = tracks_of(source, spec, looking, request.strict)
    clip = source.clip(spec, tick=hearing, strict=request.strict)
    models = pipeline.load(request.options, request.device)
    found = pipeline.run(clip, request.options, tracks=tracks, models=models).faces
    save(found, job.outputs["faces"], name="faces", title=job.title)
    paged(request, job, tick)
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
