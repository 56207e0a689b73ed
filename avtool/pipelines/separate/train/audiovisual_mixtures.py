"""Cocktail parties at which some of the faces are seen (Ephrat et al., 2018).

Voices come from clips of people who talk to a camera, said again by other throats so that the lips
are not the voice of one person, and from readers whose faces nobody sees. Sometimes a face only
listens, lips are lost for a while, or they are another clip's: what is seen must not be believed
blindly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from avtool.models.lipvoice import FPS, FRAME_SAMPLES
from avtool.pipelines.separate.train.lipvoice import Pairs
from avtool.training.mixtures import Mixer, MixtureConfig, active_level, paused
from avtool.values import Array


@dataclass(frozen=True)
class Scene:
    """A mixture and who is seen.

    Shape:
        parts: float32 [slots + 1, time], voices and the rest; lips: float32 [slots, frames, 40, 2];
        seen: bool [slots, frames], where lips are there at all; known: bool [slots], slots whose
        lips are the voice's own
    """

    parts: Array
    lips: Array
    seen: Array
    known: Array


class AudiovisualMixer:
    """Draws scenes.

    Args:
        mixer: draws the voices that nobody sees, and noise.
        pairs: the clips of talking people, and how lips are changed.
    """

    def __init__(self, mixer: Mixer, pairs: Pairs) -> None:
        self._mixer, self._pairs = mixer, pairs

    def draw(
        self, seed: Sequence[int], party: MixtureConfig, slots: int, faces: float = 0.75
    ) -> Scene:
        """One scene; each voice shows its face as often as ``faces``."""
        rng = np.random.default_rng(seed)
        frames = round(party.seconds * FPS)
        length = frames * FRAME_SAMPLES
        parts = np.zeros((slots + 1, length), np.float32)
        lips = np.zeros((slots, frames, 40, 2), np.float32)
        seen, known = np.zeros((slots, frames), bool), np.zeros(slots, bool)
        chosen = self._pairs.people(rng, 2 * slots)
        throat = int(rng.integers(1 << 16)) if rng.random() < 0.6 else None
        room = self._mixer.room(rng) if rng.random() < party.room else None
        listens = slots - 1 if rng.random() < 0.08 else -1
        for slot in range(slots):
            clips, index = chosen[slot]
            speed = float(np.exp(rng.uniform(-0.17, 0.17))) if rng.random() < party.changed else 1.0
            speed = min(speed, (clips.lips.shape[1] - 1) / frames)
            need = int(np.ceil(frames * speed)) + 1
            first = int(rng.integers(0, max(0, clips.lips.shape[1] - need) + 1))
            times = first + np.arange(frames) * speed
            if slot == listens:
                # A still mouth, or one that talks and is not heard.
                at = np.zeros_like(times) + first if rng.random() < 0.5 else times
                lips[slot] = self._pairs.moved_lips(rng, clips.lips[index], at)
                seen[slot] = known[slot] = True
                continue
            if rng.random() < faces:
                count = clips.sound.shape[1]
                row = rng.integers(count) if throat is None else throat % count
                voice = self._said(clips.voice(index, int(row)), first, speed, length)
                wrong = rng.random() < 0.08
                shown, at = chosen[slots + slot] if wrong else (clips, index)
                distraction = self._pairs.distraction(rng)
                lips[slot] = self._pairs.moved_lips(rng, shown.lips[at], times, distraction)
                seen[slot], known[slot] = True, not wrong
                if rng.random() < 0.15:
                    lost = np.sort(rng.integers(0, frames + 1, 2))
                    seen[slot, lost[0] : lost[1]] = False
                    known[slot] &= seen[slot].mean() > 0.4
            else:
                voice = self._mixer.voice(rng, length, party)
            if room is not None:
                voice = room.heard(rng, voice)
            if rng.random() < party.pauses:
                voice = paused(rng, voice)
            gain = rng.uniform(-party.level, party.level)
            parts[slot] = voice * (10 ** (gain / 20) * 0.05 / (active_level(voice) + 1e-6))
        if rng.random() < party.noise:
            parts[slots] = self._mixer.noise(rng, length, party)
        order = rng.permutation(slots)
        parts[:slots] = parts[order]
        parts *= np.float32(10 ** (rng.uniform(-15, 10) / 20))
        return Scene(parts, lips[order], seen[order], known[order])

    @staticmethod
    def _said(sound: Array, first: int, speed: float, length: int) -> Array:
        times = first * FRAME_SAMPLES + np.arange(length) * speed
        voice: Array = np.interp(times, np.arange(len(sound)), sound).astype(np.float32)
        return voice
