"""The nouns of the house: what flows from a file through a pipeline to a file.

Conventions: times in seconds from the container's zero, frequencies in Hz, sample counts
end in ``_samples``. Sound is float32 in [-1, 1], channels first; pictures are uint8 RGB.
A value may be longer than memory, so each one is a *stream*: calling ``blocks()`` (or
``images()``) starts it again from its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# The house's clock for sound and pictures together: 640 samples a picture.
RATE, FPS = 16_000, 25
FRAME_SAMPLES = RATE // FPS


@dataclass(frozen=True, eq=False)
class Audio:
    """Sound at one rate.

    Shape:
        each block: float32 [channels, time]; ``samples``: the same, whole.
    """

    blocks: Callable[[], Iterator[Array]]
    rate: int
    channels: int
    length_samples: int | None = None  # None: known only once it has been decoded
    seconds: float | None = None  # what the container says, about
    start: float = 0.0
    note: str = ""  # written into the file: what made it, where it is no recording

    @classmethod
    def of(cls, samples: Array, rate: int) -> Audio:
        """Sound that is in memory already: float [time] or [channels, time].

        >>> Audio.of(np.zeros(16_000), 16_000).samples.shape
        (1, 16000)
        """
        whole = np.atleast_2d(np.asarray(samples, np.float32))
        return cls(lambda: iter([whole]), rate, *whole.shape)

    @cached_property
    def samples(self) -> Array:
        """The whole sound in memory, float32 [channels, time]."""
        parts = list(self.blocks())
        return np.concatenate(parts, 1) if parts else np.zeros((self.channels, 0), np.float32)

    def windows(self, length_samples: int, step_samples: int) -> Iterator[tuple[int, Array]]:
        """First sample and samples [channels, time] of each window; the last may be shorter.

        >>> sound = Audio.of(np.zeros(10), 1)
        >>> [(first, part.shape[1]) for first, part in sound.windows(4, 3)]
        [(0, 4), (3, 4), (6, 4)]
        """
        held, first = np.zeros((self.channels, 0), np.float32), 0
        for block in self.blocks():
            held = np.concatenate([held, block], 1)
            while held.shape[1] > length_samples:
                yield first, held[:, :length_samples]
                held, first = held[:, step_samples:], first + step_samples
        if held.shape[1]:
            yield first, held

    def mono(self) -> Audio:
        """The mean of its channels, as one."""
        blocks = self.blocks
        means = lambda: (block.mean(0, keepdims=True) for block in blocks())  # noqa: E731
        return replace(self, blocks=means, channels=1)


@dataclass(frozen=True, eq=False)
class Frames:
    """Pictures at one constant rate: frame k is shown at k / fps seconds.

    Shape:
        each image: uint8 [height, width, 3], RGB, upright, square pixels.
    """

    images: Callable[[], Iterator[Array]]
    fps: Fraction
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Video:
    """Pictures with sound under them, or None."""

    frames: Frames
    audio: Audio | None
    note: str = ""  # written into the file, where its sound has none


@dataclass(frozen=True, eq=False)
class Dubbed:
    """Another sound under the pictures of a file, which stay as they are, bit for bit."""

    path: Path
    audio: Audio


@dataclass(frozen=True, eq=False)
class Matrix:
    """A quantity over bins (frequencies, mel bands, coefficients) and time.

    Shape:
        each block: [frames, bins], frames in order, valid until the next one is taken (it may be
        a buffer that is used again); ``values``: [bins, frames], whole.
    """

    blocks: Callable[[], Iterator[Array]]
    bins: Array  # [bins]: centre frequencies in Hz, or coefficient numbers
    hop: float  # seconds from one frame to the next
    start: float  # time of frame 0's centre
    axis: Literal["linear", "mel", "index"]  # how the bins are spaced
    unit: str  # "dB", "magnitude", ...
    frames: int | None = None  # None: known only once it has been computed
    parameters: Mapping[str, Any] = field(default_factory=dict)  # everything that made it

    @cached_property
    def values(self) -> Array:
        """The whole matrix in memory, [bins, frames]."""
        if self.frames is None:
            parts = [block.copy() for block in self.blocks()]
            return np.concatenate(parts).T if parts else np.zeros((len(self.bins), 0), np.float32)
        whole, first = np.zeros((0, len(self.bins)), np.float32), 0
        for block in self.blocks():
            if not first:
                whole = np.empty((self.frames, len(self.bins)), block.dtype)
            whole[first : first + len(block)] = block
            first += len(block)
        return whole[:first].T

    def of_channels(self, channels: int, channel: int | None) -> Matrix:
        """The same, which says which of a sound's channels it is of, where there are several.

        Args:
            channel: counted from 1; None is the mean of all.
        """
        if channels < 2:
            return self
        heard = f"channel {channel} of {channels}" if channel else f"mean of {channels} channels"
        return replace(self, parameters={**self.parameters, "channels": heard})

    def times(self, frames: int) -> Array:
        """Centre times in seconds of the first ``frames`` frames, float64 [frames]."""
        return self.start + self.hop * np.arange(frames)


@dataclass(frozen=True, eq=False)
class Part:
    """A piece of a head: its surface, the picture on it, and what moves it.

    Args:
        rough: of its surface, 0 a mirror to 1; cut: what is half transparent is not there.

    Shape:
        vertices: float32 [v, 3], metres, y up, z out of the face; faces: int [f, 3], counter-
        clockwise seen from outside; normals: float32 [v, 3], of length 1; uv: float32 [v, 2], 0 to
        1 from the upper left corner of picture: uint8 RGB or RGBA [h, w, 3 or 4], unlit; units:
        float32 [n, v, 3], how vertices move with each of ``names``, and bends: how normals do;
        pivot: metres [3], about which it turns.
    """

    name: str
    vertices: Array
    faces: Array
    normals: Array
    uv: Array
    picture: Array
    units: Array
    bends: Array
    names: tuple[str, ...]
    rough: float
    cut: bool
    pivot: Array


@dataclass(frozen=True, eq=False)
class Mesh:
    """A head in three dimensions, what it can do, and what it does over time.

    Shape:
        motion: float32 [frames, units], how far each of ``names`` is done, ``fps`` a second.
    """

    parts: tuple[Part, ...]
    names: tuple[str, ...]
    motion: Array | None = None
    fps: int = FPS
