"""Log-mel to mel-frequency cepstral coefficients (Davis & Mermelstein 1980) and their deltas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from avtool.errors import InputError
from avtool.signal.mel import product
from avtool.values import Array


@dataclass(frozen=True)
class Cepstrum:
    """Orthonormal DCT-II of log-mel, and a lifter.

    c[k] = s(k) sum_m L[m] cos(pi k (m + 1/2) / M), then times 1 + Q/2 sin(pi (k + o) / Q).

    Args:
        n_mels, n_mfcc: bands in, coefficients out.
        lifter: Q, 0 for none.
        lifter_from: o; librosa counts from 1, Kaldi (as HTK) from 0.

    Raises:
        InputError: more coefficients than bands.
    """

    n_mels: int
    n_mfcc: int
    lifter: float = 0.0
    lifter_from: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.n_mfcc <= self.n_mels:
            raise InputError(
                f"--n-mfcc {self.n_mfcc} does not fit {self.n_mels} mel bands; "
                "lower it or raise --n-mels"
            )
        if self.lifter < 0:
            raise InputError("--lifter is 0 (off) or more")

    def apply(self, log_mel: Array) -> Array:
        """Coefficients of a full group: float32 [256, n_mels] -> [256, n_mfcc]."""
        out = np.empty((len(log_mel), self.n_mfcc), np.float32)
        product(log_mel, _basis(self), out)
        return out


@cache
def _basis(cepstrum: Cepstrum) -> Array:
    m, k = np.arange(cepstrum.n_mels), np.arange(cepstrum.n_mfcc)
    basis = np.cos(np.pi * k[None] * (m[:, None] + 0.5) / cepstrum.n_mels)
    basis *= np.sqrt(np.where(k == 0, 1.0, 2.0) / cepstrum.n_mels)
    if q := cepstrum.lifter:
        basis *= 1 + q / 2 * np.sin(np.pi * (k + cepstrum.lifter_from) / q)
    return basis.astype(np.float32)


def deltas(
    blocks: Iterable[Array], orders: int, kind: Literal["librosa", "kaldi"]
) -> Iterator[Array]:
    """Append the first ``orders`` time derivatives to each frame.

    "librosa": the slope (then the curvature) of a polynomial fitted to 9 frames (Savitzky & Golay
    1964); the first and last four frames take the nearest full fit's. "kaldi" (HTK, torchaudio):
    sum_n n (c[t+n] - c[t-n]) / (2 sum_n n^2), n to 2, beyond the ends the end frame again.

    Shape:
        blocks: float32 [frames, n] -> [frames, n * (1 + orders)].

    Raises:
        InputError: fewer than 9 frames for librosa's fit.
    """
    if not orders:
        yield from blocks
        return
    taps = _librosa_taps(orders) if kind == "librosa" else _kaldi_taps(orders)
    half = taps.shape[1] // 2
    if kind == "kaldi":
        blocks = _end_frames_again(blocks, half)
    held: Array | None = None
    last: Array | None = None
    for block in blocks:
        held = block if held is None else np.concatenate([held, block])
        if len(held) > 2 * half:
            out = _filtered(held, taps)
            if last is None and kind == "librosa":
                yield _edge(held[:half], out[0])
            yield out
            held, last = held[-2 * half :], out[-1]
    if held is not None and kind == "librosa":
        if last is None:
            raise InputError(f"--deltas needs 9 frames, this sound has {len(held)}")
        yield _edge(held[half:], last)


def _filtered(frames: Array, taps: Array) -> Array:
    """[half + t + half, n] and taps [orders, 2 * half + 1] -> [t, n * (1 + orders)]."""
    width = taps.shape[1]
    count = len(frames) - width + 1
    parts = [frames[width // 2 :][:count]]
    for order in taps:
        parts.append(sum(tap * frames[j : j + count] for j, tap in enumerate(order) if tap))
    return np.concatenate(parts, 1)


def _edge(frames: Array, near: Array) -> Array:
    """Frames [t, n] with the derivatives of the nearest complete frame [n * (1 + orders)]."""
    derivatives = np.tile(near[frames.shape[1] :], (len(frames), 1))
    return np.concatenate([frames, derivatives], 1)


def _end_frames_again(blocks: Iterable[Array], times: int) -> Iterator[Array]:
    last: Array | None = None
    for block in blocks:
        if last is None:
            yield np.repeat(block[:1], times, 0)
        yield block
        last = block[-1:]
    if last is not None:
        yield np.repeat(last, times, 0)


@cache
def _librosa_taps(orders: int, width: int = 9) -> Array:
    t = np.arange(width) - width // 2
    taps = []
    for order in range(1, orders + 1):
        fit = np.linalg.pinv(np.vander(t, order + 1, increasing=True))
        taps.append(fit[order] * np.prod(np.arange(1, order + 1)))  # n! of the top coefficient
    return np.array(taps, np.float32)


@cache
def _kaldi_taps(orders: int) -> Array:
    slope = np.arange(-2, 3) / 10.0
    taps, current = [], np.ones(1)
    for _ in range(orders):
        current = np.convolve(current, slope)
        taps.append(current)
    width = len(current)
    return np.array([np.pad(tap, (width - len(tap)) // 2) for tap in taps], np.float32)
