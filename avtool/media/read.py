"""Sound and pictures of a file on one clock: sample n at n/rate, frame k at k/fps.

Both count from the container's zero. A track that starts late is filled (silence, its first
picture), one that has holes is filled where they are, so sound and pictures never drift.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from avtool import stderr
from avtool.errors import InputError, MediaError
from avtool.media import ffmpeg, inprocess
from avtool.media.door import input_options, let_in, picture_format
from avtool.media.packets import Packets
from avtool.media.probe import Info, facts, is_encrypted, read_banner
from avtool.prefetch import Prefetch
from avtool.signal.resample import resampled
from avtool.values import Array

if TYPE_CHECKING:
    import soundfile

MPEG = ("mpegts", "mpeg")  # whose times begin anywhere: see ``_seek``
SHORT_BYTES = 4 << 20  # of a file whose sound is held whole where it has no more than
HELD_BYTES = 32 << 20  # of samples, 3 minutes at 48 kHz
BLOCK_SAMPLES = 1 << 16  # 4 s at 16 kHz: small in memory, long enough to cost nothing per block
LOUDEST = 2.0**24  # full scale is 1: beyond is no sound, powers overflow and the AAC encoder hangs


@dataclass
class Reading:
    """One reading of one file: what to say of it, where it stands, whether to go on.

    Args:
        name: the file in messages.
        tick: called with the seconds read so far; it may raise to stop the reading.
        strict: a decode error is an error, not a warning.
    """

    name: str
    tick: Callable[[float], None] = lambda seconds: None
    strict: bool = False
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        if self.strict:
            raise MediaError(f"{self.name}: {text}")
        if text not in self.warnings:
            self.warnings.append(text)


def audio_blocks(
    info: Info,
    reading: Reading,
    *,
    track: int = 0,
    rate: int | None = None,
    channel: int | None = None,
    mono: bool = False,
    start: float = 0.0,
    duration: float | None = None,
    held: Held | None = None,
) -> Iterator[Array]:
    """Sound in blocks.

    Args:
        held: the sound, where it has been read.
        rate: in Hz; None keeps the file's. Resampled by soxr HQ (aliases under -100 dB).
        channel: only this one, counted from 1.
        mono: the true mean of all channels.

    Shape:
        float32 [channels, time].

    Raises:
        InputError: no such channel. MediaError: the sound cannot be decoded.
    """
    stream = info.audio[track]
    if channel is not None and not 1 <= channel <= stream.channels:
        have = "1" if stream.channels == 1 else f"1 to {stream.channels}"
        raise InputError(f"{reading.name}: has no channel {channel}; its channels are {have}")
    if held is not None:
        blocks = _held_blocks(held, reading)
    elif info.sound_file:
        blocks = _sound_blocks(info, reading, start, duration)
    else:
        blocks = _ffmpeg_blocks(info, reading, track, start, duration)
    if not info.sound_file or stream.codec in ("float", "double"):
        blocks = _finite(blocks, reading)
    if channel is not None:
        blocks = (block[channel - 1 : channel] for block in blocks)
    elif mono and stream.channels > 1:
        blocks = (block.mean(0, keepdims=True) for block in blocks)
    blocks = _told(blocks, reading, start, stream.rate)
    if rate is not None and rate != stream.rate:
        kept = 1 if mono or channel is not None else stream.channels
        blocks = resampled(blocks, stream.rate, rate, kept)
    return blocks


def _finite(blocks: Iterator[Array], reading: Reading) -> Iterator[Array]:
    """The same with silence for NaN, infinity and what is louder than ``LOUDEST``."""
    count = 0
    for block in blocks:
        low, high = (block.min(), block.max()) if block.size else (0, 0)
        if not (low >= -LOUDEST and high <= LOUDEST):  # NaN is neither
            wrong = ~(np.abs(block) <= LOUDEST)
            count += int(np.count_nonzero(wrong))
            block = np.where(wrong, np.float32(0), block)
        yield block
    if count:
        plural = "" if count == 1 else "s"
        reading.warn(f"damaged: {count} sample{plural} NaN, infinite or absurdly loud, made silent")


def _told(blocks: Iterator[Array], reading: Reading, start: float, rate: int) -> Iterator[Array]:
    samples = 0
    for block in blocks:
        samples += block.shape[1]
        reading.tick(start + samples / rate)
        yield block


def _sound_blocks(
    info: Info, reading: Reading, start: float, duration: float | None
) -> Iterator[Array]:
    import soundfile

    first = done = 0
    try:
        with soundfile.SoundFile(os.fsencode(info.path)) as file:
            first = min(round(start * file.samplerate), file.frames)
            if first:
                file.seek(first)
            left = file.frames - first
            if duration is not None:
                left = min(left, round(duration * file.samplerate))
            for warning in info.warnings:
                reading.warn(warning)
            said = stderr.size()
            for block in _read_file(file, left, reading):
                done += block.shape[1]
                yield block
            # Other errors of mpg123 are none: it also complains of files as LAME writes them.
            words = [line for line in stderr.since(said) if "dequantization failed" in line]
            if words and not first:  # a decoder that begins in the middle misses what came before
                _damaged(reading, len(words), words[-1].rpartition("error: ")[2])
    except soundfile.LibsndfileError as error:
        # libsndfile stops at damage; ffmpeg gives what is there.
        reading.warn(f"damaged: {error.error_string}")
        begin = (first + done) / info.audio[0].rate
        rest = None if duration is None else duration - done / info.audio[0].rate
        yield from _ffmpeg_blocks(info, reading, 0, begin, rest)


def _read_file(file: soundfile.SoundFile, left: int, reading: Reading) -> Iterator[Array]:
    # 16-bit samples are read as they are: libsndfile's own conversion costs four times ours,
    # and gives the same bits.
    whole = file.subtype == "PCM_16"
    kind = np.int16 if whole else np.float32
    buffer = np.empty((BLOCK_SAMPLES, file.channels), kind)
    while left:
        got = file.read(min(left, BLOCK_SAMPLES), always_2d=True, out=buffer[:left])
        if not len(got):
            reading.warn(f"truncated: {left} samples are missing at its end")
            return
        left -= len(got)
        samples = got.T
        yield np.multiply(samples, 2.0**-15, dtype=np.float32) if whole else samples.copy()


def _ffmpeg_blocks(
    info: Info, reading: Reading, track: int, start: float, duration: float | None
) -> Iterator[Array]:
    stream = info.audio[track]
    output = _sound(info.format, stream.index, _seek(info, start), duration)
    frame_bytes = 4 * stream.channels
    with ffmpeg.Run(ffmpeg.compiled(output, info.path)) as run:
        while data := run.stdout.read(BLOCK_SAMPLES * frame_bytes):
            data = data[: len(data) - len(data) % frame_bytes]
            yield np.frombuffer(data, np.float32).reshape(-1, stream.channels).T
    _judge(run, reading)


def _sound(
    format: str,
    track: int,
    seek: tuple[dict[str, Any], float],
    duration: float | None,
) -> Any:
    """Ffmpeg's graph from ``SOURCE`` to its samples."""
    import ffmpeg as graph

    options, shift = seek
    sound = graph.input(ffmpeg.SOURCE, **input_options(format), **options)[f"a:{track}"]
    if shift:
        sound = sound.filter("asetpts", f"PTS-{shift}/TB").filter("atrim", start=0)
    # One clock: silence before the first sample and in holes, never a shift.
    sound = sound.filter("aresample", first_pts=0, **{"async": 1})
    limit = {} if duration is None else {"t": duration}
    # All channels as they are: ffmpeg's own downmix to float is 3 dB too loud.
    return sound.output("pipe:", format="f32le", **limit)


