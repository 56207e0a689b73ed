"""Who said what, for the eye: the source's spectrogram, and under it each voice's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from avtool.draw.columns import Columns
from avtool.draw.palette import MAP, PAPER_RGB, palette
from avtool.draw.sheet import FOOT, GREY, MARGIN, RIGHT, SIDE, Sheet, row
from avtool.pipelines.separate.values import Voices
from avtool.values import Matrix

LEFT = MARGIN + SIDE + 40
RANGE_DB = 60.0


def draw_voices(value: Voices, path: Path, title: str) -> None:
    """Write the picture as PNG, one lane a row, all on the source's scale of levels."""
    foot = row(len(value.rows))
    said = "the source and its voices, log-mel spectrograms"
    sheet = Sheet(foot + FOOT, title, said, LEFT)
    top: float | None = None
    end = start = 0.0
    for number, (name, portrait, levels) in enumerate(value.rows):
        lane, loudest, seconds = _lane(levels, top)
        top = loudest if top is None else top
        start, end = levels.start, max(end, levels.start + seconds)
        y = row(number)
        sheet.image.paste(lane, (LEFT, y))
        if portrait is None:
            sheet.text(MARGIN + SIDE / 2, y + SIDE / 2, name, "mm", 26)
            continue
        sheet.portrait(y, portrait)
        sheet.draw.ellipse((MARGIN + 8, y + 8, MARGIN + 44, y + 44), PAPER_RGB)
        sheet.text(MARGIN + 26, y + 26, name, "mm", 24)
    sheet.time_axis(start, end, (foot - 28, foot - 20, foot - 14, foot + 62), GREY)
    sheet.save(path, optimize=True)


def _lane(levels: Matrix, top: float | None) -> tuple[Image.Image, float, float]:
    """One spectrogram as a picture, its loudest level in dB, and its length in seconds."""
    columns = Columns("max")
    for block in levels.blocks():
        columns.add(block)
    shown = columns.done()
    loudest = float(shown.max()) if shown.size else 0.0
    high = loudest if top is None else top
    shades = np.clip((shown - high + RANGE_DB) / RANGE_DB, 0, 1) * (MAP - 1)
    lane = Image.fromarray(np.flipud(shades.round().astype(np.uint8).T)).convert("P")
    lane.putpalette(palette("heat"))
    size = (RIGHT - LEFT, SIDE)
    whole = lane.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    return whole, loudest, columns.frames * levels.hop
