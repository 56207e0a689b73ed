"""The resonances of a voice, and the length of the tube that has them.

Selective linear prediction (Makhoul, "Spectral linear prediction: properties and applications",
1975): the power spectrum below a ceiling, and nothing above it, gives the autocorrelation that ten
coefficients predict, and their poles are five formants. How many formants lie below a ceiling goes
with the length of the tract, so each recording has its own ceiling: of several, that under which
formants move the least (Escudero et al., "A cross-dialect acoustic description of vowels:
Brazilian and European Portuguese", 2009), here from one frame to the next, as the vowels are not
known, and which holds five formants at their usual distance.
"""

from __future__ import annotations

import numpy as np

from avtool.signal.pitch import framed
from avtool.values import Array

FORMANTS = 4
ORDER = 10  # of the prediction: two poles for each of five formants below the ceiling
WINDOW = 0.05  # seconds of a Gaussian
EMPHASIS = 50.0  # Hz, above which 6 dB an octave are added
CEILINGS = (4400.0, 7900.0, 13)  # Hz, from long tracts to a child's
RUNS, RUN = 30, 10  # stretches of frames that a ceiling is chosen by, and their length
STEADY = 0.06  # change from frame to frame, as a share, above which a formant is another one
USUAL = 6.0  # what a squared departure from five formants below the ceiling, in logs, is worth
SOUND = 35_000.0  # cm a second, in warm moist air
NUMBERS = np.arange(FORMANTS) + 0.5  # a uniform closed tube's resonances, over their distance
TOGETHER = 512  # frames that are transformed at once


def formants(sound: Array, rate: int, voiced: Array, ceiling: float | None = None) -> Array:
    """The lowest four resonances at each frame of ``pitch``.

    Args:
        ceiling: Hz below which five formants are looked for; None: this recording's own.

    Shape:
        sound: float [time]; voiced: bool [frames]
        output: float32 [frames, 4] in Hz, nan where unvoiced or not found.
    """
    found = np.full((len(voiced), FORMANTS), np.nan, np.float32)
    some = np.flatnonzero(voiced)
    if not len(some):
        return found
    ceiling = best_ceiling(sound, rate, voiced) if ceiling is None else ceiling
    for first in range(0, len(some), TOGETHER):
        part = some[first : first + TOGETHER]
        found[part] = _resonances(_power(sound, rate, part), rate, ceiling)
    return found


def best_ceiling(sound: Array, rate: int, voiced: Array) -> float:
    """The ceiling in Hz that suits this voice: the formants below it are steady and five."""
    some = np.flatnonzero(voiced)
    if len(some) > RUNS * RUN:
        starts = np.linspace(0, len(some) - RUN, RUNS).astype(int)
        some = some[(starts[:, None] + np.arange(RUN)).ravel()]
    next_to = np.diff(some) == 1
    power = _power(sound, rate, some)
    ceilings = np.geomspace(*CEILINGS)
    ceilings = ceilings[ceilings < 0.499 * rate]
    costs = []
    for ceiling in ceilings:
        found = _resonances(power, rate, ceiling)
        moved = np.abs(np.diff(np.log(found[:, 1:]), axis=0))[next_to]
        moved = np.where(np.isnan(moved), STEADY, np.minimum(moved, STEADY))
        apart = np.log(5 * spacing(found) / ceiling)
        steady = np.log(max(float(moved.mean()) if moved.size else STEADY, 1e-6))
        costs.append(steady + USUAL * apart**2 if np.isfinite(apart) else np.inf)
    return float(ceilings[np.argmin(costs)])


def spacing(formants: Array) -> float:
    """Distance of the formants in Hz, were the tract a uniform tube.

    The regression of Reby and McComb ("Anatomical constraints generate honesty: acoustic cues to
    age and weight in the roars of red deer stags", 2003): F_i = (i - 1/2) dF. So the first formant,
    of which vowels make the most, weighs least and the fourth most, as Lammert and Narayanan ("On
    short-time estimation of vocal tract length from formant frequencies", 2015) found best.

    Shape:
        formants: [frames, 4] in Hz; of each, the median of the frames that have it counts.

    >>> round(spacing(np.array([[500.0, 1500, 2500, np.nan], [500, 1500, 2500, 3500]])))
    1000
    """
    known = np.isfinite(formants).sum(0) > 0
    if known.sum() < 2:
        return float("nan")
    x, y = NUMBERS[known], np.nanmedian(formants[:, known], 0)
    return float(x @ y / (x @ x))


def tract_length(formants: Array) -> float:
    """Length in cm of the uniform tube, closed at one end, with the ``spacing`` of [frames, 4]."""
    return SOUND / (2 * spacing(formants))


def _power(sound: Array, rate: int, some: Array) -> Array:
    """Power spectra of frames by their numbers, pre-emphasised: float32 [some, bins]."""
    views = framed(sound, rate, WINDOW + 1 / rate)  # and one sample before each
    frames = views[some]
    width = frames.shape[1] - 1
    time = (np.arange(width) + 0.5) / width - 0.5
    bell = (np.exp(-48 * time**2) - np.exp(-12)) / (1 - np.exp(-12))
    follow = np.float32(np.exp(-2 * np.pi * EMPHASIS / rate))
    frames = (frames[:, 1:] - follow * frames[:, :-1]) * bell.astype(np.float32)
    power: Array = np.square(np.abs(np.fft.rfft(frames, 1 << (width + 2 * ORDER).bit_length())))
    return power


def _resonances(power: Array, rate: int, ceiling: float) -> Array:
    """Lowest poles of spectra [frames, bins] below the ceiling: Hz [frames, 4], nan for none."""
    hz = np.linspace(0, rate / 2, power.shape[1])
    below = hz <= ceiling
    lags = np.arange(ORDER + 1)
    waves = np.cos(np.pi * np.outer(hz[below] / ceiling, lags))
    waves[0] /= 2  # the other half of it is a negative frequency's
    predicted = _levinson(power[:, below] @ waves)
    companion = np.zeros((len(power), ORDER, ORDER))
    companion[:, 0] = -predicted
    companion[:, lags[1:-1], lags[:-2]] = 1
    angles = np.angle(np.linalg.eigvals(companion))
    angles = np.where((angles > 1e-6) & (angles < np.pi - 1e-6), angles, np.nan)
    lowest: Array = np.sort(angles, 1)[:, :FORMANTS] * ceiling / np.pi
    return lowest


def _levinson(r: Array) -> Array:
    """Prediction coefficients of autocorrelations: [frames, order + 1] -> [frames, order]."""
    r = np.where(np.arange(r.shape[1]) == 0, r * (1 + 1e-9) + 1e-20, r)
    a, error = np.zeros_like(r), r[:, 0]
    a[:, 0] = 1
    for k in range(1, r.shape[1]):
        turn = -(a[:, :k] * r[:, k:0:-1]).sum(1) / error
        a[:, 1 : k + 1] += turn[:, None] * a[:, k - 1 :: -1] if k > 1 else turn[:, None]
        error = error * (1 - turn**2)
    return a[:, 1:]
