"""The separator's recipe.

``python -m avtool.pipelines.separate.train.separator --data FOLDER --out FOLDER``

Mixtures are made while it runs, from readers in random company, rooms and noise, and from people
whose lips it sees; every example has its own seed. It stops at ``--minutes``, writes a checkpoint
every few minutes, goes on from it when it is started again, and keeps a log of the score on
readers and clips that it does not learn from.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.multiprocessing.spawn import spawn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset

from avtool.metrics.separation import right_voice, si_sdr_improvement
from avtool.models import weights
from avtool.models.lipvoice import LipVoice
from avtool.models.separator import Config, Separator, clustering_loss, permutation_loss
from avtool.pipelines.separate.train import lipvoice_data
from avtool.pipelines.separate.train.audiovisual_mixtures import AudiovisualMixer, Scene
from avtool.pipelines.separate.train.lipvoice import Pairs
from avtool.training import corpus
from avtool.training.mixtures import Mixer, MixtureConfig
from avtool.training.trainer import Trainer, arguments


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Args:
        batch: mixtures a step; peak: the highest learning rate; warm: steps up to it.
        triples: how often a step is one of three voices.
        faces: how often a step is one whose voices have faces; bound: steps over which the voices
            with faces become bound to their places.
        alike: how often all voices are of one sex.
        easy: steps over which three voices, rooms, noise and pauses come in; 0, where it begins
            with weights.
        clustering, count: weights of the clustering loss, and of the number of voices, against
            one dB.
        average: how slowly the averaged weights follow (Polyak), a step.
    """

    seconds: float = 3.0
    batch: int = 4
    peak: float = 1.5e-3
    warm: int = 300
    triples: float = 0.25
    faces: float = 0.55
    bound: int = 1500
    alike: float = 0.4
    easy: int = 5000
    clustering: float = 3.0
    count: float = 1.5
    average: float = 0.998
    seed: int = 0


class Batch(NamedTuple):
    """What a step learns from.

    Shape:
        parts: [batch, voices + 1, time]; lips: [batch, voices, frames, 40, 2], seen: bool
        [batch, voices, frames], known: bool [batch, voices] (see ``Scene``), or None.
    """

    parts: Tensor
    lips: Tensor | None = None
    seen: Tensor | None = None
    known: Tensor | None = None


class Steps(Dataset[Batch]):
    """Step number -> its batch."""

    def __init__(
        self, mixer: Mixer, company: AudiovisualMixer, recipe: Recipe, first: int, rank: int
    ) -> None:
        self.mixer, self.company = mixer, company
        self.recipe, self.first, self.rank = recipe, first, rank

    def __len__(self) -> int:
        return 10_000_000

    def __getitem__(self, index: int) -> Batch:
        step, recipe = self.first + index, self.recipe
        draw = np.random.default_rng((recipe.seed, step))
        hard = min(1.0, step / recipe.easy) if recipe.easy else 1.0
        slots = 3 if draw.random() < recipe.triples * hard else 2
        # Sometimes fewer speak than the head has voices: it must leave them silent.
        voices = (3, 3, 3, 3, 2, 2, 1, 0) if slots == 3 else (2, 2, 2, 2, 2, 1, 1, 0)
        fewer = draw.random() < hard
        party = MixtureConfig(
            recipe.seconds,
            voices if fewer else (slots,),
            alike=recipe.alike * hard,
            room=0.25 * hard,
            noise=0.3 * hard,
            pauses=0.25 * hard,
            alone=0.8 * hard,
        )
        seeds = [(recipe.seed, step, self.rank, n) for n in range(recipe.batch)]
        if draw.random() >= recipe.faces * hard:
            parts = [self.mixer.draw(seed, party, slots) for seed in seeds]
            return Batch(torch.from_numpy(np.stack(parts)))
        party = replace(party, seconds=0.8 * recipe.seconds)  # so that clips can be sped up
        return stacked([self.company.draw(seed, party, slots) for seed in seeds])


def stacked(scenes: list[Scene]) -> Batch:
    """Scenes as one batch."""
    columns = zip(*((s.parts, s.lips, s.seen, s.known) for s in scenes), strict=True)
    return Batch(*(torch.from_numpy(np.stack(column)) for column in columns))


