"""What is asked of a command, and what became of each input: plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

# How far a job is, 0 to 1 where that is known, and what it is doing.
Tick = Callable[[float | None, str], None]


class Cancelled(BaseException):
    """Raised in a worker when the user has interrupted."""


@dataclass(frozen=True)
class Request:
    """What is asked of a command for all of its inputs; it can be pickled.

    Args:
        options: the pipeline's own; extra: the command's, of drawing and writing.
        start, duration: the part to look at, in seconds; strict: damaged media is an error.
        device: where networks run; empty where the command has none.
        command: its name.
    """

    options: Any
    start: float = 0.0
    duration: float | None = None
    strict: bool = False
    device: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""

    def part(self, spec: T, **changes: Any) -> T:
        """A ``media.Spec`` of the part to look at."""
        return replace(spec, start=self.start, duration=self.duration, **changes)  # type: ignore[type-var]

    def facts(self) -> dict[str, Any]:
        """Everything that was asked, as JSON has it."""
        found = asdict(self.options) | {"start": self.start, "duration": self.duration}
        return found | ({"device": self.device} if self.device else {}) | dict(self.extra)


@dataclass
class Report:
    """What became of an input: done, skipped or failed.

    Args:
        facts: what the work has to tell beside its files.
        parts: the reports of a shard's inputs.
    """

    input: str
    status: str = "done"
    outputs: list[str] = field(default_factory=list)
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)
    error: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    parts: list[Report] = field(default_factory=list)


def stages(
    tick: Tick, seconds: float | None, shares: Mapping[str, float]
) -> list[Callable[[float], None]]:
    """One bar over several readings of a file, also where two of them go on at once.

    Args:
        seconds: that each reading has in all, where that is known.
        shares: by the name of each reading, about how much of the time it takes.

    Returns:
        For each, what is called with the seconds reached.
    """
    done = dict.fromkeys(shares, 0.0)

    def told(name: str, reached: float) -> None:
        done[name] = min(1.0, reached / seconds) if seconds else 0.0
        part = sum(share * done[each] for each, share in shares.items()) / sum(shares.values())
        tick(part if seconds else None, name)

    return [partial(told, name) for name in shares]
