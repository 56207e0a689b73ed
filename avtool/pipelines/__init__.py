"""What each subcommand means: one module each, with SPEC, Options, Result and run.

``Options`` has the command's flags and what presets set besides; ``Result`` has one value a field,
and a field's name is the name of its file.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Any


def pipeline(name: str) -> Any:
    """The module of a subcommand."""
    return import_module(f"avtool.pipelines.{name}")


def spec(module: Any, options: Any, **given: Any) -> Any:
    """What a pipeline reads: its SPEC, at the rate of its options, with what is given."""
    chosen = {key: value for key, value in given.items() if value is not None}
    if getattr(options, "sr", None):
        chosen["rate"] = options.sr
    return replace(module.SPEC, **chosen)
