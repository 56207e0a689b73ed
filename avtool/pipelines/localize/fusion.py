"""One probability out of all cues: which cell or face the sound comes from, or nowhere.

A softmax over all cells, all faces and "nowhere" of what the cues say of each; the weights were
fitted by maximum likelihood on made scenes (``train.fusion``). The attention cue, where there is
one, has its own weight already (``attention``) and is added as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avtool.draw.heat import softened
from avtool.pipelines.localize.cues import Cues
from avtool.pipelines.localize.stereo import columns
from avtool.values import Array

WITHIN = 0.3  # how much the motion around a mouth counts, against that of a cell


@dataclass(frozen=True)
class Weights:
    """What counts how much, in log-odds, as ``train.fusion`` found it.

    That of the side is 0.6 of what it found, as microphones differ. Those of lips and face are the
    pair with the lowest Brier score among those that call a voice off screen visible with 0.27 or
    less, in the mean of 28 of the recipe's scenes with faces that nothing was fitted on.

    Args:
        motion: a unit of agreement of a cell's motion; thing: any cell, before anything is known.
        lips: a unit of log-odds of a face's lips; face: any face.
        side: a unit of log-odds of a column.
    """

    motion: float = 38.0
    thing: float = -1.3
    lips: float = 1.75
    face: float = -4.25
    side: float = 5.0


@dataclass(frozen=True, eq=False)
class Fused:
    """One moment: what cells, faces and nowhere share is 1.

    Shape:
        things: float32 [rows, columns], of cells; faces: float [faces]; map: float32
        [rows, columns], both together, each face's part around its mouth.
    """

    map: Array
    things: Array
    faces: Array

    @property
    def visible(self) -> float:
        return float(self.map.sum())


def fuse(cues: Cues, weights: Weights) -> Fused:
    """The probability of each cell and each face, all cues together."""
    rows, cols = cues.motion.shape
    if not cues.heard:
        nothing = np.zeros((rows, cols), np.float32)
        return Fused(nothing, nothing, np.zeros(len(cues.faces)))
    side = weights.side * columns(*cues.side, cols)
    odds = weights.thing - np.log(rows * cols) + weights.motion * cues.motion + side
    if cues.attention is not None:
        odds = odds + cues.attention
    spots = [mouth(box, rows, cols) for box in cues.boxes]
    heads = np.zeros(len(spots))
    for n, (said, spot) in enumerate(zip(cues.faces, spots, strict=True)):
        if said is None or spot is None:
            heads[n] = -np.inf
            continue
        odds = np.where(spot.head, -30.0, odds)  # what moves in a face is judged by its lips
        agree = float((cues.motion * spot.map).sum())
        at = float((side * spot.map.sum(0)).sum())
        heads[n] = weights.face + weights.lips * said + WITHIN * weights.motion * agree + at
        if cues.attention is not None:  # of a face as of a cell, else what is beside it would win
            heads[n] += float((cues.attention * spot.map).sum())
    top = max(0.0, float(odds.max()), float(heads.max(initial=-np.inf)))
    things, faces = np.exp(odds - top), np.exp(heads - top)
    total = np.exp(-top) + things.sum() + faces.sum()
    things, faces = (things / total).astype(np.float32), faces / total
    shown = things.copy()
    for part, spot in zip(faces, spots, strict=True):
        if spot is not None:
            shown += np.float32(part) * spot.map
    return Fused(shown, things, faces)


@dataclass(frozen=True, eq=False)
class Spot:
    """A face on the grid: ``map`` float32 [rows, columns] around its mouth, sums to 1; ``head``."""

    map: Array
    head: Array


def mouth(box: Array | None, rows: int, cols: int) -> Spot | None:
    """A face's place; ``box`` in parts of the picture's width and height."""
    if box is None:
        return None
    x0, y0, x1, y1 = box * [cols, rows, cols, rows]
    x, y = np.arange(cols) + 0.5, np.arange(rows)[:, None] + 0.5
    wide, high = max(x1 - x0, 1.0), max(y1 - y0, 1.0)
    spot = np.exp(
        -0.5 * ((x - (x0 + x1) / 2) / (0.14 * wide)) ** 2
        - 0.5 * ((y - (y0 + 0.75 * high)) / (0.12 * high)) ** 2
    )
    head = (x > x0 - 0.2 * wide) & (x < x1 + 0.2 * wide)
    head = head & (y > y0 - 0.3 * high) & (y < y1 + 0.1 * high)
    return Spot((spot / spot.sum()).astype(np.float32), head)


def explained(cues: Cues, weights: Weights) -> dict[str, Array]:
    """What each cue says alone: 0 to 1, [rows, columns]; for the eye."""
    rows, cols = cues.motion.shape
    faces = np.zeros((rows, cols), np.float32)
    for said, box in zip(cues.faces, cues.boxes, strict=True):
        spot = mouth(box, rows, cols)
        if said is not None and spot is not None:
            odds = 1 / (1 + np.exp(-weights.face - weights.lips * said))
            faces = np.maximum(faces, softened(spot.map) * np.float32(odds))
    side = np.exp(weights.side * columns(*cues.side, cols)) * cues.side[1]
    found: dict[str, Array] = {
        "motion": np.clip(weights.motion * cues.motion / 12, 0, 1),
        "faces": faces,
        "stereo": np.tile(np.clip(side / 2, 0, 1), (rows, 1)).astype(np.float32),
    }
    if cues.attention is not None:
        fits = np.exp(np.minimum(cues.attention, 30))
        found["attention"] = softened(fits) * np.float32(fits.mean() / (1 + fits.mean()))
    return found


def decided(cues: Cues, weights: Weights, cell: tuple[int, int]) -> str:
    """The cue that says most for a cell: motion, stereo or attention."""
    cue = "stereo" if cues.side[1] * 0.5 > cues.motion[cell] else "motion"
    if cues.attention is not None:
        side = weights.side * columns(*cues.side, cues.motion.shape[1])[cell[1]]
        if cues.attention[cell] > max(weights.motion * cues.motion[cell], side):
            cue = "attention"
    return cue
