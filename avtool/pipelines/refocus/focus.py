"""Who is in focus when: one face, or whoever speaks, with a pull from the last one to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PULL = 0.5  # seconds from one focus to the next
SHORTEST = 0.5  # seconds of speech that a focus is pulled for

Spans = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Focus:
    """In whom the focus lies, from which second on: (seconds, face), rising, at least one."""

    turns: tuple[tuple[float, int], ...]

    def at(self, time: float) -> dict[int, float]:
        """How much the focus lies in each face at a time; it sums to 1.

        >>> Focus(((0.0, 1), (2.0, 2))).at(2.25)
        {1: 0.5, 2: 0.5}
        """
        place = max(0, sum(start <= time for start, _ in self.turns) - 1)
        start, face = self.turns[place]
        part = min(1.0, max(0.0, (time - start) / PULL)) if place else 1.0
        part = part * part * (3 - 2 * part)
        if part == 1:
            return {face: 1.0}
        return {self.turns[place - 1][1]: 1 - part, face: part}


def speakers(speaking: Mapping[int, Spans], usual: int) -> Focus:
    """The focus on who speaks: it stays with a speaker until they are silent and another is not.

    Args:
        speaking: when each face speaks, in seconds; usual: the face in focus if nobody does.
    """
    spans = {face: [s for s in own if s[1] - s[0] >= SHORTEST] for face, own in speaking.items()}
    events = sorted((start, end, face) for face, own in spans.items() for start, end in own)
    turns: list[tuple[float, int]] = []
    until = 0.0
    for start, end, face in events:
        if turns and face == turns[-1][1]:
            until = max(until, end)
            continue
        begins = max(start, until)
        # Where both speak, the focus waits until the first has ended, if the second then goes on.
        if end - begins < SHORTEST and turns:
            continue
        turns.append((begins, face))
        until = end
    if not turns:
        return Focus(((0.0, usual),))
    return Focus(((0.0, turns[0][1]), *turns[1:]))
