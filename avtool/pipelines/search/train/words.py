"""Word vectors by skip-gram: a word's neighbours are told from words drawn at random.

``python -m avtool.pipelines.search.train.words --data FOLDER --out FOLDER``

Mikolov et al., "Distributed representations of words and phrases and their compositionality"
(2013): equation 4, frequent words left out now and then (equation 5), negatives by their frequency
to the power of 3/4. The joint embedding begins with these vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from avtool.models.captioned import read
from avtool.models.vocabulary import Vocabulary
from avtool.training.trainer import arguments
from avtool.values import Array

SIZE = 256
WINDOW, NEGATIVES = 5, 8
RARE = 1e-3  # share of all words, above which a word is left out now and then
LEAST = 3  # times that a word occurs, to be known


def pairs(rng: np.random.Generator, sentences: Sequence[Sequence[int]], kept: Array) -> Array:
    """Words and their neighbours, int64 [pairs, 2], in any order.

    Args:
        kept: how often each word of the vocabulary is not left out.
    """
    found = []
    for sentence in sentences:
        left = [word for word in sentence if rng.random() < kept[word]]
        for n, word in enumerate(left):
            reach = int(rng.integers(1, WINDOW + 1))
            near = left[max(0, n - reach) : n] + left[n + 1 : n + 1 + reach]
            found += [(word, other) for other in near]
    return rng.permutation(np.array(found, np.int64).reshape(-1, 2))


def vectors(
    sentences: Sequence[Sequence[int]],
    count: int,
    *,
    size: int = SIZE,
    epochs: int = 15,
    batch: int = 2048,
    rate: float = 3e-3,
    rare: float = RARE,
    seed: int = 0,
) -> Tensor:
    """The vector of each of ``count`` words, float32 [count, size]."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    often = np.bincount(np.concatenate([np.array(s, int) for s in sentences]), minlength=count)
    share = often / often.sum()
    kept = np.minimum(1.0, np.sqrt(rare / np.maximum(share, 1e-12)))
    drawn = torch.from_numpy(share**0.75)
    word, near = nn.Embedding(count, size), nn.Embedding(count, size)
    nn.init.uniform_(word.weight, -0.5 / size, 0.5 / size)
    nn.init.zeros_(near.weight)
    optimiser = torch.optim.Adam([*word.parameters(), *near.parameters()], rate)
    for epoch in range(epochs):
        every = torch.from_numpy(pairs(rng, sentences, kept))
        for group in optimiser.param_groups:
            group["lr"] = rate * (1 - epoch / epochs)
        for part in every.split(batch):
            optimiser.zero_grad()
            loss(word, near, part, drawn).backward()
            optimiser.step()
    return word.weight.detach()


def loss(word: nn.Embedding, near: nn.Embedding, part: Tensor, drawn: Tensor) -> Tensor:
    """Equation 4, its mean over pairs [pairs, 2]; ``drawn``: how often each word is a negative."""
    middle = word(part[:, 0])
    true = (middle * near(part[:, 1])).sum(-1)
    # One set of negatives for all: each word meets many, for the price of few.
    others = near(torch.multinomial(drawn, 16 * NEGATIVES, replacement=True))
    false = middle @ others.T
    return -(logsigmoid(true).mean() + NEGATIVES * logsigmoid(-false).mean())


def main() -> None:
    """Learn; see the module's words. ``--minutes`` and ``--device`` have no meaning here."""
    given = arguments("words", __doc__, 2.0).parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    learn(given.data, given.out)


def learn(data: Path, out: Path) -> tuple[Vocabulary, Tensor]:
    """The words of a folder's sentences and their vectors, kept in ``words.safetensors``."""
    captioned = read(data)
    sentences = [s for n in captioned.of("train") for s in captioned.sentences[n]]
    vocabulary = Vocabulary.of(sentences, LEAST)
    found = vectors([vocabulary.numbers(s) for s in sentences], len(vocabulary))
    save_file({"words": found}, out / "words.safetensors", {"words": " ".join(vocabulary.words)})
    return vocabulary, found


if __name__ == "__main__":
    main()
