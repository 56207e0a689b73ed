"""Hair of any cut: shells of strands over the scalp, combed from the crown or from a parting.

A shell is a grid of strands by steps along them. Short, curly and tied hair runs from the crown
to the hairline; longer hair runs from a parting over the side of the head and hangs. What looks
single strands is the shader's: it thins the shell by noise along the strands where `density` is
low, and at their ends. Every point follows the nearest places of the scalp, so it fits any head.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from avtool.head.model import REGIONS, Head, smooth
from avtool.values import Array

CENTRE = np.array([0.0, 0.02, -0.08], np.float32)  # of the skull, metres on the mean head
COLUMNS, ROWS = 144, 28
OVER = 15  # rows of parted hair on the head; the rest hang
RADIUS = 0.095  # metres from CENTRE to the scalp, about
PARTED = 0.33  # hair as long as this is parted and hangs


@dataclass(frozen=True)
class Hairdo:
    """How hair is cut and worn; all 0 to 1 but ``parting`` (-1 to 1, to the head's left)."""

    length: float = 0.2  # 0 cropped, 0.25 short, 0.5 to the jaw, 1 over the shoulders
    volume: float = 0.45
    curl: float = 0.1  # 0 straight, 1 tight
    baldness: float = 0.0
    parting: float = 0.0
    tied: bool = False  # combed back and held behind the head

    @property
    def hangs(self) -> bool:
        return self.length >= PARTED and not self.tied and self.curl < 0.7


@dataclass(frozen=True, eq=False)
class Shell:
    """Hair as a mesh.

    Shape:
        vertices: float32 [n, 3]; faces: int32 [f, 3], outwards; place: float32 [n, 3]: metres
        across the strands, metres along them, and how far their ends are in units of how far
        they fray; density: [n], 0 to 1; along: unit vectors [n, 3], the way that strands run.
    """

    vertices: Array
    faces: Array
    place: Array
    density: Array
    along: Array


# The hairline: degrees above the skull's equator at degrees from the front.
LINE_AT = (0, 14, 28, 38, 46, 53, 60, 68, 76, 84, 94, 106, 118, 140, 180)
LINE = (34, 35, 37, 35, 29, 18, 4, -9, 0, 8, 12, 3, -22, -38, -42)
SOFT = (32, 32, 32, 30, 26, 19, 12, 7, 6, 9, 12, 5, -16, -34, -40)  # without sideburns


def hairline(azimuth: Array, hairdo: Hairdo) -> Array:
    """Where hair ends, degrees of elevation at degrees from the front [n]."""
    wispy = np.clip(hairdo.length * 3 - 0.6, 0, 1)
    line = np.interp(azimuth, LINE_AT, np.array(LINE) * (1 - wispy) + np.array(SOFT) * wispy)
    temples = np.exp(-(((azimuth - 32) / 16) ** 2))
    away = min(hairdo.baldness * 1.8, 1.0)
    return np.asarray(line + away * (22 * temples + 10 * (azimuth < 90) * smooth(50, 20, azimuth)))


def density(azimuth: Array, height: Array, hairdo: Hairdo) -> Array:
    """How thick hair stands, 0 to 1 [n], at degrees from the front and above the equator."""
    bare = np.clip((hairdo.baldness - 0.25) / 0.6, 0, 1)
    front = 0.5 + 0.5 * np.cos(np.radians(azimuth))
    limit = 20 + 14 * smooth(90, 180, azimuth) - 10 * front  # of a crown that is quite bald
    inside = smooth(limit - 8, limit + 14, height)
    return np.asarray(1 - np.clip(1.9 * bare, 0, 1.3) * inside, np.float32)


def grows(places: Array, hairdo: Hairdo) -> Array:
    """How much hair grows at places on the mean head, 0 to 1, float32 [n]."""
    azimuth, height = _angles(places - CENTRE)
    soft = smooth(-3, 8, height - hairline(azimuth, hairdo))
    return np.asarray(soft * np.clip(density(azimuth, height, hairdo), 0, 1), np.float32)


def grown(head: Head, vertices: Array, hairdo: Hairdo) -> Shell:
    """The hair of a head as it now is, turned or not."""
    globe, rotation, shift = skull(head, vertices)
    comb = _parted if hairdo.hangs else _combed
    points, thick, fray, edge = comb(globe, hairdo)
    step = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    along = np.concatenate([np.zeros_like(step[:1]), step.cumsum(0)])
    across = np.broadcast_to(edge * RADIUS, along.shape)
    place = np.stack([across, along, (along[-1] - along) / fray], -1)
    runs = np.gradient(points, axis=0)
    runs /= np.linalg.norm(runs, axis=-1, keepdims=True) + 1e-9
    flat = points.reshape(-1, 3) @ rotation.T + shift
    return Shell(
        flat.astype(np.float32),
        _grid(hairdo.hangs),
        place.reshape(-1, 3).astype(np.float32),
        thick.ravel().astype(np.float32),
        (runs.reshape(-1, 3) @ rotation.T).astype(np.float32),
    )


def skull(head: Head, vertices: Array) -> tuple[Array, Array, Array]:
    """Metres from CENTRE to the scalp by direction, and how the head is turned and moved."""
    scalp, nearest, weight = _globe(head)
    still = scalp[_still(head)[scalp]]
    rotation, shift = motion(head.mean[still], vertices[still])
    home = (vertices[scalp] - shift) @ rotation  # as if the head were not turned
    away = np.linalg.norm(home - CENTRE, axis=1)
    return np.einsum("nk,nk->n", away[nearest], weight).reshape(GLOBE), rotation, shift


def _combed(globe: Array, hairdo: Hairdo) -> tuple[Array, Array, float, Array]:
    """Strands from the crown to the hairline: [rows, columns, 3], how thick, fray, across."""
    rng = np.random.default_rng(5)
    turn = np.linspace(-np.pi, np.pi, COLUMNS, endpoint=False)
    azimuth = np.abs(np.degrees(turn))
    lock = _locks(rng, COLUMNS)
    end = hairline(azimuth, hairdo) - (2.0 if hairdo.curl < 0.7 else 0.0) + 0.8 * lock
    steps = np.linspace(0, 1, ROWS)[:, None] ** 0.9
    height = 89 + (end - 89) * steps
    curly = smooth(0.55, 0.85, np.float64(hairdo.curl))
    top = smooth(5, 65, height)
    long = min(hairdo.length, 0.55) if curly > 0 else min(hairdo.length, PARTED)
    sides = 0.002 + 0.012 * long
    crown = sides + (0.003 + 0.055 * long) * (0.35 + hairdo.volume)
    if hairdo.tied:
        sides, crown = 0.004, 0.008 + 0.006 * hairdo.volume
    cloud = 0.004 + 0.085 * long * (0.6 + 0.6 * hairdo.volume)
    even = sides + (crown - sides) * top
    even = even * (1 - curly) + curly * cloud * (0.55 + 0.45 * smooth(-25, 40, height))
    swept = 1 + 0.35 * hairdo.parting * np.sin(turn) * top
    thick = density(azimuth, height, hairdo)
    rise = smooth(0, 14 + 10 * curly, height - end) * (0.25 + 0.75 * np.clip(thick, 0, 1))
    lift = rise * (even * swept + (0.0006 + 0.02 * long * 0.06) * lock) - 0.0012
    if curly > 0:  # a cloud of curls is not a ball
        lift += rise * curly * 0.0022 * rng.normal(size=lift.shape)
    direction = _direction(turn, np.radians(height))
    points = CENTRE + direction * (radius(globe, turn, height) + lift)[..., None]
    return points, thick, 0.010, turn


def _parted(globe: Array, hairdo: Hairdo) -> tuple[Array, Array, float, Array]:
    """Strands from a parting over both sides, which then hang: the same."""
    points, inner, back, side = parted(globe, hairdo)
    out = (inner[:OVER] - CENTRE) / np.linalg.norm(inner[:OVER] - CENTRE, axis=-1, keepdims=True)
    azimuth = np.degrees(np.abs(np.arctan2(out[..., 0], out[..., 2])))
    thick = np.ones(points.shape[:2], np.float32)
    thick[:OVER] = density(azimuth, np.degrees(np.arcsin(np.clip(out[..., 1], -1, 1))), hairdo)
    thick *= 0.35 + 0.65 * smooth(0, 0.05, back)
    drop = np.linalg.norm(points[-1] - points[OVER - 1], axis=-1).mean()
    return points, thick, float(0.012 + 0.05 * drop), side * (0.2 + 1.9 * back)


def parted(globe: Array, hairdo: Hairdo) -> tuple[Array, Array, Array, Array]:
    """Hair from a parting over both sides, which then hangs.

    Returns:
        its outside and its inside, metres [rows, columns, 3]; of each column how far back along
        the parting it begins, 0 to 1, and its side, 1 or -1.
    """
    rng = np.random.default_rng(6)
    half = COLUMNS // 2
    side = np.repeat([1.0, -1.0], half)
    back = np.tile(np.linspace(0, 1, half), 2)  # along the parting, from the forehead
    back = np.where(side > 0, back, 1 - back)  # so that the columns' order is the same outside
    lock = _locks(rng, COLUMNS)
    steps = np.linspace(0, 1, OVER)[:, None]
    parting = 26 * hairdo.parting * (1 - 0.7 * back)
    roll = np.radians(parting + (90 * side - parting) * steps)  # from the top to the side
    first, ear = 34, 58
    front = first + (ear - first) * steps**1.5
    sweep = np.where(side * hairdo.parting < 0, 5 + 14 * abs(hairdo.parting), 3)
    front = front - sweep * np.sin(np.pi * steps**0.8)  # over the forehead
    tilt = np.radians(front + (178 - front) * back + 0.5 * lock * steps)
    direction = np.stack(
        [np.sin(roll) * np.sin(tilt), np.cos(roll) * np.sin(tilt), np.cos(tilt)], -1
    )
    turn = np.arctan2(direction[..., 0], direction[..., 2])
    height = np.degrees(np.arcsin(np.clip(direction[..., 1], -1, 1)))
    full = 0.010 + 0.014 * hairdo.volume + 0.016 * min(hairdo.curl, 0.7)
    rooted = smooth(0, 0.16, back) + (1 - smooth(0, 0.16, back)) * smooth(0.1, 0.9, steps)
    valley = 0.68 + 0.32 * smooth(0, 0.7, steps)
    near = smooth(0.3, 0.0, back)  # beside the face
    ears = 0.012 * np.exp(-(((np.abs(turn) - 1.75) / 0.5) ** 2)) * smooth(35, -5, height)
    lift = rooted * valley * (1 - 0.45 * near) * (full + 0.0009 * lock) + ears - 0.0005
    away = radius(globe, turn, height)[..., None]
    head, scalp = CENTRE + direction * (away + lift[..., None]), CENTRE + direction * away

    reach = np.interp(hairdo.length, (PARTED, 0.5, 0.75, 1), (0.055, 0.12, 0.20, 0.30))
    drop = reach * (1 + 0.02 * lock)
    fall = np.linspace(0, 1, ROWS - OVER + 1)[1:, None]
    down = drop * fall
    x, y, z = (head[-1, :, k] for k in range(3))
    bob = smooth(0.62, 0.45, np.float64(hairdo.length))
    tuck = 0.016 * bob * smooth(0.45, 1.0, fall) - 0.010 * (1 - bob) * smooth(0.03, 0.14, down)
    spread = 0.004 * np.sin(np.pi * np.clip(down / 0.12, 0, 1)) - tuck
    wave = 0.007 * min(hairdo.curl, 0.7) * smooth(0, 0.05, down)
    phase = 2.2 * lock + down * (2 * np.pi / 0.055)
    behind = 0.045 * smooth(0.06, 0.19, down) * (1 - back * 0.8)
    hang = np.stack(
        [
            x + side * (spread + wave * np.sin(phase) - 0.013 * near * smooth(0, 0.07, down)),
            y - down,
            z - behind + wave * np.cos(phase) * 0.6,
        ],
        -1,
    )
    lower = hang - (0.012 * smooth(0, 0.3, fall))[..., None] * np.array([1, 0, 0]) * side[:, None]
    return np.concatenate([head, hang]), np.concatenate([scalp, lower]), back, side


def _locks(rng: np.random.Generator, count: int) -> Array:
    """A number about 0 for each strand, alike between neighbours [count]."""
    raw = np.convolve(np.tile(rng.normal(0, 1, count), 3), [0.3, 0.6, 0.6, 0.3], "same")
    return np.asarray(raw[count : 2 * count])


@cache
def _grid(hangs: bool) -> Array:
    """Triangles of a grid of strands; parted ones do not close, in front or behind."""
    first = np.arange(COLUMNS)
    after = np.roll(first, -1)
    if hangs:
        first, after = first[:-1], after[:-1]
    rows = np.arange(ROWS - 1)[:, None] * COLUMNS
    a, b = (rows + first).ravel(), (rows + after).ravel()
    c, d = a + COLUMNS, b + COLUMNS
    return np.concatenate([np.stack([a, c, d], 1), np.stack([a, d, b], 1)]).astype(np.int32)


def coarse(shell: Shell) -> Array:
    """Triangles of every third strand, for its shadow."""
    rows, columns = np.arange(0, ROWS - 2, 3)[:, None] * COLUMNS, np.arange(0, COLUMNS, 3)
    a, b = (rows + columns).ravel(), (rows + (columns + 3) % COLUMNS).ravel()
    c, d = a + 3 * COLUMNS, b + 3 * COLUMNS
    found = np.concatenate([np.stack([a, c, d], 1), np.stack([a, d, b], 1)])
    return found[shell.density[found].min(1) > 0.4]


def _angles(out: Array) -> tuple[Array, Array]:
    """Degrees from the front, either side, and above the equator."""
    azimuth = np.degrees(np.arctan2(np.abs(out[:, 0]), out[:, 2]))
    return azimuth, np.degrees(np.arctan2(out[:, 1], np.hypot(out[:, 0], out[:, 2])))


def _direction(turn: Array, height: Array) -> Array:
    turn, height = np.broadcast_arrays(turn, height)
    level = np.cos(height)
    return np.stack([np.sin(turn) * level, np.sin(height), np.cos(turn) * level], -1)


GLOBE = (32, 60)  # elevations from -65 to 90 by 5, azimuths from -180 by 6


@cache
def _globe(head: Head) -> tuple[Array, Array, Array]:
    """Vertices of the scalp [s], and six of them [n, 6] with weights [n, 6] for each direction."""
    out = head.mean - CENTRE
    distance = np.linalg.norm(out, axis=1)
    skin = np.zeros(len(out), bool)
    skin[head.faces[head.region == REGIONS.index("skin")]] = True
    ears = head.paint[:, head.paints.index("ears")] > 0.05
    cavity = head.paint[:, head.paints.index("cavity")] > 0.05
    reach = (out[:, 1] > -0.11) & (head.mean[:, 2] < -0.06) | (out[:, 1] > -0.02)
    scalp = np.flatnonzero(skin & ~ears & ~cavity & reach & (distance > 0.06))
    height, turn = np.meshgrid(
        np.linspace(-65, 90, GLOBE[0]), np.linspace(-np.pi, np.pi, GLOBE[1], False), indexing="ij"
    )
    direction = _direction(turn.ravel(), np.radians(height.ravel())).astype(np.float32)
    close = direction @ (out[scalp] / distance[scalp, None]).T
    nearest = np.argpartition(-close, 6, 1)[:, :6]
    weight = np.exp(400 * (np.take_along_axis(close, nearest, 1) - 1))
    return scalp, nearest, weight / weight.sum(1, keepdims=True)


@cache
def _still(head: Head) -> Array:
    """Which vertices no face unit moves, bool [v]: hair that follows them does not tremble."""
    return np.abs(head.units).max((0, 2)) < 1e-4


def radius(globe: Array, turn: Array, height: Array) -> Array:
    """Metres from CENTRE to the scalp at azimuths in radians and elevations in degrees."""
    turn, height = np.broadcast_arrays(turn, height)
    row = np.clip((height + 65) / 5, 0, GLOBE[0] - 1.001)
    column = (turn / np.pi + 1) * GLOBE[1] / 2
    i, j = row.astype(int), np.floor(column).astype(int)
    u, v = row - i, column - j
    j, k = j % GLOBE[1], (j + 1) % GLOBE[1]
    low = globe[i, j] * (1 - v) + globe[i, k] * v
    high = globe[i + 1, j] * (1 - v) + globe[i + 1, k] * v
    return np.asarray(low * (1 - u) + high * u)


def motion(still: Array, moved: Array) -> tuple[Array, Array]:
    """The turn [3, 3] and shift [3] that best take one cloud to the other (Kabsch 1976)."""
    a, b = still.mean(0), moved.mean(0)
    u, _, vt = np.linalg.svd((still - a).T @ (moved - b))
    flip = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    rotation = (u @ flip @ vt).T
    return rotation.astype(np.float32), (b - rotation @ a).astype(np.float32)
