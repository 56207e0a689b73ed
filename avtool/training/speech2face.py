"""The voice encoder's recipe: ``python -m avtool.training.speech2face --data FOLDER --out FOLDER``.

``FOLDER`` is the data that the other recipes use, where readers are given other ages and throats
(``training.ages``) and faces are drawn for them (``training.crowd``); or it is a folder of videos,
each of one person who talks, from which voices and their real faces are taken.

It is trained as Oh et al. (2019) train theirs: the feature's distance, what the recogniser's own
reader says of it, what the decoder makes of it; and to find the face in a crowd.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avtool.head.people import TRAITS
from avtool.models import weights
from avtool.models.face import Face
from avtool.models.speaker import Speaker, windows
from avtool.models.voiceface import Config, VoiceFace
from avtool.training import corpus
from avtool.training.ages import CHILD
from avtool.training.corpus import RATE
from avtool.training.crowd import load as crowd_of
from avtool.training.mixing import Mixer, Party, cut
from avtool.training.moves import log_mel
from avtool.training.run import Run, arguments
from avtool.training.voices import (
    Voices,
    elsewhere,
    load,
    made_voices,
    music,
    speaking,
    video_voices,
    write,
)
from avtool.values import Array

SEX, AGE = TRAITS.index("sex"), TRAITS.index("age")
SECONDS = (1.0, 4.0)  # of a voice that is heard in a step


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Args:
        batch: voices a step; nothing: sounds a step in which nobody speaks.
        feature, told, made, speech: weights of the losses beside that of the crowd.
        years, tract, looks: how near a face of the crowd has to be to be a voice's.
    """

    batch: int = 24
    nothing: int = 6
    feature: float = 0.2
    told: float = 0.2
    made: float = 0.1
    speech: float = 0.5
    years: float = 4.0
    tract: float = 0.4
    looks: float = 0.35
    peak: float = 1e-3
    decay: float = 0.05
    average: float = 0.998
    seed: int = 0


def losses(
    model: VoiceFace, face: Face, known: Tensor, likely: Tensor, people: list[int], recipe: Recipe
) -> Tensor:
    """Of a batch of voices.

    Shape:
        likely: [batch, crowd], how likely each face of the crowd is, sums to 1
        people: [batch], one of them for each
    """
    loss = -(likely * model.odds(known).log_softmax(1)).sum(1).mean()
    feature, true = model.feature(known), model.crowd[people]
    size = feature.shape[1] ** 0.5
    away = functional.normalize(feature, dim=1) - functional.normalize(true, dim=1)
    loss = loss + recipe.feature * size * away.abs().mean()
    hidden, real = face.hidden(face.norm(feature)), face.hidden(true)
    loss = loss + recipe.made * (hidden - real).abs().mean()
    guess, right = face.out(hidden)[:, [SEX, AGE]], face.out(real)[:, [SEX, AGE]]
    return loss + recipe.told * (guess - right).abs().mean()


def batch_of(
    rng: np.random.Generator, voices: Voices, rows: Array, mixer: Mixer, recipe: Recipe
) -> tuple[Tensor, Tensor, Array]:
    """Sounds of one length: voices, then what is none; and where there is speech."""
    length = round(rng.uniform(*SECONDS) * RATE)
    frames = length // 320
    sounds, speech = [], []
    for row in rows:
        sound = cut(rng, voices.sounds[row], length)
        speech.append(speaking(sound, frames))
        sounds.append(elsewhere(rng, sound, mixer))
    for _ in range(recipe.nothing):
        speech.append(np.zeros(frames, np.float32))
        made = rng.random() < 0.5
        noise = mixer.noise(rng, length, Party())
        sounds.append(music(rng, length) if made else noise)
    heard = np.stack([log_mel(sound)[:, : 2 * frames] for sound in sounds])
    return torch.from_numpy(heard), torch.from_numpy(np.stack(speech)), np.stack(sounds)


@torch.inference_mode()
def spoken_by(speaker: Speaker, sounds: Array) -> Tensor:
    """Vectors of voices, [batch, time] -> [batch, speaker]: the mean over windows."""
    power = speaker.power(torch.from_numpy(sounds))
    parts = [windows(each) for each in power]
    found = speaker(torch.cat(parts)).split([len(part) for part in parts])
    return torch.stack([functional.normalize(each.mean(0), dim=0) for each in found])


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
    looks = np.square(crowd[None] - face[:, None]).mean(2) / recipe.looks**2
    far = np.where(np.isnan(looks), far, looks)
    near = np.exp(-(far - far.min(1, keepdims=True)) / 2)
    return np.asarray(near / near.sum(1, keepdims=True), np.float32)


