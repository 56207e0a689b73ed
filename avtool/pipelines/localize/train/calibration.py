"""How much an attention network's cosines count: a line, fitted to clips that it has not learned.

Platt's scaling ("Probabilistic outputs for support vector machines", 1999) by the softmax of
``fusion``: over the cells of a picture, and "nowhere" as likely as all of them together. A clip's
own sound comes from its box, or from anywhere in its picture where it has none; another clip's
sound from nowhere. What is fitted is the weight of a cosine, and the cosine that says nothing.

Another clip's sound can be of the same sort, so that it fits the picture after all. The line is
flatter for it, as it should be: so often does a sound that fits by its sort come from elsewhere.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from avtool.pipelines.localize.attention_model import Localizer
from avtool.pipelines.localize.train.attention_data import Pictures

OTHERS = 8  # clips whose sounds are held against each picture
CLIPS = 400  # that are enough


def calibrate(model: Localizer, held: Pictures) -> None:
    """Fit the line to held-out clips, one picture each: the marked one, or the middle one."""
    truths, marked = held.truths()
    chosen = []
    for clip in np.unique(held.clip)[:CLIPS]:
        own = np.flatnonzero(held.clip == clip)
        chosen.append((own[marked[own]] if marked[own].any() else own[len(own) // 2 :])[0])
    device = model.calibration.device
    grid, mel = (
        torch.from_numpy(each[chosen].astype(np.float32)).to(device)
        for each in (held.grid, held.mel)
    )
    with torch.no_grad():
        cells, sounds = model.cells(grid).flatten(2), model.sounds(mel)
        turns = range(min(OTHERS, len(chosen) - 1) + 1)
        start = 1 / float(model.temperature)
        cosines = [torch.einsum("bdn,bd->bn", cells, sounds.roll(n, 0)).cpu() for n in turns]
    inside = torch.from_numpy((truths[chosen] > 0) | ~marked[chosen, None, None]).flatten(1)
    weight, nothing = fitted(cosines[0], torch.cat(cosines[1:]), inside, start)
    model.calibration.copy_(torch.tensor([weight, nothing]))


def fitted(own: Tensor, others: Tensor, inside: Tensor, start: float) -> tuple[float, float]:
    """The weight and the cosine that says nothing under which all of this is likeliest.

    Own sounds together count as much as the others; none is quite sure, as Platt has it, so that
    few clips that are told apart without a fault do not make a weight without an end.

    Shape:
        own, inside: [clips, cells], cosines, and where each sound is; others: [n, cells].
    """
    sure = (len(own) + 1) / (len(own) + 2)
    line = torch.tensor([start, float(own.amax(1).mean() + others.amax(1).mean()) / 2])
    line[0] = line[0].log()
    line.requires_grad_()

    def mass(cosine: Tensor, part: Tensor | None = None) -> Tensor:
        """Log-odds that the sound is in these cells, against nowhere: [n]."""
        odds = line[0].exp() * (cosine - line[1])
        if part is not None:
            odds = odds.masked_fill(~part, -1e4)
        return odds.logsumexp(1) - float(np.log(cosine.shape[1]))

    def loss() -> Tensor:
        here, there = mass(own), mass(others)
        found = -sure * (mass(own, inside) - softplus(here)) + (1 - sure) * softplus(here)
        missed = sure * softplus(there) - (1 - sure) * (there - softplus(there))
        return found.mean() + missed.mean()

    optimiser = torch.optim.LBFGS([line], max_iter=100, line_search_fn="strong_wolfe")

    def step() -> Tensor:
        optimiser.zero_grad()
        value = loss()
        value.backward()
        return value

    optimiser.step(step)
    weight, nothing = line.detach().tolist()
    return float(np.exp(weight)), nothing
