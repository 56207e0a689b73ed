"""Where a naive call to ffmpeg gives a wrong answer: each trap is shown, then its cure."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import X264, lavfi, naive, nearest, pictures, pyav_pictures, sound, tone

from avtool import media


@pytest.fixture(scope="module", params=["mp4", "mkv"])
def variable(made: Path, request: pytest.FixtureRequest) -> Path:
    """1 s at 11 fps, then 1 s at 31 fps: no picture starts half way between two at 25 fps."""
    path = made / f"variable.{request.param}"
    parts = [*lavfi("testsrc2=s=160x120:r=11:d=1"), *lavfi("testsrc2=s=160x120:r=31:d=1")]
    joined = ["-filter_complex", "[0][1]concat=n=2:v=1", "-fps_mode", "passthrough"]
    naive(*parts, *joined, *X264, path)
    return path


def test_variable_rate_shows_what_is_on_screen(variable: Path) -> None:
    assert media.open(variable).info.video[0].variable
    times, truth = pyav_pictures(variable)
    assert len(truth) == 42
    ours = [nearest(image, truth) for image in pictures(variable, fps=25)]
    # Frame k lasts from k/25 to (k+1)/25: it shows what is on screen half way.
    expected = [int(np.flatnonzero(times < (k + 0.5) / 25)[-1]) for k in range(50)]
    assert len(ours) in (49, 50)  # ffmpegs differ in how long the last picture of all lasts
    assert ours == expected[: len(ours)]
    counted = [k * len(truth) // 50 for k in range(len(ours))]
    assert max(abs(np.array(counted) - ours)) > 5  # counting frames is off by a third of a second


def test_window_of_slides_begins_with_the_one_on_screen(made: Path) -> None:
    path = made / "slides.mp4"
    naive(*lavfi("testsrc2=s=160x120:r=1:d=4"), *X264, "-g", "2", path)
    truth = pyav_pictures(path)[1]
    ours = [nearest(image, truth) for image in pictures(path, fps=10, start=1.2, duration=2)]
    assert ours == [1] * 8 + [2] * 10 + [3] * 2


# What turns a stored picture clockwise, as ISO/IEC 14496-12 has it: (a, b, c, d) of
# x' = ax + cy, y' = bx + dy, with y pointing down.
MATRICES = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


def turned(source: Path, degrees: int) -> Path:
    """A copy whose track header says: turn me. ffmpeg's own option for it changed with versions."""
    data = bytearray(source.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in MATRICES[degrees])
    data[matrix : matrix + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path = source.with_name(f"{source.stem}-{degrees}.mp4")
    path.write_bytes(data)
    return path


@pytest.fixture(scope="module")
def corner(made: Path) -> Path:
    """A red mark in the top left corner of black."""
    path = made / "corner.mp4"
    mark = "drawbox=x=0:y=0:w=40:h=30:color=red:t=fill"
    naive(*lavfi(f"color=black:s=160x120:r=25:d=0.4,{mark}"), *X264, path)
    return path


@pytest.mark.parametrize(("degrees", "row", "column"), [(90, 0, -1), (180, -1, -1), (270, -1, 0)])
def test_rotation_stands_upright(corner: Path, degrees: int, row: int, column: int) -> None:
    path = turned(corner, degrees)
    facts = media.open(path).info.video[0]
    size = (160, 120) if degrees == 180 else (120, 160)
    assert (facts.rotation, facts.width, facts.height) == (degrees, *size)
    assert facts.coded == (160, 120)
    images = pictures(path)
    assert images.shape == (10, size[1], size[0], 3)
    red = images[4, :, :, 0] > 128
    assert red[row, column]
    assert red.mean() == pytest.approx(1 / 16, rel=0.1)
    # Stored, the mark is top left: who ignores the matrix finds it there.
    assert pyav_pictures(path)[1][4, 0, 0, 0] > 128
    assert not red[0, 0]
    small = pictures(path, size=(30, 40))
    assert small.shape == (10, 40, 30, 3)
    assert small[4, row, column, 0] > 128


@pytest.mark.parametrize("where", ["codec", "container"])
@pytest.mark.parametrize("degrees", [0, 90])
def test_pixels_become_square(made: Path, where: str, degrees: int) -> None:
    path = made / f"wide-{where}.mp4"
    bar = "drawbox=x=80:w=80:h=120:color=white:t=fill"
    graph = lavfi(f"color=black:s=160x120:r=25:d=0.4,{bar}")
    if where == "codec":
        naive(*graph, "-vf", "setsar=4/3", *X264, path)
    else:
        naive(*graph, *X264, made / "square.mp4")
        naive("-i", made / "square.mp4", "-c", "copy", "-aspect", "16:9", path)
    if degrees:
        path = turned(path, degrees)
    facts = media.open(path).info.video[0]
    assert facts.coded == (160, 120)
    assert (facts.width, facts.height) == ((120, 213) if degrees else (213, 120))
    images = pictures(path)
    assert images.shape == (10, facts.height, facts.width, 3)
    white = images[4].mean(2) > 128
    edge = white.mean(1)[0] if degrees else white.mean(0)[0]
    assert edge == 0  # upright: black is on the left, or on the top
    assert white.mean() == pytest.approx(0.5, abs=0.01)


# The beep and the flash are made at the same second.
FLASH = "color=black:s=160x120:r=25:d=3,drawbox=enable='between(t,1,1.19)':color=white:t=fill"
BEEP = "aevalsrc='0.5*between(t,1,1.2)*sin(2*PI*1000*t)':s=48000:d=3"


def flash_and_beep(source: media.Media, start: float = 0.0) -> tuple[float, float]:
    images = pictures(source, start=start)
    assert len(images) == pytest.approx((3 - start) * 25, abs=20)
    bright = images.mean((1, 2, 3)) > 128
    loud = np.abs(sound(source, start=start)[0]) > 0.1
    return start + bright.argmax() / 25, start + loud.argmax() / 48000


@pytest.mark.parametrize("late", [-0.72, 0.0, 0.72])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_late_track_stays_late(made: Path, suffix: str, late: float) -> None:
    path = made / f"late{late:+}.{suffix}"
    video = ["-itsoffset", max(-late, 0), *lavfi(FLASH), "-itsoffset", max(late, 0), *lavfi(BEEP)]
    naive(*video, *X264, "-g", 20, "-fps_mode", "passthrough", "-c:a", "aac", path)
    source = media.open(path)
    # The sound's first 21 ms are AAC's priming; only of an mp4 does ffmpeg take it off.
    priming = 0 if suffix == "mp4" else 0.022
    starts = source.info.audio[0].start - source.info.video[0].start
    assert starts == pytest.approx(late, abs=0.024)
    flash, beep = flash_and_beep(source)
    assert flash == pytest.approx(1 + max(-late, 0), abs=0.001 + (0.04 if priming else 0))
    assert beep == pytest.approx(1 + max(late, 0), abs=0.002 + priming)
    # A window has the same clock, wherever it begins.
    assert flash_and_beep(source, 0.92) == pytest.approx((flash, beep), abs=0.001)
    if late > 0:
        plain = np.frombuffer(naive("-i", path, "-f", "f32le", "-"), np.float32)
        assert (np.abs(plain) > 0.1).argmax() / 48000 < beep - 0.5  # the naive way forgets it


def test_hole_in_the_sound_is_silence(made: Path) -> None:
    whole, path = made / "whole.mkv", made / "hole.mkv"
    hum = "aevalsrc='0.1*sin(2*PI*440*t)+0.5*gte(t,2.5)':s=48000:d=3"
    naive(*lavfi(hum), "-c:a", "pcm_s16le", whole)
    # The packets between 1 s and 2 s are lost, the others keep their times.
    naive("-i", whole, "-c", "copy", "-bsf:a", "noise=drop='between(pts*tb,1,2)'", path)
    samples = np.abs(sound(path)[0])
    assert samples[60000:90000].max() == 0
    assert samples[:46000].max() > 0.09 and samples[100000:118000].max() > 0.09
    # Matroska's clock ticks in milliseconds.
    assert (samples > 0.3).argmax() / 48000 == pytest.approx(2.5, abs=0.0015)
    plain = np.abs(np.frombuffer(naive("-i", path, "-f", "f32le", "-"), np.float32))
    assert (plain > 0.3).argmax() / 48000 < 1.6


@pytest.mark.parametrize("suffix", ["wav", "flac", "mkv", "m4a"])
def test_downmix_is_the_mean(made: Path, suffix: str) -> None:
    one = tone(500, 48000, 1, 0.125)
    source, path = made / "twice.wav", made / f"downmix.{suffix}"
    soundfile.write(source, np.stack([one, one], 1), 48000, "PCM_24")
    naive("-i", source, *(["-c:a", "flac"] if suffix == "mkv" else []), path)
    loudest = np.abs(sound(path, channel=None)[0, 4800:-4800]).max()
    assert loudest == pytest.approx(0.125, rel=0.02 if suffix == "m4a" else 1e-3)
    plain = np.frombuffer(naive("-i", path, "-ac", 1, "-f", "f32le", "-"), np.float32)
    assert np.abs(plain[4800:-4800]).max() == pytest.approx(0.1768, rel=0.02)


@pytest.mark.parametrize("suffix", ["wav", "mkv"])
def test_every_channel_is_its_own(made: Path, suffix: str) -> None:
    six = np.stack([tone(200 * (n + 1), 48000, 0.5) for n in range(6)]).astype(np.float32)
    source, path = made / "six.wav", made / f"six.{suffix}"
    soundfile.write(source, six.T, 48000, "FLOAT")
    if suffix == "mkv":
        naive("-i", source, "-c:a", "pcm_f32le", path)
    assert np.array_equal(sound(path), six)
    assert np.array_equal(sound(path, channel=4), six[3:4])
    assert np.abs(sound(path, channel=None)[0] - six.mean(0, np.float64)).max() < 1e-7


@pytest.mark.parametrize("suffix", ["wav", "mkv"])
@pytest.mark.parametrize("rate", [48000, 44100])
def test_resampling_has_no_aliases(made: Path, suffix: str, rate: int) -> None:
    def at_16k(hz: float) -> np.ndarray:
        path = made / f"tone-{hz}-{rate}.wav"
        soundfile.write(path, tone(hz, rate, 1.0, 0.5), rate, "FLOAT")
        if suffix == "mkv":
            naive("-i", path, "-c:a", "pcm_f32le", path.with_suffix(".mkv"))
        samples = sound(path.with_suffix(f".{suffix}"), rate=16000)[0]
        assert len(samples) == 16000
        return samples

    inside = slice(1600, -1600)
    alias = np.abs(at_16k(8600)[inside]).max() / 0.5
    assert 20 * np.log10(alias) <= -80
    plain = naive("-i", made / f"tone-8600-{rate}.wav", "-ar", 16000, "-f", "f32le", "-")
    leak = np.abs(np.frombuffer(plain, np.float32)[inside]).max() / 0.5
    assert 20 * np.log10(leak) > -60
    # Below it, the formula: neither gain nor delay.
    assert np.abs(at_16k(1000) - tone(1000, 16000, 1.0, 0.5))[inside].max() < 1e-3