@torch.inference_mode()
def scored(
    model: VoiceFace, speaker: Speaker, voices: Voices, goal: Array, mixer: Mixer, recipe: Recipe
) -> dict[str, float]:
    """On voices that are not learned from, as they are recorded and elsewhere.

    Args:
        goal: what ``target`` gives for them all.
    """
    rng = np.random.default_rng(1)
    found: dict[str, list[float]] = {"bits": [], "sex": [], "years": [], "speech": []}
    for first in range(0, len(voices.sounds), recipe.batch):
        rows = np.arange(first, min(first + recipe.batch, len(voices.sounds)))
        heard, speech, sounds = batch_of(rng, voices, rows, mixer, recipe)
        moments, odds = model.heard(heard)
        vectors = spoken_by(speaker, sounds[: len(rows)])
        known = model.known(moments[: len(rows)], odds[: len(rows)], vectors)
        likely = model.odds(known).log_softmax(1).numpy()
        # How much is told of who of the crowd it is, against knowing nothing.
        gain = (goal[rows] * (likely + np.log(likely.shape[1]))).sum(1) / np.log(2)
        found["bits"] += gain.tolist()
        part, traits = np.exp(likely), model.traits.numpy()
        sex, age, _ = voices.person[rows].T
        grown = ~(age < CHILD)
        found["sex"] += (((part @ traits[:, SEX]) > 0.5) == (sex > 0.5))[grown].tolist()
        found["years"] += np.abs(part @ traits[:, AGE] - age)[np.isfinite(age)].tolist()
        right = (odds.numpy() > 0) == (speech.numpy() > 0.5)
        found["speech"].append(float(right[speech.numpy() >= 0].mean()))
    return {name: float(np.mean(each)) for name, each in found.items()}


def main() -> None:
    """Train; see the module's words."""
    parser = arguments("speech2face", __doc__, 15.0)
    parser.add_argument("--crowd", type=Path, required=True, help="crowd.npz of training.crowd")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    path, recipe = given.out / "voices.npz", Recipe()
    face = weights.face().to(given.device).requires_grad_(False)
    speaker = weights.speaker()
    people, pictures = crowd_of(given.crowd)
    with torch.inference_mode():
        calm = torch.from_numpy(pictures[:, 0])
        crowd = torch.cat([face.recognise(part.to(given.device)) for part in calm.split(64)]).cpu()
    if not path.exists():
        made = (given.data / "librispeech").is_dir()
        items = made_voices(given.data) if made else video_voices(given.data, face)
        noises = corpus.recordings(given.data, "noises") if made else ()
        write(path, items, noises, crowd.shape[1])
    voices, noise = load(path)
    train, mixer = voices["train"], Mixer((), noise)
    traits = torch.from_numpy(people.traits)

    def new() -> VoiceFace:
        model = VoiceFace(Config(crowd=len(crowd), traits=traits.shape[1]))
        model.crowd.copy_(crowd)
        model.traits.copy_(traits)
        return model

    def goal_of(voices: Voices, rows: Array) -> Array:
        return target(crowd.numpy(), people.traits, people.tract, voices, rows, recipe)

    run = Run(
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
    rows_of: dict[str, list[int]] = {}
    for row, reader in enumerate(train.reader):
        rows_of.setdefault(reader, []).append(row)
    readers = sorted(rows_of)

    def losses_of() -> Iterator[Tensor]:
        model = run.model
        while True:
            rng = np.random.default_rng((recipe.seed, run.step))
            chosen = rng.integers(0, len(readers), recipe.batch)
            rows = np.array([rng.choice(rows_of[readers[n]]) for n in chosen])
            heard, speech, sounds = batch_of(rng, train, rows, mixer, recipe)
            vectors = spoken_by(speaker, sounds[: len(rows)]).clone().to(given.device)
            moments, odds = model.train().heard(heard.to(given.device))
            told = speech.to(given.device)
            loss = functional.binary_cross_entropy_with_logits(
                odds, told.clamp_min(0), (told >= 0).float()
            )
            known = model.known(moments[: len(rows)], odds[: len(rows)].detach(), vectors)
            goal = goal_of(train, rows)
            one = [rng.choice(len(row), p=row / row.sum()) for row in goal.astype(np.float64)]
            likely = torch.from_numpy(goal).to(given.device)
            yield recipe.speech * loss + losses(model, face, known, likely, one, recipe)

    valid = voices["valid"]
    goal = goal_of(valid, np.arange(len(valid.sounds)))
    for _ in run.steps(
        losses_of(),
        lambda: scored(run.average, speaker, valid, goal, mixer, recipe),
        given.minutes * 60,
        every=120,
    ):
        pass


if __name__ == "__main__":
    main()
