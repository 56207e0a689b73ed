"""Files of shapes, whoever made them: their size is looked at first, and nothing in them runs."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from avtool.errors import MediaError
from avtool.media.door import let_in
from avtool.pipelines.shape.values import (
    Y_UP,
    Distances,
    Frame,
    Points,
    Surface,
    Views,
    Voxels,
    beside,
    upright,
)
from avtool.values import Array

MESHES = {".obj", ".glb", ".ply", ".stl", ".off"}
SUFFIXES = {*MESHES, ".npz", ".xyz", ".json"}
MOST_BYTES = 256 << 20  # of a file
MOST_UNPACKED = 1 << 30  # of an .npz
MOST_FACES, MOST_POINTS, LARGEST_SIDE, MOST_VIEWS = 2_000_000, 4_000_000, 256, 200
LONGEST = 1e9  # of a coordinate

Form = Surface | Voxels | Distances | Points | Views


def read(path: Path, name: str, up: str = "auto") -> Form:
    """A form of a shape, z up.

    Args:
        name: what the file is called in errors.
        up: which axis is up in the file; ``auto`` is y in .obj and .glb, z in others.

    Raises:
        MediaError: it is missing, too large, damaged, or holds no shape.
    """
    let_in(path, name)
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        known = ", ".join(sorted(SUFFIXES))
        raise MediaError(f"{name}: is no shape that can be read; there are {known}")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise MediaError(
            f"{name}: has {size >> 20} MB, and shapes up to {MOST_BYTES >> 20} MB are read; "
            "make it coarser first"
        )
    axis = up if up != "auto" else ("y" if suffix in Y_UP else "z")
    try:
        if suffix == ".npz":
            return _npz(path, name)
        if suffix == ".json":
            return _views(path, name)
        if suffix == ".xyz":
            rows = np.loadtxt(path, ndmin=2, max_rows=MOST_POINTS + 1)
            return _cloud(rows[:, :3], rows[:, 3:6] if rows.shape[1] >= 6 else None, name, axis)
        return _trimesh(path, name, suffix, axis)
    except MediaError:
        raise
    except MemoryError as error:
        raise MediaError(f"{name}: does not fit into memory; make it coarser first") from error
    except Exception as error:  # what a reader of many formats meets in a damaged file
        raise MediaError(
            f"{name}: is damaged, or no {suffix} ({type(error).__name__}: {str(error)[:80]}); "
            "write it anew with the program that made it"
        ) from error


def _trimesh(path: Path, name: str, suffix: str, axis: str) -> Surface | Points:
    import trimesh

    # Without a resolver nothing beside the file is opened: no materials, no pictures, no buffers.
    how: dict[str, Any] = {"skip_materials": True} if suffix == ".obj" else {}
    loaded: Any = trimesh.load_scene(
        io.BytesIO(path.read_bytes()),
        file_type=suffix[1:],
        process=False,
        resolver=_Nothing(),
        **how,
    )
    meshes, clouds = [], []
    for each in loaded.dump():
        if isinstance(each, trimesh.Trimesh) and len(each.faces):
            meshes.append(each)
        elif isinstance(each, trimesh.Trimesh | trimesh.PointCloud) and len(each.vertices):
            clouds.append(each)
    if sum(len(each.faces) for each in meshes) > MOST_FACES:
        raise MediaError(f"{name}: has more than {MOST_FACES:,} faces; make it coarser first")
    if not meshes:
        if not clouds:
            raise MediaError(f"{name}: has no faces and no points, so there is no shape")
        points = np.concatenate([np.asarray(each.vertices, float) for each in clouds])
        return _cloud(points, _normals(clouds), name, axis)
    first = np.cumsum([0, *(len(each.vertices) for each in meshes)])
    vertices = np.concatenate([np.asarray(each.vertices, float) for each in meshes])
    faces = np.concatenate(
        [np.asarray(each.faces, np.int64) + n for each, n in zip(meshes, first, strict=False)]
    )
    _checked(vertices, name)
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise MediaError(f"{name}: has faces of points that it does not have; write it anew")
    return tidy(upright(vertices, axis), faces, name)


class _Nothing(dict[str, bytes]):
    """Files beside a shape: none is opened."""

    def get(self, name: str, default: object = None) -> bytes:
        raise ValueError(f"it needs {Path(name).name}, and only one file is read")

    def namespaced(self, _: str) -> _Nothing:
        return self


def _normals(clouds: list[Any]) -> Array | None:
    found = [getattr(each, "metadata", {}).get("_ply_raw") for each in clouds]
    if len(found) != 1 or not found[0]:
        return None
    data = found[0]["vertex"]["data"]
    try:
        return np.stack([np.asarray(data[key], float).ravel() for key in ("nx", "ny", "nz")], 1)
    except (KeyError, ValueError, IndexError):
        return None  # it has none


def _checked(points: Array, name: str) -> None:
    if not np.isfinite(points).all() or np.abs(points).max(initial=0) > LONGEST:
        raise MediaError(f"{name}: has coordinates that are no numbers, or beyond {LONGEST:.0e}")
    if not (np.ptp(points, axis=0) > 0).any():
        raise MediaError(f"{name}: all of its points are one, so there is no shape")


def _cloud(points: Array, normals: Array | None, name: str, axis: str) -> Points:
    if len(points) > MOST_POINTS:
        raise MediaError(f"{name}: has more than {MOST_POINTS:,} points; leave some out")
    if len(points) < 50 or points.shape[1] != 3:
        raise MediaError(f"{name}: has {len(points)} points; a shape takes 50 or more, x y z each")
    _checked(points, name)
    if normals is not None:
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        normals = upright(normals / length, axis) if (length > 0).all() else None
    return Points(upright(points, axis), normals)


def tidy(vertices: Array, faces: Array, name: str) -> Surface:
    """A surface whose equal points are one, without faces that are there twice or have no area;
    what is turned inside out is turned back.

    Raises:
        MediaError: no face is left.
    """
    import trimesh

    from avtool.pipelines.shape.solid import pieces

    scale = float(np.ptp(vertices, axis=0).max())
    _, first, same = np.unique(
        np.rint(vertices / (1e-7 * scale)), axis=0, return_index=True, return_inverse=True
    )
    vertices, faces = vertices[first], same.ravel()[faces]
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    _, once = np.unique(np.sort(faces, 1), axis=0, return_index=True)
    surface = Surface(vertices, faces[np.sort(once)])
    if not len(surface.faces) or surface.area < 1e-12 * scale * scale:
        raise MediaError(f"{name}: its faces have no area, so there is no shape")
    parted = pieces(surface)
    ragged = ~parted.closed[parted.label]
    if ragged.any():  # its faces may look either way: neighbours are made to agree
        made = trimesh.Trimesh(vertices, surface.faces[ragged], process=False)
        trimesh.repair.fix_winding(made)
        faces = surface.faces.copy()
        faces[ragged] = made.faces
        surface = Surface(vertices, faces)
        parted = pieces(surface)
    size = np.bincount(
        parted.label, ((surface.corners.mean(1) - vertices.mean(0)) * surface.spans).sum(1) / 6
    )
    if len(size) == 1 or not (size > 0).any():  # one in another is a hollow, and stays
        wrong = size < 0
    else:
        wrong = (size < 0) & ~_within(surface, parted.label)
    faces = surface.faces.copy()
    faces[wrong[parted.label]] = faces[wrong[parted.label]][:, ::-1]
    return Surface(vertices, faces)


def _within(surface: Surface, label: Array) -> Array:
    """Which pieces lie in another one's box: bool [pieces]."""
    count = label.max() + 1
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(low, label, surface.corners.min(1))
    np.maximum.at(high, label, surface.corners.max(1))
    found = np.zeros(count, bool)
    for n in range(count):
        found |= (low > low[n]).all(1) & (high < high[n]).all(1)
    return found


