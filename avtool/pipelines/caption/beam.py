"""From what the decoders say to whole sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from avtool.models.backbone import Look
from avtool.pipelines.caption.model import BEGIN, END, FILL, UNKNOWN, Caption, State

LONGEST = 22  # words of a sentence, its end too
AGAIN = 2  # words in a row that a sentence does not say twice; else it can go round in a circle
POWER = 1.0  # of its length, by which a sentence's logarithm is divided; else short ones win


class Said(NamedTuple):
    """Sentences about pictures, the best first.

    Shape:
        words: int [pictures, best, length], without BEGIN, FILL after END; likely: float, the same,
        the natural logarithm of each word's probability, 0 after the end; attention: float
        [pictures, best, length, 49], where a decoder looked that does
    """

    words: Tensor
    likely: Tensor
    attention: Tensor | None


@torch.no_grad()
def beam(
    model: Caption,
    look: Look,
    decoders: Sequence[str] = Caption.DECODERS,
    *,
    width: int = 4,
    longest: int = LONGEST,
    power: float = POWER,
) -> Said:
    """The ``width`` best sentences that a beam search finds.

    Args:
        decoders: of several the mean of the probabilities.
        longest: words of a sentence; then it ends.
    """
    count, size = len(look.vector), model.config.words
    first = torch.arange(count).repeat_interleave(width)
    states = {name: model.decoder(name).begin(look).rows(first) for name in decoders}
    word = torch.full((count * width,), BEGIN)
    words = torch.zeros(count, width, 0, dtype=torch.long)
    likely = torch.zeros(count, width, 0)
    looked = torch.zeros(count, width, 0, 49)
    # All beams begin alike, so only the first may go on.
    total = torch.full((count, width), -torch.inf).index_fill_(1, torch.tensor([0]), 0.0)
    length = torch.zeros(count, width)
    done = torch.zeros(count, width, dtype=torch.bool)
    for n in range(longest + 1):
        next_, states, attention = _next(model, states, word)
        _once(next_, words.flatten(0, 1))
        if n == longest:
            next_[:, [k for k in range(size) if k != END]] = -torch.inf
        next_ = next_.view(count, width, size)
        next_[done] = -torch.inf
        next_[..., FILL].masked_fill_(done, 0.0)
        sums = total[..., None] + next_
        lengths = (length + ~done)[..., None]
        score = (sums / lengths**power).flatten(1)
        best = score.topk(width, 1).indices
        beams, said = best // size, best % size
        rows = (torch.arange(count)[:, None] * width + beams).flatten()
        states = {name: state.rows(rows) for name, state in states.items()}
        total = sums.flatten(1).gather(1, best)
        length, done = lengths[..., 0].gather(1, beams), done.gather(1, beams)
        new = next_.flatten(1).gather(1, best)
        words = torch.cat([_of(words, beams), said[..., None]], 2)
        likely = torch.cat([_of(likely, beams), new[..., None]], 2)
        if attention is not None:
            seen = attention[rows].view(count, width, 1, -1) * ~done[..., None, None]
            looked = torch.cat([_of(looked, beams), seen], 2)
        done = done | (said == END)
        word = said.flatten()
        if done.all():
            break
    return Said(words, likely, looked if looked.shape[2] else None)


def _next(
    model: Caption, states: dict[str, State], word: Tensor
) -> tuple[Tensor, dict[str, State], Tensor | None]:
    """Logarithms of the next word's probability, [rows, words], the states then, attention."""
    given, after, attention = model.words(word), {}, None
    parts = []
    for name, state in states.items():
        said, after[name], looked = model.decoder(name).step(given, state)
        attention = looked if attention is None else attention
        logits = model.logits(said)
        logits[:, [FILL, BEGIN, UNKNOWN]] = -torch.inf
        parts.append(logits.log_softmax(1))
    mean = torch.stack(parts).logsumexp(0) - torch.tensor(float(len(parts))).log()
    return mean, after, attention


def _once(next_: Tensor, said: Tensor) -> None:
    """Forbid in ``next_`` [rows, words] what would say a run of ``AGAIN`` words of ``said`` again.

    Paulus et al., "A deep reinforced model for abstractive summarization" (2018), section 2.5.
    """
    before = AGAIN - 1
    for n in range(said.shape[1] - before):
        alike = (said[:, n : n + before] == said[:, -before:]).all(1)
        next_[alike, said[alike, n + before]] = -torch.inf


def _of(rows: Tensor, beams: Tensor) -> Tensor:
    """The rows [pictures, width, ...] that these beams [pictures, width] go on from."""
    return rows[torch.arange(len(rows))[:, None], beams]


@torch.no_grad()
def spoken(
    model: Caption, name: str, look: Look, *, times: int = 1, random: bool = False
) -> Tensor:
    """A sentence word by word, always the likeliest, or as likely as it is.

    Args:
        times: how many sentences for each picture.

    Returns:
        int [pictures * times, length], BEGIN to END, then FILL.
    """
    decoder = model.decoder(name)
    rows = torch.arange(len(look.vector)).repeat_interleave(times)
    state = decoder.begin(look).rows(rows)
    word = torch.full_like(rows, BEGIN)
    done = torch.zeros_like(rows, dtype=torch.bool)
    sentence = [word]
    for n in range(LONGEST):
        said, state, _ = decoder.step(model.words(word), state)
        logits = model.logits(said)
        logits[:, [FILL, BEGIN, UNKNOWN]] = -torch.inf
        word = logits.softmax(1).multinomial(1)[:, 0] if random else logits.argmax(1)
        if n == LONGEST - 1:
            word = torch.full_like(word, END)
        word = word.masked_fill(done, FILL)
        done |= word == END
        sentence.append(word)
        if done.all():
            break
    return torch.stack(sentence, 1)
