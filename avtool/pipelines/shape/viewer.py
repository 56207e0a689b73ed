"""The page of a thing: each of its forms, to be turned by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from avtool.page import Page, html
from avtool.pipelines.shape.cubes import cubes
from avtool.pipelines.shape.forms import contour
from avtool.pipelines.shape.solid import distances, frame_of
from avtool.pipelines.shape.values import COLOURS, Shape, Surface, Voxels, glb_mesh, turned, unlit
from avtool.scratch import temporary_folder
from avtool.values import Array

SHOWN = 48  # voxels along the longest side
MOST_POINTS = 20_000
LEVELS = ((0.0, 1), (0.06, 5), (0.14, 6))  # of the distance, in parts of the size, and its colour


def write(value: Shape, path: Path, title: str) -> None:
    """Write the page as HTML."""
    facts = value.facts
    told = {}
    for kind, likely in list(facts.get("what", {}).items())[:1]:
        told["what"] = f"{kind} {likely:.0%}"
    told["closed"] = "watertight" if facts["watertight"] else facts["says"][0]
    with temporary_folder() as folder:
        (folder / "shape.glb").write_bytes(_glb(value))
        page = Page(
            title,
            head=folder / "shape.glb",
            facts=told,
            forms=_forms(value),
            views=_sheet(value),
        )
        html.write(page, path)


def _forms(value: Shape) -> list[tuple[str, str, str]]:
    parts, frame = value.parts, value.sdf.frame
    cells = int(value.voxels.full.sum())
    return [
        ("parts", "Parts", ", ".join(parts.names)),
        ("mesh", "Mesh", f"{len(value.mesh.faces):,} triangles"),
        ("points", "Point cloud", f"{len(value.points.points):,} points"),
        ("voxels", "Voxels", f"{cells:,} cells of a grid of {frame.side} a side are full"),
        (
            "sdf",
            "Implicit function",
            "half of it, and where the distance is 6 and 14 % of its size",
        ),
        ("views", "Multi-view images", f"{len(value.views.pictures)} cameras around it"),
    ]


def _glb(value: Shape) -> bytes:
    import trimesh

    scene = trimesh.Scene()

    def add(name: str, surface: Surface, colours: Array | None) -> None:
        made = glb_mesh(Surface(surface.vertices, surface.faces, colours))
        scene.add_geometry(made, name, name)

    add("mesh", value.mesh, None)
    coloured = value.parts.coloured()
    add("parts", coloured, coloured.colours)
    blocks = cubes(_fewer(value))
    add("voxels", blocks, np.tile(COLOURS[2], (len(blocks.faces), 1)))
    half = _levels(value)
    add("sdf", half, half.colours)
    points = value.points.points[:: -(-len(value.points.points) // MOST_POINTS)]
    height = (points[:, 2] - points[:, 2].min()) / max(float(np.ptp(points[:, 2])), 1e-12)
    low, high = COLOURS[0].astype(float), COLOURS[1].astype(float)
    shade = (low + height[:, None] * (high - low)).astype(np.uint8)
    cloud = trimesh.PointCloud(turned(points, ".glb"), unlit(shade))
    scene.add_geometry(cloud, "points", "points")
    made: Any = scene.export(file_type="glb")
    return bytes(made)


def _fewer(value: Shape) -> Voxels:
    """Voxels that are large enough to be seen."""
    if value.voxels.full.shape[0] <= SHOWN + 4:
        return value.voxels
    frame = frame_of(value.mesh.vertices, SHOWN + 4, 2.0)
    return Voxels(distances(value.mesh, frame).values < 0.1 * frame.cell, frame)


def _levels(value: Shape) -> Surface:
    """The back half of the surfaces on which the distance is the same, the further the larger."""
    sdf, frame = value.sdf, value.sdf.frame
    size = float(np.ptp(value.mesh.vertices, axis=0).max())
    middle = float(value.mesh.vertices[:, 1].mean())
    at = frame.origin[1] + frame.cell * np.arange(frame.side)
    beyond = (middle - at)[None, :, None]
    found = []
    for part, colour in LEVELS:
        values = np.maximum(sdf.values - part * size, beyond)
        if part:  # a shell, not a solid: what is within shows
            values = np.maximum(values, part * size * 0.82 - sdf.values)
        shell = contour(values, frame)
        found.append((shell, np.tile(COLOURS[colour], (len(shell.faces), 1))))
    first = np.cumsum([0, *(len(shell.vertices) for shell, _ in found)])
    return Surface(
        np.concatenate([shell.vertices for shell, _ in found]),
        np.concatenate([s.faces + n for (s, _), n in zip(found, first, strict=False)]),
        np.concatenate([colours for _, colours in found]),
    )


def _sheet(value: Shape) -> Array:
    """The views on white, uint8 RGB."""
    pictures = value.views.pictures[:24]
    across = next(n for n in (6, 5, 4, 3, 2, 1) if len(pictures) % n == 0)
    alpha = pictures[..., 3:] / 255
    white = (pictures[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)
    count, size = white.shape[:2]
    rows = white.reshape(count // across, across, size, size, 3).swapaxes(1, 2)
    return np.asarray(rows.reshape(count // across * size, across * size, 3))
