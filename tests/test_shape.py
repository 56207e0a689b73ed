"""Shapes: forms against formulas and other implementations, files that lie, and what is shown."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from conftest import Avtool
from PIL import Image

from avtool.errors import MediaError
from avtool.pipelines.shape import blocks, forms, made, solid, voxnet
from avtool.pipelines.shape.cubes import cubes
from avtool.pipelines.shape.evaluate import part_iou
from avtool.pipelines.shape.pipeline import Forms, Options, occupied
from avtool.pipelines.shape.pointnet import KINDS, PARTS
from avtool.pipelines.shape.read import read, tidy
from avtool.pipelines.shape.render import views_of
from avtool.pipelines.shape.values import Distances, Frame, Points, Surface, Views, Voxels
from avtool.values import Array

SIDE = 32


def sphere() -> Surface:
    ball = trimesh.creation.icosphere(4)
    return Surface(np.array(ball.vertices), np.array(ball.faces))


def torus() -> Surface:
    ring = trimesh.creation.torus(1.0, 0.4, 96, 48)
    return Surface(np.array(ring.vertices), np.array(ring.faces))


def box() -> Surface:
    block = trimesh.creation.box((1.0, 0.6, 0.4))
    return Surface(np.array(block.vertices), np.array(block.faces))


def exact(name: str, p: Array) -> Array:
    """The signed distance by its formula."""
    if name == "sphere":
        return np.linalg.norm(p, axis=1) - 1
    if name == "torus":
        return np.hypot(np.hypot(p[:, 0], p[:, 1]) - 1, p[:, 2]) - 0.4
    q = np.abs(p) - np.array([0.5, 0.3, 0.2])
    return np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(1), 0)


def iou(one: Array, other: Array) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.fixture(scope="module")
def known() -> dict[str, tuple[Surface, Distances, Array]]:
    """Surfaces, their distances as found, and by the formula."""
    found = {}
    for name, surface in (("sphere", sphere()), ("torus", torus()), ("box", box())):
        frame = solid.frame_of(surface.vertices, SIDE)
        true = exact(name, frame.centres()).reshape((SIDE,) * 3)
        found[name] = (surface, solid.distances(surface, frame), true)
    return found


@pytest.mark.parametrize("name", ["sphere", "torus", "box"])
def test_distances_are_those_of_the_formula(
    known: dict[str, tuple[Surface, Distances, Array]], name: str
) -> None:
    surface, found, true = known[name]
    cell = found.frame.cell
    near = np.abs(true) < 2 * cell
    # A mesh of a round thing lies within it, by a hundredth of a cell or two.
    assert np.abs(found.values - true)[near].max() < 0.12 * cell
    assert np.abs(found.values - true).max() < 0.35 * cell
    assert iou(found.values < 0, true < 0) > 0.98
    other = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    assert surface.volume == pytest.approx(other.volume)
    assert surface.area == pytest.approx(other.area)
    assert (found.values < 0).sum() * cell**3 == pytest.approx(surface.volume, rel=0.03)


@pytest.mark.parametrize("name", ["sphere", "torus", "box"])
def test_each_form_gives_the_thing_back(
    known: dict[str, tuple[Surface, Distances, Array]], name: str
) -> None:
    surface, sdf, _ = known[name]
    full = sdf.values < 0
    cloud = forms.points_of(surface, surface, sdf, 2500)
    views = views_of(surface, 12, 96)
    for form, least in (
        (Voxels(full, sdf.frame), 0.99),
        (sdf, 0.99),
        (cloud, 0.95),
        (Points(cloud.points), 0.9),
        (views, 0.93),
    ):
        mesh = forms.mesh_of(form, SIDE)
        back = solid.distances(mesh, sdf.frame).values < 0
        assert iou(back, full) > least, type(form)
        assert trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).is_watertight
    hull = forms.mesh_of(Views(views.pictures, views.cameras), SIDE)
    assert iou(solid.distances(hull, sdf.frame).values < 0, full) > 0.85
    # Control: the same cameras in another order agree on little of it.
    wrong = Views(views.pictures, views.cameras[::-1])
    if name == "box":
        assert iou(forms.carved(wrong, SIDE).full, forms.carved(views, SIDE).full) < 0.7


def test_an_open_mesh_still_has_an_inside() -> None:
    """By winding numbers; crossings of rays in one direction, which count on closed ones, fail."""
    surface = sphere()
    frame = solid.frame_of(surface.vertices, SIDE)
    true = np.linalg.norm(frame.centres(), axis=1).reshape((SIDE,) * 3) < 1
    holes = np.random.default_rng(0).random(len(surface.faces)) < 0.15
    holed = Surface(surface.vertices, surface.faces[~holes])
    assert not solid.pieces(holed).closed.any()
    assert iou(solid.distances(holed, frame).values < 0, true) > 0.95
    corners = frame.inside(holed.corners)
    one_way = solid.winding(corners, SIDE, [((0, 1, 2), (0, 0))])
    assert iou(one_way > 0.5, true) < 0.9
    assert iou(solid.winding(corners, SIDE, solid.LINES) > 0.5, true) > 0.95


def test_winding_numbers_are_those_of_solid_angles() -> None:
    """Against the sum of the triangles' solid angles (van Oosterom & Strackee 1983)."""
    ball = trimesh.creation.icosphere(2)
    surface = Surface(np.array(ball.vertices), np.array(ball.faces))
    half = Surface(surface.vertices, surface.faces[surface.corners[:, :, 2].mean(1) > 0])
    frame = solid.frame_of(surface.vertices, 16)
    found = solid.winding(frame.inside(half.corners), 16, solid.LINES).ravel()
    a, b, c = (half.corners[None, :, n] - frame.centres()[:, None] for n in range(3))
    la, lb, lc = (np.linalg.norm(each, axis=-1) for each in (a, b, c))
    top = np.einsum("nki,nki->nk", a, np.cross(b, c))
    low = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
    true = np.arctan2(top, low).sum(1) / (2 * np.pi)
    assert np.abs(found - true).mean() < 0.03
    assert np.corrcoef(found, true)[0, 1] > 0.97


