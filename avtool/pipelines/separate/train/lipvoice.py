"""The lip-voice match's recipe.

``python -m avtool.pipelines.separate.train.lipvoice --data FOLDER --out FOLDER``

It learns from one voice and one pair of lips at a time, real ones and made ones (see
``training.lipvoice_data``). What goes together is a clip's own lips and voice; what does not is
another clip's voice, the same voice at another moment, a still mouth, and sounds that are no
speech. A batch is of one source, so that only the motion can tell. Lips are turned, reshaped,
mirrored and moved in another style, voices shifted, coloured and covered, each by itself, so that
neither one face nor one voice is learned.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from torch.utils.data import DataLoader, Dataset

from avtool.models.lipvoice import FRAME_SAMPLES, LipVoice
from avtool.pipelines.separate.train.lipvoice_data import Clips, load, pack
from avtool.training.mixtures import Room, cut, tilt
from avtool.training.trainer import Trainer, arguments
from avtool.values import Array

CALIBRATED = 40  # batches
SPOKEN = 0.01  # power of a frame against the loudest one of its voice, above which it is speech
# How often each source is drawn.
SHARES = {"s1": 0.3, "performer": 0.2, "readers": 0.2, "commands": 0.2, "words": 0.1}
# Each lip point's mirror image: both rings run from the right corner, by the left one, back.
MIRROR = [ring + (10 - n) % 20 for ring in (0, 20) for n in range(20)]


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Args:
        batch: clips a step; sounds: sounds without speech a step.
        frames: the shortest and the longest window.
        lags: furthest shift of a shifted negative, in frames.
    """

    batch: int = 48
    sounds: int = 8
    frames: tuple[int, int] = (20, 70)
    lags: int = 12
    peak: float = 2e-3
    decay: float = 0.02
    average: float = 0.998
    seed: int = 0


