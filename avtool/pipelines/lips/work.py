"""`avtool lips`: from the job of one input to its files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import typer

from avtool import media
from avtool.batch.jobs import Input, Job, Plan, expanded, is_dir, refuse_addresses
from avtool.batch.request import Report, Request, Tick, stages
from avtool.cli.drive import drive
from avtool.errors import InputError, MediaError
from avtool.media import Clip
from avtool.media.image import SUFFIXES, read_picture
from avtool.media.synthesizer import speak
from avtool.page import Page
from avtool.pipelines.lips import pipeline
from avtool.pipelines.lips import video_face as filming
from avtool.pipelines.lips.model import LipMotion
from avtool.pipelines.lips.moments import Moments
from avtool.pipelines.lips.page import save_page
from avtool.pipelines.lips.values import Curves, Mouths
from avtool.pipelines.lips.watermark import marked
from avtool.save import formats, save, sink_of
from avtool.scratch import temporary_folder
from avtool.speakers.tracks import tracks_of
from avtool.values import Array, Audio, Frames, Video

LARGEST = (1920, 1080)  # of a photo's video, unless its full size is asked for
STAGES = {"finding faces": 2, "painting": 5}
DEFAULTS = ["mp4", "png"]
CURVES, HEAD = "the curves", "the head"  # fields that are named after no speech


@dataclass(frozen=True)
class Saying(Job):
    """A face, the source, and what it is to say, which is the source where the head is drawn."""

    speech: Path = Path()
    said: str = ""


def run(
    inputs: list[str],
    options: pipeline.Options,
    *,
    text: str | None,
    avatar: bool,
    preview: float | None,
    curves: str | None,
    glb: str | None,
    extra: dict[str, Any],
    out: str | None,
    format: list[str],
    part: tuple[float, float | None],
    device: str,
    jobs: int | None,
    cluster: str | None,
    overwrite: bool,
    strict: bool,
    as_json: bool,
) -> NoReturn:
    """Name the files of a face and each speech, and make them.

    Raises:
        InputError: the inputs or the options do not fit each other.
    """
    given_speech = len(inputs) + (text is not None)
    single = {CURVES: curves, HEAD: glb}  # one file each, whatever the speech is called
    more = {field: [Path(path)] for field, path in single.items() if path is not None}
    bare = bool(more) and given_speech == 1 and not avatar  # these alone
    alone = avatar or bare
    if given_speech < (1 if alone else 2):
        wanted = "two inputs: a face (photo or video), then the speech (or --text); "
        wanted += "--avatar takes the speech alone and shows the built-in head"
        raise InputError(f"'avtool lips' takes {wanted}; {len(inputs)} given")
    if text is not None and cluster:
        raise InputError("--text is spoken on this machine; leave out --cluster")
    if preview is not None:
        if part[1] is not None:
            raise InputError("--preview and --duration contradict each other; give one")
        part = (part[0], preview)
    if not alone and is_dir(inputs[0]):
        raise InputError(f"{inputs[0]}: is a folder; name one face, then what it is to say")
    if curves is not None:
        sink_of(Curves, Path(curves).suffix)
    if glb is not None and Path(glb).suffix.lower() != ".glb":
        raise InputError(f"--glb {glb}: the head is a .glb file; give it that name")
    refuse_addresses([*inputs, out, curves, glb], "lips")
    with ExitStack() as stack:
        found = stack.enter_context(expanded(inputs))
        if text is not None:
            found.append(_spoken(text, stack.enter_context(temporary_folder())))
        face, speeches = (None, found) if alone else (found[0], found[1:] or found)
        if more and len(speeches) > 1:
            path = next(iter(more.values()))[0]
            raise InputError(f"{path} is one file for {len(speeches)} speeches; give one speech")
        extra = {"avatar": alone, "curves": curves, **extra}
        request = Request(options, *part, strict, device, extra)
        if bare:
            ((speech, name, *_),) = speeches
            given = [Saying(speech, name, speech=speech, said=name)]
        else:
            end = "" if preview is None else ".preview"
            given = _named(face, speeches, end, format, out)
        if more:
            given = [replace(each, outputs=each.outputs | more) for each in given]
        code = drive(
            given,
            partial(work, request),
            request,
            complete=partial(checked, request),
            at_once=jobs,
            cluster=cluster,
            overwrite=overwrite,
            as_json=as_json,
            out=out,
            read=[each.path for each in speeches],
        )
    raise typer.Exit(code)


def _spoken(text: str, folder: Path) -> Input:
    """A text as a recording, named after its words."""
    if not text.strip():
        raise InputError("--text is empty; say what is to be said")
    name = "-".join(re.findall(r"\w+", text.lower())[:6])[:60] or "text"
    speak(text, folder / f"{name}.wav")
    return Input(folder / f"{name}.wav", name)


def _named(
    face: Input | None, speeches: Sequence[Input], end: str, format: list[str], out: str | None
) -> list[Saying]:
    """The jobs of one face, or of the built-in head, with the files that they become."""
    if face is None:
        plan = _plan(f"lips{end}", format, out)
        return [
            Saying(**vars(job), speech=job.source, said=job.name) for job in plan.jobs(speeches)
        ]
    jobs: list[Saying] = []
    taken: dict[Path, str] = {}
    for speech in speeches:  # me.png and hello.wav: me.hello.mp4
        (job,) = _plan(Path(speech.name).stem + end, format, out).jobs([face])
        for path in job.paths:
            if path in taken:
                raise InputError(f"{taken[path]} and {speech.name} would both become {path}")
            taken[path] = speech.name
        jobs.append(Saying(**vars(job), speech=speech.path, said=speech.name))
    return jobs


def _plan(field: str, format: list[str], out: str | None) -> Plan:
    known = [*formats(Video), *formats(Mouths), *formats(Page)]
    return Plan({field: known}, format, DEFAULTS, out)


def checked(request: Request, job: Job, tick: Tick) -> Job:
    """The same job; its inputs can be read.

    Raises:
        MediaError: one cannot, or they are the wrong way round.
    """
    speech, name = _speech(job)
    if not speech.exists():
        raise MediaError(f"{name}: no such file; the speech is a recording; --text takes words")
    face_first = f"the face comes first: avtool lips {name} {job.name}"
    is_photo = Path(job.name).suffix.lower() in SUFFIXES
    if Path(name).suffix.lower() in SUFFIXES:
        more = "give a recording of the speech" if is_photo else face_first
        raise MediaError(f"{name}: has no sound; {more}")
    heard = media.open(speech, name=name).info
    shown = None
    if not request.extra["avatar"] and not is_photo:
        shown = media.open(job.source, name=job.name).info
    if not heard.audio:
        swapped = shown and shown.audio and not shown.video
        more = face_first if swapped else "give a recording of the speech"
        raise MediaError(f"{name}: has no sound; {more}")
    if shown and not shown.video:
        more = face_first if heard.video else "give a photo or a video of a face first"
        raise MediaError(f"{job.name}: has no pictures; {more}")
    return job


def _speech(job: Job) -> tuple[Path, str]:
    if not isinstance(job, Saying):
        raise TypeError(f"{job.name}: says nothing")
    return job.speech, job.said


def work(request: Request, job: Job, tick: Tick) -> Report:
    """Let one face say the speech, and write the pictures, their summary and the curves."""
    speech, name = _speech(job)
    heard = media.open(speech, name=name)
    clip = heard.clip(request.part(pipeline.SPEC), strict=request.strict)
    models = pipeline.load(request.options, request.device)
    wanted = [
        path
        for field, paths in job.outputs.items()
        if field not in (CURVES, HEAD)
        for path in paths
    ]
    warnings: list[str] = []
    facts: dict[str, Any] = {"speech": name}
    if wanted:
        source = _face(request, job, tick, warnings)
        found = _run(clip, request, source, models, job.name)
        moved = found.motion
        length = clip.duration if request.options.length == "speech" else None
        frames = _counted(marked(found.lips) if request.extra["mark"] else found.lips, tick, length)
        who = "the drawn head" if request.extra["avatar"] else job.title
        said = f"{who} says {Job(speech, clip.name).title}"
        with ExitStack() as stack:
            pages = [path for path in wanted if path.suffix in formats(Page)]
            rest = [path for path in wanted if path not in pages]
            if pages and not any(path.suffix == ".mp4" for path in rest):
                rest.append(stack.enter_context(temporary_folder()) / "film.mp4")
            facts |= _write(found, frames, clip.sound(), rest, said)
            for path in pages:
                film = next(each for each in rest if each.suffix == ".mp4")
                save_page(path, film, found, None if source is None else job.source, said)
        if found.passed:
            facts["passed"] = [[round(a, 2), round(b, 2)] for a, b in found.passed]
            listed = ", ".join(f"{a:g}-{b:g} s" for a, b in facts["passed"][:8])
            more = f" and {len(found.passed) - 8} more" if len(found.passed) > 8 else ""
            warnings.append(
                f"mouth turned away, hidden or gone, pictures left as they are: {listed}{more}"
            )
    else:
        moved = pipeline.wider(pipeline.said(clip, models), request.options.energy)
    curves = pipeline.curves(moved, request.options.fps or pipeline.FPS)
    save(curves, job.outputs.get(CURVES, []), name="curves", title="")
    if HEAD in job.outputs:
        save(pipeline.animated(curves), job.outputs[HEAD], name="head", title="")
    if not moved.amounts.any():
        warnings.append(f"{clip.name} is silent, so the mouth stays shut")
    made = [str(path) for path in job.paths]
    return Report(job.name, outputs=made, warnings=[*clip.warnings, *warnings], facts=facts)


def _face(
    request: Request, job: Job, tick: Tick, warnings: list[str]
) -> Array | filming.FaceVideo | None:
    """The photo or the film that is to speak; None is the built-in head."""
    if request.extra["avatar"]:
        return None
    if Path(job.name).suffix.lower() in SUFFIXES:
        return read_picture(job.source, None if request.extra["full"] else LARGEST)
    source = media.open(job.source, name=job.name)
    looking, _ = stages(tick, source.info.duration, STAGES)
    tracks = tracks_of(source, filming.LOOKED, looking, request.strict)
    film = filming.video_face(source, tracks, request.options.face, request.options.fps)
    if request.options.face is None and len(tracks) > 1:
        warnings.append(f"{len(tracks)} faces; face {film.track.face} speaks, the largest")
    return film


def _run(
    clip: Clip, request: Request, source: Any, models: LipMotion, name: str
) -> pipeline.Result:
    try:
        return pipeline.run(clip, request.options, source=source, models=models)
    except InputError as error:  # of this face: the others of a batch go on
        named = str(error).startswith((name, clip.name))
        raise MediaError(str(error) if named else f"{name}: {error}") from error


def _write(
    found: pipeline.Result, frames: Frames, audio: Audio, paths: list[Path], title: str
) -> dict[str, Any]:
    """The video and the summary of it, reading the pictures once; what is to be told of it."""
    kept = Moments(found, audio)
    watched = kept.watching(frames)
    videos = [path for path in paths if path.suffix in formats(Video)]
    for path in videos:
        save(Video(watched, found.audio), [path], name="lips", title=title)
    if not videos:
        for _ in watched.images():
            pass  # only the summary is asked for
    pictures = [path for path in paths if path not in videos]
    if pictures:
        save(kept.picture(), pictures, name="lips", title=title)
    return kept.facts()


def _counted(frames: Frames, tick: Tick, seconds: float | None) -> Frames:
    """The same pictures, told of as they are made."""
    _, painting = stages(tick, seconds, STAGES)

    def images() -> Iterator[Array]:
        for number, image in enumerate(frames.images(), 1):
            painting(float(number / frames.fps))
            yield image

    return replace(frames, images=images)
