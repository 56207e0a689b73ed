"""A heat map of a matrix over time."""

from __future__ import annotations

from math import ceil, floor
from pathlib import Path

import numpy as np

from avtool.draw.canvas import PANEL_H, Canvas, nice
from avtool.draw.columns import Columns
from avtool.draw.palette import MAP, palette
from avtool.values import Array, Matrix

RANGE_DB = 80.0
RANGES = {"dB": RANGE_DB, "ln": RANGE_DB / 10 * np.log(10), "log10": RANGE_DB / 10}
APART = 36  # pixels between ticks of frequency
FLAT = 1e-5  # of the largest value: a coefficient that moves less does so by rounding alone


class MatrixPicture:
    """A heat map of a matrix over time, written on ``finish``."""

    def __init__(self, value: Matrix, path: Path, title: str, name: str) -> None:
        self._value, self._path, self._title, self._name = value, path, title, name
        self._columns = Columns("mean" if value.axis == "index" else "max")
        # More bins than pixels: the loudest of its neighbours stands for them.
        self._together = max(1, len(value.bins) // PANEL_H)

    def write(self, block: Array) -> None:
        block = np.abs(block) if np.iscomplexobj(block) else block
        if self._together > 1:
            edges = np.arange(0, block.shape[1], self._together)
            block = np.maximum.reduceat(block, edges, axis=1)
        self._columns.add(block)

    def finish(self) -> None:
        image = self._columns.done()
        value, canvas = self._value, Canvas(self._title, _subtitle(self._value, self._name))
        low, high, unit = 0.0, 1.0, value.unit
        if not image.size:
            canvas.note("no complete frame: the sound is shorter than one window")
        else:
            image, low, high, unit = _levels(image, value)
            span = max(high - low, 1e-9)
            shades = np.clip((image - low) / span * (MAP - 1), 0, MAP - 1).round()
            rows = np.flipud(shades.astype(np.uint8).T)
            # Neighbouring frequencies flow into each other, neighbouring coefficients do not.
            canvas.panel(rows, smooth=value.axis != "index")
        end = self._columns.frames * value.hop
        canvas.time_axis(value.start, value.start + end)
        canvas.value_axis(*_bin_ticks(value))
        canvas.scale(low, high, unit)
        canvas.save(self._path, palette("spread" if value.axis == "index" else "heat"))


def _levels(image: Array, value: Matrix) -> tuple[Array, float, float, str]:
    """What is shown of the values: the levels, their range, their unit and what it refers to."""
    if value.axis == "index":
        # The first coefficients are tens of times larger than the last: each is shown on its own
        # scale. One that stands still, as all do in silence, has none.
        image = image.astype(np.float64)
        spread = image.std(0)
        moves = spread > FLAT * np.abs(image).max()
        centred = np.where(moves, image - image.mean(0), 0.0) / np.where(moves, spread, 1.0)
        return centred, -3.0, 3.0, "std"
    unit, label = value.unit, f"{value.unit} re 1"
    if unit in ("power", "magnitude", "complex", "|X|^p"):
        power = float(value.parameters.get("power", 2.0)) or 1.0
        image = 20.0 / power * np.log10(np.maximum(image, 1e-30))
        image, unit, label = image - image.max(), "dB", "dB re peak"
    elif unit == "normalised":
        log = str(value.parameters.get("log", unit))
        label = f"{'dB' if log == 'db' else log}, scaled"
    elif unit not in RANGES:
        label = unit
    high = float(image.max())
    low = high - RANGES[unit] if unit in RANGES else float(image.min())
    if image.min() == high and unit in RANGES:  # silence is dark, not the loudest there is
        if label == "dB re peak":
            return image - RANGE_DB, low, high, label
        low, high = high, high + RANGES[unit]
    return image, low, high, label


def _subtitle(value: Matrix, name: str) -> str:
    made = value.parameters
    parts = [name]
    if value.axis == "mel":
        parts.append(f"{len(value.bins)} bands")
    if value.axis == "index":
        parts.append(f"{len(value.bins)} coefficients")
    if rate := made.get("sr"):
        parts.append(f"{rate / 1000:g} kHz")
        parts.append(f"window {made['win'] / rate * 1000:.4g} ms")
        parts.append(f"hop {made['hop'] / rate * 1000:.4g} ms")
    if (scale := made.get("scale", 1.0)) != 1.0:
        parts.append(f"samples x {scale:g}")
    if channels := made.get("channels"):
        parts.append(str(channels))
    return ",  ".join(parts)


def _bin_ticks(value: Matrix) -> tuple[list[tuple[float, str]], str]:
    """Marks up the panel, as (height from 0 to 1, text), and what they count.

    The rounder numbers come first: where two lie too close, they stay.
    """
    bins, n = value.bins, len(value.bins)
    if value.axis == "index":
        own = int(value.parameters.get("n_mfcc", n))
        step = int(max(1, nice(n / 14)))
        names = ["", "d", "dd"]  # the first and second derivatives
        each = [(k, f"{names[k // own]}{k % own}") for k in range(n) if k % own % step == 0]
        each.sort(key=lambda mark: mark[0] % own > 0)
        return [((k + 0.5) / n, text) for k, text in each], "coefficient"
    bottom, top = float(bins[0]), float(bins[-1])
    if value.axis == "linear":
        apart = nice(top / 10)
        hz = [k * apart for k in range(floor(top / apart + 1e-9) + 1)]
    else:
        hz = [m * 10.0**e for m in (1, 5, 2, 3, 7) for e in (3, 2, 4, 1)]
        hz = [f for f in hz if bottom <= f <= top]
        if len(hz) < 3 and bottom < top:  # a narrow range
            apart = nice((top - bottom) / 5)
            hz = [k * apart for k in range(ceil(bottom / apart), floor(top / apart) + 1)]
        hz = hz or [bottom]
    unit, factor = ("kHz", 1000.0) if top >= 2000 else ("Hz", 1.0)
    # A bin is centred in its row of pixels.
    marks = [((np.interp(f, bins, np.arange(n)) + 0.5) / n, f"{f / factor:.4g}") for f in hz]
    spaced: list[tuple[float, str]] = []
    for height, text in marks:
        if all(abs(height - other) * PANEL_H >= APART for other, _ in spaced):
            spaced.append((height, text))
    return spaced, f"frequency [{unit}]"
