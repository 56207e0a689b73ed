"""Sentences about pictures: against what is enumerated, what was learned, and films whose cuts are
known."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import X264, Avtool, naive
from PIL import Image
from torch import Tensor

import avtool as package
from avtool import media
from avtool.errors import InputError, OutputError
from avtool.media import Clip
from avtool.metrics.captions import Cider
from avtool.models import backbone, weights
from avtool.models.backbone import Look
from avtool.models.captioned import VIEWS, Captioned, Looks
from avtool.models.vocabulary import Vocabulary
from avtool.pipelines.caption import doubt, evaluate, pipeline
from avtool.pipelines.caption.beam import _next, beam, spoken
from avtool.pipelines.caption.model import BEGIN, END, FILL, UNKNOWN, Caption, Config, targets
from avtool.pipelines.caption.pipeline import DECODERS, Models, Options
from avtool.pipelines.caption.train import caption as recipe
from avtool.pipelines.caption.train import doubt as doubting
from avtool.pipelines.caption.values import Captions
from avtool.save import save
from avtool.signal.shots import HELD, _Held, shots
from avtool.training.trainer import Trainer
from avtool.values import Array, Frames

COCKTAIL = Path(__file__).parents[1] / "sample_media" / "cocktail.mp4"
SENTENCES = (
    "a dog runs in the snow|a brown dog runs|the dog is in the snow",
    "two men play with a ball|two men play|men with a ball",
    "a girl swims in water|the girl swims|a girl is in the water",
    "a man climbs a rock|the man climbs|a man is on a rock",
)


def look(rows: int = 3, seed: int = 0) -> Look:
    """What might be seen on pictures."""
    made = torch.Generator().manual_seed(seed)
    return Look(
        torch.randn(rows, 49, 320, generator=made),
        torch.rand(rows, 1280, generator=made),
        torch.randn(rows, 1000, generator=made),
    )


@pytest.fixture
def tiny() -> Caption:
    """A network of eight words, by chance."""
    torch.manual_seed(3)
    model = Caption(Config(8, 10, 6, 5, 4, 3, 2)).eval()
    with torch.no_grad():
        for each in model.parameters():
            each.normal_()
    return model


def lessons() -> tuple[recipe.Lessons, Vocabulary, Captioned, Looks]:
    """Four pictures with three sentences each, every view alike."""
    told = [[sentence.split() for sentence in each.split("|")] for each in SENTENCES]
    data = Captioned(Path(), list("abcd"), ["train"] * 4, told)
    vocabulary = Vocabulary.of((sentence for each in told for sentence in each), 1)
    views = (np.repeat(each.numpy()[:, None], VIEWS, 1).astype(np.float16) for each in look(4))
    looks = Looks(*views)
    return recipe.Lessons(data, looks, vocabulary, "train"), vocabulary, data, looks


def small(vocabulary: Vocabulary) -> Caption:
    """The recipe's network of these words, with less in it."""
    whole = recipe.new(vocabulary)
    model = Caption(replace(whole.config, embedding=24, hidden=32, seen=16, looks=16, doubt=2))
    model.letters.copy_(whole.letters)
    return model


@pytest.fixture(scope="module")
def taught() -> tuple[Caption, recipe.Lessons]:
    """A small network that has learned the sentences of four pictures by heart."""
    learned, vocabulary, *_ = lessons()
    torch.manual_seed(0)
    model = small(vocabulary)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    chosen = np.arange(4)
    seen = learned.look(chosen, np.zeros(4, int))
    for _ in range(70):
        model.train()
        loss = recipe.loss_of_words(model, learned, chosen, seen, recipe.Recipe())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval(), learned


def said(model: Caption, rows: Tensor) -> list[str]:
    """As text."""
    known = model.vocabulary()
    return [" ".join(known[n] for n in row if n > UNKNOWN) for row in rows.tolist()]


# The networks