def test_a_sheet_is_a_cell_thick_and_overlaps_are_one() -> None:
    square = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], float)
    sheet = Surface(square, np.array([(0, 1, 2), (0, 2, 3)]))
    full = solid.distances(sheet, solid.frame_of(square, 32)).values < 0
    assert set(full.sum(2)[5:-5, 5:-5].ravel().tolist()) <= {1, 2}
    one = trimesh.creation.box((1, 1, 1))
    other = one.copy()
    other.apply_translation((0.5, 0, 0))
    both: Any = trimesh.util.concatenate([one, other])
    surface = Surface(np.array(both.vertices), np.array(both.faces))
    frame = solid.frame_of(surface.vertices, 32)
    volume = (solid.distances(surface, frame).values < 0).sum() * frame.cell**3
    assert volume == pytest.approx(1.5, rel=0.1)  # together they have 2


def test_what_is_inside_out_is_turned_and_a_hollow_stays() -> None:
    ball = sphere()
    turned = tidy(ball.vertices, ball.faces[:, ::-1], "ball")
    assert turned.volume == pytest.approx(ball.volume)
    vertices = np.concatenate([ball.vertices, 0.5 * ball.vertices])
    faces = np.concatenate([ball.faces, ball.faces[:, ::-1] + len(ball.vertices)])
    hollow = tidy(vertices, faces, "ball")
    assert hollow.volume == pytest.approx(ball.volume * 7 / 8)
    full = solid.distances(hollow, solid.frame_of(vertices, 32)).values < 0
    assert not full[16, 16, 16] and full[16, 16, 25]


def test_cubes_enclose_their_cells() -> None:
    full = np.random.default_rng(0).random((6, 6, 6)) < 0.4
    found = cubes(Voxels(full, Frame((0.0, 0.0, 0.0), 0.5, 6)))
    assert found.volume == pytest.approx(full.sum() * 0.125)
    assert solid.pieces(found).closed.all()


