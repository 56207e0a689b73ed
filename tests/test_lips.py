"""`avtool lips`: the laws of its network, its pictures held against the real thing, its manners."""

from __future__ import annotations

import csv
import json
import math
import re
import sys
import tempfile
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import soundfile
import torch
from conftest import X264, Avtool, naive, sound
from PIL import Image
from safetensors.torch import save_file
from scipy.optimize import nnls

from avtool import media
from avtool.errors import InputError
from avtool.face import LIPS, Landmarker, Track, align, track
from avtool.face.lip_points import opening
from avtool.head import model
from avtool.head.model import UNITS
from avtool.head.render import Camera, render
from avtool.media import Clip, Spec
from avtool.media.image import read_picture
from avtool.metrics import lips as metric
from avtool.models import weights
from avtool.models.speech_frontend import MELS, PHONES, normalised
from avtool.pipelines.lips import calibration
from avtool.pipelines.lips import pipeline as lips
from avtool.pipelines.lips import video_face as filming
from avtool.pipelines.lips.evaluate import compared
from avtool.pipelines.lips.model import Config, LipMotion
from avtool.pipelines.lips.moments import Moments
from avtool.pipelines.lips.painted_film import as_wide
from avtool.pipelines.lips.speech_to_motion import PEOPLE, SPEAKING, Motion, gap, motion
from avtool.pipelines.lips.train import lipmotion as training
from avtool.pipelines.lips.train import lipmotion_data as moves
from avtool.pipelines.lips.train import teacher
from avtool.pipelines.lips.warp import Painter, lip_edges
from avtool.pipelines.lips.warp.topology import SKULL
from avtool.spool import Spool
from avtool.training import phone_alignment as phones
from avtool.values import Array, Audio, Frames

MEDIA = Path(__file__).parents[1] / "sample_media"
FACE, SPEECH, COCKTAIL = (MEDIA / name for name in ("face.png", "speech.wav", "cocktail.mp4"))


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A cache that this module alone fills, and that it may share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AVTOOL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    return sound(SPEECH, rate=16_000)[0]


@pytest.fixture(scope="module")
def moved(voice: np.ndarray) -> Motion:
    return motion_of(Audio.of(voice, 16_000))


def motion_of(audio: Audio) -> Motion:
    return motion(audio, weights.load(LipMotion))


def said(samples: np.ndarray, rate: int = 16_000) -> Clip:
    return Clip("said", Audio.of(samples, rate), None, None)


def test_distance_knows_one_gain_and_no_more() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(size=(50, 40, 2))
    assert metric.landmark_distance(0.3 * true, true) == pytest.approx(0, abs=1e-12)
    away = np.zeros_like(true)
    away[..., 0] = 1  # a motion that has nothing of the true one but its mean
    part = (away * true).sum() / (away * away).sum()
    expected = np.linalg.norm(max(part, 0) * away - true, axis=-1).mean()
    assert metric.landmark_distance(away, true) == pytest.approx(expected)
    assert metric.landmark_distance(-true, true) == pytest.approx(
        np.linalg.norm(true, axis=-1).mean()
    )


@pytest.mark.parametrize("shift", [-3, 0, 2])
def test_lag_is_found(shift: int) -> None:
    true = np.cumsum(np.random.default_rng(1).normal(size=80))
    assert metric.lag(np.roll(true, shift), true) == shift


def test_closures_are_counted() -> None:
    opening = np.ones(50)
    opening[[10, 30]] = 0  # at 0.4 s, as asked, and at 1.2 s, as nobody asked
    recall, false = metric.closures(opening, 25, [(0.4, 0.44), (0.8, 0.84)], 0.1, 0.04)
    assert recall == 0.5
    assert false == pytest.approx(1 / 43)  # 50 pictures but those at 0.36 to 0.48, 0.76 to 0.88


@pytest.mark.parametrize(
    ("part", "near", "far"), [(slice(MELS), 16, 22), (slice(MELS, None), 70, 80)]
)
def test_the_network_hears_what_is_near(part: slice, near: int, far: int) -> None:
    """The spectrum of the 0.2 s around a moment, the loudness of 0.8 s, and no more."""
    torch.manual_seed(0)
    model = LipMotion(Config(width=16)).eval()
    heard = torch.randn(1, MELS + 1, 300)
    with torch.inference_mode():
        before = model(heard)[0, :, 75]  # at 1.5 s
        for frame in (150 - near, 150 + near, 150 - far, 150 + far):
            other = heard.clone()
            other[:, part, frame] += 5
            same = abs(frame - 150) == far
            assert torch.equal(model(other)[0, :, 75], before) == same, frame


def test_neither_loudness_nor_colour_is_heard() -> None:
    rng = torch.Generator().manual_seed(0)
    log_mel = torch.randn(1, MELS, 300, generator=rng) * 2
    colour = torch.linspace(-1, 1, MELS)[:, None]
    plain, loud = normalised(log_mel), normalised(log_mel + 3)
    torch.testing.assert_close(plain, loud, atol=1e-4, rtol=0)
    bright = normalised(log_mel + colour)
    assert (bright - plain)[:, :-1].abs().mean() < 0.05 < (colour / 2).abs().mean()


def test_silence_closes_the_mouth(voice: np.ndarray, moved: Motion) -> None:
    quiet = np.random.default_rng(0).standard_normal(32_000).astype(np.float32) * 3e-4
    speaking = gap(moved.mesh(moved.amounts)[:, list(LIPS), :2])
    assert np.quantile(speaking, 0.95) > 0.03
    assert np.abs(motion_of(Audio.of(np.zeros(32_000), 16_000)).amounts).max() == 0
    hum = motion_of(Audio.of(quiet, 16_000))
    assert np.abs(gap(hum.mesh(hum.amounts)[:, list(LIPS), :2])).max() < 0.01
    after = motion_of(Audio.of(np.concatenate([voice, quiet]), 16_000))
    rest = after.at(np.arange(len(voice) / 16_000 + 0.4, after.seconds, 0.04))
    assert np.abs(gap(after.mesh(rest)[:, list(LIPS), :2])).max() < 0.003


def test_lips_close_for_what_needs_it(moved: Motion) -> None:
    """In the sample's sentence the lips meet, and are not always closed."""
    opening = gap(moved.mesh(moved.amounts)[:, list(LIPS), :2])
    wide = np.quantile(opening, 0.95)
    spoken = opening[25:-25]
    assert (spoken < 0.2 * wide).any() and (spoken > 0.6 * wide).mean() > 0.05


