"""Words to the user: on stderr, one line each; a progress bar where a person is watching."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any


class Say:
    """How much is said: ``quiet`` leaves errors only, ``verbose`` adds ffmpeg's command lines."""

    quiet = False
    verbose = False
    debug = False

    def __init__(self) -> None:
        self.console: Any = None  # a bar's, while there is one: lines go above it

    def error(self, text: str) -> None:
        self._line(f"avtool: {text}")

    def warning(self, text: str) -> None:
        if not self.quiet:
            self._line(f"avtool: warning: {text}")

    def note(self, text: str) -> None:
        if not self.quiet:
            self._line(f"avtool: {text}")

    def _line(self, text: str) -> None:
        if self.console is not None:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=sys.stderr, flush=True)


say = Say()


class Progress:
    """A bar with the time left, on stderr, where a person watches and the work takes a while."""

    PATIENCE = 0.5  # seconds

    def __init__(self, files: int) -> None:
        self._files, self._done = files, 0
        self._parts: dict[str, float] = {}
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._wanted = sys.stderr.isatty() and not say.quiet
        self._bar: Any = None

    def at(self, name: str, part: float | None, stage: str) -> None:
        """A file has come this far, 0 to 1 where that is known, and is at this stage."""
        if self._wanted:
            with self._lock:
                # What was announced is not taken back.
                self._parts[name] = max(self._parts.get(name, 0.0), min(1.0, part or 0.0))
                self._show(name, stage)

    def advance(self, name: str) -> None:
        """A file has ended."""
        if self._wanted:
            with self._lock:
                self._done += 1
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

            columns = [TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()]
            columns += [MofNCompleteColumn()] if self._files > 1 else []
            self._bar = Bar(
                *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
            )
            self._task = self._bar.add_task(name, total=self._files)
            self._bar.start()
            say.console = self._bar.console
        done = self._done + sum(self._parts.values())
        told = f"{Path(name).name}: {stage}" if stage else Path(name).name
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
