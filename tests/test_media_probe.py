"""What is in a file, against PyAV and known truth; what is said of files that cannot be read."""

from __future__ import annotations

import os
import shutil
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from conftest import (
    X264,
    lavfi,
    naive,
    nearest,
    pictures,
    program,
    pyav_pictures,
    pyav_time,
    sound,
    tone,
)

from avtool import media
from avtool.errors import AvtoolError, InputError, MediaError


@pytest.fixture(scope="module", params=["25", "30000/1001", "24000/1001", "59.94", "12.5"])
def rated(made: Path, request: pytest.FixtureRequest) -> tuple[Fraction, Path]:
    path = made / f"rate-{request.param.replace('/', '-')}.mkv"
    naive(*lavfi(f"testsrc2=s=160x120:r={request.param}:d=2"), *X264, "-bf", "2", path)
    rate = Fraction(60000, 1001) if request.param == "59.94" else Fraction(request.param)
    return rate, path


def test_rate_is_exact_on_a_clock_of_milliseconds(rated: tuple[Fraction, Path]) -> None:
    rate, path = rated
    facts = media.open(path).info.video[0]
    assert (facts.fps, facts.variable) == (rate, False)
    mp4 = path.with_suffix(".mp4")
    naive("-i", path, "-c", "copy", mp4)
    facts = media.open(mp4).info.video[0]
    assert (facts.fps, facts.variable) == (rate, False)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "ts"])
def test_facts_agree_with_pyav(made: Path, suffix: str) -> None:
    path = made / f"facts.{suffix}"
    video = ["-itsoffset", 0.4, *lavfi("testsrc2=s=176x144:r=30000/1001:d=1.5")]
    audio = lavfi("sine=440:r=32000:d=2")
    naive(*video, *audio, *X264, "-c:a", "aac", "-ac", 2, "-fps_mode", "passthrough", path)
    info = media.open(path, scan=True).info
    (picture,), (track,) = info.video, info.audio
    assert info.format == {"mkv": "matroska", "ts": "mpegts"}.get(suffix, suffix)
    with av.open(str(path)) as file:
        zero = file.start_time / av.time_base
        theirs, heard = file.streams.video[0], file.streams.audio[0]
        assert (picture.width, picture.height) == (theirs.width, theirs.height)
        assert (picture.codec, track.codec) == (theirs.codec.name, heard.codec.name[:3])
        assert float(picture.fps) == pytest.approx(float(theirs.average_rate or 0), rel=2e-3)
        assert (track.rate, track.channels) == (heard.rate, heard.layout.nb_channels)
        packets = [p for p in file.demux(theirs, heard) if p.size]
        assert info.bytes == path.stat().st_size == file.size
    # An mp4's edit list hides the sound's first packet, which is priming.
    packets = [p for p in packets if not p.is_discard]
    seen = [p for p in packets if p.stream is theirs]
    assert picture.frames == len(seen)
    first = min(pyav_time(p) for p in seen) - zero
    assert picture.start == pytest.approx(first, abs=0.002)
    first = min(pyav_time(p) for p in packets if p.stream is heard) - zero
    assert track.start == pytest.approx(max(first, 0), abs=0.002)
    end = max(pyav_time(p) + float((p.duration or 0) * (p.time_base or 0)) for p in packets) - zero
    assert info.duration == pytest.approx(end, abs=0.002)
    quick = media.open(path).info
    assert quick.duration == pytest.approx(end, abs=0.11)  # mpegts does not say it
    assert quick.audio == info.audio
    assert picture.fps == Fraction(30000, 1001)


def test_frames_that_are_never_shown_do_not_count(talk: Path, made: Path) -> None:
    path = made / "cut.mp4"
    naive("-ss", 0.6, "-i", talk, "-c", "copy", path)  # begins at a key frame before 0.6 s
    truth = pyav_pictures(path)[1]
    (facts,) = media.open(path, scan=True).info.video
    assert facts.frames == len(truth) == 35
    assert (facts.start, facts.fps, facts.variable) == (0.0, Fraction(25), False)
    assert [nearest(image, truth) for image in pictures(path)] == list(range(35))


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "au", "w64", "caf"])
def test_sound_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"plain.{suffix}"
    soundfile.write(path, np.zeros((1234, 3), np.int16), 22050)
    info = media.open(path).info
    (track,) = info.audio
    assert (track.rate, track.channels, track.start) == (22050, 3, 0.0)
    assert info.duration == 1234 / 22050
    assert info.video == () and info.warnings == ()


def test_wav_that_is_none_inside(talk: Path, tmp_path: Path) -> None:
    path = tmp_path / "misnamed.wav"
    shutil.copy(talk, path)
    assert media.open(path).info.video[0].width == 160
    assert len(pictures(path)) == 50


@pytest.fixture(scope="module")
def sung(made: Path) -> Path:
    path = made / "sung.wav"
    soundfile.write(path, tone(440, 44100, 2), 44100)
    return path


@pytest.mark.parametrize("suffix", ["m4a", "mp3", "flac"])
def test_cover_art_is_no_video(made: Path, sung: Path, suffix: str) -> None:
    cover, path = made / "cover.png", made / f"cover.{suffix}"
    naive(*lavfi("testsrc2=s=160x120:d=1"), "-frames:v", 1, cover)
    both = ["-i", sung, "-i", cover, "-map", 0, "-map", 1, "-c:v", "copy"]
    naive(*both, "-disposition:v", "attached_pic", path)
    info = media.open(path).info
    assert info.video == () and len(info.audio) == 1
    assert info.duration == pytest.approx(2, abs=0.06)
    samples = sound(path)[0]
    assert len(samples) == pytest.approx(2 * 44100, abs=2400)
    with pytest.raises(MediaError, match="has no pictures"):
        pictures(path)


