"""The forms of a shape, each with its files. Inside, z is up."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from avtool.save.place import Place
from avtool.values import Array

Y_UP = (".obj", ".glb")  # the files in which y is up, as their readers take it; else z is
FORMS = ("views", "voxels", "parts", "points", "mesh", "sdf")
# Colours of parts, far apart in lightness and hue (Okabe & Ito 2008, softened).
COLOURS = np.array(
    [
        *((86, 140, 214), (238, 163, 60), (64, 165, 120), (214, 96, 84), (150, 120, 200)),
        *((120, 190, 220), (205, 185, 70), (220, 130, 175)),
    ],
    np.uint8,
)


@dataclass(frozen=True, eq=False)
class Surface:
    """A mesh of triangles, counter-clockwise as seen from outside.

    Shape:
        vertices: float64 [v, 3]; faces: int64 [f, 3]; colours: uint8 [f, 3] or None.
    """

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    vertices: Array
    faces: Array
    colours: Array | None = None

    @property
    def corners(self) -> Array:
        """[f, 3, 3]: the faces' corners."""
        return np.asarray(self.vertices[self.faces])

    @property
    def area(self) -> float:
        """In square units."""
        return float(np.linalg.norm(self.spans, axis=1).sum() / 2)

    @property
    def spans(self) -> Array:
        """[f, 3]: normals, each twice as long as its face is large."""
        a, b, c = np.moveaxis(self.corners, 1, 0)
        return np.cross(b - a, c - a)

    @property
    def volume(self) -> float:
        """In cubic units, by the divergence theorem; of a closed mesh."""
        middle = self.vertices.mean(0)
        return float(((self.corners.mean(1) - middle) * self.spans).sum() / 6)


@dataclass(frozen=True, eq=False)
class Frame:
    """Where the cells of a grid lie: the centre of cell (i, j, k) is origin + cell · (i, j, k)."""

    origin: tuple[float, float, float]
    cell: float
    side: int

    def centres(self) -> Array:
        """[side³, 3]."""
        at = np.indices((self.side,) * 3).reshape(3, -1).T
        return np.asarray(np.array(self.origin) + self.cell * at)

    def inside(self, points: Array) -> Array:
        """Points in cells: the first cell's centre is (0, 0, 0)."""
        return np.asarray((points - np.array(self.origin)) / self.cell)


@dataclass(frozen=True, eq=False)
class Voxels:
    """Which cells are full: bool [side, side, side], the last axis up."""

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    full: Array
    frame: Frame


@dataclass(frozen=True, eq=False)
class Distances:
    """The implicit form: how far each cell's centre is from the surface, below 0 inside.

    Shape:
        values: float32 [side, side, side], in the units of the frame.
    """

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    values: Array
    frame: Frame


@dataclass(frozen=True, eq=False)
class Points:
    """A cloud on the surface: points and normals, float [n, 3] each; normals may be missing."""

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    points: Array
    normals: Array | None = None


@dataclass(frozen=True, eq=False)
class Views:
    """What cameras around it see.

    Shape:
        pictures: uint8 RGBA [n, size, size, 4], alpha is the silhouette; cameras: float64
        [n, 3, 4], from points (x, y, z, 1) to pixels (x·w, y·w, w), w the distance in front; depth:
        float32 [n, size, size], that distance, infinite where nothing is seen; or None.
    """

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    pictures: Array
    cameras: Array
    depth: Array | None = None


@dataclass(frozen=True, eq=False)
class Parts:
    """A surface, and to which part each of its faces belongs.

    Args:
        kind: what it was taken for; empty where the parts are the mesh's own pieces.

    Shape:
        part: int [f], into names.
    """

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    surface: Surface
    part: Array
    names: tuple[str, ...]
    kind: str = ""
    sure: float = 1.0

    def coloured(self) -> Surface:
        """The surface, each part in a colour of its own."""
        colours = COLOURS[self.part % len(COLOURS)]
        return Surface(self.surface.vertices, self.surface.faces, colours)


