"""The program: the commands of all pipelines, and three about files and the machine.

Each folder of ``avtool.pipelines`` with a ``command`` module adds its own; none is named here.
"""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

# Idle threads of numpy's BLAS spin, which costs every command more than its own work. The networks
# run in torch, whose threads are its own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import typer

from avtool import __version__, pipelines
from avtool.cli import options as opt
from avtool.cli.program import app, evaluation
from avtool.cli.signals import INTERRUPTED, Interrupted, interruptible
from avtool.cli.terminal import say, talk
from avtool.errors import InputError, told


def find() -> None:
    """Add the commands of all pipelines, each in its place."""
    for root in pipelines.__path__:
        for path in sorted(Path(root).glob("*/command.py")):
            import_module(f"{pipelines.__name__}.{path.parent.name}.command")
    for program in (app, evaluation):
        program.registered_commands.sort(
            key=lambda each: (
                getattr(sys.modules[each.callback.__module__], "PLACE", 99) if each.callback else 99
            )
        )


def main() -> None:
    """The program: errors become one line and an exit code."""
    arguments = sys.argv[1:]
    # Words about talking are for the whole program, wherever they are written.
    end = arguments.index("--") if "--" in arguments else len(arguments)
    flags = [a for a in arguments[:end] if a in ("--debug", "-q", "--quiet", "-v", "--verbose")]
    rest = [a for a in arguments[:end] if a not in flags] + arguments[end:]
    say.lost = False
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # a name that is not UTF-8: its own bytes
    try:
        with interruptible():
            app(flags + rest, prog_name="avtool")
    except SystemExit as ended:
        sys.exit(ended.code or int(say.lost))
    except Interrupted:
        say.error("interrupted")
        sys.exit(INTERRUPTED)
    except Exception as error:
        if say.debug:
            raise
        say.error(told(error))
        sys.exit(2 if isinstance(error, InputError) else 1)


@app.callback()
def root(
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say errors only.")] = False,
    verbose: Annotated[
        bool,
        typer.Option("-v", "--verbose", help="Show ffmpeg's commands, damage in the cache."),
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
    talk(quiet, verbose, debug)


def _version(on: bool) -> None:
    if on:
        say.data(f"avtool {__version__}")
        raise typer.Exit


@app.command()
def info(
    inputs: opt.Inputs,
    scan: Annotated[
        bool, typer.Option("--scan", help="Read all packets: exact length, frames, rate.")
    ] = False,
    json: opt.Json = False,
) -> None:
    """What is in a file.

    Streams, rates, sizes, rotation, offsets.
    """
    from avtool.app.info import info as report

    raise typer.Exit(report(inputs, scan=scan, as_json=json))


@app.command()
def status(
    folders: Annotated[
        list[str], typer.Argument(metavar="FOLDER", help="Folders that runs over --files write to.")
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Look for each file: what is gone is left again.")
    ] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Name each input that failed.")] = False,
    json: opt.Json = False,
) -> None:
    """How far a run over --files is.

    Inputs done, failed and left, and why they failed; also while it goes on.
    """
    from avtool.app.status import status as report

    raise typer.Exit(report(folders, check=check, failed=failed, as_json=json))


@app.command()
def doctor(json: opt.Json = False) -> None:
    """Whether this machine is ready.

    ffmpeg, codecs, packages, device, networks, and whether numbers agree with librosa's.
    """
    from avtool.app.doctor import doctor as report

    raise typer.Exit(report(as_json=json))


@app.command()
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all entries.")] = False,
    json: opt.Json = False,
) -> None:
    """What is kept of videos that were looked at.

    Where it lies, how many entries it has, how large they are. They are face tracks, with a
    portrait and the lips of everyone seen.
    """
    from avtool.app.cache import cache as report

    report(clear=clear, as_json=json)


find()
