"""What a sample of the head looks like: skin, eyes, mouth, lashes, hair and shirt.

Colours are linear light. Light is a table over the normal as seen from the camera, because the
lamps stay and the camera is far. Skin is lit by wrapped diffuse light that reaches further round
the form in red than in blue, a cheap stand-in for light scattered under it (as Green, GPU Gems,
2004); hair by a highlight across its strands (Kajiya and Kay 1989). All patterns are functions of
the place on the mean head, so they stay with the skin when it moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from avtool.head.hairdo import Hairdo
from avtool.head.model import smooth
from avtool.values import Array

Colour = tuple[float, float, float]  # linear light, 0 to 1


@dataclass(frozen=True)
class Look:
    """What a head looks like beside its shape."""

    skin: Colour = (0.60, 0.36, 0.26)
    lips: Colour = (0.46, 0.17, 0.14)
    hair: Colour = (0.05, 0.03, 0.02)
    iris: Colour = (0.16, 0.09, 0.04)
    shirt: Colour = (0.10, 0.18, 0.30)
    style: str | Hairdo = "short"  # a name of ``hair.STYLES``, or "none"
    brows: float = 1.0  # their width
    stubble: float = 0.0
    beard: float = 0.0  # a short one, 0 to 1
    freckles: float = 0.0
    lines: float = 0.0  # wrinkles and sagging lids, 0 to 1
    spots: float = 0.0  # uneven tone and spots of age, 0 to 1
    grey: float = 0.0  # share of the strands that are
    background: tuple[Colour, Colour] = ((0.30, 0.34, 0.38), (0.10, 0.12, 0.15))  # glow, edge


# Lamps: where from, linear colour.
KEY = ((0.55, 0.6, 0.8), (1.55, 1.42, 1.26))
FILL = ((-0.8, 0.15, 0.6), (0.42, 0.46, 0.54))
RIMS = (((0.95, 0.4, -0.45), (0.5, 0.55, 0.65)), ((-0.95, 0.5, -0.45), (0.65, 0.65, 0.68)))
SKY, GROUND = (0.13, 0.14, 0.16), (0.10, 0.08, 0.07)
EYE = (0.02798, 0.0, 0.0)  # centre of the left eyeball of the mean head

Patch = Mapping[str, Array]  # of the samples of one region: place, normal, and each paint


@cache
def _table(wrap: Colour, gloss: float, power: float) -> tuple[Array, Array]:
    """Diffuse and specular light by the normal's x and y, float32 [256 * 256, 3] each."""
    x, y = np.meshgrid(*2 * [np.linspace(-1, 1, 256)])
    z = np.sqrt(np.maximum(1 - x * x - y * y, 0))
    normal = np.stack([x, y, z], -1).reshape(-1, 3)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    up = 0.5 + 0.5 * normal[:, 1:2]
    diffuse = np.array(SKY) * up + np.array(GROUND) * (1 - up)
    specular = np.zeros_like(diffuse)
    for place, colour in (KEY, FILL, *RIMS):
        towards = np.array(place) / np.linalg.norm(place)
        cosine = (normal @ towards)[:, None]
        diffuse += np.array(colour) * np.maximum(cosine + wrap, 0) / (1 + np.array(wrap)) ** 2
        half = towards + np.array([0, 0, 1])
        half /= np.linalg.norm(half)
        shine = np.maximum(normal @ half, 0)[:, None] ** power * np.clip(4 * cosine, 0, 1)
        specular += gloss * shine * np.array(colour)
    return diffuse.astype(np.float32), specular.astype(np.float32)


SKIN_LIGHT = ((0.42, 0.24, 0.18), 0.13, 14.0)
CLOTH_LIGHT = ((0.15, 0.15, 0.15), 0.0, 1.0)
EYE_LIGHT = ((0.3, 0.3, 0.3), 1.3, 160.0)
WET_LIGHT = ((0.3, 0.2, 0.2), 0.30, 40.0)


def _lit(normal: Array, light: tuple[Colour, float, float]) -> tuple[Array, Array]:
    """Diffuse and specular light [n, 3]."""
    length = np.sqrt(np.einsum("nc,nc->n", normal, normal)) + 1e-9
    i, j = (np.clip(normal[:, k] / length * 127.5 + 128, 0, 255).astype(np.int32) for k in range(2))
    diffuse, specular = _table(*light)
    return diffuse[j * 256 + i], specular[j * 256 + i]