class Pairs:
    """Draws lips and voices that belong together, changed each by itself."""

    def __init__(
        self, sources: Mapping[str, Clips], noises: list[Array], others: list[Array]
    ) -> None:
        self.sources, self.noises, self.others = sources, noises, others

    def draw(self, seed: tuple[int, ...], recipe: Recipe) -> tuple[Tensor, Tensor]:
        """Lips [batch, frames, 40, 2] and sound [batch + sounds, frames * 640]: the voice of each
        row of lips, then sounds that are nobody's.
        """
        rng = np.random.default_rng(seed)
        frames = int(rng.integers(recipe.frames[0], recipe.frames[1] + 1))
        (clips,) = self._picked(rng, 1)
        chosen = rng.choice(len(clips.lips), min(recipe.batch, len(clips.lips)), replace=False)
        lips, sounds = [], []
        for index in chosen:
            speed = float(np.exp(rng.uniform(-0.22, 0.22)))  # of both: also pitch and formants
            need = math.ceil(frames * speed) + 1
            total = clips.lips.shape[1]
            if need > total:
                speed, need = (total - 1) / frames, total
            first = int(rng.integers(0, total - need + 1))
            times = first + np.arange(frames) * speed
            lips.append(self.moved_lips(rng, clips.lips[index], times, self.distraction(rng)))
            start = first * FRAME_SAMPLES + np.arange(frames * FRAME_SAMPLES) * speed
            voice = clips.voice(index, int(rng.integers(clips.sound.shape[1])))
            sound = np.interp(start, np.arange(len(voice)), voice)
            sounds.append(self._sound(rng, sound.astype(np.float32)))
        sounds += [self._noise(rng, frames * FRAME_SAMPLES) for _ in range(recipe.sounds)]
        return torch.from_numpy(np.stack(lips)), torch.from_numpy(np.stack(sounds))

    def people(self, rng: np.random.Generator, count: int) -> list[tuple[Clips, int]]:
        """Some clips, no one twice: now all of one source, now of any."""
        picked = self._picked(rng, count)
        if rng.random() < 0.5:
            picked = picked[:1] * count
        found: list[tuple[Clips, int]] = []
        for clips in picked:
            taken = [index for each, index in found if each is clips]
            index = int(rng.integers(len(clips.lips)))
            while index in taken:
                index = int(rng.integers(len(clips.lips)))
            found.append((clips, index))
        return found

    def _picked(self, rng: np.random.Generator, count: int) -> list[Clips]:
        """A source each time, by its share."""
        share = np.array([SHARES[name] for name in self.sources])
        every = list(self.sources.values())
        return [every[n] for n in rng.choice(len(every), count, p=share / share.sum())]

    def one(self, rng: np.random.Generator, frames: int) -> tuple[Array, Array]:
        """Somebody who talks: changed lips float32 [frames, 40, 3], and the sound as it is."""
        ((clips, index),) = self.people(rng, 1)
        lips = self.moved_lips(
            rng, clips.lips[index], np.arange(float(frames)), self.distraction(rng)
        )
        sound = clips.voice(index, 0)[: frames * FRAME_SAMPLES]
        return np.pad(lips, ((0, 0), (0, 0), (0, 1))), sound

    def distraction(self, rng: np.random.Generator) -> Array | None:
        """Motion of another mouth, [frames, 40, 3], to be mixed into one's own, or none.

        Of what a mouth does while it talks freely, its sound explains about a quarter to a half;
        made lips would be explained wholly.
        """
        if rng.random() < 0.3:
            return None
        every = list(self.sources.values())
        source = every[rng.integers(len(every))]
        lips = source.lips[rng.integers(len(source.lips))].astype(np.float32)
        lips = np.roll(lips, int(rng.integers(len(lips))), 0) - np.median(lips, 0)
        return lips * np.float32(rng.uniform(0.1, 1.0))

    def moved_lips(
        self,
        rng: np.random.Generator,
        lips: Array,
        times: Array,
        distraction: Array | None = None,
    ) -> Array:
        """A clip's lips at some frames, as those of another mouth, style of speaking, and camera:
        [times, 40, 2].
        """
        count = len(times)
        # Another style: a little early or late, in changing measure, wider or narrower, sluggish.
        times = times + rng.normal(0, 0.5) + wander(rng, count, 0.6, 12)
        times = times.clip(0, len(lips) - 1.001)
        low = times.astype(int)
        part = (times - low)[:, None, None]
        points = lips[low] * (1 - part) + lips[low + 1] * part  # [frames, 40, 3]
        if rng.random() < 0.5:
            points = points[:, MIRROR] * np.array([-1, 1, 1], np.float32)
        rest = np.median(points, 0)
        motion = points - rest
        if distraction is not None:
            motion = motion + distraction[np.arange(count) % len(distraction)]
        if rng.random() < 0.5:
            motion = _sluggish(motion, rng.uniform(0.2, 0.6))
        gain = rng.uniform(0.5, 1.6) * np.exp(rng.normal(0, 0.25) + wander(rng, count, 0.25, 20))
        motion = motion * np.asarray(gain)[:, None, None]
        # Another mouth: motion scaled apart at the upper and the lower lip, left and right.
        knots = rng.normal(0, 0.2, (2, 3))
        where = (rest - rest.mean(0)) / (np.abs(rest - rest.mean(0)).max(0) + 1e-6)
        field = 1 + where[:, :1] * knots[0, 0] + where[:, 1:2] * knots[0, 1] + knots[0, 2]
        motion = motion * np.clip(field, 0.4, 1.8)
        # Smiles, and turns of the head that the mesh does not follow: the mouth slowly changes
        # its size and place.
        size = 10 ** rng.uniform(-3, -1.3)
        bend = np.stack([wander(rng, count, size, 15) for _ in range(4)], -1).reshape(-1, 2, 2)
        motion[..., :2] += (rest - rest.mean(0))[:, :2] @ bend
        turn = _turn(*rng.uniform([-0.25, -0.4, -0.15], [0.25, 0.4, 0.15]))
        shape = np.diag(rng.uniform([0.8, 0.7, 0.5], [1.25, 1.4, 1.5]))
        motion = motion @ (shape @ turn).T
        still = rng.normal(0, 10 ** rng.uniform(-3.2, -2.0), motion.shape)
        drift = np.cumsum(rng.normal(0, 10 ** rng.uniform(-4, -2.7), (count, 1, 3)), 0)
        return (motion + still + drift)[..., :2].astype(np.float32)

    def _noise(self, rng: np.random.Generator, length: int) -> Array:
        """A sound that is no speech."""
        if self.noises and rng.random() < 0.8:
            noise = cut(rng, self.noises[rng.integers(len(self.noises))], length)
        else:
            noise = rng.standard_normal(length) * 0.05
        spectrum = np.fft.rfft(noise)
        noise = np.fft.irfft(spectrum * tilt(rng, len(spectrum)), length)
        return noise.astype(np.float32)

    def _sound(self, rng: np.random.Generator, sound: Array) -> Array:
        length = len(sound)
        if rng.random() < 0.3:
            sound = Room(rng).heard(rng, sound)
        if rng.random() < 0.7:
            spectrum = np.fft.rfft(sound)
            sound = np.fft.irfft(spectrum * tilt(rng, len(spectrum)), length)
        level = np.sqrt(np.mean(sound**2)) + 1e-6
        if rng.random() < 0.6:
            if rng.random() < 0.5 and self.noises:
                noise = cut(rng, self.noises[rng.integers(len(self.noises))], length)
            elif rng.random() < 0.7 and self.others:
                noise = cut(rng, self.others[rng.integers(len(self.others))], length)
            else:
                noise = rng.standard_normal(length)
            gain = 10 ** (rng.uniform(-30, 3) / 20)
            sound = sound + noise * (gain * level / (np.sqrt(np.mean(noise**2)) + 1e-6))
        return sound.astype(np.float32)


