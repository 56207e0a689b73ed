"""Pictures of values: axes in seconds and Hz, a scale, a title; readable at any length.

Time is reduced while the value streams by, so a day of sound needs no more memory than a minute.
The picture is an 8-bit palette PNG: 240 colours of the map, 16 steps from paper to ink.
"""

from __future__ import annotations

from functools import cache
from math import ceil, floor, log10
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from avtool.values import Array, Audio, Matrix

WIDTH, HEIGHT = 1600, 800
LEFT, TOP, RIGHT, BOTTOM = 116, 92, 148, 86  # margins around the panel
PANEL_W, PANEL_H = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
MAP, INK = 240, 16  # palette entries
RANGE_DB = 80.0

PAPER_RGB, INK_RGB = (255, 255, 255), (34, 36, 44)


class Columns:
    """Rows over time, reduced to at most ``2 * limit`` columns by powers of two.

    Column c always holds frames c * factor and on, however the blocks were cut.
    """

    def __init__(self, how: Literal["max", "mean"], limit: int = PANEL_W) -> None:
        self._reduce = np.max if how == "max" else np.mean
        self._limit, self.factor, self.frames = 2 * limit, 1, 0
        self._columns: list[Array] = []
        self._count = 0
        self._pending: Array | None = None

    def add(self, rows: Array) -> None:
        """Rows [frames, n]."""
        self.frames += len(rows)
        if self._pending is not None and len(self._pending):
            rows = np.concatenate([self._pending, rows])
        first = 0
        while (n := min((len(rows) - first) // self.factor, self._limit - self._count)) > 0:
            part = rows[first : first + n * self.factor]
            self._columns.append(self._pooled(part, self.factor))
            self._count += n
            first += n * self.factor
            if self._count == self._limit:
                whole = self._pooled(np.concatenate(self._columns), 2)
                self._columns, self._count = [whole], len(whole)
                self.factor *= 2
        self._pending = rows[first:].copy()

    def _pooled(self, rows: Array, factor: int) -> Array:
        if factor == 1:
            return rows.copy()
        return self._reduce(rows.reshape(-1, factor, rows.shape[1]), axis=1)  # type: ignore[no-any-return]

    def done(self) -> Array:
        """All columns, the last perhaps of fewer frames: [columns, n]."""
        parts = list(self._columns)
        if self._pending is not None and len(self._pending):
            parts.append(self._reduce(self._pending, axis=0)[None])
        return np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)


class MatrixPicture:
    """A heat map of a matrix over time, written on ``close``."""

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

    def close(self) -> None:
        image = self._columns.done()
        value, canvas = self._value, Canvas(self._title, _subtitle(self._value, self._name))
        low, high, unit = 0.0, 1.0, value.unit
        if not image.size:
            canvas.note("no complete frame: the sound is shorter than one window")
        else:
            image, low, high, unit = _levels(image, value)
            span = max(high - low, 1e-9)
            shades = np.clip((image - low) / span * (MAP - 1), 0, MAP - 1).round()
            canvas.panel(np.flipud(shades.astype(np.uint8).T))
        end = self._columns.frames * value.hop
        canvas.time_axis(value.start, value.start + end)
        canvas.value_axis(*_bin_ticks(value))
        canvas.scale(low, high, unit)
        canvas.save(self._path, _palette("spread" if value.axis == "index" else "heat"))


def _levels(image: Array, value: Matrix) -> tuple[Array, float, float, str]:
    """What is shown of the values: the levels, their range, their unit."""
    if value.axis == "index":
        # The first coefficients are tens of times larger than the last: each is shown on its own
        # scale.
        spread = image.std(0) if len(image) > 1 else np.ones(image.shape[1])
        centred = (image - image.mean(0)) / np.maximum(spread, 1e-9)
        return centred, -3.0, 3.0, "std"
    unit = value.unit
    if unit in ("power", "magnitude", "complex", "magnitude^p"):
        power = float(value.parameters.get("power", 2.0)) or 1.0
        image = 20.0 / power * np.log10(np.maximum(image, 1e-30))
        image, unit = image - image.max(), "dB"
    high = float(image.max())
    steps = {"dB": RANGE_DB, "ln": RANGE_DB / 10 * np.log(10), "log10": RANGE_DB / 10}
    low = high - steps[unit] if unit in steps else float(image.min())
    return image, low, high, unit


class WaveformPicture:
    """Each channel's extremes and its loudness (RMS) over time, written on ``close``."""

    def __init__(self, value: Audio, path: Path, title: str) -> None:
        self._value, self._path, self._title = value, path, title
        self._peaks, self._power = Columns("max"), Columns("mean")

    def write(self, block: Array) -> None:
        rows = block.T
        self._peaks.add(np.concatenate([rows, -rows], 1))
        self._power.add(np.square(rows))

    def close(self) -> None:
        value, n = self._value, self._value.channels
        peaks, power = self._peaks.done(), self._power.done()
        kind = "mono" if n == 1 else "stereo" if n == 2 else f"{n} channels"
        canvas = Canvas(self._title, f"waveform, {value.rate:,} Hz, {kind}".replace(",", " ", 0))
        top = float(peaks.max()) if peaks.size else 1.0
        top = min(1.0, max(top, 1e-6)) if top <= 1.0 else top
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
            marks += [(0.5 + 0.5 * 0.95 * s, f"{s * top:+.2g}") for s in (-1, -0.5, 0.5, 1)]
        canvas.value_axis(marks, "amplitude")
        canvas.legend()
        canvas.save(self._path, _palette("wave"))


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
    core = np.minimum(rms * scale, y + 0.5) - np.maximum(-rms * scale, y - 0.5)
    return np.maximum(shades, (np.clip(core, 0, 1) * (MAP - 1)).astype(np.uint8))


class Canvas:
    """A picture with a title, one panel and its axes."""

    def __init__(self, title: str, subtitle: str) -> None:
        self._pixels = np.full((HEIGHT, WIDTH), MAP, np.uint8)
        self._ink = Image.new("L", (WIDTH, HEIGHT), 0)
        self._draw = ImageDraw.Draw(self._ink)
        room = WIDTH - LEFT - RIGHT
        self._text((LEFT, 30), _fitted(title, 30, room), 30, "lm")
        self._text((LEFT, 64), _fitted(subtitle, 19, room), 19, "lm", 150)
        box = (LEFT - 1, TOP - 1, LEFT + PANEL_W, TOP + PANEL_H)
        self._draw.rectangle(box, outline=120)

    def _text(
        self, at: tuple[float, float], text: str, size: int, anchor: str, shade: int = 255
    ) -> None:
        self._draw.text(at, text, fill=shade, font=_font(size), anchor=anchor)

    def panel(self, shades: Array) -> None:
        """Map shades [rows, columns] in 0..239 onto the panel."""
        whole = Image.fromarray(shades, "L") if shades.dtype == np.uint8 else None
        assert whole is not None
        if whole.size != (PANEL_W, PANEL_H):
            whole = whole.resize((PANEL_W, PANEL_H), Image.Resampling.BILINEAR)
        self._pixels[TOP : TOP + PANEL_H, LEFT : LEFT + PANEL_W] = np.asarray(whole)

    def note(self, text: str) -> None:
        self._text((LEFT + PANEL_W / 2, TOP + PANEL_H / 2), text, 24, "mm", 150)

    def time_axis(self, start: float, end: float) -> None:
        """Seconds, or minutes and hours where seconds would be many digits."""
        span = max(end - start, 1e-6)
        step, show, unit = _time_ticks(start, end)
        for k in range(ceil(start / step - 1e-9), floor(end / step + 1e-9) + 1):
            x = LEFT + (k * step - start) / span * PANEL_W
            self._draw.line((x, TOP + PANEL_H, x, TOP + PANEL_H + 8), fill=120)
            self._text((x, TOP + PANEL_H + 14), show(k * step), 20, "ma")
        self._text((LEFT + PANEL_W / 2, HEIGHT - 20), f"time [{unit}]", 20, "mm", 150)

    def value_axis(self, marks: list[tuple[float, str]], label: str) -> None:
        """Marks: (height in the panel, 0 at its foot to 1, text)."""
        for height, text in marks:
            y = TOP + (1 - height) * PANEL_H
            self._draw.line((LEFT - 9, y, LEFT - 1, y), fill=120)
            self._text((LEFT - 15, y), text, 20, "rm")
        # Written sideways: drawn on its own, turned, and laid down.
        font = _font(20)
        width = ceil(font.getlength(label))
        tag = Image.new("L", (width + 4, 30), 0)
        ImageDraw.Draw(tag).text((2, 15), label, fill=150, font=font, anchor="lm")
        turned = tag.rotate(90, expand=True)
        self._ink.paste(turned, (12, TOP + (PANEL_H - turned.height) // 2))

    def scale(self, low: float, high: float, unit: str) -> None:
        """The colour scale right of the panel."""
        x, width = LEFT + PANEL_W + 28, 22
        ramp = np.linspace(MAP - 1, 0, PANEL_H).round().astype(np.uint8)
        self._pixels[TOP : TOP + PANEL_H, x : x + width] = ramp[:, None]
        box = (x - 1, TOP - 1, x + width, TOP + PANEL_H)
        self._draw.rectangle(box, outline=120)
        step = _nice((high - low) / 6)
        for k in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1):
            y = TOP + PANEL_H * (1 - (k * step - low) / max(high - low, 1e-9))
            self._draw.line((x + width, y, x + width + 6, y), fill=120)
            self._text((x + width + 12, y), f"{k * step:g}", 18, "lm")
        self._text((x + width / 2, TOP - 16), unit, 18, "mm", 150)

    def legend(self) -> None:
        """What the two shades of a waveform are."""
        for row, (shade, text) in enumerate(((MAP - 1, "RMS"), (130, "peak"))):
            y = TOP + 14 + 30 * row
            x = LEFT + PANEL_W + 24
            self._pixels[y - 8 : y + 8, x : x + 16] = shade
            self._text((x + 26, y), text, 18, "lm", 150)

    def save(self, path: Path, palette: bytes) -> None:
        ink = np.asarray(self._ink)
        drawn = ink > 7
        pixels = self._pixels
        pixels[drawn] = MAP + (ink[drawn].astype(np.uint16) * (INK - 1) // 255).astype(np.uint8)
        image = Image.fromarray(pixels, "P")
        image.putpalette(palette)
        image.save(path, format="PNG", compress_level=4)


@cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _fitted(text: str, size: int, room: int) -> str:
    """The text, its middle left out where it is too long for its place."""
    font = _font(size)
    if font.getlength(text) <= room:
        return text
    keep = len(text)
    while keep > 8 and font.getlength(text[: keep // 2] + "…" + text[-(keep // 2) :]) > room:
        keep -= 2
    return text[: keep // 2] + "…" + text[-(keep // 2) :]


def _subtitle(value: Matrix, name: str) -> str:
    made = value.parameters
    parts = [name]
    if value.axis == "mel":
        parts.append(f"{len(value.bins)} bands")
    if value.axis == "index":
        parts.append(f"{len(value.bins)} coefficients")
    if rate := made.get("sr"):
        parts.append(f"{rate:,} Hz".replace(",", " "))
        parts.append(f"window {made['win'] / rate * 1000:.4g} ms")
        parts.append(f"hop {made['hop'] / rate * 1000:.4g} ms")
    return ",  ".join(parts)


def _nice(step: float) -> float:
    """The next of 1, 2, 5 times a power of ten.

    >>> _nice(0.03), _nice(13)
    (0.05, 20)
    """
    base = 10 ** floor(log10(max(step, 1e-12)))
    return next(m * base for m in (1, 2, 5, 10) if m * base >= step * 0.999999)


def _time_ticks(start: float, end: float) -> tuple[float, Any, str]:
    """Step in seconds, how to write a time, what the digits are."""
    span = max(end - start, 1e-6)
    if end < 120:
        step = _nice(span / 10)
        digits = max(0, -floor(log10(step) + 1e-9))
        return step, lambda t: f"{t:.{digits}f}", "s"
    steps = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
    step = next((s for s in steps if s >= span / 12), 86400 * ceil(span / 12 / 86400))
    if end < 7200:
        return step, lambda t: f"{int(t) // 60}:{int(t) % 60:02d}", "min:s"
    return step, lambda t: f"{int(t) // 3600}:{int(t) // 60 % 60:02d}", "h:min"


def _bin_ticks(value: Matrix) -> tuple[list[tuple[float, str]], str]:
    bins, n = value.bins, len(value.bins)
    if value.axis == "index":
        step = max(1, round(_nice(n / 14)))
        return [((k + 0.5) / n, f"{k}") for k in range(0, n, step)], "coefficient"
    top = float(bins[-1])
    if value.axis == "linear":
        step = _nice(top / 10)
        hz = [k * step for k in range(floor(top / step + 1e-9) + 1)]
    else:
        hz = [m * 10.0**e for e in range(1, 5) for m in (1, 2, 5)]
        hz = [f for f in hz if bins[0] <= f <= top]
    unit, factor = ("kHz", 1000.0) if top >= 2000 else ("Hz", 1.0)
    # A bin is centred in its row of pixels.
    marks = [((np.interp(f, bins, np.arange(n)) + 0.5) / n, f"{f / factor:g}") for f in hz]
    spaced: list[tuple[float, str]] = []
    for mark in marks:
        if not spaced or (mark[0] - spaced[-1][0]) * PANEL_H > 26:
            spaced.append(mark)
    return spaced, f"frequency [{unit}]"


# Corner colours in OKLab (Ottosson 2020): lightness, and two opponent axes. Between them all three
# are straight, so equal steps of level are equal steps of lightness, in print too.
_HEAT = [(0.10, 0.01, -0.04), (0.30, 0.07, -0.13), (0.52, 0.17, -0.03), (0.73, 0.11, 0.11)]
_HEAT += [(0.97, -0.02, 0.08)]
_SPREAD = [(0.40, -0.04, -0.13), (0.68, -0.03, -0.08), (0.97, 0.0, 0.0)]
_SPREAD += [(0.70, 0.09, 0.06), (0.42, 0.14, 0.07)]
_WAVE = [(1.0, 0.0, 0.0), (0.80, -0.03, -0.07), (0.48, -0.02, -0.15)]


@cache
def _palette(kind: Literal["heat", "spread", "wave"]) -> bytes:
    corners = np.array({"heat": _HEAT, "spread": _SPREAD, "wave": _WAVE}[kind])
    at = np.linspace(0, len(corners) - 1, MAP)
    lab = np.stack([np.interp(at, range(len(corners)), corners[:, i]) for i in range(3)], 1)
    ramp = np.linspace(0, 1, INK)[:, None]
    ink = (1 - ramp) * PAPER_RGB + ramp * INK_RGB
    return bytes(np.concatenate([_oklab_to_rgb(lab), ink]).round().astype(np.uint8).ravel())


def _oklab_to_rgb(lab: Array) -> Array:
    """OKLab [n, 3] to sRGB 0..255 [n, 3]; colours outside sRGB are cut."""
    to_lms = [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728]]
    to_lms += [[1, -0.0894841775, -1.2914855480]]
    to_rgb = [[4.0767416621, -3.3077115913, 0.2309699292]]
    to_rgb += [[-1.2684380046, 2.6097574011, -0.3413193965]]
    to_rgb += [[-0.0041960863, -0.7034186147, 1.7076147010]]
    linear = np.clip((lab @ np.array(to_lms).T) ** 3 @ np.array(to_rgb).T, 0, 1)
    curved = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, curved)
