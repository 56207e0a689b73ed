"""Faces to features and back: a recogniser and a decoder, trained on drawn people, then frozen.

The place of VGG-Face and of Cole et al.'s face decoder (2017) in Speech2Face (Oh et al., 2019),
over the parametric head: the recogniser sees a picture of a face, turned, lit and dressed
somehow, and tells a feature; the decoder tells from a feature which head it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

SIDE = 64  # pixels of the picture that the recogniser sees


@dataclass(frozen=True)
class Config:
    """Sizes: of the feature, of the numbers that make a person, channels, of the decoder."""

    feature: int = 32
    traits: int = 52
    width: int = 24
    hidden: int = 128


class Face(nn.Module):
    """The recogniser and the decoder.

    Shape:
        mean, spread: [traits], of made people: the decoder tells traits in these.
    """

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        sizes = [config.width * 2**n for n in range(4)]
        layers: list[nn.Module] = [nn.Conv2d(3, sizes[0], 5, stride=2, padding=2)]
        for before, after in zip(sizes, [*sizes[1:], 2 * sizes[-1]], strict=True):
            layers += [Block(before), nn.Conv2d(before, after, 3, stride=2, padding=1)]
        self.sees = nn.Sequential(*layers, Norm(2 * sizes[-1]), nn.GELU())
        self.feature = nn.Linear(4 * 2 * sizes[-1], config.feature)
        self.norm = nn.LayerNorm(config.feature, elementwise_affine=False)
        self.hidden = nn.Sequential(
            nn.Linear(config.feature, config.hidden),
            nn.GELU(),
            nn.Linear(config.hidden, config.hidden),
            nn.GELU(),
        )
        self.out = nn.Linear(config.hidden, config.traits)
        self.register_buffer("mean", torch.zeros(config.traits))
        self.register_buffer("spread", torch.ones(config.traits))
        self.mean: Tensor
        self.spread: Tensor

    def recognise(self, pictures: Tensor) -> Tensor:
        """uint8 or float RGB 0 to 255, [batch, SIDE, SIDE, 3] -> features [batch, feature].

        A feature's length is the root of its size.
        """
        x = self.sees((pictures.permute(0, 3, 1, 2).float() - 128) / 64)
        feature: Tensor = self.norm(self.feature(x.flatten(1)))
        return feature

    def decode(self, features: Tensor) -> Tensor:
        """[batch, feature] -> traits as ``head.traits`` names them [batch, traits]."""
        return self.mean + self.spread * self.out(self.hidden(features))


class Block(nn.Module):
    """A residual pair of convolutions, [batch, width, height, width]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Norm(width),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1),
            Norm(width),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Norm(nn.GroupNorm):
    """Each picture by itself."""

    def __init__(self, width: int) -> None:
        super().__init__(4, width)
