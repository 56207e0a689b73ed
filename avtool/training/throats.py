"""The same words by other throats: pitch, melody and formants changed, the timing kept.

WORLD (Morise et al., 2016) takes a voice apart into pitch, envelope and breath, and puts it
together again: one man's clips become high and low voices whose lips are still known.
"""

from __future__ import annotations

import numpy as np

from avtool.training.corpus import RATE
from avtool.values import Array

# From and to, as factors: of pitch and of formants. Most people speak higher than a man.
HIGH = ((1.3, 2.4), (1.0, 1.3))
NEAR = ((0.75, 1.8), (0.85, 1.2))


def other_throats(rng: np.random.Generator, voice: Array) -> Array:
    """Two voices that say the same at the same time, float32 [2, time], of [time] at 16 kHz."""
    import pyworld  # of the extra "train"; nothing else needs it

    sound = voice.astype(np.float64)
    pitch, times = pyworld.dio(sound, RATE, f0_floor=60, f0_ceil=300)
    pitch = pyworld.stonemask(sound, pitch, times, RATE)
    envelope = pyworld.cheaptrick(sound, pitch, times, RATE)
    breath = pyworld.d4c(sound, pitch, times, RATE)
    made = []
    for pitches, formants in (HIGH, NEAR):
        factor, formant = (np.exp(rng.uniform(*np.log(span))) for span in (pitches, formants))
        other = pitch.copy()
        voiced = other > 0
        if voiced.any():
            usual = np.exp(np.log(other[voiced]).mean())
            other[voiced] = usual * factor * (other[voiced] / usual) ** rng.uniform(0.5, 1.8)
        place = np.clip(np.arange(envelope.shape[1]) / formant, 0, envelope.shape[1] - 1.001)
        low, part = place.astype(int), place % 1
        logs = np.log(envelope + 1e-16)
        moved = np.exp(logs[:, low] * (1 - part) + logs[:, low + 1] * part)
        breathy = breath[:, low] * (1 - part) + breath[:, low + 1] * part
        sound_of = pyworld.synthesize(
            other, np.ascontiguousarray(moved), np.ascontiguousarray(breathy), RATE
        )[: len(voice)]
        sound_of = np.pad(sound_of, (0, len(voice) - len(sound_of)))
        made.append(sound_of / max(1.0, np.abs(sound_of).max() * 1.01))
    return np.stack(made).astype(np.float32)
