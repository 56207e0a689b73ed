"""What is heard, against formulas, other implementations, and sounds whose times are known."""

from __future__ import annotations

import csv
import json
import warnings
from fractions import Fraction
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch
from conftest import Avtool
from PIL import Image

from avtool.errors import InputError
from avtool.media import Clip
from avtool.metrics.events import Event, SegmentScores
from avtool.models.backbone import Backbone, Seen
from avtool.models.yamnet import HOP_SAMPLES, RATE, YAMNet, kinds, likeliest, moments, probable
from avtool.pipelines.sounds import pipeline
from avtool.pipelines.sounds.model import Config, SoundNet
from avtool.pipelines.sounds.pipeline import Options, chosen
from avtool.pipelines.sounds.probe import Probe, taught
from avtool.pipelines.sounds.train import soundnet as recipe
from avtool.pipelines.sounds.values import Sounds
from avtool.save import save
from avtool.training.trainer import Trainer
from avtool.values import Array, Audio, Frames, Video

SPEECH = Path(__file__).parents[1] / "sample_media" / "speech.wav"
SECOND = np.arange(RATE) / RATE


def busy(seconds: int) -> Array:
    """A busy telephone: 480 and 620 Hz, half a second on, half off."""
    tone = 0.1 * (np.sin(2 * np.pi * 480 * SECOND) + np.sin(2 * np.pi * 620 * SECOND))
    return np.tile(tone * (SECOND < 0.5), seconds)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Speech from 0 to 4 s, silence, and a busy telephone from 6 to 10 s."""
    path = tmp_path_factory.mktemp("sounds") / "scene.wav"
    samples, rate = soundfile.read(SPEECH)
    speech = librosa.resample(samples.T, orig_sr=rate, target_sr=RATE)[: 4 * RATE]
    whole = np.concatenate([speech, np.zeros(2 * RATE), busy(4)])
    soundfile.write(path, whole, RATE)
    return path


@pytest.fixture(scope="module")
def network() -> YAMNet:
    return YAMNet()


# The network


def test_its_spectrogram_is_librosas(network: YAMNet) -> None:
    """Mel bands of 125 to 7500 Hz on HTK's scale; windows of 25 ms every 10, no padding."""
    sound = np.random.default_rng(0).normal(0, 0.1, 15_600).astype(np.float32)
    *_, patch = network(sound)
    window = librosa.filters.get_window("hann", 400)
    frames = librosa.util.frame(sound, frame_length=400, hop_length=160)[:, :96]
    magnitude = np.abs(np.fft.rfft(frames * window[:, None], 512, axis=0))
    bank = librosa.filters.mel(
        sr=RATE, n_fft=512, n_mels=64, fmin=125, fmax=7500, htk=True, norm=None
    )
    wanted = np.log(bank @ magnitude + 1e-3).T
    np.testing.assert_allclose(patch, wanted, atol=0.12)  # its matrices are of whole numbers
    assert np.abs(patch - wanted).mean() < 0.01


