"""The voice encoder's recipe.

``python -m avtool.pipelines.speech2face.train.voiceface --data FOLDER --out FOLDER``

``FOLDER`` is the data that the other recipes use, where readers are given other ages and throats
(``ageing``) and faces are drawn for them (``train.face``); or it is a folder of videos,
each of one person who talks, from which voices and their real faces are taken.

It is trained as Oh et al. (2019) train theirs: the feature's distance, what the recogniser's own
reader says of it, what the decoder makes of it; and to find the face in a crowd.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avtool.head.traits import TRAITS
from avtool.models import weights
from avtool.models.speaker import Speaker, windows
from avtool.pipelines.lips.train.lipmotion_data import log_mel
from avtool.pipelines.speech2face.face_model import Face
from avtool.pipelines.speech2face.model import Config, VoiceFace
from avtool.pipelines.speech2face.train.face import load as crowd_of
from avtool.pipelines.speech2face.train.voiceface_data import (
    Voices,
    elsewhere,
    load,
    loud_part,
    made_voices,
    music,
    speaking,
    video_voices,
    write,
)
from avtool.training import corpus
from avtool.training.corpus import RATE
from avtool.training.mixtures import Mixer, MixtureConfig, cut
from avtool.training.trainer import Trainer, arguments
from avtool.values import Array

SEX, AGE = TRAITS.index("sex"), TRAITS.index("age")
SECONDS = (1.0, 4.0)  # of a voice that is heard
HEARINGS, CHUNK = {"train": 18_000, "valid": 1500}, 750
GROWN = 16  # years, from which sex is heard
MADE = 0.5  # of the hearings of a reader who was also made older or younger


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Args:
        batch: voices a step; sounds: of these that are searched for speech, and as many in which
            nobody speaks.
        feature, told, made, sex, speech: weights of the losses beside that of the crowd.
        years, tract, looks: how near a face of the crowd has to be to be a voice's.
    """

    batch: int = 96
    sounds: int = 6
    feature: float = 0.2
    told: float = 0.2
    made: float = 0.1
    sex: float = 1.0
    speech: float = 0.5
    years: float = 4.0
    tract: float = 0.4
    looks: float = 0.35
    peak: float = 1e-3
    decay: float = 0.05
    average: float = 0.998
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Hearings:
    """Voices heard somewhere for some seconds: ``models.speaker``'s vectors of them.

    Shape:
        vectors: float32 [n, speaker]; rows: int [n], which of the voices each one is.
    """

    vectors: Tensor
    rows: Array


def losses(
    model: VoiceFace, face: Face, known: Tensor, likely: Tensor, people: list[int], recipe: Recipe
) -> Tensor:
    """Of a batch of voices.

    Shape:
        likely: [batch, crowd], how likely each face of the crowd is, sums to 1
        people: [batch], one of them for each
    """
    loss = -(likely * model.logits(known).log_softmax(1)).sum(1).mean()
    feature, true = model.feature(known), model.crowd[people]
    size = feature.shape[1] ** 0.5
    away = functional.normalize(feature, dim=1) - functional.normalize(true, dim=1)
    loss = loss + recipe.feature * size * away.abs().mean()
    hidden, real = face.hidden(face.norm(feature)), face.hidden(true)
    loss = loss + recipe.made * (hidden - real).abs().mean()
    guess, right = face.out(hidden)[:, [SEX, AGE]], face.out(real)[:, [SEX, AGE]]
    return loss + recipe.told * (guess - right).abs().mean()


def sex_loss(model: VoiceFace, known: Tensor, person: Tensor) -> Tensor:
    """Of all the crowd's men together against its women, where the voice has broken, or never will.

    Shape:
        person: [batch, 3], as ``Voices`` has it
    """
    men = model.traits[:, SEX] > 0.5
    odds = model.logits(known)
    found = odds[:, men].logsumexp(1) - odds[:, ~men].logsumexp(1)
    told = person[:, 0].isfinite() & ~(person[:, 1] < GROWN)
    return functional.binary_cross_entropy_with_logits(
        found, person[:, 0].nan_to_num(), told.to(found.dtype)
    )