def score(model: Separator, mixer: Mixer, count: int, device: str) -> dict[str, float]:
    """SI-SDR improvement in dB on clean mixtures at 0 dB, for 2 and 3 voices."""
    found = {}
    for voices in (2, 3):
        party = MixtureConfig(
            4.0, (voices,), level=0.0, changed=0.0, room=0.0, noise=0.0, pauses=0.0
        )
        gains = []
        for n in range(0, count, 8):
            parts = np.stack([mixer.draw((12345, n + k), party, voices) for k in range(8)])
            targets = torch.from_numpy(parts).to(device)
            with torch.inference_mode():
                given = model(targets.sum(1), voices)
                _, order = permutation_loss(given, targets)
            given = given.gather(1, order[:, :, None].expand(-1, -1, given.shape[-1]))
            mixture = parts.sum(1, keepdims=True)
            gains.append(si_sdr_improvement(given.cpu().numpy(), parts[:, :-1], mixture))
        found[f"si_sdri_{voices}"] = float(np.mean(gains))
    return found


def score_count(model: Separator, mixer: Mixer, count: int, device: str) -> dict[str, float]:
    """How often the number of voices is right: none, one, two, three; half of them in noise."""
    right = []
    for n in range(0, count, 4):
        for voices in range(4):
            party = MixtureConfig(
                4.0, (voices,), level=2.5, changed=0.0, room=0.2, noise=0.5, pauses=0.2
            )
            parts = np.stack([mixer.draw((777, n + k, voices), party, 3) for k in range(4)])
            with torch.inference_mode():
                mixture = torch.from_numpy(parts.sum(1)).to(device)
                trunk = model.parts_and_trunk(mixture, 2)[1]
                right.append((model.count(trunk).argmax(-1) == voices).float().mean())
    return {"count": float(torch.stack(right).mean())}


def score_seen(
    model: Separator, match: LipVoice, company: AudiovisualMixer, count: int, device: str
) -> dict[str, float]:
    """SI-SDR improvement of two whose lips are seen, and how often each is in its own place."""
    party = MixtureConfig(2.8, (2,), level=0.0, changed=0.0, room=0.0, noise=0.0, pauses=0.0)
    gains, right = [], []
    for n in range(0, count, 8):
        scenes = [company.draw((54321, n + k), party, 2, faces=1.0) for k in range(8)]
        batch = stacked(
            [scene for scene in scenes if scene.known.all() and scene.parts[:2].any(1).all()]
        )
        with torch.inference_mode():
            lips = embedded(match, batch, device)
            given = model(batch.parts.sum(1).to(device), 2, lips)[:, :2].cpu().numpy()
        parts = batch.parts.numpy()
        gains += list(si_sdr_improvement(given, parts[:, :2], parts.sum(1, keepdims=True)))
        right += list(right_voice(given, parts[:, :2]))
    return {"si_sdri_seen": float(np.mean(gains)), "right": float(np.mean(right))}


def loss_of(
    model: Separator,
    match: LipVoice,
    batch: Batch,
    recipe: Recipe,
    device: str = "cpu",
    bound: float = 1.0,
) -> Tensor:
    """What one step goes down: the error of the voices, of telling places apart, of the count.

    Args:
        bound: how far voices with known lips must be found in their own places, from 0 to 1.
    """
    targets = batch.parts.to(device)
    lips = None if batch.lips is None else embedded(match, batch, device)
    with torch.autocast(torch.device(device).type, torch.bfloat16, halves(device)):
        given, trunk = model.parts_and_trunk(targets.sum(1), targets.shape[1] - 1, lips)
    given = given.float()
    loss = permutation_loss(given, targets)[0]
    if batch.known is not None:
        loss = loss.lerp(permutation_loss(given, targets, batch.known.to(device))[0], bound)
    number = targets[:, :-1].any(-1).sum(1)
    counted = cross_entropy(model.count(trunk.float()), number)
    told = recipe.clustering * clustering_loss(model, trunk, targets)
    return loss.mean() + told + recipe.count * counted


def halves(device: str) -> bool:
    """Whether it can count in half precision; a processor without AVX-512 has no such LSTM."""
    return device != "cpu" or torch.backends.cpu.get_cpu_capability() == "AVX512"


@torch.no_grad()
def embedded(match: LipVoice, batch: Batch, device: str) -> Tensor:
    """The lips of a batch as the separator sees them: [batch, voices, frames, size]."""
    assert batch.lips is not None and batch.seen is not None
    lips = match.lips(batch.lips.to(device).flatten(0, 1)).unflatten(0, batch.lips.shape[:2])
    return lips * batch.seen.to(device)[..., None]


