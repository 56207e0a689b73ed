"""Two networks that say in words what the backbone sees.

Tell: Vinyals et al., "Show and Tell: A Neural Image Caption Generator" (2015): an LSTM that is
shown one vector of the whole picture, once, and then goes on from word to word. Attend: Xu et al.,
"Show, Attend and Tell: Neural Image Caption Generation with Visual Attention" (2015), its soft
attention: before each word it looks at the 7 x 7 cells of the picture again, and where it looks
can be drawn. Both say words out of one table (Press & Wolf, "Using the output embedding to improve
language models", 2017).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from avtool.models.backbone import CHANNELS, DEEP, Look
from avtool.models.vocabulary import Vocabulary

FILL, BEGIN, END, UNKNOWN = (
    Vocabulary.FILL,
    Vocabulary.BEGIN,
    Vocabulary.END,
    Vocabulary.UNKNOWN,
)
DROP = 0.4
VECTOR, CELLS = 1280, CHANNELS[DEEP]  # what the backbone gives


@dataclass(frozen=True)
class Config:
    """Sizes.

    Args:
        words: of the vocabulary, with the four that are no words; letters: of all of them.
        embedding: of a word; hidden: of the LSTMs; seen: of what is kept of a cell; looks: of the
            space where a cell is compared with what was said.
        doubt: directions of the vector in which a picture is compared with those learned from.
    """

    words: int = 2544
    letters: int = 17000
    embedding: int = 256
    hidden: int = 384
    seen: int = 256
    looks: int = 128
    doubt: int = 64

    def layout(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Tensors and their shapes, of which all sizes can be read."""
        yield "words.weight", (self.words, self.embedding)
        yield "letters", (self.letters,)
        yield "tell.cell.weight_hh", (4 * self.hidden, self.hidden)
        yield "attend.see.weight", (self.seen, CELLS)
        yield "attend.compare.weight", (self.looks, self.hidden)
        yield "known", (self.doubt, VECTOR)


class State(NamedTuple):
    """What a decoder remembers of a sentence, and of its picture.

    Shape:
        hidden, cell: [rows, hidden]; cells: [rows, 49, seen], keys: [rows, 49, looks], which
        Tell has not
    """

    hidden: Tensor
    cell: Tensor
    cells: Tensor | None = None
    keys: Tensor | None = None

    def rows(self, chosen: Tensor | slice) -> State:
        """Only these rows, or these several times."""
        return State(
            self.hidden[chosen],
            self.cell[chosen],
            None if self.cells is None else self.cells[chosen],
            None if self.keys is None else self.keys[chosen],
        )


class Tell(nn.Module):
    """One vector of the whole picture, then words."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.see = nn.Linear(VECTOR, 2 * config.hidden)
        self.cell = nn.LSTMCell(config.embedding, config.hidden)
        self.say = nn.Linear(config.hidden, config.embedding)
        self.drop = nn.Dropout(DROP)
        with (
            torch.no_grad()
        ):  # at first it forgets slowly: the picture is seen once, and has to last
            self.cell.bias_hh[config.hidden : 2 * config.hidden] = 1.0

    def begin(self, look: Look) -> State:
        """Having seen pictures: they are what it remembers."""
        return State(*torch.tanh(self.see(self.drop(look.vector))).chunk(2, 1))

    def step(self, word: Tensor, state: State) -> tuple[Tensor, State, Tensor | None]:
        """From the last word [rows, embedding] to what is said next, [rows, embedding]."""
        hidden, cell = self.cell(self.drop(word), state[:2])
        return self.say(self.drop(hidden)) + word, State(hidden, cell), None


class Attend(nn.Module):
    """Before each word, a look at the cells that matter for it."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        hidden, seen, looks = config.hidden, config.seen, config.looks
        self.see = nn.Linear(CELLS, seen)
        self.start = nn.Linear(VECTOR, 2 * hidden)
        self.key = nn.Linear(seen, looks)
        self.compare = nn.Linear(hidden, looks)
        self.weigh = nn.Linear(looks, 1, bias=False)
        self.gate = nn.Linear(hidden, seen)
        self.cell = nn.LSTMCell(config.embedding + seen, hidden)
        self.say = nn.Linear(hidden + seen, config.embedding)
        self.drop = nn.Dropout(DROP)

    def begin(self, look: Look) -> State:
        """Having seen pictures."""
        cells = torch.relu(self.see(look.grid))
        hidden, cell = torch.tanh(self.start(self.drop(look.vector))).chunk(2, 1)
        return State(hidden, cell, cells, self.key(cells))

    def step(self, word: Tensor, state: State) -> tuple[Tensor, State, Tensor | None]:
        """As Tell's, and how much it looks at each cell: [rows, 49], sums to 1."""
        assert state.cells is not None and state.keys is not None
        near = torch.tanh(state.keys + self.compare(state.hidden)[:, None])  # [rows, 49, looks]
        attention = self.weigh(near)[..., 0].softmax(1)
        seen = torch.bmm(attention[:, None], state.cells)[:, 0]  # [rows, seen]
        seen = torch.sigmoid(self.gate(state.hidden)) * seen
        given = torch.cat([self.drop(word), seen], 1)
        hidden, cell = self.cell(given, (state.hidden, state.cell))
        said = self.say(self.drop(torch.cat([hidden, seen], 1))) + word
        return said, State(hidden, cell, state.cells, state.keys), attention


