"""Written video, read back by PyAV; a sound replaced; a full disk leaves nothing half done."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import X264, lavfi, naive, nearest, pictures, pyav_pictures, pyav_time, sound, tone

from avtool import media
from avtool.errors import OutputError
from avtool.save import replacing
from avtool.save.video import replace_sound, write_video
from avtool.values import Audio, Frames


def smooth(width: int, height: int, count: int) -> np.ndarray:
    """Soft colours that move; 4:2:0 costs them little."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [
        np.sin(x / 23 + k / 5) + np.sin(y / 17 + c * 2 - k / 7) for k in range(count)
        for c in range(3)
    ]  # fmt: skip
    images = np.array(waves).reshape(count, 3, height, width).transpose(0, 2, 3, 1)
    return (128 + 55 * images).astype(np.uint8)


def frames(images: np.ndarray, fps: Fraction) -> Frames:
    return Frames(lambda: iter(images), fps, images.shape[2], images.shape[1])


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.square(one.astype(float) - other).mean()))


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("rate", ["25", "30000/1001", "25/2"])
def test_video_comes_back(tmp_path: Path, suffix: str, rate: str) -> None:
    path, fps = tmp_path / f"out.{suffix}", Fraction(rate)
    images = smooth(160, 120, 30)
    rate_hz, seconds = 16000, 30 / float(fps)
    audio = Audio.of(tone(440, rate_hz, seconds), rate_hz)
    write_video(path, frames(images, fps), audio)
    with av.open(str(path)) as file:
        video, track = file.streams.video[0], file.streams.audio[0]
        assert (video.codec.name, video.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height) == (160, 120)
        if suffix != "mkv":  # its times are milliseconds
            assert video.average_rate == fps
        assert (track.codec.name[:3], track.rate) == ("aac", rate_hz)
    (info,) = media.open(path, scan=True).info.video
    assert (info.fps, info.frames, info.variable) == (fps, 30, False)
    assert media.open(path).info.duration == pytest.approx(seconds, abs=0.07)
    back = pyav_pictures(path)[1]
    assert len(back) == 30
    assert [nearest(image, images) for image in back] == list(range(30))
    assert psnr(back, images) > 30
    heard = sound(path)[0]
    assert len(heard) == pytest.approx(seconds * rate_hz, abs=2 * 1024)
    middle = heard[rate_hz // 4 :][:8192]
    assert np.abs(middle).max() == pytest.approx(0.25, rel=0.05)


def test_index_comes_before_the_pictures(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", frames(smooth(64, 48, 5), Fraction(25)))
    data = (tmp_path / "a.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert b"soun" not in data


@pytest.mark.parametrize(("width", "height"), [(161, 120), (160, 121), (99, 77), (1, 1)])
def test_odd_sizes_gain_a_line(tmp_path: Path, width: int, height: int) -> None:
    images = smooth(width, height, 3)
    write_video(tmp_path / "odd.mp4", frames(images, Fraction(25)))
    back = pyav_pictures(tmp_path / "odd.mp4")[1]
    assert back.shape == (3, height + height % 2, width + width % 2, 3)
    assert psnr(back[:, :height, :width], images) > 30
    # The new line is its neighbour, not a black one.
    assert np.abs(back[:, -1].astype(int) - back[:, -2]).max() < 20
    assert np.abs(back[:, :, -1].astype(int) - back[:, :, -2]).max() < 20


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 40)])
def test_colours_survive(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    path = tmp_path / "colour.mp4"
    images = np.broadcast_to(np.array(colour, np.uint8), (5, 120, 160, 3))
    write_video(path, frames(images, Fraction(25)))
    assert np.abs(pictures(path).astype(int) - colour).max() <= 4
    # A player that believes the file's own words finds the same.
    with av.open(str(path)) as file:
        frame = next(file.decode(video=0))
        assert (frame.colorspace, frame.color_range) == (1, 1)  # BT.709, limited
        y, u, v = (np.frombuffer(bytes(plane), np.uint8)[0].astype(float) for plane in frame.planes)
    y, u, v = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
    red, blue = y + 1.5748 * v, y + 1.8556 * u
    green = (y - 0.2126 * red - 0.0722 * blue) / 0.7152
    assert 255 * np.array([red, green, blue]) == pytest.approx(np.array(colour), abs=4)


def video_packets(path: Path) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as file:
        return [(pyav_time(p), bytes(p)) for p in file.demux(video=0) if p.size]


@pytest.mark.parametrize("late", [0.0, 0.72])
@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_new_sound_under_the_same_pictures(made: Path, suffix: str, late: float) -> None:
    source, path = made / f"source{late}.{suffix}", made / f"replaced{late}.{suffix}"
    flash = "color=black:s=160x120:r=25:d=2,drawbox=enable='between(t,1,1.19)':color=white:t=fill"
    video = ["-itsoffset", late, *lavfi(flash), *lavfi("sine=200:r=48000:d=2")]
    naive(*video, *X264, "-bf", "2", "-fps_mode", "passthrough", "-c:a", "aac", source)
    silence = np.zeros(16000 * 3)
    beep = round((1 + late) * 16000)
    silence[beep : beep + 3200] = tone(1000, 16000, 0.2, 0.5)
    replace_sound(source, path, Audio.of(silence, 16000))
    before, after = video_packets(source), video_packets(path)
    assert [data for _, data in after] == [data for _, data in before]
    steps = np.diff([time for time, _ in before])
    assert np.diff([time for time, _ in after]) == pytest.approx(steps, abs=0.0015)
    assert len(media.open(path).info.audio) == 1
    bright = (pictures(path).mean((1, 2, 3)) > 128).argmax() / 25
    heard = (np.abs(sound(path)[0]) > 0.1).argmax() / 16000
    # One 64 ms block of AAC at 16 kHz is the priming that mkv does not take off.
    assert heard == pytest.approx(bright, abs=0.045 if suffix != "mkv" else 0.07)
    assert bright == pytest.approx(1 + late, abs=0.041 if suffix != "mkv" else 0.105)
    assert len(sound(path)[0]) == pytest.approx(3 * 16000, abs=2 * 1024)


def test_names(talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    audio = Audio.of(tone(440, 16000, 1), 16000)
    for name in ("-a b'c\".mp4", "ü:%d [x].mp4"):
        write_video(Path(name), frames(smooth(64, 48, 5), Fraction(25)), audio)
        assert len(pyav_pictures(tmp_path / name)[1]) == 5
        replace_sound(talk, Path(name), audio)
        assert len(pyav_pictures(tmp_path / name)[1]) == 50


def test_part_file_of_another_suffix(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.mp4") as part:
        assert part.suffix != ".mp4"
        write_video(part, frames(smooth(64, 48, 5), Fraction(25)), suffix=".mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert len(pyav_pictures(tmp_path / "a.mp4")[1]) == 5


def test_what_cannot_be_written(talk: Path, tmp_path: Path) -> None:
    some, audio = frames(smooth(64, 48, 50), Fraction(25)), Audio.of(np.zeros(160), 16000)
    for path in (tmp_path / "a.xyz", tmp_path / "missing folder" / "a.mp4", tmp_path / "a"):
        for write in (
            lambda path: write_video(path, some, audio),
            lambda path: replace_sound(talk, path, audio),
        ):
            with pytest.raises(OutputError) as caught:
                write(path)
            assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_failing_frames_stop_the_encoder(tmp_path: Path) -> None:
    def images() -> Iterator[np.ndarray]:
        yield from smooth(64, 48, 3)
        raise ZeroDivisionError

    with (
        pytest.raises(ZeroDivisionError),
        replacing(tmp_path / "a.mp4") as part,
    ):
        write_video(part, Frames(images, Fraction(25), 64, 48), suffix=".mp4")
    assert list(tmp_path.iterdir()) == []


def test_replacing_is_all_or_nothing(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with pytest.raises(KeyError), replacing(target) as part:
        part.write_text("half")
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with replacing(target) as part:
        part.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    with pytest.raises(OutputError, match="No space left"), replacing(target) as part:
        part.write_text("half")
        raise OSError(28, "No space left on device")
    assert target.read_text() == "whole" and list(tmp_path.iterdir()) == [target]
    nowhere = replacing(tmp_path / "missing" / "b.txt")
    with pytest.raises(OutputError, match=r"b\.txt: cannot be written"), nowhere:
        pass
