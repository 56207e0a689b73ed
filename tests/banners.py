"""What several versions of ffmpeg say of the same files: the golden banners of tests/data/banners.

python tests/banners.py FFMPEG           prints what a program says of them
python tests/banners.py FOLDER           what the libav libraries of a folder say (a wheel's *.libs)

A library prints the input's part by its own ``av_dump_format``, as its program would; the rest, of
outputs and progress, only a program has. The first line of a file says which of both made it. A
program that crashes on a file has no banner of it (old static ones do, where a .ts names services).
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

DATA = Path(__file__).parent / "data" / "banners"
X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]


def lavfi(*graphs: str) -> list[str]:
    return [word for graph in graphs for word in ("-f", "lavfi", "-i", graph)]


def silence(channels: int, layout: str = "") -> str:
    return f"aevalsrc={'|'.join('0' * channels)}:s=48000:d=1" + (layout and f":c={layout}")


def picture(size: str, rate: str, seconds: float = 1) -> str:
    return f"testsrc2=s={size}:r={rate}:d={seconds}"


MEDIA: dict[str, list[str]] = {
    "plain.mp4": [
        *lavfi(picture("640x360", "25", 2), "sine=440:r=44100:d=2"),
        *(*X264, "-c:a", "aac", "-ac", "2", "-metadata:s:a", "language=eng"),
    ],
    "turned.mov": ["-display_rotation", "90", "-i", "unturned.mov", "-c", "copy"],
    "wide.mkv": [  # its pixels are no squares
        *lavfi(picture("720x576", "25") + ",setsar=16/15", silence(6, "5.1"), silence(8, "7.1")),
        *("-map", "0", "-map", "1", "-map", "2", *X264, "-c:a", "flac"),
        *("-metadata:s:a:0", "language=ger", "-metadata:s:a:1", "language=fre"),
    ],
    "cover.m4a": [
        *(*lavfi("sine=440:r=44100:d=1"), "-i", "cover.png", "-map", "0", "-map", "1"),
        *("-c:a", "aac", "-c:v", "copy", "-disposition:v", "attached_pic"),
    ],
    "live.mkv": [  # as from a recorder that cannot go back to write how long it was
        *lavfi(picture("160x120", "12.5", 2), "sine=440:r=16000:d=2"),
        *(*X264, "-c:a", "flac", "-live", "1"),
    ],
    "late.ts": [
        *("-itsoffset", "0.4", *lavfi(picture("176x144", "24000/1001", 2))),
        *(*lavfi("sine=440:r=32000:d=2"), *X264, "-c:a", "mp2"),
    ],
    "fast.mkv": [*lavfi(picture("160x120", "1000", 0.3)), *X264],
    "many.mov": [  # more channels than have a name, and a track of time codes
        *lavfi(picture("160x120", "25"), silence(11)),
        *(*X264, "-c:a", "pcm_s16le", "-timecode", "01:00:00:00"),
    ],
    "two.mov": [  # ffmpeg 9 tells of the second track first, as it has time codes
        *lavfi(picture("160x120", "25"), picture("320x180", "30"), "sine=440:r=48000:d=1"),
        *("-map", "0", "-map", "1", "-map", "2", *X264, "-c:a", "aac"),
        *("-metadata:s:v:1", "timecode=01:00:00:00"),
    ],
    "programs.ts": [  # of two programs; the second has both tracks, the first one of them
        *lavfi(picture("160x120", "25"), picture("320x180", "30")),
        *("-map", "0", "-map", "1", *X264),
        *("-program", "title=A:st=1", "-program", "title=B:st=0:st=1"),
    ],
    "spoken.mkv": [  # languages of more than letters
        *(*lavfi(picture("160x120", "25"), "sine=440:r=48000:d=1"), *X264, "-c:a", "flac"),
        *("-metadata:s:v", "language=en-US", "-metadata:s:a", "language=zh-Hans"),
    ],
    "bare.h264": [*lavfi(picture("160x120", "25")), *X264],
}
PARTS: dict[str, list[str]] = {  # what the files are made from
    "unturned.mov": [
        *lavfi(picture("320x180", "30000/1001", 2), "sine=440:r=48000:d=2"),
        *(*X264, "-c:a", "aac"),
    ],
    "cover.png": [*lavfi(picture("320x320", "1")), "-frames:v", "1"],
}


def make(binary: str, folder: Path) -> None:
    """Make the files with an ffmpeg of these days."""
    for name, arguments in (PARTS | MEDIA).items():
        command = [binary, "-nostdin", "-loglevel", "error", *arguments, name]
        subprocess.run(command, cwd=folder, check=True)


def of_program(binary: str, folder: Path, name: str) -> str:
    """All that a program says while avtool asks it; nothing where it crashes."""
    command = [binary, "-nostdin", "-hide_banner", "-i", f"file:{name}", "-map", "0:v?"]
    command += ["-map", "0:a?", "-c", "copy", "-copyinkf", "-copyts", "-f", "framecrc", "-"]
    run = subprocess.run(command, cwd=folder, capture_output=True)
    return run.stderr.decode("utf-8", "replace") if run.returncode >= 0 else ""


def of_library(libraries: str, folder: Path, name: str) -> str:
    """What a library prints of a file; in a process of its own, which prints it."""
    command = [sys.executable, __file__, libraries, name]
    env = os.environ | {"LD_LIBRARY_PATH": libraries}
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=True
    ).stderr


def library(folder: Path, name: str) -> ctypes.CDLL:
    (path,) = folder.glob(f"lib{name}[-.]*so*")
    return ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


def dump(folder: Path, name: str) -> None:
    _, _, _, form = (
        library(folder, each) for each in ("avutil", "swresample", "avcodec", "avformat")
    )
    context, url = ctypes.c_void_p(), f"file:{name}".encode()
    form.avformat_find_stream_info.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    form.av_dump_format.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
    assert form.avformat_open_input(ctypes.byref(context), url, None, None) == 0
    assert form.avformat_find_stream_info(context, None) >= 0
    form.av_dump_format(context, 0, url, 0)


def saved(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The files' names in a golden file, and their banners."""
    for part in re.split(r"^== ", path.read_text(), flags=re.M)[1:]:
        name, *lines = part.splitlines()
        yield name, lines


def main() -> None:
    made_by, *rest = sys.argv[1:]
    if rest:
        dump(Path(made_by), rest[0])
        return
    import imageio_ffmpeg

    tell = of_library if Path(made_by).is_dir() else of_program
    with tempfile.TemporaryDirectory() as folder:
        make(imageio_ffmpeg.get_ffmpeg_exe(), Path(folder))
        for name in MEDIA:
            if said := tell(made_by, Path(folder), name):
                print(f"== {name}\n{said}", end="")


if __name__ == "__main__":
    main()
