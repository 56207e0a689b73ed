"""What a sample of the head looks like: eyes, mouth, lashes and hair; ``skin`` has the rest.

Hair is lit by a highlight across its strands (Kajiya and Kay 1989).
"""

from __future__ import annotations

import numpy as np

from avtool.head.light import (
    CLOTH_LIGHT,
    EYE_LIGHT,
    KEY,
    RIMS,
    WET_LIGHT,
    Appearance,
    Patch,
    lit,
    noise,
)
from avtool.head.model import smooth
from avtool.head.skin import skin
from avtool.values import Array

__all__ = ["SHADERS", "Appearance"]

EYE = (0.02798, 0.0, 0.0)  # centre of the left eyeball of the mean head


def _eye(look: Appearance, patch: Patch) -> Array:
    place = patch["place"]
    x = np.abs(place[:, 0]) - EYE[0]
    y = place[:, 1]
    radius = np.hypot(x, y)
    white = np.array([0.56, 0.53, 0.51], np.float32)
    edge = 0.0058
    angle = np.arctan2(y, x)
    rays = 0.9 + 0.2 * np.sin(angle * 23 + 3 * np.sin(angle * 7))
    ring = 0.6 + 0.6 * smooth(0.0020, 0.0050, radius) - 0.7 * smooth(0.0046, edge, radius)
    ring = ring * (1 - 0.35 * smooth(-0.004, 0.004, y))  # light falls in from above, glows below
    iris = np.array(look.iris, np.float32) * (1.9 * rays * ring)[:, None]
    colour = iris + smooth(edge - 0.0003, edge + 0.0006, radius)[:, None] * (white - iris)
    colour *= smooth(0.0020, 0.0025, radius)[:, None]
    corner = smooth(0.008, 0.0145, radius)[:, None]
    colour *= 1 - corner * np.array([0.15, 0.35, 0.38], np.float32)
    shade = (1 - 0.5 * smooth(0.0, 0.0075, y)) * (0.45 + 0.55 * smooth(0.05, 0.6, patch["open"]))
    diffuse, specular = lit(patch["normal"], EYE_LIGHT)
    if patch["normal"].any():  # the lamp's image, where it would be for an eye that looks ahead
        lamp = smooth(0.0013, 0.0007, np.hypot(_beside(place) - 0.0019, y - 0.0020))
        specular = specular + 0.9 * lamp[:, None]
    return np.asarray(colour * diffuse * shade[:, None] + specular)


def _beside(place: Array) -> Array:
    """Metres to the head's left of the nearer eye's centre [n]."""
    return np.asarray(place[:, 0] - np.sign(place[:, 0]) * EYE[0])


def _teeth(look: Appearance, patch: Patch) -> Array:
    place = patch["place"]
    across = np.arctan2(place[:, 0], place[:, 2] + 0.03)
    gaps = 1 - 0.25 * smooth(0.8, 1.0, np.abs(np.cos(across * 19)))
    colour = np.array([0.60, 0.55, 0.47], np.float32) * gaps[:, None]
    gum = smooth(0.0115, 0.0135, np.abs(place[:, 1] + 0.0625))[:, None]
    colour += gum * (np.array([0.32, 0.10, 0.09], np.float32) - colour)
    shade = 0.05 + 0.52 * smooth(-0.014, 0.016, place[:, 2])
    diffuse, specular = lit(patch["normal"], WET_LIGHT)
    return np.asarray((colour * diffuse + 0.5 * specular) * shade[:, None])


def _tongue(look: Appearance, patch: Patch) -> Array:
    shade = 0.03 + 0.40 * smooth(-0.022, 0.004, patch["place"][:, 2])
    diffuse, specular = lit(patch["normal"], WET_LIGHT)
    colour = np.array([0.40, 0.12, 0.11], np.float32)
    return np.asarray((colour * diffuse + 0.4 * specular) * shade[:, None])


def _lash(look: Appearance, patch: Patch) -> Array:
    place = patch["place"]
    x = np.abs(place[:, 0]) - EYE[0]
    length = np.sqrt(x * x + place[:, 1] ** 2 + place[:, 2] ** 2)
    strands = 0.5 + 0.5 * noise(place, 0.0011, 0.008, 0.008)
    cover = np.clip(smooth(0.0225, 0.0165, length) * (0.6 + 0.5 * strands), 0, 0.95)[:, None]
    dark = 0.25 * np.array(look.hair, np.float32)
    return np.asarray(patch["behind"] * (1 - cover) + dark * cover)


def _locks(look: Appearance, patch: Patch) -> Array:
    place, normal = patch["place"], patch["normal"]
    inner = normal[:, 2] < 0
    normal = normal / (np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9)
    normal = np.where(inner[:, None], -normal, normal)
    curly = look.style.curl > 0.7
    kink = 0.0035 if curly else 0.045 - 0.04 * look.style.curl
    strand = noise(place * _FLAT, 0.0013, kink, 1.0)
    lock = noise(place * _FLAT + 0.11, 0.008, 0.006 if curly else 0.10, 1.0)
    rank = np.clip(0.5 + 0.24 * strand + 0.12 * lock, 0, 1)
    gap = np.where(inner, 0.3, 1.0) * rank  # what hangs behind is thick: no light comes through
    cover = smooth(0.0, 0.5, place[:, 2] - gap) * smooth(-0.1, 0.25, patch["hair"] - gap)
    cover *= smooth(-0.35, 0.1, normal[:, 2] - (0.4 if curly else 0.15) * gap)

    own = np.array(look.hair, np.float32)
    much = np.float32(0.45 * min(4 * look.grey, 1))
    white: Array = much * smooth(
        0.8,
        0.2,
        0.5 + 0.2 * noise(place * _FLAT + 0.3, 0.001, 0.2, 1.0) - 0.6 * (look.grey - 0.5),
    )
    colour = own + white[:, None] * (np.array([0.62, 0.60, 0.57], np.float32) - own)
    colour = colour * np.clip(1 + 0.30 * strand + 0.22 * lock, 0.3, 2)[:, None]
    bent = normal + (0.10 * strand + 0.12 * lock)[:, None] * np.array([1, 0.3, 0], np.float32)
    diffuse, _ = lit(bent, CLOTH_LIGHT)
    roots = 0.7 + 0.3 * smooth(0.0, 0.03, place[:, 1])
    depth = np.where(inner, 0.28, 1.0) * roots * (0.75 + 0.25 * rank)
    image = colour * diffuse * depth[:, None]
    along = np.column_stack([patch["along_x"], patch["along_y"], patch["along_z"]])
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-6
    for lamp, colour_of in (KEY, *RIMS):
        towards = np.array(lamp, np.float32) / np.linalg.norm(lamp)
        half = towards + np.array([0, 0, 1], np.float32)
        half /= np.linalg.norm(half)
        tilt = along @ half.astype(np.float32) + 0.09 * strand + 0.08 * lock
        shine = np.clip(1 - tilt * tilt, 0, 1) ** 14 * np.clip(normal @ towards + 0.2, 0, 1)
        tint = (0.02 + 0.5 * colour) * (0.15 if curly else 0.35)
        image += (shine * depth)[:, None] * (np.array(colour_of, np.float32) * tint)
    behind = patch["behind"]
    return np.asarray(behind + cover[:, None] * (image - behind))


_FLAT = np.array([1, 1, 0], np.float32)  # the ends' distance is no place

# By the number of the region: ``model.REGIONS``, then ``hair.LOCKS``.
SHADERS = (skin, _eye, _teeth, _tongue, _lash, _locks)