@dataclass(frozen=True, eq=False)
class Shape:
    """A thing in its six forms, and what is known of it."""

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    views: Views
    voxels: Voxels
    parts: Parts
    points: Points
    mesh: Surface
    sdf: Distances
    facts: dict[str, Any] = field(default_factory=dict)


def turned(points: Array, suffix: str) -> Array:
    """Points [..., 3] with z up, as the files of a suffix have them."""
    if suffix not in Y_UP:
        return points
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1)


def upright(points: Array, up: str) -> Array:
    """Points [..., 3] with z up, of such whose ``up`` axis is up.

    >>> upright(np.array([1, 2, 3]), "y").tolist(), turned(np.array([1, -3, 2]), ".obj").tolist()
    ([1, -3, 2], [1, 2, 3])
    """
    if up == "z":
        return points
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1)


def _mesh(value: Surface, place: Place, suffix: str) -> None:
    vertices, faces = turned(value.vertices, suffix), value.faces
    if suffix == ".obj":
        with place.path.open("w") as file:
            file.write("# y is up; made by avtool\n")
            np.savetxt(file, vertices, "v %.7g %.7g %.7g")
            np.savetxt(file, faces + 1, "f %d %d %d")
        return
    import trimesh

    if suffix == ".glb":
        made = glb_mesh(value)
    else:
        made = trimesh.Trimesh(vertices, faces, face_colors=value.colours, process=False)
    told: Any = made.export(file_type=suffix[1:])
    place.path.write_bytes(told if isinstance(told, bytes) else told.encode())


def glb_mesh(value: Surface) -> Any:
    """A surface as glTF has it: y up, and colours of vertices, not of faces, in linear light."""
    import trimesh

    vertices, faces = turned(value.vertices, ".glb"), value.faces
    if value.colours is None:
        return trimesh.Trimesh(vertices, faces, process=False)
    number = value.colours.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    rows = np.stack([faces.ravel(), np.repeat(number, 3)], 1)  # a vertex once for each colour
    rows, at = np.unique(rows, axis=0, return_inverse=True)
    colours = np.stack([rows[:, 1] >> 16, rows[:, 1] >> 8 & 255, rows[:, 1] & 255], 1)
    return trimesh.Trimesh(
        vertices[rows[:, 0]], at.reshape(-1, 3), vertex_colors=unlit(colours), process=False
    )


def unlit(colours: Array) -> Array:
    """Colours, uint8 sRGB [n, 3], as glTF wants those of vertices: linear."""
    from avtool.head.light import linear

    return np.asarray((255 * linear(colours)).round().astype(np.uint8))


def _voxels_npz(value: Voxels, place: Place) -> None:
    frame = value.frame
    with place.path.open("wb") as file:
        np.savez_compressed(file, voxels=value.full, origin=frame.origin, cell=frame.cell)


def _voxels_mesh(value: Voxels, place: Place, suffix: str) -> None:
    from avtool.pipelines.shape.cubes import cubes

    _mesh(cubes(value), place, suffix)


def _sdf_npz(value: Distances, place: Place) -> None:
    frame = value.frame
    with place.path.open("wb") as file:
        np.savez_compressed(file, sdf=value.values, origin=frame.origin, cell=frame.cell)


def _points_npz(value: Points, place: Place) -> None:
    arrays = {"points": value.points.astype(np.float32)}
    if value.normals is not None:
        arrays["normals"] = value.normals.astype(np.float32)
    with place.path.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _points_ply(value: Points, place: Place) -> None:
    columns = [value.points, *([] if value.normals is None else [value.normals])]
    names = [*"xyz", *([] if value.normals is None else ["nx", "ny", "nz"])]
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(value.points)}\n"
    head += "".join(f"property float {name}\n" for name in names) + "end_header\n"
    place.path.write_bytes(head.encode() + np.hstack(columns).astype("<f4").tobytes())