def test_step_by_step_is_as_all_at_once(tiny: Caption) -> None:
    """What the recipe learns from is what is said later, whatever else is in the batch."""
    sentences = torch.tensor([[BEGIN, 5, 6, 7, END], [BEGIN, 4, END, FILL, FILL]])
    pictures = torch.tensor([2, 0])
    for name in Caption.DECODERS:
        logits, looked = tiny(name, look(), pictures, sentences)
        wanted = targets(sentences)
        assert wanted.tolist() == [5, 4, 6, END, 7, END]
        decoder = tiny.decoder(name)
        alone = []
        for row, picture in zip(sentences, pictures, strict=True):
            state = decoder.begin(Look(*(each[picture : picture + 1] for each in look())))
            for word in row[: int((row != FILL).sum()) - 1]:
                out, state, attention = decoder.step(tiny.words(word[None]), state)
                alone.append(tiny.logits(out)[0])
                if attention is not None:
                    assert attention.shape == (1, 49)
                    assert float(attention.detach().sum()) == pytest.approx(1)
        order = torch.stack([alone[n] for n in (0, 4, 1, 5, 2, 3)])
        torch.testing.assert_close(logits, order, rtol=1e-5, atol=1e-4)
        assert (looked is not None) == (name == "attend")
        if looked is not None:  # as often as there are words
            torch.testing.assert_close(looked.sum(1), torch.tensor([4.0, 2.0]))


def test_doubly_stochastic() -> None:
    """Nothing, where every cell was looked at once in all."""
    assert float(recipe.doubly_stochastic(torch.ones(2, 49))) == 0
    one = torch.zeros(1, 49)
    one[0, 7] = 3
    assert float(recipe.doubly_stochastic(one)) == pytest.approx((48 + 4) / 49)


@pytest.mark.parametrize("names", [("tell",), ("attend",), ("attend", "tell")])
def test_a_beam_that_is_wide_enough_finds_the_best(tiny: Caption, names: tuple[str, ...]) -> None:
    """The best of all sentences of up to three words that say no two twice, each looked at."""
    power, longest = 0.7, 3
    found = beam(tiny, look(), names, width=80, longest=longest, power=power)
    for picture in range(3):
        one = Look(*(each[picture : picture + 1] for each in look()))
        every: list[tuple[float, list[int]]] = []

        def follow(states: dict, word: int, before: list[int], sum_: float) -> None:  # type: ignore[type-arg]
            logs, after, _ = _next(tiny, states, torch.tensor([word]))
            end = sum_ + float(logs[0, END])
            every.append((end / (len(before) + 1) ** power, [*before, END]))  # noqa: B023
            if len(before) < longest:
                for next_ in range(UNKNOWN + 1, 8):
                    pairs = [*pairwise([*before, next_])]
                    if len(set(pairs)) < len(pairs):
                        continue  # none is said twice
                    follow(after, next_, [*before, next_], sum_ + float(logs[0, next_]))

        with torch.no_grad():
            follow({name: tiny.decoder(name).begin(one) for name in names}, BEGIN, [], 0.0)
        score, best = max(every)
        own = [n for n in found.words[picture, 0].tolist() if n != FILL]
        assert own == best
        assert float(found.likely[picture, 0].sum()) / len(own) ** power == pytest.approx(score)


def test_a_sentence_does_not_go_round_in_a_circle(tiny: Caption) -> None:
    """No two words in a row twice, though the network would say them over and over."""
    longest = 15

    def twice(rows: Tensor) -> int:
        some = [[n for n in row if n > UNKNOWN] for row in rows.flatten(0, -2).tolist()]
        runs = [[*pairwise(row)] for row in some]
        return sum(len(each) - len(set(each)) for each in runs)

    with torch.no_grad():
        tiny.bias[END] = -20.0  # it never ends by itself
        states, word, greedy = tiny.tell.begin(look()), torch.full((3,), BEGIN), []
        for _ in range(longest):
            logs, after, _ = _next(tiny, {"tell": states}, word)
            states, word = after["tell"], logs.argmax(1)
            greedy.append(word)
        told = beam(tiny, look(), ("tell",), longest=longest)
        tiny.bias[END] = 0.0
    assert twice(torch.stack(greedy, 1)) > 0 == twice(told.words)
    assert told.words.shape[2] == longest + 1


