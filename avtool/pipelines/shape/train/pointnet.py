"""PointNet's recipe: the parts of made things.

``python -m avtool.pipelines.shape.train.pointnet --out FOLDER``

It learns from chairs, tables, lamps, mugs and heads that rules with random numbers make, whose
parts are known exactly; a tenth as many others are watched. Each is turned about the up axis by any
angle, stretched along each axis, and its points are shaken. What is scored in the end is made with
a seed of its own; see ``avtool eval shape``. ``--shuffled`` is the control: the same with the parts
of each thing's points in random order.
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

from avtool.pipelines.shape.evaluate import part_iou, parted
from avtool.pipelines.shape.made import clouds
from avtool.pipelines.shape.pointnet import FIRST, KINDS, POINTS, Config, PointNet, centred
from avtool.training.trainer import Trainer, arguments
from avtool.values import Array

SEED, WATCHED = 1, 2  # of what is learned from, and of what is watched; 0 is of the test


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Args:
        things: that are made; batch: things a step; points: of a thing in a step.
        stretch: of each axis at most; shaken: standard deviation, of a thing 1 large.
        kind: weight of telling what it is.
    """

    things: int = 5000
    batch: int = 24
    points: int = 512
    stretch: float = 0.2
    shaken: float = 0.008
    kind: float = 0.2


def draw(made: tuple[Array, ...], recipe: Recipe, rng: np.random.Generator) -> tuple[Tensor, ...]:
    """A batch: clouds [batch, points, 3], parts [batch, points] into all, kinds [batch]."""
    places, parts, kinds = made
    chosen = rng.integers(len(kinds), size=recipe.batch)
    some = rng.permuted(np.tile(np.arange(places.shape[1]), (recipe.batch, 1)), axis=1)
    some = some[:, : recipe.points]
    x = np.take_along_axis(places[chosen], some[..., None], 1).astype(np.float32)
    x *= 1 + rng.uniform(-recipe.stretch, recipe.stretch, (recipe.batch, 1, 3)).astype(np.float32)
    angle = rng.uniform(0, 2 * math.pi, recipe.batch).astype(np.float32)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x = np.stack(
        [cos * x[..., 0] - sin * x[..., 1], sin * x[..., 0] + cos * x[..., 1], x[..., 2]], -1
    )
    cloud = centred(torch.from_numpy(x))
    cloud = cloud + recipe.shaken * torch.from_numpy(rng.normal(size=x.shape).astype(np.float32))
    first = np.array([FIRST[kind] for kind in KINDS])[kinds[chosen]]
    labels = np.take_along_axis(parts[chosen], some, 1) + first[:, None]
    return cloud, torch.from_numpy(labels), torch.from_numpy(kinds[chosen])


def loss_of(model: PointNet, batch: tuple[Tensor, ...], recipe: Recipe) -> Tensor:
    """Cross-entropy of the points' parts, and of the kind."""
    cloud, parts, kinds = batch
    fast = cloud.device.type != "cpu" or torch.cpu._is_amx_tile_supported()
    with torch.autocast(cloud.device.type, torch.bfloat16, enabled=fast):
        outputs, whole = model.heard(cloud)
        told = model.parts(outputs, whole, kinds).float()
        kind = model.kinds(whole).float()
    part = functional.nll_loss(told.flatten(0, 1), parts.flatten())
    return part + recipe.kind * functional.nll_loss(kind, kinds)


def score(model: PointNet, made: tuple[Array, ...]) -> dict[str, float]:
    """Of things that were not learned from: the parts' mean IoU, and how often the kind is told."""
    told, kind = parted(model, made[0], made[2])
    return {"IoU": part_iou(told, made[1], made[2])["all"], "kind": float((kind == made[2]).mean())}


def train(
    trainer: Trainer[PointNet], recipe: Recipe, minutes: float, shuffled: bool = False
) -> Iterator[dict[str, float]]:
    """Learn until the minutes are spent; gives the rows of the log."""
    made, held = clouds(recipe.things, POINTS, SEED), clouds(recipe.things // 10, POINTS, WATCHED)
    if shuffled:
        made = (made[0], np.random.default_rng(3).permuted(made[1], axis=1), made[2])
    rng = np.random.default_rng(trainer.step)

    def losses() -> Iterator[Tensor]:
        while True:
            batch = draw(made, recipe, rng)
            trainer.model.train()
            yield loss_of(trainer.model, tuple(each.to(trainer.device) for each in batch), recipe)

    yield from trainer.steps(losses(), lambda: score(trainer.average, held), 60 * minutes)


def main(arguments_: list[str] | None = None) -> None:
    """See the module."""
    parser = arguments("pointnet", __doc__, 20)
    parser.add_argument("--shuffled", action="store_true", help="the control")
    parser.set_defaults(data=Path())
    for action in parser._actions:
        action.required = action.dest == "out"
    given = parser.parse_args(arguments_)
    given.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(
        lambda: PointNet(Config()),
        "pointnet",
        given.out,
        device=given.device,
        peak=3e-3,
        decay=1e-3,
    )
    trainer.load()
    for _ in train(trainer, Recipe(), given.minutes, given.shuffled):
        pass  # each row is written to log.csv


if __name__ == "__main__":
    main()
