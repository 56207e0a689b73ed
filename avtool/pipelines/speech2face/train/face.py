"""The faces' recipe: ``python -m avtool.pipelines.speech2face.train.face --out FOLDER``.

A crowd of made people (``head.traits``) is drawn in pictures, turned, lit, with some expression; a
recogniser learns a feature of each that does not depend on the picture, and a decoder what person
a feature is. It needs no data.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avtool.face import Landmarker
from avtool.face.landmarks import EYES, Square, cut
from avtool.head import model as heads
from avtool.head import traits as people
from avtool.head.portrait import rest
from avtool.head.render import Camera, render
from avtool.head.traits import TRAITS
from avtool.pipelines.speech2face.face_model import SIDE, Config, Face
from avtool.training.trainer import Trainer
from avtool.values import Array

SIZE = 3000  # people
VIEWS = 2  # pictures of each, after one that is frontal and calm
VALID = 200  # people to tune on, the last
BATCH = 32  # people a step, two pictures each
TELLING = {"sex": 3.0, "age": 3.0, "melanin": 2.0, "african": 2.0, "asian": 2.0, "caucasian": 2.0}


@dataclass(frozen=True, eq=False)
class Crowd:
    """Made people.

    Shape:
        traits: float32 [people, traits]; tract: float32 [people], how long each one's vocal
        tract is for the sex and age, in standard deviations.
    """

    traits: Array
    tract: Array

    @classmethod
    def drawn(cls, seed: int, count: int) -> Crowd:
        rng = np.random.default_rng(seed)
        tract = rng.normal(0, 1, count).astype(np.float32)
        return cls(people.drawn(rng, count, tract=tract), tract)

    @property
    def sex(self) -> Array:
        return np.asarray(self.traits[:, TRAITS.index("sex")])

    @property
    def age(self) -> Array:
        return np.asarray(self.traits[:, TRAITS.index("age")])


def view(rng: np.random.Generator, traits: Array, calm: bool = False) -> Array:
    """A picture of someone as the recogniser sees faces, uint8 RGB [SIDE, SIDE, 3].

    Args:
        calm: frontal and at rest, or else turned and with some expression.
    """
    head = _head()
    units = heads.activations(rest(traits))
    turn = np.zeros(3)
    if not calm:
        turn = rng.normal(0, (0.10, 0.22, 0.06)).clip(-0.5, 0.5)
        for names, most in MOODS:
            amount = most * rng.random() ** 2
            for name in names:
                units[heads.UNITS.index(name)] += amount
    vertices = head.vertices(head.shape(people.identity(traits)), units.clip(0, 1))
    camera = Camera(144, 144, centre=(0.0, -0.02))
    image = render(head, head.turned(vertices, *turn), people.look(traits), camera)
    found = seen(image, np.array([40, 35, 104, 115]))
    assert found is not None, "the drawn head is not found"
    return found


def seen(image: Array, box: Array) -> Array | None:
    """A face in a picture as the recogniser sees it; None where there is none.

    Args:
        image: uint8 RGB [height, width, 3]; box: about where, x0, y0, x1, y1.
    """
    points, score = _landmarker().in_box(image, box)
    if score < 0.3:
        return None
    return cut(image, Square.around(points[:, :2], points[EYES, :2]), SIDE)


# What moves together in a face that is not calm, and the most it does.
MOODS = (
    (("mouthSmileLeft", "mouthSmileRight", "cheekSquintLeft", "cheekSquintRight"), 0.7),
    (("jawOpen",), 0.35),
    (("browInnerUp", "browOuterUpLeft", "browOuterUpRight"), 0.6),
    (("browDownLeft", "browDownRight"), 0.5),
    (("eyeBlinkLeft", "eyeBlinkRight"), 0.5),
    (("mouthFunnel",), 0.3),
)


@cache
def _head() -> heads.Head:
    return heads.load()


@cache
def _landmarker() -> Landmarker:
    return Landmarker()


def pictures(seed: int, traits: Array) -> list[Array]:
    """One person's pictures as JPEG bytes: frontal and calm, then others."""
    rng = np.random.default_rng((seed, 1))
    return [_jpeg(view(rng, traits, calm=not n)) for n in range(1 + VIEWS)]


def _jpeg(picture: Array) -> Array:
    return np.asarray(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 93])[1]).ravel()


def pack(out: Path, size: int = SIZE, seed: int = 0) -> None:
    """Draw a crowd and write it to one file, no pickle."""
    crowd = Crowd.drawn(seed, size)
    with ProcessPoolExecutor() as pool:
        every = list(pool.map(pictures, range(size), crowd.traits, chunksize=16))
    found = [picture for person in every for picture in person]
    with out.open("wb") as file:
        np.savez(
            file,
            traits=crowd.traits,
            tract=crowd.tract,
            pictures=np.concatenate(found),
            ends=np.cumsum([len(picture) for picture in found]),
        )


