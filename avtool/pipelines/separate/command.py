"""`avtool separate` and `avtool eval separate`."""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated

import typer

from avtool.cli import options as opt
from avtool.cli.program import app, evaluation

PLACE = 3
Weights = Annotated[
    str | None,
    typer.Option("--weights", metavar="PATH", help="A separator of your own [the shipped one]"),
]


@app.command()
def separate(
    inputs: opt.SomeInputs = None,
    files: opt.Files = None,
    face: Annotated[
        int | None,
        typer.Option("--face", metavar="N", help="Face whose voice is wanted, see 'avtool faces'"),
    ] = None,
    all: Annotated[
        bool, typer.Option("--all", help="Every face's voice, and the rest (the default).")
    ] = False,
    video: Annotated[
        bool, typer.Option("--video", help="Also an mp4 with that voice under the pictures.")
    ] = False,
    voices: Annotated[
        int | None,
        typer.Option(
            "--voices", metavar="2|3", help="Most people who speak at once [found by window]"
        ),
    ] = None,
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
    """The voice of each face in a video.

    Writes a wav per face, one with the rest, and a picture.

    Example: avtool separate talk.mp4 --face 2
    """
    from avtool.batch.jobs import Plan, is_folder
    from avtool.batch.request import Request
    from avtool.cli.drive import Batch, execute
    from avtool.errors import InputError
    from avtool.pipelines.separate.pipeline import Options
    from avtool.pipelines.separate.work import PICTURE, complete, name_of, work
    from avtool.save import formats
    from avtool.values import Audio

    if all and face is not None:
        raise InputError("--face and --all contradict each other; give one")
    if video and (start or duration is not None):
        raise InputError("--video keeps the whole picture; leave out --start and --duration")
    if out == "-" and (face is None or (sys.stdout and sys.stdout.isatty())):
        raise InputError("-o - takes one --face, and a pipe to write to")
    is_file = out not in (None, "-") and not is_folder(str(out))
    if face is None and is_file:
        raise InputError(f"-o {out} is one file for several voices; name a folder/, or one --face")
    if video and is_file:
        raise InputError(f"--video is a second file beside -o {out}; name a folder/")
    options = Options(face, voices, weights)
    request = Request(options, start, duration, strict, device, {"video": video}, "separate")
    plan = Plan(
        {name_of(face or 0): [*formats(Audio), ".mp4"]},
        [*(format or ["wav"]), "mp4"] if video else format or [],
        ["wav"],
        out,
        ({PICTURE: ".png"} if face is None else {}) | opt.pages(page, out, (start, duration)),
        r"face\d+",
    )
    every = partial(complete, request) if face is None else None
    batch = Batch(inputs, files, jobs, cluster, overwrite, retry_failed, json)
    execute(batch, plan, work, request, complete=every)


@evaluation.command("separate")
def evaluate(inputs: opt.Inputs, weights: Weights = None, json: opt.Json = False) -> None:
    """Voices against the true ones.

    The true voices lie beside each video: talk.face1.wav and talk.face2.wav beside talk.mp4.
    """
    from avtool.pipelines.separate.evaluate import report

    report(inputs, weights=weights, as_json=json)
