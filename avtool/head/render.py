"""Pictures of the head: a z-buffer, then one shading per covered sample, averaged to pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache, reduce

import numpy as np

from avtool.head import facehair, growth, hair, hairdo
from avtool.head.light import Colour, srgb
from avtool.head.model import REGIONS, Head
from avtool.head.raster import blended, rasterise
from avtool.head.shade import SHADERS, Appearance
from avtool.head.shadow import lit_places
from avtool.head.skin import cloth
from avtool.head.strands import laid
from avtool.values import Array


@dataclass(frozen=True)
class Camera:
    """A pinhole in front of the face that looks along -z; metres, degrees of the whole height."""

    width: int = 320
    height: int = 360
    distance: float = 1.1
    fov: float = 16.5
    centre: tuple[float, float] = (0.0, -0.035)  # the point of the face's plane in the middle

    @property
    def focal(self) -> float:
        """Pixels that a metre is, a metre away."""
        return float(self.height / 2 / np.tan(np.radians(self.fov / 2)))

    def project(self, points: Array) -> Array:
        """Points [..., 3] to pixels right and down, and metres away."""
        depth = self.distance - points[..., 2:]
        slope = (points[..., :2] - np.array(self.centre, np.float32)) / depth
        middle = np.array([self.width, self.height]) / 2
        across = middle + np.array([self.focal, -self.focal]) * slope
        return np.concatenate([across, depth], -1).astype(np.float32)


SUPERSAMPLING = 2
THICK = 0.005  # metres of clothes


def render(head: Head, vertices: Array, look: Appearance, camera: Camera) -> Array:
    """The head before its background, uint8 RGB [h, w, 3].

    Args:
        vertices: float [v, 3], of ``Head.vertices`` and perhaps ``Head.turned``.
    """
    fine = replace(camera, width=camera.width * SUPERSAMPLING, height=camera.height * SUPERSAMPLING)
    width, height = fine.width, fine.height
    facing = normals(vertices, head.faces)
    worn = cloth(head.mean, look.collar, 0.004)
    vertices = vertices + (THICK * worn[:, None]) * facing
    sun = lit_places(vertices, head.faces, facing, hairdo.grown(head, vertices, look.style))
    sun += 0.45 * worn * (1 - sun)  # on cloth it is softer
    points = fine.project(vertices)
    # Normals as the camera sees them: turned so that one which meets it is (0, 0, 1).
    normal = facing.copy()
    normal[:, :2] += (vertices[:, :2] - np.array(camera.centre)) / points[:, 2:] * normal[:, 2:]
    grows = hair.growth(head, look.style)
    attributes = np.column_stack([head.mean, normal, head.paint, grows, sun]).astype(np.float32)
    names = (*head.paints, "hair", "sun")

    image = np.empty((height, width, 3), np.float32)
    image[:] = _background(look.background, height, width)
    flat = image.reshape(-1, 3)
    solid = np.flatnonzero(head.region != REGIONS.index("lash"))
    pixel, face, weight = rasterise(points, head.faces[solid], width, height)
    face = solid[face]
    corners = head.faces[face]
    nearest = np.full(len(flat), np.inf, np.float32)
    nearest[pixel] = np.einsum("nk,nk->n", weight, points[corners, 2])
    for number, shader in enumerate(SHADERS[: len(REGIONS)]):
        here = np.flatnonzero(head.region[face] == number)
        if len(here):
            values = blended(attributes, corners[here], weight[here])
            patch = dict(zip(names, values[:, 6:].T, strict=True))
            flat[pixel[here]] = shader(
                look, patch | {"place": values[:, :3], "normal": values[:, 3:6]}
            )
    # Hair lies on the skin and lets through what is behind.
    locks = growth.strands(head, vertices, look, fine.focal / fine.distance / 3000)
    for each in (*facehair.strands(head, vertices, facing, look), locks):
        laid(each, fine.project, flat, nearest, width)

    k = SUPERSAMPLING
    rows = reduce(np.add, (image[n::k] for n in range(k)))
    small = reduce(np.add, (rows[:, n::k] for n in range(k))) / np.float32(k**2)
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
