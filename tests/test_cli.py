"""The commands as their users meet them: names, formats, streams, exit codes, words."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import soundfile
import typer
from conftest import Avtool, sine_wav
from PIL import Image, ImageDraw, ImageFont

from avtool.cli.program import app
from avtool.cli.terminal import say
from avtool.draw.canvas import Canvas
from avtool.errors import InputError, MediaError

SAMPLE = Path(__file__).parents[1] / "sample_media" / "speech.wav"


def test_default_gives_data_and_a_picture_and_names_them(avtool: Avtool, tmp_path: Path) -> None:
    ran = avtool("spectrogram", SAMPLE)
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines == ["speech.spectrogram.npz", "speech.spectrogram.png"]
    assert {p.name for p in tmp_path.iterdir()} == set(ran.lines)
    with np.load("speech.spectrogram.npz") as data:
        assert data["spectrogram"].shape == (len(data["frequency"]), len(data["time"]))
        assert data["frequency"][-1] == 8000
        assert int(data["sr"]) == 16_000 and int(data["n_fft"]) == 512
        assert str(data["window"]) == "hann" and bool(data["center"])
    with Image.open("speech.spectrogram.png") as image:
        assert image.size == (1600, 800)


@pytest.mark.parametrize("command", ["spectrogram", "mel"])
def test_silence_is_dark(avtool: Avtool, command: str) -> None:
    soundfile.write("silent.wav", np.zeros(16_000), 16_000)
    for name, source in (("silent", "silent.wav"), ("speech", SAMPLE)):
        assert avtool(command, source, "-o", f"{name}.png").code == 0
        with Image.open(f"{name}.png") as image:
            panel = np.asarray(image.convert("L"))[100:700, 130:1400]
        assert (panel.max() < 20) == (name == "silent")


def test_formats_agree(avtool: Avtool) -> None:
    ran = avtool("mel", SAMPLE, "-f", "npy,npz", "-f", "csv", "-f", "parquet", "--n-mels", 24)
    assert ran.code == 0, ran.err
    array = np.load("speech.mel.npy")
    assert array.dtype == np.float32 and array.shape[0] == 24
    with np.load("speech.mel.npz") as data:
        assert np.array_equal(data["mel"], array)
        times = data["time"]
    table = np.loadtxt("speech.mel.csv", delimiter=",", skiprows=1)
    assert np.allclose(table[:, 1:], array.T, rtol=1e-6)
    assert np.allclose(table[:, 0], times, rtol=1e-6)
    columns = pyarrow.parquet.read_table("speech.mel.parquet")
    assert np.array_equal(np.stack([c.to_numpy() for c in columns.columns[1:]]), array)


def test_waveform_is_exact(avtool: Avtool, tmp_path: Path) -> None:
    source = sine_wav(tmp_path / "two.wav", channels=2)
    assert avtool("waveform", source, "-f", "wav,flac,npy").code == 0
    truth, rate = soundfile.read(source, dtype="float32")
    for name in ("two.waveform.wav", "two.waveform.flac"):
        samples, got = soundfile.read(name, dtype="float32")
        assert got == rate
        assert np.array_equal(samples, truth)
    assert np.array_equal(np.load("two.waveform.npy"), truth.T)


def test_channels(avtool: Avtool, tmp_path: Path) -> None:
    source = sine_wav(tmp_path / "two.wav", channels=2)
    truth = soundfile.read(source, dtype="float32")[0]
    assert avtool("waveform", source, "-o", "second.npy", "--channel", 2).code == 0
    assert np.array_equal(np.load("second.npy")[0], truth[:, 1])
    assert avtool("waveform", source, "-o", "mean.npy", "--mono").code == 0
    assert np.allclose(np.load("mean.npy")[0], truth.mean(1), atol=1e-7)
    ran = avtool("mel", source, "--channel", 3)
    assert (ran.code, ran.err) == (
        1,
        f"avtool: {source}: has no channel 3; its channels are 1 to 2\n",
    )
    assert avtool("mel", source, "--channel", 1, "--mono").code == 2


def test_window_of_time(avtool: Avtool) -> None:
    whole = soundfile.read(SAMPLE, dtype="float32")[0]
    assert avtool("waveform", SAMPLE, "-o", "a.npy", "--start", "0:01", "--duration", 0.5).code == 0
    assert np.array_equal(np.load("a.npy")[0], whole[16_000:24_000])
    ran = avtool("waveform", SAMPLE, "-o", "b.npy", "--start", "1:00")
    assert ran.code == 1
    assert "lasts 5.87 s, --start 60 is after its end" in ran.err


@pytest.mark.parametrize("text", ["400", "25ms", "0.025", "0.025s"])
def test_window_lengths_are_samples_or_seconds(avtool: Avtool, text: str) -> None:
    assert avtool("mel", SAMPLE, "-f", "npz", "--win", text).code == 0
    with np.load("speech.mel.npz") as data:
        assert int(data["win"]) == 400


def test_preset_and_override(avtool: Avtool) -> None:
    assert avtool("mel", SAMPLE, "-f", "npz", "--preset", "whisper", "--n-mels", 128).code == 0
    with np.load("speech.mel.npz") as data:
        assert data["mel"].shape[0] == 128
        assert str(data["log"]) == "log10"


def test_complex_spectrogram(avtool: Avtool) -> None:
    ran = avtool("spectrogram", SAMPLE, "--power", 0, "-f", "npy,npz,png")
    assert ran.code == 0, ran.err
    assert np.load("speech.spectrogram.npy").dtype == np.complex64
    assert avtool("spectrogram", SAMPLE, "--power", 0, "-o", "x.csv").code == 1
    assert not Path("x.csv").exists()
    assert not list(Path().glob("*.part"))


def test_json_is_clean(avtool: Avtool, tmp_path: Path) -> None:
    sine_wav(tmp_path / "a.wav")
    ran = avtool("mfcc", "a.wav", "missing.wav", "-f", "npy", "--json")
    assert ran.code == 1
    done, failed = map(json.loads, ran.lines)
    assert (done["input"], done["status"], done["outputs"]) == ("a.wav", "done", ["a.mfcc.npy"])
    assert done["options"]["n_mfcc"] == 13 and done["warnings"] == [] and done["seconds"] >= 0
    assert failed["status"] == "failed" and failed["outputs"] == []
    assert failed["error"] == "missing.wav: no such file; check the name"


def test_existing_output_is_kept_unless_told(avtool: Avtool) -> None:
    Path("speech.mel.npy").write_bytes(b"mine")
    ran = avtool("mel", SAMPLE, "-f", "npy")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.endswith("speech.mel.npy exists; --overwrite replaces it\n")
    assert Path("speech.mel.npy").read_bytes() == b"mine"
    assert json.loads(avtool("mel", SAMPLE, "-f", "npy", "--json").out)["status"] == "skipped"
    ran = avtool("mel", SAMPLE, "-f", "npy,csv")  # what is missing is made
    assert ran.lines == ["speech.mel.csv"]
    assert Path("speech.mel.npy").read_bytes() == b"mine"
    assert avtool("mel", SAMPLE, "-f", "npy", "--overwrite").code == 0
    assert np.load("speech.mel.npy").shape[0] == 80


def test_out_is_a_file_or_a_folder(avtool: Avtool, tmp_path: Path) -> None:
    assert avtool("mel", SAMPLE, "-o", "x.csv").lines == ["x.csv"]
    assert avtool("mel", SAMPLE, "-o", "new/", "-f", "npy").lines == ["new/speech.mel.npy"]
    assert avtool("mel", SAMPLE, "-o", "new", "-f", "csv").lines == ["new/speech.mel.csv"]
    sine_wav(tmp_path / "a.wav")
    assert "is one file for 2 inputs" in avtool("mel", SAMPLE, "a.wav", "-o", "x.npy").err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument"),
        (["--bogus"], "No such option"),
        ([SAMPLE, "--preset", "nobody"], "--preset nobody is unknown; use librosa"),
        ([SAMPLE, "-f", "doc"], "'.doc' is no format for this; use .npz"),
        ([SAMPLE, "-f", "wav"], "'.wav' is no format for this"),
        ([SAMPLE, "-o", "x.csv", "-f", "npy"], "disagree"),
        ([SAMPLE, SAMPLE.parent / ".." / "README.md", "-o", "-", "-f", "npy"], "one input"),
        ([SAMPLE, "-o", "-"], "one format"),
        ([SAMPLE, "--start", "noon"], "'noon' is no time"),
        ([SAMPLE, "--win", "wide"], "'wide' is no length"),
        ([SAMPLE, "--jobs", 0], "--jobs"),
    ],
)
def test_usage_errors(avtool: Avtool, arguments: list[object], words: str) -> None:
    ran = avtool("mel", *arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert words in " ".join(ran.err.split())
    assert "Traceback" not in ran.err
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fmin", 9000], "do not fit a rate of 16000 Hz"),
        (["--win", "25ms", "--n-fft", 256], "longer than --n-fft (256)"),
        (["--duration", "0.01", "--deltas", 1], "--deltas needs 9 frames"),
    ],
)
def test_options_that_do_not_fit_a_file(avtool: Avtool, options: list[object], words: str) -> None:
    ran = avtool("mfcc", SAMPLE, *options)
    assert ran.code == 1
    assert words in ran.err
    assert ran.err.count("\n") == 1
    assert list(Path().iterdir()) == []


def test_debug_shows_the_traceback(avtool: Avtool) -> None:
    with pytest.raises(MediaError):
        avtool("mel", "missing.wav", "--debug")
    say.debug = False


def test_quiet_and_version_and_help(avtool: Avtool) -> None:
    assert avtool("--version").out == f"avtool {__import__('avtool').__version__}\n"
    Path("speech.mel.npy").touch()
    assert avtool("mel", SAMPLE, "-f", "npy", "-q").err == ""
    assert avtool("mel", "missing.wav", "--quiet").err != ""
    for command in ("waveform", "spectrogram", "mel", "mfcc", "info", "doctor"):
        ran = avtool(command, "--help")
        assert ran.code == 0 and "Usage: avtool" in ran.out


def test_stdin_and_stdout(tmp_path: Path) -> None:
    """Bytes in, bytes out, as in a shell's pipe."""
    command = [sys.executable, "-m", "avtool", "mel", "-", "-f", "npy", "-o", "-"]
    done = subprocess.run(
        command, input=SAMPLE.read_bytes(), capture_output=True, cwd=tmp_path, check=True
    )
    assert done.stderr == b""
    assert np.load(io.BytesIO(done.stdout)).shape[0] == 80
    assert list(tmp_path.iterdir()) == []
    named = [sys.executable, "-m", "avtool", "mel", "-", "-f", "npy"]
    done = subprocess.run(
        named, input=SAMPLE.read_bytes(), capture_output=True, cwd=tmp_path, check=True
    )
    assert done.stdout == b"stdin.mel.npy\n"


