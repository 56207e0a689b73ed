"""Short films decoded in this process, against the ffmpeg program that is asked otherwise."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from typing import Any

import av
import av.logging
import numpy as np
import pytest
from conftest import X264, lavfi, naive, program, pyav_sound

from avtool import media
from avtool.errors import AvtoolError
from avtool.media import ffmpeg, inprocess, read
from avtool.media.door import let_in

PICTURES = lavfi("testsrc2=s=64x48:r=25:d=0.9")
HZ = {"opus": 48_000, "ac3": 48_000, "eac3": 48_000}
# Name of a file, and its encoders; those that all versions of ffmpeg read alike, and those not.
SAME = {
    "opus.mp4": "-c:a libopus",
    "opus6.mp4": "-c:a libopus -ac 6",
    "alac.m4a": "-c:a alac",
    "ac3.mp4": "-c:a ac3",
    "six.mp4": "-c:a ac3 -ac 6",
    "mono.mov": "-c:a pcm_s16le -ac 1",
    "s24.mov": "-c:a pcm_s24le",
    "f32.mov": "-c:a pcm_f32le",
    "flac.mkv": "-c:a flac",
}
PRIMED = {
    "opus.webm": "-c:a libopus -vn",
    "vorbis.mkv": "-c:a libvorbis",
    "aac.mkv": "-c:a aac",
    "eac3.mkv": "-c:a eac3",
    "mp3.mkv": "-c:a libmp3lame",
}
CUT = {
    "aac.m4a": "-c:a aac",
    "aac.mov": "-c:a aac",
    "aac.mp4": "-c:a aac -ac 1",
    "six.m4a": "-c:a aac -ac 6",
    "mp3.mp4": "-c:a libmp3lame",
    "fragments.mp4": "-c:a aac -movflags frag_keyframe+empty_moov",
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("films")
    for name, words in {**SAME, **PRIMED, **CUT}.items():
        rate = HZ.get(words.split()[1].removeprefix("lib"), 44_100)
        tones = lavfi(f"aevalsrc=0.3*sin(2*PI*440*t*t)|0.2*sin(2*PI*660*t):s={rate}:d=0.83")
        picture = [] if name.endswith((".m4a", ".webm")) else [*PICTURES, *X264]
        naive(*picture[:4], *tones, *picture[4:], *words.split(), folder / name)
    return {path.name: path for path in folder.iterdir()}


def by_libraries(path: Path, duration: float | None = None) -> tuple[media.Info, np.ndarray] | None:
    return inprocess.sound(path, *let_in(path, str(path)), duration, read.HELD_BYTES)


def by_program(path: Path, duration: float | None = None) -> read.Held | None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inprocess, "sound", lambda *given: None)
        return read.at_once(path, str(path), 0.0, duration)


@pytest.mark.parametrize("name", [*SAME, *PRIMED, *CUT])
def test_samples_and_facts_are_the_programs(films: dict[str, Path], name: str) -> None:
    found, truth = by_libraries(films[name]), by_program(films[name])
    assert truth is not None and truth.run is not None
    assert found or name not in SAME
    if found:
        info, samples = found
        assert info == truth.info and samples.dtype == np.float32
        assert samples.shape == truth.samples.shape and samples.std() > 0.05
        assert np.abs(samples - truth.samples).max() < 1e-6


@pytest.mark.parametrize("name", SAME)
def test_no_process_is_started(
    films: dict[str, Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[list[str]] = []
    monkeypatch.setattr(ffmpeg, "on_start", runs.append)
    clip = media.open(films[name], later=True).clip(media.Spec(audio=True, channel=0))
    samples = clip.sound().samples
    assert not runs and not clip.warnings
    assert np.array_equal(samples, clip.sound().samples)
    held = by_program(films[name])
    assert held and samples.shape == held.samples.shape


@pytest.mark.parametrize("duration", [0.1, 0.123456789, 100.5 / 44_100, 0.7777777, 9.0])
def test_a_part_ends_at_the_same_sample(films: dict[str, Path], duration: float) -> None:
    for name in ("opus.mp4", "alac.m4a"):
        found, truth = by_libraries(films[name], duration), by_program(films[name], duration)
        assert found and truth and found[1].shape == truth.samples.shape


def test_versions_that_differ(films: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """What an older ffmpeg would read otherwise is left to it, or read as it does."""
    new = av.library_versions["libavformat"] >= (63,)
    monkeypatch.setattr(ffmpeg, "libavformat", lambda: (61, 7))
    assert by_libraries(films["opus.webm"]) is None
    uncut = by_libraries(films["aac.m4a"])
    assert bool(uncut) is not new
    monkeypatch.setattr(ffmpeg, "libavformat", lambda: (63, 1))
    assert by_libraries(films["opus.webm"])
    cut = by_libraries(films["aac.m4a"])
    assert cut and cut[1].shape[1] == round(0.83 * 44_100)
    if uncut:
        assert np.array_equal(uncut[1], pyav_sound(films["aac.m4a"]))
        assert uncut[1].shape[1] > cut[1].shape[1]
        assert not by_libraries(films["mp3.mp4"])
    monkeypatch.setitem(av.library_versions, "libavformat", (62, 3, 100))
    assert by_libraries(films["opus.mp4"]) is None


def test_what_is_not_one_run_from_the_beginning(films: dict[str, Path], tmp_path: Path) -> None:
    opus = ["-i", films["opus.mp4"]]
    late, hole, bare = (tmp_path / name for name in ("late.mp4", "hole.mp4", "bare.mkv"))
    maps = ["-map", "0:v", "-map", "1:a"]
    naive(*PICTURES, "-itsoffset", "0.3", *opus, *maps, *X264, "-c:a", "copy", late)
    gap = ["-bsf:a", "setts=pts=PTS+gt(N\\,20)*24000:dts=DTS+gt(N\\,20)*24000"]
    naive(*opus, "-vn", "-c", "copy", *gap, hole)
    naive("-i", films["mono.mov"], "-map", "0:a", "-c", "copy", bare)  # its channels have no names
    for path, least in ((late, 0.3 + 0.8), (hole, 0.5 + 0.8), (bare, 0.8)):
        assert by_libraries(path) is None
        held = by_program(path)
        assert held and held.samples.shape[1] > least * held.info.audio[0].rate
    silent = tmp_path / "silent.mp4"
    naive(*PICTURES, *X264, silent)
    assert by_libraries(silent) is None
    assert by_libraries(Path(__file__)) is None


def test_long_sound_is_the_programs(films: dict[str, Path]) -> None:
    path = films["alac.m4a"]
    for most, held in ((2 * 4 * 40_000, True), (2 * 4 * 30_000, False)):
        assert bool(inprocess.sound(path, *let_in(path, ""), None, most)) == held


def outcome(path: Path) -> tuple[Any, ...]:
    """All that a user gets of a file's sound."""
    try:
        clip = media.open(path, later=True).clip(media.Spec(audio=True, channel=0))
        samples = clip.sound().samples
    except AvtoolError as error:
        return (str(error),)
    return samples, clip.warnings, clip.duration, clip.channels


