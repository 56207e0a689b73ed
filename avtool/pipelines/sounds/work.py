"""`avtool sounds`: from the job of one input to its files."""

from __future__ import annotations

from pathlib import Path

from avtool import media
from avtool.batch.jobs import Job, expanded, refuse_addresses
from avtool.batch.request import Report, Request, Tick
from avtool.cli.drive import drive
from avtool.cli.terminal import say
from avtool.errors import InputError, MediaError
from avtool.media import Spec
from avtool.models.yamnet import Moment, YAMNet, moments
from avtool.page import Lane, Page
from avtool.pipelines.sounds import pipeline
from avtool.pipelines.sounds.pipeline import Models, Options
from avtool.pipelines.sounds.probe import taught
from avtool.pipelines.sounds.values import Sounds
from avtool.save import replacing, save
from avtool.values import Audio

_models: dict[Options, Models] = {}  # read once in each process


def work(request: Request, job: Job, tick: Tick) -> Report:
    """Find the sounds of one file, and write when they are heard."""
    source = media.open(job.source, name=job.name)
    if not source.info.audio:
        raise MediaError(f"{job.name}: has no sound, so nothing is heard in it")
    clip = source.clip(
        request.part(pipeline.SPEC),
        tick=lambda seconds: tick(seconds / clip.duration if clip.duration else None, "listening"),
        strict=request.strict,
    )
    if request.options not in _models:
        _models[request.options] = pipeline.load(request.options, request.device)
    models = _models[request.options]
    found = pipeline.run(clip, request.options, models=models).sounds
    for paths in job.outputs.values():
        pages = [path for path in paths if path.suffix == ".html"]
        save(found, [p for p in paths if p not in pages], name="sounds", title=job.title)
        if pages:
            whole = source.clip(request.part(Spec(audio=True, channel=0)))
            save(_page(found, whole.sound(), job.title), pages, name="sounds", title=job.title)
    warnings = [*clip.warnings]
    if not found.sounds:
        warnings.append(f"no sound in it is {request.options.threshold:.0%} likely")
    return Report(
        job.name,
        outputs=[str(path) for path in job.paths],
        warnings=warnings,
        facts={"heard": list(found.lanes)},
    )


def _page(found: Sounds, sound: Audio, title: str) -> Page:
    """The sound, and a lane for each kind; the page's time begins where the part does."""
    lanes = [Lane("Sound", voice=sound)]
    for kind in found.lanes:
        spans = [
            (s.start - found.start, s.end - found.start) for s in found.sounds if s.kind == kind
        ]
        lanes.append(Lane(kind, speaking=spans))
    return Page(title, found.end - found.start, lanes=lanes)


def teach(folder: str, out: str | None, request: Request, *, overwrite: bool, json: bool) -> int:
    """Learn the kinds of a folder's folders, and write the probe; the exit code."""
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"{folder}: is no folder; --teach takes a folder with one folder a kind")
    kinds = sorted(each for each in root.iterdir() if each.is_dir() and each.name[0] != ".")
    if len(kinds) < 2:
        raise InputError(
            f"{folder}: has {len(kinds)} folders; --teach needs one for each of two kinds or more "
            f"(one called 'other' may hold what is none of them)"
        )
    path = Path(out or f"{root.resolve().name}.sounds.safetensors")
    if path.suffix != ".safetensors":
        raise InputError(f"{path}: what --teach writes ends in .safetensors")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists; --overwrite replaces it")
    refuse_addresses([folder], "sounds --teach")
    network = YAMNet()
    examples: dict[str, list[list[Moment]]] = {kind.name: [] for kind in kinds}
    with expanded([str(kind) for kind in kinds]) as found:
        jobs = [Job(source, name) for source, name, *_ in found]

        def listen(job: Job, tick: Tick) -> Report:
            clip = media.open(job.source, name=job.name).clip(
                request.part(pipeline.SPEC), strict=request.strict
            )
            kind = next(each for each in kinds if each in Path(job.source).parents)
            examples[kind.name].append(list(moments(clip.sound(), network)))
            return Report(job.name, warnings=list(clip.warnings))

        code = drive(jobs, listen, request, as_json=json)
    few = [name for name, each in examples.items() if not each]
    if few:
        raise InputError(f"{root / few[0]}: has no sound to learn from; give some, five are enough")
    probe = taught(examples)
    with replacing(path) as part:
        probe.save(part)
    counts = ", ".join(f"{name} ({len(each)})" for name, each in examples.items())
    if not json:
        say.data(f"{path}: {counts}")
    return code
