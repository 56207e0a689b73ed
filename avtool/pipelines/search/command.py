"""`avtool search` and `avtool tag`."""

from __future__ import annotations

from typing import Annotated

import typer

from avtool.cli import options as opt
from avtool.cli.program import app, evaluation

PLACE = 8
Weights = Annotated[
    str | None,
    typer.Option("--weights", metavar="PATH", help="A joint embedding of your own [the shipped]"),
]


@app.command()
def search(
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help='What to look for; "" where --like says it all.')
    ],
    inputs: opt.Inputs,
    like: Annotated[
        str | None, typer.Option("--like", metavar="PICTURE", help="What looks like this picture")
    ] = None,
    minus: Annotated[
        str, typer.Option("--minus", metavar="WORDS", help="Without this, of what --like shows")
    ] = "",
    plus: Annotated[
        str, typer.Option("--plus", metavar="WORDS", help="With this besides, or in its place")
    ] = "",
    top: Annotated[int, typer.Option(metavar="N", help="Hits that are told at most")] = 12,
    index: Annotated[
        str | None,
        typer.Option("--index", metavar="FILE", help="Where it is kept what was seen [the cache]"),
    ] = None,
    out: opt.Out = None,
    format: opt.Formats = None,
    weights: Weights = None,
    overwrite: opt.Overwrite = False,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """Pictures and moments of films by words: "two dogs play in snow", or "a dog barks".

    Prints what fits best, and writes a strip of it as png; json, csv, edl (an editor's list) and
    m3u8 (a player's) with -f. Files that were looked at before are not looked at again.

    Example: avtool search "a man in a red shirt" films/ photos/
    """
    from avtool.pipelines.search.pipeline import Query
    from avtool.pipelines.search.work import Files, run

    query_ = Query(query, like, minus, plus, top)
    files = Files(inputs, index, out, format or [], overwrite)
    raise typer.Exit(run(query_, files, weights=weights, strict=strict, as_json=json))


@app.command()
def tag(
    inputs: opt.SomeInputs = None,
    files: opt.Files = None,
    threshold: Annotated[
        float, typer.Option(metavar="PART", help="How likely a word is that is told")
    ] = 0.5,
    top: Annotated[int, typer.Option(metavar="N", help="Words that are told at most")] = 10,
    weights: Weights = None,
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
    """Words for a picture or a film: man, dog, snow; none where none is likely.

    Writes json with each word and how likely it fits; csv, txt with -f.

    Example: avtool tag photo.jpg
    """
    from avtool.batch.jobs import Plan
    from avtool.batch.request import Request
    from avtool.cli.drive import Batch, execute
    from avtool.media.image import SUFFIXES
    from avtool.pipelines.search.tag import Options
    from avtool.pipelines.search.values import Tags
    from avtool.pipelines.search.work import tell, work
    from avtool.save import formats

    request = Request(Options(threshold, top, weights), start, duration, strict, command="tag")
    plan = Plan({"tags": formats(Tags)}, format or [], ["json"], out)
    batch = Batch(inputs, files, jobs, cluster, overwrite, retry_failed, json, SUFFIXES)
    execute(batch, plan, work, request, show=tell)


@evaluation.command("search")
def evaluate(
    folder: Annotated[
        str, typer.Argument(metavar="FOLDER", help="With captions.tsv and images/, as Flickr8k.")
    ],
    split: Annotated[str, typer.Option(metavar="NAME", help="Of captions.tsv")] = "test",
    weights: Weights = None,
    json: opt.Json = False,
) -> None:
    """How often words find their picture, and pictures their words; and the tags.

    Beside it: by ImageNet's kinds alone, by chance, and with the pictures shuffled.
    """
    from avtool.pipelines.search.evaluate import report

    report(folder, split=split, weights=weights, as_json=json)
