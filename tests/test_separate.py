"""The voice of a face: nothing is lost, nothing is swapped, and the face decides."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from avtool.errors import InputError
from avtool.face import Track
from avtool.media import Clip
from avtool.models.lipvoice import LAG, LipVoice
from avtool.models.separator import Config, Separator
from avtool.pipelines.separate import pipeline as separate
from avtool.pipelines.separate.pipeline import Options, shares
from avtool.signal.resample import at_rate
from avtool.speakers import sync
from avtool.speakers.assignment import Window, assign
from avtool.speakers.separation import STEP, WINDOW, Models, windows
from avtool.values import Audio

RNG = np.random.default_rng(3)
NOBODY = np.zeros((3, 0), bool)


def noise(channels: int, seconds: float, rate: int) -> np.ndarray:
    return (RNG.standard_normal((channels, round(seconds * rate))) * 0.1).astype(np.float32)


def face(number: int, frames: int) -> Track:
    lips = RNG.standard_normal((frames, 40, 3)).astype(np.float32)
    seen = np.arange(frames)
    portrait = np.zeros((160, 160, 3), np.uint8)
    return Track(
        number, seen, np.zeros((frames, 4), np.float32), lips, np.ones(frames), portrait, 0
    )


def counting(voices: int) -> Separator:
    """A separator, tiny and untrained, that is sure how many people speak."""
    torch.manual_seed(0)
    tiny = Separator(Config(width=8, hidden=8, blocks=1)).eval()
    with torch.no_grad():
        tiny.count.out.weight.zero_()
        tiny.count.out.bias[:] = 20 * torch.nn.functional.one_hot(torch.tensor(voices), 4)
    return tiny


@pytest.fixture
def twins() -> Models:
    """Networks of the same shape, tiny and untrained, for which two people speak."""
    return Models(counting(2), LipVoice().eval(), "cpu")


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_voices_and_rest_sum_to_the_source(twins: Models, rate: int, channels: int) -> None:
    sound = noise(channels, 15.3, rate)
    audio = Audio(lambda: iter(np.array_split(sound, 7, 1)), rate, channels, sound.shape[1])
    clip = Clip("talk", audio, None, 15.3)
    result = separate.run(clip, tracks=[face(1, 380), face(2, 380)], models=twins)
    parts = [voice.samples for voice in result.voices.values()] + [result.rest.samples]
    assert [part.shape for part in parts] == [sound.shape] * 3
    np.testing.assert_allclose(sum(parts), sound, atol=1e-4)
    assert np.abs(result.rest.samples).max() > 0.01  # the untrained network leaves much


@pytest.mark.parametrize("samples", [1, 100, 700, 16_001])
def test_however_short(twins: Models, samples: int) -> None:
    sound = noise(2, 2, 44_100)[:, :samples]
    clip = Clip("talk", Audio.of(sound, 44_100), None, None)
    result = separate.run(clip, tracks=[face(1, 50)], models=twins)
    whole = result.voices[1].samples + result.rest.samples
    np.testing.assert_allclose(whole, sound, atol=1e-4)


def test_one_face_is_the_same_as_in_all(twins: Models) -> None:
    sound = noise(1, 9, 16_000)
    clip = Clip("talk", Audio.of(sound, 16_000), None, 9.0)
    tracks = [face(1, 225), face(2, 225)]
    every = separate.run(clip, tracks=tracks, models=twins)
    one = separate.run(clip, Options(face=2), tracks=tracks, models=twins)
    np.testing.assert_array_equal(one.voices[2].samples, every.voices[2].samples)


def test_an_unknown_face_tells_how_many_there_are(twins: Models) -> None:
    clip = Clip("talk.mp4", Audio.of(noise(1, 1, 16_000), 16_000), None, 1.0)
    with pytest.raises(InputError, match=r"has no face 7; it has 2 faces, 1 to 2.*avtool faces"):
        separate.run(clip, Options(face=7), tracks=[face(1, 25), face(2, 25)], models=twins)
    with pytest.raises(InputError, match="shows no face"):
        separate.run(clip, Options(face=1), tracks=[], models=twins)


@pytest.mark.parametrize("seconds", [0.5, 8.0, 8.5, 14.0, 31.0])
def test_windows_cover_everything_once_but_the_overlap(seconds: float) -> None:
    sound = np.arange(round(seconds * 100), dtype=np.float32)[None]
    audio = Audio(lambda: iter(np.array_split(sound, 5, 1)), 100, 1)
    cuts = list(windows(audio))
    assert [first for first, _ in cuts] == [n * STEP * 100 for n in range(len(cuts))]
    for first, part in cuts:
        np.testing.assert_array_equal(part[0], sound[0, first : first + WINDOW * 100])
    assert cuts[-1][0] + cuts[-1][1].shape[1] == sound.shape[1]


def window(evidence: list[list[float]], follows: list[list[float]]) -> Window:
    voices = len(evidence[0])
    return Window(0, np.array(evidence), np.full(voices, 0.5), np.array(follows), NOBODY)


STAYS, SWAPS = [[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]


def test_a_face_keeps_its_voice_when_the_outputs_swap() -> None:
    sure, unsure = [[20.0, -20.0], [-20.0, 20.0]], [[0.5, 0.6], [0.6, 0.5]]
    found = [window(sure, [[0.0] * 2] * 2), window(unsure, SWAPS), window(unsure, STAYS)]
    assert assign(found) == [(0, 1), (1, 0), (1, 0)]
    # The control: where nothing goes on, each window decides by itself.
    alone = [window(sure, [[0.0] * 2] * 2), window([[2.0, -2.0], [-2.0, 2.0]], [[0.0] * 2] * 2)]
    assert assign(alone) == [(0, 1), (0, 1)]


def test_later_windows_correct_earlier_ones() -> None:
    wrong, right = [[-1.0, 1.0], [1.0, -1.0]], [[20.0, -20.0], [-20.0, 20.0]]
    assert assign([window(wrong, STAYS), window(right, STAYS)])[0] == (0, 1)


def test_a_listener_and_an_unseen_speaker_get_no_voice() -> None:
    listener = [[15.0, -15.0], [-9.0, -12.0]]
    assert assign([window(listener, STAYS)]) == [(0, -1)]
    one_face = [[-15.0, 15.0]]
    assert assign([window(one_face, STAYS)]) == [(-1, 0)]


def test_many_faces_are_few_voices() -> None:
    evidence = np.full((20, 3), -5.0)
    evidence[13, 2], evidence[4, 0] = 9.0, 8.0
    found = Window(0, evidence, np.full(3, 0.3), np.zeros((3, 3)), NOBODY)
    assert assign([found]) == [(4, -1, 13)]


def test_a_quiet_part_is_no_voice() -> None:
    found = Window(0, np.array([[9.0, 3.0]]), np.array([1.0, 1e-5]), np.zeros((2, 2)), NOBODY)
    assert assign([found]) == [(0, -1)]


def test_stereo_keeps_its_sides() -> None:
    """Two tones that do not overlap in frequency, one on each side: each stays on its side."""
    times = np.arange(32_000) / 16_000
    left, right = np.sin(2 * np.pi * 400 * times), np.sin(2 * np.pi * 2500 * times)
    sound = np.stack([left, right]).astype(np.float32) * 0.3
    mono = np.stack([left, right, 0 * times]).astype(np.float32) * 0.15  # parts of the mean
    given = shares(sound, mono, [[0]], 16_000)[0]
    level = np.sqrt((given[:, 1000:-1000] ** 2).mean(1))
    assert level[0] == pytest.approx(0.3 / np.sqrt(2), rel=0.02)
    assert level[1] < 0.01 * level[0]


def test_above_8_khz_goes_with_the_voice_below() -> None:
    rate = 48_000
    times = np.arange(2 * rate) / rate
    speech = noise(1, 2, 16_000)[0]
    hiss = 0.1 * np.sin(2 * np.pi * 12_000 * times).astype(np.float32)
    sound = at_rate(speech[None], 16_000, rate)[:, : 2 * rate] + hiss
    parts = np.stack([speech, 1e-4 * speech, 0 * speech])
    with_voice, without = shares(sound, parts, [[0], [1]], rate)
    at_12 = [
        abs(np.vdot(each[0], np.exp(2j * np.pi * 12_000 * times))) for each in (with_voice, without)
    ]
    assert at_12[0] > 100 * at_12[1]


def test_lips_decide(twins: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the faces' lips swapped, the voices swap."""
    sound = noise(1, 8, 16_000)
    clip = Clip("talk", Audio.of(sound, 16_000), None, 8.0)
    one, two = face(1, 200), face(2, 200)
    # A match that is sure: it believes the sum of the lips, by sign, for the first voice.
    sure: Any = SimpleNamespace(
        device="cpu",
        voice=lambda x: torch.stack([torch.ones(200, 1), -torch.ones(200, 1)]),
        lips=lambda x: x.sum((2, 3)).mean().sign() * torch.ones(1, 200, 1),
        odds=lambda lips, voice, heard: ((lips * voice).sum(-1), torch.zeros(2)),
    )
    models = twins._replace(lipvoice=sure)
    monkeypatch.setattr(sync, "move", lambda lips: True)
    one.lips[:], two.lips[:] = 1, -1
    options, tracks = Options(voices=2, blind=True), [one, two]
    first = separate.run(clip, options, tracks=tracks, models=models).voices[1].samples
    one.lips[:], two.lips[:] = -1, 1
    second = separate.run(clip, options, tracks=tracks, models=models).voices[2].samples
    np.testing.assert_array_equal(first, second)


