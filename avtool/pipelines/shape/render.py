"""Pictures of a shape: lit from above, with the shade that it casts on itself and on its floor.

What keeps light away is read off the signed distance: it grows slower along a ray that passes near
the surface (Quilez, "Soft shadows in raymarched SDFs", and Evans, "Fast approximations for global
illumination", 2006).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from avtool.head.light import srgb
from avtool.head.raster import blended, rasterise
from avtool.pipelines.shape.values import Distances, Surface, Views
from avtool.values import Array

CREASE = math.cos(math.radians(38))  # a surface that bends by more has an edge there
FOCAL = 3.2  # of pictures' halves: a long lens
SUN = np.array([-0.18, -0.80, 1.0]) / np.linalg.norm([-0.18, -0.80, 1.0])  # before it, left, above
SKY, BOUNCE = np.array([0.60, 0.62, 0.66]), np.array([0.40, 0.385, 0.37])
SUNLIGHT = np.array([0.70, 0.67, 0.62])
CLAY = np.array([0.82, 0.80, 0.77])


@dataclass(frozen=True)
class Camera:
    """A camera that looks at a point.

    Args:
        at: what it looks at; where: it stands; size: of its square picture in pixels.
    """

    at: tuple[float, float, float]
    where: tuple[float, float, float]
    size: int

    @property
    def axes(self) -> Array:
        """[3, 3]: right, down and ahead."""
        ahead = np.array(self.at) - np.array(self.where)
        ahead = ahead / np.linalg.norm(ahead)
        up = np.array([0.0, 0, 1]) if abs(ahead[2]) < 0.999 else np.array([0.0, 1, 0])
        right = np.cross(ahead, up)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(ahead, right), ahead])

    @property
    def matrix(self) -> Array:
        """[3, 4], as ``Views.cameras``."""
        half = self.size / 2
        inner = np.array([[FOCAL * half, 0, half], [0, FOCAL * half, half], [0, 0, 1]])
        turn = self.axes
        return np.asarray(inner @ np.column_stack([turn, -turn @ np.array(self.where)]))

    def rays(self) -> Array:
        """[size², 3]: which way each pixel looks, of length 1 ahead."""
        at = (2 * np.arange(self.size) + 1 - self.size) / (FOCAL * self.size)
        y, x = np.meshgrid(at, at, indexing="ij")
        return np.asarray(np.stack([x.ravel(), y.ravel(), np.ones(x.size)], 1) @ self.axes)


def looking(
    middle: Array, radius: float, azimuth: float, elevation: float, size: int, room: float = 1.06
) -> Camera:
    """A camera that a ball fits into; angles in degrees, azimuth 0 looks from +x."""
    a, e = math.radians(azimuth), math.radians(elevation)
    way = np.array([math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), math.sin(e)])
    far = radius * room * math.sqrt(1 + FOCAL**2)
    where = middle + far * way
    return Camera(tuple(middle.tolist()), tuple(where.tolist()), size)


def framed(vertices: Array, azimuth: float, elevation: float, size: int, part: float) -> Camera:
    """A camera in whose picture points fill a part of the height or the width."""
    middle, radius = ball(vertices)
    camera = looking(middle, radius, azimuth, elevation, size)
    for _ in range(4):
        x, y, w = camera.matrix @ np.append(vertices, np.ones((len(vertices), 1)), 1).T
        at = np.stack([x / w, y / w], 1)
        low, high = at.min(0), at.max(0)
        off = ((low + high) / 2 - size / 2) * float(np.median(w)) / (FOCAL * size / 2)
        middle = middle + off @ camera.axes[:2]
        radius *= float((high - low).max()) / (part * size)
        camera = looking(middle, radius, azimuth, elevation, size)
    return camera


def ball(vertices: Array) -> tuple[Array, float]:
    """Middle of the box, and how far its furthest vertex is."""
    middle = (vertices.min(0) + vertices.max(0)) / 2
    return middle, float(np.linalg.norm(vertices - middle, axis=1).max())


@dataclass(frozen=True, eq=False)
class Hits:
    """What pixels see.

    Shape:
        pixel: int [n]; face: int [n]; weight: [n, 3]; place, normal: [n, 3], the normal towards the
        camera; depth: [n].
    """

    pixel: Array
    face: Array
    weight: Array
    place: Array
    normal: Array
    depth: Array


def cast(surface: Surface, camera: Camera, normals: Array | None = None) -> Hits:
    """What each pixel sees of a surface, from either side.

    Args:
        normals: [f, 3, 3] of corners, as ``corner_normals``.
    """
    matrix = camera.matrix
    x, y, w = matrix @ np.append(surface.vertices, np.ones((len(surface.vertices), 1)), 1).T
    points = np.stack([x / w, y / w, w], 1)
    both = np.ones(len(surface.faces), bool)
    pixel, face, weight = rasterise(points, surface.faces, camera.size, camera.size, both)
    place = blended(surface.vertices, surface.faces[face], weight)
    normals = corner_normals(surface) if normals is None else normals
    normal = (normals[face] * weight[..., None]).sum(1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    towards = np.array(camera.where) - place
    normal = np.where((normal * towards).sum(1, keepdims=True) < 0, -normal, normal)
    depth = blended(points[:, 2:], surface.faces[face], weight)[:, 0]
    return Hits(pixel, face, weight, place, normal, depth)


def corner_normals(surface: Surface) -> Array:
    """Normals of the faces' corners [f, 3, 3]: the vertex's, but the face's own at an edge."""
    spans = surface.spans
    own = spans / np.maximum(np.linalg.norm(spans, axis=1, keepdims=True), 1e-30)
    total = np.stack(
        [
            np.bincount(surface.faces.ravel(), np.repeat(spans[:, n], 3), len(surface.vertices))
            for n in range(3)
        ],
        1,
    )
    total = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-30)
    each = total[surface.faces]
    smooth = (each * own[:, None]).sum(-1, keepdims=True) > CREASE
    return np.where(smooth, each, own[:, None])


