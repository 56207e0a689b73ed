"""A face for a voice, measured: python tests/bench/speech2face.py DATA [--only PART]

DATA holds librispeech and esc10. The 30 readers are the 15 smallest speaker numbers of each sex,
which no network was trained on; made voices and made people are synthetic, and said to be.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from avtool.errors import MediaError
from avtool.face import Detector, Landmarker, align
from avtool.face.detect import whole
from avtool.head import model as heads
from avtool.head import traits as people
from avtool.head.portrait import portrait
from avtool.head.traits import INDEX
from avtool.media import Clip
from avtool.metrics.calibration import calibration_error
from avtool.metrics.retrieval import retrieval
from avtool.models import weights
from avtool.pipelines.speech2face import pipeline as imagining
from avtool.pipelines.speech2face.face_model import Face
from avtool.pipelines.speech2face.model import VoiceFace
from avtool.pipelines.speech2face.pipeline import VoicePosterior, listen, load, quantiles
from avtool.pipelines.speech2face.train.ageing import CHILD, aged
from avtool.pipelines.speech2face.train.face import Crowd, seen, view
from avtool.pipelines.speech2face.train.voiceface_data import (
    AGES,
    OFTEN,
    loud_part,
    music,
    own_tracts,
    telephone,
)
from avtool.training import corpus
from avtool.training.corpus import RATE
from avtool.training.voice_conversion import analyse
from avtool.values import Array, Audio

SEED = 2026
PARTS = ("sex", "sure", "again", "portraits", "made", "space", "nobody", "cost")


def heard(sound: Array) -> VoicePosterior:
    return listen(Clip("", Audio.of(sound.astype(np.float32), RATE), None, None), load())


def male(found: VoicePosterior) -> float:
    return float(found.likely @ (found.crowd[:, INDEX["sex"]] > 0.5))


def test_readers(data: Path) -> list[corpus.Recording]:
    return [item for item in corpus.recordings(data, "readers") if item.split == "test"]


def noisy(rng: np.random.Generator, sound: Array, noises: list[Array]) -> Array:
    noise = np.resize(noises[rng.integers(len(noises))], len(sound))
    level = np.sqrt(np.mean(sound**2) / max(float(np.mean(noise**2)), 1e-9))
    return sound + noise * level * 10 ** (-10 / 20)


def sex(data: Path) -> None:
    """Right, calibrated, also in noise, over a telephone, of a second."""
    rng = np.random.default_rng(SEED)
    readers = test_readers(data)
    noises = [n.samples for n in corpus.recordings(data, "noises") if n.split == "test"]
    noises = [noise for noise in noises if np.mean(noise**2) > 1e-6]
    print("\nsex of the 30 readers kept out; chance 50 %")
    print(f"{'':34}{'voices':>8}{'right':>8}{'calibration error':>20}")
    ways = {
        "the whole recording": lambda x: [x],
        "under ESC-10 fold 5, 10 dB": lambda x: [noisy(rng, x, noises)],
        "a telephone's band": lambda x: [telephone(x)],
        "4 s": lambda x: pieces(x, 4.0),
        "1 s": lambda x: pieces(x, 1.0),
        "1 s in noise, 10 dB": lambda x: [noisy(rng, p, noises) for p in pieces(x, 1.0)],
    }
    for name, way in ways.items():
        said, true, missed = [], [], 0
        for reader in readers:
            for part in way(reader.samples):
                try:
                    said.append(male(heard(part)))
                    true.append(reader.sex == "M")
                except MediaError:
                    missed += 1
        said_, true_ = np.array(said), np.array(true)
        error = calibration_error(said_, true_)
        right = float(((said_ > 0.5) == true_).mean())
        lost = f"  ({missed} with no speech)" if missed else ""
        print(f"{name:34}{len(said):8}{right:8.1%}{error:20.3f}{lost}")


def sure(data: Path) -> None:
    """Is its certainty earned? The readers kept out, and speakers of other recordings, whose sex is
    told only where pitch and formants agree by a wide margin (so ambiguous voices are not counted).
    """
    print(f"\n{'sex: of whom':44}{'voices':>8}{'right':>8}{'Brier':>8}{'p < 0.1':>9}")
    readers = [(heard(item.samples), item.sex == "M") for item in test_readers(data)]
    commands, between, arabic = [], [], []
    for path in sorted((data / "speech" / "picovoice").glob("*.opus")):
        found = heard(corpus.decoded(path))
        pitch, spacing = found.facts.pitch, found.facts.spacing
        if (pitch < 140 and spacing < 1045) or (pitch > 185 and spacing > 1100):
            commands.append((found, pitch < 140))
        elif 145 < pitch < 175:
            between.append(male(found))
    for path in sorted((data / "speech" / "arabic").glob("*.opus")):
        sound = corpus.decoded(path)[: 60 * RATE]
        arabic.append([male(heard(half)) for half in np.array_split(sound, 2)])
    for name, rows in (("readers kept out", readers), ("commands (picovoice)", commands)):
        true = np.array([male(each) if man else 1 - male(each) for each, man in rows])
        print(
            f"{name:44}{len(true):8}{(true > 0.5).mean():8.1%}{((1 - true) ** 2).mean():8.3f}"
            f"{(true < 0.1).mean():9.1%}"
        )
    middle = np.array(between)
    print(f"{len(middle)} commands of 145 to 175 Hz: surer than 90 % {_far(middle):.0%}")
    one, two = np.array(arabic).T
    print(
        f"{len(one)} Arabic speakers: halves of one sex {((one > 0.5) == (two > 0.5)).mean():.0%}"
    )
    solo = np.mean([each.voices > 1 for each, _ in readers])
    print(f"{len(readers)} solo readings kept out: more than one voice {solo:.0%}")


def _far(male: Array) -> float:
    return float((np.abs(male - 0.5) > 0.4).mean())


def pieces(sound: Array, seconds: float, most: int = 4) -> list[Array]:
    """Parts that are not quiet."""
    rng = np.random.default_rng(SEED)
    return [loud_part(rng, sound, seconds) for _ in range(most)]


def alike(queries: list[Array], gallery: list[Array]) -> Array:
    a, b = (np.array(x) / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, gallery))
    return np.asarray(a @ b.T)


def row(name: str, near: Array) -> None:
    print(f"{name:44}" + "".join(f"{x:8.1%}" for x in retrieval(near)))


def again(data: Path) -> None:
    """Half of what a reader says finds the other half's face."""
    readers = test_readers(data)
    one, two, crowds, sexes_ = [], [], [], []
    for reader in readers:
        half = len(reader.samples) // 2
        try:
            a, b = heard(reader.samples[:half]), heard(reader.samples[half:])
        except MediaError:
            continue  # a very short recording
        sexes_.append(reader.sex == "M")
        one.append(a.feature)
        two.append(b.feature)
        crowds.append((a.likely, b.likely))
    print(f"\nthe same reader's other half, among {len(one)} of the 30 with speech in both")
    print(f"{'':44}{'R@1':>8}{'R@5':>8}{'R@10':>8}")
    print(f"{'chance':44}" + "".join(f"{k / len(one):8.1%}" for k in (1, 5, 10)))
    sexes = np.array(sexes_)
    row("sex alone", (sexes[:, None] == sexes[None]).astype(float))
    row("by the face's feature", alike(one, two))
    shares = [np.sqrt(np.array(each)) for each in zip(*crowds, strict=True)]
    row("by the crowd (Bhattacharyya)", shares[0] @ shares[1].T)
    near = alike(one, two)
    own = np.diag(near).mean()
    other = near[~np.eye(len(near), dtype=bool)].mean()
    print(f"distance (1 - cosine): same reader {1 - own:.3f}, others {1 - other:.3f}")