class Held(NamedTuple):
    """A short file's sound, float32 [channels, time], and the facts that came with it."""

    info: Info
    samples: Array
    run: ffmpeg.Run | None = None


def at_once(path: Path, name: str, start: float, duration: float | None) -> Held | None:
    """A short file's sound: in this process, or by one ffmpeg that tells meanwhile what it is.

    To start one costs more than all that is done with the sound of a short file. None where the
    file is long, or where one has to look at it first; nothing is said then.
    """
    size, head = let_in(path, name)
    if size > SHORT_BYTES or is_encrypted(path, name, size, head):
        return None
    # To begin in the middle is the program's, which knows where its seeking lands; and the longer
    # the sound, the less its start costs. PyAV needs the memory several times.
    if not start and (found := inprocess.sound(path, size, head, duration, HELD_BYTES // 4)):
        return Held(*found)
    seek = {"ss": start} if start else {}
    output = _sound(picture_format(path, head), 0, (seek, 0.0), duration)
    with ffmpeg.Run(ffmpeg.compiled(output, path, ffmpeg.TELLING)) as run:
        data = run.stdout.read(HELD_BYTES)
    banner = read_banner(run.banner)
    if run.returncode or len(data) == HELD_BYTES or not banner.kinds or banner.protected:
        return None
    if banner.kinds[0] in MPEG or banner.begins_late:
        return None
    info = facts(path, size, banner, Packets(()))
    channels = info.audio[0].channels if info.audio else 0
    if not channels or len(data) % (4 * channels):
        return None
    return Held(info, np.frombuffer(data, np.float32).reshape(-1, channels).T, run)


def _held_blocks(held: Held, reading: Reading) -> Iterator[Array]:
    for first in range(0, held.samples.shape[1], BLOCK_SAMPLES):
        yield held.samples[:, first : first + BLOCK_SAMPLES]
    if held.run is not None:
        _judge(held.run, reading)


def _seek(info: Info, start: float) -> tuple[dict[str, Any], float]:
    """Input options to begin at ``start``, and how far time stamps are to be moved besides.

    In MPEG streams ffmpeg cannot seek to a picture that stands alone, and makes the first
    packet of the tracks that it reads its zero: they are read from their beginning.
    """
    if info.format in MPEG:
        return {"copyts": None}, info.zero + start
    return ({"ss": start} if start else {}), 0.0


def _judge(run: ffmpeg.Run, reading: Reading) -> None:
    """Ffmpeg decodes past damage and exits 0: what it complained of becomes a warning."""
    if run.returncode:
        raise MediaError(f"{reading.name}: cannot be decoded ({run.last_words})")
    if run.complaint_count:
        _damaged(reading, run.complaint_count, run.last_words)


def _damaged(reading: Reading, count: int, words: str) -> None:
    plural = "" if count == 1 else "s"
    reading.warn(f"damaged: {count} decode error{plural} ({words})")


def frame_images(
    info: Info,
    reading: Reading,
    *,
    track: int = 0,
    fps: Fraction,
    width: int,
    height: int,
    start: float = 0.0,
    duration: float | None = None,
) -> Iterator[Array]:
    """Pictures, upright and with square pixels, frame k at ``start + k / fps``.

    Shape:
        each uint8 [height, width, 3].

    Raises:
        MediaError: the pictures cannot be decoded.
    """
    import ffmpeg as graph

    stream = info.video[track]
    seek, shift = _seek(info, start)
    if "ss" in seek:
        seek["noaccurate_seek"] = None  # the picture that is on screen at start began before it
    picture = graph.input(ffmpeg.SOURCE, **input_options(info.format), **seek)[f"v:{stream.index}"]
    if shift:
        picture = picture.filter("setpts", f"PTS-{shift}/TB")
    # The rate is made by time stamps, never by counting: a variable rate would drift.
    picture = picture.filter("fps", fps=f"{fps.numerator}/{fps.denominator}", start_time=0)
    if (width, height) != (stream.width, stream.height) or stream.sample_aspect != 1:
        picture = picture.filter("scale", width, height, flags="area")
    limit = {} if duration is None else {"t": duration}
    output = picture.output("pipe:", format="rawvideo", pix_fmt="rgb24", **limit)
    size = width * height * 3
    for warning in info.warnings:
        reading.warn(warning)
    with (
        ffmpeg.Run(ffmpeg.compiled(output, info.path)) as run,
        Prefetch(iter(lambda: run.stdout.read(size), b"")) as pictures,
    ):
        for count, data in enumerate(pictures, 1):
            if len(data) < size:
                break
            reading.tick(start + float(count / fps))
            yield np.frombuffer(data, np.uint8).reshape(height, width, 3)
    _judge(run, reading)
