"""The separator's recipe: ``python -m avtool.training.separator --data FOLDER --out FOLDER``.

Mixtures are made while it runs, from readers in random company, rooms and noise; every example
has its own seed. It stops at ``--minutes``, writes a checkpoint every few minutes, goes on from it
when it is started again, and keeps a log of the score on readers that it does not learn from.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.multiprocessing.spawn import spawn
from torch.utils.data import DataLoader, Dataset

from avtool.metrics.separation import si_sdr_improvement
from avtool.models.separator import Config, Separator, clustering_loss, permutation_loss
from avtool.training import corpus
from avtool.training.mixing import Mixer, Party
from avtool.training.run import Run


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Args:
        batch: mixtures a step; peak: the highest learning rate; warm: steps up to it.
        triples: how often a step is one of three voices.
        alike: how often all voices are of one sex.
        easy: steps over which three voices, rooms, noise and pauses come in; 0, where it begins
            with weights.
        clustering: weight of the clustering loss against one dB.
        average: how slowly the averaged weights follow (Polyak), a step.
    """

    seconds: float = 3.0
    batch: int = 4
    peak: float = 1.5e-3
    warm: int = 300
    triples: float = 0.25
    alike: float = 0.4
    easy: int = 5000
    clustering: float = 3.0
    average: float = 0.998
    seed: int = 0


class Steps(Dataset[tuple[int, Tensor]]):
    """Step number -> how many voices its head has, and its batch [batch, voices + 1, time]."""

    def __init__(self, mixer: Mixer, recipe: Recipe, first: int, rank: int) -> None:
        self.mixer, self.recipe, self.first, self.rank = mixer, recipe, first, rank

    def __len__(self) -> int:
        return 10_000_000

    def __getitem__(self, index: int) -> tuple[int, Tensor]:
        step, recipe = self.first + index, self.recipe
        draw = np.random.default_rng((recipe.seed, step))
        hard = min(1.0, step / recipe.easy) if recipe.easy else 1.0
        slots = 3 if draw.random() < recipe.triples * hard else 2
        # Sometimes fewer speak than the head has voices: it must leave them silent.
        voices = (3, 3, 3, 2, 1) if slots == 3 else (2, 2, 2, 2, 2, 2, 2, 1)
        fewer = draw.random() < hard
        party = Party(
            recipe.seconds,
            voices if fewer else (slots,),
            alike=recipe.alike * hard,
            room=0.25 * hard,
            noise=0.3 * hard,
            pauses=0.25 * hard,
        )
        parts = [
            self.mixer.draw((recipe.seed, step, self.rank, n), party, slots)
            for n in range(recipe.batch)
        ]
        return slots, torch.from_numpy(np.stack(parts))


def score(model: Separator, mixer: Mixer, count: int, device: str) -> dict[str, float]:
    """SI-SDR improvement in dB on clean mixtures at 0 dB, for 2 and 3 voices."""
    found = {}
    for voices in (2, 3):
        party = Party(4.0, (voices,), level=0.0, changed=0.0, room=0.0, noise=0.0, pauses=0.0)
        gains = []
        for n in range(0, count, 8):
            parts = np.stack([mixer.draw((12345, n + k), party, voices) for k in range(8)])
            targets = torch.from_numpy(parts).to(device)
            with torch.inference_mode():
                given = model(targets.sum(1), voices)
                _, order = permutation_loss(given, targets)
            given = given.gather(1, order[:, :, None].expand(-1, -1, given.shape[-1]))
            mixture = parts.sum(1, keepdims=True)
            gains.append(si_sdr_improvement(given.cpu().numpy(), parts[:, :-1], mixture))
        found[f"si_sdri_{voices}"] = float(np.mean(gains))
    return found


def loss_of(
    model: Separator, voices: int, targets: Tensor, recipe: Recipe, device: str = "cpu"
) -> Tensor:
    """What one step goes down: the error of the voices, and of telling places apart."""
    targets = targets.to(device)
    with torch.autocast(torch.device(device).type, torch.bfloat16):
        given, trunk = model.parts_and_trunk(targets.sum(1), voices)
    loss, _ = permutation_loss(given.float(), targets)
    return loss.mean() + recipe.clustering * clustering_loss(model, trunk, targets)


def main() -> None:
    """Train; see the module's words."""
    parser = argparse.ArgumentParser(prog="avtool.training.separator", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data folder, or packed .npz")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint and log")
    parser.add_argument("--minutes", type=float, default=150.0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--processes", type=int, default=1, help="one a core; more batches a step")
    parser.add_argument("--workers", type=int, default=1, help="processes that mix, for each")
    parser.add_argument("--batch", type=int, default=Recipe.batch, help="mixtures a process")
    parser.add_argument("--seconds", type=float, default=Recipe.seconds)
    parser.add_argument("--begin", type=Path, help="weights to begin with")
    parser.add_argument("--width", type=int, default=Config.width)
    parser.add_argument("--hidden", type=int, default=Config.hidden)
    parser.add_argument("--blocks", type=int, default=Config.blocks)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.data.is_dir():
        packed = given.out / "corpus.npz"
        if not packed.exists():
            corpus.pack(given.data, packed)
        given.data = packed
    if given.processes > 1:
        (given.out / "meeting").unlink(missing_ok=True)  # of a run that was cut off
        spawn(_process, (given,), given.processes)
    else:
        _process(0, given)


def _process(rank: int, given: argparse.Namespace) -> None:
    torch.set_flush_denormal(True)
    if given.processes > 1:
        # One thread a process: they meet once a step, and not at every product.
        torch.set_num_threads(1)
        meeting = f"file://{(given.out / 'meeting').resolve()}"
        if given.device == "cpu":
            dist.init_process_group("gloo", meeting, rank=rank, world_size=given.processes)
    items = corpus.load(given.data)
    speech = [item for item in items if item.sex]
    learned = [item for item in speech if item.split == "train"]
    noises = [item for item in items if not item.sex and item.split == "train"]
    easy = 0 if given.begin else Recipe.easy
    recipe = Recipe(batch=given.batch, seconds=given.seconds, easy=easy)
    config = Config(width=given.width, hidden=given.hidden, blocks=given.blocks)
    run = start(config, recipe, given.out, given.device)
    run.load(given.begin)
    steps = Steps(Mixer(learned, noises), recipe, run.step, rank)
    loader = DataLoader(steps, batch_size=None, num_workers=given.workers)
    losses = (loss_of(run.model, n, parts, recipe, given.device) for n, parts in loader)
    valid = Mixer([item for item in speech if item.split == "valid"], [])

    def measured() -> dict[str, float]:
        return score(run.average, valid, 32, given.device)

    for _ in run.steps(losses, measured, given.minutes * 60, first=rank == 0):
        pass


def start(config: Config, recipe: Recipe, out: Path, device: str) -> Run[Separator]:
    """A run that has not begun."""
    return Run(
        lambda: Separator(config),
        "separator",
        out,
        device=device,
        seed=recipe.seed,
        peak=recipe.peak,
        warm=recipe.warm,
        average=recipe.average,
    )


if __name__ == "__main__":
    main()
