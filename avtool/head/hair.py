"""The head and its hair as one mesh, which is what a picture or a file shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avtool.head import hairdo
from avtool.head.hairdo import Hairdo
from avtool.head.model import REGIONS, Head
from avtool.values import Array

LOCKS = len(REGIONS)  # the region of the hair's faces


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


def paints(head: Head) -> tuple[str, ...]:
    """The names of a ``Mesh``'s paints."""
    return (*head.paints, "hair", "along_x", "along_y", "along_z")


def dressed(head: Head, vertices: Array, style: Hairdo) -> Mesh:
    """The head with its hair."""
    made = hairdo.grown(head, vertices, style)
    grows = growth(head, style)
    skin = np.column_stack([head.paint, grows, np.zeros((len(grows), 3), np.float32)])
    locks = np.zeros((len(made.vertices), skin.shape[1]), np.float32)
    locks[:, -4], locks[:, -3:] = made.density, made.along
    return Mesh(
        np.concatenate([vertices, made.vertices]),
        np.concatenate([head.faces, made.faces + len(vertices)]),
        np.concatenate([head.region, np.full(len(made.faces), LOCKS, np.uint8)]),
        np.concatenate([head.mean, made.place]),
        np.concatenate([skin, locks]),
    )


def growth(head: Head, style: Hairdo) -> Array:
    """How much hair grows at the head's vertices, 0 to 1 [v]."""
    grows = hairdo.grows(head.mean, style)
    return np.asarray(grows * (1 - head.paint[:, head.paints.index("ears")]))