def test_looks_cover_a_sound_however_it_comes(network: YAMNet) -> None:
    """From its first to its last sample, and the blocks make no difference."""
    sound = np.random.default_rng(1).normal(0, 0.05, 50_001).astype(np.float32)
    whole = list(moments(Audio.of(sound, RATE), network))
    assert len(whole) == -(-len(sound) // HOP_SAMPLES)
    assert [look.time for look in whole] == pytest.approx(0.12 + 0.24 * np.arange(len(whole)))
    cuts = np.split(sound[None], [7, 20_000, 20_001, 44_444], 1)
    pieces = list(moments(Audio(lambda: iter(cuts), RATE, 1), network))
    for a, b in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(a.scores, b.scores)
        assert a.level == b.level
    # A look is its window's, with silence where there is none.
    before = (15_600 - HOP_SAMPLES) // 2
    alone = np.zeros(15_600, np.float32)
    alone[before:] = sound[: 15_600 - before]
    np.testing.assert_array_equal(whole[0].scores, network(alone)[0])


def test_kinds_cover_what_follows_them() -> None:
    table = kinds()
    assert len(table) == 521 and [kind.number for kind in table] == list(range(521))
    for kind in table:
        inside = table[kind.number : kind.last + 1]
        assert kind.last >= kind.number and all(each.last <= kind.last for each in inside)
    named = {kind.name: kind for kind in table}
    assert named["Bark"].number <= named["Dog"].last < named["Cat"].number
    assert named["Cat"].last <= named["Animal"].last < named["Music"].number


def test_a_moment_is_told_by_the_narrowest_kind() -> None:
    number = {kind.name: kind.number for kind in kinds()}
    heard = np.zeros(521)
    heard[[number["Animal"], number["Bird"]]] = 0.9, 0.6
    assert likeliest(heard) == "Bird"
    assert likeliest(heard, 0.7) == "Animal"
    heard[number["Silence"]] = 1.0
    assert likeliest(heard, 0.95) == ""


def test_probabilities_keep_the_order_of_scores() -> None:
    scores = np.linspace(0, 1, 101)
    assert (np.diff(probable(scores)) >= 0).all()
    assert probable(scores).min() >= 0 and probable(scores).max() <= 1


# The command


def heard(path: Path, **options: object) -> Sounds:
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE
    clip = Clip("scene", Audio.of(samples, RATE), None, len(samples) / RATE)
    return pipeline.run(clip, Options(**options)).sounds  # type: ignore[arg-type]


def test_sounds_are_heard_when_they_are(scene: Path) -> None:
    told = heard(scene)
    true = [("Speech", 0.0, 4.0), ("Telephone", 6.0, 10.0)]
    found = [(s.kind, s.start, s.end) for s in told.sounds]
    found = [("Telephone" if k in {"Busy signal", "Telephone"} else k, a, b) for k, a, b in found]
    scores = SegmentScores(["Speech", "Telephone"])
    scores.add(true, found, 10.0)
    assert scores.overall().f1 > 0.85
    backwards = SegmentScores(["Speech", "Telephone"])
    backwards.add(true, [(k, 10 - b, 10 - a) for k, a, b in found], 10.0)
    assert backwards.overall().f1 < 0.3
    (start, end), *_ = told.silent
    assert 3.9 < start < 4.5 and 5.5 < end < 6.1
    alone = heard(scene, kinds="speech")
    assert {sound.kind for sound in alone.sounds} == {"Speech"}
    assert heard(scene, top=1).lanes.keys() == {
        max(told.lanes, key=lambda k: told.lanes[k][1].sum())
    }


def test_kinds_are_asked_for_by_name_or_group() -> None:
    by_name = {kind.name: kind.number for kind in kinds()}
    assert chosen("dog, Infant Cry", kinds()) == [by_name["Baby cry, infant cry"], by_name["Dog"]]
    assert by_name["Bark"] not in chosen("", kinds())  # told as a dog's
    assert chosen("bark", kinds()) == [by_name["Bark"]]
    with pytest.raises(InputError, match="'dgo' is no kind of sound; did you mean dog"):
        chosen("dgo", kinds())
    with pytest.raises(InputError, match="groups are speech, people"):
        Options(kinds="xyzzyx")
    for wrong in ({"threshold": 0.0}, {"threshold": 1.0}, {"top": 0}):
        with pytest.raises(InputError, match=f"--{next(iter(wrong))}"):
            Options(**wrong)


def test_files_say_the_same(avtool: Avtool, scene: Path) -> None:
    ran = avtool("sounds", scene, "-f", "json,csv,srt,txt,png", "--json")
    assert ran.code == 0
    facts = json.loads(Path("scene.sounds.json").read_text())
    told = [(s["kind"], s["start"], s["end"]) for s in facts["sounds"]]
    assert {"Speech"} <= {kind for kind, *_ in told} == set(facts["probability"])
    with Path("scene.sounds.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["kind"], float(r["start"]), float(r["end"])) for r in rows] == told
    labels = [line.split("\t") for line in Path("scene.sounds.txt").read_text().splitlines()]
    assert [(text, float(a), float(b)) for a, b, text in labels] == told
    cues = Path("scene.sounds.srt").read_text().split("\n\n")
    assert cues[0].splitlines()[0] == "1" and "[Speech]" in cues[0]
    with Image.open("scene.sounds.png") as picture:
        assert picture.width == 1600
    assert json.loads(ran.out)["heard"][0] in facts["probability"]


def test_its_page_has_a_lane_for_each_kind(avtool: Avtool, scene: Path) -> None:
    assert avtool("sounds", scene, "--page", "-f", "json", "--start", "1").code == 0
    told = json.loads(Path("scene.sounds.json").read_text())
    page = Path("scene.sounds.html").read_text()
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    lanes = {lane["name"]: lane["speaking"] for lane in data["lanes"]}
    assert lanes.keys() == {"Sound"} | told["probability"].keys()
    starts = [s["start"] - 1 for s in told["sounds"] if s["kind"] == "Speech"]
    assert [start for start, _ in lanes["Speech"]] == pytest.approx(starts, abs=0.01)


def test_nothing_is_told_of_silence(avtool: Avtool, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(2 * RATE), RATE)
    soundfile.write(tmp_path / "short.wav", 0.1 * np.ones(1), RATE)
    ran = avtool("sounds", "silence.wav", "short.wav")
    assert ran.code == 0 and "no sound in it is 40% likely" in ran.err
    assert json.loads(Path("silence.sounds.json").read_text())["sounds"] == []


def test_scores_against_true_times(avtool: Avtool, scene: Path, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(scene.read_bytes())
    (tmp_path / "a.csv").write_text("start,end,kind\n0,4,speech\n6,10,Busy signal\n")
    (tmp_path / "b.wav").write_bytes(scene.read_bytes())
    (tmp_path / "b.txt").write_text("0\t4\tSpeech\n6\t10\tTelephone\n")
    ran = avtool("eval", "sounds", "a.wav", "b.wav", "--json")
    found = json.loads(ran.out)
    assert found["files"] == 2 and found["kinds"]["Speech"] > 0.8
    assert found["avtool"]["f1"] > found["the commonest kind, always"]["f1"]
    (tmp_path / "a.csv").write_text("start,end,kind\n0,4,Dgo\n")
    ran = avtool("eval", "sounds", "a.wav")
    assert ran.code == 2 and "sound 1 is 'Dgo'" in ran.err
    ran = avtool("eval", "sounds", scene)
    assert ran.code == 2 and "has its sounds beside it" in ran.err


# Segment scores


def random_events(rng: np.random.Generator) -> list[Event]:
    starts = rng.uniform(0, 9, 12)
    return [
        (
            str(rng.choice(["dog", "rain", "bell"])),
            float(s),
            float(min(s + rng.uniform(0.1, 3), 10)),
        )
        for s in starts
    ]


def test_segment_scores_are_those_of_sed_eval() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        judge = pytest.importorskip("sed_eval").sound_event.SegmentBasedMetrics(
            ["dog", "rain", "bell"], time_resolution=1.0
        )
    ours = SegmentScores(["dog", "rain", "bell"])
    rng = np.random.default_rng(3)
    for _ in range(5):
        true, told = random_events(rng), random_events(rng)
        lists = [
            [{"event_label": k, "event_onset": a, "event_offset": b} for k, a, b in each]
            for each in (true, told)
        ]
        judge.evaluate(*lists, evaluated_length_seconds=10.0)
        ours.add(true, told, 10.0)
    theirs, found = judge.results_overall_metrics(), ours.overall()
    assert found.f1 == pytest.approx(theirs["f_measure"]["f_measure"])
    assert found.precision == pytest.approx(theirs["f_measure"]["precision"])
    assert found.error_rate == pytest.approx(theirs["error_rate"]["error_rate"])
    for kind, f1 in ours.by_kind().items():
        each = judge.results_class_wise_metrics()[kind]["f_measure"]["f_measure"]
        assert f1 == pytest.approx(each)


# Kinds of a user's own


def bursts(hz: float, seed: int) -> Array:
    """Two seconds of a tone that comes and goes, with noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(2 * RATE) / RATE
    gate = (t * rng.uniform(1.5, 3)) % 1 < 0.5
    return 0.2 * np.sin(2 * np.pi * hz * rng.uniform(0.9, 1.1) * t) * gate + rng.normal(
        0, 0.003, len(t)
    )


def noises(seed: int) -> Array:
    rng = np.random.default_rng(seed)
    return rng.normal(0, rng.uniform(0.02, 0.2), 2 * RATE)


def test_own_kinds_are_learned_from_five_examples(avtool: Avtool, scene: Path) -> None:
    for n in range(5):
        for name, sound in (("beep", bursts(1000, n)), ("hiss", noises(n))):
            Path("kinds", name).mkdir(parents=True, exist_ok=True)
            soundfile.write(Path("kinds", name, f"{n}.wav"), sound, RATE)
    ran = avtool("sounds", "--teach", "kinds")
    assert ran.code == 0 and ran.out == "kinds.sounds.safetensors: beep (5), hiss (5)\n"
    own = "kinds.sounds.safetensors"
    soundfile.write("new.wav", np.concatenate([noises(9), np.zeros(RATE), bursts(1000, 9)]), RATE)
    assert avtool("sounds", "new.wav", "--weights", own, "-f", "csv").code == 0
    with Path("new.sounds.csv").open() as file:
        told = [(row["kind"], float(row["start"])) for row in csv.DictReader(file)]
    assert [kind for kind, _ in told] == ["hiss", "beep"] and told[1][1] > 2
    # Speech is neither, though one of two has to be the likelier.
    assert avtool("sounds", SPEECH, "--weights", own, "-f", "csv").code == 0
    assert Path("speech.sounds.csv").read_text().count("\n") == 1
    ran = avtool("sounds", "new.wav", "--weights", own, "--kinds", "dog", "--overwrite")
    assert ran.code != 0 and "'dog' is no kind of sound" in ran.err


def test_what_teach_refuses(avtool: Avtool, tmp_path: Path) -> None:
    (tmp_path / "one" / "dog").mkdir(parents=True)
    assert "one for each of two kinds" in avtool("sounds", "--teach", "one").err
    (tmp_path / "one" / "cat").mkdir()
    ran = avtool("sounds", "--teach", "one")
    assert ran.code != 0 and not Path("one.sounds.safetensors").exists()
    assert "is no folder" in avtool("sounds", "--teach", "none").err
    (tmp_path / "x.safetensors").write_bytes(b"no weights")
    soundfile.write("a.wav", noises(0), RATE)
    ran = avtool("sounds", "a.wav", "--weights", "x.safetensors")
    assert ran.code != 0 and "--teach FOLDER makes such a file" in ran.err


def test_a_probe_is_written_and_read(network: YAMNet, tmp_path: Path) -> None:
    every = {
        name: [list(moments(Audio.of(sound, RATE), network)) for sound in some]
        for name, some in (
            ("beep", [bursts(1000, n) for n in range(3)]),
            ("hiss", [noises(n) for n in range(3)]),
            ("low", [bursts(200, n) for n in range(3)]),
        )
    }
    probe = taught(every)
    for number, name in enumerate(probe.names):
        assert all(probe.of(looks).argmax() == number for looks in every[name])
    probe.save(tmp_path / "p.safetensors")
    again = Probe.load(str(tmp_path / "p.safetensors"))
    np.testing.assert_allclose(again.of(every["low"][0]), probe.of(every["low"][0]), rtol=1e-4)


# SoundNet


def test_layers_are_those_of_the_paper() -> None:
    """Table 1 of the paper: channels, and samples from one output of a layer to the next."""
    network = SoundNet().eval()
    sound = torch.randn(1, 5 * RATE)
    with torch.no_grad():
        layers, told, quiet = network.heard(sound), network(sound), network(0.01 * sound)
    assert [layer.shape[1] for layer in layers] == [16, 32, 64, 128, 256, 512, 1024]
    steps = np.cumprod([16, 16, 2, 2, 8, 2, 2])
    for layer, step in zip(layers, steps, strict=True):
        assert layer.shape[2] == pytest.approx(5 * RATE / step, abs=3)
    assert float(told.exp().sum()) == pytest.approx(1, abs=1e-4)
    torch.testing.assert_close(quiet, told, atol=1e-3, rtol=1e-3)


def made_films(count: int = 24) -> recipe.Films:
    """Low tones under one picture, high ones under another."""
    rng = np.random.default_rng(0)
    seen = np.zeros((count, 10), np.float32)
    sound = np.zeros((count, 5 * RATE), np.int16)
    for n in range(count):
        hz = (200, 3000)[n % 2] * rng.uniform(0.8, 1.2)
        sound[n] = 8000 * np.sin(2 * np.pi * hz * np.arange(5 * RATE) / RATE)
        seen[n, n % 2] = 0.9
        seen[n, 5] = 0.1
    return recipe.Films(sound, seen, np.arange(count))


def test_a_student_hears_what_was_seen(tmp_path: Path) -> None:
    films = made_films()
    trainer = Trainer(lambda: SoundNet(Config(4, 10)), "soundnet", tmp_path, peak=5e-3, warm=10)
    rng = np.random.default_rng(0)
    small = recipe.Recipe(batch=8, crop=0.5)
    for _ in range(60):
        trainer.model.train()
        trainer.learn(recipe.loss_of(trainer.model, *recipe.draw(films, small, rng)), 1e9)
    found = recipe.score(trainer.model.eval(), films, films.seen.mean(0) + 1e-9)
    assert found["divergence"] < 0.5 * found["of the mean"]
    shuffled = recipe.Films(films.sound, np.roll(films.seen, 1, 0), films.film)
    assert recipe.score(trainer.model, shuffled, films.seen.mean(0) + 1e-9)["divergence"] > 1
    trainer.save()
    again = Trainer(lambda: SoundNet(Config(4, 10)), "soundnet", tmp_path)
    again.load()
    assert again.step == 60
    sound = torch.from_numpy(films.sound[:2].astype(np.float32))
    torch.testing.assert_close(again.average(sound), trainer.average(sound))


def test_films_are_packed_with_what_is_seen(tmp_path: Path) -> None:
    """Two greys: the teacher, here a fake one, says which; a silent film is left out."""

    class Teacher(Seen):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            grey = images.float().mean((1, 2, 3))
            return torch.stack([200 - grey, grey - 100], -1)

    for n in range(5):
        grey = np.full((224, 224, 3), (40, 220)[n % 2], np.uint8)
        frames = Frames(lambda grey=grey: iter([grey] * 7), Fraction(1), 224, 224)  # type: ignore[misc]
        loud = 0.0 if n == 4 else 0.2
        audio = Audio.of(loud * np.sin(np.arange(7 * RATE)), RATE)
        save(Video(frames, audio), [tmp_path / f"{n}.mp4"], name="film", title="")
    (tmp_path / "notes.txt").write_text("no film")
    recipe.pack(tmp_path, tmp_path / "films.npz", Teacher())
    films = recipe.load(tmp_path / "films.npz")
    assert films.film.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    said = (tmp_path / "films.csv").read_text()
    assert f"{tmp_path / '4.mp4'},0,\n" in said.replace("\r", "") and "notes.txt" in said
    assert films.seen.argmax(1).tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    assert len(films.part(np.array([1])).sound) == 2
    (tmp_path / "few").mkdir()
    with pytest.raises(InputError, match="has 0 films"):
        recipe.pack(tmp_path / "few", tmp_path / "none.npz", Teacher())


def test_the_whole_picture_network_is_its_parts() -> None:
    """A picture of ImageNet's kinds: what the package's own code gives, by a formula's picture."""
    pytest.importorskip(Backbone.PACKAGE)
    seen = Seen.pretrained()
    y, x = np.mgrid[:224, :224]
    image = torch.from_numpy(np.stack([x, y, 255 - x], -1).astype(np.uint8))[None]
    logits = seen(image)
    cells = Backbone.pretrained(16)(image)
    top = torch.relu(seen.top(cells)).clamp(max=6).mean((2, 3))
    torch.testing.assert_close(logits, top @ seen.tell.weight.T + seen.tell.bias)
