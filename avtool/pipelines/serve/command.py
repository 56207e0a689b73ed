"""`avtool serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from avtool.cli import options as opt
from avtool.cli.program import app

PLACE = 8


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; others may reach 0.0.0.0.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    open: Annotated[
        bool, typer.Option("--open/--no-open", help="Show it in the browser, or tell its address.")
    ] = True,
    max_upload: Annotated[
        int, typer.Option("--max-upload", metavar="MB", min=1, help="Largest file that is taken")
    ] = 1000,
    keep: Annotated[
        float,
        typer.Option(
            parser=opt.seconds,
            metavar="TIME",
            help="Files are removed so long after they were made: seconds or hh:mm:ss",
        ),
    ] = 3600.0,
    device: opt.Device = "auto",
) -> None:
    """The commands in a browser: drop a film, get its page.

    Serves this machine alone, until Ctrl-C; then all that was sent and made is removed.

    Example: avtool serve
    """
    from avtool.pipelines.serve.work import run

    run(host, port, open=open, most_bytes=max_upload * 1_000_000, keep=keep, device=device)
