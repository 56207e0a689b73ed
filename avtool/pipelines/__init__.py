"""What each subcommand means: one module each, with SPEC, Options, Result and run.

``Options`` has the command's flags and what presets set besides; ``Result`` has one value a field,
and a field's name is the name of its file.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from importlib import import_module
from pkgutil import get_data, iter_modules
from typing import Any

PARTS = {"SPEC", "Options", "Result", "run"}


@cache
def commands() -> tuple[str, ...]:
    """The names of all subcommands: of the modules here that define all of ``PARTS``.

    Their text is looked at. To import them would load torch, only to tell what there is.
    """
    found = []
    for _, name, _ in iter_modules(__path__):
        text = (get_data(__name__, f"{name}.py") or b"").decode()
        defined = re.findall(r"^(?:class |def )?(\w+)\b", text, re.MULTILINE)
        if set(defined) >= PARTS:
            found.append(name)
    return tuple(found)


def pipeline(name: str) -> Any:
    """The module of a subcommand."""
    return import_module(f"avtool.pipelines.{name}")


def spec(module: Any, options: Any, **given: Any) -> Any:
    """What a pipeline reads: its SPEC, at the rate of its options, with what is given."""
    chosen = {key: value for key, value in given.items() if value is not None}
    if getattr(options, "sr", None):
        chosen["rate"] = options.sr
    return replace(module.SPEC, **chosen)
