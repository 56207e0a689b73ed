"""The weights that ship: what each file is, and the one way to load them.

Each network has two files in ``avtool/weights``, named after it: the weights, and their model card
in Markdown, which begins with the facts that are needed here. A file is checked against its sum
before it is used; it is safetensors, so nothing in it runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from avtool.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

Path_ = str | os.PathLike[str]
Network = TypeVar("Network", bound="nn.Module")
MOST_BYTES = 1 << 30  # of a user's file; ours have a few million
LARGEST = 1e4  # of a weight; ours stay below 100, and far larger ones only give nan


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


def load(
    network: type[Network],
    path: Path_ | None = None,
    device: str = "cpu",
    *,
    called: str = "",
    recipe: str = "",
) -> Network:
    """A network with the weights that ship, or with those of a user's own checkpoint.

    It is read once and shared by all who ask for it: use it, and leave it as it is.

    Args:
        network: the class; its module has the ``Config`` of its sizes. Where that has a
            ``layout``, a user's tensors must fit it before anything is built of its sizes.
        called, recipe: its name and the module that trains it, where no weights of it ship.

    Raises:
        InputError: the file is no checkpoint of this network.
    """
    try:
        changed = 0 if path is None else Path(path).stat().st_mtime_ns
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    key = (network.__name__, "" if path is None else os.fspath(path), changed, device)
    with _lock:
        if key not in _loaded:
            try:
                _loaded[key] = _read(network, path).to(device)
            except ValueError as error:
                name = network.__name__.lower()
                where = path or f"{name}.safetensors"
                recipe = recipe or card(name).recipe
                raise InputError(
                    f"{where}: is no checkpoint of the {called or name} ({error}); "
                    f"python -m {recipe} makes one"
                ) from error
        return _loaded[key]  # type: ignore[return-value]


def _read(network: type[Network], path: Path_ | None) -> Network:
    """Raises ValueError where a file's content is wrong."""
    data = _shipped(network.__name__.lower()) if path is None else _bytes(path)
    tensors, given = _parsed(data)
    kind = sys.modules[network.__module__].Config
    sizes = kind(**_typed(kind, given))
    if path is not None:
        _compare(tensors, getattr(sizes, "layout", tuple)())
    model = network(sizes)
    wanted = model.state_dict()
    _compare(tensors, ((name, tuple(each.shape)) for name, each in wanted.items()))
    if len(tensors) > len(wanted):
        raise ValueError("it has more tensors than the network")
    model.load_state_dict(tensors)
    if path is not None:
        _bounded(model.state_dict())
    return model.eval().requires_grad_(False)


def _parsed(data: bytes) -> tuple[dict[str, Tensor], Any]:
    """The tensors of a safetensors file, and what it says of its sizes."""
    from safetensors import SafetensorError
    from safetensors.torch import load as parsed

    try:
        tensors = parsed(data)
    except (SafetensorError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError("it is no safetensors file") from error
    length = int.from_bytes(data[:8], "little")  # of the header: what was summed is parsed
    try:
        return tensors, json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["config"])
    except (KeyError, ValueError, RecursionError) as error:
        raise ValueError("it does not say its sizes") from error


def _typed(kind: type[Any], given: Any) -> dict[str, Any]:
    """Sizes as JSON has them, each of the type that its default has."""
    defaults = {field.name: field.default for field in fields(kind)}
    if not isinstance(given, dict) or given.keys() - defaults.keys():
        raise ValueError("it does not say the sizes of this network")
    for name, value in given.items():
        if not _like(defaults[name], value):
            raise ValueError(f"its {name} cannot be {value!a:.40}")
    return given


def _like(default: object, value: object) -> bool:
    """Whether a value is what may stand for a default: a count is 1 or more, numbers are finite.

    >>> _like(5, 7), _like(5, True), _like(5, 1.5), _like(1.0, 2), _like((2, 3), [2]), _like(5, 0)
    (True, False, False, True, True, False)
    """
    if isinstance(default, str):
        return isinstance(value, str)
    if isinstance(default, Sequence):
        first = default[0]
        if not isinstance(value, list) or not all(_like(first, each) for each in value):
            return False
        width = len(first) if isinstance(first, tuple) else 0  # of rows: ((8, 8), (8, 16))
        return bool(value) and all(len(each) == width for each in value if width)
    if isinstance(default, float):
        return isinstance(value, int | float) and abs(value) < 1e9
    return type(value) is int and value >= 1


def _compare(tensors: Mapping[str, Tensor], wanted: Iterable[tuple[str, tuple[int, ...]]]) -> None:
    """Raises ValueError where a tensor is missing or is not of the shape that is wanted."""
    for name, shape in wanted:
        if name not in tensors:
            raise ValueError(f"it has no {name}, which its sizes ask for")
        if tuple(tensors[name].shape) != shape:
            found = list(tensors[name].shape)
            raise ValueError(f"its {name} is {found}, and its sizes ask for {list(shape)}")
        if not tensors[name].is_floating_point():
            raise ValueError(f"its {name} is of {tensors[name].dtype}")


def _bounded(tensors: Mapping[str, Tensor]) -> None:
    """Raises ValueError where a weight is nan, or so large that results would be."""
    for name, each in tensors.items():
        if each.numel() and not float(each.abs().max()) <= LARGEST:
            raise ValueError(
                f"its {name} is nan or beyond {LARGEST:,.0f}: its training went astray"
            )


def _bytes(path: Path_) -> bytes:
    try:
        found = Path(path).stat()
        if not stat.S_ISREG(found.st_mode):  # a device never ends, a pipe waits
            raise InputError(f"{path}: is no regular file; --weights takes a .safetensors file")
        if found.st_size > MOST_BYTES:
            raise InputError(
                f"{path}: has {found.st_size:,} bytes, more than any checkpoint; "
                "--weights takes the .safetensors file that a recipe made"
            )
        with Path(path).open("rb") as file:
            return file.read(MOST_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path_ | None, error: OSError | ValueError) -> InputError:
    why = getattr(error, "strerror", None) or error
    return InputError(f"{path}: cannot be read ({why}); check the path given to --weights")


def _shipped(name: str) -> bytes:
    file = f"{name}.safetensors"
    data = resources.files("avtool").joinpath("weights", file).read_bytes()
    if hashlib.sha256(data).hexdigest() != card(name).sha256:
        raise InputError(f"{file}: is damaged; install avtool again")
    return data
