"""The head as parts with names and pictures on them, as other programs take it.

Shapes are cut from the head by its texture's coordinates. What they look like is the shaders',
which are asked for every point of a picture without any light, as glTF wants its base colour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, lru_cache

import numpy as np

from avtool.head import hair
from avtool.head.hairdo import COLUMNS, ROWS
from avtool.head.light import CLOTH_LIGHT, Appearance, Patch, lit, srgb
from avtool.head.model import REGIONS, UNITS, Head
from avtool.head.raster import blended, rasterise
from avtool.head.render import normals
from avtool.head.shade import SHADERS
from avtool.head.skin import brow_cover, cloth
from avtool.values import Array, Mesh, Part

SKIN, EYE, TEETH, TONGUE, LASH = range(len(REGIONS))
# Of each part: its picture's width and height, how rough it is, metres before the skin.
PARTS = {
    "skin": ((1024, 1024), 0.55, 0.0),
    "mouth": ((256, 256), 1.0, 0.0),
    "eye_left": ((256, 256), 0.08, 0.0),
    "eye_right": ((256, 256), 0.08, 0.0),
    "teeth_upper": ((256, 128), 0.5, 0.0),
    "teeth_lower": ((256, 128), 0.5, 0.0),
    "tongue": ((64, 128), 0.6, 0.0),
    "lashes": ((512, 128), 0.8, 0.0),
    "brows": ((512, 128), 0.8, 0.0005),
    "clothes": ((512, 512), 0.9, 0.002),
    "hair": ((1024, 256), 0.6, 0.0),
}
CUT = ("clothes", "hair")  # their pictures' edges are sharp
LEAST = 2e-5  # metres that a unit moves a vertex, below which it does not
SHOWN = (0.0, -0.0035, 0.0)  # metres: MakeHuman's upper teeth stay behind the lip, which hides them
MARGIN = 6  # pixels that a picture goes on around what is painted


def in_parts(head: Head, vertices: Array, look: Appearance) -> Mesh:
    """Someone in three dimensions, in parts, with the face units that move them.

    Args:
        vertices: float [v, 3], of ``Head.vertices``: the face at rest.
    """
    whole = hair.dressed(head, vertices, look.style)
    facing = normals(whole.vertices, whole.faces)
    own = facing[: len(vertices)]
    bends = np.stack([normals(vertices + unit, head.faces) - own for unit in head.units])
    parts = [_part(head, whole, facing, bends, look, *piece) for piece in _pieces(head, look)]
    return Mesh((*parts, _hair(head, whole, facing, look)), UNITS)


def _pieces(head: Head, look: Appearance) -> Iterator[tuple[str, Array]]:
    """Names of parts and which of the head's faces are theirs, bool [f]."""
    region, corner = head.region, head.mean[head.faces]
    skin, left = region == SKIN, corner[..., 0].mean(1) > 0
    covered = cloth(head.mean, look.collar)
    bare = np.zeros(len(head.mean), bool)
    bare[head.faces[skin & (covered[head.faces] < 1).any(1)]] = True
    inside = skin & (_paint(head, "cavity")[head.faces] > 0.5).all(1)
    yield "skin", skin & ~inside & bare[head.faces].any(1)  # it goes on some way under the collar
    yield "mouth", inside
    yield "eye_left", (region == EYE) & left
    yield "eye_right", (region == EYE) & ~left
    falls = np.abs(head.units[UNITS.index("jawOpen")][head.faces]).max((1, 2)) > LEAST
    yield "teeth_upper", (region == TEETH) & ~falls
    yield "teeth_lower", (region == TEETH) & falls
    yield "tongue", region == TONGUE
    yield "lashes", region == LASH
    wide = (brow_cover(head.mean, 3) > 0) & (_paint(head, "open") > 0.3)  # not within the sockets
    yield "brows", skin & wide[head.faces].any(1)
    yield "clothes", skin & (covered[head.faces] > 0).any(1)


def _paint(head: Head, name: str) -> Array:
    return np.asarray(head.paint[:, head.paints.index(name)])


def _part(
    head: Head,
    whole: hair.Mesh,
    facing: Array,
    bends: Array,
    look: Appearance,
    name: str,
    chosen: Array,
) -> Part:
    """A piece of the head itself."""
    (width, height), _, lift = PARTS[name]
    kept, flat = np.unique(head.uv_faces[chosen], return_inverse=True)
    faces, vertex = flat.reshape(-1, 3).astype(np.int32), head.uv_vertex[kept]
    uv = head.uv[kept]
    if name != "skin":  # whose picture is the head's own; each of the others fills one
        edge = np.array([MARGIN / width, MARGIN / height], np.float32)
        uv = edge + (uv - uv.min(0)) * ((1 - 2 * edge) / np.ptp(uv, axis=0))
    shader = SHADERS[int(head.region[chosen][0])]
    own = np.array(look.hair, np.float32)

    def shade(patch: Patch) -> Array:
        if name == "brows":
            cover = brow_cover(patch["place"], look.brows)[:, None]
            return np.column_stack([np.broadcast_to(1.1 * own, (len(cover), 3)), cover])
        if name == "clothes":
            return np.column_stack([shader(look, patch), cloth(patch["place"], look.collar)])
        if name == "lashes":
            return _sheer(look, patch, 0.25 * own, LASH)
        # Lids and eyes move into the light, so the shade that they lie in at rest is not theirs.
        seen = 1.0 if name.startswith("eye") else np.minimum(3 * patch["lids"], 1)
        here = {**patch, "open": np.maximum(patch["open"], seen)}
        return shader(replace(look, brows=1e-6), here)

    attributes = np.column_stack([whole.place[vertex], whole.paint[vertex]])
    picture = _painted(head, uv, faces, attributes, (width, height), shade)
    points = whole.vertices[vertex] + lift * facing[vertex]
    if name == "teeth_upper":
        points += np.array(SHOWN, np.float32)
    moves = head.units[:, vertex]
    moved = [k for k, unit in enumerate(moves) if name == "skin" or np.abs(unit).max() > LEAST]
    pivot = (points.min(0) + points.max(0)) / 2 if name.startswith("eye") else np.zeros(3)
    names = tuple(UNITS[k] for k in moved)
    surface = points, faces, facing[vertex], uv, picture
    moves, bends = moves[moved], bends[moved][:, vertex]
    return Part(name, *surface, moves, bends, names, PARTS[name][1], name in CUT, pivot)


