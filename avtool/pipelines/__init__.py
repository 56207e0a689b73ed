"""One folder per command: ``command``, ``pipeline``, its networks, pictures, values and recipes.

A command is found by its folder; nothing here, or anywhere else, lists them. Where a folder holds
several (``features``), each module that defines SPEC, Options, Result and run is one, named after
the module; a module called ``pipeline`` is named after its folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

PAGE = "page"  # the field of a job's page
PARTS = {"SPEC", "Options", "Result", "run"}


@cache
def commands() -> Mapping[str, str]:
    """The module of each command, by the command's name.

    Their text is looked at. To import them would load torch, only to tell what there is.
    """
    found = {}
    for path in sorted(each for root in __path__ for each in Path(root).glob("*/*.py")):
        defined = re.findall(r"^(?:class |def )?(\w+)\b", path.read_text("utf-8"), re.MULTILINE)
        if set(defined) >= PARTS:
            folder = path.parent.name
            name = folder if path.stem == "pipeline" else path.stem
            found[name] = f"{__name__}.{folder}.{path.stem}"
    return found


def pipeline(name: str) -> Any:
    """The module of a command."""
    return import_module(commands()[name])


def worker(name: str) -> tuple[Any, Any]:
    """What does a command's jobs, and what completes them, or None: ``work`` and ``complete``.

    Both take (request, job, tick); this is how one command asks another for its files.
    """
    module = import_module(f"{__name__}.{name}.work")
    return module.work, getattr(module, "complete", None)


def paged(request: Any, job: Any, tick: Any) -> None:
    """Let `avtool show` write the page of a film that --page asks for, from what is there."""
    if wanted := job.outputs.get(PAGE):
        module = import_module(f"{__name__}.show.work")
        asked = replace(request, options=module.Options(), command="show", extra={})
        module.work(asked, replace(job, outputs={PAGE: wanted}), tick)


def spec(module: Any, options: Any, **given: Any) -> Any:
    """What a pipeline reads: its SPEC, at the rate of its options, with what is given."""
    chosen = {key: value for key, value in given.items() if value is not None}
    if getattr(options, "sr", None):
        chosen["rate"] = options.sr
    return replace(module.SPEC, **chosen)
