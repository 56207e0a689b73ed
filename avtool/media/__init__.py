"""The media door: ``open`` a file (probe only), take a ``Clip`` of it (decoded as it is read)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, partial
from itertools import islice
from math import ceil
from pathlib import Path

from avtool.errors import InputError, MediaError
from avtool.media import read
from avtool.media.probe import Info, by_libsndfile, probe
from avtool.values import Array, Audio, Frames

HIGHEST_RATE, MOST_CHANNELS = 1_000_000, 1024  # of sound, in Hz; libsndfile writes no more
MOST_PIXELS = 1 << 26  # of a picture, twice of what 8K has
SLOWEST = Fraction(1, 1000)  # pictures a second; what has fewer is damage, and would last for days
HELD_BYTES = 64 << 20  # of pictures that are read forwards to be given backwards

__all__ = ["Clip", "Info", "Media", "Spec", "open", "probe", "still"]


@dataclass(frozen=True)
class Spec:
    """What a pipeline wants of a file. What is not asked for is never decoded.

    Args:
        audio, frames: whether it needs sound, pictures.
        rate: of the sound in Hz, None for the file's own; fps: of the pictures, likewise.
        channel: one channel, counted from 1; None is the mean of all, 0 is all of them.
        size: of the pictures (width, height), None for the file's own.
        start, duration: the part to look at, in seconds.
    """

    audio: bool = False
    frames: bool = False
    rate: int | None = None
    channel: int | None = None
    fps: Fraction | None = None
    size: tuple[int, int] | None = None
    start: float = 0.0
    duration: float | None = None


@dataclass(frozen=True, eq=False)
class Clip:
    """A part of a file on one clock; its sound and pictures are decoded while they are read.

    ``warnings`` fills while they are read.
    """

    name: str
    audio: Audio | None
    frames: Frames | None
    duration: float | None
    channels: int = 0  # of the file's sound
    warnings: list[str] = field(default_factory=list)

    def sound(self) -> Audio:
        """Its sound; raises InputError where the ``Spec`` did not ask for it."""
        if self.audio is None:
            raise InputError(f"{self.name}: its sound was not asked for")
        return self.audio

    def pictures(self) -> Frames:
        """Its pictures, likewise."""
        if self.frames is None:
            raise InputError(f"{self.name}: its pictures were not asked for")
        return self.frames


def still(name: str, picture: Array) -> Clip:
    """A picture, uint8 RGB [height, width, 3], as a clip that lasts no time."""
    height, width, _ = picture.shape
    return Clip(name, None, Frames(lambda: iter([picture]), Fraction(1), width, height), 0.0)


class Media:
    """An open file: its facts, and clips of it.

    >>> media = open("sample_media/speech.wav")
    >>> media.info.audio[0].rate
    16000
    >>> media.clip(Spec(audio=True, rate=8000, duration=1.0)).audio.samples.shape
    (1, 8000)
    """

    def __init__(self, source: Info | Path, name: str) -> None:
        self.name = name
        if isinstance(source, Info):
            self.path, self.info = source.path, source
        else:
            self.path = source

    @cached_property
    def info(self) -> Info:
        """Its facts (see ``probe``); ffmpeg is asked for them when they are first wanted."""
        return probe(self.path, name=self.name)

    def clip(
        self,
        spec: Spec,
        *,
        tick: Callable[[float], None] = lambda seconds: None,
        strict: bool = False,
    ) -> Clip:
        """The part that ``spec`` asks for.

        Args:
            tick: called with the seconds reached as the clip is read; may raise to stop it.
            strict: damaged media is an error instead of a warning.

        Raises:
            MediaError: the file has no such stream. InputError: nothing lies at ``start``.
        """
        reading = read.Reading(self.name, tick, strict)
        if spec.start < 0 or (spec.duration is not None and spec.duration <= 0):
            raise InputError(f"{self.name}: --start is 0 or later, --duration is above 0")
        held = None
        if spec.audio and not spec.frames and "info" not in vars(self):
            held = read.at_once(self.path, self.name, spec.start, spec.duration)
        info = held.info if held else self.info
        length = info.duration
        if length is not None and spec.start > 0 and spec.start >= length:
            raise InputError(
                f"{self.name}: lasts {length:.2f} s, --start {spec.start:g} is after its end"
            )
        if length is not None:
            length = min(length - spec.start, spec.duration or length)
        audio = self._audio(spec, reading, length, info, held) if spec.audio else None
        frames = self._frames(spec, reading) if spec.frames else None
        channels = info.audio[0].channels if info.audio else 0
        return Clip(self.name, audio, frames, length, channels, reading.warnings)

    def backwards(self, spec: Spec, count: int) -> Iterator[Array]:
        """The first ``count`` pictures of a clip from the last to the first, a few held at a time.

        Shape:
            each uint8 [height, width, 3].
        """
        frames = self._frames(spec, read.Reading(self.name))
        held = max(2, HELD_BYTES // (3 * frames.width * frames.height))
        for end in range(count, 0, -held):
            first = max(0, end - held)
            start = spec.start + float(first / frames.fps)
            last = float((end - first) / frames.fps)
            part = self._frames(replace(spec, start=start, duration=last), read.Reading(self.name))
            yield from reversed(list(islice(part.images(), end - first)))

    def _audio(
        self,
        spec: Spec,
        reading: read.Reading,
        seconds: float | None,
        info: Info,
        held: read.Held | None,
    ) -> Audio:
        if not info.audio:
            raise MediaError(f"{self.name}: has no sound; 'avtool info' shows what it holds")
        stream = info.audio[0]
        if not stream.channels:
            raise MediaError(f"{self.name}: its channel layout '{stream.layout}' is not known")
        if not (0 < stream.rate <= HIGHEST_RATE and stream.channels <= MOST_CHANNELS):
            raise MediaError(
                f"{self.name}: says that its sound has {stream.rate} Hz and {stream.channels} "
                f"channels; up to {HIGHEST_RATE} Hz and {MOST_CHANNELS} channels can be read"
            )
        rate = spec.rate or stream.rate
        length = info.length_samples
        if length is not None:
            length = max(0, length - round(spec.start * stream.rate))
            if spec.duration is not None:
                length = min(length, round(spec.duration * stream.rate))
            length = ceil(length * rate / stream.rate)
        blocks: Callable[[], Iterator[Array]] = partial(
            read.audio_blocks,
            info,
            reading,
            rate=spec.rate,
            channel=spec.channel or None,
            mono=spec.channel is None,
            start=spec.start,
            duration=spec.duration,
            held=held,
        )
        channels = stream.channels if spec.channel == 0 else 1
        return Audio(blocks, rate, channels, length, seconds, spec.start)

    def _frames(self, spec: Spec, reading: read.Reading) -> Frames:
        if not self.info.video:
            raise MediaError(f"{self.name}: has no pictures; 'avtool info' shows what it holds")
        stream = self.info.video[0]
        if max(stream.width * stream.height, stream.coded[0] * stream.coded[1]) > MOST_PIXELS:
            raise MediaError(
                f"{self.name}: pictures of {stream.width}x{stream.height} are too large; "
                f"scale them to {MOST_PIXELS / 1e6:.0f} million pixels or fewer"
            )
        if stream.fps < SLOWEST:
            raise MediaError(
                f"{self.name}: says that one picture lasts {float(1 / stream.fps):,.0f} s; it is "
                "damaged, get it anew"
            )
        fps = spec.fps or stream.fps
        width, height = spec.size or (stream.width, stream.height)
        images = partial(
            read.frame_images,
            self.info,
            reading,
            fps=fps,
            width=width,
            height=height,
            start=spec.start,
            duration=spec.duration,
        )
        return Frames(images, fps, width, height)


def open(
    path: str | os.PathLike[str], *, scan: bool = False, name: str = "", later: bool = False
) -> Media:
    """Open a media file; nothing of it is decoded.

    Args:
        later: what the file is, or that it is none, may turn out when a clip of it is taken, which
            is quicker for sound.
        scan: read all its packets for exact facts (see ``probe``).
        name: what to call it in messages, where its path is a temporary one.

    Raises:
        MediaError: it is missing, empty, a folder, unreadable, protected, or not media.
    """
    name = name or os.fspath(path)
    if later and not by_libsndfile(Path(path)):
        return Media(Path(path), name)
    return Media(probe(path, scan=scan, name=name), name)
