"""The recipe of doubt, and of the file that ships: what the decoders learned, and what they know.

``python -m avtool.pipelines.caption.train.doubt --data FOLDER --weights FILE --outside FOLDER
--out FOLDER``

FILE is what ``train.caption`` wrote. The pictures of the split dev are of what it knows, those of
the folders ``--outside`` (drawings, diagrams, rooms) are not; a logistic regression tells them
apart by ``doubt.signs``, both sides counting alike, and each folder as much as another. Writes
``caption.safetensors`` in half precision.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from avtool.errors import InputError
from avtool.media.image import SUFFIXES, read_picture
from avtool.models import captioned, weights
from avtool.models.backbone import Look, Seen
from avtool.models.captioned import Captioned, Looks
from avtool.pipelines.caption.beam import beam
from avtool.pipelines.caption.doubt import signs
from avtool.pipelines.caption.model import Caption
from avtool.pipelines.caption.pipeline import looked
from avtool.values import Array

LARGEST = (1000, 1000)  # pixels of a picture that is read
BATCH = 50


def directions(model: Caption, vectors: Tensor) -> None:
    """Where the pictures lie that were learned from: their mean, and how they differ most."""
    mean = vectors.mean(0)
    _, values, vectors_ = torch.linalg.svd(vectors - mean, full_matrices=False)
    count = model.config.doubt
    model.mean.copy_(mean)
    model.known.copy_(vectors_[:count])
    model.spread.copy_(values[:count] / len(vectors) ** 0.5)


def signs_of(model: Caption, look: Look) -> Tensor:
    """The signs of many pictures, [pictures, doubt + 4]."""
    rows = []
    for first in range(0, len(look.vector), BATCH):
        part = Look(*(each[first : first + BATCH] for each in look))
        rows.append(signs(model, part, beam(model, part, ("attend",))))
    return torch.cat(rows)


def fit(model: Caption, inside: Tensor, outside: Sequence[Tensor]) -> None:
    """The line through the signs that tells both sides apart."""
    from sklearn.linear_model import LogisticRegression

    x = torch.cat([inside, *outside]).numpy()
    y = np.repeat([1, 0], [len(inside), len(x) - len(inside)])
    parts = [(len(inside), 0.5), *((len(each), 0.5 / len(outside)) for each in outside)]
    weight = np.concatenate([np.full(count, len(x) * share / count) for count, share in parts])
    mean, scale = x.mean(0), x.std(0)
    line = LogisticRegression(C=0.03, max_iter=1000).fit((x - mean) / scale, y, weight)
    slope = line.coef_[0] / scale
    bias = line.intercept_[0] - (slope * mean).sum()
    model.doubt.copy_(torch.tensor([*slope, bias], dtype=torch.float32))


def looks_of(data: Captioned, looks: Looks, split: str) -> Look:
    """What is seen on the whole pictures of a split."""
    rows = np.array(data.of(split))
    return Look(*(torch.from_numpy(getattr(looks, n)[rows, 0]).float() for n in Look._fields))


def looks_at(paths: list[Path], backbone: Seen) -> Look:
    """What is seen on pictures in files."""
    seen = [looked(backbone, read_picture(path, LARGEST)) for path in paths]
    return Look(*(torch.cat(each) for each in zip(*seen, strict=True)))


def pictures(folder: Path) -> list[Path]:
    """The pictures of a folder and below it, in an order that chance gave, always the same.

    Raises:
        InputError: there are fewer than 20.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if len(found) < 20:
        raise InputError(f"{folder}: has {len(found)} pictures; doubt is learned from 20 or more")
    order: Array = np.random.default_rng(0).permutation(len(found))
    return [found[n] for n in order]


def main(arguments: list[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        prog="avtool.pipelines.caption.train.doubt", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument("--looks", type=Path, help="what is seen on the pictures [OUT/looks]")
    parser.add_argument("--weights", type=Path, required=True, help="what train.caption wrote")
    parser.add_argument(
        "--outside", type=Path, required=True, nargs="+", help="folders of other pictures"
    )
    parser.add_argument("--most", type=int, default=500, help="pictures of each that are taken")
    parser.add_argument("--out", type=Path, required=True, help="folder of caption.safetensors")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    data = captioned.read(given.data)
    looks = captioned.looks(data, given.looks or given.out / "looks")
    model = weights.load(Caption, given.weights)
    directions(model, looks_of(data, looks, "train").vector)
    backbone = Seen.pretrained()
    others = [looks_at(pictures(each)[: given.most], backbone) for each in given.outside]
    inside = signs_of(model, looks_of(data, looks, "dev"))
    fit(model, inside, [signs_of(model, each) for each in others])
    tensors = {key: value.half().contiguous() for key, value in model.state_dict().items()}
    save_file(
        tensors, given.out / "caption.safetensors", {"config": json.dumps(asdict(model.config))}
    )


if __name__ == "__main__":
    main()
