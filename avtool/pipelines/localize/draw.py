"""Where the sound comes from, for the eye: heat over pictures, the sound under them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from avtool.draw.canvas import fitted, typeface
from avtool.draw.heat import COLD, WARM
from avtool.draw.palette import INK_RGB, PAPER_RGB
from avtool.draw.sheet import HEAD, MARGIN, RIGHT, SEEN_RGB, SPEAKS_RGB, Sheet
from avtool.pipelines.localize.values import Source, Sources
from avtool.values import Array, Frames

LIKELY = 0.5  # of being visible: from here on a source is marked
UNLIKELY = 0.15  # below, it is said not to be there without a "perhaps"
STRIP = 0.09  # of the picture's height that shows the sound
SECONDS = 20.0  # of sound that the strip shows at most
FAINT = 0.003  # amplitude that is drawn as loud as any, -50 dB
GLOW = 0.8  # how much of the colour covers the picture where the heat is greatest

# Of heat 0 to 255: how much its colour covers.
_COVER = (GLOW * (1 - np.linspace(1, 0, 256) ** 2)).astype(np.float32)


def warmed(image: Array, heat: Array) -> Array:
    """A picture under a heat map.

    Shape:
        image: uint8 [height, width, 3]; heat: float [rows, columns], 0 to 1; output: as image
    """
    height, width = image.shape[:2]
    rows, columns = heat.shape
    out = image.copy()
    hot = cv2.boundingRect((heat > COLD).astype(np.uint8))  # left, top, width, height in cells
    if not hot[2]:
        return out
    # A cubic curve is bent by two cells around, and asks two more.
    x0, x1 = max(0, hot[0] - 4), min(columns, hot[0] + hot[2] + 4)
    y0, y1 = max(0, hot[1] - 4), min(rows, hot[1] + hot[3] + 4)
    left, right = x0 * width // columns, -(-x1 * width // columns)  # a pixel at least
    top, bottom = y0 * height // rows, -(-y1 * height // rows)
    near = heat[y0:y1, x0:x1].astype(np.float32)
    smooth = cv2.resize(near, (right - left, bottom - top), interpolation=cv2.INTER_CUBIC)
    part = cv2.convertScaleAbs(np.maximum(smooth - COLD, 0), alpha=255 / (1 - COLD))
    cover = cv2.LUT(part, _COVER)
    below = out[top:bottom, left:right]
    below[:] = cv2.blendLinear(cv2.applyColorMap(part, WARM[:, None]), below, cover, 1 - cover)
    return out


def drawn(sources: Sources, frames: Frames, *, boxes: bool = False) -> Frames:
    """The source's pictures with the heat, the mark on a speaking face, and the sound's strip."""

    def images() -> Iterator[Array]:
        marker = _Marker(sources, boxes)
        maps = _Between(sources)
        for number, image in enumerate(frames.images()):
            since = float(number / frames.fps)
            heat, step = maps.at(since)
            yield marker.mark(warmed(image, heat), step, since)

    return Frames(images, frames.fps, frames.width, frames.height)


class _Between:
    """Heat at any moment, forward only, between the two steps around it."""

    def __init__(self, sources: Sources) -> None:
        self._every, self._steps = sources.every, sources.steps
        self._heats = sources.heats()
        self._place = 0
        self._low = next(self._heats, None)
        self._high = next(self._heats, None)

    def at(self, since: float) -> tuple[Array, Source]:
        place = since / self._every
        while place >= self._place + 1 and self._high is not None:
            self._place += 1
            self._low, self._high = self._high, next(self._heats, None)
        part = min(1.0, max(0.0, place - self._place))
        assert self._low is not None
        heat = self._low if self._high is None else (1 - part) * self._low + part * self._high
        near = min(len(self._steps) - 1, self._place + round(part))
        return heat, self._steps[near]


@dataclass
class _Marker:
    """What is written and drawn over the heat."""

    sources: Sources
    boxes: bool

    def __post_init__(self) -> None:
        self._tags: dict[str, Array] = {}
        self._level = loudness(self.sources.level)

    def mark(self, image: Array, step: Source, since: float) -> Array:
        height = image.shape[0]
        thick = max(1, height // 240)
        if step.visible >= LIKELY:
            if step.cue == "face" or self.boxes:
                _corners(image, step.box, thick)
            if step.cue == "face":
                kind = f": {_short(step.kind)}" if step.kind else ""
                self._tag(image, f"face {step.face}{kind}", step.box[0], step.box[1])
            elif step.kind:
                self._tag(image, _short(step.kind), step.box[0], step.box[1])
        elif self._level_at(since) > 0.03:
            what = _short(step.kind) or "source"
            text = what + " perhaps" * (step.visible >= UNLIKELY) + " not in the picture"
            self._tag(image, text, 0.02 * height, 0.08 * height)
        self._strip(image, since)
        return image

    def _level_at(self, since: float) -> float:
        place = int(since * 25)
        return float(self._level[max(0, place - 5) : place + 6].max(initial=0))

    def _tag(self, image: Array, text: str, x: float, y: float) -> None:
        size = max(11, image.shape[0] // 26)
        if text not in self._tags:
            font = typeface(size)
            wide = int(font.getlength(text)) + size
            card = Image.new("RGB", (wide, int(1.5 * size)), INK_RGB)
            ImageDraw.Draw(card).text((size / 2, 0.75 * size), text, PAPER_RGB, font, "lm")
            self._tags[text] = np.asarray(card)
        tag = self._tags[text]
        top = int(np.clip(y - tag.shape[0] - 4, 0, max(0, image.shape[0] - tag.shape[0])))
        left = int(np.clip(x, 0, max(0, image.shape[1] - tag.shape[1])))
        place = image[top : top + tag.shape[0], left : left + tag.shape[1]]
        place[:] = tag[: place.shape[0], : place.shape[1]]

    def _strip(self, image: Array, since: float) -> None:
        """The sound's loudness, with the play head; what has been heard is bright."""
        height, width = image.shape[:2]
        high = min(height, max(12, int(STRIP * height)))
        below = image[height - high :]
        below[:] = below // 3
        count = len(self._level)
        whole = count / 25
        shown = min(whole, SECONDS) or 1.0
        first = float(np.clip(since - shown / 2, 0, max(0.0, whole - shown)))
        times = first + np.arange(width) / width * shown
        level = self._level[np.clip((times * 25).astype(int), 0, max(count - 1, 0))]
        rows = np.abs(np.arange(high) - (high - 1) / 2)[:, None] / (0.45 * high)
        bars = (rows <= np.maximum(level, 0.02)) & (np.arange(width) % 4 < 3)
        bright = np.where(times <= since, 235, 120).astype(np.uint8)
        below[bars] = np.broadcast_to(bright, bars.shape)[bars][:, None]
        head = int((since - first) / shown * width)
        below[:, max(0, head - 1) : head + 1] = WARM[-59]


