"""The picture of a thing: its six forms side by side, in one light."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from avtool.draw.canvas import fitted
from avtool.draw.palette import oklab_to_rgb
from avtool.draw.sheet import HEAD, MARGIN, RIGHT, Sheet
from avtool.head.light import linear
from avtool.pipelines.shape.cubes import cubes
from avtool.pipelines.shape.forms import contour
from avtool.pipelines.shape.render import (
    CLAY,
    Camera,
    Field,
    Hits,
    ball,
    cast,
    finer,
    framed,
    ground,
    lit,
    scene,
    shrunk,
)
from avtool.pipelines.shape.solid import distances, frame_of
from avtool.pipelines.shape.values import COLOURS, Distances, Shape, Surface, Voxels
from avtool.values import Array

PANEL, SPACE, LABEL = 480, 32, 92  # pixels: a picture's side, between two, its words
AZIMUTH, ELEVATION = -56.0, 20.0  # degrees
SHOWN = 34  # voxels along the longest side, large enough to be seen
BALLS = 9000  # points that are drawn
BLUE = np.array([0.115, 0.29, 0.60])  # linear light
REACH = 0.42  # of the radius, up to which distances are shown
Painter = Callable[[Shape, "Stage"], Array]


class Stage:
    """What all pictures share: the camera, the floor, and what keeps light away."""

    def __init__(self, shape: Shape) -> None:
        mesh = shape.mesh
        self.middle, self.radius = ball(mesh.vertices)
        self.camera = framed(mesh.vertices, AZIMUTH, ELEVATION, PANEL, 0.84)
        self.floor = float(mesh.vertices[:, 2].min())
        sdf = shape.sdf
        if sdf.frame.side < 64:
            sdf = distances(mesh, frame_of(mesh.vertices, 64))
        self.sdf = sdf
        self.field = Field(sdf)

    def show(self, surface: Surface, colour: Array, camera: Camera | None = None) -> Array:
        """A surface on the floor."""
        return scene(
            surface,
            camera or self.camera,
            colour,
            self.field,
            self.radius,
            floor=self.floor,
        )


def draw(value: Shape, path: Path, title: str) -> None:
    """Write the sheet as PNG."""
    stage = Stage(value)
    across, rows = 3, 2
    sheet = Sheet(HEAD + rows * (PANEL + LABEL) + 8, title, _said(value))
    left = MARGIN + (RIGHT - MARGIN - across * PANEL - (across - 1) * SPACE) // 2
    for n, (name, words, paint) in enumerate(_panels(value)):
        x, y = left + n % across * (PANEL + SPACE), HEAD + n // across * (PANEL + LABEL)
        sheet.image.paste(Image.fromarray(paint(value, stage)), (x, y))
        sheet.text(x + PANEL // 2, y + PANEL + 22, name, "mm", 24)
        sheet.grey(x + PANEL // 2, y + PANEL + 52, fitted(words, 17, PANEL), "mm", 17)
    sheet.save(path)


def _said(value: Shape) -> str:
    """A line of what is known of it."""
    facts = value.facts
    told = [f"{kind} {p:.0%}" for kind, p in list(facts.get("what", {}).items())[:1]]
    told.append("watertight" if facts["watertight"] else "; ".join(facts["says"]))
    size = " x ".join(f"{side:.3g}" for side in facts["size"])
    return "  ·  ".join([*told, f"{size}, z up", f"volume {facts['volume']:.3g}"])


def _panels(value: Shape) -> list[tuple[str, str, Painter]]:
    mesh, parts = value.mesh, value.parts
    names = ", ".join(name for n, name in enumerate(parts.names) if (parts.part == n).any())
    if not parts.kind:
        count = len(parts.names)
        names = "one piece" if count == 1 else f"{count} pieces"
    full, side = int(value.voxels.full.sum()), value.voxels.full.shape[0]
    return [
        ("Multi-view images", f"{len(value.views.pictures)} cameras around it", _views),
        ("Voxels", f"{full:,} cells of a grid of {side} a side", _voxels),
        ("Parts", names, _parts),
        ("Point cloud", f"{len(value.points.points):,} points", _points),
        ("Mesh", f"{len(mesh.faces):,} triangles", _mesh),
        ("Implicit function", "signed distance: blue inside, amber outside", _implicit),
    ]


def _views(value: Shape, stage: Stage) -> Array:
    """Sixteen of the views, or fewer."""
    count = min(16, len(value.views.pictures))
    side = 4 if count > 9 else 3 if count > 4 else 2
    chosen = np.linspace(0, len(value.views.pictures) - 1, min(count, side * side)).astype(int)
    size = PANEL // side
    sheet = Image.new("RGB", (PANEL, PANEL), "white")
    for n, number in enumerate(chosen):
        tile = Image.fromarray(value.views.pictures[number])
        box = tile.getchannel("A").getbbox() or (0, 0, *tile.size)
        half = max(box[2] - box[0], box[3] - box[1]) / 2 * 1.04
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        crop = tile.crop((round(x - half), round(y - half), round(x + half), round(y + half)))
        small = crop.resize((size - 14, size - 14), Image.Resampling.LANCZOS)
        back = Image.new("RGBA", (size - 8, size - 8), (0, 0, 0, 0))
        ImageDraw.Draw(back).rounded_rectangle((0, 0, size - 9, size - 9), 9, (240, 242, 246, 255))
        back.alpha_composite(small, (3, 3))
        at = (n % side * size + 4, n // side * size + 4)
        sheet.paste(back, at, back)
    return np.asarray(sheet)


def _voxels(value: Shape, stage: Stage) -> Array:
    """Cells that are large enough to be seen, with their edges."""
    longest = np.ptp(value.mesh.vertices, axis=0).max() / value.voxels.frame.cell
    voxels = value.voxels
    if longest > SHOWN:
        frame = frame_of(value.mesh.vertices, SHOWN + 4, 2.0)
        sdf = distances(value.mesh, frame)
        voxels = Voxels(sdf.values < 0.1 * frame.cell, frame)
    surface = cubes(voxels)
    camera = finer(stage.camera, 2)
    hits = cast(surface, camera)
    cell = voxels.frame.inside(hits.place) + 0.5
    edge = np.abs(cell - np.rint(cell))  # 0 on a cell's border
    edge = np.where(np.abs(hits.normal) > 0.5, 1, edge).min(1)
    pixel = hits.depth / (camera.size * 1.6) / voxels.frame.cell  # cells a pixel is wide
    line = np.clip((edge - 0.35 * pixel) / (1.2 * pixel), 0, 1)
    colour = linear(COLOURS[2]) * (0.45 + 0.55 * line)[:, None]
    field = Field(distances(surface, frame_of(surface.vertices, 64)))
    return scene(surface, stage.camera, colour, field, stage.radius, floor=stage.floor, hits=hits)


def _parts(value: Shape, stage: Stage) -> Array:
    """Each part in its colour."""
    parts = value.parts
    hits = cast(parts.surface, finer(stage.camera, 2))
    colour = linear(COLOURS[parts.part[hits.face] % len(COLOURS)])
    return scene(
        parts.surface,
        stage.camera,
        0.95 * colour,
        stage.field,
        stage.radius,
        floor=stage.floor,
        hits=hits,
    )


def _points(value: Shape, stage: Stage) -> Array:
    """Small balls, coloured by their height."""
    camera = finer(stage.camera, 2)
    points = value.points.points
    if len(points) > BALLS:
        points = points[np.random.default_rng(0).permutation(len(points))[:BALLS]]
    x, y, w = camera.matrix @ np.append(points, np.ones((len(points), 1)), 1).T
    x, y = x / w, y / w
    apart = math.sqrt(value.mesh.area / len(points)) / (2 * float(np.median(w)))
    r = float(np.clip(0.62 * apart * 3.2 * camera.size, 4.0, 12.0))
    reach = math.ceil(r)
    height = (points[:, 2] - points[:, 2].min()) / max(float(np.ptp(points[:, 2])), 1e-12)
    depth = np.full(camera.size**2, np.inf)
    which = np.full(camera.size**2, -1)
    shade = np.zeros((camera.size**2, 3))
    axes = camera.axes
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            column, row = np.floor(x).astype(int) + dx, np.floor(y).astype(int) + dy
            u, v = (column + 0.5 - x) / r, (row + 0.5 - y) / r
            inside = u * u + v * v < 1
            inside &= (column >= 0) & (row >= 0) & (column < camera.size) & (row < camera.size)
            some = np.flatnonzero(inside)
            some = some[np.argsort(-w[some])]
            at = row[some] * camera.size + column[some]
            ahead = np.sqrt(1 - u[some] ** 2 - v[some] ** 2)
            far = w[some] - ahead * r * w[some] / (1.6 * camera.size)
            better = far < depth[at]
            some, at, ahead = some[better], at[better], ahead[better]
            depth[at], which[at] = far[better], some  # the nearest comes last
            normal = np.stack([u[some], v[some], -ahead], 1) @ axes
            shade[at] = normal
    seen = np.flatnonzero(which >= 0)
    owner = which[seen]
    hits = Hits(seen, owner, np.ones((len(seen), 3)), points[owner], shade[seen], depth[seen])
    at = height[owner]
    lab = np.stack([0.55 + 0.25 * at, 0.02 + 0.09 * at - 0.05, -0.13 + 0.26 * at], 1)
    colour = linear(oklab_to_rgb(lab))
    large = finer(stage.camera, 2)
    image = np.ones((large.size**2, 3))
    image *= ground(large, stage.floor, stage.field, stage.radius)[:, None]
    open_ = 0.35 + 0.65 * stage.field.open(hits.place, hits.normal, 0.2 * stage.radius)
    image[seen] = lit(hits, colour * open_[:, None], large, None, stage.radius)
    return shrunk(image.reshape(large.size, large.size, 3), 2)


def _mesh(value: Shape, stage: Stage) -> Array:
    """Clay, with the edges of its triangles."""
    mesh = value.mesh
    camera = finer(stage.camera, 2)
    hits = cast(mesh, camera)
    edge = _to_edges(mesh, hits.face, hits.weight, camera)
    # Where triangles are smaller than a few pixels, their edges would be all there is.
    spans = np.linalg.norm(mesh.spans, axis=1)[hits.face] / 2
    pixel = hits.depth / (1.6 * camera.size)
    wide = np.sqrt(spans) / pixel
    strength = 0.62 * np.clip((wide - 4) / 14, 0.0, 1)
    line = np.clip(edge - 0.4, 0, 1)
    colour = CLAY * (1 - strength * (1 - line))[:, None]
    return scene(
        mesh, stage.camera, colour, stage.field, stage.radius, floor=stage.floor, hits=hits
    )


def _to_edges(mesh: Surface, face: Array, weight: Array, camera: Camera) -> Array:
    """Pixels from the nearest edge of each pixel's triangle, about."""
    x, y, w = camera.matrix @ np.append(mesh.vertices, np.ones((len(mesh.vertices), 1)), 1).T
    flat = np.stack([x / w, y / w], 1)[mesh.faces]  # [f, 3, 2]
    a, b, c = np.moveaxis(flat, 1, 0)
    twice = np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    sides = np.stack([np.linalg.norm(p - q, axis=1) for p, q in ((b, c), (c, a), (a, b))], 1)
    heights = twice[:, None] / np.maximum(sides, 1e-9)
    return np.asarray((weight * heights[face]).min(1))


