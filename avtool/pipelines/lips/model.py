"""What a mouth does while it says this: log-mel in, the motion of a face mesh out.

Each moment is told by the 0.2 s of sound around it, as lips run ahead of the voice and behind it
(Suwajanakorn et al., "Synthesizing Obama", 2017, whose network waits as long for the sound to
come), and by the loudness of the 0.8 s around it, as a mouth opens for breath before it speaks.
What comes out are amounts of a few shapes, the principal motions of a talking mouth, in head
coordinates (``face.align``), so that neither a face nor a camera is part of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from avtool.models.layers import Body
from avtool.models.speech_frontend import FAINT, MELS, PHONES

FPS = 50  # of the motion; the sound's frames come at twice that
POINTS = 468
UNITS = 52


@dataclass(frozen=True)
class Config:
    """Sizes: channels of the convolutions, shapes of the mouth, phones that it also tells.

    Args:
        opening: of the lips as it tells it of ordinary speech, the 95th percentile, eyes'
            distance 1; its recipe measures it. What is told is set to the range of people by it.
    """

    width: int = 256
    shapes: int = 12
    phones: int = len(PHONES)
    opening: float = 0.064

    def layout(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Tensors and their shapes, of which all sizes can be read."""
        yield "out.weight", (self.shapes, self.width, 1)
        yield "phones.weight", (self.phones, self.width, 1)


class LipMotion(nn.Module):
    """Sound to motion.

    Shape:
        shapes: [shapes, 468, 3], how the mesh moves with each amount, eyes' distance 1;
        units: [52, 468, 3], likewise for the ARKit face units of ``head.model.UNITS``.
    """

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.front = nn.Sequential(
            nn.Conv1d(MELS + 1, 96, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(96, width, 4, stride=2, padding=1),
        )
        self.pace = LoudnessContext(1, width)
        self.body = Body(width, (1, 2, 2, 2), dropout=0.5)
        self.out = nn.Conv1d(width, config.shapes, 1)
        self.phones = nn.Conv1d(width, config.phones, 1)
        self.register_buffer("shapes", torch.zeros(config.shapes, POINTS, 3))
        self.register_buffer("units", torch.zeros(UNITS, POINTS, 3))
        self.shapes: Tensor
        self.units: Tensor

    def forward(self, heard: Tensor) -> Tensor:
        """What ``normalised`` gives -> amounts of the shapes [batch, shapes, frames / 2]."""
        return self.predict(heard)[0]

    def predict(self, heard: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and how likely each of ``PHONES`` is [batch, phones, frames / 2]."""
        trunk = self.trunk(heard)
        return self.out(trunk), self.phones(trunk).softmax(1)

    def trunk(self, heard: Tensor) -> Tensor:
        """[batch, mels + 1, frames] -> [batch, width, frames / 2]."""
        pace = self.pace(functional.avg_pool1d(heard[:, -1:], 2))
        trunk: Tensor = self.body(self.front(heard) + pace)
        return trunk


class LoudnessContext(nn.Module):
    """Where words begin and end, of 0.6 s to each side: [batch, channels, frames] -> width."""

    def __init__(self, channels: int, width: int, inner: int = 24) -> None:
        super().__init__()
        self.front = nn.Conv1d(channels, inner, 1)
        self.body = Body(inner, (1, 2, 4, 8, 16))
        self.out = nn.Conv1d(inner, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = x.clamp_min(FAINT)  # what a room does between words is no news either
        x = functional.pad(x, (32, 32), mode="replicate")  # an end is no news
        told: Tensor = self.out(self.body(self.front(x))[..., 32:-32])
        return told
