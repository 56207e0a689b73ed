"""Speech as several networks hear it: log-mel beside the speaker's own usual level."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

MELS = 64
# fmt: off
# of ARPABET, and silence
PHONES = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH",
    "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "SIL", "T", "TH",
    "UH", "UW", "V", "W", "Y", "Z", "ZH",
)
# fmt: on
DEEP = 13.8  # nepers of power below the loudest: 60 dB, so that a breath is heard
FAINT = -0.25  # of ``normalised``'s loudness: 5 nepers below the loudest, no word
QUIET = -3.4  # nepers: white noise at -40 dB of full scale, all bands together


def normalised(log_mel: Tensor) -> Tensor:
    """What the network hears: each band beside its usual level, and last the loudness.

    So it makes no difference how loud, how bright or in which room a voice was recorded.

    Shape:
        log_mel: [batch, mels, frames], natural logarithm of power at 100 frames a second, of one
        whole recording each. Returns [batch, mels + 1, frames].
    """
    bands = floored(log_mel, loudest(log_mel.logsumexp(1)))
    return relative_bands(bands, speech_mean([bands]))


def floored(log_mel: Tensor, loud: Tensor) -> Tensor:
    """Bands beside the loud moments, none below a breath: [batch, mels, frames], loud [batch]."""
    least = log_mel.new_tensor(-DEEP - math.log(log_mel.shape[1]))
    return torch.logaddexp(log_mel - loud[:, None, None], least)


def speech_mean(parts: Iterable[Tensor]) -> Tensor:
    """The bands' mean over what is speech in all parts of a recording: [batch, mels, 1]."""
    total = weight = torch.zeros(())
    for bands in parts:
        speech = torch.sigmoid((bands.logsumexp(1, keepdim=True) + 5) * 1.5)
        total = total + bands @ speech.mT
        weight = weight + speech.sum(-1, keepdim=True)
    return total / weight.clamp_min(1e-3)


def relative_bands(bands: Tensor, mean: Tensor) -> Tensor:
    """What ``normalised`` gives, of bands over breath and their usual level."""
    level = bands.logsumexp(1, keepdim=True)
    return torch.cat([(bands - mean) / 2, level / 4 + 1], 1)


def loudest(level: Tensor) -> Tensor:
    """How loud the loud moments of each recording are, level [batch, frames] -> [batch].

    The upper tenth of what is heard at all, so that one bang among words changes little; never
    less than -40 dB of full scale, so that an empty room does not speak.
    """
    heard = [row[row > row.max() - DEEP] for row in level]
    return torch.stack([row.quantile(0.9) for row in heard]).clamp_min(QUIET)