@cache
def _volume() -> Array:
    """Smooth noise that repeats, about 0 with deviation 1, float32 [64 * 64 * 64]."""
    noise = np.fft.rfftn(np.random.default_rng(7).standard_normal((64, 64, 64)))
    f, half = np.fft.fftfreq(64), np.fft.rfftfreq(64)
    radius = np.sqrt(f[:, None, None] ** 2 + f[:, None] ** 2 + half**2)
    volume = np.fft.irfftn(noise * np.exp(-((radius / 0.09) ** 2)), (64, 64, 64), (0, 1, 2))
    return np.asarray(volume / volume.std(), np.float32).ravel()


def _noise(place: Array, x: float, y: float, z: float) -> Array:
    """Noise whose grains are about so many metres wide, float32 [n]."""
    i, j, k = (
        (place[:, axis] * (6 / size) + 512).astype(np.int32) & 63
        for axis, size in enumerate((x, y, z))
    )
    return np.asarray(_volume()[(i * 64 + j) * 64 + k])


def _spot(place: Array, x: float, y: float, rx: float, ry: float) -> Array:
    """A soft blot on both sides of the face, 0 to 1 [n]."""
    dx, dy = (np.abs(place[:, 0]) - x) / rx, (place[:, 1] - y) / ry
    return np.asarray(np.exp(-(dx * dx + dy * dy)) * (place[:, 2] > -0.07))


def _skin(look: Look, patch: Patch) -> Array:
    place, normal = patch["place"], patch["normal"]
    cloth = _cloth(place)
    image = np.zeros_like(place)
    dressed = cloth > 0
    image[dressed] = _shirt(look, place[dressed], normal[dressed])
    if not dressed.all():
        bare = np.flatnonzero(cloth < 1)
        mine = {k: v[bare] for k, v in patch.items()}
        skin = _bare(look, mine)
        mixed = cloth[bare, None]
        image[bare] = mixed * image[bare] + (1 - mixed) * skin
    return image


def _bare(look: Look, patch: Patch) -> Array:
    place = patch["place"]
    y, z = place[:, 1], place[:, 2]
    skin, own = np.array(look.skin, np.float32), np.array(look.hair, np.float32)
    fine = _noise(place, 0.002, 0.002, 0.002)
    colour = skin * (1 + 0.025 * _noise(place, 0.025, 0.025, 0.025) + 0.012 * fine)[:, None]
    red = (
        0.50 * _spot(place, 0.034, -0.035, 0.022, 0.022)
        + 0.45 * _spot(place, 0.0, -0.035, 0.012, 0.014)
        + 0.4 * patch["ears"]
        + 0.2 * _spot(place, 0.0, -0.105, 0.02, 0.014)
        + 0.3 * patch["lids"]
    )
    colour *= 1 + red[:, None] * np.array([0.05, -0.26, -0.20], np.float32)
    colour *= 1 - (0.14 * _spot(place, 0.029, -0.017, 0.013, 0.006))[:, None]
    if look.freckles:
        dots = np.clip(_noise(place + 0.3, 0.004, 0.004, 0.004) - 1.1, 0, 1)
        dots *= look.freckles * _spot(place, 0.02, -0.025, 0.04, 0.03)
        colour *= 1 - dots[:, None] * np.array([0.25, 0.4, 0.5], np.float32)
    if look.stubble:
        x = np.abs(place[:, 0])
        line = -0.048 - 0.030 * np.exp(-(((x - 0.036) / 0.014) ** 2))
        line += 0.55 * np.maximum(x - 0.045, 0)
        beard = smooth(0.004, -0.010, y - line) * smooth(-0.136, -0.112, y) * smooth(-0.1, -0.06, z)
        beard *= np.clip(0.72 + 0.12 * _noise(place, 0.0014, 0.0014, 0.0014), 0, 1)
        beard *= look.stubble * (1 - np.clip(1.5 * patch["lips"], 0, 1))
        colour += beard[:, None] * (0.25 * skin + 0.5 * own - colour)
    lips = smooth(0.25, 0.75, patch["lips"])
    lip = np.array(look.lips, np.float32) * (1 + 0.05 * fine[:, None])
    colour += lips[:, None] * (lip - colour)
    cover = _brows(place, look.brows)
    grown = smooth(0.3, 0.9, patch["hair"] + 0.10 * _noise(place, 0.0015, 0.02, 0.003))
    cover = np.maximum(cover, grown)
    colour += cover[:, None] * (1.1 * own - colour)
    cavity = patch["cavity"]
    colour += cavity[:, None] * (np.array([0.20, 0.035, 0.03], np.float32) - colour)
    open_ = patch["open"]
    shade = (0.25 + 0.75 * open_) * (1 - 0.8 * cavity * smooth(0.015, -0.005, z))
    # What is hidden sees its own colour: the shade of skin is warm.
    warm = shade[:, None] ** np.array([0.8, 1.15, 1.25], np.float32)
    diffuse, specular = _lit(patch["normal"], SKIN_LIGHT)
    gloss = shade * (1 + 0.6 * lips * (1 - cavity)) * (1 - 0.9 * cover) * (1 + 0.10 * fine)
    return np.asarray(colour * diffuse * warm + specular * gloss[:, None])


