"""Voices out of one mixture: a small band-split network over time and frequency.

The spectrum is cut into bands as wide as hearing is coarse (Luo & Yu, "Music source separation
with band-split RNN", 2023). Each band tells its levels and its autocorrelation, because the pitch
that a band repeats at says whose it is (Slaney & Lyon, "A perceptual pitch detector", 1990). A
block that looks along time and then across bands is stacked a few times (Luo et al., "Dual-path
RNN", 2020; across bands as in Quan & Li, "SpatialNet", 2024). Masks, one a voice and one for all
else, add up to one, so the outputs add up to the mixture.

It may see the lips of those who speak (Ephrat et al., "Looking to Listen", 2018): where it does,
the first voice is that of the first lips, and so on; where it does not, voices come in any order.
It is trained for both (``permutation_loss``), to tell early which places have one source
(``clustering_loss``), and how many people speak at all (``Count``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Tensor, nn

RATE, FPS = 16_000, 25


@dataclass(frozen=True)
class Config:
    """Sizes of the network.

    Args:
        n_fft, hop_samples: of the transform, at 16 kHz (64 and 16 ms).
        group: frames that are one step in time for the recurrent layers.
        bands: (how many, how many bins each), from 0 Hz up; what is left joins the last one.
        width: channels of a band; hidden: units a direction of the recurrent layers.
        blocks: how often the block of two layers is stacked.
        shared: channels in which bands see each other; embedding: of the clustering.
        lags: periods of voices, 50 to 450 Hz, at which each band is compared with itself.
        lips: size of a frame of lips, as ``LipVoice.lips`` gives them; seen: channels for them.
        heads: for each head, how many voices it gives at most.
    """

    n_fft: int = 1024
    hop_samples: int = 256
    group: int = 2
    bands: Sequence[tuple[int, int]] = ((8, 8), (8, 16), (8, 40))
    width: int = 64
    hidden: int = 64
    blocks: int = 5
    shared: int = 16
    embedding: int = 20
    lags: int = 48
    lips: int = 64
    seen: int = 128
    heads: Sequence[int] = (2, 3)

    def __post_init__(self) -> None:
        if not 64 <= self.n_fft <= 8192:
            raise ValueError(f"its n_fft {self.n_fft} is not within 64 to 8192 samples")
        if not self.n_fft // 16 <= self.hop_samples <= self.n_fft // 2:
            raise ValueError(f"its hop_samples {self.hop_samples} do not fit n_fft {self.n_fft}")
        if sum(count * bins for count, bins in self.bands) > self.n_fft // 2 + 1:
            raise ValueError("its bands have more bins than its n_fft gives")

    def layout(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Tensors and their shapes, of which all sizes but the hop can be read."""
        widths = self.widths()
        yield "embed.weight", (self.embedding, self.width)
        yield "look.weight", (self.seen, max(self.heads) * (self.lips + 1))
        for band, bins in enumerate(widths):
            yield f"split.{band}.weight", (self.width, self.group * bins + 2 * self.lags)
            for voices in self.heads:
                outputs = self.group * (voices + 1) * bins
                yield f"heads.{voices}.outer.{band}.weight", (outputs, 2 * self.width)
        for block in range(self.blocks):
            yield f"blocks.{block}.0.rnn.weight_hh_l0", (4 * self.hidden, self.hidden)
            yield f"blocks.{block}.1.all", (self.shared, len(widths), len(widths))

    def widths(self) -> list[int]:
        """Bins of each band.

        >>> sum(Config().widths()), len(Config().widths())
        (513, 24)
        """
        bins = [bins for count, bins in self.bands for _ in range(count)]
        return [*bins[:-1], self.n_fft // 2 + 1 - sum(bins[:-1])]


class Separator(nn.Module):
    """Mixture in, voices and the rest out.

    Shape:
        input: float [batch, time], 16 kHz, any level
        lips: float [batch, faces, frames at 25 fps, lips], not more faces than voices; a frame
        of zeros is one that is not seen
        output: float [batch, voices + 1, time]; the last is all that is no voice; they sum to
        the input
    """

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        widths = config.widths()
        inputs = [config.group * bins + 2 * config.lags for bins in widths]
        self.norm = nn.ModuleList(nn.LayerNorm(size) for size in inputs)
        self.split = nn.ModuleList(nn.Linear(size, config.width) for size in inputs)
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                [
                    Along(config.width, config.hidden),
                    Across(config.width, len(widths), config.shared),
                ]
            )
            for _ in range(config.blocks)
        )
        self.heads = nn.ModuleDict(
            {
                str(voices): Masks(config.width, widths, voices + 1, config.group)
                for voices in config.heads
            }
        )
        self.embed = nn.Linear(config.width, config.embedding)
        self.count = Count(config.width, len(widths), max(config.heads))
        self.look = nn.Linear(max(config.heads) * (config.lips + 1), config.seen)
        tell = [nn.Linear(config.seen, config.width, bias=False) for _ in range(config.blocks)]
        for each in tell:
            nn.init.zeros_(each.weight)  # what has learned without lips goes on as it is
        self.tell = nn.ModuleList(tell)
        self.register_buffer("window", torch.hann_window(config.n_fft).sqrt(), persistent=False)
        periods = torch.exp(torch.linspace(math.log(1 / 450), math.log(1 / 50), config.lags))
        turns = torch.arange(config.n_fft // 2 + 1)[:, None] * (RATE / config.n_fft) * periods
        self.register_buffer(
            "turns", torch.polar(torch.ones(()), 2 * torch.pi * turns), persistent=False
        )
        self.window: Tensor
        self.turns: Tensor

    def forward(self, mixture: Tensor, voices: int = 2, lips: Tensor | None = None) -> Tensor:
        """Separate; ``voices`` chooses the head."""
        return self.parts_and_trunk(mixture, voices, lips)[0]

    def parts_and_trunk(
        self, mixture: Tensor, voices: int, lips: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The parts, and what they were made of: [batch, bands, steps, width]."""
        spectrum, trunk = self.heard(mixture, lips)
        return self.parts(mixture, spectrum, trunk, voices), trunk

    def heard(self, mixture: Tensor, lips: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The mixture's spectrum at level 1, complex [batch, bins, frames], and its features."""
        level = mixture.square().mean(-1, keepdim=True).sqrt() + 1e-6
        spectrum = self.stft(mixture / level)
        return spectrum, self.features(spectrum, lips)

    def parts(self, mixture: Tensor, spectrum: Tensor, trunk: Tensor, voices: int) -> Tensor:
        """The parts that one head makes of the features: [batch, voices + 1, time]."""
        level = mixture.square().mean(-1, keepdim=True).sqrt() + 1e-6
        masks = self.heads[str(voices)](trunk)[..., : spectrum.shape[-1]]
        return self._istft(masks * spectrum[:, None], mixture.shape[-1]) * level[:, None]

    def features(self, spectrum: Tensor, lips: Tensor | None = None) -> Tensor:
        """[batch, bins, frames] complex -> [batch, bands, steps, width]."""
        group = self.config.group
        spectrum = nn.functional.pad(spectrum, (0, -spectrum.shape[-1] % group))
        power = spectrum.abs().square() + 1e-8
        steps = power.unflatten(2, (-1, group))  # [batch, bins, steps, group]
        bands = []
        for part, turns, norm, project in zip(
            steps.split(self.config.widths(), 1),
            self.turns.split(self.config.widths(), 0),
            self.norm,
            self.split,
            strict=True,
        ):
            seen = part.log().permute(0, 2, 1, 3).flatten(2) / 4
            total = part.sum(-1).transpose(1, 2)  # [batch, steps, bins]
            share = (total / total.sum(-1, keepdim=True)).to(turns.dtype)
            period = share @ turns  # autocorrelation, [batch, steps, lags]
            seen = torch.cat([seen, 4 * period.abs(), 4 * period.real], -1)
            bands.append(project(norm(seen)))
        x = torch.stack(bands, 2).float()  # [batch, steps, bands, width]
        seen = None if lips is None else self._seen(lips, x.shape[1])
        for block, tell in zip(self.blocks, self.tell, strict=True):
            assert isinstance(block, nn.ModuleList)
            over_time, over_bands = block
            if seen is not None:
                x = x + tell(seen)[:, :, None]
            steps = x.transpose(0, 1).flatten(1, 2)  # [steps, batch * bands, width]
            x = x + over_time(steps).unflatten(1, (len(x), -1)).transpose(0, 1)
            x = over_bands(x)
        return x.transpose(1, 2)

    def _seen(self, lips: Tensor, steps: int) -> Tensor:
        """[batch, faces, frames, lips] -> [batch, steps, seen], at the times of the steps."""
        config = self.config
        known = (lips != 0).any(-1, keepdim=True).to(lips.dtype)
        lips = torch.cat([nn.functional.layer_norm(lips, lips.shape[-1:]) * known, known], -1)
        missing = max(config.heads) - lips.shape[1]
        lips = nn.functional.pad(lips, (0, 0, 0, 0, 0, missing)).transpose(1, 2).flatten(2)
        # A step is heard around its middle; so is a picture seen.
        step = config.group * config.hop_samples
        times = torch.arange(steps, device=lips.device) * step + (step - config.hop_samples) / 2
        place = (times / (RATE / FPS) - 0.5).clamp(0, lips.shape[1] - 1)
        low = place.long().clamp_max(max(0, lips.shape[1] - 2))
        part = (place - low)[:, None]
        high = (low + 1).clamp_max(lips.shape[1] - 1)
        return nn.functional.silu(self.look(lips[:, low] * (1 - part) + lips[:, high] * part))

    def stft(self, sound: Tensor) -> Tensor:
        n_fft, hop = self.config.n_fft, self.config.hop_samples
        return torch.stft(sound, n_fft, hop, window=self.window, return_complex=True)

    def _istft(self, spectrum: Tensor, length_samples: int) -> Tensor:
        n_fft, hop = self.config.n_fft, self.config.hop_samples
        sound = torch.istft(
            spectrum.flatten(0, 1), n_fft, hop, window=self.window, length=length_samples
        )
        return sound.unflatten(0, spectrum.shape[:2])


class Count(nn.Module):
    """How many people speak: [batch, bands, steps, width] -> logits of 0, 1, ... [batch, most + 1].

    People who take turns count each; ``inner`` channels of a band are looked at.
    """

    def __init__(self, width: int, bands: int, most: int, inner: int = 16) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, inner)
        self.out = nn.Linear(2 * bands * inner, most + 1)

    def forward(self, trunk: Tensor) -> Tensor:
        x = nn.functional.silu(self.inner(self.norm(trunk))).transpose(1, 2).flatten(2)
        return self.out(torch.cat([x.mean(1), x.amax(1)], -1))


class Along(nn.Module):
    """Along time, both ways, each band by itself: [steps, others, width] -> the same."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.rnn = nn.LSTM(width, hidden, bidirectional=True)
        self.out = nn.Linear(2 * hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.rnn(self.norm(x))[0])


class Across(nn.Module):
    """Across bands, each step by itself: [batch, steps, bands, width] -> the same.

    Neighbours by a convolution, all bands by one matrix a channel, channels by two layers.
    """

    def __init__(self, width: int, bands: int, shared: int) -> None:
        super().__init__()
        self.near_norm = nn.LayerNorm(width)
        self.near = nn.Conv1d(width, width, 3, padding=1, groups=8)
        self.all_norm = nn.LayerNorm(width)
        self.squeeze = nn.Linear(width, shared)
        self.all = nn.Parameter(torch.randn(shared, bands, bands) / bands**0.5)
        self.expand = nn.Linear(shared, width)
        self.channels = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        near = self.near(self.near_norm(x).flatten(0, 1).transpose(1, 2)).transpose(1, 2)
        x = x + nn.functional.silu(near).unflatten(0, x.shape[:2])
        shared = nn.functional.silu(self.squeeze(self.all_norm(x)))
        mixed = torch.einsum("btkc,cjk->btjc", shared, self.all.to(shared.dtype))
        x = x + self.expand(mixed)
        return x + self.channels(x)


class Masks(nn.Module):
    """[batch, bands, steps, width] -> masks [batch, outputs, bins, steps * group]."""

    def __init__(self, width: int, widths: Sequence[int], outputs: int, group: int) -> None:
        super().__init__()
        self.outputs, self.group = outputs, group
        self.norm = nn.ModuleList(nn.LayerNorm(width) for _ in widths)
        self.inner = nn.ModuleList(nn.Linear(width, 2 * width) for _ in widths)
        self.outer = nn.ModuleList(nn.Linear(2 * width, group * outputs * bins) for bins in widths)

    def forward(self, x: Tensor) -> Tensor:
        masks = []
        bands = zip(x.unbind(1), self.norm, self.inner, self.outer, strict=True)
        for band, norm, inner, outer in bands:
            y = outer(torch.tanh(inner(norm(band)))).float()
            y = y.unflatten(-1, (self.outputs, -1, self.group)).softmax(-3)
            masks.append(y.permute(0, 2, 3, 1, 4).flatten(3))
        return torch.cat(masks, 2)


def permutation_loss(
    parts: Tensor, targets: Tensor, known: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The error of the voices' best order (Yu et al., "Permutation invariant training", 2017).

    A voice that is there counts by its SNR in dB, up to 30 dB; a voice that is not, by the level
    of what was put there instead (Wisdom et al., "What's all the FUSS about", 2021).

    Shape:
        parts, targets: [batch, voices + 1, time], the rest last
        known: bool [batch, voices], targets that are to be found in their own place
        output: [batch], in dB, lower is better; [batch, voices] the part of each target
    """
    mixture = targets.sum(1).square().sum(-1)[:, None, None]
    wanted = targets.square().sum(-1)[:, :, None]  # [batch, target, 1]
    error = (targets[:, :, None] - parts[:, None]).square().sum(-1)  # [batch, target, part]
    present = wanted > 1e-6 * mixture + 1e-12
    floor = torch.where(present, 1e-3 * wanted, 1e-2 * mixture) + 1e-8
    score = 10 * torch.log10((error + floor) / torch.where(present, wanted + 1e-8, mixture + 1e-8))
    voices = targets.shape[1] - 1
    orders = list(permutations(range(voices)))
    each = torch.stack([score[:, range(voices), order].mean(-1) for order in orders], -1)
    if known is not None:
        away = torch.tensor(orders, device=parts.device) != torch.arange(voices).to(parts.device)
        each = each.masked_fill((known[:, None] & away).any(-1), torch.inf)
    best, index = each.min(-1)
    order = torch.tensor(orders, device=parts.device)[index]
    return best + 0.2 * score[:, voices, voices], order


def clustering_loss(model: Separator, trunk: Tensor, targets: Tensor) -> Tensor:
    """How far the trunk is from telling the loudest source of each place (Hershey et al., "Deep
    clustering", 2016, with the whitened loss of Wang et al., "Alternative objective functions for
    deep clustering", 2018). It has no orders of voices to find, so it falls from the first step.

    Shape:
        trunk: [batch, bands, steps, width]; targets: [batch, voices + 1, time]
        output: [], 0 to the number of voices
    """
    group, widths = model.config.group, model.config.widths()
    power = model.stft(targets.flatten(0, 1)).abs().square().unflatten(0, targets.shape[:2])
    power = nn.functional.pad(power, (0, -power.shape[-1] % group))
    power = power.unflatten(3, (-1, group)).sum(-1)
    power = torch.stack([band.sum(2) for band in power.split(widths, 2)], 2)
    sources = power.shape[1]
    label = nn.functional.one_hot(power.argmax(1), sources).float()
    total = power.sum(1) / power.sum(1).amax((1, 2), keepdim=True).clamp_min(1e-12)
    weight = (total.sqrt().sqrt() * (total > 1e-4)).sqrt()[..., None]
    place = nn.functional.normalize(torch.tanh(model.embed(trunk.float())), dim=-1)
    v, y = (place * weight).flatten(1, 2), (label * weight).flatten(1, 2)
    v_v = v.mT @ v + 1e-3 * torch.eye(v.shape[-1], device=v.device)
    y_y = y.mT @ y + 1e-3 * torch.eye(sources, device=v.device)
    v_y = v.mT @ y
    told = torch.linalg.solve(v_v, v_y) @ torch.linalg.solve(y_y, v_y.mT)
    present = (y.sum(1) > 0).sum(-1).float()
    return (present - told.diagonal(dim1=1, dim2=2).sum(1)).mean()
