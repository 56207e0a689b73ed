"""The house itself: imports point down, start-up is light, ffmpeg has one door, docs are true."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "avtool"

# The longest prefix that fits a module gives its floor.
FLOORS = {
    "avtool": 6,
    "avtool.cli": 6,
    "avtool.__main__": 6,
    "avtool.batch": 5,
    "avtool.pipelines": 4,
    "avtool.training": 4,
    "avtool.speakers": 4,
    "avtool.signal": 3,
    "avtool.face": 3,
    "avtool.models": 3,
    "avtool.metrics": 3,
    "avtool.media": 2,
    "avtool.save": 2,
    "avtool.draw": 2,
    "avtool.meshes": 2,
    "avtool.values": 1,
    "avtool.errors": 1,
    "avtool.spool": 1,
    "avtool.ahead": 1,
    "avtool.cache": 2,
    "avtool.head": 3,
    "avtool.mouth": 3,
}
# What a floor's modules must not know, whoever offers it.
FORBIDDEN = {
    "avtool.signal": ("avtool.media", "avtool.save", "pathlib", "typer", "torch"),
    "avtool.face": ("avtool.media", "avtool.save", "pathlib", "typer", "torch"),
    "avtool.mouth": ("avtool.media", "avtool.save", "pathlib", "typer", "torch"),
    "avtool.models": ("avtool.media", "avtool.save", "typer"),
    "avtool.metrics": ("avtool.media", "avtool.save", "pathlib", "typer", "torch"),
    "avtool.media": ("torch", "typer", "librosa"),
    "avtool.pipelines": ("typer", "rich", "avtool.save", "avtool.draw", "pathlib", "os"),
}


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(p for p in parts if p != "__init__")] = path
    return found


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def fits(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def floor(name: str) -> int:
    return FLOORS[max((p for p in FLOORS if fits(name, p)), key=len)]


@pytest.mark.parametrize("name", modules())
def test_imports_point_down(name: str) -> None:
    known = modules()
    for target in imported(modules()[name]):
        if target in known and target != "avtool" and name != "avtool":
            assert floor(target) <= floor(name), f"{name} imports {target}"
    for prefix, forbidden in FORBIDDEN.items():
        if fits(name, prefix):
            for target in imported(modules()[name]):
                assert not any(fits(target, bad) for bad in forbidden), f"{name}: {target}"


def test_the_check_would_see_an_upward_import() -> None:
    assert floor("avtool.signal.stft") < floor("avtool.pipelines.mel") < floor("avtool.batch.jobs")
    assert "avtool.signal.stft" in imported(PACKAGE / "pipelines" / "spectrogram.py")


def test_one_door_to_processes() -> None:
    users = [name for name, path in modules().items() if "subprocess" in imported(path)]
    assert users == ["avtool.media.ffmpeg"]


def test_library_is_silent() -> None:
    """Only the commands speak."""
    for name, path in modules().items():
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        prints = [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"]
        assert not prints or fits(name, "avtool.cli"), name


def loaded_by(*arguments: str, cwd: Path) -> set[str]:
    code = "import sys, json, atexit\n"
    code += "atexit.register(lambda: print('LOADED', json.dumps(list(sys.modules)), "
    code += "file=sys.stderr))\n"
    code += f"sys.argv = ['avtool', *{list(arguments)!r}]\n"
    code += "from avtool.cli import main\nmain()\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=True
    )
    line = next(x for x in done.stderr.splitlines() if x.startswith("LOADED"))
    return set(json.loads(line.removeprefix("LOADED ")))


HEAVY = {"torch", "librosa", "numba", "scipy.signal", "scipy", "matplotlib.pyplot", "matplotlib"}


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    loaded = loaded_by("--help", cwd=tmp_path)
    assert "typer" in loaded
    assert not loaded & (HEAVY | {"numpy", "PIL", "soundfile", "soxr", "ducc0", "ffmpeg", "rich"})


@pytest.mark.parametrize("command", ["spectrogram", "mel", "mfcc", "waveform"])
def test_features_load_nothing_heavy(command: str, tmp_path: Path) -> None:
    sample = PACKAGE.parent / "sample_media" / "speech.wav"
    loaded = loaded_by(command, str(sample), cwd=tmp_path)
    assert "numpy" in loaded
    assert not loaded & (HEAVY | {"soxr", "ffmpeg", "rich.progress"})
    assert (tmp_path / f"speech.{command}.png").exists()


def test_every_export_is_there() -> None:
    import avtool

    for name in avtool.__all__:
        assert callable(getattr(avtool, name))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = avtool.nothing
