"""`avtool sounds`: which sounds are heard when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from avtool.draw.columns import Columns
from avtool.errors import InputError
from avtool.media import Clip, Spec
from avtool.models import yamnet
from avtool.models.yamnet import HOP_SAMPLES, RATE, Kind, Moment, YAMNet, moments
from avtool.pipelines.sounds.probe import Probe
from avtool.pipelines.sounds.values import Sound, Sounds, Span
from avtool.values import Array

SPEC = Spec(audio=True, rate=RATE)
HOP = HOP_SAMPLES / RATE
QUIET_DB = -60.0  # of full scale: below it nothing is heard
FAINT = 0.02  # probability below which nothing is kept
STAYS = 0.4  # of the threshold: what began is heard as long as it is this likely
SHORTEST = 0.3  # seconds


@dataclass(frozen=True)
class Options:
    """What is told.

    Args:
        kinds: only these kinds or groups, with commas between; empty is all but "surroundings".
        threshold: probability from which on a sound is told, 0 to 1.
        top: how many kinds are told at most, those that are heard most.
        weights: kinds of a user's own, as ``avtool sounds --teach`` wrote them.

    Raises:
        InputError: there is no such kind, or a number is out of range.
    """

    kinds: str = ""
    threshold: float = 0.4
    top: int = 12
    weights: str | None = None

    def __post_init__(self) -> None:
        if not 0.05 <= self.threshold < 1:
            raise InputError(
                f"--threshold {self.threshold:g} is not within 0.05 to 1; 0.5 is as likely as not"
            )
        if self.top < 1:
            raise InputError(f"--top {self.top}: it is 1 or more")
        if self.kinds and not self.weights:
            chosen(self.kinds, yamnet.kinds())


@dataclass(frozen=True)
class Result:
    """The sounds."""

    sounds: Sounds


@dataclass(frozen=True)
class Models:
    """YAMNet, and kinds of a user's own over its embedding."""

    network: YAMNet
    probe: Probe | None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What can be told."""
        return self.probe.kinds if self.probe else yamnet.kinds()

    def probability(self, moment: Moment) -> Array:
        """Of each kind, [kinds]."""
        if moment.level < QUIET_DB:
            return np.zeros(len(self.kinds), np.float32)
        own = yamnet.probable(moment.scores)
        return self.probe(moment.embedding, own) if self.probe else own


def load(options: Options = Options(), device: str = "auto") -> Models:
    """The networks, once for many clips. It runs on the processor, whatever the device."""
    return Models(YAMNet(), Probe.load(options.weights) if options.weights else None)


def run(clip: Clip, options: Options = Options(), *, models: Models | None = None) -> Result:
    """Which sounds are heard in a clip, in one pass over its sound.

    Args:
        models: what ``load`` gave; None loads them now.

    Raises:
        InputError: it has no sound, or a kind that the user's own weights do not know was asked.
    """
    audio = clip.sound()
    models = models or load(options)
    kinds = models.kinds
    wanted = chosen(options.kinds, kinds)
    heard = _Heard()
    for moment in moments(audio, models.network):
        heard.add(moment, models.probability(moment))
    start, end = audio.start, audio.start + len(heard.times) * HOP
    curves = heard.curves([kinds[n] for n in wanted], options.threshold)
    spans = {n: list(_spans(curve, options.threshold)) for n, curve in curves.items()}
    told = _told(spans, kinds)
    most = sorted(told, key=lambda n: -sum(curves[n][a:b].sum() for a, b in told[n]))
    told = {n: told[n] for n in most[: options.top]}
    sounds = [
        Sound(
            kinds[n].name,
            kinds[n].group,
            start + a * HOP,
            start + b * HOP,
            float(curves[n][a:b].mean()),
        )
        for n, parts in told.items()
        for a, b in parts
    ]
    covered = np.zeros(len(heard.times), bool)
    for parts in told.values():
        for a, b in parts:
            covered[a:b] = True
    silent = np.array(heard.levels) < QUIET_DB
    found = Sounds(
        sorted(sounds, key=lambda sound: (sound.start, sound.end, sound.kind)),
        _seconds(~covered & ~silent, start),
        _seconds(~covered & silent, start),
        np.array(heard.times),
        {kinds[n].name: (kinds[n].group, curves[n]) for n in told},
        heard.mel.done(),
        HOP,
        start,
        end,
        options.threshold,
    )
    return Result(found)


def chosen(text: str, kinds: tuple[Kind, ...]) -> list[int]:
    """The numbers of the kinds that are asked for, by their names or their group's.

    >>> len(chosen("animals, speech", yamnet.kinds())), chosen("dog", yamnet.kinds())
    (80, [69])

    Raises:
        InputError: a name is unknown.
    """
    asked = [part.strip().lower() for part in text.split(",") if part.strip()]
    if not asked:
        return [kind.number for kind in yamnet.usual(kinds)]
    names = [{*kind.names, kind.group.lower()} for kind in kinds]
    known = set().union(*names)
    for part in asked:
        if part not in known:
            near = " or ".join(get_close_matches(part, known, 3, 0.5))
            hint = f"did you mean {near}?" if near else f"groups are {', '.join(groups(kinds))}"
            raise InputError(f"--kinds: '{part}' is no kind of sound; {hint}")
    return [kind.number for kind, name in zip(kinds, names, strict=True) if name & set(asked)]


def groups(kinds: Sequence[Kind]) -> list[str]:
    """The groups of kinds, in the order of the table."""
    return list(dict.fromkeys(kind.group for kind in kinds))


class _Heard:
    """What all looks told: of most kinds nothing, so only what is likely at all is kept."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.levels: list[float] = []
        self.mel = Columns("max")
        self._likely: list[tuple[Array, Array]] = []

    def add(self, moment: Moment, probability: Array) -> None:
        """One look more."""
        self.times.append(moment.time)
        self.levels.append(moment.level)
        self.mel.add(moment.mel)
        numbers = np.flatnonzero(probability >= FAINT).astype(np.uint16)
        self._likely.append((numbers, probability[numbers].astype(np.float16)))

    def curves(self, wanted: Iterable[Kind], threshold: float) -> dict[int, Array]:
        """The probability of each kind that is ever likely, float32 [looks], outliers taken out."""
        if not self._likely:
            return {}
        numbers, values = (np.concatenate(parts) for parts in zip(*self._likely, strict=True))
        looks = np.repeat(np.arange(len(self.times)), [len(n) for n, _ in self._likely])
        curves = {}
        for kind in wanted:
            mine = (numbers >= kind.told.start) & (numbers < kind.told.stop)
            if mine.any() and values[mine].max() >= threshold:
                curve = np.zeros(len(self.times) + 2, np.float32)
                np.maximum.at(curve[1:-1], looks[mine], values[mine])
                curve[0], curve[-1] = curve[1], curve[-2]
                curves[kind.number] = np.median([curve[:-2], curve[1:-1], curve[2:]], axis=0)
        return curves


def _spans(curve: Array, threshold: float) -> Iterator[tuple[int, int]]:
    """First look, and the one after the last, of each time that a kind is heard.

    It has to be likely once, and then not to be unlikely.
    """
    for first, last in _runs(curve >= STAYS * threshold):
        if curve[first:last].max() >= threshold and (last - first) * HOP >= SHORTEST:
            yield first, last


def _runs(there: Array) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], there.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _seconds(there: Array, start: float) -> list[Span]:
    return [(start + a * HOP, start + b * HOP) for a, b in _runs(there)]


def _told(
    spans: dict[int, list[tuple[int, int]]], kinds: Sequence[Kind]
) -> dict[int, list[tuple[int, int]]]:
    """Leave out what a narrower kind says for half of the time: "Animal" where "Dog" is heard."""
    told: dict[int, list[tuple[int, int]]] = {}
    for n, parts in spans.items():
        narrower = [m for m in spans if n < m <= kinds[n].last]
        kept = []
        for a, b in parts:
            said = np.zeros(b - a, bool)
            for m in narrower:
                for c, d in spans[m]:
                    said[max(c - a, 0) : max(d - a, 0)] = True
            if said.mean() < 0.5:
                kept.append((a, b))
        if kept:
            told[n] = kept
    return told
