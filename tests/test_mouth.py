"""A mouth that is moved in a picture: where it goes, what shows, and what must not change."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from avtool.face import Detector, Landmarker
from avtool.models import weights
from avtool.pipelines.lips.model import LipMotion
from avtool.pipelines.lips.speech_to_motion import Motion
from avtool.pipelines.lips.warp import Painter, lip_edges
from avtool.pipelines.lips.warp.mouth_interior import JAW, LEFT, between, drawn
from avtool.pipelines.lips.warp.splines import Grid
from avtool.pipelines.lips.warp.topology import EYES, MOUTH, Pose
from avtool.values import Array

FACE = Path(__file__).parents[1] / "sample_media" / "face.png"
LOWER = [point for ring in MOUTH.lower for point in ring[1:-1]]
UPPER_LIP, LOWER_LIP, CHIN = 13, 14, 152


@pytest.fixture(scope="module")
def face() -> tuple[Array, Array]:
    image = np.asarray(Image.open(FACE).convert("RGB"))
    points, _ = Landmarker().in_box(image, Detector()(image).boxes[0])
    return image, points


def opened(points: Array, by: float) -> Array:
    """The mesh with the jaw let down by so many head units."""
    pose = Pose.of(points)
    height = pose.own[:, 1] - pose.own[LOWER_LIP, 1]
    share = np.clip(height / 0.1, 0, 1)
    share[LOWER] = 1
    for ring in MOUTH.lower:  # next to the corners a lip opens less
        share[list(ring[1:-1])] = np.sin(np.linspace(0, np.pi, len(ring)))[1:-1] ** 0.5
    moved = points.copy()
    moved[:, :2] += (by * share[:, None] * pose.axes[:, 1]).astype(np.float32)
    return moved


def gap(points: Array) -> float:
    """Between the inner lips, head units."""
    own = Pose.of(points).own
    return float(own[LOWER_LIP, 1] - own[UPPER_LIP, 1])


def seen_again(image: Array, points: Array) -> Array:
    box = np.concatenate([points[:, :2].min(0), points[:, :2].max(0)])
    return Landmarker().in_box(image, box)[0]


def test_what_does_not_move_is_the_same_picture(face: tuple[Array, Array]) -> None:
    image, points = face
    out = Painter().paint(image, points, points.copy(), 0.0)
    assert out is not image
    assert np.array_equal(out, image)


@pytest.mark.parametrize("by", [0.03, 0.12])
def test_nothing_changes_outside_the_region(face: tuple[Array, Array], by: float) -> None:
    image, points = face
    target = opened(points, by)
    out = Painter().paint(image, points, target, by)
    region = Painter.region(image, points, target)
    assert region.mean() < 0.4
    assert np.array_equal(out[~region], image[~region])
    eyes = slice(*points[[159, 145], 1].astype(int)), slice(*points[[33, 263], 0].astype(int))
    assert np.array_equal(out[eyes], image[eyes])
    assert (out != image).any()


@pytest.mark.parametrize("by", [0.06, 0.11])
def test_lips_land_where_the_target_says(face: tuple[Array, Array], by: float) -> None:
    image, points = face
    target = opened(points, by)
    out = Painter().paint(image, points, target, by)
    found = seen_again(out, points)
    assert gap(found) == pytest.approx(gap(target), abs=0.03)
    assert gap(seen_again(image, points)) < 0.02  # what it was without
    chin = Pose.of(found).own[CHIN, 1] - Pose.of(points).own[CHIN, 1]
    assert chin == pytest.approx(by, abs=0.035)


def test_a_closed_mouth_shows_no_inside(face: tuple[Array, Array]) -> None:
    """Over a picture with an open mouth whose inside is green."""
    image, points = face
    wide = opened(points, 0.12)
    talking = Painter().paint(image, points, wide, 0.12)
    inner = wide[[*MOUTH.upper[-1], *MOUTH.lower[-1][-2:0:-1]], :2]
    cv2.fillPoly(talking, [np.round(inner).astype(np.int32)], (0, 255, 0))
    pose = Pose.of(wide)
    ended = pose.laid(wide, lip_edges.ended(pose.own, lip_edges.found(talking, wide)))
    shut = Painter().paint(talking, ended, points, 0.0)
    before, after = ((k.astype(int) @ [-1, 2, -1] > 100).sum() for k in (talking, shut))
    assert before > 1000
    assert after < 0.015 * before  # a pixel of the polygon in each corner lies on the lips


@pytest.mark.parametrize(("above", "below"), [(0.0, 0.0), (0.0, 0.04), (0.03, 0.0), (0.02, 0.03)])
def test_lips_end_where_the_picture_shows_it(
    face: tuple[Array, Array], above: float, below: float
) -> None:
    """Teeth that reach further under the lips than the mesh's opening, as in real pictures."""
    image, points = face
    wide = opened(points, 0.1)
    talking = Painter().paint(image, points, wide, 0.1)
    pose = Pose.of(wide)
    true = np.outer([above, below], np.sin(np.linspace(0, np.pi, 11))[1:-1])
    reach = pose.laid(wide, lip_edges.ended(pose.own, true))
    inner = reach[[*MOUTH.upper[-1], *MOUTH.lower[-1][-2:0:-1]], :2]
    cv2.fillPoly(talking, [np.round(inner).astype(np.int32)], (225, 220, 205))
    found = lip_edges.found(talking, wide)
    off = np.abs(found - true)[:, 2:-2]
    assert off.mean() < 0.012 and (off > 0.02).sum() <= 1  # gloss may look like a tooth


