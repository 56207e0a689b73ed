"""The attention network's recipe.

``python -m avtool.pipelines.localize.train.attention --data FOLDER --out FOLDER``

It learns from a folder of clips with sound, of any kind: which sound goes with which picture, and,
where ``--boxes`` says where the source is, that the map lies there. The picture network is run
once, its cells are packed with the sound around each picture; what learns is small. A tenth of the
clips is not learned from; the log says how often their sounds find their own pictures, and with
boxes how well the maps fit, beside chance, the centre, and the map of another clip's sound. The
same clips tell how much the network counts in ``avtool localize --weights`` (``calibration``).

Clips cut from one recording should not be spread over a folder: held out and learned from, they
look alike, and the log is too good.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from avtool.errors import InputError
from avtool.metrics.localization import auc, ciou, pointing, success
from avtool.models.backbone import CHANNELS, DEEP, MIDDLE, SIZE, Backbone
from avtool.pipelines.localize.attention_model import (
    MELS,
    Config,
    Localizer,
    contrastive_loss,
    pooled,
    supervised_loss,
)
from avtool.pipelines.localize.boxes import read_boxes
from avtool.pipelines.localize.train.attention_data import Pictures, load, pack
from avtool.pipelines.localize.train.calibration import calibrate
from avtool.training.trainer import Trainer, arguments


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Args:
        batch: clips a step, each with one of its pictures.
        soft: temperature of the attention, 0 for the maximum.
        boxed: weight of the loss with boxes against the one without.
    """

    batch: int = 64
    soft: float = 0.0
    boxed: float = 1.0
    peak: float = 1e-3
    decay: float = 0.05
    average: float = 0.99
    seed: int = 0


