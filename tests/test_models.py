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
from conftest import Avtool
from safetensors.torch import load as parsed
from safetensors.torch import save_file

from avtool.errors import InputError
from avtool.models import lipvoice, weights
from avtool.models.lipvoice import LipVoice
from avtool.models.separator import Config, Separator, clustering_loss, permutation_loss
from avtool.pipelines.lips import pipeline as lips
from avtool.pipelines.lips.model import Config as LipConfig
from avtool.pipelines.lips.model import LipMotion
from avtool.pipelines.speech2face import pipeline as speech2face
from avtool.pipelines.speech2face.model import Config as VoiceConfig
from avtool.pipelines.speech2face.model import VoiceFace
from avtool.speakers import separation

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
    assert sum(p.numel() for p in model.parameters()) < 6e6  # two decoders are the most
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
        said = r"bad.safetensors: is no checkpoint of the separator \(it is no safetensors file\); "
        with pytest.raises(InputError, match=said):
            weights.load(Separator, bad)
    with pytest.raises(InputError, match="cannot be read"):
        weights.load(Separator, tmp_path / "missing.safetensors")


def refused(path: Path, fact: str) -> None:
    """A separator's file is refused in one line that names it and the fact."""
    with pytest.raises(InputError) as told:
        weights.load(Separator, path)
    said = str(told.value)
    assert said.startswith(f"{path}: ") and fact in said and said.isprintable(), said


def own_file(path: Path, tensors: dict[str, torch.Tensor], config: object) -> Path:
    save_file(tensors, path, {"config": json.dumps(config)})
    return path


SIZES = {"width": 8, "hidden": 8, "blocks": 1}


@pytest.mark.parametrize(
    ("changed", "fact"),
    [
        *(({"hop_samples": value}, "its hop_samples") for value in (0, None, "x", -1, 1.5, True)),
        *(({"hop_samples": value}, "do not fit n_fft 1024") for value in (1, 513, 1 << 40)),
        ({"blocks": 10_000_000}, "it has no blocks.1.0.rnn.weight_hh_l0"),
        *(({name: 1 << 20}, "its sizes ask for") for name in ("width", "hidden", "shared", "seen")),
        *(({name: 1 << 20}, "its sizes ask for") for name in ("embedding", "lags", "group")),
        ({"lips": 1 << 20}, "its sizes ask for"),
        ({"n_fft": 1 << 40}, "its n_fft"),
        ({"bands": [[1 << 40, 1]]}, "its bands have more bins"),
        ({"bands": [[8, 8, 8]]}, "its bands cannot be"),
        ({"bands": [[8, 8], 8]}, "its bands cannot be"),
        ({"heads": []}, "its heads cannot be"),
        ({"heads": [2, 3, 1 << 20]}, "its sizes ask for"),
        ({"heads": "23"}, "its heads cannot be"),
        ({"width": "\x1b[31m\n" * 99}, "its width cannot be"),
        ({"\n": 1}, "does not say the sizes"),
    ],
)
def test_sizes_are_held_against_the_tensors_before_anything_is_built(
    tiny: Separator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: object, fact: str
) -> None:
    assert isinstance(changed, dict)
    path = own_file(tmp_path / "own.safetensors", tiny.state_dict(), SIZES | changed)

    def built(*arguments: object) -> None:
        raise AssertionError("built")

    monkeypatch.setattr(Separator, "__init__", built)
    refused(path, fact)


@pytest.mark.parametrize("config", [None, [], 5, "x", {"blocks": {}}])
def test_sizes_are_a_table(tiny: Separator, tmp_path: Path, config: object) -> None:
    refused(own_file(tmp_path / "own.safetensors", tiny.state_dict(), config), "checkpoint")


def test_sizes_that_are_no_json_or_are_not_there(tiny: Separator, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    for facts in (None, {}, {"config": "{"}, {"config": "[" * 100_000}):
        save_file(tiny.state_dict(), path, facts)
        refused(path, "does not say its sizes")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e5])
def test_weights_that_would_give_nan_are_refused(
    tiny: Separator, tmp_path: Path, value: float
) -> None:
    tensors = {name: each.clone() for name, each in tiny.state_dict().items()}
    tensors["embed.weight"][1, 2] = value
    path = own_file(tmp_path / "own.safetensors", tensors, SIZES)
    refused(path, "its embed.weight is nan or beyond 10,000")
    tensors["embed.weight"] = tensors["embed.weight"].double()  # and not only as float32
    tensors["embed.weight"][1, 2] = 1e300
    refused(own_file(path, tensors, SIZES), "its embed.weight is nan or beyond 10,000")


