"""`avtool lips`: a face whose mouth says another sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from avtool import media
from avtool.cli.batch import Report, Tick, drive
from avtool.cli.jobs import Job, Plan, expanded
from avtool.cli.people import stages, tracks_of
from avtool.draw.mark import marked
from avtool.errors import InputError, MediaError
from avtool.media import Clip
from avtool.media.picture import SUFFIXES, read_picture
from avtool.media.write import write_video
from avtool.pipelines import film as filming
from avtool.pipelines import lips as speaking
from avtool.pipelines.hearing import FPS
from avtool.pipelines.mouths import gap, loudness
from avtool.save import replacing, save, sink_of
from avtool.values import Array, Curves, Frames, Mouths

LARGEST = (1920, 1080)  # of a photo's video, unless its full size is asked for
VIDEO = (".mp4", ".mkv", ".mov", ".m4v")


def lips(
    *,
    inputs: list[str],
    face: int | None,
    length: str,
    avatar: bool,
    curves: str | None,
    fps: int,
    still: bool,
    full: bool,
    mark: bool,
    weights: str | None,
    out: str | None,
    overwrite: bool,
    strict: bool,
    json: bool,
) -> int:
    """Run `avtool lips`; returns the exit code.

    Raises:
        InputError: the inputs or the options do not fit each other.
    """
    alone = avatar or (curves is not None and len(inputs) == 1)
    if len(inputs) != (1 if alone else 2):
        wanted = (
            "one input, the speech" if avatar else "two inputs: a face (photo or video), speech"
        )
        raise InputError(f"'avtool lips' takes {wanted}; {len(inputs)} given")
    if length not in ("speech", "video"):
        raise InputError(f"--length {length} is unknown; it is speech or video")
    if face is not None and face < 1:
        raise InputError("faces are counted from 1")
    if fps not in (25, 60):
        raise InputError(f"--fps {fps}: curves have 25 or 60 frames a second")
    if curves is not None:
        sink_of(Curves, Path(curves).suffix)
    speech, shown = inputs[-1], inputs[0]
    plan = Plan(
        fields=["lips"],
        formats=[],
        defaults=["mp4", "png"],
        out=out,
        check=lambda field, suffix: _writable(suffix),
    )
    chosen: Literal["speech", "video"] = "video" if length == "video" else "speech"
    options = speaking.Options(number=face, length=chosen, still=still, weights=weights)

    def work(job: Job, tick: Tick) -> Report:
        told = _seconds(speech)
        clip = media.open(speech, name=speech).clip(speaking.SPEC, strict=strict)
        warnings: list[str] = []
        facts: dict[str, Any] = {}
        made = []
        if curves is not None:
            with_curves = speaking.curves(speaking.said(clip, weights), fps)
            save(with_curves, [Path(curves)], name="curves", title="")
            made.append(curves)
        if job.outputs:
            given = None
            try:
                if not avatar:
                    given = _face(job, options, tick, strict, full, warnings)
                found = speaking.run(clip, replace(options, face=given))
            except InputError as error:
                named = str(error).startswith(job.name)
                raise MediaError(str(error) if named else f"{job.name}: {error}") from error
            drawn: list[Mouths] = []
            lips = marked(found.lips) if mark else found.lips
            lips = _counted(_shown(clip, found, lips, drawn), tick, told)
            for path in job.outputs["lips"]:
                if path.suffix in VIDEO:
                    with replacing(path) as part:
                        write_video(part, lips, found.audio, suffix=path.suffix)
                else:
                    for _ in () if drawn else lips.images():
                        pass  # only the picture is asked for
                    save(
                        drawn[0], [path], name="lips", title=f"{job.title} says {Path(speech).name}"
                    )
                made.append(str(path))
            if found.passed:
                spans = [[round(a, 2), round(b, 2)] for a, b in found.passed]
                facts["passed"] = spans
                listed = ", ".join(f"{a:g}-{b:g} s" for a, b in spans[:8])
                more = f" and {len(spans) - 8} more" if len(spans) > 8 else ""
                warnings.append(f"no face to paint, pictures left as they are: {listed}{more}")
        return Report(job.name, "done", made, warnings=[*clip.warnings, *warnings], facts=facts)

    with expanded([shown]) as found:
        if len(found) != 1:
            raise InputError(f"{shown}: is a folder; 'avtool lips' takes one face at a time")
        jobs = plan.jobs(found)
        if curves is not None and alone and not avatar:
            jobs = [Job(found[0][0], found[0][1])]
        return drive(jobs, work, overwrite=overwrite, as_json=json, out=out)


def _writable(suffix: str) -> None:
    if suffix not in (*VIDEO, ".png"):
        raise InputError(f"'{suffix}' is no format for this; use {', '.join(VIDEO)} or .png")


def _seconds(speech: str) -> float | None:
    return media.open(speech, name=speech).info.duration


def _face(
    job: Job,
    options: speaking.Options,
    tick: Tick,
    strict: bool,
    full: bool,
    warnings: list[str],
) -> Array | filming.Film:
    """The photo or the film that is to speak."""
    if Path(job.name).suffix.lower() in SUFFIXES:
        return read_picture(job.source, None if full else LARGEST)
    source = media.open(job.source, name=job.name)
    if not source.info.video:
        raise MediaError(f"{job.name}: has no pictures; give a photo or a video of a face first")
    tracks = tracks_of(source, filming.LOOKED, stages(tick, source, 3)(0), strict)
    film = filming.filmed(source, tracks, options.number)
    if options.number is None and len(tracks) > 1:
        warnings.append(f"{len(tracks)} faces; face {film.track.face} speaks, the largest")
    return film


def _shown(clip: Clip, found: speaking.Result, lips: Frames, drawn: list[Mouths]) -> Frames:
    """The same pictures; a few of them are kept, and at the end they are drawn together."""
    assert clip.audio is not None
    fps, motion = found.lips.fps, found.motion
    count = round((found.audio.seconds or 0) * fps)
    wanted = speaking.moments(motion, fps, count)
    opening = gap(motion.lips(motion.at(np.arange(count) / float(fps))))
    level = loudness(clip.audio, max(1, round(count / fps * FPS)))

    def cut(image: Array, number: int) -> Array:
        box = found.box(number)
        wide, high = box[2:] - box[:2]
        reach = box + np.array([-0.1 * wide, 0.2 * high, 0.1 * wide, 0.15 * high])
        x0, y0, x1, y1 = np.clip(reach, 0, np.tile(image.shape[1::-1], 2)).round().astype(int)
        return np.asarray(image[y0:y1, x0:x1].copy())

    def images() -> Iterator[Array]:
        shown = [("the face", 0.0, cut(found.first, 0))]
        for number, image in enumerate(lips.images()):
            for name, place in wanted:
                if place == number:
                    shown.append((name, float(number / fps), cut(image, number)))
            yield image
        drawn[:] = [Mouths(shown, opening, level, fps)]

    return replace(lips, images=images)


def _counted(frames: Frames, tick: Tick, seconds: float | None) -> Frames:
    """The same pictures, told of as they are made."""

    def images() -> Iterator[Array]:
        for number, image in enumerate(frames.images(), 1):
            tick(float(number / frames.fps), seconds)
            yield image

    return replace(frames, images=images)
