"""Skin, brows, lips, beards, and the shirt below, with what the years do to them.

All patterns are functions of the place on the mean head, so they stay with the skin as it moves.
"""

from __future__ import annotations

import numpy as np

from avtool.head.light import CLOTH_LIGHT, SKIN_LIGHT, Appearance, Patch, lit, noise, spot
from avtool.head.model import smooth
from avtool.values import Array


def skin(look: Appearance, patch: Patch) -> Array:
    """Linear light of samples of the skin, float32 [n, 3]."""
    place, normal = patch["place"], patch["normal"]
    covered = cloth(place)
    image = np.zeros_like(place)
    dressed = covered > 0
    image[dressed] = _shirt(look, place[dressed], normal[dressed])
    if not dressed.all():
        bare = np.flatnonzero(covered < 1)
        mine = {k: v[bare] for k, v in patch.items()}
        skin = _bare(look, mine)
        mixed = covered[bare, None]
        image[bare] = mixed * image[bare] + (1 - mixed) * skin
    return image


def _bare(look: Appearance, patch: Patch) -> Array:
    place = patch["place"]
    y, z = place[:, 1], place[:, 2]
    skin, own = np.array(look.skin, np.float32), np.array(look.hair, np.float32)
    fine = noise(place, 0.002, 0.002, 0.002)
    colour = skin * (1 + 0.025 * noise(place, 0.025, 0.025, 0.025) + 0.012 * fine)[:, None]
    red = (
        0.50 * spot(place, 0.034, -0.035, 0.022, 0.022)
        + 0.45 * spot(place, 0.0, -0.035, 0.012, 0.014)
        + 0.4 * patch["ears"]
        + 0.2 * spot(place, 0.0, -0.105, 0.02, 0.014)
        + 0.3 * patch["lids"]
    )
    colour *= 1 + red[:, None] * np.array([0.05, -0.26, -0.20], np.float32)
    colour *= 1 - (0.14 * spot(place, 0.029, -0.017, 0.013, 0.006))[:, None]
    if look.freckles:
        dots = np.clip(noise(place + 0.3, 0.004, 0.004, 0.004) - 1.1, 0, 1)
        dots *= look.freckles * spot(place, 0.02, -0.025, 0.04, 0.03)
        colour *= 1 - dots[:, None] * np.array([0.25, 0.4, 0.5], np.float32)
    if look.stubble:
        x = np.abs(place[:, 0])
        line = -0.048 - 0.030 * np.exp(-(((x - 0.036) / 0.014) ** 2))
        line += 0.55 * np.maximum(x - 0.045, 0)
        beard = smooth(0.004, -0.010, y - line) * smooth(-0.136, -0.112, y) * smooth(-0.1, -0.06, z)
        beard *= np.clip(0.72 + 0.12 * noise(place, 0.0014, 0.0014, 0.0014), 0, 1)
        beard *= look.stubble * (1 - np.clip(1.5 * patch["lips"], 0, 1))
        colour += beard[:, None] * (0.25 * skin + 0.5 * own - colour)
    lips = smooth(0.25, 0.75, patch["lips"])
    lip = np.array(look.lips, np.float32) * (1 + 0.05 * fine[:, None])
    colour += lips[:, None] * (lip - colour)
    cover = brow_cover(place, look.brows)
    grown = smooth(0.3, 0.9, patch["hair"] + 0.10 * noise(place, 0.0015, 0.02, 0.003))
    cover = np.maximum(cover, grown)
    colour += cover[:, None] * (1.1 * own - colour)
    cavity = patch["cavity"]
    colour += cavity[:, None] * (np.array([0.20, 0.035, 0.03], np.float32) - colour)
    open_ = patch["open"]
    shade = (0.25 + 0.75 * open_) * (1 - 0.8 * cavity * smooth(0.015, -0.005, z))
    # What is hidden sees its own colour: the shade of skin is warm.
    warm = shade[:, None] ** np.array([0.8, 1.15, 1.25], np.float32)
    diffuse, specular = lit(patch["normal"], SKIN_LIGHT)
    gloss = shade * (1 + 0.6 * lips * (1 - cavity)) * (1 - 0.9 * cover) * (1 + 0.10 * fine)
    return np.asarray(colour * diffuse * warm + specular * gloss[:, None])


def brow_cover(place: Array, width: float) -> Array:
    """How much of the skin the brows cover, 0 to 1 [n]."""
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
    t = (x - 0.010) / 0.040  # from the nose outwards
    middle = 0.0168 + 0.0060 * np.sin(np.clip(t, 0, 1.2) * 2.1)
    half = 0.0046 * width * (1.0 - 0.62 * np.clip(t, 0, 1))
    lean = np.column_stack([x + 0.6 * (y - middle), y, z])  # hairs lean outwards
    strands = noise(lean, 0.0011, 0.006, 0.006)
    body = smooth(1.3, 0.3, np.abs(y - middle) / half)
    ends = smooth(-0.15, 0.22, t) * smooth(1.2, 0.7, t)
    return np.asarray(np.clip(body * ends * (0.78 + 0.13 * strands), 0, 0.9) * (z > -0.05))


def cloth(place: Array) -> Array:
    """Where the shirt is, 0 to 1 [n]."""
    return smooth(0.0006, -0.0006, _above_collar(place))


def _above_collar(place: Array) -> Array:
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
    return np.asarray(y - np.minimum(-0.157 - 0.42 * (z + 0.05), -0.128 - 0.1 * x))


def _shirt(look: Appearance, place: Array, normal: Array) -> Array:
    above = _above_collar(place)
    weave = 1 + 0.03 * noise(place, 0.002, 0.002, 0.002) + 0.05 * noise(place, 0.03, 0.05, 0.03)
    rib = smooth(-0.0125, -0.0115, above)
    edge = 1 - 0.4 * np.exp(-(((above + 0.012) / 0.0012) ** 2)) + 0.12 * rib
    diffuse, _ = lit(normal, CLOTH_LIGHT)
    return np.asarray(np.array(look.shirt, np.float32) * diffuse * (weave * edge)[:, None])
