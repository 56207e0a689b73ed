"""`avtool localize`: its cues against formulas, and the whole on scenes whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
from conftest import X264, Avtool, lavfi, naive, pictures, pyav_pictures, sine_wav, sound
from PIL import Image

from avtool import media
from avtool.draw.heat import softened
from avtool.pipelines.localize import cues as looking
from avtool.pipelines.localize import draw as heat
from avtool.pipelines.localize import optical_flow as motion
from avtool.pipelines.localize import pipeline as locating
from avtool.pipelines.localize import stereo as direction
from avtool.pipelines.localize import synchrony
from avtool.pipelines.localize.audit import audit
from avtool.pipelines.localize.cues import Cues, VisualCues, listen
from avtool.pipelines.localize.fusion import Weights, decided, explained, fuse, mouth
from avtool.pipelines.localize.pipeline import Options, locate
from avtool.pipelines.localize.train import fusion, scenes
from avtool.speakers.tracks import find
from avtool.values import Audio, Frames

MEDIA = Path(__file__).parents[1] / "sample_media"
KNOCK = MEDIA / "knock.mp4"
RATE, FPS = 16_000, 25
FEW = Options(every=0.5)
DRUM = (395, 80, 640, 330)  # where the mallet and its drum are


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AVTOOL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def within(peak: tuple[float, float], box: tuple[float, ...]) -> bool:
    return box[0] <= peak[0] <= box[2] and box[1] <= peak[1] <= box[3]


# Direction


def delayed(sound: np.ndarray, seconds: float) -> np.ndarray:
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(len(sound), 1 / RATE) * seconds)
    return np.fft.irfft(np.fft.rfft(sound) * turn, len(sound))


@pytest.mark.parametrize("delay", [-2e-4, -5e-5, 0.0, 1e-4, 2.5e-4])
def test_delay_between_channels_is_found(delay: float) -> None:
    noise = np.random.default_rng(1).standard_normal(RATE // 2)
    found, clear = direction.gcc_phat(delayed(noise, delay), noise, RATE, 1e-3)
    assert abs(found - delay) < 1 / (4 * RATE) and clear > 0.5


def test_side_is_that_of_the_louder_and_the_earlier_channel() -> None:
    noise = np.random.default_rng(2).standard_normal(RATE // 2)
    right_louder, sure = direction.side(np.stack([0.4 * noise, noise]), RATE)
    assert right_louder > 0.5 and sure == 1
    left_earlier, _ = direction.side(np.stack([noise, delayed(noise, 2e-4)]), RATE)
    assert left_earlier < -0.3
    mirrored, _ = direction.side(np.stack([delayed(noise, 2e-4), noise]), RATE)
    assert mirrored == pytest.approx(-left_earlier, abs=0.02)


@pytest.mark.parametrize("quiet", [0.0, 1.0])
def test_one_channel_twice_or_silence_says_nothing(quiet: float) -> None:
    noise = quiet * np.random.default_rng(3).standard_normal(RATE // 2)
    assert direction.side(np.stack([noise, noise]), RATE) == (0.0, 0.0)


def test_columns_lean_to_the_side() -> None:
    odds = direction.columns(0.7, 1.0, 10)
    assert odds.argmax() == 8 and odds[0] < -2
    assert not direction.columns(0.8, 0.0, 10).any()


# Motion


SIZE = (256, 144)


def texture(seed: int, height: int = 144, width: int = 256) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, (height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return 128 + 100 * smooth / np.abs(smooth).max()


def shown(plane: np.ndarray) -> np.ndarray:
    return np.repeat(np.clip(plane, 0, 255).astype(np.uint8)[..., None], 3, 2)


def shifted(plane: np.ndarray, x: float) -> np.ndarray:
    return cv2.warpAffine(
        plane, np.array([[1, 0, x], [0, 1, 0]], np.float32), plane.shape[::-1], borderMode=2
    )


def test_flow_of_a_shift_is_the_shift_both_ways() -> None:
    base = texture(4)
    found = list(motion.fields([shown(shifted(base, 2.0 * k)) for k in range(3)], *SIZE))
    values = found[1].values
    assert values.shape == (2, *motion.grid_of(*SIZE), 3)
    inner = np.median(values[:, 4:-4, 4:-4], (1, 2))  # ahead and back: x, y, brightness
    np.testing.assert_allclose(inner[:, 0], [2.0 / motion.CELL, -2.0 / motion.CELL], atol=0.05)
    np.testing.assert_allclose(inner[:, 1], 0, atol=0.05)


def before(ground: np.ndarray, thing: np.ndarray, half: tuple[int, int]) -> np.ndarray:
    """A thing's middle, half high and half wide in pixels, before a background."""
    whole = ground.copy()
    rows, columns = (slice(n // 2 - h, n // 2 + h) for n, h in zip(ground.shape, half, strict=True))
    whole[rows, columns] = thing[rows, columns]
    return whole


def test_a_turn_is_a_jolt_and_steady_motion_is_none() -> None:
    base, ground, frames, turn = texture(5), texture(15), 21, 12
    x = [2.0 * (k if k <= turn else 2 * turn - k) for k in range(frames)]
    images = [shown(before(ground, shifted(base, each), (40, 64))) for each in x]
    window = list(motion.fields(images, *SIZE))
    jolt, _ = motion.histories(window, 10).moves
    inner = jolt.reshape(*motion.grid_of(256, 144), frames)[12:24, 24:40].mean((0, 1))
    assert inner.argmax() == turn
    assert inner[turn] == pytest.approx(4.0 / motion.CELL, rel=0.2)
    assert inner[4:9].max() < 0.15 * inner[turn]
    # Most of the picture stands still, so nothing is taken for the camera's motion.
    assert not any(each.camera.any() or each.exposure.any() or each.cut for each in window)


def test_before_a_camera_that_stands_still_nothing_is_taken_off() -> None:
    made = scenes.scene((21,), [np.random.default_rng(21).normal(0, 0.1, RATE)], seconds=1.6)
    window = list(motion.fields(made.images, 480, 270))
    assert not any(each.camera.any() or each.exposure.any() or each.cut for each in window)
    found = motion.histories(window, 20)
    x, y = np.moveaxis(found.places, 2, 0)
    rows, columns = motion.grid_of(480, 270)
    inside = (x > -0.5) & (x < columns - 0.5) & (y > -0.5) & (y < rows - 0.5)
    stays = inside.all(0)
    jolt = np.diff(found.places, 2, axis=0)
    size = np.sqrt(np.square(jolt[..., 0]) + np.square(jolt[..., 1])).T
    assert stays.mean() > 0.9 and size.max() > 0.5
    assert np.array_equal(found.moves[0, stays, 1:-1], size[stays])


def test_a_carried_camera_s_shakes_are_no_source() -> None:
    """The whole picture jolts with the sound; so does a small thing in it, which is the source."""
    rng = np.random.default_rng(16)
    frames, most = 75, synchrony.LAG + synchrony.FAR
    knocks = rng.random(frames + 2 * most) < 0.12
    shake = 4.0 * np.cumsum(rng.choice([-1, 1], frames) * knocks[most:-most])
    base, thing = texture(17), texture(18)
    blows = rng.random(frames + 2 * most) < 0.12
    hop = 5.0 * (np.cumsum(blows[most:-most]) % 2)

    def agreement(camera: np.ndarray, own: np.ndarray | None, heard: np.ndarray) -> np.ndarray:
        images = []
        for k in range(frames):
            plane = base if own is None else before(base, shifted(thing, own[k]), (14, 14))
            images.append(shown(shifted(plane, camera[k])))
        window = list(motion.fields(images, *SIZE))
        sound = np.stack([heard, heard]).astype(np.float32)
        followed = motion.histories(window, frames // 2)
        found: np.ndarray = synchrony.synchrony(followed, frames // 2, sound, motion.grid_of(*SIZE))
        return found

    lively = agreement(np.zeros(frames), hop, blows)
    assert agreement(shake, None, knocks).max() < 0.3 * lively.max()
    shaken = agreement(shake, hop, blows)
    row, column = np.unravel_index(int(shaken.argmax()), shaken.shape)
    assert abs(row - 18) < 6 and abs(column - 32) < 8 + abs(shake).max() / motion.CELL
    assert not shaken[:1].any() and not shaken[:, -1:].any()  # flow there is made up


def test_nothing_moves_at_a_cut() -> None:
    """The picture changes wholly where a sound begins: no jolt, no flash, no point goes on."""
    first, second = texture(19), texture(20)
    images = [shown(255 - first if k >= 20 else second) for k in range(40)]
    found = list(motion.fields(images, *SIZE))
    assert [k for k, each in enumerate(found) if each.cut] == [20]
    for middle, begin, frames in ((10, 0, 20), (25, 20, 20)):
        window, place = motion.shot(found, middle)
        assert (len(window), place) == (frames, middle - begin)
        assert motion.histories(window, place).moves.max() < 0.05


def test_a_knock_of_the_camera_is_no_cut() -> None:
    base = 128 + 2 * (texture(22) - 128)
    images = [shown(shifted(base, 20.0 * (k >= 15))) for k in range(30)]
    assert np.abs(np.diff(images, axis=0).astype(np.int8).astype(float)).mean((1, 2, 3))[14] > 10
    assert not any(each.cut for each in motion.fields(images, *SIZE))


def test_a_sound_that_begins_at_a_cut_is_of_neither_shot() -> None:
    rng = np.random.default_rng(23)
    cut, frames = 41, 90
    planes = [texture(24), 255 - texture(25)]
    images = np.stack(
        [shown(planes[k >= cut] + rng.normal(0, 2, (144, 256))) for k in range(frames)]
    )
    sound = np.zeros(frames * RATE // FPS, np.float32)
    sound[cut * RATE // FPS :] = 0.1 * rng.standard_normal(len(sound) - cut * RATE // FPS)
    sight = VisualCues(fusion.clip_of(images, sound), (), SIZE)
    found = list(looking.moving(sight, listen(Audio.of(sound, RATE)), 5))
    assert [each.frame for each in found] == list(range(0, 90, 5))
    assert max(each.motion.max() for each in found) < 0.1  # what moves with a sound has 0.5


def test_what_lights_the_whole_picture_is_no_change_of_brightness() -> None:
    base, frames, flash = texture(26), 24, 12
    gain = np.where(np.arange(frames) >= flash, 1.15, 1.0)
    images = [shown(each * base) for each in gain]
    lamp = [shown(before(g * base, base + 60 * (k >= 18), (20, 20))) for k, g in enumerate(gain)]
    for given, when in ((images, None), (lamp, 18)):
        window = list(motion.fields(given, *SIZE))
        change = motion.histories(window, 10).moves[1].reshape(*motion.grid_of(*SIZE), frames)
        assert not any(each.cut for each in window)
        assert change[4:-4, 4:-4, flash].mean() < 2  # of 19, the whole picture's
        if when:
            assert change[16:20, 30:34, when].mean() > 40


def test_a_lamp_is_a_change_of_brightness_and_hardly_a_jolt() -> None:
    base = texture(6)
    lit = base.copy()
    cv2.circle(lit, (128, 72), 30, 250.0, -1)
    images = [shown(lit if k == 6 else base) for k in range(12)]
    _, change = motion.histories(list(motion.fields(images, *SIZE)), 3).moves
    change = change.reshape(*motion.grid_of(256, 144), 12)
    middle, corner = change[16:20, 30:34].mean((0, 1)), change[2:6, 2:6].mean((0, 1))
    assert middle.argmax() in (6, 7) and middle.max() > 20 * max(corner.max(), 0.1)


# Synchrony


def test_who_moves_with_the_sound_agrees_most() -> None:
    rng = np.random.default_rng(7)
    frames, rows, cols = 75, 6, 8
    most = synchrony.LAG + synchrony.FAR
    # Six columns that move as one each, with the blows of their own.
    events = (rng.random((cols, frames + 2 * most)) < 0.12).astype(np.float32)
    events[:, most + 33 : most + 42] = 0.01  # all move now, and as much
    moves = np.zeros((2, rows * cols, frames), np.float32)
    moves[0] = np.tile(events[:, most:-most], (rows, 1))
    histories = motion.Histories(moves, resting(frames, rows, cols))
    for column in (1, 4, 6):
        for lag in (-3, 0, 3):
            heard = np.roll(events[column], lag)
            found = synchrony.synchrony(histories, 37, np.stack([heard, heard]), (rows, cols))
            assert found.mean(0).argmax() == column
            best = found[:, column].mean()
    other = (rng.random(frames + 2 * most) < 0.12).astype(np.float32)
    control = synchrony.synchrony(histories, 37, np.stack([other, other]), (rows, cols))
    assert control.max() < 0.6 * best


def resting(frames: int, rows: int, cols: int) -> np.ndarray:
    y, x = np.mgrid[:rows, :cols].reshape(2, -1).astype(np.float32)
    return np.repeat(np.stack([x, y], 1)[None], frames, 0)


def test_what_a_mover_covers_when_it_sounds_is_not_the_source() -> None:
    frames, rows, cols = 101, 12, 8
    most = synchrony.LAG + synchrony.FAR
    heard = np.zeros(frames + 2 * most, np.float32)
    heard[most // 2 :: 20] = 1.0
    blows = np.flatnonzero(heard[most:-most])
    ball, floor = 3 * cols + 4, 9 * cols + 4  # at frame 50, between two blows, the ball is up
    moves = np.zeros((2, rows * cols, frames), np.float32)
    moves[0, [ball, floor], :] = heard[most:-most]
    moves[0, [ball, floor], 46:55] = 0.05
    moves[0, floor] *= 1.2  # the flow drags the floor along, and it lights up besides
    down = np.abs(np.arange(frames)[:, None] - blows).min(1)
    for travels in (True, False):
        places = resting(frames, rows, cols)
        if travels:
            places[:, ball, 1] = 9 - np.minimum(down, 6)
        histories = motion.Histories(moves, places)
        found = synchrony.synchrony(histories, 50, np.stack([heard, heard]), (rows, cols)).ravel()
        assert (found[ball] > 3 * found[floor]) == travels


def test_what_stands_still_never_agrees() -> None:
    rng = np.random.default_rng(8)
    moves = 1e-3 * rng.random((2, 48, 75)).astype(np.float32)
    histories = motion.Histories(moves, resting(75, 6, 8))
    heard = rng.random((2, 75 + 2 * (synchrony.LAG + synchrony.FAR))).astype(np.float32)
    assert synchrony.synchrony(histories, 37, heard, (6, 8)).max() < 0.02


def test_a_short_shot_agrees_by_chance_no_more_than_a_long_one() -> None:
    rng = np.random.default_rng(27)
    rows, cols, most = 12, 16, synchrony.LAG + synchrony.FAR
    best = {}
    for frames in (10, 20, 51):
        tops = []
        for _ in range(12):
            moves = 6 * rng.random((2, rows * cols, frames)).astype(np.float32) ** 4
            heard = rng.random((2, frames + 2 * most)).astype(np.float32) ** 4
            histories = motion.Histories(moves, resting(frames, rows, cols))
            found = synchrony.synchrony(histories, frames // 2, heard, (rows, cols))
            tops.append(found.max())
        best[frames] = np.mean(tops)
    assert max(best[10], best[20]) < 1.5 * best[51]


def test_onsets_are_where_sound_begins() -> None:
    levels = np.full((400, 24), -80.0)
    levels[200:300] = -20
    loud, onset = synchrony.sounding(levels)
    assert onset.argmax() == 50 and np.count_nonzero(onset) == 1
    assert loud[50:75].min() > 2 * loud[:50].max()


# Fusion


def moment(**given: object) -> Cues:
    face = np.array([0.1, 0.2, 0.3, 0.6])
    facts = {
        "frame": 0,
        "motion": np.zeros((9, 16), np.float32),
        "faces": [0.0, 0.0],
        "boxes": [face, face + np.array([0.5, 0, 0.5, 0])],
        "side": (0.0, 0.0),
        "heard": True,
    }
    return Cues(**(facts | given))


def test_cells_faces_and_nowhere_share_one() -> None:
    agree = np.zeros((9, 16), np.float32)
    agree[7, 8] = 0.3
    fused = fuse(moment(motion=agree, faces=[12.0, None]), Weights())
    w = Weights()
    # The same by hand: exp of each place's log-odds, over their sum and nowhere's 1.
    rest = np.exp(w.thing) / (9 * 16)
    in_faces = sum(mouth(box, 9, 16).head.sum() for box in moment().boxes[:1])
    hit = np.exp(w.thing + w.motion * 0.3) / (9 * 16)
    face = np.exp(w.face + w.lips * 12)
    total = 1 + face + hit + rest * (9 * 16 - 1 - in_faces)
    assert fused.faces[0] == pytest.approx(face / total, rel=1e-4)
    assert fused.things[7, 8] == pytest.approx(hit / total, rel=1e-4)
    assert fused.faces[1] == 0
    assert fused.visible == pytest.approx(1 - 1 / total, rel=1e-4)


def test_silence_is_nowhere_and_lips_and_side_decide() -> None:
    assert fuse(moment(heard=False, faces=[20.0, 20.0]), Weights()).visible == 0
    lips = fuse(moment(faces=[-8.0, 12.0]), Weights())
    assert lips.faces[1] > 100 * lips.faces[0]
    side = fuse(moment(faces=[5.0, 5.0], side=(-0.7, 1.0)), Weights())
    assert side.faces[0] > 5 * side.faces[1]
    assert np.argmax(side.map.sum(0)) < 8


def test_attention_multiplies_the_odds_of_cells_and_faces() -> None:
    looks = np.full((9, 16), -1.0, np.float32)
    looks[7, 8] = 4.0
    faces = [3.0, 3.0]
    before, after = (fuse(moment(faces=faces, attention=a), Weights()) for a in (None, looks))
    nowhere = (1 - before.visible) / (1 - after.visible)  # all are told against it
    ratio = nowhere * after.things[7, 8] / before.things[7, 8]
    assert ratio == pytest.approx(np.exp(4), rel=1e-3)
    assert nowhere * after.faces[0] / before.faces[0] == pytest.approx(np.exp(-1), rel=1e-3)
    there = mouth(moment().boxes[0], 9, 16)
    assert there is not None
    on_face = np.where(there.map > 0.01, 3.0, -3.0)
    lips = fuse(moment(faces=faces, attention=on_face), Weights())
    assert lips.faces[0] > 20 * lips.faces[1]


def test_what_says_most_is_named() -> None:
    w, cell = Weights(), (7, 8)
    agree, looks = np.zeros((2, 9, 16), np.float32)
    agree[cell], looks[cell] = 0.1, 3.9  # 3.8 of log-odds by motion
    assert decided(moment(motion=agree), w, cell) == "motion"
    assert decided(moment(motion=agree, attention=looks), w, cell) == "attention"
    assert decided(moment(motion=agree, attention=0.9 * looks), w, cell) == "motion"
    aside = moment(motion=agree, side=(0.06, 1.0))
    assert decided(aside, w, cell) == "stereo"
    assert decided(replace(aside, attention=2 * looks), w, cell) == "attention"
    assert "attention" not in explained(aside, w)
    shown = explained(replace(aside, attention=looks), w)["attention"]
    assert shown[cell] == shown.max() < 1 and 0 <= shown.min() < 0.6 * shown.max()


# Made scenes: one thing sounds


@pytest.fixture(scope="module")
def takes() -> list[np.ndarray]:
    rng = np.random.default_rng(9)
    times = np.arange(2 * RATE) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 300 * times) * np.exp(-3 * times)
    return [rng.normal(0, 0.1, 2 * RATE), tone + rng.normal(0, 0.01, 2 * RATE)]


def test_the_thing_that_sounds_is_found_and_follows_the_sound(takes: list[np.ndarray]) -> None:
    right, swapped, count = [], [], 3
    for n in range(count):
        made = scenes.scene((10, n), takes, things=2)
        clip = fusion.clip_of(made.images, made.sounds[0])
        sight = VisualCues(clip, (), (480, 270))
        for thing, kept in ((0, right), (1, swapped)):
            found = locate(sight, listen(Audio.of(made.sounds[thing], RATE)), FEW)
            kept.append(int(found.clip.peak[0] // 240) == thing)
    assert all(right) and all(swapped)


def test_of_two_that_move_alike_the_side_decides(takes: list[np.ndarray]) -> None:
    rng = np.random.default_rng(11)
    for n in range(2):
        made = scenes.scene((12, n), takes, things=2, seconds=3.0, alike=True)
        sight = VisualCues(fusion.clip_of(made.images, made.sounds[0]), (), (480, 270))
        for which in (0, 1):
            both = fusion.panned(rng, made, which)
            found = locate(sight, listen(Audio.of(both, RATE)), FEW)
            assert int(found.clip.peak[0] // 240) == which
            assert found.clip.visible > 0.5


def test_a_still_picture_shows_no_source(takes: list[np.ndarray]) -> None:
    made = scenes.scene((13,), takes, things=2)
    noise = np.random.default_rng(14).normal(0, 1.5, made.images.shape[:3])[..., None]
    still = np.clip(made.images[:1] + noise, 0, 255).astype(np.uint8)
    clip = fusion.clip_of(still, made.sounds[0])
    found = locate(VisualCues(clip, (), (480, 270)), listen(clip.audio))
    assert found.clip.visible < 0.4


def test_scenes_are_what_they_say(takes: list[np.ndarray]) -> None:
    made = scenes.scene((15,), takes, things=3, seconds=2.0)
    again = scenes.scene((15,), takes, things=3, seconds=2.0)
    assert (made.images == again.images).all() and made.images.shape == (50, 270, 480, 3)
    moved = np.abs(np.diff(made.images.astype(int), axis=0)).max((0, 3)) > 60
    inside = np.zeros_like(moved)
    for boxes in made.boxes:
        for x0, y0, x1, y1 in boxes.round().astype(int):
            inside[max(0, y0 - 6) : y1 + 6, max(0, x0 - 6) : x1 + 6] = True
    assert moved.any() and not (moved & ~inside).any()


def test_fitted_weights_make_the_truth_likelier(takes: list[np.ndarray]) -> None:
    found = list(fusion.moving(16, takes))
    before = np.mean([fusion.likelihood(each, Weights(motion=1.0)) for each in found])
    weights, after = fusion.fit(found, rounds=4)
    assert after > before + 0.1
    wrong = [fusion.Example(each.cues, None) for each in found if each.truth is not None]
    assert np.mean([fusion.likelihood(each, weights) for each in wrong]) < after - 1


# The command


@pytest.fixture(scope="module")
def knock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's outputs."""
    folder = tmp_path_factory.mktemp("knock")
    from conftest import program

    ran = program("localize", KNOCK, "-o", f"{folder}/", "-f", "mp4,json,png,npz", "--explain")
    assert ran.returncode == 0, ran.stderr
    names = ["localized.mp4", "localized.png", "sources.json", "maps.npz"]
    assert ran.stdout.split() == [str(folder / f"knock.{name}") for name in names]
    return folder


def test_the_mallet_is_heard_and_the_ball_is_not(knock: Path) -> None:
    found = json.loads((knock / "knock.sources.json").read_text())
    steps = found["steps"]
    assert [step["t"] for step in steps] == [round(0.2 * k, 3) for k in range(30)]
    right = [within(step["peak"], DRUM) for step in steps]
    assert np.mean(right) >= 0.9
    assert within(found["clip"]["peak"], DRUM) and found["clip"]["visible"] > 0.6
    for step in steps:
        x0, y0, x1, y1 = step["box"]
        assert 0 <= x0 < x1 <= 640 and 0 <= y0 < y1 <= 360 and step["cue"] == "motion"
        assert 0 <= step["visible"] <= 1


def test_maps_hold_what_the_steps_say(knock: Path) -> None:
    steps = json.loads((knock / "knock.sources.json").read_text())["steps"]
    with np.load(knock / "knock.maps.npz") as file:
        maps, times = file["maps"].astype(float), file["time"]
    np.testing.assert_allclose(times, [step["t"] for step in steps])
    np.testing.assert_allclose(maps.sum((1, 2)), [s["visible"] for s in steps], atol=0.02)
    y, x = np.unravel_index(maps.reshape(30, -1).argmax(1), maps.shape[1:])
    for k, step in enumerate(steps):
        x0, y0, x1, y1 = step["box"]
        assert x0 <= (x[k] + 0.5) * 640 / maps.shape[2] <= x1
        assert y0 <= (y[k] + 0.5) * 360 / maps.shape[1] <= y1


def test_the_video_is_the_source_with_heat_where_the_map_is(knock: Path) -> None:
    times, given = pyav_pictures(knock / "knock.localized.mp4")
    source_times, source = pyav_pictures(KNOCK)
    np.testing.assert_allclose(times, source_times, atol=1e-3)
    assert given.shape == source.shape
    changed = np.abs(given.astype(int) - source).mean((0, 3))[:320]
    assert changed[:, 400:].max() > 4 * changed[:, :320].max()
    own, put = sound(KNOCK)[0], sound(knock / "knock.localized.mp4")[0]
    size = min(len(own), len(put))
    assert abs(len(own) - len(put)) <= 1024
    assert np.corrcoef(own[:size], put[:size])[0, 1] > 0.98
    with Image.open(knock / "knock.localized.png") as image:
        assert image.size[0] == 1600 and len(image.getcolors(1 << 20) or []) > 1000


def test_a_rerun_does_nothing_and_one_format_is_one_file(avtool: Avtool, knock: Path) -> None:
    ran = avtool("localize", KNOCK, "-o", f"{knock}/", "--json")
    assert json.loads(ran.out)["status"] == "skipped"
    ran = avtool("localize", KNOCK, "-o", "where.json", "--duration", "2", "--every", "0.4")
    assert (ran.code, ran.lines) == (0, ["where.json"])
    assert len(json.loads(Path("where.json").read_text())["steps"]) == 5


def test_the_audit_shows_that_the_sound_is_heard(avtool: Avtool) -> None:
    ran = avtool("localize", KNOCK, "--audit", "--json", "--every", "0.5")
    rows = json.loads(ran.out)["audit"]
    assert rows["silenced"]["visible"] == 0
    assert rows["own sound"]["moved"] == 0 and rows["own sound"]["visible"] > 0.5
    for control in ("halves exchanged", "shifted by 2 s", "reversed", "silenced"):
        assert rows[control]["moved"] > 0.3
    assert rows["floor: middle"]["left"] > 0.8
    ran = avtool("localize", KNOCK, "--audit", "--duration", "1")
    assert "silenced" in ran.out and "peak left" in ran.out and not list(Path().glob("*.mp4"))


def test_another_clip_s_sound_is_the_next_input_s(avtool: Avtool) -> None:
    clip = media.open(KNOCK).clip(replace(locating.SPEC, duration=2.0))
    other = Audio.of(np.zeros(RATE, np.float32), RATE)
    rows = {row.control: row for row in audit(clip, Options(), other, tracks=())}
    assert rows["another clip's sound"].visible == 0
    assert "halves exchanged" not in rows


def test_eval_scores_boxes_beside_maps_without_sound(avtool: Avtool) -> None:
    Path("boxes.csv").write_text(
        "file,x0,y0,x1,y1\n" + ",".join(map(str, ("knock.mp4", *DRUM))) + "\n"
    )
    ran = avtool("eval", "localize", KNOCK, "--boxes", "boxes.csv", "--json")
    table = json.loads(ran.out)
    assert table["clips"] == 1 and table["avtool"]["pointing"] == 1
    assert table["middle"]["pointing"] == 0
    assert table["avtool"]["cIoU"] in (0, 1) and 0 < table["avtool"]["AUC"] <= 1
    ran = avtool("eval", "localize", MEDIA / "cocktail.mp4", "--boxes", "boxes.csv")
    assert ran.code == 2 and "no clip with sound has boxes" in ran.err


def test_faces_are_judged_by_their_lips(avtool: Avtool) -> None:
    clip = media.open(MEDIA / "cocktail.mp4").clip(locating.SPEC)
    tracks = find(clip)
    sight = VisualCues(clip, tracks, (640, 360))
    for face in (1, 2):
        voice = media.open(MEDIA / f"cocktail.face{face}.wav").clip(media.Spec(audio=True)).audio
        found = locate(sight, listen(voice), FEW)
        assert (found.clip.cue, found.clip.face) == ("face", face)
        assert np.mean([step.face == 3 - face for step in found.steps]) < 0.3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--threshold", "1.5"], "--threshold 1.5 is a part of the peak"),
        (["--every", "0"], "--every 0 is a time in seconds"),
        (["-o", "one.txt"], "'.txt' is no format"),
    ],
)
def test_wrong_options_are_told(avtool: Avtool, given: list[str], said: str) -> None:
    ran = avtool("localize", KNOCK, *given)
    assert ran.code == 2 and said in ran.err and not list(Path().iterdir())


def test_no_sound_or_no_pictures_is_one_line(avtool: Avtool) -> None:
    sine_wav(Path("only.wav"))
    naive(*lavfi("testsrc2=s=160x120:r=25:d=1"), *X264, "mute.mp4")
    for name, lacks in (("only.wav", "pictures"), ("mute.mp4", "sound")):
        ran = avtool("localize", name)
        assert ran.code == 1 and f"{name}: has no {lacks}" in ran.err
        assert len(ran.err.strip().splitlines()) == 1


def test_a_clip_of_one_picture_and_a_short_sound_is_no_crash(avtool: Avtool) -> None:
    sine_wav(Path("short.wav"), seconds=0.05)
    naive(*lavfi("testsrc2=s=160x120:r=25:d=0.04"), "-i", "short.wav", *X264, "one.mp4")
    ran = avtool("localize", "one.mp4", "--debug")
    assert ran.code == 0, ran.err
    assert len(json.loads(Path("one.sources.json").read_text())["steps"]) >= 1


def test_odd_sizes_and_other_rates_keep_their_own(avtool: Avtool) -> None:
    naive(*lavfi("testsrc2=s=178x130:r=30:d=1"), *lavfi("sine=d=1"), *X264, "odd.mp4")
    ran = avtool("localize", "odd.mp4", "-f", "mp4", "--boxes")
    assert ran.code == 0, ran.err
    info = media.open("odd.localized.mp4").info
    assert (info.video[0].width, info.video[0].height, info.video[0].fps) == (178, 130, 30)
    assert len(pictures("odd.localized.mp4")) == 30


# Pictures


def test_heat_is_where_the_map_is_and_absent_where_it_is_cold() -> None:
    image = np.full((90, 160, 3), 100, np.uint8)
    probability = np.zeros((9, 16), np.float32)
    probability[2, 3] = 0.4
    warm = heat.warmed(image, 0.9 * softened(probability))
    changed = np.abs(warm.astype(int) - 100).sum(2)
    y, x = np.unravel_index(changed.argmax(), changed.shape)
    assert abs(y - 25) <= 5 and abs(x - 35) <= 5
    assert not changed[50:].any() and not changed[:, 80:].any()
    faint = heat.warmed(image, 0.3 * softened(probability))
    assert np.abs(faint.astype(int) - 100).sum() < 0.3 * changed.sum()
    assert (heat.warmed(image, softened(0 * probability)) == image).all()


def test_a_silent_sound_is_drawn_small() -> None:
    assert heat.loudness(np.full(10, -80.0)).max() < 0.1
    np.testing.assert_allclose(heat.loudness(np.array([-20.0, -26.0])), [1, 0.5], atol=0.01)


def test_the_same_whole_or_in_parts_of_the_spool() -> None:
    clip = media.open(KNOCK).clip(locating.SPEC)
    sight, listened = VisualCues(clip, (), (640, 360)), listen(clip.audio)
    fine = [c.motion for c in looking.cue_evidence(sight, listened, 5)]
    coarse = [c.motion for c in looking.cue_evidence(sight, listened, 15)]
    assert len(fine) == 30
    for k, each in enumerate(coarse):
        np.testing.assert_allclose(each, fine[3 * k], atol=1e-6)
    frames = Frames(lambda: iter([]), Fraction(25), 16, 16)
    with pytest.raises(Exception, match="no picture"):
        locate(VisualCues(media.Clip("none", clip.audio, frames, 1.0), (), (16, 16)), listened)


def test_steps_are_on_the_source_s_clock(avtool: Avtool) -> None:
    ran = avtool("localize", KNOCK, "-f", "json", "--start", "2", "--duration", "1")
    assert ran.code == 0, ran.err
    times = [s["t"] for s in json.loads(Path("knock.sources.json").read_text())["steps"]]
    assert times == [2.0, 2.2, 2.4, 2.6, 2.8]


def test_stereo_file_and_its_mono_sum(avtool: Avtool) -> None:
    own = sound(KNOCK, rate=RATE, channel=None)[0]
    both = np.stack([0.3 * own, own], 1)
    soundfile.write("wide.wav", both, RATE)
    naive("-i", KNOCK, "-i", "wide.wav", "-map", "0:v", "-map", "1:a", "-c:v", "copy", "wide.mkv")
    ran = avtool("localize", "wide.mkv", "-f", "json")
    assert ran.code == 0, ran.err
    found = json.loads(Path("wide.sources.json").read_text())
    assert np.mean([within(s["peak"], DRUM) for s in found["steps"]]) >= 0.9
