"""Jobs: what is read is never written over, and a rerun makes what is missing and no more."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from conftest import Avtool, program, sine_wav

MEDIA = Path(__file__).parents[1] / "sample_media"
COCKTAIL, FACE, SPEECH = (MEDIA / name for name in ("cocktail.mp4", "face.png", "speech.wav"))


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
@pytest.mark.parametrize(
    ("source", "out"),
    [
        ("a.wav", "a.wav"),
        ("./a.wav", "x/../a.wav"),
        ("{here}/a.wav", "a.wav"),
        ("link.wav", "a.wav"),
        ("a.wav", "link.wav"),
        ("hard.wav", "a.wav"),
        ("x/up/a.wav", "a.wav"),
    ],
)
def test_an_input_is_not_written_over(
    avtool: Avtool, tmp_path: Path, source: str, out: str, more: list[str]
) -> None:
    before = sine_wav(tmp_path / "a.wav").read_bytes()
    Path("x").mkdir()
    Path("x/up").symlink_to("..")
    Path("link.wav").symlink_to("a.wav")
    Path("hard.wav").hardlink_to("a.wav")
    source = source.format(here=tmp_path)
    ran = avtool("waveform", source, "-o", out, *more)
    words = f"{Path(out)}: is an input, and {source} would be written over it; name another -o"
    assert (ran.code, ran.out, ran.err) == (2, "", f"avtool: {words}\n")
    assert Path("a.wav").read_bytes() == before
    assert len(list(Path().iterdir())) == 4


def test_nor_is_what_else_is_read(avtool: Avtool) -> None:
    shutil.copy(COCKTAIL, "talk.mp4")
    Path("curves.csv").symlink_to("talk.mp4")
    Path("net.wav").write_bytes(b"weights")
    for arguments in (
        ("lips", FACE, "talk.mp4", "-o", "talk.mp4"),
        ("lips", FACE, "talk.mp4", "--curves", "curves.csv", "-o", "said.mp4"),
        ("localize", "talk.mp4", "-o", "./talk.mp4"),
        ("separate", "talk.mp4", "--face", 1, "--weights", "net.wav", "-o", "net.wav"),
    ):
        ran = avtool(*arguments, "--overwrite")
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert "is an input, and" in ran.err
    assert Path("talk.mp4").read_bytes() == COCKTAIL.read_bytes()
    assert Path("net.wav").read_bytes() == b"weights"
    assert len(list(Path().iterdir())) == 3


def test_voices_are_not_written_over_other_inputs(avtool: Avtool) -> None:
    """What files there will be is known when the faces are; here by a link's name."""
    shutil.copy(COCKTAIL, "talk.mp4")
    shutil.copy(SPEECH, "other.wav")
    Path("talk.face1.wav").symlink_to("other.wav")
    arguments = ("separate", "talk.mp4", "other.wav", "--duration", 0.2)
    ran = avtool(*arguments, "--overwrite")
    assert ran.code == 1
    assert "talk.face1.wav: is an input of this run, and stays; name another -o" in ran.err
    assert Path("other.wav").read_bytes() == SPEECH.read_bytes()


def test_voices_in_their_videos_folder_are_no_inputs(avtool: Avtool) -> None:
    Path("in").mkdir()
    shutil.copy(COCKTAIL, "in/talk.mp4")
    arguments = ("separate", "in", "-o", "in/", "--duration", 0.2)
    first = avtool(*arguments).lines
    assert "in/talk.face1.wav" in first and len(first) == 4
    ran = avtool(*arguments)
    assert (ran.code, ran.lines) == (0, []) and ran.err.count("\n") == 1
    assert avtool(*arguments, "--overwrite").lines == first


