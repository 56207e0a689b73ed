"""The house itself: imports point down, start-up is light, ffmpeg has one door, docs are true."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "avtool"

# Rooms from the top of the house to its ground; none imports one beside or above it.
FLOORS = [
    ["avtool.__main__"],
    ["avtool.app", "avtool.api"],
    ["avtool.pipelines"],
    ["avtool.training"],
    ["avtool.cli"],
    ["avtool.batch"],
    ["avtool.speakers"],
    ["avtool.cache"],
    ["avtool.page"],
    ["avtool.save"],
    ["avtool.media"],
    ["avtool.models", "avtool.draw"],
    ["avtool.face", "avtool.head", "avtool.metrics"],
    ["avtool.signal"],
    ["avtool.spool", "avtool.prefetch", "avtool.scratch", "avtool.stderr", "avtool.tflite"],
    ["avtool.values", "avtool.errors"],
]
# Within a command's folder likewise; a module that is not named stands between the last two rows.
WITHIN = [
    ["command"],
    ["train", "evaluate", "work"],
    ["audit", "page"],
    ["pipeline", "tag"],
    ["fusion", "idle_motion", "moments", "painted_film"],
    ["calibration", "cues", "video_face", "speech_to_motion"],
    ["draw", "values", "model"],  # a value's writers draw it
]
# What a room's modules must not know, whoever offers it.
PURE = ("avtool.media", "avtool.save", "pathlib", "typer", "torch")
FORBIDDEN = {
    "avtool.signal": PURE,
    "avtool.face": PURE,
    "avtool.metrics": PURE,
    "avtool.models": ("avtool.media", "avtool.save", "typer"),
    "avtool.media": ("torch", "typer", "librosa"),
    "avtool.batch": ("typer", "rich", "torch"),
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
    """Counted from the ground."""
    rows = [n for n, row in enumerate(FLOORS) if any(fits(name, room) for room in row)]
    return len(FLOORS) - rows[0] if rows else 0


def room(name: str) -> str:
    return next(each for row in FLOORS for each in row if fits(name, each))


def folder(name: str) -> tuple[str, str]:
    """Of a module of a pipeline: its folder and its place in it."""
    _, _, command, place, *_ = (*name.split("."), "", "", "")
    return command, place


def rank(place: str) -> int:
    rows = [n for n, row in enumerate(WITHIN) if place in row]
    return len(WITHIN) - rows[0] if rows else 1


def fault(name: str, target: str) -> str:
    """Why one module must not import another; empty where it may."""
    if "avtool" in (name, target) or room(name) != room(target):
        return "" if "avtool" in (name, target) or floor(target) < floor(name) else "not below it"
    if room(name) != "avtool.pipelines" or "avtool.pipelines" in (name, target):
        return ""
    (own, at), (other, there) = folder(name), folder(target)
    if own != other:
        # Features are everybody's; recipes may learn from what another command makes.
        return "" if other == "features" or at == "train" or not there else "another command"
    return "" if at == there or not there or rank(there) <= rank(at) else "above it in its folder"


@pytest.mark.parametrize("name", modules())
def test_imports_point_down(name: str) -> None:
    known = modules()
    for target in imported(known[name]):
        if target in known:
            assert not (why := fault(name, target)), f"{name} imports {target}: {why}"
    for prefix, forbidden in FORBIDDEN.items():
        if fits(name, prefix):
            for target in imported(known[name]):
                assert not any(fits(target, bad) for bad in forbidden), f"{name}: {target}"


@pytest.mark.parametrize(
    ("name", "target", "why"),
    [
        ("avtool.signal.stft", "avtool.media.read", "not below it"),
        ("avtool.media.read", "avtool.save.tables", "not below it"),
        ("avtool.face.tracker", "avtool.metrics.lips", "not below it"),
        ("avtool.pipelines.lips.pipeline", "avtool.training.trainer", ""),
        ("avtool.training.trainer", "avtool.pipelines.lips.pipeline", "not below it"),
        ("avtool.pipelines.faces.pipeline", "avtool.pipelines.lips.model", "another command"),
        ("avtool.pipelines.lips.model", "avtool.pipelines.lips.pipeline", "above it in its folder"),
        ("avtool.pipelines.lips.pipeline", "avtool.pipelines.features.mel", ""),
    ],
)
def test_an_import_that_is_wrong_is_seen(name: str, target: str, why: str) -> None:
    assert fault(name, target) == why


def test_a_pipeline_runs_without_its_training() -> None:
    for name, path in modules().items():
        if fits(name, "avtool.training") or ".train" in name:
            continue
        for target in imported(path):
            assert not fits(target, "avtool.training") and ".train" not in target, (name, target)


def test_one_door_to_each_other_program() -> None:
    users = {name for name, path in modules().items() if "subprocess" in imported(path)}
    assert users == {"avtool.media.ffmpeg", "avtool.media.synthesizer"}


def test_library_is_silent() -> None:
    """Only the commands speak."""
    for name, path in modules().items():
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        prints = [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"]
        speaks = fits(name, "avtool.cli") or fits(name, "avtool.app")
        assert not prints or speaks or folder(name)[1] in ("work", "evaluate"), name


def opens_files(text: str) -> bool:
    """Whether a module calls the built-in open."""
    calls = (n.func for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call))
    return any(isinstance(call, ast.Name) and call.id == "open" for call in calls)


def test_pure_rooms_open_no_file() -> None:
    for name, path in modules().items():
        if any(fits(name, each) for each, bad in FORBIDDEN.items() if bad is PURE):
            assert not opens_files(path.read_text()), name
    assert opens_files("def read(name):\n    with open(name) as file:\n        return file")
    assert not opens_files("import os\nos.open(os.devnull, os.O_WRONLY)")


def loaded_by(*arguments: str, cwd: Path) -> set[str]:
    code = "import sys, json, atexit\n"
    code += "atexit.register(lambda: print('LOADED', json.dumps(list(sys.modules)), "
    code += "file=sys.stderr))\n"
    code += f"sys.argv = ['avtool', *{list(arguments)!r}]\n"
    code += "from avtool.app import main\nmain()\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=True
    )
    line = next(x for x in done.stderr.splitlines() if x.startswith("LOADED"))
    return set(json.loads(line.removeprefix("LOADED ")))


HEAVY = {"torch", "librosa", "numba", "scipy.signal", "scipy", "matplotlib.pyplot", "matplotlib"}


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    loaded = loaded_by("--help", cwd=tmp_path)
    assert "typer" in loaded
    assert not loaded & (
        HEAVY | {"av", "numpy", "PIL", "soundfile", "soxr", "ducc0", "ffmpeg", "rich"}
    )


@pytest.mark.parametrize("command", ["spectrogram", "mel", "mfcc", "waveform"])
def test_features_load_nothing_heavy(command: str, tmp_path: Path) -> None:
    sample = PACKAGE.parent / "sample_media" / "speech.wav"
    loaded = loaded_by(command, str(sample), cwd=tmp_path)
    assert "numpy" in loaded
    assert not loaded & (HEAVY | {"av", "soxr", "ffmpeg", "rich.progress"})
    assert (tmp_path / f"speech.{command}.png").exists()


def test_what_is_not_exported_is_not_there() -> None:
    import avtool

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = avtool.nothing  # type: ignore[attr-defined]