def test_a_beam_is_no_worse_than_the_likeliest_words(
    taught: tuple[Caption, recipe.Lessons],
) -> None:
    model, _ = taught
    seen = look(40, 1)
    for name in Caption.DECODERS:
        greedy = beam(model, seen, (name,), width=1, power=0.0)
        wide = beam(model, seen, (name,), width=5, power=0.0)
        assert said(model, greedy.words[:, 0]) == said(model, spoken(model, name, seen))
        better = wide.likely[:, 0].sum(1) - greedy.likely[:, 0].sum(1)
        assert float(better.mean()) > 0 and float((better > -1e-5).float().mean()) > 0.9
        sums = wide.likely.sum(2)
        assert (sums[:, :-1] >= sums[:, 1:] - 1e-5).all()  # the best first


def test_it_learns_what_is_on_which_picture(taught: tuple[Caption, recipe.Lessons]) -> None:
    """Each picture's own; and with the pictures shuffled it says the sentences of the others."""
    model, learned = taught
    seen = learned.look(np.arange(4), np.zeros(4, int))
    moved = Look(*(each.roll(1, 0) for each in seen))
    for name in DECODERS:
        told = said(model, beam(model, seen, DECODERS[name]).words[:, 0])
        for sentence, word in zip(told, ("dog", "men", "girl", "climbs"), strict=True):
            assert word in sentence, told
        other = said(model, beam(model, moved, DECODERS[name]).words[:, 0])
        assert other == [told[-1], *told[:-1]]


