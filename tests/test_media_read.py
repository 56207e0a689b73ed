"""Sound and pictures as they are read, against formulas and PyAV."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import (
    X264,
    alive,
    lavfi,
    naive,
    nearest,
    pictures,
    pyav_pictures,
    pyav_sound,
    sound,
)

from avtool import media
from avtool.errors import MediaError
from avtool.media import ffmpeg

# Codecs by container; the sound's rate where the codec dictates it.
SOUNDS: dict[str, list[object]] = {
    "wav": ["-c:a", "pcm_s16le"],
    "flac": ["-c:a", "flac"],
    "mp3": ["-c:a", "libmp3lame"],
    "m4a": ["-c:a", "aac"],
    "ogg": ["-c:a", "libvorbis"],
    "opus": ["-c:a", "libopus"],
}
VIDEOS: dict[str, list[object]] = {
    "mp4": [*X264, "-c:a", "aac"],
    "mov": [*X264, "-c:a", "pcm_s16le"],
    "mkv": [*X264, "-c:a", "flac"],
    "webm": ["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"],
    "avi": ["-c:v", "mpeg4", "-q:v", 2, "-c:a", "libmp3lame"],
    "mpg": ["-c:v", "mpeg2video", "-q:v", 2, "-c:a", "mp2"],
    "ts": [*X264, "-c:a", "aac"],
}


@pytest.fixture(scope="module", params=[*SOUNDS, *VIDEOS])
def any_file(made: Path, request: pytest.FixtureRequest) -> Path:
    """2 s of 440 Hz, and of 50 different pictures where the container takes them."""
    suffix = request.param
    path = made / f"any.{suffix}"
    video = lavfi("testsrc2=s=160x120:r=25:d=2") if suffix in VIDEOS else []
    audio = lavfi("aevalsrc=0.25*sin(2*PI*440*t):s=44100:d=2")
    naive(*video, *audio, *(SOUNDS | VIDEOS)[suffix], path)
    return path


def test_every_format(any_file: Path) -> None:
    info = media.open(any_file).info
    rate = 48000 if any_file.suffix in (".opus", ".webm") else 44100
    assert (info.audio[0].rate, info.audio[0].channels) == (rate, 1)
    assert info.duration == pytest.approx(2, abs=0.1)
    samples = sound(any_file)[0]
    codec_padding = 0 if any_file.suffix in (".wav", ".flac", ".mov", ".mkv") else 2 * 1152 + 529
    # mkv's times are milliseconds.
    assert len(samples) == pytest.approx(2 * rate, abs=max(codec_padding, rate // 1000))
    second = samples[rate // 2 : rate // 2 + rate] * np.hanning(rate)
    assert np.abs(np.fft.rfft(second)).argmax() == 440
    assert np.abs(second).max() == pytest.approx(0.25, rel=0.06)  # LAME takes 5 % off
    if any_file.suffix[1:] in VIDEOS:
        assert info.video[0].fps == 25
        ours, truth = pictures(any_file), pyav_pictures(any_file)[1]
        # Sound that begins with a codec's padding moves the pictures by less than a frame.
        assert len(truth) == 50 and 50 <= len(ours) <= 51
        assert [nearest(image, truth) for image in ours][-50:] == list(range(50))
    else:
        assert info.video == ()
        with pytest.raises(MediaError, match="has no pictures"):
            pictures(any_file)


def test_sound_only_and_pictures_only(exact: Path, made: Path) -> None:
    silent, dark = made / "pictures.mkv", made / "sound.mkv"
    naive("-i", exact, "-an", "-c", "copy", silent)
    naive("-i", exact, "-vn", "-c", "copy", dark)
    assert np.array_equal(pictures(silent), pictures(exact))
    assert np.array_equal(sound(dark), sound(exact))
    with pytest.raises(MediaError, match="has no sound"):
        sound(silent)
    with pytest.raises(MediaError, match="has no pictures"):
        pictures(dark)


def test_pictures_equal_pyav(talk: Path, exact: Path) -> None:
    for path in (talk, exact):
        ours, truth = pictures(path), pyav_pictures(path)[1]
        assert ours.shape == truth.shape
        # swscale's rounding differs between builds.
        assert np.abs(ours.astype(np.int16) - truth).max() <= 2


def test_sound_equals_pyav(exact: Path, talk: Path) -> None:
    whole = sound(exact)
    integers = pyav_sound(exact)
    assert integers.dtype == np.int16 and whole.dtype == np.float32
    assert np.array_equal(whole, integers / np.float32(2**15))
    assert np.array_equal(whole, soundfile.read(exact.parent / "noise.wav", always_2d=True)[0].T)
    decoded, theirs = sound(talk)[0], pyav_sound(talk)[0]
    both = slice(0, 2 * 44100)  # what follows is the codec's padding
    assert np.abs(decoded[both] - theirs[both]).max() < 1e-5


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_sample_types(tmp_path: Path, subtype: str) -> None:
    values = np.linspace(-1, 0.99, 200_001)  # more than one block
    soundfile.write(tmp_path / "a.wav", np.stack([values, -values], 1), 8000, subtype)
    truth = soundfile.read(tmp_path / "a.wav", always_2d=True)[0].T
    assert np.abs(sound(tmp_path / "a.wav") - truth).max() < 1e-7


@pytest.fixture(scope="module", params=["wav", "flac", "mp4", "mkv"])
def windowed(
    made: Path, talk: Path, exact: Path, request: pytest.FixtureRequest
) -> tuple[media.Media, np.ndarray]:
    """A file and all its sound."""
    path = {"mp4": talk, "mkv": exact}.get(request.param, made / f"window.{request.param}")
    if path not in (talk, exact):
        noise = np.random.default_rng(2).uniform(-0.5, 0.5, (2 * 44100, 2))
        soundfile.write(path, noise, 44100)
    return media.open(path), sound(path)


@pytest.mark.parametrize(
    ("start", "duration"),
    [(0.0, 0.5), (0.5, 0.7), (0.123456, 0.3), (1.0, None), (1.9, 5.0), (0.52, 1e-4), (0, None)],
)
def test_windows_of_sound(
    windowed: tuple[media.Media, np.ndarray], start: float, duration: float | None
) -> None:
    source, whole = windowed
    rate, suffix = source.info.audio[0].rate, source.info.path.suffix
    part = sound(source, start=start, duration=duration)
    first, end = start * rate, 2 * rate
    if duration is not None:
        end = min(end, round((start + duration) * rate))
    # AAC's last blocks are padding.
    padded = suffix == ".mp4" and end == 2 * rate
    assert part.shape[1] == pytest.approx(end - first, abs=1024 if padded else 1)
    count = min(part.shape[1], end - round(first)) - (2048 if padded else 0)
    # Matroska's clock, and so a cut in it, ticks in milliseconds.
    slack = rate // 2000 + 1 if suffix == ".mkv" and start % 0.001 > 1e-6 else 1
    slips = range(max(0, int(first) - slack), min(int(first) + slack, whole.shape[1] - count) + 1)
    assert min(np.abs(part[:, :count] - whole[:, n : n + count]).max() for n in slips) < 1e-5


@pytest.mark.parametrize(("start", "duration"), [(0, 0.4), (0.48, 0.4), (1.0, None), (1.96, 1.0)])
def test_windows_of_pictures(talk: Path, start: float, duration: float | None) -> None:
    whole = pictures(talk)
    first = round(start * 25)
    last = 50 if duration is None else min(50, first + round(duration * 25))
    assert np.array_equal(pictures(talk, start=start, duration=duration), whole[first:last])


@pytest.mark.parametrize("fps", [Fraction(5), Fraction(25, 2), Fraction(50), Fraction(30000, 1001)])
def test_other_rates(talk: Path, fps: Fraction) -> None:
    truth = pyav_pictures(talk)[1]
    ours = pictures(talk, fps=fps)
    assert len(ours) == pytest.approx(2 * fps, abs=0.5)
    seen = [nearest(image, truth) for image in ours]
    for k, shown in enumerate(seen):
        middle = (k + Fraction(1, 2)) / fps * 25
        # Where the middle falls on a change of pictures, either is right.
        assert shown in {int(middle), int(middle) - (middle.denominator == 1)}


def test_sizes(made: Path, talk: Path) -> None:
    assert pictures(talk, size=(33, 77), duration=0.2).shape == (5, 77, 33, 3)
    lines = made / "lines.mp4"
    naive(
        *lavfi("color=gray:s=160x120:r=25:d=0.2,geq=lum='255*mod(X,2)':cb=128:cr=128"), *X264, lines
    )
    small = pictures(lines, size=(40, 30))
    # The mean of black and white lines; taking every fourth would give one of them.
    assert small.shape == (5, 30, 40, 3)
    assert np.abs(small[:, :, 1:-1].astype(int) - 128).max() < 12


@pytest.mark.parametrize("kind", ["frames", "audio"])
@pytest.mark.parametrize("how", ["closed", "dropped", "failed"])
def test_early_exit_leaves_no_process(talk: Path, kind: str, how: str) -> None:
    def tick(seconds: float) -> None:
        if how == "failed":
            raise RuntimeError("stop")

    clip = media.open(talk).clip(
        media.Spec(audio=kind == "audio", frames=kind == "frames"), tick=tick
    )
    stream: Any = clip.pictures().images() if kind == "frames" else clip.sound().blocks()
    if how == "failed":
        with pytest.raises(RuntimeError, match="stop"):
            next(stream)
        assert not ffmpeg._running
        return
    next(stream)
    (process,) = ffmpeg._running
    assert alive(process.pid)
    if how == "closed":
        stream.close()
    else:
        del stream
    assert not alive(process.pid) and not ffmpeg._running  # no zombie either
    assert process.returncode < 0  # killed, not waited for until it has decoded the rest
    assert clip.warnings == []  # what a killed ffmpeg says is no damage


def test_reading_again_starts_again(exact: Path) -> None:
    clip = media.open(exact).clip(media.Spec(audio=True, frames=True, channel=0))
    first, second = (np.concatenate(list(clip.sound().blocks()), 1) for _ in range(2))
    assert np.array_equal(first, second)
    both = [list(clip.pictures().images()) for _ in range(2)]
    assert np.array_equal(both[0], both[1])


PEAK = """
import resource, sys
from avtool import media
clip = media.open(sys.argv[1]).clip(media.Spec(audio=True, frames=sys.argv[2] == "frames"))
for block in clip.sound().blocks():
    pass
for image in clip.pictures().images() if clip.frames else ():
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_bytes(path: Path, kind: str) -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    command = [sys.executable, "-c", PEAK, str(path), kind]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return int(done.stdout) * unit


def test_memory_is_flat(tmp_path: Path, talk: Path) -> None:
    silence = np.zeros((16000, 2), np.int16)
    for name, seconds in (("short.wav", 10), ("long.wav", 20 * 60)):
        with soundfile.SoundFile(tmp_path / name, "w", 16000, 2) as file:
            for _ in range(seconds):
                file.write(silence)
    # In memory the long one is 150 MB.
    grown = peak_bytes(tmp_path / "long.wav", "audio") - peak_bytes(tmp_path / "short.wav", "audio")
    assert grown < 20e6
    for name, loops in (("short.mkv", 0), ("long.mkv", 89)):
        naive("-stream_loop", loops, "-i", talk, "-c", "copy", tmp_path / name)
    # In memory the long one's 4500 pictures are 260 MB.
    grown = peak_bytes(tmp_path / "long.mkv", "frames") - peak_bytes(
        tmp_path / "short.mkv", "frames"
    )
    assert grown < 20e6
