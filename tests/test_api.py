"""avtool from Python: what there is, how it is called, arrays for files, pictures, types."""

from __future__ import annotations

import fnmatch
import inspect
import json
import os
import pkgutil
import pydoc
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import mypy.api
import numpy as np
import pytest
import soundfile
import stubs
from conftest import Avtool, naive

import avtool as house
from avtool import media, pipelines
from avtool.cli.program import app
from avtool.errors import InputError, MediaError
from avtool.media.image import read_picture
from avtool.values import Matrix

ROOT = Path(__file__).parents[1]
MEDIA = ROOT / "sample_media"
SPEECH, COCKTAIL, FACE = (MEDIA / name for name in ("speech.wav", "cocktail.mp4", "face.png"))
COMMANDS = {each.callback.__name__ for each in app.registered_commands if each.callback}
COMMANDS -= {
    "show",
    "serve",
    "search",
    "shape",
    "info",
    "status",
    "doctor",
    "cache",
}  # what the terminal has and Python needs not
FEATURES = ["waveform", "spectrogram", "mel", "mfcc"]


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A cache that this module alone fills, and that it may share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AVTOOL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def stereo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """3 s of noise with 32-bit samples at 44.1 kHz, longer than a block: a file, and its array."""
    samples = np.random.default_rng(5).uniform(-0.5, 0.5, (2, 3 * 44_100)).astype(np.float32)
    path = tmp_path_factory.mktemp("stereo") / "noise.wav"
    soundfile.write(path, samples.T, 44_100, subtype="FLOAT")
    return path, samples


def values(result: Any) -> np.ndarray:
    """The one value of a feature."""
    value = getattr(result, fields(result)[0].name)
    return value.values if isinstance(value, Matrix) else value.samples


# What there is, and what help says of it.


def test_dir_lists_the_commands() -> None:
    assert {name for name in dir(house) if not name.startswith("__")} == COMMANDS | {"open"}
    assert set(house.__all__) == COMMANDS | {"open"}
    assert {info.name for info in pkgutil.iter_modules(house.__path__)}.isdisjoint(house.__all__)
    first = house.mel
    assert house.mel is first


def test_to_import_and_to_list_loads_nothing_heavy() -> None:
    code = "import sys, json, avtool; names = dir(avtool); print(json.dumps([*sys.modules]))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(run.stdout))
    assert "avtool.pipelines" in loaded
    assert not loaded & {"numpy", "torch", "PIL", "avtool.api", "avtool.pipelines.features.mel"}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_signature_is_that_of_the_options(name: str) -> None:
    module = pipelines.pipeline(name)
    taken = inspect.signature(getattr(house, name)).parameters
    named = [each for each in taken.values() if each.kind == each.KEYWORD_ONLY]
    first = [each for each in taken if each not in {one.name for one in named}]
    assert first == (["source", "speech"] if name == "lips" else ["source"])
    assert all(taken[each].kind == inspect.Parameter.POSITIONAL_ONLY for each in first)
    for field in fields(module.Options):
        assert taken[field.name] in named
        assert taken[field.name].default == field.default
    assert {"start", "duration", "channel"} <= taken.keys()
    assert ("rate" in taken) == (name in {*FEATURES, "lips", "sounds", "speech2face"})
    assert ("preset" in taken) == (name in FEATURES)
    assert ("device" in taken) == (name not in FEATURES)


@pytest.mark.parametrize("name", sorted(house.__all__))
def test_every_function_opens_what_it_is_given(name: str) -> None:
    sources = ["missing.png", "missing.wav"] if name == "lips" else ["missing.wav"]
    asked = {"question": "how many people?"} if name == "ask" else {}
    with pytest.raises(MediaError, match=r"^missing\.(png|wav): no such file"):
        getattr(house, name)(*sources, **asked)


