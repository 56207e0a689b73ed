"""A face for a voice: what is heard, what is refused, what is drawn, and its files."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from avtool import media
from avtool.cli.program import app
from avtool.errors import InputError, MediaError
from avtool.head import model as heads
from avtool.head import traits as people
from avtool.head.portrait import portrait
from avtool.head.traits import INDEX, TRAITS
from avtool.media import Clip
from avtool.metrics.calibration import calibration_error
from avtool.metrics.retrieval import retrieval
from avtool.models import weights
from avtool.models.speaker import FRAMES, Speaker, windows
from avtool.pipelines.speech2face.face_model import SIDE, Face
from avtool.pipelines.speech2face.face_model import Config as FaceConfig
from avtool.pipelines.speech2face.identity import person
from avtool.pipelines.speech2face.model import Config, VoiceFace
from avtool.pipelines.speech2face.pipeline import (
    SPEC,
    VoicePosterior,
    listen,
    load,
    quantiles,
    report,
    tempered,
    voices_in,
)
from avtool.pipelines.speech2face.train.identity import discriminant
from avtool.pipelines.speech2face.train.voiceface import Recipe, losses, target
from avtool.pipelines.speech2face.train.voiceface_data import Voices, music, telephone
from avtool.save.video import write_video
from avtool.values import Array, Audio, Frames

SPEECH = Path(__file__).parents[1] / "sample_media" / "speech.wav"
RATE = 16_000


@pytest.fixture(scope="module")
def sound() -> Array:
    audio = media.open(SPEECH).clip(SPEC).audio
    assert audio is not None
    return audio.samples.mean(0)


def heard(sound: Array) -> VoicePosterior:
    return listen(Clip("it.wav", Audio.of(np.asarray(sound, np.float32), RATE), None, None), load())


@pytest.fixture(scope="module")
def found(sound: Array) -> VoicePosterior:
    return heard(sound)


def male(found: VoicePosterior) -> float:
    return float(found.likely @ (found.crowd[:, INDEX["sex"]] > 0.5))


def likeness(a: VoicePosterior, b: VoicePosterior) -> float:
    return float(a.feature @ b.feature / np.linalg.norm(a.feature) / np.linalg.norm(b.feature))


def test_the_crowd_is_a_distribution(found: VoicePosterior) -> None:
    assert found.likely.min() >= 0
    assert found.likely.sum() == pytest.approx(1)
    assert found.crowd.shape[1] == len(TRAITS) == len(found.mean) == len(found.own)


def test_level_and_telephone_change_little(sound: Array, found: VoicePosterior) -> None:
    quiet, far = heard(0.05 * sound), heard(telephone(sound))
    assert likeness(quiet, found) > 0.99
    assert abs(male(far) - male(found)) < 0.2


@pytest.mark.parametrize("kind", ["silence", "noise", "music"])
def test_nobody_speaks(kind: str) -> None:
    rng = np.random.default_rng(3)
    sounds = {
        "silence": np.zeros(5 * RATE),
        "noise": 0.1 * rng.standard_normal(3 * RATE),
        "music": music(rng, 5 * RATE),
    }
    with pytest.raises(MediaError, match="nobody speaks"):
        heard(sounds[kind])


def test_speech_is_found_among_noise(sound: Array, found: VoicePosterior) -> None:
    rng = np.random.default_rng(1)
    noise = 0.003 * rng.standard_normal(8 * RATE)
    among = heard(np.concatenate([noise, sound, noise]))
    assert likeness(among, found) > 0.9
    assert among.facts.seconds < found.facts.seconds + 1.5


def test_two_voices_are_told() -> None:
    rng = np.random.default_rng(0)
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)  # noqa: E731
    a, b = unit(rng.random((2, 256)) * (rng.random((2, 256)) < 0.3))
    one = a + 0.02 * rng.random((16, 256))
    two = np.concatenate([one, b + 0.02 * rng.random((16, 256))])
    assert voices_in(unit(one)) == 1
    assert voices_in(unit(two)) == 2


def test_voices_at_once_are_told(found: VoicePosterior) -> None:
    """The sample's voice, and two drawn people who speak at once."""
    assert found.voices == 1
    audio = media.open(SPEECH.with_name("cocktail.mp4")).clip(SPEC).audio
    assert audio is not None
    assert heard(audio.samples.mean(0)).voices == 2


