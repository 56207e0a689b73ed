"""The commands. Each is one screen: its words, its options, its pipeline."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

# Idle threads of numpy's BLAS spin, which costs every command more than its own work. The networks
# run in torch, whose threads are its own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import typer

from avtool import __version__
from avtool.cli import options as opt
from avtool.cli.terminal import say
from avtool.errors import AvtoolError, InputError

app = typer.Typer(
    name="avtool",
    help="Sound and pictures of talking people, on a bare machine, offline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """The program: errors become one line and an exit code."""
    arguments = sys.argv[1:]
    # Words about talking are for the whole program, wherever they are written.
    end = arguments.index("--") if "--" in arguments else len(arguments)
    flags = [a for a in arguments[:end] if a in ("--debug", "-q", "--quiet", "-v", "--verbose")]
    rest = [a for a in arguments[:end] if a not in flags] + arguments[end:]
    try:
        app(flags + rest, prog_name="avtool")
    except AvtoolError as error:
        if say.debug:
            raise
        say.error(str(error))
        sys.exit(2 if isinstance(error, InputError) else 1)


@app.callback()
def root(
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say errors only.")] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Show ffmpeg's command lines.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=lambda on: _version(on), is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Set how much is said, for all commands."""
    say.quiet, say.verbose, say.debug = quiet, verbose, debug
    if verbose:
        from avtool.media import ffmpeg

        ffmpeg.on_start = lambda command: say.note(" ".join(command))


def _version(on: bool) -> None:
    if on:
        print(f"avtool {__version__}")
        raise typer.Exit


