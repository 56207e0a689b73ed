"""`avtool separate`: from the job of one input to its files."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from avtool import media
from avtool.batch.jobs import Job
from avtool.batch.request import Report, Request, Tick, stages
from avtool.errors import MediaError
from avtool.media import Media
from avtool.pipelines import paged
from avtool.pipelines.separate import pipeline
from avtool.pipelines.separate.pipeline import Lanes
from avtool.save import opened, save
from avtool.speakers.tracks import tracks_of
from avtool.values import Audio, Dubbed

REST, PICTURE = "rest", "voices"
# Pictures that an mp4 holds without being encoded anew.
COPIED = {"h264", "hevc", "vvc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "png"}
COPIED |= {"jpeg2000", "vc1", "dirac", ""}
STAGES = {"finding faces": 4, "separating": 5, "writing": 1}


def name_of(face: int) -> str:
    """What the files of a face's voice are called; 0 is the rest."""
    return f"face{face}" if face else REST


def complete(request: Request, job: Job, tick: Tick) -> Job:
    """The job with a file for each of the faces that the video shows."""
    source = _opened(job)
    looking, *_ = stages(tick, source.info.duration, STAGES)
    part = request.part(pipeline.SPEC)
    tracks = tracks_of(source, part, looking, request.strict, so=pipeline.NOBODY)
    suffixes = [path.suffix for path in job.outputs[REST]]
    voices = {
        name_of(track.face): [job.named(name_of(track.face), suffix) for suffix in suffixes]
        for track in tracks
    }
    return replace(job, outputs=voices | job.outputs)


def work(request: Request, job: Job, tick: Tick) -> Report:
    """Separate one file's voices, and write those that are missing in one pass."""
    source = _opened(job)
    looking, separating, writing = stages(tick, source.info.duration, STAGES)
    spec = request.part(pipeline.SPEC)
    tracks = tracks_of(source, spec, looking, request.strict, so=pipeline.NOBODY)
    clip = source.clip(spec, tick=separating, strict=request.strict)
    models = pipeline.load(request.options, request.device)
    result = pipeline.run(clip, request.options, tracks=tracks, models=models)
    voices = result.voices | {0: result.rest}
    wanted = [(face, path) for face in voices for path in job.outputs.get(name_of(face), [])]
    values = [(_written(voices[face], path, source), path, name_of(face)) for face, path in wanted]
    drawn = job.outputs.get(PICTURE, [])
    with ExitStack() as stack:
        lanes = stack.enter_context(Lanes(result.source, result.voices)) if drawn else None
        with opened(values) as sinks:
            samples = 0
            for parts in result.parts():
                for (face, _), sink in zip(wanted, sinks, strict=True):
                    sink.write(parts[face])
                if lanes:
                    lanes.add(parts)
                samples += parts[0].shape[1]
                writing(samples / result.source.rate)
        if lanes:
            save(lanes.done(result.portraits), drawn, name=PICTURE, title=job.title)
    paged(request, job, tick)
    warnings = list(clip.warnings)
    warnings += [
        f"face {face} never speaks; its voice is silence"
        for face, spans in result.speaking.items()
        if not spans
    ]
    return Report(
        job.name,
        outputs=[str(path) for path in job.paths],
        warnings=warnings,
        facts={"faces": len(tracks), "speaking": result.speaking},
    )


def _written(voice: Audio, path: Path, source: Media) -> Audio | Dubbed:
    return Dubbed(Path(source.info.path), voice) if path.suffix == ".mp4" else voice


def _opened(job: Job) -> Media:
    source = media.open(job.source, name=job.name)
    if not source.info.audio:
        raise MediaError(f"{job.name}: has no sound; 'avtool info' shows what it holds")
    codec = next((each.codec for each in source.info.video), "")
    if codec not in COPIED and any(path.suffix == ".mp4" for path in job.paths):
        raise MediaError(
            f"{job.name}: has pictures ({codec}) that an mp4 cannot hold as they are; "
            "leave out --video, or convert it to H.264 first"
        )
    return source