def test_whole_sentences_that_are_nearer_become_likelier() -> None:
    """A few steps raise the CIDEr of what is said by chance."""
    learned, vocabulary, *_ = lessons()
    torch.manual_seed(1)
    model = small(vocabulary)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    near = Cider([[[*each, recipe.STOP] for each in true] for true in learned.references])
    chosen = np.arange(4)
    seen = learned.look(chosen, np.zeros(4, int))
    plain = recipe.Recipe()

    def step(loss: Tensor) -> None:
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    def reward() -> float:
        rows = spoken(model.eval(), "attend", seen, times=30, random=True).tolist()
        each = [near([*learned.text(row), recipe.STOP], n // 30) for n, row in enumerate(rows)]
        return float(np.mean(each))

    for _ in range(25):
        step(recipe.loss_of_words(model.train(), learned, chosen, seen, plain))
    before = reward()
    for _ in range(25):
        step(recipe.loss_of_sentences(model, learned, chosen, seen, near, plain))
    assert reward() > 1.2 * before > 0


def test_the_recipe_stops_and_goes_on(tmp_path: Path) -> None:
    learned, vocabulary, data, looks = lessons()
    plain = recipe.Recipe(batch=2, words=0.5)

    def trainer() -> Trainer[Caption]:
        made = Trainer(lambda: small(vocabulary), "caption", tmp_path, warm=1)
        made.load()
        return made

    first = trainer()
    recipe.train(first, learned, learned, plain, 0.4 / 60)
    again = trainer()
    assert again.step == first.step > 0
    recipe.train(again, learned, learned, plain, again.seconds / 60 + 0.4 / 60)
    assert again.step > first.step
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3
    # What it wrote is a network with its own words; the second recipe adds what it knows.
    given = Captioned(data.folder, data.names, ["train", "dev"] * 2, data.sentences)
    model = weights.load(Caption, tmp_path / "caption.safetensors")
    assert model.vocabulary() == list(vocabulary.words)
    doubting.directions(model, torch.rand(40, 1280))
    doubting.fit(
        model,
        doubting.signs_of(model, doubting.looks_of(given, looks, "dev")),
        [doubting.signs_of(model, Look(*(8 * each for each in look(5, 2))))],
    )
    sure = doubt.known(model, seen := look(4), beam(model, seen))
    unsure = doubt.known(model, far := Look(*(8 * each for each in look(4, 5))), beam(model, far))
    assert sure.mean() > 0.5 > unsure.mean()


# Films


def film(lengths: list[int], fps: int = 25) -> Frames:
    """Shots of so many pictures, each of its own noise, which moves a little."""
    rng = np.random.default_rng(0)
    scenes = [np.kron(rng.integers(0, 255, (9, 12, 3)), np.ones((8, 8, 1))) for _ in lengths]

    def images() -> Iterator[Array]:
        for scene, length in zip(scenes, lengths, strict=True):
            for n in range(length):
                yield np.roll(scene, n // 4, 1).astype(np.uint8)

    return Frames(images, Fraction(fps), 96, 72)


def test_shots_end_where_a_film_is_cut() -> None:
    found = list(shots(film([50, 30, 75]).images(), 25, 10.0))
    assert [(shot.start, shot.end) for shot in found] == [(10, 12), (12, 13.2), (13.2, 16.2)]
    pictures = list(film([50, 30, 75]).images())
    for shot, middle in zip(found, (24, 64, 117), strict=True):
        assert abs((shot.at - 10) * 25 - middle) <= 4
        near = [np.abs(shot.picture.astype(int) - each).mean() for each in pictures]
        assert abs(int(np.argmin(near)) - middle) <= 4
    # A flash is no shot.
    assert len(list(shots(film([50, 2, 50]).images(), 25))) <= 2
    assert list(shots([], 25)) == []


def test_a_long_shot_is_not_held() -> None:
    held = _Held()
    for n in range(100_000):
        held.add(n, np.full(1, n))
        assert len(held._pictures) <= HELD
    assert float(held.near(50_000)[1][0]) == pytest.approx(50_000, rel=0.1)


# The command


@pytest.fixture(scope="module")
def networks() -> Models:
    return pipeline.load()


def photo(path: Path, picture: Image.Image, **options: Any) -> Path:
    picture.save(path, **options)
    return path


def drawn() -> Image.Image:
    """A picture with an upper side and a left one: a frame of the sample film."""
    data = naive(
        "-ss", 1, "-i", COCKTAIL, "-frames:v", 1, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"
    )
    return Image.fromarray(np.frombuffer(data, np.uint8).reshape(360, 640, 3))


def told(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / f"{name}.caption.json").read_text())["pictures"][0]


def test_a_photo_is_told_whatever_holds_it(
    avtool: Avtool, tmp_path: Path, networks_read: list[str]
) -> None:
    """Turned by EXIF, transparent, grey, of 16 bits; the networks are read once."""
    picture = drawn()
    turned = picture.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(tmp_path / "plain.png", picture)
    photo(tmp_path / "turned.png", turned, exif=exif)
    photo(tmp_path / "clear.png", picture.convert("RGBA"))
    photo(tmp_path / "grey.png", picture.convert("L"))
    deep = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    photo(tmp_path / "deep.png", Image.fromarray(deep))
    names = ["plain", "turned", "clear", "grey", "deep"]
    (tmp_path / "plain.png").rename(tmp_path / "plain")  # by what it holds, not by its name
    files = ("plain", *(f"{name}.png" for name in names[1:]))
    ran = avtool("caption", *files, "-f", "json,txt", "--json")
    assert ran.code == 0, ran.err
    assert networks_read == ["Caption"]
    plain, *rest = (told(tmp_path, name) for name in names)
    assert rest[:2] == [plain, plain] and rest[2] == rest[3]
    best = plain["best"]
    assert isinstance(best, list) and len(best) == 3
    chances = [each["probability"] for each in best]
    assert all(0 < chance < 1 for chance in chances)
    for sentence in best:
        words = sentence["words"]
        assert " ".join(word["word"] for word in words).capitalize() + "." == sentence["caption"]
        assert all(np.sum(word["attention"]) == pytest.approx(1, abs=0.01) for word in words)
        product = math.prod(word["probability"] for word in words)
        assert 0 < sentence["probability"] <= product * 1.01  # the end's is in it too
    text = (tmp_path / "plain.caption.txt").read_text()
    assert text.lower().endswith(f"{plain['caption']}\n".lower())
    assert text.startswith("I am not sure: ") == (not plain["sure"])
    assert json.loads(ran.lines[0])["captions"] == [text.strip()]


def test_options_change_what_they_say(avtool: Avtool, tmp_path: Path) -> None:
    photo(tmp_path / "a.png", drawn())
    flags = ("--decoder", "tell", "--length", 3, "--best", 1)
    ran = avtool("caption", "a.png", "-f", "json,png", *flags)
    assert ran.code == 0, ran.err
    with Image.open(tmp_path / "a.caption.png") as file:
        low = file.height
    seen = told(tmp_path, "a")
    (best,) = seen["best"]
    assert len(best["words"]) <= 3 and "attention" not in best["words"][0]
    assert avtool("caption", "a.png", "-f", "png", "--overwrite").code == 0
    with Image.open(tmp_path / "a.caption.png") as file:  # with the looks of its words
        assert file.width == 1600 and file.height > low + 100


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--beam", 0), "--beam 0: it is 1 to 20"),
        (("--best", 5), "raise --beam"),
        (("--length", 0), "1 to 50 words"),
        (("--decoder", "sing"), "it is attend, tell, both"),
        (("-f", "doc"), "'.doc' is no format"),
    ],
)
def test_wrong_options_are_told(avtool: Avtool, flags: tuple[object, ...], words: str) -> None:
    ran = avtool("caption", COCKTAIL, *flags)
    assert ran.code == 2 and words in ran.err and len(ran.err.splitlines()) == 1


