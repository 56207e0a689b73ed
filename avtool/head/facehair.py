"""Brows, lashes and beards, hair by hair; each lies on a place of the skin and moves with it."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from avtool.head.light import Appearance
from avtool.head.model import REGIONS, Head, smooth
from avtool.head.raster import rasterise
from avtool.head.skin import beard_cover, brow_line
from avtool.head.strands import Strands
from avtool.values import Array

FINE = 0.0003  # metres between the places of the skin that hair may lie on
FIELD = (-0.08, 0.16, 0.06)  # left, and how low and high they are
BROWS, LASHES, LOWER, BEARD = 380, 60, 22, 9000  # hairs


class Rooted(NamedTuple):
    """Hairs on the skin: [k, n] triangles and [k, n, 3] weights, metres off it, and more.

    ``rank``: [n], 0 to 1, how wide the brows must be, or how full the beard, for a hair to grow.
    """

    face: Array
    weight: Array
    lift: Array
    rank: Array


def strands(head: Head, vertices: Array, normal: Array, look: Appearance) -> list[Strands]:
    """The hairs of a face as it now is.

    Args:
        normal: of the vertices, [v, 3].
    """
    own = np.array(look.hair, np.float32)
    skin = np.array(look.skin, np.float32)
    grey = np.float32(min(0.75 * look.grey, 1))
    brown = own * 0.9 + grey * 0.5 * (np.array([0.36, 0.34, 0.32], np.float32) - own)
    beard = own * 0.9 + grey * (np.array([0.45, 0.43, 0.41], np.float32) - own)
    kinds = [
        (_brows(head), look.brows, 1.0, brown + 0.18 * skin, 0.25, 0.00028),
        (_lashes(head), look.lashes, 1.0, 0.4 * brown + 0.04 * skin, 0.1, 0.00026),
        (_lower(head), 0.8 * look.lashes, 1.0, 0.5 * brown + 0.25 * skin, 0.1, 0.00018),
    ]
    bare = 0.45 * (1 - min(2 * look.beard, 1))  # of stubble, the skin shows through
    beard += bare * (0.6 * skin - beard)
    full = max(0.9 * look.stubble, look.beard)
    if full > 0.02:
        long = 0.0012 + 0.010 * look.beard
        kinds.append((_beard(head), full, long, beard, 0.2, 0.00016))
    made = []
    for (face, weight, lift, rank), wide, long, colour, gloss, width in kinds:
        chosen = np.flatnonzero(rank <= wide)
        face, weight, lift = face[:, chosen], weight[:, chosen], lift[:, chosen]
        corners = head.faces[face]
        points, facing = (
            sum(weight[..., k, None] * each[corners[..., k]] for k in range(3))
            for each in (vertices, normal)
        )
        if long < 1:  # a beard: its hairs leave the skin, downwards
            s = np.linspace(0, 1, 4, dtype=np.float32)[:, None, None]
            vary = (0.6 + 0.8 * rank[chosen] / max(full, 0.02))[:, None] * long
            down = np.array([0, -0.9, 0.1], np.float32)
            near = smooth(-0.063, -0.052, points[0, :, 1] + 0 * points[0, :, 0])[:, None]
            vary = vary * (1 - 0.6 * near)  # above the lip
            points = points[:1] + s * vary * (0.75 * down + 0.55 * facing[:1] * (1 - 0.6 * s))
            facing = np.broadcast_to(facing[:1], points.shape)
        else:
            points = points + lift[..., None] * facing
        vary = np.exp(0.25 * np.sin(np.arange(len(chosen)) * 2.4))[:, None]
        made.append(
            Strands(
                points.astype(np.float32),
                facing.astype(np.float32),
                np.ones(points.shape[:2], np.float32),
                (colour * vary).astype(np.float32),
                gloss=gloss,
                width=width,
            )
        )
    return made


@lru_cache(4)
def _front(head: Head) -> tuple[Array, Array, Array]:
    """Of the head from the front, eyes and all: [rows, columns] faces or -1, weights, the shape."""
    left, low, high = FIELD
    points = np.column_stack(
        [
            (head.mean[:, 0] - left) / FINE,
            (high - head.mean[:, 1]) / FINE,
            0.5 - head.mean[:, 2],
        ]
    )
    wide, tall = round(-2 * left / FINE), round((low + high) / FINE)
    lash = head.region == REGIONS.index("lash")
    faces = np.flatnonzero(~lash)
    pixel, face, weight = rasterise(points, head.faces[faces], wide, tall)
    which = np.full(wide * tall, -1, np.int32)
    which[pixel] = faces[face]
    weights = np.zeros((wide * tall, 3), np.float32)
    weights[pixel] = weight
    return which.reshape(tall, wide), weights.reshape(tall, wide, 3), points


def _on_skin(head: Head, x: Array, y: Array) -> tuple[Array, Array]:
    """Triangles and weights of places seen from the front."""
    which, weights, _ = _front(head)
    column = np.clip((x - FIELD[0]) / FINE, 0, which.shape[1] - 1).astype(np.int32)
    row = np.clip((FIELD[2] - y) / FINE, 0, which.shape[0] - 1).astype(np.int32)
    return which[row, column], weights[row, column]


@lru_cache(4)
def _brows(head: Head) -> Rooted:
    rng = np.random.default_rng(31)
    count = 2 * BROWS
    t, v = rng.random(count) ** 0.9, rng.uniform(-1, 1, count)
    side = np.where(np.arange(count) % 2, 1.0, -1.0)
    thin = 1.0 - 0.62 * t
    rank = 1.6 * np.abs(v) * (0.85 + 0.3 * rng.random(count))
    half = 0.0046 * 1.6 * thin
    x = 0.0105 + 0.0385 * t
    y = brow_line(t) + v * half
    steep = np.radians(np.interp(t, (0, 0.12, 0.35, 0.75, 1), (95, 70, 32, 2, -22)))
    steep = steep - np.radians(22) * v * smooth(0.05, 0.4, t) + rng.normal(0, 0.10, count)
    long = np.interp(t, (0, 0.3, 0.8, 1), (0.0050, 0.0075, 0.0065, 0.0045))
    long = long * rng.uniform(0.75, 1.15, count)
    s = np.linspace(0, 1, 5)[:, None]
    angle = steep - 0.5 * s * np.sign(steep) * np.minimum(np.abs(steep), 0.8)
    px = x + long * s * np.cos(angle)
    py = y + long * s * np.sin(angle)
    face, weight = _on_skin(head, side * px, py)
    good = (face >= 0).all(0)
    lift = 0.0003 + 0.0012 * (s * (1.3 - s)) * np.ones(count)
    return Rooted(face[:, good], weight[:, good], lift[:, good].astype(np.float32), rank[good])


@lru_cache(4)
def _lashes(head: Head) -> Rooted:
    """Along the lids' lash strips, which are laid flat in the head's texture."""
    rng = np.random.default_rng(32)
    chosen = np.flatnonzero(head.region == REGIONS.index("lash"))
    found: list[tuple[Array, Array]] = []
    for side in (1, -1):
        mine = chosen[head.mean[head.faces[chosen]].mean(1)[:, 0] * side > 0]
        uv = head.uv[head.uv_faces[mine]]
        low, high = uv.min((0, 1)), uv.max((0, 1))
        flat = (uv.reshape(-1, 2) - low) / (high - low) * (400, 160)
        points = np.column_stack([flat, np.ones(len(flat))])
        corners = np.arange(len(flat)).reshape(-1, 3)
        both = np.ones(len(corners), bool)
        pixel, face, weight = rasterise(points, corners, 400, 160, both)
        which = np.full((160, 400), -1)
        which.ravel()[pixel] = np.arange(len(pixel))
        inside = which >= 0
        tip, root = inside.argmax(0), 159 - inside[::-1].argmax(0)
        at = rng.uniform(12, 388, LASHES)
        outward = np.sign(head.mean[head.faces[mine[face[which[root[200], 200]]]]].mean(0)[0])
        lean = 14 * outward + rng.normal(0, 6, LASHES)
        s = np.linspace(0, 1, 5)[:, None]
        column = np.clip(at + lean * s, 6, 393).astype(int)
        long = rng.uniform(0.40, 0.85, LASHES)
        row = root[column] + (tip[column] - root[column]) * np.minimum(s * long, 0.97)
        number = which[np.clip(row, 0, 159).astype(int), column]
        good = (number >= 0).all(0)
        number = number[:, good]
        found.append((mine[face[number]], weight[number]))
    face = np.concatenate([each[0] for each in found], 1)
    weight = np.concatenate([each[1] for each in found], 1)
    mixed = rng.permutation(face.shape[1])
    rank = np.asarray(rng.random(face.shape[1]))
    return Rooted(face[:, mixed], weight[:, mixed], np.zeros(face.shape), rank)


@lru_cache(4)
def _lower(head: Head) -> Rooted:
    """Below the eyes, short ones."""
    rng = np.random.default_rng(33)
    which, _, _ = _front(head)
    eye = (head.region == REGIONS.index("eye"))[which] & (which >= 0)
    x = rng.uniform(0.019, 0.043, 2 * LOWER)
    side = np.where(np.arange(2 * LOWER) % 2, 1.0, -1.0)
    column = ((side * x - FIELD[0]) / FINE).astype(int)
    bottom = which.shape[0] - 1 - eye[::-1].argmax(0)
    y = FIELD[2] - (bottom[column] + 2.0) * FINE
    s = np.linspace(0, 1, 4)[:, None]
    long = rng.uniform(0.0012, 0.0022, 2 * LOWER)
    out = (x - 0.029) / 0.013
    face, weight = _on_skin(head, side * (x + long * s * 0.5 * out), y - 0.8 * long * s)
    good = (face >= 0).all(0) & eye[:, column].any(0)
    lift = (0.0012 * s * (2 - s)) * np.ones(2 * LOWER)
    return Rooted(face[:, good], weight[:, good], lift[:, good], rng.random(int(good.sum())))


@lru_cache(4)
def _beard(head: Head) -> Rooted:
    rng = np.random.default_rng(34)
    x, y = rng.uniform(-0.072, 0.072, 4 * BEARD), rng.uniform(-0.136, -0.02, 4 * BEARD)
    face, weight = _on_skin(head, x, y)
    corner = np.maximum(head.faces[face], 0)
    place = (weight[..., None] * head.mean[corner]).sum(1)
    lips = (weight * head.paint[corner, head.paints.index("lips")]).sum(1)
    cavity = (weight * head.paint[corner, head.paints.index("cavity")]).sum(1)
    ears = (weight * head.paint[corner, head.paints.index("ears")]).sum(1)
    grows = beard_cover(place) * (ears < 0.02) * (lips < 0.08) * (cavity < 0.05) * (face >= 0)
    grows *= (head.region == REGIONS.index("skin"))[face]
    kept = np.flatnonzero(rng.random(len(x)) < 0.55 * grows)[:BEARD]
    rank = rng.random(len(kept))
    return Rooted(face[None, kept], weight[None, kept], np.zeros((1, len(kept))), rank)
