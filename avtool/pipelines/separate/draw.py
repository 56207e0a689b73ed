"""Who said what, for the eye: the source's spectrogram, and under it each voice's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from avtool.draw.canvas import fitted, time_ticks, typeface
from avtool.draw.columns import Columns
from avtool.draw.palette import INK_RGB, MAP, PAPER_RGB, palette
from avtool.draw.sheet import FOOT, GAP, GREY, HEAD, MARGIN, SIDE, WIDTH, rounded
from avtool.pipelines.separate.values import Voices
from avtool.values import Matrix

LEFT = MARGIN + SIDE + 40
RANGE_DB = 60.0


def draw_voices(value: Voices, path: Path, title: str) -> None:
    """Write the picture as PNG, one lane a row, all on the source's scale of levels."""
    height = HEAD + len(value.rows) * (SIDE + GAP) + FOOT
    image = Image.new("RGB", (WIDTH, height), PAPER_RGB)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, 36), fitted(title, 30, WIDTH - 2 * MARGIN), INK_RGB, typeface(30), "lm")
    said = "the source and its voices, log-mel spectrograms"
    draw.text((MARGIN, 72), said, GREY, typeface(19), "lm")
    top: float | None = None
    end = start = 0.0
    for row, (name, portrait, levels) in enumerate(value.rows):
        lane, loudest, seconds = _lane(levels, top)
        top = loudest if top is None else top
        start, end = levels.start, max(end, levels.start + seconds)
        y = HEAD + row * (SIDE + GAP)
        image.paste(lane, (LEFT, y))
        if portrait is None:
            draw.text((MARGIN + SIDE / 2, y + SIDE / 2), name, INK_RGB, typeface(26), "mm")
            continue
        picture = Image.fromarray(portrait).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        image.paste(picture, (MARGIN, y), rounded())
        draw.ellipse((MARGIN + 8, y + 8, MARGIN + 44, y + 44), PAPER_RGB)
        draw.text((MARGIN + 26, y + 26), name, INK_RGB, typeface(24), "mm")
    bottom = HEAD + len(value.rows) * (SIDE + GAP) - GAP
    ticks, unit = time_ticks(start, end)
    scale = (WIDTH - MARGIN - LEFT) / max(end - start, 1e-6)
    for time, text in ticks:
        x = LEFT + (time - start) * scale
        draw.line((x, bottom, x, bottom + 8), GREY)
        draw.text((x, bottom + 14), text, INK_RGB, typeface(20), "ma")
    middle = (LEFT + WIDTH - MARGIN) / 2
    draw.text((middle, height - 22), f"time [{unit}]", GREY, typeface(20), "mm")
    image.save(path, format="PNG", optimize=True)


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
    size = (WIDTH - MARGIN - LEFT, SIDE)
    whole = lane.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    return whole, loudest, columns.frames * levels.hop
