"""From any form to any other, by way of a mesh and the signed distance."""

from __future__ import annotations

import math

import numpy as np

from avtool.errors import MediaError
from avtool.pipelines.shape.read import Form
from avtool.pipelines.shape.solid import distances, frame_of, pieces, sampled
from avtool.pipelines.shape.values import Distances, Frame, Points, Surface, Views, Voxels
from avtool.values import Array

SMOOTHED, FORTH, BACK = 8, 0.5, -0.53  # rounds, and Taubin's two steps of a round
FINEST = 128  # cells of the grid that points are made a surface on


def mesh_of(form: Form, side: int) -> Surface:
    """The surface of a form.

    Args:
        side: of the grid for forms that have none of their own.
    """
    if isinstance(form, Surface):
        return form
    if isinstance(form, Voxels):
        return _smoothed(form)
    if isinstance(form, Distances):
        return contour(form.values, form.frame)
    if isinstance(form, Views):
        return _smoothed(carved(form, 2 * side))  # finer, as it is turned into a grid once more
    return poisson(form if form.normals is not None else oriented(form, side))


def sdf_of(form: Form, mesh: Surface, side: int) -> Distances:
    """The signed distance on a grid of ``side`` cells; what is on such a grid stays on it."""
    frame = getattr(form, "frame", None)
    if isinstance(form, Distances) and form.frame.side == side:
        return form
    if frame is None or frame.side != side:
        frame = frame_of(mesh.vertices, side)
    return distances(mesh, frame)


def voxels_of(form: Form, sdf: Distances) -> Voxels:
    """The cells whose centre is inside."""
    if isinstance(form, Voxels) and form.frame.side == sdf.frame.side:
        return form
    full = sdf.values < 0
    if not full.any():  # thinner than a cell everywhere: those that the surface passes through
        full = sdf.values < sdf.frame.cell * math.sqrt(3) / 2
    return Voxels(full, sdf.frame)


def points_of(form: Form, mesh: Surface, sdf: Distances, count: int) -> Points:
    """Points spread evenly over the surface, with its normals; of a mesh of several or open pieces
    over the solid that they are together.
    """
    if isinstance(form, Points):
        return form
    parted = pieces(mesh)
    if len(parted.closed) > 1 or not parted.closed.all():
        mesh = contour(sdf.values, sdf.frame)
    places, owner = sampled(mesh.corners, count, np.random.default_rng(0))
    spans = mesh.spans[owner]
    return Points(places, spans / np.maximum(np.linalg.norm(spans, axis=1, keepdims=True), 1e-30))


def contour(values: Array, frame: Frame, level: float = 0.0) -> Surface:
    """Where a field [side, side, side], small inside, has a value (Lorensen & Cline, "Marching
    Cubes", 1987; by scikit-image, Lewiner's variant of 2003); the grid's border is outside.
    """
    from skimage.measure import marching_cubes

    high = max(float(values.max()), level + frame.cell)
    padded = np.pad(values.astype(np.float32), 1, constant_values=high)
    vertices, faces, _, _ = marching_cubes(padded, level)
    vertices = np.array(frame.origin) + frame.cell * (vertices.astype(float) - 1)
    # In memory's order its faces look inwards where the field is small inside.
    surface = Surface(vertices, faces.astype(np.int64))
    if surface.volume < 0:
        surface = Surface(vertices, np.ascontiguousarray(surface.faces[:, ::-1]))
    return surface


def _smoothed(voxels: Voxels) -> Surface:
    """The surface of full cells, without their steps: no vertex leaves its place by more than half
    a cell (Taubin, "A signal processing approach to fair surface design", 1995).
    """
    from scipy.sparse import coo_matrix

    rough = contour(-voxels.full.astype(np.float32), voxels.frame, -0.5)
    a, b = rough.faces[:, [0, 1, 2]].ravel(), rough.faces[:, [1, 2, 0]].ravel()
    count = len(rough.vertices)
    joined = coo_matrix((np.ones(2 * len(a)), (np.append(a, b), np.append(b, a))), (count, count))
    joined = joined.tocsr()
    joined.data[:] = 1
    share = 1 / np.maximum(np.asarray(joined.sum(1)), 1)
    most = voxels.frame.cell / 2
    at = rough.vertices
    for _ in range(SMOOTHED):
        for step in (FORTH, BACK):
            at = at + step * (share * (joined @ at) - at)
        at = rough.vertices + np.clip(at - rough.vertices, -most, most)
    return Surface(at, rough.faces)


def poisson(cloud: Points) -> Surface:
    """The surface of points with normals: where the field whose gradient they are has their value
    (Kazhdan, Bolitho & Hoppe, 2006; solved by FFT as Peng et al., "Shape As Points", 2021).
    """
    assert cloud.normals is not None
    side = int(np.clip(2 * math.sqrt(len(cloud.points)), 32, FINEST))
    frame = frame_of(cloud.points, side, 0.12 * side)
    at = frame.inside(cloud.points)
    field = np.zeros((3, side, side, side))
    for corner in np.ndindex(2, 2, 2):
        low = np.floor(at).astype(int)
        weight = np.where(corner, at - low, 1 - (at - low)).prod(1)
        cell = tuple((low + corner).T)
        for axis in range(3):
            np.add.at(field[axis], cell, weight * cloud.normals[:, axis])
    wave = np.stack(np.meshgrid(*[2 * np.pi * np.fft.fftfreq(side)] * 3, indexing="ij"))
    square = (wave**2).sum(0)
    square[0, 0, 0] = 1
    spacing = _spacing(cloud.points) / frame.cell
    blur = np.exp(-square * max(0.8, 0.7 * spacing) ** 2 / 2)
    spread = sum(1j * wave[axis] * np.fft.fftn(field[axis]) for axis in range(3))
    values = np.real(np.fft.ifftn(-spread * blur / square))
    level = float(np.mean(_at(values, at)))
    return contour(values, frame, level)


