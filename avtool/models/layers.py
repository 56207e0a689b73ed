"""Layers that several networks share."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class Body(nn.Module):
    """Residual dilated convolutions, +-15 frames unless told. [batch, width, frames]."""

    def __init__(
        self, width: int, dilations: Sequence[int] = (1, 2, 4, 8), dropout: float = 0.15
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                Norm(width),
                nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation),
                nn.GELU(),
                nn.Dropout(dropout),
                nn.Conv1d(width, width, 1),
            )
            for dilation in dilations
        )
        self.norm = Norm(width)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + layer(x)
        return nn.functional.gelu(self.norm(x))


class Norm(nn.LayerNorm):
    """Each frame by itself, so that the length of a clip changes nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)
