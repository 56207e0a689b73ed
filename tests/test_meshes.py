"""Heads as files: what another reader finds in them, and that their units move what they should."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from avtool.head import model as heads
from avtool.head import traits as people
from avtool.head.model import UNITS
from avtool.head.portrait import modelled
from avtool.head.raster import rasterise
from avtool.pipelines.lips import pipeline as lips
from avtool.pipelines.lips.values import Curves
from avtool.save.meshes import write_glb, write_obj
from avtool.values import Array, Mesh

EYES = 0.056  # metres between the eyes
NAMES = [
    *("skin", "mouth", "eye_left", "eye_right", "teeth_upper", "teeth_lower", "tongue"),
    *("lashes", "brows", "clothes", "hair"),
]


class Glb:
    """A .glb read by the standard's words alone (glTF 2.0, sections 3.6 and 4.4)."""

    def __init__(self, path: Path) -> None:
        raw = path.read_bytes()
        assert raw[:4] == b"glTF"
        assert int.from_bytes(raw[8:12], "little") == len(raw)
        end = 20 + int.from_bytes(raw[12:16], "little")
        self.told: dict[str, Any] = json.loads(raw[20:end])
        self.data = raw[end + 8 :]
        self.nodes = {node["name"]: node for node in self.told["nodes"]}

    def view(self, number: int) -> bytes:
        view = self.told["bufferViews"][number]
        return self.data[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]

    def accessor(self, number: int) -> Array:
        told = self.told["accessors"][number]
        kind = {5123: "<u2", 5125: "<u4", 5126: "<f4"}[told["componentType"]]
        width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}[told["type"]]
        values = np.zeros((told["count"], width), kind)
        if "bufferView" in told:
            values = np.frombuffer(self.view(told["bufferView"]), kind).reshape(-1, width)
        if "sparse" in told:
            sparse = told["sparse"]
            which = np.frombuffer(self.view(sparse["indices"]["bufferView"]), "<u2")
            assert (np.diff(which.astype(int)) > 0).all()
            assert which.max() < len(values)
            moved = np.frombuffer(self.view(sparse["values"]["bufferView"]), kind)
            values[which] = moved.reshape(-1, width)
        assert len(values) == told["count"]
        if "min" in told:
            assert np.allclose(values.min(0), told["min"])
            assert np.allclose(values.max(0), told["max"])
        return values

    def mesh(self, name: str) -> dict[str, Any]:
        mesh: dict[str, Any] = self.told["meshes"][self.nodes[name]["mesh"]]
        return mesh

    def points(self, name: str, **units: float) -> Array:
        """A part's vertices in metres, as a viewer moves them."""
        mesh = self.mesh(name)
        (part,) = mesh["primitives"]
        points = self.accessor(part["attributes"]["POSITION"]).astype(float)
        for unit, amount in units.items():
            if unit in mesh.get("extras", {}).get("targetNames", []):
                number = mesh["extras"]["targetNames"].index(unit)
                points = points + amount * self.accessor(part["targets"][number]["POSITION"])
        return np.asarray(points + self.nodes[name].get("translation", [0, 0, 0]))


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    someone = people.drawn(np.random.default_rng(2), 1, sex=0, age=40)[0]
    return modelled(heads.load(), someone)


