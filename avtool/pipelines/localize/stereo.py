"""From which side a sound comes, by the difference of two channels.

Time by GCC-PHAT, the cross-correlation of the whitened channels (Knapp & Carter, "The generalized
correlation method for estimation of time delay", 1976); level by the ratio of powers. Phones and
cameras differ in the distance of their microphones, so both become one rough place between the
left edge and the right one, and what is in the middle, where sound is put that has no side, says
nothing.
"""

from __future__ import annotations

import numpy as np

from avtool.values import Array

EDGE_SECONDS = 0.25e-3  # delay between the channels of a source at the edge of the picture
EDGE_DB = 8.0  # its difference of levels
SPREAD = 0.35  # of a place, where the picture is 2 wide
SAME_DB = -35.0  # difference against sum, below which two channels are one


def side(stereo: Array, rate: int) -> tuple[float, float]:
    """Where a stretch of sound comes from: -1 left edge to 1 right edge, and how sure that is.

    Shape:
        stereo: float [2, time]
        output: place, and a confidence 0 to 1; 0 where the channels are one, or silent.
    """
    left, right = (channel - channel.mean() for channel in np.asarray(stereo, np.float64))
    power = (left**2).mean() + (right**2).mean()
    apart = ((left - right) ** 2).mean()
    if power < 1e-9 or apart < 10 ** (SAME_DB / 10) * power:
        return 0.0, 0.0
    level = 10 * np.log10(((right**2).mean() + 1e-12) / ((left**2).mean() + 1e-12))
    delay, sharp = gcc_phat(left, right, rate, 4 * EDGE_SECONDS)
    place = float(np.clip(delay / EDGE_SECONDS * sharp + level / EDGE_DB, -1, 1))
    return place, min(1.0, abs(place) / 0.3)


def gcc_phat(left: Array, right: Array, rate: int, most: float) -> tuple[float, float]:
    """By how many seconds the left channel is later, within +-``most``, and how clear that is.

    Later on the left means from the right. Clarity is the peak of the whitened correlation, 0 to 1.

    >>> noise = np.random.default_rng(0).standard_normal(8000)
    >>> delay, clear = gcc_phat(np.roll(noise, 3), noise, 16_000, 1e-3)
    >>> round(delay * 16_000, 1), clear > 0.8
    (3.0, True)
    """
    size = 1 << (2 * len(left) - 1).bit_length()
    finer = 4  # samples between samples
    cross = np.fft.rfft(left, size) * np.conj(np.fft.rfft(right, size))
    size_of = np.abs(cross)
    loud = size_of > 1e-3 * size_of.max()  # whitening lifts what is noise only
    white = np.where(loud, cross / np.maximum(size_of, 1e-30), 0)
    turned = np.fft.irfft(white, finer * size) * finer * size / (2 * max(1, int(loud.sum())))
    reach = max(1, int(most * rate * finer))
    near = np.concatenate([turned[-reach:], turned[: reach + 1]])
    best = int(near.argmax())
    return (best - reach) / (rate * finer), float(np.clip(near[best], 0, 1))


def columns(place: float, sure: float, count: int) -> Array:
    """Log-odds of each column of the picture, float [count], 0 where nothing is known."""
    x = (np.arange(count) + 0.5) / count * 2 - 1
    odds: Array = sure * (0.5 - np.minimum((x - place) ** 2 / (2 * SPREAD**2), 4.0))
    return odds
