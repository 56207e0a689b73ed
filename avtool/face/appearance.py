"""A face in one picture: its mesh, and what it looks like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avtool.face.align import align
from avtool.face.detect import iou
from avtool.face.landmarks import EYES, Landmarker, Square, cut
from avtool.values import Array

PRESENCE = 0.5  # a mesh below this is no face
SMALLEST = 8  # pixels


@dataclass(frozen=True, eq=False)
class Look:
    """A face in one picture.

    Shape:
        points: float32 [468, 3] in pixels; box: float32 [4]; square: where the next look goes.
    """

    points: Array
    score: float
    square: Square
    box: Array

    @classmethod
    def at(cls, landmarker: Landmarker, image: Array, square: Square, passes: int) -> Look | None:
        """Where the square leads; each further pass looks where the last one found the face."""
        for _ in range(passes):
            points, score = landmarker(image, square)
            flat = points[:, :2].astype(np.float64)
            box = np.concatenate([flat.min(0), flat.max(0)]).astype(np.float32)
            middle = (box[:2] + box[2:]) / 2
            inside = (middle > 0).all() and (middle < image.shape[1::-1]).all()
            if score < PRESENCE or not inside or (box[2:] - box[:2]).max() < SMALLEST:
                return None
            square = Square.around(flat, flat[EYES])
        return cls(points, score, square, box)


# Points of brows, eyes, nose and cheeks; where a square's picture shows the face and its hair.
_BONES = np.array(
    [
        *(10, 9, 168, 6, 197, 5, 4, 2, 98, 327, 33, 133, 362, 263, 70),
        *(105, 107, 336, 334, 300, 50, 280, 117, 346, 234, 454, 127, 356, 54, 284),
    ]
)
_DISC = ((np.mgrid[:8, :8] - 3.5) ** 2).sum(0) < 16


@dataclass(frozen=True, eq=False)
class Appearance:
    """What a face looks like: a coarse picture of it and its hair, and its bones."""

    colours: Array
    shape: Array

    @classmethod
    def of(cls, image: Array, look: Look) -> Appearance:
        small = cut(image, look.square, 64).reshape(8, 8, 8, 8, 3).mean((1, 3))[_DISC] / 255
        own = align(look.points)[0]
        return cls(small - small.mean(), own[_BONES])

    def distance(self, other: Appearance) -> float:
        """Below 1 for the same face in one video: there colours differ by less than 0.03 and
        shapes by 0.011, those of different people by more than 0.09 and about 0.015.
        """
        colours = np.sqrt(((self.colours - other.colours) ** 2).mean()) / 0.08
        shape = np.sqrt(((self.shape - other.shape) ** 2).mean()) / 0.02
        return float(np.hypot(colours, shape))

    def blend(self, other: Appearance, part: float) -> Appearance:
        return Appearance(
            self.colours + part * (other.colours - self.colours),
            self.shape + part * (other.shape - self.shape),
        )


def overlap(a: Look, b: Look) -> float:
    """IoU of two boxes."""
    return float(iou(a.box[None], b.box[None])[0, 0])
