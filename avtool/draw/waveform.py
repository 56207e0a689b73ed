"""A waveform's extremes and loudness over time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from avtool.draw.canvas import PANEL_H, PANEL_W, Canvas, nice
from avtool.draw.columns import Columns
from avtool.draw.palette import MAP, palette
from avtool.values import Array, Audio


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
        value, n = self._value, self._value.channels
        peaks, power = self._peaks.done(), self._power.done()
        kind = "mono" if n == 1 else "stereo" if n == 2 else f"{n} channels"
        canvas = Canvas(self._title, f"waveform,  {kind},  {value.rate / 1000:g} kHz")
        top = (float(peaks.max()) if peaks.size else 0.0) or 1.0
        lanes = min(n, 8)
        if not peaks.size:
            canvas.note("no sound at all")
        else:
            lane = PANEL_H // lanes
            parts = [
                _lane(peaks[:, c], -peaks[:, n + c], np.sqrt(power[:, c]), top, lane, self._peaks)
                for c in range(lanes)
            ]
            panel = np.zeros((PANEL_H, PANEL_W), np.uint8)
            stacked = np.concatenate(parts)
            panel[: len(stacked)] = stacked
            canvas.panel(panel)
        end = value.start + self._peaks.frames / value.rate
        canvas.time_axis(value.start, end)
        centres = [(lane + 0.5) / lanes for lane in range(lanes)]
        marks = [(1 - c, "0" if lanes == 1 else f"ch {i + 1}") for i, c in enumerate(centres)]
        if lanes == 1:
            step = nice(top / 4)
            levels = [k * step * sign for k in range(1, int(top / step) + 1) for sign in (-1, 1)]
            marks += [(0.5 + 0.475 * level / top, f"{level:+g}") for level in levels]
        canvas.value_axis(marks, "amplitude")
        canvas.legend()
        canvas.save(self._path, palette("wave"))


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
    scale = 0.95 * (height / 2) / top
    y = (height / 2 - 0.5 - np.arange(height))[:, None]
    shades = np.zeros((height, PANEL_W), np.uint8)
    # The part of each pixel that lies inside gives its shade: no stairs.
    inside = np.minimum(high * scale + 0.75, y + 0.5) - np.maximum(low * scale - 0.75, y - 0.5)
    shades[:] = np.clip(inside, 0, 1) * 130
    loud, soft = np.minimum(rms, high) * scale, np.maximum(-rms, low) * scale
    core = np.minimum(loud, y + 0.5) - np.maximum(soft, y - 0.5)
    shades[:] = np.maximum(shades, (np.clip(core, 0, 1) * (MAP - 1)).astype(np.uint8))
    return shades