def _corners(image: Array, box: Sequence[float], thick: int) -> None:
    x0, y0, x1, y1 = (round(edge) for edge in box)
    reach = max(4, min(x1 - x0, y1 - y0) // 4)
    for x, way_x in ((x0, 1), (x1, -1)):
        for y, way_y in ((y0, 1), (y1, -1)):
            for colour, wide in (((20, 20, 24), thick + 2), ((255, 255, 255), thick)):
                for end in ((x + way_x * reach, y), (x, y + way_y * reach)):
                    cv2.line(image, (x, y), end, colour, wide, cv2.LINE_AA)


def loudness(level: Array) -> Array:
    """Levels in dB as parts of the loudest, 0 to 1; what is silent throughout stays small."""
    size = 10 ** (np.asarray(level, np.float64) / 20)
    part: Array = size / max(float(size.max(initial=0)), FAINT)
    return part


def draw_sources(value: Sources, path: Path, title: str) -> None:
    """Write the summary as PNG: moments under their heat, then the sound and what was found."""
    count = max(1, len(value.shown))
    gap = 12
    wide = (RIGHT - MARGIN - (count - 1) * gap) // count
    high = min(round(wide * value.size[1] / max(1, value.size[0])), 420)
    names = list(value.cues[0]) if value.cues else []
    foot = HEAD + (high + gap) * (1 + len(names)) + 30
    sheet = Sheet(foot + 356, title, _said(value))
    for column, (time, heat, step, picture) in enumerate(_moments(value)):
        left = MARGIN + column * (wide + gap)
        rows = [heat, *(value.cues[column][name] for name in names)]
        for row, each in enumerate(rows):
            shown = warmed(picture, each)
            if row == 0 and step.visible >= LIKELY and step.cue == "face":
                scale = np.tile(np.divide(picture.shape[1::-1], value.size), 2)
                _corners(shown, (scale * step.box).tolist(), max(1, shown.shape[0] // 200))
            y = HEAD + row * (high + gap)
            x = sheet.picture(left, y, shown, wide, high)
            if row:
                room = typeface(18).getlength(names[row - 1]) + 16
                sheet.draw.rectangle((x, y, x + room, y + 26), INK_RGB)
                sheet.text(x + 8, y + 13, names[row - 1], size=18, colour=PAPER_RGB)
        y = HEAD + len(rows) * (high + gap) - gap + 14
        sheet.text(left + wide / 2, y, f"{time:.1f} s", "mm", 18)
    _lanes(sheet, value, foot)
    sheet.save(path)


def _said(value: Sources) -> str:
    whole = value.clip
    if loudness(value.level).max(initial=0) < 0.2:
        return "nothing is heard in it"
    if whole.visible < LIKELY:
        return f"the source of the sound is hardly in the picture ({whole.visible:.0%} likely)"
    kind = "looks like it" if whole.cue == "attention" else "moves"
    what = f"face {whole.face}" if whole.cue == "face" else f"what {kind} ({whole.cue})"
    return f"the sound comes from {what}; in the picture: {whole.visible:.0%} likely"


def _moments(value: Sources) -> Iterator[tuple[float, Array, Source, Array]]:
    """(time, heat, step, picture) of the moments to show."""
    start = value.steps[0].time
    last = len(value.steps) - 1
    places = [min(last, round((time - start) / value.every)) for time, _ in value.shown]
    heats = {n: heat for n, heat in enumerate(value.heats()) if n in places}
    for place, (time, picture) in zip(places, value.shown, strict=True):
        yield time, heats[place], value.steps[place], picture


def _lanes(sheet: Sheet, value: Sources, top: int) -> None:
    """Loudness, how likely the source is visible, and what it is, over time."""
    start = value.steps[0].time
    end = start + max(len(value.steps) * value.every, 1e-3)
    sheet.time_axis(start, end, (top, top + 272, top + 280, top + 334))
    sheet.sound(top + 36, loudness(value.level))
    points = [(sheet.x(s.time), top + 146 - 60 * s.visible) for s in value.steps]
    points = [(sheet.left, points[0][1]), *points, (RIGHT, points[-1][1])]
    sheet.curve(top + 146, points)
    sheet.name(top + 116, "visible")
    sheet.name(top + 192, "source")
    sheet.name(top + 248, "heard")
    for y, colour, ink, each in (
        (top + 172, SPEAKS_RGB, PAPER_RGB, _place),
        (top + 228, SEEN_RGB, INK_RGB, lambda step: _short(step.kind)),
    ):
        for name, first, last in _runs(value.steps, each):
            x0, x1 = sheet.x(first), min(RIGHT, sheet.x(last + value.every))
            sheet.draw.rounded_rectangle((x0, y, max(x1, x0 + 2), y + 40), 6, colour)
            if x1 - x0 > 60:
                text = fitted(name, 20, int(x1 - x0) - 12)
                sheet.text((x0 + x1) / 2, y + 20, text, "mm", colour=ink)


def _short(kind: str) -> str:
    """A kind by the first of its names: "Baby cry, infant cry"."""
    return kind.split(",")[0]


def _place(step: Source) -> str:
    """The name of where a source is, where it is visible."""
    name = f"face {step.face}" if step.cue == "face" else step.cue
    return name if step.visible >= LIKELY else ""


def _runs(
    steps: Sequence[Source], name_of: Callable[[Source], str]
) -> Iterator[tuple[str, float, float]]:
    """What there is from when to when: its name, its first and its last step's time."""
    name, first, last = "", 0.0, 0.0
    for step in steps:
        now = name_of(step)
        if now != name:
            if name:
                yield name, first, last
            name, first = now, step.time
        last = step.time
    if name:
        yield name, first, last
