"""The commands as their users meet them: names, formats, streams, exit codes, words."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import soundfile
from conftest import Avtool, sine_wav
from PIL import Image

from avtool.cli.say import say
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
        (["--n-mels", 0], "--n-mels is at least 1"),
        (["--fmin", 9000], "do not fit a rate of 16000 Hz"),
        (["--win", 400, "--n-fft", 256], "longer than --n-fft (256)"),
        (["--window", "kaiser"], "--window kaiser is unknown; use hann"),
        (["--n-mfcc", 200], "--n-mfcc 200 does not fit 80 mel bands"),
        (["--deltas", 3], "--deltas is 0, 1 or 2"),
        (["--duration", "0.01", "--deltas", 1], "--deltas needs 9 frames"),
    ],
)
def test_options_that_do_not_fit(avtool: Avtool, options: list[object], words: str) -> None:
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
        avtool.mel(SAMPLE, n_mel=3)
