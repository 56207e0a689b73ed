"""The lip-voice match's recipe: ``python -m avtool.training.lipvoice --data FOLDER --out FOLDER``.

It learns from clips of people who talk to a camera, one at a time. What goes together is a clip's
own lips and voice; what does not is another clip's voice (of the same person, so that only the
moment can tell), the same voice at another moment, a still mouth, and noise. Lips are turned,
reshaped and mirrored, voices shifted, coloured and covered, each by itself, so that neither one
face nor one throat is learned.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from avtool import media
from avtool.models.lipvoice import FPS, FRAME_SAMPLES, LipVoice
from avtool.pipelines import faces, hearing
from avtool.training import corpus
from avtool.training.mixing import Room, cut, tilt
from avtool.training.run import Run, arguments
from avtool.values import Array

FRAMES = 75  # of a clip
VALID = 100  # clips that are not learned from
# Each lip point's mirror image: both rings run from the right corner, by the left one, back.
MIRROR = [ring + (10 - n) % 20 for ring in (0, 20) for n in range(20)]


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Args:
        batch: clips a step; frames: the shortest and the longest window.
        lags: furthest shift of a shifted negative, in frames.
    """

    batch: int = 48
    frames: tuple[int, int] = (20, 60)
    lags: int = 12
    peak: float = 2e-3
    decay: float = 0.02
    average: float = 0.998
    seed: int = 0


@dataclass(frozen=True)
class Clips:
    """Talking people.

    Shape:
        lips: float32 [clips, frames, 40, 3]; sound: float32 [clips, voices, time], first the
        clip's own voice, then the same words by other throats.
    """

    lips: Array
    sound: Array


class Pairs:
    """Draws batches of changed lips and voices that belong together, row by row."""

    def __init__(self, clips: Clips, noises: list[Array], others: list[Array]) -> None:
        self.clips, self.noises, self.others = clips, noises, others

    def draw(self, seed: tuple[int, ...], recipe: Recipe) -> tuple[Tensor, Tensor]:
        """Lips [batch, frames, 40, 2] and sound [batch, frames * 640]."""
        rng = np.random.default_rng(seed)
        frames = int(rng.integers(recipe.frames[0], recipe.frames[1] + 1))
        chosen = rng.choice(len(self.clips.lips), recipe.batch, replace=False)
        lips, sounds = [], []
        for index in chosen:
            speed = float(np.exp(rng.uniform(-0.22, 0.22)))  # of both: also pitch and formants
            need = math.ceil(frames * speed) + 1
            total = self.clips.lips.shape[1]
            if need > total:
                speed, need = (total - 1) / frames, total
            first = int(rng.integers(0, total - need + 1))
            times = first + np.arange(frames) * speed
            lips.append(self.moved_lips(rng, self.clips.lips[index], times))
            start = first * FRAME_SAMPLES + np.arange(frames * FRAME_SAMPLES) * speed
            voices = self.clips.sound[index]
            voice = voices[rng.integers(len(voices))]
            sound = np.interp(start, np.arange(len(voice)), voice)
            sounds.append(self._sound(rng, sound.astype(np.float32)))
        return torch.from_numpy(np.stack(lips)), torch.from_numpy(np.stack(sounds))

    def moved_lips(self, rng: np.random.Generator, lips: Array, times: Array) -> Array:
        """A clip's lips at some frames, as those of another mouth and camera: [times, 40, 2]."""
        low = np.minimum(times.astype(int), len(lips) - 2)
        part = (times - low)[:, None, None]
        points = lips[low] * (1 - part) + lips[low + 1] * part  # [frames, 40, 3]
        if rng.random() < 0.5:
            points = points[:, MIRROR] * np.array([-1, 1, 1], np.float32)
        rest = np.median(points, 0)
        motion = (points - rest) * rng.uniform(0.5, 1.6)
        # Another mouth: motion scaled apart at the upper and the lower lip, left and right.
        knots = rng.normal(0, 0.2, (2, 3))
        where = (rest - rest.mean(0)) / (np.abs(rest - rest.mean(0)).max(0) + 1e-6)
        field = 1 + where[:, :1] * knots[0, 0] + where[:, 1:2] * knots[0, 1] + knots[0, 2]
        motion = motion * np.clip(field, 0.4, 1.8)
        turn = _turn(*rng.uniform([-0.25, -0.4, -0.15], [0.25, 0.4, 0.15]))
        shape = np.diag(rng.uniform([0.8, 0.7, 0.5], [1.25, 1.4, 1.5]))
        motion = motion @ (shape @ turn).T
        still = rng.normal(0, 10 ** rng.uniform(-3.2, -2.0), motion.shape)
        drift = np.cumsum(rng.normal(0, 10 ** rng.uniform(-4, -2.7), (len(times), 1, 3)), 0)
        return (motion + still + drift)[..., :2].astype(np.float32)

    def _sound(self, rng: np.random.Generator, sound: Array) -> Array:
        length = len(sound)
        if rng.random() < 0.3:
            sound = Room(rng).heard(rng, sound)
        if rng.random() < 0.7:
            spectrum = np.fft.rfft(sound)
            sound = np.fft.irfft(spectrum * tilt(rng, len(spectrum)), length)
        level = np.sqrt(np.mean(sound**2)) + 1e-6
        if rng.random() < 0.6:
            if rng.random() < 0.5:
                noise = cut(rng, self.noises[rng.integers(len(self.noises))], length)
            elif rng.random() < 0.7:
                noise = cut(rng, self.others[rng.integers(len(self.others))], length)
            else:
                noise = rng.standard_normal(length)
            gain = 10 ** (rng.uniform(-30, 3) / 20)
            sound = sound + noise * (gain * level / (np.sqrt(np.mean(noise**2)) + 1e-6))
        return sound.astype(np.float32)


