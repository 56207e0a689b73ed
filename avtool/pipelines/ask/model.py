"""The network that answers: an LSTM reads the question, a CNN the picture, looks join them.

A product of the two vectors, as Antol et al., "VQA: Visual Question Answering" (2015), join them,
forgets where things are, and takes what was never seen together (a red star) for what is never
there. Here the CNN says of each cell which thing has its middle there, property by property, and
the LSTM which words each of two looks is about. A look is a filter, as the modules of Andreas et
al., "Neural Module Networks" (2016), but soft throughout: the words of the look vote for a colour,
a shape, a size, and for where to look from the look before. How well a cell fits is the product of
these; so each property is learned with any other. The answer is told from what the looks found
alone: how many, where, and which properties (as Yi et al., "Neural-Symbolic VQA", 2018, part
seeing from reasoning).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from avtool.pipelines.ask.words import ANSWERS, COLOURS, MOST, SHAPES, SIZES, WORDS

SIZE = 64  # pixels, width and height of the picture
SIDE = 16  # cells a row
LOOKS = 2
PROPERTIES = [len(COLOURS), len(SHAPES), len(SIZES)]
NAMES = sum(PROPERTIES)
# Of a cell: whether the middle of a thing is there, whether another hides a part of it, whether it
# hides a part of another; its names.
THING = 3 + NAMES
WAYS = 7  # anywhere; left of, right of, above, below the look before; behind, in front of it
VOTES = NAMES + len(PROPERTIES) + WAYS  # of a word: for each name, for any of a property, for ways
SHARP = 4.0  # votes grow so much faster than other weights
FOUND = 2 + NAMES + MOST + 1  # of a look: where, what, how many


@dataclass(frozen=True)
class Config:
    """Sizes: channels of a cell, of a word; words known; answers."""

    width: int = 96
    words: int = len(WORDS)
    answers: int = len(ANSWERS)

    def layout(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Tensors and their shapes, from which all sizes can be read."""
        yield "embed.weight", (self.words, self.width)
        yield "tell.4.weight", (self.answers, self.width)


class Seen(NamedTuple):
    """What is seen.

    Shape:
        things: [pictures, 256, THING], logits of what lies in each cell, 16 x 16 from the top left
        on; known: [pictures], the logit of a picture being a drawn scene
    """

    things: Tensor
    known: Tensor


class Answer(NamedTuple):
    """What is told.

    Shape:
        logits: [pictures, questions, answers]; fits: [pictures, questions, LOOKS, 256], how well
        each cell is what a look is for; spoken: [pictures, questions, LOOKS, words], how much each
        word has a say in it; both 0 to 1
    """

    logits: Tensor
    fits: Tensor
    spoken: Tensor


