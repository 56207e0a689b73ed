"""How hair grows and falls: strands from every place of the scalp that has some.

Short, curly and tied hair is led over the skull step by step, along a field of directions (away
from the crown's whorl, to a side, or to where it is tied); hanging hair follows the shells of
``hairdo``. Roots are the same places for everybody, so what they draw is alike between pictures.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from avtool.head import hairdo as cuts
from avtool.head.hairdo import CENTRE, Hairdo
from avtool.head.light import Appearance
from avtool.head.model import Head, smooth
from avtool.head.strands import Strands
from avtool.values import Array

STEPS = 15
WIDE = np.array([1, 0.3, 1], np.float32)
MOST = 28_000  # roots on the whole skull
CROWN = np.array([0.10, 0.80, -0.60], np.float32)  # of the hair's whorl, from the skull's centre
KNOT = np.array([0.0, 0.864, -0.504], np.float32)  # where hair is tied
BUN = 0.030  # metres, its radius; one in so many strands winds about it
WOUND = 6
CURLY = 0.7


@cache
def _roots() -> tuple[Array, Array, Array]:
    """Directions from the skull's centre [n, 3], numbers 0 to 1 [7, n], and each one's lock [n]."""
    rng = np.random.default_rng(11)
    out = rng.normal(size=(MOST, 3)).astype(np.float32)
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    guides = out[:400]
    return out, rng.random((7, MOST)).astype(np.float32), (out @ guides.T).argmax(1)


def strands(head: Head, vertices: Array, look: Appearance, dense: float) -> Strands:
    """The hair of a head as it now is.

    Args:
        dense: which share of the strands is drawn; above 1 there are no more.
    """
    style = look.style
    out, chance, lock = _roots()
    globe, rotation, shift = cuts.skull(head, vertices)
    # Short hair needs more strands to hide the skin than long hair.
    share = 0.30 if style.hangs or style.tied else 0.45 + 0.55 * smooth(0.3, 0.1, style.length)
    if style.curl >= CURLY:
        share = 0.5
    count = int(np.clip(MOST * min(dense, 1.0) * share, 1200, MOST))
    out, chance, lock = out[:count], chance[:, :count], lock[:count]
    turn, height = _places(out)
    azimuth, height = np.abs(np.degrees(turn)), np.degrees(height)
    ragged = 2.2 * (chance[0] - 0.5) + 1.2 * np.sin(9 * turn) + 0.8 * np.sin(23 * turn + 1)
    line = cuts.hairline(azimuth, style) + ragged
    inside = height - line
    grows = smooth(-3, 2.5, inside) * np.clip(cuts.density(azimuth, height, style), 0, 1)
    kept = np.flatnonzero(chance[1] < grows)
    out, chance, lock = out[kept], chance[:, kept], lock[kept]
    made = _hanging if style.hangs else _curly if style.curl >= CURLY else _led
    points, normal, deep, coil = made(globe, style, out, chance, lock, inside[kept])
    return Strands(
        (points @ rotation.T + shift).astype(np.float32),
        (normal @ rotation.T).astype(np.float32),
        deep.astype(np.float32),
        _colours(look, kept),
        coil,
        0.5 if style.curl >= CURLY else 1.0,
    )


Made = tuple[Array, Array, Array, Array | None]


def _led(
    globe: Array, style: Hairdo, out: Array, chance: Array, lock: Array, inside: Array
) -> Made:
    """Short hair and tied hair, over the skull by its field of directions."""
    top = smooth(28, 58, np.degrees(_places(out)[1]))
    crest = top * smooth(-0.2, 0.5, out[:, 2])
    stray = (chance[3:6].T - 0.5) * np.float32(0.22)
    back = smooth(0.30, 0.60, style.volume)  # much hair is combed back, little hair forwards
    if style.tied:
        length = np.full(len(out), 0.20, np.float32)
        lift = 0.003 + (0.007 + 0.012 * style.volume) * chance[2]
        goes = KNOT + 0.02 * stray
    else:
        long, sides = np.array([0.010, 0.008]) + np.array([0.13, 0.03]) * min(
            style.length, cuts.PARTED
        )
        length = (sides + (long - sides) * top) * (0.75 + 0.5 * chance[2])
        length *= 0.6 + 0.4 * smooth(0, 9, inside)  # the hairline's are finer
        stands = 0.12 + 0.40 * style.volume * top + 0.30 * back * crest
        lift = length * stands * (0.35 + 0.65 * chance[2])
        wide = np.clip(2.2 * style.parting, -1, 1)
        over = np.array([-wide, 0.1, 0.0], np.float32)
        swept = np.array([0, 0.09 + 0.3 * back, 0.6 - 2 * back], np.float32)
        combed = abs(wide) * over + (1 - 0.7 * abs(wide)) * swept
        falls = np.array([0, -0.25, 0], np.float32) - CROWN / np.linalg.norm(CROWN)
        locks = np.random.default_rng(12).normal(0, 0.14, (400, 3)).astype(np.float32)
        goes = falls + crest[:, None] * (combed - falls) + locks[lock] + stray
    points, normals, path = [], [], out
    for s in np.linspace(0, 1, STEPS):
        turn, height = _places(path)
        radius = cuts.radius(globe, turn, np.degrees(height))
        points.append(CENTRE + path * (radius + 0.0004 + (1 - (1 - s) ** 2) * lift)[:, None])
        normals.append(path)
        way = goes - path * np.einsum("nk,nk->n", goes, path)[:, None]
        way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 0.15)
        path = path + way * (length / (STEPS - 1) / radius)[:, None]
        path /= np.linalg.norm(path, axis=1, keepdims=True)
    hair, normal, deep = np.stack(points), np.stack(normals), _shade(chance[2])
    if style.tied:
        turn, height = _places(KNOT[None])
        far = float(cuts.radius(globe, turn, np.degrees(height))[0])
        hair[:, ::WOUND], normal[:, ::WOUND] = _bun(far, chance[:, ::WOUND])
        deep[:, ::WOUND] = 0.55 + 0.45 * chance[2, ::WOUND]
    return hair, normal, deep, None


def _bun(far: float, chance: Array) -> tuple[Array, Array]:
    """Strands wound about a ball on the head, and its normals."""
    turn = 6.28 * chance[0] + np.linspace(0, 2.4, STEPS)[:, None]
    rise = 0.55 * np.sin(turn * 0.5 + 6.28 * chance[1]) + 0.5 * (chance[3] - 0.5)
    beside = np.cross(KNOT, [1.0, 0, 0])
    level = np.sqrt(np.maximum(1 - rise**2, 0))[..., None]
    out = level * (np.cos(turn)[..., None] * [1.0, 0, 0] + np.sin(turn)[..., None] * beside)
    out = out + rise[..., None] * KNOT
    points = CENTRE + (far + 0.75 * BUN) * KNOT + BUN * (0.8 + 0.2 * chance[2])[:, None] * out
    return points, out


def _curly(
    globe: Array, style: Hairdo, out: Array, chance: Array, lock: Array, inside: Array
) -> Made:
    """Tight curls, a cloud about the head."""
    turn, height = _places(out)
    height = np.degrees(height)
    long = min(style.length, 0.55)
    cloud = 0.005 + 0.080 * long * (0.6 + 0.6 * style.volume)
    size = cloud * (0.55 + 0.45 * smooth(-25, 40, height)) * smooth(-6, 16, inside) ** 0.7
    size = size * (0.55 + 0.45 * np.sqrt(chance[2])) + 0.003
    drift = (chance[3:6].T - 0.5) * np.float32(1.1)
    drift += np.random.default_rng(12).normal(0, 0.25, (400, 3)).astype(np.float32)[lock]
    drift -= np.array([0, 0.15, 0], np.float32)
    radius = cuts.radius(globe, turn, height)[:, None]
    s = np.linspace(0, 1, STEPS, dtype=np.float32)[:, None, None]
    way = out + s * drift * 0.9
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    points = CENTRE + out * radius + way * (s * size[:, None])
    spring = np.clip(0.0011 + 0.06 * size * (0.6 + 0.8 * chance[4]), 0.001, 0.0038)
    pitch = 2.6 * spring + 0.001
    turns = 2 * np.pi * size / pitch / (STEPS - 1)
    coil = np.stack([spring, 0 * spring + 0.3, turns, 6.28 * chance[5]]).astype(np.float32)
    normal = np.broadcast_to(out, points.shape) * 0.75 + way * 0.35
    depth = s[..., 0] * size / np.maximum(cloud, 0.004)
    deep = 0.30 + 0.75 * np.clip(depth, 0, 1.1) ** 1.2
    return points, normal, deep, coil


def _hanging(
    globe: Array, style: Hairdo, out: Array, chance: Array, lock: Array, inside: Array
) -> Made:
    """Long hair, along the shells from the parting down."""
    shell, skin, _, _ = cuts.parted(globe, style)
    over = cuts.OVER
    rows, columns, _ = shell.shape
    half = columns // 2
    side = chance[5] < 0.5
    # More strands in front, where they are seen.
    back = chance[3] ** 1.35
    column = np.where(side, back * (half - 1), half + (1 - back) * (half - 1))
    start = over * 0.75 * chance[2] ** 1.5
    end = (rows - 1) * (0.96 - 0.06 * chance[0] ** 2)
    s = np.linspace(0, 1, 26, dtype=np.float32)[:, None]
    row = start + (end - start) * s
    layer = 0.15 + 0.85 * np.sqrt(chance[4])
    rise = smooth(-0.07, 0.10, s) * layer
    outer, inner = _at(shell, row, column), _at(skin, row, column)
    points = inner + rise[..., None] * (outer - inner)
    # Locks of a common wave, and finer ones; on the head hair lies close.
    wave = np.random.default_rng(12).normal(0, 1, (400, 3)).astype(np.float32)
    which = (column / columns * 52).astype(int) + 60 * (chance[4] > 0.6)
    small = (column / columns * 170).astype(int) + 200
    hang = smooth(over / rows, 1.0, row / rows)[..., None]
    free = smooth(0, 0.15, s)[..., None]
    points = points + (0.0016 * free + 0.003 * hang) * wave[small] * WIDE
    points += (0.001 * free + 0.004 * hang) * (chance[[0, 1, 3]].T - 0.5)
    # The hairline's roots lie scattered towards the face.
    away = inner[0] - CENTRE
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    face = np.array([0, 0, 0.03], np.float32) - inner[0]
    face -= away * np.einsum("nk,nk->n", face, away)[:, None]
    face /= np.linalg.norm(face, axis=1, keepdims=True)
    scatter = 0.007 * chance[6] ** 2 * smooth(0.06, 0.0, back) * smooth(0.25, 0, s)
    points += scatter[..., None] * face
    run = np.linalg.norm(np.diff(points, axis=0), axis=-1).sum(0)
    curl = min(style.curl, CURLY)
    spring = 0.0005 + 0.010 * curl**1.5 * (0.8 + 0.4 * chance[4])
    pitch = 0.055 - 0.012 * curl
    turns = 2 * np.pi * run / pitch / 25
    coil = np.stack([spring, 0 * spring, turns, 3 * wave[which, 0] + 0.5 * chance[1]])
    normal = outer - np.array([0, 0, -0.075], np.float32)
    normal[..., 1] = np.maximum(normal[..., 1] - 0.02, 0) * 1.2
    deep = (0.30 + 0.70 * layer**1.5) * (0.65 + 0.35 * smooth(0, 0.2, s))
    return points, normal, np.broadcast_to(deep, points.shape[:2]), coil.astype(np.float32)


def _at(grid: Array, row: Array, column: Array) -> Array:
    """A grid [rows, columns, 3] at places between its nodes."""
    row, column = np.broadcast_arrays(row, column)
    i = np.clip(row.astype(np.int32), 0, grid.shape[0] - 2)
    j = np.clip(column.astype(np.int32), 0, grid.shape[1] - 2)
    u, v = (row - i)[..., None], (column - j)[..., None]
    low = grid[i, j] * (1 - v) + grid[i, j + 1] * v
    return np.asarray(low * (1 - u) + (grid[i + 1, j] * (1 - v) + grid[i + 1, j + 1] * v) * u)


def _shade(layer: Array) -> Array:
    """How much light gets to strands: less to their roots, and to those below others."""
    s = np.linspace(0, 1, STEPS, dtype=np.float32)[:, None]
    roots = 0.55 + 0.45 * smooth(0, 0.7, s)
    return np.asarray((0.45 + 0.55 * layer) * roots)


def _places(out: Array) -> tuple[Array, Array]:
    """Azimuths and elevations of directions, in radians."""
    return np.arctan2(out[:, 0], out[:, 2]), np.arcsin(np.clip(out[:, 1], -1, 1))


def _colours(look: Appearance, kept: Array) -> Array:
    """Linear colours of strands, float32 [kept, 3]: no two alike, some of them grey."""
    _, chance, lock = _roots()
    own = np.array(look.hair, np.float32)
    white = smooth(-0.35, 0.35, look.grey * 1.7 - 0.35 - chance[6, kept])[:, None]
    each = own + white * (np.array([0.36, 0.345, 0.33], np.float32) - own)
    vary = np.random.default_rng(13).normal(0, 0.16, 400).astype(np.float32)[lock[kept]]
    return np.asarray(each * np.exp(vary + 0.5 * (chance[4, kept] - 0.5))[:, None], np.float32)