def test_help_says_what_the_options_mean() -> None:
    said = pydoc.plain(pydoc.render_doc(house.mfcc))
    for words in (
        "mfcc(source: str | os.PathLike[str] | numpy.ndarray, /, *, rate: int | None = None",
        "n_mfcc: int = 13",
        "pad: Literal['constant', 'reflect'] = 'constant'",
        "-> avtool.pipelines.features.mfcc.Result",
        "Mel-frequency cepstral coefficients and their deltas.",
        "    start: where to begin, in seconds",
        "    power: exponent of |X|",  # the spectrogram's
        "    deltas: 0, 1 (velocity) or 2",  # its own
        "[n_mfcc * (1 + deltas), frames]",
    ):
        assert words in said, words
    assert said.count("Args:") == said.count("Raises:") == 1
    assert "face: whose voice, counted from 1" in pydoc.render_doc(house.separate)
    whole = pydoc.plain(pydoc.render_doc(house))
    for name in COMMANDS:
        assert f"\n    {name}(source: " in whole, name


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_what_a_pipeline_says_of_its_options_is_in_the_help(name: str) -> None:
    for kind in pipelines.pipeline(name).Options.__mro__[:-1]:
        told = inspect.cleandoc(kind.__doc__).partition("Args:\n")[2].partition("\n\n")[0]
        for line in told.splitlines():
            assert line.strip() in (inspect.getdoc(getattr(house, name)) or "")


# Types.


def test_the_stub_is_what_the_functions_are() -> None:
    text = stubs.STUB.read_text()
    assert stubs.generated() == text, "run: python tests/stubs.py --write"
    assert text.count("n_mels: int = 80,") == 2


def test_a_stub_that_lies_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lie = stubs.STUB.read_text().replace("n_mels: int = 80", "n_mels: str = 80", 1)
    monkeypatch.setattr(stubs, "STUB", tmp_path / "stub.pyi")
    monkeypatch.setattr(sys, "argv", ["stubs.py", "--check"])
    stubs.STUB.write_text(lie)
    assert stubs.main() == 1
    said = capsys.readouterr().out
    assert "-    n_mels: str = 80," in said and "+    n_mels: int = 80," in said
    monkeypatch.setattr(sys, "argv", ["stubs.py", "--write"])
    stubs.main()
    monkeypatch.setattr(sys, "argv", ["stubs.py", "--check"])
    assert stubs.main() == 0 and stubs.STUB.read_text() != lie


def test_types_ship() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shipped = project["tool"]["setuptools"]["package-data"]["avtool"]
    for name in ("py.typed", "__init__.pyi"):
        assert (ROOT / "avtool" / name).exists()
        assert any(fnmatch.fnmatch(name, pattern) for pattern in shipped), name


def test_a_users_types_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = """
        import numpy as np
        import avtool

        avtool.mel("a.wav", preset="whisper", start=1.5, n_mels=40).mel.values.shape
        avtool.mel(np.zeros(9), rate=16000).mel.blocks
        avtool.separate("a.mp4", face=2).voices[2].samples
        avtool.lips(None, "a.wav", face=1, length="video").curves(60).amounts
        avtool.open("a.wav").info.duration
        a: int = avtool.mel("a.wav")
        avtool.mel("a.wav", n_melz=3)
        avtool.mel("a.wav", pad="wrap")
        avtool.separate(np.zeros(9))
        avtool.lips("face.png")
        avtool.nothing("a.wav")
    """
    lines = [line.strip() for line in script.splitlines()]
    (tmp_path / "user.py").write_text("\n".join(lines))
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\nstrict = True\n"
        "[mypy-avtool.*]\nignore_errors = True\n"  # what is installed is not judged
        "[mypy-torch.*,cv2.*,PIL.*]\nfollow_imports = skip\n"  # it takes long, and tells nothing
    )
    monkeypatch.setenv("MYPYPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    said, _, _ = mypy.api.run(["--config-file", "mypy.ini", "--cache-dir", "cache", "user.py"])
    wrong = {int(line.split(":")[1]): line for line in said.splitlines() if ": error: " in line}
    assert {lines[number - 1].partition("(")[0] for number in wrong} == {
        *("a: int = avtool.mel", "avtool.mel", "avtool.separate", "avtool.lips", "avtool.nothing")
    }, said
    assert sorted(wrong) == list(range(10, 16)), said
    assert 'expression has type "Result", variable has type "int"' in wrong[10]


# Arrays where files are.


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"start": 0.5, "duration": 1.25},
        {"start": 2.9, "duration": 60.0},
        {"channel": 2},
        {"sr": 16_000},
    ],
)
@pytest.mark.parametrize("name", FEATURES)
def test_an_array_is_as_its_file(
    name: str, given: dict[str, Any], stereo: tuple[Path, np.ndarray]
) -> None:
    path, samples = stereo
    command = getattr(house, name)
    from_file, from_array = command(path, **given), command(samples, rate=44_100, **given)
    wanted = values(from_file)
    assert wanted.shape[1] > 3 and np.ptp(wanted) > 0
    np.testing.assert_array_equal(values(from_array), wanted)
    for key in ("start", "hop", "frames", "parameters", "rate", "length_samples"):
        a, b = (getattr(getattr(r, name), key, None) for r in (from_file, from_array))
        assert a == b, key


