"""Full cells as cubes: the faces between a full cell and an empty one."""

from __future__ import annotations

import numpy as np

from avtool.pipelines.shape.values import Surface, Voxels

# Of each side of a cube: which way it looks, and its corners, counter-clockwise from outside.
SIDES = (
    ((1, 0, 0), ((1, 0, 0), (1, 1, 0), (1, 1, 1), (1, 0, 1))),
    ((-1, 0, 0), ((0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 0))),
    ((0, 1, 0), ((0, 1, 0), (0, 1, 1), (1, 1, 1), (1, 1, 0))),
    ((0, -1, 0), ((0, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 1))),
    ((0, 0, 1), ((0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1))),
    ((0, 0, -1), ((0, 0, 0), (0, 1, 0), (1, 1, 0), (1, 0, 0))),
)


def cubes(voxels: Voxels) -> Surface:
    """The outside of the full cells, two triangles a square."""
    full = np.pad(voxels.full, 1)
    corners = []
    for way, square in SIDES:
        seen = full & ~np.roll(full, [-step for step in way], (0, 1, 2))
        cells = np.argwhere(seen) - 1
        corners.append(cells[:, None] + np.array(square))
    quads = np.concatenate(corners) - 0.5  # [q, 4, 3]
    flat = np.rint(2 * quads).astype(np.int64).reshape(-1, 3)
    points, at = np.unique(flat, axis=0, return_inverse=True)
    at = at.reshape(-1, 4)
    faces = np.concatenate([at[:, [0, 1, 2]], at[:, [0, 2, 3]]])
    frame = voxels.frame
    return Surface(np.array(frame.origin) + frame.cell * points / 2, faces)
