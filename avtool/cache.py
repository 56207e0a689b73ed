"""What was found out about a file once: kept beside the user's other caches.

An entry is an .npz with its own sum after it. Portraits and lips of people are in it, so nobody
but the user may read it. What was not used for longest makes way for what is new.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from platformdirs import user_cache_path

from avtool import scratch
from avtool.values import Array

T = TypeVar("T")
Arrays = Mapping[str, Array]
END_BYTES = 1 << 20
MOST_BYTES = 1_000_000_000  # of all entries together
NAME = re.compile(r"[0-9a-f]{32}\.npz")  # of an entry
SUM_BYTES = hashlib.sha256().digest_size
_unwritten: dict[str, Arrays] = {}

# Called with an entry that is not as it was written, and why; the -v option prints it.
on_damage: Callable[[Path, Exception], None] | None = None


def cached(source: Path, what: str, make: Callable[[], Arrays], read: Callable[[Arrays], T]) -> T:
    """What is read from the arrays that ``make`` gives for a file.

    They are made once as long as its bytes are the same, which are known by their number, the
    first and the last of them: a film is not read whole to find that it was seen before. Where no
    folder can be written, what was found last is kept in memory.

    Args:
        what: everything else that the arrays depend on.
        read: raises ValueError where they are not what ``make`` gives.
    """
    key = hashlib.sha256(f"{_known_by(source)} {what}".encode()).hexdigest()[:32]
    if key in _unwritten:
        return read(_unwritten[key])
    path = folder() / f"{key}.npz"
    try:
        found = read(_kept(path))
    except FileNotFoundError:
        pass  # not made yet
    except (OSError, ValueError) as error:
        if on_damage is not None:
            on_damage(path, error)
    else:
        with contextlib.suppress(OSError):  # in a folder that may only be read nothing makes way
            os.utime(path)
        return found
    arrays = make()
    try:
        _keep(path, arrays)
        _make_room()
    except OSError:
        _unwritten.clear()
        _unwritten[key] = arrays
    return read(arrays)


def folder() -> Path:
    """Where it lies: ``AVTOOL_CACHE``, else the place that the system has for caches."""
    return Path(os.environ.get("AVTOOL_CACHE") or user_cache_path("avtool", appauthor=False))


def entries() -> dict[Path, os.stat_result]:
    """Its files, the one that was not used for longest first; what is not avtool's is left out.

    Raises:
        OSError: the folder cannot be read.
    """
    found = {}
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # nothing was kept yet
        for path in folder().iterdir():
            with contextlib.suppress(FileNotFoundError):  # another run has just removed it
                if NAME.fullmatch(path.name) or scratch.OURS.fullmatch(path.name):
                    found[path] = path.lstat()
    return dict(sorted(found.items(), key=lambda each: each[1].st_mtime_ns))


def clear() -> None:
    """Remove all entries.

    Raises:
        OSError: the folder cannot be read, or an entry cannot be removed.
    """
    for path in entries():
        path.unlink(missing_ok=True)


def _make_room() -> None:
    found = entries()
    over = sum(each.st_size for each in found.values()) - MOST_BYTES
    for path, each in found.items():
        if over <= 0:
            break
        path.unlink(missing_ok=True)
        over -= each.st_size


def _kept(path: Path) -> dict[str, Array]:
    """An entry's arrays; raises ValueError where it is not what was written under its name."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_BYTES:
        raise ValueError("is no file of avtool's")
    content = path.read_bytes()
    data, own = content[:-SUM_BYTES], content[-SUM_BYTES:]
    if _sum(path, data) != own:
        raise ValueError("is damaged, or another's")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _keep(path: Path, arrays: Arrays) -> None:
    """Write an entry that only the user may read; raises OSError where that cannot be."""
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    if not os.environ.get("AVTOOL_CACHE"):
        path.parent.chmod(0o700)  # others could read what older versions made
    data = io.BytesIO()
    np.savez_compressed(data, **dict[str, Any](arrays))
    with scratch.part_file(path.parent, 0o600) as part:
        part.write_bytes(data.getvalue() + _sum(path, data.getvalue()))
        part.replace(path)


def _sum(path: Path, data: bytes) -> bytes:
    """Of the name too: an entry under another one's name is none."""
    return hashlib.sha256(path.stem.encode() + data).digest()


def _known_by(source: Path) -> str:
    size = source.stat().st_size
    with source.open("rb") as file:
        found = hashlib.sha256(file.read(END_BYTES))
        file.seek(max(0, size - END_BYTES))
        found.update(file.read())
    return f"{size} {found.hexdigest()}"
