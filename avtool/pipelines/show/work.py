"""`avtool show`: from inputs to pages.

What a page shows, other commands find: each is asked as a user would ask it, by its name, for files
beside the page. Those that are there are taken; what is missing is made for the page alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
import typer

from avtool import media
from avtool.batch.jobs import Job, Plan, expanded, is_folder, refuse_addresses
from avtool.batch.request import Report, Request, Tick
from avtool.cli.browser import opened
from avtool.cli.drive import drive
from avtool.cli.signals import INTERRUPTED
from avtool.cli.terminal import say
from avtool.draw.heat import softened
from avtool.errors import MediaError
from avtool.face import Track
from avtool.media import Media, Spec
from avtool.media.image import SUFFIXES
from avtool.page import Heat, Lane, Page
from avtool.pipelines.show.film import FILM, film_of, is_played, make_film
from avtool.pipelines.show.index import index
from avtool.pipelines.show.parts import FILES, parts
from avtool.save import save
from avtool.speakers.tracks import tracks_of
from avtool.values import Audio

PAGE = "page"  # the field of a job


@dataclass(frozen=True)
class Options:
    """What is asked of a page.

    Args:
        embed: the film is put into the page; None decides by its size.
    """

    embed: bool | None = None


def run(
    inputs: list[str],
    options: Options,
    *,
    open: bool,
    device: str,
    out: str | None,
    jobs: int | None,
    overwrite: bool,
    strict: bool,
    as_json: bool,
) -> NoReturn:
    """Make the pages, and the page of pages for several; show what was made.

    Raises:
        InputError: the options do not fit each other.
    """
    refuse_addresses([*inputs, out], "show")
    request = Request(options, 0.0, None, strict, device, command="show")
    plan = Plan({PAGE: (".html",)}, [], ["html"], out)
    with expanded(inputs) as found:
        given = [_paged(job, out) for job in plan.jobs(found)]
        code = drive(
            given,
            partial(work, request),
            request,
            complete=partial(complete, request),
            at_once=jobs,
            overwrite=overwrite,
            as_json=as_json,
            out=out,
        )
    if code == INTERRUPTED:
        raise typer.Exit(code)
    pages = [page for job in given for page in job.outputs[PAGE] if page.exists()]
    if len(given) > 1 and pages:
        pages = [index(plan.root, pages)]
        say.data(str(pages[0]))
    shows = open and pages and out != "-" and not as_json
    if shows and not opened(pages[0].absolute().as_uri()):
        say.note(f"{pages[0]}: no browser could be opened here; open it where there is one")
    raise typer.Exit(code)


def _paged(job: Job, out: str | None) -> Job:
    """talk.mp4 becomes talk.html."""
    if out and not is_folder(out):
        return job
    page = job.base.with_name(f"{job.base.name}.html")
    return replace(job, outputs={PAGE: [page]})


def complete(request: Request, job: Job, tick: Tick) -> Job:
    """The job with the film that it has to make, where browsers cannot play its own."""
    source = media.open(job.source, name=job.name)
    is_film = source.info.video and job.source.suffix.lower() not in SUFFIXES
    if is_film and not is_played(source, request.options.embed):
        return replace(job, outputs=job.outputs | {FILM: [job.named(FILM, ".mp4")]})
    return job


def work(request: Request, job: Job, tick: Tick) -> Report:
    """Find what there is to see and to hear, and write the page."""
    source = media.open(job.source, name=job.name)
    if source.info.duration is None:  # as a browser records a film
        source = media.open(job.source, name=job.name, scan=True)
    has_sound, has_pictures = bool(source.info.audio), bool(source.info.video)
    if not (has_sound or has_pictures):
        raise MediaError(f"{job.name}: has neither sound nor pictures; 'avtool info' tells more")
    tick(None, "finding faces")
    tracks = tracks_of(source, strict=request.strict) if has_pictures else []
    needs = {"faces": bool(tracks), "separate": bool(tracks) and has_sound}
    needs["localize"] = has_sound and has_pictures
    names = [name for name in FILES if needs[name]]
    warnings: list[str] = []
    for path in job.outputs.get(FILM, []):
        make_film(source, path, job.title)
    if job.outputs[PAGE]:
        with parts(request, job, tick, names, warnings) as found:
            page = _page(request, job, source, tracks, found, tick)
            save(page, job.outputs[PAGE], name=PAGE, title=job.title)
    made = [str(path) for path in job.paths]
    told = list(dict.fromkeys(warnings))
    return Report(job.name, outputs=made, warnings=told, facts={"faces": len(tracks)})


def _page(
    request: Request, job: Job, source: Media, tracks: Sequence[Track], base: Path, tick: Tick
) -> Page:
    place = job.outputs[PAGE][0]
    shown = film_of(request.options.embed, job, source, place, base.parent)
    return Page(
        job.title,
        source.info.duration or 0.0,
        shown,
        list(_lanes(source, tracks, base, tick)),
        _heat(base) if shown else None,
        facts=_facts(source),
    )


def _lanes(source: Media, tracks: Sequence[Track], base: Path, tick: Tick) -> Iterator[Lane]:
    """A lane a face, and one with the rest of the sound."""
    spoken = {}
    if (told := base.with_name(f"{base.name}.faces.json")).exists():
        spoken = {each["face"]: each["speaking"] for each in json.loads(told.read_text())["faces"]}
    for track in tracks:
        yield Lane(
            f"Face {track.face}",
            track.face,
            _sound(base.with_name(f"{base.name}.face{track.face}.wav"), tick),
            speaking=spoken.get(track.face, []),
            frames=track.frames,
            boxes=track.boxes,
            portrait=track.portrait,
        )
    if source.info.audio:
        rest = _sound(base.with_name(f"{base.name}.rest.wav"), tick) if tracks else None
        whole = rest or _sound(Path(source.info.path), tick)
        yield Lane("The rest" if rest else "Sound", voice=whole)


def _sound(path: Path, tick: Tick) -> Audio | None:
    """All channels of a file, told of as it is read, which is when the page is written."""
    if not path.exists():
        return None
    spec = Spec(audio=True, channel=0)
    return media.open(path).clip(spec, tick=lambda seconds: tick(None, "writing the page")).sound()


def _heat(base: Path) -> Heat | None:
    told = base.with_name(f"{base.name}.sources.json")
    if not told.exists():
        return None
    sources = json.loads(told.read_text())
    with np.load(base.with_name(f"{base.name}.maps.npz")) as arrays:
        maps, times = arrays["maps"].astype(np.float32), arrays["time"]
    heat = [
        softened(each) * step["visible"] for each, step in zip(maps, sources["steps"], strict=True)
    ]
    return Heat(
        np.array(heat, np.float32),
        float(times[1] - times[0]) if len(times) > 1 else 1.0,
        sources,
    )


def _facts(source: Media) -> dict[str, str]:
    info = source.info
    made = {}
    for video in info.video[:1]:
        made["pictures"] = f"{video.width} x {video.height}, {float(video.fps):g} a second"
    for audio in info.audio[:1]:
        made["sound"] = f"{audio.rate / 1000:g} kHz, {audio.layout}"
    return made
