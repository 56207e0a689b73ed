"""Refocusing, against the formula of a thin lens, pictures whose parts are known, and real runs."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from conftest import X264, Avtool, naive, pictures, sound
from PIL import Image

from avtool import media
from avtool.errors import InputError, MediaError
from avtool.face import Track
from avtool.media.image import read_picture
from avtool.pipelines.refocus import depth, pipeline
from avtool.pipelines.refocus.depth import People, Person, disparity, given
from avtool.pipelines.refocus.focus import PULL, Focus, speakers
from avtool.pipelines.refocus.lens import FINE, Layer, blurred, disc, refocused
from avtool.pipelines.refocus.matte import Matter
from avtool.pipelines.refocus.model import Selfie
from avtool.pipelines.refocus.pipeline import NOTE, Options
from avtool.pipelines.refocus.scene import FACE, LENS, scene
from avtool.signal.fill import filled
from avtool.values import Array, Frames

SAMPLES = Path(__file__).parents[1] / "sample_media"
COCKTAIL, PAIR, RIGHT = (SAMPLES / name for name in ("cocktail.mp4", "pair.jpg", "pair.right.jpg"))


def layers(person: Array, blur: float, behind: float) -> tuple[list[Layer], Array]:
    """Somebody before a background, at half the picture's size; and their mask at the whole."""
    half = cv2.resize(person, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return [Layer(1 - half, behind), Layer(half, blur)], person


def square() -> Array:
    """A mask with a person as wide as half the picture, float32 [120, 160]."""
    mask = np.zeros((120, 160), np.float32)
    mask[30:, 40:120] = 1
    return mask


@pytest.mark.parametrize("diameter", [1.5, 4, 9.25, 20])
def test_a_disc_is_one(diameter: float) -> None:
    cells = disc(diameter)
    assert cells.sum() == pytest.approx(1, abs=1e-5)
    # The mean square distance from the middle of a disc is an eighth of its squared diameter, and a
    # sixth more where it is told in whole pixels.
    away = np.arange(len(cells)) - (len(cells) - 1) / 2
    square = (cells * (away[:, None] ** 2 + away**2)).sum()
    assert square == pytest.approx(diameter**2 / 8 + 1 / 6, rel=0.05)


def test_a_wide_disc_is_the_same_at_half_the_size() -> None:
    point = np.zeros((200, 200), np.float32)
    point[100, 100] = 1
    seen = blurred(point, 40)
    rows, columns = np.nonzero(seen > seen.max() / 2)
    assert np.ptp(rows) + 1 == pytest.approx(40, abs=3) == np.ptp(columns) + 1
    assert seen.sum() == pytest.approx(1, abs=0.02)


def test_what_is_in_focus_has_the_very_pixels_and_lends_no_colour() -> None:
    """Whatever the person's colour: the background is the same, from the first pixel beside it."""
    mask, made = square(), []
    for colour in (20, 235):
        image = np.random.default_rng(1).integers(90, 160, (120, 160, 3), np.uint8)
        image[mask > 0] = colour + image[mask > 0] % 9
        stack, sharp = layers(mask, 0, 14)
        made.append(refocused(image, stack, sharp, 2))
        assert (made[-1][mask > 0] == image[mask > 0]).all()
        assert made[-1][:25].std() < image[:25].std() / 3
    assert (made[0][mask == 0] == made[1][mask == 0]).all()


def test_a_near_person_out_of_focus_covers_what_is_sharp_by_half_at_the_edge() -> None:
    image = np.full((120, 160, 3), 60, np.uint8)
    mask = square()
    image[mask > 0] = 200
    half = mask[::2, ::2]
    stack = [Layer(1 - half, 0.0), Layer(half, 16.0)]
    made = refocused(image, stack, 1 - mask, 2)
    row = made[90, :, 0].astype(int)
    assert row[10] == 60 and row[80] == 200 and (np.diff(row[10:80]) >= 0).all()
    # 16 pixels wide, from 8 outside to 8 inside; between them a disc's own edge.
    assert (row[:30] == 60).all() and (row[50:80] >= 199).all() and 100 < row[40] < 180


def test_flat_colours_stay_and_lamps_become_discs() -> None:
    image = np.full((120, 160, 3), (200, 90, 30), np.uint8)
    image[58:62, 78:82] = 255
    nobody = np.zeros((60, 80), np.float32)
    made = refocused(image, [Layer(1 - nobody, 20.0)], np.zeros((120, 160), np.float32), 2)
    assert np.abs(made[:30].astype(int) - (200, 90, 30)).max() <= 1
    assert made[60, 80, 2] > 40 > made[60, 80 + 14, 2]  # a lamp is brighter than a white paper


def test_a_depth_between_two_layers_is_as_bright_as_either() -> None:
    image = np.full((80, 120, 3), (40, 120, 220), np.uint8)
    part = np.full((40, 60), 0.3, np.float32)
    stack = [Layer(part, 28.0, True), Layer(1 - part, 18.0, True)]
    made = refocused(image, stack, np.zeros((80, 120), np.float32), 2)
    assert np.abs(made.astype(int) - image).max() <= 1


def test_what_is_hidden_is_filled_from_beside_it() -> None:
    picture = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[None, :, None], 48, 0).repeat(3, 2)
    known = np.ones((48, 64), np.float32)
    known[10:40, 20:44] = 0
    found = filled(picture, known)
    assert np.abs(found - picture)[known > 0].max() < 1e-6
    assert np.abs(found - picture)[known == 0].mean() < 0.08


