"""The recipes: what is mixed is what was asked for, and a run goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from avtool.models.lipvoice import LipVoice
from avtool.models.separator import Config, Separator, permutation_loss
from avtool.pipelines.separate.train.audiovisual_mixtures import AudiovisualMixer, Scene
from avtool.pipelines.separate.train.lipvoice import Pairs
from avtool.pipelines.separate.train.lipvoice_data import Clips
from avtool.pipelines.separate.train.separator import Batch, Recipe, loss_of, stacked, start
from avtool.training import corpus
from avtool.training.corpus import Recording
from avtool.training.mixtures import Mixer, MixtureConfig, Room, active_level
from avtool.training.trainer import Trainer

TINY = Config(width=8, hidden=8, blocks=1)
PLAIN = MixtureConfig(1.0, (2,), level=5.0, changed=0.0, room=0.0, noise=0.0, pauses=0.0)


def readers(count: int) -> list[Recording]:
    rng = np.random.default_rng(0)
    return [
        Recording(str(n), "FM"[n % 2], "train", rng.standard_normal(40_000).astype(np.float32))
        for n in range(count)
    ]


@pytest.fixture
def mixer() -> Mixer:
    return Mixer(readers(4), readers(1))


def test_the_same_seed_is_the_same_mixture(mixer: Mixer) -> None:
    everything = MixtureConfig(1.0, (3,), room=1.0, noise=1.0, pauses=1.0, changed=1.0)
    first, again = (mixer.draw((1, 2), everything, 3) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(mixer.draw((1, 3), everything, 3) - first).max() > 0.01
    assert first.shape == (4, 16_000) and np.isfinite(first).all()


def test_voices_differ_in_level_as_asked(mixer: Mixer) -> None:
    levels = []
    for seed in range(60):
        parts = mixer.draw((seed,), PLAIN, 3)
        assert not parts[2].any() and not parts[3].any()  # nobody else, no noise
        levels.append(20 * np.log10(active_level(parts[0]) / active_level(parts[1])))
    assert -10 <= min(levels) < -4 and 4 < max(levels) <= 10
    equal = MixtureConfig(1.0, (2,), level=0.0, changed=0.0, room=0.0, noise=0.0, pauses=0.0)
    parts = mixer.draw((1,), equal, 2)
    assert active_level(parts[0]) == pytest.approx(active_level(parts[1]), rel=1e-3)


def test_nobody_talks_to_himself() -> None:
    """Two of two readers: each mixture has both."""
    tones = [
        Recording(str(hz), "F", "train", np.sin(np.arange(40_000) * hz / 2546).astype(np.float32))
        for hz in (500, 3000)
    ]
    for seed in range(10):
        parts = Mixer(tones, []).draw((seed,), PLAIN, 2)
        peaks = [np.abs(np.fft.rfft(part)).argmax() for part in parts[:2]]
        assert sorted(np.round(peaks, -2)) == [500, 3000]


def test_a_room_keeps_the_direct_sound_in_its_place() -> None:
    rng = np.random.default_rng(0)
    click = np.zeros(8000, np.float32)
    click[1000] = 1
    heard = Room(rng).heard(rng, click)
    assert not np.abs(heard[:1000]).max() > 1e-6
    assert heard[1000] == pytest.approx(1, abs=1e-3)
    assert np.abs(heard[1200:4000]).max() > 1e-4  # and it rings


def test_kept_out_readers_are_the_smallest_numbers_of_each_sex() -> None:
    rows = [
        {"speaker": str(2 * n + k), "sex": sex} for n in range(40) for k, sex in enumerate("FM")
    ]
    found = corpus.splits(rows)
    assert sorted(int(who) for who, split in found.items() if split == "test") == list(range(30))
    assert sorted(int(w) for w, split in found.items() if split == "valid") == list(range(30, 40))


def test_packed_recordings_come_back(tmp_path: Path) -> None:
    times = np.arange(70_001) / 16_000
    tone = (0.3 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)
    items = [Recording("7", "F", "train", tone), Recording("8", "M", "test", tone)]
    corpus.pack(items, tmp_path / "packed.npz")
    (back,) = corpus.load(tmp_path / "packed.npz")  # what is kept out is not packed
    assert (back.speaker, back.sex, back.split) == ("7", "F", "train")
    assert back.samples.shape == tone.shape
    assert np.sqrt(np.mean((back.samples - tone) ** 2)) < 0.01


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, mixer: Mixer) -> None:
    recipe = Recipe(seconds=0.5, batch=2, easy=1)

    def steps(run: Trainer[Separator], count: int) -> None:
        for _ in range(count):
            parts = np.stack([mixer.draw((run.step, k), PLAIN, 2)[:, :8000] for k in range(2)])
            run.learn(loss_of(run.model, LipVoice(), Batch(torch.from_numpy(parts)), recipe), 1e9)

    whole = start(TINY, recipe, tmp_path, "cpu")
    steps(whole, 6)
    part = start(TINY, recipe, tmp_path, "cpu")
    steps(part, 3)
    part.save()
    rest = start(TINY, recipe, tmp_path, "cpu")
    rest.load()
    assert rest.step == 3
    steps(rest, 3)
    for a, b in zip(whole.model.parameters(), rest.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-4)
    # The control: a run that forgot its optimiser would differ.
    fresh = start(TINY, recipe, tmp_path, "cpu")
    fresh.model.load_state_dict(part.model.state_dict())
    fresh.step = 3
    steps(fresh, 3)
    assert not torch.allclose(fresh.model.embed.weight, whole.model.embed.weight, atol=1e-6)


def test_it_learns_and_stops_in_time(tmp_path: Path) -> None:
    """Two tones far apart: a few steps bring the loss down, and the log says so."""
    tones = [
        Recording(str(hz), "F", "train", np.sin(np.arange(80_000) * hz / 2546).astype(np.float32))
        for hz in (300, 4000)
    ]
    mixer = Mixer(tones, [])
    recipe = Recipe(seconds=0.5, batch=4, warm=5)
    learner = start(TINY, recipe, tmp_path, "cpu")
    parts = np.stack([mixer.draw((k,), PLAIN, 2)[:, :8000] for k in range(4)])
    batch = Batch(torch.from_numpy(parts))

    def loss() -> torch.Tensor:
        return loss_of(learner.model, LipVoice(), batch, recipe)

    first = np.mean([learner.learn(loss(), 1e9) for _ in range(3)])
    for _ in range(60):
        last = learner.learn(loss(), 1e9)
    assert last < first - 3
    rows = list(learner.steps(iter([loss(), loss()]), lambda: {"score": 1.5}, limit=0.01))
    assert [row["step"] for row in rows] == [64]
    assert (tmp_path / "log.csv").read_text().splitlines()[1].endswith(",1.5")
    assert (tmp_path / "separator.safetensors").exists()


class Plainly(Pairs):
    """Lips as they are, so that a test knows them again."""

    def moved_lips(
        self,
        rng: np.random.Generator,
        lips: np.ndarray,
        times: np.ndarray,
        distraction: np.ndarray | None = None,
    ) -> np.ndarray:
        return lips[times.astype(int)][..., :2]


@pytest.fixture
def company(mixer: Mixer) -> AudiovisualMixer:
    """Twelve people whose lips stand at their number and who hum at 200 Hz times it."""
    times = np.arange(48_000) / 16_000
    hum = np.stack([np.sin(2 * np.pi * 200 * (n + 1) * times)[None] for n in range(12)])
    lips = np.ones((12, 75, 40, 3), np.float32) * np.arange(12)[:, None, None, None]
    return AudiovisualMixer(mixer, Plainly({"s1": Clips(lips, hum.astype(np.float32))}, [], []))


def hums(scene: Scene, slot: int) -> float:
    return float(
        np.abs(np.fft.rfft(scene.parts[slot] * np.hanning(len(scene.parts[slot])))).argmax()
    ) / (scene.parts.shape[1] / 16_000)


def test_known_lips_are_the_voice_s_own_in_its_own_place(company: AudiovisualMixer) -> None:
    known = unknown = listens = 0
    for seed in range(80):
        scene = company.draw((seed,), PLAIN, 2, faces=1.0)
        for slot in range(2):
            who = int(scene.lips[slot, 0, 0, 0])
            own = scene.parts[slot].any() and abs(hums(scene, slot) - 200 * (who + 1)) < 20
            if not scene.parts[slot].any():
                listens += 1
                assert scene.known[slot]
            elif scene.known[slot]:
                known += 1
                assert own
            elif scene.seen[slot].all():
                unknown += 1
                assert not own  # another's lips, which must not be believed
    assert known > 100 and unknown > 3 and listens > 3
    again = company.draw((3,), PLAIN, 2)
    np.testing.assert_array_equal(again.parts, company.draw((3,), PLAIN, 2).parts)


def test_voices_with_known_lips_are_bound_to_their_places(company: AudiovisualMixer) -> None:
    """The right voices in each other's places: found in any order, and far off where bound."""
    scenes = [company.draw((seed,), PLAIN, 2, faces=1.0) for seed in range(30)]
    right = stacked([each for each in scenes if each.known.all() and each.parts[:2].any(1).all()])
    crossed = right.parts[:, [1, 0, 2]]
    free, order = permutation_loss(crossed, right.parts)
    assert free.max() < -25 and (order == torch.tensor([1, 0])).all()
    bound, order = permutation_loss(crossed, right.parts, right.known)
    assert bound.min() > -5 and (order == torch.tensor([0, 1])).all()
    assert right.known is not None
    unbound, _ = permutation_loss(crossed, right.parts, ~right.known)
    torch.testing.assert_close(unbound, free)
    kept, _ = permutation_loss(right.parts, right.parts, right.known)
    torch.testing.assert_close(kept, free)
