"""`avtool speech2face`: from the job of one input to its files."""

from __future__ import annotations

from avtool import media
from avtool.batch.jobs import Job
from avtool.batch.request import Report, Request, Tick, stages
from avtool.errors import MediaError
from avtool.page import Page
from avtool.pipelines.speech2face import pipeline
from avtool.pipelines.speech2face.page import save_page
from avtool.pipelines.speech2face.values import FaceSamples
from avtool.save import formats, save
from avtool.values import Mesh

FILES = {
    "face": [*formats(FaceSamples), *formats(Mesh), *formats(Page)],
    "faces": [".png"],
}
DEFAULTS = ["png", "json", "glb", "obj"]


def work(request: Request, job: Job, tick: Tick) -> Report:
    """Imagine the face of one file's voice, and write it."""
    source = media.open(job.source, name=job.name)
    if not source.info.audio:
        raise MediaError(f"{job.name}: has no sound; give a recording of a voice")
    (hearing,) = stages(tick, source.info.duration, {"hearing": 1})
    spec = request.part(pipeline.SPEC)
    clip = source.clip(spec, tick=hearing, strict=request.strict)
    models = pipeline.load(request.options, request.device)
    found = pipeline.run(clip, request.options, models=models)
    face = found.face
    for path in job.outputs["face"]:
        if path.suffix in formats(Page):
            save_page(found, clip, path, job.title, request.device)
            continue
        value = found.mesh if path.suffix in formats(Mesh) else face
        save(value, [path], name="face", title=job.title)
    save(face, job.outputs.get("faces", []), name="faces", title=f"who may say {job.title}")
    warnings = [*clip.warnings]
    if found.heard.voices > 1:
        warnings.append(
            "more than one voice, or much noise, is in it, and the face is for all of it; "
            f"'avtool separate' takes a video's voices apart ({job.name})"
        )
    facts = {key: face.report[key] for key in ("sex", "age", "what")}
    made = [str(path) for path in job.paths]
    return Report(job.name, outputs=made, warnings=warnings, facts=facts)