def test_what_is_no_picture_is_told(avtool: Avtool, tmp_path: Path) -> None:
    """One line each, and the others are done."""
    photo(tmp_path / "good.png", drawn())
    (tmp_path / "broken.png").write_bytes((tmp_path / "good.png").read_bytes()[:2000])
    (tmp_path / "text.jpg").write_text("no picture")
    sound = COCKTAIL.with_name("speech.wav")
    inputs = ("broken.png", "text.jpg", "missing.png", sound)
    ran = avtool("caption", *inputs, "good.png", "-f", "txt")
    assert ran.code == 1
    for name, why in zip(
        inputs,
        ("no readable picture", "no readable picture", "no such file", "no pictures"),
        strict=True,
    ):
        (line,) = (line for line in ran.err.splitlines() if f"{name}: " in line)
        assert why in line
    assert (tmp_path / "good.caption.txt").exists()
    assert not (tmp_path / "broken.caption.txt").exists()
    (tmp_path / "photos" / "inner").mkdir(parents=True)
    photo(tmp_path / "photos" / "inner" / "deep.jpg", drawn())
    ran = avtool("caption", "photos", "-f", "txt", "-o", "out/")
    assert ran.code == 0 and (tmp_path / "out" / "inner" / "deep.caption.txt").exists()
    ran = avtool("caption", "good.png", "-f", "srt")
    assert ran.code == 1 and "use -f txt or json" in ran.err