def wander(rng: np.random.Generator, count: int, size: float, slow: float) -> Array:
    """A smooth random curve, float64 [count], of standard deviation ``size``; it turns about every
    ``slow`` frames.
    """
    knots = max(2, math.ceil(count / slow) + 1)
    found: Array = np.interp(
        np.arange(count) / slow, np.arange(knots) - rng.random(), rng.normal(0, size, knots)
    )
    return found


def _sluggish(motion: Array, hold: float) -> Array:
    """Motion [frames, ...] of a heavier mouth: one pole, run forwards and backwards, so that it is
    not late.
    """
    found = motion.copy()
    for order in (range(1, len(found)), range(len(found) - 2, -1, -1)):
        step = 1 if order.step > 0 else -1
        for n in order:
            found[n] = hold * found[n - step] + (1 - hold) * found[n]
    return found


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
    """Contrast over the batch, over time, against mouths that are still and sounds of nobody.

    Shape:
        lips: [batch, frames, 40, 2]; mel: [batch + sounds, mels, 4 * frames]
    """
    batch, frames = lips.shape[:2]
    still = lips[:, :1] + torch.randn_like(lips) * 0.003  # a listener
    seen = model.lips(torch.cat([lips, still]))
    heard, sounds = model.voice_of(mel).split([batch, len(mel) - batch])
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
    nobody = model.evidence(seen[:, None], sounds[None]).sum(-1).flatten()
    others = table[~torch.eye(batch, dtype=torch.bool, device=lips.device)]
    no = torch.cat([others, listening, nobody])
    loss = loss + 0.5 * binary_cross_entropy_with_logits(yes + model.bias, torch.ones_like(yes))
    return loss + 0.5 * binary_cross_entropy_with_logits(no + model.bias, torch.zeros_like(no))


@torch.inference_mode()
def score(model: LipVoice, sources: Mapping[str, Clips], frames: int) -> dict[str, float]:
    """By source, on windows of clips: how often two voices are given to the right two faces, and
    how often the evidence of true and of crossed pairs is above and below zero.
    """
    found = {}
    for name, clips in sources.items():
        rng, two, zero, cross = np.random.default_rng(0), [], [], []
        pairs = Pairs({}, [], [])
        for first in range(0, clips.lips.shape[1] - frames + 1, frames):
            times = np.arange(first, first + frames, dtype=np.float64)
            lips = clips.lips[:, first : first + frames, :, :2].astype(np.float32)
            if name not in ("s1", "performer"):  # made lips are varied
                lips = np.stack([pairs.moved_lips(rng, each, times) for each in clips.lips])
            sound = np.stack([clips.voice(n, 0) for n in range(len(clips.lips))])
            sound = sound[:, first * FRAME_SAMPLES : (first + frames) * FRAME_SAMPLES]
            device = model.scale.device
            seen = model.lips(torch.from_numpy(lips).to(device))
            heard = model.voice(torch.from_numpy(sound).to(device))
            table = torch.einsum("itd,jtd->ij", seen, heard).cpu()
            own, off = table.diagonal(), ~torch.eye(len(table), dtype=torch.bool)
            two.append(((own[:, None] + own) > (table + table.T))[off].float().mean())
            zero.append((own > 0).float().mean())
            cross.append((table < 0)[off].float().mean())
        for key, each in (("two", two), ("own", zero), ("other", cross)):
            found[f"{name}.{key}"] = float(torch.stack(each).mean())
    return found


