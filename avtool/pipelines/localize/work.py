"""`avtool localize`: from the job of one input to its files."""

from __future__ import annotations

from collections.abc import Sequence

from avtool import media
from avtool.batch.jobs import Job, expanded, refuse_addresses
from avtool.batch.request import Report, Request, Tick, stages
from avtool.cli.drive import drive
from avtool.cli.terminal import say
from avtool.errors import MediaError, shown
from avtool.face import Track
from avtool.media import Media, Spec
from avtool.pipelines import paged
from avtool.pipelines.localize import pipeline
from avtool.pipelines.localize.audit import Moved, audit
from avtool.pipelines.localize.draw import drawn
from avtool.save import save
from avtool.speakers.tracks import tracks_of
from avtool.values import Video

FILES = {"localized": (".mp4", ".png"), "sources": (".json",), "maps": (".npz",)}


def work(request: Request, job: Job, tick: Tick) -> Report:
    """Find the sources of one file's sound, and write where they are."""
    source = _opened(job)
    shares = {"finding faces": 3, "looking at motion": 3, "writing": 2}
    looking, moving, writing = stages(tick, source.info.duration, shares)
    spec = pipeline.reading(source, request.part(pipeline.SPEC))
    clip = source.clip(spec, tick=moving, strict=request.strict)

    def tracks() -> Sequence[Track]:
        return tracks_of(source, spec, looking, request.strict)

    models = pipeline.load(request.options, request.device)
    found = pipeline.run(
        clip, request.options, tracks=tracks, size=_size(source), models=models
    ).sources
    for path in [path for field in FILES for path in job.outputs.get(field, [])]:
        if path.suffix != ".mp4":
            save(found, [path], name="sources", title=job.title)
            continue
        whole = source.clip(
            request.part(Spec(audio=True, frames=True, channel=0)),
            tick=writing,
            strict=request.strict,
        )
        assert whole.frames is not None
        frames = drawn(found, whole.frames, boxes=request.extra["boxes"])
        save(Video(frames, whole.audio), [path], name="localized", title=job.title)
    paged(request, job, tick)
    facts = {
        "visible": round(found.clip.visible, 3),
        "cue": found.clip.cue,
        "face": found.clip.face,
    }
    made = [str(path) for path in job.paths]
    return Report(job.name, outputs=made, warnings=list(clip.warnings), facts=facts)


def _opened(job: Job) -> Media:
    source = media.open(job.source, name=job.name)
    lacks = "sound" if not source.info.audio else "pictures" if not source.info.video else ""
    if lacks:
        raise MediaError(f"{job.name}: has no {lacks}, so no place of a sound can be found in it")
    return source


def _size(source: Media) -> tuple[int, int]:
    stream = source.info.video[0]
    return stream.width, stream.height


def audited(inputs: list[str], request: Request, as_json: bool) -> int:
    """How far each clip's map moves with other sounds; printed, nothing is written."""
    refuse_addresses(inputs, "localize --audit")
    with expanded(inputs) as found:
        jobs = [Job(path, name) for path, name, *_ in found]
        tables: dict[str, list[Moved]] = {}

        def work(job: Job, tick: Tick) -> Report:
            source = _opened(job)
            shares = {"finding faces": 3, "looking at motion": 3}
            looking, moving = stages(tick, source.info.duration, shares)
            spec = pipeline.reading(source, request.part(pipeline.SPEC))
            tracks = tracks_of(source, spec, looking, request.strict)
            clip = source.clip(spec, tick=moving, strict=request.strict)
            place = next(n for n, each in enumerate(jobs) if each.source == job.source)
            other = None
            if len(jobs) > 1:
                sound = request.part(pipeline.SPEC, frames=False)
                following = media.open(jobs[(place + 1) % len(jobs)].source)
                other = following.clip(sound).audio
            models = pipeline.load(request.options, request.device)
            tables[job.name] = audit(
                clip, request.options, other, tracks=tracks, size=_size(source), models=models
            )
            rows = {row.control: row.facts() for row in tables[job.name]}
            return Report(job.name, warnings=list(clip.warnings), facts={"audit": rows})

        def show(report: Report) -> None:
            if report.status == "done":
                say.data(table_of(report.input, tables[report.input]))

        return drive(jobs, work, request, as_json=as_json, show=show)


def table_of(name: str, rows: list[Moved]) -> str:
    """The audit as text."""
    lines = [shown(name), f"{'':26}{'visible':>9}{'map moved':>11}{'peak left':>11}"]
    for row in rows:
        visible = "" if row.visible is None else f"{row.visible:.2f}"
        moved = "" if row.moved is None else f"{row.moved:.2f}"
        lines.append(f"{row.control:26}{visible:>9}{moved:>11}{row.left:11.0%}")
    lines.append("map moved: 0 is the same map, 1 nothing in common; peak left: steps whose peak")
    lines.append("lies outside the box that the clip's own sound gives")
    return "\n".join(lines)
