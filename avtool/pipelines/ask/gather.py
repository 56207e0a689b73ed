"""What other commands know of a file: read from beside the answer, or asked of them."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from avtool.batch.jobs import Job
from avtool.batch.request import Request, Tick
from avtool.batch.worker import Worker
from avtool.errors import InputError
from avtool.media import Media
from avtool.media.image import SUFFIXES
from avtool.pipelines import pipeline, worker
from avtool.pipelines.ask.answers import SPEECH, heard_of
from avtool.pipelines.ask.facts import Fact
from avtool.pipelines.ask.values import Known, Person
from avtool.scratch import temporary_folder

BY_EAR = ("heard", "sound")  # kinds of facts that sounds alone tell


def known(
    fact: Fact, source: Media, job: Job, request: Request, tick: Tick, warnings: list[str]
) -> Known:
    """What a question needs: of faces, of sounds, or of the file alone.

    Args:
        warnings: gets those of the commands.
    """
    info = source.info
    size = (info.video[0].width, info.video[0].height) if info.video else None
    still = job.source.suffix.lower() in SUFFIXES
    sound = bool(info.audio)
    people = heard = None

    def told(name: str, field: str, **options: Any) -> Any:
        return _told(job, request, tick, warnings, name, field, **options)

    if fact.kind not in ("length", *BY_EAR) and info.video:
        found = told("faces", "faces")["faces"]
        people = [_person(face) for face in found]
    silent = fact.kind == "speaking" and not any(each.speaking for each in people or ())
    if sound and (fact.kind in BY_EAR or silent):
        kinds = "" if fact.kind == "heard" else fact.what or SPEECH
        heard = heard_of(told("sounds", "sounds", kinds=kinds.split(",")[0])["sounds"])
    seconds = None if still else _seconds(info.duration, request)
    return Known(seconds, size, sound, people, heard, request.start)


def _person(face: Any) -> Person:
    """Of the json of `avtool faces`."""
    first = face["track"][0]
    return Person(face["face"], tuple(first["box"]), face["speaking"], first["t"])


def _seconds(whole: float | None, request: Request) -> float | None:
    rest = None if whole is None else max(0.0, whole - request.start)
    if request.duration is None or rest is None:
        return request.duration if rest is None else rest
    return min(rest, request.duration)


def _told(
    job: Job,
    request: Request,
    tick: Tick,
    warnings: list[str],
    name: str,
    field: str,
    **options: Any,
) -> Any:
    """The json of another command: what lies beside the answer, unless it is older than the file,
    or is of other options; else it is asked for.
    """
    beside = job.named(field, ".json")
    whole = (request.start, request.duration) == (0.0, None) and not any(options.values())
    if whole and beside.is_file() and beside.stat().st_mtime >= job.source.stat().st_mtime:
        return _written(beside, name, field)
    do, every = worker(name)
    asked = Request(
        pipeline(name).Options(**options),
        request.start,
        request.duration,
        request.strict,
        request.device,
        command=name,
    )
    with temporary_folder() as folder:
        path = Path(folder) / f"{job.base.name or 'input'}.{field}.json"
        part = Job(job.source, job.name, path.with_suffix("").with_suffix(""), {field: [path]})
        made = Worker(partial(do, asked), every and partial(every, asked), debug=True)
        warnings += made(part, tick).warnings
        return _written(path, name, field)


def _written(path: Path, name: str, field: str) -> Any:
    """The json that a command wrote.

    Raises:
        InputError: somebody else wrote it, or it is damaged.
    """
    try:
        found = json.loads(path.read_text())
    except ValueError:
        found = None
    if not isinstance(found, dict) or field not in found:
        raise InputError(f"{path}: is not what 'avtool {name}' writes; delete it, or name -o")
    return found
