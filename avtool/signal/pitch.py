"""How high a voice is, every 10 ms.

Boersma, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise
ratio of a sampled sound" (1993): the autocorrelation of a windowed frame, divided by that of its
window, peaks at the period; of several peaks in each frame, and silence, the best path is taken.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from avtool.values import Array

STEP = 0.01  # seconds from frame to frame
PERIODS = 3  # of the lowest pitch in a window
CANDIDATES = 6  # periods that a frame may have
FINER = 2  # autocorrelations a sample: a parabola is too broad for the peaks of high voices
TOGETHER = 512  # frames that are transformed at once

# Boersma's costs, for steps of 10 ms.
SILENT, VOICING = 0.03, 0.45  # of the loud frames' peak; autocorrelation of what is hardly voiced
OCTAVE, JUMP, TURN = 0.01, 0.35, 0.14  # a low pitch, a jump by an octave, voiced to unvoiced


def pitch(
    sound: Array, rate: int, floor: float = 60.0, ceiling: float = 600.0
) -> tuple[Array, Array]:
    """Fundamental frequency, and how periodic the sound is.

    Frame k is centred at (k + 1/2) * 10 ms; the last one may reach beyond the sound.

    Shape:
        sound: float [time]
        output: float32 [frames] in Hz, 0 where unvoiced; float32 [frames], the normalised
        autocorrelation at that period, 0 to 1, where unvoiced at the likeliest one.

    >>> times = np.arange(16_000) / 16_000
    >>> f0, strength = pitch(np.sin(2 * np.pi * 200 * times), 16_000)
    >>> len(f0), round(float(np.median(f0))), bool(strength[50] > 0.99)
    (100, 200, True)
    """
    views = framed(sound, rate, PERIODS / floor)
    if not len(views):
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    blocks = range(0, len(views), TOGETHER)
    parts = [_candidates(views[k : k + TOGETHER], rate, floor, ceiling) for k in blocks]
    hz, strength, peak = (np.concatenate(part) for part in zip(*parts, strict=True))
    loud = peak / max(float(np.quantile(peak, 0.99)), 1e-9)
    unvoiced = VOICING + np.maximum(0, 2 - loud * (1 + VOICING) / SILENT)
    score = np.where(hz > 0, strength + OCTAVE * np.log2(np.maximum(hz, 1) / floor), -9.0)
    best = _path(np.column_stack([unvoiced, score]), np.column_stack([0 * unvoiced, hz])) - 1
    rows, voiced = np.arange(len(hz)), best >= 0
    found = np.where(voiced, hz[rows, best], 0)
    held = np.where(voiced, strength[rows, best], strength.max(1))
    return found.astype(np.float32), np.clip(held, 0, 1).astype(np.float32)


def framed(sound: Array, rate: int, seconds: float) -> Array:
    """A view of one window every 10 ms, silence around: float32 [time] -> [frames, window]."""
    hop, width = round(STEP * rate), 2 * round(seconds * rate / 2)
    count, edge = -(-len(sound) // hop), width // 2 - hop // 2
    padded = np.pad(np.asarray(sound, np.float32), (edge, width))
    return sliding_window_view(padded, width)[: count * hop : hop]


def _candidates(
    views: Array, rate: int, floor: float, ceiling: float
) -> tuple[Array, Array, Array]:
    """Likely pitches of frames.

    Shape:
        [frames, window] -> Hz [frames, candidates], 0 where there is none; their
        autocorrelation, likewise; largest sample of each frame [frames].
    """
    width = views.shape[1]
    frames = views - views.mean(1, keepdims=True)
    window = np.hanning(width + 2)[1:-1].astype(np.float32)
    last = int(np.ceil(rate / floor))
    size = width + last
    lags = np.arange(FINER * last + 2)

    def correlated(frames: Array) -> Array:
        power = np.square(np.abs(np.fft.rfft(frames, size)))
        raw = np.fft.irfft(power, FINER * size)[:, : len(lags)]
        normal: Array = raw / np.maximum(raw[:, :1], 1e-20)
        return normal

    r = correlated(frames * window) / correlated(window[None])
    first = max(1, int(FINER * rate / ceiling))
    left, here, right = r[:, first - 1 : -2], r[:, first:-1], r[:, first + 1 :]
    top = (here > left) & (here >= right) & (here > VOICING / 3)
    peaks = np.where(top, here + OCTAVE * np.log2(last * FINER / lags[first:-1]), 0)
    place = np.argpartition(-peaks, CANDIDATES, 1)[:, :CANDIDATES]
    a, b, c = (np.take_along_axis(side, place, 1) for side in (left, here, right))
    some = np.take_along_axis(top, place, 1)
    bend = np.where(some, a - 2 * b + c, -1)
    shift = np.where(some, (a - c) / (2 * bend), 0)
    hz = FINER * rate / (place + first + shift)
    some &= (hz >= floor) & (hz <= ceiling)
    strength = b - (a - c) * shift / 4
    strength = np.where(strength > 1, 1 / np.maximum(strength, 1), strength)  # noise of division
    return np.where(some, hz, 0), np.where(some, strength, 0), np.abs(frames).max(1)


def _path(score: Array, hz: Array) -> Array:
    """Which candidate each frame takes (Viterbi): [frames, candidates], twice -> int [frames]."""
    octaves = np.log2(np.maximum(hz, 1))
    voiced = hz > 0
    cost = JUMP * np.abs(octaves[1:, None, :] - octaves[:-1, :, None])
    both = voiced[1:, None, :] & voiced[:-1, :, None]
    cost = np.where(both, cost, TURN * (voiced[1:, None, :] != voiced[:-1, :, None]))
    before = np.zeros(score.shape, np.intp)
    total = score[0]
    for k, turn in enumerate(cost, 1):
        ways = total[:, None] - turn
        before[k] = ways.argmax(0)
        total = ways.max(0) + score[k]
    path = np.zeros(len(score), np.intp)
    path[-1] = total.argmax()
    for k in range(len(score) - 1, 0, -1):
        path[k - 1] = before[k, path[k]]
    return path
