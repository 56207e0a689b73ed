"""The sound of a short, ordinary film by ffmpeg's libraries in this process (PyAV's copy).

To start an ffmpeg costs more than to decode a few seconds. Wherever the libraries say a word of
complaint, or the sound is not one run of samples from the film's beginning, nothing is given: the
program is asked then, whose words and counts are those that people see.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avtool.media import ffmpeg
from avtool.media.door import input_options
from avtool.media.packets import Packets
from avtool.media.probe import BOXES, AudioStream, Info, facts, read_banner
from avtool.values import Array

if TYPE_CHECKING:
    from av.audio.stream import AudioStream as AVStream
    from av.container import InputContainer

MATROSKA = b"\x1aE\xdf\xa3"  # what mkv and webm begin with
ORDINARY = {"aac", "ac3", "alac", "eac3", "flac", "mp3", "opus", "vorbis"}  # and pcm
MOST_CHANNELS = 8
# Versions of libavformat: ffmpeg 8.1 counts the time of primed sound in Matroska as no earlier one,
# ffmpeg 9 ends the sound of an mp4 where its index says, in the middle of a frame.
PRIMED_SINCE, CUT_SINCE = (62, 12), (63, 0)
# Ffmpeg's aresample=async=1:first_pts=0 fills or cuts where the first sample is 1 ms off its place,
# a later one 100 ms. Within these it does nothing.
OFF_FIRST, OFF_LATER = 0.0009, 0.05
FULL_SCALE = {"f4": 1.0, "i2": 2.0**-15, "i4": 2.0**-31}  # as swresample does it, to the bit

_one = threading.Lock()  # how much the libraries say is one setting for the process


def sound(
    path: Path, size: int, head: bytes, duration: float | None, most: int
) -> tuple[Info, Array] | None:
    """Facts of a film, and its first sound track from the beginning.

    Args:
        path, size, head: of a file that was let in.
        duration: of the part that is wanted, in seconds.
        most: bytes of samples that may be held.

    Shape:
        float32 [channels, time].
    """
    if head[4:8] not in BOXES and not head.startswith(MATROSKA):
        return None
    try:
        import av
    except ImportError:  # no wheel for this machine
        return None
    if av.library_versions["libavformat"] < PRIMED_SINCE:
        return None
    with _one, _complaints() as said:
        try:
            with av.open(ffmpeg.url(path), container_options=input_options()) as film:
                banner = read_banner(film.dumps_format().splitlines())  # type: ignore[attr-defined,unused-ignore]
                if not banner.kinds or banner.protected or banner.begins_late:
                    return None
                info = facts(path, size, banner, Packets(()))
                samples = _samples(film, info, most)
        except (av.FFmpegError, ValueError):  # ValueError: PyAV's, of what it does not know
            return None
        if samples is None or any(level <= av.logging.WARNING for level, _, _ in said):
            return None
    if duration is not None:  # as ffmpeg's -t: whole microseconds, the nearest sample
        wanted = int(Decimal(str(duration)) * 10**6) * info.audio[0].rate
        samples = samples[:, : (wanted + 500_000) // 10**6]
    return info, samples


@contextmanager
def _complaints() -> Iterator[list[tuple[int, str, str]]]:
    """What the libraries say in the meantime: level, by whom, words. Nothing gets to stderr."""
    from av import logging

    level, skip = logging.get_level(), logging.get_skip_repeated()
    logging.set_level(logging.INFO)  # the banner's level
    logging.set_skip_repeated(False)
    try:
        with logging.Capture() as said:
            yield said
    finally:
        logging.set_level(level)
        logging.set_skip_repeated(skip)


def _samples(film: InputContainer, info: Info, most: int) -> Array | None:
    """All samples of the first sound track, where they are one run from the beginning."""
    import av
    from av.audio.frame import format_dtypes

    if not info.audio or info.audio[0].index:
        return None
    told = info.audio[0]
    ordinary = told.codec in ORDINARY or told.codec.startswith("pcm_")
    # Channels in an order of their own, which PyAV frees twice, have no name but a number.
    named = 0 < told.channels <= MOST_CHANNELS and "channels" not in told.layout
    if not (ordinary and named and told.rate):
        return None
    room = most // (4 * told.channels)
    if info.duration is None or info.duration * told.rate > room:
        return None
    stream = film.streams.audio[0]
    if stream.codec_context is None:  # this copy of the libraries has no such decoder
        return None
    stream.codec_context.thread_count = 1  # another thread's complaints are not heard
    zero = (film.start_time or 0) / av.time_base
    queue, packets, last = av.AudioFifo(), [], 0
    for packet in film.demux(stream):
        if packet.pts is not None:
            packets.append((packet.pts, packet.pts + (packet.duration or 0)))
        for frame in packet.decode():
            if (
                frame.time is None
                or frame.is_corrupt
                or (frame.sample_rate, frame.layout.nb_channels) != (told.rate, told.channels)
                or abs(frame.time - zero - queue.samples / told.rate)
                > (OFF_LATER if queue.samples else OFF_FIRST)
                or queue.samples + frame.samples > room
            ):
                return None
            last = frame.samples
            frame.pts = None  # or the queue asks for the very tick
            queue.write(frame)
    whole = queue.read()
    if whole is None or not packets or format_dtypes.get(whole.format.name) not in FULL_SCALE:
        return None
    samples = whole.to_ndarray()
    if not whole.format.is_planar:
        samples = samples.reshape(-1, told.channels).T
    scale = FULL_SCALE[format_dtypes[whole.format.name]]
    if scale != 1:
        samples = np.multiply(samples, scale, dtype=np.float32)
    return _as_the_program(samples, stream, told, packets, last)


def _as_the_program(
    samples: Array,
    stream: AVStream,
    told: AudioStream,
    packets: list[tuple[int, int]],
    last: int,
) -> Array | None:
    """The samples as the ffmpeg gives them that would be asked, whose version may be another.

    Args:
        packets: when each begins and ends.
        last: samples of the last frame.
    """
    import av

    start = stream.start_time or 0
    if "matroska" in stream.container.format.name:
        same = packets[0][0] >= start or ffmpeg.libavformat() >= PRIMED_SINCE
        return samples if same else None
    if stream.duration is None or round(1 / float(stream.time_base or 1)) != told.rate:
        return None
    if av.library_versions["libavformat"] >= CUT_SINCE:
        return samples if ffmpeg.libavformat() >= CUT_SINCE else None
    total, end, duration = samples.shape[1], packets[-1][1] - start, stream.duration
    agreed = total == end == duration or (told.codec == "opus" and end <= duration)
    if agreed or ffmpeg.libavformat() < CUT_SINCE:
        return samples
    stop = min(end, duration)
    whole = told.codec == "aac" and stream.frames == len(packets)  # of fragments, none is counted
    return samples[:, :stop] if whole and 0 <= total - stop < last else None
