"""What is not let in: playlists under any name, patterns, pipes, boxes without end."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Avtool, lavfi, naive, pictures, program, sound
from PIL import EpsImagePlugin, Image

from avtool import media
from avtool.errors import MediaError
from avtool.media import door, ffmpeg
from avtool.media.image import read_picture

SECRET = "elsewhere/secret.wav"


def hls(target: str) -> str:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n"


def dash(target: str) -> str:
    return (
        '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT2S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
        '<Period><AdaptationSet mimeType="audio/mp4" contentType="audio"><Representation id="0" '
        f'bandwidth="9"><BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>'
    )


def concat(target: str) -> str:
    return f"ffconcat version 1.0\nfile '{target}'\n"


def sdp(target: str) -> str:
    return f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns={target}\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n"


def smooth(target: str) -> str:
    return f"<SmoothStreamingMedia><StreamIndex Url='{target}'/></SmoothStreamingMedia>"


WAYS = ("{0}/" + SECRET, "file://{0}/" + SECRET, "../{1}/" + SECRET, SECRET, "beside.wav")
SUFFIXES = ("mp4", "wav", "mkv", "mp3", "txt", "ts")
LISTS = [
    *((hls, way, end) for way in WAYS for end in (*SUFFIXES, "m3u8", "m3u")),
    *((dash, way, end) for way in WAYS[:4] for end in ("mp4", "wav", "mpd")),
    *((concat, way, end) for way in WAYS for end in (*SUFFIXES, "ffconcat")[:5]),
    *((sdp, "secret", end) for end in ("sdp", "mp4", "wav")),
    *((smooth, WAYS[0], end) for end in ("ism", "mp4", "flac")),
    *((hls, "http://127.0.0.1:{2}/secret.wav", end) for end in ("mp4", "m3u8")),
]


def binaries() -> list[str]:
    """The ffmpegs of this machine: the PATH's and imageio-ffmpeg's are seldom of one version."""
    from imageio_ffmpeg import get_ffmpeg_exe

    return sorted({ffmpeg.binary(), str(get_ffmpeg_exe())})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a listener whom nobody must call."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory, port: int) -> list[Path]:
    """85 playlists, all of which name a sound that can be read."""
    folder = tmp_path_factory.mktemp("lists")
    (folder / "elsewhere").mkdir()
    naive(*lavfi("sine=440:d=2"), folder / SECRET)
    naive(*lavfi("sine=440:d=2"), folder / "beside.wav")
    found = []
    for number, (make, way, end) in enumerate(LISTS):
        path = folder / f"holiday{number}.{end}"
        path.write_text(make(way.format(folder, folder.name, port)))
        found.append(path)
    return found


def test_playlists_are_refused_in_a_line(lists: list[Path], avtool: Avtool) -> None:
    assert len(lists) == 85
    ran = avtool("waveform", *lists, "-f", "wav", "-o", "out/")
    assert ran.code == 1 and ran.out == ""
    refused = [line for line in ran.err.splitlines() if line.startswith("avtool: /")]
    assert refused == [
        f"avtool: {path}: is a playlist; name the files that it lists instead" for path in lists
    ]
    assert "secret" not in ran.err
    assert [path for path in Path("out").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("binary", binaries())
def test_ffmpeg_itself_opens_no_playlist(
    lists: list[Path], binary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What no first bytes betray must be stopped by what ffmpeg is told.
    monkeypatch.setattr(ffmpeg, "binary", lambda: binary)
    monkeypatch.setattr(door, "_PLAYLIST", re.compile(b"never(?!)"))
    for path in lists[:9] + lists[40:50:3] + lists[52:79:6]:
        with pytest.raises(MediaError, match="is not sound or video") as caught:
            sound(path)
        assert "secret" not in str(caught.value)
    beside = next(
        path
        for path, (make, way, _) in zip(lists, LISTS, strict=True)
        if make is concat and way == WAYS[-1]
    )
    given = ffmpeg.Run([*ffmpeg.QUIET, "-i", str(beside), "-f", "f32le", "-"])
    with given:
        assert len(given.stdout.read()) > 100_000  # else the refusals above would prove nothing
    guarded = ffmpeg.Run([*ffmpeg.QUIET, *door.input_arguments(beside), "-f", "f32le", "-"])
    with guarded:
        assert guarded.stdout.read() == b""
    assert guarded.returncode


@pytest.mark.parametrize("binary", binaries())
@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tiff", "webp"])
def test_a_pattern_is_a_name(
    binary: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffmpeg, "binary", lambda: binary)
    folder = tmp_path
    for name, colour in (("img%d", "red"), ("img0", "blue"), ("img1", "blue")):
        Image.new("RGB", (64, 48), colour).save(folder / f"{name}.{suffix}")
    (image,) = pictures(folder / f"img%d.{suffix}")
    assert image[..., 0].min() > 240 and image[..., 2].max() < 15
    (image,) = pictures(folder / f"img0.{suffix}")
    assert image[..., 0].max() < 15


@pytest.mark.parametrize("name", ["f.wav", "f.mp4", "f.png"])
def test_pipes_and_devices_are_no_files(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / f"socket.{name}"))
    (tmp_path / f"device.{name}").symlink_to("/dev/zero")
    read = read_picture if name.endswith("png") else media.open

    def refused() -> None:
        for path, what in ((name, "pipe"), (f"socket.{name}", "socket"), (f"device.{name}", "dev")):
            with pytest.raises(MediaError, match=f"{path}: is a {what}.*, no file; ") as caught:
                read(tmp_path / path)
            answers.append(str(caught.value))

    answers: list[str] = []
    thread = threading.Thread(target=refused, daemon=True)  # it would hang for ever
    thread.start()
    thread.join(10)
    assert len(answers) == 3 and not any("\n" in text for text in answers)


def test_a_pipe_in_a_folder_stops_no_batch(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    os.mkfifo(folder / "b.wav")
    for name in "ac":
        soundfile.write(folder / f"{name}.wav", np.zeros(800), 8000)
    ended = program("mel", "-f", "npy", "-o", "out/", folder, cwd=tmp_path)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.mel.npy", "c.mel.npy"}
    assert ended.stderr.count("is a pipe") <= 1


def test_no_program_is_run_for_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *given, **more: pytest.fail("run"))
    path = tmp_path / "a.png"
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    with Image.open(path) as file:
        assert file.format == "EPS"  # which Ghostscript would draw
    with pytest.raises(MediaError, match="is no readable picture"):
        read_picture(path)


def test_boxes_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "boxes.mp4"
    path.write_bytes(b"\0\0\0\x10ftypisom\0\0\2\0" + b"\0\0\0\x08free" * 20_000)
    monkeypatch.setattr(ffmpeg, "Run", None)  # which would read them all, for minutes
    with pytest.raises(MediaError, match="no index in its first 10,000 boxes"):
        media.open(path)
    path.write_bytes(b"\0\0\0\x01mdat" + b"\xff" * 8 + bytes(100))  # a box of 16 million TB
    monkeypatch.undo()
    with pytest.raises(MediaError, match=r"is not sound|cut off"):
        media.open(path)
