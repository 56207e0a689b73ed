"""What hides a mouth: a hand, a microphone, told by pixels that are no skin of this face.

Each picture's lower face, laid on the same small grid by its mesh, is held against the film's
usual one. Speech, light and a turning head change some cells by as much as they always do; what
comes before the face changes many by far more.
"""

from __future__ import annotations

import warnings

import cv2
import numpy as np

from avtool.face import LIPS_OUTER
from avtool.pipelines.lips.warp.topology import Pose
from avtool.spool import Spool
from avtool.values import Array

CELLS = 16  # on each side of the grid
LEFT, TOP, SIDE = -0.5, 0.32, 1.0  # head units: from below the nose to the chin
SAMPLES = 400  # pictures of which the usual one is made
FEW = 10  # pictures that show what is usual
FAR = 0.28  # of the face's light that a cell must be away from its usual colour
OFTEN = 4.0  # of the cell's own spread
HIDDEN = (0.07, 0.10)  # of the cells so: speech and turning stay below, a hand is above


class Lookout:
    """Watches for what comes before a mouth, picture by picture."""

    def __init__(self) -> None:
        self._spool = Spool()

    def add(self, image: Array, points: Array) -> None:
        """The next picture, uint8 RGB, and its mesh float32 [468, 3] in pixels."""
        pose = Pose.of(points)
        seen = cells(image, pose)
        own = (pose.own[list(LIPS_OUTER), :2] - (LEFT, TOP)) / SIDE * CELLS - 0.5
        lips = np.zeros((CELLS, CELLS), np.uint8)
        cv2.fillPoly(lips, [np.round(own).astype(np.int32)], 1)
        seen[cv2.dilate(lips, np.ones((3, 3), np.uint8)) > 0] = np.nan  # a mouth may do anything
        self._spool.append(seen.reshape(1, -1))

    def skip(self) -> None:
        """A picture without the face."""
        self._spool.append(np.full((1, CELLS * CELLS * 3), np.nan, np.float16))

    def shown(self) -> Array:
        """How far nothing hides the mouth in each picture, float [pictures], 0 to 1."""
        step = max(1, self._spool.rows // SAMPLES)
        some = np.concatenate(
            [np.empty((0, CELLS * CELLS * 3))]
            + [rows[np.isfinite(rows[:, 0])][::step] for rows in self._spool.blocks()]
        )
        if len(some) < FEW:
            return np.ones(self._spool.rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a cell that is always lips
            usual = np.nanmedian(some, 0)
            spread = 1.48 * np.nanmedian(np.abs(some - usual), 0)
        limit = np.nan_to_num(np.maximum(FAR, OFTEN * spread))
        parts = []
        for rows in self._spool.blocks():
            away = np.abs(np.nan_to_num(rows - usual)) > limit
            parts.append(away.reshape(len(rows), -1, 3).any(2).mean(1))
        least, most = HIDDEN
        return np.asarray(np.clip((most - np.concatenate(parts)) / (most - least), 0, 1))


def cells(image: Array, pose: Pose) -> Array:
    """The lower face over its own light, float16 [cells, cells, 3]."""
    fine = 4 * CELLS
    axes = pose.axes[:, :2] * (SIDE / fine)
    matrix = np.column_stack([axes, pose.place(LEFT, TOP, -0.15)])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(image, matrix, (fine, fine), flags=how, borderMode=cv2.BORDER_REPLICATE)
    small = cv2.resize(patch, (CELLS, CELLS), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(small / max(float(np.median(small)), 8.0), np.float16)
