"""What was found out about a file once: kept beside the user's other caches."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from avtool.errors import OutputError
from avtool.save import replacing
from avtool.values import Array

Arrays = Mapping[str, Array]
END_BYTES = 1 << 20
_unwritten: dict[str, Arrays] = {}


def cached(source: Path, what: str, make: Callable[[], Arrays]) -> Arrays:
    """The arrays that ``make`` gives for a file, made once as long as its bytes are the same.

    The bytes are known by their number, the first and the last of them: a film is not read whole
    to find that it was seen before. ``AVTOOL_CACHE`` names another folder; where none can be
    written, what was found last is kept in memory.

    Args:
        what: everything else that the arrays depend on.
    """
    key = hashlib.sha256(f"{_known_by(source)} {what}".encode()).hexdigest()[:32]
    if key in _unwritten:
        return _unwritten[key]
    folder = Path(os.environ.get("AVTOOL_CACHE") or user_cache_path("avtool", appauthor=False))
    path = folder / f"{key}.npz"
    try:
        with path.open("rb") as file, np.load(file) as kept:
            return {name: kept[name] for name in kept.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        pass  # not there yet, or damaged: make it again
    arrays = make()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, part.open("wb") as out:
            np.savez_compressed(out, **dict[str, Any](arrays))
    except (OSError, OutputError):
        _unwritten.clear()
        _unwritten[key] = arrays
    return arrays


def _known_by(source: Path) -> str:
    size = source.stat().st_size
    with source.open("rb") as file:
        found = hashlib.sha256(file.read(END_BYTES))
        file.seek(max(0, size - END_BYTES))
        found.update(file.read())
    return f"{size} {found.hexdigest()}"
