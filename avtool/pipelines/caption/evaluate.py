"""How near the sentences come to those that people wrote."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from avtool import media
from avtool.cli.terminal import say
from avtool.errors import InputError
from avtool.media.image import read_picture
from avtool.metrics.captions import Words, bleu, cider, meteor
from avtool.models import captioned
from avtool.pipelines.caption import pipeline
from avtool.pipelines.caption.pipeline import Options
from avtool.values import Array

OWN = "avtool"
COMMON = "the most frequent sentence"
NEAREST = "the nearest other picture's"
SHUFFLED = "another picture's (control)"


def report(data: str, *, beam: int, decoder: str, weights: str | None, as_json: bool) -> None:
    """Measure `avtool caption` on pictures with sentences; prints a table.

    Raises:
        InputError: there are none. MediaError: a picture cannot be read.
    """
    options = Options(beam, 1, decoder=decoder, weights=weights)
    names, references = read(Path(data))
    models = pipeline.load(options)
    told: list[Words] = []
    vectors = []
    for name in names:
        picture = read_picture(Path(data) / "images" / name, pipeline.LARGEST)
        vectors.append(pipeline.looked(models.backbone, picture).vector[0].numpy())
        clip = media.still(name, picture)
        told.append(pipeline.run(clip, options, models=models).captions.seen[0].sentences[0].words)
    table = scores(told, references, np.stack(vectors))
    if as_json:
        say.data(json.dumps({"pictures": len(names), **table}))
        return
    say.data(f"{len(names)} pictures, {sum(map(len, references))} sentences of people")
    heads = list(table[OWN])
    say.data(" " * 30 + "".join(f"{head:>9}" for head in heads))
    for way, row in table.items():
        say.data(f"{way:30}" + "".join(f"{row[head]:9.1f}" for head in heads))


def read(folder: Path) -> tuple[list[str], list[list[list[str]]]]:
    """Names of the pictures, and all sentences of each: of the split test where there is one.

    Raises:
        InputError: there is no ``captions.tsv`` in the folder, or too little in it.
    """
    every = captioned.read(folder)
    chosen = every.of("test") or range(len(every.names))
    if len(chosen) < 2:
        raise InputError(f"{folder}: has {len(chosen)} pictures; two or more can be measured")
    return [every.names[n] for n in chosen], [every.sentences[n] for n in chosen]


def scores(
    told: Sequence[Words], references: Sequence[Sequence[Words]], vectors: Array
) -> dict[str, dict[str, float]]:
    """Every score in percent, of what was told, of two baselines and of a control.

    Shape:
        vectors: [pictures, 1280], what is seen on each
    """
    count = len(told)
    long = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    near = long @ long.T
    np.fill_diagonal(near, -1)
    usual = Counter(tuple(sentence) for true in references for sentence in true)
    ways: dict[str, Sequence[Words]] = {
        OWN: told,
        NEAREST: [references[n][0] for n in near.argmax(1)],
        COMMON: [usual.most_common(1)[0][0]] * count,
        SHUFFLED: [*told[1:], told[0]],
    }
    return {way: scored(each, references) for way, each in ways.items()}


def scored(told: Sequence[Words], references: Sequence[Sequence[Words]]) -> dict[str, float]:
    """Every score in percent."""
    row = {f"BLEU-{n}": value for n, value in enumerate(bleu(told, references), 1)}
    row |= {"METEOR": meteor(told, references), "CIDEr": cider(told, references)}
    return {head: round(100 * value, 1) for head, value in row.items()}
