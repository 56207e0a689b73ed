"""Which points of the mesh do what, and how a face lies in its picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avtool.face import align
from avtool.values import Array

PARTED = 0.008  # head units between inner lips that still count as closed


@dataclass(frozen=True)
class Opening:
    """A slit in the skin whose edges can meet: the mouth, or an eye.

    ``upper`` and ``lower`` are rings of points from the outside in, each from the corner on the
    left of the picture to that on the right; only the innermost have their corners, the same two.
    """

    upper: tuple[tuple[int, ...], ...]
    lower: tuple[tuple[int, ...], ...]
    margin: float  # head units around it that its edges may drag along
    closed: float  # head units between its edges at which they touch


# fmt: off
MOUTH = Opening(
    ((61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
     (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306),
     (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)),
    ((61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
     (76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306),
     (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)),
    margin=0.16, closed=PARTED,
)
EYES = (
    Opening(((247, 30, 29, 27, 28, 56, 190), (33, 246, 161, 160, 159, 158, 157, 173, 133)),
            ((25, 110, 24, 23, 22, 26, 112), (33, 7, 163, 144, 145, 153, 154, 155, 133)),
            margin=0.13, closed=0.0),
    Opening(((414, 286, 258, 257, 259, 260, 467), (362, 398, 384, 385, 386, 387, 388, 466, 263)),
            ((341, 256, 252, 253, 254, 339, 255), (362, 382, 381, 380, 374, 373, 390, 249, 263)),
            margin=0.13, closed=0.0),
)
# Points that show how the whole head moves: forehead, nose, eye corners, temples.
SKULL = np.array([10, 151, 9, 8, 168, 6, 197, 33, 263, 133, 362, 127, 356, 139, 368, 71, 301,
                  109, 338, 67, 297, 103, 332, 54, 284, 21, 251])
# Points spread evenly over the face, without those around the openings.
FACE = np.array([
    8, 10, 21, 32, 36, 50, 51, 54, 57, 65, 67, 69, 70, 92, 100, 101, 103, 104, 105, 107, 108, 109,
    111, 127, 135, 137, 138, 139, 148, 149, 150, 151, 152, 167, 174, 176, 177, 182, 193, 197, 200,
    203, 205, 207, 208, 209, 211, 214, 215, 216, 221, 223, 225, 226, 227, 229, 232, 238, 240, 251,
    262, 266, 275, 279, 280, 284, 285, 288, 296, 297, 299, 300, 323, 332, 333, 334, 336, 337, 338,
    347, 348, 355, 361, 372, 377, 378, 389, 391, 393, 394, 397, 399, 406, 411, 413, 416, 422, 425,
    426, 428, 434, 436, 442, 445, 446, 447, 448, 451, 460, 462])
# The face's outline below the eyes, ear to ear.
JAW = np.array([454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136,
                172, 58, 132, 93, 234])
# fmt: on


@dataclass(frozen=True, eq=False)
class Pose:
    """How a head lies in its picture: pixel = at + axes @ (x, y, z) of head coordinates.

    Shape:
        own: float32 [468, 3], the mesh in head coordinates; axes: float64 [2, 3]; at: [2];
        unit: pixels from one outer eye corner to the other, if it looked into the camera.
    """

    own: Array
    axes: Array
    at: Array
    unit: float

    @classmethod
    def of(cls, points: Array) -> Pose:
        own, rotation = align(points)
        flat = points.astype(np.float64)
        spread = own - own.mean(0)
        unit = float(np.sqrt(((flat - flat.mean(0)) ** 2).sum() / (spread**2).sum()))
        axes = unit * rotation[:, :2].T.astype(np.float64)
        return cls(own, axes, flat.mean(0)[:2] - axes @ own.mean(0), unit)

    def place(self, x: float, y: float, z: float) -> Array:
        """The pixel of a place in head coordinates, float64 [2]."""
        return np.asarray(self.at + self.axes @ np.array([x, y, z]))

    def laid(self, points: Array, own: Array) -> Array:
        """Its mesh [468, 3] in pixels, moved to be ``own`` in head coordinates."""
        target = points.copy()
        target[:, :2] += (own - self.own) @ self.axes.T
        return target


def edges(opening: Opening, points: Array, unit: float) -> tuple[Array, Array]:
    """The two inner edges in pixels, float64 [n, 2] each, that touch where all but closed.

    The mesh's inner lips never quite meet: what is left between closed lips is no opening.
    """
    upper = points[list(opening.upper[-1]), :2].astype(np.float64)
    lower = points[list(opening.lower[-1]), :2].astype(np.float64)
    across = upper[-1] - upper[0]
    down = np.array([-across[1], across[0]]) / max(float(np.hypot(*across)), 1e-6)
    gap = (lower - upper) @ down
    left = np.maximum(gap - opening.closed * unit, 0)
    pull = ((gap - left) / 2)[:, None] * down
    return upper + pull, lower - pull
