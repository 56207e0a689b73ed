"""`avtool refocus`."""

from __future__ import annotations

from typing import Annotated

import typer

from avtool.cli import options as opt
from avtool.cli.program import app

PLACE = 5


@app.command()
def refocus(
    inputs: opt.SomeInputs = None,
    files: opt.Files = None,
    face: Annotated[
        int | None,
        typer.Option("--face", metavar="N", help="Face in focus, see 'avtool faces' [largest]"),
    ] = None,
    speaker: Annotated[
        bool, typer.Option("--speaker", help="The focus goes to who speaks.")
    ] = False,
    blur: Annotated[
        float,
        typer.Option(metavar="0.7 … 22", help="Opening as a 50 mm lens's f-number: 0.7 is much"),
    ] = 1.4,
    exact: Annotated[
        bool, typer.Option("--exact", help="Faces as far away as the one in focus stay sharp.")
    ] = False,
    depth: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Depth: photo or film, brighter is nearer; .npy: metres"),
    ] = None,
    right: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Right picture or film of a stereo pair"),
    ] = None,
    device: opt.Device = "auto",
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
    """One face sharp, everything else out of focus by its depth.

    Writes the film, or the photo as jpg, and a picture of it before and after. json with -f.

    Example: avtool refocus talk.mp4 --face 2
    """
    from functools import partial
    from pathlib import Path

    from avtool.batch.jobs import Plan, is_folder
    from avtool.batch.request import Request
    from avtool.cli.drive import Batch, execute
    from avtool.media.image import SUFFIXES
    from avtool.pipelines.refocus.pipeline import Options
    from avtool.pipelines.refocus.values import Photo, Refocused
    from avtool.pipelines.refocus.work import FIELD, complete, work
    from avtool.save import formats
    from avtool.values import Video

    usual = not format and (out is None or out == "-" or is_folder(out) or not Path(out).suffix)
    options = Options(face, speaker, blur, exact, depth, right)
    request = Request(
        options, start, duration, strict, device, extra={"usual": usual}, command="refocus"
    )
    known = [*formats(Video), *formats(Photo), *formats(Refocused)]
    plan = Plan({FIELD: known}, format or [], ["mp4", "png"], out)
    batch = Batch(inputs, files, jobs, cluster, overwrite, retry_failed, json, SUFFIXES)
    execute(batch, plan, work, request, complete=partial(complete, request))