def speech_of(
    rng: np.random.Generator, voices: Voices, mixer: Mixer, count: int
) -> tuple[Tensor, Tensor]:
    """Sounds of one length, half of them voices, as log-mel, and where there is speech."""
    length = round(rng.uniform(*SECONDS) * RATE)
    frames = length // 320
    sounds, speech = [], []
    for row in rng.integers(0, len(voices.sounds), count):
        sound = cut(rng, voices.sounds[row], length)
        speech.append(speaking(sound, frames))
        sounds.append(elsewhere(rng, sound, mixer))
    for _ in range(count):
        speech.append(np.zeros(frames, np.float32))
        made = rng.random() < 0.3
        noise = mixer.noise(rng, length, MixtureConfig())
        sounds.append(music(rng, length) if made else noise)
    heard = np.stack([log_mel(sound)[:, : 2 * frames] for sound in sounds])
    return torch.from_numpy(heard), torch.from_numpy(np.stack(speech))


def drawn(rng: np.random.Generator, voices: Voices, count: int) -> Array:
    """Rows of voices: readers evenly, as they are and made."""
    made = np.isfinite(voices.person[:, 1])
    of: dict[str, tuple[list[int], list[int]]] = {}
    for row, reader in enumerate(voices.reader):
        of.setdefault(reader, ([], []))[int(made[row])].append(row)
    readers, found = sorted(of), []
    for n in rng.integers(0, len(readers), count):
        own, others = of[readers[n]]
        found.append(rng.choice(others if others and (not own or rng.random() < MADE) else own))
    return np.array(found)


_load = cache(load)


@torch.inference_mode()
def hear(path: Path, split: str, seed: int) -> tuple[Array, Array]:
    """Some hearings of a split of a file's voices: float32 [n, speaker], and their rows."""
    every, noises = _load(path)
    voices, mixer, speaker = every[split], Mixer((), noises), weights.load(Speaker)
    rng = np.random.default_rng((seed, len(split)))
    rows, vectors = drawn(rng, voices, CHUNK), []
    for row in rows:
        sound = loud_part(rng, voices.sounds[row], rng.uniform(*SECONDS))
        power = speaker.power(torch.from_numpy(elsewhere(rng, sound, mixer))[None])[0]
        vectors.append(functional.normalize(speaker(windows(power)).mean(0), dim=0).numpy())
    return np.stack(vectors), rows