class Draw:
    """Draws batches: of each clip one picture, mirrored or not, and its sound, partly hidden."""

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures
        self.truths, self.marked = pictures.truths()
        self.by_clip = [np.flatnonzero(pictures.clip == n) for n in np.unique(pictures.clip)]

    def __call__(self, seed: tuple[int, ...], batch: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Grids, log-mels, truths and which pictures have one; ``batch`` or as many as clips."""
        rng = np.random.default_rng(seed)
        clips = rng.permutation(len(self.by_clip))[:batch]
        chosen = []
        for clip in clips:
            own = self.by_clip[clip]
            marked = own[self.marked[own]]
            # The marked picture as often as all others together: there is one of it.
            own = marked if len(marked) and rng.random() < 0.5 else own
            chosen.append(rng.choice(own))
        grid = self.pictures.grid[chosen].astype(np.float32)
        mel = self.pictures.mel[chosen].astype(np.float32)
        truth = self.truths[chosen]
        mirrored = rng.random(len(chosen)) < 0.5
        grid[mirrored], truth[mirrored] = grid[mirrored, ..., ::-1], truth[mirrored, ..., ::-1]
        for sound in mel:  # SpecAugment (Park et al., 2019): a band and a time are hidden
            low, start = rng.integers(MELS), rng.integers(sound.shape[1])
            sound[low : low + rng.integers(12)] = sound.mean()
            sound[:, start : start + rng.integers(40)] = sound.mean()
        tensors = map(torch.from_numpy, (grid, mel, truth, self.marked[chosen]))
        return next(tensors), next(tensors), next(tensors), next(tensors)


def loss_of(
    model: Localizer, grid: Tensor, mel: Tensor, truth: Tensor, marked: Tensor, recipe: Recipe
) -> Tensor:
    """What one step goes down: sounds with pictures, and maps with the boxes there are."""
    maps = model.all_pairs(grid, mel)
    loss = contrastive_loss(maps, model.temperature, recipe.soft)
    if marked.any():
        own = maps.diagonal().movedim(-1, 0)[marked]
        loss = loss + recipe.boxed * supervised_loss(own, truth[marked], model.temperature)
    return loss


@torch.inference_mode()
def score(model: Localizer, held: Pictures) -> dict[str, float]:
    """On clips that are not learned from.

    ``own``: how often, of one picture a clip and at most 100 clips, a sound's best is its own;
    ``chance``: the same blindly. With boxes, of the marked pictures: ``ciou`` (success at 0.5),
    ``auc``, ``point``, each also for the centre and for the sound of the next clip.
    """
    device = model.cell_out.weight.device

    def tensors(chosen: list[int]) -> tuple[Tensor, Tensor]:
        grid, mel = (each[chosen].astype(np.float32) for each in (held.grid, held.mel))
        return torch.from_numpy(grid).to(device), torch.from_numpy(mel).to(device)

    by_clip = [np.flatnonzero(held.clip == n) for n in np.unique(held.clip)]
    by_clip = by_clip[:: -(-len(by_clip) // 100)]
    right = []
    for turn in range(min(8, max(map(len, by_clip)))):
        table = pooled(model.all_pairs(*tensors([own[turn % len(own)] for own in by_clip])))
        right.append((table.argmax(1).cpu() == torch.arange(len(table))).float().mean())
    found = {"own": float(torch.stack(right).mean()), "chance": 1 / len(by_clip)}
    if not held.boxes:
        return found
    grid, mel = tensors(sorted(held.boxes))
    y, x = torch.meshgrid(*(torch.arange(n) - (n - 1) / 2 for n in grid.shape[2:]), indexing="ij")
    centre = -torch.maximum(y.abs(), x.abs())  # its median chooses a box of half the area
    maps = {
        "": model(grid, mel),
        ".centre": centre.expand(len(grid), -1, -1),
        ".other": model(grid, mel.roll(1, 0)),
    }
    return found | {
        f"{key}{name}": value
        for name, each in maps.items()
        for key, value in _placed(each.cpu(), held).items()
    }


def _placed(maps: Tensor, held: Pictures) -> dict[str, float]:
    """How well maps [n, h, w] of the marked pictures, in their order, fit the boxes."""
    scores, hits = [], []
    for picture, small in zip(sorted(held.boxes), maps, strict=True):
        heat = interpolate(small[None, None], (SIZE, SIZE), mode="bilinear")[0, 0].numpy()
        scores.append(ciou(heat, held.truth(picture)))
        rows, columns = np.nonzero(heat == heat.max())  # of a flat top its middle
        peak = (float(columns.mean()) + 0.5) / SIZE, (float(rows.mean()) + 0.5) / SIZE
        hits.append(pointing(peak, held.boxes[picture]))
    found = np.array(scores)
    return {"ciou": success(found), "auc": auc(found), "point": float(np.mean(hits))}


def start(config: Config, recipe: Recipe, out: Path, device: str) -> Trainer[Localizer]:
    """A run that has not begun."""
    return Trainer(
        lambda: Localizer(config),
        "localizer",
        out,
        device=device,
        seed=recipe.seed,
        peak=recipe.peak,
        warm=100,
        decay=recipe.decay,
        average=recipe.average,
        clip=1.0,
    )


def main() -> None:
    """Train; see the module's words."""
    parser = arguments("localizer", __doc__, 20.0)
    parser.add_argument("--boxes", type=Path, help="where the sources are: .csv, .json, or .xml's")
    parser.add_argument("--batch", type=int, default=Recipe.batch, help="clips a step")
    parser.add_argument("--cells", type=int, choices=(14, 7), default=14, help="a side; 7: deeper")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.data.is_dir():
        packed = given.out / "pictures.npz"
        if not packed.exists():
            blocks = MIDDLE if given.cells == 14 else DEEP
            boxes = read_boxes(given.boxes) if given.boxes else None
            backbone = Backbone.pretrained(blocks).to(given.device)
            pack(given.data, packed, boxes, lambda x: backbone(x.to(given.device)), blocks)
        given.data = packed
    recipe = Recipe(batch=given.batch)
    pictures, blocks = load(given.data, recipe.seed)
    if given.boxes and not any(part.boxes for part in pictures.values()):
        raise InputError(
            f"{given.data}: holds no marked clip; delete it if it was packed without --boxes, and "
            "see that the names in --boxes are those of the clips"
        )
    draw = Draw(pictures["train"])
    run = start(Config(blocks, CHANNELS[blocks]), recipe, given.out, given.device)
    run.load()

    def losses() -> Iterator[Tensor]:
        while True:
            drawn = draw((recipe.seed, run.step), recipe.batch)
            grid, mel, truth, marked = (each.to(given.device) for each in drawn)
            yield loss_of(run.model.train(), grid, mel, truth, marked, recipe)

    for _ in run.steps(
        losses(),
        lambda: score(run.average, pictures["valid"]),
        given.minutes * 60,
        every=60,
    ):
        calibrate(run.average, pictures["valid"])
        run.save()


if __name__ == "__main__":
    main()
