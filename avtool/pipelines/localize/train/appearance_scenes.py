"""Made scenes in which only the look of a thing tells whether it sounds.

``python -m avtool.pipelines.localize.train.appearance_scenes --out FOLDER``

Two things stand side by side, or sway alike, out of step with the sound; one of them sounds. What
sounds has a shape, a paint and a sort of sound of its own (``SOUNDING``); what is of the others
never sounds. The scenes are for measuring whether an attention network, and `avtool localize` with
it, has learned which look goes with which sound: they are synthetic, and easy.

It writes ``0000.mp4`` and so on and ``boxes.csv``. Scenes to learn from have a thing that sounds
beside one that never does. With ``--both``, which is to measure with, either could sound, and each
scene is written twice, ``a`` with the sound of the one and ``b`` with that of the other.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from avtool.pipelines.localize.train.scenes import FPS, background
from avtool.save import save
from avtool.training.corpus import RATE
from avtool.values import Array, Audio, Frames, Video

# Shape and paint of what sounds, and how it sounds; and of what never does.
SOUNDING = (
    ("disc", "red", "hum"),
    ("square", "stripes", "clicks"),
    ("triangle", "green", "hiss"),
    ("ring", "blue", "beeps"),
)
SILENT = (("cross", "yellow"), ("diamond", "dots"), ("bar", "violet"), ("arch", "checks"))
COLOURS = {
    "red": (205, 40, 35),
    "green": (40, 160, 60),
    "blue": (40, 80, 205),
    "yellow": (225, 200, 40),
    "violet": (140, 50, 170),
}


@dataclass(frozen=True, eq=False)
class Look:
    """A scene of two things.

    Args:
        kinds: places in ``SOUNDING``, of the left and the right one; -1 is one that never sounds.

    Shape:
        images: uint8 [frames, height, width, 3]; sounds: float32 [2, time] at 16 kHz, what each
        would sound like, 0 of one that never does; boxes: float32 [2, 4], of all its places.
    """

    images: Array
    sounds: Array
    boxes: Array
    kinds: tuple[int, int]


def look(
    seed: Sequence[int],
    *,
    both: bool = False,
    swaying: bool = False,
    seconds: float = 3.0,
    size: tuple[int, int] = (320, 180),
) -> Look:
    """Make a scene.

    Args:
        both: both could sound, else one of them never does; swaying: they move alike.
    """
    rng = np.random.default_rng(seed)
    width, height = size
    frames = round(seconds * FPS)
    kinds = [int(n) for n in rng.permutation(len(SOUNDING))[:2]]
    if not both:
        kinds[int(rng.integers(2))] = -1
    ground = background(rng, width, height)
    sway = 0.06 * height * _sway(rng, frames) if swaying else np.zeros(frames)
    things: list[tuple[Array, Array]] = []  # where each is, and its paint
    boxes = np.zeros((2, 4), np.float32)
    for n, kind in enumerate(kinds):
        shape, paint = SOUNDING[kind][:2] if kind >= 0 else SILENT[int(rng.integers(len(SILENT)))]
        reach = height * rng.uniform(0.17, 0.26)
        x, y = width * (n + rng.uniform(0.4, 0.6)) / 2, height * rng.uniform(0.36, 0.64)
        cover = SHAPES[shape](np.zeros((height, width), np.float32), (x, y), reach)
        things.append((cover, _painted(rng, paint, width, height)))
        far = float(np.abs(sway).max())
        boxes[n] = x - reach - far, y - reach, x + reach + far, y + reach
    noise = rng.normal(0, 1.5, (height + 32, width + 32, 1)).astype(np.float32)
    images = np.empty((frames, height, width, 3), np.uint8)
    for k, (off, dx, dy) in enumerate(zip(sway, *rng.integers(32, size=(2, frames)), strict=True)):
        if k == 0 or off != sway[k - 1]:
            picture = _placed(ground, things, float(off))
        images[k] = np.clip(picture + noise[dy:, dx:][:height, :width], 0, 255)
    count = round(seconds * RATE)
    sounds = [voice(rng, kind, count) if kind >= 0 else np.zeros(count) for kind in kinds]
    return Look(images, np.array(sounds, np.float32), boxes, (kinds[0], kinds[1]))


def _placed(ground: Array, things: Sequence[tuple[Array, Array]], off: float) -> Array:
    """Things before a background, all moved to the right, float32 [height, width, 3]."""
    whole = ground.astype(np.float32)
    move = np.array([[1, 0, off], [0, 1, 0]], np.float32)
    for cover, paint in things:
        there = cv2.warpAffine(cover, move, cover.shape[::-1])[..., None]
        whole += there * (cv2.warpAffine(paint, move, cover.shape[::-1], borderMode=2) - whole)
    return whole


def voice(rng: np.random.Generator, kind: int, count: int) -> Array:
    """What a kind sounds like, with some noise, [time]; no two are the same."""
    name, t = SOUNDING[kind][2], np.arange(count) / RATE
    if name == "hum":
        hertz = rng.uniform(90, 150)
        sound = sum(np.sin(2 * np.pi * n * hertz * t + rng.uniform(0, 6)) / n for n in range(1, 6))
    elif name == "hiss":
        sound = np.diff(rng.normal(0, 1, count + 1)) * (1 + 0.3 * np.sin(2 * np.pi * 0.7 * t))
    else:
        sound = np.zeros(count)
        gap, hertz = rng.uniform(0.12, 0.3), rng.uniform(900, 1500)
        for at in np.arange(rng.uniform(0, gap), count / RATE, gap) + rng.normal(0, 0.01):
            since = np.maximum(t - at, 0)
            if name == "clicks":
                sound += (t >= at) * np.exp(-since / 0.004) * rng.normal(0, 1, count)
            else:
                sound += ((t >= at) & (since < gap / 2)) * np.sin(2 * np.pi * hertz * t)
    sound = sound / (np.sqrt(np.mean(np.square(sound))) + 1e-6)
    found: Array = 0.08 * sound + rng.normal(0, 10 ** rng.uniform(-3.5, -2.3), count)
    return found.astype(np.float32)


def _sway(rng: np.random.Generator, frames: int) -> Array:
    """Swings by a schedule of its own, -1 to 1 [frames]."""
    steps = rng.choice([-1.0, 1.0], frames) * (rng.random(frames) < 0.12)
    way: Array = np.cumsum(steps)
    way = np.convolve(way - way.mean(), np.ones(3) / 3, "same")
    return way / max(1.0, float(np.abs(way).max()))


def _painted(rng: np.random.Generator, paint: str, width: int, height: int) -> Array:
    """A paint over the whole picture, float32 [height, width, 3]."""
    y, x = np.mgrid[:height, :width]
    step = height / rng.uniform(22, 30)
    dark, light = rng.uniform(10, 50), rng.uniform(205, 250)
    if paint in COLOURS:
        whole = np.array(COLOURS[paint]) + rng.uniform(-25, 25, 3)
        return np.broadcast_to(whole, (height, width, 3)).astype(np.float32)
    pattern = {
        "stripes": (x // step) % 2 > 0,
        "dots": np.hypot(x % (2 * step) - step, y % (2 * step) - step) < 0.6 * step,
        "checks": ((x // (2 * step)) + (y // (2 * step))) % 2 > 0,
    }[paint]
    return np.where(pattern, dark, light).astype(np.float32)[..., None].repeat(3, 2)


Point = tuple[float, float]


def _filled(points: Sequence[Point]) -> Callable[[Array, Point, float], Array]:
    """A shape of corners, in parts of its reach."""

    def drawn(cover: Array, at: Point, reach: float) -> Array:
        corners = 16 * (np.array(at) + reach * np.array(points))
        cv2.fillPoly(cover, [corners.round().astype(np.int32)], (1.0,), cv2.LINE_8, 4)
        return cover

    return drawn


def _round(thick: float, arch: bool = False) -> Callable[[Array, Point, float], Array]:
    """A disc, or a ring that is so thick, in parts of its reach; an arch is its upper half."""

    def drawn(cover: Array, at: Point, reach: float) -> Array:
        y, x = np.mgrid[: cover.shape[0], : cover.shape[1]]
        away = np.hypot(x - at[0], y - at[1])
        inside = (away <= reach) & (away >= (1 - thick) * reach)
        cover[inside & ((y <= at[1] + 0.2 * reach) | (not arch))] = 1
        return cover

    return drawn


_CROSS = [(-0.3, -1), (0.3, -1), (0.3, -0.3), (1, -0.3), (1, 0.3), (0.3, 0.3)]
_CROSS += [(0.3, 1), (-0.3, 1), (-0.3, 0.3), (-1, 0.3), (-1, -0.3), (-0.3, -0.3)]
SHAPES = {
    "disc": _round(1.0),
    "ring": _round(0.4),
    "arch": _round(0.4, arch=True),
    "square": _filled([(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)]),
    "triangle": _filled([(0, -1), (1, 0.85), (-1, 0.85)]),
    "diamond": _filled([(0, -1), (0.8, 0), (0, 1), (-0.8, 0)]),
    "bar": _filled([(-1, -0.35), (1, -0.35), (1, 0.35), (-1, 0.35)]),
    "cross": _filled(_CROSS),
}


def write(made: Look, which: int, path: Path) -> list[float]:
    """A scene with the sound of one of its things as mp4; returns the box of that thing."""
    _, height, width, _ = made.images.shape
    frames = Frames(lambda: iter(made.images), Fraction(FPS), width, height)
    save(Video(frames, Audio.of(made.sounds[which], RATE)), [path], name="scene", title="")
    return [round(float(edge), 1) for edge in made.boxes[which]]


def main() -> None:
    """Write scenes; see the module's words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the clips")
    parser.add_argument("--count", type=int, default=100, help="of scenes")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--both", action="store_true", help="either thing could sound; two clips")
    parser.add_argument("--swaying", action="store_true", help="the things move, alike")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with (given.out / "boxes.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file", "x0", "y0", "x1", "y1"))
        for n in range(given.count):
            how = {"both": given.both, "swaying": given.swaying, "seconds": given.seconds}
            made = look((given.seed, n), **how)
            for which, letter in enumerate("ab"):
                name = f"{n:04d}{letter if given.both else ''}.mp4"
                if made.kinds[which] >= 0:
                    table.writerow((name, *write(made, which, given.out / name)))


if __name__ == "__main__":
    main()
