"""The recipe of both decoders: pictures with sentences, one command.

``python -m avtool.pipelines.caption.train.caption --data FOLDER --out FOLDER``

First each next word is learned, given those before it (cross-entropy, smoothed labels); Attend has
to look at every cell about once in all (Xu et al., 2015, equation 14). Then whole sentences are:
of five that the network says about a picture, those that are nearer to what people wrote become
likelier than the others (CIDEr-D; Rennie et al., "Self-critical sequence training for image
captioning", 2017; the others' mean as baseline, Luo, "A better variant of self-critical sequence
training", 2020). The backbone is frozen, so pictures are looked at once, in four views. A run that
was stopped goes on where it was. The log says how near the averaged weights come on the
pictures of the split dev, word by word, without a beam.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from avtool.metrics.captions import Cider, bleu, cider
from avtool.models import captioned
from avtool.models.backbone import Look
from avtool.models.captioned import Captioned, Looks
from avtool.models.vocabulary import Vocabulary
from avtool.pipelines.caption.beam import LONGEST, spoken
from avtool.pipelines.caption.model import BEGIN, END, FILL, UNKNOWN, Caption, Config, targets
from avtool.training.trainer import Trainer, arguments
from avtool.values import Array

STOP = "."  # ends a sentence where whole ones are compared, so that none is cut off for free


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Args:
        batch: pictures a step, with all their sentences; smooth: how much of each label goes to
            all words; stochastic: weight of looking everywhere once (lambda of the paper).
        words: part of the time in which words are learned; then whole sentences are.
        said: sentences that are compared with each other, a picture.
    """

    batch: int = 24
    smooth: float = 0.1
    stochastic: float = 0.1
    words: float = 0.72
    said: int = 5


class Lessons:
    """Batches of one split of a folder."""

    def __init__(self, data: Captioned, looks: Looks, vocabulary: Vocabulary, split: str) -> None:
        self._looks, self.pictures = looks, np.array(data.of(split))
        self.references = [data.sentences[n] for n in self.pictures]
        self._words = vocabulary.words
        self._numbers = [
            [
                torch.tensor([BEGIN, *vocabulary.numbers(each[: LONGEST - 1]), END])
                for each in sentences
            ]
            for sentences in self.references
        ]

    def look(self, chosen: Array, views: Array) -> Look:
        """What is seen on pictures of the split, each in its view."""
        at = self.pictures[chosen], views
        grid, vector = self._looks.grid[at], self._looks.vector[at]
        kinds = torch.zeros(len(chosen), 0)
        return Look(torch.from_numpy(grid).float(), torch.from_numpy(vector).float(), kinds)

    def sentences(self, chosen: Array) -> tuple[Tensor, Tensor]:
        """All sentences of these pictures, as ``Caption`` takes them: pictures, sentences."""
        rows = [(n, each) for n, picture in enumerate(chosen) for each in self._numbers[picture]]
        rows.sort(key=lambda row: -len(row[1]))
        pictures, sentences = zip(*rows, strict=True)
        return torch.tensor(pictures), pad_sequence(list(sentences), True, FILL)

    def text(self, sentence: list[int]) -> list[str]:
        """The words of a sentence's numbers."""
        return [self._words[n] for n in sentence if n > UNKNOWN]


def loss_of_words(model: Caption, lessons: Lessons, chosen: Array, look: Look, r: Recipe) -> Tensor:
    """Cross-entropy of the next words, both decoders', in nats a word."""
    pictures, sentences = lessons.sentences(chosen)
    wanted = targets(sentences)
    loss = torch.zeros(())
    for name in Caption.DECODERS:
        logits, looked = model(name, look, pictures, sentences)
        loss = loss + cross_entropy(logits, wanted, ignore_index=UNKNOWN, label_smoothing=r.smooth)
        if looked is not None:
            loss = loss + r.stochastic * doubly_stochastic(looked)
    return loss


def doubly_stochastic(looked: Tensor) -> Tensor:
    """How far a sentence is from looking at every cell once: [rows, 49] -> a mean, per cell."""
    return (1 - looked).square().mean()