def _points_xyz(value: Points, place: Place) -> None:
    columns = [value.points, *([] if value.normals is None else [value.normals])]
    np.savetxt(place.path, np.hstack(columns), "%.7g")


def _views_png(value: Views, place: Place) -> None:
    from PIL import Image

    across, size = columns(len(value.pictures)), value.pictures.shape[1]
    down = -(-len(value.pictures) // across)
    sheet = np.zeros((down * size, across * size, 4), np.uint8)
    for n, picture in enumerate(value.pictures):
        y, x = n // across * size, n % across * size
        sheet[y : y + size, x : x + size] = picture
    Image.fromarray(sheet).save(place.path, "PNG")


def columns(count: int) -> int:
    """Pictures a row on a sheet.

    >>> columns(24), columns(12), columns(7)
    (6, 4, 3)
    """
    return max(across for across in range(1, count + 1) if across * across <= 1.5 * count + 1)


def _views_json(value: Views, place: Place) -> None:
    """Cameras by row; the sheet lies beside it under the same name, with .png."""
    across, size = columns(len(value.pictures)), value.pictures.shape[1]
    facts = {
        "size": size,
        "columns": across,
        "cameras": [[[float(f"{n:.9g}") for n in row] for row in one] for one in value.cameras],
    }
    place.path.write_text(json.dumps(facts) + "\n")


def _views_npz(value: Views, place: Place) -> None:
    arrays = {"pictures": value.pictures, "cameras": value.cameras}
    if value.depth is not None:
        arrays["depth"] = value.depth
    with place.path.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _parts_json(value: Parts, place: Place) -> None:
    parts = {name: np.flatnonzero(value.part == n).tolist() for n, name in enumerate(value.names)}
    areas = np.linalg.norm(value.surface.spans, axis=1) / 2
    facts = {
        "kind": value.kind or None,
        "sure": round(value.sure, 3),
        "parts": [
            {"name": name, "area": float(f"{areas[faces].sum():.6g}"), "faces": faces}
            for name, faces in parts.items()
        ],
    }
    place.path.write_text(json.dumps(facts) + "\n")


def _parts_mesh(value: Parts, place: Place, suffix: str) -> None:
    _mesh(value.coloured(), place, suffix)


def _shape_json(value: Shape, place: Place) -> None:
    place.path.write_text(json.dumps(value.facts, indent=1) + "\n")


def _shape_png(value: Shape, place: Place) -> None:
    from avtool.pipelines.shape.draw import draw

    draw(value, place.path, place.title)


def _shape_html(value: Shape, place: Place) -> None:
    from avtool.pipelines.shape.viewer import write

    write(value, place.path, place.title)


def _each(writer: Callable[..., None], *suffixes: str) -> dict[str, Callable[[Any, Place], None]]:
    """A writer that is told the suffix: the part file that it writes to has another."""
    return {suffix: partial(writer, suffix=suffix) for suffix in suffixes}


Surface.WRITERS = _each(_mesh, ".obj", ".glb", ".ply", ".stl", ".off")
Voxels.WRITERS = {".npz": _voxels_npz, **_each(_voxels_mesh, ".obj", ".glb")}
Distances.WRITERS = {".npz": _sdf_npz}
Points.WRITERS = {".ply": _points_ply, ".npz": _points_npz, ".xyz": _points_xyz}
Views.WRITERS = {".png": _views_png, ".json": _views_json, ".npz": _views_npz}
Parts.WRITERS = {**_each(_parts_mesh, ".glb", ".ply"), ".json": _parts_json}
Shape.WRITERS = {".png": _shape_png, ".json": _shape_json, ".html": _shape_html}
KINDS: dict[str, type[Any]] = {
    "views": Views,
    "voxels": Voxels,
    "parts": Parts,
    "points": Points,
    "mesh": Surface,
    "sdf": Distances,
}


def beside(path: Path) -> Path:
    """The sheet that lies beside the cameras of views."""
    return path.with_suffix(".png")
