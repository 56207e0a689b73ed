"""The network that answers: an LSTM reads the question, a CNN the picture, attention joins them.

A product of the two vectors, as Antol et al., "VQA: Visual Question Answering" (2015), join them,
forgets where things are. Here the question looks at the picture's cells in steps, each step guided
by a few of its words and by what was found before, as the cells of Hudson & Manning,
"Compositional Attention Networks for Machine Reasoning" (2018) do; how it looks is the dot product
of several heads (Vaswani et al., "Attention Is All You Need", 2017), whose keys are made once a
picture. As attention is an average and cannot count, each step also gets a sum over cells, each
behind a gate of its own (Zhang et al., "Learning to Count Objects in Natural Images for Visual
Question Answering", 2018).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor, nn

from avtool.pipelines.ask.words import ANSWERS, COLOURS, SHAPES, SIZES, WORDS

SIZE = 64  # pixels, width and height of the picture
SIDE = 8  # cells a row
HEADS = 4
PROPERTIES = [len(COLOURS), len(SHAPES), len(SIZES)]
NAMES = sum(PROPERTIES)
THING = 1 + NAMES  # of a cell: whether the middle of a thing is there, and which it is


@dataclass(frozen=True)
class Config:
    """Sizes: of a cell, a word and the memory; looks at the picture; words known; answers."""

    width: int = 96
    steps: int = 4
    words: int = len(WORDS)
    answers: int = len(ANSWERS)

    def layout(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Tensors and their shapes, from which all sizes can be read."""
        yield "place", (SIDE * SIDE, self.width)
        yield "embed.weight", (self.words, self.width)
        yield "ask.weight", (self.steps * self.width, self.width)
        yield "tell.3.weight", (self.answers, self.width)


class Seen(NamedTuple):
    """What is seen.

    Shape:
        cells: [pictures, 64, width], 8 x 8 from the top left on; things: [pictures, 64, THING],
        what lies in each; known: [pictures], the logit of a picture being a drawn scene
    """

    cells: Tensor
    things: Tensor
    known: Tensor


class Answer(NamedTuple):
    """What is told.

    Shape:
        logits: [pictures, questions, answers]; attention: [pictures, questions, steps, 64], over
        the cells, and spoken: [pictures, questions, steps, words], both sum to one in each step;
        gates: [pictures, questions, steps, 64], of one head, 0 to 1
    """

    logits: Tensor
    attention: Tensor
    gates: Tensor
    spoken: Tensor


