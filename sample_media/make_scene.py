"""Makes scene.ogg: a sentence, a guitar, both at once, a telephone that is busy.

python sample_media/make_scene.py

The sentence is speech.wav's; the guitar is made by formula (Karplus & Strong, "Digital synthesis of
plucked-string and drum timbres", 1983), the telephone by its two tones.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr

RATE = 16_000
HERE = Path(__file__).parent
CHORDS = ((196, 247, 294, 392), (165, 196, 247, 330), (131, 165, 196, 262), (147, 185, 220, 294))


def string(hz: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A plucked string: noise that goes round, its neighbours averaged each time."""
    period = round(RATE / hz)
    ring = rng.uniform(-1, 1, period)
    sound = np.empty(int(seconds * RATE))
    for n in range(0, len(sound), period):
        part = ring[: len(sound) - n]
        sound[n : n + len(part)] = part
        ring = 0.996 * 0.5 * (ring + np.roll(ring, 1))
    return sound


def guitar(seconds: float) -> np.ndarray:
    """Chords, each string a little after the one before."""
    rng = np.random.default_rng(7)
    whole = np.zeros(int(seconds * RATE) + 3 * RATE)
    beat = 0.0
    number = 0
    while beat < seconds - 0.5:
        for place, hz in enumerate(CHORDS[number // 4 % 4]):
            note = string(hz, 2.0, rng)
            first = int((beat + 0.02 * place) * RATE)
            whole[first : first + len(note)] += 0.08 * note
        beat += 0.45
        number += 1
    return whole[: int(seconds * RATE)]


def main() -> None:
    samples, rate = soundfile.read(HERE / "speech.wav", always_2d=True)
    speech = soxr.resample(samples.mean(1), rate, RATE)
    t = np.arange(3 * RATE) / RATE
    busy = 0.08 * (np.sin(2 * np.pi * 480 * t) + np.sin(2 * np.pi * 620 * t)) * (t % 1 < 0.5)
    whole = np.zeros(24 * RATE)
    for sound, at in ((speech, 0.5), (guitar(11), 7.0), (0.9 * speech, 11.5), (busy, 19.5)):
        first = int(at * RATE)
        whole[first : first + len(sound)] += sound
    rng = np.random.default_rng(8)
    soundfile.write(HERE / "scene.ogg", whole + 1e-4 * rng.standard_normal(len(whole)), RATE)


if __name__ == "__main__":
    main()
