"""The recipe of the network that answers.

``python -m avtool.pipelines.ask.train.ask --data FOLDER --out FOLDER``

It learns from scenes that are drawn as it learns, each with a dozen questions, and from the
training split of easy-VQA (Zhou, 2019; package ``easy-vqa``). Beside the answers it has to say
what lies in which cell, and whether a picture is a scene at all: photographs of the folder's
training split (as Flickr8k has them), noise and other drawings are none. It begins with questions
about single things. A run that was stopped goes on where it was; the log says what is right of
scenes and of easy-VQA's pictures that are not learned from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import chain
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
)

from avtool.errors import InputError
from avtool.metrics.localization import auroc
from avtool.pipelines.ask.model import LOOKS, PROPERTIES, SIDE, Answer, Ask, Config, Seen
from avtool.pipelines.ask.train.pictures import other, photographs
from avtool.pipelines.ask.train.questions import KINDS, Question, asked
from avtool.pipelines.ask.train.scenes import Scene, drawn, painted, scene, taught
from avtool.pipelines.ask.words import (
    ANSWERS,
    COLOURS,
    LONGEST,
    SHAPES,
    SIZES,
    numbers,
    tokens,
)
from avtool.training.trainer import Trainer, arguments
from avtool.values import Array

DEV = 400  # of easy-VQA's training pictures: measured on meanwhile, not learned from
SIMPLE = ("exist", "count", "attribute")
TWICE = ("compare", "same", "side", "side, count", "side, exist", "behind")  # look twice
OFTEN = (*KINDS, "count", *TWICE)  # what is harder is asked twice as often
EASY = "easy-VQA"
PAIRED = 10.0  # how much more things count that hide a part of another, or are hidden
NONE = -100  # no answer, of no question
ANSWER = {answer: n for n, answer in enumerate(ANSWERS)}


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Args:
        scenes, easy, others: pictures a step: scenes, easy-VQA's, and those that are no scene.
        paints: scenes in any colours, of which what lies where is learned.
        questions: of a scene.
        simple: part of the time in which only single things are asked about.
        things, looks, known: weights of the losses beside the answers'.
    """

    scenes: int = 12
    easy: int = 4
    others: int = 5
    questions: int = 14
    paints: int = 4
    simple: float = 0.06
    things: float = 0.5
    looks: float = 1.0
    known: float = 0.2


@dataclass(frozen=True, eq=False)
class Batch:
    """Pictures, and as many questions about each; where one has fewer, the rest are empty.

    Shape:
        pictures: uint8 [pictures, SIZE, SIZE, 3]; words: int [pictures, questions, words];
        answers: int [pictures, questions], NONE for an empty one; looks: bool [pictures,
        questions, LOOKS, 256], the cells of what an answer is found from, and of what it is about;
        taught: bool [pictures, questions, LOOKS], where that is known
    """

    pictures: Tensor
    words: Tensor
    answers: Tensor
    looks: Tensor
    taught: Tensor

    @classmethod
    def made(
        cls,
        pictures: Sequence[Array],
        questions: Sequence[Sequence[Question]],
        scenes: Sequence[Scene] = (),
    ) -> Batch:
        """Of pictures, and the questions about each; the first ones are of scenes."""
        most = max(map(len, questions))
        words = np.zeros((len(questions), most, LONGEST), np.int64)
        answers = np.full((len(questions), most), NONE)
        for n, some in enumerate(questions):
            for m, each in enumerate(some):
                words[n, m] = numbers(tokens(each.text))
                answers[n, m] = ANSWER[each.answer]
        looks = np.zeros((len(questions), most, LOOKS, SIDE * SIDE), bool)
        known = np.zeros(looks.shape[:3], bool)
        for n, (one, some) in enumerate(zip(scenes, questions, strict=False)):
            cells = taught(one)
            for m, each in enumerate(some):
                first = each.about if each.from_ is None else each.from_  # or both are one look
                for look, which in enumerate((first, each.about)):
                    if which is not None:
                        known[n, m, look] = True
                        looks[n, m, look] = np.isin(cells, which)
        arrays = np.stack(pictures), words, answers, looks, known
        return cls(*map(torch.from_numpy, arrays))


Asked = list[tuple[Array, list[Question]]]  # pictures, and what is asked about each


def easy_vqa(split: str) -> Asked:
    """A split of easy-VQA, from the package that brings it.

    Raises:
        InputError: the package is not installed.
    """
    try:
        root = resources.files("easy_vqa") / "data" / split
    except ModuleNotFoundError as error:
        raise InputError("easy-VQA is missing; pip install easy-vqa brings it") from error
    found: dict[int, list[Question]] = {}
    for text, answer, number in json.loads((root / "questions.json").read_text()):
        found.setdefault(number, []).append(Question(text, answer, EASY))
    made: Asked = []
    for number, questions in sorted(found.items()):
        with (root / "images" / f"{number}.png").open("rb") as file, Image.open(file) as image:
            made.append((np.asarray(image.convert("RGB")), questions))
    return made


def scenes(count: int, seed: int, held: bool = False, questions: int = 10) -> Asked:
    """Scenes with questions; with held-out combinations, only questions that name one."""
    rng = Random(seed)
    made: Asked = []
    while len(made) < count:
        one = scene(rng, held)
        made.append((drawn(one), asked(one, rng, questions, held=held)))
    return made