def load(path: Path) -> tuple[Crowd, Array]:
    """A crowd and its pictures, uint8 [people, 1 + VIEWS, SIDE, SIDE, 3]."""
    with np.load(path) as file:
        held = {name: file[name] for name in file.files}
    parts = np.split(held["pictures"], held["ends"][:-1])
    seen = np.stack([np.asarray(cv2.imdecode(part, cv2.IMREAD_COLOR)) for part in parts])
    shape = len(held["traits"]), -1, SIDE, SIDE, 3
    return Crowd(held["traits"], held["tract"]), seen.reshape(shape)


def changed(rng: np.random.Generator, pictures: Tensor) -> Tensor:
    """The same by other cameras, in other light: [batch, SIDE, SIDE, 3], 0 to 255, float."""
    count = len(pictures)

    def each(values: Array) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).view(count, 1, 1, -1)

    light = pictures.float() / 255
    light = light ** each(np.exp(rng.normal(0, 0.15, count)))
    light = light * each(np.exp(rng.normal(0, 0.12, (count, 1)) + rng.normal(0, 0.04, (count, 3))))
    ramp = torch.linspace(-1, 1, SIDE)
    tilt = each(rng.normal(0, 0.12, count)) * ramp[None, None, :, None]
    light = light * (1 + tilt + each(rng.normal(0, 0.08, count)) * ramp[None, :, None, None])
    x = light.permute(0, 3, 1, 2)
    angle, zoom = rng.normal(0, 0.05, count), np.exp(rng.normal(0, 0.05, count))
    cosine, sine = np.cos(angle) * zoom, np.sin(angle) * zoom
    shift = rng.normal(0, 0.03, (2, count))
    rows = [[cosine, -sine, shift[0]], [sine, cosine, shift[1]]]
    moves = torch.from_numpy(np.array(rows, np.float32)).permute(2, 0, 1)
    grid = functional.affine_grid(moves, list(x.shape), align_corners=False)
    x = functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
    for row in np.flatnonzero(rng.random(count) < 0.3):  # a small or a soft picture
        small = functional.interpolate(x[row : row + 1], scale_factor=rng.uniform(0.35, 0.9))
        x[row : row + 1] = functional.interpolate(small, size=SIDE, mode="bilinear")
    x = x + torch.randn(x.shape) * each(rng.uniform(0, 0.03, count)).view(count, 1, 1, 1)
    return 255 * x.clamp(0, 1).permute(0, 2, 3, 1)


@torch.inference_mode()
def score(face: Face, crowd: Crowd, pictures: Array) -> dict[str, float]:
    """On people that are not learned from: traits told, and the same person found again."""
    calm, other = (face.recognise(torch.from_numpy(pictures[:, n])) for n in (0, 1))
    told = face.decode(other).numpy()
    found = functional.normalize(other, dim=1) @ functional.normalize(calm, dim=1).T
    right = (found.argmax(1) == torch.arange(len(found))).float().mean()
    age = TRAITS.index("age")
    sex = (told[:, TRAITS.index("sex")] > 0.5) == (crowd.sex > 0.5)
    return {
        "found": float(right),
        "sex": float(sex[crowd.age >= 16].mean()),
        "years": float(np.abs(told[:, age] - crowd.age).mean()),
    }


def main() -> None:
    """Train; see the module's words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint and log")
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--begin",
        type=Path,
        help="weights to begin with: their decoder stays, and so does what was trained on them",
    )
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "crowd.npz"
    if not path.exists():
        pack(path)
    crowd, seen = load(path)
    traits = torch.from_numpy(crowd.traits)
    mean, spread = traits.mean(0), traits.std(0)
    importance = torch.tensor([TELLING.get(name, 1.0) for name in TRAITS])

    def made() -> Face:
        face = Face(Config(traits=len(TRAITS)))
        face.mean.copy_(mean)
        face.spread.copy_(spread)
        return face

    run = Trainer(made, "face", given.out, device=given.device, peak=2e-3, warm=100, decay=0.02)
    run.load(given.begin)
    if given.begin:  # a feature goes on to mean the same face
        run.model.hidden.requires_grad_(False)
        run.model.out.requires_grad_(False)

    def losses() -> Iterator[Tensor]:
        face = run.model
        while True:
            rng = np.random.default_rng((0, run.step))
            people_ = rng.integers(0, len(seen) - VALID, BATCH)
            views = rng.integers(0, seen.shape[1], (2, BATCH))
            batch = torch.from_numpy(np.concatenate([seen[people_, v] for v in views]))
            features = face.train().recognise(changed(rng, batch).to(given.device))
            true = ((traits[people_] - mean) / spread).to(given.device).repeat(2, 1)
            told = face.out(face.hidden(features))
            loss = ((told - true).square() * importance.to(given.device)).mean()
            one, two = functional.normalize(features, dim=1).chunk(2)
            same = 10 * one @ two.T  # of two pictures, the same person's belong together
            goal = torch.arange(BATCH, device=same.device)
            yield loss + 0.1 * functional.cross_entropy(same, goal)

    valid = Crowd(crowd.traits[-VALID:], crowd.tract[-VALID:]), seen[-VALID:]
    for _ in run.steps(losses(), lambda: score(run.average, *valid), given.minutes * 60, every=60):
        pass


if __name__ == "__main__":
    main()
