"""A command is a folder: put there, it is found everywhere, and no other file is touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
import readme
from safetensors.numpy import save_file

ROOT = Path(__file__).parents[1]
SPEECH = ROOT / "sample_media" / "speech.wav"
FILES = {
    "__init__.py": '"""`avtool loudness`: how loud a sound is."""\n',
    "command.py": '''
from avtool.cli import options as opt
from avtool.cli.program import app

PLACE = 7


@app.command()
def loudness(inputs: opt.Inputs, out: opt.Out = None, json: opt.Json = False) -> None:
    """How loud a sound is."""
    from avtool.batch.jobs import Plan
    from avtool.batch.request import Request
    from avtool.cli.drive import Batch, execute
    from avtool.pipelines.loudness.pipeline import Options
    from avtool.pipelines.loudness.values import Level
    from avtool.pipelines.loudness.work import work
    from avtool.save import formats

    plan = Plan({"loudness": formats(Level)}, [], ["txt"], out)
    execute(Batch(inputs, json=json), plan, work, Request(Options()))
''',
    "work.py": """
from avtool import media
from avtool.batch.request import Report
from avtool.pipelines.loudness import pipeline
from avtool.save import save


def work(request, job, tick):
    clip = media.open(job.source, name=job.name).clip(pipeline.SPEC)
    found = pipeline.run(clip, request.options)
    save(found.level, job.paths, name="loudness", title=job.title)
    return Report(job.name, outputs=[str(path) for path in job.paths])
""",
    "pipeline.py": '''
"""`avtool loudness`: how loud a sound is."""

from dataclasses import dataclass

from avtool.media import Spec
from avtool.models import weights
from avtool.pipelines.loudness.model import Gain
from avtool.pipelines.loudness.values import Level

SPEC = Spec(audio=True)


@dataclass(frozen=True)
class Options:
    """What is asked for."""

    gain: float = 1.0


@dataclass(frozen=True)
class Result:
    """The level."""

    level: Level


def run(clip, options=Options()):
    own = float(weights.load(Gain).gain)
    return Result(Level(own * options.gain * float((clip.audio.samples ** 2).mean())))
''',
    "model.py": """
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Config:
    size: int = 1


class Gain(torch.nn.Module):
    def __init__(self, config=Config()):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(config.size))
""",
    "values.py": """
from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    power: float


Level.WRITERS = {".txt": lambda value, place: place.path.write_text(f"{value.power}")}
""",
}
CARD = """---
network: avtool.pipelines.loudness.model.Gain
sha256: {sum}
licence: Apache-2.0
data: none
recipe: avtool.pipelines.loudness.train.gain
---
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """The house again, by links to its files, with one folder and one network more."""
    root = tmp_path / "house"
    for folder in ("", "avtool", "avtool/pipelines", "avtool/weights", "docs"):
        (root / folder).mkdir()
    whole = ("docs", "avtool", "pipelines", "weights", "__pycache__")
    for folder in ("avtool", "avtool/pipelines", "avtool/weights", "docs"):
        for path in (ROOT / folder).iterdir():
            if path.name not in whole:
                (root / folder / path.name).symlink_to(path)
    for name in ("README.md", "SECURITY.md", "CHANGELOG.md", "sample_media"):
        (root / name).symlink_to(ROOT / name)
    made = root / "avtool" / "pipelines" / "loudness"
    made.mkdir()
    for name, text in FILES.items():
        (made / name).write_text(text)
    file = root / "avtool" / "weights" / "gain.safetensors"
    import numpy as np

    save_file({"gain": np.full(1, 2.0, np.float32)}, file, {"config": json.dumps({"size": 1})})
    file.with_suffix(".md").write_text(CARD.format(sum=sha256(file.read_bytes()).hexdigest()))
    return root


def python(house: Path, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=house,
        env=os.environ | {"PYTHONPATH": str(house), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_new_folder_is_a_new_command(house: Path) -> None:
    assert "loudness     How loud a sound is." in python(house, "-m", "avtool", "--help")
    told = json.loads(python(house, "-m", "avtool", "loudness", SPEECH, "--json"))
    assert told["outputs"] == ["speech.loudness.txt"] and told["options"]["gain"] == 1.0
    power = float((house / "speech.loudness.txt").read_text())
    code = "import avtool; from avtool.models import weights; "
    code += "print('loudness' in dir(avtool), 'gain' in weights.names(), "
    code += f"avtool.loudness({str(SPEECH)!r}, gain=3.0).level.power)"
    assert python(house, "-c", code).split() == ["True", "True", str(3 * power)]
    import soundfile

    samples = soundfile.read(SPEECH, dtype="float32")[0]
    assert power == pytest.approx(2 * float((samples**2).mean()), rel=1e-5)  # the network's gain


def test_its_page_is_asked_for_and_found(house: Path) -> None:
    page = house / "docs" / "loudness.md"
    assert [fault for fault in readme.faults(house) if "loudness" in fault] == [
        "docs/loudness.md: is missing, the page of loudness"
    ]
    page.write_text("# Loudness\n")
    code = "import sys; sys.path.insert(0, sys.argv[1]); import readme; print(readme.reference())"
    text = python(house, "-c", code, ROOT / "tests")
    assert "| [`avtool loudness`](loudness.md) | `INPUT` | How loud a sound is. |" in text
    (house / "docs" / "cli.md").unlink()
    (house / "docs" / "cli.md").write_text(text)
    assert not list(readme.faults(house))


def test_changed_weights_of_it_are_refused(house: Path) -> None:
    file = house / "avtool" / "weights" / "gain.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(AssertionError, match="damaged"):
        python(house, "-m", "avtool", "--debug", "loudness", SPEECH)
