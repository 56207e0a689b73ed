"""Damaged and cut files, floods of complaints, greedy children, full disks."""

from __future__ import annotations

import functools
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import X264, lavfi, naive, pictures, program, sound
from PIL import Image

from avtool import media
from avtool.errors import MediaError, OutputError
from avtool.media import ffmpeg
from avtool.media.image import read_picture
from avtool.save import replacing
from avtool.save.video import write_video
from avtool.values import Frames


@pytest.fixture(scope="module", params=["mp4", "mkv"])
def damaged(made: Path, talk: Path, request: pytest.FixtureRequest) -> Path:
    """Some hundred bytes of the middle flipped."""
    path = made / f"damaged.{request.param}"
    naive("-i", talk, "-c", "copy", path)
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    data[len(data) // 2 : len(data) // 2 + 300] ^= 0xA5
    path.write_bytes(data.tobytes())
    return path


def test_damage_is_counted_not_hidden(damaged: Path, tmp_path: Path) -> None:
    naive("-i", damaged, "-f", "null", "-")  # ffmpeg itself calls this a success
    clip = media.open(damaged).clip(media.Spec(frames=True))
    assert 40 <= len(list(clip.pictures().images())) <= 51  # mkv's pictures start 21 ms late
    (warning,) = clip.warnings
    words = warning.split()
    assert words[0] == "damaged:" and int(words[1]) > 0 and words[2].startswith("decode")
    strict = media.open(damaged).clip(media.Spec(frames=True), strict=True)
    with pytest.raises(MediaError, match="damaged"):
        list(strict.pictures().images())


def test_strict_writes_nothing(damaged: Path, tmp_path: Path) -> None:
    ended = program("mel", "--strict", "-f", "npy", "-o", tmp_path / "out/", damaged)
    assert ended.returncode in (0, 1)
    loose = media.open(damaged).clip(media.Spec(audio=True))
    assert loose.sound().samples.size
    # Damage may have hit the pictures only.
    assert bool(loose.warnings) == (ended.returncode == 1)
    assert bool(list(tmp_path.rglob("*.npy*"))) == (ended.returncode == 0)


def test_flood_of_complaints_blocks_nothing(talk: Path) -> None:
    arguments = [
        "-nostdin",
        "-loglevel",
        "trace",
        "-debug_ts",
        "-stream_loop",
        "29",
        "-i",
        ffmpeg.url(talk),
    ]
    run = ffmpeg.Run([*arguments, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
    sizes: list[int] = []

    def read() -> None:
        with run:
            while data := run.stdout.read(160 * 120 * 3):
                sizes.append(len(data))
            run.stdout.read()
            sizes.append(os.fstat(run._errors.fileno()).st_size)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(60)  # a pipe that nobody reads is full after 64 KiB
    try:
        assert not reader.is_alive()
    finally:
        ffmpeg.kill_all()
        reader.join(10)
    assert sizes.pop() > 1 << 20
    assert len(sizes) == 1500
    assert run.complaint_count > 1000 > len(run.complaints)


def test_shell_loop_keeps_its_list(talk: Path, tmp_path: Path) -> None:
    # An ffmpeg that eats its stdin to the end before it works.
    greedy = tmp_path / "greedy"
    greedy.write_text(f'#!/bin/sh\ncat > /dev/null\nexec "{ffmpeg.binary()}" "$@"\n')
    greedy.chmod(0o755)
    names = [f"talk {n}.mp4" for n in range(3)]
    for name in names:
        (tmp_path / name).write_bytes(talk.read_bytes())
    (tmp_path / "list").write_text("\n".join(names) + "\n")
    loop = f'while read f; do "{sys.executable}" -m avtool mel -f npy "$f"; done < list'
    done = subprocess.run(
        ["/bin/sh", "-c", loop],
        cwd=tmp_path,
        env={**os.environ, "AVTOOL_FFMPEG": str(greedy)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split("\n")[:-1] == [f"talk {n}.mel.npy" for n in range(3)], done.stderr


def test_truncated_sound_files(tmp_path: Path) -> None:
    noise = np.random.default_rng(3).integers(-(2**14), 2**14, 2 * 16000).astype(np.int16)
    for suffix in ("wav", "flac"):
        whole, path = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}"
        soundfile.write(whole, noise, 16000)
        path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
        clip = media.open(path).clip(media.Spec(audio=True))
        samples = clip.sound().samples[0]
        assert 0.5 * len(noise) < len(samples) < 0.61 * len(noise)
        assert np.array_equal(samples, noise[: len(samples)] / np.float32(2**15))
        words = ("truncated: ",) if suffix == "wav" else ("truncated: ", "damaged: ")
        assert clip.warnings and all(text.startswith(words) for text in clip.warnings)
        strict = media.open(path).clip(media.Spec(audio=True), strict=True)
        with pytest.raises(MediaError, match=r"truncated|damaged"):
            list(strict.sound().blocks())
        fine = media.open(whole).clip(media.Spec(audio=True), strict=True)
        assert fine.sound().samples.shape == (1, len(noise)) and fine.warnings == []


@pytest.mark.parametrize("suffix", ["mkv", "mp3", "ts"])
def test_truncated_streams(made: Path, exact: Path, suffix: str) -> None:
    whole, path = made / f"entire.{suffix}", made / f"cut.{suffix}"
    codecs = (
        ["-vn"] if suffix == "mp3" else [*X264, "-c:a", "aac"] if suffix == "ts" else ["-c", "copy"]
    )
    naive("-i", exact, *codecs, whole)
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    clip = media.open(path).clip(media.Spec(audio=True, channel=0))
    samples, truth = clip.sound().samples, sound(whole)
    assert 0.4 * truth.shape[1] < samples.shape[1] < 0.75 * truth.shape[1]
    sure = samples.shape[1] - 4096  # the last packet may be a torn one
    # A whole mp3 is decoded by libsndfile, a torn one by ffmpeg.
    same = 1e-4 if suffix == "mp3" else 1e-6
    assert np.abs(samples[:, :sure] - truth[:, :sure]).max() < same
    if suffix != "mp3":
        images, entire = pictures(path), pictures(whole)
        assert 15 <= len(images) < 40
        assert np.array_equal(images[:14], entire[:14])
    if suffix == "mkv":
        assert len(clip.warnings) == 1  # its container knows that more was meant to come


def limited(count: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, count))


@pytest.fixture(scope="module")
def big(made: Path) -> Path:
    path = made / "big.wav"
    noise = np.random.default_rng(4).standard_normal(16000 * 20) * 0.1
    soundfile.write(path, noise, 16000)
    return path


@pytest.mark.parametrize(
    ("command", "format"),
    [("mel", format) for format in ("npz", "npy", "csv", "parquet", "png")]
    + [("waveform", "wav"), ("waveform", "flac")],
)
def test_full_disk_leaves_nothing(big: Path, tmp_path: Path, command: str, format: str) -> None:
    # A limit on a file's size fails as a full disk does: in the middle of a write.
    full = functools.partial(limited, 20_000)
    arguments = [command, "-f", format, "-o", tmp_path / "out/", big]
    ended = program(*arguments, preexec_fn=full)
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr.count("\n") == 1 and "Traceback" not in ended.stderr
    assert "cannot be written" in ended.stderr
    assert ended.stdout == ""
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


FULL = """
import sys
from pathlib import Path
import numpy as np
from fractions import Fraction
from avtool.errors import OutputError
from avtool.save.video import (replace_sound, write_video)
from avtool.save import replacing
from avtool.values import (Audio, Frames)
noise = np.random.default_rng(0).integers(0, 255, (50, 120, 160, 3)).astype(np.uint8)
target = Path(sys.argv[1])
try:
    with replacing(target) as part:
        if len(sys.argv) > 2:
            audio = Audio.of(np.zeros(int(sys.argv[3])), 800)
            replace_sound(Path(sys.argv[2]), part, audio, suffix=".mp4")
        else:
            frames = Frames(lambda: iter(noise), Fraction(25), 160, 120)
            write_video(part, frames, suffix=".mp4")
except OutputError as error:
    print(error)
"""


@pytest.mark.parametrize("kind", ["pictures", "copy", "sound"])
def test_full_disk_under_a_video(tmp_path: Path, talk: Path, kind: str) -> None:
    target = tmp_path / "a.mp4"
    # What does not fit: the new pictures, the copied ones, the sound that waits to be muxed.
    arguments = [target] if kind == "pictures" else [target, talk, 800 if kind == "copy" else 80000]
    done = subprocess.run(
        [sys.executable, "-c", FULL, *map(str, arguments)],
        preexec_fn=functools.partial(limited, 20_000),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == "" and done.stdout.count("\n") == 1
    assert "cannot be written" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB, where one may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        if subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("a small disk cannot be mounted here")
    except FileNotFoundError:
        pytest.skip("no mount on this system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_truly_full_disk(big: Path, tiny_disk: Path) -> None:
    ended = program("mel", "-f", "npy", "-o", f"{tiny_disk}/", big)
    assert ended.returncode == 1 and "No space left" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert list(tiny_disk.iterdir()) == []
    noise = np.random.default_rng(0).integers(0, 255, (50, 120, 160, 3)).astype(np.uint8)
    with (
        pytest.raises(OutputError, match="the disk is full"),
        replacing(tiny_disk / "a.mp4") as part,
    ):
        write_video(part, Frames(lambda: iter(noise), Fraction(25), 160, 120), suffix=".mp4")
    assert list(tiny_disk.iterdir()) == []


def test_an_mp3_called_wav_is_read_in_silence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    naive(*lavfi("sine=440:d=0.5:r=22050"), "-c:a", "libmp3lame", tmp_path / "whole.mp3")
    whole = (tmp_path / "whole.mp3").read_bytes()
    (tmp_path / "called.wav").write_bytes(whole)
    assert (
        np.abs(sound(tmp_path / "called.wav") - sound(tmp_path / "whole.mp3")).max() < 1e-4
    )  # ffmpeg's decoder, and libsndfile's
    (tmp_path / "cut.wav").write_bytes(whole[:35])
    with pytest.raises(MediaError, match="is not sound or video"):
        media.open(tmp_path / "cut.wav")
    assert not capfd.readouterr().err  # of libraries in C


def test_pictures_of_no_size_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "sizeless.mpg"
    shown = [*lavfi("testsrc2=s=64x48:r=25:d=1"), *lavfi("sine=440:d=1:r=44100")]
    naive(*shown, "-c:v", "mpeg2video", "-c:a", "mp2", path)
    head = b"\0\0\1\xb3"  # then 12 bits of width, 12 of height
    path.write_bytes(path.read_bytes().replace(head + b"\x04\x00\x30", head + bytes(3)))
    info = media.open(path).info
    assert not info.video and len(info.audio) == 1
    assert info.warnings == ("damaged: pictures of unknown size are left out",)


@pytest.mark.parametrize("at", [11, 19])  # the length of a png's head, and its width
def test_a_damaged_picture_is_refused(tmp_path: Path, at: int) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "face.png")
    data = bytearray((tmp_path / "face.png").read_bytes())
    data[at] = 0
    (tmp_path / "face.png").write_bytes(data)
    with pytest.raises(MediaError, match=r"face.png: is no readable picture"):
        read_picture(tmp_path / "face.png")


def test_a_picture_that_lasts_for_days_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "days.avi"
    naive(*lavfi("testsrc2=s=64x48:r=25:d=1"), "-c:v", "mpeg4", path)
    data = path.read_bytes()
    scale = data.index(b"strh") + 8 + 20  # dwScale of dwScale / dwRate, seconds a picture
    path.write_bytes(data[:scale] + (25 << 20).to_bytes(4, "little") + data[scale + 4 :])
    with pytest.raises(MediaError, match=r"days.avi: says that one picture lasts 1,048,576 s"):
        media.open(path).clip(media.Spec(frames=True, fps=Fraction(25)))


@pytest.mark.skipif(sys.platform == "darwin", reason="names are UTF-8 there")
def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.wav")
    soundfile.write(tmp_path / "plain.wav", np.linspace(0, 0.5, 800), 16_000)
    (tmp_path / "plain.wav").rename(path)
    assert sound(path).shape == (1, 800)