class Ask(nn.Module):
    """Pictures and questions to answers: ``see`` a picture once, ``answer`` all about it."""

    middles: Tensor

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.look = nn.Sequential(
            _conv(3, 32, 5, 2),  # 32 x 32
            _conv(32, 64, 3, 2),  # 16 x 16
            _Residual(64),
            _conv(64, width, 3, 2),  # 8 x 8
            _Residual(width),
        )
        self.place = nn.Parameter(torch.randn(SIDE * SIDE, width) / 4)
        row, column = torch.meshgrid(*2 * [torch.linspace(-1, 1, SIDE)], indexing="ij")
        middles = torch.stack([column.flatten(), row.flatten()], -1)
        self.register_buffer("middles", middles, persistent=False)  # [64, 2]
        self.cell = nn.Sequential(
            nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width), nn.LayerNorm(width)
        )
        self.known = nn.Sequential(nn.Linear(2 * width, 32), nn.ReLU(), nn.Linear(32, 1))
        self.things = nn.Linear(width, THING)
        self.name = nn.Linear(THING, width)
        self.embed = nn.Embedding(config.words, width, 0)
        self.read = nn.LSTM(width, width // 2, batch_first=True, bidirectional=True)
        self.ask = nn.Linear(width, config.steps * width)
        self.follow = nn.Linear(width, width)
        self.choose = nn.Parameter(torch.randn(width) / width**0.5)
        self.first = nn.Parameter(torch.zeros(width))
        self.knowledge = nn.Linear(width + 2, 4 * width)
        self.seek = nn.Sequential(
            nn.Linear(2 * width + 4 * HEADS, 2 * width),
            nn.ReLU(),
            nn.Linear(2 * width, 2 * width),
        )
        self.write = nn.Sequential(
            nn.Linear(4 * width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
        )
        self.norm = nn.LayerNorm(width)
        # Of each step besides: counts and places by head, what lies there; and what two share.
        plain = config.steps * (3 * HEADS + NAMES) + NAMES
        self.tell = nn.Sequential(
            nn.Linear((config.steps + 1) * width + plain, width),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(width, config.answers),
        )

    def see(self, pictures: Tensor) -> Seen:
        """Uint8 RGB [pictures, SIZE, SIZE, 3] to what is seen."""
        x = self.look(pictures.movedim(-1, 1).float() / 127.5 - 1)
        cells = x.flatten(2).transpose(1, 2)  # [pictures, 64, width]
        whole = torch.cat([cells.mean(1), cells.amax(1)], 1)
        things = self.things(cells)
        cells = self.cell(cells + self.place + self.name(self._named(things)))
        return Seen(cells, things, self.known(whole).squeeze(1))

    def answer(self, seen: Seen, words: Tensor) -> Answer:
        """Several questions about each picture.

        Args:
            words: numbers [pictures, questions, words], 0 where a question is over.
        """
        spoken = words != 0
        there = seen.things[:, None, None, :, 0].sigmoid()  # [p, 1, 1, 64]
        middles = self.middles.expand(len(words), -1, -1)
        context, whole = self._question(words, spoken)
        parts = self.ask(whole).unflatten(2, (self.config.steps, -1))  # [p, q, steps, width]
        key, value, gate, summed = self.knowledge(torch.cat([seen.cells, middles], -1)).chunk(4, -1)
        key, value, gate, summed = (
            x.unflatten(2, (HEADS, -1)).transpose(1, 2) for x in (key, value, gate, summed)
        )  # each [p, heads, 64, width / heads]
        root = key.shape[-1] ** 0.5
        control = torch.zeros_like(whole)
        memory = self.first.expand_as(whole)
        named = self._named(seen.things)[:, None, :, 1:]  # [p, 1, 64, names]
        places = 2 * [whole.new_zeros(*whole.shape[:2], 2 * HEADS)]  # looked at before
        memories, attention, gates, read, plain = [], [], [], [], []
        for part in parts.unbind(2):
            control = part + self.follow(control)  # [p, q, width]
            chosen = (context @ (control * self.choose)[..., None]).squeeze(-1)
            chosen = chosen.masked_fill(~spoken, -1e4).softmax(-1)  # [p, q, words]
            control = (chosen[..., None, :] @ context).squeeze(-2)  # a mean of some words
            sought = self.seek(torch.cat([control, memory, *places[-2:]], -1))
            sought = sought.unflatten(2, (2 * HEADS, -1)).transpose(1, 2)
            looking, counting = sought.chunk(2, 1)  # [p, heads, q, width / heads]
            looked = (looking @ key.mT / root).softmax(-1)  # [p, heads, q, 64]
            counted = (counting @ gate.mT / root - 2).sigmoid() * there  # only things count
            found = (looked @ value).transpose(1, 2).flatten(2)
            several = (counted @ summed).transpose(1, 2).flatten(2) / 2
            found = self.write(torch.cat([found, several, memory, control], -1))
            memory = self.norm(memory + found)
            places.append((looked @ self.middles).transpose(1, 2).flatten(2))  # [p, q, 2 * heads]
            names = (looked @ named).mean(1)  # [p, q, names]
            plain.append((torch.cat([counted.sum(-1).transpose(1, 2), places[-1]], -1), names))
            memories.append(memory)
            attention.append(looked.mean(1))
            gates.append(counted[:, 0])
            read.append(chosen)
        shared = plain[1][1] * plain[-1][1]
        told = self.tell(torch.cat([whole, *memories, *chain(*plain), shared], -1))
        return Answer(told, *(torch.stack(each, 2) for each in (attention, gates, read)))

    def _named(self, things: Tensor) -> Tensor:
        """What lies in each cell as probabilities, [pictures, 64, THING]; near 0 of no thing."""
        told = [part.softmax(-1) for part in things[..., 1:].split(PROPERTIES, -1)]
        return torch.cat([things[..., :1], *told], -1) * things[..., :1].sigmoid()

    def _question(self, words: Tensor, spoken: Tensor) -> tuple[Tensor, Tensor]:
        """Each word where it stands, [p, q, words, width], and the whole, [p, q, width]."""
        lengths = spoken.sum(-1).clamp_min(1).flatten().cpu()
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embed(words).flatten(0, 1), lengths, batch_first=True, enforce_sorted=False
        )
        out, (last, _) = self.read(packed)
        context, _ = nn.utils.rnn.pad_packed_sequence(
            out, batch_first=True, total_length=words.shape[2]
        )
        whole = last.transpose(0, 1).flatten(1)
        context = context.unflatten(0, words.shape[:2]) + self.embed(words)
        return context, whole.unflatten(0, words.shape[:2])


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
