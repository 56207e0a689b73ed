"""`avtool caption`: a sentence that says what is seen on a picture, or in each shot of a film."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import torch
from PIL import Image

from avtool.errors import InputError
from avtool.media import Clip, Media, Spec
from avtool.models import weights
from avtool.models.backbone import SIZE, Look
from avtool.models.backbone import Seen as Backbone
from avtool.pipelines.caption.beam import LONGEST, beam
from avtool.pipelines.caption.doubt import UNSURE, known
from avtool.pipelines.caption.model import END, Caption
from avtool.pipelines.caption.values import Captions, Seen, Sentence
from avtool.signal.shots import Shot, shots
from avtool.values import FPS, Array

SPEC = Spec(frames=True, fps=Fraction(FPS))
DECODERS = {"attend": ("attend",), "tell": ("tell",), "both": Caption.DECODERS}
WIDEST = 20  # of a beam
LARGEST = (2000, 2000)  # pixels of a photo, LONG of a film's pictures, that are kept to be drawn
LONG = 480


@dataclass(frozen=True)
class Options:
    """How sentences are found.

    Args:
        beam: how many beginnings of sentences are followed at a time.
        best: how many sentences are told.
        length: words that a sentence has at most.
        decoder: "attend" (Show, Attend and Tell), "tell" (Show and Tell), or "both", the mean of
            their probabilities.
        weights: a checkpoint of the user's own.

    Raises:
        InputError: there is no such decoder, or a number is out of range.
    """

    beam: int = 4
    best: int = 3
    length: int = LONGEST - 1
    decoder: str = "attend"
    weights: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.beam <= WIDEST:
            raise InputError(f"--beam {self.beam}: it is 1 to {WIDEST}; 1 takes the likeliest word")
        if not 1 <= self.best <= self.beam:
            raise InputError(
                f"--best {self.best}: it is 1 to --beam, which is {self.beam}; raise --beam"
            )
        if not 1 <= self.length <= 50:
            raise InputError(f"--length {self.length}: it is 1 to 50 words")
        if self.decoder not in DECODERS:
            raise InputError(f"--decoder {self.decoder} is unknown; it is {', '.join(DECODERS)}")


@dataclass(frozen=True)
class Result:
    """The sentences."""

    captions: Captions


@dataclass(frozen=True)
class Models:
    """What sees, and what says it."""

    backbone: Backbone
    caption: Caption


def load(options: Options = Options(), device: str = "auto") -> Models:
    """The networks, once for many pictures. They run on the processor, whatever the device."""
    return Models(Backbone.pretrained(), weights.load(Caption, options.weights))


def reading(source: Media, spec: Spec) -> Spec:
    """What is read of a film: small pictures, for the network sees no more."""
    if not source.info.video:
        return spec
    stream = source.info.video[0]
    scale = min(1.0, LONG / max(stream.width, stream.height))
    return replace(
        spec, size=(max(2, round(scale * stream.width)), max(2, round(scale * stream.height)))
    )


def run(
    clip: Clip,
    options: Options = Options(),
    *,
    models: Models | None = None,
    start: float = 0.0,
) -> Result:
    """A sentence for each shot of a clip, or for a still picture (see ``media.still``).

    Args:
        models: what ``load`` gave; None loads them now.
        start: when the clip begins, in seconds of its film.

    Raises:
        InputError: its pictures were not asked for.
    """
    frames = clip.pictures()
    models = models or load(options)
    seen = [
        _seen(shot, options, models) for shot in shots(frames.images(), float(frames.fps), start)
    ]
    if not seen:
        raise InputError(f"{clip.name}: has no picture in this part; check --start")
    return Result(Captions(seen, clip.duration != 0, options.decoder))


def looked(backbone: Backbone, picture: Array) -> Look:
    """What is seen on a picture, as the recipe's pictures are seen: squeezed into a square."""
    image = Image.fromarray(picture).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    return backbone.look(torch.from_numpy(np.array(image))[None])


def _seen(shot: Shot, options: Options, models: Models) -> Seen:
    look = looked(models.backbone, shot.picture)
    said = beam(
        models.caption,
        look,
        DECODERS[options.decoder],
        width=options.beam,
        longest=options.length,
    )
    vocabulary = models.caption.vocabulary()
    sentences = []
    for n in range(options.best):
        numbers = said.words[0, n].tolist()
        count = numbers.index(END)
        likely = said.likely[0, n, : count + 1]
        sentences.append(
            Sentence(
                [vocabulary[number] for number in numbers[:count]],
                likely.exp().tolist(),
                float(likely.sum().exp()),
                None
                if said.attention is None
                else said.attention[0, n, :count].view(count, 7, 7).numpy(),
            )
        )
    sure = float(known(models.caption, look, said)[0])
    return Seen(shot.start, shot.end, shot.picture, sentences, sure, sure >= UNSURE)
