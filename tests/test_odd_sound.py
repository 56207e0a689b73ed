"""Samples that are no numbers, sound of no rate, of hardly a sample, or of none."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Avtool, naive, sound

from avtool import media
from avtool.errors import MediaError
from avtool.media.probe import AudioStream
from avtool.pipelines.localize import cues
from avtool.values import Audio

BAD = {"nan": np.nan, "inf": np.inf, "minus": -np.inf, "huge": 3e38}


@pytest.mark.parametrize("suffix", ["wav", "mkv"])
@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_number_is_silence_and_counted(kind: str, suffix: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).standard_normal((70_000, 2)).astype(np.float32) * 0.1
    bad = noise.copy()
    bad[1000:1003, 0] = bad[69_999, 1] = BAD[kind]
    wav = path = tmp_path / "bad.wav"
    soundfile.write(wav, bad, 16000, subtype="FLOAT")
    if suffix == "mkv":
        path = tmp_path / "bad.mkv"
        naive("-i", wav, "-c:a", "pcm_f32le", path)
    good = np.where(np.isfinite(bad) & (np.abs(bad) < 1e38), noise, 0)
    clip = media.open(path).clip(media.Spec(audio=True, channel=0))
    assert np.array_equal(clip.sound().samples, good.T)
    (warning,) = clip.warnings
    assert warning.startswith("damaged: 4 samples ")
    assert np.array_equal(sound(path, channel=None)[0], good.mean(1))
    strict = media.open(path).clip(media.Spec(audio=True), strict=True)
    with pytest.raises(MediaError, match="damaged: 4 samples"):
        list(strict.sound().blocks())


@pytest.mark.parametrize("command", ["waveform", "spectrogram", "mel", "mfcc"])
def test_no_numbers_no_warnings_of_others(command: str, avtool: Avtool) -> None:
    noise = np.random.default_rng(1).standard_normal(8000).astype(np.float32) * 0.1
    for kind, value in BAD.items():
        noise[5] = value
        soundfile.write(f"{kind}.wav", noise, 16000, subtype="FLOAT")
    soundfile.write("all.wav", noise * np.nan, 16000, subtype="FLOAT")
    soundfile.write("loud.wav", np.sign(noise) * 2.0**24, 16000, subtype="FLOAT")
    names = [*BAD, "all", "loud"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inputs = [f"{name}.wav" for name in names]
        ran = avtool(command, *inputs, "-f", "npz,png", "-o", "out/")
    assert ran.code == 0, ran.err
    lines = ran.err.splitlines()
    assert [line.split(": ")[1] for line in lines[:-1]] == ["warning"] * 5
    for name in names:
        with np.load(f"out/{name}.{command}.npz") as file:
            assert all(np.isfinite(file[key]).all() for key in file if file[key].dtype.kind == "f")


@pytest.mark.parametrize("rate", [0, 1_000_001])
def test_sound_of_no_rate_that_can_be(rate: int, tmp_path: Path) -> None:
    stream = AudioStream(0, "mp2", rate, 2, "stereo", 0.0)
    info = media.Info(tmp_path, "mpegts", 1, 1.0, audio=(stream,))
    with pytest.raises(MediaError, match=f"a.ts: .* {rate} Hz"):
        media.Media(info, "a.ts").clip(media.Spec(audio=True))


def test_whisper_of_less_than_a_hop(avtool: Avtool) -> None:
    soundfile.write("short.wav", np.ones(50, np.float32) / 2, 16000)
    ran = avtool("mel", "--preset", "whisper", "-f", "npy", "short.wav")
    assert ran.code == 0, ran.err
    assert np.load("short.mel.npy").shape == (80, 0)


def test_a_track_without_a_sample_is_silent() -> None:
    heard = cues.listen(Audio.of(np.zeros((1, 0)), 16000))
    silence = cues.listen(Audio.of(np.zeros((1, 320)), 16000))
    assert np.array_equal(heard.moves, silence.moves)
    assert np.array_equal(heard.level, silence.level)