def test_a_film_is_told_by_its_shots(avtool: Avtool, tmp_path: Path) -> None:
    """2 s of the sample and 2 s of a test picture, joined by a cut."""
    test = "testsrc2=s=640x360:r=25:d=2"
    join = "[0:v]trim=0:2,setpts=PTS-STARTPTS[a];[1:v]format=yuv420p[b];[a][b]concat"
    naive("-i", COCKTAIL, "-f", "lavfi", "-i", test, "-filter_complex", join, *X264, "film.mp4")
    ran = avtool("caption", "film.mp4", "-f", "json,srt,vtt,txt,png")
    assert ran.code == 0, ran.err
    one, two = json.loads((tmp_path / "film.caption.json").read_text())["shots"]
    assert (one["start"], one["end"]) == (0, pytest.approx(2, abs=0.05))
    assert (two["start"], two["end"]) == (one["end"], pytest.approx(4, abs=0.05))
    srt = (tmp_path / "film.caption.srt").read_text().split("\n\n")
    assert srt[0].startswith("1\n00:00:00,000 --> 00:00:02,000\n")
    vtt = (tmp_path / "film.caption.vtt").read_text()
    assert vtt.startswith("WEBVTT\n\n1\n00:00:00.000 --> 00:00:02.000\n")
    times = [line.split()[0] for line in (tmp_path / "film.caption.txt").read_text().splitlines()]
    assert times == ["00:00:00.000", "00:00:02.000"]
    part = avtool("caption", "film.mp4", "-f", "txt", "--start", 2.5, "-o", "part.txt")
    assert part.code == 0 and (tmp_path / "part.txt").read_text().startswith("00:00:02.500 ")


def test_from_python(tmp_path: Path, networks: Models) -> None:
    path = photo(tmp_path / "a.png", drawn())
    found = package.caption(path).captions
    assert isinstance(found, Captions) and not found.film
    again = pipeline.run(media.still("a", np.asarray(drawn())), models=networks).captions
    assert found.seen[0].text == again.seen[0].text
    with pytest.raises(OutputError, match="no times"):
        save(found, [tmp_path / "a.srt"], name="caption", title="a")
    nothing = Clip("a", None, film([]), 1.0)
    with pytest.raises(InputError, match="no picture"):
        pipeline.run(nothing, models=networks)


def test_the_letters_of_the_shipped_network(networks: Models) -> None:
    words = networks.caption.vocabulary()
    assert len(words) == networks.caption.config.words == len(set(words)) + 3
    assert {"dog", "snow", "man"} < set(words)


def test_evaluation(avtool: Avtool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who says a true sentence has all points; another picture's has few."""
    names = [f"{n}.png" for n in range(4)]
    rows = [f"{n}.png\ttest\t{line}" for n in range(4) for line in SENTENCES[n].split("|")]
    text = "\n".join(["image\tsplit\tcaption", *rows, "x.png\ttrain\ta cat sits"])
    (tmp_path / "captions.tsv").write_text(text)
    found, references = evaluate.read(tmp_path)
    assert found == names and [len(each) for each in references] == [3] * 4
    table = evaluate.scores([each[1] for each in references], references, look(4).vector.numpy())
    assert table[evaluate.OWN]["BLEU-1"] == 100
    assert table[evaluate.SHUFFLED]["BLEU-4"] == 0 < table[evaluate.OWN]["BLEU-4"]
    assert table[evaluate.SHUFFLED]["CIDEr"] < 0.2 * table[evaluate.OWN]["CIDEr"]
    (tmp_path / "images").mkdir()
    for name in names:
        photo(tmp_path / "images" / name, drawn())
    ran = avtool("eval", "caption", tmp_path, "--json", "--beam", 1)
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["pictures"] == 4
    (tmp_path / "captions.tsv").unlink()
    ran = avtool("eval", "caption", tmp_path)
    assert ran.code == 2 and "captions.tsv: is missing" in ran.err


def test_the_backbone_is_squeezed_as_its_lessons_were(networks: Models) -> None:
    """A picture of any shape is seen as the 224 x 224 that the recipe packs."""
    picture = np.asarray(drawn())
    square = Image.fromarray(picture).resize((backbone.SIZE,) * 2, Image.Resampling.BILINEAR)
    own = pipeline.looked(networks.backbone, picture).vector
    theirs = networks.backbone.look(torch.from_numpy(np.array(square))[None]).vector
    torch.testing.assert_close(own, theirs)
    assert Options().length == 21 and Options().beam == 4
