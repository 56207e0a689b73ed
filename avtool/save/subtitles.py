"""Subtitles: SubRip and WebVTT."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

Cue = tuple[float, float, str]  # from and to, in seconds, and what is shown meanwhile


def write_srt(cues: Iterable[Cue], path: Path) -> None:
    """Write SubRip."""
    _write(cues, path, "", ",")


def write_vtt(cues: Iterable[Cue], path: Path) -> None:
    """Write WebVTT."""
    _write(cues, path, "WEBVTT\n\n", ".")


def _write(cues: Iterable[Cue], path: Path, head: str, point: str) -> None:
    with path.open("w") as file:
        file.write(head)
        for number, (start, end, text) in enumerate(cues, 1):
            times = f"{clock(start, point)} --> {clock(end, point)}"
            file.write(f"{number}\n{times}\n{text}\n\n")


def clock(seconds: float, point: str) -> str:
    """As subtitles have it; SubRip has a comma, WebVTT a point.

    >>> clock(3723.5, ",")
    '01:02:03,500'
    """
    minutes, rest = divmod(round(max(0.0, seconds) * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"