def _brows(place: Array, width: float) -> Array:
    """How much of the skin the brows cover, 0 to 1 [n]."""
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
    t = (x - 0.010) / 0.040  # from the nose outwards
    middle = 0.0168 + 0.0060 * np.sin(np.clip(t, 0, 1.2) * 2.1)
    half = 0.0046 * width * (1.0 - 0.62 * np.clip(t, 0, 1))
    lean = np.column_stack([x + 0.6 * (y - middle), y, z])  # hairs lean outwards
    strands = _noise(lean, 0.0011, 0.006, 0.006)
    body = smooth(1.3, 0.3, np.abs(y - middle) / half)
    ends = smooth(-0.15, 0.22, t) * smooth(1.2, 0.7, t)
    return np.asarray(np.clip(body * ends * (0.78 + 0.13 * strands), 0, 0.9) * (z > -0.05))


def _cloth(place: Array) -> Array:
    """Where the shirt is, 0 to 1 [n]."""
    return smooth(0.0006, -0.0006, _above_collar(place))


def _above_collar(place: Array) -> Array:
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
    return np.asarray(y - np.minimum(-0.157 - 0.42 * (z + 0.05), -0.128 - 0.1 * x))


def _shirt(look: Look, place: Array, normal: Array) -> Array:
    above = _above_collar(place)
    weave = 1 + 0.03 * _noise(place, 0.002, 0.002, 0.002) + 0.05 * _noise(place, 0.03, 0.05, 0.03)
    rib = smooth(-0.0125, -0.0115, above)
    edge = 1 - 0.4 * np.exp(-(((above + 0.012) / 0.0012) ** 2)) + 0.12 * rib
    diffuse, _ = _lit(normal, CLOTH_LIGHT)
    return np.asarray(np.array(look.shirt, np.float32) * diffuse * (weave * edge)[:, None])


def _eye(look: Look, patch: Patch) -> Array:
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
    diffuse, specular = _lit(patch["normal"], EYE_LIGHT)
    return np.asarray(colour * diffuse * shade[:, None] + specular)


def _teeth(look: Look, patch: Patch) -> Array:
    place = patch["place"]
    across = np.arctan2(place[:, 0], place[:, 2] + 0.03)
    gaps = 1 - 0.25 * smooth(0.8, 1.0, np.abs(np.cos(across * 19)))
    colour = np.array([0.60, 0.55, 0.47], np.float32) * gaps[:, None]
    gum = smooth(0.0115, 0.0135, np.abs(place[:, 1] + 0.0625))[:, None]
    colour += gum * (np.array([0.32, 0.10, 0.09], np.float32) - colour)
    shade = 0.05 + 0.52 * smooth(-0.014, 0.016, place[:, 2])
    diffuse, specular = _lit(patch["normal"], WET_LIGHT)
    return np.asarray((colour * diffuse + 0.5 * specular) * shade[:, None])


def _tongue(look: Look, patch: Patch) -> Array:
    shade = 0.03 + 0.40 * smooth(-0.022, 0.004, patch["place"][:, 2])
    diffuse, specular = _lit(patch["normal"], WET_LIGHT)
    colour = np.array([0.40, 0.12, 0.11], np.float32)
    return np.asarray((colour * diffuse + 0.4 * specular) * shade[:, None])


