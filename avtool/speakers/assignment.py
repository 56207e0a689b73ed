"""Whose voice is whose, over a whole file: the best sequence of assignments (Viterbi 1967)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from avtool.values import Array

CONTINUES = 8.0  # log-odds that a voice that goes on in the overlap is still the same face's
GIVEN = 2.0  # log-odds that a voice is that of moving lips, before they are looked at
WHOLE = 25  # frames in which a voice is heard, from which on it counts wholly
QUIET = 1e-3  # power of a part against the mixture's, below which it is no voice
MOST_FACES, MOST_STATES = 5, 60  # of a window; the likeliest are looked at

State = tuple[int, ...]  # for each voice, the face's row in the evidence, or -1: nobody's


@dataclass(frozen=True, eq=False)
class Window:
    """What was found in one window.

    Shape:
        evidence: float [faces, voices], log-odds that this voice is this face's;
        level: float [voices], power against the mixture's;
        active: bool [voices, frames], where each is heard, at 25 frames a second;
        follows: float [voices before, voices], correlation in the overlap with the window before.
    """

    length_samples: int  # at 16 kHz
    evidence: Array
    level: Array
    follows: Array
    active: Array


def assign(found: Sequence[Window]) -> list[State]:
    """The face (or -1, nobody's) of each voice in each window, likeliest as a whole.

    A face has one voice at a time. Giving a voice that goes on to the same face is rewarded.
    """
    steps: list[list[tuple[State, int]]] = []  # states, and the place of the best one before
    totals: list[float] = []
    for window in found:
        local = states(window)
        before = [state for state, _ in steps[-1]] if steps else []
        step, following = [], []
        for state, score in local:
            gains = [
                total + CONTINUES * _same(old, state, window.follows)
                for old, total in zip(before, totals, strict=True)
            ]
            best = int(np.argmax(gains)) if gains else 0
            step.append((state, best))
            following.append(score + (gains[best] if gains else 0.0))
        steps.append(step)
        totals = following
    path: list[State] = []
    place = int(np.argmax(totals)) if totals else 0
    for step in reversed(steps):
        state, place = step[place]
        path.append(state)
    return path[::-1]


def states(window: Window) -> list[tuple[State, float]]:
    """Assignments of one window, the likeliest first."""
    faces, voices = window.evidence.shape
    odds = np.where(
        window.level > QUIET, window.evidence, np.minimum(window.evidence, 0) - 2 * GIVEN
    )
    useful = sorted(range(faces), key=lambda face: -odds[face].max())[:MOST_FACES]
    # A voice that is heard for a moment only is less likely to be a person's.
    given = GIVEN * np.minimum(1, window.active.sum(1) / WHOLE) if window.active.size else GIVEN
    given = np.broadcast_to(given, voices)
    states: dict[State, float] = {
        state: float(sum(odds[face, n] + given[n] for n, face in enumerate(state) if face >= 0))
        for state in set(permutations([*useful, *[-1] * voices], voices))
    }
    return sorted(states.items(), key=lambda item: -item[1])[:MOST_STATES]


def _same(before: State, after: State, follows: Array) -> float:
    return sum(
        float(follows[a, b])
        for a, who in enumerate(before)
        for b, then in enumerate(after)
        if who == then
    )
