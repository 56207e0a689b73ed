"""Pictures and sentences in one space, where what belongs together lies together.

Two towers. A picture's is what the frozen backbone sees in all of it and in its cells, by attention
(Lin et al., "A structured self-attentive sentence embedding", 2017, over cells in place of words).
A sentence's is a bidirectional GRU over word vectors, so order counts; mean and maximum over words
(Kiros, Salakhutdinov & Zemel, "Unifying visual-semantic embeddings", 2014; Faghri et al., "VSE++",
2018). A third part says which words fit a picture, each by its own probability.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from avtool.models.vocabulary import Vocabulary

VECTOR, CELL = 1280, 320  # channels of the backbone's vector and cells


@dataclass(frozen=True)
class Config:
    """Sizes.

    Args:
        words: that are known, in the order of their numbers from 4 on; told: those that can be
            told of a picture.
        size: of the space; word: of a word's vector; hidden: of the GRU, each way; heads: places
            of a picture that are looked at apart.
        drop: of channels, while it learns; forget: of words.
        slope, offset: of a tag's log-odds, as calibrated on pictures that were not learned from.
        fit: slope and offset that make of a likeness the log-odds that this picture, of ten
            drawn at random, is the one that is meant; calibrated likewise.
    """

    words: Sequence[str] = ("",)
    told: Sequence[str] = ("",)
    size: int = 256
    word: int = 256
    hidden: int = 256
    heads: int = 8
    drop: float = 0.3
    forget: float = 0.15
    slope: float = 1.0
    offset: float = 0.0
    fit: tuple[float, float] = (10.0, -5.0)


class Pictures(nn.Module):
    """What the backbone sees -> a place in the space, [batch, size], of length 1."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm = nn.LayerNorm(VECTOR)
        self.straight = nn.Linear(VECTOR, config.size)
        self.bent = nn.Sequential(
            nn.Linear(VECTOR, config.size * 2),
            nn.GELU(),
            nn.Dropout(config.drop),
            nn.Linear(config.size * 2, config.size),
        )
        self.cell_norm = nn.LayerNorm(CELL)
        self.cell = nn.Linear(CELL, config.size * 2)
        self.look = nn.Linear(CELL, config.heads)
        self.out = nn.Linear(config.size * 2, config.size)
        self.drop = nn.Dropout(config.drop)

    def forward(self, grid: Tensor, vector: Tensor) -> Tensor:
        whole = self.drop(self.norm(vector))
        cells = self.cell_norm(grid)
        share = self.look(cells).softmax(1)[..., None]  # [batch, cells, heads, 1]
        seen = gelu(self.cell(cells)).unflatten(2, (self.heads, -1))
        parts = self.out(self.drop((share * seen).sum(1).flatten(1)))
        return normalize(self.straight(whole) + self.bent(whole) + parts, dim=-1)


class Sentences(nn.Module):
    """Words by their numbers -> a place in the space, [batch, size], of length 1."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        count = len(config.words) + 4
        self.words = nn.Embedding(count, config.word, padding_idx=Vocabulary.FILL)
        self.rnn = nn.GRU(config.word, config.hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(4 * config.hidden, config.size)
        self.drop = nn.Dropout(config.drop)

    def forward(self, numbers: Sequence[Sequence[int]]) -> Tensor:
        """Sentences of one word or more."""
        words = pad_sequence([torch.tensor(each) for each in numbers], batch_first=True)
        words = words.to(self.out.weight.device)
        there = words != Vocabulary.FILL
        if self.training:
            gone = torch.rand(words.shape, device=words.device) < self.config.forget
            words = words.masked_fill(gone & there, Vocabulary.UNKNOWN)
        lengths = torch.tensor([len(each) for each in numbers])
        packed = pack_padded_sequence(
            self.drop(self.words(words)), lengths, batch_first=True, enforce_sorted=False
        )
        states = self.drop(pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0])
        states = states.float()
        mean = states.sum(1) / lengths[:, None].to(states)
        most = states.masked_fill(~there[..., None], -math.inf).amax(1)
        return normalize(self.out(torch.cat([mean, most], -1)), dim=-1)


class Joint(nn.Module):
    """Both towers, and the tags."""

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = Vocabulary(config.words)
        self.pictures = Pictures(config)
        self.sentences = Sentences(config)
        self.scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.tag_norm = nn.LayerNorm(VECTOR + config.size)
        self.tag_drop = nn.Dropout(config.drop)
        self.tag = nn.Linear(VECTOR + config.size, len(config.told))

    def tags(self, vector: Tensor, place: Tensor) -> Tensor:
        """Log-odds of each of ``config.told`` for pictures at these places, [batch, told]."""
        both = torch.cat([vector, place], -1)
        return self.tag(self.tag_drop(self.tag_norm(both)))
