"""SoundNet's recipe: hearing taught by seeing.

``python -m avtool.pipelines.sounds.train.soundnet --data FOLDER --out FOLDER``

It learns from a folder of films of any kind that nobody has labelled. A network that knows pictures
(EfficientNet-lite0, ImageNet's 1000 kinds) looks at a picture a second; what it says of five
seconds is what the student has to say of their sound, by KL divergence (Aytar et al., 2016,
equation 1). All films are read once and packed; a run that was stopped goes on where it was. A
tenth of the films is not learned from; the log says how far the student is from the teacher there,
beside one who always says the mean of what is seen.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from avtool import media
from avtool.errors import AvtoolError, InputError
from avtool.media import Spec
from avtool.models.backbone import SIZE, Seen
from avtool.pipelines.sounds.model import RATE, Config, SoundNet
from avtool.training.trainer import Trainer, arguments
from avtool.values import Array

SECONDS = 5  # of sound that one answer of the teacher is for
SPEC = Spec(audio=True, frames=True, rate=RATE, fps=Fraction(1), size=(SIZE, SIZE))


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Args:
        batch: sounds a step, of ``crop`` seconds each.
        mixed: how many are two sounds together, whose answers are mixed as their powers are
            (Tokozume et al., "Learning from between-class examples for deep sound recognition",
            2018).
        faster: how much faster or slower a sound may be played.
    """

    batch: int = 24
    crop: float = 1.5
    mixed: float = 0.5
    faster: float = 1.25


@dataclass(frozen=True, eq=False)
class Films:
    """Sounds, and what is seen meanwhile.

    Shape:
        sound: int16 [n, 5 * RATE]; seen: float32 [n, 1000], sums to 1; film: int [n].
    """

    sound: Array
    seen: Array
    film: Array

    def part(self, films: Array) -> Films:
        """The parts of these films."""
        kept = np.isin(self.film, films)
        return Films(self.sound[kept], self.seen[kept], self.film[kept])


