"""Words to the user on stderr, one line each, data on stdout; a progress bar where one watches."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from avtool import stderr
from avtool.errors import shown


class Say:
    """How much is said: ``quiet`` leaves errors only, ``verbose`` adds ffmpeg's command lines."""

    quiet = False
    verbose = False
    debug = False

    def __init__(self) -> None:
        self.console: Any = None  # a bar's, while there is one: lines go above it
        self.lost = False  # whether stdout could not be written

    def error(self, text: str, *more: str) -> None:
        """One line, and an indented one for each of ``more``."""
        self._line("\n  ".join(map(shown, [f"avtool: {text}", *more])))

    def warning(self, text: str) -> None:
        if not self.quiet:
            self._line(shown(f"avtool: warning: {text}"))

    def note(self, text: str) -> None:
        if not self.quiet:
            self._line(shown(f"avtool: {text}"))

    def data(self, text: str) -> None:
        """A line on stdout. Where it cannot be written, the work goes on, and ``lost`` says so."""
        try:
            print(text, flush=True)
        except OSError as error:
            self.unwritten(error)

    def unwritten(self, error: OSError) -> None:
        """Stdout has failed: what is still to come, Python's own flush too, goes nowhere."""
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # a reader that has seen enough (`| head`)
            self.lost = True
            self.error(f"stdout: cannot be written ({error.strerror})")

    def _line(self, text: str) -> None:
        if self.console is not None:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)
        elif sys.stderr is not None:  # closed with 2>&-: print would take stdout for it
            with suppress(OSError):  # nobody is left to be told
                print(text, file=sys.stderr, flush=True)


say = Say()


def talk(quiet: bool, verbose: bool, debug: bool) -> None:
    """Set how much is said in this process."""
    say.quiet, say.verbose, say.debug = quiet, verbose, debug
    if verbose:
        from avtool import cache
        from avtool.media import ffmpeg

        ffmpeg.on_start = lambda command: say.note(" ".join(command))
        cache.on_damage = lambda path, why: say.note(f"{path}: {why}; it is made again")


def child(quiet: bool, verbose: bool, debug: bool) -> None:
    """``talk`` in a process that works for this one; only what goes wrong is said there."""
    talk(quiet, verbose, debug)
    if not (verbose or debug):
        stderr.hush()


class Progress:
    """A bar with the time left, on stderr, where a person watches and the work takes a while."""

    PATIENCE = 0.5  # seconds

    def __init__(self, files: int | None) -> None:
        self._files, self._done, self._skipped = files, 0, 0
        self._parts: dict[str, float] = {}
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._wanted = bool(sys.stderr) and sys.stderr.isatty() and not say.quiet
        self._bar: Any = None

    def at(self, name: str, part: float | None, stage: str) -> None:
        """A file has come this far, 0 to 1 where that is known, and is at this stage."""
        if self._wanted:
            with self._lock:
                # What was announced is not taken back.
                self._parts[name] = max(self._parts.get(name, 0.0), min(1.0, part or 0.0))
                self._show(name, stage)

    def passed(self, name: str, files: int = 1, skipped: int = 0) -> None:
        """A file has ended, or a shard of several; so many in all needed no look."""
        if self._wanted:
            with self._lock:
                self._done += files
                self._skipped = skipped
                self._parts.pop(name, None)
                self._show(name, "")

    def _show(self, name: str, stage: str) -> None:
        if self._bar is None:
            if time.monotonic() - self._began < self.PATIENCE:
                return
            # Costs a tenth of a second: only for those who see it.
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                TaskProgressColumn,
                TextColumn,
                TimeRemainingColumn,
            )
            from rich.progress import Progress as Bar

            columns = [
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TaskProgressColumn(),
            ]
            columns += [MofNCompleteColumn()] if self._files != 1 else []
            self._bar = Bar(
                *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
            )
            self._task = self._bar.add_task(name, total=self._files)
            self._bar.start()
            say.console = self._bar.console
        done = self._done + self._skipped + sum(self._parts.values())
        told = shown(f"{Path(name).name}: {stage}" if stage else Path(name).name)
        self._bar.update(self._task, completed=done, description=told)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._wanted = False
        if self._bar is not None:
            self._bar.stop()
            say.console = None