@pytest.fixture(scope="module")
def path(mesh: Mesh, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("mesh") / "a.glb"
    write_glb(mesh, path)
    return path


@pytest.fixture(scope="module")
def glb(path: Path) -> Glb:
    return Glb(path)


def test_trimesh_finds_each_part_with_its_texture(mesh: Mesh, path: Path) -> None:
    scene: Any = trimesh.load(path, process=False)
    assert sorted(scene.geometry) == sorted(NAMES)
    low, high = (
        f([f(part.vertices, axis=0) for part in mesh.parts], axis=0) for f in (np.min, np.max)
    )
    assert np.allclose(scene.bounds, [low, high], atol=1e-4)
    for part in mesh.parts:
        read = scene.geometry[part.name]
        assert np.array_equal(read.faces, part.faces)
        assert np.allclose(read.visual.uv, part.uv * [1, -1] + [0, 1], atol=1e-5)
        image = read.visual.material.baseColorTexture
        assert image.size == part.picture.shape[1::-1]
        assert np.abs(np.asarray(image, float) - part.picture).mean() < 3
        # It is lit as a smooth surface, and light comes from outside.
        flat = np.einsum("nk,nk->n", read.face_normals, part.normals[part.faces].mean(1))
        assert np.median(flat) > 0.8  # teeth have few faces
    assert path.stat().st_size < 4e6


def test_each_number_is_in_its_range(glb: Glb) -> None:
    assert set(glb.nodes) == {"head", *NAMES}
    assert glb.nodes["head"]["children"] == list(range(1, len(NAMES) + 1))
    for mesh in glb.told["meshes"]:
        (part,) = mesh["primitives"]
        read = {name: glb.accessor(k) for name, k in part["attributes"].items()}
        count = len(read["POSITION"])
        assert {len(values) for values in read.values()} == {count}
        assert glb.accessor(part["indices"]).max() == count - 1
        assert np.allclose(np.linalg.norm(read["NORMAL"], axis=1), 1, atol=1e-3)
        assert read["TEXCOORD_0"].min() >= 0
        assert read["TEXCOORD_0"].max() <= 1
        names = mesh.get("extras", {}).get("targetNames", [])
        assert len(names) == len(part.get("targets", [])) == len(mesh.get("weights", []))
        for target in part.get("targets", []):
            assert glb.accessor(target["POSITION"]).shape == (count, 3)
            assert glb.accessor(target["NORMAL"]).shape == (count, 3)
    for image in glb.told["images"]:
        picture = Image.open(io.BytesIO(glb.view(image["bufferView"])))
        picture.load()
        assert image["mimeType"] == f"image/{str(picture.format).lower()}"
    assert glb.mesh("skin")["extras"]["targetNames"] == list(UNITS)


def test_the_jaw_takes_the_lower_teeth_along_and_not_the_upper(glb: Glb) -> None:
    upper, lower = glb.points("teeth_upper"), glb.points("teeth_lower")
    assert np.allclose(glb.points("teeth_upper", jawOpen=1), upper, atol=1e-4)
    falls = (lower - glb.points("teeth_lower", jawOpen=1))[:, 1]
    assert falls[lower[:, 2] > 0.01].min() > 0.015
    # They stand in the mouth: behind the lips, under one another where the mouth is open.
    assert glb.points("teeth_lower", jawOpen=1)[:, 1].max() < upper[:, 1].max()
    skin = glb.points("skin")
    chin = (np.abs(skin[:, 0]) < 0.01) & (skin[:, 1] < -0.09) & (skin[:, 2] > 0)
    assert (skin - glb.points("skin", jawOpen=1))[chin, 1].mean() > 0.01
    brow = skin[:, 1] > 0.02
    assert np.abs(skin - glb.points("skin", jawOpen=1))[brow].max() < 5e-4
    assert upper[:, 2].max() < skin[np.abs(skin[:, 1] + 0.06) < 0.01, 2].max()


@pytest.mark.parametrize("side", ["Left", "Right"])
def test_lids_meet(glb: Glb, side: str) -> None:
    """Seen from the front, nothing of the eye is left between them."""
    sign = 1 if side == "Left" else -1
    name = f"eye_{side.lower()}"
    eye = glb.points(name)
    centre = eye.mean(0)
    faces = [glb.accessor(glb.mesh(n)["primitives"][0]["indices"]) for n in ("skin", name)]

    def gap(**units: float) -> float:
        skin = glb.points("skin", **units)
        points = (np.concatenate([skin, eye]) - centre) * [1e4, -1e4, -1] + [200, 200, 100]
        corners = np.concatenate([faces[0].reshape(-1, 3), faces[1].reshape(-1, 3) + len(skin)])
        pixel, face, _ = rasterise(points, corners, 400, 400)  # 0.1 mm each
        seen = np.bincount(pixel[face >= len(faces[0]) // 3] % 400, minlength=400)
        return float(seen.max() * 1e-4)

    assert gap() > 0.10 * EYES
    assert gap(**{f"eyeBlink{side}": 1.0}) < 0.005 * EYES
    other = "Right" if side == "Left" else "Left"
    assert gap(**{f"eyeBlink{other}": 1.0}) == pytest.approx(gap(), abs=1e-4)
    looks = glb.points(f"eye_{side.lower()}", **{f"eyeLookOut{side}": 1.0})
    front = eye[:, 2] > centre[2] + 0.01
    assert sign * (looks - eye)[front, 0].mean() > 0.003


def test_the_back_of_hanging_hair_is_closed() -> None:
    someone = people.drawn(np.random.default_rng(2), 1, sex=0, age=40)[0]
    hair = {part.name: part for part in modelled(heads.load(), someone).parts}["hair"]
    behind = hair.vertices[:, 2] < np.quantile(hair.vertices[:, 2], 0.3)
    rows = hair.vertices[behind & (hair.vertices[:, 1] < -0.03) & (hair.vertices[:, 1] > -0.06)]
    assert np.diff(np.sort(rows[:, 0])).max() < 0.03


def test_motion_is_an_animation_with_the_times_of_the_curves(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    curves = Curves(rng.random((7, len(UNITS))).astype(np.float32), 60, UNITS)
    write_glb(lips.animated(curves), tmp_path / "b.glb")
    glb = Glb(tmp_path / "b.glb")
    (animation,) = glb.told["animations"]
    moved = set()
    for channel in animation["channels"]:
        node = glb.told["nodes"][channel["target"]["node"]]
        sampler = animation["samplers"][channel["sampler"]]
        assert channel["target"]["path"] == "weights"
        assert np.allclose(glb.accessor(sampler["input"])[:, 0], np.arange(7) / 60)
        names = glb.mesh(node["name"])["extras"]["targetNames"]
        amounts = glb.accessor(sampler["output"]).reshape(7, -1)
        wanted = curves.amounts[:, [UNITS.index(name) for name in names]]
        assert np.array_equal(amounts, wanted)
        moved.add(node["name"])
    assert moved == {n for n in NAMES if "extras" in glb.mesh(n)}
    assert {"skin", "mouth", "teeth_lower", "tongue", "lashes"} <= moved


def test_obj_opens_elsewhere(mesh: Mesh, tmp_path: Path) -> None:
    write_obj(mesh, tmp_path / "a.obj")
    read: Any = trimesh.load(tmp_path / "a.obj", force="mesh", process=False)
    assert len(read.vertices) == sum(len(part.vertices) for part in mesh.parts)
    assert len(read.faces) == sum(len(part.faces) for part in mesh.parts)
    assert np.ptp(np.asarray(read.visual.vertex_colors)[:, 0].astype(float)) > 60
