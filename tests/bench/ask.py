"""How well `avtool ask` answers from pictures, beside baselines and a control.

python tests/bench/ask.py DATA [--only scenes,easy,refuse,blind,bag] [--minutes 5]

scenes: drawn scenes by kind of question, held-out combinations of shape and colour, and the
    calibration of how sure it is
easy: easy-VQA's test split
refuse: photographs (Flickr8k's test split in DATA), other drawings, unknown words, things that are
    not there
blind, bag: networks that learn for some minutes of one core from the same questions: one that sees
    no picture, and one whose words have no order, joined to the picture by a product
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, layer_norm

from avtool.metrics.calibration import calibration_error
from avtool.metrics.localization import auroc
from avtool.models import weights
from avtool.models.captioned import read
from avtool.pipelines.ask import pipeline
from avtool.pipelines.ask.model import SIDE, THING, Ask, Seen
from avtool.pipelines.ask.pipeline import Options, looked
from avtool.pipelines.ask.train import ask as recipe
from avtool.pipelines.ask.train.ask import Asked, Batch
from avtool.pipelines.ask.train.pictures import chart, lines, noise, photographs, stripes
from avtool.pipelines.ask.train.questions import KINDS, asked
from avtool.pipelines.ask.train.scenes import HELD, drawn, scene
from avtool.pipelines.ask.values import CANNOT
from avtool.pipelines.ask.words import ANSWERS, NUMBERS, PLURALS, SAME, UNCLEAR
from avtool.values import Array

SEED = 2026
SCENES, EACH = 1000, 20  # scenes, questions about each
ALL = ("scenes", "easy", "refuse", "blind", "bag")
Guess = Callable[[Asked], list[str]]


def answers_of(network: Ask) -> Guess:
    """What is likeliest, refusals among it."""
    return lambda some: [ANSWERS[int(row.argmax())] for _, row in recipe.told(network, some)]


def shuffled(some: Asked) -> Asked:
    """The questions about another picture each."""
    pictures = [picture for picture, _ in some]
    moved = [*pictures[1:], pictures[0]]
    return [(picture, questions) for picture, (_, questions) in zip(moved, some, strict=True)]


def commonest(some: Asked) -> list[str]:
    """The commonest answer of a kind, of those that are asked: who knows no more than the kind."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for _, questions in some:
        for each in questions:
            counts[each.kind][each.answer] += 1
    return [counts[each.kind].most_common(1)[0][0] for _, qs in some for each in qs]


def by_kind(some: Asked, guessed: list[str]) -> dict[str, tuple[float, int]]:
    """Part that is right, and how many, by kind; ``all`` is of those that have an answer."""
    found: dict[str, list[bool]] = defaultdict(list)
    for question, answer in zip(chain.from_iterable(q for _, q in some), guessed, strict=True):
        found[question.kind].append(answer == question.answer)
        if question.answer != UNCLEAR:
            found["all"].append(answer == question.answer)
    return {kind: (float(np.mean(right)), len(right)) for kind, right in found.items()}


def table(some: Asked, ways: Mapping[str, Guess | list[str]]) -> None:
    """Print what is right by kind, a column a way."""
    scored = {
        name: by_kind(some, way if isinstance(way, list) else way(some))
        for name, way in ways.items()
    }
    print(f"{'':16}{'count':>7}" + "".join(f"{name:>18}" for name in scored))
    first = next(iter(scored.values()))
    for kind in [*(kind for kind in (*KINDS, recipe.EASY) if kind in first), "all"]:
        shares = "".join(f"{way[kind][0]:18.1%}" for way in scored.values())
        print(f"{kind:16}{first[kind][1]:7}{shares}")


def held_out(count: int, seed: int) -> Asked:
    """Scenes that hold a combination never shown, with questions that are about one, or name it."""
    rng = Random(seed)
    made: Asked = []
    while len(made) < count:
        one = scene(rng, held=True)
        mine = {n for n, each in enumerate(one.things) if (each.colour, each.shape) in HELD}
        questions = asked(one, rng, EACH, held=True)
        chosen = [each for each in questions if mine & {*(each.about or ()), *(each.from_ or ())}]
        if chosen:
            made.append((drawn(one), chosen))
    return made


