"""`avtool caption`."""

from __future__ import annotations

from typing import Annotated

import typer

from avtool.cli import options as opt
from avtool.cli.program import app, evaluation

PLACE = 8
Decoder = Annotated[
    str, typer.Option(metavar="attend|tell|both", help="Which network says it; both is the mean")
]


@app.command()
def caption(
    inputs: opt.SomeInputs = None,
    files: opt.Files = None,
    beam: Annotated[
        int, typer.Option(metavar="N", help="Beginnings of sentences that are followed at a time")
    ] = 4,
    best: Annotated[int, typer.Option(metavar="N", help="How many sentences are told")] = 3,
    length: Annotated[int, typer.Option(metavar="N", help="Words of a sentence at most")] = 21,
    decoder: Decoder = "attend",
    weights: opt.Weights = None,
    out: opt.Out = None,
    format: opt.Formats = None,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    jobs: opt.Jobs = None,
    cluster: opt.Cluster = None,
    overwrite: opt.Overwrite = False,
    retry_failed: opt.RetryFailed = False,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """A sentence for a photo, or for each shot of a film.

    Writes a picture with the sentence and where each word looked, and json; a film's shots as a
    contact sheet. txt, and srt and vtt of a film, with -f.

    Example: avtool caption sample_media/cocktail.mp4
    """
    from avtool.batch.jobs import Plan
    from avtool.batch.request import Request
    from avtool.cli.drive import Batch, execute
    from avtool.media.image import SUFFIXES
    from avtool.pipelines.caption.pipeline import Options
    from avtool.pipelines.caption.values import Captions
    from avtool.pipelines.caption.work import work
    from avtool.save import formats

    options = Options(beam, best, length, decoder, weights)
    request = Request(options, start, duration, strict, command="caption")
    plan = Plan({"caption": formats(Captions)}, format or [], ["json", "png"], out)
    batch = Batch(inputs, files, jobs, cluster, overwrite, retry_failed, json, SUFFIXES)
    execute(batch, plan, work, request)


@evaluation.command("caption")
def evaluate(
    data: Annotated[str, typer.Argument(metavar="DATA", help="Folder with captions.tsv, images/")],
    beam: Annotated[int, typer.Option(metavar="N", help="Width of the beam")] = 4,
    decoder: Decoder = "attend",
    weights: opt.Weights = None,
    json: opt.Json = False,
) -> None:
    """Sentences against those that people wrote.

    DATA has captions.tsv (image, split, caption) and images/; of its split test, or of all.
    """
    from avtool.pipelines.caption.evaluate import report

    report(data, beam=beam, decoder=decoder, weights=weights, as_json=json)