@pytest.mark.parametrize("by", [0.0, 0.08, 0.18, 0.25])
def test_closed_lips_are_as_thick_as_they_were(face: tuple[Array, Array], by: float) -> None:
    """However wide the mouth was open: no lip is lost, none overlaps the other."""
    _, points = face
    model = weights.load(LipMotion)
    none = np.zeros((1, 40), np.float32)
    moved = Motion(none[:, :12], none, model.shapes.numpy(), model.units.numpy(), 0.0)
    own = Pose.of(opened(points, by)).own
    shut = moved.shut(own)
    assert -0.005 < shut[LOWER_LIP, 1] - shut[UPPER_LIP, 1] < 0.03
    for outer, inner in ((0, UPPER_LIP), (17, LOWER_LIP)):
        before, after = (abs(each[outer, 1] - each[inner, 1]) for each in (own, shut))
        assert after == pytest.approx(before, rel=0.25)


def test_upper_teeth_stay_and_lower_follow_the_jaw(face: tuple[Array, Array]) -> None:
    image, points = face
    by, more = 0.08, 0.05
    wide = opened(points, by)
    talking = Painter().paint(image, points, wide, by)
    inner = np.round(wide[[*MOUTH.upper[-1], *MOUTH.lower[-1][-2:0:-1]], :2]).astype(np.int32)
    hole = cv2.fillPoly(np.zeros(image.shape[:2], np.uint8), [inner], 1) > 0
    line = round(float(wide[[UPPER_LIP, LOWER_LIP], 1].mean()))
    row = np.arange(image.shape[0])[:, None] - line
    talking[hole & (row < -3)] = 0, 220, 0
    talking[hole & (np.abs(row) <= 3)] = 0
    talking[hole & (row > 3)] = 0, 0, 180
    painter = Painter()
    painter.learn(talking, wide, by)

    def ends(out: Array) -> tuple[int, int]:
        """The lowest row of green and the highest of blue in the middle of the mouth."""
        column = out[:, round(float(wide[UPPER_LIP, 0]))].astype(int)
        green = np.flatnonzero(column[:, 1] - column[:, 0] > 60)
        blue = np.flatnonzero(column[:, 2] - column[:, 0] > 40)
        return int(green[-1]), int(blue[0])

    unit = Pose.of(points).unit
    first = ends(painter.paint(image, points, opened(points, by), by))
    second = ends(painter.paint(image, points, opened(points, by + more), by + more))
    assert abs(first[0] - line) <= 5
    assert abs(second[0] - first[0]) <= 1
    assert second[1] - first[1] == pytest.approx(JAW * more * unit, abs=2)


def test_an_eye_closes_and_the_mouth_stays(face: tuple[Array, Array]) -> None:
    image, points = face
    target = points.copy()
    for eye in EYES:
        target[list(eye.upper[-1])] = points[list(eye.lower[-1])]
    out = Painter().paint(image, points, target, 0.0)
    x, y = points[[159, 145], :2].mean(0).astype(int)
    assert image[y, x].mean() < 90  # the pupil
    assert out[y - 3, x].mean() > 110  # skin
    mouth = slice(int(points[0, 1]), None)
    assert np.array_equal(out[mouth], image[mouth])


