"""Keep avtool/__init__.pyi true: it is written from the very functions that Python makes.

python tests/stubs.py --check    fails where the file is not what the functions are
python tests/stubs.py --write    writes it
"""

from __future__ import annotations

import difflib
import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np

import avtool
from avtool.pipelines import commands

STUB = Path(__file__).parents[1] / "avtool" / "__init__.pyi"
HEAD = '''\
"""Types of avtool's functions; written by ``python tests/stubs.py --write``."""
'''


def main() -> int:
    true = generated()
    if "--write" in sys.argv:
        STUB.write_text(true)
        return 0
    text = STUB.read_text() if STUB.exists() else ""
    if text != true:
        lines = difflib.unified_diff(text.splitlines(), true.splitlines(), "stub", "functions")
        print("\n".join(lines))
        print(f"{STUB.name} is not what the functions are; run: python tests/stubs.py --write")
        return 1
    print(f"{STUB.name}: up to date")
    return 0


def generated() -> str:
    """The stub as the functions are now."""
    imports = {
        "from os import PathLike",
        "from typing import Literal",
        "from avtool.media import open as open",
        "from avtool.values import Array",
    }
    parts = []
    for name in commands():
        imports.add(f"from {commands()[name]} import Result as {_result(name)}")
        parts.append(_function(name, getattr(avtool, name)))
    ours = sorted(line for line in imports if "avtool" in line)
    others = sorted(imports - set(ours))
    exported = "".join(f'    "{name}",\n' for name in sorted([*commands(), "open"]))
    blocks = [
        HEAD,
        "\n".join(others) + "\n",
        "\n".join(ours) + "\n",
        f"__version__: str\n__all__ = [\n{exported}]\n",
        *parts,
    ]
    return "\n".join(blocks)


def _result(name: str) -> str:
    return f"{name.capitalize()}Result"


def _function(name: str, function: Callable[..., Any]) -> str:
    form = inspect.signature(function)
    lines, before = [], None
    for each in form.parameters.values():
        if before == each.POSITIONAL_ONLY and each.kind == each.KEYWORD_ONLY:
            lines += ["/", "*"]
        before = each.kind
        default = "" if each.default is each.empty else f" = {_literal(each.default)}"
        lines.append(f"{each.name}: {written(each.annotation)}{default}")
    taken = "".join(f"    {line},\n" for line in lines)
    words = indent(f'"""{inspect.getdoc(function)}\n"""', "    ", lambda line: line.strip())
    return f"def {name}(\n{taken}) -> {_result(name)}:\n{words}\n"


def _literal(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value)
    return repr(value) if value is None or isinstance(value, bool | int | float) else "..."


def written(kind: Any) -> str:
    """A type as it is written, the same for all versions of Python and numpy.

    >>> written(tuple[float, float] | None)
    'tuple[float, float] | None'
    """
    origin, inner = get_origin(kind), get_args(kind)
    if kind is np.ndarray:
        return "Array"
    if kind is NoneType:
        return "None"
    if origin in (Union, UnionType):
        return " | ".join(written(each) for each in inner)
    if origin is Literal:
        return f"Literal[{', '.join(_literal(each) for each in inner)}]"
    if origin:
        return f"{origin.__name__}[{', '.join(written(each) for each in inner)}]"
    if kind.__module__ != "builtins":
        raise TypeError(f"tests/stubs.py does not know how to write {kind}")
    return str(kind.__name__)


if __name__ == "__main__":
    sys.exit(main())
