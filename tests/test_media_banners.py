"""Whatever ffmpeg's version, the same file has the same facts: golden banners, and one made now."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import banners
import pytest

from avtool import media
from avtool.media import ffmpeg
from avtool.media.packets import Packets
from avtool.media.probe import AudioStream, Banner, VideoStream, read_banner, tracks

GOLDEN = {
    (path.stem, name): lines
    for path in sorted(banners.DATA.glob("*.txt"))
    for name, lines in banners.saved(path)
}
NTSC = Fraction(1001, 1000)


def picture(
    index: int,
    width: int,
    height: int,
    fps: Fraction | float,
    codec: str = "h264",
    coded: tuple[int, int] | None = None,
    rotation: int = 0,
    sar: Fraction = Fraction(1),
) -> VideoStream:
    size = coded or (width, height)
    rate = Fraction(fps)
    return VideoStream(index, codec, width, height, size, rotation, sar, rate, False, 0.0)


def sound(index: int, codec: str, rate: int, channels: int, layout: str) -> AudioStream:
    return AudioStream(index, codec, rate, channels, layout, 0.0)


# By file: the container, its length, its zero, and its tracks.
Facts = tuple[str, float | None, float | None, tuple[AudioStream, ...], tuple[VideoStream, ...]]
SMALL = picture(0, 160, 120, 25)
FACTS: dict[str, Facts] = {
    "plain.mp4": ("mov", 2, 0, (sound(0, "aac", 44100, 2, "stereo"),), (picture(0, 640, 360, 25),)),
    "turned.mov": (
        *("mov", 2, 0, (sound(0, "aac", 48000, 1, "mono"),)),
        (picture(0, 180, 320, 30 / NTSC, coded=(320, 180), rotation=270),),
    ),
    "wide.mkv": (
        *("matroska", 1, 0),
        (sound(0, "flac", 48000, 6, "5.1"), sound(1, "flac", 48000, 8, "7.1")),
        (picture(0, 768, 576, 25, coded=(720, 576), sar=Fraction(16, 15)),),
    ),
    "cover.m4a": ("mov", 1, 0, (sound(0, "aac", 44100, 1, "mono"),), ()),
    "live.mkv": (
        *("matroska", None, 0, (sound(0, "flac", 16000, 1, "mono"),)),
        (picture(0, 160, 120, 12.5),),
    ),
    "late.ts": (
        *("mpegts", 2.43, 1.4, (sound(0, "mp2", 32000, 1, "mono"),)),
        (picture(0, 176, 144, 24 / NTSC),),
    ),
    "fast.mkv": ("matroska", 0.3, 0, (), (picture(0, 160, 120, 1000),)),
    "many.mov": ("mov", 1, 0, (sound(0, "pcm_s16le", 48000, 11, "11 channels"),), (SMALL,)),
    "two.mov": (
        *("mov", 1, 0, (sound(0, "aac", 48000, 1, "mono"),)),
        (SMALL, picture(1, 320, 180, 30)),
    ),
    "programs.ts": ("mpegts", 1, 1.4, (), (picture(0, 320, 180, 30), picture(1, 160, 120, 25))),
    "spoken.mkv": ("matroska", 1, 0, (sound(0, "flac", 48000, 1, "mono"),), (SMALL,)),
    "bare.h264": ("h264", None, None, (), (SMALL,)),
}


def facts(banner: Banner) -> Facts:
    """What is told without packets: tracks start at zero, and their rates are those stated."""
    return banner.kinds[0], banner.duration, banner.zero, *tracks(banner, Packets([]), 0.0)


@pytest.mark.parametrize(("version", "name"), GOLDEN)
def test_all_versions_tell_the_same(version: str, name: str) -> None:
    assert facts(read_banner(GOLDEN[version, name])) == FACTS[name]


def test_golden_banners_are_of_many_versions() -> None:
    assert FACTS.keys() == banners.MEDIA.keys()
    for name in FACTS:
        told = {tuple(lines) for (_, each), lines in GOLDEN.items() if each == name}
        assert len(told) >= 4, name  # they differ, and yet say the same
    for path in banners.DATA.glob("*.txt"):  # each says whose it is
        assert path.read_text().startswith(f"# {path.stem.replace('-', ' ')}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("banners")
    banners.make(ffmpeg.binary(), made)
    return made


@pytest.mark.parametrize("name", FACTS)
def test_this_machines_ffmpeg_tells_the_same(folder: Path, name: str) -> None:
    """Not only its banner: what is probed, with packets and all."""
    kind, duration, zero, audio, video = FACTS[name]
    info = media.open(folder / name).info
    suffix = name.partition(".")[2]
    assert info.format == (suffix if kind == "mov" else kind)
    assert (info.duration, info.zero) == (duration, zero or 0)
    assert tuple(replace(each, start=0.0) for each in info.audio) == audio
    assert tuple(replace(each, start=0.0) for each in info.video) == video