def things_loss(told: Tensor, scenes: Sequence[Scene]) -> Tensor:
    """Of what is told of each cell, [scenes, 256, THING]."""
    there = torch.from_numpy(np.stack([taught(each) for each in scenes]))
    pairs = [(each, n) for each, row in zip(scenes, there.tolist(), strict=True) for n in row]
    which = [(each, n) for each, n in pairs if n >= 0]
    found = [each.things[n] for each, n in which]
    told_ = told[there >= 0]  # [things, THING]
    loss = SIDE * binary_cross_entropy_with_logits(told[..., 0], (there >= 0).to(told))
    order = torch.tensor(
        [[any(n == pair[end] for pair in each.behind) for end in (0, 1)] for each, n in which]
    ).to(told_)
    weight = 1 + PAIRED * order.amax(1, keepdim=True)  # which of two it is, is hard to see
    loss = loss + binary_cross_entropy_with_logits(told_[:, 1:3], order, weight.expand_as(order))
    names = (
        [COLOURS.index(each.colour) if each.colour else NONE for each in found],
        [SHAPES.index(each.shape) for each in found],
        [SIZES.index(each.size) for each in found],
    )
    for logits, name in zip(told_[:, 3:].split(PROPERTIES, 1), names, strict=True):
        wanted = torch.tensor(name, device=logits.device)
        loss = loss + cross_entropy(logits, wanted) / 3  # of those that have a name
    return loss


def looks_loss(told: Answer, batch: Batch, scenes: int) -> Tensor:
    """How far the looks are from what they are to be about, in the first ``scenes`` pictures.

    The first look is for what an answer is found from, the last for what it is about: binary cross
    entropy of how well each cell fits.
    """
    known = batch.taught[:scenes].to(told.fits.device)
    wanted = batch.looks[:scenes].to(told.fits)[known]  # [looks, 256]
    fits = told.fits[:scenes][known].clamp(1e-5, 1 - 1e-5)
    return SIDE * binary_cross_entropy(fits, wanted)


def loss_of(
    model: Ask, rng: Random, easy: Asked, photos: Array, recipe: Recipe, kinds: Sequence[str]
) -> Tensor:
    """One step's: of answers, of what lies where, of which pictures are scenes."""
    given = [scene(rng) for _ in range(recipe.scenes)]
    made = [(drawn(each), asked(each, rng, recipe.questions, kinds)) for each in given]
    made += rng.sample(easy, recipe.easy)
    none = [other(rng, photos) for _ in range(recipe.others)]
    odd = [painted(scene(rng), rng) for _ in range(recipe.paints)]
    pictures, questions = zip(*made, strict=True)
    batch = Batch.made([*pictures, *none, *map(drawn, odd)], questions, given)
    device = model.embed.weight.device
    seen = model.see(batch.pictures.to(device))
    told = model.answer(Seen(*(each[: len(made)] for each in seen)), batch.words.to(device))
    is_scene = torch.zeros(len(made) + len(none), device=device)
    is_scene[: len(made)] = 1
    loss = cross_entropy(told.logits.flatten(0, 1), batch.answers.to(device).flatten())
    loss = loss + recipe.looks * looks_loss(told, batch, len(given))
    taught_ = torch.cat([seen.things[: len(given)], seen.things[-len(odd) :]])
    loss = loss + recipe.things * things_loss(taught_, [*given, *odd])
    known = binary_cross_entropy_with_logits(seen.known[: len(is_scene)], is_scene)
    return loss + recipe.known * known


@torch.no_grad()
def told(model: Ask, some: Asked) -> Iterator[tuple[Question, Array]]:
    """Each question, and the logits of its answers."""
    for first in range(0, len(some), 50):
        pictures, questions = zip(*some[first : first + 50], strict=True)
        batch = Batch.made(pictures, questions)
        logits = model.answer(model.see(batch.pictures), batch.words).logits
        rows = logits[batch.answers != NONE].numpy()
        yield from zip(chain.from_iterable(questions), rows, strict=True)


def right(model: Ask, some: Asked) -> dict[str, float]:
    """Part of the answers that are right, by kind of question."""
    found: dict[str, list[bool]] = {}
    for question, logits in told(model, some):
        correct = ANSWERS[int(logits.argmax())] == question.answer
        found.setdefault(question.kind, []).append(correct)
    return {kind: float(np.mean(found[kind])) for kind in sorted(found)}


def train(trainer: Trainer[Ask], data: Path, recipe: Recipe, minutes: float) -> None:
    """Learn until the minutes are spent."""
    easy = easy_vqa("train")
    easy, dev = easy[:-DEV], easy[-DEV:]
    photos, unseen = photographs(data), photographs(data, "dev", 300)
    held = scenes(400, seed=1)
    none = torch.from_numpy(np.stack([other(Random(n), unseen) for n in range(300)]))
    rng = Random(1000 + trainer.step)
    limit = 60 * minutes

    def losses() -> Iterator[Tensor]:
        while True:
            kinds = SIMPLE if trainer.seconds < recipe.simple * limit else OFTEN
            trainer.model.train()
            yield loss_of(trainer.model, rng, easy, photos, recipe, kinds)

    @torch.no_grad()
    def score() -> dict[str, float]:
        model = trainer.average.cpu()
        seen = torch.from_numpy(np.stack([picture for picture, _ in held[:300]]))
        known = model.see(torch.cat([seen, none])).known.numpy()
        scored = {"AUROC of scenes": auroc(known, np.arange(len(known)) < len(seen))}
        scored |= right(model, held) | right(model, dev)
        model.to(trainer.device)
        return scored

    for _ in trainer.steps(losses(), score, limit):
        pass  # each row is written to log.csv


def main(arguments_: list[str] | None = None) -> None:
    """See the module."""
    given = arguments("ask", __doc__, 120).parse_args(arguments_)
    given.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(
        lambda: Ask(Config()), "ask", given.out, device=given.device, peak=2e-3, average=0.995
    )
    trainer.load()
    train(trainer, given.data, Recipe(), given.minutes)


if __name__ == "__main__":
    main()
