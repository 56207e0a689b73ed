"""Pictures and sound to a video that plays anywhere; a new sound under untouched pictures.

Both write to the very path they are given; ``place.replacing`` makes that atomic.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from avtool.errors import OutputError
from avtool.media import ffmpeg
from avtool.media.door import input_arguments
from avtool.prefetch import Prefetch
from avtool.save.place import Place
from avtool.save.sound import SoundFile
from avtool.scratch import temporary_folder
from avtool.values import Array, Audio, Dubbed, Frames, Video

# What a browser plays, by container: sound codec, container's name, flags.
_SOUND_CODECS = {".mp4": "aac", ".m4v": "aac", ".mov": "aac", ".webm": "libopus", ".mkv": "aac"}
_MUXERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".webm": "webm", ".mkv": "matroska"}


def write_video(
    path: Path,
    frames: Frames,
    audio: Audio | None = None,
    *,
    suffix: str = "",
    crf: int = 18,
    note: str = "",
) -> None:
    """Encode pictures (H.264, 4:2:0) and sound (AAC) at their own rates.

    An odd width or height gains one line of its neighbour: 4:2:0 has no odd sizes.

    Args:
        suffix: the container, where ``path`` is a part file with another suffix.
        crf: x264's quality, 0 to 51, lower is better; note: what made it, where no sound says so.

    Raises:
        OutputError: the container cannot hold it, or the disk is full.
    """
    muxer = _muxer(suffix or path.suffix)
    right, bottom = frames.width % 2, frames.height % 2
    even = f"pad=iw+{right}:ih+{bottom},fillborders=right={right}:bottom={bottom}:mode=smear,"
    with _wav(audio) as sound:
        # Ffmpeg makes 4:2:0 of BGR in a third of the time that it takes for RGB.
        arguments = [*ffmpeg.QUIET, "-f", "rawvideo", "-pix_fmt", "bgr24"]
        arguments += ["-s", f"{frames.width}x{frames.height}", "-r", _ratio(frames.fps)]
        arguments += ["-i", "pipe:0"]
        if sound:
            arguments += ["-i", ffmpeg.url(sound), "-c:a", "aac", "-b:a", "192k"]
        # Say which matrix the colours were made with: players guess wrong for small pictures.
        colours = "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"
        arguments += ["-vf", (even if right or bottom else "") + colours]
        arguments += ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
        # Superfast that looks ahead: veryfast's quality in 60 % of its time, a fifth more bytes.
        arguments += ["-c:v", "libx264", "-crf", str(crf), "-preset", "superfast"]
        arguments += ["-mbtree", "1", "-rc-lookahead", "10"]
        note = (audio.note if audio else "") or note
        arguments += ["-metadata", f"comment={note}"] if note else []
        arguments += ["-movflags", "+faststart", "-f", muxer, "-y", ffmpeg.url(path)]
        run = ffmpeg.Run(arguments, feed=True)
        try:
            with run, Prefetch(frames.images()) as images:
                for image in images:
                    image = np.ascontiguousarray(image, np.uint8)
                    run.stdin.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR).data)
        except BrokenPipeError:
            pass  # ffmpeg has ended; its words say why, below
        _judge(run, path)


def replace_sound(source: Path, path: Path, audio: Audio, *, suffix: str = "") -> None:
    """Put ``audio`` under the pictures of ``source``, which are copied bit for bit.

    The sound counts from the container's zero, as everything that ``media`` reads does.

    Raises:
        OutputError: the container cannot hold it, or the disk is full.
    """
    with _wav(audio) as sound:
        copy_pictures(source, Path(str(sound)), path, audio.note, suffix=suffix)


def copy_pictures(source: Path, sound: Path, path: Path, note: str, *, suffix: str = "") -> None:
    """The same of a sound file, with a note about it.

    Raises:
        OutputError: the container cannot hold it, or the disk is full.
    """
    suffix = suffix or path.suffix
    arguments = [*ffmpeg.QUIET, *input_arguments(source), "-i", ffmpeg.url(str(sound))]
    arguments += ["-map", "0:V", "-map", "1:a", "-c:v", "copy"]
    arguments += ["-c:a", _SOUND_CODECS.get(suffix, "aac"), "-b:a", "192k"]
    arguments += ["-metadata", f"comment={note}"] if note else []
    arguments += ["-movflags", "+faststart", "-f", _muxer(suffix), "-y", ffmpeg.url(path)]
    with ffmpeg.Run(arguments) as run:
        run.stdout.read()
    _judge(run, path)


def without_sound(source: Path, path: Path, start: float = 0.0, *, suffix: str = "") -> None:
    """Copy the pictures of a file bit for bit, and nothing else; the first is at 0 then.

    Args:
        start: seconds from the container's zero to the first picture.
        suffix: the container, where ``path`` is a part file with another suffix.

    Raises:
        OutputError: the container cannot hold them, or the disk is full.
    """
    arguments = [*ffmpeg.QUIET, "-itsoffset", f"{-start:.6f}", *input_arguments(source)]
    arguments += ["-map", "0:V:0", "-c:v", "copy", "-movflags", "+faststart"]
    arguments += ["-f", _muxer(suffix or path.suffix), "-y", ffmpeg.url(path)]
    with ffmpeg.Run(arguments) as run:
        run.stdout.read()
    _judge(run, path)


def _muxer(suffix: str) -> str:
    if suffix.lower() not in _MUXERS:
        raise OutputError(f"video cannot be written as '{suffix}'; use {', '.join(_MUXERS)}")
    return _MUXERS[suffix.lower()]


def _ratio(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"


def _judge(run: ffmpeg.Run, path: Path) -> None:
    if run.returncode:
        full = "No space left" in "\n".join(run.complaints)
        why = "the disk is full" if full else run.last_words
        raise OutputError(f"{os.fspath(path)}: cannot be written ({why})")


@contextmanager
def _wav(audio: Audio | None) -> Iterator[str | None]:
    """The sound as a temporary file, which ffmpeg reads beside the pictures on its stdin."""
    if audio is None:
        yield None
        return
    with temporary_folder() as folder:
        path = folder / "sound.wav"
        with ExitStack() as stack:
            sink = SoundFile(audio, Place(path, "sound", "", stack), kind="WAV")
            for block in audio.blocks():
                sink.write(block)
            sink.finish()
        yield str(path)


class DubbedFile:
    """.mp4 and the like: the pictures are copied, the sound waits in a file beside them."""

    def __init__(self, value: Dubbed, place: Place, *, suffix: str) -> None:
        folder = place.closing.enter_context(temporary_folder())
        self._sound = folder / "sound.wav"
        self._value, self._place, self._suffix = value, place, suffix
        self._sink = SoundFile(value.audio, replace(place, path=self._sound), kind="WAV")

    def write(self, block: Array) -> None:
        self._sink.write(block)

    def finish(self) -> None:
        self._sink.finish()
        note = self._value.audio.note
        copy_pictures(self._value.path, self._sound, self._place.path, note, suffix=self._suffix)


def write(value: Video, place: Place, *, suffix: str) -> None:
    """The writer of a ``Video``."""
    write_video(place.path, value.frames, value.audio, suffix=suffix, note=value.note)
