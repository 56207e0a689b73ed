"""The networks: shapes, laws that hold whatever the weights, losses against their formulas."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from importlib import import_module
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from avtool.errors import InputError
from avtool.models import lipvoice, weights
from avtool.models.lipvoice import LipVoice
from avtool.models.separator import Config, Separator, clustering_loss, permutation_loss

TINY = Config(width=8, hidden=8, blocks=1)


def test_torch_heard_how_many_threads_it_has() -> None:
    """The conftest says it before torch is loaded; afterwards nobody would listen."""
    assert torch.get_num_threads() == int(os.environ["OMP_NUM_THREADS"])


@pytest.fixture(scope="module")
def tiny() -> Separator:
    torch.manual_seed(0)
    return Separator(TINY).eval()


@pytest.mark.parametrize("voices", [2, 3])
@pytest.mark.parametrize("length", [700, 16_000, 16_123])
def test_parts_sum_to_the_mixture(tiny: Separator, voices: int, length: int) -> None:
    mixture = torch.randn(2, length) * 0.1
    with torch.inference_mode():
        parts = tiny(mixture, voices)
    assert parts.shape == (2, voices + 1, length)
    torch.testing.assert_close(parts.sum(1), mixture, atol=1e-5, rtol=0)


def test_level_is_only_level(tiny: Separator) -> None:
    mixture = torch.randn(1, 8000)
    with torch.inference_mode():
        soft, loud = tiny(0.01 * mixture), tiny(mixture)
    torch.testing.assert_close(100 * soft, loud, atol=2e-3, rtol=0)
    assert torch.isfinite(tiny(torch.zeros(1, 8000))).all()


def test_lips_steer_only_what_has_learned_to_see(tiny: Separator) -> None:
    mixture, lips = torch.randn(1, 16_000), torch.randn(1, 2, 25, 64)
    blind, blank = tiny(mixture), tiny(mixture, 2, lips)
    torch.testing.assert_close(blind, blank)  # weights that never saw any go on as they are
    seeing = Separator(TINY).eval()
    first = seeing.tell[0]
    assert isinstance(first, torch.nn.Linear)
    torch.nn.init.normal_(first.weight)
    with torch.inference_mode():
        one, other = seeing(mixture, 2, lips), seeing(mixture, 2, lips.flip(1))
        alone = seeing(mixture, 2, lips[:, :1])
        unseen = seeing(mixture, 2, torch.stack([lips[:, 0], 0 * lips[:, 0]], 1))
    assert (one - other).abs().max() > 1e-3  # which lips come first matters
    torch.testing.assert_close(alone, unseen)  # a face that is not there is one never seen


@pytest.mark.parametrize("frame", [0, 7, 24])
def test_lips_are_seen_when_they_are_heard(frame: int) -> None:
    """One frame of lips reaches the steps around its time, (frame + 1/2) / 25 s."""
    model = Separator(TINY).eval()
    lips = torch.zeros(1, 1, 25, 64)
    lips[0, 0, frame] = torch.randn(64)
    with torch.inference_mode():
        steps = (model._seen(lips, 31) - model._seen(0 * lips, 31)).abs().sum(-1)[0]
    # A step is two frames of 16 ms; the first one's middles are at 0 and 16 ms.
    times = torch.arange(31) * 0.032 + 0.008
    reached = times[steps > 1e-4]
    assert len(reached) and (reached - (frame + 0.5) / 25).abs().max() < 0.041
    assert times[steps.argmax()] == pytest.approx((frame + 0.5) / 25, abs=0.02)


def test_order_of_voices_is_free_and_the_best_is_found() -> None:
    targets = torch.randn(4, 4, 2000)
    noisy = targets + 0.3 * torch.randn(4, 4, 2000)
    _, order = permutation_loss(noisy, targets)
    assert (order == torch.arange(3)).all()
    for wanted in permutations(range(3)):
        shuffled = noisy[:, [*wanted, 3]]
        loss, order = permutation_loss(shuffled, targets)
        torch.testing.assert_close(loss, permutation_loss(noisy, targets)[0])
        torch.testing.assert_close(shuffled[:, order[0]], noisy[:, :3])
    # The rest is no voice: it may not be exchanged with one.
    worse, _ = permutation_loss(noisy[:, [3, 0, 1, 2]], targets)
    assert (worse > loss + 3).all()


def test_loss_is_the_snr() -> None:
    torch.manual_seed(1)
    targets = torch.randn(1, 3, 50_000)
    error = torch.randn(1, 3, 50_000) * 0.1  # 20 dB under
    loss, _ = permutation_loss(targets + error, targets)
    # Two voices at 20 dB, and a fifth of the rest at 20 dB; the floor of 30 dB takes 0.4 dB.
    assert loss.item() == pytest.approx(1.2 * -10 * np.log10(1 / 0.011), abs=0.1)


def test_a_silent_voice_must_stay_silent() -> None:
    targets = torch.randn(1, 3, 8000)
    targets[:, 1] = 0
    silent, _ = permutation_loss(targets, targets)
    leaking = targets.clone()
    leaking[:, 1] += 0.5 * targets[:, 0]
    leaks, _ = permutation_loss(leaking, targets)
    assert torch.isfinite(silent).all()
    assert leaks.item() > silent.item() + 5


def test_clustering_loss_is_none_for_a_trunk_that_tells_all(tiny: Separator) -> None:
    """Two tones in two bands: an embedding that says the band has no loss, a constant one has."""
    times = torch.arange(16_000) / 16_000
    targets = torch.stack([torch.sin(6.2832 * 300 * times), torch.sin(6.2832 * 5000 * times)])
    targets = torch.cat([targets, torch.zeros(1, 16_000)])[None]
    bands = torch.zeros(1, 24, 32, 8)
    bands[:, :8, :, 0], bands[:, 8:, :, 1] = 1, 1
    torch.nn.init.zeros_(tiny.embed.bias)
    torch.nn.init.eye_(tiny.embed.weight)
    told = clustering_loss(tiny, bands, targets)
    constant = clustering_loss(tiny, torch.ones(1, 24, 32, 8), targets)
    assert told.item() == pytest.approx(0, abs=0.02)
    assert constant.item() == pytest.approx(1, abs=0.1)


def test_mel_filters_are_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    theirs = librosa.filters.mel(
        sr=16_000, n_fft=512, n_mels=64, fmin=60, fmax=7600, htk=True, norm=None
    )
    np.testing.assert_allclose(lipvoice.mel_filters().numpy(), theirs, atol=1e-4)


def test_lips_and_voice_meet_frame_by_frame() -> None:
    torch.manual_seed(0)
    model = lipvoice.LipVoice().eval()
    lips, sound = torch.randn(2, 50, 40, 3) * 0.02, torch.randn(2, 50 * 640)
    with torch.inference_mode():
        seen, heard = model.lips(lips), model.voice(sound)
        assert seen.shape == heard.shape == (2, 50, 64)
        assert model.evidence(seen, heard).shape == (2, 50)
        # What a face looks like at rest says nothing, nor does depth, nor the level.
        shape = torch.randn(2, 1, 40, 3)
        torch.testing.assert_close(model.lips(lips + shape), seen, atol=1e-3, rtol=0)
        torch.testing.assert_close(model.voice(30 * sound), heard, atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", weights.names())
def test_shipped_weights_load_and_are_described(name: str) -> None:
    module, _, network = weights.card(name).network.rpartition(".")
    model = weights.load(getattr(import_module(module), network))
    import_module(weights.card(name).recipe)  # is there
    assert sum(p.numel() for p in model.parameters()) < 3.1e6
    card = Path(weights.__file__).parents[1] / "weights" / f"{name}.md"
    for word in ("Data", "Licence", "Score", "cannot"):
        assert word in card.read_text()


def test_a_changed_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = replace(weights.card("lipvoice"), sha256="0" * 64)
    monkeypatch.setattr(weights, "card", lambda name: changed)
    monkeypatch.setattr(weights, "_loaded", {})
    with pytest.raises(InputError, match="damaged"):
        weights.load(LipVoice)


def test_own_checkpoints(tmp_path: Path) -> None:
    own = tmp_path / "own.safetensors"
    torch.manual_seed(5)
    model = Separator(TINY)
    sizes = {"width": 8, "hidden": 8, "blocks": 1}
    save_file(model.state_dict(), own, {"config": json.dumps(sizes)})
    loaded = weights.load(Separator, own)
    torch.testing.assert_close(loaded.embed.weight, model.embed.weight)
    for content in (b"", b"not weights at all", own.read_bytes()[:5000]):
        bad = tmp_path / "bad.safetensors"
        bad.write_bytes(content)
        with pytest.raises(InputError, match=r"bad.safetensors: is no checkpoint of the separator"):
            weights.load(Separator, bad)
    with pytest.raises(InputError, match="cannot be read"):
        weights.load(Separator, tmp_path / "missing.safetensors")
