"""SoundNet: hearing that was taught by seeing.

The network of Aytar, Vondrick & Torralba, "SoundNet: Learning Sound Representations from Unlabeled
Video" (2016), table 1: eight convolutions on the raw waveform. It learns from films that nobody has
labelled: a network that knows pictures says what is seen, and this one has to say the same by the
sound alone. What its layers then tell of a sound serves for sounds that no picture named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

RATE = 16_000
# Of each convolution: channels in units of the width, kernel, step, and what is pooled after it.
LAYERS = (
    *((1, 64, 2, 8), (2, 32, 2, 8), (4, 16, 2, 1), (8, 8, 2, 1)),
    *((16, 4, 2, 4), (32, 4, 2, 1), (64, 4, 2, 1)),
)


@dataclass(frozen=True)
class Config:
    """Sizes: channels of the first convolution, and how many kinds of picture are told."""

    width: int = 16
    kinds: int = 1000

    def layout(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Tensors and their shapes, from which all sizes can be read."""
        yield "layers.0.0.weight", (self.width, 1, LAYERS[0][1])
        yield "tell.weight", (self.kinds, 64 * self.width, 8)


class SoundNet(nn.Module):
    """A waveform to what would be seen.

    Shape:
        input: float [batch, time] at 16 kHz, any level, from a second on
        output: [batch, kinds], natural logarithms of probabilities
    """

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList()
        before = 1
        for channels, kernel, step, pool in LAYERS:
            after = channels * config.width
            layer: list[nn.Module] = [
                nn.Conv1d(before, after, kernel, step, kernel // 2, bias=False),
                nn.BatchNorm1d(after),
                nn.ReLU(),
            ]
            self.layers.append(nn.Sequential(*layer, *([nn.MaxPool1d(pool)] if pool > 1 else [])))
            before = after
        self.tell = nn.Conv1d(before, config.kinds, 8, 2, 4)

    def forward(self, sound: Tensor) -> Tensor:
        """See the class's shapes; told moments are averaged before the softmax."""
        *_, last = self.heard(sound)
        return self.tell(last).mean(-1).log_softmax(-1)

    def heard(self, sound: Tensor) -> list[Tensor]:
        """What each layer gives, [batch, channels, time], the first one first."""
        level = sound.square().mean(-1, keepdim=True).sqrt().clamp_min(1e-5)
        x = (sound / level)[:, None]
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        return outputs

    @torch.no_grad()
    def features(self, sound: Tensor, layer: int = 5) -> Tensor:
        """Mean and peak over time of a layer, counted from 1: [batch, 2 * channels]."""
        x = self.heard(sound)[layer - 1]
        return torch.cat([x.mean(-1), x.amax(-1)], 1)
