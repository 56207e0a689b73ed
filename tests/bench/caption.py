"""How near `avtool caption` comes to what people say, beside baselines and controls.

python tests/bench/caption.py DATA [--looks FOLDER] [--only choose,sentences,doubt,cost]
    [--outside NAME=FOLDER,...] [--weights FILE]

choose: decoders, beams and how length counts, on the split dev, from which the defaults were taken
sentences: the split test of Flickr8k, once
doubt: whether pictures of another kind (--outside) are told from those of the split test
cost: seconds a picture
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from avtool import media
from avtool.media.image import SUFFIXES
from avtool.metrics.calibration import calibration_error
from avtool.metrics.captions import Words, bleu, cider
from avtool.models import captioned
from avtool.models.backbone import Look, Seen
from avtool.models.captioned import Captioned, Looks
from avtool.models.weights import load
from avtool.pipelines.caption import pipeline
from avtool.pipelines.caption.beam import POWER, Said, beam
from avtool.pipelines.caption.doubt import UNSURE, known, signs
from avtool.pipelines.caption.evaluate import scored
from avtool.pipelines.caption.model import Caption
from avtool.pipelines.caption.pipeline import DECODERS, Options
from avtool.pipelines.caption.train.doubt import BATCH, looks_at, looks_of
from avtool.values import Array

SIGNS = ("far within", "far beside", "unsure of kinds", "unsure of words")


def said_of(model: Caption, look: Look, decoder: str, width: int, power: float = POWER) -> Said:
    """Of many pictures, a batch at a time, the best sentence of each alone."""
    parts = []
    for first in range(0, len(look.vector), BATCH):
        part = Look(*(each[first : first + BATCH] for each in look))
        found = beam(model, part, DECODERS[decoder], width=width, power=power)
        fill = 23 - found.words.shape[2]
        parts.append(
            [
                torch.nn.functional.pad(each[:, :1], (0, fill))
                for each in (found.words, found.likely)
            ]
        )
    return Said(*(torch.cat(each) for each in zip(*parts, strict=True)), None)


def text(model: Caption, said: Said) -> list[list[str]]:
    vocabulary = model.vocabulary()
    return [[vocabulary[n] for n in row if n > 3] for row in said.words[:, 0].tolist()]


def choose(model: Caption, data: Captioned, looks: Looks) -> None:
    """On dev: every decoder with some beams and powers."""
    look, true = looks_of(data, looks, "dev"), [data.sentences[n] for n in data.of("dev")]
    for decoder in DECODERS:
        for width, power in ((1, 1.0), (3, 0.8), (4, 0.6), (4, 0.8), (4, 1.0), (6, 0.8)):
            told = text(model, said_of(model, look, decoder, width, power))
            row = "".join(f"{100 * each:7.1f}" for each in (*bleu(told, true), cider(told, true)))
            print(f"{decoder:8} beam {width} power {power}: {row}", flush=True)


def sentences(model: Caption, data: Captioned, looks: Looks, width: int) -> None:
    """On test: the decoders, two baselines, people, and a control."""
    look, rows = looks_of(data, looks, "test"), data.of("test")
    true = [data.sentences[n] for n in rows]
    table: dict[str, dict[str, float]] = {}
    for decoder in DECODERS:
        told = text(model, said_of(model, look, decoder, width))
        table[decoder] = scored(told, true)
        if decoder == "attend":
            table["attend, pictures shuffled"] = scored([*told[1:], told[0]], true)
            kinds = Counter(" ".join(each) for each in told)
            print(f"{len(kinds)} different sentences; most frequent: {kinds.most_common(3)}")
    learned = data.of("train")
    table["nearest training picture's"] = scored(_nearest(looks, learned, rows, data), true)
    usual = Counter(tuple(each) for n in learned for each in data.sentences[n]).most_common(1)
    table["most frequent training sentence"] = scored([usual[0][0]] * len(rows), true)
    table["a person, by the other four"] = scored(
        [each[0] for each in true], [each[1:] for each in true]
    )
    four = scored(text(model, said_of(model, look, "attend", width)), [each[1:] for each in true])
    table["attend, by the same four"] = four
    for way, row in table.items():
        print(f"{way:34}" + "".join(f"{name:>8} {row[name]:5.1f}" for name in row))


def _nearest(looks: Looks, learned: list[int], rows: list[int], data: Captioned) -> list[Words]:
    """The first sentence of the training picture whose vector has the smallest angle."""
    a, b = (looks.vector[each, 0].astype(np.float32) for each in (rows, learned))
    a, b = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (a, b))
    return [data.sentences[learned[n]][0] for n in (a @ b.T).argmax(1)]


def doubts(model: Caption, data: Captioned, looks: Looks, outside: dict[str, Path]) -> None:
    """AUROC of each kind of other pictures against the split test, and how often it doubts."""
    look = looks_of(data, looks, "test")
    said = said_of(model, look, "attend", 4)
    inside, own = known(model, look, said).numpy(), signs(model, look, said).numpy()
    print(f"test: known {inside.mean():.3f}, doubted {100 * (inside < UNSURE).mean():.1f} %")
    backbone, every = Seen.pretrained(), []
    for name, folder in outside.items():
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        there = looks_at(paths, backbone)
        said_there = said_of(model, there, "attend", 4)
        far, theirs = (
            known(model, there, said_there).numpy(),
            signs(model, there, said_there).numpy(),
        )
        truth = np.repeat([1, 0], [len(inside), len(far)])
        alone = ", ".join(
            f"{sign} {_auroc(-own[:, n - 4], -theirs[:, n - 4]):.3f}"
            for n, sign in enumerate(SIGNS)
        )
        print(
            f"{name}: {len(far)} pictures, AUROC {_auroc(inside, far):.3f} ({alone}), "
            f"doubted {100 * (far < UNSURE).mean():.1f} %",
            flush=True,
        )
        every.append(far)
        both = np.concatenate([inside, far])
        weight = f"{calibration_error(both, truth):.3f}" if len(far) > 99 else "-"
        print(f"  calibration error {weight}")
    vectors = _auroc(inside, np.concatenate(every))
    print(f"all: AUROC {vectors:.3f}")


def _auroc(inside: Array, outside: Array) -> float:
    truth = np.repeat([1, 0], [len(inside), len(outside)])
    return float(roc_auc_score(truth, np.concatenate([inside, outside])))


def cost() -> None:
    """Of a photo of 640 x 480 noise, one thread."""
    torch.set_num_threads(1)
    models = pipeline.load()
    picture = np.random.default_rng(0).integers(0, 255, (480, 640, 3)).astype(np.uint8)
    for decoder in DECODERS:
        spent = []
        for _ in range(8):
            began = time.process_time()
            pipeline.run(media.still("noise", picture), Options(decoder=decoder), models=models)
            spent.append(time.process_time() - began)
        print(f"{decoder}: {np.median(spent):.3f} s of one core a picture")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--looks", type=Path, default=Path("looks"))
    parser.add_argument("--only", default="sentences,doubt,cost")
    parser.add_argument("--outside", default="")
    parser.add_argument("--beam", type=int, default=Options().beam)
    parser.add_argument("--weights", type=Path)
    given = parser.parse_args()
    data = captioned.read(given.data)
    looks = captioned.looks(data, given.looks)
    model = load(Caption, given.weights)
    wanted = given.only.split(",")
    if "choose" in wanted:
        choose(model, data, looks)
    if "sentences" in wanted:
        sentences(model, data, looks, given.beam)
    if "doubt" in wanted:
        pairs = (each.partition("=") for each in given.outside.split(",") if each)
        doubts(model, data, looks, {name: Path(folder) for name, _, folder in pairs})
    if "cost" in wanted:
        cost()


if __name__ == "__main__":
    main()
