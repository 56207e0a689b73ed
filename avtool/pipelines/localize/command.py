"""`avtool localize` and `avtool eval localize`."""

from __future__ import annotations

from typing import Annotated

import typer

from avtool.cli import options as opt
from avtool.cli.program import app, evaluation

PLACE = 4
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights", metavar="PATH", help="An attention network of your own, as one more cue"
    ),
]


@app.command()
def localize(
    inputs: opt.SomeInputs = None,
    files: opt.Files = None,
    boxes: Annotated[bool, typer.Option("--boxes", help="Draw the source's box.")] = False,
    threshold: Annotated[
        float,
        typer.Option(metavar="PART", help="Part of the peak that still belongs to the source"),
    ] = 0.5,
    every: Annotated[
        float,
        typer.Option(parser=opt.seconds, metavar="TIME", help="Time between answers: seconds"),
    ] = 0.2,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show in the picture what each cue says alone.")
    ] = False,
    audit: Annotated[
        bool,
        typer.Option("--audit", help="Print how far the map moves with other sounds, or none."),
    ] = False,
    weights: Weights = None,
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
    """Where in the picture the sound comes from.

    Writes a video, a picture, json; the maps as npz with -f.

    Example: avtool localize clip.mp4
    """
    from avtool.batch.jobs import Plan
    from avtool.batch.request import Request
    from avtool.cli.drive import Batch, execute
    from avtool.errors import InputError
    from avtool.pipelines.localize.pipeline import Options
    from avtool.pipelines.localize.work import FILES, audited, work

    options = Options(every=every, threshold=threshold, explain=explain, weights=weights)
    request = Request(options, start, duration, strict, device, {"boxes": boxes}, "localize")
    if audit:
        if out or format:
            raise InputError("--audit prints a table and writes nothing; leave out -o and -f")
        if not inputs:
            raise InputError("--audit takes files or folders, and no --files")
        raise typer.Exit(audited(inputs, request, json))
    plan = Plan(
        FILES, format or [], ["mp4", "json", "png"], out, opt.pages(page, out, (start, duration))
    )
    batch = Batch(inputs, files, jobs, cluster, overwrite, retry_failed, json)
    execute(batch, plan, work, request)


@evaluation.command("localize")
def evaluate(
    inputs: opt.Inputs,
    boxes: Annotated[
        str,
        typer.Option(
            "--boxes",
            metavar="PATH",
            help="True boxes: CSV, VGG-SS's json, or Flickr-SoundNet's folder of xml",
        ),
    ],
    weights: Weights = None,
    json: opt.Json = False,
) -> None:
    """Places of sounds against true boxes.

    cIoU, AUC and pointing, beside maps that need no sound.
    """
    from avtool.pipelines.localize.evaluate import report

    report(inputs, boxes=boxes, weights=weights, as_json=json)
