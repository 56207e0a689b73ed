"""`avtool sounds`."""

from __future__ import annotations

from typing import Annotated

import typer

from avtool.cli import options as opt
from avtool.cli.program import app, evaluation

PLACE = 7
Weights = Annotated[
    str | None,
    typer.Option("--weights", metavar="PATH", help="Kinds of your own, as --teach wrote them"),
]


@app.command()
def sounds(
    inputs: opt.SomeInputs = None,
    files: opt.Files = None,
    kinds: Annotated[
        str,
        typer.Option(
            "--kinds", metavar="NAMES", help="Only these kinds or groups, as speech,dog,music [all]"
        ),
    ] = "",
    threshold: Annotated[
        float, typer.Option(metavar="PART", help="How likely a sound is that is told")
    ] = 0.4,
    top: Annotated[
        int, typer.Option(metavar="N", help="Kinds that are told at most, most heard first")
    ] = 12,
    teach: Annotated[
        str | None,
        typer.Option(
            "--teach",
            metavar="FOLDER",
            help="Learn kinds of your own: a folder of examples for each; writes .safetensors",
        ),
    ] = None,
    weights: Weights = None,
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
    """Which sounds are heard when: speech, music, a dog, and 500 more.

    Writes a timeline as picture and json; csv, srt, txt (Audacity's labels) with -f.

    Example: avtool sounds clip.mp4
    """
    from avtool.batch.jobs import Plan
    from avtool.batch.request import Request
    from avtool.cli.drive import Batch, execute
    from avtool.errors import InputError
    from avtool.pipelines.sounds.pipeline import Options
    from avtool.pipelines.sounds.values import Sounds
    from avtool.pipelines.sounds.work import teach as learn
    from avtool.pipelines.sounds.work import work
    from avtool.save import formats

    options = Options(kinds, threshold, top, weights)
    request = Request(options, start, duration, strict, command="sounds")
    if teach is not None:
        if inputs or files or weights:
            raise InputError(
                "--teach takes its folder alone; then use --weights with what it wrote"
            )
        raise typer.Exit(learn(teach, out, request, overwrite=overwrite, json=json))
    usual = ["json", "png"]
    known = (*formats(Sounds), ".html")
    plan = Plan({"sounds": known}, opt.formats(format, usual, page), usual, out)
    batch = Batch(inputs, files, jobs, cluster, overwrite, retry_failed, json)
    execute(batch, plan, work, request)


@evaluation.command("sounds")
def evaluate(
    inputs: opt.Inputs,
    weights: Weights = None,
    json: opt.Json = False,
) -> None:
    """Times of sounds against true ones.

    Truth lies beside a file: talk.csv with start,end,kind, or talk.txt, Audacity's labels.
    """
    from avtool.pipelines.sounds.evaluate import report

    report(inputs, weights=weights, as_json=json)
