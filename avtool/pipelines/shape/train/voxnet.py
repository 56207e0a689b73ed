"""VoxNet's recipe: ModelNet10 by its official split.

``python -m avtool.pipelines.shape.train.voxnet --data modelnet10/voxels30.npz --out FOLDER``

A tenth of the training objects is held out, twins with twins, and watched; the test objects are not
looked at. Each object is turned by any angle, mirrored or not, moved by up to two cells, made up to
a tenth longer or shorter along each axis. All kinds are drawn equally often.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avtool.pipelines.shape.voxnet import KINDS, SIDE, TURNS, Config, VoxNet, turn
from avtool.training.trainer import Trainer, arguments
from avtool.values import Array


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Args:
        batch: objects a step; smooth: of the labels; turned: weight of the second task.
        shift: in cells; stretch: of each axis, at most.
    """

    batch: int = 32
    smooth: float = 0.1
    turned: float = 0.3
    shift: float = 2.0
    stretch: float = 0.1


@dataclass(frozen=True, eq=False)
class Objects:
    """Grids and what they are.

    Shape:
        grids: bool [n, 32, 32, 32], the last axis up; kinds: int64 [n].
    """

    grids: Array
    kinds: Array


def load(path: Path, split: str) -> Objects:
    """ModelNet10's ``train`` or ``test`` objects, with a border that makes 30 cells 32."""
    with np.load(path, allow_pickle=False) as file:
        grids, kinds = file[f"X_{split}"].astype(bool), file[f"y_{split}"]
    margin = (SIDE - grids.shape[1]) // 2
    return Objects(np.pad(grids, ((0, 0), *[(margin, margin)] * 3)), kinds)


def divide(objects: Objects) -> tuple[Objects, Objects]:
    """What is learned from, and a tenth that is held out; equal grids stand on one side."""
    flat = np.packbits(objects.grids.reshape(len(objects.grids), -1), axis=1)
    _, twin = np.unique(flat, axis=0, return_inverse=True)
    held = np.random.default_rng(0).random(twin.max() + 1)[twin.ravel()] < 0.1
    return (
        Objects(objects.grids[~held], objects.kinds[~held]),
        Objects(objects.grids[held], objects.kinds[held]),
    )


def draw(objects: Objects, recipe: Recipe, rng: np.random.Generator) -> tuple[Tensor, ...]:
    """A batch.

    Returns:
        grids [batch, 32, 32, 32], kinds [batch], which of the ``TURNS`` turns it is nearest to
        [batch], and whether that can be told, as of a thing not mirrored [batch].
    """
    counts = np.bincount(objects.kinds, minlength=len(KINDS))
    often = 1 / counts[objects.kinds]
    chosen = rng.choice(len(objects.kinds), recipe.batch, p=often / often.sum())
    angle = rng.uniform(0, 2 * math.pi, recipe.batch)
    scale = 1 + rng.uniform(-recipe.stretch, recipe.stretch, (recipe.batch, 3))
    mirrored = rng.random(recipe.batch) < 0.5
    scale[mirrored, 0] *= -1
    shift = rng.uniform(-recipe.shift, recipe.shift, (recipe.batch, 3))
    grids = torch.from_numpy(objects.grids[chosen].astype(np.float32))
    told = [torch.from_numpy(each.astype(np.float32)) for each in (angle, scale, shift)]
    nearest = np.rint(angle / (2 * math.pi / TURNS)).astype(np.int64) % TURNS
    kinds = torch.from_numpy(objects.kinds[chosen])
    return turn(grids, *told), kinds, torch.from_numpy(nearest), torch.from_numpy(~mirrored)


def loss_of(model: VoxNet, batch: tuple[Tensor, ...], recipe: Recipe) -> Tensor:
    """Cross-entropy of the kind, and of the turn among those of the true kind."""
    grids, kinds, nearest, plain = batch
    fast = grids.device.type != "cpu" or torch.cpu._is_amx_tile_supported()
    with torch.autocast(grids.device.type, torch.bfloat16, enabled=fast):
        features = model.features(grids)
    kind = functional.cross_entropy(model.tell(features), kinds, label_smoothing=recipe.smooth)
    turns = model.turned(features).view(len(kinds), -1, TURNS)[torch.arange(len(kinds)), kinds]
    turned = functional.cross_entropy(turns, nearest, reduction="none")
    return kind + recipe.turned * (turned * plain).mean()


@torch.no_grad()
def score(model: VoxNet, objects: Objects) -> dict[str, float]:
    """Accuracy where it looks once, by its votes, and by its votes as a mean over the kinds."""
    grids = torch.from_numpy(objects.grids.astype(np.float32)).split(64)
    with torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_amx_tile_supported()):
        once = torch.cat([model(part) for part in grids]).argmax(1).numpy()
        voted = torch.cat([model.vote(part) for part in grids]).argmax(1).numpy()
    right = voted == objects.kinds
    means = [right[objects.kinds == kind].mean() for kind in range(len(KINDS))]
    return {
        "once": float((once == objects.kinds).mean()),
        "votes": float(right.mean()),
        "a kind": float(np.mean(means)),
    }


def train(
    objects: Objects, trainer: Trainer[VoxNet], recipe: Recipe, minutes: float
) -> Iterator[dict[str, float]]:
    """Learn until the minutes are spent; gives the rows of the log."""
    rest, held = divide(objects)
    rng = np.random.default_rng(trainer.step)

    def losses() -> Iterator[Tensor]:
        while True:
            batch = draw(rest, recipe, rng)
            trainer.model.train()
            yield loss_of(trainer.model, tuple(each.to(trainer.device) for each in batch), recipe)

    yield from trainer.steps(losses(), lambda: score(trainer.average, held), 60 * minutes)


def main(arguments_: list[str] | None = None) -> None:
    """See the module."""
    given = arguments("voxnet", __doc__, 60).parse_args(arguments_)
    given.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(
        lambda: VoxNet(Config()),
        "voxnet",
        given.out,
        device=given.device,
        peak=2e-3,
        decay=2e-2,
    )
    trainer.load()
    for _ in train(load(given.data, "train"), trainer, Recipe(), given.minutes):
        pass  # each row is written to log.csv


if __name__ == "__main__":
    main()