NAMES = [
    "two  words.mp4",
    "it's.mp4",
    'say "hi".mp4',
    "ünï ☃ 日本.mp4",
    "-dash.mp4",
    "a:b.mp4",
    "100%d %03d.mp4",
    "[0]{a,b}*?.mp4",
    "$HOME & `ls`;#.mp4",
    "back\\slash.mp4",
]


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str, talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(talk, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert media.open(name).info.video[0].width == 160
    assert len(pictures(name, duration=0.2)) == 5
    assert sound(name, duration=0.5).shape == (1, 22050)
    wav = Path(name).with_suffix(".wav")
    soundfile.write(wav, np.zeros(100), 8000)
    assert sound(wav).shape == (1, 100)


def test_names_on_the_command_line(talk: Path, tmp_path: Path) -> None:
    for name in NAMES:
        shutil.copy(talk, tmp_path / name)
    done = program("mel", "-f", "npy", "-o", "out", "--", *NAMES, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {f"{Path(name).stem}.mel.npy" for name in NAMES}


def encrypted(path: Path) -> None:
    key = "76a6c65c5ea762046bd749a2e632ccbb"
    scheme = ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key]
    both = [*lavfi("testsrc2=s=160x120:d=1"), *lavfi("sine=440:d=1"), *X264, "-c:a", "aac"]
    naive(*both, *scheme, "-encryption_kid", key, path)


def headless(path: Path) -> None:
    naive(*lavfi("testsrc2=s=160x120:d=1"), *X264, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def nothing_inside(path: Path) -> None:
    subtitle = path.with_suffix(".srt")
    subtitle.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    naive("-i", subtitle, path)


BAD = {
    "missing.mp4": (lambda path: None, "no such file"),
    "missing.wav": (lambda path: None, "no such file"),
    "empty.mp4": (lambda path: path.touch(), "is empty"),
    "empty.wav": (lambda path: path.touch(), "is empty"),
    "folder.mp4": (lambda path: path.mkdir(), "is a folder"),
    "text.mp4": (lambda path: path.write_text("no media\n" * 99), "is not sound or video"),
    "text.wav": (lambda path: path.write_text("no media\n" * 99), "is not sound or video"),
    "text.flac": (lambda path: path.write_text("no media\n" * 99), "is not sound or video"),
    "noise.mp3": (lambda path: path.write_bytes(bytes(range(256)) * 9), "is not sound or video"),
    "header.wav": (
        lambda path: path.write_bytes(b"RIFF" + struct.pack("<I", 4) + b"WAVE"),
        "is not sound or video",
    ),
    "cut.mp4": (headless, "cut off before its index"),
    "protected.mp4": (encrypted, "is protected"),
    "subtitles.mkv": (nothing_inside, "neither sound nor pictures"),
}


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad files")
    for name, (make, _) in BAD.items():
        make(folder / name)
    return folder


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_named_in_one_line(bad: Path, name: str) -> None:
    with pytest.raises(MediaError, match=BAD[name][1]) as caught:
        sound(bad / name)
    text = str(caught.value)
    assert text.startswith(f"{bad / name}: ") and "\n" not in text and len(text) < 300


def test_an_address_is_no_file() -> None:
    with pytest.raises(MediaError, match=r"is an address; .* download it first"):
        media.open("https://example.org/talk.mp4")


@pytest.mark.parametrize("name", ["missing.mp4", "empty.wav", "text.mp4", "cut.mp4"])
def test_bad_files_on_the_command_line(bad: Path, name: str, tmp_path: Path) -> None:
    ended = program("mel", "-o", tmp_path / "out/", bad / name)
    assert ended.returncode == 1 and ended.stdout == ""
    assert ended.stderr.count("\n") == 1 and BAD[name][1] in ended.stderr
    assert "Traceback" not in ended.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_forbidden(talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.mp4"
    shutil.copy(talk, path)
    path.chmod(0)
    if os.geteuid() == 0:  # root may read it all the same

        def refuse(self: Path, *arguments: object, **keywords: object) -> None:
            raise PermissionError(13, "Permission denied", str(self))

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(MediaError, match=r"secret\.mp4: cannot be read \(permission denied\)$"):
        media.open(path)


def test_what_a_file_does_not_have(exact: Path, made: Path, sung: Path) -> None:
    silent = made / "silent.mp4"
    naive("-i", exact, "-an", "-c", "copy", silent)
    cases: list[tuple[Path, dict[str, Any], type[AvtoolError], str]] = [
        (silent, {"audio": True}, MediaError, "has no sound"),
        (sung, {"frames": True}, MediaError, "has no pictures"),
        (exact, {"audio": True, "channel": 3}, InputError, "has no channel 3; .* 1 to 2"),
        (sung, {"audio": True, "channel": 2}, InputError, "has no channel 2; .* are 1$"),
        (exact, {"audio": True, "start": 9.0}, InputError, "is after its end"),
        (sung, {"audio": True, "start": 2.0}, InputError, "is after its end"),
        (exact, {"audio": True, "start": -1.0}, InputError, "0 or later"),
        (exact, {"frames": True, "duration": 0.0}, InputError, "above 0"),
    ]
    for path, spec, kind, words in cases:
        with pytest.raises(kind, match=words) as caught:
            clip = media.open(path).clip(media.Spec(**spec))
            list(clip.audio.blocks() if clip.audio else clip.pictures().images())
        assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
