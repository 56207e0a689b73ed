"""`avtool speech2face` and `avtool eval speech2face`."""

from __future__ import annotations

from typing import Annotated

import typer

from avtool.cli import options as opt
from avtool.cli.program import app, evaluation

PLACE = 6


@app.command()
def speech2face(
    inputs: opt.SomeInputs = None,
    files: opt.Files = None,
    samples: Annotated[
        int, typer.Option("--samples", metavar="N", help="Number of faces on the sheet, 1 to 64")
    ] = 8,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Seed of the draw of the sheet's faces")
    ] = 0,
    mean: Annotated[
        bool, typer.Option("--mean", help="The portrait is the mean face, not this voice's own.")
    ] = False,
    weights: opt.Weights = None,
    device: opt.Device = "auto",
    out: opt.Out = None,
    format: opt.Formats = None,
    page: opt.Page = False,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    jobs: opt.Jobs = None,
    cluster: opt.Cluster = None,
    overwrite: opt.Overwrite = False,
    retry_failed: opt.RetryFailed = False,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """A plausible face for a voice, not a likeness.

    Writes a portrait, a sheet of other plausible faces, a head in 3D, and what was heard.

    Example: avtool speech2face hello.wav
    """
    from avtool.batch.jobs import Plan
    from avtool.batch.request import Request
    from avtool.cli.drive import Batch, execute
    from avtool.pipelines.speech2face.pipeline import Options
    from avtool.pipelines.speech2face.work import DEFAULTS, FILES, work

    options = Options(samples=samples, seed=seed, mean=mean, weights=weights)
    request = Request(options, start, duration, strict, device, command="speech2face")
    plan = Plan(FILES, opt.formats(format, DEFAULTS, page), DEFAULTS, out)
    batch = Batch(inputs, files, jobs, cluster, overwrite, retry_failed, json)
    execute(batch, plan, work, request)


@evaluation.command("speech2face")
def evaluate(
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="CSV with file and sex (F, M), files below it.")
    ],
    weights: opt.Weights = None,
    json: opt.Json = False,
) -> None:
    """Faces for voices against a table of sexes.

    Sex, calibration, and how often half a recording finds its other half.
    """
    from avtool.pipelines.speech2face.evaluate import report

    report(table, weights=weights, as_json=json)
