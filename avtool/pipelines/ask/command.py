"""`avtool ask`."""

from __future__ import annotations

from typing import Annotated

import typer

from avtool.cli import options as opt
from avtool.cli.program import app, evaluation

PLACE = 11


@app.command()
def ask(
    inputs: opt.Inputs,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="In quotes, in English.")],
    threshold: Annotated[
        float, typer.Option(metavar="PART", help="How likely an answer is that is told")
    ] = 0.5,
    weights: opt.Weights = None,
    device: opt.Device = "auto",
    out: opt.Out = None,
    format: opt.Formats = None,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    jobs: opt.Jobs = None,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """A question about a picture or a film, answered, and by what.

    Prints the answer, how sure it is and where it comes from: faces, voices and sounds that other
    commands find, or a network that knows drawn shapes; else it cannot tell. Writes the picture
    with what was looked at, and json; both are of the last question.

    Example: avtool ask film.mp4 "who speaks first?"
    """
    from avtool.batch.jobs import Plan
    from avtool.batch.request import Request
    from avtool.pipelines.ask.pipeline import Options
    from avtool.pipelines.ask.values import Reply
    from avtool.pipelines.ask.work import run
    from avtool.save import formats

    options = Options(question, threshold, weights)
    request = Request(options, start, duration, strict, device, command="ask")
    plan = Plan({"ask": formats(Reply)}, format or [], ["json", "png"], out)
    run(inputs, plan, request, jobs=jobs, as_json=json)


@evaluation.command("ask")
def evaluate(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="With questions.tsv.")],
    weights: opt.Weights = None,
    device: opt.Device = "auto",
    json: opt.Json = False,
) -> None:
    """Answers against true ones.

    questions.tsv has the columns image, question, answer; image is a file of the folder.
    """
    from avtool.pipelines.ask.evaluate import report

    report(folder, weights=weights, device=device, as_json=json)