class Caption(nn.Module):
    """Both decoders, the words they say, and what pictures they know.

    Shape:
        letters: [letters], the words as bytes of text, a line each
        mean: [1280], known: [doubt, 1280], spread: [doubt], doubt: [doubt + 5], as ``doubt.py``
        reads them
    """

    DECODERS = ("attend", "tell")

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        self.words = nn.Embedding(config.words, config.embedding, FILL)
        nn.init.normal_(self.words.weight, std=0.05)
        self.attend = Attend(config)
        self.tell = Tell(config)
        self.bias = nn.Parameter(torch.zeros(config.words))
        self.register_buffer("letters", torch.zeros(config.letters))
        self.register_buffer("mean", torch.zeros(VECTOR))
        self.register_buffer("known", torch.zeros(config.doubt, VECTOR))
        self.register_buffer("spread", torch.ones(config.doubt))
        self.register_buffer("doubt", torch.zeros(config.doubt + 5))
        self.letters: Tensor
        self.mean: Tensor
        self.known: Tensor
        self.spread: Tensor
        self.doubt: Tensor

    def decoder(self, name: str) -> Attend | Tell:
        """By its name."""
        return self.attend if name == "attend" else self.tell

    def vocabulary(self) -> list[str]:
        """The words by number; the first four are none."""
        return ["", "", "", "", *bytes(self.letters.int().tolist()).decode().split("\n")]

    def logits(self, said: Tensor) -> Tensor:
        """Of each word, [rows, words]."""
        return said @ self.words.weight.T + self.bias

    def forward(
        self, name: str, look: Look, pictures: Tensor, sentences: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Each word's logits, given those before it; and where it looked.

        Args:
            pictures: int [rows], which of the looks each sentence is about.
            sentences: int [rows, length], the longest first, BEGIN to END, then FILL.

        Shape:
            output: [words, vocabulary], all first words, all second ones and so on, as
            ``targets`` has them; attention: [rows, 49], in all of each sentence
        """
        decoder = self.decoder(name)
        state = decoder.begin(look).rows(pictures)
        words = self.words(sentences)
        lengths = (sentences != FILL).sum(1)
        told, looked = [], []
        for n in range(sentences.shape[1] - 1):
            rows = int((lengths > n + 1).sum())
            said, state, attention = decoder.step(words[:rows, n], state.rows(slice(rows)))
            told.append(said)
            if attention is not None:
                looked.append(pad(attention, (0, 0, 0, len(sentences) - rows)))
        return self.logits(torch.cat(told)), torch.stack(looked).sum(0) if looked else None


def targets(sentences: Tensor) -> Tensor:
    """The words that ``Caption`` has to tell, in its order: [words]."""
    after = sentences[:, 1:].T.flatten()
    return after[after != FILL]