@pytest.mark.parametrize("suffix", ["obj", "glb", "ply", "stl", "off"])
def test_files_of_meshes(avtool: Avtool, suffix: str) -> None:
    """What is written is read back, upright, and by trimesh with the axis that is usual there."""
    ring = torus()
    long_ = Surface(ring.vertices * (1, 1, 2), ring.faces)  # its z is told from its y
    trimesh.Trimesh(long_.vertices, long_.faces).export("ring.stl")
    assert avtool("shape", "ring.stl", "--to", "mesh", "-o", f"out.{suffix}").code == 0
    back = read(Path(f"out.{suffix}"), f"out.{suffix}")
    assert isinstance(back, Surface)
    assert np.ptp(back.vertices, axis=0) == pytest.approx(np.ptp(long_.vertices, axis=0), rel=1e-4)
    assert back.volume == pytest.approx(long_.volume, rel=1e-3)
    loaded: Any = trimesh.load(f"out.{suffix}", force="mesh")
    high = np.ptp(loaded.vertices, axis=0)[1 if suffix in ("obj", "glb") else 2]
    assert high == pytest.approx(1.6, rel=1e-3)


def test_every_form_to_a_file_and_back(avtool: Avtool) -> None:
    trimesh.Trimesh(*_mesh(torus())).export("ring.ply")
    size = ("--resolution", 32, "--points", 6000, "--views", 12, "--view-size", 96)
    ran = avtool("shape", "ring.ply", "--to", "voxels,points,sdf,views,parts", *size)
    assert ran.code == 0, ran.err
    with np.load("ring.voxels.npz") as file:
        full = file["voxels"]
    for name in ("voxels.npz", "points.ply", "sdf.npz", "views.json"):
        ran = avtool(
            "shape", f"ring.{name}", "--to", "voxels", *size, "-o", "back.npz", "--overwrite"
        )
        assert ran.code == 0, ran.err
        with np.load("back.npz") as file:
            count = file["voxels"].sum() * file["cell"] ** 3
        assert count == pytest.approx(2 * np.pi**2 * 0.16, rel=0.12), name
    assert full.shape == (32, 32, 32) and full.any()
    assert json.loads(Path("ring.views.json").read_text())["size"] == 96


def _mesh(surface: Surface) -> tuple[Array, Array]:
    return surface.vertices, surface.faces


