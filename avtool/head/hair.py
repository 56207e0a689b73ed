"""Hair for the head: a shell of strands that grows out of the scalp, short or hanging to the chin.

A grid of azimuths (0 front, radians, positive to the head's left) by steps along the strand, from
the crown down. Each point follows the nearest places of the scalp, so it fits any identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from avtool.head import hairdo
from avtool.head.hairdo import CENTRE, Hairdo, motion
from avtool.head.model import REGIONS, Head, smooth
from avtool.values import Array

STRANDS = len(REGIONS)  # the region of the faces that are made here
LOCKS = STRANDS + 1  # and of those that ``hairdo`` makes
DROP = 0.00175  # metres down a strand for each degree below the skull's equator
COLUMNS, ROWS = 160, 30


@dataclass(frozen=True)
class Style:
    """How far strands reach: degrees above (or below) the skull's equator at azimuths."""

    azimuths: tuple[float, ...]
    ends: tuple[float, ...]
    hangs: bool  # below the equator strands hang straight, or else follow the head
    lift: float  # metres off the scalp
    parting: float = 0.0  # degrees that the fringe is swept aside


STYLES = {
    "short": Style(
        (0, 14, 28, 40, 50, 60, 68, 76, 84, 94, 106, 118, 140, 180),
        (37, 38, 42, 38, 28, 15, 0, -10, 5, 10, 2, -22, -38, -42),
        hangs=False,
        lift=0.009,
    ),
    "bob": Style(
        (0, 12, 26, 36, 44, 50, 56, 64, 90, 180),
        (37, 35, 29, 18, -2, -52, -86, -94, -97, -99),
        hangs=True,
        lift=0.015,
        parting=14.0,
    ),
}
# Where hair grows out of the skin, for what lies under the shell.
_GROWTH = STYLES["short"]


@dataclass(frozen=True, eq=False)
class Mesh:
    """The head and its hair as one mesh; ``place`` [v, 3] is where a vertex is on the mean head.

    ``paint`` [v, p + 4]: the head's own, then how much hair grows, then which way it runs.
    """

    vertices: Array
    faces: Array
    region: Array
    place: Array
    paint: Array


@dataclass(frozen=True, eq=False)
class _Shell:
    scalp: Array  # vertices that the hair follows, int [s]
    nearest: Array  # of each hair point, int [n, 6] into scalp
    weight: Array  # [n, 6]
    direction: Array  # [n, 3]
    lift: Array  # [n]
    drop: Array  # [n]
    faces: Array
    place: Array


def grows(place: Array) -> Array:
    """How much hair grows at places on the mean head, 0 to 1, float32 [n]."""
    out = place - CENTRE
    azimuth = np.degrees(np.arctan2(np.abs(out[:, 0]), out[:, 2]))
    height = np.degrees(np.arctan2(out[:, 1], np.hypot(out[:, 0], out[:, 2])))
    return smooth(-4, 6, height - np.interp(azimuth, _GROWTH.azimuths, _GROWTH.ends))


def dressed(head: Head, vertices: Array, style: str | Hairdo) -> Mesh:
    """The head with its hair; ``style`` is one of ``STYLES`` or "none"."""
    bare = (vertices, head.faces, head.region, head.mean, _painted(head))
    if isinstance(style, Hairdo):
        return _worn(head, vertices, style)
    if style == "none":
        return Mesh(*bare)
    shell = _shell(head, style)
    scalp = vertices[shell.scalp]
    rotation, shift = motion(head.mean[shell.scalp], scalp)
    home = (scalp - shift) @ rotation  # as if the head were not turned
    radius = np.linalg.norm(home - CENTRE, axis=1)
    radius = np.einsum("nk,nk->n", radius[shell.nearest], shell.weight) + shell.lift
    grown = CENTRE + shell.direction * radius[:, None]
    grown[:, 1] -= shell.drop
    made = grown @ rotation.T + shift
    paint = np.zeros((len(made), bare[4].shape[1]), np.float32)
    return Mesh(
        np.concatenate([vertices, made]).astype(np.float32),
        np.concatenate([head.faces, shell.faces + len(vertices)]),
        np.concatenate([head.region, np.full(len(shell.faces), STRANDS, np.uint8)]),
        np.concatenate([head.mean, shell.place]),
        np.concatenate([bare[4], paint]),
    )