def test_tensors_of_another_kind_are_refused(tiny: Separator, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    whole = dict(tiny.state_dict())
    for other, fact in (
        (whole | {"embed.bias": whole["embed.bias"].int()}, "its embed.bias is of torch.int32"),
        (whole | {"embed.bias": whole["embed.bias"] + 0j}, "its embed.bias is of torch.complex64"),
        (whole | {"embed.bias": whole["embed.bias"][1:].clone()}, "its embed.bias is [19], and"),
        (whole | {"\x1b\n": torch.zeros(1)}, "it has more tensors than the network"),
        ({k: v for k, v in whole.items() if k != "embed.bias"}, "it has no embed.bias"),
        ({}, "it has no embed.weight"),
    ):
        refused(own_file(path, other, SIZES), fact)


def test_only_a_regular_file_of_some_size_is_read(tmp_path: Path) -> None:
    refused(Path("/dev/zero"), "is no regular file")
    refused(tmp_path, "is no regular file")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "is no regular file")
    (tmp_path / "huge").touch()
    os.truncate(tmp_path / "huge", 1 << 40)  # of holes
    refused(tmp_path / "huge", "has 1,099,511,627,776 bytes, more than any checkpoint")
    for name in ("missing", "x" * 300, "huge/x"):
        refused(tmp_path / name, "cannot be read (")


def test_half_precision_is_taken_to_single(tiny: Separator, tmp_path: Path) -> None:
    half = {name: each.half() for name, each in tiny.state_dict().items()}
    loaded = weights.load(Separator, own_file(tmp_path / "half.safetensors", half, SIZES))
    torch.testing.assert_close(loaded.embed.weight, tiny.embed.weight, atol=1e-3, rtol=0)
    assert loaded.embed.weight.dtype == torch.float32


SHIPPED = Path(weights.__file__).parents[1] / "weights"


@pytest.mark.parametrize(
    ("command", "network"),
    [("separate", "separator"), ("lips", "lipmotion"), ("speech2face", "voiceface")],
)
def test_each_command_refuses_weights_with_nan(
    avtool: Avtool, command: str, network: str, tmp_path: Path
) -> None:
    """One line that names the file of weights, exit code 1, no output."""
    shipped = (SHIPPED / f"{network}.safetensors").read_bytes()
    length = int.from_bytes(shipped[:8], "little")
    config = json.loads(shipped[8 : 8 + length])["__metadata__"]["config"]
    tensors = parsed(shipped)
    next(iter(tensors.values())).view(-1)[0] = np.nan
    own_file(tmp_path / "nan.safetensors", tensors, json.loads(config))
    media = SHIPPED.parents[1] / "sample_media"
    source = {"separate": ["cocktail.mp4"], "lips": ["--avatar", "speech.wav"]}
    given = [media / name if "." in name else name for name in source.get(command, ["speech.wav"])]
    ran = avtool(command, *given, "--weights", "nan.safetensors", "--duration", 1)
    assert (ran.code, ran.lines) == (1, []), ran.err
    assert ran.err.startswith("avtool: nan.safetensors: is no checkpoint of the")
    assert len(ran.err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["nan.safetensors"]


def test_weights_of_other_sizes_than_the_commands_are_refused(tmp_path: Path) -> None:
    """What fits itself but not the networks beside it."""
    path = tmp_path / "own.safetensors"
    two = replace(TINY, heads=(2,))
    own_file(path, Separator(two).state_dict(), SIZES | {"heads": [2]})
    with pytest.raises(InputError, match=r"own.safetensors: must separate 2 and 3 voices"):
        separation.load(str(path), "cpu")
    sizes: dict[str, int] = {"width": 8, "phones": 7}
    own_file(path, LipMotion(LipConfig(**sizes)).state_dict(), sizes)
    with pytest.raises(InputError, match=r"own.safetensors: tells 7 phones, not 40"):
        lips.load(lips.Options(weights=str(path)), "cpu")
    for changed, said in (({"speaker": 9}, "speaker, feature and traits"), ({}, "never trained")):
        model = VoiceFace(VoiceConfig(**changed))
        model.spread.zero_()
        own_file(path, model.state_dict(), changed)
        with pytest.raises(InputError, match=said):
            speech2face.load(speech2face.Options(weights=str(path)), "cpu")