@torch.inference_mode()
def calibrate(model: LipVoice, pairs: Pairs, recipe: Recipe) -> tuple[float, float]:
    """What a frame's evidence counts in log-odds, and what it has without any (``Config.believe``).

    By logistic regression over as many true as crossed pairs of clips that were not learned from.
    """
    told: list[Tensor] = []
    spoken: list[Tensor] = []
    truths: list[Tensor] = []
    first, model.config = model.config, replace(model.config, believe=(0.25, 0.0))
    for n in range(CALIBRATED):
        lips, sound = pairs.draw((recipe.seed, 1_000_000 + n), recipe)
        seen, sound = model.lips(lips), sound[: len(lips)]
        heard = model.voice(sound)
        power = sound.unflatten(1, (-1, FRAME_SAMPLES)).square().mean(-1)
        loud = power > SPOKEN * power.amax(1, keepdim=True)  # [batch, frames]
        for own in range(len(lips)):
            told.append(model.odds(seen[own], heard, loud)[0].sum(1) / 0.25)
            spoken.append(loud.sum(1))
            truths.append(torch.arange(len(lips)) == own)
    model.config = first
    features = torch.stack([torch.cat(told), torch.cat(spoken)], 1).double().numpy()
    truth = torch.cat(truths).numpy()
    weight = np.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum())
    believe = np.zeros(2)
    for _ in range(30):  # Newton's method; the ridge keeps it from overshooting
        chance = 1 / (1 + np.exp(-np.clip(features @ believe, -30, 30)))
        slope = features.T @ (weight * (chance - truth)) + 1e-3 * believe
        curve = (features * (weight * chance * (1 - chance))[:, None]).T @ features
        believe -= np.linalg.solve(curve + 1e-3 * np.eye(2), slope)
    return float(believe[0]), float(believe[1])


class Steps(Dataset[tuple[Tensor, Tensor]]):
    """Step number -> what it learns from."""

    def __init__(self, pairs: Pairs, recipe: Recipe, first: int) -> None:
        self.pairs, self.recipe, self.first = pairs, recipe, first

    def __len__(self) -> int:
        return 10_000_000

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.pairs.draw((self.recipe.seed, self.first + index), self.recipe)


def main() -> None:
    """Train; see the module's words."""
    parser = arguments("lipvoice", __doc__, 40.0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    packed = given.out / "clips.npz"
    if not packed.exists():
        pack(given.data, packed)
    recipe, data = Recipe(), load(packed)
    run = Trainer(
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
    steps = Steps(Pairs(data.train, data.noises, data.others), recipe, run.step)

    def losses_of() -> Iterator[Tensor]:
        model = run.model
        for lips, sound in DataLoader(steps, batch_size=None, num_workers=1):
            generator = torch.Generator().manual_seed(run.step)
            mel = warp(model.log_mel(sound.to(given.device)), generator)
            yield losses(model.train(), lips.to(given.device), mel, recipe)

    for _ in run.steps(
        losses_of(), lambda: score(run.average, data.valid, 25), given.minutes * 60, every=180
    ):
        pass
    unseen = {name: clips for name, clips in data.valid.items() if name != "s1"}
    pairs = Pairs(unseen or data.valid, data.noises, data.others)
    believe = calibrate(run.average, pairs, recipe)
    for model in (run.model, run.average):
        model.config = replace(model.config, believe=believe)
    run.save()


if __name__ == "__main__":
    main()
