"""Faces against brute force, formulas, and a stage whose actors are known at every moment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from avtool.face import (
    Detector,
    Landmarker,
    Track,
    Tracker,
    align,
    from_arrays,
    lips,
    to_arrays,
)
from avtool.face import tracker as follow
from avtool.face.align import HEAD, LIPS
from avtool.face.appearance import Appearance
from avtool.face.detect import Detections, decode, iou, merge, tiles, whole
from avtool.face.landmarks import Square, cut

FPS = 25


# Detector


def test_decode_is_the_anchor_formula() -> None:
    rng = np.random.default_rng(1)
    regressors = rng.normal(0, 20, (2304, 16)).astype(np.float32)
    logits = rng.normal(-3, 2, (2304, 1)).astype(np.float32)
    rows, scores = decode(regressors, logits)
    expected = []
    for cell in range(2304):  # one anchor a cell of 4 pixels, row by row
        score = 1 / (1 + np.exp(-float(logits[cell, 0])))
        if score <= 0.6:
            continue
        x, y = 4 * (cell % 48) + 2, 4 * (cell // 48) + 2
        r = regressors[cell].astype(float)
        cx, cy, w, h = r[0] + x, r[1] + y, r[2], r[3]
        points = [v + (x, y)[k % 2] for k, v in enumerate(r[4:])]
        row = [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, *points]
        expected.append([*np.divide(row, 192), score])
    assert len(expected) > 20
    np.testing.assert_allclose(np.column_stack([rows, scores]), expected, atol=1e-5)


def test_iou_is_counted_pixels() -> None:
    boxes = np.random.default_rng(2).integers(0, 20, (12, 4)).astype(float)
    boxes = np.concatenate(
        [np.minimum(boxes[:, :2], boxes[:, 2:]), boxes.max(1)[:, None] + [0, 1]], 1
    )

    def pixels(box: np.ndarray) -> set[tuple[int, int]]:
        x0, y0, x1, y1 = map(int, box)
        return {(x, y) for x in range(x0, x1) for y in range(y0, y1)}

    for i, a in enumerate(boxes):
        for j, b in enumerate(boxes):
            union = len(pixels(a) | pixels(b))
            share = len(pixels(a) & pixels(b)) / union if union else 0
            assert iou(boxes, boxes)[i, j] == pytest.approx(share)


def test_merge_averages_what_overlaps() -> None:
    rng = np.random.default_rng(3)
    corner = rng.uniform(0, 60, (40, 2))
    size = rng.uniform(15, 30, (40, 2))
    rows = np.concatenate([corner, corner + size, rng.uniform(0, 60, (40, 12))], 1)
    scores = rng.uniform(0.6, 1, 40)
    left, boxes = sorted(range(40), key=lambda k: -scores[k]), []
    while left:
        same = [k for k in left if k == left[0] or iou(rows[[left[0]], :4], rows[[k], :4]) > 0.3]
        boxes.append(sum(scores[k] * rows[k] for k in same) / sum(scores[k] for k in same))
        left = [k for k in left if k not in same]
    found = merge(rows, scores)
    assert 1 < len(found) < 40
    np.testing.assert_allclose(found.boxes, np.array(boxes)[:, :4], rtol=1e-5)
    np.testing.assert_allclose(found.keypoints.reshape(-1, 12), np.array(boxes)[:, 4:], rtol=1e-5)
    assert len(merge(rows[:0], scores[:0])) == 0


@pytest.mark.parametrize(
    ("height", "width", "side"), [(720, 1280, 320), (576, 720, 320), (99, 500, 100)]
)
def test_tiles_cover_and_overlap(height: int, width: int, side: int) -> None:
    seen = np.zeros((height, width), int)
    for left, top, each in tiles(height, width, side):
        seen[max(top, 0) : top + each, max(left, 0) : left + each] += 1
    assert seen.min() > 0
    lefts = sorted({tile[0] for tile in tiles(height, width, side)})
    assert np.diff(lefts).max() <= 0.75 * side + 1
    assert tiles(height, width, max(height, width)) == []
    assert whole(height, width)[2] == max(height, width)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


@pytest.fixture(scope="module")
def landmarker() -> Landmarker:
    return Landmarker()


def faceless() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(4)
    ramp = np.tile(np.linspace(0, 255, 640, dtype=np.uint8)[None, :, None], (360, 1, 3))
    noise = rng.integers(0, 256, (360, 640, 3), dtype=np.uint8)
    soft = np.asarray(Image.fromarray(noise[:18, :32]).resize((640, 360)))
    return {"ramp": ramp, "noise": noise, "soft": soft, "black": np.zeros_like(ramp)}


@pytest.mark.parametrize("name", faceless())
def test_no_face_in_a_picture_without(
    detector: Detector, landmarker: Landmarker, name: str
) -> None:
    image = faceless()[name]
    assert len(detector(image, [whole(360, 640), *tiles(360, 640, 320)])) == 0
    tracker = Tracker(FPS, detector, landmarker)
    for _ in range(6):
        tracker.step(image)
    assert tracker.tracks() == []
    assert landmarker(image, Square(320, 180, 200))[1] < 0.5


def test_networks_load_silently() -> None:
    code = "from avtool.face import Detector, Landmarker; Detector(); Landmarker()"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    code += "; import sys; print('heard', file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stderr == "heard\n"


# Mesh


def test_cut_takes_the_very_pixels() -> None:
    image = np.random.default_rng(5).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    assert (cut(image, Square(60, 40, 32), 32) == image[24:56, 44:76]).all()
    turned = cut(image, Square(60, 40, 32, np.pi / 2), 32)  # its right is the picture's down
    assert np.abs(turned.astype(int) - np.rot90(image[24:56, 44:76], 1)).max() <= 1
    beyond = cut(image, Square(0, 40, 32), 32)
    assert (beyond[:, :16] == image[24:56, :1]).all()
    assert (beyond[:, 16:] == image[24:56, :16]).all()


def test_cut_shrinks_without_aliasing() -> None:
    checks = np.indices((400, 400)).sum(0) % 2 * np.uint8(255)
    image = np.repeat(checks[..., None].astype(np.uint8), 3, 2)
    assert np.abs(cut(image, Square(200, 200, 360), 60).astype(int) - 127).max() <= 2
    assert set(np.unique(image[::7, ::7])) == {0, 255}  # what skipping pixels gives


def test_mesh_comes_back_to_the_picture(
    monkeypatch: pytest.MonkeyPatch, landmarker: Landmarker
) -> None:
    # A network that finds the input's own corners and middle.
    own = np.zeros((468, 3), np.float32)
    own[:3] = np.array([[0, 0, 0], [192, 0, 19.2], [96, 96, 0]])
    answer = [own.reshape(1, 1, -1), np.full((1, 1, 1), 3.0)]
    monkeypatch.setattr(landmarker, "_network", lambda image: answer)
    points, score = landmarker(np.zeros((100, 100, 3), np.uint8), Square(50, 40, 20, np.pi / 2))
    np.testing.assert_allclose(points[:3], [[60, 30, 0], [60, 50, 2], [50, 40, 0]], atol=1e-4)
    assert score == pytest.approx(1 / (1 + np.exp(-3)))


# Head coordinates


def head() -> np.ndarray:
    """468 points [468, 3], those of the head where they belong, the others anywhere."""
    points = np.random.default_rng(6).uniform([-0.8, -0.6, -0.3], [0.8, 1.0, 0.5], (468, 3))
    points[list(HEAD)] = list(HEAD.values())
    return points


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    (a, b), (c, d), (e, f) = [(np.cos(v), np.sin(v)) for v in (yaw, pitch, roll)]
    return (
        np.array([[e, -f, 0], [f, e, 0], [0, 0, 1]])
        @ np.array([[1, 0, 0], [0, c, -d], [0, d, c]])
        @ np.array([[a, 0, b], [0, 1, 0], [-b, 0, a]])
    )


@pytest.mark.parametrize("angles", [(0, 0, 0), (0.6, 0, 0), (-1.2, 0.4, 0.5), (0.1, -0.3, 3.0)])
def test_head_motion_is_gone(angles: tuple[float, float, float]) -> None:
    pixels = 87.0 * head() @ rotation(*angles).T + [310, 240, 12]
    aligned, turn = align(pixels)
    np.testing.assert_allclose(aligned, head(), atol=1e-4)
    np.testing.assert_allclose(turn, rotation(*angles).T, atol=1e-5)
    np.testing.assert_allclose(lips(pixels), head()[list(LIPS)], atol=1e-4)
    np.testing.assert_allclose(lips(np.stack([pixels, 2 * pixels]))[1], lips(pixels), atol=1e-4)


def test_an_opening_mouth_stays() -> None:
    opened = head()
    lower = list(LIPS[1:10])
    opened[lower, 1] += 0.05
    moved = lips(60 * opened @ rotation(0.4, 0.1, 0.2).T) - lips(60 * head())
    np.testing.assert_allclose(moved[1:10, 1], 0.05, atol=1e-4)
    np.testing.assert_allclose(np.delete(moved, range(1, 10), 0), 0, atol=1e-4)


def test_lips_go_around_the_mouth() -> None:
    assert len(set(LIPS)) == 40
    assert (LIPS[0], LIPS[10], LIPS[5], LIPS[15]) == (61, 291, 17, 0)
    assert (LIPS[20], LIPS[30], LIPS[25], LIPS[35]) == (78, 308, 14, 13)


# Tracks: a stage with known actors, a detector and a mesh that see only who is not hidden

Actor = tuple[int, float, float, float]  # who, middle, side in pixels
Scene = Callable[[int], list[Actor]]  # from back to front


class Stage:
    """Plays a scene; it is detector and landmarker at once."""

    def __init__(self, scene: Scene, set_of: Callable[[int], int] = lambda frame: 0) -> None:
        self.scene, self.set_of = scene, set_of
        self.actors: list[Actor] = []

    def images(self, count: int) -> Iterator[np.ndarray]:
        for frame in range(count):
            self.actors = self.scene(frame)
            ground = np.random.default_rng(100 + self.set_of(frame)).integers(0, 256, (9, 16, 3))
            image = np.repeat(np.repeat(ground, 40, 0), 40, 1).astype(np.uint8)
            for who, x, y, side in self.actors:
                image = self.paint(image, who, x, y, side)
            yield image

    def paint(self, image: np.ndarray, who: int, x: float, y: float, side: float) -> np.ndarray:
        look = np.random.default_rng(who).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        patch = Image.fromarray(look).resize((round(1.5 * side),) * 2, Image.Resampling.NEAREST)
        canvas = Image.fromarray(image)
        canvas.paste(patch, (round(x - 0.75 * side), round(y - 0.75 * side)))
        return np.array(canvas)

    def seen(self) -> list[Actor]:
        return [
            actor
            for k, actor in enumerate(self.actors)
            if not any(
                max(abs(actor[1] - x), abs(actor[2] - y)) < 0.6 * side
                for _, x, y, side in self.actors[k + 1 :]
            )
        ]

    def mesh(self, actor: Actor) -> np.ndarray:
        _, x, y, side = actor
        return (head() * side / 1.6 + [x, y - 0.2 * side / 1.6, 0]).astype(np.float32)

    def __call__(self, image: np.ndarray, where: Sequence[object] | Square) -> object:
        if isinstance(where, Square):
            near = [
                actor
                for actor in self.seen()
                if np.hypot(actor[1] - where.x, actor[2] - where.y) < 0.4 * where.side
            ]
            if not near:
                return np.zeros((468, 3), np.float32), 0.1
            closest = min(near, key=lambda a: np.hypot(a[1] - where.x, a[2] - where.y))
            return self.mesh(closest), 0.99
        meshes = [self.mesh(actor) for actor in self.seen()]
        boxes = [[*m[:, :2].min(0), *m[:, :2].max(0)] for m in meshes]
        points = [m[[33, 263, 1, 13, 127, 356], :2] for m in meshes]
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(points, np.float32).reshape(-1, 6, 2),
            np.full(len(meshes), 0.9, np.float32),
        )

    def play(self, count: int) -> list[Track]:
        tracker = Tracker(FPS, self, self)  # type: ignore[arg-type]
        for image in self.images(count):
            tracker.step(image)
        return tracker.tracks()

    def who(self, track: Track) -> set[int]:
        """Whose place the track was in, over all its frames that were seen."""
        result = set()
        for frame, box, score in zip(track.frames, track.boxes, track.scores, strict=True):
            x, y = (box[:2] + box[2:]) / 2
            if score:
                actors = self.scene(int(frame))
                result.add(min(actors, key=lambda a: np.hypot(a[1] - x, a[2] - y))[0])
        return result


def test_one_face_that_moves() -> None:
    stage = Stage(lambda frame: [(1, 100 + 6 * frame, 180, 60 + frame / 2)])
    (track,) = stage.play(60)
    assert track.face == 1
    assert (track.frames == np.arange(60)).all()
    middle = (track.boxes[:, 0] + track.boxes[:, 2]) / 2
    np.testing.assert_allclose(middle, 100 + 6 * np.arange(60), atol=4)
    np.testing.assert_allclose(track.lips, np.tile(head()[list(LIPS)], (60, 1, 1)), atol=1e-3)
    assert track.portrait.shape == (160, 160, 3)
    assert track.gaps == []


@pytest.mark.parametrize("back", [1, 2])
def test_crossing(back: int) -> None:
    def scene(frame: int) -> list[Actor]:
        actors = [(1, 80 + 5.0 * frame, 180.0, 60.0), (2, 560 - 5.0 * frame, 170.0, 60.0)]
        return sorted(actors, key=lambda a: a[0] != back)

    stage = Stage(scene)
    tracks = stage.play(96)
    assert [stage.who(track) for track in tracks] == [{1}, {2}]
    assert all(track.frames[0] == 0 and track.frames[-1] == 95 for track in tracks)
    hidden = tracks[back - 1]
    assert (hidden.scores == 0).any() and (tracks[2 - back].scores > 0).all()


def test_control_crossing_faces_are_told_apart_by_their_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # They meet, and one of them goes back the way it came: motion alone is wrong here.
    def scene(frame: int) -> list[Actor]:
        x = 80 + 5.0 * min(frame, 48)
        y = 560 - 5.0 * (frame if frame < 48 else 96 - frame)
        return [(1, x, 180, 60), (2, y, 170, 60)]

    stage = Stage(scene)
    assert [stage.who(track) for track in stage.play(110)] == [{1}, {2}]
    monkeypatch.setattr(Appearance, "distance", lambda self, other: 0.0)
    assert [stage.who(track) for track in stage.play(110)] != [{1}, {2}]


@pytest.mark.parametrize(("gone", "listed"), [(3, False), (8, False), (20, True), (60, True)])
def test_a_hidden_face_keeps_its_number(gone: int, listed: bool) -> None:
    def scene(frame: int) -> list[Actor]:
        here = [(1, 150.0 + frame, 180.0, 60.0)]
        return [(2, 450, 180, 60)] + ([] if 40 <= frame < 40 + gone else here)

    one, two = Stage(scene).play(140)
    assert one.boxes[0, 0] < two.boxes[0, 0]
    assert len(two.frames) == 140
    assert (one.frames[0], one.frames[-1]) == (0, 139)
    if listed:
        ((first, last),) = one.gaps
        assert first == 40
        assert 40 + gone - 1 <= last < 40 + gone + follow.KEY * FPS
    else:
        assert one.gaps == []
        assert (one.scores[40 : 40 + gone] == 0).all()
        middle = (one.boxes[:, 0] + one.boxes[:, 2]) / 2
        np.testing.assert_allclose(middle, 150 + np.arange(140), atol=3)


def test_leaving_and_returning_elsewhere_after_long() -> None:
    def scene(frame: int) -> list[Actor]:
        if frame < 50:
            return [(1, 100, 100, 50)]
        return [(1, 500, 250, 80)] if frame >= 180 else []

    (track,) = Stage(scene).play(220)
    assert track.gaps == [(50, 179)]


def test_somebody_else_who_comes_later_is_new() -> None:
    def scene(frame: int) -> list[Actor]:
        return [(1 if frame < 60 else 2, 300, 180, 80)] if frame < 50 or frame >= 60 else []

    stage = Stage(scene)
    tracks = stage.play(120)
    assert [stage.who(track) for track in tracks] == [{1}, {2}]


def test_a_cut_ends_a_track_and_a_cut_back_takes_it_up() -> None:
    def scene(frame: int) -> list[Actor]:
        return [(2, 310, 180, 80)] if 40 <= frame < 80 else [(1, 300, 180, 80)]

    stage = Stage(scene, lambda frame: int(40 <= frame < 80))
    tracks = stage.play(120)
    assert [stage.who(track) for track in tracks] == [{1}, {2}]
    assert tracks[0].gaps == [(40, 79)]
    assert (tracks[1].frames == np.arange(40, 80)).all()


def test_faces_that_change_places_at_a_cut() -> None:
    def scene(frame: int) -> list[Actor]:
        left, right = (1, 2) if frame < 40 else (2, 1)
        return [(left, 150, 180, 80), (right, 450, 180, 80)]

    stage = Stage(scene, lambda frame: int(frame >= 40))
    tracks = stage.play(80)
    assert [stage.who(track) for track in tracks] == [{1}, {2}]
    assert all(len(track.frames) == 80 for track in tracks)


def test_a_followed_face_that_looks_like_somebody_else_keeps_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who bends is still who was followed: the look changes wholly, the mesh does not jump."""
    stage = Stage(lambda frame: [(1 if frame < 40 else 2, 300 + frame, 180, 80)])
    (track,) = stage.play(80)
    assert (track.frames == np.arange(80)).all()
    # The control: whose mesh jumps as the look changes is another.
    stage = Stage(lambda frame: [(1, 300, 180, 80)] if frame < 40 else [(2, 330, 180, 80)])
    assert [stage.who(track) for track in stage.play(80)] == [{1}, {2}]