@app.command()
def waveform(
    inputs: opt.Inputs,
    out: opt.Out = None,
    format: opt.Formats = None,
    sr: opt.Rate = None,
    mono: opt.Mono = False,
    channel: opt.Channel = None,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    jobs: opt.Jobs = 1,
    overwrite: opt.Overwrite = False,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """The samples: a picture over time, and wav, flac, npz, npy, csv or parquet."""
    _run("waveform", locals())


@app.command()
def spectrogram(
    inputs: opt.Inputs,
    out: opt.Out = None,
    format: opt.Formats = None,
    preset: opt.Preset = None,
    sr: opt.Rate = None,
    n_fft: opt.NFft = None,
    win: opt.Win = None,
    hop: opt.Hop = None,
    window: opt.Window = None,
    center: opt.Center = None,
    power: opt.Power = None,
    mono: opt.Mono = False,
    channel: opt.Channel = None,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    jobs: opt.Jobs = 1,
    overwrite: opt.Overwrite = False,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """The short-time Fourier transform: a picture, and npz, npy, csv or parquet."""
    _run("spectrogram", locals())


@app.command()
def mel(
    inputs: opt.Inputs,
    out: opt.Out = None,
    format: opt.Formats = None,
    preset: opt.Preset = None,
    sr: opt.Rate = None,
    n_fft: opt.NFft = None,
    win: opt.Win = None,
    hop: opt.Hop = None,
    window: opt.Window = None,
    center: opt.Center = None,
    power: opt.Power = None,
    n_mels: opt.NMels = None,
    fmin: opt.FMin = None,
    fmax: opt.FMax = None,
    mono: opt.Mono = False,
    channel: opt.Channel = None,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    jobs: opt.Jobs = 1,
    overwrite: opt.Overwrite = False,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """The log-mel spectrogram: a picture, and npz, npy, csv or parquet."""
    _run("mel", locals())


@app.command()
def mfcc(
    inputs: opt.Inputs,
    out: opt.Out = None,
    format: opt.Formats = None,
    preset: opt.Preset = None,
    sr: opt.Rate = None,
    n_fft: opt.NFft = None,
    win: opt.Win = None,
    hop: opt.Hop = None,
    window: opt.Window = None,
    center: opt.Center = None,
    power: opt.Power = None,
    n_mels: opt.NMels = None,
    fmin: opt.FMin = None,
    fmax: opt.FMax = None,
    n_mfcc: opt.NMfcc = None,
    lifter: opt.Lifter = None,
    deltas: opt.Deltas = None,
    mono: opt.Mono = False,
    channel: opt.Channel = None,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    jobs: opt.Jobs = 1,
    overwrite: opt.Overwrite = False,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """Mel-frequency cepstral coefficients: a picture, and npz, npy, csv or parquet."""
    _run("mfcc", locals())


def _run(name: str, flags: dict[str, Any]) -> None:
    from avtool.cli.features import run

    raise typer.Exit(run(name, **flags))


@app.command()
def faces(
    inputs: opt.Inputs,
    device: opt.Device = "auto",
    out: opt.Out = None,
    format: opt.Formats = None,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    overwrite: opt.Overwrite = False,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """Who is in a video, numbered: a contact sheet, and json with boxes and who speaks when."""
    flags = locals()
    from avtool.cli.faces import run

    raise typer.Exit(run(**flags))


@app.command()
def separate(
    inputs: opt.Inputs,
    face: Annotated[
        int | None,
        typer.Option("--face", metavar="N", help="Whose voice; 'avtool faces' shows the numbers."),
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
            "--voices", min=2, max=3, metavar="N", help="Most that speak at once, seen or not."
        ),
    ] = None,
    weights: Annotated[
        str | None, typer.Option("--weights", metavar="PATH", help="A separator of your own.")
    ] = None,
    device: opt.Device = "auto",
    out: opt.Out = None,
    format: opt.Formats = None,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    overwrite: opt.Overwrite = False,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """The voice of a face in a video, out of all that is heard."""
    flags = locals()
    from avtool.cli.separate import run

    raise typer.Exit(run(**flags))


@app.command()
def localize(
    inputs: opt.Inputs,
    boxes: Annotated[bool, typer.Option("--boxes", help="Draw the source's box.")] = False,
    threshold: Annotated[
        float, typer.Option(metavar="PART", help="How much of the peak is still the source.")
    ] = 0.5,
    every: Annotated[
        float, typer.Option(parser=opt.seconds, metavar="TIME", help="From one look to the next.")
    ] = 0.2,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show in the picture what each cue says alone.")
    ] = False,
    audit: Annotated[
        bool,
        typer.Option("--audit", help="Print how far the map moves with other sounds, or none."),
    ] = False,
    device: opt.Device = "auto",
    out: opt.Out = None,
    format: opt.Formats = None,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    overwrite: opt.Overwrite = False,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """Where in the picture the sound comes from: a video, a picture, json; npz with -f."""
    flags = locals()
    flags["controls"] = flags.pop("audit")
    from avtool.cli.localize import run

    raise typer.Exit(run(**flags))


@app.command()
def lips(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="FACE SPEECH", help="A photo or a video of a face, then what it is to say."
        ),
    ],
    face: Annotated[
        int | None,
        typer.Option("--face", metavar="N", help="Whose mouth; else the largest face's."),
    ] = None,
    length: Annotated[
        str, typer.Option(metavar="speech|video", help="Whose length the result has.")
    ] = "speech",
    avatar: Annotated[
        bool, typer.Option("--avatar", help="The built-in head speaks: give the speech alone.")
    ] = False,
    curves: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="The motion as 52 ARKit face units: .csv or .json."),
    ] = None,
    fps: Annotated[int, typer.Option(metavar="25|60", help="Of the curves.")] = 25,
    still: Annotated[
        bool, typer.Option("--still", help="A photo moves its mouth only: no blink, no nod.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="A photo keeps its size, else it fits 1920 x 1080.")
    ] = False,
    mark: Annotated[
        bool, typer.Option("--mark", help="Write 'synthetic' into the picture.")
    ] = False,
    weights: Annotated[
        str | None, typer.Option("--weights", metavar="PATH", help="A network of your own.")
    ] = None,
    device: opt.Device = "auto",
    out: opt.Out = None,
    format: opt.Formats = None,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    overwrite: opt.Overwrite = False,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """A mouth for any sentence: a photo, a video or the built-in head says a sound."""
    flags = locals()
    from avtool.cli.lips import run

    raise typer.Exit(run(**flags))


@app.command()
def speech2face(
    inputs: opt.Inputs,
    samples: Annotated[
        int, typer.Option("--samples", metavar="N", help="Plausible faces on the sheet.")
    ] = 8,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the draw of the faces.")] = 0,
    weights: Annotated[
        str | None, typer.Option("--weights", metavar="PATH", help="A network of your own.")
    ] = None,
    device: opt.Device = "auto",
    out: opt.Out = None,
    format: opt.Formats = None,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    overwrite: opt.Overwrite = False,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """A plausible face for a voice: portrait, range, 3D head, what was heard. Not a likeness."""
    flags = locals()
    from avtool.cli.speech2face import run

    raise typer.Exit(run(**flags))


@app.command()
def info(
    inputs: opt.Inputs,
    scan: Annotated[
        bool, typer.Option("--scan", help="Read all packets: exact length, frames, rate.")
    ] = False,
    json: opt.Json = False,
) -> None:
    """What is in a file: streams, rates, sizes, rotation, offsets."""
    from avtool.cli.report import info as report

    raise typer.Exit(report(inputs, scan=scan, as_json=json))


@app.command()
def doctor(json: opt.Json = False) -> None:
    """Is this machine ready: ffmpeg, codecs, packages, device, and do the numbers agree?"""
    from avtool.cli.report import doctor as report

    raise typer.Exit(report(as_json=json))


measure = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(measure, name="eval", help="How good is it, on files whose truth lies beside them?")


@measure.command("separation")
def eval_separation(
    inputs: opt.Inputs,
    weights: Annotated[
        str | None, typer.Option("--weights", metavar="PATH", help="A separator of your own.")
    ] = None,
    json: opt.Json = False,
) -> None:
    """Voices against true ones: talk.face1.wav and talk.face2.wav beside talk.mp4."""
    from avtool.cli.evaluate import separation

    raise typer.Exit(separation(inputs, weights=weights, as_json=json))


@measure.command("speech2face")
def eval_speech2face(
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="CSV with file and sex (F, M), files below it.")
    ],
    weights: Annotated[
        str | None, typer.Option("--weights", metavar="PATH", help="A network of your own.")
    ] = None,
    json: opt.Json = False,
) -> None:
    """Is the face of a voice of its sex, as sure as it is right, and found again by the voice?"""
    from avtool.cli.evaluate import speech2face as measured

    raise typer.Exit(measured(table, weights=weights, as_json=json))


@measure.command("lips")
def eval_lips(
    inputs: opt.Inputs,
    weights: Annotated[
        str | None, typer.Option("--weights", metavar="PATH", help="A network of your own.")
    ] = None,
    json: opt.Json = False,
) -> None:
    """Mouths moved by the sound of videos of one talking face, against the real mouths."""
    from avtool.cli.evaluate import lips as measured

    raise typer.Exit(measured(inputs, weights=weights, as_json=json))


@measure.command("localize")
def eval_localize(
    inputs: opt.Inputs,
    boxes: Annotated[
        str,
        typer.Option(
            "--boxes",
            metavar="PATH",
            help="CSV, VGG-SS's json, or Flickr-SoundNet's folder of xml.",
        ),
    ],
    json: opt.Json = False,
) -> None:
    """Places of sounds against boxes: cIoU, AUC, pointing, beside maps that need no sound."""
    from avtool.cli.evaluate import localize as measured

    raise typer.Exit(measured(inputs, boxes=boxes, as_json=json))
