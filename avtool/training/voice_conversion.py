"""The same words by other throats: pitch, melody and formants changed, the timing kept.

WORLD (Morise et al., 2016) takes a voice analyse into pitch, envelope and breath, and puts it
synthesise again: one man's clips become high and low voices whose lips are still known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from avtool.values import RATE, Array

Span = tuple[float, float]
Throat = tuple[Span, Span, Span]

# From and to, as factors: of pitch, of formants, and of melody. Most people speak higher than a
# man; a reader's other throats stay those of the same sex.
HIGH: Throat = ((1.3, 2.4), (1.0, 1.3), (0.5, 1.8))
NEAR: Throat = ((0.75, 1.8), (0.85, 1.2), (0.5, 1.8))
LIKE: Throat = ((0.76, 1.32), (0.88, 1.14), (0.7, 1.5))


def other_voices(
    rng: np.random.Generator,
    voice: Array,
    throats: Sequence[Throat] = (HIGH, NEAR),
    highest: float = 300.0,
) -> Array:
    """Voices that say the same at the same time, float32 [throats, time], of [time] at 16 kHz.

    Args:
        highest: pitch that the voice itself may have, in Hz.
    """
    parts = analyse(voice, highest)
    made = []
    for spans in throats:
        factor, formant = (np.exp(rng.uniform(*np.log(span))) for span in spans[:2])
        made.append(synthesise(parts, factor, formant, melody=rng.uniform(*spans[2])))
    return np.stack(made)


@dataclass(frozen=True, eq=False)
class Parts:
    """A voice taken analyse, a frame each 5 ms: pitch in Hz or 0, the others [frames, bins]."""

    pitch: Array
    envelope: Array
    breath: Array
    length: int  # of the sound, in samples


def analyse(voice: Array, highest: float = 420.0) -> Parts:
    """A voice at 16 kHz, [time], as pitch, envelope and breath."""
    import pyworld  # of the extra "train"; nothing else needs it

    sound = voice.astype(np.float64)
    pitch, times = pyworld.dio(sound, RATE, f0_floor=60, f0_ceil=highest)
    pitch = pyworld.stonemask(sound, pitch, times, RATE)
    envelope = pyworld.cheaptrick(sound, pitch, times, RATE)
    return Parts(pitch, envelope, pyworld.d4c(sound, pitch, times, RATE), len(voice))


def synthesise(
    parts: Parts,
    factor: float,
    formant: float,
    *,
    melody: float = 1.0,
    shake: Array | None = None,
    breathier: float = 0.0,
    slower: float = 1.0,
) -> Array:
    """A voice from its parts, changed, float32 [time].

    Args:
        factor, formant: of pitch, and of the formants' places; melody: of pitch's excursions.
        shake: of pitch, a factor a frame [frames]; breathier: 0 to 1; slower: than it was.
    """
    import pyworld

    other = parts.pitch.copy()
    voiced = other > 0
    if voiced.any():
        usual = np.exp(np.log(other[voiced]).mean())
        other[voiced] = usual * factor * (other[voiced] / usual) ** melody
    if shake is not None:
        other *= shake
    bins = parts.envelope.shape[1]
    place = np.clip(np.arange(bins) / formant, 0, bins - 1.001)
    low, part = place.astype(int), place % 1
    logs = np.log(parts.envelope + 1e-16)
    moved = np.exp(logs[:, low] * (1 - part) + logs[:, low + 1] * part)
    breathy = parts.breath[:, low] * (1 - part) + parts.breath[:, low + 1] * part
    breathy += breathier * (1 - breathy) * np.linspace(0, 1, breathy.shape[1])
    found = pyworld.synthesize(
        other,
        np.ascontiguousarray(moved),
        np.ascontiguousarray(breathy),
        RATE,
        frame_period=5.0 * slower,
    )
    length = round(parts.length * slower)
    found = np.pad(found, (0, max(0, length - len(found))))[:length]
    return np.asarray(found / max(1.0, np.abs(found).max() * 1.01), np.float32)