@pytest.mark.parametrize("stop", [1.4, 4.0])
def test_blurs_are_those_of_a_thin_lens(stop: float) -> None:
    """Faces as a pinhole with that focal length shows them, at three distances."""
    focal, distances = 1500.0, {1: 1.2, 2: 2.0, 3: 3.5}
    size = {n: focal * FACE / metres for n, metres in distances.items()}
    people = {n: Person(np.array([0, 0, 9, 9.0]), each, 1.0) for n, each in size.items()}
    mattes: Any = type("Mattes", (), {"small": np.zeros((9, 9), np.float32), "size": (9, 9)})()
    mattes.alpha = {n: np.zeros((9, 9), np.float32) for n in people}
    found = scene(mattes, people, {2: 1.0}, size[2], stop, exact=True)
    for n, metres in distances.items():
        circle = LENS / stop * focal * abs(metres - 2.0) / (metres * 2.0)
        assert found.blurs[n] == pytest.approx(circle, rel=1e-6)
    assert found.people == [0, 3, 2, 1]  # from the farthest to the nearest
    near = scene(mattes, people, {2: 1.0}, size[2], stop).blurs
    assert near[2] == 0 and near[3] >= found.blurs[3] and near[1] >= found.blurs[1]


def test_the_focus_is_pulled_to_who_speaks() -> None:
    focus = speakers({1: [(0.5, 2.0), (6.0, 7.0)], 2: [(1.5, 4.0), (4.5, 4.7)]}, usual=2)
    # 2 begins while 1 speaks, and has it when 1 ends; a word of 0.2 s is none.
    assert focus.turns == ((0.0, 1), (2.0, 2), (6.0, 1))
    assert focus.at(1.9) == {1: 1.0} and focus.at(2 + PULL) == {2: 1.0}
    assert focus.at(2 + PULL / 2) == {1: pytest.approx(0.5), 2: pytest.approx(0.5)}
    assert speakers({1: [], 2: [(3.0, 3.2)]}, usual=2) == Focus(((0.0, 2),))


def seen(frames: list[int], left: list[float], high: float = 40.0) -> Track:
    """A face of that height."""
    x = np.array(left)
    boxes = np.stack([x, np.full_like(x, 20), x + 30, np.full_like(x, 20 + high)], 1)
    count = len(frames)
    return Track(
        *(1, np.array(frames), boxes.astype(np.float32)),
        *(np.zeros((count, 40, 3), np.float32), np.ones(count, np.float32)),
        *(np.zeros((160, 160, 3), np.uint8), 0),
    )


def test_a_face_that_is_lost_goes_slowly() -> None:
    people = People([seen(list(range(50)), [5.0] * 50)])
    assert people.at(1.0)[1].there == 1 and people.at(3.0)[1].there == 1
    assert 0 < people.at(1.96 + depth.HELD + 0.25)[1].there < 1
    assert people.at(1.96 + depth.HELD + depth.FADES + 0.1) == {}
    assert people.size(1, 9.0) == pytest.approx(40)


def test_a_face_that_trembles_does_not_move_the_lens() -> None:
    rng = np.random.default_rng(4)
    track = seen(list(range(100)), (50 + rng.normal(0, 1, 100)).tolist())
    track.boxes[:, 3] += rng.normal(0, 2, 100)
    people = People([track])
    sizes = [people.at(n / 25)[1].size for n in range(100)]
    assert np.std(np.diff(sizes)) < 0.1 < 1 < np.std(np.diff(track.boxes[:, 3]))


