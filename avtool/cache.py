"""What was found out about a file once: kept beside the user's other caches, by content."""

from __future__ import annotations

import contextlib
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


def cached(source: Path, what: str, make: Callable[[], Arrays]) -> Arrays:
    """The arrays that ``make`` gives for a file, made once as long as its bytes are the same.

    ``AVTOOL_CACHE`` names another folder; a cache that cannot be written is done without.

    Args:
        what: everything else that the arrays depend on.
    """
    with source.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    key = hashlib.sha256(f"{content} {what}".encode()).hexdigest()[:32]
    folder = Path(os.environ.get("AVTOOL_CACHE") or user_cache_path("avtool", appauthor=False))
    path = folder / f"{key}.npz"
    try:
        with path.open("rb") as file, np.load(file) as kept:
            return {name: kept[name] for name in kept.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        pass  # not there yet, or damaged: make it again
    arrays = make()
    with contextlib.suppress(OSError, OutputError):
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, part.open("wb") as out:
            np.savez_compressed(out, **dict[str, Any](arrays))
    return arrays
