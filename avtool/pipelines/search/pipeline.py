"""`avtool search`: pictures and moments of films, by words or by another picture."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from functools import cached_property

import cv2
import numpy as np
import torch
from torch import Tensor

from avtool.errors import InputError
from avtool.media import Clip, Spec
from avtool.models import weights, yamnet
from avtool.models.backbone import SIZE, Look, Seen
from avtool.models.vocabulary import EMPTY, Vocabulary, words
from avtool.models.yamnet import HOP_SAMPLES, RATE, YAMNet
from avtool.pipelines.search.index import Entry
from avtool.pipelines.search.model import Joint
from avtool.pipelines.search.openwords import OpenWords
from avtool.pipelines.search.values import Hit, Hits
from avtool.signal.shots import Shot, shots
from avtool.values import Array

FPS = 4  # pictures a second that are looked at for cuts
SPEC = Spec(frames=True, fps=Fraction(FPS), size=(SIZE, SIZE))
SOUND = Spec(audio=True, rate=RATE)
LONGEST = 8.0  # seconds of a moment; a longer shot is several
HEARD = 0.4  # probability from which on a sound counts
APART = 0.5  # seconds that two sounds of a kind are apart
SURE = 0.5  # that something fits at all
PRIOR = -np.log(9)  # log-odds of one of ten


@dataclass(frozen=True)
class Query:
    """What is looked for.

    Args:
        text: a sentence or some words; "" is any, where there is a picture.
        like: a picture's file; minus, plus: words that are taken from what it shows, and added.
        top: how many hits are told at most.

    Raises:
        InputError: nothing is asked, or a number is out of range.
    """

    text: str = ""
    like: str | None = None
    minus: str = ""
    plus: str = ""
    top: int = 12

    def __post_init__(self) -> None:
        if not self.text.strip() and self.like is None:
            raise InputError('nothing is asked; say what to look for, as "two dogs in snow"')
        if (self.minus or self.plus) and self.like is None:
            raise InputError("--minus and --plus change what --like PICTURE shows; give a picture")
        if self.top < 1:
            raise InputError(f"--top {self.top}: it is 1 or more")

    def __str__(self) -> str:
        parts = [self.text, self.like and f"like {self.like}"]
        parts += [self.minus and f"minus {self.minus}", self.plus and f"plus {self.plus}"]
        return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class Models:
    """The joint embedding and the backbone; open words and the network of sounds, once they are
    asked for.
    """

    joint: Joint
    seen: Seen

    @cached_property
    def open(self) -> OpenWords:
        """Words that no caption taught."""
        return weights.load(OpenWords)

    @cached_property
    def ear(self) -> YAMNet:
        """What hears."""
        return YAMNet()

    @torch.inference_mode()
    def places(self, images: Sequence[Array]) -> tuple[Tensor, Look]:
        """Of pictures, uint8 RGB [224, 224, 3] each: their places, and what was seen."""
        look = self.seen.look(torch.from_numpy(np.stack(images)))
        return self.joint.pictures(look.grid, look.vector), look


def load(path: str | None = None) -> Models:
    """The networks, once for many files.

    Raises:
        InputError: the backbone's package is missing, or the file is no joint embedding.
    """
    return Models(weights.load(Joint, path), Seen.pretrained())


def squashed(image: Array) -> Array:
    """A picture of any size as the backbone takes it, uint8 RGB [224, 224, 3]."""
    return cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def moments(images: Iterable[Array], start: float) -> Iterator[Shot]:
    """A film's shots, long ones in parts.

    Args:
        images: uint8 RGB [224, 224, 3], ``FPS`` a second; start: of the first, in seconds.
    """
    return shots(images, FPS, start, LONGEST)


def heard(clip: Clip, ear: YAMNet) -> list[tuple[str, float, float, float]]:
    """Which kinds of sound are heard: kind, start, end, and the highest probability."""
    hop = HOP_SAMPLES / RATE
    every = yamnet.usual(yamnet.kinds())
    running: dict[str, tuple[float, float, float]] = {}  # start, end, highest probability
    found: list[tuple[str, float, float, float]] = []
    for moment in yamnet.moments(clip.sound(), ear):
        chance = yamnet.probable(moment.scores)
        begin, end = max(0.0, moment.time - hop / 2), moment.time + hop / 2
        for kind in every:
            likely = float(chance[kind.told].max())
            if likely < HEARD:
                continue
            first, last, most = running.get(kind.name, (begin, end, likely))
            if begin - last > APART:
                found.append((kind.name, first, last, most))
                first, most = begin, likely
            running[kind.name] = first, end, max(most, likely)
    found += [(name, *span) for name, span in running.items()]
    return sorted(
        ((name, round(a, 2), round(b, 2), round(p, 3)) for name, a, b, p in found),
        key=lambda each: each[1],
    )


@dataclass(frozen=True, eq=False)
class Asked:
    """A query in the space.

    Args:
        place: float32 [size], of length 1; None where the joint embedding knows no word of it.
        open: likewise in the space of open words, of the words that only that one knows.
        unknown: the words that nobody knows; kinds: the kinds of sound that it names.
    """

    place: Array | None
    open: Array | None
    unknown: list[str]
    kinds: list[str]


@torch.inference_mode()
def asked(query: Query, models: Models, picture: Array | None = None) -> Asked:
    """Where a query lies.

    Args:
        picture: of ``query.like``, uint8 RGB [height, width, 3].

    Raises:
        InputError: none of its words is known.
    """
    parts = []
    if picture is not None:
        parts.append(models.places([squashed(picture)])[0][0])
    missing: list[str] = []
    for text, sign in ((query.text, 1.0), (query.plus, 1.0), (query.minus, -1.0)):
        each = words(text)
        numbers = models.joint.vocabulary.numbers(each)
        known = [n for n in numbers if n != Vocabulary.UNKNOWN]
        missing += [w for w, n in zip(each, numbers, strict=True) if n == Vocabulary.UNKNOWN]
        if not EMPTY.issuperset(models.joint.vocabulary.words[n] for n in known):
            parts.append(sign * models.joint.sentences([known])[0])
    by_kinds = models.open.said(missing)
    if not parts and by_kinds is None:
        first = missing[0] if missing else query.text
        near = get_close_matches(first, models.joint.config.words, 3, 0.6)
        hint = f"did you mean {' or '.join(near)}?" if near else "use plain English words"
        raise InputError(f"'{query}': none of its words is known; {hint}")
    return Asked(
        torch.nn.functional.normalize(sum(parts, torch.zeros(())), dim=-1).numpy()
        if parts
        else None,
        None if by_kinds is None else by_kinds.numpy(),
        [word for word in missing if word not in models.open.number],
        [] if query.like else named(query.text),
    )


def named(text: str) -> list[str]:
    """The kinds of sound whose name is in a text.

    >>> named("the cat purrs"), named("music"), named("a red house")
    (['Cat'], ['Music'], [])
    """
    found = {_stem(word) for word in words(text)}
    kinds = yamnet.kinds()
    told = []
    for kind in yamnet.usual(kinds):
        names = [kinds[n].name for n in range(kind.told.start, kind.told.stop)]
        each = (part for name in names for part in re.sub(r"\(.*?\)", "", name).split(","))
        if any({_stem(w) for w in words(part)} <= found for part in each if words(part)):
            told.append(kind.name)
    return told


def _stem(word: str) -> str:
    """A word without what English hangs on it: barks, barking, barked -> bark."""
    return re.sub(r"(?<=...)(ing|ed|er|s)$", "", word)


def ranked(entries: Sequence[Entry], query: Query, asked: Asked, models: Models) -> Hits:
    """What fits best, of all entries; by eye, and by ear where a kind of sound is named."""
    seen = [entry for entry in entries if len(entry.places)]
    hits = []
    looked = sum(len(entry.places) for entry in seen)
    if seen:
        firsts = np.cumsum([0, *(len(entry.places) for entry in seen)])
        odds = np.full(looked, PRIOR)
        for place, name, fit in (
            (asked.place, "places", models.joint.config.fit),
            (asked.open, "kinds", models.open.config.fit),
        ):
            if place is not None:
                # File by file, which stays in the processor's cache. Each space tells something of
                # its own, so what they add to the log-odds adds up.
                near = [getattr(entry, name).astype(np.float32) @ place for entry in seen]
                odds += fit[0] * np.concatenate(near) + fit[1] - PRIOR
        top = min(query.top, looked)
        chosen = np.flatnonzero(odds >= np.partition(odds, -top)[-top])
        for n in chosen[np.argsort(-odds[chosen], kind="stable")][:top]:
            number = int(np.searchsorted(firsts, n, "right")) - 1
            entry = seen[number]
            start, end, at = map(float, entry.times[n - firsts[number]])
            chance = float(1 / (1 + np.exp(-odds[n])))
            hits.append(Hit(str(entry.path), start, end, at, chance, is_film=entry.is_film))
    for entry in entries:
        for kind, start, end, chance in entry.sounds:
            if kind in asked.kinds:
                middle = (start + end) / 2
                hits.append(Hit(str(entry.path), start, end, middle, chance, "heard", kind))
    best = sorted(hits, key=lambda hit: -hit.likely)[: query.top]
    return Hits(str(query), best, looked)
