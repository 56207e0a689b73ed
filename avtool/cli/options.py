"""Options that several commands share, said once; and how their texts are read."""

from __future__ import annotations

import re
from typing import Annotated

import typer


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


def pages(wanted: bool, out: str | None, part: tuple[float, float | None]) -> dict[str, str]:
    """What the page of a film adds to a command's files: suffix by field.

    Raises:
        InputError: -o has no room for it, or a part of the film is asked for.
    """
    from avtool.batch.jobs import is_folder
    from avtool.errors import InputError

    if wanted and out is not None and not is_folder(out):
        raise InputError(f"--page is a second file beside -o {out}; name a folder/")
    if wanted and part != (0.0, None):
        raise InputError("--page shows the whole film; leave out --start and --duration")
    return {"page": ".html"} if wanted else {}


def formats(asked: list[str] | None, usual: list[str], page: bool) -> list[str]:
    """The formats that -f asks for, and that of a page that is one of a command's own files."""
    return [*(asked or usual), "html"] if page else asked or []


Inputs = Annotated[list[str], typer.Argument(metavar="INPUT", help="Files or folders; - is stdin.")]
SomeInputs = Annotated[
    list[str] | None, typer.Argument(metavar="INPUT", help="Files or folders; - is stdin.")
]
Files = Annotated[
    str | None,
    typer.Option("--files", metavar="LIST", help="Inputs: a path a line, or Parquet; - is stdin."),
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Of --files, do only what failed before.")
]
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
Page = Annotated[
    bool, typer.Option("--page", help="Also a page to look at and to listen to, as HTML.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace outputs that exist (else they are skipped).")
]
Jobs = Annotated[
    int | None,
    typer.Option("-j", "--jobs", min=1, help="Files at a time, a process each [as many as pay]"),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster", metavar="auto|local|ray://HEAD:10001", help="A Ray cluster to run on [none]"
    ),
]
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
Weights = Annotated[
    str | None,
    typer.Option("--weights", metavar="PATH", help="A network of your own [the shipped one]"),
]
Device = Annotated[
    str,
    typer.Option(metavar="auto|cpu|cuda|mps", help="Where networks run; auto takes a GPU."),
]