@pytest.mark.parametrize(("part", "people"), [(0.25, [{1}]), (1.0, [{1}, {2}])])
def test_waving_hands_are_no_cut(part: float, people: list[set[int]]) -> None:
    """After a still scene a quarter of the picture changes, or all of it, and the look with it."""

    class Waved(Stage):
        def paint(self, image: np.ndarray, who: int, x: float, y: float, side: float) -> np.ndarray:
            if who == 2:
                image[: round(part * len(image))] ^= 127
            return super().paint(image, who, x, y, side)

    stage = Waved(lambda frame: [(1 if frame < 41 else 2, 300, 250, 80)])
    tracks = stage.play(80)
    assert len(tracks) == len(people)


def test_no_gap_is_filled_where_another_track_is() -> None:
    """One is hidden for a moment by who steps there: two tracks never share a face."""

    def scene(frame: int) -> list[Actor]:
        passer = 480.0 - 36 * max(0, 5 - abs(frame - 45))
        return [(1, 300.0, 180.0, 80.0), (2, passer, 180.0, 80.0)]

    tracks = Stage(scene).play(100)
    boxes = [dict(zip(track.frames.tolist(), track.boxes, strict=True)) for track in tracks]
    assert len(tracks) == 2 and len(tracks[0].frames) < 100
    for frame in boxes[0].keys() & boxes[1].keys():
        assert iou(boxes[0][frame][None], boxes[1][frame][None])[0, 0] < follow.SAME