def test_a_head_turns_before_a_background_that_stays(face: tuple[Array, Array]) -> None:
    image, points = face
    target = points + np.array([4, 2, 0], np.float32)
    out = Painter().paint(image, points, target, 0.0)
    middle, before = out[150:400, 150:370].astype(int), image[148:398, 146:366].astype(int)
    assert np.abs(middle - before).mean() < 0.5
    assert np.abs(middle - image[150:400, 150:370]).mean() > 2
    assert np.array_equal(out[-10:], image[-10:])
    region = Painter.region(image, points, target)
    assert np.array_equal(out[~region], image[~region])


@pytest.mark.parametrize("scale", [0.12, 0.35])
@pytest.mark.parametrize("shift", [(0, 0), (-55, 0), (60, 70), (0, -75), (400, 400)])
def test_small_and_cut_faces(
    face: tuple[Array, Array], scale: float, shift: tuple[int, int]
) -> None:
    image, points = face
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float64)
    small = cv2.warpAffine(image, matrix, (130, 150), borderMode=cv2.BORDER_REPLICATE)
    placed = points * np.float32(scale) + np.array([*shift, 0], np.float32)
    painter = Painter()
    wide = opened(placed, 0.1)
    painter.learn(small, wide, 0.1)
    for target in (wide, placed + np.array([0.5, 0, 0], np.float32)):
        assert painter.paint(small, placed, target, 0.1).shape == small.shape


def test_the_same_again_is_the_same(face: tuple[Array, Array]) -> None:
    image, points = face
    target = opened(points, 0.1)
    first, second = (Painter().paint(image, points, target, 0.1) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("blurred_first", [True, False])
def test_a_sharp_mouth_is_kept_rather_than_a_blurred_one(
    face: tuple[Array, Array], blurred_first: bool
) -> None:
    image, points = face
    wide = opened(points, 0.1)
    sharp = Painter().paint(image, points, wide, 0.1)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 4)
    alone, both = Painter(), Painter()
    alone.learn(sharp, wide, 0.1)
    for each in (blurred, sharp) if blurred_first else (sharp, blurred):
        both.learn(each, wide, 0.1)
    wanted, found = (k.paint(image, points, wide, 0.1) for k in (alone, both))
    assert np.array_equal(found, wanted)


def test_a_donor_is_put_in_the_light_of_the_picture(face: tuple[Array, Array]) -> None:
    image, points = face
    wide = opened(points, 0.1)
    painter = Painter()
    painter.learn(Painter().paint(image, points, wide, 0.1), wide, 0.1)
    dim = (image * 0.7).astype(np.uint8)
    inner = wide[[*MOUTH.upper[-1], *MOUTH.lower[-1][-2:0:-1]], :2]
    hole = cv2.fillPoly(np.zeros(image.shape[:2], np.uint8), [np.round(inner).astype(int)], 1) > 0
    usual, dimmed = (painter.paint(k, points, wide, 0.1)[hole].mean() for k in (image, dim))
    assert dimmed / usual == pytest.approx(0.7, abs=0.04)


@pytest.mark.parametrize("cast", [(1.0, 1.0, 1.0), (1.0, 0.8, 0.5), (0.75, 0.9, 1.0)])
def test_teeth_are_white_in_the_light_of_the_picture(
    face: tuple[Array, Array], cast: tuple[float, float, float]
) -> None:
    """Whatever colour the light is, and whatever colour the skin: by von Kries, who scales."""
    image, points = face
    wide = opened(points, 0.1)
    middle = np.round(wide[[UPPER_LIP, LOWER_LIP], :2].mean(0) - [0, 8]).astype(int)
    spot = slice(middle[1] - 3, middle[1] + 3), slice(middle[0] - 12, middle[0] + 12)

    def teeth(picture: Array) -> Array:
        seen = Painter().paint(picture, points, wide, 0.1)[spot].reshape(-1, 3).astype(float)
        return seen[seen.mean(1) > np.quantile(seen.mean(1), 0.5)].mean(0)

    plain, lit = teeth(image), teeth((image * cast).astype(np.uint8))
    assert plain.min() / plain.max() > 0.72  # no khaki
    np.testing.assert_allclose(lit / lit.sum(), plain * cast / (plain @ cast), atol=0.025)
    painted = image.copy()
    cheeks = np.arange(image.shape[0])[:, None] > points[[145, 374], 1].max() + 12
    painted[cheeks[:, 0]] = (image[cheeks[:, 0]] * [1.0, 0.85, 0.6]).astype(np.uint8)
    other = teeth(painted)
    np.testing.assert_allclose(other / other.sum(), plain / plain.sum(), atol=0.025)