def test_sex_is_no_surer_than_pitch_bears_out(found: VoicePosterior) -> None:
    men = found.crowd[:, INDEX["sex"]] > 0.5
    likely = np.where(men, 1e-6, 1.0) / len(men)  # a network that is quite sure: a woman
    likely /= likely.sum()

    def told(pitch: float, spacing: float) -> Array:
        facts = replace(found.facts, pitch=pitch, spacing=spacing)
        made = tempered(likely, found.crowd, facts)
        assert made.sum() == pytest.approx(1)
        np.testing.assert_allclose(made[men] / made[men].sum(), likely[men] / likely[men].sum())
        return np.asarray(made)

    sure = {pitch: told(pitch, 1080.0)[~men].sum() for pitch in (250.0, 180.0, 150.0, 110.0)}
    assert sure[250.0] > 0.98 > sure[180.0] > 0.85 > sure[150.0] == pytest.approx(sure[110.0], 0.02)
    assert 0.7 < sure[150.0] < 0.85
    assert told(float("nan"), float("nan"))[~men].sum() == pytest.approx(sure[150.0], abs=0.02)


def away(one: Array, two: Array) -> float:
    """How unlike two people are, in the spread of made ones."""
    spread = people.drawn(np.random.default_rng(0), 500).std(0)
    return float(np.sqrt((((one - two) / spread) ** 2).mean()))


