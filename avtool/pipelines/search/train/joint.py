"""The joint embedding's recipe.

``python -m avtool.pipelines.search.train.joint --data FOLDER --out FOLDER``

A sentence has to find its picture among all of a batch, and the picture its sentence (van den Oord
et al., "Representation learning with contrastive predictive coding", 2018, equation 4, both ways);
the hardest wrong one of the batch counts once more (Faghri et al., "VSE++", 2018, equation 6).
Word vectors begin with ``train.words``. The backbone is frozen and has looked at each picture in
four views (``training.captioned``).

Tags are learned beside it: which words are in any of a picture's sentences. Their log-odds are
calibrated on the split dev (Platt, 1999).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from avtool.pipelines.search.model import Config, Joint
from avtool.pipelines.search.train.words import learn
from avtool.training.captioned import VIEWS, Captioned, Looks, Vocabulary, looks, read, words
from avtool.training.trainer import Trainer, arguments
from avtool.values import Array

LONGEST = 24  # words
TOLD = 500  # words that can be told of a picture
# Words that say nothing of what is seen.
EMPTY = frozenset(
    words(
        "a an the of in on at to with and is are his her its their it he she they that this which "
        "while as by for from into onto up down out over under through near next behind front "
        "against along across around off one other another some each who what being be has have"
    )
)


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Args:
        batch: pictures a step, each with one of its sentences.
        hardest: weight of the hardest wrong one, of ``margin``; tags: weight of the tags.
    """

    batch: int = 256
    hardest: float = 1.0
    margin: float = 0.2
    tags: float = 20.0
    peak: float = 2e-3
    decay: float = 0.02


Seen = tuple[Tensor, Tensor]  # grid and vector


@dataclass(frozen=True, eq=False)
class Data:
    """Pictures as seen, and their sentences as numbers."""

    captioned: Captioned
    looks: Looks
    numbers: list[list[list[int]]]
    tagged: Array  # bool [pictures, told]

    @classmethod
    def of(cls, captioned: Captioned, looks: Looks, config: Config) -> Data:
        """For a network of these words."""
        vocabulary = Vocabulary(config.words)
        numbers = [
            [vocabulary.numbers(said)[:LONGEST] for said in each] for each in captioned.sentences
        ]
        place = {word: n for n, word in enumerate(config.told)}
        tagged = np.zeros((len(numbers), len(place)), bool)
        for n, sentences in enumerate(captioned.sentences):
            tagged[n, [place[word] for said in sentences for word in said if word in place]] = True
        return cls(captioned, looks, numbers, tagged)

    def seen(self, pictures: Sequence[int] | Array, views: Sequence[int] | Array | int) -> Seen:
        """Float32 grid and vector of pictures, each in a view."""
        rows = [
            torch.from_numpy(each[pictures, views].astype(np.float32))
            for each in (self.looks.grid, self.looks.vector)
        ]
        return rows[0], rows[1]


def told(captioned: Captioned) -> list[str]:
    """The words that most pictures to learn from have in a sentence, most frequent first."""
    train = captioned.of("train")
    each = [{word for s in captioned.sentences[n] for word in s} for n in train]
    known = Vocabulary.of((sorted(some - EMPTY) for some in each), 20)
    return list(known.words[4 : 4 + TOLD])


def loss_of(
    model: Joint, seen: Seen, numbers: list[list[int]], tagged: Tensor, recipe: Recipe
) -> Tensor:
    """Of a batch of pictures, each with one of its sentences."""
    with torch.autocast(seen[0].device.type, torch.bfloat16):
        pictures, sentences = model.pictures(*seen), model.sentences(numbers)
        tags = model.tags(seen[1], pictures.detach())
    likeness = (sentences.float() @ pictures.float().T).to(torch.float32)
    own = torch.arange(len(numbers), device=likeness.device)
    scaled = likeness * model.scale.exp().clamp(max=50)
    loss = (cross_entropy(scaled, own) + cross_entropy(scaled.T, own)) / 2
    wrong = likeness.masked_fill(torch.eye(len(own), dtype=torch.bool, device=own.device), -1)
    true = likeness.diagonal()
    for hardest in (wrong.amax(0), wrong.amax(1)):
        loss = loss + recipe.hardest * (recipe.margin + hardest - true).clamp(min=0).mean()
    return loss + recipe.tags * binary_cross_entropy_with_logits(tags.float(), tagged.float())


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


def calibrated(model: Joint, data: Data) -> Config:
    """The network's sizes with what is calibrated on dev: the tags, and what a likeness means."""
    pictures = data.captioned.of("dev")
    grid, vector = data.seen(pictures, 0)
    with torch.no_grad():
        odds = model.tags(vector, model.pictures(grid, vector))
    tagged = torch.from_numpy(data.tagged[pictures])
    slope, offset = line(odds.flatten(), tagged.flatten())
    seen, said, owner = places(model, data, pictures)
    likeness = (said @ seen.T).float()
    rng = np.random.default_rng(0)
    own = likeness[np.arange(len(owner)), owner]
    wrong = (owner + rng.integers(1, len(pictures), len(owner))) % len(pictures)
    others = likeness[np.arange(len(owner)), wrong]
    # Nine of ten are others': each of these counts nine times.
    true = torch.cat([torch.ones_like(own), torch.zeros_like(others)]).bool()
    fit = line(torch.cat([own, others]), true, torch.where(true, 1.0, 9.0))
    return replace(model.config, slope=slope, offset=offset, fit=fit)


def line(odds: Tensor, true: Tensor, weight: Tensor | None = None) -> tuple[float, float]:
    """Slope and offset that bring log-odds nearest to the truth, by cross-entropy (Platt, 1999)."""
    found = torch.tensor([1.0, 0.0], requires_grad=True)
    search = torch.optim.LBFGS([found], max_iter=100, line_search_fn="strong_wolfe")

    def step() -> Tensor:
        search.zero_grad()
        loss = binary_cross_entropy_with_logits(found[0] * odds + found[1], true.float(), weight)
        loss.backward()
        return loss

    search.step(step)
    return float(found[0]), float(found[1])


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
                yield loss_of(
                    trainer.model, seen, numbers, torch.from_numpy(data.tagged[chosen]), recipe
                )

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
    config = Config(vocabulary.words[4:], told(captioned), word=vectors.shape[1])
    data = Data.of(captioned, seen, config)

    def make() -> Joint:
        model = Joint(config)
        model.sentences.words.weight.data.copy_(vectors * (0.1 / vectors.std()))
        return model

    recipe = Recipe()
    trainer = Trainer(make, "joint", given.out, peak=recipe.peak, decay=recipe.decay)
    trainer.load()
    train(data, trainer, recipe, given.minutes)
    trainer.model.config = calibrated(trainer.average, data)
    trainer.save()


if __name__ == "__main__":
    main()