def scenes(network: Ask) -> None:
    some = recipe.scenes(SCENES, SEED, questions=EACH)
    print(f"\nscenes, seed {SEED}, {len(some)}")
    guess = answers_of(network)
    ways = {
        "avtool": guess,
        "commonest": commonest,
        "pictures shuffled": lambda s: guess(shuffled(s)),
    }
    table(some, ways)
    some = held_out(SCENES // 2, SEED + 1)
    print(f"\nheld-out combinations, seed {SEED + 1}, {len(some)} scenes")
    table(some, ways)
    told = list(recipe.told(network, recipe.scenes(SCENES // 2, SEED + 2, questions=EACH)))
    logits = torch.tensor(np.stack([row for _, row in told]))
    true = torch.tensor([recipe.ANSWER[question.answer] for question, _ in told])
    scales = np.linspace(0.5, 3, 51)
    fitted = min(scales, key=lambda t: float(cross_entropy(logits / float(t), true)))
    print(f"temperature, fitted on other {SCENES // 2} scenes, seed {SEED + 2}: {fitted:.2f}")
    told = list(recipe.told(network, recipe.scenes(SCENES, SEED, questions=EACH)))
    for scale in (1.0, pipeline.TEMPERATURE):
        sure = torch.tensor(np.stack([row for _, row in told])).div(scale).softmax(-1)
        best, which = (each.numpy() for each in sure.max(-1))
        right = np.array([ANSWERS[n] == q.answer for n, (q, _) in zip(which, told, strict=True)])
        print(f"calibration error at temperature {scale:.2f}: {calibration_error(best, right):.4f}")
    for least in (0.5, 0.8, 0.9):
        print(
            f"  told where {least:.0%} sure: {(best >= least).mean():.1%}, of them right "
            f"{right[best >= least].mean():.1%}"
        )


def easy(network: Ask) -> None:
    some = recipe.easy_vqa("test")
    print(f"\neasy-VQA, test split, {len(some)} pictures")
    guess = answers_of(network)
    table(
        some,
        {
            "avtool": guess,
            "commonest": commonest,
            "pictures shuffled": lambda s: guess(shuffled(s)),
        },
    )


def refuse(network: Ask, data: Path) -> None:
    drawn_ = recipe.scenes(1000, SEED + 3, questions=6)
    photos = photographs(data, "test", 1000)
    rng = Random(SEED)
    plain = [make(rng) for make in (noise, lines, stripes, chart) for _ in range(200)]
    known = {
        "scenes": logits_of(network, [picture for picture, _ in drawn_]),
        "easy-VQA": logits_of(network, [picture for picture, _ in recipe.easy_vqa("test")]),
        "photographs": logits_of(network, [pipeline.squared(photo) for photo in photos]),
        "noise, lines, charts": logits_of(network, plain),
    }
    print(f"\nrefusals, seed {SEED}")
    for name, logits in known.items():
        taken = (logits >= pipeline.DRAWN).mean()
        print(f"  {name:24}{len(logits):6} pictures, taken for scenes {taken:7.2%}")
        if name not in ("scenes", "easy-VQA"):
            both = np.concatenate([known["scenes"], logits])
            area = auroc(both, np.arange(len(both)) < len(known["scenes"]))
            print(f"  {'':24}       AUROC beside scenes {area:.4f}")
    questions = list(chain.from_iterable(q for _, q in drawn_))
    told = [
        looked(picture, Options(each.text), network) for picture, some in drawn_ for each in some
    ]
    unclear = [
        r.answer == CANNOT for r, q in zip(told, questions, strict=True) if q.answer == UNCLEAR
    ]
    clear = [
        r.answer == CANNOT for r, q in zip(told, questions, strict=True) if q.answer != UNCLEAR
    ]
    print(f"  what is not there, or twice: refused {np.mean(unclear):.1%} of {len(unclear)}")
    print(f"  what can be answered: refused {np.mean(clear):.1%} of {len(clear)}")
    own = {*NUMBERS, *SAME, *PLURALS}
    said = {w for some in read(data).sentences[:500] for each in some for w in each}
    strange = sorted(w for w in said if len(w) > 4 and not {w, w.removesuffix("s")} & own)
    refused = []
    for (picture, _), each in zip(drawn_, rng.choices(questions, k=len(drawn_)), strict=True):
        words = each.text.split()
        words[rng.randrange(len(words))] = rng.choice(strange)
        refused.append(looked(picture, Options(" ".join(words)), network).answer == CANNOT)
    print(
        f"  a word of another field in a question: refused {np.mean(refused):.1%} of {len(refused)}"
    )


@torch.no_grad()
def logits_of(network: Ask, pictures: list[Array]) -> Array:
    """How much each picture is a scene."""
    given = torch.from_numpy(np.stack(pictures)).split(100)
    return torch.cat([network.see(each).known for each in given]).numpy()


class Blind(nn.Module):
    """The network itself, whose cells are always empty."""

    def __init__(self, network: Ask) -> None:
        super().__init__()
        self.network = Ask(network.config)

    def forward(self, batch: Batch) -> Tensor:
        count = len(batch.words)
        empty = Seen(torch.zeros(count, SIDE**2, THING), torch.zeros(count))
        return self.network.answer(empty, batch.words).logits


class Bag(nn.Module):
    """Words without their order times the picture as one vector, and a perceptron.

    The picture's vector is the mean and the peak of the cells of the network that was trained.
    """

    def __init__(self, network: Ask) -> None:
        super().__init__()
        width = network.config.width
        self.eyes = [network]  # not learned here
        self.words = nn.Embedding(network.config.words, 2 * width, 0)
        self.picture = nn.Linear(2 * width, 2 * width)
        self.tell = nn.Sequential(
            nn.Linear(2 * width, 2 * width), nn.ReLU(), nn.Linear(2 * width, len(ANSWERS))
        )

    def forward(self, batch: Batch) -> Tensor:
        with torch.no_grad():
            cells = self.eyes[0].cells(batch.pictures)
            whole = torch.cat([cells.mean(1), cells.amax(1)], 1)
            whole = layer_norm(whole, whole.shape[1:])
        joined = self.words(batch.words).sum(2).tanh() * self.picture(whole)[:, None].tanh()
        return self.tell(joined)


def learned(model: nn.Module, minutes: float) -> Guess:
    """Train on questions as the recipe draws them, and guess."""
    rng, easy_ = Random(SEED), recipe.easy_vqa("train")
    optimiser = torch.optim.AdamW(model.parameters(), 2e-3)
    until, steps = time.process_time() + 60 * minutes, 0
    chosen = recipe.Recipe()
    while (left := until - time.process_time()) > 0:
        given = [scene(rng) for _ in range(chosen.scenes)]
        made = [(drawn(each), asked(each, rng, chosen.questions)) for each in given]
        made += rng.sample(easy_, chosen.easy)
        pictures, questions = zip(*made, strict=True)
        batch = Batch.made(pictures, questions)
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1.0, left / (30 * minutes))
        loss = cross_entropy(model(batch).flatten(0, 1), batch.answers.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        steps += 1
    print(f"  {type(model).__name__}: {steps} steps, {minutes:g} minutes of processor time")
    model.eval()

    @torch.no_grad()
    def guess(some: Asked) -> list[str]:
        found: list[str] = []
        for first in range(0, len(some), 50):
            pictures, questions = zip(*some[first : first + 50], strict=True)
            batch = Batch.made(pictures, questions)
            rows = model(batch)[batch.answers != recipe.NONE]
            found += [ANSWERS[int(n)] for n in rows.argmax(-1)]
        return found

    return guess


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default=",".join(ALL))
    parser.add_argument("--weights")
    parser.add_argument("--minutes", type=float, default=5)
    given = parser.parse_args()
    torch.manual_seed(SEED)
    network = weights.load(Ask, given.weights)
    for name in given.only.split(","):
        if name in ("blind", "bag"):
            model = Blind(network) if name == "blind" else Bag(network)
            print(f"\n{name}, seed {SEED}")
            guess = learned(model, given.minutes)
            table(recipe.scenes(SCENES, SEED, questions=EACH), {name: guess})
            table(recipe.easy_vqa("test"), {name: guess})
        elif name == "scenes":
            scenes(network)
        elif name == "easy":
            easy(network)
        elif name == "refuse":
            refuse(network, given.data)
        else:
            parser.error(f"--only {name}: it is {', '.join(ALL)}")


if __name__ == "__main__":
    main()