def portraits(data: Path) -> None:
    """Is it one face for each voice? The portraits of both halves of what a reader says."""
    head, landmarker, face = heads.load(), Landmarker(), weights.load(Face)
    shapes, looks, sexes = [], [], []
    for reader in test_readers(data):
        half = len(reader.samples) // 2
        try:
            both = heard(reader.samples[:half]), heard(reader.samples[half:])
        except MediaError:
            continue
        for found in both:
            image = portrait(head, found.own, 512)
            boxes = Detector()(image, [whole(*image.shape[:2])])
            shapes.append(align(landmarker.in_box(image, boxes.boxes[0])[0])[0][:, :2])
            picture = seen(image, boxes.boxes[0])
            with torch.inference_mode():
                looks.append(face.recognise(torch.from_numpy(picture)[None])[0].numpy())
            sexes.append(found.own[INDEX["sex"]] > 0.5)
    one, two = np.stack(shapes[::2]), np.stack(shapes[1::2])
    away = 100 * np.linalg.norm(one[:, None] - two[None], axis=-1).mean(-1)
    alone = ~np.eye(len(away), dtype=bool)
    print(
        f"\nportraits of both halves of {len(away)} readers: distance of 468 points, seen from the"
    )
    print("front, in % of the eyes' distance")
    print(f"{'one reader, mean and most':44}{np.diag(away).mean():8.2f}{np.diag(away).max():8.2f}")
    for name, sex in (("women", False), ("men", True)):
        pairs = (np.array(sexes[::2]) == sex)[:, None] & (np.array(sexes[1::2]) == sex)[None]
        print(f"{'two ' + name:44}{away[pairs & alone].mean():8.2f}")
    print(f"own portrait among {len(away)}, by the recogniser")
    print(f"{'':44}{'R@1':>8}{'R@5':>8}{'R@10':>8}")
    print(f"{'chance':44}" + "".join(f"{k / len(away):8.1%}" for k in (1, 5, 10)))
    same = np.array(sexes[::2])[:, None] == np.array(sexes[1::2])[None]
    row("by sex alone", same.astype(float))
    row("by the portrait", alike(looks[::2], looks[1::2]))


