"""Make pair.jpg, two people at known distances before a street at night, and pair.right.jpg, what
another eye 6 cm further right sees. Run in this folder.

Drawn people, nobody's likeness: avtool's own head (MakeHuman's shapes and Mika Suominen's face
units, CC0 1.0) by avtool's renderer. What comes out is ours to give (Apache-2.0 as the rest).
``tests/bench/refocus.py`` makes more of them, and what a true lens makes of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from avtool.head import model, traits
from avtool.head.portrait import rest
from avtool.head.render import Camera, render
from avtool.values import Array

SIZE = 960, 540
FOCAL = 2200.0  # pixels: a short telephoto lens
STREET = 7.0  # metres
EYES = 0.06  # metres from the left picture's camera to the right one's
BLACK, WHITE = ((0.0,) * 3,) * 2, ((0.9,) * 3,) * 2


@dataclass(frozen=True, eq=False)
class Flat:
    """What stands at one distance, in front of the camera.

    Shape:
        light: float32 [height, width, 3], linear, times alpha; alpha: float32 [height, width]
    """

    light: Array
    alpha: Array
    distance: float  # metres


def linear(shown: Array) -> Array:
    """A screen's values 0 to 255 as light (sRGB)."""
    values = shown / np.float32(255)
    return np.where(values < 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def shown(light: Array) -> Array:
    """The same back, uint8; what is brighter than white is white."""
    light = np.clip(light, 0, 1)
    values = np.where(light < 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (255 * values + 0.5).astype(np.uint8)


def person(who: Array, x: float, y: float, distance: float, yaw: float, eye: float = 0.0) -> Flat:
    """Someone drawn, whose face is at x, y (metres right and up of the axis).

    Args:
        eye: how far the camera stands right of the axis, metres.
    """
    head = model.load()
    identity = traits.identity(who)
    vertices = head.turned(head.vertices(head.shape(identity), rest(who)), 0.0, yaw, 0.0)
    fov = 2 * np.degrees(np.arctan(SIZE[1] / 2 / FOCAL))
    camera = Camera(*SIZE, distance, float(fov), (eye - x, -y))
    look = traits.look(who)
    dark, bright = (
        linear(render(head, vertices, replace(look, background=each), camera))
        for each in (BLACK, WHITE)
    )
    most = float(np.quantile(bright, 0.999)), float(bright[0, 0].mean())
    alpha = 1 - np.clip((bright - dark).mean(2) / max(1e-6, most[1]), 0, 1)
    alpha[alpha > 0.995] = 1
    return Flat(dark.astype(np.float32), alpha.astype(np.float32), distance)


def street(rng: np.random.Generator, night: bool = True) -> Flat:
    """Houses with windows, and lamps, which are brighter than white by night."""
    wide, high = SIZE
    light = np.zeros((high, wide, 3), np.float32)
    sky = (0.010, 0.014, 0.030) if night else (0.35, 0.5, 0.75)
    light[:] = np.linspace(1.4, 0.5, high)[:, None, None] * np.array(sky)
    x = 0
    while x < wide:
        width, top = int(rng.integers(90, 190)), int(rng.integers(20, 240))
        wall = rng.uniform(0.012, 0.04, 3) * (1 if night else 8)
        light[top:, x : x + width] = wall
        for row in range(top + 14, high - 20, 34):
            for column in range(x + 12, min(x + width, wide) - 20, 30):
                if rng.random() < (0.35 if night else 0.9):
                    glow = np.array([1.0, 0.72, 0.35]) * rng.uniform(0.1, 0.6)
                    light[row : row + 18, column : column + 13] = glow if night else 0.3 * glow
        x += width
    for _ in range(34 if night else 6):
        at = int(rng.integers(0, wide)), int(rng.integers(0, high * 0.75))
        colour = np.array(
            ((1, 0.6, 0.15), (1, 0.15, 0.08), (0.2, 0.5, 1), (0.2, 0.9, 0.4))[
                int(rng.integers(0, 4))
            ]
        )
        lamp = np.zeros((high, wide), np.float32)
        cv2.circle(lamp, at, int(rng.integers(2, 4)), 1.0, -1, cv2.LINE_AA)
        light += lamp[..., None] * colour * rng.uniform(1, 5)
    return Flat(light, np.ones((high, wide), np.float32), STREET)


def moved(flat: Flat, right: float, down: float = 0.0) -> Flat:
    """The same, so many pixels further."""
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    light, alpha = (
        cv2.warpAffine(each, matrix, SIZE, borderMode=cv2.BORDER_REPLICATE)
        for each in (flat.light, flat.alpha)
    )
    return Flat(light, alpha, flat.distance)


def laid(flats: Sequence[Flat]) -> Array:
    """The light of flats on each other, the farthest first, float32 [height, width, 3]."""
    total = np.zeros_like(flats[0].light)
    for each in flats:
        total = total * (1 - each.alpha[..., None]) + each.light
    return total


def through(flats: Sequence[Flat], focus: float, opening: float, count: int = 160) -> Array:
    """What a thin lens so many metres wide sees that is focused at a distance, uint8.

    The mean of what is seen from places all over its opening.
    """
    total = np.zeros_like(flats[0].light)
    for n in range(count):  # a sunflower's seeds fill a disc evenly
        radius, angle = opening / 2 * np.sqrt((n + 0.5) / count), n * np.pi * (3 - np.sqrt(5))
        x, y = radius * np.cos(angle), radius * np.sin(angle)
        shift = [FOCAL * (1 / focus - 1 / each.distance) for each in flats]
        total += laid([moved(f, x * k, y * k) for f, k in zip(flats, shift, strict=True)])
    return shown(total / count)


def main() -> None:
    rng = np.random.default_rng(11)
    (near,), (far,) = (traits.drawn(rng, 1, sex=s, age=a) for s, a in ((0, 29), (1, 41)))
    back, pictures = street(rng), []
    for eye in (0.0, EYES):
        flats = [
            moved(back, -FOCAL * eye / STREET),
            person(far, 0.17, -0.005, 2.3, -0.12, eye),
            person(near, -0.13, -0.035, 1.5, 0.12, eye),
        ]
        pictures.append(shown(laid(flats)))
    for name, picture in zip(("pair.jpg", "pair.right.jpg"), pictures, strict=True):
        image = Image.fromarray(picture)
        image.save(Path(__file__).parent / name, quality=90, optimize=True)


if __name__ == "__main__":
    main()