def main() -> None:
    """Train; see the module's words."""
    parser = arguments("separator", __doc__, 150.0)
    parser.add_argument("--processes", type=int, default=1, help="one a core; more batches a step")
    parser.add_argument("--workers", type=int, default=1, help="processes that mix, for each")
    parser.add_argument("--batch", type=int, default=Recipe.batch, help="mixtures a process")
    parser.add_argument("--seconds", type=float, default=Recipe.seconds)
    parser.add_argument("--begin", type=Path, help="weights to begin with")
    parser.add_argument("--lipvoice", type=Path, help="the lip-voice match whose lips it sees")
    parser.add_argument("--faces", type=float, default=Recipe.faces, help="share of seen voices")
    parser.add_argument("--width", type=int, default=Config.width)
    parser.add_argument("--hidden", type=int, default=Config.hidden)
    parser.add_argument("--blocks", type=int, default=Config.blocks)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    packed, clips = given.out / "corpus.npz", given.out / "clips.npz"
    if not packed.exists():
        items = corpus.more_readers(corpus.recordings(given.data))
        corpus.pack(chain(items, corpus.more_speakers(given.data)), packed)
    if not clips.exists():
        lipvoice_data.pack(given.data, clips)
    if given.processes > 1:
        (given.out / "meeting").unlink(missing_ok=True)  # of a run that was cut off
        spawn(_process, (given,), given.processes)
    else:
        _process(0, given)


def _process(rank: int, given: argparse.Namespace) -> None:
    torch.set_flush_denormal(True)
    if given.processes > 1:
        # One thread a process: they meet once a step, and not at every product.
        torch.set_num_threads(1)
        meeting = f"file://{(given.out / 'meeting').resolve()}"
        if given.device == "cpu":
            dist.init_process_group("gloo", meeting, rank=rank, world_size=given.processes)
    items = corpus.load(given.out / "corpus.npz")
    speech = [item for item in items if item.sex]
    learned = [item for item in speech if item.split == "train"]
    noises = [item for item in items if not item.sex and item.split == "train"]
    rooms = [item for item in items if item.split == "room"]
    easy = 0 if given.begin else Recipe.easy
    recipe = Recipe(batch=given.batch, seconds=given.seconds, faces=given.faces, easy=easy)
    if given.begin:
        recipe = replace(recipe, peak=recipe.peak * 2 / 3)
    config = Config(width=given.width, hidden=given.hidden, blocks=given.blocks)
    run = start(config, recipe, given.out, given.device)
    run.load(given.begin)
    mixer = Mixer(learned, noises, rooms)
    clips = lipvoice_data.load(given.out / "clips.npz")
    filmed: dict[str, lipvoice_data.Clips] = {
        name: clips.valid[name] for name in ("s1", "performer") if name in clips.valid
    }
    seen = {
        split: AudiovisualMixer(mixer, Pairs(each, clips.noises, clips.others))
        for split, each in (("train", clips.train), ("valid", filmed))
    }
    match = weights.load(LipVoice, given.lipvoice, given.device)
    steps = Steps(mixer, seen["train"], recipe, run.step, rank)
    loader = DataLoader(steps, batch_size=None, num_workers=given.workers)

    def losses() -> Iterator[Tensor]:
        for batch in loader:
            bound = min(1.0, 0.1 + max(0, run.step - recipe.easy) / recipe.bound)
            yield loss_of(run.model, match, batch, recipe, given.device, bound)

    valid = Mixer([item for item in speech if item.split == "valid"], noises[::10])

    def measured() -> dict[str, float]:
        found = score(run.average, valid, 32, given.device)
        found |= score_count(run.average, valid, 24, given.device)
        return found | score_seen(run.average, match, seen["valid"], 64, given.device)

    for _ in run.steps(losses(), measured, given.minutes * 60, first=rank == 0):
        pass


def start(config: Config, recipe: Recipe, out: Path, device: str) -> Trainer[Separator]:
    """A run that has not begun."""
    return Trainer(
        lambda: Separator(config),
        "separator",
        out,
        device=device,
        seed=recipe.seed,
        peak=recipe.peak,
        warm=recipe.warm,
        average=recipe.average,
    )


if __name__ == "__main__":
    main()
