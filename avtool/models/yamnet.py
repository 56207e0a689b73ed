"""What is heard? The 521 kinds of sound of AudioSet, moment by moment.

YAMNet (Plakal & Ellis, TensorFlow Models, 2019; Apache-2.0): the network of Howard et al.,
"MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications" (2017), over
log-mel patches of 0.96 s, learned from the weak labels of Gemmeke et al., "Audio Set" (2017). It
ships as its authors made it. The table of kinds beside it has their names as AudioSet has them; to
which group each belongs and which ones it covers ("Dog" covers "Bark") is ours.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from avtool.tflite import Network
from avtool.values import Array, Audio

RATE = 16_000
WINDOW_SAMPLES = 15_600  # 0.975 s, all that it looks at
HOP_SAMPLES = 3_840  # 0.24 s from one look to the next; its authors take 0.48
ELSEWHERE = "surroundings"  # silence, rooms, kinds of recording: no sounds of their own
SLOPE, OFFSET = 0.812, 0.306  # of ``probable``; tests/bench/sounds.py fits them
TENSORS = ("Identity", "yamnet_frames/global_average_pooling2d/Mean", "Identity_1")
SHOWN = slice(36, 60)  # of a patch's 96 frames of 10 ms: those that the next look does not have


@dataclass(frozen=True)
class Kind:
    """A kind of sound.

    Args:
        group: one of eleven; last: the number of the last kind that this one covers.
        wide: whether it is told for those too, as "Dog" for "Bark"; else a narrower kind is told
            in its place, as "Dog" for "Animal".
    """

    number: int
    name: str
    group: str
    last: int
    wide: bool = False

    @property
    def names(self) -> list[str]:
        """What it is called, in small letters: "Bee, wasp, etc." is bee, wasp and etc."""
        return [name.strip() for name in self.name.lower().split(",")]

    @property
    def told(self) -> slice:
        """The numbers of the kinds that it is told for."""
        return slice(self.number, (self.last if self.wide else self.number) + 1)


@cache
def kinds() -> tuple[Kind, ...]:
    """All of them, each at its number."""
    table = resources.files("avtool").joinpath("weights", "yamnet.csv").read_text("utf-8")
    rows = enumerate(csv.DictReader(table.splitlines()))
    return tuple(
        Kind(n, row["kind"], row["group"], int(row["last"]), bool(row["wide"])) for n, row in rows
    )


class YAMNet:
    """Sound to kinds.

    Shape:
        input: float32 [15600], 16 kHz, full scale 1
        output: scores [521], 0 to 1, that are no probabilities yet; embedding [1024], 0 or more;
        log-mel patch [96, 64], 100 frames a second, natural logarithm of magnitude
    """

    def __init__(self) -> None:
        self._network = Network("yamnet.tflite", TENSORS)

    def __call__(self, sound: Array) -> tuple[Array, Array, Array]:
        """See the class's shapes."""
        scores, embedding, patch = self._network(sound)
        return scores, embedding, patch


@cache
def usual(kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    """Those that are told where nobody asks for others: no surroundings, no part of a wide one."""
    parts = {n for kind in kinds for n in range(kind.told.start + 1, kind.told.stop)}
    return tuple(k for k in kinds if k.group != ELSEWHERE and k.number not in parts)


def probable(scores: Array) -> Array:
    """Scores as probabilities: those of a hundred looks that say 0.8 are right in 80.

    A line through the logits, as Platt, "Probabilistic outputs for support vector machines" (1999).
    """
    logit = np.log(np.clip(scores, 1e-6, 1 - 1e-6)) - np.log1p(-np.clip(scores, 1e-6, 1 - 1e-6))
    return 1 / (1 + np.exp(-(SLOPE * logit + OFFSET)))


def likeliest(probability: Array, threshold: float = 0.4) -> str:
    """The kind that a moment is told by, or nothing: [521] -> a name.

    Wide kinds are told for what they cover; of others the narrowest that is likely.

    >>> heard = np.zeros(521)
    >>> heard[[67, 68, 69, 70]] = 0.9, 0.8, 0.7, 0.75  # Animal, Domestic animals, Dog, Bark
    >>> likeliest(heard)
    'Dog'
    """
    every = ((float(probability[kind.told].max()), kind) for kind in usual(kinds()))
    found = [(likely, kind) for likely, kind in every if likely >= threshold]
    narrow = [
        (likely, kind.name)
        for likely, kind in found
        if not any(kind.number < other.number <= kind.last for _, other in found)
    ]
    return max(narrow)[1] if narrow else ""


@dataclass(frozen=True, eq=False)
class Moment:
    """One look: its middle in seconds, scores [521], embedding [1024].

    Of the ``HOP_SAMPLES`` in the middle: log-mel frames [24, 64], and level in dB of full scale.
    """

    time: float
    scores: Array
    embedding: Array
    mel: Array
    level: float


def moments(audio: Audio, network: YAMNet) -> Iterator[Moment]:
    """Look at a sound from its start to its end, every ``HOP_SAMPLES``; streamed.

    Args:
        audio: one channel at ``RATE``.
    """
    before = (WINDOW_SAMPLES - HOP_SAMPLES) // 2
    edge = np.zeros((1, before), np.float32)
    heard = 0

    def blocks() -> Iterator[Array]:
        nonlocal heard
        yield edge
        for block in audio.blocks():
            heard += block.shape[1]
            yield block

    padded = Audio(blocks, RATE, 1)
    for first, window in padded.windows(WINDOW_SAMPLES, HOP_SAMPLES):
        yield _moment(audio.start, first, window[0], network)
    for later in range(first + HOP_SAMPLES, heard, HOP_SAMPLES):  # in the last window's later half
        yield _moment(audio.start, later, window[0, later - first :], network)


def _moment(start: float, first: int, window: Array, network: YAMNet) -> Moment:
    """A look that begins ``before`` samples earlier than sample ``first`` of the sound."""
    whole = np.zeros(WINDOW_SAMPLES, np.float32)
    whole[: len(window)] = window
    before = (WINDOW_SAMPLES - HOP_SAMPLES) // 2
    power = float(np.mean(np.square(whole[before : before + HOP_SAMPLES])))
    scores, embedding, patch = network(whole)
    time = start + (first + HOP_SAMPLES / 2) / RATE
    return Moment(time, scores, embedding, patch[SHOWN], 10 * np.log10(power + 1e-12))