def _turn(pitch: float, yaw: float, roll: float) -> Array:
    (sx, cx), (sy, cy), (sz, cz) = ((np.sin(a), np.cos(a)) for a in (pitch, yaw, roll))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    return about_x @ about_y @ np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])


def warp(log_mel: Tensor, generator: torch.Generator) -> Tensor:
    """Formants up or down by up to 15 %, each row by its own. [batch, mels, frames]."""
    batch, mels, frames = log_mel.shape
    factor = torch.exp((torch.rand(batch, generator=generator) - 0.5) * 0.3).to(log_mel.device)
    # On the mel scale a factor in Hz is nearly a shift at the top and a stretch at the bottom.
    place = (torch.arange(mels, device=log_mel.device) * factor[:, None]).clamp(0, mels - 1.001)
    low = place.long()
    part = (place - low)[..., None]
    index = low[..., None].expand(-1, -1, frames)
    return log_mel.gather(1, index) * (1 - part) + log_mel.gather(1, index + 1) * part


def losses(model: LipVoice, lips: Tensor, mel: Tensor, recipe: Recipe) -> Tensor:
    """Contrast over the batch, over time, and against mouths that are still."""
    batch, frames = lips.shape[:2]
    still = lips[:, :1] + torch.randn_like(lips) * 0.003  # a listener
    seen = model.lips(torch.cat([lips, still]))
    heard = model.voice_of(mel)
    seen, idle = seen[:batch], seen[batch:]
    # All lips with all voices: [batch, batch]
    table = torch.einsum("itd,jtd->ij", seen, heard) * model.scale / model.config.size**0.5
    same = torch.arange(batch, device=lips.device)
    loss = (cross_entropy(table, same) + cross_entropy(table.T, same)) / 2
    # The same clip at other moments: [batch, lags]
    lags = [n for n in range(-recipe.lags, recipe.lags + 1)]
    shifted = []
    for lag in lags:
        a = seen[:, max(0, lag) : frames + min(0, lag)]
        b = heard[:, max(0, -lag) : frames - max(0, lag)]
        shifted.append(model.evidence(a, b).mean(-1) * frames)
    moments = torch.stack(shifted, -1)
    right = torch.full((batch,), recipe.lags, device=lips.device)
    loss = loss + 0.5 * cross_entropy(moments, right)
    # Is it this voice at all? Yes for its own, no for others and for a still mouth.
    listening = model.evidence(idle, heard).sum(-1)
    yes = table.diagonal()
    no = torch.cat([table[~torch.eye(batch, dtype=torch.bool, device=lips.device)], listening])
    loss = loss + 0.5 * binary_cross_entropy_with_logits(yes + model.bias, torch.ones_like(yes))
    return loss + 0.5 * binary_cross_entropy_with_logits(no + model.bias, torch.zeros_like(no))


