"""The joint embedding's recipe.

``python -m avtool.pipelines.search.train.joint --data FOLDER --out FOLDER``

A sentence has to find its picture among all of a batch, and the picture its sentence (van den Oord
et al., "Representation learning with contrastive predictive coding", 2018, equation 4, both ways);
the hardest wrong one of the batch counts once more (Faghri et al., "VSE++", 2018, equation 6).
Word vectors begin with ``train.words``. The backbone is frozen and has looked at each picture in
four views (``models.captioned``).

Then ``train.tags`` learns the tags and calibrates; until then it tells none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from avtool.models.captioned import VIEWS, Captioned, Looks, looks, read
from avtool.models.vocabulary import Vocabulary
from avtool.pipelines.search.model import Config, Joint
from avtool.pipelines.search.train.words import learn
from avtool.training.trainer import Trainer, arguments
from avtool.values import Array

LONGEST = 24  # words


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Args:
        batch: pictures a step, each with one of its sentences.
        hardest: weight of the hardest wrong one, of ``margin``.
    """

    batch: int = 256
    hardest: float = 1.0
    margin: float = 0.2
    peak: float = 2e-3
    decay: float = 0.02


Seen = tuple[Tensor, Tensor]  # grid and vector


@dataclass(frozen=True, eq=False)
class Data:
    """Pictures as seen, and their sentences as numbers."""

    captioned: Captioned
    looks: Looks
    numbers: list[list[list[int]]]

    @classmethod
    def of(cls, captioned: Captioned, looks: Looks, config: Config) -> Data:
        """For a network of these words."""
        vocabulary = Vocabulary(config.words)
        numbers = [
            [vocabulary.numbers(said)[:LONGEST] for said in each] for each in captioned.sentences
        ]
        return cls(captioned, looks, numbers)

    def seen(self, pictures: Sequence[int] | Array, views: Sequence[int] | Array | int) -> Seen:
        """Float32 grid and vector of pictures, each in a view."""
        rows = [
            torch.from_numpy(each[pictures, views].astype(np.float32))
            for each in (self.looks.grid, self.looks.vector)
        ]
        return rows[0], rows[1]


def loss_of(model: Joint, seen: Seen, numbers: list[list[int]], recipe: Recipe) -> Tensor:
    """Of a batch of pictures, each with one of its sentences."""
    with torch.autocast(seen[0].device.type, torch.bfloat16):
        pictures, sentences = model.pictures(*seen), model.sentences(numbers)
    likeness = sentences.float() @ pictures.float().T
    own = torch.arange(len(numbers), device=likeness.device)
    scaled = likeness * model.scale.exp().clamp(max=50)
    loss = (cross_entropy(scaled, own) + cross_entropy(scaled.T, own)) / 2
    wrong = likeness.masked_fill(torch.eye(len(own), dtype=torch.bool, device=own.device), -1)
    for hardest in (wrong.amax(0), wrong.amax(1)):
        further = recipe.margin + hardest - likeness.diagonal()
        loss = loss + recipe.hardest * further.clamp(min=0).mean()
    return loss


@torch.no_grad()
def places(model: Joint, data: Data, pictures: Sequence[int]) -> tuple[Tensor, Tensor, Array]:
    """Where pictures and all their sentences lie, and the picture of each sentence, by its place
    in ``pictures``.
    """
    seen = [model.pictures(*data.seen(part, 0)) for part in np.array_split(pictures, 8)]
    numbers = [said for n in pictures for said in data.numbers[n]]
    said = [model.sentences(numbers[first : first + 250]) for first in range(0, len(numbers), 250)]
    owner = np.repeat(np.arange(len(pictures)), [len(data.numbers[n]) for n in pictures])
    return torch.cat(seen), torch.cat(said), owner


def recall(likeness: Array, owner: Array, most: int = 10) -> tuple[float, float]:
    """How often the true picture is among the first ``most`` of a sentence, and a true sentence
    among the first of a picture.

    Shape:
        likeness: [sentences, pictures]; owner: int [sentences], the picture of each
    """
    own = likeness[np.arange(len(owner)), owner]
    found = ((likeness > own[:, None]).sum(1) < most).mean()
    best = np.full(likeness.shape[1], -np.inf)
    np.maximum.at(best, owner, own)
    back = ((likeness > best).sum(0) < most).mean()
    return float(found), float(back)


def score(model: Joint, data: Data, split: str) -> dict[str, float]:
    """Recall at 10 of a split."""
    pictures, sentences, owner = places(model, data, data.captioned.of(split))
    found, back = recall((sentences @ pictures.T).numpy(), owner)
    return {"text to image": found, "image to text": back}


def train(data: Data, trainer: Trainer[Joint], recipe: Recipe, minutes: float) -> None:
    """Learn from the split train until the minutes are spent."""
    rng = np.random.default_rng(trainer.step)
    train = np.array(data.captioned.of("train") + data.captioned.of("extra"))

    def losses() -> Iterator[Tensor]:
        while True:
            order = rng.permutation(train)
            for first in range(0, len(order) - recipe.batch + 1, recipe.batch):
                chosen = order[first : first + recipe.batch]
                numbers = [
                    each[rng.integers(len(each))] for each in (data.numbers[n] for n in chosen)
                ]
                seen = data.seen(chosen, rng.integers(VIEWS, size=len(chosen)))
                trainer.model.train()
                yield loss_of(trainer.model, seen, numbers, recipe)

    for _ in trainer.steps(
        losses(), lambda: score(trainer.average, data, "dev"), 60 * minutes, every=120
    ):
        pass  # each row is written to log.csv


def main() -> None:
    """See the module."""
    parser = arguments("joint", __doc__, 30)
    parser.add_argument("--looks", type=Path, help="folder of what the backbone sees [in --out]")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    captioned = read(given.data)
    seen = looks(captioned, given.looks or given.out / "looks")
    vocabulary, vectors = learn(given.data, given.out)
    config = Config(vocabulary.words[4:], word=vectors.shape[1])
    data = Data.of(captioned, seen, config)

    def make() -> Joint:
        model = Joint(config)
        model.sentences.words.weight.data.copy_(vectors * (0.1 / vectors.std()))
        return model

    recipe = Recipe()
    trainer = Trainer(make, "joint", given.out, peak=recipe.peak, decay=recipe.decay)
    trainer.load()
    train(data, trainer, recipe, given.minutes)


if __name__ == "__main__":
    main()