class Ask(nn.Module):
    """Pictures and questions to answers: ``see`` a picture once, ``answer`` all about it."""

    middles: Tensor
    numbers: Tensor

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.look = nn.Sequential(
            _conv(3, 32, 5, 2),  # 32 x 32
            _Residual(32),
            _conv(32, 64, 3, 2),  # 16 x 16
            _Residual(64),
            _conv(64, width, 3, 1),
            _Residual(width),
            _Residual(width),
        )
        self.known = nn.Sequential(nn.Linear(2 * width, 32), nn.ReLU(), nn.Linear(32, 1))
        self.things = nn.Linear(width, THING)
        row, column = torch.meshgrid(*2 * [(torch.arange(SIDE) + 0.5) / SIDE], indexing="ij")
        middles = torch.stack([column.flatten(), row.flatten()], -1)
        self.register_buffer("middles", middles, persistent=False)  # [256, 2], parts of the picture
        self.register_buffer("numbers", torch.arange(MOST + 1.0), persistent=False)
        self.embed = nn.Embedding(config.words, width, 0)
        self.read = nn.LSTM(width, width // 2, batch_first=True, bidirectional=True)
        self.guide = nn.Linear(width, LOOKS)
        self.votes = nn.Embedding(config.words, VOTES, 0)
        nn.init.normal_(self.votes.weight, std=0.1)
        self.kind = nn.Linear(width, 24)
        self.tell = nn.Sequential(
            nn.Linear(24 + LOOKS * FOUND + NAMES, 2 * width),
            nn.ReLU(),
            nn.Linear(2 * width, width),
            nn.ReLU(),
            nn.Linear(width, config.answers),
        )

    def see(self, pictures: Tensor) -> Seen:
        """Uint8 RGB [pictures, SIZE, SIZE, 3] to what is seen."""
        cells = self.cells(pictures)
        whole = torch.cat([cells.mean(1), cells.amax(1)], 1)
        return Seen(self.things(cells), self.known(whole).squeeze(1))

    def cells(self, pictures: Tensor) -> Tensor:
        """The CNN's: [pictures, 256, width]."""
        x: Tensor = self.look(pictures.movedim(-1, 1).float() / 127.5 - 1)
        return x.flatten(2).transpose(1, 2)

    def answer(self, seen: Seen, words: Tensor) -> Answer:
        """Several questions about each picture.

        Args:
            words: numbers [pictures, questions, words], 0 where a question is over.
        """
        context, whole = self._question(words)
        spoken = self.guide(context).sigmoid() * (words != 0)[..., None]  # [p, q, words, LOOKS]
        votes = spoken.mT @ (SHARP * self.votes(words))  # [p, q, LOOKS, VOTES]
        names, any_, ways = votes.split([NAMES, len(PROPERTIES), WAYS], -1)
        there, hidden, hides = seen.things[..., :3].sigmoid()[:, None].unbind(-1)  # [p, 1, 256]
        named = [each.softmax(-1) for each in seen.things[..., 3:].split(PROPERTIES, -1)]
        fit = there[:, :, None]  # [p, q, LOOKS, 256]
        for n, (wanted, property_) in enumerate(
            zip(names.split(PROPERTIES, -1), named, strict=True)
        ):
            chosen = torch.cat([any_[..., n : n + 1] + 2, wanted], -1).softmax(-1)
            fit = fit * (chosen[..., :1] + chosen[..., 1:] @ property_[:, None].mT)
        fits, found, what = [], [], []
        every = torch.cat(named, -1)  # [p, 256, NAMES]
        place = fit.new_full((*fit.shape[:2], 2), 0.5)
        ways = torch.cat([ways[..., :1] + 2, ways[..., 1:]], -1).softmax(-1)
        for n in range(LOOKS):
            where = self._where(place, hidden, hides)  # [p, q, 256, WAYS]
            fits.append(fit[:, :, n] * (where @ ways[:, :, n, :, None])[..., 0])
            count = fits[-1].sum(-1, keepdim=True)
            share = fits[-1] / (count + 1e-2)
            place = share @ self.middles
            what.append(share @ every)
            many = (1 - (count - self.numbers).abs()).clamp_min(0)
            found += [place, what[-1], many]
        told = self.tell(torch.cat([self.kind(whole), *found, what[0] * what[-1]], -1))
        return Answer(told, torch.stack(fits, 2), spoken.mT)

    def _where(self, place: Tensor, hidden: Tensor, hides: Tensor) -> Tensor:
        """How well each cell lies each way from a place [p, q, 2]: [p, q, 256, WAYS]."""
        away = self.middles - place[:, :, None]  # [p, q, 256, 2]
        x, y = (away * 8 * SIDE).unbind(-1)
        half = 4.0  # of a cell: a thing is not left of itself
        near = (100 * (0.1 - away.square().sum(-1))).sigmoid()  # a third of the picture
        sides = [
            (-x - half).sigmoid(),
            (x - half).sigmoid(),
            (-y - half).sigmoid(),
            (y - half).sigmoid(),
        ]
        return torch.stack([torch.ones_like(near), *sides, near * hidden, near * hides], -1)

    def _question(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """Each word where it stands, [p, q, words, width], and the whole, [p, q, width]."""
        lengths = (words != 0).sum(-1).clamp_min(1).flatten().cpu()
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embed(words).flatten(0, 1), lengths, batch_first=True, enforce_sorted=False
        )
        out, (last, _) = self.read(packed)
        context, _ = nn.utils.rnn.pad_packed_sequence(
            out, batch_first=True, total_length=words.shape[2]
        )
        whole = last.transpose(0, 1).flatten(1)
        return context.unflatten(0, words.shape[:2]), whole.unflatten(0, words.shape[:2])


def _conv(before: int, after: int, kernel: int, step: int) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, kernel, step, kernel // 2, bias=False)
    return nn.Sequential(convolution, _Norm(after), nn.ReLU())


class _Norm(nn.Module):
    """Batch norm, without torch's count of batches, which is no weight."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        running = self.running_mean, self.running_var
        return nn.functional.batch_norm(x, *running, self.weight, self.bias, self.training)


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = _conv(width, width, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        whole: Tensor = x + self.layer(x)
        return whole
