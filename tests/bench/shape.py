"""Round trips of `avtool shape`: a mesh to each form, back to a mesh, and what both fill.

``python tests/bench/shape.py [--each 6] [OBJ...]``; at 64 cells a side, 16,384 points, 24 views of
256 pixels. IoU of the full cells of the thing and of what came back, on the thing's own grid. As a
control, another thing of the set is put in its place, scaled to the same box.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import trimesh

from avtool.errors import MediaError
from avtool.pipelines.shape import forms, made, solid
from avtool.pipelines.shape.pipeline import Forms, Options
from avtool.pipelines.shape.read import Form, read, tidy
from avtool.pipelines.shape.values import Points, Surface, Views, Voxels
from avtool.values import Array

SEED = 7
WAYS = ("voxels", "sdf", "points", "points without normals", "views", "silhouettes only", "control")


def solids() -> Iterator[tuple[str, Surface]]:
    shapes = {
        "sphere": trimesh.creation.icosphere(4),
        "torus": trimesh.creation.torus(1.0, 0.35, 96, 48),
        "box": trimesh.creation.box((1.0, 0.6, 0.4)),
        "cylinder": trimesh.creation.cylinder(0.4, 1.2, sections=64),
        "cone": trimesh.creation.cone(0.5, 1.0, sections=64),
        "capsule": trimesh.creation.capsule(1.0, 0.3),
    }
    for name, mesh in shapes.items():
        yield name, Surface(np.array(mesh.vertices), np.array(mesh.faces))


def things(each: int) -> Iterator[tuple[str, Surface]]:
    rng = np.random.default_rng(SEED)
    for kind, make in made.MAKERS.items():
        for _ in range(each):
            whole = make(rng).parted().surface
            yield f"made {kind}", tidy(whole.vertices, whole.faces, kind)


def iou(one: Array, other: Array) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


def back(surface: Surface, other: Surface) -> list[float]:
    found = Forms(surface, Options(views=24))
    frame, full = found.sdf.frame, found.sdf.values < 0
    views, cloud = found.views, found.points
    ways = (
        Voxels(full, frame),
        found.sdf,
        cloud,
        Points(cloud.points),
        views,
        Views(views.pictures, views.cameras),
    )
    meshes = [returned(way) for way in ways]
    low, size = other.vertices.min(0), np.ptp(other.vertices, axis=0)
    fitted = (other.vertices - low) / size * np.ptp(surface.vertices, axis=0)
    meshes.append(Surface(fitted + surface.vertices.min(0), other.faces))
    return [iou(full, solid.distances(mesh, frame).values < 0) if mesh else 0.0 for mesh in meshes]


def returned(way: Form) -> Surface | None:
    """The mesh that a form becomes; None where the program says that it cannot."""
    try:
        return forms.mesh_of(way, 64)
    except MediaError as error:
        print(error)
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("objs", nargs="*", type=Path)
    parser.add_argument("--each", type=int, default=6)
    given = parser.parse_args()
    every = [*solids(), *things(given.each)]
    for path in given.objs:
        form = read(path, path.name)
        assert isinstance(form, Surface)
        every.append(("files", form))
    rows: dict[str, list[list[float]]] = {}
    for n, (name, surface) in enumerate(every):
        rows.setdefault(name, []).append(back(surface, every[n - 1][1]))
        print(name, *(f"{value:.3f}" for value in rows[name][-1]), flush=True)
    print("\n| things | count |", " | ".join(WAYS), "|")
    for name, values in rows.items():
        means = " | ".join(f"{x:.3f}" for x in np.mean(values, 0))
        print(f"| {name} | {len(values)} | {means} |")
    flat = np.array([row for values in rows.values() for row in values])
    print(f"| all | {len(flat)} |", " | ".join(f"{x:.3f}" for x in flat.mean(0)), "|")
    print("| 0.9 or more |  |", " | ".join(f"{x:.0%}" for x in (flat >= 0.9).mean(0)), "|")


if __name__ == "__main__":
    main()
