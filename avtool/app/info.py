"""`avtool info`: what is in a file."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from avtool import media
from avtool.batch.jobs import Job, expanded
from avtool.batch.request import Report, Tick
from avtool.cli.drive import drive
from avtool.cli.terminal import say
from avtool.errors import shown
from avtool.media import Info


def info(inputs: list[str], *, scan: bool, as_json: bool) -> int:
    """Tell what is in each file; returns the exit code."""

    def work(job: Job, tick: Tick) -> Report:
        facts = media.open(job.source, scan=scan, name=job.name).info
        report = Report(job.name, facts={"info": _plain(asdict(facts))})
        report.facts["info"]["path"] = job.name
        report.warnings = list(facts.warnings)
        lines.append(_described(job.name, facts))
        return report

    lines: list[str] = []
    with expanded(inputs) as found:
        jobs = [Job(each.path, each.name, address=each.address) for each in found]
        return drive(jobs, work, as_json=as_json, show=lambda report: _print_next(lines))


def _print_next(lines: list[str]) -> None:
    while lines:
        say.data(lines.pop(0))


def _plain(value: Any) -> Any:
    """The same in JSON's types: an exact rate as "30000/1001"."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, (Fraction, Path)) else value


def _described(name: str, facts: Info) -> str:
    length = "length unknown" if facts.duration is None else _clock(facts.duration)
    lines = [f"{name}: {facts.format}, {length}, {facts.bytes:,} bytes"]
    for video in facts.video:
        parts = [f"  video {video.codec}", f"{video.width}x{video.height}"]
        rate = f"{float(video.fps):.6g} fps"
        if video.fps.denominator > 1:
            rate += f" ({video.fps})"
        parts.append(rate + (", variable" if video.variable else ""))
        if video.frames is not None:
            parts.append(f"{video.frames} frames")
        if video.rotation:
            parts.append(f"turned {video.rotation} degrees")
        if video.sample_aspect != 1:
            parts.append(f"pixels {video.sample_aspect}, stored {video.coded[0]}x{video.coded[1]}")
        lines.append(", ".join(parts + _late(video.start)))
    for audio in facts.audio:
        parts = [f"  audio {audio.codec}", f"{audio.rate} Hz", audio.layout]
        lines.append(", ".join(parts + _late(audio.start)))
    return "\n".join(map(shown, lines))


def _late(start: float) -> list[str]:
    return [f"starts at {start:.3f} s"] if start >= 0.0005 else []


def _clock(seconds: float) -> str:
    """Seconds as h:mm:ss.

    >>> _clock(3.5), _clock(3725)
    ('3.50 s', '1:02:05.00')
    """
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:05.2f}"
