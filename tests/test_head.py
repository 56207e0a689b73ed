"""The parametric head: shapes that do what they are called, pixels that are where they must be."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import naive

from avtool.head import hair, model
from avtool.head import traits as people
from avtool.head.hairdo import Hairdo
from avtool.head.portrait import portrait
from avtool.head.raster import rasterise
from avtool.head.render import Camera, normals, render
from avtool.head.shade import Appearance
from avtool.head.strands import Strands, laid
from avtool.head.traits import INDEX, drawn
from avtool.pipelines.lips.pipeline import DRAWN, IDENTITY

SAMPLES = Path(__file__).parents[1] / "sample_media"
MM = 0.001


@pytest.fixture(scope="module")
def head() -> model.Head:
    return model.load()


def of_region(head: model.Head, name: str) -> np.ndarray:
    return np.unique(head.faces[head.region == model.REGIONS.index(name)])


def painted(head: model.Head, name: str) -> np.ndarray:
    return head.paint[:, head.paints.index(name)] > 0.5


def mirror(vertices: np.ndarray, some: np.ndarray) -> np.ndarray:
    """Distance in metres from the mirror images of some vertices to the nearest vertex."""
    flipped = vertices[some] * (-1, 1, 1)
    return np.array([np.linalg.norm(vertices - point, axis=1).min() for point in flipped])


def test_faces_are_triangles_of_the_vertices_that_face_outwards(head: model.Head) -> None:
    count = len(head.mean)
    assert head.faces.min() == 0 and head.faces.max() == count - 1
    assert all(len(set(face)) == 3 for face in head.faces.tolist())
    # Each part's signed volume (the divergence theorem) is positive if it faces outwards.
    for name in ("skin", "eye", "teeth", "tongue"):
        faces = head.faces[head.region == model.REGIONS.index(name)]
        a, b, c = (head.mean[faces[:, k]] - head.mean[faces].mean((0, 1)) for k in range(3))
        assert np.einsum("ij,ij->", a, np.cross(b, c)) > 0, name
    # Skin: no edge belongs to more than two triangles, and none twice in the same direction.
    skin = head.faces[head.region == model.REGIONS.index("skin")]
    edges = [(int(f[i]), int(f[(i + 1) % 3])) for f in skin for i in range(3)]
    once = set(edges)
    assert len(once) == len(edges)
    # The only hole is where the body ends, far below the chin.
    rim = {a for a, b in edges if (b, a) not in once}
    assert rim and head.mean[list(rim), 1].max() < -0.1


def test_zero_units_are_the_neutral_face(head: model.Head) -> None:
    rest = head.shape({"sex": 1, "age": 50})
    assert np.array_equal(head.vertices(rest, np.zeros(52)), rest)
    assert np.array_equal(head.vertices(rest, {}), rest)
    frames = head.vertices(rest, np.eye(52)[:3])
    assert np.allclose(frames[1], head.vertices(rest, {model.UNITS[1]: 1.0}), atol=1e-6)
    assert np.allclose(head.turned(rest, 0, 0, 0), rest, atol=1e-6)


def test_jaw_opens_the_mouth_and_lowers_the_chin(head: model.Head) -> None:
    moved = head.vertices(None, {"jawOpen": 1}) - head.vertices()
    lips, y = painted(head, "lips"), head.mean[:, 1]
    middle = lips & (np.abs(head.mean[:, 0]) < 4 * MM)
    upper, lower = middle & (y > -0.063), middle & (y < -0.068)
    assert -moved[lower, 1].mean() > 15 * MM and abs(moved[upper, 1]).mean() < 5 * MM
    chin = (y < -0.1) & (y > -0.12) & (head.mean[:, 2] > 0.01)
    assert -moved[chin, 1].mean() > 15 * MM
    assert abs(moved[y > 0]).max() < 1 * MM


def test_blink_moves_the_lids_and_not_the_lips(head: model.Head) -> None:
    moved = np.abs(head.vertices(None, {"eyeBlinkLeft": 1}) - head.vertices()).max(1)
    left = head.mean[:, 0] > 0.01
    assert moved[painted(head, "lids") & left].max() > 5 * MM
    assert moved[painted(head, "lips")].max() == 0
    assert moved[of_region(head, "eye")].max() == 0
    assert moved[painted(head, "lids") & ~left].max() < 0.5 * MM  # left is the head's own


def test_left_units_mirror_right_units(head: model.Head) -> None:
    for name in ("mouthSmile", "eyeBlink", "browDown"):
        left, right = (head.vertices(None, {f"{name}{side}": 1.0}) for side in ("Left", "Right"))
        at = np.abs(left - head.mean).max(1) > 1 * MM
        flipped = left[at][::5] * (-1, 1, 1)
        away = [np.linalg.norm(right - point, axis=1).min() for point in flipped]
        assert np.quantile(away, 0.95) < 1.5 * MM, name


def test_gaze_turns_the_eye_and_tongue_comes_out(head: model.Head) -> None:
    eye = of_region(head, "eye")
    eye = eye[head.mean[eye, 0] > 0]
    front = eye[head.mean[eye, 2].argmax()]
    moved = head.vertices(None, {"eyeLookOutLeft": 1}) - head.vertices()
    assert moved[front, 0] > 3 * MM  # outwards for the left eye is to the head's left
    tongue = of_region(head, "tongue")
    moved = head.vertices(None, {"tongueOut": 1}) - head.vertices()
    assert moved[tongue, 2].max() > 15 * MM
    assert np.abs(np.delete(moved, tongue, 0)).max() == 0


@pytest.mark.parametrize("name", ["sex", "age", "weight", "muscle"])
def test_identity_moves_the_shape_and_stays_symmetrical(head: model.Head, name: str) -> None:
    low, high = {"age": (20, 80)}.get(name, (0, 1))
    a, b = head.shape({name: low}), head.shape({name: high})
    face = np.flatnonzero(head.mean[:, 1] > -0.12)[::7]
    assert np.linalg.norm(a - b, axis=1)[face].max() > 3 * MM
    for shape in (a, b):
        assert np.quantile(mirror(shape, face), 0.99) < 1.5 * MM


def test_what_names_say_is_what_they_do(head: model.Head) -> None:
    def width(shape: np.ndarray, of: np.ndarray) -> float:
        return float(np.ptp(shape[of, 0]))

    ears, lips = painted(head, "ears"), painted(head, "lips")
    assert width(head.shape({"sex": 1}), ears) > width(head.shape({"sex": 0}), ears)
    assert width(head.shape({"age": 25}), ears) > width(head.shape({"age": 10}), ears)
    assert width(head.shape({"mouth_width": 1}), lips) > width(head.shape(), lips) + 2 * MM
    assert width(head.shape({"mouth_width": -1}), lips) < width(head.shape(), lips) - 2 * MM
    # Only the proportions of origins count.
    same = {"african": 2, "asian": 2, "caucasian": 2}
    assert np.allclose(head.shape(same), head.shape(), atol=1e-6)
    with pytest.raises(KeyError, match="nose_lenght"):
        head.shape({"nose_lenght": 1})
    with pytest.raises(KeyError, match="jawopen"):
        head.vertices(None, {"jawopen": 1})


def test_turned_is_a_rotation_of_the_head_and_leaves_the_chest(head: model.Head) -> None:
    rest = head.shape()
    turned = head.turned(rest, 0.1, 0.3, -0.2)
    skull, chest = rest[:, 1] > 0, rest[:, 1] < -0.22
    some = np.flatnonzero(skull)[::50]
    before = np.linalg.norm(rest[some, None] - rest[some], axis=-1)
    after = np.linalg.norm(turned[some, None] - turned[some], axis=-1)
    assert np.abs(before - after).max() < 0.01 * MM
    assert np.array_equal(turned[chest], rest[chest])
    nose = rest[:, 2].argmax()
    assert head.turned(rest, 0, 0.3, 0)[nose, 0] > 10 * MM  # yaw: to the head's left
    assert head.turned(rest, 0.3, 0, 0)[nose, 1] < rest[nose, 1] - 10 * MM  # pitch: down


SQUARE = np.array([[10, 10, 1], [20, 10, 1], [20, 20, 1], [10, 20, 1]], float)
FACES = np.array([[0, 2, 1], [0, 3, 2]])  # counter-clockwise as seen, y down


def test_a_square_covers_its_own_pixels() -> None:
    pixel, _, weight = rasterise(SQUARE, FACES, 40, 30)
    expected = np.zeros((30, 40), bool)
    expected[10:20, 10:20] = True
    assert np.array_equal(pixel, np.flatnonzero(expected))
    assert np.allclose(weight.sum(1), 1) and weight.min() > -1e-4
    # Half a pixel on, the centres are the border; a little less, and the same pixels are covered.
    pixel, _, _ = rasterise(SQUARE + np.array([0.4, -0.4, 0]), FACES, 40, 30)
    assert np.array_equal(pixel, np.flatnonzero(expected))
    # Cut by the picture's edge, seen from the back, and out of sight.
    assert len(rasterise(SQUARE - (15, 0, 0), FACES, 40, 30)[0]) == 50
    assert not len(rasterise(SQUARE, FACES[:, ::-1], 40, 30)[0])
    assert len(rasterise(SQUARE, FACES[:, ::-1], 40, 30, np.ones(2, bool))[0]) == 100
    assert not len(rasterise(SQUARE - (50, 0, 0), FACES, 40, 30)[0])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_near_face_hides_the_far_one(order: tuple[int, int]) -> None:
    far = SQUARE * (1, 1, 2)
    both = [SQUARE, far + np.array([5, 0, 0])]
    points = np.concatenate([both[k] for k in order])
    pixel, face, _ = rasterise(points, np.concatenate([FACES, FACES + 4]), 40, 40)
    image = np.full(1600, -1)
    image[pixel] = np.array(order)[face // 2]
    image = image.reshape(40, 40)
    assert (image[10:20, 10:20] == 0).all() and (image[10:20, 20:25] == 1).all()
    assert (image >= 0).sum() == 150


def test_weights_are_right_in_perspective() -> None:
    # A slanted square: the weights must give back each pixel's point in space.
    space = np.array([[-1, -1, 2], [1, -1, 4], [1, 1, 4], [-1, 1, 2]], float)
    screen = np.column_stack([20 + 20 * space[:, :2] / space[:, 2:], space[:, 2]])
    pixel, face, weight = rasterise(screen, FACES, 40, 40)
    point = np.einsum("nk,nkc->nc", weight, space[FACES[face]])
    x, y = pixel % 40 + 0.5, pixel // 40 + 0.5
    assert len(pixel) > 100
    assert np.abs(20 + 20 * point[:, 0] / point[:, 2] - x).max() < 1e-3
    assert np.abs(20 + 20 * point[:, 1] / point[:, 2] - y).max() < 1e-3


def test_normals_of_a_sphere_are_its_radii(head: model.Head) -> None:
    turns, heights = np.meshgrid(np.arange(40) * np.pi / 20, np.linspace(0.1, 3.0, 20))
    ball = np.stack(
        [np.sin(heights) * np.cos(turns), np.sin(heights) * np.sin(turns), np.cos(heights)]
    )
    ball = ball.reshape(3, -1).T
    a = np.arange(19 * 40)
    right = a // 40 * 40 + (a + 1) % 40
    faces = np.concatenate(
        [np.stack([a, a + 40, right], 1), np.stack([right, a + 40, right + 40], 1)]
    )
    inner = slice(40, -40)
    assert (normals(ball, faces) * ball).sum(1)[inner].min() > 0.99


CUTS = {
    "short": Hairdo(),
    "to the jaw": Hairdo(length=0.5),
    "tied": Hairdo(length=0.7, tied=True),
    "curly": Hairdo(length=0.4, curl=0.9),
    "bald": Hairdo(baldness=1.0),
}


@pytest.mark.parametrize("cut", CUTS)
def test_pictures_are_the_same_twice_and_show_a_face(head: model.Head, cut: str) -> None:
    camera, look = Camera(80, 90), Appearance(style=CUTS[cut])
    rest = head.shape()
    once, again = (render(head, rest, look, camera) for _ in range(2))
    assert once.shape == (90, 80, 3) and once.dtype == np.uint8
    assert np.array_equal(once, again)
    # The face is where the camera looks: skin is redder than blue, the background is not.
    face, corner = once[40:50, 36:44].astype(int), once[:8, :8].astype(int)
    assert (face[..., 0] > face[..., 2] + 20).all() and (corner[..., 0] <= corner[..., 2]).all()


def test_a_picture_of_someone_leaves_nothing_in_memory(head: model.Head) -> None:
    """A batch draws thousands of people: less than one background stays of five more of them."""
    people = drawn(np.random.default_rng(0), 6)
    portrait(head, people[0], 64)
    tracemalloc.start()
    for person in people[1:]:
        portrait(head, person, 64)
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < (2 * 64) ** 2 * 3 * np.float32().nbytes


def test_an_open_mouth_is_dark_and_hair_is_on_the_head_only(head: model.Head) -> None:
    camera = Camera(160, 180)
    shut, agape = (
        render(head, head.vertices(None, units), Appearance(), camera).astype(int)
        for units in ({"mouthClose": 0.18}, {"jawOpen": 0.7})
    )
    changed = np.abs(shut - agape).max(-1) > 20
    # But for single strands of hair, which hangs on the skin that the jaw moves.
    assert changed[:86].sum() <= 8
    rows, columns = np.nonzero(changed[86:])
    assert len(rows) > 100 and columns.min() > 48 and columns.max() < 116  # with shadows
    darkest = agape[95:130, 70:90].sum(-1).min()
    assert darkest < shut[95:130, 70:90].sum(-1).min() - 60
    dark, red = (
        render(head, head.shape(), Appearance(hair=hair), camera).astype(int)
        for hair in ((0.05, 0.03, 0.02), (0.5, 0.1, 0.05))
    )
    rows = np.nonzero(np.abs(dark - red).max(-1) > 12)[0]
    assert rows.min() < 40 and rows.max() < 115


def test_hair_follows_the_turned_head(head: model.Head) -> None:
    rest = head.shape({"sex": 0})
    long = CUTS["to the jaw"]
    still = hair.dressed(head, rest, long).vertices[len(rest) :]
    turned = hair.dressed(head, head.turned(rest, 0.1, 0.2, 0.1), long).vertices[len(rest) :]
    some = slice(None, None, 97)
    before = np.linalg.norm(still[some, None] - still[some], axis=-1)
    after = np.linalg.norm(turned[some, None] - turned[some], axis=-1)
    assert np.abs(before - after).max() < 2 * MM
    assert np.linalg.norm(turned - still, axis=1).max() > 10 * MM


def test_hair_of_the_built_in_head_frames_its_face(head: model.Head) -> None:
    camera, rest = Camera(160, 180), head.shape(IDENTITY)
    red = render(head, rest, replace(DRAWN, hair=(0.5, 0.02, 0.02)), camera).astype(int)
    black = render(head, rest, replace(DRAWN, hair=(0.01, 0.01, 0.01)), camera).astype(int)
    hairy = np.abs(red - black).max(-1) > 24
    assert hairy[16:20, 60:100].all()  # no bald seam above the forehead
    sides = hairy[20:118, :80].any(1) & hairy[20:118, 80:].any(1)
    assert sides.all() and not hairy[124:].any()  # down to the jaw, not on the shoulders
    face = np.full((180, 160), False)
    face[34:50, 60:100] = True  # the forehead
    face[74:104, 52:110] = face[104:118, 64:96] = True  # below the eyes, the chin
    assert not hairy[face].any()


def shown(head: model.Head, look: Appearance, changed: Appearance, **units: float) -> np.ndarray:
    """How much of each sample of a portrait changes with the look, 0 to 1 [192, 192]."""
    camera, rest = Camera(192, 192, centre=(0.0, -0.02)), head.vertices(None, units)
    one, two = (render(head, rest, each, camera).astype(float) for each in (look, changed))
    return np.asarray(np.abs(one - two).max(-1) / 255)


def up(row: float) -> float:
    """Metres above the eyes that a row of ``shown`` is at."""
    return -0.02 + (96 - row) * 2 * 1.1 * np.tan(np.radians(16.5 / 2)) / 192


@pytest.mark.parametrize("cut", ["short", "to the jaw", "tied", "curly"])
def test_hair_begins_in_the_skin_a_third_of_the_face_above_the_brows(
    head: model.Head, cut: str
) -> None:
    bare = Appearance(style=CUTS[cut], brows=1e-6, lashes=0, hair=(0.4, 0.02, 0.02))
    hairy = shown(head, bare, replace(bare, hair=(0.01, 0.3, 0.3)))
    column = hairy[:96, 84:108].mean(1)  # above the nose, from the top
    line = up(float(np.flatnonzero(column > 0.5 * column.max())[-1]))
    chin, brow = -0.118, 0.021
    assert 0.8 < (line - brow) / ((brow - chin) / 2) < 1.1
    # It is no edge: hair thins over some millimetres.
    some = (column > 0.1 * column.max()) & (column < 0.8 * column.max())
    assert some.sum() >= 3
    # Behind it no skin is seen, up to the outline of the head.
    scalp = (np.arange(192) > 76) & (np.arange(192) < 116)
    rows = [row for row in range(96) if line + 0.006 < up(row) < line + 0.013]
    assert np.quantile(hairy[rows][:, scalp], 0.03) > 0.25 * np.median(hairy[rows][:, scalp])


def test_lashes_stand_at_the_lids_and_go_with_them(head: model.Head) -> None:
    none = Appearance(lashes=0.0, brows=1e-6, style=CUTS["bald"])
    open_ = shown(head, none, replace(none, lashes=1.0)) > 0.04
    shut = shown(head, none, replace(none, lashes=1.0), eyeBlinkLeft=1, eyeBlinkRight=1) > 0.04
    rows, columns = np.nonzero(open_)
    assert len(rows) > 40
    assert max(abs(up(rows.min())), abs(up(rows.max()))) < 0.012
    assert abs(columns.mean() - 95.5) < 2
    assert np.nonzero(shut)[0].mean() > rows.mean() + 2


def test_years_a_beard_and_dark_skin_show(head: model.Head) -> None:
    young = Appearance(style=CUTS["bald"], brows=1e-6)
    furrows = shown(head, young, replace(young, lines=1.0))
    level = [row for row in range(192) if 0.030 < up(row) < 0.062]
    cheek = [row for row in range(192) if -0.034 < up(row) < -0.024]
    across = furrows[level, 84:108].mean(1)
    assert across.max() > 3 * across.min() > 0  # lines, from side to side
    assert across.max() > 2 * furrows[cheek, 70:76].mean()
    beard = shown(head, young, replace(young, beard=1.0)) > 0.05
    chin = [row for row in range(192) if -0.105 < up(row) < -0.09]
    assert beard[chin, 86:106].mean() > 0.9 and not beard[level].any()
    # Dark skin is warm, not grey: as in measured skin, red reflects at least half more than blue.
    darkest = drawn(np.random.default_rng(0), 1, sex=0, age=30)[0]
    darkest[INDEX["melanin"]], darkest[INDEX["freckles"]] = 1.0, 0.0
    image = portrait(head, darkest, 128).astype(float)
    red, _, blue = image[66:72, 46:82].mean((0, 1))
    assert red < 150 and red > 1.5 * blue


def test_clothes_are_drawn_and_stay_with_who_hardly_changes() -> None:
    some = drawn(np.random.default_rng(6), 300)
    worn = [(look.shirt, look.collar) for look in map(people.look, some)]
    assert len({collar for _, collar in worn}) == 5
    assert len({shirt for shirt, _ in worn}) >= 12
    near = some + np.random.default_rng(7).normal(0, 0.003, some.shape)
    same = [
        (look.shirt, look.collar) == old
        for look, old in zip(map(people.look, near), worn, strict=True)
    ]
    assert np.mean(same) > 0.95


def test_strands_cover_what_lies_behind_them_and_by_their_width() -> None:
    def project(points: np.ndarray) -> np.ndarray:
        return np.asarray(points * (1000, 1000, 1) + (0.5, 0.5, 0), np.float32)

    def line(y: float, far: float, colour: float, width: float) -> Strands:
        points = np.array([[[0.002, y, far]], [[0.012, y, far]]], np.float32)
        normal = np.broadcast_to(np.float32([0, 0, 1]), points.shape)
        tint = np.full((1, 3), colour, np.float32)
        return Strands(points, normal, np.ones((2, 1), np.float32), tint, None, 0.0, width)

    nearest = np.full(20 * 20, np.inf, np.float32)
    nearest[:100] = 0.5  # a wall before the first rows

    def drawn_with(*strands: Strands) -> np.ndarray:
        flat = np.zeros((400, 3), np.float32)
        for each in strands:
            laid(each, project, flat, nearest, 20)
        return flat.reshape(20, 20, 3)[..., 0]

    full = drawn_with(line(0.010, 1, 0.5, 0.001))
    assert set(np.flatnonzero(full.any(1))) == {10}
    assert set(np.flatnonzero(full[10])) >= set(range(2, 12))
    thin = drawn_with(line(0.010, 1, 0.5, 0.00025))  # a quarter of a pixel
    assert 0.2 < np.median(thin[10, 2:12] / full[10, 2:12]) < 0.4
    assert not drawn_with(line(0.002, 1, 0.5, 0.001)).any()  # behind the wall
    both = Strands(
        *(
            np.concatenate([getattr(line(0.010, far, 0.0, 1), name) for far in (0.9, 1.0)], 1)
            for name in ("points", "normal", "deep")
        ),
        np.array([[0.5] * 3, [0.1] * 3], np.float32),
        None,
        0.0,
        0.001,
    )
    assert np.allclose(drawn_with(both), full)  # the nearer one, whichever comes first


def test_true_voices_of_the_sample_sum_to_its_sound() -> None:
    parts = [soundfile.read(SAMPLES / f"cocktail.face{k}.wav")[0] for k in (1, 2)]
    decoded = naive("-i", SAMPLES / "cocktail.mp4", "-ac", 1, "-f", "f32le", "-")
    sound = np.frombuffer(decoded, np.float32).astype(float)
    truth = parts[0] + parts[1]
    assert abs(len(sound) - len(truth)) <= 1024
    sound = sound[: len(truth)]
    truth = truth[: len(sound)]
    spectrum = np.fft.rfft(sound, 1 << 18) * np.conj(np.fft.rfft(truth, 1 << 18))
    assert np.fft.irfft(spectrum).argmax() == 0  # no sample late or early
    error = ((sound - truth) ** 2).mean() / (truth**2).mean()
    assert 10 * np.log10(error) < -15
    # Control: neither voice alone is the mixture, and both are about as loud.
    powers = [(part**2).mean() for part in parts]
    assert abs(10 * np.log10(powers[0] / powers[1])) < 0.5
    for part in parts:
        assert ((sound - part[: len(sound)]) ** 2).mean() > 0.3 * (truth**2).mean()


def test_both_speak_the_whole_time() -> None:
    for number in (1, 2):
        sound, rate = soundfile.read(SAMPLES / f"cocktail.face{number}.wav")
        assert rate == 16_000 and 6 <= len(sound) / rate <= 8
        loud = np.flatnonzero(np.abs(sound) > 0.01) / rate
        assert (
            loud[0] < 0.3 and loud[-1] > len(sound) / rate - 0.3 and np.diff(loud).max() < 0.6
        )  # a comma