def _lash(look: Look, patch: Patch) -> Array:
    place = patch["place"]
    x = np.abs(place[:, 0]) - EYE[0]
    length = np.sqrt(x * x + place[:, 1] ** 2 + place[:, 2] ** 2)
    strands = 0.5 + 0.5 * _noise(place, 0.0011, 0.008, 0.008)
    cover = np.clip(smooth(0.0225, 0.0165, length) * (0.6 + 0.5 * strands), 0, 0.95)[:, None]
    dark = 0.25 * np.array(look.hair, np.float32)
    return np.asarray(patch["behind"] * (1 - cover) + dark * cover)


def _hair(look: Look, patch: Patch) -> Array:
    place, normal = patch["place"], patch["normal"]
    inner = normal[:, 2] < 0
    normal = np.where(inner[:, None], -normal, normal)
    normal = normal / (np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9)
    strand = _noise(place, 0.0022, 0.05, 1.0)
    lock = _noise(place + 0.11, 0.009, 0.12, 1.0)
    own = np.array(look.hair, np.float32)
    colour = own * np.clip(1 + 0.25 * strand + 0.25 * lock, 0.35, 2)[:, None]
    diffuse, _ = _lit(normal, CLOTH_LIGHT)
    depth = np.where(inner, 0.25, 1.0) * (0.75 + 0.25 * smooth(-0.17, -0.02, place[:, 1]))
    image = colour * diffuse * depth[:, None]
    along = np.column_stack(
        [-normal[:, 0] * -normal[:, 1], normal[:, 1] ** 2 - 1, normal[:, 2] * normal[:, 1]]
    )
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-6
    for lamp, colour_of in (KEY, *RIMS):
        towards = np.array(lamp, np.float32) / np.linalg.norm(lamp)
        half = towards + np.array([0, 0, 1], np.float32)
        half /= np.linalg.norm(half)
        tilt = along @ half.astype(np.float32) + 0.07 * strand + 0.06 * lock
        shine = np.clip(1 - tilt * tilt, 0, 1) ** 16 * np.clip(normal @ towards + 0.2, 0, 1)
        tint = 0.03 + 0.55 * own
        image += (shine * depth)[:, None] * (np.array(colour_of, np.float32) * tint * 0.6)
    return np.asarray(image)


def _locks(look: Look, patch: Patch) -> Array:
    place, normal = patch["place"], patch["normal"]
    assert isinstance(look.style, Hairdo)
    inner = normal[:, 2] < 0
    normal = normal / (np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9)
    normal = np.where(inner[:, None], -normal, normal)
    curly = look.style.curl > 0.7
    kink = 0.0035 if curly else 0.045 - 0.04 * look.style.curl
    strand = _noise(place * _FLAT, 0.0013, kink, 1.0)
    lock = _noise(place * _FLAT + 0.11, 0.008, 0.006 if curly else 0.10, 1.0)
    rank = np.clip(0.5 + 0.24 * strand + 0.12 * lock, 0, 1)
    cover = smooth(0.0, 0.5, place[:, 2] - rank) * smooth(-0.1, 0.25, patch["hair"] - rank)
    cover *= smooth(-0.25, 0.2, normal[:, 2] - (0.5 if curly else 0.25) * rank)

    own = np.array(look.hair, np.float32)
    white = 0.45 * smooth(
        0.55,
        0.4,
        0.5 + 0.2 * _noise(place * _FLAT + 0.3, 0.001, 0.2, 1.0) - 0.6 * (look.grey - 0.5),
    )
    white = white * min(4 * look.grey, 1)
    colour = own + white[:, None] * (np.array([0.62, 0.60, 0.57], np.float32) - own)
    colour = colour * np.clip(1 + 0.30 * strand + 0.22 * lock, 0.3, 2)[:, None]
    bent = normal + (0.10 * strand + 0.12 * lock)[:, None] * np.array([1, 0.3, 0], np.float32)
    diffuse, _ = _lit(bent, CLOTH_LIGHT)
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
        tint = (0.02 + 0.5 * colour) * (0.15 if curly else 0.5)
        image += (shine * depth)[:, None] * (np.array(colour_of, np.float32) * tint)
    behind = patch["behind"]
    return np.asarray(behind + cover[:, None] * (image - behind))


_FLAT = np.array([1, 1, 0], np.float32)  # the ends' distance is no place

# By the number of the region: ``model.REGIONS``, then ``hair.STRANDS`` and ``hair.LOCKS``.
SHADERS = (_skin, _eye, _teeth, _tongue, _lash, _hair, _locks)
