"""Stderr for our own words alone; what libraries print there by themselves is kept from it.

They know no file and no next step. A part of it is worth a warning all the same: mpg123, in
libsndfile, tells of damage in no other way.
"""

from __future__ import annotations

import os
import sys

_theirs: int | None = None  # a file's descriptor, open as long as the program


def hush() -> None:
    """From here on, until the program ends, libraries print to a file that has no name."""
    global _theirs
    if sys.stderr is None:  # closed with 2>&-
        return
    if sys.platform == "linux":
        _theirs = os.memfd_create("stderr")
    else:
        import tempfile  # which takes a twentieth of the time to --help

        number, name = tempfile.mkstemp()
        os.unlink(name)  # noqa: PTH108
        _theirs = number
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    os.dup2(_theirs, 2)


def size() -> int:
    """How much libraries have printed so far, in bytes."""
    return 0 if _theirs is None else os.fstat(_theirs).st_size


def since(before: int) -> list[str]:
    """The lines that they have printed since ``size`` was so much."""
    count = size() - before
    if _theirs is None or not count:
        return []
    return os.pread(_theirs, count, before).decode(errors="replace").splitlines()
