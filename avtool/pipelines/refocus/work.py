"""`avtool refocus`: from the job of one input to its files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from avtool import media
from avtool.batch.jobs import Job
from avtool.batch.request import Report, Request, Tick, stages
from avtool.errors import InputError
from avtool.media.image import SUFFIXES, read_picture
from avtool.pipelines.refocus import pipeline
from avtool.pipelines.refocus.pipeline import Models, Options, Result
from avtool.pipelines.refocus.scene import Shot
from avtool.pipelines.refocus.values import Photo, Refocused
from avtool.save import formats, save
from avtool.speakers.tracks import tracks_of
from avtool.values import Array, Video

FIELD = "refocus"
SHORT = 0.2  # seconds that a film of depth may end before the pictures, unsaid
STAGES = {"finding faces": 2, "refocusing": 5}

_models: dict[tuple[Options, str], Models] = {}  # read once in each process


def complete(request: Request, job: Job, tick: Tick) -> Job:
    """The same job; a photo becomes a photo, and a film a film.

    Raises:
        InputError: a film is asked for of a photo, or a photo of a film.
    """
    photo, films = is_photo(job), formats(Video)
    outputs = []
    for path in job.outputs[FIELD]:
        wrong = path.suffix in (films if photo else formats(Photo))
        if wrong and not request.extra["usual"]:
            what, use = ("photo", "jpg, webp or tif") if photo else ("film", "mp4, mkv or mov")
            raise InputError(f"{job.name}: is a {what}, {path.name} would be none; use {use}")
        outputs.append(path.with_suffix(".jpg") if wrong else path)
    return replace(job, outputs=job.outputs | {FIELD: outputs})


def is_photo(job: Job) -> bool:
    """Whether an input is a still picture, by its name."""
    return Path(job.name).suffix.lower() in SUFFIXES


def work(request: Request, job: Job, tick: Tick) -> Report:
    """Refocus one film, or one photo, and write it and the picture of it."""
    key = request.options, request.device
    if key not in _models:
        _models.clear()
        _models[key] = pipeline.load(request.options, request.device)
    photo = is_photo(job)
    if photo:
        clip = media.still(job.name, read_picture(job.source))
        tracks = None
    else:
        source = media.open(job.source, name=job.name)
        looking, making = stages(tick, source.info.duration, STAGES)
        spec = pipeline.reading(source, request.part(pipeline.SPEC))
        tracks = tracks_of(source, spec, looking, request.strict, so="so nothing can be in focus")
        clip = source.clip(spec, tick=making, strict=request.strict)
    found = pipeline.run(
        clip,
        request.options,
        tracks=tracks,
        models=_models[key],
        start=0.0 if photo else request.start,
    )
    _write(found, job, photo)
    turns = [{"t": round(time, 2), "face": face} for time, face in found.focus.turns]
    warnings = [*clip.warnings]
    if request.options.face is None and not request.options.speaker and len(found.tracks) > 1:
        ((_, face),) = found.focus.turns
        warnings.append(f"{len(found.tracks)} faces; face {face} is in focus, the largest")
    depth, end = _models[key].depth, request.start + (clip.duration or 0.0)
    if depth is not None and depth.ends is not None and depth.ends < end - SHORT:
        warnings.append(f"{depth.name} ends at {depth.ends:.1f} s; its last picture serves on")
    made = [str(path) for path in job.paths]
    return Report(job.name, outputs=made, warnings=warnings, facts={"focus": turns})


def _write(found: Result, job: Job, photo: bool) -> None:
    """The film or the photo, and its summary, in one pass over the pictures."""
    paths = job.outputs[FIELD]
    sheets = [path for path in paths if path.suffix in formats(Refocused)]
    moments = found.moments()

    def shots() -> Iterator[Shot]:
        return moments.watching(found.shots())

    def images() -> Iterator[Array]:
        return (shot.after for shot in shots())

    wanted = [path for path in paths if path not in sheets]
    if photo:
        (shot,) = shots()
        save(Photo(shot.after, pipeline.NOTE), wanted, name=FIELD, title=job.title)
    else:
        film = Video(replace(found.refocus, images=images), found.audio, pipeline.NOTE)
        for path in wanted:
            save(film, [path], name=FIELD, title=job.title)
        if not wanted:
            for _ in shots():
                pass  # only the summary is asked for
    if sheets:
        save(moments.value(), sheets, name=FIELD, title=job.title)