def test_the_separator_sees_the_lips_that_move(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of faces that move theirs, in order, at the window's own frames; the rest are not."""
    shown: list[torch.Tensor | None] = []
    tiny = counting(2)
    features = tiny.features

    def watched(spectrum: torch.Tensor, lips: torch.Tensor | None = None) -> torch.Tensor:
        shown.append(lips)
        return features(spectrum, lips)

    monkeypatch.setattr(tiny, "features", watched)
    match = LipVoice().eval()
    models = Models(tiny, match, "cpu")
    clip = Clip("talk", Audio.of(noise(1, 12.0, 16_000), 16_000), None, 12.0)
    one, still, two = face(1, 300), face(2, 300), face(3, 300)
    still.lips[:] = still.lips[:1]
    late = Track(
        3, np.arange(150, 300), two.boxes[150:], two.lips[150:], np.ones(150), two.portrait, 0
    )
    separate.run(clip, Options(voices=2), tracks=[one, still, late], models=models)
    separate.run(clip, Options(voices=2, blind=True), tracks=[one, still, late], models=models)
    # Each window is split without lips and with them, and where blind is asked for, without only.
    blind, first, none, second, *rest = shown
    assert blind is None and none is None and rest == [None, None]
    assert first is not None and second is not None
    assert first.shape == (1, 2, 200, 64) and second.shape == (1, 2, 150, 64)
    with torch.inference_mode():
        own = match.lips(torch.from_numpy(one.lips[None, :200]))[0]
    # As early or late as the match finds it, by a whole number of frames.
    lags = [
        n for n in range(-LAG, LAG + 1) if torch.equal(first[0, 0, 20:180], own[20 - n : 180 - n])
    ]
    assert len(lags) == 1
    # Face 3 comes at 6 s: not seen in the first window's first 150 frames, then all the time.
    assert not first[0, 1, : 150 - LAG].any() and first[0, 1, 150 + LAG : 195].any(1).all()
    assert second[0, 1, LAG:-LAG].any(-1).all()


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A match that believes everything, and lips that all move."""
    monkeypatch.setattr(sync, "move", lambda lips: len(lips) > 5)
    return SimpleNamespace(
        device="cpu",
        voice=lambda x: torch.ones(len(x), x.shape[1] // 640, 1),
        lips=lambda x: torch.ones(1, x.shape[1], 64),
        odds=lambda lips, voice, heard: (1.0 * heard, torch.zeros(len(voice))),
    )


@pytest.mark.parametrize("voices", [0, 1, 2])
def test_one_voice_is_not_torn_and_noise_is_nobody_s(trusting: Any, voices: int) -> None:
    """Whoever speaks alone gets all that is speech; where nobody speaks, all is the rest."""
    tiny = counting(voices)
    models = Models(tiny, trusting, "cpu")
    sound = noise(1, 6, 16_000)
    clip = Clip("talk", Audio.of(sound, 16_000), None, 6.0)
    result = separate.run(clip, Options(blind=True), tracks=[face(1, 150)], models=models)
    with torch.inference_mode():
        parts = tiny(torch.from_numpy(sound), 2)[0].numpy()
    given, rest = result.voices[1].samples[0], result.rest.samples[0]
    np.testing.assert_allclose(given + rest, sound[0], atol=1e-5)
    if voices == 0:
        assert not given.any() and not result.speaking[1]
    elif voices == 1:
        np.testing.assert_allclose(given, parts[:2].sum(0), atol=1e-5)
    else:  # the control: of two voices one face has one
        assert min(np.abs(given - part).max() for part in parts[:2]) < 1e-5


def test_a_face_speaks_only_where_it_is_seen(trusting: Any) -> None:
    """A face that comes after 10 s, is hidden for a moment, then for a second, and goes."""
    models = Models(counting(1), trusting, "cpu")
    whole = face(1, 700)
    here = np.r_[250:300, 305:375, 400:450]
    late = Track(
        1, here, whole.boxes[here], whole.lips[here], np.ones(len(here)), whole.portrait, 250
    )
    clip = Clip("talk", Audio.of(noise(1, 28, 16_000), 16_000), None, 28.0)
    result = separate.run(clip, tracks=[late], models=models)
    assert result.speaking[1] == [(10.0, 15.0), (16.0, 18.0)]
    given = result.voices[1].samples[0]
    assert not given[: 6 * 16_000].any()  # the first window, but for where the next one fades in
    assert given[11 * 16_000 : 14 * 16_000].any()
    alone = separate.run(clip, tracks=[whole], models=models)
    assert alone.speaking[1] == [(0.0, 28.0)]  # the control: who is always seen


def test_a_sliver_is_no_voice() -> None:
    """What is heard for a moment does not take a face from the voice that is heard throughout."""
    evidence, level = np.array([[2.7, 1.6]]), np.array([0.02, 0.9])
    active = np.arange(50) < np.array([[5], [33]])

    def given(heard: np.ndarray) -> tuple[int, ...]:
        return assign([Window(32_000, evidence, level, np.zeros((2, 2)), heard)])[0]

    assert given(active) == (-1, 0)
    assert given(np.ones((2, 50), bool)) == (0, -1)  # the control: as long as the other, it is one
