"""The same words by other throats: pitch, melody and formants changed, the timing kept.

WORLD (Morise et al., 2016) takes a voice apart into pitch, envelope and breath, and puts it
together again: one man's clips become high and low voices whose lips are still known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from avtool.training.corpus import RATE
from avtool.values import Array

Span = tuple[float, float]
Throat = tuple[Span, Span, Span]

# From and to, as factors: of pitch, of formants, and of melody. Most people speak higher than a
# man; a reader's other throats stay those of the same sex.
HIGH: Throat = ((1.3, 2.4), (1.0, 1.3), (0.5, 1.8))
NEAR: Throat = ((0.75, 1.8), (0.85, 1.2), (0.5, 1.8))
LIKE: Throat = ((0.76, 1.32), (0.88, 1.14), (0.7, 1.5))


def other_throats(
    rng: np.random.Generator,
    voice: Array,
    throats: Sequence[Throat] = (HIGH, NEAR),
    highest: float = 300.0,
) -> Array:
    """Voices that say the same at the same time, float32 [throats, time], of [time] at 16 kHz.

    Args:
        highest: pitch that the voice itself may have, in Hz.
    """
    import pyworld  # of the extra "train"; nothing else needs it

    sound = voice.astype(np.float64)
    pitch, times = pyworld.dio(sound, RATE, f0_floor=60, f0_ceil=highest)
    pitch = pyworld.stonemask(sound, pitch, times, RATE)
    envelope = pyworld.cheaptrick(sound, pitch, times, RATE)
    breath = pyworld.d4c(sound, pitch, times, RATE)
    made = []
    for spans in throats:
        factor, formant = (np.exp(rng.uniform(*np.log(span))) for span in spans[:2])
        other = pitch.copy()
        voiced = other > 0
        if voiced.any():
            usual = np.exp(np.log(other[voiced]).mean())
            other[voiced] = usual * factor * (other[voiced] / usual) ** rng.uniform(*spans[2])
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
