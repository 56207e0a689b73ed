"""`avtool info` and `avtool doctor`: what is in a file, and whether this machine is ready."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from importlib import metadata
from pathlib import Path
from typing import Any

from avtool import __version__, media
from avtool.batch.jobs import Job, expanded
from avtool.batch.request import Report, Tick
from avtool.cli.drive import drive
from avtool.errors import AvtoolError
from avtool.media import Info, ffmpeg


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
        jobs = [Job(path, name) for path, name, _ in found]
        return drive(jobs, work, as_json=as_json, show=lambda report: _print_next(lines))


def _print_next(lines: list[str]) -> None:
    while lines:
        print(lines.pop(0), flush=True)


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
    return "\n".join(lines)


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


@dataclass(frozen=True)
class Check:
    """One finding: ``good`` None is a fact, False is a fault."""

    name: str
    found: str
    good: bool | None = None


def doctor(*, as_json: bool) -> int:
    """Look at everything that avtool stands on; returns 1 where something is missing."""
    checks = []
    for check in _checks():
        checks.append(check)
        if not as_json:
            mark = {True: "ok  ", False: "BAD ", None: "    "}[check.good]
            print(f"{mark}{check.name:<24}{check.found}", flush=True)
    if as_json:
        print(json.dumps([asdict(check) for check in checks]))
    return 1 if any(check.good is False for check in checks) else 0


def _checks() -> Iterator[Check]:
    yield Check("avtool", __version__)
    yield Check("python", f"{platform.python_version()} on {platform.platform()}")
    yield Check("processor", f"{os.cpu_count()} cores, {platform.machine()}")
    yield from _ffmpeg_checks()
    for name in ("numpy", "ducc0", "soundfile", "soxr", "pillow", "ffmpeg-python", "librosa"):
        yield _version(name)
    for name in ("ai-edge-litert", "opencv-python-headless", "safetensors", "torch"):
        yield _version(name)
    yield Check("device", _device())
    yield from _networks()
    yield _parity()


def _version(name: str) -> Check:
    try:
        return Check(name, metadata.version(name), True)
    except metadata.PackageNotFoundError:
        return Check(name, f"not installed; pip install {name}", False)


def _ffmpeg_checks() -> Iterator[Check]:
    try:
        where = ffmpeg.binary()
        version = ffmpeg.output(["-version"]).split("\n")[0].removeprefix("ffmpeg version ")
        yield Check("ffmpeg", f"{version.split(' Copyright')[0]} at {where}", True)
        encoders = ffmpeg.output(["-encoders"])
    except AvtoolError as error:
        yield Check("ffmpeg", str(error), False)
        return
    for name, why in (("libx264", "mp4 pictures"), ("aac", "mp4 sound"), ("libopus", "webm")):
        has = f" {name} " in encoders
        yield Check(name, f"encodes {why}" if has else f"missing: {why} cannot be written", has)


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return f"cuda: {torch.cuda.get_device_name()}"
    if torch.backends.mps.is_available():
        return "mps: Apple GPU"
    return f"cpu, {torch.get_num_threads()} threads"


def _networks() -> Iterator[Check]:
    from avtool.models import weights

    for name, entry in weights.TABLE.items():
        try:
            model = getattr(weights, name)()
        except (AvtoolError, OSError) as error:
            yield Check(name, str(error), False)
            continue
        size = sum(p.numel() for p in model.parameters()) / 1e6
        yield Check(name, f"{entry.file}, {size:.1f} million parameters", True)


def _parity() -> Check:
    """Our numbers against librosa's, on this processor."""
    import librosa
    import numpy as np

    from avtool.pipelines import mfcc, presets
    from avtool.values import Audio

    rate = 22050
    sound = np.random.default_rng(0).standard_normal(rate).astype(np.float32) * 0.1
    clip = media.Clip("noise", Audio.of(sound, rate), None, None)
    ours = mfcc.run(clip, presets.options(mfcc.Options, "librosa")).mfcc.values
    error = float(np.abs(ours - librosa.feature.mfcc(y=sound, sr=rate)).max())
    return Check("numbers", f"MFCC within {error:.1e} of librosa's (2e-3 asked)", error <= 2e-3)