def test_the_picture_its_facts_and_the_page(
    avtool: Avtool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avtool.pipelines.shape.draw.PANEL", 120)
    trimesh.Trimesh(*_mesh(torus())).export("ring.ply")
    size = ("--resolution", 32, "--points", 2000, "--views", 6, "--view-size", 64)
    ran = avtool("shape", "ring.ply", *size, "--page")
    assert ran.code == 0, ran.err
    facts = json.loads(Path("ring.shape.json").read_text())
    assert facts["watertight"] and facts["pieces"] == 1
    assert facts["volume"] == pytest.approx(2 * np.pi**2 * 0.16, rel=0.01)
    picture = np.asarray(Image.open("ring.shape.png").convert("RGB"))
    left = (1600 - 3 * 120 - 2 * 32) // 2
    for n in range(6):
        x, y = left + n % 3 * 152, 104 + n // 3 * (120 + 92)
        panel = picture[y : y + 120, x : x + 120].astype(float)
        assert panel.std() > 15 and (panel.min(2) < 250).mean() > 0.15
    page = Path("ring.shape.html").read_text()
    assert "connect-src blob: data:" in page and '"forms":' in page


def damaged() -> dict[str, tuple[bytes, str]]:
    """Files that are no shape, and what is said of each."""
    buffer = io.BytesIO()
    np.savez(buffer, voxels=np.array([{"a": 1}], dtype=object))
    pickled = buffer.getvalue()
    buffer = io.BytesIO()
    np.savez(buffer, other=np.zeros(3))
    other = buffer.getvalue()
    buffer = io.BytesIO()
    np.savez(buffer, voxels=np.zeros((4, 4, 4)))
    empty = buffer.getvalue()
    far = b"v 0 0 0\nv 1e30 0 0\nv 0 1 0\nf 1 2 3\n"
    return {
        "pickled.npz": (pickled, "is damaged"),
        "other.npz": (other, "holds other"),
        "empty.npz": (empty, "no cell is full"),
        "none.obj": (b"# nothing\n", "no shape"),
        "far.obj": (far, "no numbers, or beyond"),
        "flat.obj": (b"v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "no area"),
        "cut.glb": (b"glTF\x02\0\0\0\xff\xff\xff\x7f", "is damaged"),
        "lies.ply": (
            b"ply\nformat binary_little_endian 1.0\nelement vertex 999999999\nproperty float x\n"
            b"property float y\nproperty float z\nend_header\n",
            "lies.ply: ",
        ),
        "few.xyz": (b"0 0 0\n1 1 1\n", "takes 50 or more"),
        "text.stl": (b"this is no shape", "text.stl: "),
        "views.json": (b"[1, 2]", "is no views.json"),
        "film.mp4": (b"0000", "is no shape that can be read"),
    }


@pytest.mark.parametrize("name", damaged())
def test_bad_input_is_one_sentence(name: str, tmp_path: Path) -> None:
    content, words = damaged()[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MediaError, match="^" + name) as error:
        read(tmp_path / name, name)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_what_would_unpack_to_too_much_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avtool.pipelines.shape.read.MOST_UNPACKED", 1 << 20)
    np.savez_compressed(tmp_path / "bomb.npz", voxels=np.ones((128, 128, 128), np.uint8))
    assert (tmp_path / "bomb.npz").stat().st_size < 1 << 14
    with pytest.raises(MediaError, match="would unpack to 2 MB"):
        read(tmp_path / "bomb.npz", "bomb.npz")


def test_an_obj_opens_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret.mtl").write_text("newmtl a\nmap_Kd secret.png\n")
    text = "mtllib secret.mtl\nusemtl a\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\n"
    (tmp_path / "a.obj").write_text(text + "f 1 3 2\nf 1 2 4\nf 2 3 4\nf 3 1 4\n")
    opened: list[str] = []
    real = Path.open

    def watched(path: Path, *arguments: Any, **named: Any) -> Any:
        opened.append(path.name)
        return real(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", watched)
    found = read(tmp_path / "a.obj", "a.obj")
    assert isinstance(found, Surface) and found.volume == pytest.approx(1 / 6)
    assert set(opened) <= {"a.obj"}


def test_wrong_calls(avtool: Avtool) -> None:
    Path("a.obj").write_text("v 0 0 0\n")
    for flags, words in (
        (("--to", "clay"), "--to clay is no form; there are views, voxels"),
        (("--resolution", 4), "16 to 192"),
        (("--up", "x"), "auto, y or z"),
        (("--parts", "boat"), "--parts boat is unknown"),
    ):
        ran = avtool("shape", "a.obj", *flags)
        assert ran.code == 2 and words in ran.err, ran.err
    ran = avtool("shape", "a.obj")
    assert ran.code == 1 and ran.err.count("\n") == 1


def test_made_things_are_closed_and_their_parts_known() -> None:
    rng = np.random.default_rng(5)
    for kind in KINDS:
        thing = made.MAKERS[kind](rng)
        points, parts = made.cloud(thing, 500, rng)
        assert points.shape == (500, 3) and parts.max() < len(PARTS[kind])
        if kind != "head":
            for vertices, faces, _ in thing.pieces:
                piece = Surface(vertices, faces)
                assert solid.pieces(piece).closed.all() and piece.volume > 0
    table = made.table(np.random.default_rng(1))
    points, parts = made.cloud(table, 2000, np.random.default_rng(1))
    tops = points[parts == PARTS["table"].index("top")]
    assert tops[:, 2].min() > points[parts == PARTS["table"].index("legs")][:, 2].mean()


def test_iou_of_parts_by_hand() -> None:
    true = np.array([[0, 0, 1, 1]])
    told = np.array([[0, 1, 1, 1]])
    kinds = np.array([KINDS.index("mug")])
    assert part_iou(told, true, kinds)["mug"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert part_iou(true, true, kinds)["all"] == 1
    lamp = np.array([KINDS.index("lamp")])  # has a third part, in neither
    assert part_iou(told, true, lamp)["all"] == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert part_iou(told, true, lamp)["present"] == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_turning_a_grid() -> None:
    """By a right angle it is numpy's turn; mirrored and moved likewise."""
    grid = torch.zeros(1, 32, 32, 32)
    grid[0, 5:20, 8:12, 3:30] = 1
    turned = voxnet.turn(grid, torch.tensor([np.pi / 2]))
    assert torch.allclose(turned, torch.rot90(grid, 1, (1, 2)), atol=1e-4)
    mirrored = voxnet.turn(grid, torch.zeros(1), torch.tensor([[-1.0, 1, 1]]))
    assert torch.allclose(mirrored, grid.flip(1), atol=1e-4)
    moved = voxnet.turn(grid, torch.zeros(1), None, torch.tensor([[1.0, 0, 2]]))
    assert torch.allclose(moved, grid.roll((1, 2), (1, 3)), atol=1e-4)
    block = torch.arange(8.0).view(1, 2, 2, 2)
    assert voxnet.folded(block).flatten().tolist() == list(range(8))


def chair() -> Surface:
    """A chair whose parts are known, in the open: seat, back, four legs."""
    pieces = [
        blocks.box(-0.25, 0.25, -0.25, 0.25, 0.42, 0.48),
        blocks.box(-0.25, 0.25, -0.25, -0.21, 0.48, 0.95),
        *(
            blocks.box(x - 0.025, x + 0.025, y - 0.025, y + 0.025, 0, 0.42)
            for x in (-0.22, 0.22)
            for y in (-0.22, 0.22)
        ),
    ]
    return made.Made("chair", pieces, ["seat", "back", *["legs"] * 4]).parted().surface


def test_a_chair_is_one_and_its_parts_are_where_they_are(avtool: Avtool) -> None:
    trimesh.Trimesh(*_mesh(chair())).export("thing.stl")
    ran = avtool("shape", "thing.stl", "--what", "--to", "parts", "-f", "json", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.lines[0])["what"] == "chair"
    facts = json.loads(Path("thing.parts.json").read_text())
    assert facts["kind"] == "chair"
    surface = read(Path("thing.stl"), "thing.stl")
    assert isinstance(surface, Surface)
    true = np.select(
        [surface.corners[:, :, 2].max(1) <= 0.421, surface.corners[:, :, 2].max(1) <= 0.481],
        ["legs", "seat"],
        "back",
    )
    told = np.empty(len(true), object)
    for part in facts["parts"]:
        told[part["faces"]] = part["name"]
    area = np.linalg.norm(surface.spans, axis=1)
    assert area[told == true].sum() > 0.75 * area.sum()
    assert all(area[true == part].sum() < 0.6 * area.sum() for part in ("seat", "back", "legs"))


def test_voxels_of_modelnet_are_taken_as_they_are() -> None:
    full = np.zeros((30, 30, 30), bool)
    full[3:27, 10:20, 8:22] = True
    frame = Frame((0.0, 0.0, 0.0), 1.0, 30)
    given = Voxels(full, frame)
    grid = occupied(given, forms.mesh_of(given, 30))
    assert np.array_equal(grid[1:31, 1:31, 1:31], full)
    # Another grid of the same thing is nearly the same to the network.
    again = occupied(forms.mesh_of(given, 30), forms.mesh_of(given, 30))
    assert iou(again, grid) > 0.9


def test_pieces_are_parts_where_nothing_else_is_known() -> None:
    found = Forms(chair(), Options(resolution=32)).parts
    assert found.kind == "" and len(found.names) == 6
    assert [int(n) for n in np.bincount(found.part)] == [12] * 6
