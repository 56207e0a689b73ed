"""`avtool doctor`: whether this machine is ready."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import import_module, metadata

from avtool import __version__, media
from avtool.cli.terminal import say
from avtool.errors import AvtoolError, shown
from avtool.media import ffmpeg


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
            say.data(f"{mark}{check.name:<24}{shown(check.found)}")
    if as_json:
        say.data(json.dumps([asdict(check) for check in checks]))
    return 1 if any(check.good is False for check in checks) else 0


def _checks() -> Iterator[Check]:
    yield Check("avtool", __version__)
    yield Check("python", f"{platform.python_version()} on {platform.platform()}")
    yield Check("processor", f"{os.cpu_count()} cores, {platform.machine()}")
    yield from _ffmpeg_checks()
    for name in ("numpy", "ducc0", "soundfile", "soxr", "av", "pillow", "ffmpeg-python", "librosa"):
        yield _version(name)
    for name in ("ai-edge-litert", "opencv-python-headless", "scikit-image", "trimesh"):
        yield _version(name)
    for name in ("safetensors", "torch"):
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

    for name in weights.names():
        module, _, network = weights.card(name).network.rpartition(".")
        try:
            model = weights.load(getattr(import_module(module), network))
        except (AvtoolError, OSError) as error:
            yield Check(name, str(error), False)
            continue
        size = sum(p.numel() for p in model.parameters()) / 1e6
        yield Check(name, f"{name}.safetensors, {size:.1f} million parameters", True)


def _parity() -> Check:
    """Our numbers against librosa's, on this processor."""
    import librosa
    import numpy as np

    from avtool.pipelines.features import mfcc, presets
    from avtool.values import Audio

    rate = 22050
    sound = np.random.default_rng(0).standard_normal(rate).astype(np.float32) * 0.1
    clip = media.Clip("noise", Audio.of(sound, rate), None, None)
    ours = mfcc.run(clip, presets.options(mfcc.Options, "librosa")).mfcc.values
    error = float(np.abs(ours - librosa.feature.mfcc(y=sound, sr=rate)).max())
    return Check("numbers", f"MFCC within {error:.1e} of librosa's (2e-3 asked)", error <= 2e-3)
