"""Words that find pictures: against loops, other libraries, made films, and what must not fit."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import X264, Avtool, lavfi, naive
from PIL import Image, ImageDraw

from avtool.errors import InputError
from avtool.metrics.calibration import calibration_of_all
from avtool.metrics.retrieval import retrieval_of_many
from avtool.models import captioned, weights
from avtool.models.backbone import SIZE
from avtool.models.vocabulary import Vocabulary, words
from avtool.pipelines.search import pipeline
from avtool.pipelines.search.model import Config, Joint
from avtool.pipelines.search.pipeline import LONGEST, moments, named
from avtool.pipelines.search.train import joint as recipe
from avtool.pipelines.search.train import tags as tag_recipe
from avtool.pipelines.search.train import words as skip_gram
from avtool.training.trainer import Trainer
from avtool.values import Array

MEDIA = Path(__file__).parents[1] / "sample_media"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AVTOOL_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def shipped() -> Joint:
    return weights.load(Joint)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn places: a lawn under a sky, snow under a sky, and water."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for name, above, below in (
        ("grass", (150, 190, 235), (70, 130, 40)),
        ("snow", (150, 190, 235), (240, 244, 250)),
        ("water", (30, 90, 140), (40, 110, 150)),
    ):
        image = Image.new("RGB", (320, 240), above)
        ImageDraw.Draw(image).rectangle((0, 90, 320, 240), below)
        noisy = np.asarray(image) + rng.normal(0, 6, (240, 320, 1))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{name}.png")
    return folder


# The networks


def test_order_of_words_counts_and_padding_does_not(shipped: Joint) -> None:
    said = [words(t) for t in ("a dog chases a man", "a man chases a dog", "snow")]
    numbers = [shipped.vocabulary.numbers(each) for each in said]
    with torch.inference_mode():
        together = shipped.sentences(numbers)
        alone = torch.cat([shipped.sentences([each]) for each in numbers])
        same = shipped.sentences([sorted(numbers[0]), sorted(numbers[1])])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    assert float(together[0] @ together[1]) < 0.99
    assert float(same[0] @ same[1]) == pytest.approx(1)  # the control: their words are the same


def test_words_that_mean_alike_lie_together(shipped: Joint) -> None:
    def likeness(one: str, other: str) -> float:
        numbers = [shipped.vocabulary.numbers([word]) for word in (one, other)]
        with torch.inference_mode():
            a, b = shipped.sentences(numbers)
        return float(a @ b)

    assert likeness("dog", "puppy") > likeness("dog", "bicycle")
    assert likeness("ocean", "waves") > likeness("ocean", "snow")


def test_skip_gram_loss_is_the_papers() -> None:
    """Equation 4, written out, where the negatives are all of one word."""
    word, near = torch.nn.Embedding(5, 3), torch.nn.Embedding(5, 3)
    part = torch.tensor([[0, 1], [2, 3]])
    only = torch.tensor([0.0, 0, 0, 0, 1])
    found = skip_gram.loss(word, near, part, only).item()
    v, u = word.weight.detach().numpy(), near.weight.detach().numpy()

    def log_sigmoid(x: float) -> float:
        return -float(np.log1p(np.exp(-x)))

    each = [
        log_sigmoid(v[i] @ u[j]) + skip_gram.NEGATIVES * log_sigmoid(-(v[i] @ u[4]))
        for i, j in part.tolist()
    ]
    assert found == pytest.approx(-np.mean(each), abs=1e-5)


def test_skip_gram_brings_together_what_stands_together() -> None:
    """Words 4 to 7 and 8 to 11 stand in sentences of their own; shuffled, they do not."""
    rng = np.random.default_rng(0)
    apart = [rng.integers(4, 8, 6) + 4 * rng.integers(2) for _ in range(400)]
    mixed = rng.permutation(np.concatenate(apart)).reshape(400, 6)

    def contrast(sentences: Iterable[Array]) -> float:
        numbers = [each.tolist() for each in sentences]
        vectors = skip_gram.vectors(numbers, 12, size=8, epochs=20, rate=0.03, rare=1.0)
        own = vectors[4:] - vectors[4:].mean(0)
        place = torch.nn.functional.normalize(own, dim=-1)
        likeness = (place @ place.T).numpy()
        same = np.kron(np.eye(2), np.ones((4, 4))) > 0
        return float(likeness[same & ~np.eye(8, dtype=bool)].mean() - likeness[~same].mean())

    assert contrast(apart) > 1 > 0.3 > contrast(mixed)


def made(folder: Path, count: int = 32) -> Path:
    """Pictures of one plain colour each, and sentences that name it."""
    colours = {
        "red": (200, 30, 30),
        "blue": (30, 30, 200),
        "green": (30, 160, 30),
        "white": (255,) * 3,
    }
    (folder / "images").mkdir(parents=True)
    rows = [("image", "split", "caption")]
    for n in range(count):
        name = list(colours)[n % 4]
        Image.new("RGB", (32, 32), colours[name]).save(folder / "images" / f"{n}.png")
        split = ("train", "train", "dev", "test")[n // 4 % 4]
        rows += [(f"{n}.png", split, f"a {name} wall ."), (f"{n}.png", split, f"all is {name}")]
    (folder / "captions.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    return folder


def test_the_recipe_learns_and_goes_on(tmp_path: Path) -> None:
    """Four colours: a picture finds its own after some steps, and not before."""
    data = captioned.read(made(tmp_path / "data"))
    looks = captioned.looks(data, tmp_path / "looks")
    assert looks.grid.shape == (32, captioned.VIEWS, 49, 320)
    np.testing.assert_allclose(looks.vector[0, 0], looks.vector[4, 0], atol=1e-2)
    known = Vocabulary.of((s for each in data.sentences for s in each), 1).words[4:]
    config = Config(known, tag_recipe.told(data, 2), 16, 16, 16, heads=2, drop=0.0)
    numbers = recipe.Data.of(data, looks, config)
    few = recipe.Recipe(batch=16, peak=1e-2)

    def trainer() -> Trainer[Joint]:
        run = Trainer(lambda: Joint(config), "joint", tmp_path, peak=few.peak, warm=1, average=0.5)
        run.load()
        return run

    def own(model: Joint) -> float:
        seen, said, owner = recipe.places(model.eval(), numbers, data.of("dev"))
        likeness = (said @ seen.T).numpy()
        colour = np.array([data.sentences[n][0][1] for n in data.of("dev")])
        return float((colour[likeness.argmax(1)] == colour[owner]).mean())

    before = own(trainer().average)
    recipe.train(numbers, trainer(), few, minutes=0.02)
    run = trainer()  # from the checkpoint
    assert run.step > 3 and own(run.average) == 1.0 > before
    model, true = run.average, tag_recipe.tagged(data, config.told)
    empty = numbers.seen(range(4), 1)
    tag_recipe.learn(model, numbers, true, empty)
    told = tag_recipe.calibrated(model, numbers, true)
    assert told.fit[0] > 0
    run.model.config = told
    run.save()
    again = weights.load(Joint, tmp_path / "joint.safetensors")
    assert list(again.config.words) == list(known) and list(again.config.fit) == list(told.fit)


def test_measures_agree_with_loops_and_with_what_is_fair() -> None:
    rng = np.random.default_rng(0)
    likeness, owner = rng.random((60, 30)), np.repeat(np.arange(30), 2)
    found = retrieval_of_many(likeness, owner)
    ranks = [sorted(-row).index(-row[own]) for row, own in zip(likeness, owner, strict=True)]
    back = [
        min(sorted(-column).index(-column[s]) for s in np.flatnonzero(owner == n))
        for n, column in enumerate(likeness.T)
    ]
    wanted = [np.mean([r < k for r in each]) for each in (ranks, back) for k in (1, 5, 10)]
    assert found == pytest.approx(wanted)
    chance = rng.uniform(0.05, 1, 20_000)
    fair = rng.random(20_000) < chance
    assert calibration_of_all(chance, fair) < 0.02 < 0.2 < calibration_of_all(chance, ~fair)


# Films


def plain(colour: int, count: int) -> list[Array]:
    rng = np.random.default_rng(colour)
    face = np.full((SIZE, SIZE, 3), colour) + rng.normal(0, 3, (SIZE, SIZE, 3))
    return [np.clip(face, 0, 255).astype(np.uint8)] * count


def test_moments_are_shots_and_parts_of_long_ones() -> None:
    found = list(moments([*plain(40, 12), *plain(200, 80)], 10.0))
    assert [m.start for m in found] == [10, 13, 21, 29]
    assert [m.end for m in found] == [13, 21, 29, 33]
    assert all(m.start <= m.at < m.end and m.end - m.start <= LONGEST for m in found)
    assert found[0].picture.mean() < 60 < 180 < found[1].picture.mean()
    slow = [each for n in range(20) for each in plain(40 + 8 * n, 1)]
    assert len(list(moments(slow, 0.0))) == 1  # it brightens, and is one shot
    assert list(moments([], 0.0)) == []
    # A dark picture at the beginning is no moment of its own.
    assert [m.start for m in moments([*plain(10, 1), *plain(200, 12)], 0.0)] == [0.0]


# The command


def test_words_find_their_picture(avtool: Avtool, photos: Path) -> None:
    for name in ("grass", "snow", "water"):
        ran = avtool("search", f"the {name}", photos, "--json")
        hits = [json.loads(line) for line in ran.lines]
        assert ran.code == 0 and Path(hits[0]["file"]).stem == name, (name, hits)
        assert [h["likely"] for h in hits] == sorted((h["likely"] for h in hits), reverse=True)
        assert {h["sense"] for h in hits} == {"seen"}
    with Image.open("the-snow.search.png") as strip:
        assert strip.width == 1600


def test_a_picture_finds_its_like_and_words_change_it(avtool: Avtool, photos: Path) -> None:
    """Other pictures than itself: a lawn mirrored is nearest; without grass, it is snow."""
    with Image.open(photos / "grass.png") as lawn:
        lawn.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save("lawn.png")

    def first(*more: object) -> str:
        ran = avtool("search", "", photos, *more, "--like", photos / "grass.png", "--json")
        assert ran.code == 0, ran.err
        return Path(json.loads(ran.lines[0])["file"]).stem

    assert first("lawn.png") == "lawn"
    assert first("--minus", "grass", "--plus", "snow") == "snow"
    assert first("--minus", "grass", "--plus", "ocean") == "water"


def test_what_was_looked_at_is_not_looked_at_again(avtool: Avtool, photos: Path) -> None:
    index = Path("index.sqlite")
    assert "3 done" in avtool("search", "snow", photos, "--index", index).err
    assert oct(index.stat().st_mode)[-3:] == "600"
    assert "done" not in avtool("search", "snow", photos, "--index", index).err
    with sqlite3.connect(index) as base:
        before = dict(base.execute("select path, places from files").fetchall())
    grass = photos / "grass.png"
    os.utime(grass, ns=(1, 1))
    Image.new("RGB", (64, 64), "white").save("new.png")
    avtool("search", "snow", photos, "new.png", "--index", index)
    with sqlite3.connect(index) as base:
        after = dict(base.execute("select path, places from files").fetchall())
    assert len(after) == 4 and before.items() <= after.items()
    with sqlite3.connect(index) as base:  # of an earlier version of avtool
        base.execute("pragma user_version = 99")
        base.execute("alter table files drop column sounds")
    assert "3 done" in avtool("search", "snow", photos, "--index", index).err


def test_entries_of_other_weights_are_made_anew(
    avtool: Avtool, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of either network whose places are kept."""
    card = weights.card
    for name in ("joint", "openwords"):
        avtool("search", "snow", photos)
        assert "done" not in avtool("search", "snow", photos).err
        other = replace(card(name), sha256="0" * 64)
        with monkeypatch.context() as patch:
            patch.setattr(weights, "card", lambda n, m=name, o=other: o if n == m else card(n))
            assert "3 done" in avtool("search", "snow", photos).err, name


