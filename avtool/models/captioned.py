"""Pictures with sentences that say what is on them, and what the backbone sees on each.

A folder holds ``captions.tsv`` (columns image, split, caption: one row a sentence; splits train,
dev, test) and its pictures in ``images``, as Flickr8k has them (Hodosh, Young & Hockenmaier,
"Framing image description as a ranking task", 2013). The backbone is frozen, so each picture is
looked at once, also mirrored and cropped, and packed.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from avtool.errors import InputError
from avtool.models.backbone import SIZE, Look, Seen
from avtool.models.vocabulary import words
from avtool.values import Array

VIEWS = 4  # of a picture: whole, mirrored, a part, a mirrored part
PART = 0.8  # width and height of a part
BATCH = 8  # views at once; more do not fit a core's cache


@dataclass(frozen=True, eq=False)
class Captioned:
    """Pictures, the split each belongs to, and its sentences as words."""

    folder: Path
    names: list[str]
    split: list[str]
    sentences: list[list[list[str]]]

    def of(self, split: str) -> list[int]:
        """The numbers of a split's pictures."""
        return [n for n, each in enumerate(self.split) if each == split]


def read(data: Path) -> Captioned:
    """A folder's pictures and sentences.

    Raises:
        InputError: it has no ``captions.tsv``, or one without these columns.
    """
    folder = data / "flickr8k" if (data / "flickr8k").exists() else data
    path = folder / "captions.tsv"
    if not path.exists():
        raise InputError(f"{path}: is missing; columns image, split, caption, pictures in images/")
    found: dict[str, tuple[str, list[list[str]]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if not {"image", "caption"} <= set(rows.fieldnames or ()):
            raise InputError(f"{path}: its columns are not image, split, caption")
        for row in rows:
            split = row.get("split") or ""
            found.setdefault(row["image"], (split, []))[1].append(words(row["caption"]))
    if not found:
        raise InputError(f"{path}: has no sentences")
    splits, sentences = zip(*found.values(), strict=True)
    return Captioned(folder, list(found), list(splits), list(sentences))


@dataclass(frozen=True, eq=False)
class Looks:
    """What is seen on each picture, in each view.

    Shape:
        grid: float16 [pictures, VIEWS, 49, 320]; vector: float16 [pictures, VIEWS, 1280]; kinds:
        float16 [pictures, VIEWS, 1000]; from the disk as they are asked for
    """

    grid: Array
    vector: Array
    kinds: Array


def looks(captioned: Captioned, out: Path, views: int = VIEWS) -> Looks:
    """What ``out`` holds, or is given now: every picture is looked at once, in so many views."""
    if not (out / "kinds.npy").exists():
        _pack(captioned, out, views)
    return Looks(*(np.load(out / f"{name}.npy", mmap_mode="r") for name in Look._fields))


def _pack(captioned: Captioned, out: Path, views: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    network, count = Seen.pretrained(), len(captioned.names)
    sizes = {"grid": (49, 320), "vector": (1280,), "kinds": (1000,)}
    files = {
        name: np.lib.format.open_memmap(
            out / f"{name}.part.npy", "w+", np.float16, (count, views, *size)
        )
        for name, size in sizes.items()
    }
    for first in range(0, count, BATCH // views):
        names = captioned.names[first : first + BATCH // views]
        images = [_views(captioned.folder / "images" / name, name, views) for name in names]
        seen = network.look(torch.from_numpy(np.concatenate(images)))
        for name, file in files.items():
            rows = getattr(seen, name).unflatten(0, (-1, views))
            file[first : first + len(names)] = rows.half().numpy()
    for name, file in files.items():
        file.flush()
        (out / f"{name}.part.npy").replace(out / f"{name}.npy")


def _views(path: Path, name: str, count: int = VIEWS) -> Array:
    """Uint8 RGB [count, 224, 224, 3]; which part is seen follows from the picture's name."""
    rng = np.random.default_rng(list(name.encode()))
    with Image.open(path) as file:
        image = file.convert("RGB")
    views = []
    for n in range(count):
        share = 1.0 if n < VIEWS // 2 else PART
        x, y = (rng.uniform(0, 1 - share) * side for side in image.size)
        box = (x, y, x + share * image.width, y + share * image.height)
        view = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box))
        views.append(view[:, ::-1] if n % 2 else view)
    return np.stack(views)