def told(closed: Array) -> tuple[str, ...]:
    """What is to be known of a mesh whose pieces may be open.

    >>> told(np.array([True, False, True])), told(np.array([True]))
    (('is not watertight: 1 of its 3 pieces is open',), ())
    """
    ragged = int((~closed).sum())
    if not ragged:
        return ()
    if len(closed) == 1:
        return ("is not watertight",)
    verb = "is" if ragged == 1 else "are"
    return (f"is not watertight: {ragged} of its {len(closed)} pieces {verb} open",)


def _npz(path: Path, name: str) -> Form:
    with zipfile.ZipFile(path) as file:
        size = sum(each.file_size for each in file.infolist())
    if size > MOST_UNPACKED:
        raise MediaError(
            f"{name}: would unpack to {size >> 20} MB, more than {MOST_UNPACKED >> 20} MB"
        )
    with np.load(path, allow_pickle=False) as file:
        there = set(file.files)
        if "points" in there:
            normals = file["normals"].astype(float) if "normals" in there else None
            return _cloud(file["points"].astype(float), normals, name, "z")
        if {"pictures", "cameras"} <= there:
            depth = file["depth"] if "depth" in there else None
            return _seen(Views(file["pictures"], file["cameras"].astype(float), depth), name)
        for key in ("voxels", "sdf"):
            if key in there:
                return _grid(file[key], *_placed(file), key, name)
    raise MediaError(
        f"{name}: holds {', '.join(sorted(there)) or 'nothing'}; a shape is voxels or sdf "
        "[n, n, n], points [n, 3], or pictures with cameras"
    )