def hearings(path: Path, out: Path) -> dict[str, Hearings]:
    """Of a file of voices, kept in another one."""
    if not out.exists():
        with ProcessPoolExecutor(initializer=torch.set_num_threads, initargs=(1,)) as pool:
            found: dict[str, Array] = {}
            for split, count in HEARINGS.items():
                seeds = range(-(-count // CHUNK))
                parts = list(pool.map(partial(hear, path, split), seeds))
                found[f"{split}_vectors"] = np.concatenate([vectors for vectors, _ in parts])
                found[f"{split}_rows"] = np.concatenate([rows for _, rows in parts])
        with out.open("wb") as file:
            np.savez(file, allow_pickle=False, **found)
    with np.load(out) as held:
        return {
            split: Hearings(torch.from_numpy(held[f"{split}_vectors"]), held[f"{split}_rows"])
            for split in HEARINGS
        }


def target(
    crowd: Array, traits: Array, tract: Array, voices: Voices, rows: Array, recipe: Recipe
) -> Array:
    """Which of a crowd may have voices, float32 [batch, crowd], each row sums to 1.

    Where the voice's own face is known, those that look like it; where it is made, those of that
    sex, as old, with as long a tract; of a reader whose age is not known, all that are grown up.
    """
    face, person = voices.face[rows], voices.person[rows]
    sex, age, length = (person[:, k, None] for k in range(3))
    far = 60 * np.abs(traits[:, SEX] - sex) + ((tract - length) / recipe.tract) ** 2
    years = traits[:, AGE]
    grown = np.where((years > 18) & (years < 80), 0.0, 60.0)
    far = far + np.where(np.isnan(age), grown, ((years - age) / recipe.years) ** 2)
    seen = np.isfinite(face).all(1)
    far[seen] = np.square(crowd[None] - face[seen, None]).mean(2) / recipe.looks**2
    near = np.exp(-(far - far.min(1, keepdims=True)) / 2)
    return np.asarray(near / near.sum(1, keepdims=True), np.float32)


@torch.inference_mode()
def scored(
    model: VoiceFace, heard: Hearings, voices: Voices, goal: Array, mixer: Mixer
) -> dict[str, float]:
    """On voices that are not learned from, as they are recorded and elsewhere.

    Args:
        goal: what ``target`` gives for all hearings.
    """
    likely = model.logits(model.encode(heard.vectors)).log_softmax(1).numpy()
    part, traits = np.exp(likely), model.traits.numpy()
    male = part @ (traits[:, SEX] > 0.5)
    sex, age, _ = voices.person[heard.rows].T
    grown, known = ~(age < GROWN) & np.isfinite(sex), np.isfinite(age)
    told, right = np.maximum(male, 1 - male)[grown], ((male > 0.5) == (sex > 0.5))[grown]
    found = {
        # How much is told of who of the crowd it is, against knowing nothing.
        "bits": (goal * (likely + np.log(likely.shape[1]))).sum(1).mean() / np.log(2),
        "sex": right.mean() if grown.any() else np.nan,
        "sure": told.mean() if grown.any() else np.nan,
        "years": np.abs(part @ traits[:, AGE] - age)[known].mean() if known.any() else np.nan,
    }
    rng, hits = np.random.default_rng(1), []
    for _ in range(20):
        sounds, speech = speech_of(rng, voices, mixer, 12)
        hit = (model.speech_logits(sounds) > 0) == (speech > 0.5)
        hits.append(float(hit[speech >= 0].float().mean()))
    return {name: float(each) for name, each in found.items()} | {"speech": float(np.mean(hits))}


def main() -> None:
    """Train; see the module's words."""
    parser = arguments("speech2face", __doc__, 15.0)
    parser.add_argument("--crowd", type=Path, required=True, help="crowd.npz of train.face")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    path, recipe = given.out / "voices.npz", Recipe()
    face = weights.load(Face, device=given.device)
    people, pictures = crowd_of(given.crowd)
    with torch.inference_mode():
        calm = torch.from_numpy(pictures[:, 0])
        crowd = torch.cat([face.recognise(part.to(given.device)) for part in calm.split(64)]).cpu()
    if not path.exists():
        made = (given.data / "librispeech").is_dir()
        items = made_voices(given.data) if made else video_voices(given.data, face)
        noises = corpus.recordings(given.data, "noises") if made else ()
        write(path, items, noises, crowd.shape[1])
    heard = hearings(path, given.out / "heard.npz")
    voices, noise = load(path)
    train, valid, mixer = voices["train"], voices["valid"], Mixer((), noise)
    traits = torch.from_numpy(people.traits)

    def new() -> VoiceFace:
        model = VoiceFace(Config(crowd=len(crowd), traits=traits.shape[1]))
        model.crowd.copy_(crowd)
        model.traits.copy_(traits)
        vectors = heard["train"].vectors
        model.mean.copy_(vectors.mean(0))
        model.spread.copy_(vectors.std(0) + 1e-3)
        return model

    def goal_of(voices: Voices, rows: Array) -> Array:
        return target(crowd.numpy(), people.traits, people.tract, voices, rows, recipe)

    run = Trainer(
        new,
        "voiceface",
        given.out,
        device=given.device,
        seed=recipe.seed,
        peak=recipe.peak,
        decay=recipe.decay,
        average=recipe.average,
    )
    run.load()

    def losses_of() -> Iterator[Tensor]:
        model = run.model
        while True:
            rng = np.random.default_rng((recipe.seed, run.step))
            sounds, speech = speech_of(rng, train, mixer, recipe.sounds)
            odds, told = (
                model.train().speech_logits(sounds.to(given.device)),
                speech.to(given.device),
            )
            loss = functional.binary_cross_entropy_with_logits(
                odds, told.clamp_min(0), (told >= 0).float()
            )
            chosen = rng.integers(0, len(heard["train"].rows), recipe.batch)
            goal = goal_of(train, heard["train"].rows[chosen])
            one = [rng.choice(len(row), p=row / row.sum()) for row in goal.astype(np.float64)]
            likely = torch.from_numpy(goal).to(given.device)
            known = model.encode(heard["train"].vectors[chosen].to(given.device))
            loss = recipe.speech * loss + losses(model, face, known, likely, one, recipe)
            person = torch.from_numpy(train.person[heard["train"].rows[chosen]]).to(given.device)
            yield loss + recipe.sex * sex_loss(model, known, person)

    goal = goal_of(valid, heard["valid"].rows)
    for _ in run.steps(
        losses_of(),
        lambda: scored(run.average, heard["valid"], valid, goal, mixer),
        given.minutes * 60,
        every=60,
    ):
        pass


if __name__ == "__main__":
    main()
