"""How well a voice was separated: SI-SDR, SDR, STOI, and whether it is the right one.

Conventions: sounds are [..., time]; the axes before time broadcast, so that
``si_sdr(estimates[:, None], references)`` gives every pair. Ratios are in dB, higher is better;
all is computed in float64. An exact estimate has inf or, by rounding, some 300 dB; a silent one
has -inf, and STOI 0. A silent reference has no score: leave such a pair out of a mean knowingly.

All raise InputError where lengths differ or a reference is silent.
"""

from __future__ import annotations

import numpy as np

from avtool.errors import InputError
from avtool.values import Array

STOI_RATE = 10_000  # Hz
STOI_FRAME = 256  # samples, 25.6 ms; frames overlap by half
STOI_SEGMENT = 30  # frames, 384 ms
STOI_BANDS = 15  # third octaves from 150 Hz
STOI_CLIP = 1 + 10 ** (15 / 20)  # a signal-to-distortion ratio of -15 dB
STOI_SPOKEN = 10 ** (-40 / 20)  # of the loudest frame; below, nothing is said


def si_sdr(estimate: Array, reference: Array) -> Array:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019), means removed.

    |a r|^2 / |e - a r|^2 with a = <e, r> / |r|^2. A constant sound counts as silent.

    Shape:
        estimate, reference: [..., time] -> float64 [...], dB.

    >>> t = np.arange(1000)
    >>> voice, noise = np.sin(2 * np.pi * t / 50), np.sin(2 * np.pi * t / 40)
    >>> round(float(si_sdr(7 * (voice + 0.1 * noise), voice)), 6)
    20.0
    """
    e, r = map(_centred, _pair(estimate, reference))
    energy = _energy(r)
    _refuse_silence(energy)
    target = (np.sum(e * r, -1) / energy)[..., None] * r
    return _ratio(_energy(target), _energy(e - target))


def si_sdr_improvement(estimate: Array, reference: Array, mixture: Array) -> Array:
    """SI-SDR of the estimate less that of the mixture; nan where both are inf.

    Shape:
        estimate, reference, mixture: [..., time] -> float64 [...], dB.

    Raises:
        InputError: also where the mixture is silent.
    """
    before = si_sdr(mixture, reference)
    if np.isneginf(before).any():
        raise InputError("the mixture does not hold the reference: there is nothing to improve")
    with np.errstate(invalid="ignore"):
        return np.asarray(si_sdr(estimate, reference) - before)


def sdr(estimate: Array, reference: Array, filter_samples: int = 512) -> Array:
    """Signal-to-distortion ratio of BSS Eval version 3 (Vincent, Gribonval & Févotte 2006).

    As SI-SDR, but what the best filter of this many taps makes of the reference is no distortion.
    Other sources do not enter; means stay. Costs a system of ``filter_samples`` equations a pair.

    Shape:
        estimate, reference: [..., time] -> float64 [...], dB.
    """
    if filter_samples < 1:
        raise InputError(f"a filter has at least one tap, not {filter_samples}")
    e, r = _pair(estimate, reference)
    _refuse_silence(_energy(r))
    pairs = np.vectorize(_filtered_sdr, otypes=[float], excluded={2}, signature="(t),(t)->()")
    return np.asarray(pairs(e, r, filter_samples))


def stoi(estimate: Array, reference: Array, rate: int) -> Array:
    """Short-time objective intelligibility (Taal, Hendriks, Heusdens & Jensen 2011).

    The mean correlation of third-octave envelopes over 384 ms, where the reference speaks;
    about 0 to 1. What lies above 4.3 kHz has no part in it; from rates under 9 kHz, which end
    inside the top band, programs differ by up to 0.01.

    Shape:
        estimate, reference: [..., time], ``rate`` in Hz -> float64 [...].

    Raises:
        InputError: also where the reference is louder than -40 dB of its loudest frame for less
            than 0.41 s.
    """
    e, r = _pair(estimate, reference)
    if rate != STOI_RATE:
        import soxr

        e, r = (np.apply_along_axis(soxr.resample, -1, sound, rate, STOI_RATE) for sound in (e, r))
    pairs = np.vectorize(_intelligibility, otypes=[float], signature="(t),(t)->()")
    return np.asarray(pairs(e, r))


def permutation(scores: Array) -> Array:
    """Which estimate belongs to each reference, so that the sum of their scores is highest.

    ``estimates[permutation(scores)]`` is in the order of the references; of orders that are equally
    good it is any. Scores beyond 1e6, inf too, count as 1e6, so that one silent estimate does not
    make all orders equal.

    Shape:
        scores: [..., estimates, references] -> int [..., references].

    Raises:
        InputError: fewer estimates than references, or nan.

    >>> permutation(np.array([[1.0, 9.0], [8.0, 9.5]])).tolist()
    [1, 0]
    """
    from scipy.optimize import linear_sum_assignment

    estimates, references = scores.shape[-2:]
    if estimates < references:
        raise InputError(f"{estimates} estimates cannot be {references} references")
    if np.isnan(scores).any():
        raise InputError("a score is not a number; look at the estimates")
    pairs = np.clip(scores, -1e6, 1e6).reshape(-1, estimates, references)
    # A row per reference: each gets its column, in the rows' order.
    orders = [linear_sum_assignment(each.T, maximize=True)[1] for each in pairs]
    return np.array(orders, int).reshape(*scores.shape[:-2], references)


def right_voice(estimates: Array, references: Array) -> Array:
    """Whether each estimate is nearer, by SI-SDR, to the voice asked for than to any other.

    Estimate i was asked for voice i; further references are others. The mean is the right-voice
    rate; chance is 1 / voices. A silent estimate or a tie is not right.

    Shape:
        estimates: [..., asked, time], references: [..., voices >= asked, time] ->
        bool [..., asked].

    Raises:
        InputError: also where there is no other voice.
    """
    asked, voices = estimates.shape[-2], references.shape[-2]
    if not asked <= voices >= 2:
        raise InputError(f"{asked} asked of {voices} voices: give two voices or more, asked first")
    scores = si_sdr(estimates[..., :, None, :], references[..., None, :, :])
    own = np.eye(asked, voices, dtype=bool)
    return np.asarray(scores[..., own] > np.where(own, -np.inf, scores).max(-1))


def _pair(estimate: Array, reference: Array) -> tuple[Array, Array]:
    """Both in float64, of one length."""
    e, r = np.asarray(estimate, np.float64), np.asarray(reference, np.float64)
    if e.shape[-1:] != r.shape[-1:] or not e.shape[-1:] or not e.shape[-1]:
        raise InputError(
            f"an estimate of shape {e.shape} and a reference of shape {r.shape} do not compare; "
            "give both the same number of samples on the last axis"
        )
    return e, r


def _energy(sound: Array) -> Array:
    return np.asarray(np.sum(sound**2, -1))


def _centred(sound: Array) -> Array:
    centred = sound - sound.mean(-1, keepdims=True)
    # What rounding leaves of a constant is not a sound: under -200 dB of it.
    rounding = _energy(centred) <= 1e-20 * _energy(sound)
    return np.where(rounding[..., None], 0.0, centred)


def _refuse_silence(energy: Array) -> None:
    if not (energy > 0).all():
        raise InputError("a reference is silent or not finite, so nothing can be compared with it")


def _ratio(signal: Array, distortion: Array) -> Array:
    """In dB; -inf where there is no signal, even if there is nothing else either."""
    with np.errstate(divide="ignore", invalid="ignore"):
        decibels = 10 * (np.log10(signal) - np.log10(distortion))
    return np.where(signal == 0, -np.inf, decibels)


def _filtered_sdr(e: Array, r: Array, taps: int) -> Array:
    """SDR of one pair [time], [time]: the normal equations R h = d by FFT, then their residual."""
    n = 1 << (len(e) + taps - 2).bit_length()  # holds the reference and the filter's tail
    e_fft, r_fft = np.fft.rfft(e, n), np.fft.rfft(r, n)
    auto = np.fft.irfft(np.abs(r_fft) ** 2, n)[:taps]
    cross = np.fft.irfft(r_fft.conj() * e_fft, n)[:taps]
    toeplitz = auto[np.abs(np.subtract.outer(np.arange(taps), np.arange(taps)))]
    best = np.linalg.solve(toeplitz, cross)
    target = np.fft.irfft(np.fft.rfft(best, n) * r_fft, n)
    # The residual itself, not |e|^2 - |target|^2: that loses all digits of a good estimate.
    return _ratio(_energy(target), _energy(np.pad(e, (0, n - len(e))) - target))


def _intelligibility(e: Array, r: Array) -> float:
    """STOI of one pair [time], [time] at 10 kHz."""
    spoken = _stoi_frames(r)
    loudness = np.linalg.norm(spoken, axis=1)
    kept = loudness > STOI_SPOKEN * loudness.max(initial=0)
    if np.count_nonzero(kept) <= STOI_SEGMENT:
        raise InputError("a reference speaks for less than 0.41 s; STOI needs that much")
    e, r = _segments(_stoi_frames(e)[kept]), _segments(spoken[kept])
    tiny = np.finfo(np.float64).eps  # leaves a silent band's correlation at 0

    def unit(x: Array) -> Array:
        x = x - x.mean(-1, keepdims=True)
        return np.asarray(x / (np.linalg.norm(x, axis=-1, keepdims=True) + tiny))

    gain = np.linalg.norm(r, axis=-1, keepdims=True)
    gain /= np.linalg.norm(e, axis=-1, keepdims=True) + tiny
    clipped = np.minimum(e * gain, r * STOI_CLIP)
    return float((unit(clipped) * unit(r)).sum(-1).mean())


def _stoi_frames(sound: Array) -> Array:
    """[time] -> windowed [frames, 256]; as in the authors' code, none takes the last sample."""
    starts = np.arange(0, max(len(sound) - STOI_FRAME, 0), STOI_FRAME // 2)
    window = np.hanning(STOI_FRAME + 2)[1:-1]  # symmetric, without its zeros
    return np.asarray(sound[starts[:, None] + np.arange(STOI_FRAME)] * window)


def _segments(frames: Array) -> Array:
    """Frames that are kept [frames, 256] -> third-octave magnitudes [bands, segments, 30]."""
    half = STOI_FRAME // 2
    joined = np.zeros((len(frames) + 1, half))  # overlap-add, closing the gaps
    joined[:-1] += frames[:, :half]
    joined[1:] += frames[:, half:]
    n_fft = 2 * STOI_FRAME
    power = np.abs(np.fft.rfft(_stoi_frames(joined.ravel()), n_fft)) ** 2
    edges = 150 * 2 ** ((2 * np.arange(STOI_BANDS + 1) - 1) / 6)
    bins = np.rint(edges * n_fft / STOI_RATE).astype(int)
    bands = np.add.reduceat(power[:, : bins[-1]], bins[:-1], axis=1)
    return np.lib.stride_tricks.sliding_window_view(np.sqrt(bands).T, STOI_SEGMENT, axis=1)