class Field:
    """The signed distance anywhere; beyond its grid it is at least that to the grid."""

    def __init__(self, sdf: Distances) -> None:
        self._values, self._frame = sdf.values, sdf.frame

    def __call__(self, places: Array) -> Array:
        from scipy.ndimage import map_coordinates

        at = self._frame.inside(places)
        inside = at.clip(0, self._frame.side - 1)
        found = map_coordinates(self._values, inside.T, order=1, mode="nearest")
        return np.asarray(found + self._frame.cell * np.linalg.norm(at - inside, axis=1))

    @property
    def cell(self) -> float:
        return self._frame.cell

    def open(self, place: Array, normal: Array, reach: float) -> Array:
        """How much of the sky a point sees, 0 to 1 [n]; reach: of the furthest sample."""
        total, weight = np.zeros(len(place)), 0.0
        for n in range(1, 6):
            step = reach * (n / 5) ** 1.5
            found = self(place + step * normal)
            share = 0.72**n
            total += share * np.clip(found / step, 0, 1)
            weight += share
        return np.asarray(total / weight)

    def sunny(self, place: Array, normal: Array, reach: float, sharp: float = 9.0) -> Array:
        """How much of the sun a point sees, 0 to 1 [n]."""
        light = np.ones(len(place))
        start = place + 1.6 * self.cell * normal
        along = np.full(len(place), 0.6 * self.cell)
        for _ in range(28):
            some = np.flatnonzero((light > 0.02) & (along < reach))
            if not len(some):
                break
            found = self(start[some] + along[some, None] * SUN)
            light[some] = np.minimum(light[some], np.clip(sharp * found / along[some] + 0.1, 0, 1))
            along[some] += np.maximum(found, 0.7 * self.cell)
        return np.asarray(light * light * (3 - 2 * light))


def lit(
    hits: Hits,
    colour: Array,
    camera: Camera,
    field: Field | None,
    reach: float,
    towards: Array = SUN,
) -> Array:
    """Linear light of pixels [n, 3].

    Args:
        colour: linear, of one or of each; towards: the sun, which shades only where it is ``SUN``.
    """
    normal = hits.normal
    sun = np.clip(normal @ towards, 0, 1)
    sky = 0.5 + 0.5 * normal[:, 2]
    seen = np.ones(len(normal))
    if field is not None and len(normal):
        seen = 0.25 + 0.75 * field.open(hits.place, normal, 0.28 * reach)
        sun = sun * field.sunny(hits.place, normal, 2 * reach)
    light = (sky[:, None] * SKY + (1 - sky[:, None]) * BOUNCE) * seen[:, None]
    light = light + (sun[:, None] * SUNLIGHT)
    view = np.array(camera.where) - hits.place
    view /= np.linalg.norm(view, axis=1, keepdims=True)
    half = view + towards
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    shine = np.clip((normal * half).sum(1), 0, 1) ** 40 * (sun > 0) * seen
    rim = (1 - np.clip((normal * view).sum(1), 0, 1)) ** 3 * seen * sky
    bright = colour * light + 0.08 * shine[:, None] + 0.06 * rim[:, None]
    # What is too bright bends towards white.
    return np.asarray(
        np.where(bright > 0.75, 0.75 + 0.25 * np.tanh((bright - 0.75) / 0.25), bright)
    )


