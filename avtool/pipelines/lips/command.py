"""`avtool lips` and `avtool eval lips`."""

from __future__ import annotations

from typing import Annotated

import typer

from avtool.cli import options as opt
from avtool.cli.program import app, evaluation

PLACE = 5


@app.command()
def lips(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FACE SPEECH",
            help="A photo or a video of a face, then what it is to say: one or more.",
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(metavar="WORDS", help="What is said, by a synthesiser that is here"),
    ] = None,
    face: Annotated[
        int | None,
        typer.Option("--face", metavar="N", help="Face whose mouth moves, from the left [largest]"),
    ] = None,
    length: Annotated[
        str, typer.Option(metavar="speech|video", help="Source of the result's length")
    ] = "speech",
    avatar: Annotated[
        bool, typer.Option("--avatar", help="The built-in head speaks: give the speech alone.")
    ] = False,
    preview: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.1, help="Make the beginning alone, to look at"),
    ] = None,
    curves: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="File for the motion as 52 ARKit units: .csv or .json"),
    ] = None,
    glb: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="File for the built-in head in 3D that says it: .glb"),
    ] = None,
    fps: Annotated[
        int | None,
        typer.Option(metavar="25|30|50|60", help="Frames per second [a video's own, else 25]"),
    ] = None,
    energy: Annotated[
        float, typer.Option(metavar="0.5 … 1.5", help="How wide the mouth moves")
    ] = 1.0,
    still: Annotated[
        bool, typer.Option("--still", help="A photo moves its mouth only: no blink, no nod.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="A photo keeps its size, else it fits 1920 x 1080.")
    ] = False,
    mark: Annotated[
        bool, typer.Option("--mark", help="Write 'synthetic' into the picture.")
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
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """A photo, a video or the built-in head says a sound.

    Writes a video, named after both, and a picture of a few moments.

    Example: avtool lips me.png hello.wav
    """
    from avtool.pipelines.lips.pipeline import Options
    from avtool.pipelines.lips.work import DEFAULTS, run

    run(
        inputs or [],
        Options(face, length, still, weights, fps, energy),  # type: ignore[arg-type]
        text=text,
        avatar=avatar,
        preview=preview,
        curves=curves,
        glb=glb,
        extra={"full": full, "mark": mark},
        out=out,
        format=opt.formats(format, DEFAULTS, page),
        part=(start, duration),
        device=device,
        jobs=jobs,
        cluster=cluster,
        overwrite=overwrite,
        strict=strict,
        as_json=json,
    )


@evaluation.command("lips")
def evaluate(inputs: opt.Inputs, weights: opt.Weights = None, json: opt.Json = False) -> None:
    """Mouths moved by a sound against the real ones.

    Takes videos of one talking face each.
    """
    from avtool.pipelines.lips.evaluate import report

    report(inputs, weights=weights, as_json=json)
