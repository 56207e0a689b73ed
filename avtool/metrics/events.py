"""How well the times of sounds are told: segment-based scores.

Mesaros, Heittola & Virtanen, "Metrics for Polyphonic Sound Event Detection" (2016), section 3.1:
time is cut into segments, and a kind counts as there in each segment that it touches.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from avtool.values import Array

Event = tuple[str, float, float]  # kind, start and end in seconds


@dataclass(frozen=True)
class Scores:
    """Of all kinds together, each 0 to 1; the error rate may be higher.

    Args:
        error_rate: substitutions, deletions and insertions over the true segments (equation 9).
    """

    precision: float
    recall: float
    f1: float
    error_rate: float


class SegmentScores:
    """Adds up over recordings.

    >>> scores = SegmentScores(["dog", "rain"])
    >>> scores.add([("dog", 0.2, 2.0)], [("dog", 0.0, 1.0), ("rain", 1.0, 2.0)], 3.0)
    >>> scores.overall().f1, scores.overall().error_rate
    (0.5, 0.5)

    Args:
        kinds: what counts; others are left out. segment: seconds.
    """

    def __init__(self, kinds: Sequence[str], segment: float = 1.0) -> None:
        self.kinds, self.segment = list(kinds), segment
        self._counts = np.zeros((len(kinds), 3))  # right, wrongly told, missed
        self._errors = 0.0

    def add(self, true: Iterable[Event], told: Iterable[Event], length: float) -> None:
        """One recording of ``length`` seconds more."""
        a, b = self._rolled(true, length), self._rolled(told, length)
        self._counts += np.stack([(a & b).sum(1), (~a & b).sum(1), (a & ~b).sum(1)], 1)
        missed, extra = (a & ~b).sum(0), (~a & b).sum(0)
        self._errors += float(np.maximum(missed, extra).sum())  # a pair of both is one substitution

    def overall(self) -> Scores:
        """Over all kinds, each segment counting alike."""
        return self._scored(self._counts.sum(0), self._errors)

    def by_kind(self) -> dict[str, float]:
        """The F1 of each kind."""
        return {
            kind: self._scored(counts, 0.0).f1
            for kind, counts in zip(self.kinds, self._counts, strict=True)
        }

    @staticmethod
    def _scored(counts: Array, errors: float) -> Scores:
        right, wrong, missed = counts.tolist()
        precision = right / (right + wrong) if right + wrong else math.nan
        recall = right / (right + missed) if right + missed else math.nan
        f1 = 2 * right / (2 * right + wrong + missed) if right + wrong + missed else math.nan
        rate = errors / (right + missed) if right + missed else math.nan
        return Scores(precision, recall, f1, rate)

    def _rolled(self, events: Iterable[Event], length: float) -> Array:
        """Bool [kinds, segments]."""
        roll = np.zeros((len(self.kinds), math.ceil(length / self.segment - 1e-9)), bool)
        for kind, start, end in events:
            if kind in self.kinds:
                first = math.floor(start / self.segment + 1e-9)
                last = math.ceil(end / self.segment - 1e-9)
                roll[self.kinds.index(kind), first:last] = True
        return roll
