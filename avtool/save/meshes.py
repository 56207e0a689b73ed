"""Heads as files: glTF 2.0 with parts, face units as morph targets and motion, and OBJ."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from avtool.values import Array, Mesh, Part

FLOAT, UINT, USHORT = 5126, 5125, 5123  # glTF's component types
VERTICES, INDICES = 34962, 34963  # what a view is for
LEAST, BENT = 2e-5, 0.02  # metres that a unit moves a vertex, and a normal, or it does not
QUALITY = 88  # of JPEG
SAMPLER = {"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}


class _Glb:
    """A glTF that grows: its lists by name, and the bytes behind them."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.lists: dict[str, list[dict[str, Any]]] = {}

    def add(self, kind: str, **entry: Any) -> int:
        """The number of a new entry of one of glTF's lists."""
        self.lists.setdefault(kind, []).append(entry)
        return len(self.lists[kind]) - 1

    def view(self, raw: bytes, **more: Any) -> int:
        self.data.extend(bytes(-len(self.data) % 4))
        at = len(self.data)
        self.data.extend(raw)
        return self.add("bufferViews", buffer=0, byteOffset=at, byteLength=len(raw), **more)

    def accessor(self, values: Array, target: int | None = None, **more: Any) -> int:
        """Rows of floats or whole numbers [n], [n, 2] or [n, 3]."""
        kind = {1: "SCALAR", 2: "VEC2", 3: "VEC3"}[values[:1].size]
        whole = values.dtype.kind in "iu"
        raw = values.astype("<u4" if whole else "<f4").tobytes()
        view = self.view(raw, **({"target": target} if target else {}))
        number = {"componentType": UINT if whole else FLOAT, "count": len(values), "type": kind}
        return self.add("accessors", bufferView=view, **number, **more)

    def sparse(self, moved: Array, least: float) -> int:
        """Displacements [v, 3], of which only those above ``least`` are kept."""
        some = np.flatnonzero(np.abs(moved).max(1) > least)
        some = some if len(some) else np.array([0])
        part = moved[some].astype("<f4")
        kept = {
            "count": len(some),
            "indices": {
                "bufferView": self.view(some.astype("<u2").tobytes()),
                "componentType": USHORT,
            },
            "values": {"bufferView": self.view(part.tobytes())},
        }
        still = part if len(some) == len(moved) else np.append(part, [[0, 0, 0]], 0)
        low, high = still.min(0).tolist(), still.max(0).tolist()
        shape = {"componentType": FLOAT, "count": len(moved), "type": "VEC3"}
        return self.add("accessors", **shape, sparse=kept, min=low, max=high)

    def write(self, path: Path, **whole: Any) -> None:
        whole |= {**self.lists, "buffers": [{"byteLength": len(self.data)}]}
        text = json.dumps(whole, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        self.data.extend(bytes(-len(self.data) % 4))
        length = 12 + 8 + len(text) + 8 + len(self.data)
        with path.open("wb") as file:
            file.write(b"glTF" + np.array([2, length, len(text)], "<u4").tobytes() + b"JSON" + text)
            file.write(np.array([len(self.data)], "<u4").tobytes() + b"BIN\0" + self.data)


def write_glb(mesh: Mesh, path: Path) -> None:
    """Write binary glTF 2.0 (Khronos 2021): a node, a mesh and a material a part.

    Textures are embedded; units are sparse morph targets; motion is an animation of their weights.
    """
    made = _Glb()
    made.add("samplers", **SAMPLER)
    root = made.add("nodes", name="head")
    moving = mesh.motion is not None
    times = np.arange(len(mesh.motion)) / mesh.fps if mesh.motion is not None else np.zeros(1)
    clock = made.accessor(times, min=[0.0], max=[float(np.float32(times[-1]))]) if moving else 0
    channels: list[dict[str, Any]] = []
    samplers: list[dict[str, Any]] = []
    for part in mesh.parts:
        node = made.add("nodes", name=part.name, mesh=_surface(made, part))
        if part.pivot.any():
            made.lists["nodes"][node]["translation"] = part.pivot.astype("f4").tolist()
        if mesh.motion is not None and part.names:
            weights = mesh.motion[:, [mesh.names.index(name) for name in part.names]]
            channels.append({"sampler": len(samplers), "target": {"node": node, "path": "weights"}})
            samplers.append({"input": clock, "output": made.accessor(weights.ravel())})
    made.lists["nodes"][root]["children"] = list(range(1, 1 + len(mesh.parts)))
    if moving:
        made.add("animations", name="speech", channels=channels, samplers=samplers)
    made.write(
        path,
        asset={"version": "2.0", "generator": "avtool", "extras": {"synthetic": True}},
        scene=0,
        scenes=[{"nodes": [root]}],
    )


def _surface(made: _Glb, part: Part) -> int:
    """The number of a part's mesh."""
    points = (part.vertices - part.pivot).astype("<f4")
    bounds = {"min": points.min(0).tolist(), "max": points.max(0).tolist()}
    primitive: dict[str, Any] = {
        "attributes": {
            "POSITION": made.accessor(points, VERTICES, **bounds),
            "NORMAL": made.accessor(part.normals, VERTICES),
            "TEXCOORD_0": made.accessor(part.uv, VERTICES),
        },
        "indices": made.accessor(part.faces.reshape(-1), INDICES),
        "material": _material(made, part),
    }
    if not part.names:
        return made.add("meshes", name=part.name, primitives=[primitive])
    primitive["targets"] = [
        {"POSITION": made.sparse(moved, LEAST), "NORMAL": made.sparse(bent, BENT)}
        for moved, bent in zip(part.units, part.bends, strict=True)
    ]
    return made.add(
        "meshes",
        name=part.name,
        primitives=[primitive],
        weights=[0.0] * len(part.names),
        extras={"targetNames": list(part.names)},
    )


def _material(made: _Glb, part: Part) -> int:
    """The number of a part's material, with its picture inside the file."""
    file = io.BytesIO()
    sheer = part.picture.shape[2] == 4
    kind = "PNG" if sheer else "JPEG"
    Image.fromarray(part.picture).save(file, kind, quality=QUALITY)
    view = made.view(file.getvalue())
    source = made.add("images", name=part.name, mimeType=f"image/{kind.lower()}", bufferView=view)
    texture = made.add("textures", sampler=0, source=source)
    shown: dict[str, Any] = {
        "baseColorTexture": {"index": texture},
        "metallicFactor": 0.0,
        "roughnessFactor": part.rough,
    }
    more: dict[str, Any] = {}
    if sheer:
        more = {"doubleSided": True, "alphaMode": "BLEND"}
        if part.cut:
            more |= {"alphaMode": "MASK", "alphaCutoff": 0.3}
    return made.add("materials", name=part.name, pbrMetallicRoughness=shown, **more)


def write_obj(mesh: Mesh, path: Path) -> None:
    """Write OBJ with colours behind the vertices, as most programs read them (0 to 1, sRGB)."""
    first = 1
    with path.open("w") as file:
        file.write("# a synthetic face, by avtool\n")
        for part in mesh.parts:
            height, width = part.picture.shape[:2]
            x, y = (part.uv * (width - 1, height - 1)).round().astype(int).T
            shown = part.picture[y, x, :3] / 255
            file.write(f"o {part.name}\n")
            np.savetxt(
                file, np.column_stack([part.vertices, shown]), "v %.5f %.5f %.5f %.3f %.3f %.3f"
            )
            np.savetxt(file, part.faces + first, "f %d %d %d")
            first += len(part.vertices)
