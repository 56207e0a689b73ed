"""`avtool show`."""

from __future__ import annotations

from typing import Annotated

import typer

from avtool.cli import options as opt
from avtool.cli.program import app

PLACE = 0


@app.command()
def show(
    inputs: opt.Inputs,
    open: Annotated[
        bool, typer.Option("--open/--no-open", help="Show it in the browser, or write it only.")
    ] = True,
    embed: Annotated[
        bool | None,
        typer.Option(
            "--embed/--no-embed",
            help="The film is in the page, or a mute copy beside it [up to 20 MB]",
        ),
    ] = None,
    device: opt.Device = "auto",
    out: opt.Out = None,
    jobs: opt.Jobs = None,
    overwrite: opt.Overwrite = False,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """A page: click a face, hear its voice.

    Writes one HTML file a film or sound, for a folder one more that lists them.

    Example: avtool show talk.mp4
    """
    from avtool.pipelines.show.work import Options, run

    run(
        inputs,
        Options(embed),
        open=open,
        device=device,
        out=out,
        jobs=jobs,
        overwrite=overwrite,
        strict=strict,
        as_json=json,
    )