def test_pieces_are_the_whole(voice: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = motion_of(Audio.of(voice, 16_000)).amounts
    monkeypatch.setattr("avtool.pipelines.lips.speech_to_motion.WINDOW", 150)
    np.testing.assert_allclose(motion_of(Audio.of(voice, 16_000)).amounts, whole, atol=1e-4)


def test_face_units_are_the_nearest_mix(moved: Motion) -> None:
    """Against another solver of the same problem, SciPy's active sets."""
    amounts = moved.at(np.arange(0.5, 3, 0.5))
    found = moved.face_units(amounts)
    assert found.shape == (5, 52) and found.min() >= 0 and found.max() <= 1
    places = [UNITS.index(name) for name in SPEAKING]
    assert not np.delete(found, places, 1).any()
    basis = moved.units[places, :, :2].reshape(len(places), -1).T.astype(float)
    ridge = np.sqrt(0.02 * np.trace(basis.T @ basis) / len(places)) * np.eye(len(places))
    for row, each in zip(found, moved.mesh(amounts), strict=True):
        wanted = np.concatenate([each[:, :2].ravel(), np.zeros(len(places))])
        np.testing.assert_allclose(
            row[places], nnls(np.concatenate([basis, ridge]), wanted)[0], atol=0.02
        )


def test_a_photo_says_it_at_its_own_size(voice: np.ndarray) -> None:
    image = read_picture(FACE)
    clip = said(voice[:16_500])  # 1.03 s: 26 pictures
    result = lips.run(clip, lips.Options(still=True), source=image)
    pictures = list(result.lips.images())
    assert len(pictures) == 26 and result.lips.fps == 25
    assert result.audio.samples.shape == (1, round(26 / 25 * 16_000))
    np.testing.assert_array_equal(result.audio.samples[0, :16_500], voice[:16_500])
    assert "Synthetic" in result.audio.note
    (face,) = track([image])
    points, _ = Landmarker().in_box(image, face.boxes[0])
    changed = np.any([(each != image).any(-1) for each in pictures], 0)
    rows, columns = np.nonzero(changed)
    assert changed.any()
    nose, left, right = points[2, 1], points[234, 0], points[454, 0]
    assert rows.min() > nose - 0.15 * (right - left)  # the nose and all above stay
    assert columns.min() > left - 60 and columns.max() < right + 60


def test_a_photo_at_each_rate(voice: np.ndarray) -> None:
    """Every second picture of fifty is one of twenty-five; the sound is under them, to a sample."""
    image = np.ascontiguousarray(read_picture(FACE)[::2, ::2])
    clip = said(voice[16_000:20_480])  # 0.28 s
    made = {}
    for fps in lips.RATES:
        result = lips.run(clip, lips.Options(fps=fps), source=image)
        made[fps] = [each.copy() for each in result.lips.images()]
        assert result.lips.fps == fps and len(made[fps]) == math.ceil(Fraction(28, 100) * fps)
        length = round(Fraction(len(made[fps]), fps) * 16_000)
        assert result.audio.samples.shape == (1, length)
        np.testing.assert_array_equal(result.audio.samples[0, :4480], voice[16_000:20_480])
        assert result.curves().fps == fps and len(result.curves().amounts) == round(0.28 * fps)
    assert np.array_equal(made[50][::2], made[25]) and np.array_equal(made[60][::2], made[30])
    assert all((a != b).any() for a, b in zip(made[50], made[50][1:], strict=False))


def test_a_film_at_another_rate(voice: np.ndarray, tmp_path: Path) -> None:
    """As at its own; what it passes lies at the same times, and its own length stays."""
    path = tmp_path / "film.mp4"  # its right half is black for a while
    black = "drawbox=x=320:w=320:c=black:t=fill:enable='between(t,0.39,0.59)'"
    naive("-i", COCKTAIL, "-t", 1, "-vf", black, "-an", *X264, path)
    source, clip = media.open(path), said(voice[24_000:48_000])
    tracks = track(source.clip(Spec(frames=True)).pictures().images())
    made, passed = {}, {}
    for fps in (None, 30, 50):
        film = filming.video_face(source, tracks, 2, fps)
        result = lips.run(clip, lips.Options(fps=fps, length="video"), source=film)
        made[fps] = [each.copy() for each in result.lips.images()]
        assert result.lips.fps == (fps or 25) and len(made[fps]) == (fps or 25)
        assert result.audio.samples.shape[1] == 16_000
        np.testing.assert_array_equal(result.audio.samples[0], voice[24_000:40_000])
        ((start, end),) = passed[fps] = result.passed
        assert start == pytest.approx(0.4, abs=0.05) and end == pytest.approx(0.6, abs=0.05)
    own = np.stack(made[None])[:, 100:300, 320:].astype(float)
    twice = np.stack(made[50])[:, 100:300, 320:].astype(float)
    for shift, most in ((0, 0.6), (4, np.inf)):
        off = np.abs(own[1:8] - twice[2 + shift : 16 + shift : 2]).mean()
        assert off < most * np.abs(own[1:8] - own[3:10]).mean()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"fps": 24}, "--fps 24: .* 25, 30, 50 or 60 a second; leave it out"),
        ({"energy": 0.4}, "--energy 0.4: .* 0.5 to 1.5 times"),
        ({"energy": float("nan")}, "--energy nan"),
    ],
)
def test_what_no_mouth_is_made_with(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        lips.Options(**wrong)


def test_a_mouth_moves_as_wide_as_is_asked(voice: np.ndarray) -> None:
    """Found again in the pictures of the drawn head; and it closes where it did."""
    clip, found, jaw = said(voice[16_000:32_000]), {}, {}
    for energy in (0.5, 1.0, 1.5):
        result = lips.run(clip, lips.Options(still=True, energy=energy))
        face = track(islice(result.lips.images(), 1))[0]
        face = replace(
            face,
            frames=np.arange(25),
            boxes=np.repeat(face.boxes[:1], 25, 0),
            lips=np.repeat(face.lips[:1], 25, 0),
            scores=np.repeat(face.scores[:1], 25, 0),
        )
        own = filming.meshes(result.lips, face)[:, list(LIPS)]
        found[energy] = opening(own)
        jaw[energy] = result.curves().amounts[:, UNITS.index("jawOpen")].max()
    wide = {energy: np.quantile(each, 0.95) for energy, each in found.items()}
    for energy in (0.5, 1.5):
        assert wide[energy] / wide[1.0] == pytest.approx(energy, rel=0.25)
    shut = found[1.0] < 0.15 * wide[1.0]
    assert shut.any() and all((found[e][shut] < 0.3 * wide[e]).all() for e in wide)
    assert jaw[0.5] < 0.7 * jaw[1.0] and jaw[1.0] < 0.8 * jaw[1.5]


def test_best_and_worst_are_nearest_and_farthest(voice: np.ndarray) -> None:
    """Of the pictures of a mouth that speaks, by their pixels beside the photo's."""
    image = read_picture(FACE)
    result = lips.run(said(voice[16_000:40_000]), lips.Options(still=True), source=image)
    kept = Moments(result, result.audio)
    made = [each.copy() for each in kept.watching(result.lips).images()]
    off = np.array([np.abs(each.astype(int) - image).mean() for each in made])
    facts = kept.facts()
    best, worst = (round(facts[name]["seconds"] * 25) for name in ("best", "worst"))
    times = np.arange(len(made)) / 25
    wide = gap(result.motion.lips(result.motion.at(times)))
    speaks = off[wide > 0.5 * np.quantile(wide, 0.95)]
    assert off[best] <= np.quantile(speaks, 0.3) and off[worst] >= np.quantile(speaks, 0.7)
    assert facts["best"]["moved"] < facts["worst"]["moved"]
    (one, _, _), (other, seconds, _) = kept.picture().shown[-2:]
    assert one.startswith("best: moved") and other.startswith("worst: moved")
    assert seconds == pytest.approx(worst / 25)
    nothing = lips.run(said(np.zeros(8000)), source=image)
    kept = Moments(nothing, nothing.audio)
    assert len(list(kept.watching(nothing.lips).images())) == 13 and not kept.facts()


def test_the_painted_mouth_follows_the_speech(voice: np.ndarray, moved: Motion) -> None:
    """Found again in the pictures, the mouth is the one that was meant; in others' it is not."""
    result = lips.run(
        said(voice[16_000:64_000]), lips.Options(still=True), source=read_picture(FACE)
    )
    own = filming.meshes(result.lips, track(result.lips.images())[0])[:, list(LIPS), :2]
    meant = result.motion.mesh(result.motion.at(np.arange(len(own)) / 25))[:, list(LIPS), :2]
    rest = own[np.argsort(gap(own))[:15]].mean(0)
    assert compared(meant, own - rest).r > 0.8
    assert abs(compared(meant, own - rest).lag) <= 1
    assert compared(meant[::-1], own - rest).r < 0.5


def test_a_living_photo_comes_back_and_blinks(voice: np.ndarray, moved: Motion) -> None:
    from avtool.pipelines.lips.idle_motion import IdleMotion

    image = read_picture(FACE)
    points, _ = Landmarker().in_box(image, track([image])[0].boxes[0])
    own = align(points)[0]
    manner = IdleMotion(replace(moved, seconds=20.0), own)
    times = np.arange(0, 20, 0.04)
    eyes = np.array([manner.blink(time) for time in times])
    blinks = int(((eyes[1:] > 0.5) & (eyes[:-1] <= 0.5)).sum())
    assert 4 <= blinks <= 11 and (eyes == 0).mean() > 0.85
    turns = np.degrees([manner.turn(time) for time in times])
    assert np.abs(turns).max() < 6 and turns.std(0).min() > 0.05
    shut = manner.pose_at(own, float(times[eyes.argmax()]))
    assert shut[145, 1] - shut[159, 1] < 0.4 * (own[145, 1] - own[159, 1])


def test_a_living_photo_moves_hair_and_shoulders_and_no_edge(voice: np.ndarray) -> None:
    """Smoothly, by a little, from the photo as it is; none of it with `still`."""
    image = read_picture(FACE)
    clip = said(voice[:48_000])
    living, still = (
        [each.copy() for each in lips.run(clip, lips.Options(still=s), source=image).lips.images()]
        for s in (False, True)
    )
    height, width = image.shape[:2]
    hair, shoulders = (slice(40, 110), slice(150, 370)), (slice(height - 90, None), slice(40, -40))
    for part in (hair, shoulders):
        moved = [float(np.abs(each[part].astype(int) - image[part]).mean()) for each in living]
        assert max(moved) > 1 and max(np.abs(np.diff(moved))) < 0.35 * max(moved)
        assert all((each[part] == image[part]).all() for each in still)
    for each in living:
        off = np.abs(each.astype(int) - image)  # a hundredth of a pixel may round up
        assert max(off[0].max(), off[: height // 2, [0, -1]].max()) <= 1
    places = [box_of(each) for each in living[::15]]
    assert np.abs(np.array(places) - places[0]).max() < 0.06 * width


def box_of(image: np.ndarray) -> np.ndarray:
    return track([image])[0].boxes[0]


def grey(number: int) -> np.ndarray:
    return np.full((4, 4, 3), number, np.uint8)


def test_a_short_film_goes_to_and_fro() -> None:
    frames = Frames(lambda: (grey(n) for n in range(4)), Fraction(25), 4, 4)
    nobody: Any = None
    film = filming.FaceVideo(
        frames, nobody, lambda count: (grey(n) for n in range(count - 1, -1, -1))
    )
    found = [(n, int(image[0, 0, 0])) for n, image in islice(filming.ping_pong(film, 4), 14)]
    assert [n for n, _ in found] == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1]
    assert all(n == shown for n, shown in found)


@pytest.mark.parametrize(("wide", "found"), [(0.0, 0.35), (0.8, 0.8), (1.0, 1.0), (3.0, 1.05)])
def test_a_mouth_opens_as_wide_as_it_did(moved: Motion, wide: float, found: float) -> None:
    """A film's own mouth, that much wider than what was told, above lips that stay apart."""
    apart = np.zeros((40, 3), np.float32)
    apart[[LIPS.index(13), LIPS.index(14)], 1] = 0, 0.01
    lips_in_film = apart + wide * moved.mesh(moved.amounts)[:, list(LIPS)]
    assert as_wide(lips_in_film, moved) == pytest.approx(found, rel=0.05)


def test_backwards_is_forwards_turned_round(monkeypatch: pytest.MonkeyPatch) -> None:
    source = media.open(COCKTAIL)
    spec = Spec(frames=True, size=(64, 36))
    clip = source.clip(spec)
    assert clip.frames is not None
    forwards = list(islice(clip.frames.images(), 40))
    monkeypatch.setattr("avtool.media.HELD_BYTES", 7 * 64 * 36 * 3)  # in pieces of seven
    for back, image in zip(source.backwards(spec, 40), reversed(forwards), strict=True):
        np.testing.assert_array_equal(back, image)


@pytest.fixture(scope="module")
def film() -> tuple[filming.FaceVideo, list[np.ndarray]]:
    """Two seconds of the sample, whose right half is black in between."""
    clip = media.open(COCKTAIL).clip(Spec(frames=True, duration=2.0))
    assert clip.frames is not None
    images = [image.copy() for image in clip.frames.images()]
    for image in images[20:32]:
        image[:, 320:] = 0
    frames = replace(clip.frames, images=lambda: iter(images))
    faces: list[Track] = track(images)
    back = lambda count: iter(images[:count][::-1])  # noqa: E731
    return filming.FaceVideo(frames, faces[1], back), images


def test_what_is_no_face_passes(
    film: tuple[filming.FaceVideo, list[np.ndarray]], voice: np.ndarray
) -> None:
    made, images = film
    result = lips.run(said(voice[16_000:80_000]), source=made)  # 4 s on 2 s of film
    pictures = list(result.lips.images())
    assert len(pictures) == 100
    there = [*range(50), *range(48, 0, -1), 0, 1]
    for number, place in enumerate(there):
        np.testing.assert_array_equal(pictures[number][:, :320], images[place][:, :320])
        if 20 <= place < 32:
            np.testing.assert_array_equal(pictures[number], images[place])
    assert any((pictures[n] != images[n]).any() for n in range(5, 15))
    (first, second) = result.passed
    assert first[0] <= 0.8 and 1.28 <= first[1] <= 1.4  # and on the way back
    assert second[0] >= 2.6


def test_no_stretch_is_left_where_a_track_breaks(voice: np.ndarray) -> None:
    """The tracker made two people of one, and lost them for half a second in between."""
    clip = media.open(COCKTAIL).clip(Spec(frames=True, duration=2.4))
    assert clip.frames is not None
    images = [image.copy() for image in clip.frames.images()]
    first, second = track(images)

    def part(face: Track, number: int, frames: slice) -> Track:
        cut = {name: getattr(face, name)[frames] for name in ("frames", "boxes", "lips", "scores")}
        return replace(face, face=number, **cut)

    early, late = part(first, 1, slice(0, 20)), part(first, 2, slice(33, None))
    whole = filming.joined(late, [early, late, replace(second, face=3)])
    assert whole.frames.tolist() == [*early.frames, *late.frames] and whole.face == 2
    stranger = replace(early, portrait=second.portrait)
    assert filming.joined(late, [stranger, late]) is late
    frames = replace(clip.frames, images=lambda: iter(images))
    film = filming.FaceVideo(frames, whole, lambda count: iter(images[:count][::-1]))
    result = lips.run(said(voice[16_000:54_400]), source=film)
    made = zip(result.lips.images(), images, strict=False)
    assert all((picture != image).any() for picture, image in made)
    assert not result.passed


def test_the_own_motion_of_a_filmed_mouth_goes(moved: Motion) -> None:
    """A drawn jaw opens by amounts that are known; words that it was not fitted to are painted
    over it. What the finder sees then knows nothing of the jaw, and opens as far as that did.
    """
    head, jaws = model.load(), np.linspace(0, 0.45, 48)
    shape, camera = head.shape(lips.IDENTITY), Camera(200, 225)
    images = [
        render(head, head.vertices(shape, {"jawOpen": float(jaw)}), lips.DRAWN, camera)
        for jaw in jaws
    ]
    box, finder = track(images[:1])[0].boxes[0], Landmarker()
    samples = [
        calibration.Sample.of(10 * n, image, finder.in_box(image, box)[0])
        for n, image in enumerate(images)
    ]
    meshes = [(align(each.points)[0], lip_edges.found(each.image, each.points)) for each in samples]
    own = np.array([gap(mesh[list(LIPS)]) for mesh, _ in meshes])
    rest = moved.shut(meshes[0][0])
    painter = Painter()
    painter.learn(samples[-1].image, samples[-1].points, 0.1)
    half = len(moved.amounts) // 2  # seconds that are fitted to

    def says(number: int) -> tuple[np.ndarray, float]:
        return moved.mesh(moved.amounts[number]), moved.drop(moved.amounts[number])

    def seen(mouth: calibration.Mouth, wide: float) -> tuple[float, float]:
        """How much of the jaw's motion is left, and how wide it is beside the jaw's."""
        late = half + np.argsort(gap(moved.lips(moved.amounts[half:])))
        found, wanted = [], []
        for k in range(2 * len(samples)):
            sample, number = samples[k // 2], int(late[int(k * 0.38197 % 1 * len(late))])
            motion, drop = says(number)
            points, target = mouth.laid(0, sample.points, *meshes[k // 2], wide * motion)
            made = painter.paint(sample.image, points, target, wide * drop)
            found.append(gap(align(finder.in_box(made, box)[0])[0][list(LIPS)]))
            wanted.append(gap(moved.lips(moved.amounts[number])))
        terms = np.column_stack([np.ones(len(found)), np.repeat(jaws, 2), wanted])
        jaw = np.linalg.lstsq(terms, np.array(found), rcond=None)[0][1]
        true = np.polyfit(jaws, own, 1)[0]
        width = np.ptp(np.quantile(found, [0.05, 0.95])) / np.ptp(np.quantile(own, [0.05, 0.95]))
        return float(jaw / true), float(width)

    usual = calibration.Mouth(rest[None], moved.reach[:, None])
    opens = gap(moved.lips(moved.amounts[:half]))
    given = says, opens, own, painter
    left, width = seen(*calibration.fitted(usual, 0.7, samples, meshes, *given))
    assert abs(left) < 0.1 and 0.75 < width < 1.25
    # Where the mesh tells another part of the motion, and nothing is fitted, it shows.
    left, _ = seen(replace(usual, more=-0.35), 0.4)
    assert left > 0.15
    # Too few pictures tell nothing.
    assert calibration.fitted(usual, 0.7, samples[:5], meshes[:5], *given) == (usual, 0.7)


def spooled(head: np.ndarray, moved: Motion, **amounts: np.ndarray) -> Spool:
    """Pictures of a mesh [468, 3] whose face units do so, as a film's spool has them."""
    spool = Spool()
    for each in np.transpose(list(amounts.values())):
        made = head + sum(
            amount * moved.units[UNITS.index(name)]
            for name, amount in zip(amounts, each, strict=True)
        )
        row = np.append(200 * made + 300, np.zeros(filming.EDGES))
        spool.append(row.astype(np.float32)[None])
    return spool


@pytest.fixture(scope="module")
def still_mesh() -> np.ndarray:
    """The sample's face in head coordinates."""
    image = read_picture(FACE)
    points, _ = Landmarker().in_box(image, track([image])[0].boxes[0])
    return align(points)[0]


def test_a_film_keeps_its_mood(still_mesh: np.ndarray, moved: Motion) -> None:
    """It begins to smile after four seconds, and speaks: the closed mouth smiles, and is closed."""
    times = np.arange(200) / 25
    smile = np.clip(times - 3.5, 0, 1)
    spool = spooled(
        still_mesh,
        moved,
        mouthSmileLeft=smile,
        mouthSmileRight=smile,
        jawOpen=0.25 * np.sin(2 * np.pi * 3 * times) ** 2,
    )
    rests = filming.closed(spool, np.ones(200, bool), moved, 12)
    assert len(rests) == 17 and (gap(rests[:, list(LIPS)]) < 0.015).all()
    corners = rests[:, 291, :2] - rests[:, 61, :2]
    smiles = sum(moved.units[UNITS.index(f"mouthSmile{side}")] for side in ("Left", "Right"))
    wider = float(smiles[291, 0] - smiles[61, 0])
    assert corners[-1, 0] - corners[0, 0] == pytest.approx(wider, rel=0.25)
    assert np.abs(np.diff(corners[:6, 0])).max() < 0.05 * wider  # speech is no mood
    hidden = np.ones(200, bool)
    hidden[100:] = False  # what is behind a hand is not known, and is as usual
    assert np.isfinite(filming.closed(spool, hidden, moved, 12)).all()


def test_jitter_goes_and_quick_lips_stay(still_mesh: np.ndarray, moved: Motion) -> None:
    rng = np.random.default_rng(0)
    jaw = 0.01 * rng.standard_normal(60)
    jaw[30] = 0.4  # for one picture
    painted = np.ones(60, bool)
    spool = spooled(still_mesh, moved, jawOpen=jaw)
    own = np.array([filming.steady(spool, n, painted)[0] for n in range(60)])
    opened_ = gap(own[:, list(LIPS)])
    true = filming.openings(spool)
    assert opened_[30] == pytest.approx(true[30], rel=0.1)
    quiet = np.r_[2:27, 34:58]
    assert opened_[quiet].std() < 0.85 * true[quiet].std()


@pytest.mark.parametrize(("apart", "painted"), [(16, False), (20, True)])
def test_a_mouth_is_painted_or_not(apart: int, painted: bool) -> None:
    """Between two hidden moments nearer than the fades of a third of a second, none is painted."""
    seen = np.ones(80)
    seen[[30, 30 + apart]] = 0.2
    strength = filming.eased(seen, Fraction(25))
    assert bool(strength[30 : 31 + apart].any()) is painted
    assert not strength[30] and not strength[30 + apart]
    assert (np.abs(np.diff(strength)) < 0.12).all() and strength[[0, -1]].all()


def test_a_hand_before_the_mouth_is_left_alone(voice: np.ndarray) -> None:
    """Those pictures are the film's, and are listed; around them the change comes softly."""
    clip = media.open(COCKTAIL).clip(Spec(frames=True, duration=2.4))
    assert clip.frames is not None
    images = [image.copy() for image in clip.frames.images()]
    face = track(images)[0]
    hidden = range(28, 34)
    for number in hidden:
        x0, y0, x1, y1 = face.boxes[number].round().astype(int)
        wide = x1 - x0
        hand = slice(y0 + int(0.55 * (y1 - y0)), y1), slice(x0 + wide // 8, x0 + wide // 2)
        images[number][hand] = 90, 55, 45
    frames = replace(clip.frames, images=lambda: iter(images))
    film = filming.FaceVideo(frames, face, lambda count: iter(images[:count][::-1]))
    result = lips.run(said(voice[16_000:54_400]), source=film)
    changed = [
        float(np.abs(made.astype(int) - image).mean())
        for made, image in zip(result.lips.images(), images, strict=False)
    ]
    assert not any(changed[n] for n in hidden)
    assert all(changed[n] for n in (*range(5, 26), *range(37, 50)))
    assert np.mean([changed[n] for n in (26, 27, 34, 35)]) < 0.7 * np.mean(changed[10:22])
    ((start, end),) = result.passed
    assert start == pytest.approx(28 / 25, abs=0.05) and end == pytest.approx(34 / 25, abs=0.05)


@pytest.mark.parametrize(("degrees", "painted"), [(0, True), (25, True), (45, False)])
def test_a_head_that_looks_away_is_not_painted(degrees: float, painted: bool) -> None:
    """Beyond some 35 degrees the far corner of the mouth tears."""
    head = model.load()
    at_rest = head.vertices(head.shape(lips.IDENTITY))
    turned = head.turned(at_rest, 0, float(np.radians(degrees)), 0)
    image = render(head, turned, lips.DRAWN, Camera(*lips.SIZE))
    quiet = said(np.zeros(1600, np.float32))
    if painted:
        assert lips.run(quiet, source=image).lips.width == image.shape[1]
    else:
        with pytest.raises(InputError, match="turned too far away; give a photo"):
            lips.run(quiet, source=image)


def test_one_line_for_what_cannot_be(voice: np.ndarray) -> None:
    nobody = np.full((200, 200, 3), 128, np.uint8)
    with pytest.raises(InputError, match="shows no face"):
        lips.run(said(voice[:8000]), source=nobody)
    with pytest.raises(InputError, match="has no face 2; it has 1"):
        lips.run(said(voice[:8000]), lips.Options(face=2), source=read_picture(FACE))
    with pytest.raises(InputError, match="no sound to be said"):
        lips.run(said(np.zeros(0)), source=read_picture(FACE))


def test_a_photo_with_an_open_mouth(voice: np.ndarray) -> None:
    """It is shut, with both lips; one that is wider open than can be shut is refused."""
    head, quiet = model.load(), said(np.zeros(1600, np.float32))
    base = head.shape(lips.IDENTITY)
    shut, wide, gaping = (
        render(head, head.vertices(base, {"jawOpen": amount}), lips.DRAWN, Camera(*lips.SIZE))
        for amount in (0.0, 0.6, 1.0)
    )
    landmarker = Landmarker()

    def lips_of(image: np.ndarray) -> np.ndarray:
        return align(landmarker.in_box(image, track([image])[0].boxes[0])[0])[0]

    made = next(iter(lips.run(quiet, lips.Options(still=True), source=wide).lips.images()))
    before, after, true = map(lips_of, (wide, made, shut))
    assert before[14, 1] - before[13, 1] > 0.2 and after[14, 1] - after[13, 1] < 0.03
    for outer, inner in ((0, 13), (17, 14)):  # as thick as those of the same head, shut
        thick = [abs(each[outer, 1] - each[inner, 1]) for each in (after, true)]
        assert thick[0] == pytest.approx(thick[1], rel=0.3)
    with pytest.raises(InputError, match=r"open by \d+ % .* give a photo with closed lips"):
        lips.run(quiet, source=gaping)


@pytest.mark.parametrize(("blink", "open_"), [(0.0, True), (0.8, False)])
def test_eyes_that_are_half_shut_do_not_blink(
    blink: float, open_: bool, moved: Motion, voice: np.ndarray
) -> None:
    """They stay as they are, and it is said."""
    from avtool.pipelines.lips.idle_motion import IdleMotion

    head = model.load()
    lids = {"eyeBlinkLeft": blink, "eyeBlinkRight": blink}
    vertices = head.vertices(head.shape(lips.IDENTITY), lids)
    image = render(head, vertices, lips.DRAWN, Camera(*lips.SIZE))
    own = align(Landmarker().in_box(image, box_of(image))[0])[0]
    manner = IdleMotion(replace(moved, seconds=20.0), own)
    times = np.arange(0, 20, 0.04)
    shut = float(times[np.argmax([manner.blink(time) for time in times])])
    least = [each[145, 1] - each[159, 1] for each in (manner.pose_at(own, shut), own)]
    assert (least[0] < 0.5 * least[1]) == open_
    clip = said(voice[:8000])
    lips.run(clip, source=image)
    assert ["eyes in the photo are shut" in each for each in clip.warnings] == [True] * (not open_)


def test_a_photo_stands_upright(tmp_path: Path) -> None:
    """A camera that was held sideways says so in the file."""
    image = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 9)
    notes = Image.Exif()
    notes[0x0112] = 6  # to be turned right by a quarter
    image.save(tmp_path / "a.png", exif=notes)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), np.rot90(np.asarray(image), -1))
    assert read_picture(tmp_path / "a.png", (2, 2)).shape == (2, 2, 3)


def test_the_program(avtool: Avtool, voice: np.ndarray) -> None:
    soundfile.write("short.wav", voice[16_000:32_000], 16_000)
    ran = avtool("lips", FACE, "short.wav", "--curves", "c.json", "--mark")
    assert (ran.code, ran.lines) == (0, ["face.short.mp4", "face.short.png", "c.json"]), ran.err
    info = media.open("face.short.mp4", scan=True).info
    assert info.video[0].frames == 25 and (info.video[0].width, info.video[0].height) == (512, 640)
    curves = json.loads(Path("c.json").read_text())
    assert curves["names"] == list(UNITS) and len(curves["frames"]) == 25
    ran = avtool("lips", "--avatar", "short.wav", "--fps", "60")
    assert ran.code == 0, ran.err
    info = media.open("short.lips.mp4", scan=True).info
    assert info.video[0].fps == 60 and info.video[0].frames == 60
    assert info.duration == pytest.approx(1.0, abs=0.03)
    ran = avtool("lips", "short.wav", "--curves", "c.csv", "--fps", "60", "--glb", "head.glb")
    assert (ran.code, ran.lines) == (0, ["c.csv", "head.glb"]), ran.err
    assert b'"animations"' in Path("head.glb").read_bytes()
    with Path("c.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 61 and len(rows[0]) == 53 and float(rows[2][0]) < 0.017
    tags = naive("-i", "face.short.mp4", "-f", "ffmetadata", "-").decode()
    assert "Synthetic" in tags


def test_each_sentence_and_the_curves_are_made(avtool: Avtool, voice: np.ndarray) -> None:
    """A second sentence for a face, curves that are asked for later, and no more than that."""
    for name, first in (("one.wav", 16_000), ("two.wav", 40_000)):
        soundfile.write(name, voice[first : first + 6400], 16_000)
        ran = avtool("lips", FACE, name, "-f", "png")
        assert (ran.code, ran.lines) == (0, [f"face.{Path(name).stem}.png"]), ran.err
    ran = avtool("lips", FACE, "one.wav", "-f", "png", "--curves", "c.csv")
    assert (ran.code, ran.lines) == (0, ["c.csv"]), ran.err
    Path("c.csv").write_text("mine")
    ran = avtool("lips", FACE, "two.wav", "-f", "png", "--curves", "c.csv")
    assert ran.code == 0 and "c.csv exists" in ran.err and Path("c.csv").read_text() == "mine"
    ran = avtool("lips", FACE, "one.wav", "-f", "png", "--curves", "c.csv", "--overwrite", "--json")
    told = json.loads(ran.out)
    assert told["outputs"] == ["face.one.png", "c.csv"] and Path("c.csv").read_text() != "mine"
    assert told["speech"] == "one.wav" and told["options"]["length"] == "speech"
    assert told["best"]["moved"] < told["worst"]["moved"] and 0 < told["worst"]["seconds"] < 0.4
    soundfile.write("nothing.wav", np.zeros(3200), 16_000)
    ran = avtool("lips", FACE, "nothing.wav", "-f", "png")
    assert ran.code == 0 and "nothing.wav is silent, so the mouth stays shut" in ran.err


def test_one_face_says_many_things(avtool: Avtool, voice: np.ndarray) -> None:
    """Each as it does when it is asked for alone; one that is broken stops no other."""
    Path("said").mkdir()
    for k in range(2):
        soundfile.write(f"said/{k}.wav", voice[8000 * k : 8000 * (k + 2)], 16_000)
    Path("said/bad.wav").write_bytes(b"RIFF")
    ran = avtool("lips", FACE, "said", "-f", "png", "-o", "all/", "--json")
    told = [json.loads(line) for line in ran.lines]
    assert ran.code == 1 and [each["status"] for each in told] == ["done", "done", "failed"]
    assert [each.get("speech") for each in told] == ["said/0.wav", "said/1.wav", None]
    for k in range(2):
        assert avtool("lips", FACE, f"said/{k}.wav", "-f", "png").code == 0
        name = f"face.{k}.png"
        assert Path(name).read_bytes() == Path("all", name).read_bytes()
    assert len({path.read_bytes() for path in Path("all").iterdir()}) == 2
    ran = avtool("lips", "--avatar", "said", "-f", "png", "-o", "head/")
    assert ran.code == 1 and len(list(Path("head").iterdir())) == 2


SYNTHESISER = """
import sys, shutil
from pathlib import Path
Path("heard.txt").write_text(sys.stdin.read())
shutil.copy("short.wav", sys.argv[1])
"""


def test_a_text_is_said(
    avtool: Avtool, voice: np.ndarray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As the recording is that the synthesiser makes; nothing of it stays."""
    soundfile.write("short.wav", voice[:16_000], 16_000)
    Path("synthesiser.py").write_text(SYNTHESISER)
    monkeypatch.setenv("AVTOOL_SPEAK", f"{sys.executable} synthesiser.py {{}}")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    words = "Good evening, dear 'friends' of $HOME; and more"
    ran = avtool("lips", FACE, "--text", words, "-f", "png")
    name = "face.good-evening-dear-friends-of-home.png"
    assert ran.lines == [name] and Path("heard.txt").read_text() == words
    assert not list((tmp_path / "tmp").iterdir())
    assert avtool("lips", FACE, "short.wav", "-f", "png").lines == ["face.short.png"]
    one, other = read_picture(Path(name)), read_picture(Path("face.short.png"))
    assert np.array_equal(one[80:], other[80:])  # below the title
    ran = avtool("lips", FACE, "--text", words, "-f", "png", "--preview", "0.4")
    assert ran.lines == [name.replace(".png", ".preview.png")]
    for command, told in (
        (None, "install espeak-ng"),
        ("cat", "no command"),
        ("false {}", "no sound"),
    ):
        monkeypatch.setenv("PATH", "/usr/bin:/bin" if command else "/nowhere")
        monkeypatch.setenv("AVTOOL_SPEAK", command or "")
        ran = avtool("lips", FACE, "--text", "again", "-f", "png")
        assert ran.code != 0 and told in ran.err and ran.err.count("\n") == 1


def test_words_for_what_is_wrong(avtool: Avtool, voice: np.ndarray) -> None:
    soundfile.write("short.wav", voice[:8000], 16_000)
    naive("-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=0.4", *X264, "nobody.mp4")
    for words, code, told in (
        (["lips", FACE], 2, "two inputs"),
        (["lips", FACE, "short.wav", "--length", "long"], 2, "--length long"),
        (["lips", FACE, "short.wav", "--fps", "24"], 2, "25, 30, 50 or 60"),
        (["lips", FACE, "short.wav", "--energy", "2"], 2, "0.5 to 1.5 times as wide"),
        (["lips", FACE, "short.wav", "-o", "x.gif"], 2, "no format"),
        (["lips", "nobody.mp4", "short.wav"], 1, "nobody.mp4: shows no face"),
        (["lips", "missing.png", "short.wav"], 1, "missing.png"),
        (["lips", FACE, "missing.wav"], 1, "missing.wav"),
        (["lips", FACE, "hello world"], 1, "the speech is a recording; --text takes words"),
        (["lips", "short.wav", FACE], 1, "the face comes first: avtool lips"),
        (["lips", "short.wav", "nobody.mp4"], 1, "nobody.mp4: has no sound; the face comes first"),
        (["lips", FACE, "nobody.mp4"], 1, "nobody.mp4: has no sound; give a recording"),
        (["lips", FACE, FACE], 1, "face.png: has no sound; give a recording of the speech"),
        (["lips", FACE.parent, "short.wav"], 2, f"{FACE.parent}: is a folder; name one face"),
        (["lips", FACE, "short.wav", "./short.wav"], 2, "both become face.short.mp4"),
        (["lips", FACE, "short.wav", "missing.wav", "--curves", "c.csv"], 2, "for 2 speeches"),
        (["lips", "short.wav", "--glb", "head.obj"], 2, "the head is a .glb file"),
        (["lips", "short.wav", "nobody.mp4"], 1, "nobody.mp4: has no sound"),
        (["lips", FACE], 2, "--avatar takes the speech alone"),
        (["lips", FACE, "short.wav", "--face", "0"], 2, "counted from 1"),
        (["lips", FACE, "short.wav", "--weights", "short.wav"], 1, "no checkpoint"),
    ):
        ran = avtool(*words)
        assert ran.code == code and told in ran.err, (words, ran.code, ran.err)
        assert not list(Path().glob("*.part"))


def test_the_painter_is_asked_for_nothing_in_silence() -> None:
    """A photo with closed lips and no word stays as it is, bit for bit."""
    image = read_picture(FACE)
    result = lips.run(said(np.zeros(8000)), lips.Options(still=True), source=image)
    points, _ = Landmarker().in_box(image, track([image])[0].boxes[0])
    first, *_, last = result.lips.images()
    np.testing.assert_array_equal(first, last)
    near = Painter.region(image, points, points + 1)
    np.testing.assert_array_equal(first[~near], image[~near])


@pytest.mark.parametrize("size", [30.0, 1e4])
def test_motion_that_no_mouth_can_do_is_refused(
    avtool: Avtool, size: float, tmp_path: Path
) -> None:
    """Finite weights whose mouth would be painted miles away, or not at all for want of memory."""
    model = LipMotion(Config(width=16)).eval()
    assert model.out.bias is not None
    torch.nn.init.constant_(model.out.bias, size)
    model.shapes += 1
    facts = {"config": json.dumps({"width": 16})}
    save_file(model.state_dict(), tmp_path / "far.safetensors", facts)
    ran = avtool("lips", "--avatar", SPEECH, "--weights", "far.safetensors")
    assert ran.code == 1 and not ran.lines and len(ran.err.splitlines()) == 1
    assert "--weights moves the mouth by" in ran.err and "give weights" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["far.safetensors"]


def test_units_that_move_nothing_are_not_used(moved: Motion) -> None:
    """Those of a checkpoint whose recipe has not run: no motion is near to them."""
    still = replace(moved, units=np.zeros_like(moved.units))
    assert not still.face_units(moved.at(np.arange(0.5, 3, 0.5))).any()


def test_shipped_shapes_hold_the_skull_and_units_part_the_lips() -> None:
    """Speech moves no bone, and what `--curves` is found with opens the inner lips too."""
    model = weights.load(LipMotion)
    assert not model.shapes[:, SKULL].any()
    jaw, shut = (model.units[UNITS.index(name)][..., 1] for name in ("jawOpen", "mouthClose"))
    assert jaw[14] - jaw[13] > 0.2  # the middle of the inner lips; down is positive
    assert (jaw + shut)[14] - (jaw + shut)[13] < 0.05  # together they open the jaw alone
    assert (moves.reach_of(model.units.numpy())[list(LIPS)] > 0.5).all()


def test_what_is_learned_from() -> None:
    log_mel = np.linspace(-20, 8, 64 * 4, dtype=np.float32).reshape(64, 4)
    back = moves.unpacked(moves.packed(log_mel))
    assert np.abs(back - log_mel).max() <= 1 / 8 + 1e-6
    told = phones.labels([("SIL", 0.0, 0.1), ("B", 0.1, 0.2), ("AA", 0.2, 0.3)], 20)
    names = [PHONES[n] for n in told]
    assert names == ["SIL"] * 5 + ["B"] * 5 + ["AA"] * 5 + ["SIL"] * 5
    rng = np.random.default_rng(0)
    motion_ = np.einsum("nk,kpc->npc", rng.normal(size=(300, 3)), rng.normal(size=(3, 468, 3)))
    shapes, amounts = moves.shapes_of(motion_, 3)
    np.testing.assert_allclose(np.tensordot(amounts, shapes, 1), motion_, atol=1e-3)
    recipe = training.Recipe()
    true = torch.from_numpy(rng.normal(size=(2, 30, 40, 2)).astype(np.float32)) * 0.03
    least = training.losses(true, true, recipe)
    assert float(least) == pytest.approx(
        0.0316 * (1 + recipe.speed), abs=2e-3
    )  # the roots' soft corner
    assert training.losses(0 * true, true, recipe) > least + 0.5


def test_people_in_general_set_the_range(voice: np.ndarray, moved: Motion) -> None:
    """Whatever a network has learned from, what is told opens as people do."""
    shipped = weights.load(LipMotion)
    wide = np.quantile(opening(moved.mesh(moved.amounts)[:, list(LIPS)]), 0.95)
    assert 0.07 < wide < 0.14
    mels = [moves.packed(moves.log_mel(voice))]
    told = training.opened(shipped, mels)
    assert told == pytest.approx(wide * shipped.config.opening / PEOPLE, rel=0.1)
    other = LipMotion(replace(shipped.config, opening=training.opened(shipped, mels) * 3)).eval()
    other.load_state_dict(shipped.state_dict())
    other.shapes *= 3
    again = motion(Audio.of(voice, 16_000), other)
    found = np.quantile(opening(again.mesh(again.amounts)[:, list(LIPS)]), 0.95)
    assert found == pytest.approx(PEOPLE, rel=0.1)


def test_made_rooms_and_noise_keep_the_speech() -> None:
    rng = np.random.default_rng(3)
    mels = torch.from_numpy(rng.normal(-4, 2, (8, MELS, 300)).astype(np.float32))
    noises = moves.packed(rng.normal(-6, 1, (3, MELS, 400)).astype(np.float32))
    changed = training.changed(rng, mels.clone(), noises)
    assert changed.shape == mels.shape and torch.isfinite(changed).all()
    assert not torch.equal(changed, mels)
    r = [
        np.corrcoef(a.numpy().ravel(), b.numpy().ravel())[0, 1]
        for a, b in zip(changed, mels, strict=True)
    ]
    assert min(r) > 0.3 and max(r) > 0.9


SENTENCE = (
    "The picture of a voice shows what the ear can only guess: "
    "its pitch, its vowels, and every breath between."
)


def test_phones_are_where_they_sound() -> None:
    """Known words and heard ones, in the sample; hisses are bright, vowels loud, silence is not."""
    sound = media.open(SPEECH).clip(Spec(audio=True, rate=16_000)).sound().samples[0]
    ear = phones.PhoneAligner()
    words = re.findall(r"\w+", SENTENCE.lower())
    heard = ear.words(sound)
    assert len(set(heard) & set(words)) >= 10
    told = ear.phones(sound, words)
    assert [phone for phone, *_ in told if phone != "SIL"][:5] == ["DH", "AH", "P", "IH", "K"]
    starts, ends = (np.array(each) for each in zip(*[row[1:] for row in told], strict=True))
    assert (ends > starts).all() and (starts[1:] >= ends[:-1] - 1e-9).all()
    spectrum = np.abs(librosa.stft(sound, n_fft=400, hop_length=320)) ** 2
    numbers = phones.labels(told, spectrum.shape[1])
    hz = np.arange(201) * 40.0
    level = 10 * np.log10(spectrum.sum(0) + 1e-9)
    bright = hz @ spectrum / (spectrum.sum(0) + 1e-9)

    def of(values: Array, which: str) -> float:
        rows = np.isin(numbers, [PHONES.index(each) for each in which.split()])
        return float(np.median(values[rows]))

    assert of(bright, "S SH CH Z") > 1.5 * of(bright, "AA AH IH IY EH OW AW")
    assert of(level, "AA AH IH IY EH OW AW") > of(level, "SIL") + 20
    assert ear.phones(sound, ["xqzzt"]) == []  # no dictionary has it


def test_words_are_read_beside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "clips-words.tsv").write_text(
        "clip\tstart_s\tend_s\tword\na\t0\t1\tsil\na\t1\t2\tbin\na\t2\t3\tblue\nb\t0\t1\tset\n"
    )
    assert phones.transcripts(tmp_path / "clips") == {"a": ["bin", "blue"], "b": ["set"]}
    assert phones.transcripts(tmp_path / "others") == {}


def test_a_teacher_tells_unseen_speech_by_its_phones(monkeypatch: pytest.MonkeyPatch) -> None:
    """A made mouth that opens by phone, smoothly: learned from some, told of others."""
    monkeypatch.setattr(teacher, "STEPS", 60)
    rng = np.random.default_rng(0)
    width = rng.normal(size=(len(PHONES), 2)).astype(np.float32)
    said = torch.from_numpy(np.repeat(rng.integers(0, len(width), (40, 10)), 6, 1))
    heard = torch.from_numpy(rng.normal(size=(40, MELS + 1, 120)).astype(np.float32))
    kernel = torch.ones(2, 1, 5) / 5
    moved = torch.from_numpy(width)[said].transpose(1, 2)
    true = torch.nn.functional.conv1d(moved, kernel, padding=2, groups=2)
    cues = teacher.cues(said, heard)
    away = lambda told, goal: (told - goal).square().mean()  # noqa: E731
    learned = teacher.taught(cues[:32], true[:32], 2, away)
    told = learned.predict(cues[32:])
    assert np.corrcoef(told.numpy().ravel(), true[32:].numpy().ravel())[0, 1] > 0.9
    other = learned.predict(teacher.cues(said[32:].flip(0), heard[32:]))
    assert np.corrcoef(other.numpy().ravel(), true[32:].numpy().ravel())[0, 1] < 0.5