def test_disparity_of_planes() -> None:
    """Random dots, the middle 12 pixels nearer than what is behind, which is at 3."""
    rng = np.random.default_rng(0)
    far, near = (
        cv2.GaussianBlur(rng.integers(0, 255, (120, 260), np.uint8), (3, 3), 0) for _ in range(2)
    )
    views = []
    for eye in (0, 1):
        view = far[:, 30 + 3 * eye : 230 + 3 * eye].copy()
        view[30:90, 60 - 15 * eye : 140 - 15 * eye] = near[30:90, 60:140]
        views.append(view)
    found = disparity(*views)
    assert np.median(found[35:85, 70:130]) == pytest.approx(15, abs=0.3)
    beside = np.concatenate([found[:20].ravel(), found[35:85, 20:40].ravel()])
    assert np.median(beside) == pytest.approx(3, abs=0.3)
    assert np.mean(np.abs(beside - 3) < 1) > 0.9  # also what the near one hides from one eye


def test_memory_keeps_an_edge_that_does_not_move() -> None:
    """A photo filmed with noise: the mask changes less from picture to picture."""
    image = cv2.resize(read_picture(PAIR), (480, 270), interpolation=cv2.INTER_AREA)
    box = {1: np.array([85, 95, 155, 205.0])}
    rng, selfie = np.random.default_rng(0), Selfie()
    memory = Matter(selfie, (480, 270))
    masks: list[list[Array]] = [[], []]
    for _ in range(8):
        noisy = np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
        masks[0].append(Matter(selfie, (480, 270))(noisy, box).fine(1))
        masks[1].append(memory(noisy, box).fine(1))
    alone, kept = (
        np.abs(np.diff(each[2:], axis=0))[:, (each[-1] > 0.02) & (each[-1] < 0.98)].mean()
        for each in map(np.array, masks)
    )
    assert kept < 0.85 * alone
    assert np.abs(masks[0][-1] - masks[1][-1]).mean() < 0.01


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"face": 0}, "counted from 1"),
        ({"face": 1, "speaker": True}, "contradict"),
        ({"blur": 0.5}, "f-number"),
        ({"blur": float("nan")}, "f-number"),
        ({"depth": "a.png", "right": "b.png"}, "give one"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Options(**options)


def test_depth_of_a_user(tmp_path: Path) -> None:
    frames = Frames(lambda: iter([]), Fraction(1), 80, 60)
    grey = np.zeros((30, 40), np.float32)
    metres = np.full((60, 80), 4.0)
    metres[:, :40] = 2.0
    np.save(tmp_path / "metres.npy", metres)
    told = given(str(tmp_path / "metres.npy"), None)
    assert told is not None
    near = told.near(grey, next(told.images(frames, 0.0, "photo")))
    assert near[5, 5] == pytest.approx(0.5) and near[5, 35] == pytest.approx(0.25)
    with pytest.raises(MediaError, match=r"is 80x60, photo is 60x60; give depth of the same"):
        told.images(Frames(frames.images, Fraction(1), 60, 60), 0.0, "photo")
    np.save(tmp_path / "three.npy", np.zeros((3, 4, 5)))
    with pytest.raises(InputError, match=r"float64 \[3, 4, 5\]; metres are numbers"):
        given(str(tmp_path / "three.npy"), None)
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object))
    with pytest.raises(MediaError, match="cannot be read as an array"):
        given(str(tmp_path / "objects.npy"), None)
    with pytest.raises(MediaError, match="no such file"):
        given(None, str(tmp_path / "none.mp4"))


def test_a_stereo_pair_knows_the_street() -> None:
    """Of the sample's distances: 1.5 m, 2.3 m and 7 m, seen through 2200 pixels."""
    image = read_picture(PAIR)
    found = pipeline.run(media.still("pair", image), Options(1, exact=True, right=str(RIGHT)))
    (shot,) = found.shots()
    width = shot.scene.width()
    circle = [LENS / 1.4 * 2200 * abs(1 / 1.5 - 1 / metres) for metres in (2.3, 7.0)]
    assert shot.scene.blurs[2] == pytest.approx(circle[0], rel=0.15)
    assert np.median(width[:60]) == pytest.approx(circle[1], rel=0.15)
    assumed = pipeline.run(media.still("pair", image), Options(1, exact=True))
    (other,) = assumed.shots()
    assert other.scene.blurs[2] == pytest.approx(circle[0], rel=0.3)


def sharpness(images: Array, columns: slice) -> float:
    """How much detail there is in a part of pictures."""
    part = images[:, 100:260, columns].astype(np.float32).mean(3)
    return float(np.abs(part[:, 1:, 1:] - part[:, :-1, :-1]).mean())


