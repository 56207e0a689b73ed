"""How well words find pictures, and pictures words, where it is known which belong together."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor

from avtool.cli.terminal import say
from avtool.errors import InputError
from avtool.metrics.calibration import calibration_of_all
from avtool.metrics.retrieval import retrieval_of_many
from avtool.models.backbone import Look
from avtool.models.captioned import Captioned, looks, read
from avtool.models.vocabulary import EMPTY
from avtool.pipelines.search import pipeline
from avtool.pipelines.search.model import Joint
from avtool.pipelines.search.pipeline import Models
from avtool.values import Array

RANKS = (1, 5, 10)
# For --minus and --plus: what is taken away, and what is added.
SWAPS = (
    *(("man", "woman"), ("boy", "girl"), ("dog", "child"), ("snow", "grass"), ("grass", "snow")),
    *(("water", "snow"), ("beach", "street"), ("red", "blue"), ("running", "jumping")),
    *(("bike", "skateboard"), ("child", "dog"), ("soccer", "basketball")),
)


def report(folder: str, *, split: str, weights: str | None, as_json: bool) -> None:
    """Measure `avtool search` and `avtool tag` on a folder; prints tables.

    Raises:
        InputError: the folder has no captions.tsv, or no picture of the split.
    """
    captioned = read(Path(folder))
    chosen = captioned.of(split)
    if len(chosen) < 2 * RANKS[-1]:
        raise InputError(f"{folder}: has {len(chosen)} pictures of the split {split}; 20 are few")
    few = Captioned(
        captioned.folder,
        [captioned.names[n] for n in chosen],
        [split] * len(chosen),
        [captioned.sentences[n] for n in chosen],
    )
    models = pipeline.load(weights)
    with tempfile.TemporaryDirectory() as place:
        seen = looks(few, Path(place), views=1)
        grid = torch.from_numpy(np.array(seen.grid[:, 0])).float()
        vector = torch.from_numpy(np.array(seen.vector[:, 0])).float()
        kinds = torch.from_numpy(np.array(seen.kinds[:, 0])).float()
    facts = measured(few, Look(grid, vector, kinds), models)
    if as_json:
        say.data(json.dumps({"pictures": len(chosen), **facts}))
        return
    sentences = sum(map(len, few.sentences))
    say.data(f"{len(chosen)} pictures, {sentences} sentences")
    say.data(f"{'recall in %, at':36}" + "".join(f"{k:>6}" for k in (*RANKS, *RANKS)))
    say.data(f"{'':36}{'text to image':>18}{'image to text':>18}")
    for way, row in facts["recall"].items():
        say.data(f"{way:36}" + "".join(f"{100 * each:6.1f}" for each in row))
    say.data("")
    for name, value in facts["tags"].items():
        say.data(f"tags: {name:30}{value:6.3f}")
    for name, value in facts["swaps"].items():
        say.data(f"--minus, --plus: {name:40}{100 * value:5.1f} %")


@torch.inference_mode()
def measured(captioned: Captioned, look: Look, models: Models) -> dict[str, dict[str, Any]]:
    """Recall of the joint embedding, beside open words, its tags word by word, chance, and the
    control of pictures in another order; mean average precision and calibration of the tags;
    swapped words.
    """
    joint = models.joint
    places = joint.pictures(look.grid, look.vector)
    every = [words for each in captioned.sentences for words in each]
    owner = np.repeat(np.arange(len(places)), [len(each) for each in captioned.sentences])
    numbers = [joint.vocabulary.numbers(words) for words in every]
    said = torch.cat([joint.sentences(numbers[n : n + 250]) for n in range(0, len(numbers), 250)])
    likeness = (said @ places.T).numpy()
    config = joint.config
    odds = joint.tags(look.vector, places) * config.slope + config.offset
    chance = odds.sigmoid().numpy()
    told = {word: n for n, word in enumerate(config.told)}
    mentioned = np.zeros((len(every), len(told)), np.float32)
    for n, words in enumerate(every):
        mentioned[n, [told[word] for word in words if word in told]] = 1
    by_tags = mentioned @ np.log(chance + 1e-6).T
    nowhere = torch.zeros(models.open.config.size)
    open_ = [models.open.said([w for w in words if w not in EMPTY]) for words in every]
    by_kinds = (
        torch.stack([nowhere if place is None else place for place in open_])
        @ models.open.places(look.kinds).T
    ).numpy()
    order = np.random.default_rng(0).permutation(len(places))
    drawn = np.random.default_rng(1).random(likeness.shape)
    recall = {
        "avtool": retrieval_of_many(likeness, owner),
        "its tags, word by word": retrieval_of_many(by_tags, owner),
        "open words alone (ConSE)": retrieval_of_many(by_kinds, owner),
        "chance": retrieval_of_many(drawn, owner),
        "control: pictures in another order": retrieval_of_many(likeness[:, order], owner),
    }
    true = np.zeros_like(chance, bool)
    np.maximum.at(true, owner, mentioned > 0)
    there = np.flatnonzero(true.any(0))
    precision = np.mean([average_precision_score(true[:, n], chance[:, n]) for n in there])
    tags = {
        "mean average precision": float(precision),
        "the same by chance": float(true.mean(0).mean()),
        "calibration error": calibration_of_all(chance, true),
        "words told, a picture": float((chance >= 0.5).sum(1).mean()),
        "of them right": float(true[chance >= 0.5].sum() / max(1, (chance >= 0.5).sum())),
    }
    return {"recall": recall, "tags": tags, "swaps": swaps(places, true, told, joint)}


def swaps(places: Tensor, true: Array, told: dict[str, int], joint: Joint) -> dict[str, float]:
    """Of the ten pictures nearest to one that shows A, minus A, plus B: how many have B in a
    sentence. Beside: without the change, and any picture.
    """
    rows: dict[str, list[float]] = {}
    for minus, plus in SWAPS:
        if minus not in told or plus not in told:
            continue
        a, b = true[:, told[minus]], true[:, told[plus]]
        away, there = joint.sentences([joint.vocabulary.numbers([w]) for w in (minus, plus)])
        for n in np.flatnonzero(a & ~b):
            for name, query in (
                ("pictures of the ten that have the new word", places[n] - away + there),
                ("the same without the change", places[n]),
            ):
                likeness = (places @ query).numpy()
                likeness[n] = -np.inf
                rows.setdefault(name, []).append(b[np.argsort(-likeness)[: RANKS[-1]]].mean())
            rows.setdefault("any picture", []).append(b.mean())
    return {name: float(np.mean(each)) for name, each in rows.items()}