def test_rows_of_teeth_part_along_their_edges() -> None:
    """Two rows that are clenched, between them a line that is bent as an arch and as teeth are."""
    density, wide = 200.0, 168
    x = (np.arange(wide) + 0.5) / density + LEFT
    line = 62 - 120 * x**2 + 2 * np.sin(2 * np.pi * x / 0.08)
    y = np.arange(130)[:, None]
    grey = np.where(np.abs(y - line) < 1.5, 120, 230) * np.ones((130, wide))
    mouth = (np.abs(x) < 0.2) & (y > 40) & (y < 95)
    plate = np.where(mouth, grey, 60)[..., None].repeat(3, 2).astype(np.uint8)
    found, parted = between(plate, mouth.astype(np.uint8), np.arange(41, 95), density)
    within = np.abs(x) < 0.18
    assert parted and np.abs(found - line)[within].max() < 2.5
    assert np.ptp(line[within]) > 5  # which no straight cut follows


def test_drawn_teeth_are_an_arch_that_ends_in_the_dark() -> None:
    """Higher and darker towards the corners, with gaps; the lower row is the jaw's alone."""
    white, skin = np.array([230.0, 225, 215]), np.array([200.0, 150, 120])
    plates = drawn(400.0, (0.0, 0.75), white, skin)
    columns = np.round((np.array([0.03, 0.2, 0.26]) - LEFT) * plates.density).astype(int)
    alpha, light = plates.upper[..., 3], plates.upper[..., :3].mean(2)
    ends = [int(np.flatnonzero(alpha[:, column] > 128)[-1]) for column in columns]
    assert ends[0] > ends[1] + 4 and ends[1] > ends[2]
    row = ends[0] - round(0.05 * plates.density)
    bright = [light[row - 20 : row, column - 6 : column + 6].mean() for column in columns]
    assert bright[0] > 170 and bright[1] < 0.75 * bright[0] and bright[2] < 0.5 * bright[0]
    gap = round(-LEFT * plates.density)  # between the middle ones
    assert light[row, gap] < 0.85 * light[row, gap + 18]
    assert not (plates.upper[ends[0] + 20 :, :, 3] > 8).any()


@pytest.mark.parametrize("colour", [None, (255, 255, 255), (255, 240, 200), (90, 10, 20)])
def test_more_light_makes_no_pixel_darker(
    face: tuple[Array, Array], colour: tuple[int, int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The inside of a mouth, drawn or a donor's of any colour, under every gain of the light."""
    image, points = face
    wide = opened(points, 0.1)
    painter = Painter()
    if colour:
        talking = painter.paint(image, points, wide, 0.1)
        inner = wide[[*MOUTH.upper[-1], *MOUTH.lower[-1][-2:0:-1]], :2]
        cv2.fillPoly(talking, [np.round(inner).astype(np.int32)], colour)
        painter = Painter()
        painter.learn(talking, wide, 0.1)
    before = np.zeros(image.shape, int)
    for gain in (0.6, 0.8, 1.0, 1.2, 1.35, 1.5):
        monkeypatch.setattr(Painter, "_brighter", lambda self, image, points, gain=gain: gain)
        out = painter.paint(image, points, wide, 0.1).astype(int)
        assert (out >= before - 1).all(), gain
        before = out


def test_a_field_between_nodes_has_no_ripples() -> None:
    grid = Grid(0, 0, 10, 12, 12)
    ramp = np.zeros((12, 12, 2), np.float32)
    ramp[..., 0] = -0.9 * grid.xs  # ten times as wide
    image = np.tile(np.arange(120, dtype=np.float32)[:, None], (120, 1, 3))
    row = grid.fetched(image, ramp)[60, 20:100, 0]
    assert np.abs(row - 0.1 * np.arange(20, 100)).max() < 0.15
