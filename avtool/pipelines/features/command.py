"""`avtool waveform`, `spectrogram`, `mel` and `mfcc`."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from avtool.cli import options as opt
from avtool.cli.program import app
from avtool.pipelines.features.presets import PRESETS

PLACE = 1


def span(text: str | int | float) -> int | float:
    """A length: samples where it is an integer, else seconds.

    >>> span("400"), span("0.025"), span("25ms"), span("1s")
    (400, 0.025, 0.025, 1.0)
    """
    if not isinstance(text, str):
        return text
    match = re.fullmatch(r"(\d*\.?\d+)(ms|s)?", text)
    if not match or float(match[1]) == 0:
        raise typer.BadParameter(f"'{text}' is no length; write samples (400), 25ms or 0.025")
    if match[2]:
        return float(match[1]) / (1000 if match[2] == "ms" else 1)
    return int(text) if text.isdigit() else float(text)


Mono = Annotated[bool, typer.Option("--mono", help="The mean of all channels.")]
Channel = Annotated[int | None, typer.Option(min=1, help="One channel, counted from 1.")]
Rate = Annotated[int | None, typer.Option("--sr", help="Rate to resample to: Hz [the file's own]")]

Preset = Annotated[
    str | None,
    typer.Option(metavar="|".join(PRESETS), help="Tool whose defaults and numbers to take [none]"),
]
NFft = Annotated[
    int | None,
    typer.Option("--n-fft", help="Transform length: samples [next power of two from --win]"),
]
Win = Annotated[
    float | None,
    typer.Option(
        parser=span,
        metavar="LENGTH",
        help="Window length: 400 samples, 25ms or 0.025 s [25 ms]",
    ),
]
Hop = Annotated[
    float | None,
    typer.Option(
        parser=span,
        metavar="LENGTH",
        help="Frame distance: 160 samples, 10ms or 0.01 s [10 ms]",
    ),
]
Window = Annotated[
    str | None,
    typer.Option(help="Window: hann, hamming, blackman, blackmanharris, boxcar, povey [hann]"),
]
Center = Annotated[
    bool | None,
    typer.Option("--center/--no-center", help="Frames centred on their times, or not [--center]"),
]
Power = Annotated[
    float | None,
    typer.Option(help="Exponent of |X|: 1 magnitude, 2 power, 0 complex (spectrogram) [2]"),
]
NMels = Annotated[int | None, typer.Option("--n-mels", help="Number of mel bands [80]")]
FMin = Annotated[float | None, typer.Option("--fmin", help="Lowest mel frequency: Hz [0]")]
FMax = Annotated[
    float | None, typer.Option("--fmax", help="Highest mel frequency: Hz [half the rate]")
]
NMfcc = Annotated[
    int | None, typer.Option("--n-mfcc", help="Number of coefficients, up to --n-mels [13]")
]
Lifter = Annotated[float | None, typer.Option(help="Cepstral lifter: 22 is usual, 0 none [0]")]
Deltas = Annotated[int | None, typer.Option(help="Orders of derivatives to append: 0, 1 or 2 [0]")]
PerShard = Annotated[
    int | None,
    typer.Option("--per-shard", metavar="N", min=1, help="Inputs in each shard of -f tar [1000]"),
]


@app.command()
def waveform(
    inputs: opt.SomeInputs = None,
    files: opt.Files = None,
    out: opt.Out = None,
    format: opt.Formats = None,
    page: opt.Page = False,
    sr: Rate = None,
    mono: Mono = False,
    channel: Channel = None,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    jobs: opt.Jobs = None,
    cluster: opt.Cluster = None,
    overwrite: opt.Overwrite = False,
    retry_failed: opt.RetryFailed = False,
    per_shard: PerShard = None,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """The samples over time.

    Writes a picture, and wav, flac, npz, npy, csv or parquet.

    Example: avtool waveform talk.wav
    """
    _run("waveform", locals())


@app.command()
def spectrogram(
    inputs: opt.SomeInputs = None,
    files: opt.Files = None,
    out: opt.Out = None,
    format: opt.Formats = None,
    page: opt.Page = False,
    preset: Preset = None,
    sr: Rate = None,
    n_fft: NFft = None,
    win: Win = None,
    hop: Hop = None,
    window: Window = None,
    center: Center = None,
    power: Power = None,
    mono: Mono = False,
    channel: Channel = None,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    jobs: opt.Jobs = None,
    cluster: opt.Cluster = None,
    overwrite: opt.Overwrite = False,
    retry_failed: opt.RetryFailed = False,
    per_shard: PerShard = None,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """The short-time Fourier transform.

    Writes a picture, and npz, npy, csv or parquet.

    Example: avtool spectrogram talk.wav
    """
    _run("spectrogram", locals())


@app.command()
def mel(
    inputs: opt.SomeInputs = None,
    files: opt.Files = None,
    out: opt.Out = None,
    format: opt.Formats = None,
    page: opt.Page = False,
    preset: Preset = None,
    sr: Rate = None,
    n_fft: NFft = None,
    win: Win = None,
    hop: Hop = None,
    window: Window = None,
    center: Center = None,
    power: Power = None,
    n_mels: NMels = None,
    fmin: FMin = None,
    fmax: FMax = None,
    mono: Mono = False,
    channel: Channel = None,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    jobs: opt.Jobs = None,
    cluster: opt.Cluster = None,
    overwrite: opt.Overwrite = False,
    retry_failed: opt.RetryFailed = False,
    per_shard: PerShard = None,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """The log-mel spectrogram.

    Writes a picture, and npz, npy, csv or parquet.

    Example: avtool mel talk.wav --preset whisper
    """
    _run("mel", locals())


@app.command()
def mfcc(
    inputs: opt.SomeInputs = None,
    files: opt.Files = None,
    out: opt.Out = None,
    format: opt.Formats = None,
    page: opt.Page = False,
    preset: Preset = None,
    sr: Rate = None,
    n_fft: NFft = None,
    win: Win = None,
    hop: Hop = None,
    window: Window = None,
    center: Center = None,
    power: Power = None,
    n_mels: NMels = None,
    fmin: FMin = None,
    fmax: FMax = None,
    n_mfcc: NMfcc = None,
    lifter: Lifter = None,
    deltas: Deltas = None,
    mono: Mono = False,
    channel: Channel = None,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    jobs: opt.Jobs = None,
    cluster: opt.Cluster = None,
    overwrite: opt.Overwrite = False,
    retry_failed: opt.RetryFailed = False,
    per_shard: PerShard = None,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """Mel-frequency cepstral coefficients.

    Writes a picture, and npz, npy, csv or parquet.

    Example: avtool mfcc talk.wav --deltas 1
    """
    _run("mfcc", locals())


def _run(name: str, flags: dict[str, Any]) -> None:
    from avtool.pipelines.features.work import run

    run(name, **flags)