def test_empty_stdin(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "avtool", "mel", "-"]
    done = subprocess.run(command, input=b"", capture_output=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (1, b"avtool: stdin: is empty (0 bytes)\n")


def test_info(avtool: Avtool) -> None:
    ran = avtool("info", SAMPLE)
    assert ran.code == 0
    assert ran.lines[0].startswith(f"{SAMPLE}: wav, 5.87 s")
    assert ran.lines[1] == "  audio pcm_16, 16000 Hz, mono"
    facts = json.loads(avtool("info", SAMPLE, "--json").out)["info"]
    assert facts["length_samples"] == soundfile.info(SAMPLE).frames
    assert avtool("info", "missing.wav").code == 1


def test_doctor(avtool: Avtool, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = avtool("doctor")
    assert ran.code == 0, ran.out
    assert "ok  ffmpeg" in ran.out and "of librosa's" in ran.out
    from avtool.media import ffmpeg

    ffmpeg.binary.cache_clear()
    monkeypatch.setenv("AVTOOL_FFMPEG", "no-such-program")
    ran = avtool("doctor", "--json")
    ffmpeg.binary.cache_clear()
    assert ran.code == 1
    found = {check["name"]: check for check in json.loads(ran.out)}
    assert found["ffmpeg"]["good"] is False and "AVTOOL_FFMPEG" in found["ffmpeg"]["found"]


def test_python_has_the_same_functions(tmp_path: Path) -> None:
    import avtool

    result = avtool.mel(SAMPLE, preset="whisper", start=1.0, duration=2.0)
    assert result.mel.values.shape == (80, 200)
    assert avtool.waveform(SAMPLE).waveform.samples.shape == (1, soundfile.info(SAMPLE).frames)
    with pytest.raises(InputError, match="there is no option n_mel"):
        avtool.mel(SAMPLE, n_mel=3)  # type: ignore[call-arg]


def test_mfcc_of_silence_is_flat(avtool: Avtool) -> None:
    """Rounding noise is not blown up to red and blue; speech is not flat."""
    soundfile.write("silent.wav", np.zeros(48_000), 16_000)
    # So long that a column of the picture is the mean of four frames, the last of three.
    soundfile.write("long.wav", np.zeros(6002 * 160), 16_000)
    for told in ([], ["--preset", "kaldi"], ["--preset", "whisper"], ["--deltas", 2]):
        for source in ("silent.wav", "long.wav", SAMPLE):
            assert avtool("mfcc", source, *told, "-o", "x.png", "--overwrite").code == 0
            with Image.open("x.png") as image:
                panel = np.asarray(image.convert("RGB"))[92:714, 116:1452].reshape(-1, 3)
            colours = np.unique(panel.astype(int) @ [1 << 16, 1 << 8, 1])
            if source == SAMPLE:
                assert len(colours) > 100, told
            else:
                assert len(colours) == 1 and np.ptp(panel[0]) <= 2, told  # and it is no hue


@dataclass
class Drawn:
    """What a picture says: its texts (x, y, text, size, anchor), its colour scale."""

    texts: list[tuple[float, float, str, int, str]]
    scale: tuple[float, float, str]

    def ticks(self) -> list[tuple[float, str]]:
        """Height and text of each tick left of the panel."""
        return [(y, text) for x, y, text, _, anchor in self.texts if anchor == "rm" and x < 116]


@pytest.fixture
def drawn(avtool: Avtool, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Drawn]:
    """Run a command for its picture and tell what was written into it."""

    def run(*arguments: object) -> Drawn:
        seen = Drawn([], (0.0, 0.0, ""))
        write, scale = Canvas._text, Canvas.scale

        def text(self: Canvas, at: Any, text: str, size: int, anchor: str, *rest: int) -> None:
            seen.texts.append((*at, text, size, anchor))
            write(self, at, text, size, anchor, *rest)

        def scaled(self: Canvas, low: float, high: float, unit: str) -> None:
            seen.scale = (low, high, unit)
            scale(self, low, high, unit)

        with monkeypatch.context() as patch:
            patch.setattr(Canvas, "_text", text)
            patch.setattr(Canvas, "scale", scaled)
            ran = avtool(*arguments, "-o", "drawn.png", "--overwrite")
        assert ran.code == 0, ran.err
        return seen

    return run


@pytest.mark.parametrize(
    ("told", "unit", "moves"),
    [
        (["spectrogram"], "dB re peak", 0.0),
        (["spectrogram", "--power", 1], "dB re peak", 0.0),
        (["mel"], "dB re 1", -6.0206),
        (["mel", "--power", 1], "dB re 1", -6.0206),
        (["mel", "--preset", "librosa"], "dB re 1", -6.0206),
        (["mel", "--preset", "kaldi"], "ln re 1", -2 * np.log(2)),
        (["mel", "--preset", "whisper"], "log10, scaled", -2 * np.log10(2) / 4),
        (["mel", "--preset", "wav2lip"], "dB, scaled", -6.0206 * 0.08),
    ],
)
def test_decibels_say_what_they_refer_to(
    drawn: Callable[..., Drawn], told: list[object], unit: str, moves: float
) -> None:
    """Half the sound is 6 dB below on a scale that refers to 1, and no less on its own peak's."""
    sound, rate = soundfile.read(SAMPLE)
    soundfile.write("whole.wav", 0.3 * sound, rate, subtype="FLOAT")
    soundfile.write("half.wav", 0.15 * sound, rate, subtype="FLOAT")
    command, *options = told
    whole, half = (drawn(command, name, *options).scale for name in ("whole.wav", "half.wav"))
    assert whole[2] == half[2] == unit
    assert abs(half[1] - whole[1] - moves) < 1e-3
    if moves == 0:
        assert whole[1] == 0


@pytest.mark.parametrize(
    "told",
    [
        ["spectrogram"],
        ["mel"],
        ["mel", "--preset", "librosa"],
        ["mel", "--preset", "kaldi"],
        ["mel", "--n-mels", 10],
        ["mel", "--fmin", 3100, "--fmax", 4900, "--n-mels", 8],
        ["mel", "--sr", 2000],
        ["mfcc"],
        ["mfcc", "--n-mfcc", 21, "--deltas", 2],
        ["waveform"],
    ],
)
@pytest.mark.parametrize("channels", [1, 2, 5, 8])
def test_tick_texts_do_not_lie_on_each_other(
    drawn: Callable[..., Drawn], told: list[object], channels: int
) -> None:
    if channels > 2 and told[0] != "waveform":
        return
    sound, rate = soundfile.read(SAMPLE)
    soundfile.write("many.wav", np.stack([sound * 0.9**k for k in range(channels)], 1), rate)
    ticks = drawn(told[0], "many.wav", *told[1:]).ticks()
    assert len(ticks) >= 3
    pen = ImageDraw.Draw(Image.new("L", (1, 1)))
    boxes = [pen.textbbox((101, y), t, ImageFont.load_default(20), "rm") for y, t in sorted(ticks)]
    for above, below in pairwise(boxes):
        free = below[1] - above[3]
        assert free >= 2, ticks
        if told[0] == "mel":  # a scale that is not even looks crowded sooner
            assert free >= 1.25 * (above[3] - above[1]), ticks


@pytest.mark.parametrize("command", ["spectrogram", "mel", "mfcc"])
def test_the_mean_of_channels_says_so(drawn: Callable[..., Drawn], command: str) -> None:
    sound, rate = soundfile.read(SAMPLE)
    soundfile.write("two.wav", np.stack([sound, 0.5 * sound[::-1]], 1), rate)

    def subtitle(*arguments: object) -> str:
        return drawn(command, *arguments).texts[1][2]

    assert subtitle("two.wav").endswith("hop 10 ms,  mean of 2 channels")
    assert subtitle("two.wav", "--mono").endswith("mean of 2 channels")
    assert subtitle("two.wav", "--channel", 2).endswith("channel 2 of 2")
    assert subtitle(SAMPLE).endswith("hop 10 ms")


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
def test_amplitude_ticks_stand_where_the_sound_is(
    drawn: Callable[..., Drawn], channels: int
) -> None:
    """A square wave's edges in the picture are at its amplitude on the ticks of its own lane."""
    square = np.where(np.arange(16_000) % 2, 1.0, -1.0)
    peaks = [0.4 * 0.8**k for k in range(channels)]
    soundfile.write("squares.wav", np.stack([p * square for p in peaks], 1), 16_000)
    words = drawn("waveform", "squares.wav").ticks()
    with Image.open("drawn.png") as image:
        column = np.asarray(image.convert("L"))[:, 700]
    inside = np.flatnonzero(column[92:714] < 200) + 92.5
    lanes = np.split(inside, np.flatnonzero(np.diff(inside) > 3) + 1)
    assert len(lanes) == channels
    ticks = [(y, float(text)) for y, text in sorted(words)]
    each = len(ticks) // channels
    assert each >= 2 and each * channels == len(ticks)
    for number, (rows, peak) in enumerate(zip(lanes, peaks, strict=True)):
        own = ticks[number * each : (number + 1) * each]
        places, values = np.array(own).T
        slope, centre = np.polyfit(values, places, 1)
        assert abs(centre + slope * peak - rows[0]) < 2.5
        assert abs(centre - slope * peak - rows[-1]) < 2.5


def test_help_says_the_true_defaults(avtool: Avtool) -> None:
    """Each default that the help names, given as an option, changes nothing; another one does."""
    group: Any = typer.main.get_command(app)
    options = [p for p in group.commands["mfcc"].params if p.param_type_name == "option"]
    words = {p.opts[0]: p.help for p in options}
    other = {"--sr": 8000, "--n-fft": 1024, "--win": "20ms", "--hop": "5ms", "--window": "hamming"}
    other |= {"--power": 1, "--n-mels": 40, "--fmin": 100, "--fmax": 4000}
    other |= {"--n-mfcc": 20, "--lifter": 22, "--deltas": 1}
    said = {"the file's own": 16_000, "next power of two from --win": 512, "half the rate": 8000}

    def numbers(*arguments: object) -> bytes:
        ran = avtool("mfcc", SAMPLE, *arguments, "-o", "x.npy", "--overwrite")
        assert ran.code == 0, ran.err
        return Path("x.npy").read_bytes()

    plain = numbers()
    for flag, another in other.items():
        assert len(words[flag]) <= 75
        default = words[flag].rpartition("[")[2].removesuffix("]")
        default = said.get(default, default.replace(" ms", "ms"))
        assert numbers(flag, default) == plain, flag
        assert numbers(flag, another) != plain, flag
    assert words["--center"].endswith("[--center]") and numbers("--center") == plain
    assert numbers("--no-center") != plain


NETWORKS = {  # the commands that run some, and what they take
    "faces": ["cocktail.mp4"],
    "separate": ["cocktail.mp4"],
    "localize": ["knock.mp4"],
    "lips": ["face.png", "speech.wav"],
    "refocus": ["cocktail.mp4"],
    "speech2face": ["speech.wav"],
}


def test_all_commands_with_networks_have_a_device() -> None:
    group: Any = typer.main.get_command(app)
    every = {
        name
        for name, command in group.commands.items()
        if any("--device" in option.opts for option in command.params)
    }
    assert every == NETWORKS.keys() | {"show", "serve", "ask"}  # which ask the others


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("nonsense", "--device nonsense is unknown; it is auto, cpu, cuda or mps"),
        ("cuda", "--device cuda: this machine has none; leave it out, or say cpu"),
        ("cuda:1", "--device cuda:1: this machine has none; leave it out, or say cpu"),
        ("mps", "--device mps: this machine has none; leave it out, or say cpu"),
    ],
)
def test_a_device_that_is_not_there(avtool: Avtool, name: str, device: str, words: str) -> None:
    import torch

    import avtool as library

    if {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}.get(
        device[:4]
    ):
        pytest.skip(f"this machine has {device}")
    sources = [SAMPLE.parent / each for each in NETWORKS[name]]
    ran = avtool(name, *sources, "--device", device)
    assert ran.code and (ran.out, ran.err) == ("", f"avtool: {words}\n")
    assert list(Path().iterdir()) == []
    with pytest.raises(InputError) as told:
        getattr(library, name)(*sources, device=device)
    assert str(told.value) == words


