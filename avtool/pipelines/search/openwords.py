"""Words that no caption taught: by what ImageNet's kinds mean (ConSE).

A picture lies at the mean of the vectors of ImageNet's kinds, each by how likely it is seen
(Norouzi et al., "Zero-shot learning by convex combination of semantic embeddings", 2014, equation
4, over all kinds); a word lies at its own. Both vectors are those of all-MiniLM-L6-v2 (Reimers &
Gurevych, "Sentence-BERT", 2019; Apache-2.0), reduced to ``size`` dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from avtool.models.backbone import KINDS

SOFT = 2.0  # temperature of the kinds' probabilities: of what is less likely more is taken


@dataclass(frozen=True)
class Config:
    """The words, and the size of their vectors.

    Args:
        fit: slope and offset that make of a likeness the log-odds that this picture, of ten drawn
            at random, is the one that is meant.
    """

    words: Sequence[str] = ("",)
    size: int = 64
    fit: tuple[float, float] = (10.0, -5.0)


class OpenWords(nn.Module):
    """Words, and pictures by their kinds, in one space."""

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        self.number = {word: n for n, word in enumerate(config.words)}
        self.words = nn.Parameter(torch.zeros(len(config.words), config.size))
        self.kinds = nn.Parameter(torch.zeros(KINDS, config.size))

    def places(self, kinds: Tensor) -> Tensor:
        """Of pictures, by ImageNet's logits: [batch, 1000] -> [batch, size], of length 1."""
        return normalize((kinds.float() / SOFT).softmax(-1) @ self.kinds, dim=-1)

    def said(self, words: Sequence[str]) -> Tensor | None:
        """The place of the words that are known, [size], of length 1; None where none is."""
        numbers = [self.number[word] for word in words if word in self.number]
        return normalize(self.words[numbers].sum(0), dim=-1) if numbers else None
