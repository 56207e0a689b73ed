"""The weights that ship: what each file is, and the one way to load them.

Each network has two files in ``avtool/weights``, named after it: the weights, and their model card
in Markdown, which begins with the facts that are needed here. A file is checked against its sum
before it is used; it is safetensors, so nothing in it runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from avtool.errors import InputError

if TYPE_CHECKING:
    from torch import nn

Path_ = str | os.PathLike[str]
Network = TypeVar("Network", bound="nn.Module")


@dataclass(frozen=True)
class Card:
    """What a model card says first.

    Args:
        network: the class, by its module; recipe: the module that trains it.
    """

    network: str
    sha256: str
    licence: str
    data: str
    recipe: str


def names() -> list[str]:
    """The networks whose weights ship."""
    files = resources.files("avtool").joinpath("weights").iterdir()
    return sorted(Path(each.name).stem for each in files if each.name.endswith(".md"))


@cache
def card(name: str) -> Card:
    """The model card of a network."""
    text = resources.files("avtool").joinpath("weights", f"{name}.md").read_text("utf-8")
    _, head, _ = text.split("---\n", 2)
    return Card(**dict(line.split(": ", 1) for line in head.splitlines()))


def device(name: str = "auto") -> str:
    """Where networks run: ``auto`` is a GPU where there is one, else the processor.

    Raises:
        InputError: there is no such device here.
    """
    import torch

    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(each for each, there in has.items() if there)
    kind, _, number = name.partition(":")
    if kind not in has or (":" in name and not (kind == "cuda" and number.isdigit())):
        raise InputError(f"--device {name} is unknown; it is auto, cpu, cuda or mps")
    if not has[kind]:
        raise InputError(f"--device {name}: this machine has none; leave it out, or say cpu")
    return name


_loaded: dict[tuple[str, str, int, str], nn.Module] = {}  # by network, file, its time, device
_lock = Lock()


def load(network: type[Network], path: Path_ | None = None, device: str = "cpu") -> Network:
    """A network with the weights that ship, or with those of a user's own checkpoint.

    It is read once and shared by all who ask for it: use it, and leave it as it is.

    Args:
        network: the class; its module has the ``Config`` of its sizes.

    Raises:
        InputError: the file is no checkpoint of this network.
    """
    own = None if path is None else Path(path)
    changed = own.stat().st_mtime_ns if own and own.exists() else 0
    key = (network.__name__, str(own or ""), changed, device)
    with _lock:
        if key not in _loaded:
            _loaded[key] = _read(network, path).to(device)
        return _loaded[key]  # type: ignore[return-value]


def _read(network: type[Network], path: Path_ | None) -> Network:
    from safetensors import SafetensorError
    from safetensors.torch import load as parsed

    name = network.__name__.lower()
    data, where = _bytes(name, path)
    try:
        tensors = parsed(data)
        length = int.from_bytes(data[:8], "little")  # of the header: what was summed is parsed
        facts = json.loads(data[8 : 8 + length])["__metadata__"]
        sizes = sys.modules[network.__module__].Config(**json.loads(facts["config"]))
        model = network(sizes)
        model.load_state_dict(tensors)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{where}: is no checkpoint of the {name}; python -m {card(name).recipe} makes one"
        ) from error
    return model.eval().requires_grad_(False)


def _bytes(name: str, path: Path_ | None) -> tuple[bytes, str]:
    if path is not None:
        try:
            return Path(path).read_bytes(), os.fspath(path)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    file = f"{name}.safetensors"
    data = resources.files("avtool").joinpath("weights", file).read_bytes()
    if hashlib.sha256(data).hexdigest() != card(name).sha256:
        raise InputError(f"{file}: is damaged; install avtool again")
    return data, file
