"""The lip motion's recipe.

``python -m avtool.pipelines.lips.train.lipmotion --data FOLDER --out FOLDER``

It learns from videos of people who talk to a camera, one at a time: what the mesh of the mouth does
is the answer, the sound the question. The sound comes by other throats, in other rooms, through
other microphones and under noise, so that neither one voice nor one recording is learned. Readers
whom nobody saw (LibriSpeech, where the folder has it) teach the rest: their phones are heard
(``training.phone_alignment``), and a teacher (``teacher``) tells what a mouth does for these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avtool.face import LIPS
from avtool.face.lip_points import opening
from avtool.metrics import lips as metric
from avtool.models.speech_frontend import PHONES, normalised
from avtool.pipelines.lips.model import Config, LipMotion
from avtool.pipelines.lips.speech_to_motion import INNER_LOWER, INNER_UPPER
from avtool.pipelines.lips.train.lipmotion_data import FRAMES, UNKNOWN, pack, unpacked
from avtool.pipelines.lips.train.teacher import cues, spoken_moves, taught
from avtool.pipelines.separate.train.lipvoice import warp
from avtool.pipelines.separate.train.lipvoice_data import VALID
from avtool.training.phone_alignment import SILENCE
from avtool.training.trainer import Trainer, arguments
from avtool.values import Array

ORDINARY = 20  # recordings by which it is measured how wide a network opens the lips
CLOSED = [PHONES.index(phone) for phone in "PBM"]
UPPER = [LIPS.index(point) for point in INNER_UPPER]
LOWER = [LIPS.index(point) for point in INNER_LOWER]


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Args:
        batch: clips a step; spoken: pieces of speech without pictures a step; nothing: clips
            of the batch that are noise alone, under a closed mouth.
        own: share of the clips with their own voice, the others by other throats; elsewhere:
            share of the clips that are heard in other rooms, through other microphones and noise.
        speed, shut, opening, together, phones: weights of the losses beside the points' distance;
        unseen: of the losses of speech without pictures; closed: of lips that are not closed
            there at /p/, /b/ and /m/, where a teacher, who tells the mean, leaves them ajar.
    """

    batch: int = 40
    spoken: int = 6
    nothing: int = 2
    own: float = 0.75
    elsewhere: float = 0.5
    speed: float = 0.1
    shut: float = 0.5
    opening: float = 0.5
    together: float = 4.0
    phones: float = 0.3
    unseen: float = 0.15
    closed: float = 0.1
    peak: float = 2e-3
    decay: float = 0.05
    average: float = 0.998
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Clips:
    """Talking people.

    Shape:
        mel: uint8 [clips, voices, mels, 4 * frames], the clip's own voice, then other throats;
        moves: float32 [clips, frames, shapes]; phones: int64 [clips, 2 * frames], -1 where
        they are not known.
    """

    mel: Array
    moves: Array
    phones: Array