def _implicit(value: Shape, stage: Stage) -> Array:
    """The thing cut open, and on the cut the distance, with lines where it is the same."""
    sdf, frame = stage.sdf, stage.sdf.frame
    camera = finer(stage.camera, 2)
    axis, place = _cut(sdf, camera.axes[2])
    sign = -np.sign(camera.axes[2][axis])
    at = np.array(frame.origin)[axis] + frame.cell * np.arange(frame.side)
    shape = [1, 1, 1]
    shape[axis] = -1
    beyond = (sign * (at - place)).reshape(shape)
    cut_open = Distances(np.maximum(sdf.values, beyond).astype(np.float32), frame)
    half, field = contour(cut_open.values, frame), Field(cut_open)
    hits = cast(half, camera)
    image = np.ones((camera.size**2, 3))
    image *= ground(camera, stage.floor, field, stage.radius)[:, None]
    image[hits.pixel] = lit(hits, CLAY, camera, field, stage.radius)
    # The plane, before what lies behind it; away from the surface it is seen through.
    rays, where = camera.rays(), np.array(camera.where)
    far = (place - where[axis]) / rays[:, axis]
    cut = where + far[:, None] * rays
    depth = np.full(camera.size**2, np.inf)
    depth[hits.pixel] = hits.depth
    near = (far > 0) & (np.linalg.norm(cut - stage.middle, axis=1) < 2.5 * stage.radius)
    some = np.flatnonzero(near & (far <= depth + 0.5 * frame.cell))
    distance = stage.field(cut[some])
    shown = np.clip(1 - distance / (REACH * stage.radius), 0, 1)[:, None]
    shown = 0.94 * shown * shown * (3 - 2 * shown)
    colour = _contours(distance, stage.radius, far[some] / (1.6 * camera.size))
    image[some] += shown * (colour - image[some])
    return shrunk(image.reshape(camera.size, camera.size, 3), 2)


