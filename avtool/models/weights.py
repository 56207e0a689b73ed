"""The weights that ship: what each file is, and the one way to load them.

A file is checked against its sum before it is used; it is safetensors, so nothing in it runs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from avtool.errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from avtool.models.face import Face
    from avtool.models.lipmotion import LipMotion
    from avtool.models.lipvoice import LipVoice
    from avtool.models.separator import Separator
    from avtool.models.speaker import Speaker
    from avtool.models.voiceface import VoiceFace

Path_ = str | os.PathLike[str]


@dataclass(frozen=True)
class Weights:
    """A file of weights: what it was trained on, and what it reaches (see its model card)."""

    file: str
    sha256: str
    licence: str
    data: str
    score: str


TABLE = {
    "separator": Weights(
        file="separator.safetensors",
        sha256="1c4b39223a186ec418267859bae50a93a7829ff92065386fc96196dbaca6ee1c",
        licence="Apache-2.0",
        data="LibriSpeech, GRID s1, FACEGOOD, Picovoice, Arabic words, ESC-10, OpenAIR; see card",
        score="see weights/separator.md",
    ),
    "lipvoice": Weights(
        file="lipvoice.safetensors",
        sha256="df14d65da0496c2e2e9b56bb4508b5cc9c06c5c639fe11b09d44a7025d72ac75",
        licence="Apache-2.0",
        data="GRID s1, FACEGOOD, LibriSpeech, Picovoice, Arabic commands, ESC-10; see the card",
        score="see weights/lipvoice.md",
    ),
    "lipmotion": Weights(
        file="lipmotion.safetensors",
        sha256="0e3a6c99e9a7a53fc4511f16303fc2c3b7afd0f5268e9bc88352f23a836ec7fe",
        licence="Apache-2.0",
        data="GRID s1 (884 clips), LibriSpeech train-clean-100, ESC-10; CC BY",
        score="see weights/lipmotion.md",
    ),
    "face": Weights(
        file="face.safetensors",
        sha256="c9931b0cc0d417471234d249513605fd1bb4b167807631d51cf0a78052511743",
        licence="Apache-2.0",
        data="drawn people only (avtool.training.crowd)",
        score="see weights/face.md",
    ),
    "speaker": Weights(
        file="speaker.safetensors",
        sha256="b076dad92bf65066f3186a98a48549e42945e8df3862e63e843c7cbca23c682a",
        licence="Apache-2.0, of Resemblyzer 0.1.4",
        data="LibriSpeech train-other-500, VoxCeleb 1 and 2, by Resemblyzer's authors",
        score="see weights/speaker.md",
    ),
    "voiceface": Weights(
        file="voiceface.safetensors",
        sha256="4272dadec9924228e6f64e616ccc97799fa2a5f3251f03283671a5f43a912d34",
        licence="Apache-2.0",
        data="LibriSpeech train-clean-100 (211 readers), ESC-10; CC BY; drawn people",
        score="see weights/voiceface.md",
    ),
}

RECIPES = {"face": "crowd", "voiceface": "speech2face"}  # of another name than the weights


def device(name: str = "auto") -> str:
    """Where networks run: ``auto`` is a GPU where there is one, else the processor.

    Raises:
        InputError: there is no such device here.
    """
    import torch

    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(each for each, there in has.items() if there)
    if name.split(":")[0] not in has:
        raise InputError(f"--device {name} is unknown; it is auto, cpu, cuda or mps")
    if not has[name.split(":")[0]]:
        raise InputError(f"--device {name}: this machine has none; leave it out, or say cpu")
    return name


def separator(path: Path_ | None = None, device: str = "cpu") -> Separator:
    """The separator with its weights, or with those of a user's own checkpoint.

    It is loaded once and shared by all who ask for it: read it, and leave it as it is.

    Raises:
        InputError: the file is no checkpoint of this network.
    """
    from avtool.models.separator import Config, Separator

    return _filled(lambda config: Separator(Config(**config)), "separator", path, device)


def lipvoice(path: Path_ | None = None, device: str = "cpu") -> LipVoice:
    """The lip-voice match, likewise."""
    from avtool.models.lipvoice import Config, LipVoice

    return _filled(lambda config: LipVoice(Config(**config)), "lipvoice", path, device)


def lipmotion(path: Path_ | None = None, device: str = "cpu") -> LipMotion:
    """The motion of lips, likewise."""
    from avtool.models.lipmotion import Config, LipMotion

    return _filled(lambda config: LipMotion(Config(**config)), "lipmotion", path, device)


def face(path: Path_ | None = None, device: str = "cpu") -> Face:
    """The recogniser and the decoder of faces, likewise."""
    from avtool.models.face import Config, Face

    return _filled(lambda config: Face(Config(**config)), "face", path, device)


def speaker(path: Path_ | None = None, device: str = "cpu") -> Speaker:
    """The vector of a voice, likewise."""
    from avtool.models.speaker import Config, Speaker

    return _filled(lambda config: Speaker(Config(**config)), "speaker", path, device)


def voiceface(path: Path_ | None = None, device: str = "cpu") -> VoiceFace:
    """From voices to faces, likewise."""
    from avtool.models.voiceface import Config, VoiceFace

    return _filled(lambda config: VoiceFace(Config(**config)), "voiceface", path, device)


_loaded: dict[tuple[str, str, int, str], nn.Module] = {}  # by network, file, its time, device
_lock = Lock()


def _filled(make: Callable[[Any], nn.Module], name: str, path: Path_ | None, device: str) -> Any:
    """The network that the file's own sizes make, with the file's weights."""
    own = None if path is None else Path(path)
    changed = own.stat().st_mtime_ns if own and own.exists() else 0
    key = (name, str(own or TABLE[name].sha256), changed, device)
    with _lock:
        if key not in _loaded:
            _loaded[key] = _read(make, name, path).to(device)
        return _loaded[key]


def _read(make: Callable[[Any], nn.Module], name: str, path: Path_ | None) -> nn.Module:
    from safetensors import SafetensorError
    from safetensors.torch import load

    data, where = _bytes(name, path)
    try:
        tensors = load(data)
        length = int.from_bytes(data[:8], "little")  # of the header: what was summed is parsed
        facts = json.loads(data[8 : 8 + length])["__metadata__"]
        model = make(json.loads(facts["config"]))
        model.load_state_dict(tensors)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{where}: is no checkpoint of the {name}; "
            f"python -m avtool.training.{RECIPES.get(name, name)} makes one"
        ) from error
    return model.eval().requires_grad_(False)


def _bytes(name: str, path: Path_ | None) -> tuple[bytes, str]:
    if path is not None:
        try:
            return Path(path).read_bytes(), os.fspath(path)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    entry = TABLE[name]
    data = resources.files("avtool").joinpath("weights", entry.file).read_bytes()
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise InputError(f"{entry.file}: is damaged; install avtool again")
    return data, entry.file
