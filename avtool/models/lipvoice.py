"""Do these lips and this voice belong together? Evidence for it, frame by frame.

Two small networks, one for the motion of the lip points and one for the log-mel spectrum, land in
one space, where what happens together lies together (Chung & Zisserman, "Out of time: automated
lip sync in the wild", 2016; contrastive over a batch and over time as in Afouras et al.,
"Self-supervised learning of audio-visual objects from video", 2020). The lips come as points of a
face mesh, not as pixels, so the network carries over to people, cameras and drawn faces that it
has not seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from avtool.models.layers import Body

RATE, FPS = 16_000, 25
N_FFT, HOP_SAMPLES, MELS = 512, 160, 64
FRAME_SAMPLES = RATE // FPS
LAG, LIKELY = 5, 3.0  # frames that sound and picture are apart at most, and about


@dataclass(frozen=True)
class Config:
    """Sizes: channels of the convolutions, and of the space where both land.

    Args:
        believe: what evidence counts in a frame's log-odds, and what it has without any, as the
            recipe's calibration found it on people that were not learned from.
    """

    points: int = 40
    width: int = 128
    size: int = 64
    believe: tuple[float, float] = (1.0, 0.0)


class LipVoice(nn.Module):
    """Lips and voices to one space."""

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.lip_in = nn.Conv1d(4 * config.points, width, 3, padding=1)
        self.lip_body = Body(width)
        self.lip_out = nn.Conv1d(width, config.size, 1)
        self.voice_in = nn.Sequential(
            nn.Conv1d(MELS, width, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(width, width, 4, stride=2, padding=1),
            nn.GELU(),
            nn.Conv1d(width, width, 4, stride=2, padding=1),
        )
        self.voice_body = Body(width)
        self.voice_out = nn.Conv1d(width, config.size, 1)
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.bias = nn.Parameter(torch.tensor(-1.0))
        self.register_buffer("window", torch.hann_window(400), persistent=False)
        self.register_buffer("mel", mel_filters(), persistent=False)
        self.window: Tensor
        self.mel: Tensor

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self.window.device

    def lips(self, points: Tensor) -> Tensor:
        """[batch, frames, points, 2 or 3] in head coordinates, 25 fps -> [batch, frames, size]."""
        flat = points[..., :2].flatten(2).transpose(1, 2)
        rest = flat.median(-1, keepdim=True).values
        place = (flat - rest) * 20
        speed = torch.diff(place, dim=-1, prepend=place[..., :1]) * 3
        x = self.lip_body(self.lip_in(torch.cat([place, speed], 1)))
        return self.lip_out(x).transpose(1, 2)

    def voice(self, sound: Tensor) -> Tensor:
        """[batch, time] at 16 kHz -> [batch, frames, size], a frame for each 640 samples."""
        return self.voice_of(self.log_mel(sound))

    def voice_of(self, log_mel: Tensor) -> Tensor:
        """[batch, mels, 4 * frames] -> [batch, frames, size]."""
        x = log_mel - log_mel.mean(-1, keepdim=True)
        x = self.voice_body(self.voice_in(x / 2))
        return self.voice_out(x).transpose(1, 2)

    def log_mel(self, sound: Tensor) -> Tensor:
        """[batch, time] -> natural log of mel power [batch, mels, 4 * frames], 40 dB deep."""
        frames = sound.shape[-1] // FRAME_SAMPLES
        sound = sound[..., : frames * FRAME_SAMPLES]
        spectrum = torch.stft(
            sound, N_FFT, HOP_SAMPLES, 400, self.window, pad_mode="constant", return_complex=True
        )
        power = self.mel @ spectrum.abs().square()[..., : 4 * frames]
        loud = power.amax((-2, -1), keepdim=True)
        return (power + 1e-4 * loud + 1e-10).log()

    def odds(self, lips: Tensor, voice: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
        """Calibrated log-odds that these lips say this, and how many frames late it is heard.

        Sound and picture of a file are often a few frames apart, which would hide the match. So
        each lag within ``LAG`` frames is tried, and counts by how likely it is.

        Shape:
            lips: [frames, size]; voice: [voices, frames, size]; heard: bool [voices, frames],
            where there is speech and the lips are seen; elsewhere nothing is told
            output: [voices, frames], whose sum counts; int64 [voices], the likeliest lag
        """
        slope, prior = self.config.believe
        frames, lags = lips.shape[0], torch.arange(-LAG, LAG + 1)
        padded = nn.functional.pad(voice, (0, 0, LAG, LAG))
        spoken = nn.functional.pad(heard.float(), (LAG, LAG))
        told = torch.stack(
            [
                (slope * self.evidence(lips, padded[:, k : k + frames]) + prior)
                * spoken[:, k : k + frames]
                for k in range(2 * LAG + 1)
            ]
        )  # [lags, voices, frames]
        usual = -0.5 * (lags / LIKELY).square().to(told)
        share = (told.sum(-1) + usual[:, None]).softmax(0)
        return (told * share[..., None]).sum(0), lags.to(share.device)[share.argmax(0)]

    def evidence(self, lips: Tensor, voice: Tensor) -> Tensor:
        """How well they go together, moment by moment; ``odds`` says what it means.

        Shape:
            lips, voice: [..., frames, size], broadcast
            output: [..., frames]
        """
        return (lips * voice).sum(-1) * self.scale / self.config.size**0.5


def mel_filters() -> Tensor:
    """Triangles on the mel scale of HTK, 60 Hz to 7.6 kHz. [mels, bins]."""
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (60, 7600))
    edges = torch.linspace(low, high, MELS + 2)
    edges = 700 * (10 ** (edges / 2595) - 1)
    bins = torch.arange(N_FFT // 2 + 1) * (RATE / N_FFT)
    up = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(up, down).clamp_min(0)
