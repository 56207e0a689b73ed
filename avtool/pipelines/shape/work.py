"""`avtool shape`: from the job of one input to its files."""

from __future__ import annotations

from avtool.batch.jobs import Job
from avtool.batch.request import Report, Request, Tick
from avtool.errors import AvtoolError, MediaError
from avtool.pipelines.shape import pipeline
from avtool.pipelines.shape.pipeline import Forms, Models, Options
from avtool.pipelines.shape.read import read
from avtool.save import save

_models: dict[Options, Models] = {}  # read once in each process


def work(request: Request, job: Job, tick: Tick) -> Report:
    """Turn one file's shape into the forms that are asked for."""
    tick(None, "reading")
    options: Options = request.options
    given = read(job.source, job.name, options.up)
    if options not in _models:
        _models[options] = pipeline.load(options)
    found = Forms(given, options, _models[options])
    try:
        for field, paths in job.outputs.items():
            tick(None, f"making {field}")
            value = found.shape() if field == "shape" else getattr(found, field)
            save(value, paths, name=field, title=job.title)
    except MediaError as error:  # of the form itself, which does not know its file
        raise AvtoolError(f"{job.name}: {error}") from error
    facts = {"what": next(iter(found.what))} if found.what else {}
    return Report(
        job.name,
        outputs=[str(path) for path in job.paths],
        warnings=list(found.says),
        facts=facts,
    )
