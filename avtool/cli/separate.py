"""`avtool separate`: the voice of each face in a video."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from avtool import media
from avtool.batch.jobs import Job, Plan, expanded, is_folder
from avtool.batch.request import Report, Request, Tick, stages
from avtool.cli.drive import drive
from avtool.errors import InputError, MediaError
from avtool.media import Media
from avtool.pipelines import separate as pipeline
from avtool.pipelines.separate import Lanes
from avtool.save import formats, opened, save
from avtool.speakers.tracks import tracks_of
from avtool.values import Audio, Dubbed

REST, PICTURE = "rest", "voices"
STAGES = {"finding faces": 4, "separating": 5, "writing": 1}


def run(
    *,
    inputs: list[str],
    face: int | None,
    all: bool,
    video: bool,
    voices: int | None,
    weights: str | None,
    device: str,
    out: str | None,
    format: list[str] | None,
    start: float,
    duration: float | None,
    overwrite: bool,
    strict: bool,
    json: bool,
) -> int:
    """Run `avtool separate`; returns the exit code.

    Raises:
        InputError: the options contradict each other.
    """
    if all and face is not None:
        raise InputError("--face and --all contradict each other; give one")
    if video and (start or duration is not None):
        raise InputError("--video keeps the whole picture; leave out --start and --duration")
    if out == "-" and (face is None or sys.stdout.isatty()):
        raise InputError("-o - takes one --face, and a pipe to write to")
    is_file = out not in (None, "-") and not is_folder(str(out))
    if face is None and is_file:
        raise InputError(f"-o {out} is one file for several voices; name a folder/, or one --face")
    if video and is_file:
        raise InputError(f"--video is a second file beside -o {out}; name a folder/")
    options = pipeline.Options(face, voices, weights)
    request = Request(options, start, duration, strict, device, {"video": video})
    field = REST if face is None else name_of(face)
    plan = Plan(
        {field: [*formats(Audio), ".mp4"]},
        [*(format or ["wav"]), "mp4"] if video else format or [],
        ["wav"],
        out,
        {PICTURE: ".png"} if face is None else {},
    )
    with expanded(inputs) as found:
        return drive(
            plan.jobs(found),
            partial(work, request),
            request,
            complete=partial(complete, request) if face is None else None,
            overwrite=overwrite,
            as_json=json,
            out=out,
        )


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
    return source
