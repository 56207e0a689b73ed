"""The attention cue: what a network of the user's own says of the cells, by what they look like.

The network (``attention_model``) holds the picture of a moment against the 3 seconds of sound
around it. Its cosines become log-odds by a line that its recipe fitted to clips that it had not
learned from, by maximum likelihood (Platt, "Probabilistic outputs for support vector machines",
1999), so the fusion takes them as they are: their weight lies in the checkpoint, with the network
that it is true of.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from itertools import count

import cv2
import numpy as np
import torch

from avtool.errors import InputError
from avtool.models import weights
from avtool.models.backbone import CHANNELS, SIZE, Backbone
from avtool.pipelines.localize.attention_model import RATE, SECONDS, Localizer, log_mel
from avtool.values import FRAME_SAMPLES, Array, Audio

RECIPE = "avtool.pipelines.localize.train.attention"


@dataclass(frozen=True, eq=False)
class Attention:
    """An attention network with the picture network that its cells come from."""

    network: Localizer
    backbone: Backbone

    @torch.inference_mode()
    def log_odds(self, image: Array, sound: Array, grid: tuple[int, int]) -> Array:
        """What a picture and the sound around it say of each cell.

        Shape:
            image: uint8 [height, width, 3]; sound: float32 [time] at 16 kHz; grid: (rows, columns)
            output: float32 [rows, columns]
        """
        device = self.network.calibration.device
        square = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        cells = self.backbone(torch.from_numpy(square)[None].to(device))
        heard = log_mel(torch.from_numpy(sound)[None].to(device))
        said = self.network.log_odds(self.network(cells, heard))[0].cpu().numpy()
        fitted: Array = cv2.resize(said, grid[::-1], interpolation=cv2.INTER_LINEAR)
        return fitted


def load(path: str, device: str) -> Attention:
    """The user's network, and the picture network that it was trained with.

    Raises:
        InputError: the file is no checkpoint of it; the picture network is not installed.
    """
    network = weights.load(Localizer, path, device, called="attention network", recipe=RECIPE)
    sizes = network.config
    if CHANNELS.get(sizes.blocks) != sizes.channels:
        raise InputError(
            f"{path}: is no checkpoint of the attention network (no {sizes.blocks} blocks of the "
            f"picture network give {sizes.channels} channels); python -m {RECIPE} makes one"
        )
    if not network.calibration.any():
        raise InputError(
            f"{path}: was never calibrated; let its recipe run to the end (python -m {RECIPE})"
        )
    return Attention(network, Backbone.pretrained(sizes.blocks).to(device))


def sounds_around(mono: Audio, every: int) -> Generator[Array, None, None]:
    """The 3 s of sound around every so many frames, from the first, without an end.

    At the ends they are the first and the last 3 s; a shorter sound is heard again, as in training.

    Args:
        mono: one channel at 16 kHz.

    Shape:
        each: float32 [time]
    """
    length = SECONDS * RATE
    blocks, more = mono.blocks(), True
    held, first = np.zeros(0, np.float32), 0
    for frame in count(0, every):
        begin = max(0, frame * FRAME_SAMPLES - length // 2)
        while more and first + len(held) < begin + length:
            block = next(blocks, None)
            more = block is not None
            if block is not None:
                held = np.concatenate([held, block[0]])
                gone = max(0, min(begin - first, len(held) - length))
                held, first = held[gone:], first + gone
        at = max(0, min(begin - first, len(held) - length))
        part = held[at : at + length]
        yield part.copy() if len(part) == length else np.resize(part, length)
