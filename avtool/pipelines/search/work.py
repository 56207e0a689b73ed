"""`avtool search` and `avtool tag`: from inputs to what is found."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np

from avtool import cache as kept
from avtool import media
from avtool.batch.jobs import (
    Input,
    Job,
    Plan,
    expanded,
    identity,
    is_folder,
    refuse_addresses,
)
from avtool.batch.request import Report, Request, Tick
from avtool.cli.drive import DONE, drive
from avtool.cli.signals import INTERRUPTED
from avtool.cli.terminal import say
from avtool.draw.canvas import clock
from avtool.errors import AvtoolError, InputError, shown
from avtool.media import Spec
from avtool.media.image import SUFFIXES, read_picture
from avtool.models import weights as shipped
from avtool.pipelines.search import pipeline, tag
from avtool.pipelines.search.index import Entry, Index
from avtool.pipelines.search.pipeline import SOUND, SPEC, SURE, Models, Query
from avtool.pipelines.search.values import Hit, Hits
from avtool.save import formats, save
from avtool.values import Array

SHOWN = (640, 480)  # long and short side of a hit's picture at most


@dataclass(frozen=True)
class Files:
    """Where is looked, and where it goes; as the options of the same names."""

    inputs: list[str]
    index: str | None
    out: str | None
    formats: Sequence[str]
    overwrite: bool


@cache
def _models(weights: str | None) -> Models:
    return pipeline.load(weights)


def run(query: Query, files: Files, *, weights: str | None, strict: bool, as_json: bool) -> int:
    """Look at what is new, tell what fits best, write the strip; the exit code.

    Raises:
        InputError: an option does not fit, nothing can be looked at, or no word is known.
    """
    refuse_addresses([*files.inputs, files.out, files.index], "search")
    wanted = _outputs(query, files)
    picture = None if query.like is None else read_picture(query.like)
    models = _models(weights)
    asked = pipeline.asked(query, models, picture)
    if asked.unknown:
        say.warning(f"not known, so left out: {', '.join(dict.fromkeys(asked.unknown))}")
    index = Index(Path(files.index or kept.folder() / "search.sqlite"), _sum(weights))
    request = Request(query, strict=strict, command="search")
    try:
        with expanded(files.inputs, SUFFIXES) as found:
            code = _look(found, index, models, request)
            if code == INTERRUPTED:
                return code
            own = query.like and identity(Path(query.like))
            paths = dict.fromkeys(each.path for each in found if each.path.exists())
            entries = list(index.entries(p for p in paths if not own or identity(p) != own))
            names = {each.path: each.name for each in found}
    finally:
        index.close()
    hits = pipeline.ranked(entries, query, asked, models)
    hits = replace(hits, hits=[replace(hit, file=names[Path(hit.file)]) for hit in hits.hits])
    _tell(hits, as_json)
    if wanted and hits.hits:
        pictures = [replace(hit, picture=_picture(hit)) for hit in hits.hits]
        save(replace(hits, hits=pictures), wanted, name="search", title=str(query))
        if not as_json:
            for path in wanted:
                say.data(shown(str(path)))
    return code


def _look(found: list[Input], index: Index, models: Models, request: Request) -> int:
    """Look at the files that are not in the index as they are now; the exit code."""

    def known(path: Path) -> bool:
        try:
            return index.known(path)
        except OSError:
            return False  # said when it is looked at

    jobs = [Job(each.path, each.name) for each in found if not known(each.path)]

    def look(job: Job, tick: Tick) -> Report:
        entry, warnings = entry_of(job, models, request, tick)
        index.add(entry)
        return Report(job.name, warnings=warnings)

    return drive(jobs, look, request) if jobs else DONE


def entry_of(job: Job, models: Models, request: Request, tick: Tick) -> tuple[Entry, list[str]]:
    """What is seen and heard in a file, and what has to be said of it."""
    if job.source.suffix.lower() in SUFFIXES:
        image = pipeline.squashed(read_picture(job.source))
        place, look = models.places([image])
        by_kinds = models.open.places(look.kinds).numpy()
        return Entry(job.source, False, np.zeros((1, 3)), place.numpy(), by_kinds, []), []
    source = media.open(job.source, name=job.name)
    clip = source.clip(
        SPEC if source.info.video else SOUND,
        tick=lambda seconds: tick(seconds / clip.duration if clip.duration else None, "looking"),
        strict=request.strict,
    )
    spans: list[tuple[float, float, float]] = []
    places: list[Array] = []
    kinds: list[Array] = []
    if clip.frames is not None:
        for moment in pipeline.moments(clip.frames.images(), 0.0):
            spans.append((moment.start, moment.end, moment.at))
            place, look = models.places([moment.picture])
            places.append(place[0].numpy())
            kinds.append(models.open.places(look.kinds)[0].numpy())
    sounds: list[tuple[str, float, float, float]] = []
    heard = clip
    if source.info.audio:
        heard = clip if clip.audio else source.clip(SOUND, strict=request.strict)
        sounds = pipeline.heard(heard, models.ear)
    entry = Entry(
        job.source, True, np.array(spans).reshape(-1, 3), np.array(places), np.array(kinds), sounds
    )
    return entry, list(dict.fromkeys([*clip.warnings, *heard.warnings]))


def _outputs(query: Query, files: Files) -> list[Path]:
    """The files to write; without -o they are named after the query.

    Raises:
        InputError: one exists, is an input, or has no such format.
    """
    if files.out == "-":
        raise InputError("-o -: hits are printed; use --json, or name a file")
    name = "-".join(re.findall(r"\w+", str(query).lower()))[:60] or "search"
    plan = Plan({"search": formats(Hits)}, files.formats, ["png"], files.out)
    suffixes = [suffix for _, suffix in plan.outputs()]
    if files.out and not is_folder(files.out):
        wanted = [Path(files.out)]
    else:
        wanted = [plan.root / f"{name}.search{suffix}" for suffix in suffixes]
    for path in wanted:
        if path.exists():
            if any(_same(path, each) for each in files.inputs):
                raise InputError(f"{path}: is read, so it cannot be written; name another with -o")
            if not files.overwrite and files.out and not is_folder(files.out):
                raise InputError(f"{path}: exists; --overwrite replaces it")
    return wanted


def _same(path: Path, other: str) -> bool:
    return Path(other).exists() and identity(path) == identity(Path(other))


def _sum(weights: str | None) -> str:
    """Names the weights, so that places of others are not mistaken for theirs."""
    joint = shipped.card("joint").sha256
    if weights is not None:
        joint = hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    return f"{joint[:16]} {shipped.card('openwords').sha256[:16]}"


def _tell(hits: Hits, as_json: bool) -> None:
    if not hits.hits or hits.hits[0].likely < SURE:
        least = f", the best is {hits.hits[0].likely:.0%} likely" if hits.hits else ""
        say.warning(f"nothing fits well{least}")
    for hit in hits.hits:
        if as_json:
            facts = {"file": hit.file, "likely": round(hit.likely, 3), "sense": hit.sense}
            if hit.is_film:
                facts |= {"start": round(hit.start, 2), "end": round(hit.end, 2)}
            say.data(json.dumps(facts | ({"kind": hit.kind} if hit.kind else {})))
            continue
        when = f"  {clock(hit.start)} to {clock(hit.end)}" if hit.is_film else ""
        sense = f"{hit.sense}, {hit.kind}" if hit.kind else hit.sense
        say.data(f"{hit.likely:4.0%}  {shown(hit.file)}{when}  {sense}")


def _picture(hit: Hit) -> Array | None:
    """What a hit looks like; None of a sound without pictures."""
    path = Path(hit.file)
    try:
        if not hit.is_film:
            return read_picture(path, SHOWN)
        source = media.open(path)
        if not source.info.video:
            return None
        video = source.info.video[0]
        scale = min(1.0, SHOWN[0] / video.width, SHOWN[1] / video.height)
        size = (max(2, round(video.width * scale)), max(2, round(video.height * scale)))
        spec = Spec(frames=True, fps=Fraction(4), size=size, start=hit.at, duration=1.0)
        frames = source.clip(spec).frames
        assert frames is not None
        return next(frames.images(), None)
    except AvtoolError as error:
        say.warning(str(error))
        return None


def work(request: Request, job: Job, tick: Tick) -> Report:
    """Find the words for one file, and write them."""
    start = 0.0
    if job.source.suffix.lower() in SUFFIXES:
        clip = media.still(job.name, read_picture(job.source, tag.LARGEST))
    else:
        source = media.open(job.source, name=job.name)
        start = request.start
        clip = source.clip(
            request.part(tag.SPEC), tick=lambda at: tick(None, "looking"), strict=request.strict
        )
    options = request.options
    found = tag.run(clip, options, models=_models(options.weights), start=start).tags
    for paths in job.outputs.values():
        save(found, paths, name="tags", title=job.title)
    warnings = [*clip.warnings]
    if not found.tags:
        warnings.append(f"no word is {options.threshold:.0%} likely")
    facts = {"tags": {each.word: round(each.likely, 3) for each in found.tags}}
    return Report(job.name, outputs=[str(p) for p in job.paths], warnings=warnings, facts=facts)


def tell(report: Report) -> None:
    """Print the words of a file, and what was written."""
    if report.facts.get("tags"):
        said = ", ".join(f"{word} {chance:.0%}" for word, chance in report.facts["tags"].items())
        say.note(f"{report.input}: {said}")
    for path in report.outputs if report.status == "done" else ():
        say.data(shown(path))
