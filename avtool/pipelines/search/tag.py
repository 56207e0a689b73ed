"""`avtool tag`: words for what is seen on a picture, or in a film."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from avtool.errors import InputError
from avtool.media import Clip
from avtool.pipelines.search import pipeline
from avtool.pipelines.search.pipeline import Models, moments, squashed
from avtool.pipelines.search.values import Tag, Tags
from avtool.values import Array

SPEC = pipeline.SPEC
LARGEST = (2000, 2000)  # pixels of a photo that are read


@dataclass(frozen=True)
class Options:
    """What is told.

    Args:
        threshold: probability from which on a word is told.
        top: how many words are told at most.
        weights: a joint embedding of the user's own.

    Raises:
        InputError: a number is out of range.
    """

    threshold: float = 0.5
    top: int = 10
    weights: str | None = None

    def __post_init__(self) -> None:
        if not 0.01 <= self.threshold < 1:
            raise InputError(f"--threshold {self.threshold:g} is not within 0.01 to 1")
        if self.top < 1:
            raise InputError(f"--top {self.top}: it is 1 or more")


@dataclass(frozen=True)
class Result:
    """The words."""

    tags: Tags


def load(options: Options = Options(), device: str = "auto") -> Models:
    """The networks, once for many files. They run on the processor, whatever the device."""
    return pipeline.load(options.weights)


def run(
    clip: Clip,
    options: Options = Options(),
    *,
    models: Models | None = None,
    start: float = 0.0,
) -> Result:
    """The words for a clip, or for a still picture (see ``media.still``).

    Args:
        models: what ``load`` gave; None loads them now.
        start: when the clip begins, in seconds of its film.

    Raises:
        InputError: it has no pictures.
    """
    if clip.frames is None:
        raise InputError(f"{clip.name}: has no pictures; tag takes a photo or a film")
    images = map(squashed, clip.frames.images())
    seen = ((moment.at, moment.picture) for moment in moments(images, start))
    return Result(told(seen, models or load(options), options.threshold, options.top))


@torch.inference_mode()
def told(seen: Iterable[tuple[float, Array]], models: Models, threshold: float, most: int) -> Tags:
    """The words that fit some pictures, each by the picture that it fits best.

    Args:
        seen: pictures uint8 RGB [224, 224, 3], each with its time in seconds.
    """
    config = models.joint.config
    best = np.zeros(len(config.told))
    times = np.zeros(len(config.told))
    for at, image in seen:
        place, look = models.places([image])
        odds = models.joint.tags(look.vector, place)[0] * config.slope + config.offset
        chance = odds.sigmoid().numpy()
        better = chance > best
        best[better], times[better] = chance[better], at
    order = [n for n in np.argsort(-best) if best[n] >= threshold][:most]
    return Tags([Tag(config.told[n], float(best[n]), float(times[n])) for n in order], threshold)