def test_an_earlier_output_that_is_named_is_told_of(avtool: Avtool, tmp_path: Path) -> None:
    """As `avtool waveform *.wav` names it, the second time."""
    sine_wav(tmp_path / "a.wav")
    assert avtool("waveform", "a.wav", "-f", "wav").lines == ["a.waveform.wav"]
    before = Path("a.waveform.wav").stat()
    ran = avtool("waveform", "a.wav", "a.waveform.wav", "-f", "wav", "--json")
    assert ran.code == 0
    reports = [json.loads(line) for line in ran.lines]
    assert [each["status"] for each in reports] == ["skipped", "skipped"]
    assert reports[1]["warnings"] == ["is what a.wav becomes, so it is no input"]
    assert "a.waveform.wav: is what a.wav becomes" in ran.err
    ran = avtool("waveform", "a.wav", "a.waveform.wav", "-f", "wav", "--overwrite")
    assert (ran.code, ran.lines) == (2, []) and "a.waveform.wav: is an input" in ran.err
    assert Path("a.waveform.wav").stat() == before
    ran = avtool("waveform", "./", "-f", "wav", "-o", tmp_path, "--overwrite")  # a folder's are not
    assert ran.code == 0 and sorted(os.listdir()) == ["a.wav", "a.waveform.wav"]


def test_a_rerun_makes_what_is_missing_and_nothing_else(avtool: Avtool) -> None:
    """As after a kill between any two files."""
    ran = avtool("separate", COCKTAIL, "-f", "wav,npy", "--duration", 0.2)
    assert ran.code == 0, ran.err
    names = sorted(ran.lines)
    assert len(names) == 7 and "cocktail.voices.png" in names
    whole = {name: Path(name).read_bytes() for name in names}
    for gone in ("cocktail.face2.npy", "cocktail.rest.wav", "cocktail.voices.png"):
        kept = {name: Path(name).stat() for name in names if name != gone}
        Path(gone).unlink()
        ran = avtool("separate", COCKTAIL, "-f", "wav,npy", "--duration", 0.2)
        assert (ran.code, ran.lines) == (0, [gone])
        assert Path(gone).read_bytes() == whole[gone]
        assert {name: Path(name).stat() for name in kept} == kept
    ran = avtool("separate", COCKTAIL, "-f", "wav", "--duration", 0.2)
    assert (ran.code, ran.lines) == (0, []) and ran.err.count("\n") == 1


def test_curves_are_an_output_like_others(avtool: Avtool) -> None:
    Path("m.csv").write_text("precious")
    ran = avtool("lips", SPEECH, "--curves", "m.csv")
    assert (ran.code, ran.lines) == (0, []) and "m.csv exists; --overwrite replaces it" in ran.err
    piped = ("lips", FACE, SPEECH, "--curves", "m.csv", "-f", "png", "-o", "-", "--duration", 0.5)
    assert program(*piped, errors="replace").stdout[1:4] == "PNG"
    assert Path("m.csv").read_text() == "precious"
    assert program(*piped[:4], "n.csv", *piped[5:], errors="replace").stdout[1:4] == "PNG"
    assert Path("n.csv").read_text().startswith("time")
    Path("speech.png").touch()
    Path("m.csv").unlink()
    ran = avtool("lips", FACE, SPEECH, "-f", "png", "--curves", "m.csv", "--duration", 0.5)
    assert (ran.code, ran.lines[-1]) == (0, "m.csv")
    assert Path("m.csv").read_text().startswith("time")


def test_one_stream_at_a_time(avtool: Avtool) -> None:
    ran = avtool("mel", SPEECH, "-f", "npy", "-o", "-", "--json")
    assert (ran.code, ran.out) == (2, "") and "both write to stdout" in ran.err


def test_a_name_that_is_too_long_is_told_before_the_work(avtool: Avtool, tmp_path: Path) -> None:
    name = "e" * 251 + ".wav"
    sine_wav(tmp_path / name)
    for _ in range(2):
        ran = avtool("mel", name, "-f", "npy")
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
        assert "e.mel.npy: cannot be written (File name too long); -o names another" in ran.err
    sine_wav(tmp_path / ("f" * 247 + ".wav"))
    assert avtool("mel", "f" * 247 + ".wav", "-f", "npy").code == 0  # 255 bytes, all that fit