def test_a_film(avtool: Avtool) -> None:
    ran = avtool(
        "refocus", COCKTAIL, "--face", 2, "--duration", 0.8, "-f", "mp4,png,json", "--json"
    )
    assert ran.code == 0, ran.err
    report = json.loads(ran.out)
    assert report["focus"] == [{"t": 0.0, "face": 2}] and len(report["outputs"]) == 3
    made, own = (pictures(name, duration=0.8) for name in ("cocktail.refocus.mp4", COCKTAIL))
    assert made.shape == own.shape == (20, 360, 640, 3)
    left, right = slice(110, 220), slice(420, 530)
    assert sharpness(made, left) < 0.6 * sharpness(own, left)
    assert sharpness(made, right) > 0.9 * sharpness(own, right)
    heard, before = sound("cocktail.refocus.mp4"), sound(COCKTAIL, duration=0.8)
    count = min(heard.shape[1], before.shape[1])
    assert abs(heard.shape[1] - before.shape[1]) < 1100
    assert np.corrcoef(heard[0, :count], before[0, :count])[0, 1] > 0.99
    with av.open("cocktail.refocus.mp4") as file:
        assert file.metadata["comment"] == NOTE
    told = json.loads(Path("cocktail.refocus.json").read_text())
    assert told["f-number"] == 1.4 and len(told["pictures"]) == 20
    assert told["pictures"][3]["blur"]["2"] == 0 < told["pictures"][3]["blur"]["1"]
    with Image.open("cocktail.refocus.png") as sheet:
        assert sheet.width == 1600


def test_depth_that_ends_early_shortens_nothing(avtool: Avtool) -> None:
    """Its last picture serves on, and that is said."""
    naive("-t", 0.8, "-i", COCKTAIL, *X264, "film.mp4")
    naive("-t", 0.4, "-i", COCKTAIL, "-an", *X264, "depth.mp4")
    arguments = ("film.mp4", "--face", 1, "--depth", "depth.mp4", "-f", "mp4", "--json")
    report = json.loads(avtool("refocus", *arguments).out)
    assert report["warnings"] == ["depth.mp4 ends at 0.4 s; its last picture serves on"]
    assert len(pictures("film.refocus.mp4")) == len(pictures("film.mp4")) == 20


def test_a_film_without_sound_is_marked_too_and_nobody_speaks_in_it(avtool: Avtool) -> None:
    naive("-t", 0.4, "-i", COCKTAIL, "-an", *X264, "mute.mp4")
    assert avtool("refocus", "mute.mp4", "-f", "mp4").code == 0
    with av.open("mute.refocus.mp4") as file:
        assert file.metadata["comment"] == NOTE and not file.streams.audio
    ran = avtool("refocus", "mute.mp4", "--speaker", "--overwrite")
    assert ran.code == 1 and "mute.mp4: has no sound, so nobody speaks" in ran.err


def test_a_photo(avtool: Avtool) -> None:
    assert avtool("refocus", PAIR, "--face", 1, "-f", "tif,png").code == 0
    own, made = read_picture(PAIR), read_picture("pair.refocus.tif")
    assert (made[300:400, 220:360] == own[300:400, 220:360]).all()  # the face: bit for bit
    houses = slice(120, 260), slice(0, 110)
    changes = [np.abs(np.diff(each[houses].astype(int), axis=1)) for each in (made, own)]
    assert changes[0].max() < changes[1].max() / 3
    assert avtool("refocus", PAIR).lines == ["pair.refocus.jpg"]  # the picture is there
    with Image.open("pair.refocus.jpg") as image:
        assert image.getexif()[0x010E] == NOTE


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((PAIR, "--face", 3), 1, "pair.jpg: has no face 3; it has 2 faces"),
        ((PAIR, "-f", "mp4"), 1, "is a photo, pair.refocus.mp4 would be none; use jpg"),
        ((COCKTAIL, "-f", "jpg"), 1, "is a film, cocktail.refocus.jpg would be none; use mp4"),
        ((SAMPLES / "shapes.png",), 1, "shapes.png: shows no face, so nothing can be in focus"),
        ((SAMPLES / "speech.wav",), 1, "speech.wav: has no pictures"),
        ((PAIR, "--blur", 90), 2, "--blur 90: it is an f-number"),
        ((PAIR, "--depth", "none.png"), 1, "none.png"),
    ],
)
def test_what_cannot_be(avtool: Avtool, arguments: Any, code: int, words: str) -> None:
    ran = avtool("refocus", *arguments)
    assert ran.code == code and words in ran.err
    assert len(ran.err.strip().splitlines()) == 1


def test_the_layers_almost_in_focus_are_soft_by_degrees() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (80, 120, 3), np.uint8)
    everybody, whole = np.ones((40, 60), np.float32), np.ones((80, 120), np.float32)
    detail = [
        float(refocused(image, [Layer(everybody, blur)], whole, 2).std())
        for blur in (0.0, 1.2, 2.0, FINE - 0.01)
    ]
    assert detail == sorted(detail, reverse=True) and detail[0] > 1.3 * detail[-1]
