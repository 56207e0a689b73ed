"""Where the key light does not get to: the nose's, the chin's and the hair's shadows."""

from __future__ import annotations

import numpy as np

from avtool.head import hairdo
from avtool.head.hairdo import Shell
from avtool.head.light import KEY
from avtool.head.raster import rasterise
from avtool.values import Array

MAP, SPAN = 112, 0.40  # pixels of the map of shadows, metres that it shows


def lit_places(vertices: Array, faces: Array, normal: Array, shell: Shell) -> Array:
    """How much of the key light gets to vertices, 0 to 1 [v]: a shadow map (Williams 1978)."""
    towards = np.array(KEY[0]) / np.linalg.norm(KEY[0])
    right = np.cross([0, 1, 0], towards)
    right /= np.linalg.norm(right)
    axes = np.stack([right, -np.cross(towards, right), -towards]).astype(np.float32)

    def onto(points: Array) -> Array:
        seen = (points - np.array([0.0, -0.04, -0.06], np.float32)) @ axes.T
        return np.column_stack([(seen[:, :2] / SPAN + 0.5) * MAP, seen[:, 2] + 1])

    own, coarse = onto(vertices), hairdo.coarse(shell)
    points = np.concatenate([own, onto(shell.vertices)])
    upper = faces[vertices[faces[:, 0], 1] > -0.17]
    every = np.concatenate([upper, coarse + len(vertices)])
    both = np.arange(len(every)) >= len(upper)
    pixel, face, weight = rasterise(points, every, MAP, MAP, both)
    far = np.full((MAP, MAP), np.inf, np.float32)
    far.ravel()[pixel] = np.einsum("nk,nk->n", weight, points[every[face], 2])
    column, row = (own[:, k] + 1.2 * normal @ axes[k] for k in range(2))
    lets = np.zeros(len(vertices), np.float32)
    for dx in (-1.3, 0, 1.3):
        for dy in (-1.3, 0, 1.3):
            i, j = (np.clip(at, 0, MAP - 1).astype(np.int32) for at in (column + dx, row + dy))
            lets += own[:, 2] < far[j, i] + 0.007
    return lets / 9