def made(data: Path) -> None:
    """Made voices of made people, never trained on: synthetic."""
    rng = np.random.default_rng(SEED)
    readers = test_readers(data)
    own = own_tracts(readers)
    who: list[tuple[float, float, float]] = []
    found: list[VoicePosterior] = []
    for number in range(100):
        reader = readers[number % len(readers)]
        age = float(rng.uniform(*AGES[rng.choice(len(AGES), p=OFTEN)]))
        man = float(reader.sex == "M")
        if age < CHILD:
            age = float(rng.uniform(16, 85)) if man else age
            man = man if man else float(rng.random() < 0.5 and age < CHILD)
        tract = float(rng.normal())
        parts = analyse(loud_part(rng, reader.samples, 4.0))
        found.append(heard(aged(rng, parts, reader.sex, age, tract)))
        who.append((man, age, own[reader.speaker] + tract))
    sexes, ages, tracts = np.array(who).T
    grown = ages >= CHILD
    said = np.array([male(each) for each in found])
    print("\nSYNTHETIC: 100 made voices of made people, by readers kept out")
    print(f"sex (13 years and older) {((said > 0.5) == (sexes > 0.5))[grown].mean():.1%}; ", end="")
    print(f"calibration error, all ages {calibration_error(said, sexes > 0.5):.3f}")
    for share in (0.5, 0.8, 0.9):
        inside = []
        for each, age in zip(found, ages, strict=True):
            ends = quantiles(
                each.crowd[:, INDEX["age"]], each.likely, ((1 - share) / 2, (1 + share) / 2)
            )
            inside.append(ends[0] <= age <= ends[1])
        print(f"age within the interval of {share:.0%}: {np.mean(inside):.0%}")
    median = [quantiles(e.crowd[:, INDEX["age"]], e.likely, (0.5,))[0] for e in found]
    usual = np.abs(ages - np.median(ages)).mean()
    print(
        f"age, mean error {np.abs(np.array(median) - ages).mean():.1f} years; of one for all "
        f"{usual:.1f}"
    )
    gallery = people.drawn(rng, len(sexes), sex=sexes, age=ages, tract=tracts)
    face, model = weights.load(Face), weights.load(VoiceFace)
    pictures = np.stack([view(rng, traits, calm=True) for traits in gallery])
    with torch.inference_mode():
        features = face.recognise(torch.from_numpy(pictures))
        keys = model.key(features).numpy()
    queries = np.array([each.query for each in found])
    odds = queries @ keys.T
    print("\nSYNTHETIC: the made person's face among 100, from the voice")
    print(f"{'':44}{'R@1':>8}{'R@5':>8}{'R@10':>8}")
    print(f"{'chance, and the mean face':44}" + "".join(f"{k / 100:8.1%}" for k in (1, 5, 10)))
    row("by the face's feature", alike([e.feature for e in found], list(features.numpy())))
    row("by the odds of the crowd", odds)


