"""Files that a run needs only while it works: part files beside outputs, temporary folders.

Each is locked for as long as its process lives. What a killed run left has nobody's lock, which
tells it from the files of a run that goes on, whatever number its process has; the next run that
comes by removes it.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

OURS = re.compile(r"\.avtool-[0-9a-f]{16}\.part|avtool-[0-9a-f]{16}\.tmp")
_cleared: set[Path] = set()


@contextmanager
def part_file(folder: Path, mode: int = 0o666) -> Iterator[Path]:
    """A new empty file in a folder; gone at the end, if it is still there.

    Args:
        mode: of what the user's umask leaves.

    Raises:
        OSError: the folder is not there, or nothing can be written in it.
    """
    clear(folder)
    while True:
        # Exclusive: neither a file of the user's nor a link that was laid there is opened.
        part = folder / f".avtool-{os.urandom(8).hex()}.part"
        lock = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        if _locked(lock, part):
            break
        os.close(lock)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
        os.close(lock)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new folder that only this user can read; gone at the end.

    Raises:
        OSError: there is no room for temporary files.
    """
    root = Path(tempfile.gettempdir())
    clear(root)
    while True:
        folder = root / f"avtool-{os.urandom(8).hex()}.tmp"
        folder.mkdir(0o700)
        with suppress(FileNotFoundError):  # cleared by another before it was locked
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            if _locked(lock, folder):
                break
            os.close(lock)
    try:
        yield folder
    finally:
        with suppress(FileNotFoundError):  # a cleaner of old temporary files was there first
            shutil.rmtree(folder)
        os.close(lock)


def _locked(lock: int, path: Path) -> bool:
    """Lock what was opened; False where another run took it for a dead one's just before."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(lock), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:
        return True  # a file system without locks, where nothing is ever cleared


def clear(folder: Path) -> None:
    """Remove what this user's dead runs left in a folder; each is looked at once a process."""
    if folder in _cleared:
        return
    _cleared.add(folder)
    # What cannot be listed or removed stays: it is in nobody's way.
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if OURS.fullmatch(entry.name):
                with suppress(OSError):
                    _clear(Path(entry.path), entry.stat(follow_symlinks=False))


def _clear(path: Path, facts: os.stat_result) -> None:
    is_folder = stat.S_ISDIR(facts.st_mode)
    if facts.st_uid != os.geteuid() or not (is_folder or stat.S_ISREG(facts.st_mode)):
        return
    lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where its run lives
        if is_folder:
            shutil.rmtree(path)
        else:
            path.unlink()
    finally:
        os.close(lock)
