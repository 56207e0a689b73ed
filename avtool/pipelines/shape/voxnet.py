"""VoxNet: what a thing is, by the space that it fills.

A 3D convolutional network on an occupancy grid (Maturana & Scherer, "VoxNet: A 3D Convolutional
Neural Network for Real-Time Object Recognition", 2015), with residual blocks (He et al., 2016), and
with a second task that helps the first: by how much the thing was turned about the up axis
(Sedaghat et al., "Orientation-boosted Voxel Nets for 3D Object Recognition", 2017). What it says is
the mean of what it says of the thing turned 12 ways.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE = 32  # of the grid; the thing's longest side is 24 of these, as in its training data
LONGEST = 24
TURNS = 12
KINDS = (
    *("bathtub", "bed", "chair", "desk", "dresser"),
    *("monitor", "night stand", "sofa", "table", "toilet"),
)


@dataclass(frozen=True)
class Config:
    """Sizes: channels of the first layer, how many kinds there are, and what is left out at random
    while it learns.
    """

    width: int = 32
    kinds: int = len(KINDS)
    drop: float = 0.4

    def layout(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Tensors and their shapes, from which all sizes can be read."""
        yield "stem.0.weight", (self.width, 8, 3, 3, 3)
        yield "tell.weight", (self.kinds, 16 * self.width)


class Norm(nn.Module):
    """Batch normalisation (Ioffe & Szegedy, 2015), without a count of batches."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[batch, channels, ...], of the same shape."""
        mean, variance = self.get_buffer("mean"), self.get_buffer("variance")
        return functional.batch_norm(x, mean, variance, self.weight, self.bias, self.training)


class Block(nn.Module):
    """Two convolutions, and a way past them; the first may halve the grid."""

    def __init__(self, before: int, after: int, step: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(before, after, 3, step, 1, bias=False)
        self.norm1 = Norm(after)
        self.second = nn.Conv3d(after, after, 3, 1, 1, bias=False)
        self.norm2 = Norm(after)
        self.past = nn.Conv3d(before, after, 1, step, bias=False) if step > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[batch, before, side³] to [batch, after, (side / step)³]."""
        y = functional.relu(self.norm1(self.first(x)))
        return functional.relu(self.norm2(self.second(y)) + self.past(x))


class VoxNet(nn.Module):
    """An occupancy grid to what it is.

    Shape:
        input: float [batch, 32, 32, 32] in 0…1, the last axis up
        output: [batch, kinds], natural logarithms of probabilities
    """

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.stem = nn.Sequential(nn.Conv3d(8, width, 3, 1, 1, bias=False), Norm(width), nn.ReLU())
        self.blocks = nn.Sequential(
            Block(width, 2 * width, 2),
            Block(2 * width, 2 * width, 1),
            Block(2 * width, 4 * width, 2),
            Block(4 * width, 4 * width, 1),
        )
        self.tell = nn.Linear(16 * width, config.kinds)
        self.turned = nn.Linear(16 * width, config.kinds * TURNS)
        self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def features(self, grid: Tensor) -> Tensor:
        """[batch, 16 * width]: means over each of the four floors, which turning leaves alone."""
        x = folded(grid)  # (B, 8, 16, 16, 16)
        x = self.blocks(self.stem(x))  # (B, 4w, 4, 4, 4)
        x = x.float().mean((2, 3)).flatten(1)  # (B, 4w, 4) → (B, 16w)
        return functional.dropout(x, self.config.drop, self.training)

    def forward(self, grid: Tensor) -> Tensor:
        """See the class's shapes."""
        return self.tell(self.features(grid)).log_softmax(-1)

    @torch.no_grad()
    def vote(self, grid: Tensor) -> Tensor:
        """[batch, kinds]: the mean of the probabilities over ``TURNS`` turns about the up axis."""
        turns = torch.arange(TURNS) * (2 * math.pi / TURNS)
        total = torch.zeros(len(grid), self.config.kinds)
        for angle in turns:
            total += self(turn(grid, angle.expand(len(grid)))).exp().cpu()
        return total / TURNS


def folded(grid: Tensor) -> Tensor:
    """Each block of 2 x 2 x 2 cells as 8 channels: [batch, 2a, 2b, 2c] to [batch, 8, a, b, c]."""
    a, b, c = (side // 2 for side in grid.shape[1:])
    x = grid.reshape(len(grid), a, 2, b, 2, c, 2).permute(0, 2, 4, 6, 1, 3, 5)
    x = x.reshape(len(grid), 8, a, b, c)
    return x.contiguous(memory_format=torch.channels_last_3d)


def turn(
    grid: Tensor, angle: Tensor, scale: Tensor | None = None, shift: Tensor | None = None
) -> Tensor:
    """Grids turned about the up axis.

    Args:
        angle: [batch] in radians; scale: [batch, 3], how much larger the thing becomes along each
            of its own axes; below 0 is mirrored. shift: [batch, 3] in cells.
    """
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    # Where each cell of the result comes from: the turn's transpose, then each axis shrunk.
    rows = [(cos, sin, zero), (-sin, cos, zero), (zero, zero, torch.ones_like(angle))]
    matrix = torch.stack([torch.stack(row, -1) for row in rows], 1)  # (B, 3, 3)
    if scale is not None:
        matrix = matrix / scale[:, :, None]
    move = torch.zeros(len(grid), 3) if shift is None else shift * (2 / SIDE)
    offset = -(matrix @ move[:, :, None].to(matrix))  # (B, 3, 1)
    # grid_sample counts axes from the last one.
    theta = torch.cat([matrix.flip(1, 2), offset.flip(1)], -1)
    places = functional.affine_grid(theta, [len(grid), 1, *grid.shape[1:]], align_corners=False)
    return functional.grid_sample(grid[:, None], places, align_corners=False)[:, 0]
