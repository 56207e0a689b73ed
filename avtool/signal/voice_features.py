"""What a voice tells by ear: how high, how long a throat, how bright, how fast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avtool.signal.formants import SOUND, formants, spacing
from avtool.signal.pitch import STEP, framed, pitch
from avtool.values import Array

ENOUGH = 20  # voiced frames of 10 ms, without which nothing is told
LONGEST, PIECE = 30, 2.0  # pieces that a long recording is measured by; seconds of each
PAUSE = 0.15  # seconds beside what is voiced that still are speech
BRIGHT = 5000.0  # Hz up to which the tilt goes
DIP, QUIET = 2.0, 25.0  # dB between two syllables; below the loudest, where there is none
UNKNOWN = float("nan")


@dataclass(frozen=True)
class VoiceFacts:
    """What a recording of one voice measures; nan where it cannot be told.

    ``seconds`` of speech; ``pitch`` is the median, ``pitch_low`` and ``pitch_high`` its 10 % and
    90 %, in Hz; ``formants`` are the medians of the first four and ``spacing`` is their distance,
    in Hz; ``tract_length`` in cm; ``tilt`` in dB an octave; ``syllables`` a second of speech.
    """

    seconds: float
    pitch: float = UNKNOWN
    pitch_low: float = UNKNOWN
    pitch_high: float = UNKNOWN
    formants: tuple[float, float, float, float] = (UNKNOWN,) * 4
    spacing: float = UNKNOWN
    tract_length: float = UNKNOWN
    tilt: float = UNKNOWN
    syllables: float = UNKNOWN


def measure(sound: Array, rate: int, speech: Array | None = None) -> VoiceFacts:
    """Measure the voice of a recording; of a long one, a minute that is spread over it.

    Shape:
        sound: float [time]; speech: bool [frames of 10 ms], where this voice is alone; None: where
        something is voiced, and close to it.

    >>> measure(np.zeros(16_000, np.float32), 16_000).seconds
    0.0
    """
    whole = len(sound) / rate
    given = speech is not None
    seconds = float(np.sum(speech)) * STEP if speech is not None else 0.0
    sound, speech = _spread(sound, rate, speech)
    hz, _ = pitch(sound, rate)
    voiced = (hz > 0) & speech
    if not given:
        speech = _widened(voiced, round(PAUSE / STEP))
        seconds = float(speech.sum()) / max(1, len(speech)) * whole
    if voiced.sum() < ENOUGH:
        return VoiceFacts(seconds)
    low, middle, high = (float(x) for x in np.quantile(hz[voiced], (0.1, 0.5, 0.9)))
    found = formants(sound, rate, voiced)
    f1, f2, f3, f4 = (_median(column) for column in found.T)
    apart = spacing(found)
    return VoiceFacts(
        seconds,
        middle,
        low,
        high,
        (f1, f2, f3, f4),
        apart,
        SOUND / (2 * apart),
        tilt(sound, rate, voiced, middle),
        syllables(sound, rate, voiced) / (float(speech.sum()) * STEP),
    )


def tilt(sound: Array, rate: int, some: Array, lowest: float) -> float:
    """Slope of the long-term average spectrum of some frames, in dB an octave.

    From ``lowest`` Hz, which is the pitch and the width of the bands, so that each holds one
    harmonic, to 5 kHz; an octave counts as much as any other.

    Shape:
        sound: float [time]; some: bool [frames].
    """
    views = framed(sound, rate, 0.05)
    window = np.hanning(views.shape[1] + 1)[1:].astype(np.float32)
    size = 1 << (views.shape[1] - 1).bit_length()
    power = np.zeros(size // 2 + 1)
    for part in np.array_split(np.flatnonzero(some), len(views) // 512 + 1):
        power += np.square(np.abs(np.fft.rfft(views[part] * window, size))).sum(0)
    edges = (np.arange(len(power) + 1) - 0.5) * rate / size
    total = np.concatenate([[0], np.cumsum(power)])
    hz = np.geomspace(lowest, min(BRIGHT, 0.45 * rate), 32)
    band = np.interp(hz + lowest / 2, edges, total) - np.interp(hz - lowest / 2, edges, total)
    return float(np.polyfit(np.log2(hz), 10 * np.log10(band + 1e-20), 1)[0])


def syllables(sound: Array, rate: int, voiced: Array) -> int:
    """How many syllables are spoken.

    De Jong and Wempe, "Praat script to detect syllable nuclei and measure speech rate
    automatically" (2009): voiced peaks of the intensity with dips of 2 dB between them.

    Shape:
        sound: float [time]; voiced: bool [frames].
    """
    views = framed(np.square(sound), rate, 0.064)
    window = np.hanning(views.shape[1]).astype(np.float32)
    power = np.einsum("ij,j->i", views, window)
    level = 10 * np.log10(power / max(float(np.quantile(power, 0.99)), 1e-20) + 1e-12)
    count, rising, extreme, at = 0, True, -np.inf, 0
    for k, now in enumerate([*level.tolist(), -np.inf]):
        if (now > extreme) == rising:
            extreme, at = now, k
        elif abs(now - extreme) >= DIP:  # it has turned: the extreme was a peak or a dip
            count += rising and extreme > -QUIET and bool(voiced[at])
            rising, extreme, at = not rising, now, k
    return count


def _spread(sound: Array, rate: int, speech: Array | None) -> tuple[Array, Array]:
    """A minute at most of a recording, in pieces evenly from where there is speech.

    Shape:
        sound: float [time]; speech: bool [frames] or None -> float [time]; bool [frames].
    """
    hop, width = round(STEP * rate), round(PIECE / STEP)
    said = np.full(-(-len(sound) // hop), speech is None)
    if speech is not None:
        said[: len(speech)] = speech[: len(said)]
    count = len(sound) // (width * hop)
    if count <= LONGEST:
        return sound, said
    pieces = sound[: count * width * hop].reshape(count, -1)
    masks = said[: count * width].reshape(count, -1)
    much = masks.mean(1)
    if speech is None:  # what is not 20 dB below the loud pieces is as good as another
        size = np.sqrt(np.einsum("ij,ij->i", pieces, pieces))
        much = 1.0 * (size > 0.1 * np.quantile(size, 0.95))
    good = np.flatnonzero(much >= 0.5 * much.max())
    good = good[np.linspace(0, len(good) - 1, min(LONGEST, len(good))).astype(int)]
    return pieces[good].ravel(), masks[good].ravel()


def _widened(mask: Array, frames: int) -> Array:
    """A mask that also holds so many frames on each side: bool [frames]."""
    total = np.cumsum(np.pad(mask, (frames + 1, frames)))
    near: Array = total[2 * frames + 1 :] > total[: -2 * frames - 1]
    return near


def _median(column: Array) -> float:
    """The median of what is known, nan where nothing is."""
    known = column[np.isfinite(column)]
    return float(np.median(known)) if len(known) else UNKNOWN
