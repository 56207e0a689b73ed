"""Two files in one call of each command: the networks are read once, each file has its own result.

``lips`` takes one face and one speech, so it is not here; ``separate`` decodes its sound once a
file too, which test_people.py counts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import X264, Avtool, naive, sound

from avtool.metrics.separation import si_sdr

MEDIA = Path(__file__).parents[1] / "sample_media"
COCKTAIL, KNOCK, SPEECH = (MEDIA / name for name in ("cocktail.mp4", "knock.mp4", "speech.wav"))


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A cache that this module alone fills, and that it may share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AVTOOL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def mirrored(source: Path, name: str, seconds: float) -> None:
    """The pictures the other way round, under the same sound."""
    naive("-t", seconds, "-i", source, "-vf", "hflip", *X264, "-c:a", "copy", name)


def read(name: str) -> Any:
    return json.loads(Path(name).read_text())


def both(avtool: Avtool, *arguments: object) -> list[Any]:
    """The reports of a call with two files."""
    ran = avtool(*arguments, "--json")
    assert ran.code == 0, ran.err
    one, two = (json.loads(line) for line in ran.lines)
    assert one["status"] == two["status"] == "done" and one["outputs"] != two["outputs"]
    return [one, two]


def test_faces(avtool: Avtool, networks_read: list[str]) -> None:
    """Of two people and of the right one of them."""
    half = ("-vf", "crop=320:360:320:0", *X264, "-c:a", "copy", "right.mp4")
    naive("-t", 2.5, "-i", COCKTAIL, *half)
    both(avtool, "faces", COCKTAIL, "right.mp4", "--duration", 2, "-f", "json", "-o", "out/")
    two, right = (read(f"out/{name}.faces.json")["faces"] for name in ("cocktail", "right"))
    assert [len(two), len(right)] == [2, 1]
    boxes = [np.array([seen["box"] for seen in face["track"]]) for face in (*two, *right)]
    assert [len(each) for each in boxes] == [50, 50, 50]
    assert boxes[0].max() < 320 and boxes[1][:, 0].min() > 320
    shift = np.median(boxes[1] - boxes[2], 0)  # the same face, 320 pixels further left
    assert shift == pytest.approx([320, 0, 320, 0], abs=3)
    assert sorted(networks_read) == ["LipVoice", "Separator"]  # for who speaks


def test_separate(avtool: Avtool, networks_read: list[str]) -> None:
    """In the mirror the faces change places, and the voices with them."""
    mirrored(COCKTAIL, "mirrored.mp4", 7)
    both(avtool, "separate", COCKTAIL, "mirrored.mp4", "-o", "out/")
    for face, other in ((1, 2), (2, 1)):
        own = sound(f"out/cocktail.face{face}.wav")[0]
        again = sound(f"out/mirrored.face{other}.wav")[0][: len(own)]
        same_number = sound(f"out/mirrored.face{face}.wav")[0][: len(own)]
        assert si_sdr(again, own[: len(again)]) > 10 > 0 > si_sdr(same_number, own[: len(again)])
    assert sorted(networks_read) == ["LipVoice", "Separator"]


def test_localize(avtool: Avtool, networks_read: list[str]) -> None:
    """In the mirror the drum is on the other side."""
    mirrored(KNOCK, "mirrored.mp4", 3.5)
    both(avtool, "localize", KNOCK, "mirrored.mp4", "--duration", 3, "-f", "json", "-o", "out/")
    own, other = (
        np.array([step["peak"] for step in read(f"out/{name}.sources.json")["steps"]])
        for name in ("knock", "mirrored")
    )
    assert own.shape == other.shape and np.median(own[:, 0]) > 400
    away = np.abs(own - other * [-1, 1] - [640, 0]).max(1)
    assert np.median(away) < 30
    assert sorted(networks_read) == sorted(set(networks_read)) and networks_read


def test_refocus(avtool: Avtool) -> None:
    """In the mirror the first face is the other one."""
    mirrored(COCKTAIL, "mirrored.mp4", 1)
    flags = ("--face", 1, "--duration", 0.4, "-f", "json", "-o", "out/")
    both(avtool, "refocus", COCKTAIL, "mirrored.mp4", *flags)
    own, other = (read(f"out/{name}.refocus.json") for name in ("cocktail", "mirrored"))
    for one, two in zip(own["pictures"], other["pictures"], strict=True):
        assert one["blur"]["1"] == two["blur"]["1"] == 0
        # Of each the same lens, focused on faces of different size.
        assert abs(one["behind"] - two["behind"]) > 0.2


def test_speech2face(avtool: Avtool, networks_read: list[str]) -> None:
    """A voice, and the same by a third higher and shorter: each file has its own numbers."""
    naive("-i", SPEECH, "-af", "asetrate=21600,aresample=16000", "high.wav")
    flags = ("-f", "json", "--samples", 2)
    both(avtool, "speech2face", SPEECH, "high.wav", *flags, "-o", "out/")
    assert sorted(networks_read) == ["Face", "Identity", "Speaker", "VoiceFace"]
    own, high = (read(f"out/{name}.face.json") for name in ("speech", "high"))
    for name, times in (("pitch [Hz]", 1.35), ("formant spacing [Hz]", 1.35)):
        assert high["measured"][name] == pytest.approx(times * own["measured"][name], rel=0.1)
    assert high["embedding"] != own["embedding"]
    assert avtool("speech2face", "high.wav", *flags, "-o", "alone/").code == 0
    assert read("alone/high.face.json") == high