@torch.inference_mode()
def score(model: LipVoice, clips: Clips, frames: int) -> dict[str, float]:
    """On windows of clips: right voice of two, right one of 25, right lag to a frame."""
    count, device = len(clips.lips), model.scale.device

    def seen_and_heard(first: int, last: int) -> tuple[Tensor, Tensor]:
        sound = clips.sound[:, 0, first * FRAME_SAMPLES : last * FRAME_SAMPLES]
        seen = model.lips(torch.from_numpy(clips.lips[:, first:last]).to(device))
        return seen.cpu(), model.voice(torch.from_numpy(sound).to(device)).cpu()

    two, many = [], []
    for first in range(5, clips.lips.shape[1] - frames + 1, frames):
        seen, heard = seen_and_heard(first, first + frames)
        table = torch.einsum("itd,jtd->ij", seen, heard)
        own = table.diagonal()
        # Two lips, two voices: the sum of the right pairs beats the sum of the crossed ones.
        cross = table + table.T
        better = own[:, None] + own[None] > cross
        off = ~torch.eye(count, dtype=torch.bool)
        two.append(better[off].float().mean())
        group = 25
        for at in range(0, count - group + 1, group):
            block = table[at : at + group, at : at + group]
            many.append((block.argmax(1) == torch.arange(group)).float().mean())
    total = clips.lips.shape[1]
    seen, heard = seen_and_heard(0, total)
    scores = torch.stack(
        [
            (seen[:, 12 : total - 12] * heard[:, 12 + n : total - 12 + n]).sum((-1, -2))
            for n in range(-12, 13)
        ],
        -1,
    )
    lag = (scores.argmax(-1) - 12).abs() <= 1
    found = {"two": torch.stack(two).mean(), "of25": torch.stack(many).mean()}
    found["lag"] = lag.float().mean()
    return {f"{frames / FPS:g}s.{key}": float(value) for key, value in found.items()}


def pack(data: Path, out: Path) -> None:
    """Write lips and voices of GRID's s1, noises and other voices to one file, no pickle."""
    from avtool.training.throats import other_throats

    lips, sounds, names = [], [], []
    rng = np.random.default_rng(0)
    for path in sorted((data / "grid" / "s1").glob("*.mp4")):
        clip = media.open(path).clip(faces.SPEC)
        tracks = faces.find(clip)
        if len(tracks) != 1 or clip.audio is None:
            continue
        lips.append(hearing.lip_window(tracks[0], 0, FRAMES)[0])
        own = corpus.sized(clip.audio.samples[0], FRAMES * FRAME_SAMPLES)
        sounds.append(np.concatenate([own[None], other_throats(rng, own)]))
        names.append(f"s1/{path.stem}")
    items = [item for item in corpus.recordings(data) if item.split == "train"]
    noises = [corpus.sized(item.samples, 80_000) for item in items if not item.sex]
    others = [np.resize(item.samples, 128_000) for item in items if item.sex]
    arrays = {"sound": sounds, "noises": noises, "others": others}
    whole: dict[str, Any] = {
        key: (np.clip(np.stack(each), -1, 1) * 32767).astype(np.int16)
        for key, each in arrays.items()
    }
    with out.open("wb") as file:
        np.savez(file, lips=np.stack(lips), names=np.array(names), **whole)


def load(path: Path) -> tuple[dict[str, Clips], list[Array], list[Array]]:
    """Clips to learn from and to tune on, noises and other voices of a packed file."""
    with np.load(path) as file:
        own = [n for n, name in enumerate(file["names"]) if str(name).startswith("s1/")]
        lips, sound = file["lips"][own], file["sound"][own]
        noises, others = file["noises"], file["others"]
    scale = np.float32(1 / 32768)
    clips = {
        "train": Clips(lips[:-VALID], sound[:-VALID] * scale),
        "valid": Clips(lips[-VALID:], sound[-VALID:] * scale),
    }
    return clips, list(noises * scale), list(others * scale)


def main() -> None:
    """Train; see the module's words."""
    parser = arguments("lipvoice", __doc__, 8.0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    packed = given.out / "clips.npz"
    if not packed.exists():
        pack(given.data, packed)
    recipe = Recipe()
    clips, noises, others = load(packed)
    pairs = Pairs(clips["train"], noises, others)
    run = Run(
        LipVoice,
        "lipvoice",
        given.out,
        device=given.device,
        seed=recipe.seed,
        peak=recipe.peak,
        warm=100,
        decay=recipe.decay,
        average=recipe.average,
        clip=1.0,
    )
    run.load()

    def losses_of() -> Iterator[Tensor]:
        model = run.model
        while True:
            lips, sound = pairs.draw((recipe.seed, run.step), recipe)
            generator = torch.Generator().manual_seed(run.step)
            mel = warp(model.log_mel(sound.to(given.device)), generator)
            yield losses(model.train(), lips.to(given.device), mel, recipe)

    for _ in run.steps(
        losses_of(),
        lambda: score(run.average, clips["valid"], 25),
        given.minutes * 60,
        every=60,
    ):
        pass


if __name__ == "__main__":
    main()
