"""Mel filters, their product with a spectrum, and the logarithms that follow it.

Scales: Slaney's Auditory Toolbox (1998; librosa's default), HTK's 2595 log10(1 + f/700)
(O'Shaughnessy 1987). Triangles are straight in Hz (librosa, torchaudio) or in mel (Kaldi,
TensorFlow); their height is 1 or, by Slaney, their area is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from avtool.errors import InputError
from avtool.values import Array

Scale = Literal["slaney", "htk"]

# OpenBLAS threads any product above this many multiplications, and its idle threads then spin,
# which costs ten times what such small products are worth. Smaller ones run where they are.
_BLAS_SERIAL = 1 << 18


def hz_to_mel(hz: Array, scale: Scale) -> Array:
    """Mel of frequencies in Hz.

    >>> hz_to_mel(np.array([500, 1000, 6400]), "slaney").round(6)
    array([ 7.5, 15. , 42. ])
    """
    hz = np.asarray(hz, np.float64)
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    # Straight up to 1 kHz (200/3 Hz a mel), then 27 mels for each factor of 6.4.
    high = 15.0 + 27.0 * np.log(np.maximum(hz, 1000.0) / 1000.0) / np.log(6.4)
    return np.where(hz < 1000.0, hz * 3.0 / 200.0, high)


def mel_to_hz(mel: Array, scale: Scale) -> Array:
    """Frequencies in Hz of mels."""
    mel = np.asarray(mel, np.float64)
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    hz: Array = np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * 6.4 ** ((mel - 15.0) / 27.0))
    return hz


def mel_frequencies(n_mels: int, fmin: float, fmax: float, scale: Scale) -> Array:
    """Corners of the triangles in Hz, float64 [n_mels + 2]: filter m peaks at corner m + 1."""
    ends = hz_to_mel(np.array([fmin, fmax]), scale)
    return mel_to_hz(np.linspace(ends[0], ends[1], n_mels + 2), scale)


@dataclass(frozen=True)
class MelBank:
    """Triangular filters from a spectrum's bins to mel bands.

    Args:
        straight: in which scale the triangles' sides are straight lines.
        norm: "slaney" divides by the width in Hz, so that bands of noise are level.

    Raises:
        InputError: the bands do not fit between 0 and half the rate.
    """

    rate: int
    n_fft: int
    n_mels: int
    fmin: float
    fmax: float
    scale: Scale = "slaney"
    norm: Literal["slaney"] | None = "slaney"
    straight: Literal["hz", "mel"] = "hz"

    def __post_init__(self) -> None:
        if self.n_mels < 1:
            raise InputError(f"--n-mels is at least 1, not {self.n_mels}; 80 are usual")
        if not 0 <= self.fmin < self.fmax <= self.rate / 2:
            raise InputError(
                f"--fmin {self.fmin:g} and --fmax {self.fmax:g} Hz do not fit a rate of "
                f"{self.rate} Hz; choose 0 <= fmin < fmax <= {self.rate / 2:g}"
            )

    def centres(self) -> Array:
        """Peak frequency of each band in Hz, float64 [n_mels]."""
        return mel_frequencies(self.n_mels, self.fmin, self.fmax, self.scale)[1:-1]

    def empty(self) -> int:
        """How many bands are narrower than the distance of two bins, and so are always silent."""
        return int((~_filters(self).any(1)).sum())

    def filters(self) -> Array:
        """The filters as a matrix, float32 [n_mels, n_fft//2 + 1]."""
        return _filters(self)

    def apply(self, power: Array, out: Array) -> None:
        """Multiply a full group of spectra.

        Shape:
            power: float32 [256, n_fft//2 + 1]; out: float32 [256, n_mels].
        """
        # Neighbouring filters share a narrow band of bins; the rest of the matrix is zeros.
        for filters, bins, weights in _bands(self):
            product(power[:, bins], weights, out[:, filters])


@cache
def _filters(bank: MelBank) -> Array:
    bins = np.arange(bank.n_fft // 2 + 1) * (bank.rate / bank.n_fft)
    corners = mel_frequencies(bank.n_mels, bank.fmin, bank.fmax, bank.scale)
    x, c = bins, corners
    if bank.straight == "mel":
        x, c = hz_to_mel(bins, bank.scale), hz_to_mel(corners, bank.scale)
    rise = (x[None] - c[:-2, None]) / (c[1:-1] - c[:-2])[:, None]
    fall = (c[2:, None] - x[None]) / (c[2:] - c[1:-1])[:, None]
    weights: Array = np.maximum(0.0, np.minimum(rise, fall))
    if bank.norm == "slaney":
        weights *= (2.0 / (corners[2:] - corners[:-2]))[:, None]
    filters: Array = weights.astype(np.float32)
    filters.flags.writeable = False
    return filters


@cache
def _bands(bank: MelBank, together: int = 8) -> list[tuple[slice, slice, Array]]:
    """The matrix as small dense parts: (filters, bins, float32 [bins, filters])."""
    filters, parts = _filters(bank), []
    for first in range(0, bank.n_mels, together):
        rows = filters[first : first + together]
        used = np.flatnonzero(rows.any(0))
        bins = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)
        part = np.ascontiguousarray(rows[:, bins].T)
        parts.append((slice(first, first + len(rows)), bins, part))
    return parts


def product(a: Array, b: Array, out: Array) -> None:
    """Out = a @ b in pieces that BLAS leaves on this thread. [m, k] @ [k, n] -> [m, n]."""
    step = max(1, _BLAS_SERIAL // (b.shape[0] * b.shape[1]))
    for first in range(0, len(a), step):
        np.matmul(a[first : first + step], b, out=out[first : first + step])


@dataclass(frozen=True)
class Log:
    """The logarithm after the filters, as each tool has it.

    ``kind(max(x, floor) + offset)``, then at least its own maximum over the whole sound less
    ``top``, then ``scale * y + shift``, then clipped.

    Args:
        kind: "db" (10 log10 of a power), "ln", "log10" or "none".
        power: the exponent of the spectrum: a magnitude's decibels are 20 log10.
        floor: smallest value before the logarithm; offset: added to all.
        top: dynamic range below the maximum, in the logarithm's own unit.
    """

    kind: Literal["db", "ln", "log10", "none"] = "db"
    power: float = 2.0
    floor: float = 1e-10
    offset: float = 0.0
    top: float | None = 80.0
    scale: float = 1.0
    shift: float = 0.0
    clip: tuple[float, float] | None = None

    @property
    def unit(self) -> str:
        if self.scale != 1.0 or self.shift:
            return "normalised"
        plain = {1.0: "magnitude", 2.0: "power"}.get(self.power, "|X|^p")
        return {"db": "dB", "ln": "ln", "log10": "log10", "none": plain}[self.kind]

    def apply(self, x: Array) -> None:
        """The logarithm itself, in place."""
        if self.kind == "none":
            return
        np.maximum(x, np.float32(self.floor), out=x)
        if self.offset:
            np.add(x, np.float32(self.offset), out=x)
        np.log(x, out=x)
        # numpy has a vector loop for the natural logarithm only.
        factor = {"db": 20.0 / self.power / np.log(10), "log10": 1 / np.log(10), "ln": 1.0}
        if self.kind != "ln":
            np.multiply(x, np.float32(factor[self.kind]), out=x)

    def finish(self, x: Array, peak: float) -> Array:
        """The range below the sound's maximum, the scaling, the clipping."""
        if self.kind != "none" and self.top is not None:
            x = np.maximum(x, np.float32(peak - self.top))
        if self.scale != 1.0 or self.shift:
            x = x * np.float32(self.scale) + np.float32(self.shift)
        if self.clip is not None:
            x = np.clip(x, np.float32(self.clip[0]), np.float32(self.clip[1]))
        return x