def _cut(sdf: Distances, ahead: Array) -> tuple[int, float]:
    """Across which axis a cut goes, and where: near the middle, where its outline is long, and
    facing the camera.
    """
    full, best = sdf.values < 0, (0.0, 0, 0.0)
    for axis in (0, 1):
        others = tuple(n for n in range(3) if n != axis)
        changes = [(full ^ np.roll(full, 1, n)).sum(others) for n in others]
        rims = np.asarray(changes[0] + changes[1], float)
        at = np.flatnonzero(rims)
        middle, wide = (at[0] + at[-1]) / 2, max(at[-1] - at[0], 1)
        score = rims * np.exp(-(((np.arange(len(rims)) - middle) / (0.08 * wide + 1)) ** 2))
        score *= math.sqrt(abs(float(ahead[axis])))
        n = int(score.argmax())
        place = sdf.frame.origin[axis] + sdf.frame.cell * n
        best = max(best, (float(score[n]), axis, place))
    return best[1], best[2]


def _contours(distance: Array, radius: float, pixel: Array) -> Array:
    """Colours of distances [n, 3], linear light, with lines where they are the same."""
    step = REACH * radius / 7
    part = np.clip(distance / (5 * step), -1, 1)
    mild = np.abs(part) ** 0.7
    inside = np.stack([0.97 - 0.45 * mild, -0.03 * mild, -0.15 * mild], 1)
    outside = np.stack([0.985 - 0.20 * mild, 0.045 * mild, 0.115 * mild], 1)
    colour = linear(oklab_to_rgb(np.where(part[:, None] < 0, inside, outside)))
    near = np.abs(distance / step - np.rint(distance / step)) * step / pixel
    line = 1 - np.clip(near - 0.5, 0, 1)
    zero = 1 - np.clip(np.abs(distance) / pixel - 2.0, 0, 1)
    shade = (1 - 0.30 * line)[:, None]
    return np.asarray(colour * shade * (1 - zero[:, None]) + BLUE * 0.25 * zero[:, None])
