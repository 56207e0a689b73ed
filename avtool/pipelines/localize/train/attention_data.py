"""Pictures with the sound around them, out of a folder of clips, packed once for the localizer."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from avtool import media
from avtool.errors import AvtoolError, InputError
from avtool.media import Spec
from avtool.metrics.localization import truth_map
from avtool.models.backbone import CHANNELS, MIDDLE, SIZE
from avtool.pipelines.localize.attention_model import HOP_SAMPLES, MELS, RATE, SECONDS, log_mel
from avtool.pipelines.localize.boxes import Boxes
from avtool.values import Array

LOOKS = 4  # a second; one is kept, as at lower rates a picture may be half a step late
PACKED = 60 << 20  # bytes, the aim
FEWEST = 4  # clips

Cells = Callable[[Tensor], Tensor]  # uint8 [batch, 224, 224, 3] -> [batch, channels, h, w]


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures with the sound around them, clip by clip.

    Shape:
        grid: float16 [n, channels, h, w]; mel: float16 [n, mels, frames]; clip: int [n], rising;
        boxes: one [k, 4] within 0 and 1 for each marked picture, by its number.
    """

    grid: Array
    mel: Array
    clip: Array
    boxes: dict[int, Array]
    agree: int = 1

    def part(self, clips: Array) -> Pictures:
        """The pictures of these clips."""
        kept = np.flatnonzero(np.isin(self.clip, clips))
        boxes = {n: self.boxes[k] for n, k in enumerate(kept.tolist()) if k in self.boxes}
        return Pictures(self.grid[kept], self.mel[kept], self.clip[kept], boxes, self.agree)

    def truth(self, picture: int) -> Array:
        """Where its source is, float64 [224, 224]."""
        return truth_map(self.boxes[picture] * SIZE, SIZE, SIZE, self.agree)

    def truths(self) -> tuple[Array, Array]:
        """The truths on the grid, float32 [n, h, w] of sum 1, unmarked 0; which have one, [n]."""
        height, width = self.grid.shape[2:]
        found = np.zeros((len(self.grid), height, width), np.float32)
        for picture in self.boxes:
            blocks = self.truth(picture).reshape(height, SIZE // height, width, SIZE // width)
            found[picture] = blocks.mean((1, 3))
        total = found.sum((1, 2))
        found[total > 0] /= total[total > 0, None, None]
        return found, total > 0


def pack(data: Path, out: Path, boxes: Boxes | None, cells: Cells, blocks: int = MIDDLE) -> None:
    """Write pictures' cells and sounds of a folder of clips to one file, no pickle.

    Beside it ``clips.csv`` says of every file how many pictures were taken, or why none. So many
    are taken of each clip as the file's aim of 60 MiB has room for, one at least; the boxes belong
    to the one in the middle.

    Raises:
        InputError: the folder has fewer than four clips with pictures and sound.
    """
    paths = [path for path in sorted(data.rglob("*")) if path.is_file()]
    size = 2 * (MELS * SECONDS * RATE // HOP_SAMPLES + CHANNELS[blocks] * _side(blocks) ** 2)
    most = max(1, PACKED // size // max(1, len(paths)))
    grids, mels, report = [], [], []
    names: list[str] = []
    clip: list[int] = []  # of each picture
    marked: dict[int, Array] = {}
    for path in paths:
        name = path.relative_to(data).as_posix()
        try:
            opened = media.open(path)
            images, sounds, middle = _looks(opened, most)
        except AvtoolError as error:
            report.append((name, 0, str(error)))
            continue
        video = opened.info.video[0]
        own = None if boxes is None else boxes.relative(name, video.width, video.height)
        if own is not None:
            marked[len(clip) + middle] = own
        for some in np.array_split(np.arange(len(images)), -(-len(images) // 16)):
            grids.append(cells(torch.from_numpy(images[some])).cpu().numpy().astype(np.float16))
            mels.append(log_mel(torch.from_numpy(sounds[some])).numpy().astype(np.float16))
        clip += [len(names)] * len(images)
        names.append(name)
        report.append((name, len(images), "" if own is None else f"{len(own)} boxes"))
    with out.with_name("clips.csv").open("w", newline="") as listed:
        csv.writer(listed).writerows([("file", "pictures", "note"), *report])
    if len(names) < FEWEST:
        raise InputError(
            f"{data}: has {len(names)} clips with pictures and sound, {FEWEST} are the fewest; "
            "clips.csv says what is wrong with each file"
        )
    part = out.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(
            file,
            grid=np.concatenate(grids),
            mel=np.concatenate(mels),
            clip=np.array(clip),
            names=np.array(names),
            blocks=np.array(blocks),
            agree=np.array(boxes.agree if boxes else 1),
            marked=np.array(list(marked), int),
            counts=np.array([len(each) for each in marked.values()], int),
            boxes=np.concatenate([np.zeros((0, 4)), *marked.values()]),
        )
    part.replace(out)


def _looks(opened: media.Media, most: int) -> tuple[Array, Array, int]:
    """Pictures at whole seconds uint8 [n, 224, 224, 3], the 3 s of sound around each, the middle.

    A clip that is shorter than the sound is heard again (as in EZ-VSL).
    """
    spec = Spec(audio=True, frames=True, rate=RATE, fps=Fraction(LOOKS), size=(SIZE, SIZE))
    clip = opened.clip(spec)
    assert clip.frames is not None and clip.audio is not None
    middle = int((clip.duration or 0) / 2)
    step = max(1, -(-int(clip.duration or 1) // most))  # seconds
    times = range(middle % step, 1 << 30, step)
    every = islice(clip.frames.images(), times[0] * LOOKS, None, step * LOOKS)
    images = np.array([image.copy() for image in islice(every, most)])
    sound = clip.audio.samples[0]
    if not len(images) or not len(sound):
        raise InputError(f"{opened.name}: has no whole second of pictures and sound")
    length = SECONDS * RATE
    if len(sound) < length:
        sound = np.resize(sound, length)
    sounds = []
    for second in times[: len(images)]:
        first = min(max(0, second * RATE - length // 2), len(sound) - length)
        sounds.append(sound[first : first + length])
    return images, np.stack(sounds), min(middle // step, len(images) - 1)


def _side(blocks: int) -> int:
    return SIZE // (32 if blocks > MIDDLE else 16)


def load(path: Path, seed: int = 0) -> tuple[dict[str, Pictures], int]:
    """Pictures to learn from and of the clips held out, and the blocks their cells come from."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    parts = np.split(arrays["boxes"], np.cumsum(arrays["counts"]))[:-1]
    boxes = dict(zip(arrays["marked"].tolist(), parts, strict=True))
    whole = Pictures(arrays["grid"], arrays["mel"], arrays["clip"], boxes, int(arrays["agree"]))
    order = np.random.default_rng(seed).permutation(len(arrays["names"]))
    held = max(2, len(order) // 10)
    split = {"train": whole.part(order[held:]), "valid": whole.part(order[:held])}
    return split, int(arrays["blocks"])
