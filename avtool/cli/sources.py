"""`avtool localize`: where the sound comes from; and its audit, whether the sound was heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from avtool import media
from avtool.cli.batch import Report, Tick, drive
from avtool.cli.jobs import Job, Plan, expanded
from avtool.cli.people import stages, tracks_of
from avtool.draw.heat import drawn
from avtool.errors import InputError, MediaError
from avtool.face import Track
from avtool.media import Media, Spec
from avtool.media.write import write_video
from avtool.pipelines import localize as locating
from avtool.pipelines.audit import Moved, audit
from avtool.save import replacing, save, sink_of
from avtool.values import Sources

NAMES = {".json": "sources", ".npz": "maps"}
SMALL = 512  # long side of the pictures that motion is looked for in, and a summary shows


def localize(
    *,
    inputs: list[str],
    threshold: float,
    boxes: bool,
    every: float,
    explain: bool,
    controls: bool,
    out: str | None,
    format: list[str] | None,
    start: float,
    duration: float | None,
    overwrite: bool,
    strict: bool,
    json: bool,
) -> int:
    """Run `avtool localize`; returns the exit code.

    Raises:
        InputError: the options contradict each other.
    """
    if not 0 < threshold < 1:
        raise InputError("--threshold is a part of the peak, between 0 and 1")
    if every <= 0:
        raise InputError("--every is above 0 seconds")
    options = locating.Options(every=every, threshold=threshold, explain=explain)
    wanted = replace(locating.SPEC, start=start, duration=duration)
    if controls:
        return _audited(inputs, wanted, options, strict, json)
    plan = Plan(
        fields=["localized"],
        formats=format or [],
        defaults=["mp4", "json", "png"],
        out=out,
        check=lambda field, suffix: suffix == ".mp4" or sink_of(Sources, suffix),
        names=NAMES,
    )

    def work(job: Job, tick: Tick) -> Report:
        source = opened(job)
        stage = stages(tick, source, 3)
        size, small = sizes(source)
        clip = source.clip(replace(wanted, size=small), tick=stage(1), strict=strict)

        def tracks() -> Sequence[Track]:
            return tracks_of(source, wanted, stage(0), strict)

        found = locating.run(clip, replace(options, tracks=tracks, size=size)).sources
        for path in job.paths:
            if path.suffix != ".mp4":
                save(found, [path], name="sources", title=job.title)
                continue
            spec = Spec(audio=True, frames=True, channel=0, start=start, duration=duration)
            whole = source.clip(spec, tick=stage(2), strict=strict)
            assert whole.frames is not None
            with replacing(path) as part:
                write_video(
                    part, drawn(found, whole.frames, boxes=boxes), whole.audio, suffix=".mp4"
                )
        facts = {
            "visible": round(found.clip.visible, 3),
            "cue": found.clip.cue,
            "face": found.clip.face,
        }
        made = [str(path) for path in job.paths]
        return Report(job.name, "done", made, warnings=list(clip.warnings), facts=facts)

    with expanded(inputs) as found:
        return drive(plan.jobs(found), work, overwrite=overwrite, as_json=json, out=out)


def opened(job: Job) -> Media:
    """A file with sound and pictures.

    Raises:
        MediaError: it lacks one of them.
    """
    source = media.open(job.source, name=job.name)
    lacks = "sound" if not source.info.audio else "pictures" if not source.info.video else ""
    if lacks:
        raise MediaError(f"{job.name}: has no {lacks}, so no place of a sound can be found in it")
    return source


def sizes(source: Media) -> tuple[tuple[int, int], tuple[int, int]]:
    """Width and height of a file's pictures, and of those that are enough to see motion."""
    stream = source.info.video[0]
    scale = min(1.0, SMALL / max(stream.width, stream.height))
    small = (max(2, round(stream.width * scale)), max(2, round(stream.height * scale)))
    return (stream.width, stream.height), small


def _audited(
    inputs: list[str], wanted: Spec, options: locating.Options, strict: bool, as_json: bool
) -> int:
    """How far each clip's map moves with other sounds; printed, nothing is written."""
    with expanded(inputs) as found:
        jobs = [Job(path, name) for path, name, _ in found]
        tables: dict[str, list[Moved]] = {}

        def work(job: Job, tick: Tick) -> Report:
            source = opened(job)
            stage = stages(tick, source, 2)
            tracks = tracks_of(source, wanted, stage(0), strict)
            size, small = sizes(source)
            clip = source.clip(replace(wanted, size=small), tick=stage(1), strict=strict)
            place = next(n for n, each in enumerate(jobs) if each.source == job.source)
            other = None
            if len(jobs) > 1:
                spec = replace(wanted, frames=False, start=0.0)
                other = media.open(jobs[(place + 1) % len(jobs)].source).clip(spec).audio
            tables[job.name] = audit(clip, replace(options, tracks=tracks, size=size), other)
            rows = {row.control: row.facts() for row in tables[job.name]}
            return Report(job.name, "done", warnings=list(clip.warnings), facts={"audit": rows})

        def show(report: Report) -> None:
            if report.status == "done":
                print(table_of(report.input, tables[report.input]), flush=True)

        return drive(jobs, work, as_json=as_json, show=show)


def table_of(name: str, rows: list[Moved]) -> str:
    """The audit as text."""
    lines = [f"{name}", f"{'':26}{'visible':>9}{'map moved':>11}{'peak left':>11}"]
    for row in rows:
        visible = "" if row.visible is None else f"{row.visible:.2f}"
        moved = "" if row.moved is None else f"{row.moved:.2f}"
        lines.append(f"{row.control:26}{visible:>9}{moved:>11}{row.left:11.0%}")
    lines.append("map moved: 0 is the same map, 1 nothing in common; peak left: steps whose peak")
    lines.append("lies outside the box that the clip's own sound gives")
    return "\n".join(lines)
