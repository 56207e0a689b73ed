"""Light on a head, and the noise that its patterns are made of.

Colours are linear light. Light is a table over the normal as seen from the camera, because the
lamps stay and the camera is far. Skin is lit by wrapped diffuse light that reaches further round
the form in red than in blue, a cheap stand-in for light scattered under it (as Green, GPU Gems,
2004).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from avtool.head.hairdo import Hairdo
from avtool.values import Array

Colour = tuple[float, float, float]  # linear light, 0 to 1


COLLARS = ("crew", "v", "scoop", "roll", "shirt")


@dataclass(frozen=True)
class Appearance:
    """What a head looks like beside its shape."""

    skin: Colour = (0.60, 0.36, 0.26)
    lips: Colour = (0.46, 0.17, 0.14)
    hair: Colour = (0.05, 0.03, 0.02)
    iris: Colour = (0.16, 0.09, 0.04)
    shirt: Colour = (0.10, 0.18, 0.30)
    collar: str = "crew"  # one of ``COLLARS``
    style: Hairdo = field(default_factory=Hairdo)
    brows: float = 1.0  # their width
    lashes: float = 1.0  # share of them, 0 to 1
    stubble: float = 0.0
    beard: float = 0.0  # a short one, 0 to 1
    freckles: float = 0.0
    lines: float = 0.0  # wrinkles and sagging lids, 0 to 1
    spots: float = 0.0  # uneven tone and spots of age, 0 to 1
    grey: float = 0.0  # share of the strands that are
    background: tuple[Colour, Colour] = ((0.30, 0.34, 0.38), (0.10, 0.12, 0.15))  # glow, edge


# Lamps: where from, linear colour.
KEY = ((0.62, 0.52, 0.62), (1.95, 1.76, 1.54))
FILL = ((-0.7, 0.1, 0.7), (0.40, 0.41, 0.44))
RIMS = (((0.95, 0.4, -0.45), (0.4, 0.42, 0.46)), ((-0.95, 0.45, -0.40), (0.75, 0.74, 0.74)))
SKY, GROUND = (0.15, 0.155, 0.165), (0.11, 0.085, 0.07)

Patch = Mapping[str, Array]  # of the samples of one region: place, normal, and each paint


def srgb(light: Array) -> Array:
    """Linear light 0 to 1 as uint8 of IEC 61966-2-1, of any shape."""
    shown = np.where(light < 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(255 * shown).astype(np.uint8)


def linear(colour: Array) -> Array:
    """Colours of IEC 61966-2-1, 0 to 255, of any shape, as linear light."""
    part = np.asarray(colour) / 255
    return np.asarray(np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4))


@cache
def table(wrap: Colour, gloss: float, power: float) -> Array:
    """Light by the normal's x and y, float32 [256 * 256, 2, 2, 3].

    Of the key light, which shadows hide, and of all others: diffuse and specular.
    """
    x, y = np.meshgrid(*2 * [np.linspace(-1, 1, 256)])
    z = np.sqrt(np.maximum(1 - x * x - y * y, 0))
    normal = np.stack([x, y, z], -1).reshape(-1, 3)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    up = 0.5 + 0.5 * normal[:, 1:2]
    made = np.zeros((len(normal), 2, 2, 3))
    made[:, 1, 0] = np.array(SKY) * up + np.array(GROUND) * (1 - up)
    for number, (place, colour) in enumerate((KEY, FILL, *RIMS)):
        towards = np.array(place) / np.linalg.norm(place)
        cosine = (normal @ towards)[:, None]
        falls = np.maximum(cosine + wrap, 0) / (1 + np.array(wrap)) ** 2
        half = towards + np.array([0, 0, 1])
        half /= np.linalg.norm(half)
        shine = np.maximum(normal @ half, 0)[:, None] ** power * np.clip(4 * cosine, 0, 1)
        made[:, min(number, 1), 0] += np.array(colour) * falls
        made[:, min(number, 1), 1] += np.array(colour) * gloss * shine
    return made.astype(np.float32)


SKIN_LIGHT = ((0.40, 0.22, 0.16), 0.115, 16.0)
CLOTH_LIGHT = ((0.15, 0.15, 0.15), 0.0, 1.0)
EYE_LIGHT = ((0.3, 0.3, 0.3), 1.3, 160.0)
WET_LIGHT = ((0.3, 0.2, 0.2), 0.30, 40.0)


def lit(
    normal: Array, light: tuple[Colour, float, float], sun: Array | None = None
) -> tuple[Array, Array]:
    """Diffuse and specular light [n, 3]; on what faces nowhere, white light and no gloss.

    Args:
        sun: how much of the key light gets there, 0 to 1 [n]; None: all of it.
    """
    if not normal.any():  # a texture has the colour alone
        return np.ones_like(normal), np.zeros_like(normal)
    length = np.sqrt(np.einsum("nc,nc->n", normal, normal)) + 1e-9
    i, j = (np.clip(normal[:, k] / length * 127.5 + 128, 0, 255).astype(np.int32) for k in range(2))
    found = table(*light)[j * 256 + i]
    if sun is None:
        both = found[:, 0] + found[:, 1]
        return both[:, 0], both[:, 1]
    # At a shadow's edge light gets under the skin, and comes out red.
    lets = np.repeat(sun[:, None], 3, 1)
    if light is SKIN_LIGHT:
        lets += (sun * (1 - sun))[:, None] * np.array([0.64, 0.1, 0], np.float32)
    key, other = found[:, 0], found[:, 1]
    return key[:, 0] * lets + other[:, 0], key[:, 1] * sun[:, None] + other[:, 1]


@cache
def _volume() -> Array:
    """Smooth noise that repeats, about 0 with deviation 1, float32 [64 * 64 * 64]."""
    noise = np.fft.rfftn(np.random.default_rng(7).standard_normal((64, 64, 64)))
    f, half = np.fft.fftfreq(64), np.fft.rfftfreq(64)
    radius = np.sqrt(f[:, None, None] ** 2 + f[:, None] ** 2 + half**2)
    volume = np.fft.irfftn(noise * np.exp(-((radius / 0.09) ** 2)), (64, 64, 64), (0, 1, 2))
    return np.asarray(volume / volume.std(), np.float32).ravel()


def noise(place: Array, x: float, y: float, z: float) -> Array:
    """Noise whose grains are about so many metres wide, float32 [n]."""
    i, j, k = (
        (place[:, axis] * (6 / size) + 512).astype(np.int32) & 63
        for axis, size in enumerate((x, y, z))
    )
    return np.asarray(_volume()[(i * 64 + j) * 64 + k])


def spot(place: Array, x: float, y: float, rx: float, ry: float) -> Array:
    """A soft blot on both sides of the face, 0 to 1 [n]."""
    dx, dy = (np.abs(place[:, 0]) - x) / rx, (place[:, 1] - y) / ry
    return np.asarray(np.exp(-(dx * dx + dy * dy)) * (place[:, 2] > -0.07))
