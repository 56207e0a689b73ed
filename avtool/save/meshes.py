"""Meshes as files: glTF 2.0 with its face units as morph targets, and Wavefront OBJ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from avtool.values import Array, Mesh

FLOAT, UINT, USHORT = 5126, 5125, 5123  # glTF's component types
LEAST = 2e-5  # metres that a unit moves a vertex, below which it does not
ROUGH = {"metallicFactor": 0.0, "roughnessFactor": 0.75}


def write_glb(mesh: Mesh, path: Path) -> None:
    """Write binary glTF 2.0 (Khronos 2021): vertex colours, units as sparse morph targets."""
    data = bytearray()
    views: list[dict[str, Any]] = []
    accessors: list[dict[str, Any]] = []

    def view(values: Array, **more: Any) -> int:
        data.extend(bytes(-len(data) % 4))
        views.append({"buffer": 0, "byteOffset": len(data), "byteLength": values.nbytes, **more})
        data.extend(np.ascontiguousarray(values).tobytes())
        return len(views) - 1

    def accessor(values: Array, kind: str, component: int, **more: Any) -> int:
        size = {"SCALAR": 1, "VEC3": 3}[kind]
        flat = values.reshape(-1, size)
        found = {"componentType": component, "count": len(flat), "type": kind, **more}
        accessors.append(found)
        return len(accessors) - 1

    places = mesh.vertices.astype("<f4")
    bounds = {"min": places.min(0).tolist(), "max": places.max(0).tolist()}
    colours = mesh.colours.astype("<f4")
    facing = mesh.normals.astype("<f4")
    corners = mesh.faces.astype("<u4")
    attributes = {
        "POSITION": accessor(
            places, "VEC3", FLOAT, bufferView=view(places, target=34962), **bounds
        ),
        "NORMAL": accessor(facing, "VEC3", FLOAT, bufferView=view(facing, target=34962)),
        "COLOR_0": accessor(colours, "VEC3", FLOAT, bufferView=view(colours, target=34962)),
    }
    indices = accessor(corners, "SCALAR", UINT, bufferView=view(corners, target=34963))
    targets = []
    for moved in mesh.units.astype("<f4"):
        some = np.flatnonzero(np.abs(moved).max(1) > LEAST)
        some = some if len(some) else np.array([0])
        part = moved[some]
        sparse = {
            "count": len(some),
            "indices": {"bufferView": view(some.astype("<u2")), "componentType": USHORT},
            "values": {"bufferView": view(part)},
        }
        low, high = np.minimum(part.min(0), 0).tolist(), np.maximum(part.max(0), 0).tolist()
        number = accessor(moved, "VEC3", FLOAT, sparse=sparse, min=low, max=high)
        targets.append({"POSITION": number})
    primitive = {"attributes": attributes, "indices": indices, "material": 0, "targets": targets}
    names = {"targetNames": list(mesh.names)}
    whole = {
        "asset": {"version": "2.0", "generator": "avtool", "extras": {"synthetic": True}},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "face"}],
        "meshes": [{"primitives": [primitive], "extras": names, "weights": [0.0] * len(targets)}],
        "materials": [{"pbrMetallicRoughness": ROUGH, "doubleSided": True}],
        "buffers": [{"byteLength": len(data)}],
        "bufferViews": views,
        "accessors": accessors,
    }
    text = json.dumps(whole, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    data.extend(bytes(-len(data) % 4))
    length = 12 + 8 + len(text) + 8 + len(data)
    with path.open("wb") as file:
        file.write(b"glTF" + np.array([2, length, len(text)], "<u4").tobytes() + b"JSON" + text)
        file.write(np.array([len(data)], "<u4").tobytes() + b"BIN\0" + data)


def write_obj(mesh: Mesh, path: Path) -> None:
    """Write OBJ with colours behind the vertices, as most programs read them (0 to 1, sRGB)."""
    light = mesh.colours
    shown = np.where(light < 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    with path.open("w") as file:
        file.write("# a synthetic face, by avtool\n")
        np.savetxt(file, np.column_stack([mesh.vertices, shown]), "v %.5f %.5f %.5f %.3f %.3f %.3f")
        np.savetxt(file, mesh.faces + 1, "f %d %d %d")