@dataclass(frozen=True, eq=False)
class Spoken:
    """Speech without pictures: uint8 [mels, frames], phones int64 [frames / 2] and what a teacher
    says that the mouth does, float16 [frames / 2, shapes], each.
    """

    mel: list[Array]
    phones: list[Array]
    moves: list[Array]

    def draw(self, rng: np.random.Generator, count: int) -> tuple[Array, Array, Array]:
        """Pieces of a clip's length; of the motion, one frame a picture."""
        mels, phones, moves = [], [], []
        for place in rng.integers(0, len(self.mel), count):
            room = self.mel[place].shape[1] - 4 * FRAMES
            first = int(rng.integers(0, room // 2 + 1))
            mels.append(self.mel[place][:, 2 * first : 2 * first + 4 * FRAMES])
            phones.append(self.phones[place][first : first + 2 * FRAMES])
            moves.append(self.moves[place][first : first + 2 * FRAMES : 2].astype(np.float32))
        return np.stack(mels), np.stack(phones), np.stack(moves)


def pupils(held: dict[str, Array], clips: Clips, shapes: Tensor, recipe: Recipe) -> Spoken:
    """Speech without pictures, each with the motion that a teacher of the clips tells."""
    ends = held["ends"]
    known = np.flatnonzero((clips.phones >= 0).all(1))
    if not len(ends) or not len(known):
        return Spoken([], [], [])
    mels = np.split(held["spoken"], ends[:-1], 1)
    phones = np.split(held["phones"].astype(np.int64), ends[:-1] // 2)
    own = [heard(clips.mel[row, 0]) for row in known]
    given = cues(torch.from_numpy(clips.phones[known]), torch.cat(own))

    def away(amounts: Tensor, true: Tensor) -> Tensor:
        return losses(points_of(amounts[..., ::2].transpose(1, 2), shapes), true, recipe)

    true = points_of(torch.from_numpy(clips.moves[known]), shapes)
    teacher = taught(given, true, len(shapes), away)
    pairs = zip(mels, phones, strict=True)
    return Spoken(mels, phones, [spoken_moves(teacher, said, heard(mel)) for mel, said in pairs])


def heard(mels: Array) -> Tensor:
    """What the network hears of packed log-mel, [1, mels + 1, frames]."""
    return normalised(torch.from_numpy(unpacked(mels))[None])


def points_of(amounts: Tensor, shapes: Tensor) -> Tensor:
    """[batch, frames, shapes] of shapes [shapes, points, 2] -> [batch, frames, points, 2]."""
    return torch.einsum("bts,spc->btpc", amounts, shapes)


def changed(rng: np.random.Generator, mels: Tensor, noises: Array) -> Tensor:
    """The same speech elsewhere: other microphones, rooms, noise. [batch, mels, frames]."""
    count, bands, frames = mels.shape
    mels = mels + torch.from_numpy(_colours(rng, count, bands) * (rng.random((count, 1)) < 0.8))[
        ..., None
    ].to(mels.dtype)
    for row in np.flatnonzero(rng.random(count) < 0.25):  # a room: power that goes on and decays
        seconds, loud = rng.uniform(0.15, 0.6), 10 ** rng.uniform(-1.4, -0.3)
        decay = np.exp(-13.8 * 0.01 * np.arange(30) / seconds)
        decay *= loud / decay.sum()
        decay[0] += 1
        kernel = torch.from_numpy(decay[::-1].astype(np.float32).copy())[None, None]
        power = functional.pad(mels[row].exp(), (29, 0))[:, None]
        mels[row] = (functional.conv1d(power, kernel)[:, 0] + 1e-10).log()
    loudest = mels.logsumexp(1).amax(-1)
    for row in np.flatnonzero(rng.random(count) < 0.6):
        if rng.random() < 0.4:
            noise = torch.randn(bands, frames) * 0.5
            noise += torch.from_numpy(2 * _colours(rng, 1, bands)[0])[:, None]
        else:
            found = noises[rng.integers(len(noises))]
            first = int(rng.integers(0, found.shape[1] - frames + 1))
            noise = torch.from_numpy(unpacked(found[:, first : first + frames]))
        gain = loudest[row] - noise.logsumexp(0).amax() + np.log(10) * rng.uniform(-4.5, -0.8)
        mels[row] = torch.logaddexp(mels[row], noise.to(mels.dtype) + gain)
    return mels


def hum(rng: np.random.Generator, count: int, bands: int, frames: int) -> Tensor:
    """Noise that nobody speaks in, as of rooms and fans, log-mel [count, bands, frames]."""
    level = torch.from_numpy(rng.uniform(-14, -2, (count, 1, 1)).astype(np.float32))
    colour = torch.from_numpy(2 * _colours(rng, count, bands))[..., None]
    return level + colour + torch.randn(count, bands, frames) * 0.5


def _colours(rng: np.random.Generator, count: int, bands: int) -> Array:
    """Smooth curves over the bands in nepers, float32 [count, bands]."""
    amounts = rng.normal(0, (0.8, 0.6, 0.4, 0.3), (count, 4))
    place = np.pi * np.arange(1, 5)[:, None] * np.linspace(0, 1, bands)
    return np.asarray(amounts @ np.cos(place), np.float32)


def losses(points: Tensor, true: Tensor, recipe: Recipe) -> Tensor:
    """Position, velocity, closed lips, the opening, and how it goes with the true one.

    Shape:
        points, true: [batch, frames, 40, 2], away from the closed mouth.
    """
    away = 30 * (points - true).flatten(2)
    loss = _root(away) + recipe.speed * _root(away.diff(dim=1))
    gap, real = 30 * gaps(points), 30 * gaps(true)
    wrong = (gap - real).square()
    loss = loss + recipe.shut * (wrong * (-4 * real).exp()).mean() + recipe.opening * wrong.mean()
    a, b = gap - gap.mean(1, keepdim=True), real - real.mean(1, keepdim=True)
    size = (a.square().sum(1) * b.square().sum(1) + 1e-6).sqrt()
    return loss + recipe.together * (1 - (a * b).sum(1) / size).mean()


def gaps(points: Tensor) -> Tensor:
    """How far lips [..., 40, 2] have opened, [...]."""
    return (points[..., LOWER, 1] - points[..., UPPER, 1]).mean(-1)


def _root(away: Tensor) -> Tensor:
    return (away.square().mean(-1) + 1e-3).sqrt().mean()


@torch.inference_mode()
def score(model: LipMotion, clips: Clips) -> dict[str, float]:
    """On clips that are not learned from: distance over that of a closed mouth, opening's r."""
    device = model.shapes.device
    shapes = model.shapes[:, list(LIPS), :2]
    found: dict[str, list[float]] = {"left": [], "r": [], "other voice r": []}
    for mels, moves in zip(clips.mel, clips.moves, strict=True):
        true = torch.tensordot(torch.from_numpy(moves), shapes.cpu(), 1).numpy()
        for voice, name in ((0, "r"), (-1, "other voice r")):
            amounts = model(heard(mels[voice]).to(device))[0, :, ::2].T
            points = torch.tensordot(amounts, shapes, 1).cpu()
            gap, real = gaps(points).numpy(), gaps(torch.from_numpy(true)).numpy()
            found[name].append(metric.correlation(gap, real))
            if not voice:
                closed = metric.landmark_distance(0 * true, true)
                found["left"].append(metric.landmark_distance(points.numpy(), true) / closed)
    return {name: float(np.mean(each)) for name, each in found.items()}


@torch.inference_mode()
def opened(model: LipMotion, mels: Sequence[Array]) -> float:
    """The ``opening`` of a network's ``Config``, by packed log-mel of speech, [mels, frames] each:
    the median over them.
    """
    shapes = model.shapes[:, list(LIPS), :2]
    told = (points_of(model(heard(mel).to(shapes.device)).transpose(1, 2), shapes) for mel in mels)
    wide = [np.quantile(opening(points[0].cpu().numpy()), 0.95) for points in told]
    return float(np.median(wide))


def main() -> None:
    """Train; see the module's words."""
    parser = arguments("lipmotion", __doc__, 20.0)
    parser.add_argument("--begin", type=Path, help="weights to begin with")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "moves.npz"
    if not path.exists():
        pack(given.data, path)
    recipe = Recipe()
    with np.load(path) as file:
        held = {name: file[name] for name in file.files}
    moves, told = held["moves"].astype(np.float32), held["told"].astype(np.int64)
    train = Clips(held["mel"][:-VALID], moves[:-VALID], told[:-VALID])
    valid = Clips(held["mel"][-VALID:], moves[-VALID:], told[-VALID:])

    def made() -> LipMotion:
        model = LipMotion(Config(shapes=len(held["shapes"])))
        model.shapes.copy_(torch.from_numpy(held["shapes"]))
        model.units.copy_(torch.from_numpy(held["units"]))
        return model

    run = Trainer(
        made,
        "lipmotion",
        given.out,
        device=given.device,
        seed=recipe.seed,
        peak=recipe.peak,
        warm=100,
        decay=recipe.decay,
        average=recipe.average,
        clip=1.0,
    )
    run.load(given.begin)
    shapes = run.model.shapes[:, list(LIPS), :2]
    speech = pupils(held, train, shapes.cpu(), recipe)
    silence = PHONES.index(SILENCE)

    def losses_of() -> Iterator[Tensor]:
        model, nothing, voices = run.model, recipe.nothing, train.mel.shape[1]
        while True:
            rng = np.random.default_rng((recipe.seed, run.step))
            generator = torch.Generator().manual_seed(run.step)
            rows = rng.integers(0, len(train.mel), recipe.batch)
            other = rng.integers(voices > 1, voices, recipe.batch)
            mels = train.mel[rows, np.where(rng.random(recipe.batch) < recipe.own, 0, other)]
            moves, told = train.moves[rows], train.phones[rows]
            moves[:nothing], told[:nothing] = 0, silence
            if speech.mel:
                more = speech.draw(rng, recipe.spoken)
                mels, told, moves = (
                    np.concatenate(pair) for pair in zip((mels, told, moves), more, strict=True)
                )
            plain = torch.from_numpy(unpacked(mels))
            sound = warp(changed(rng, plain.clone(), held["noise"]), generator)
            here = np.flatnonzero(rng.random(recipe.batch) >= recipe.elsewhere)
            sound[here] = plain[here]
            sound[:nothing] = hum(rng, nothing, sound.shape[1], sound.shape[2])
            trunk = model.train().trunk(normalised(sound).to(given.device))
            points = points_of(model.out(trunk)[..., ::2].transpose(1, 2), shapes)
            true = points_of(torch.from_numpy(moves).to(given.device), shapes)
            loss = losses(points[: recipe.batch], true[: recipe.batch], recipe)
            if speech.mel:
                unseen = losses(points[recipe.batch :], true[recipe.batch :], recipe)
                lips_shut = torch.from_numpy(np.isin(told[recipe.batch :, ::2], CLOSED))
                gap = 30 * gaps(points[recipe.batch :]).clamp_min(0)
                ajar = gap[lips_shut.to(given.device)].sum() / lips_shut.sum().clamp_min(1)
                loss = loss + recipe.unseen * unseen + recipe.closed * ajar
            if (told >= 0).any():
                right = torch.from_numpy(told).to(given.device)
                loss = loss + recipe.phones * functional.cross_entropy(
                    model.phones(trunk), right, ignore_index=UNKNOWN, label_smoothing=0.1
                )
            yield loss

    ordinary = speech.mel[:ORDINARY] or list(valid.mel[:ORDINARY, 0])
    for _ in run.steps(
        losses_of(), lambda: score(run.average, valid), given.minutes * 60, every=60
    ):
        run.model.config = replace(run.model.config, opening=opened(run.average, ordinary))
        run.save()


if __name__ == "__main__":
    main()
