"""What a command line asks for, as values, for whoever runs it elsewhere than at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import typer

from avtool.batch.jobs import Job
from avtool.batch.request import Request
from avtool.batch.worker import Worker
from avtool.cli.program import app


@dataclass(frozen=True)
class Asked:
    """A request, its jobs, and what does them; it can be pickled."""

    request: Request | None
    jobs: Sequence[Job]
    worker: Worker


# Where it is set, ``cli.drive`` puts here what it would do.
_put: ContextVar[list[Asked] | None] = ContextVar("asked", default=None)


def put(found: Asked) -> bool:
    """Whether somebody wants to know what is asked for; then it is not to be done."""
    there = _put.get()
    if there is not None:
        there.append(found)
    return there is not None


@contextmanager
def _putting() -> Iterator[list[Asked]]:
    found: list[Asked] = []
    token = _put.set(found)
    try:
        yield found
    finally:
        _put.reset(token)


def asked(command: str, arguments: Sequence[str]) -> Asked:
    """What a command would do; its options are read and checked as at the terminal.

    Raises:
        InputError: the options do not fit each other.
    """
    with _putting() as found:
        _commands()[command].main(list(arguments), command, standalone_mode=False)
    return found[0]


def for_files() -> dict[str, str]:
    """What each command does that makes files of a file, by its name, in their order."""
    return {
        name: (each.help or "").partition("\n")[0]
        for name, each in _commands().items()
        # Those that ask something more, as what to search for, are for the terminal.
        if [p.name for p in each.params if p.param_type_name == "argument"] == ["inputs"]
        and "out" in options(name)
    }


def options(command: str) -> set[str]:
    """The names of a command's options."""
    return {str(each.name) for each in _commands()[command].params}


def _commands() -> dict[str, typer.core.TyperCommand]:
    return typer.main.get_command(app).commands  # type: ignore[attr-defined,no-any-return]