def _hair(head: Head, whole: hair.Mesh, facing: Array, look: Appearance) -> Part:
    """The hair: a grid of strands, which has a picture's coordinates by itself."""
    first = len(whole.vertices) - COLUMNS * ROWS
    row, column = np.divmod(whole.faces[whole.region == hair.LOCKS] - first, COLUMNS)
    closed = np.ptp(column, axis=1) > COLUMNS / 2  # the last strand and the first one again
    column[closed[:, None] & (column < COLUMNS / 2)] = COLUMNS
    kept, flat = np.unique(row * (COLUMNS + 1) + column, return_inverse=True)
    faces = flat.reshape(-1, 3).astype(np.int32)
    v, u = np.divmod(kept, COLUMNS + 1)
    vertex = first + v * COLUMNS + u % COLUMNS
    place = whole.place[vertex]
    place[u == COLUMNS, 0] *= -1  # half around one way is half around the other
    uv = np.column_stack([u / COLUMNS, v / (ROWS - 1)]).astype(np.float32)
    own = np.array(look.hair, np.float32)

    def shade(patch: Patch) -> Array:
        # Strands bend the light, so it is taken away again; along the view they do not shine.
        front = np.tile(np.array([0, 0, 1], np.float32), (len(patch["place"]), 1))
        here = {**patch, "normal": front, "along_x": 0 * front[:, 0], "along_y": 0 * front[:, 0]}
        made = _sheer(look, {**here, "along_z": front[:, 2]}, own, hair.LOCKS)
        made[:, :3] /= lit(front[:1], CLOTH_LIGHT)[0]
        return made

    attributes = np.column_stack([place, whole.paint[vertex]])
    picture = _painted(head, uv, faces, attributes, PARTS["hair"][0], shade)
    points, still = whole.vertices[vertex], np.zeros((0, len(vertex), 3), np.float32)
    surface = points, faces, facing[vertex], uv, picture
    return Part("hair", *surface, still, still, (), PARTS["hair"][1], True, np.zeros(3))


def _sheer(look: Appearance, patch: Patch, own: Array, region: int) -> Array:
    """What lets through what is behind it: linear colour and cover [n, 4], by two backgrounds."""
    black = SHADERS[region](look, {**patch, "behind": np.zeros_like(patch["place"])})
    white = SHADERS[region](look, {**patch, "behind": np.ones_like(patch["place"])})
    gaps = (white - black).mean(1, keepdims=True)
    return np.column_stack([black + gaps * own, 1 - gaps])


def _painted(
    head: Head,
    uv: Array,
    faces: Array,
    attributes: Array,
    size: tuple[int, int],
    shade: Callable[[Patch], Array],
) -> Array:
    """A picture of a surface laid flat, uint8 sRGB [h, w, 3], or with its cover [h, w, 4].

    Args:
        attributes: of the vertices, [v, a]: place, then each paint.
        shade: what the surface is like at samples: linear [n, 3 or 4].
    """
    width, height = size
    pixel, face, weight = _flat(uv.tobytes(), faces.tobytes(), size)
    values = blended(attributes.astype(np.float32), faces[face], weight)
    patch = dict(zip(hair.paints(head), values[:, 3:].T, strict=True))
    light = shade({**patch, "place": values[:, :3], "normal": np.zeros_like(values[:, :3])})
    shown = np.round(255 * np.clip(light, 0, 1)).astype(np.uint8)
    shown[:, :3] = _srgb()[np.round(8191 * np.clip(light[:, :3], 0, 1)).astype(np.int32)]
    image = np.empty((height * width, shown.shape[1]), np.uint8)
    image[:] = shown.mean(0)
    image[pixel] = shown
    covered = np.zeros(height * width, bool)
    covered[pixel] = True
    _bled(image, covered, width)
    return image.reshape(height, width, -1)


@lru_cache(16)  # a head's parts lie in their pictures as everybody's do
def _flat(uv: bytes, faces: bytes, size: tuple[int, int]) -> tuple[Array, Array, Array]:
    """Which pixels a surface covers when laid flat, as ``rasterise`` tells it."""
    places = np.frombuffer(uv, np.float32).reshape(-1, 2) * size
    corners = np.frombuffer(faces, np.int32).reshape(-1, 3)
    points = np.column_stack([places, np.ones(len(places))])
    pixel, face, weight = rasterise(points, corners, *size, np.ones(len(corners), bool))
    return pixel.astype(np.int32), face.astype(np.int32), weight


@cache
def _srgb() -> Array:
    """Linear light 0 to 1 in 8192 steps as sRGB, uint8."""
    return srgb(np.linspace(0, 1, 8192))


def _bled(image: Array, covered: Array, width: int) -> None:
    """Continue pixels [n, c] for some way, so that smaller copies of them show no seams."""
    for _ in range(MARGIN):
        for step in (1, -1, width, -width):
            gap = np.flatnonzero(np.roll(covered, step) & ~covered)
            image[gap] = image[(gap - step) % len(image)]
            covered[gap] = True
