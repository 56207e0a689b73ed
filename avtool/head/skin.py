"""Skin, brows, lips, beards, and the shirt below, with what the years do to them.

All patterns are functions of the place on the mean head, so they stay with the skin as it moves.
"""

from __future__ import annotations

import numpy as np

from avtool.head.light import CLOTH_LIGHT, SKIN_LIGHT, Appearance, Patch, lit, noise, spot
from avtool.head.model import smooth
from avtool.head.relief import looked_up
from avtool.values import Array


def skin(look: Appearance, patch: Patch) -> Array:
    """Linear light of samples of the skin, float32 [n, 3]."""
    place, normal = patch["place"], patch["normal"]
    covered, sun = cloth(place, look.collar), patch.get("sun")
    image = np.zeros_like(place)
    dressed = covered > 0
    image[dressed] = _shirt(
        look, place[dressed], normal[dressed], None if sun is None else sun[dressed]
    )
    if not dressed.all():
        bare = np.flatnonzero(covered < 1)
        mine = {k: v[bare] for k, v in patch.items()}
        skin = _bare(look, mine)
        mixed = covered[bare, None]
        image[bare] = mixed * image[bare] + (1 - mixed) * skin
    return image


def _bare(look: Appearance, patch: Patch) -> Array:
    place, normal = patch["place"], patch["normal"]
    y, z = place[:, 1], place[:, 2]
    skin, own = np.array(look.skin, np.float32), np.array(look.hair, np.float32)
    roots = own + 0.7 * look.grey * (0.30 - own)
    deep = np.float32(1 - min(look.skin[1] / 0.35, 1))  # 0 in the fair, 1 in the darkest
    maps, _ = looked_up(place)
    fine = noise(place, 0.002, 0.002, 0.002)
    broad, middle = noise(place, 0.03, 0.03, 0.03), noise(place + 0.2, 0.007, 0.007, 0.007)
    colour = skin * (1 + 0.035 * broad + 0.02 * middle + 0.012 * fine)[:, None]
    red = maps.red + 0.45 * patch["ears"] + 0.25 * patch["lids"] + 0.04 * middle
    blush = np.array([0.05, -0.22, -0.17], np.float32) * (1 - 0.55 * deep)
    colour *= 1 + red[:, None] * blush
    colour *= 1 - (0.16 * spot(place, 0.029, -0.016, 0.013, 0.006))[:, None]
    if look.spots:  # of age
        dots = smooth(1.35, 1.9, noise(place + 0.7, 0.009, 0.009, 0.009) + 0.25 * fine)
        dots *= 0.5 * look.spots * smooth(-0.09, -0.02, y)
        colour *= 1 - dots[:, None] * np.array([0.28, 0.42, 0.5], np.float32)
        colour *= 1 + look.spots * (0.05 * broad)[:, None] * np.array([0.2, 1, 1], np.float32)
    if look.freckles:
        dots = np.clip(noise(place + 0.3, 0.004, 0.004, 0.004) - 1.1, 0, 1)
        dots *= look.freckles * spot(place, 0.02, -0.025, 0.04, 0.03)
        colour *= 1 - dots[:, None] * np.array([0.25, 0.4, 0.5], np.float32)
    if look.stubble:
        much = max(look.stubble, 0.85 * min(1.5 * look.beard, 1))
        beard = much * np.clip(0.75 + 0.12 * fine, 0, 1) * beard_cover(place)
        beard *= 1 - np.clip(1.5 * patch["lips"], 0, 1)
        colour += beard[:, None] * (0.35 * skin + 0.4 * roots - colour)
    colour += 0.35 * brow_cover(place, look.brows)[:, None] * (0.5 * own + 0.3 * skin - colour)
    lips = smooth(0.2, 0.8, patch["lips"])
    lip = np.array(look.lips, np.float32) * (1 + 0.05 * fine + 0.5 * maps.lip_x)[:, None]
    colour += lips[:, None] * (lip - colour)
    grown = smooth(0.3, 1.0, patch["hair"] + 0.10 * noise(place, 0.0015, 0.02, 0.003))
    colour += 0.95 * grown[:, None] * (0.6 * roots + 0.07 * skin - colour)
    cavity = patch["cavity"]
    colour += cavity[:, None] * (np.array([0.20, 0.035, 0.03], np.float32) - colour)
    colour *= 1 - (0.25 * look.lines * maps.depth)[:, None]
    open_ = patch["open"]
    shade = (0.25 + 0.75 * open_) * (1 - 0.8 * cavity * smooth(0.015, -0.005, z))
    # What is hidden sees its own colour: the shade of skin is warm.
    warm = shade[:, None] ** np.array([0.8, 1.15, 1.25], np.float32)
    bent = normal.copy()
    if normal.any():
        bent[:, 0] -= look.lines * maps.slope_x + lips * maps.lip_x
        bent[:, 1] -= look.lines * maps.slope_y
        bent[:, :2] += 0.035 * np.column_stack([middle, np.roll(middle, 1)])
    diffuse, specular = lit(bent, SKIN_LIGHT, patch.get("sun"))
    gloss = shade * (maps.oil * (1 - lips) + 1.5 * lips) * (1 - cavity) * (1 - 0.9 * grown)
    gloss *= 1 + 0.16 * fine
    # Light comes back from within skin in its own colour.
    hue = skin / skin.max()
    glow = 0.6 + 0.4 * hue
    return np.asarray(colour * diffuse * warm + specular * gloss[:, None] * glow)


