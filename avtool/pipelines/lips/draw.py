"""A mouth at work: the face as it was, then at sounds that need different mouths, and over time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from avtool.draw.canvas import fitted, time_ticks, typeface
from avtool.draw.palette import INK_RGB, PAPER_RGB
from avtool.draw.sheet import GREY, HEAD, MARGIN, RULE, SEEN_RGB, SPEAKS_RGB, WIDTH
from avtool.pipelines.lips.values import Mouths

GAP, LANES = 12, 250


def draw_mouths(value: Mouths, path: Path, title: str) -> None:
    """Write the picture as PNG."""
    count = max(4, len(value.shown))
    wide = (WIDTH - 2 * MARGIN - (count - 1) * GAP) // count
    ratio = max((image.shape[0] / image.shape[1] for _, _, image in value.shown), default=1.0)
    high = round(wide * min(ratio, 1.4))
    image = Image.new("RGB", (WIDTH, HEAD + high + 40 + LANES), PAPER_RGB)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, 36), fitted(title, 30, WIDTH - 2 * MARGIN), INK_RGB, typeface(30), "lm")
    draw.text((MARGIN, 72), "synthetic: nobody said this", GREY, typeface(19), "lm")
    for column, (name, time, picture) in enumerate(value.shown):
        small = Image.fromarray(picture)
        small.thumbnail((wide, high), Image.Resampling.LANCZOS)
        if small.width < wide and small.height < high:
            scale = min(wide / small.width, high / small.height)
            size = round(small.width * scale), round(small.height * scale)
            small = small.resize(size, Image.Resampling.BICUBIC)
        x = MARGIN + column * (wide + GAP)
        image.paste(small, (x + (wide - small.width) // 2, HEAD))
        text = f"{name}, {time:.2f} s" if column else name
        draw.text((x + wide / 2, HEAD + high + 22), text, INK_RGB, typeface(19), "mm")
    _lanes(draw, value, HEAD + high + 48)
    image.save(path, format="PNG")


def _lanes(draw: ImageDraw.ImageDraw, value: Mouths, top: int) -> None:
    """Loudness, and how far the lips are open, over time."""
    left, right = MARGIN + 132, WIDTH - MARGIN
    seconds = max(len(value.opening) / float(value.fps), 1e-3)
    scale = (right - left) / seconds
    ticks, unit = time_ticks(0.0, seconds)
    for time, text in ticks:
        x = left + time * scale
        draw.line((x, top, x, top + 150), RULE)
        draw.text((x, top + 156), text, INK_RGB, typeface(20), "ma")
    draw.text(((left + right) / 2, top + 190), f"time [{unit}]", GREY, typeface(20), "mm")
    places = np.minimum(
        (np.arange(left, right, 3) - left) / scale * float(value.fps), len(value.level) - 1
    ).astype(int)
    for x, loud in zip(range(left, right, 3), value.level[places] * 30, strict=True):
        draw.line((x, top + 36 - loud, x, top + 36 + loud), GREY)
    highest = max(float(value.opening.max(initial=0)), 1e-3)
    gaps = np.maximum(value.opening, 0) / highest * 70
    step = scale / float(value.fps)
    points = [(left + k * step, top + 146 - float(gap)) for k, gap in enumerate(gaps)]
    draw.polygon([(left, top + 146), *points, (right, top + 146)], SEEN_RGB)
    draw.line(points, SPEAKS_RGB, 3)
    for _, time, _ in value.shown[1:]:
        x = left + time * scale
        draw.line((x, top + 66, x, top + 146), INK_RGB)
    for text, y in (("sound", 36), ("lips", 112)):
        draw.text((left - 16, top + y), text, INK_RGB, typeface(20), "rm")
