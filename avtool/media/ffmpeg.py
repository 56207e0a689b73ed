"""One door to ffmpeg: which binary, how it is run, how it is stopped, what it complained about.

Every run has no stdin of the user's (``-nostdin``: ffmpeg would read a shell loop's list as
keyboard commands) and a file for stderr (a pipe that nobody reads blocks ffmpeg as soon as it is
full).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from avtool.errors import MediaError

# A message that repeats must be counted each time, hence "repeat".
QUIET = ("-nostdin", "-hide_banner", "-loglevel", "repeat+error")
# The same, and before it what ffmpeg says of its input, each line with its level.
TELLING = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "repeat+level+info")
SOURCE = "SOURCE"
_LEVEL = re.compile(r"^((?:\[[^]]* @ 0x\w+\] )?)\[(\w+)\] ?(.*)$")
PIPE_BYTES = 1 << 16

# Told of each command line before it runs (`avtool -v`).
on_start: Callable[[list[str]], None] | None = None

# Lines that follow a failure and say nothing of it.
_HOLLOW = re.compile(
    "Terminating thread|Task finished|Could not write header"
    "|Error (initializing|submitting|muxing|sending|writing trailer|closing)"
)

_running: set[subprocess.Popen[bytes]] = set()
_lock = threading.Lock()


@cache
def binary() -> str:
    """The ffmpeg to use: ``AVTOOL_FFMPEG``, else the PATH's, else imageio-ffmpeg's own.

    Raises:
        MediaError: ``AVTOOL_FFMPEG`` names no program, or there is no ffmpeg at all.
    """
    if named := os.environ.get("AVTOOL_FFMPEG"):
        if found := shutil.which(named):
            return found
        raise MediaError(f"AVTOOL_FFMPEG: {named} is not a program; unset it or correct it")
    if found := shutil.which("ffmpeg"):
        return found
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise MediaError(
            "no ffmpeg found; install ffmpeg or 'pip install imageio-ffmpeg'"
        ) from error


class Run:
    """A running ffmpeg. Leaving the ``with`` early (an error, a closed generator) kills it.

    Args:
        arguments: everything after the binary's name.
        feed: open ``stdin`` for our own data (pictures to encode).

    When it has ended, ``complaints`` are its lines, and with ``TELLING`` only those about errors;
    ``banner`` has the others then.
    """

    def __init__(self, arguments: list[str], *, feed: bool = False) -> None:
        self.command = [binary(), *arguments]
        if on_start is not None:
            on_start(self.command)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=PIPE_BYTES,
            process_group=0,  # a terminal's Ctrl-C is ours to handle, once
        )
        with _lock:
            _running.add(self._process)
        self.returncode: int = 0
        self.complaints: list[str] = []
        self.complaint_count = 0
        self.banner: list[str] = []
        self._telling = arguments[: len(TELLING)] == [*TELLING]

    @property
    def stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A broken pipe is ffmpeg's own death: let it end, its last words are wanted.
        if kind is not None and not issubclass(kind, BrokenPipeError):
            self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass  # the unwritten rest has no reader; wait() below tells why
        self.returncode = self._process.wait()
        with _lock:
            _running.discard(self._process)
        self._collect()

    def _collect(self, keep: int = 200) -> None:
        """Count all lines of stderr, keep the first and last few."""
        with self._errors as file:
            file.seek(0)
            for line in file:
                text = line.decode("utf-8", "replace").rstrip()
                if self._telling and (found := _LEVEL.match(text)):
                    if found[2] not in ("error", "fatal", "panic"):
                        self.banner.append(found[3])
                        continue
                    text = found[1] + found[3]
                if text := text.strip():
                    self.complaint_count += 1
                    if len(self.complaints) >= keep:
                        del self.complaints[keep // 2]
                    self.complaints.append(text)

    @property
    def last_words(self) -> str:
        """Ffmpeg's most telling line: the last that is about the input, without its address."""
        for line in reversed(self.complaints):
            text = line.rsplit("] ", 1)[-1] if line.startswith("[") else line
            if _HOLLOW.match(text):
                continue
            text = text.split(": ", 1)[-1] if line.startswith("[") else text
            if not text.startswith(("Conversion failed", "Error opening", "Nothing was written")):
                return text
        return f"ffmpeg ended with code {self.returncode}"


def kill_all() -> None:
    """Stop every ffmpeg that is still running (Ctrl-C in a batch of threads)."""
    with _lock:
        for process in _running:
            process.kill()


def compiled(graph: Any, source: Path, words: Sequence[str] = QUIET) -> list[str]:
    """Arguments of an ffmpeg-python graph, without the user's stdin.

    Args:
        source: the file that the graph calls ``SOURCE``; ffmpeg-python takes no name that is not
            UTF-8.
        words: how much it says, ``QUIET`` or ``TELLING``.
    """
    import ffmpeg

    arguments: list[str] = ffmpeg.compile(graph)[1:]
    arguments[arguments.index(SOURCE)] = url(source)
    return [*words, *arguments]


def url(path: os.PathLike[str] | str) -> str:
    """A path as ffmpeg takes it whatever it holds: colons and a leading dash included."""
    return f"file:{os.fspath(path)}"


def output(arguments: list[str]) -> str:
    """What a short run prints, as text (``-version``, ``-encoders``)."""
    with Run(["-hide_banner", *arguments]) as run:
        return run.stdout.read().decode("utf-8", "replace")


@cache
def libavformat() -> tuple[int, int]:
    """Version of the program's own libavformat, (0, 0) where it does not say."""
    found = re.search(r"^libavformat +(\d+)\. *(\d+)\.", output(["-version"]), re.M)
    return (int(found[1]), int(found[2])) if found else (0, 0)
