"""The lip motion's recipe: ``python -m avtool.training.lipmotion --data FOLDER --out FOLDER``.

It learns from videos of people who talk to a camera, one at a time: what the mesh of the mouth does
is the answer, the sound the question. The sound comes by other throats, in other rooms, through
other microphones and under noise, so that neither one voice nor one recording is learned. Speech
with known phones and no pictures (``--spoken``) teaches what a few people's sentences do not hold:
that lips close for /p/, /b/ and /m/ in any voice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avtool.faces import LIPS
from avtool.metrics import lips as metric
from avtool.models.lipmotion import PHONES, Config, LipMotion, prepared
from avtool.pipelines.speech import INNER_LOWER, INNER_UPPER
from avtool.training.lipvoice import VALID, warp
from avtool.training.moves import FRAMES, pack, unpacked
from avtool.training.run import Run, arguments
from avtool.values import Array

CLOSED = [PHONES.index(phone) for phone in "PBM"]
UPPER = [LIPS.index(point) for point in INNER_UPPER]
LOWER = [LIPS.index(point) for point in INNER_LOWER]


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Args:
        batch: clips a step; spoken: pieces of speech without pictures a step; nothing: clips
            of the batch that are noise alone, under a closed mouth.
        speed, shut, together, phones, closed: weights of the losses beside the points' distance.
    """

    batch: int = 24
    spoken: int = 16
    nothing: int = 2
    speed: float = 0.5
    shut: float = 0.5
    together: float = 0.5
    phones: float = 0.3
    closed: float = 0.5
    peak: float = 2e-3
    decay: float = 0.02
    average: float = 0.998
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Clips:
    """Talking people.

    Shape:
        mel: uint8 [clips, voices, mels, 4 * frames], the clip's own voice, then other throats;
        moves: float32 [clips, frames, shapes].
    """

    mel: Array
    moves: Array


@dataclass(frozen=True, eq=False)
class Spoken:
    """Speech with known phones: uint8 [mels, frames] and int64 [frames / 2] each."""

    mel: list[Array]
    phones: list[Array]

    def draw(self, rng: np.random.Generator, count: int) -> tuple[Array, Array]:
        """Pieces of a clip's length."""
        mels, phones = [], []
        for place in rng.integers(0, len(self.mel), count):
            room = self.mel[place].shape[1] - 4 * FRAMES
            first = 2 * int(rng.integers(0, room // 2 + 1))
            mels.append(self.mel[place][:, first : first + 4 * FRAMES])
            phones.append(self.phones[place][first // 2 : first // 2 + 2 * FRAMES])
        return np.stack(mels), np.stack(phones)


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
    """Position, velocity, closed lips, and an opening that goes with the true one.

    Shape:
        points, true: [batch, frames, 40, 2], away from the closed mouth.
    """
    away = 30 * (points - true).flatten(2)
    loss = _root(away) + recipe.speed * _root(away.diff(dim=1))
    gap, real = 30 * gaps(points), 30 * gaps(true)
    loss = loss + recipe.shut * ((gap - real).square() * (-4 * real).exp()).mean()
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
            heard = prepared(torch.from_numpy(unpacked(mels[voice]))[None].to(device))
            amounts = model(heard)[0, :, ::2].T
            points = torch.tensordot(amounts, shapes, 1).cpu()
            gap, real = gaps(points).numpy(), gaps(torch.from_numpy(true)).numpy()
            found[name].append(metric.correlation(gap, real))
            if not voice:
                closed = metric.landmark_distance(0 * true, true)
                found["left"].append(metric.landmark_distance(points.numpy(), true) / closed)
    return {name: float(np.mean(each)) for name, each in found.items()}


def main() -> None:
    """Train; see the module's words."""
    parser = arguments("lipmotion", __doc__, 20.0)
    parser.add_argument("--spoken", type=Path, help=".npz: sound, first, count, phones (json)")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "moves.npz"
    if not path.exists():
        pack(given.data, path, given.spoken)
    recipe = Recipe()
    with np.load(path) as file:
        held = {name: file[name] for name in file.files}
    clips = {
        "train": Clips(held["mel"][:-VALID], held["moves"][:-VALID].astype(np.float32)),
        "valid": Clips(held["mel"][-VALID:], held["moves"][-VALID:].astype(np.float32)),
    }
    ends = held["ends"]
    speech = Spoken(
        np.split(held["spoken"], ends[:-1], 1) if len(ends) else [],
        np.split(held["phones"].astype(np.int64), ends[:-1] // 2) if len(ends) else [],
    )

    def made() -> LipMotion:
        model = LipMotion(Config(shapes=len(held["shapes"])))
        model.shapes.copy_(torch.from_numpy(held["shapes"]))
        model.units.copy_(torch.from_numpy(held["units"]))
        return model

    run = Run(
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
    run.load()
    shapes = run.model.shapes[:, list(LIPS), :2]

    def losses_of() -> Iterator[Tensor]:
        model, train = run.model, clips["train"]
        while True:
            rng = np.random.default_rng((recipe.seed, run.step))
            generator = torch.Generator().manual_seed(run.step)
            rows = rng.integers(0, len(train.mel), recipe.batch)
            voices = rng.integers(0, train.mel.shape[1], recipe.batch)
            mels = train.mel[rows, voices]
            if speech.mel:
                more, told = speech.draw(rng, recipe.spoken)
                mels = np.concatenate([mels, more])
            heard = changed(rng, torch.from_numpy(unpacked(mels)), held["noise"])
            heard[: recipe.nothing] = hum(rng, recipe.nothing, heard.shape[1], heard.shape[2])
            heard = prepared(warp(heard, generator)).to(given.device)
            trunk = model.train().trunk(heard)
            points = torch.einsum("bst,spc->btpc", model.out(trunk)[..., ::2], shapes)
            moves = train.moves[rows]
            moves[: recipe.nothing] = 0
            true = torch.from_numpy(moves).to(given.device)
            true = torch.einsum("bts,spc->btpc", true, shapes)
            loss = losses(points[: recipe.batch], true, recipe)
            if speech.mel:
                phones = torch.from_numpy(told).to(given.device)
                guess = model.phones(trunk[recipe.batch :])
                loss = loss + recipe.phones * functional.cross_entropy(
                    guess, phones, label_smoothing=0.1
                )
                lips_shut = torch.isin(phones[:, ::2], torch.tensor(CLOSED, device=phones.device))
                gap = 30 * gaps(points[recipe.batch :]).clamp_min(0)
                loss = loss + recipe.closed * (gap * lips_shut).sum() / lips_shut.sum().clamp_min(1)
            yield loss

    for _ in run.steps(
        losses_of(), lambda: score(run.average, clips["valid"]), given.minutes * 60, every=60
    ):
        pass


if __name__ == "__main__":
    main()