def test_presets_resample_an_array_as_a_file(stereo: tuple[Path, np.ndarray]) -> None:
    path, samples = stereo
    wanted = house.mel(path, preset="whisper").mel
    assert wanted.parameters["sr"] == 16_000
    found = house.mel(samples, rate=44_100, preset="whisper").mel
    np.testing.assert_allclose(found.values, wanted.values, rtol=0, atol=1e-6)
    assert found.parameters == wanted.parameters


def test_kinds_of_arrays(tmp_path: Path) -> None:
    whole = np.random.default_rng(1).integers(-(2**15), 2**15, 8000).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", whole, 16_000)
    wanted = house.waveform(tmp_path / "a.wav").waveform.samples
    for samples in (whole, whole / 2**15, (whole / 2**15).astype(np.float32)[None]):
        np.testing.assert_array_equal(values(house.waveform(samples, rate=16_000)), wanted)


def test_an_array_may_be_changed_afterwards() -> None:
    samples = np.full(1600, 0.25, np.float32)
    heard = house.waveform(samples, rate=16_000).waveform
    samples[:] = 0
    assert (heard.samples == 0.25).all()
    next(heard.blocks())[:] = 0
    assert (next(heard.blocks()) == 0.25).all()


def test_a_voice_may_be_an_array() -> None:
    samples, rate = soundfile.read(SPEECH, dtype="int16")
    wanted = house.speech2face(SPEECH, samples=1)
    found = house.speech2face(samples, rate=rate, samples=1)
    assert found.face.report == wanted.face.report
    np.testing.assert_array_equal(found.face.portrait, wanted.face.portrait)