@pytest.mark.parametrize("name", NETWORKS)
def test_a_device_that_is_not_there_is_a_wrong_call(avtool: Avtool, name: str) -> None:
    sources = [SAMPLE.parent / each for each in NETWORKS[name]]
    more = [] if name == "lips" else sources
    ran = avtool(name, *sources, *more, "--device", "nonsense")
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n_mels": -3}, "--n-mels is at least 1, not -3; "),
        ({"n_fft": 0}, "--n-fft is at least 1, not 0; "),
        ({"sr": -5}, "--sr is at least 1, not -5; "),
        ({"win": 400, "n_fft": 256}, "--win (400 samples) is longer than --n-fft (256); raise"),
        ({"win": 0.025, "n_fft": 256, "sr": 16_000}, "--win (400 samples) is longer than --n-fft"),
        ({"hop": 1e-6, "sr": 16_000}, "--hop is at least one sample, not 0; make it longer"),
        ({"window": "kaiser"}, "--window kaiser is unknown; use hann, hamming, "),
        ({"power": -1.0}, "--power is at least 0, not -1; use "),
        ({"power": 0.0}, "--power 0 is complex, mel bands are not; use 1 (magnitude) or 2"),
        ({"power": float("nan")}, "--power is a number, not nan; use "),
        ({"fmin": -1.0}, "--fmin is at least 0, not -1; leave it out for 0 Hz"),
        ({"fmin": 500.0, "fmax": 400.0}, "--fmax 400 Hz is not above --fmin 500 Hz; raise"),
        ({"fmax": 9000.0, "sr": 16_000}, "do not fit a rate of 16000 Hz; choose 0 <= fmin < fmax"),
        ({"n_mfcc": 200}, "--n-mfcc 200 does not fit 80 mel bands; lower it or raise --n-mels"),
        ({"n_mfcc": 0}, "--n-mfcc is at least 1, not 0; "),
        ({"deltas": 3}, "--deltas is 0, 1 or 2, not 3; use "),
        ({"deltas": -1}, "--deltas is at least 0, not -1; use 0 (none), 1 or 2"),
        ({"lifter": -2.0}, "--lifter is at least 0, not -2; use 0 for none"),
        ({"preset": "whisper", "n_fft": -8}, "--n-fft is at least 1, not -8; "),
        ({"preset": "kaldi", "n_fft": 256}, "--win (400 samples) is longer than --n-fft (256)"),
    ],
)
def test_python_and_the_command_line_refuse_alike(
    avtool: Avtool, given: dict[str, Any], words: str
) -> None:
    """Before any file is opened: this one is not there."""
    import avtool as library

    with pytest.raises(InputError) as told:
        library.mfcc("missing.wav", **given)
    assert words in str(told.value) and "\n" not in str(told.value)
    flags = [part for name, value in given.items() for part in (f"--{name}", value)]
    flags = [part.replace("_", "-") if isinstance(part, str) else part for part in flags]
    if isinstance(given.get("hop"), float):
        flags = [f"{1e-6:f}" if part == 1e-6 else part for part in flags]
    ran = avtool("mfcc", "missing.wav", *flags)
    assert (ran.code, ran.out, ran.err) == (2, "", f"avtool: {told.value}\n")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("command", "given"),
    [
        ("waveform", {"sr": 0}),
        ("waveform", {"sr": 44_100.0}),
        ("spectrogram", {"win": 0}),
        ("spectrogram", {"win": "25ms"}),
        ("spectrogram", {"hop": float("inf")}),
        ("spectrogram", {"hop": True}),
        ("spectrogram", {"n_fft": 512.0}),
        ("spectrogram", {"n_fft": "512", "preset": "librosa"}),
        ("spectrogram", {"window": None}),
        ("spectrogram", {"window": "two\nlines"}),
        ("spectrogram", {"center": "no"}),
        ("spectrogram", {"pad": "edge"}),
        ("spectrogram", {"span": "all"}),
        ("spectrogram", {"scale": float("inf")}),
        ("mel", {"n_mels": 2.5}),
        ("mel", {"n_mels": "80"}),
        ("mel", {"fmax": "8k"}),
        ("mel", {"log": "log2"}),
        ("mel", {"mel_scale": "bark"}),
        ("mel", {"mel_norm": "area"}),
        ("mel", {"top": -80.0}),
        ("mel", {"clip": (4.0, -4.0)}),
        ("mel", {"clip": 4.0}),
        ("mfcc", {"delta_kind": "htk"}),
        ("mfcc", {"energy": 1}),
        ("mfcc", {"lifter_from": 0.5}),
    ],
)
def test_python_refuses_what_no_file_can_have(command: str, given: dict[str, Any]) -> None:
    import avtool

    with pytest.raises(InputError) as told:
        getattr(avtool, command)("missing.wav", **given)
    assert "; " in str(told.value) and "\n" not in str(told.value)  # one line, with the next step
    assert any(name.replace("_", "-") in str(told.value).replace("_", "-") for name in given)


def test_numbers_of_numpy_are_numbers() -> None:
    import avtool

    counted: dict[str, Any] = {"win": np.int64(400), "hop": np.int32(160), "n_mels": np.int64(40)}
    counted["power"] = np.float32(2)
    ours = avtool.mel(SAMPLE, **counted).mel.values
    assert np.array_equal(ours, avtool.mel(SAMPLE, win=400, hop=160, n_mels=40).mel.values)