def test_other_files_are_no_index(avtool: Avtool, photos: Path) -> None:
    Path("bad.sqlite").write_bytes(b"no database" * 100)
    with sqlite3.connect("other.sqlite") as base:
        base.execute("create table files (path text)")
    for name in ("bad", "other"):
        before = Path(f"{name}.sqlite").read_bytes()
        ran = avtool("search", "snow", photos, "--index", f"{name}.sqlite")
        assert ran.code == 2 and f"{name}.sqlite: is no index" in ran.err
        assert Path(f"{name}.sqlite").read_bytes() == before


def test_a_film_is_found_by_eye_and_by_ear(avtool: Avtool, photos: Path) -> None:
    """Three seconds of a lawn, then three of snow; the telephone of the sample is heard."""
    for name in ("grass", "snow"):
        naive("-loop", 1, "-t", 3, "-i", photos / f"{name}.png", "-r", 25, *X264, f"{name}.mp4")
    Path("list.txt").write_text("file grass.mp4\nfile snow.mp4\n")
    naive("-f", "concat", "-i", "list.txt", "-c", "copy", "film.mp4")
    ran = avtool("search", "snow", "film.mp4", "-f", "json,csv,edl,m3u8")
    assert ran.code == 0, ran.err
    facts = json.loads(Path("snow.search.json").read_text())
    best = facts["hits"][0]
    assert facts["looked_at"] == 2 and best["sense"] == "seen"
    assert (best["start"], best["end"]) == pytest.approx((3, 6), abs=0.3)
    with Path("snow.search.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert float(row["start"]) == pytest.approx(best["start"], abs=0.01)
    event = Path("snow.search.edl").read_text().splitlines()[3].split()
    hours, minutes, seconds, picture = map(int, event[4].split(":"))
    assert hours * 3600 + minutes * 60 + seconds + picture / 25 == pytest.approx(
        best["start"], abs=0.04
    )
    listed = Path("snow.search.m3u8").read_text().splitlines()
    assert Path(listed[-1]).exists() and f"start-time={best['start']:.2f}" in "".join(listed)

    ran = avtool("search", "somebody sings music", MEDIA / "scene.ogg", "--json")
    heard = [json.loads(line) for line in ran.lines]
    assert {hit["sense"] for hit in heard} == {"heard"}
    avtool("sounds", MEDIA / "scene.ogg", "-f", "json", "--kinds", "music")
    known = json.loads(Path("scene.sounds.json").read_text())["sounds"][0]
    assert min(abs(hit["start"] - known["start"]) for hit in heard) < 0.6


def test_kinds_of_sound_are_named_by_their_words() -> None:
    assert "Dog" in named("two dogs are barking") and "Cat" not in named("two dogs are barking")
    assert "Music" in named("music") and "Speech" in named("a speech")
    assert named("a red wall") == []


def test_what_cannot_be_asked(avtool: Avtool, photos: Path) -> None:
    for arguments, told in (
        (("xqzt vwpl", photos), "none of its words is known"),
        (("", photos), "nothing is asked"),
        (("bycicle", photos), "or bicycle?"),
        (("snow", photos, "--plus", "dog"), "give a picture"),
        (("snow", photos, "--top", "0"), "--top 0"),
        (("snow", photos, "-o", "-"), "use --json"),
        (("snow", photos, "-f", "wav"), "is no format"),
        (("snow", photos, "--weights", photos / "snow.png"), "is no checkpoint"),
    ):
        ran = avtool("search", *arguments)
        assert ran.code == 2 and told in ran.err and len(ran.err.splitlines()) == 1, ran.err
    ran = avtool("search", "the xqzt snow", photos)
    assert ran.code == 0 and "not known, so left out: xqzt" in ran.err
    Path("broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    ran = avtool("search", "snow", photos, "broken.jpg", "--json")
    assert ran.code == 1 and "broken.jpg" in ran.err and len(ran.lines) == 3


# Tags


def test_tags_of_pictures_and_films(avtool: Avtool, photos: Path) -> None:
    """Drawn places are hardly told, but the right word is likelier; of grey nothing is told."""
    models = pipeline.load()
    odds = {}
    for name in ("grass", "water"):
        with Image.open(photos / f"{name}.png") as image:
            place, look = models.places([pipeline.squashed(np.asarray(image))])
        told = models.joint.tags(look.vector, place)[0].tolist()
        odds[name] = dict(zip(models.joint.config.told, told, strict=True))
    assert odds["grass"]["grass"] > odds["water"]["grass"]
    assert odds["water"]["water"] > odds["grass"]["water"]
    ran = avtool("tag", photos, "--threshold", "0.01", "-f", "json,csv,txt")
    assert ran.code == 0 and "%" in ran.err
    facts = json.loads(Path("water.tags.json").read_text())["tags"]
    assert [t["word"] for t in facts] == Path("water.tags.txt").read_text().split()
    naive(*lavfi("color=gray:s=64x64:d=2"), *X264, "grey.mp4")
    ran = avtool("tag", "grey.mp4")
    assert ran.code == 0 and "no word is 50% likely" in ran.err
    assert json.loads(Path("grey.tags.json").read_text())["tags"] == []


def test_captions_are_read_or_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"captions\.tsv: is missing"):
        captioned.read(tmp_path)
    (tmp_path / "captions.tsv").write_text("a\tb\n1\t2\n")
    with pytest.raises(InputError, match="columns"):
        captioned.read(tmp_path)


def test_eval(avtool: Avtool, tmp_path: Path) -> None:
    """On pictures of four colours, whose sentences say which."""
    ran = avtool("eval", "search", made(tmp_path / "made", 80), "--json")
    assert ran.code == 0, ran.err
    facts = json.loads(ran.out)
    assert facts["pictures"] == 20
    assert facts["recall"]["avtool"][2] > facts["recall"]["chance"][2]