def scene(
    surface: Surface,
    camera: Camera,
    colour: Array,
    field: Field | None,
    radius: float,
    *,
    floor: float | None = None,
    fine: int = 2,
    hits: Hits | None = None,
) -> Array:
    """A surface on a white floor: uint8 RGB [size, size, 3].

    Args:
        colour: linear, [3], or [n, 3] of the hits; fine: pixels of a pixel's side.
        floor: its height. hits: of ``finer(camera, fine)``.
    """
    large = finer(camera, fine)
    hits = cast(surface, large) if hits is None else hits
    image = np.ones((large.size**2, 3))
    if floor is not None and field is not None:
        image *= ground(large, floor, field, radius)[:, None]
    image[hits.pixel] = lit(hits, colour, large, field, radius)
    return shrunk(image.reshape(large.size, large.size, 3), fine)


def finer(camera: Camera, fine: int) -> Camera:
    """The same camera with more pixels."""
    return Camera(camera.at, camera.where, camera.size * fine)


def ground(camera: Camera, height: float, field: Field, radius: float) -> Array:
    """How bright a white floor is in each pixel, 0 to 1; it fades into white."""
    rays = camera.rays()
    where = np.array(camera.where)
    down = rays[:, 2] < -1e-6
    far = np.where(down, (height - where[2]) / np.where(down, rays[:, 2], -1), 0)
    place = where + far[:, None] * rays
    away = np.linalg.norm(place[:, :2] - np.array(camera.at)[:2], axis=1) / radius
    near = np.flatnonzero(down & (away < 2.2))
    up = np.tile([0.0, 0, 1], (len(near), 1))
    sky = field.open(place[near], up, 0.45 * radius)
    sun = field.sunny(place[near], up, 2 * radius, sharp=6.0)
    fade = np.clip((2.2 - away[near]) / 1.0, 0, 1)
    bright = np.ones(len(rays))
    bright[near] = 1 - fade * (1 - (0.58 + 0.42 * sky) * (0.74 + 0.26 * sun))
    return bright


def shrunk(image: Array, fine: int) -> Array:
    """Linear light to uint8 sRGB, ``fine`` times smaller."""
    size = image.shape[0] // fine
    mean = image.reshape(size, fine, size, fine, -1).mean((1, 3))
    return srgb(np.clip(mean, 0, 1))


def views_of(
    surface: Surface, count: int, size: int, solid: Surface | None = None, fine: int = 2
) -> Views:
    """What cameras all around see, spread evenly over the ball (Fibonacci's lattice).

    Args:
        solid: whose depth is told, where the surface is open and cameras would look into it.
    """
    middle, radius = ball(surface.vertices)
    normals = corner_normals(surface)
    pictures, cameras, depths = [], [], []
    for n in range(count):
        height = 1 - (2 * n + 1) / count
        azimuth = 180 + n * 360 * (3 - math.sqrt(5)) / 2
        elevation = math.degrees(math.asin(height))
        camera = looking(middle, radius, azimuth % 360, elevation, size)
        large = finer(camera, fine)
        hits = cast(surface, large, normals)
        image = np.zeros((large.size**2, 4))
        lamp = np.array([-0.5, -0.65, -0.9]) @ camera.axes  # it goes with the camera
        lamp /= np.linalg.norm(lamp)
        image[hits.pixel, :3] = lit(hits, CLAY, large, None, radius, lamp)
        image[hits.pixel, 3] = 1
        image = image.reshape(size, fine, size, fine, 4).mean((1, 3))
        cover = image[..., 3:]
        rgb = srgb(np.clip(image[..., :3] / np.maximum(cover, 1e-6), 0, 1))
        alpha = (255 * cover).round().astype(np.uint8)
        pictures.append(np.concatenate([rgb * (alpha > 0), alpha], 2))
        depth = np.full(large.size**2, np.inf, np.float32)
        hits = hits if solid is None else cast(solid, large)
        depth[hits.pixel] = hits.depth
        depths.append(depth.reshape(size, fine, size, fine).min((1, 3)))
        cameras.append(camera.matrix)
    return Views(np.stack(pictures), np.stack(cameras), np.stack(depths))
