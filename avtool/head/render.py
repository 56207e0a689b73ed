"""Pictures of the head: a z-buffer, then one shading per covered sample, averaged to pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from avtool.head import hair
from avtool.head.light import Colour, srgb
from avtool.head.model import REGIONS, Head
from avtool.head.raster import blended, rasterise
from avtool.head.shade import SHADERS, Appearance
from avtool.values import Array


@dataclass(frozen=True)
class Camera:
    """A pinhole in front of the face that looks along -z; metres, degrees of the whole height."""

    width: int = 320
    height: int = 360
    distance: float = 1.1
    fov: float = 16.5
    centre: tuple[float, float] = (0.0, -0.035)  # the point of the face's plane in the middle


SUPERSAMPLING = 2


def render(head: Head, vertices: Array, look: Appearance, camera: Camera) -> Array:
    """The head before its background, uint8 RGB [h, w, 3].

    Args:
        vertices: float [v, 3], of ``Head.vertices`` and perhaps ``Head.turned``.
    """
    width, height = camera.width * SUPERSAMPLING, camera.height * SUPERSAMPLING
    mesh = hair.dressed(head, vertices, look.style)
    focal = height / 2 / np.tan(np.radians(camera.fov / 2))
    depth = camera.distance - mesh.vertices[:, 2]
    slope = (mesh.vertices[:, :2] - np.array(camera.centre)) / depth[:, None]
    points = np.column_stack(
        [width / 2 + focal * slope[:, 0], height / 2 - focal * slope[:, 1], depth]
    )
    # Normals as the camera sees them: turned so that one which meets it is (0, 0, 1).
    normal = normals(mesh.vertices, mesh.faces)
    normal[:, :2] += slope * normal[:, 2:]
    attributes = np.column_stack([mesh.place, normal, mesh.paint]).astype(np.float32)
    names = hair.paints(head)

    image = np.empty((height, width, 3), np.float32)
    image[:] = _background(look.background, height, width)
    flat = image.reshape(-1, 3)
    lash, locks = REGIONS.index("lash"), mesh.region == hair.LOCKS
    thin = (mesh.region == lash) | locks
    nearest = np.full(len(flat), np.inf, np.float32)
    # Lashes and locks let through what is behind; of locks the far side is drawn first.
    for layer, turned in ((~thin, 1), (mesh.region == lash, 1), (locks, -1), (locks, 1)):
        if not layer.any():
            continue
        faces, region = mesh.faces[layer][:, ::turned], mesh.region[layer]
        pixel, face, weight = rasterise(points, faces, width, height, region == lash)
        corners = faces[face]
        far = np.einsum("nk,nk->n", weight, depth[corners])
        front = np.flatnonzero(far < nearest[pixel])
        if region[0] != hair.LOCKS:
            nearest[pixel[front]] = far[front]
        for number, shader in enumerate(SHADERS):
            here = front[region[face[front]] == number]
            if len(here):
                values = blended(attributes, corners[here], weight[here])
                patch = dict(zip(names, values[:, 6:].T, strict=True))
                patch |= {"place": values[:, :3], "normal": values[:, 3:6]}
                patch["behind"] = flat[pixel[here]] if thin[layer][0] else values[:, :0]
                flat[pixel[here]] = shader(look, patch)

    k = SUPERSAMPLING
    rows = image.reshape(camera.height, k, -1, 3).sum(1)
    small = rows.reshape(camera.height, camera.width, k, 3).sum(2) / k**2
    return _display(small)


def normals(vertices: Array, faces: Array) -> Array:
    """Unit normals of the vertices, area-weighted over their faces, float32 [v, 3]."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros((len(vertices), 3))
    for axis in range(3):
        for k in range(3):
            total[:, axis] += np.bincount(faces[:, k], across[:, axis], len(vertices))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(total / np.maximum(length, 1e-20), np.float32)


@lru_cache(4)  # not one a person, nor one a size: each is as large as the picture
def _background(colours: tuple[Colour, Colour], height: int, width: int) -> Array:
    glow, edge = (np.array(c, np.float32) for c in colours)
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
    return np.asarray(edge + (glow - edge) * np.exp(-(x**2) - (1.6 * y - 0.7) ** 2), np.float32)


@cache
def _curve() -> Array:
    """Linear light 0 to 2 in 4096 steps as the screen's values: sRGB, highlights rolled off."""
    light = np.linspace(0, 2, 4096)
    light = np.where(light > 0.6, 0.6 + 0.4 * np.tanh((light - 0.6) / 0.4), light)
    return srgb(light)


def _display(light: Array) -> Array:
    return np.asarray(_curve()[np.clip(light * (4095 / 2) + 0.5, 0, 4095).astype(np.int32)])