def test_face_and_speech_may_be_arrays() -> None:
    samples, rate = soundfile.read(SPEECH)
    part: dict[str, Any] = {"start": 1.0, "duration": 1.5, "still": True}
    wanted = house.lips(FACE, SPEECH, **part)
    found = house.lips(read_picture(FACE), samples, rate=rate, **part)
    np.testing.assert_array_equal(found.motion.amounts, wanted.motion.amounts)
    np.testing.assert_array_equal(found.audio.samples, wanted.audio.samples)
    for a, b in zip(found.lips.images(), wanted.lips.images(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_which_face_of_a_video_speaks() -> None:
    boxes = [house.lips(COCKTAIL, SPEECH, face=face, duration=1.0).box(0) for face in (1, 2)]
    assert boxes[0][2] < 320 < boxes[1][0]  # left and right half of 640 pixels
    with pytest.raises(InputError, match="has no face 3; it has 2 faces"):
        house.lips(COCKTAIL, SPEECH, face=3)


SOUND = np.zeros(1600, np.float32)


@pytest.mark.parametrize(
    ("name", "sources", "given", "words"),
    [
        ("mel", [SOUND], {}, "need their rate in Hz, not None; add rate=16000"),
        ("mel", [SOUND], {"rate": 0}, "need their rate in Hz, not 0"),
        ("mel", [SPEECH], {"rate": 16_000}, "a file knows its own; leave it out"),
        ("lips", [None, SOUND], {}, "need their rate"),
        ("lips", [SOUND, SPEECH], {}, r"a photo is uint8 \[height, width, 3\]"),
        ("mel", [SOUND.astype(int)], {"rate": 8000}, "float .* or int16, not int64; convert"),
        ("mel", [None], {"rate": 8000}, "not object"),
        ("mel", [np.zeros((1600, 2))], {"rate": 8000}, r"\[channels, time\], not float64"),
        ("mel", [np.zeros((0,))], {"rate": 8000}, r"not float64 \[1, 0\]"),
        ("mel", [SOUND], {"rate": 8000, "start": 0.2}, "lasts 0.20 s"),
        ("mel", [SOUND], {"rate": 8000, "duration": -1}, "duration is above 0"),
        ("mel", [SOUND], {"rate": 8000, "channel": 2}, "the array has no channel 2; it has 1"),
        (
            "separate",
            [SOUND],
            {"rate": 8000},
            "separate takes a video file, not ndarray; give its path",
        ),
        ("localize", [SOUND], {}, "localize takes a video file"),
        ("faces", [SOUND], {}, "faces takes a video file"),
        ("mel", ["a.wav"], {"n_melz": 3}, "no option n_melz; there are center, .*n_mels, .*start"),
        ("mel", ["a.wav"], {"preset": "nobody"}, "nobody is unknown; use librosa"),
        ("separate", ["a.mp4"], {"preset": "kaldi"}, "no option preset; there are blind, "),
        ("separate", ["a.mp4"], {"face": 0}, "faces are counted from 1"),
        ("faces", ["a.mp4"], {"path": 1}, "no option path"),
    ],
)
def test_wrong_calls(name: str, sources: list[Any], given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as raised:
        getattr(house, name)(*sources, **given)
    assert "\n" not in str(raised.value)


def test_sources_that_lack_or_are_too_many() -> None:
    for name, sources in (("mel", []), ("mel", ["a.wav", 16_000]), ("lips", ["a.png"])):
        with pytest.raises(TypeError):
            getattr(house, name)(*sources)
    with pytest.raises(MediaError, match=r"a\.png: no such file; check the name"):
        house.lips("a.png", "b.wav", face=1)


# What a notebook shows.


@pytest.mark.parametrize(
    ("name", "sources", "given", "flags", "file"),
    [
        ("waveform", [SPEECH], {}, [], "speech.waveform.png"),
        ("spectrogram", [SPEECH], {"n_fft": 2048}, ["--n-fft", 2048], "speech.spectrogram.png"),
        ("mfcc", [SPEECH], {"start": 1}, ["--start", 1], "speech.mfcc.png"),
        ("faces", [COCKTAIL], {}, [], "cocktail.faces.png"),
        (
            *("localize", [MEDIA / "knock.mp4"], {"duration": 2}),
            *(["--duration", 2], "knock.localized.png"),
        ),
        ("speech2face", [SPEECH], {"samples": 3}, ["--samples", 3], "speech.faces.png"),
        ("separate", [COCKTAIL], {}, [], "cocktail.voices.png"),
        (
            *("lips", [FACE, SPEECH], {"still": True, "start": 1, "duration": 2}),
            *(["--still", "--start", 1, "--duration", 2], "*.png"),
        ),
    ],
)
def test_a_result_shows_the_picture_of_its_command(
    avtool: Avtool,
    name: str,
    sources: list[Path],
    given: dict[str, Any],
    flags: list[Any],
    file: str,
) -> None:
    ran = avtool(name, *sources, *flags, *([] if name == "separate" else ["-f", "png"]))
    assert ran.code == 0, ran.err
    (picture,) = Path().glob(file)
    assert getattr(house, name)(*sources, **given)._repr_png_() == picture.read_bytes()


def test_a_stereo_picture_says_what_it_is_of(
    avtool: Avtool, stereo: tuple[Path, np.ndarray]
) -> None:
    path, samples = stereo
    cases: list[tuple[dict[str, Any], list[Any]]] = [({}, []), ({"channel": 2}, ["--channel", 2])]
    for given, flags in cases:
        assert avtool("mel", path, *flags, "-o", "mel.png", "--overwrite").code == 0
        result: Any = house.mel(path, **given)
        assert result._repr_png_() == Path("mel.png").read_bytes()
    result = house.mel(samples, rate=44_100)
    shown = result._repr_png_()
    assert shown is not None and shown.startswith(b"\x89PNG")


def test_a_video_without_sound_has_faces(tmp_path: Path) -> None:
    naive("-i", COCKTAIL, "-an", "-c", "copy", "-t", 1, tmp_path / "mute.mp4")
    assert [face.speaking for face in house.faces(tmp_path / "mute.mp4").faces.faces] == [[], []]


def test_a_result_is_short_in_words(stereo: tuple[Path, np.ndarray]) -> None:
    assert repr(house.mel(stereo[0])) == "mel.Result(mel=<[80, 301] dB, 3.01 s>)"
    assert repr(house.waveform(stereo[0])) == "waveform.Result(waveform=<3.00 s, 2 x 44100 Hz>)"
    said = repr(house.lips(FACE, SPEECH, duration=1.0))
    assert said.startswith("lips.Result(lips=<512 x 640, 25 a second>, audio=<1.")
    assert "first=<uint8 [640, 512, 3]>" in said and len(said) < 250
    assert repr(house.faces(COCKTAIL)) == "faces.Result(faces=<Faces>)"


def test_open_is_the_medias() -> None:
    assert house.open is media.open
    assert os.fspath(house.open(SPEECH).info.path) == str(SPEECH)
