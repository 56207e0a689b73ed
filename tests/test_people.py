"""`avtool faces` and `avtool separate` on the sample: two drawn people, two voices at once."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import X264, Avtool, lavfi, naive, pyav_pictures, sound
from PIL import Image

from avtool import cache
from avtool.media import ffmpeg
from avtool.metrics.separation import right_voice, si_sdr, si_sdr_improvement
from avtool.speakers import tracks

MEDIA = Path(__file__).parents[1] / "sample_media"
COCKTAIL = MEDIA / "cocktail.mp4"


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A cache that this module alone fills, and that it may share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AVTOOL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return np.stack([sound(MEDIA / f"cocktail.face{n}.wav")[0] for n in (1, 2)])


def cut(samples: np.ndarray, like: np.ndarray) -> np.ndarray:
    return samples[..., : like.shape[-1]]


def test_two_faces_from_left_to_right(avtool: Avtool) -> None:
    ran = avtool("faces", COCKTAIL)
    assert (ran.code, ran.lines) == (0, ["cocktail.faces.json", "cocktail.faces.png"]), ran.err
    faces = json.loads(Path("cocktail.faces.json").read_text())["faces"]
    assert [face["face"] for face in faces] == [1, 2]
    for face, (left, right) in zip(faces, ((0, 320), (320, 640)), strict=True):
        assert len(face["track"]) == 175  # 7 s, in every picture
        times = [look["t"] for look in face["track"]]
        np.testing.assert_allclose(times, np.arange(175) / 25, atol=1e-3)
        boxes = np.array([look["box"] for look in face["track"]])
        assert (boxes[:, 0] > left).all() and (boxes[:, 2] < right).all()
        for start, end in face["speaking"]:
            assert 0 <= start < end <= 7.04
    with Image.open("cocktail.faces.png") as image:
        assert image.size[0] == 1600 and len(image.getcolors(1 << 20) or []) > 1000


def test_the_asked_voice_is_nearer_the_true_one(avtool: Avtool, truth: np.ndarray) -> None:
    mixture = cut(sound(COCKTAIL)[0], truth)
    for face in (1, 2):
        ran = avtool("separate", COCKTAIL, "--face", face)
        assert (ran.code, ran.lines) == (0, [f"cocktail.face{face}.wav"]), ran.err
        voice = cut(sound(f"cocktail.face{face}.wav")[0], truth)
        assert si_sdr_improvement(voice, truth[face - 1], mixture) > MARGIN
        # The control: it is not the other one's voice.
        assert si_sdr(voice, truth[2 - face]) < si_sdr(voice, truth[face - 1]) - MARGIN


MARGIN = 3.0  # dB


def test_all_voices_and_the_rest_are_the_source(avtool: Avtool, truth: np.ndarray) -> None:
    ran = avtool("separate", COCKTAIL, "--all", "--video", "--json")
    assert ran.code == 0, ran.err
    names = [
        f"cocktail.{who}.{kind}" for who in ("face1", "face2", "rest") for kind in ("wav", "mp4")
    ]
    assert json.loads(ran.out)["outputs"] == [*names, "cocktail.voices.png"]
    with Image.open("cocktail.voices.png") as image:
        lanes = np.asarray(image.convert("L"), float)[104 : 104 + 4 * 188, 260:1540]
    bright = [lanes[n * 188 : n * 188 + 160].mean() for n in range(4)]
    assert min(bright[0] - bright[1], bright[0] - bright[2]) > 5  # the source has both voices
    assert bright[3] < min(bright[:3])  # and little is left
    source = sound(COCKTAIL)
    voices = [sound(f"cocktail.{who}.wav") for who in ("face1", "face2", "rest")]
    assert [voice.shape for voice in voices] == [source.shape] * 3
    np.testing.assert_allclose(sum(voices), source, atol=1e-4)
    given = np.stack([cut(voice[0], truth) for voice in voices[:2]])
    assert right_voice(given, truth).all()
    # The video: the same pictures, that voice, and a word that it is made.
    theirs, ours = pyav_pictures(COCKTAIL), pyav_pictures("cocktail.face1.mp4")
    assert np.array_equal(ours[1], theirs[1])
    np.testing.assert_allclose(ours[0], theirs[0], atol=1e-3)
    under = sound("cocktail.face1.mp4")[0]
    assert np.corrcoef(cut(under, truth), given[0])[0, 1] > 0.98
    with soundfile.SoundFile("cocktail.face1.wav") as file:
        assert "separated by avtool" in file.comment


def test_the_second_command_does_not_look_again(
    avtool: Avtool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert avtool("faces", COCKTAIL, "-f", "json").code == 0

    def look(*arguments: object) -> None:
        raise AssertionError("looked again")

    monkeypatch.setattr(tracks, "find", look)
    Path("copy.mp4").write_bytes(COCKTAIL.read_bytes())  # the content counts, not the name
    ran = avtool("faces", "copy.mp4", "-f", "json")
    assert ran.code == 0, ran.err
    assert Path("copy.faces.json").read_text() == Path("cocktail.faces.json").read_text()
    assert avtool("faces", "copy.mp4", "--duration", 1, "-o", "other.json").code == 1


def test_a_damaged_cache_is_made_again(avtool: Avtool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVTOOL_CACHE", str(Path("cache").absolute()))
    arguments = ("faces", COCKTAIL, "--duration", 1, "-f", "json", "--overwrite")
    assert avtool(*arguments).code == 0
    (kept,) = Path("cache").absolute().iterdir()
    first = Path("cocktail.faces.json").read_text()
    monkeypatch.setattr(cache, "on_damage", None)
    monkeypatch.setattr(ffmpeg, "on_start", None)
    for flag, lines in (
        ((), []),
        (("-v",), [f"avtool: {kept}: is damaged, or another's; it is made again"]),
    ):
        kept.write_bytes(kept.read_bytes()[:100])
        ran = avtool(*arguments, *flag)
        assert ran.code == 0
        assert [line for line in ran.err.splitlines() if "ffmpeg" not in line] == lines
        assert Path("cocktail.faces.json").read_text() == first
        assert kept.stat().st_size > 100


def test_unknown_faces_and_contradictions(avtool: Avtool) -> None:
    ran = avtool("separate", COCKTAIL, "--face", 7)
    assert ran.code == 1 and not ran.lines
    assert "has no face 7; it has 2 faces, 1 to 2" in ran.err and "avtool faces" in ran.err
    assert avtool("separate", COCKTAIL, "--face", 1, "--all").code == 2
    assert avtool("separate", COCKTAIL, "--face", 0).code == 2
    assert avtool("separate", COCKTAIL, "--face", 1, "--video", "--start", 1).code == 2
    for arguments in (("--all", "-o", "one.wav"), ("--face", 1, "--video", "-o", "one.wav")):
        ran = avtool("separate", COCKTAIL, *arguments)
        assert ran.code == 2 and "name a folder/" in ran.err and not ran.lines
    assert not list(Path().glob("*.part"))


def test_nobody_no_sound_no_pictures(avtool: Avtool, talk: Path) -> None:
    """Each says what it is, in one line."""
    ran = avtool("separate", talk)
    assert ran.code == 1 and "shows no face" in ran.err and len(ran.err.splitlines()) == 1
    ran = avtool("faces", talk)
    assert ran.code == 0 and "shows no face" in ran.err
    assert json.loads(Path("talk.faces.json").read_text()) == {"faces": []}
    naive(*lavfi("testsrc2=s=160x120:r=25:d=1"), *X264, "mute.mp4")
    ran = avtool("separate", "mute.mp4")
    assert ran.code == 1 and "has no sound" in ran.err
    ran = avtool("separate", MEDIA / "speech.wav", "--face", 1)
    assert ran.code == 1 and "has no pictures" in ran.err


def test_a_listener_gets_silence_and_a_line(avtool: Avtool) -> None:
    """The same pictures with one voice: the other face only listens, or so it seems."""
    still = "split[a][b];[b]crop=320:360:320:0,select='eq(n,0)',loop=-1:1[s];"
    still += "[a][s]overlay=320:shortest=1"
    both = ("-i", COCKTAIL, "-i", MEDIA / "cocktail.face1.wav", "-map", "0:v", "-map", "1:a")
    naive(*both, "-vf", still, *X264, "-c:a", "flac", "one.mkv")
    ran = avtool("separate", "one.mkv", "--all", "--duration", 6.9)
    assert ran.code == 0, ran.err
    assert "face 2 never speaks" in ran.err
    assert not sound("one.face2.wav").any()
    speaker, source = sound("one.face1.wav"), sound("one.mkv")
    assert si_sdr(speaker[0], source[0, : speaker.shape[1]]) > 6


def test_names_keep_the_whole_stem_and_all_formats(avtool: Avtool) -> None:
    Path("a.rest.mp4").write_bytes(COCKTAIL.read_bytes())
    ran = avtool("separate", "a.rest.mp4", "-f", "flac", "--video", "-o", "out/")
    assert ran.code == 0, ran.err
    whose = ("face1", "face2", "rest")
    parts = [f"out/a.rest.{who}.{kind}" for who in whose for kind in ("flac", "mp4")]
    assert ran.lines == [*parts, "out/a.rest.voices.png"]
    assert all(Path(name).stat().st_size for name in ran.lines)


def test_a_rerun_does_only_what_is_missing(avtool: Avtool) -> None:
    assert avtool("separate", COCKTAIL, "--face", 1).code == 0
    before = Path("cocktail.face1.wav").stat().st_mtime_ns
    ran = avtool("separate", COCKTAIL, "--face", 1)
    assert ran.code == 0 and "exists" in ran.err
    assert Path("cocktail.face1.wav").stat().st_mtime_ns == before


def test_a_rerun_makes_what_was_deleted(avtool: Avtool) -> None:
    ran = avtool("separate", COCKTAIL)
    assert ran.code == 0, ran.err
    lost = ["cocktail.face1.wav", "cocktail.voices.png"]
    before = {name: Path(name).read_bytes() for name in ran.lines}
    for name in lost:
        Path(name).unlink()
    kept = Path("cocktail.rest.wav").stat().st_mtime_ns
    ran = avtool("separate", COCKTAIL)
    assert (ran.code, ran.lines) == (0, lost), ran.err
    np.testing.assert_array_equal(sound(lost[0]), soundfile.read(BytesIO(before[lost[0]]))[0][None])
    assert Path(lost[1]).read_bytes() == before[lost[1]]
    assert Path("cocktail.rest.wav").stat().st_mtime_ns == kept
    ran = avtool("separate", COCKTAIL)
    assert ran.code == 0 and not ran.lines and "exists" in ran.err


def test_one_decoding_and_one_loading(
    avtool: Avtool, networks_read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two files, three voices each: the sound is decoded once a file, the networks read once."""
    assert avtool("faces", COCKTAIL, "-f", "json").code == 0  # the tracks are known now
    Path("two.mp4").write_bytes(COCKTAIL.read_bytes())
    runs: list[list[str]] = []
    monkeypatch.setattr(ffmpeg, "on_start", runs.append)
    ran = avtool("separate", COCKTAIL, "two.mp4", "--json")
    assert ran.code == 0, ran.err
    decodings = [run for run in runs if "f32le" in run or "pcm_f32le" in run]
    assert len(decodings) == 2, [" ".join(map(str, run)) for run in runs]
    assert sorted(networks_read) == ["LipVoice", "Separator"]
    options = json.loads(ran.lines[0])["options"]
    assert (options["face"], options["voices"], options["device"]) == (None, None, "auto")


def test_eval_beats_the_mixture_and_swaps_with_the_faces(avtool: Avtool) -> None:
    ran = avtool("eval", "separate", COCKTAIL, "--json")
    assert ran.code == 0, ran.err
    table = json.loads(ran.out)
    assert table["avtool"]["SI-SDRi"] > MARGIN and table["mixture"]["SI-SDRi"] == 0
    assert table["avtool"]["right voice"] == 1.0
    assert table["faces swapped (control)"]["right voice"] == 0.0
    assert avtool("eval", "separate", MEDIA / "speech.wav").code == 2
