"""What is heard when, for the eye: the sound's spectrogram, and under it a lane for each kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from avtool.draw.canvas import fitted
from avtool.draw.palette import MAP, palette
from avtool.draw.sheet import FOOT, GREY, HEAD, MARGIN, RGB, RIGHT, RULE, Sheet
from avtool.pipelines.sounds.values import Sounds
from avtool.values import Array

LEFT = MARGIN + 250
HIGH, LANE, BAR = 200, 58, 34  # pixels: the spectrogram, from lane to lane, a lane's curve
DEEP = 5.0  # nepers of magnitude below the loudest that are still seen
# Equally light, as far apart in hue as eleven can be; who sees few hues reads the names.
COLOURS: dict[str, RGB] = {
    "speech": (30, 96, 200),
    "people": (0, 134, 170),
    "music": (132, 78, 190),
    "animals": (190, 100, 10),
    "nature": (30, 135, 75),
    "vehicles": (190, 55, 60),
    "home": (160, 95, 110),
    "signals": (200, 50, 130),
    "machines": (110, 110, 60),
    "impacts": (130, 90, 60),
    "surroundings": (110, 115, 125),
    "taught": (30, 96, 200),
}
NOTHING = "nothing certain"


def draw_sounds(value: Sounds, path: Path, title: str) -> None:
    """Write the picture as PNG: a lane a kind, its curve the probability, its bar where told."""
    lanes = len(value.lanes) + bool(value.uncertain)
    top = HEAD + HIGH + 24
    foot = top + max(1, lanes) * LANE
    sheet = Sheet(foot + FOOT, title, _said(value), LEFT)
    sheet.time_axis(value.start, value.end, (HEAD - 6, foot, foot + 8, foot + 62), RULE)
    sheet.image.paste(_spectrogram(value.mel), (LEFT, HEAD))
    sheet.name(HEAD + HIGH // 2, "log-mel spectrogram")
    y = top
    for kind, (group, curve) in value.lanes.items():
        colour = COLOURS[group]
        _lane(sheet, value, y, curve, colour, kind)
        sheet.text(
            LEFT - 16, y + BAR / 2 - 2, fitted(kind.split(",")[0], 20, LEFT - MARGIN - 16), "rm", 20
        )
        if group != "taught":
            sheet.text(LEFT - 16, y + BAR / 2 + 18, group, "rm", 15, colour)
        y += LANE
    for start, end in value.uncertain:
        middle = y + BAR / 2
        sheet.draw.rectangle((sheet.x(start), middle - 3, sheet.x(end), middle + 3), RULE)
    if value.uncertain:
        sheet.grey(LEFT - 16, y + BAR / 2, NOTHING, "rm", 20)
    sheet.save(path, optimize=True)


def _said(value: Sounds) -> str:
    if not value.lanes:
        return f"no sound is {value.threshold:.0%} likely"
    return f"what is heard; a bar stands where it is {value.threshold:.0%} likely"


def _lane(sheet: Sheet, value: Sounds, y: int, curve: Array, colour: RGB, kind: str) -> None:
    """A pale curve of probability, and the bars of what is told."""
    across = np.arange(LEFT, RIGHT)
    scale = (value.end - value.start) / (RIGHT - LEFT)
    looks = (across - LEFT) * scale / value.hop
    if len(curve) > len(across):  # the highest of those that share a column
        first = np.minimum(looks.astype(int), len(curve) - 1)
        high = np.maximum.reduceat(curve, first)
    else:
        high = np.interp(looks - 0.5, np.arange(len(curve)), curve)
    pale = tuple(round(255 - 0.3 * (255 - part)) for part in colour)
    foot = y + BAR
    points = [(float(x), foot - float(h) * BAR) for x, h in zip(across, high, strict=True)]
    sheet.draw.polygon([(LEFT, foot), *points, (RIGHT - 1, foot)], pale)
    sheet.draw.line((LEFT, foot, RIGHT, foot), RULE)
    for sound in value.sounds:
        if sound.kind == kind:
            x0, x1 = sheet.x(sound.start), sheet.x(sound.end)
            sheet.draw.rounded_rectangle((x0, foot - 3, max(x1, x0 + 2), foot + 4), 3, colour)


def _spectrogram(mel: Array) -> Image.Image:
    """Log-mel [columns, bands] as a picture, low bands below."""
    if not mel.size or mel.shape[1] < 2:
        return Image.new("RGB", (RIGHT - LEFT, HIGH), GREY)
    shades = np.clip((mel - mel.max() + DEEP) / DEEP, 0, 1) * (MAP - 1)
    picture = Image.fromarray(np.flipud(shades.round().astype(np.uint8).T)).convert("P")
    picture.putpalette(palette("heat"))
    size = (RIGHT - LEFT, HIGH)
    return picture.convert("RGB").resize(size, Image.Resampling.BILINEAR)