def pack(data: Path, out: Path, teacher: Seen) -> None:
    """Read all films of a folder, once, into a file.

    Beside it ``films.csv`` says of every file how many parts were taken, or why none.

    Raises:
        InputError: fewer than four have sound and pictures.
    """
    sounds, answers, numbers, rows = [], [], [], []
    count = 0
    for path in sorted(each for each in data.rglob("*") if each.is_file()):
        try:
            source = media.open(path)
            both = source.info.audio and source.info.video
            parts = list(_parts(source, teacher)) if both else []
            rows.append((path, len(parts), "" if both else "has no sound or no pictures"))
        except AvtoolError as error:
            rows.append((path, 0, str(error)))
            continue
        sounds += [sound for sound, _ in parts]
        answers += [answer for _, answer in parts]
        numbers += [count] * len(parts)
        count += bool(parts)
    with out.with_name("films.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "parts", "why none"), *rows])
    if count < 4:
        raise InputError(f"{data}: has {count} films with sound; SoundNet learns from many")
    part = out.with_suffix(".part.npz")
    np.savez(part, sound=np.stack(sounds), seen=np.stack(answers), film=np.array(numbers))
    part.replace(out)


def _parts(source: media.Media, teacher: Seen) -> Iterator[tuple[Array, Array]]:
    """Five seconds of sound, and what is seen in them, from a film's start to its end."""
    clip = source.clip(SPEC)
    assert clip.frames is not None
    images = clip.frames.images()
    for _, sound in clip.sound().mono().windows(SECONDS * RATE, SECONDS * RATE):
        pictures = list(islice(images, SECONDS))
        if not pictures or np.abs(sound).max(initial=0) < 1e-3:  # nothing is heard
            continue
        whole = np.zeros(SECONDS * RATE, np.int16)
        whole[: sound.shape[1]] = (sound[0] * 32767).clip(-32768, 32767).astype(np.int16)
        seen = teacher(torch.from_numpy(np.stack(pictures))).softmax(-1).mean(0)
        yield whole, seen.numpy()


def load(path: Path) -> Films:
    """What ``pack`` wrote."""
    with np.load(path) as file:
        return Films(file["sound"], file["seen"], file["film"])


def draw(films: Films, recipe: Recipe, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A batch: sounds [batch, time], and answers [batch, 1000]."""
    sounds, answers = [], []
    for _ in range(recipe.batch):
        sound, answer = _crop(films, recipe, rng)
        if rng.random() < recipe.mixed:
            other, second = _crop(films, recipe, rng)
            share = rng.random()
            weight = share**2 / (share**2 + (1 - share) ** 2)
            sound = share * sound + (1 - share) * other
            answer = weight * answer + (1 - weight) * second
        sounds.append(sound)
        answers.append(answer)
    return torch.from_numpy(np.stack(sounds)), torch.from_numpy(np.stack(answers))


def _crop(films: Films, recipe: Recipe, rng: np.random.Generator) -> tuple[Array, Array]:
    """A part that sounds, at another speed, at level 1, and what is seen with it."""
    length = int(recipe.crop * RATE)
    while True:
        n = int(rng.integers(len(films.sound)))
        taken = int(length * recipe.faster ** rng.uniform(-1, 1))
        first = int(rng.integers(films.sound.shape[1] - taken + 1))
        sound = films.sound[n, first : first + taken].astype(np.float32)
        level = sound.std()
        if level > 10:
            break
    places = np.linspace(0, taken - 1, length, dtype=np.float32)
    sound = np.interp(places, np.arange(taken), sound / level).astype(np.float32)
    return sound * np.float32(rng.choice([-1, 1])), films.seen[n]


def loss_of(model: SoundNet, sound: Tensor, seen: Tensor) -> Tensor:
    """KL divergence of the student from the teacher, a mean, in nats."""
    return (torch.xlogy(seen, seen) - seen * model(sound)).sum(-1).mean()


@torch.no_grad()
def score(model: SoundNet, films: Films, mean: Array) -> dict[str, float]:
    """Of films that were not learned from: the student's divergence, and the mean's."""
    seen = torch.from_numpy(films.seen)
    sound = torch.from_numpy(films.sound.astype(np.float32) / 32768)
    told = torch.cat([model(part) for part in sound.split(16)])
    always = torch.from_numpy(mean).log().expand_as(seen)
    own = torch.xlogy(seen, seen).sum(-1)
    return {
        "divergence": float((own - (seen * told).sum(-1)).mean()),
        "of the mean": float((own - (seen * always).sum(-1)).mean()),
    }


def train(films: Films, trainer: Trainer[SoundNet], recipe: Recipe, minutes: float) -> None:
    """Learn from packed films, a tenth of them held out, until the minutes are spent."""
    count = int(films.film.max()) + 1
    order = np.random.default_rng(0).permutation(count)
    held, rest = films.part(order[: count // 10 + 1]), films.part(order[count // 10 + 1 :])
    mean = rest.seen.mean(0) + 1e-9
    rng = np.random.default_rng(trainer.step)

    def losses() -> Iterator[Tensor]:
        while True:
            sound, seen = draw(rest, recipe, rng)
            trainer.model.train()
            yield loss_of(trainer.model, sound.to(trainer.device), seen.to(trainer.device))

    for _ in trainer.steps(losses(), lambda: score(trainer.average, held, mean), 60 * minutes):
        pass  # each row is written to log.csv


def main(arguments_: list[str] | None = None) -> None:
    """See the module."""
    given = arguments("soundnet", __doc__, 120).parse_args(arguments_)
    given.out.mkdir(parents=True, exist_ok=True)
    packed = given.out / "films.npz"
    if not packed.exists():
        pack(given.data, packed, Seen.pretrained())
    trainer = Trainer(
        lambda: SoundNet(Config()),
        "soundnet",
        given.out,
        device=given.device,
        peak=2e-3,
        decay=1e-2,
    )
    trainer.load()
    train(load(packed), trainer, Recipe(), given.minutes)


if __name__ == "__main__":
    main()
