"""Packet times, and the frame rate that they tell."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

COMMON_RATES = [Fraction(n) for n in (10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120)]
COMMON_RATES += [Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120)]


class Packets:
    """Packet times of each output stream of framecrc, in seconds."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.base: dict[int, Fraction] = {}
        self.pts: dict[int, list[int]] = {}
        self.ends: dict[int, float] = {}
        self.untimed: set[int] = set()  # streams that have packets without a time
        for line in lines:
            if line.startswith("#tb "):
                stream, base = line[4:].split(": ")
                self.base[int(stream)] = Fraction(base.strip())
            elif line[0] != "#":
                parts = line.split(",", 4)
                index, pts, duration = int(parts[0]), int(parts[2]), int(parts[3])
                # 4: decoded, but not shown, as an edit list may ask.
                hidden = (flags := re.search(r"F=0x(\w+)", line)) and int(flags[1], 16) & 4
                if pts < -(1 << 62):  # AV_NOPTS_VALUE
                    self.untimed.add(index)
                elif not hidden:
                    self.pts.setdefault(index, []).append(pts)
                    end = float((pts + duration) * self.base[index])
                    self.ends[index] = max(self.ends.get(index, end), end)

    def start(self, index: int) -> float:
        """When a stream's first packet is shown."""
        times = self.pts.get(index)
        return float(min(times) * self.base[index]) if times else 0.0


def rate_of(pts: list[int], base: Fraction, average: float) -> tuple[Fraction, bool]:
    """Exact rate of sorted packet times, and whether it varies.

    >>> rate_of([0, 1001, 2002, 3003], Fraction(1, 30000), 29.97)
    (Fraction(30000, 1001), False)
    >>> rate_of([0, 33, 67, 100, 133], Fraction(1, 1000), 30)
    (Fraction(30, 1), False)
    >>> rate_of([0, 40, 80, 280, 320], Fraction(1, 1000), 12.5)[1]
    True
    """
    if len(pts) < 3:
        return _named_rate(average), False
    # The last packet is left out: a recorder may stretch it to the end of the sound.
    span, count = (pts[-2] - pts[0]) * base, len(pts) - 2
    mean = count / span if span > 0 else Fraction(25)
    common = min(COMMON_RATES, key=lambda rate: abs(rate - mean))
    # A clock of whole milliseconds cannot tell 29.97 from 29.98: take the nearest common rate
    # that keeps every frame within a tick and a half of its place.
    for rate in (common, _named_rate(float(mean)), mean):
        ticks = 1 / (rate * base)
        # Times may have been whole milliseconds in the file that this one was copied from.
        slack = min(max(Fraction(3, 2), Fraction(1, 1000) / base), ticks / 4)
        if all(abs(p - pts[0] - k * ticks) <= slack for k, p in enumerate(pts[:-1])):
            return rate, False
    steps = Counter(after - before for before, after in pairwise(pts[:-1]))
    step, times = steps.most_common(1)[0]
    if step and times >= 0.9 * steps.total():  # a few frames were dropped
        return _named_rate(float(1 / (step * base))), True
    return _named_rate(float(mean)), True


def _named_rate(value: float) -> Fraction:
    """The common rate within 0.02 %, else the fraction that the number is; never 0.

    >>> _named_rate(29.97), _named_rate(14.93), _named_rate(0.0)
    (Fraction(30000, 1001), Fraction(1493, 100), Fraction(1, 1001))
    """
    rate = min(COMMON_RATES, key=lambda rate: abs(float(rate) - value))
    if abs(float(rate) - value) < 2e-4 * value:
        return rate
    return max(Fraction(1, 1001), Fraction(value).limit_denominator(1001))
