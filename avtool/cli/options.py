"""Options that several commands share, said once; and how their texts are read."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from avtool.pipelines.presets import PRESETS


def seconds(text: str | float) -> float:
    """Seconds of a time as people write it.

    >>> seconds("90"), seconds("1:30"), seconds("01:00:00.5")
    (90.0, 90.0, 3600.5)
    """
    if isinstance(text, float):
        return text
    if not re.fullmatch(r"(\d+:)?(\d+:)?\d*\.?\d+", text):
        raise typer.BadParameter(f"'{text}' is no time; write seconds or hh:mm:ss")
    total = 0.0
    for part in text.split(":"):
        total = total * 60 + float(part)
    return total


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


Inputs = Annotated[list[str], typer.Argument(metavar="INPUT", help="Files or folders; - is stdin.")]
Out = Annotated[
    str | None,
    typer.Option(
        "-o", "--out", metavar="PATH", help="File, or folder (ends in / or exists); - is stdout."
    ),
]
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "-f",
        "--format",
        metavar="FORMAT",
        help="One or several, as npz,png; else -o's suffix says.",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace outputs that exist (else they are skipped).")
]
Jobs = Annotated[int, typer.Option("-j", "--jobs", min=1, help="Files at a time.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object an input on stdout.")]
Strict = Annotated[bool, typer.Option("--strict", help="Damaged media is an error.")]
Start = Annotated[
    float,
    typer.Option(parser=seconds, metavar="TIME", help="Begin here [seconds or hh:mm:ss]."),
]
Duration = Annotated[
    float | None,
    typer.Option(parser=seconds, metavar="TIME", help="Look at this much [seconds or hh:mm:ss]."),
]
Device = Annotated[
    str,
    typer.Option(metavar="auto|cpu|cuda|mps", help="Where networks run; auto takes a GPU."),
]
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