def test_what_the_program_complains_of_is_left_to_it(
    films: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty damaged files: what is decoded here the program gives too, and has no word to say."""
    used, told = 0, 0
    names = ["opus.mp4", "ac3.mp4", "flac.mkv", "aac.m4a", "opus.webm", "alac.m4a"]
    for seed in range(60):
        rng, source = random.Random(seed), films[names[seed % len(names)]]
        data = bytearray(source.read_bytes())
        for _ in range(rng.choice((1, 3))):
            data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
        path = tmp_path / source.name
        path.write_bytes(data[: rng.randrange(len(data) // 2, len(data))] if not seed % 8 else data)
        found = by_libraries(path)
        with monkeypatch.context() as patch:
            patch.setattr(inprocess, "sound", lambda *given: None)
            samples, *rest = outcome(path)
        told += not rest or bool(rest[0])
        if found:
            used += 1
            assert rest == [[], found[0].duration, len(found[1])], seed
            assert samples.shape == found[1].shape and np.abs(samples - found[1]).max() < 1e-6, seed
    assert used > 10 and told > 10


def test_complaints_are_heard_and_not_printed(films: dict[str, Path], tmp_path: Path) -> None:
    """A decoder's words keep the sound out; stderr and PyAV's own settings stay as they were."""
    path = tmp_path / "hurt.mp4"
    data = bytearray(films["ac3.mp4"].read_bytes())
    for place in range(len(data) // 2, len(data) // 2 + 4000, 40):
        data[place] ^= 0x55
    path.write_bytes(data)
    av.logging.set_level(av.logging.ERROR)
    assert by_libraries(films["ac3.mp4"]) and not by_libraries(path)
    assert av.logging.get_level() == av.logging.ERROR and av.logging.get_skip_repeated()
    av.logging.set_level(None)
    ran = program("waveform", path, "-f", "npy", cwd=tmp_path)
    lines = ran.stderr.splitlines()
    assert ran.returncode == 0 and lines and all(x.startswith("avtool: ") for x in lines), lines


def test_without_pyav_the_program_is_asked(
    films: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    runs: list[list[str]] = []
    monkeypatch.setattr(ffmpeg, "on_start", runs.append)
    samples, warnings, *_ = outcome(films["opus.mp4"])
    assert len(runs) == 1 and samples.size and not warnings


def test_only_what_was_let_in_is_opened(
    films: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is no text, or looks like an address, is a name; no other container is tried."""
    for name in (b"\xff.mp4", b"-x:y%d.mp4"):
        path = tmp_path / os.fsdecode(name)
        path.write_bytes(films["opus.mp4"].read_bytes())
        assert by_libraries(path)
    given: list[dict[str, Any]] = []
    real = av.open

    def noted(*names: Any, **options: Any) -> Any:
        given.append(options)
        return real(*names, **options)

    monkeypatch.setattr(av, "open", noted)
    playlist = tmp_path / "list.mp4"
    playlist.write_text("ffconcat version 1.0\nfile opus.mp4\n")
    size = playlist.stat().st_size
    assert inprocess.sound(playlist, size, playlist.read_bytes(), None, 1 << 20) is None
    assert not given  # its first bytes are no film's
    mask = b"\0\0\0\x08free" + playlist.read_bytes()
    playlist.write_bytes(mask)
    assert inprocess.sound(playlist, len(mask), mask, None, 1 << 20) is None
    options = given[0]["container_options"]
    assert options["protocol_whitelist"] == "file,pipe"
    assert "concat" not in options["format_whitelist"] and "mov" in options["format_whitelist"]