def test_a_voice_has_one_face_and_another_voice_another(sound: Array) -> None:
    """Both halves of one; and two who talk in turn, whose pitch says the same of both."""
    one, two = (heard(half).own for half in np.split(sound[: len(sound) // 2 * 2], 2))
    other = media.open(SPEECH.with_name("cocktail.mp4")).clip(SPEC).audio
    assert other is not None
    assert away(one, two) < 0.6 * away(one, heard(other.samples.mean(0)).own)


def test_faces_over_many_voices_are_those_that_may_have_them(found: VoicePosterior) -> None:
    rng = np.random.default_rng(3)
    seeds = rng.normal(size=(300, 16))
    men = found.crowd[:, INDEX["sex"]] > 0.5
    older = found.crowd[:, INDEX["age"]] > 50
    likely = (men & older) / (men & older).sum()
    made = np.stack([person(likely, found.crowd, True, seed) for seed in seeds])
    those = found.crowd[men & older]
    assert (made[:, INDEX["sex"]] == 1).all() and made[:, INDEX["age"]].min() > 49
    for name in ("nose_length", "melanin", "hair_length", "stubble"):
        mine, true = made[:, INDEX[name]], those[:, INDEX[name]]
        assert np.median(mine) == pytest.approx(np.median(true), abs=0.35 * float(true.std()))
        assert mine.std() > 0.25 * true.std()
    # What goes together in the crowd does so here: without it r would be 0 in 300 (0.06).
    for pair in (("african", "melanin"), ("age", "lines"), ("african", "curl")):
        rows = [INDEX[name] for name in pair]
        r, true = (np.corrcoef(each[:, rows].T)[0, 1] for each in (made, those))
        assert r > 0.4 * true > 0.2
    near = np.stack([person(likely, found.crowd, True, seed + 0.05) for seed in seeds[:20]])
    steps = [away(*pair) for pair in zip(made[:20], near, strict=True)]
    apart = [away(*pair) for pair in zip(made[:20], made[20:40], strict=True)]
    assert max(steps) < 0.5 * np.median(apart)


def test_what_parts_people_is_told_from_what_parts_recordings() -> None:
    """Made vectors in which three known directions are people's, and louder ones are not."""
    rng = np.random.default_rng(0)
    whose = np.repeat(np.arange(60), 8)
    men = whose % 2 == 1
    vectors = 0.3 * rng.normal(size=(480, 20))
    vectors[:, :3] += rng.normal(size=(60, 3))[whose]
    vectors[:, 3:6] += 4 * rng.normal(size=(480, 3))
    vectors[:, 6] += 5 * men  # sex is told elsewhere
    usual, axes = discriminant(vectors, whose, men, 3)
    for sex in (0, 1):
        share = np.linalg.norm(axes[sex][:, :3]) / np.linalg.norm(axes[sex])
        assert share > 0.9  # of directions at random: 0.39
        those = (vectors - usual[sex])[men == bool(sex)] @ axes[sex].T
        mean = those.reshape(-1, 8, 3).mean(1)
        np.testing.assert_allclose(mean.T @ mean / len(mean), np.eye(3), atol=1e-6)


def test_report_says_what_was_not_heard(found: VoicePosterior) -> None:
    said = report(found)
    assert said["origin"] == "not heard"
    assert said["sex"]["female"] + said["sex"]["male"] == pytest.approx(1, abs=1e-3)
    low, high = said["age"]["interval80"]
    assert 8 <= low <= said["age"]["median"] <= high <= 90
    # Someone of whom nothing is known: all that can be not heard is not.
    even = np.full(len(found.likely), 1 / len(found.likely))
    nothing = report(VoicePosterior(**{**vars(found), "likely": even}))
    assert nothing["weight"] == nothing["muscle"] == "not heard"
    assert 0.4 < nothing["sex"]["male"] < 0.6


def test_quantiles_are_numpys_where_all_count_alike() -> None:
    values = np.random.default_rng(0).random(1001)
    even = np.full(1001, 1 / 1001)
    ours = quantiles(values, even, (0.1, 0.5, 0.9))
    assert ours == pytest.approx(np.quantile(values, (0.1, 0.5, 0.9)).tolist(), abs=0.003)


def test_metrics_know_chance() -> None:
    rng = np.random.default_rng(0)
    assert retrieval(np.zeros((50, 50)), (1, 10)) == pytest.approx([0.02, 0.2])
    assert retrieval(np.eye(50)) == [1, 1, 1]
    said = rng.random(20_000)
    assert calibration_error(said, rng.random(20_000) < said) < 0.02
    assert calibration_error(said, rng.random(20_000) < 0.5) > 0.2


def test_speaker_vector_is_the_voices(sound: Array) -> None:
    model = weights.load(Speaker)
    rng = np.random.default_rng(0)
    with torch.inference_mode():
        power = model.power(torch.from_numpy(np.asarray(sound, np.float32))[None])[0]
        parts = windows(power)
        vectors = model(parts)
        noise = model.power(torch.from_numpy(rng.standard_normal(32_000).astype(np.float32))[None])
        other = model(windows(noise[0]))
    assert parts.shape[1:] == (FRAMES, 40)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(len(vectors)), atol=1e-4)
    assert float(vectors[0] @ vectors[-1]) > float((vectors @ other.T).max()) + 0.1


def test_a_face_is_found_again() -> None:
    """The loop of the paper: face, feature, face; other people are further away."""
    from avtool.pipelines.speech2face.train.face import Crowd, view

    rng = np.random.default_rng(7)
    crowd = Crowd.drawn(99, 6)
    face = weights.load(Face)
    calm, other = (np.stack([view(rng, t, c) for t in crowd.traits]) for c in (True, False))
    assert calm.shape == (6, SIDE, SIDE, 3)
    with torch.inference_mode():
        a, b = (face.recognise(torch.from_numpy(x)) for x in (calm, other))
        told = face.decode(b).numpy()
    near = torch.nn.functional.normalize(b, dim=1) @ torch.nn.functional.normalize(a, dim=1).T
    assert retrieval(near.numpy(), (1,))[0] >= 5 / 6
    assert ((told[:, INDEX["sex"]] > 0.5) == (crowd.sex > 0.5)).mean() >= 5 / 6


def test_twin_learns_whose_voice_it_is() -> None:
    """A small network and three people: the loss falls, and the right ones become likely."""
    torch.manual_seed(0)
    model = VoiceFace(Config(width=8, hidden=16, speaker=256, feature=4, keys=4, crowd=6))
    face = Face(FaceConfig(feature=4, traits=len(TRAITS), width=4, hidden=8)).requires_grad_(False)
    model.crowd.copy_(torch.randn(6, 4))
    vectors = torch.nn.functional.normalize(torch.rand(3, 256), dim=1)
    likely = torch.eye(6)[:3]
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    model.eval()  # no dropout
    before = 0.0
    for _ in range(60):
        known = model.encode(vectors)
        loss = losses(model, face, known, likely, [0, 1, 2], Recipe())
        before = before or loss.item()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.6 * before
    assert model.logits(model.encode(vectors)).argmax(1).tolist() == [0, 1, 2]


def test_targets_are_of_that_sex_and_age() -> None:
    rng = np.random.default_rng(0)
    traits = people.drawn(rng, 2000)
    tract = rng.normal(size=2000)
    person = np.array([[1, 30, 0.0], [0, np.nan, 0.0], [np.nan, np.nan, np.nan]], np.float32)
    faces = np.full((3, 4), np.nan, np.float32)
    crowd = rng.normal(size=(2000, 4)).astype(np.float32)
    faces[2] = crowd[17]  # a real face
    goal = target(crowd, traits, tract, Voices([], [], person, faces), np.arange(3), Recipe())
    sex, age = traits[:, INDEX["sex"]], traits[:, INDEX["age"]]
    assert goal.sum(1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert goal[0] @ sex > 0.99
    assert goal[0] @ age == pytest.approx(30, abs=2)
    assert goal[1] @ sex < 0.01
    assert goal[1] @ (age < 18) < 0.01
    assert goal[2].argmax() == 17


def test_portraits_differ_by_age_and_sex() -> None:
    head = heads.load()
    rng = np.random.default_rng(4)
    young, old = (people.drawn(np.random.default_rng(4), 1, sex=1, age=a)[0] for a in (25, 80))
    a, b, again = (portrait(head, t, 96).astype(float) for t in (young, old, young))
    assert np.array_equal(a, again)
    assert np.abs(a - b).mean() > 3
    mean = portrait(head, people.drawn(rng, 500).mean(0), 96)
    assert mean[40:60, 40:56].std() > 5  # a face, not a blank


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["speech2face", str(SPEECH), "--samples", "3"])
    assert result.exit_code == 0, result.output
    names = {path.name for path in tmp_path.iterdir()}
    wanted = {"speech.face.png", "speech.faces.png", "speech.face.json", "speech.face.glb"}
    assert names == wanted | {"speech.face.obj"}
    image = Image.open(tmp_path / "speech.face.png")
    assert image.size == (512, 512)
    assert "not a likeness" in image.text["Description"]  # type: ignore[attr-defined]
    told = json.loads((tmp_path / "speech.face.json").read_text())
    assert len(told["embedding"]) == 32
    assert 60 < told["measured"]["pitch [Hz]"] < 400


def test_command_refuses_music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import soundfile

    monkeypatch.chdir(tmp_path)
    soundfile.write("tune.wav", music(np.random.default_rng(5), 4 * RATE), RATE)
    result = CliRunner().invoke(app, ["speech2face", "tune.wav"])
    assert result.exit_code == 1
    assert {path.name for path in tmp_path.iterdir()} == {"tune.wav"}


def test_weights_of_another_network(tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"nothing")
    with pytest.raises(InputError, match="voiceface"):
        weights.load(VoiceFace, other)


def test_eval_prints_its_baselines(tmp_path: Path, sound: Array) -> None:
    import soundfile

    soundfile.write(tmp_path / "one.wav", sound, RATE)
    (tmp_path / "table.csv").write_text("file,speaker,sex\none.wav,1,F\n")
    result = CliRunner().invoke(app, ["eval", "speech2face", str(tmp_path / "table.csv"), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["voices"] == 1
    assert found["other half, R@1"] == found["other half, R@1, chance"] == 1
    (tmp_path / "table.csv").write_text("name\nx\n")
    bad = CliRunner().invoke(app, ["eval", "speech2face", str(tmp_path / "table.csv")])
    assert bad.exit_code != 0


def test_the_recipe_learns_from_videos_of_people(
    tmp_path: Path, sound: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A made set: drawn faces that are seen while a voice is heard. Checkpoint, log and weights."""
    from avtool.pipelines.speech2face.train import face as crowd
    from avtool.pipelines.speech2face.train import voiceface as speech2face
    from avtool.pipelines.speech2face.train import voiceface_data as voices

    rng = np.random.default_rng(5)
    head, traits = heads.load(), people.drawn(rng, 3)
    for number, factor in enumerate((0.8, 1.0, 1.25)):
        picture = portrait(head, traits[number], 256)
        frames = Frames(partial(iter, [picture] * 40), Fraction(25), 256, 256)
        other = np.interp(np.arange(0, len(sound) - 1, factor), np.arange(len(sound)), sound)
        audio = Audio.of(other[: 3 * RATE // 2].astype(np.float32), RATE)
        (tmp_path / "videos").mkdir(exist_ok=True)
        write_video(tmp_path / "videos" / f"{number}.mp4", frames, audio)
    items = list(voices.video_voices(tmp_path / "videos", weights.load(Face)))
    assert [(item.reader, item.split) for item in items] == [
        ("0", "train"),
        ("1", "train"),
        ("2", "valid"),
    ]
    # Each real face is taken for the drawn person's own, not for another's.
    real = np.stack([item.face for item in items if item.face is not None])
    seen = torch.nn.functional.normalize(torch.from_numpy(real), dim=1)
    views = torch.from_numpy(np.stack([crowd.view(rng, each, calm=True) for each in traits]))
    with torch.inference_mode():
        own = torch.nn.functional.normalize(weights.load(Face).recognise(views), dim=1)
    assert (seen @ own.T).argmax(1).tolist() == [0, 1, 2]

    crowd.pack(tmp_path / "crowd.npz", 6)
    monkeypatch.setattr(speech2face, "HEARINGS", {"train": 20, "valid": 10})
    monkeypatch.setattr(speech2face, "CHUNK", 10)
    monkeypatch.setattr(speech2face, "SECONDS", (0.6, 0.8))
    given = f"x --data {tmp_path}/videos --crowd {tmp_path}/crowd.npz --out {tmp_path}/out"
    monkeypatch.setattr(sys, "argv", [*given.split(), "--minutes", "0.02"])
    speech2face.main()
    made = weights.load(VoiceFace, tmp_path / "out" / "voiceface.safetensors")
    assert made.crowd.shape == (6, 32)
    assert (tmp_path / "out" / "log.csv").read_text().startswith("step,minutes,loss,bits")