def _worn(head: Head, vertices: Array, style: Hairdo) -> Mesh:
    made = hairdo.grown(head, vertices, style)
    bare = _painted(head).copy()
    ears = head.paint[:, head.paints.index("ears")]
    bare[:, -4] = hairdo.grows(head.mean, style) * (1 - ears)
    paint = np.zeros((len(made.vertices), bare.shape[1]), np.float32)
    paint[:, -4], paint[:, -3:] = made.density, made.along
    return Mesh(
        np.concatenate([vertices, made.vertices]),
        np.concatenate([head.faces, made.faces + len(vertices)]),
        np.concatenate([head.region, np.full(len(made.faces), LOCKS, np.uint8)]),
        np.concatenate([head.mean, made.place]),
        np.concatenate([bare, paint]),
    )


@cache
def _painted(head: Head) -> Array:
    growth = grows(head.mean) * (1 - head.paint[:, head.paints.index("ears")])
    return np.column_stack([head.paint, growth, np.zeros((len(growth), 3))]).astype(np.float32)


@cache
def _shell(head: Head, style: str) -> _Shell:
    kind = STYLES[style]
    rng = np.random.default_rng(5)
    out = head.mean - CENTRE
    distance = np.linalg.norm(out, axis=1)
    skin = np.zeros(len(out), bool)
    skin[head.faces[head.region == REGIONS.index("skin")]] = True
    ears = head.paint[:, head.paints.index("ears")] > 0.05
    cavity = head.paint[:, head.paints.index("cavity")] > 0.05
    reach = (out[:, 1] > -0.11) & (head.mean[:, 2] < -0.06) | (out[:, 1] > -0.02)
    scalp = np.flatnonzero(skin & ~ears & ~cavity & reach & (distance > 0.06))

    azimuth = np.linspace(-np.pi, np.pi, COLUMNS, endpoint=False)
    aside = np.degrees(azimuth) - kind.parting * np.cos(azimuth).clip(0)
    end = np.interp(np.abs(aside), kind.azimuths, kind.ends)
    end = end + rng.normal(0, 1.2, COLUMNS)
    steps = np.linspace(0, 1, ROWS)[:, None]
    height = 89 + (end - 89) * steps  # [rows, columns] degrees along the strand
    below = np.minimum(height, 0) if kind.hangs else 0 * height
    elevation = np.radians(height - below)
    direction = np.stack(
        [
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
            np.cos(azimuth) * np.cos(elevation),
        ],
        -1,
    ).reshape(-1, 3)
    close = direction @ (out[scalp] / distance[scalp, None]).T
    nearest = np.argsort(-close, 1)[:, :6]
    weight = np.exp(400 * (np.take_along_axis(close, nearest, 1) - 1))
    weight /= weight.sum(1, keepdims=True)

    lock = np.convolve(np.tile(rng.normal(0, 1, COLUMNS), 3), [0.3, 0.5, 0.3], "same")
    lock = lock[COLUMNS : 2 * COLUMNS]
    rise = smooth(0, 16 if kind.hangs else 28, height - end)
    if kind.hangs:
        rise = np.maximum(rise, smooth(5, -10, height))
    lift = rise * (kind.lift * (0.45 + 0.55 * smooth(0, 60, height)) + 0.0008 * lock) - 0.0015
    if kind.hangs:
        tip = smooth(-55, -100, height)
        lift = lift + smooth(10, -30, height) * (0.009 + 0.0015 * lock) - 0.020 * tip
    first = np.arange(COLUMNS)
    after = np.roll(first, -1)
    rows = np.arange(ROWS - 1)[:, None] * COLUMNS
    a, b = (rows + first).ravel(), (rows + after).ravel()
    c, d = a + COLUMNS, b + COLUMNS
    faces = np.concatenate([np.stack([a, c, d], 1), np.stack([a, d, b], 1)]).astype(np.int32)
    place = np.stack([0.09 * azimuth + 0 * height, height * DROP, 1 + 0 * height], -1)
    return _Shell(
        scalp,
        nearest,
        weight.astype(np.float32),
        direction.astype(np.float32),
        lift.ravel().astype(np.float32),
        (-below * DROP).ravel().astype(np.float32),
        faces,
        place.reshape(-1, 3).astype(np.float32),
    )