def beard_cover(place: Array) -> Array:
    """Where a beard grows, 0 to 1 [n]."""
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
    line = -0.048 - 0.030 * np.exp(-(((x - 0.036) / 0.014) ** 2))
    line = line + 0.55 * np.maximum(x - 0.045, 0)
    grows = smooth(0.004, -0.010, y - line) * smooth(-0.136, -0.112, y) * smooth(-0.075, -0.045, z)
    return np.asarray(grows)


def brow_line(t: Array) -> Array:
    """How high the brow's middle is, metres, from the nose (0) outwards (1)."""
    return np.asarray(0.0188 + 0.0042 * np.sin(np.clip(t, 0, 1.2) * 2.3))


def brow_cover(place: Array, width: float) -> Array:
    """How much of the skin the brows cover, 0 to 1 [n]."""
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
    t = (x - 0.010) / 0.040  # from the nose outwards
    middle = brow_line(t)
    half = 0.0046 * width * (1.0 - 0.62 * np.clip(t, 0, 1))
    lean = np.column_stack([x + 0.6 * (y - middle), y, z])  # hairs lean outwards
    strands = noise(lean, 0.0011, 0.006, 0.006)
    body = smooth(1.3, 0.3, np.abs(y - middle) / half)
    ends = smooth(-0.15, 0.22, t) * smooth(1.2, 0.7, t)
    return np.asarray(np.clip(body * ends * (0.78 + 0.13 * strands), 0, 0.9) * (z > -0.05))


def cloth(place: Array, collar: str, soft: float = 0.0006) -> Array:
    """Where clothes are, 0 to 1 [n], with an edge as soft as so many metres."""
    return smooth(soft, -soft, _above_collar(place, collar))


def _above_collar(place: Array, collar: str) -> Array:
    """Metres above the clothes' upper edge [n]."""
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
    front = smooth(-0.075, -0.035, z)
    round_ = -0.148 - 0.45 * (z + 0.05)
    if collar == "roll":
        return np.asarray(y + 0.127 + 0.22 * (z + 0.05))
    if collar == "crew":
        return np.asarray(y - round_)
    if collar == "scoop":
        return np.asarray(y - np.minimum(round_ - 0.012 * front, -0.130 - 0.1 * x))
    wide, deep = (0.030, 0.075) if collar == "shirt" else (0.058, 0.052)
    high = -0.134 - 0.30 * (z + 0.05) if collar == "shirt" else round_ + 0.004
    return np.asarray(y - high + front * deep * np.maximum(1 - x / wide, 0))


def _shirt(look: Appearance, place: Array, normal: Array, sun: Array | None) -> Array:
    above = _above_collar(place, look.collar)
    x, y = place[:, 0], place[:, 1]
    weave = 1 + 0.03 * noise(place, 0.002, 0.002, 0.002) + 0.04 * noise(place, 0.03, 0.05, 0.03)
    edge = 1 - 0.30 * np.exp(-np.square(above / 0.0012))
    bent = normal
    if normal.any():
        folds = noise(place + 0.4, 0.05, 0.09, 0.05), noise(place + 0.9, 0.04, 0.08, 0.05)
        bent = normal + 0.10 * np.column_stack([*folds, 0 * x]).astype(np.float32)
    if look.collar == "shirt":
        turned = 0.026 + 0.35 * np.maximum(-0.15 - y, 0)  # the collar that is turned down
        side = np.abs(x)
        flap = above + turned * smooth(-0.09, -0.05, place[:, 2])
        edge *= 1 - 0.55 * np.exp(-np.square((flap - 0.0) / 0.0014)) * (flap < 0.0035)
        edge *= 1 - 0.25 * smooth(-0.012, 0, flap) * (flap < 0)
        seam = np.exp(-np.square((side - 0.011) / 0.0009)) * (flap < 0) * (y < -0.17)
        edge *= 1 - 0.3 * seam
    elif look.collar == "roll":
        ribs = np.cos(np.arctan2(x, place[:, 2] + 0.06) * 110)
        edge *= 1 + 0.10 * ribs * smooth(-0.036, -0.030, above)
        edge *= 1 - 0.4 * np.exp(-np.square((above + 0.033) / 0.0022))
    else:
        rib = smooth(-0.0135, -0.0125, above)
        edge *= 1 - 0.35 * np.exp(-np.square((above + 0.013) / 0.0009)) + 0.07 * rib
    diffuse, _ = lit(bent, CLOTH_LIGHT, sun)
    return np.asarray(np.array(look.shirt, np.float32) * diffuse * (weave * edge)[:, None])
