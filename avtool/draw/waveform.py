"""A waveform's extremes and loudness over time."""

from __future__ import annotations

from itertools import pairwise
from math import floor, log10
from pathlib import Path

import numpy as np

from avtool.draw.canvas import LINE, PANEL_H, PANEL_W, Canvas, nice
from avtool.draw.columns import Columns
from avtool.draw.palette import MAP, palette
from avtool.values import Array, Audio

LANES = 8  # channels that are shown at most
REACH = 0.95  # of half a lane: where its loudest sample stands


class WaveformPicture:
    """Each channel's extremes and its loudness (RMS) over time, written on ``finish``."""

    def __init__(self, value: Audio, path: Path, title: str) -> None:
        self._value, self._path, self._title = value, path, title
        self._peaks, self._power = Columns("max"), Columns("mean")

    def write(self, block: Array) -> None:
        rows = block.T
        self._peaks.add(np.concatenate([rows, -rows], 1))
        self._power.add(np.square(rows))

    def finish(self) -> None:
        value, n, of = self._value, self._value.channels, self._peaks
        peaks, power = self._peaks.done(), self._power.done()
        lanes = min(n, LANES)
        kind = "mono" if n == 1 else "stereo" if n == 2 else f"{n} channels"
        kind += f" (the first {lanes} are shown)" if n > lanes else ""
        canvas = Canvas(self._title, f"waveform,  {kind},  {value.rate / 1000:g} kHz")
        top = (float(peaks.max()) if peaks.size else 0.0) or 1.0
        if not peaks.size:
            canvas.note("no sound at all")
        else:
            edges = [round(PANEL_H * c / lanes) for c in range(lanes + 1)]
            parts = [
                _lane(peaks[:, c], -peaks[:, n + c], np.sqrt(power[:, c]), top, below - above, of)
                for c, (above, below) in enumerate(pairwise(edges))
            ]
            canvas.panel(np.concatenate(parts))
        end = value.start + self._peaks.frames / value.rate
        canvas.time_axis(value.start, end)
        canvas.value_axis(_amplitude_ticks(top, lanes), "amplitude")
        if lanes > 1:
            canvas.lane_names([f"channel {lane + 1}" for lane in range(lanes)])
        canvas.legend(above=lanes > 1)
        canvas.save(self._path, palette("wave"))


def _amplitude_ticks(top: float, lanes: int) -> list[tuple[float, str]]:
    """Marks of each lane as (height in the panel from 0 to 1, text).

    Args:
        top: the largest amplitude, which reaches to ``REACH`` of half a lane.
    """
    half = PANEL_H / lanes / 2  # pixels
    pixels = REACH * half / top  # of an amplitude of 1
    step = nice(top / 4) if lanes == 1 else nice(max(top / 4, 36 / pixels))
    # A lane's texts stay inside it, so that no neighbour's lies on them.
    room = top if lanes == 1 else (half - LINE / 2) / pixels
    levels, zero = [k * step for k in range(1, int(min(top, room) / step + 1e-9) + 1)], "0"
    if not levels:  # the lane has place for one level on each side, and for no zero between
        base = 10 ** floor(log10(room))
        levels, zero = [max(m * base for m in (1, 2, 5) if m * base <= room)], ""
    marks = []
    for lane in range(lanes):
        centre = 1 - (lane + 0.5) / lanes
        marks.append((centre, zero))
        for level in levels:
            height = level * pixels / PANEL_H
            marks += [(centre + height, f"+{level:g}"), (centre - height, f"-{level:g}")]
    return marks


def _lane(high: Array, low: Array, rms: Array, top: float, height: int, of: Columns) -> Array:
    """One channel as shades [height, PANEL_W]: extremes light, loudness dark."""
    centres = np.linspace(0, len(high) - 1, PANEL_W)
    if len(high) > PANEL_W:  # each pixel shows the extremes of its columns
        edges = (np.arange(PANEL_W) * len(high)) // PANEL_W
        high, low = np.maximum.reduceat(high, edges), np.minimum.reduceat(low, edges)
        rms = np.sqrt(np.add.reduceat(rms**2, edges) / np.diff([*edges, len(rms)]))
    else:  # fewer samples than pixels: a line through them
        grid = np.arange(len(high))
        high, low, rms = (np.interp(centres, grid, line) for line in (high, low, rms))
        if of.factor == 1:  # single samples have no loudness of their own
            rms = np.zeros_like(rms)
    # Neighbours touch, so that a steep line has no holes.
    high, low = (
        np.maximum(high, np.append(low[1:], low[-1])),
        np.minimum(low, np.append(high[1:], high[-1])),
    )
    scale = REACH * (height / 2) / top
    y = (height / 2 - 0.5 - np.arange(height))[:, None]
    shades = np.zeros((height, PANEL_W), np.uint8)
    # The part of each pixel that lies inside gives its shade: no stairs.
    inside = np.minimum(high * scale + 0.75, y + 0.5) - np.maximum(low * scale - 0.75, y - 0.5)
    shades[:] = np.clip(inside, 0, 1) * 130
    loud, soft = np.minimum(rms, high) * scale, np.maximum(-rms, low) * scale
    core = np.minimum(loud, y + 0.5) - np.maximum(soft, y - 0.5)
    shades[:] = np.maximum(shades, (np.clip(core, 0, 1) * (MAP - 1)).astype(np.uint8))
    return shades
