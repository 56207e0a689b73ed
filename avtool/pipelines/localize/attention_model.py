"""Where in a picture is what one hears? A map of how well each cell fits the sound.

A sound and every cell of a picture are put into one space; the map is their cosine (Senocak et al.,
"Learning to Localize Sound Source in Visual Scenes", CVPR 2018). It is learned without boxes from
which sound goes with which picture: a picture fits as well as its best cells (multiple instances),
against all other pictures of a batch (Mo & Morgado, "Localizing Visual Sounds the Easy Way", ECCV
2022); or with boxes, by the first paper's loss. The cells come from a picture network that is not
trained: EfficientNet-lite0 (Tan & Le, "EfficientNet", ICML 2019; Google's lite variant).

It finds what looks like such a sound, not what moves with it: of two dogs it cannot tell which
one barks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax, normalize

from avtool.models.backbone import CHANNELS, MIDDLE
from avtool.models.layers import Norm
from avtool.models.lipvoice import mel_filters

RATE = 16_000
SECONDS = 3  # of sound around a picture
N_FFT, HOP_SAMPLES, MELS = 512, 320, 64


@dataclass(frozen=True)
class Config:
    """Sizes.

    Args:
        blocks: of the picture network that the cells come from; channels: of a cell.
        width: channels of the sound's convolutions; size: of the space where both land.
    """

    blocks: int = MIDDLE
    channels: int = CHANNELS[MIDDLE]
    width: int = 128
    size: int = 128

    def layout(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Tensors and their shapes, of which all sizes but the blocks can be read."""
        yield "sound_out.weight", (self.size, 2 * self.width)
        yield "cell_in.weight", (self.channels,)


class Localizer(nn.Module):
    """Sounds and the cells of pictures to one space, each vector of length 1."""

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.sound_in = nn.Sequential(
            nn.Conv1d(MELS, width, 5, padding=2),
            nn.GELU(),
            *(Halve(width) for _ in range(3)),
            Norm(width),
        )
        self.sound_out = nn.Linear(2 * width, config.size)
        self.cell_in = nn.LayerNorm(config.channels)
        self.cell_out = nn.Linear(config.channels, config.size)  # a 1 x 1 convolution
        self.log_scale = nn.Parameter(torch.tensor(3.3).log())
        # How much a unit of cosine counts, and the cosine that says nothing; see ``log_odds``.
        self.calibration: Tensor
        self.register_buffer("calibration", torch.zeros(2))

    def forward(self, grid: Tensor, log_mel: Tensor) -> Tensor:
        """How well each cell fits its own row's sound, -1 to 1.

        Shape:
            grid: [batch, channels, h, w]; log_mel: [batch, mels, frames] -> [batch, h, w].
        """
        return torch.einsum("bdhw,bd->bhw", self.cells(grid), self.sounds(log_mel))

    def all_pairs(self, grid: Tensor, log_mel: Tensor) -> Tensor:
        """How well each cell fits every sound: [sounds, pictures, h, w]."""
        return torch.einsum("bdhw,sd->sbhw", self.cells(grid), self.sounds(log_mel))

    def log_odds(self, cosine: Tensor) -> Tensor:
        """What a cell's cosine says of its being the source, against the sound being elsewhere.

        A line, fitted to clips that were not learned from (``train.calibration``); until then 0.
        """
        weight, nothing = self.calibration.unbind()
        return weight * (cosine - nothing)

    @property
    def temperature(self) -> Tensor:
        """Of the losses: it starts at 0.3 and is learned, down to 0.02 (CLIP, Radford et al. 2021).

        At 0.03, EZ-VSL's, from the beginning, the first cells that happen to win win for good.
        """
        return self.log_scale.neg().exp().clamp_min(0.02)

    def sounds(self, log_mel: Tensor) -> Tensor:
        """[batch, mels, frames] -> [batch, size]. Level does not count, colour does."""
        x = self.sound_in((log_mel - log_mel.mean((-2, -1), keepdim=True)) / 2)
        x = torch.cat([x.mean(-1), x.amax(-1)], -1)  # what lasts, and what happens once
        return normalize(self.sound_out(x), dim=-1)

    def cells(self, grid: Tensor) -> Tensor:
        """[batch, channels, h, w] -> [batch, size, h, w]."""
        x = self.cell_out(self.cell_in(grid.movedim(1, -1)))
        return normalize(x, dim=-1).movedim(-1, 1)


class Halve(nn.Module):
    """Half as many frames. [batch, width, frames] -> [batch, width, frames / 2]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = Norm(width)
        self.conv = nn.Conv1d(width, width, 4, stride=2, padding=1)
        self.drop = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(nn.functional.gelu(self.conv(self.norm(x))))


def log_mel(sound: Tensor) -> Tensor:
    """[batch, time] at 16 kHz -> natural log of mel power [batch, mels, time / 320], 40 dB deep."""
    window = torch.hann_window(400, device=sound.device)
    spectrum = torch.stft(
        sound, N_FFT, HOP_SAMPLES, 400, window, pad_mode="constant", return_complex=True
    )
    power = mel_filters().to(sound.device) @ spectrum.abs().square()
    power = power[..., : sound.shape[-1] // HOP_SAMPLES]
    loud = power.amax((-2, -1), keepdim=True)
    return (power + 1e-4 * loud + 1e-10).log()


def pooled(cosine: Tensor, soft: float = 0.0) -> Tensor:
    """One number for a map: its maximum, or the mean where a soft maximum looks.

    The maximum is EZ-VSL's; the mean weighted by softmax(cosine / soft) is the cosine with what
    Senocak et al. take from the picture, and nears the maximum as ``soft`` nears 0.

    Shape:
        [..., h, w] -> [...].
    """
    flat = cosine.flatten(-2)
    if not soft:
        return flat.amax(-1)
    return ((flat / soft).softmax(-1) * flat).sum(-1)


def contrastive_loss(
    cosine: Tensor, temperature: float | Tensor = 0.07, soft: float = 0.0
) -> Tensor:
    """Which picture goes with a sound, and which sound with a picture (InfoNCE both ways).

    Shape:
        cosine: [sounds, pictures, h, w], number n of both together -> a scalar.
    """
    table = pooled(cosine, soft) / temperature
    same = torch.arange(len(table), device=table.device)
    return (cross_entropy(table, same) + cross_entropy(table.T, same)) / 2


def supervised_loss(cosine: Tensor, truth: Tensor, temperature: float | Tensor = 0.07) -> Tensor:
    """The mean of -sum(truth * log(softmax(cosine / temperature))): Senocak et al., with boxes.

    They take the softmax of the cosine itself, temperature 1; over hundreds of cells it is nearly
    flat.

    Shape:
        cosine, truth: [batch, h, w] -> a scalar.
    """
    log_attention = log_softmax(cosine.flatten(1) / temperature, -1)
    return -(truth.flatten(1) * log_attention).sum(-1).mean()