def loss_of_sentences(
    model: Caption, lessons: Lessons, chosen: Array, look: Look, score: Cider, r: Recipe
) -> Tensor:
    """Makes those of the sentences that are said likelier that are nearer to the true ones."""
    loss = torch.zeros(())
    for name in Caption.DECODERS:
        model.eval()
        said = spoken(model, name, look, times=r.said, random=True)
        model.train()
        rewards = torch.tensor(
            [
                score([*lessons.text(row), STOP], chosen[n // r.said])
                for n, row in enumerate(said.tolist())
            ]
        ).view(-1, r.said)
        better = ((rewards - rewards.mean(1, True)) * r.said / (r.said - 1)).flatten()
        lengths = (said != FILL).sum(1)
        order = lengths.argsort(descending=True, stable=True)
        said, better = said[order], better[order]
        logits, _ = model(name, look, order // r.said, said)
        logits[:, [FILL, BEGIN, UNKNOWN]] = -torch.inf
        likely = -cross_entropy(logits, targets(said), reduction="none")
        # The words of a step, of all rows that are still going on, as ``targets`` orders them.
        weight = better[:, None].expand(-1, said.shape[1] - 1).T[said[:, 1:].T != FILL]
        loss = loss - (weight * likely).mean()
    return loss


@torch.no_grad()
def score(model: Caption, lessons: Lessons) -> dict[str, float]:
    """Of both decoders, word by word, on pictures that were not learned from."""
    row: dict[str, float] = {}
    for name in Caption.DECODERS:
        told: list[list[str]] = []
        for part in np.array_split(np.arange(len(lessons.pictures)), 8):
            look = lessons.look(part, np.zeros_like(part))
            told += [lessons.text(each) for each in spoken(model, name, look).tolist()]
        each = bleu(told, lessons.references)
        row |= {f"{name} BLEU-1": each[0], f"{name} BLEU-4": each[3]}
        row[f"{name} CIDEr"] = cider(told, lessons.references)
    return row


def train(
    trainer: Trainer[Caption], learned: Lessons, held: Lessons, recipe: Recipe, minutes: float
) -> None:
    """Learn words, then sentences, until the minutes are spent."""
    stopped = [[[*each, STOP] for each in true] for true in learned.references]
    near = Cider(stopped)
    rng = np.random.default_rng(trainer.step)

    def losses() -> Iterator[Tensor]:
        while True:
            order = rng.permutation(len(learned.pictures))
            for first in range(0, len(order) - recipe.batch + 1, recipe.batch):
                chosen = order[first : first + recipe.batch]
                look = learned.look(chosen, rng.integers(captioned.VIEWS, size=len(chosen)))
                trainer.model.train()
                if trainer.seconds < recipe.words * 60 * minutes:
                    yield loss_of_words(trainer.model, learned, chosen, look, recipe)
                else:
                    yield loss_of_sentences(trainer.model, learned, chosen, look, near, recipe)

    rows = trainer.steps(losses(), lambda: score(trainer.average, held), 60 * minutes, every=150.0)
    for _ in rows:
        pass  # each is written to log.csv


def new(vocabulary: Vocabulary) -> Caption:
    """A network for these words."""
    letters = list("\n".join(vocabulary.words[UNKNOWN + 1 :]).encode())
    model = Caption(Config(len(vocabulary), len(letters)))
    model.letters.copy_(torch.tensor(letters))
    return model


def main(arguments_: list[str] | None = None) -> None:
    """See the module."""
    parser = arguments("caption", __doc__, 50)
    parser.add_argument("--looks", type=Path, help="what is seen on the pictures [OUT/looks]")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args(arguments_)
    torch.set_num_threads(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    data = captioned.read(given.data)
    looks = captioned.looks(data, given.looks or given.out / "looks")
    vocabulary = Vocabulary.of(each for n in data.of("train") for each in data.sentences[n])
    learned, held = (Lessons(data, looks, vocabulary, split) for split in ("train", "dev"))
    trainer = Trainer(
        lambda: new(vocabulary),
        "caption",
        given.out,
        peak=1.5e-3,
        warm=100,
        decay=1e-2,
        average=0.995,
    )
    trainer.load()
    train(trainer, learned, held, Recipe(), given.minutes)


if __name__ == "__main__":
    main()