def space(data: Path) -> None:
    """Face to feature to face, of people never trained on: synthetic."""
    rng = np.random.default_rng(SEED)
    crowd = Crowd.drawn(SEED, 100)
    face = weights.load(Face)
    head = [np.stack([view(rng, t, calm=c) for t in crowd.traits]) for c in (True, False)]
    with torch.inference_mode():
        calm, other = (face.recognise(torch.from_numpy(each)) for each in head)
        again_ = face.decode(other).numpy()
        pictures = np.stack([view(rng, t, calm=True) for t in again_])
        back = face.recognise(torch.from_numpy(pictures))
    print("\nSYNTHETIC: 100 made people, turned and with some expression, found among them")
    print(f"{'':44}{'R@1':>8}{'R@5':>8}{'R@10':>8}")
    row("picture to feature", alike(list(other.numpy()), list(calm.numpy())))
    row("picture to feature to face to feature", alike(list(back.numpy()), list(calm.numpy())))
    sexes = ((again_[:, INDEX["sex"]] > 0.5) == (crowd.sex > 0.5))[crowd.age > 16].mean()
    years = np.abs(again_[:, INDEX["age"]] - crowd.age).mean()
    print(f"sex told {sexes:.1%}, age within {years:.1f} years on average")


def nobody(data: Path) -> None:
    """Sounds in which nobody speaks must be refused."""
    rng = np.random.default_rng(SEED)
    noises = [n for n in corpus.recordings(data, "noises") if n.split == "test"]
    refused: dict[str, list[bool]] = {}
    sounds = [(n.speaker, n.samples) for n in noises]
    sounds += [("made music", music(rng, 10 * RATE)) for _ in range(20)]
    sounds += [("silence", np.zeros(5 * RATE, np.float32))]
    for name, sound in sounds:
        try:
            heard(sound)
            refused.setdefault(name, []).append(False)
        except MediaError:
            refused.setdefault(name, []).append(True)
    print("\nsounds in which nobody speaks, refused")
    for name, each in sorted(refused.items()):
        print(f"{name:24}{np.mean(each):6.0%} of {len(each)}")


def cost(data: Path) -> None:
    sound = np.resize(test_readers(data)[0].samples, 10 * RATE)
    heads.load()
    for _ in range(2):
        began, spent = time.perf_counter(), time.process_time()
        imagining.run(Clip("", Audio.of(sound, RATE), None, None))
        took, spent = time.perf_counter() - began, time.process_time() - spent
    print(f"\n10 s of speech, after start: {took:.2f} s, {spent:.2f} s of CPU")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=PARTS)
    given = parser.parse_args()
    for part in [given.only] if given.only else PARTS:
        globals()[part](given.data)


if __name__ == "__main__":
    main()
