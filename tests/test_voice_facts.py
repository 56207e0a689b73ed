"""What a voice measures, against librosa's pitch and against voices made of known parts."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from avtool.signal.formants import best_ceiling, formants, tract_length
from avtool.signal.pitch import pitch
from avtool.signal.voice_features import VoiceFacts, measure, syllables, tilt

RATE = 16_000
SOUND = 35_000.0  # cm a second
SPEECH = Path(__file__).parents[1] / "sample_media" / "speech.wav"


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return soundfile.read(SPEECH, dtype="float32")[0]


@pytest.fixture(scope="module")
def facts(speech: np.ndarray) -> VoiceFacts:
    return measure(speech, RATE)


def harmonics(hz: np.ndarray, slope: float = -6.0) -> np.ndarray:
    """A pulse train of a pitch [time], its harmonics falling by so many dB an octave."""
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    numbers = np.arange(1, int(7900 / hz.min()) + 1)
    waves = (n ** (slope / 6.0206) * np.where(n * hz < 7900, np.cos(n * phase), 0) for n in numbers)
    total: np.ndarray = sum(waves, np.zeros(len(hz)))
    return total.astype(np.float32)


def glide(low: float, high: float, seconds: float = 2.0) -> np.ndarray:
    return low * (high / low) ** np.linspace(0, 1, round(seconds * RATE))


# How far vowels move the first three formants from those of a uniform tube.
VOWELS = np.array([[0.6, 1.4, 1.1], [1.4, 0.8, 1.0], [0.65, 0.6, 0.95], [1.0, 1.0, 1.0]])


def vowels(length: float, hz: float, seconds: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """A source through resonators that glide between vowels, and its formants [time, 4]."""
    count = round(seconds * RATE)
    at = np.linspace(0, len(VOWELS) - 1, count)
    uniform = (np.arange(8) + 0.5) * SOUND / (2 * length)
    resonances = np.tile(uniform, (count, 1))
    for k, moved in enumerate(VOWELS.T):
        resonances[:, k] *= np.interp(at, np.arange(len(VOWELS)), moved)
    truth = resonances[:, :4].copy()
    resonances = resonances[:, uniform < 7800]
    source = harmonics(glide(0.9 * hz, 1.1 * hz, seconds), -12.0)
    out = np.zeros(count)
    edges = np.arange(0, count + 1, 80)
    held = np.zeros((resonances.shape[1], 2))
    for first, last in pairwise(edges):
        block = source[first:last].astype(float)
        for k, centre in enumerate(resonances[first]):
            block = resonated(block, centre, 50 + 0.03 * centre, held[k])
        out[first:last] = block
    return (out / np.abs(out).max()).astype(np.float32), truth


def resonated(block: np.ndarray, hz: float, width: float, held: np.ndarray) -> np.ndarray:
    """One pair of poles with gain 1 at 0 Hz (Klatt 1980); ``held`` is its past, kept up."""
    r = math.exp(-math.pi * width / RATE)
    b, c = 2 * r * math.cos(2 * math.pi * hz / RATE), -r * r
    y1, y2 = held
    out = []
    for x in ((1 - b - c) * block).tolist():
        y1, y2 = x + b * y1 + c * y2, y1
        out.append(y1)
    held[:] = y1, y2
    return np.array(out)


def cents(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.abs(1200 * np.log2(found / truth))


@pytest.mark.parametrize("ends", [(62, 70), (65, 130), (100, 300), (250, 590)])
def test_pitch_of_glides(ends: tuple[float, float]) -> None:
    hz = glide(*ends)
    found, strength = pitch(harmonics(hz), RATE)
    inner = slice(3, -3)
    assert found.dtype == strength.dtype == np.float32
    assert (found[inner] > 0).all()
    assert cents(found[inner], hz[80::160][inner]).max() < 3
    assert np.median(strength) > 0.98


def test_pitch_agrees_with_pyin(speech: np.ndarray) -> None:
    found, _ = pitch(speech, RATE)
    # pyin's frame k is centred at k * 10 ms, half a step before ours.
    theirs, voiced, _ = librosa.pyin(
        speech[80:], fmin=60, fmax=600, sr=RATE, hop_length=160, frame_length=1024
    )
    count = min(len(found), len(theirs))
    found, theirs, voiced = found[:count], theirs[:count], voiced[:count]
    both = voiced & (found > 0)
    apart = cents(found[both], theirs[both])
    assert both.sum() > 300
    assert np.median(apart) < 15
    assert (apart > 315).mean() < 0.01  # gross errors: 20 % and more
    assert (voiced == (found > 0)).mean() > 0.92


def test_noise_has_no_pitch() -> None:
    noise = np.random.default_rng(0).standard_normal(5 * RATE).astype(np.float32)
    found, strength = pitch(noise, RATE)
    assert not found.any()
    assert strength.max() < 0.45
    told = measure(noise, RATE)
    assert told.seconds == 0
    assert all(math.isnan(x) for x in (told.pitch, told.tract_length, told.tilt, *told.formants))


@pytest.mark.parametrize("length", [0, 1, 100, 1600])
def test_next_to_nothing_tells_nothing(length: int) -> None:
    assert math.isnan(measure(np.zeros(length, np.float32), RATE).pitch)
    assert math.isnan(measure(np.zeros(length, np.float32), RATE, np.ones(3, bool)).pitch)


@pytest.fixture(scope="module")
def tubes() -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """Voices of throats from a child's to a tall man's, by their length in cm."""
    pitches = {11.0: 260.0, 13.0: 220.0, 15.0: 190.0, 17.0: 115.0, 19.0: 90.0}
    return {length: vowels(length, hz) for length, hz in pitches.items()}


def test_formants_are_those_of_the_synthesiser(
    tubes: dict[float, tuple[np.ndarray, np.ndarray]],
) -> None:
    for length, (sound, truth) in tubes.items():
        voiced = pitch(sound, RATE)[0] > 0
        found = formants(sound, RATE, voiced)
        assert np.isnan(found[~voiced]).all()
        error = np.abs(np.log(found / truth[80::160]))[5:-5]
        # The first formant lies between a high voice's harmonics, which it is drawn to.
        assert np.nanmedian(error[:, 0]) < 0.12, length
        assert (np.nanmedian(error[:, 1:], 0) < 0.04).all(), length


def test_tract_length_and_ceiling_follow_the_throat(
    tubes: dict[float, tuple[np.ndarray, np.ndarray]],
) -> None:
    lengths = np.array(list(tubes))
    voiced = {length: pitch(sound, RATE)[0] > 0 for length, (sound, _) in tubes.items()}
    ceilings = [best_ceiling(tubes[k][0], RATE, voiced[k]) for k in tubes]
    found = [tract_length(formants(tubes[k][0], RATE, voiced[k])) for k in tubes]
    slope = np.polyfit(np.log(lengths), np.log(found), 1)[0]
    assert abs(slope - 1) < 0.08
    assert np.abs(np.log(found / lengths)).max() < 0.05
    assert ceilings[0] > 1.4 * ceilings[-1]
    # A man's ceiling would make the child's throat longer: the choice matters.
    wrong = tract_length(formants(tubes[11.0][0], RATE, voiced[11.0], 4700.0))
    assert wrong > 13


@pytest.mark.parametrize("slope", [-3.0, -6.0, -12.0])
@pytest.mark.parametrize("hz", [90.0, 220.0])
def test_tilt_of_pulses(slope: float, hz: float) -> None:
    sound = harmonics(np.full(2 * RATE, hz), slope)
    some = np.arange(200) % 199 > 3
    assert tilt(sound, RATE, some, hz) == pytest.approx(slope, abs=0.5)


@pytest.mark.parametrize("slope", [0.0, -6.0])
def test_tilt_of_noise(slope: float) -> None:
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(8 * RATE))
    spectrum[1:] *= np.arange(1, len(spectrum)) ** (slope / 6.0206)
    noise = np.fft.irfft(spectrum).astype(np.float32)
    assert tilt(noise, RATE, np.ones(800, bool), 120.0) == pytest.approx(slope, abs=0.5)


@pytest.mark.parametrize("rate", [2.0, 4.0, 6.0])
def test_syllables_of_a_known_train(rate: float) -> None:
    voice = harmonics(np.full(4 * RATE, 120.0), -12.0)
    times = np.arange(len(voice)) / RATE
    swelling = 10 ** (-0.4 * (1 + np.cos(2 * np.pi * rate * times)))  # dips of 16 dB
    voiced = np.ones(400, bool)
    assert syllables(voice * swelling, RATE, voiced) == pytest.approx(4 * rate, abs=1)
    # Swelling by 1 dB makes no syllables, nor does what is not voiced.
    assert syllables(voice * 10 ** (0.025 * np.sin(2 * np.pi * rate * times)), RATE, voiced) <= 1
    assert syllables(voice * swelling, RATE, ~voiced) == 0


def test_a_reading_voice_is_plausible(facts: VoiceFacts) -> None:
    assert 5 < facts.seconds < 5.87
    assert 60 < facts.pitch_low < facts.pitch < facts.pitch_high < 300
    assert list(facts.formants) == sorted(facts.formants)
    assert 12 < facts.tract_length < 19
    assert -14 < facts.tilt < -3
    assert 2.5 < facts.syllables < 7


@pytest.mark.parametrize("length", [13.0, 17.0])
def test_spacing_is_that_of_the_tube(
    tubes: dict[float, tuple[np.ndarray, np.ndarray]], length: float
) -> None:
    """Sound needs as long for twice the tube as the formants are apart, in the known tube."""
    told = measure(tubes[length][0], RATE)
    assert told.spacing == pytest.approx(SOUND / (2 * length), rel=0.06)
    assert told.tract_length == pytest.approx(length, rel=0.06)


def test_level_changes_nothing(speech: np.ndarray, facts: VoiceFacts) -> None:
    quiet = measure(speech * np.float32(0.003), RATE)
    for name in ("seconds", "pitch", "pitch_low", "tract_length", "tilt", "syllables"):
        assert getattr(quiet, name) == pytest.approx(getattr(facts, name), rel=0.01), name


def test_noise_changes_the_medians_little(speech: np.ndarray, facts: VoiceFacts) -> None:
    noise = np.random.default_rng(0).standard_normal(len(speech)) * speech.std()
    noisy = measure((speech + 0.1 * noise).astype(np.float32), RATE)
    assert noisy.pitch == pytest.approx(facts.pitch, rel=0.01)
    assert noisy.tract_length == pytest.approx(facts.tract_length, rel=0.07)
    assert noisy.tilt == pytest.approx(facts.tilt, abs=1.5)


def test_only_what_is_said_is_measured() -> None:
    """The mask decides between two voices that take turns."""
    low, high = (harmonics(np.full(RATE, hz), -9.0) for hz in (100.0, 230.0))
    both = np.tile(np.concatenate([low, high]), 3)
    mask = np.arange(600) % 200 < 100
    first, second = measure(both, RATE, mask), measure(both, RATE, ~mask)
    assert first.pitch == pytest.approx(100, rel=0.01)
    assert second.pitch == pytest.approx(230, rel=0.01)
    assert first.seconds == second.seconds == pytest.approx(3)


def test_a_long_recording_is_measured_by_a_spread_minute(speech: np.ndarray) -> None:
    whole = len(speech) // 160 * 160
    once = measure(speech[:whole], RATE)
    silence = np.zeros(120 * RATE, np.float32)
    long = np.concatenate([np.tile(speech[:whole], 20), silence])
    found = measure(long, RATE, np.arange(len(long) // 160) < 20 * whole // 160)
    assert found.seconds == pytest.approx(20 * whole / RATE, rel=0.01)
    assert found.pitch == pytest.approx(once.pitch, rel=0.02)
    assert found.tract_length == pytest.approx(once.tract_length, rel=0.04)
    unmasked = measure(long, RATE)
    assert unmasked.pitch == pytest.approx(once.pitch, rel=0.02)
