"""PointNet: which point of a thing belongs to which of its parts.

Each point goes through the same layers; the whole is what the greatest of all points say, and each
point hears of it (Qi et al., "PointNet: Deep Learning on Point Sets for 3D Classification and
Segmentation", 2017, figure 9). In place of its two networks that turn the points, a thing is told
upright, and seen turned any way about the up axis while it learns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

# What each kind of thing consists of.
PARTS = {
    "chair": ("seat", "back", "legs", "arms"),
    "table": ("top", "legs", "drawers"),
    "lamp": ("base", "pole", "shade"),
    "mug": ("body", "handle"),
    "head": ("face", "hair", "neck"),
}
KINDS = tuple(PARTS)
FIRST = {kind: sum(len(PARTS[k]) for k in KINDS[:n]) for n, kind in enumerate(KINDS)}
COUNT = sum(map(len, PARTS.values()))
POINTS = 2048  # that a thing is told by


@dataclass(frozen=True)
class Config:
    """Sizes: of a point's layers, in units of the width."""

    width: int = 32

    def layout(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Tensors and their shapes, from which all sizes can be read."""
        yield "points.0.linear.weight", (self.width, 3)
        yield "tell.weight", (COUNT, 2 * self.width)


class Layer(nn.Module):
    """A linear layer of each point, its values made alike over the batch, and cut below 0."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.linear = nn.Linear(before, after, bias=False)
        self.weight = nn.Parameter(torch.ones(after))
        self.bias = nn.Parameter(torch.zeros(after))
        self.register_buffer("mean", torch.zeros(after))
        self.register_buffer("variance", torch.ones(after))

    def forward(self, x: Tensor) -> Tensor:
        """[batch, points, before] to [batch, points, after]."""
        y = self.linear(x)
        flat = y.reshape(-1, y.shape[-1])
        mean, variance = self.get_buffer("mean"), self.get_buffer("variance")
        flat = functional.batch_norm(flat, mean, variance, self.weight, self.bias, self.training)
        return functional.relu(flat).view(y.shape)


class PointNet(nn.Module):
    """A cloud to the part of each point, and to what it is.

    Shape:
        input: float [batch, points, 3], z up, as ``centred``; kinds: int [batch]
        output: [batch, points, parts], natural logarithms of probabilities, of the parts of the
        given kind only
    """

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        w = config.width
        self.points = nn.ModuleList(
            [
                Layer(3, w),
                Layer(w, 2 * w),
                Layer(2 * w, 2 * w),
                Layer(2 * w, 8 * w),
                Layer(8 * w, 16 * w),
            ]
        )
        self.kind = nn.Sequential(nn.Linear(16 * w, 4 * w), nn.ReLU(), nn.Linear(4 * w, len(KINDS)))
        self.whole = nn.Linear(16 * w + len(KINDS), 4 * w)
        self.each = nn.Linear(13 * w, 4 * w, bias=False)
        self.after = Layer(4 * w, 4 * w)
        self.last = Layer(4 * w, 2 * w)
        self.tell = nn.Linear(2 * w, COUNT)
        allowed = torch.zeros(len(KINDS), COUNT, dtype=torch.bool)
        for n, kind in enumerate(KINDS):
            allowed[n, FIRST[kind] : FIRST[kind] + len(PARTS[kind])] = True
        self.register_buffer("allowed", allowed, persistent=False)

    def heard(self, cloud: Tensor) -> tuple[list[Tensor], Tensor]:
        """What each layer says of the points, and the whole [batch, 16 * width]."""
        outputs, x = [], cloud
        for layer in self.points:
            x = layer(x)
            outputs.append(x)
        return outputs, x.amax(1)

    def kinds(self, whole: Tensor) -> Tensor:
        """[batch, kinds], natural logarithms of probabilities."""
        return self.kind(whole).log_softmax(-1)

    def parts(self, outputs: list[Tensor], whole: Tensor, kinds: Tensor) -> Tensor:
        """See the class's shapes."""
        given = functional.one_hot(kinds, len(KINDS)).to(whole)
        # One product of what is the same for all points, rather than one for each.
        x = self.each(torch.cat(outputs[:4], -1))
        x = functional.relu(x + self.whole(torch.cat([whole, given], -1))[:, None])
        x = self.tell(self.last(self.after(x)))
        return x.masked_fill(~self.get_buffer("allowed")[kinds][:, None], -torch.inf).log_softmax(
            -1
        )

    def forward(self, cloud: Tensor, kinds: Tensor) -> Tensor:
        """See the class's shapes."""
        return self.parts(*self.heard(cloud), kinds)


def centred(cloud: Tensor) -> Tensor:
    """Clouds [batch, points, 3] whose box's middle is 0 and whose furthest point is 1 away."""
    low, high = cloud.amin(1, keepdim=True), cloud.amax(1, keepdim=True)
    x = cloud - (low + high) / 2
    return x / x.norm(dim=-1).amax(1)[:, None, None].clamp_min(1e-9)
