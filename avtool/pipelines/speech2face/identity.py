"""One face for each voice: the draw of the first portrait, whose seed is the voice itself.

What a voice says of a face leaves most of the face open. The rest is drawn, but not by chance: a
speaker embedding is projected onto the directions in which people differ more than one person's
recordings do (linear discriminant analysis, Fisher 1936; whitened within each sex), and the
projection, a standard normal vector over people, is the draw. So two recordings of one voice get
one face and two voices two, each from the middle of what the posterior has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from avtool.head.traits import INDEX, LOCALS, TRAITS, believable
from avtool.values import Array

# Quantiles are means over normal scores this far around, so that no step of a trait (an origin, a
# hairstyle) parts two recordings of one voice; and people are drawn within a part of their spread,
# of their faces' shapes and of all else, so that two portraits differ as strangers do.
SOFT, SHAPES, ELSE = 0.8, 0.41, 0.52
SUREST = 6  # of the draw's directions, which look is drawn by: one that flips is seen at once
SHAPING = [INDEX[name] for name in ("weight", "muscle", *LOCALS)]
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(15)


@dataclass(frozen=True)
class Config:
    """Sizes: of ``models.speaker``'s vector, of the draw."""

    speaker: int = 256
    size: int = 16

    def layout(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Tensors and their shapes, of which all sizes can be read."""
        yield "people", (2, self.size, self.speaker)


class Identity(nn.Module):
    """Speaker vectors to standard normal ones.

    Shape:
        usual: [2, speaker], the mean of women's vectors, and of men's; people: [2, size, speaker].
    """

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("usual", torch.zeros(2, config.speaker))
        self.register_buffer("people", torch.zeros(2, config.size, config.speaker))
        self.usual: Tensor
        self.people: Tensor

    def forward(self, speaker: Tensor, male: bool) -> Tensor:
        """[speaker], the mean of a voice's vectors, of length 1 -> [size]."""
        return self.people[int(male)] @ (speaker - self.usual[int(male)])


def person(likely: Array, crowd: Array, male: bool, seed: Array) -> Array:
    """Somebody of that sex who may have the voice, by a normal copula (Sklar 1959) of the crowd.

    Each trait has the quantile that the draw gives it among those who may have the voice; which
    traits go together is the crowd's.

    Args:
        seed: the draw, [size], standard normal.

    Shape:
        likely: [crowd]; crowd: [crowd, traits]; returns float32 [traits].
    """
    those = (crowd[:, INDEX["sex"]] > 0.5) == male
    crowd, likely = crowd[those], likely[those] / likely[those].sum()
    rng = np.random.default_rng(0)  # which way a voice turns each trait: any, but always the same
    ways = rng.normal(size=(len(TRAITS), len(seed)))
    ways[np.setdiff1d(np.arange(len(TRAITS)), SHAPING), SUREST:] = 0
    score = _together(crowd) @ (ways @ seed / np.linalg.norm(ways, axis=1))
    spread = np.full(len(TRAITS), ELSE)
    spread[SHAPING] = SHAPES
    place = _normal_cdf((spread * score)[:, None] + SOFT * NODES)
    found = np.empty(len(TRAITS))
    for trait, values in enumerate(crowd.T):
        order = np.argsort(values, kind="stable")
        below = np.cumsum(likely[order]) - likely[order] / 2
        found[trait] = WEIGHTS @ np.interp(place[trait], below, values[order]) / WEIGHTS.sum()
    return believable(found)


def _together(crowd: Array) -> Array:
    """The root of the correlation of the traits' normal scores: [traits, traits]."""
    scores = np.stack([_normal_scores(values) for values in crowd.T], 1)
    scores /= np.maximum(scores.std(0), 1e-9)
    size, axes = np.linalg.eigh(scores.T @ scores / len(scores))
    return np.asarray((axes * np.sqrt(np.maximum(size, 0))) @ axes.T)


def _normal_scores(values: Array) -> Array:
    """Ranks [n] as quantiles of the normal distribution; equal values get one."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - count / 2) / len(values)
    return np.asarray(torch.special.ndtri(torch.from_numpy(rank)).numpy()[place])


def _normal_cdf(x: Array) -> Array:
    return np.asarray(torch.special.ndtr(torch.from_numpy(x)).numpy())