def _at(values: Array, places: Array) -> Array:
    from scipy.ndimage import map_coordinates

    return np.asarray(map_coordinates(values, places.T, order=1, mode="nearest"))


def _spacing(points: Array) -> float:
    """How far a point's nearest neighbour typically is."""
    from scipy.spatial import cKDTree

    few = points[:: max(1, len(points) // 4000)]
    return float(np.median(cKDTree(points).query(few, 2)[0][:, 1]))


def oriented(cloud: Points, side: int) -> Points:
    """A cloud with normals: of the plane through a point's neighbours, away from the inside.

    Balls around the points that touch enclose the inside.

    Raises:
        MediaError: the points are too far from each other to enclose anything.
    """
    from scipy.ndimage import binary_fill_holes, gaussian_filter
    from scipy.spatial import cKDTree

    points = cloud.points
    frame = frame_of(points, side, 6.0)
    tree = cKDTree(points)
    away = tree.query(frame.centres())[0].reshape((side,) * 3)
    reach = max(1.5 * _spacing(points), 0.9 * frame.cell)
    for _ in range(4):
        solid = binary_fill_holes(away < reach)
        if (solid & (away >= reach)).any():
            break
        reach *= 1.4
    else:
        raise MediaError(
            "its points have no normals and are too sparse to enclose anything; give more of them, "
            "or x y z nx ny nz"
        )
    _, near = tree.query(points, min(12, len(points)))
    around = points[near] - points[near].mean(1, keepdims=True)
    _, vectors = np.linalg.eigh(np.einsum("nki,nkj->nij", around, around))
    normals = vectors[..., 0]  # of the least spread
    depth = gaussian_filter(solid.astype(float), 1.0)
    step = 1.5 * reach
    ahead, behind = (_at(depth, frame.inside(points + way * step * normals)) for way in (1, -1))
    return Points(points, np.where((ahead > behind)[:, None], -normals, normals))


def carved(views: Views, side: int) -> Voxels:
    """The cells that all cameras see as the thing, or behind it (Kutulakos & Seitz, "A Theory of
    Shape by Space Carving", 2000); without depth it is the visual hull (Laurentini, 1994).
    """
    from scipy.ndimage import minimum_filter

    frame = _room(views, side)
    size = views.pictures.shape[1]
    centres = np.append(frame.centres(), np.ones((side**3, 1)), 1)
    full = np.ones(side**3, bool)
    for n, camera in enumerate(views.cameras):
        some = np.flatnonzero(full)
        x, y, w = camera @ centres[some].T
        ahead = w > 0
        at = np.rint(np.stack([x, y]) / np.where(ahead, w, 1) - 0.5).astype(int)
        seen = ahead & (at >= 0).all(0) & (at < size).all(0)
        column, row = at.clip(0, size - 1)
        seen &= views.pictures[n, row, column, 3] > 127
        if views.depth is not None:
            # The nearest of a pixel's neighbours: a slanting surface is nearer within the pixel.
            depth = minimum_filter(views.depth[n], 3)
            seen &= w > depth[row, column] - 0.05 * frame.cell
        full[some[~seen]] = False
    if not full.any():
        raise MediaError("its views agree on no cell; are these the cameras of these pictures?")
    return Voxels(full.reshape((side,) * 3), frame)


def _room(views: Views, side: int) -> Frame:
    """A grid around what is seen: the box that the silhouettes leave, found on a coarse grid."""
    where = np.array([-np.linalg.solve(each[:, :3], each[:, 3]) for each in views.cameras])
    middle, reach = where.mean(0), np.linalg.norm(where - where.mean(0), axis=1).max()
    coarse = Frame(tuple(middle - reach), 2 * reach / 47, 48)
    for _ in range(2):
        centres = np.append(coarse.centres(), np.ones((48**3, 1)), 1)
        full = np.ones(48**3, bool)
        size = views.pictures.shape[1]
        for n, camera in enumerate(views.cameras):
            x, y, w = camera @ centres.T
            ahead = w > 0
            near = np.abs(coarse.cell * np.linalg.norm(camera[0, :3]) / np.where(ahead, w, 1))
            at = np.rint(np.stack([x, y]) / np.where(ahead, w, 1) - 0.5)
            wide = _grown(views.pictures[n, ..., 3] > 127, float(np.median(near)))
            inside = ahead & (at >= 0).all(0) & (at < size).all(0)
            column, row = at.clip(0, size - 1).astype(int)
            full &= inside & wide[row, column]
        kept = coarse.centres()[full]
        if not len(kept):
            raise MediaError(
                "its views agree on no place; are these the cameras of these pictures?"
            )
        low, high = kept.min(0) - coarse.cell, kept.max(0) + coarse.cell
        coarse = frame_of(np.stack([low, high]), 48, 1.0)
    return frame_of(np.stack([low, high]), side, 1.0)


def _grown(mask: Array, by: float) -> Array:
    from scipy.ndimage import distance_transform_edt

    return np.asarray(distance_transform_edt(~mask) <= by)
