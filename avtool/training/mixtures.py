"""Cocktail parties made of clean voices (Ephrat et al., "Looking to Listen", 2018, section 3).

Each example is drawn from its own seed, so a run can stop and go on, and no mixture is seen twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from avtool.training.corpus import RATE, Recording
from avtool.values import Array


@dataclass(frozen=True)
class MixtureConfig:
    """What may happen in a mixture.

    Args:
        seconds: how long it is.
        voices: how many people, drawn from these; where it is none, there is noise.
        alike: how often they are all women or all men: the hard case.
        level: a voice's level in dB lies within this of 0.
        changed: how often a voice is another's by speed, pitch and timbre.
        room, noise, pauses: how often there is one.
        alone: how often there is noise where one speaks alone.
        noise_level: of the noise under the voices in dB, from and to.
    """

    seconds: float = 3.0
    voices: Sequence[int] = (2,)
    alike: float = 0.0
    level: float = 2.5
    changed: float = 0.7
    room: float = 0.25
    noise: float = 0.25
    pauses: float = 0.2
    alone: float = 0.0
    noise_level: tuple[float, float] = (-20.0, 0.0)


class Mixer:
    """Draws mixtures of recordings.

    Args:
        voices: the recordings to draw voices from. Readers are drawn evenly.
        noises: the recordings to draw noise from, besides made noise.
        rooms: impulse responses of real rooms, besides made ones.
    """

    def __init__(
        self,
        voices: Sequence[Recording],
        noises: Sequence[Recording],
        rooms: Sequence[Recording] = (),
    ) -> None:
        self._noises = [item.samples for item in noises]
        self._rooms = [item.samples for item in rooms]
        self._readers: dict[str, list[Array]] = {}
        for item in voices:
            self._readers.setdefault(item.speaker, []).append(item.samples)
        sexes = {item.speaker: item.sex for item in voices}
        self._names = sorted(self._readers)
        self._alike = [[n for n in self._names if sexes[n] == sex] for sex in "FM"]

    def draw(self, seed: Sequence[int], party: MixtureConfig, slots: int) -> Array:
        """One mixture's parts, float32 [slots + 1, time]: voices, silence, and the rest last.

        Their sum is the mixture. Not more than ``slots`` people speak.
        """
        rng = np.random.default_rng(seed)
        length = round(party.seconds * RATE)
        parts = np.zeros((slots + 1, length), np.float32)
        count = min(slots, int(rng.choice(party.voices)))
        room = self.room(rng) if rng.random() < party.room else None
        alike = rng.random() < party.alike
        names = self._alike[rng.integers(2)] if alike else self._names
        for slot, name in enumerate(rng.choice(names, count, replace=False)):
            voice = self.voice(rng, length, party, name)
            if room is not None:
                voice = room.heard(rng, voice)
            if count > 1 and rng.random() < party.pauses:
                voice = paused(rng, voice)
            gain = rng.uniform(-party.level, party.level)
            parts[slot] = voice * (10 ** (gain / 20) * 0.05 / (active_level(voice) + 1e-6))
        noisy = party.noise if count > 1 else max(party.noise, party.alone)
        if rng.random() < noisy or not count:
            parts[slots] = self.noise(rng, length, party)
        return parts * np.float32(10 ** (rng.uniform(-15, 10) / 20))

    def voice(
        self, rng: np.random.Generator, length: int, party: MixtureConfig, name: str | None = None
    ) -> Array:
        """A part of what a reader says, or anyone, at its own level: float32 [length]."""
        takes = self._readers[name or self._names[rng.integers(len(self._names))]]
        take = takes[rng.integers(len(takes))]
        if rng.random() >= party.changed:
            return cut(rng, take, length)
        speed = np.exp(rng.uniform(-0.17, 0.17))
        voice = cut(rng, take, round(length * speed))
        # Faster is also higher in pitch and formants: another throat. The tilt is another
        # microphone.
        spectrum = np.fft.rfft(voice)[: length // 2 + 1]
        spectrum = np.pad(spectrum, (0, length // 2 + 1 - len(spectrum)))
        return np.fft.irfft(spectrum * tilt(rng, len(spectrum)), length).astype(np.float32)

    def room(self, rng: np.random.Generator) -> Room:
        """A made room, or at times a real one."""
        real = self._rooms and rng.random() < 0.4
        return Room(rng, self._rooms[rng.integers(len(self._rooms))] if real else None)

    def noise(self, rng: np.random.Generator, length: int, party: MixtureConfig) -> Array:
        """A part of a noise, recorded or made, at the party's level against a voice's."""
        noise = self._any_noise(rng, length)
        gain = 10 ** (rng.uniform(*party.noise_level) / 20) * 0.05
        return noise * np.float32(gain / (np.sqrt(np.mean(noise**2)) + 1e-6))

    def _any_noise(self, rng: np.random.Generator, length: int) -> Array:
        if self._noises and rng.random() < 0.6:
            take = self._noises[rng.integers(len(self._noises))]
            return cut(rng, take, length)
        spectrum = np.fft.rfft(rng.standard_normal(length))
        pink = (1 + np.arange(len(spectrum)) / len(spectrum) * 400) ** -rng.uniform(0, 1)
        return np.fft.irfft(spectrum * pink * tilt(rng, len(spectrum)), length).astype(np.float32)


class Room:
    """A room: a direct sound, then a tail that decays, made (Polack's model, 1988) or recorded.

    Args:
        response: float [time], an impulse response; None makes one.
    """

    def __init__(self, rng: np.random.Generator, response: Array | None = None) -> None:
        self._decay = rng.uniform(0.1, 0.6)  # seconds to fall by 60 dB
        self._tail = rng.uniform(-12, 3)  # dB against the direct sound
        self._response = response

    def heard(self, rng: np.random.Generator, voice: Array) -> Array:
        """A voice as heard in it, from a place of its own; the direct sound is not delayed."""
        tail = self._made(rng) if self._response is None else self._recorded(rng)
        tail[: round(rng.uniform(0.002, 0.012) * RATE)] = 0
        tail *= 10 ** (self._tail / 20) / np.sqrt(np.sum(tail**2) + 1e-9)
        tail[0] = 1
        size = 1 << (len(voice) + len(tail) - 1).bit_length()
        wet = np.fft.irfft(np.fft.rfft(voice, size) * np.fft.rfft(tail, size), size)
        return wet[: len(voice)].astype(np.float32)

    def _made(self, rng: np.random.Generator) -> Array:
        length = round(self._decay * RATE)
        times = np.arange(length) / RATE
        tail: Array = rng.standard_normal(length) * 10 ** (-3 * times / self._decay)
        return tail

    def _recorded(self, rng: np.random.Generator) -> Array:
        """The response from its direct sound on, as from a place nearer or farther."""
        assert self._response is not None
        direct = int(np.abs(self._response).argmax())
        length = min(RATE, len(self._response) - direct)
        times = direct + np.arange(length) * rng.uniform(0.8, 1.25)
        tail: Array = np.interp(times, np.arange(len(self._response)), self._response)
        return tail


def active_level(voice: Array) -> float:
    """Root mean square of the 20-ms frames that are not pauses."""
    frames = voice[: len(voice) // 320 * 320].reshape(-1, 320)
    power = np.mean(frames**2, axis=1)
    return float(np.sqrt(np.mean(power[power >= 0.01 * power.max()]))) if len(power) else 0.0


def paused(rng: np.random.Generator, voice: Array) -> Array:
    """The voice with a part of it silent, so that people also take turns."""
    first, last = np.sort(rng.integers(0, len(voice), 2))
    gate = np.ones(len(voice), np.float32)
    gate[first:last] = 0
    ramp = np.hanning(641).astype(np.float32)
    return voice * np.convolve(gate, ramp / ramp.sum(), "same").astype(np.float32)


def cut(rng: np.random.Generator, take: Array, length: int) -> Array:
    """A random part of a recording, or all of a short one somewhere in silence."""
    if len(take) < length:
        place = rng.integers(0, length - len(take) + 1)
        return np.pad(take, (place, length - len(take) - place))
    first = rng.integers(0, len(take) - length + 1)
    return take[first : first + length]


def tilt(rng: np.random.Generator, bins: int) -> Array:
    """A smooth random gain over frequency, within some 6 dB."""
    knots = rng.normal(0, 3, 7).clip(-6, 6)
    return 10 ** (np.interp(np.linspace(0, 6, bins), np.arange(7), knots) / 20)
