"""Waveform to frames to short-time Fourier transform, of any length, in blocks.

Allen & Rabiner (1977): X[m, k] = sum_n x[n + mH] w[n] exp(-2 pi i k n / N).

Frames are computed in groups of 256 that are fixed on the absolute frame number; the last group
is filled up with zeros. So each frame goes through the same arithmetic in the same place however
the sound arrives, and the result is bit-identical for any cut. 256 frames also stay in the
processor's second cache, which is what makes it fast.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

import ducc0
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from avtool.errors import InputError
from avtool.values import Array

GROUP = 256  # frames
PIECE = 1 << 16  # samples


@dataclass(frozen=True)
class STFT:
    """How a waveform is cut into frames and transformed.

    Args:
        n_fft: length of the transform in samples.
        win_samples, hop_samples: length of the window, distance of the frames.
        window: one of ``WINDOWS``; periodic, but for kaldi's.
        center: frame m is centred on sample m * hop; else it starts there.
        pad: what lies beyond the ends when centred.
        span: what must lie inside the sound when not centred: the whole transform ("n_fft",
            librosa) or just the window ("win", Kaldi's snip_edges and TensorFlow).
        preemphasis: x[n] - preemphasis * x[n - 1] over the whole sound.
        frame_dc, frame_preemphasis: Kaldi's, in each frame before the window.

    Raises:
        InputError: the lengths do not fit each other.
    """

    n_fft: int
    win_samples: int
    hop_samples: int
    window: str = "hann"
    center: bool = True
    pad: Literal["constant", "reflect"] = "constant"
    span: Literal["n_fft", "win"] = "n_fft"
    preemphasis: float = 0.0
    frame_dc: bool = False
    frame_preemphasis: float = 0.0

    def __post_init__(self) -> None:
        lengths = {"--n-fft": self.n_fft, "--win": self.win_samples, "--hop": self.hop_samples}
        for name, length in lengths.items():
            if length < 1:
                raise InputError(f"{name} is at least one sample, not {length}; make it longer")
        if self.win_samples > self.n_fft:
            raise InputError(
                f"--win ({self.win_samples} samples) is longer than --n-fft ({self.n_fft}); "
                "raise --n-fft or shorten --win"
            )
        if self.window not in WINDOWS:
            raise InputError(f"--window {self.window} is unknown; use {', '.join(WINDOWS)}")

    @property
    def bins(self) -> int:
        return self.n_fft // 2 + 1

    @property
    def _length(self) -> int:
        """Samples from a frame's first to its last."""
        return self.n_fft if self.span == "n_fft" else self.win_samples

    @property
    def _edge(self) -> int:
        """Samples that are added before and after the sound."""
        return self._length // 2 if self.center else 0

    def frames(self, length_samples: int) -> int:
        """Number of frames of a sound of this length."""
        if not length_samples:
            return 0
        padded = length_samples + 2 * self._edge
        return 1 + (padded - self._length) // self.hop_samples if padded >= self._length else 0

    def first_centre(self) -> float:
        """Where frame 0 is centred, in samples from the start of the sound."""
        return self._length / 2 - self._edge

    def transform(self, samples: Iterable[Array]) -> Iterator[Array]:
        """The complex transform.

        Shape:
            samples: float32 [time] each, any cut. Output: complex64 [frames <= 256, n_fft//2 + 1].
        """
        for windowed, valid, _ in self._groups(samples):
            yield ducc0.fft.r2c(windowed, axes=(1,))[:valid]

    def power(self, samples: Iterable[Array], exponent: float = 2.0) -> Iterator[Array]:
        """|X| ** exponent. The blocks are buffers that the next step overwrites.

        Shape:
            samples: as in ``transform``. Output: float32 [frames <= 256, n_fft//2 + 1].
        """
        for power, _, valid in self.power_groups(samples, exponent):
            yield power[:valid]

    def spectrogram(self, samples: Array, exponent: float = 2.0) -> Array:
        """|X| ** exponent of a sound in memory.

        Shape:
            samples: float32 [time]. Output: float32 [n_fft//2 + 1, frames].
        """
        out, first = np.empty((self.frames(len(samples)), self.bins), np.float32), 0
        for block in self.power([samples], exponent):
            out[first : first + len(block)] = block
            first += len(block)
        return out.T

    def power_groups(
        self, samples: Iterable[Array], exponent: float = 2.0, energy: bool = False
    ) -> Iterator[tuple[Array, Array | None, int]]:
        """Full groups of |X| ** exponent, each frame's raw energy if asked, how many are valid.

        Shape:
            float32 [256, n_fft//2 + 1] (reused), float32 [256] or None, int.
        """
        # FFTPACK's order: the real X[0], then real and imaginary parts of X[1] and on. Behind a
        # row stand zeros. So one product and one sum over all rows give all powers but X[0]'s.
        packed = np.zeros((GROUP, _apart(2 * self.bins)), np.float32)
        squares = packed.reshape(-1)
        power = np.empty((GROUP, packed.shape[1] // 2), np.float32)
        spectrum = packed[:, : self.n_fft]
        for windowed, valid, raw in self._groups(samples, energy):
            ducc0.fft.r2r_fftpack(
                windowed, axes=(1,), real2hermitian=True, forward=True, out=spectrum
            )
            np.multiply(squares, squares, out=squares)
            np.add(squares[1:-1:2], squares[2::2], out=power.reshape(-1)[1:])
            power[:, 0] = packed[:, 0]
            if exponent == 1.0:
                np.sqrt(power, out=power)
            elif exponent != 2.0:
                np.power(power, np.float32(exponent / 2), out=power)
            yield power[:, : self.bins], raw, valid

    def _groups(
        self, samples: Iterable[Array], energy: bool = False
    ) -> Iterator[tuple[Array, int, Array | None]]:
        """Windowed frames float32 [256, n_fft] (reused), how many are valid, raw energy."""
        hop, length = self.hop_samples, self._length
        # Inside a frame the window sits in the middle (librosa, torch) or at its start.
        inset = (length - self.win_samples) // 2
        place = slice(inset, inset + self.win_samples)
        buffer = np.zeros((GROUP, _apart(self.n_fft)), np.float32)
        # One product over all rows costs half of one a row.
        windows = np.zeros_like(buffer)
        windows[:, place] = _window(self.window, self.win_samples)
        for chunk, valid in self._chunks(samples):
            frames = sliding_window_view(chunk[inset:], self.win_samples)[::hop][:GROUP]
            raw = None
            if self.frame_dc or self.frame_preemphasis or energy:
                frames, raw = self._kaldi_frames(frames)
            np.copyto(buffer[:, place], frames)
            np.multiply(buffer, windows, out=buffer)
            yield buffer[:, : self.n_fft], valid, raw

    def _kaldi_frames(self, frames: Array) -> tuple[Array, Array]:
        """Kaldi's feature-window.cc: DC removal, then energy, then pre-emphasis, in each frame."""
        frames = frames - frames.mean(1, keepdims=True) if self.frame_dc else frames.copy()
        energy = np.einsum("ij,ij->i", frames, frames)
        if self.frame_preemphasis:
            first = frames[:, :1] * np.float32(1 - self.frame_preemphasis)
            rest = frames[:, 1:] - np.float32(self.frame_preemphasis) * frames[:, :-1]
            frames = np.concatenate([first, rest], 1)
        return frames, energy

    def _chunks(self, samples: Iterable[Array]) -> Iterator[tuple[Array, int]]:
        """Samples of one group each, [255 * hop + length], and how many frames of it are real."""
        hop, length = self.hop_samples, self._length
        need, advance = (GROUP - 1) * hop + length, GROUP * hop
        held, offset = np.zeros(0, np.float32), 0  # a hop longer than the window may pass the end
        for block in _pieces(self._padded(samples)):
            joined = np.concatenate([held[offset:], block])
            held, offset = joined, max(0, offset - len(held))
            while offset + need <= len(held):
                yield held[offset : offset + need], GROUP
                offset += advance
        held = held[offset:]
        valid = 1 + (len(held) - length) // hop if len(held) >= length else 0
        if valid:
            tail = np.zeros(need, np.float32)
            tail[: len(held)] = held
            yield tail, valid

    def _padded(self, samples: Iterable[Array]) -> Iterator[Array]:
        """The sound with its edges: zeros, or its own mirror image without the end sample."""
        edge, reach = self._edge, self._edge + 1
        before: list[Array] = []  # until the mirror at the start can be made
        begun, tail = False, np.zeros(0, np.float32)
        for block in self._emphasised(samples):
            if not len(block):
                continue
            tail = np.concatenate([tail, block])[-reach:] if len(block) < reach else block[-reach:]
            if not begun:
                before.append(block)
                if self.pad == "reflect" and sum(map(len, before)) < reach:
                    continue
                block = before[0] if len(before) == 1 else np.concatenate(before)
                begun = True
                yield np.pad(block[:reach], (edge, 0), mode=self.pad)[:edge]
            yield block
        if begun:
            yield np.pad(tail, (0, edge), mode=self.pad)[len(tail) :]
        elif before:  # shorter than its mirror: it is reflected as often as needed
            yield np.pad(np.concatenate(before), edge, mode=self.pad)

    def _emphasised(self, samples: Iterable[Array]) -> Iterator[Array]:
        if not self.preemphasis:
            yield from samples
            return
        last = np.float32(0)
        for block in samples:
            if len(block):
                previous = np.concatenate([[last], block[:-1]])
                last = block[-1]
                yield block - np.float32(self.preemphasis) * previous


def _apart(length: int) -> int:
    """A distance of rows of floats: a multiple of 4 KiB would put them on the same cache lines."""
    return length + (16 if length % 1024 < 16 else 0)


def _pieces(blocks: Iterable[Array]) -> Iterator[Array]:
    """The blocks, none longer than stays in the cache while it is joined to its neighbours."""
    for block in blocks:
        for first in range(0, len(block), PIECE):
            yield block[first : first + PIECE]


# Cosine-sum windows by their coefficients (Harris 1978); "povey" is Kaldi's.
WINDOWS = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
    "boxcar": (1.0,),
    "povey": (0.5, 0.5),
}


@cache
def _window(name: str, length: int) -> Array:
    """Window of this many samples, float32 [length].

    >>> _window("hann", 4).tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
    # Kaldi's window is symmetric and raised to 0.85, to come closer to a Hamming window.
    period = max(length - 1, 1) if name == "povey" else length
    phase = 2 * np.pi * np.arange(length) / period
    shape = sum((-1) ** k * a * np.cos(k * phase) for k, a in enumerate(WINDOWS[name]))
    window = np.asarray(shape if name != "povey" else np.maximum(shape, 0) ** 0.85, np.float32)
    window.flags.writeable = False
    return window
