"""Strands of hair in a picture: each a thin line, lit across itself, the nearest at each sample.

Lines are laid as points a sample apart and sorted by their distance, which in numpy is quicker
than one line after the other. Light is of Kajiya and Kay (1989), with the second, coloured
highlight of Marschner et al. (2003).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from avtool.head.light import CLOTH_LIGHT, KEY, RIMS, lit
from avtool.values import Array

TOUCH = 0.004  # metres by which the skin may hide a strand that lies on it


@dataclass(frozen=True, eq=False)
class Strands:
    """Strands from their roots to their ends, in k steps.

    Shape:
        points: float32 [k, n, 3], metres; normal: float32 [k, n, 3], of the surface of the hair;
        deep: float32 [k, n], how much of the light gets there, 0 to 1; colour: linear [n, 3];
        coil: float32 [4, n]: of a helix about the strand its radius, how much of it the root has,
        its turns a step, and where it begins, in radians.
    """

    points: Array
    normal: Array
    deep: Array
    colour: Array
    coil: Array | None = None
    gloss: float = 1.0
    width: float = 0.0004  # metres, of a strand or of what hangs together


Project = Callable[[Array], Array]  # points [..., 3] to pixels right and down, and metres away


def laid(strands: Strands, project: Project, flat: Array, nearest: Array, width: int) -> None:
    """Draw strands before what is nearest.

    Args:
        flat: linear light of a picture, [height * width, 3], which is painted; nearest: metres to
            what it shows, [height * width].
    """
    if not strands.points.shape[1]:
        return
    seen = project(strands.points)
    ends = seen[..., :2].astype(np.int32)
    height = len(flat) // width
    inside = ((ends >= 0) & (ends < (width, height))).all(-1)
    place = np.where(inside, ends[..., 1] * width + ends[..., 0], 0)
    shown = inside & (seen[..., 2] < nearest[place] + TOUCH)
    piece = np.flatnonzero(shown[:-1] | shown[1:])
    seen = seen.reshape(-1, 3)
    after = piece + strands.points.shape[1]
    far = seen[piece, 2] + seen[after, 2]
    order = np.argsort(-far)  # the nearest last, and the last is what stays
    piece, after = piece[order], after[order]
    step = seen[after] - seen[piece]
    long = np.abs(step[:, :2]).max(1)
    ruler = project(np.array([[0, 0, 0], [1, 0, 0]], np.float32))
    scale = ruler[1, 0] - ruler[0, 0]  # pixels a metre
    coil = None
    if strands.coil is not None:
        coil = strands.coil * np.array([scale, 1, 1, 1], np.float32)[:, None]
        long = np.hypot(long, 0.9 * (coil[0] * coil[2])[piece % coil.shape[1]])
    count = np.minimum(long, 60).astype(np.int32) + 1
    owner = np.repeat(np.arange(len(piece), dtype=np.int32), count)
    within = np.arange(len(owner), dtype=np.int32) - (np.cumsum(count) - count)[owner]
    part = (within / count[owner]).astype(np.float32)
    points = [seen[piece, k][owner] + part * step[owner, k] for k in range(3)]
    if coil is not None:
        row, strand = np.divmod(piece, coil.shape[1])
        radius, first, turns, phase = coil[:, strand]
        at = row[owner] + part
        angle = phase[owner] + at * turns[owner]
        grown = np.minimum(at * np.float32(2.5 / (len(strands.points) - 1)), 1)
        away = radius[owner] * (first[owner] * (1 - grown) + grown)
        points[0] += away * np.sin(angle)
        points[1] += 0.8 * away * np.cos(angle)
    x, y = points[0].astype(np.int32), points[1].astype(np.int32)
    pixel = np.where((x >= 0) & (x < width) & (y >= 0) & (y < height), y * width + x, 0)
    front = np.flatnonzero((points[2] < nearest[pixel] + TOUCH) & (pixel > 0))
    winner = np.full(len(flat), -1, np.int32)
    winner[pixel[front]] = front
    covered = np.flatnonzero(winner >= 0)
    sample = winner[covered]
    row, strand = np.divmod(piece[owner[sample]], strands.points.shape[1])
    # What is thinner than a sample hides a part of it, several hide more.
    gaps = 1 - min(strands.width * float(scale), 1.0)
    hits = np.bincount(pixel[front], minlength=len(flat))[covered]
    hides = 1 - (gaps ** np.minimum(hits, 8).astype(np.float32))[:, None]
    flat[covered] += hides * (_lit(strands, row, part[sample], strand) - flat[covered])


def _lit(strands: Strands, row: Array, part: Array, strand: Array) -> Array:
    """Linear light of strands at samples [n, 3]."""

    def between(values: Array) -> Array:
        a, b = values[row, strand], values[row + 1, strand]
        weight = part[:, None] if a.ndim > 1 else part
        return np.asarray(a + weight * (b - a))

    along = strands.points[row + 1, strand] - strands.points[row, strand]
    if strands.coil is not None:  # a coil shows all its sides
        radius, _, turns, phase = (values[strand] for values in strands.coil)
        angle = phase + (row + part) * turns
        bend = np.minimum(radius * np.abs(turns), 0.02)
        along = along + bend[:, None] * np.column_stack(
            [np.cos(angle), -0.8 * np.sin(angle), 0 * angle]
        )
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    normal = between(strands.normal)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    deep, colour = between(strands.deep), strands.colour[strand]
    across = normal - along * np.einsum("nk,nk->n", normal, along)[:, None]
    diffuse, _ = lit((0.5 * normal + 0.5 * across).astype(np.float32), CLOTH_LIGHT)
    image = colour * diffuse
    jitter = np.float32(0.07) * np.sin(strand * np.float32(12.9898))
    for lamp, light in (KEY, *RIMS):
        towards = np.array(lamp, np.float32) / np.float32(np.linalg.norm(lamp))
        half = towards + np.array([0, 0, 1], np.float32)
        half /= np.linalg.norm(half)
        side = np.clip(normal @ towards + 0.25, 0, 1)
        lean, lifted = along @ half, jitter + np.einsum("nk,nk->n", along, normal) * 0
        first = np.clip(1 - (lean + lifted - 0.06) ** 2, 0, 1) ** 40
        second = np.clip(1 - (lean + lifted + 0.14) ** 2, 0, 1) ** 14
        shine = first[:, None] * np.float32(0.045) + second[:, None] * (0.9 * colour)
        image += strands.gloss * side[:, None] * shine * np.array(light, np.float32)
    return np.asarray(image * deep[:, None], np.float32)