def _placed(file: np.lib.npyio.NpzFile) -> tuple[Array, float]:
    origin = np.asarray(file["origin"], float) if "origin" in file.files else np.zeros(3)
    cell = float(file["cell"]) if "cell" in file.files else 1.0
    return origin, cell


def _grid(values: Array, origin: Array, cell: float, key: str, name: str) -> Voxels | Distances:
    if values.ndim != 3 or max(values.shape) > LARGEST_SIDE or min(values.shape) < 2:
        raise MediaError(
            f"{name}: its {key} are {list(values.shape)}; "
            f"a grid has three axes of 2 to {LARGEST_SIDE} cells"
        )
    if origin.shape != (3,) or not np.isfinite(origin).all() or not 0 < cell < LONGEST:
        raise MediaError(f"{name}: its origin or its cell is no place in space")
    side = max(values.shape)
    room = [(0, side - each) for each in values.shape]
    frame = Frame((float(origin[0]), float(origin[1]), float(origin[2])), cell, side)
    if key == "voxels":
        full = np.pad(values > 0.5, room)
        if not full.any():
            raise MediaError(f"{name}: no cell is full, so there is no shape")
        return Voxels(full, frame)
    values = values.astype(np.float32)
    if not np.isfinite(values).all() or not (values < 0).any():
        raise MediaError(f"{name}: no cell is inside (below 0), so there is no shape")
    return Distances(np.pad(values, room, constant_values=float(values.max())), frame)


def _views(path: Path, name: str) -> Views:
    """Cameras in JSON, with the sheet of pictures beside them."""
    from PIL import Image

    facts = json.loads(path.read_text())
    if not isinstance(facts, dict) or not {"size", "columns", "cameras"} <= facts.keys():
        raise MediaError(f"{name}: is no views.json that avtool wrote; --to views makes one")
    sheet = beside(path)
    if not sheet.is_file():
        raise MediaError(f"{name}: its pictures, {sheet.name}, do not lie beside it")
    cameras = np.asarray(facts["cameras"], float)
    with Image.open(sheet, formats=("PNG",)) as image:
        whole = np.asarray(image.convert("RGBA"))
    size, across = int(facts["size"]), int(facts["columns"])
    down = -(-len(cameras) // across)
    if whole.shape[:2] != (down * size, across * size):
        raise MediaError(
            f"{sheet.name}: is {whole.shape[1]}x{whole.shape[0]}, and its cameras are for "
            f"{across * size}x{down * size}"
        )
    tiles = whole.reshape(down, size, across, size, 4).swapaxes(1, 2).reshape(-1, size, size, 4)
    return _seen(Views(tiles[: len(cameras)], cameras), name)


def _seen(views: Views, name: str) -> Views:
    count = len(views.pictures)
    fits = views.pictures.ndim == 4 and views.pictures.shape[3] == 4
    fits = fits and views.pictures.shape[1] == views.pictures.shape[2]
    fits = fits and views.cameras.shape == (count, 3, 4) and views.pictures.dtype == np.uint8
    if views.depth is not None:
        fits = fits and views.depth.shape == views.pictures.shape[:3]
    if not fits or not np.isfinite(views.cameras).all() or not 2 <= count <= MOST_VIEWS:
        raise MediaError(
            f"{name}: 2 to {MOST_VIEWS} square RGBA pictures with a camera [3, 4] each are read"
        )
    if not (views.pictures[..., 3] > 127).any():
        raise MediaError(f"{name}: nothing is seen in its pictures: all are transparent")
    return views
