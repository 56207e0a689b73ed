"""Whose voice is this? A vector for a voice, alike for one person and unlike for two.

The network of Wan et al., "Generalized end-to-end loss for speaker verification" (2018), with the
weights that Resemblyzer ships (Apache-2.0, trained on LibriSpeech train-other-500 and VoxCeleb 1
and 2): three recurrent layers over mel power, the last state onto a unit vector.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from avtool.signal.mel import MelBank

RATE = 16_000
N_FFT, HOP_SAMPLES, MELS = 400, 160, 40
FRAMES = 160  # that it looks at together: 1.6 s
LEVEL = 10 ** (-30 / 20)  # root mean square that it was trained at


@dataclass(frozen=True)
class Config:
    """Sizes: of the recurrent layers, of the vector."""

    hidden: int = 256
    layers: int = 3
    size: int = 256


class Speaker(nn.Module):
    """Voices to vectors.

    Shape:
        input: mel power [batch, frames, mels] of sound at ``LEVEL``, not its logarithm
        output: [batch, size], of length 1, none below 0
    """

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        self.lstm = nn.LSTM(MELS, config.hidden, config.layers, batch_first=True)
        self.linear = nn.Linear(config.hidden, config.size)
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)
        bank = MelBank(RATE, N_FFT, MELS, 0, RATE / 2)
        self.register_buffer("mel", torch.from_numpy(bank.filters().copy()), persistent=False)
        self.window: Tensor
        self.mel: Tensor

    def forward(self, power: Tensor) -> Tensor:
        """See the class's shapes."""
        _, (hidden, _) = self.lstm(power)
        return nn.functional.normalize(self.linear(hidden[-1]).relu(), dim=-1)

    def power(self, sound: Tensor) -> Tensor:
        """[batch, time] at 16 kHz -> mel power [batch, frames, mels], each sound at ``LEVEL``."""
        level = sound.square().mean(-1, keepdim=True).sqrt().clamp_min(1e-7)
        sound = sound * (LEVEL / level)
        spectrum = torch.stft(
            sound, N_FFT, HOP_SAMPLES, N_FFT, self.window, pad_mode="constant", return_complex=True
        )
        return (self.mel @ spectrum.abs().square()).transpose(1, 2)


def windows(power: Tensor, step: int = FRAMES // 2) -> Tensor:
    """What is looked at together, [frames, mels] -> [windows, FRAMES, mels].

    What is shorter than a window is said again and again.
    """
    if len(power) < FRAMES:
        power = power.repeat(-(-FRAMES // len(power)), 1)[:FRAMES]
    return power.unfold(0, FRAMES, step).transpose(1, 2)