def test_numbers_go_by_time_then_from_left_to_right() -> None:
    # who: first frame, x. Actors 5 and 6 come together, after 7.
    entry = {5: (70, 100), 6: (65, 300), 7: (40, 600), 8: (0, 500), 9: (6, 200)}
    stage = Stage(
        lambda frame: [(w, x, 60.0 + 60 * (w - 5), 40) for w, (t, x) in entry.items() if frame >= t]
    )
    tracks = stage.play(120)
    assert [track.face for track in tracks] == [1, 2, 3, 4, 5]
    assert [stage.who(track) for track in tracks] == [{9}, {8}, {7}, {5}, {6}]


def test_twenty_faces() -> None:
    stage = Stage(
        lambda frame: [
            (k, 64 + 128 * (k % 5) + 8 * np.sin(frame / 5 + k), 45 + 90.0 * (k // 5), 40)
            for k in range(20)
        ]
    )
    tracks = stage.play(30)
    assert sorted(next(iter(stage.who(track))) for track in tracks) == list(range(20))
    assert all(len(track.frames) == 30 and len(stage.who(track)) == 1 for track in tracks)


def test_a_false_alarm_is_dropped() -> None:
    stage = Stage(lambda frame: [(1, 300, 180, 80)] if 50 <= frame < 56 else [])
    assert stage.play(200) == []
    assert len(Stage(lambda frame: [(1, 300, 180, 80)]).play(1)) == 1  # but not from a photograph


def test_tracks_survive_a_file(tmp_path: Path) -> None:
    tracks = Stage(lambda frame: [(1, 150, 180, 80), (2, 450, 180, 80)]).play(30)
    arrays: dict[str, Any] = to_arrays(tracks)
    np.savez(tmp_path / "tracks.npz", **arrays)
    with np.load(tmp_path / "tracks.npz", allow_pickle=False) as file:
        read = from_arrays(dict(file))
    assert [track.face for track in read] == [1, 2]
    for one, two in zip(tracks, read, strict=True):
        for name in ("frames", "boxes", "lips", "scores", "portrait", "portrait_frame"):
            assert np.array_equal(getattr(one, name), getattr(two, name)), name
            assert np.asarray(getattr(one, name)).dtype == np.asarray(getattr(two, name)).dtype
    assert from_arrays(to_arrays([])) == []


def test_an_hour_of_one_face_stays_small() -> None:
    (track,) = Stage(lambda frame: [(1, 300, 180, 80)]).play(50)
    row = sum(array.nbytes for array in (track.frames, track.boxes, track.lips, track.scores)) / 50
    assert row * 3600 * FPS < 60e6
