"""The same reader younger, older, larger or smaller: made voices whose age and throat are known.

What changes with age is rounded from the literature: pitch and formants of children (Lee,
Potamianos and Narayanan 1999), the growth of the vocal tract (Fitch and Giedd 1999), pitch over
adult life (Nishio and Niimi 2008), shaking, breath and pace in old age (Linville 2001). A reader's
own age is not known: all are taken for grown people of forty.
"""

from __future__ import annotations

import numpy as np

from avtool.training.voice_conversion import Parts, synthesise
from avtool.values import Array

YEARS = (8, 10, 12, 14, 16, 18, 25, 40, 60, 75, 85)
# Against someone of forty and of the same sex, at those years.
PITCH = {
    "F": (1.30, 1.25, 1.18, 1.12, 1.08, 1.06, 1.05, 1.00, 0.93, 0.92, 0.93),
    "M": (2.30, 2.20, 2.00, 1.50, 1.13, 1.08, 1.03, 1.00, 1.03, 1.12, 1.20),
}
TRACT = {
    "F": (0.84, 0.88, 0.92, 0.96, 0.98, 0.99, 1.00, 1.00, 1.01, 1.02, 1.03),
    "M": (0.72, 0.76, 0.80, 0.88, 0.95, 0.98, 1.00, 1.00, 1.01, 1.02, 1.03),
}
PACE = (0.92, 0.96, 1.00, 1.00, 1.00, 1.00, 1.00, 1.00, 0.95, 0.86, 0.80)
SHAKING = (0.006, 0.005, 0.004, 0.003, 0.0, 0.0, 0.0, 0.0, 0.004, 0.012, 0.020)
BREATH = (0.05, 0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.05, 0.15, 0.25)
CHILD = 13  # years, below which boys sound like girls: women say their words
SPREAD = 0.05  # of the tract's length among people of one sex and age, a part of it


def aged(rng: np.random.Generator, parts: Parts, sex: str, age: float, tract: float) -> Array:
    """A reader's words by a throat of another age, float32 [time] at 16 kHz.

    Args:
        parts: of a reader of that sex, or of a woman for a child.
        tract: how much longer than the reader's the tract is beside what age does, in ``SPREAD``.
    """

    def at(values: tuple[float, ...]) -> float:
        return float(np.interp(age, YEARS, values))

    reader = "F" if age < CHILD else sex
    length = at(TRACT[reader]) * np.exp(SPREAD * tract)
    frames = len(parts.pitch)
    times = np.arange(frames) * 0.005
    depth = at(SHAKING) * rng.uniform(0.3, 1.7)
    tremor = np.sin(2 * np.pi * rng.uniform(4, 7) * times + rng.uniform(0, 6))
    shake = 1 + depth * (1.5 * tremor + rng.standard_normal(frames))
    return synthesise(
        parts,
        at(PITCH[reader]) * np.exp(rng.normal(0, 0.06)),
        1 / length,
        melody=float(np.exp(rng.normal(0, 0.2))),
        shake=shake,
        breathier=min(0.5, at(BREATH) * rng.uniform(0.3, 1.7)),
        slower=float(np.clip(1 / at(PACE) * np.exp(rng.normal(0, 0.05)), 0.8, 1.4)),
    )
