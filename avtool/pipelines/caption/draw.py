"""A picture with what is said of it, and where each word looked; a film as a sheet of its shots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from avtool.draw.canvas import clock, fitted, wrapped
from avtool.draw.palette import INK_RGB
from avtool.draw.sheet import HEAD, MARGIN, RGB, RIGHT, SPEAKS_RGB, Sheet
from avtool.pipelines.caption.values import NOT_SURE, Captions, Seen, Sentence
from avtool.values import Array

WIDE, HIGH = 680, 480  # pixels: the picture's box
ACROSS, SPACE, UNDER = 7, 16, 62  # words a row, between them, their text
SHOTS_ACROSS, MOST_SHOTS, TEXT = 4, 60, 104  # of a film
DARK = 0.15  # of the brightness, where nothing was looked at
LINES = 5  # of a sentence
DOUBT_RGB: RGB = (176, 84, 20)


def draw_picture(value: Captions, path: Path, title: str) -> None:
    """Write a picture's sentences as PNG, and for each word of the best where it looked."""
    (seen, *_) = value.seen
    best = seen.sentences[0]
    wide = (RIGHT - MARGIN + SPACE) // ACROSS - SPACE
    small = _fitting(seen.picture, wide, 160)
    shown = best.words if best.attention is not None else []
    rows = -(-len(shown) // ACROSS)
    large = _fitting(seen.picture, WIDE, HIGH)
    high = max(large.height, 300)
    top = HEAD + high + 36
    step = small.height + UNDER
    sheet = Sheet(top + rows * step + 12, title, _said(value, seen))
    sheet.image.paste(large, (MARGIN, HEAD))
    _sentences(sheet, seen, MARGIN + large.width + 40)
    for n, word in enumerate(shown):
        assert best.attention is not None
        x = MARGIN + (n % ACROSS) * (wide + SPACE)
        y = top + (n // ACROSS) * step
        looked = _looked(np.asarray(small), best.attention[n])
        sheet.image.paste(Image.fromarray(looked), (x + (wide - small.width) // 2, y))
        middle = x + wide / 2
        sheet.text(middle, y + small.height + 18, fitted(word, 22, wide), "mm", 22)
        sheet.grey(middle, y + small.height + 40, f"{best.likely[n]:.0%}", "mm", 15)
    sheet.save(path)


def _said(value: Captions, seen: Seen) -> str:
    ways = {
        "attend": "Show, Attend and Tell",
        "tell": "Show and Tell, which looks once at the whole",
        "both": "Show and Tell, and Show, Attend and Tell, whose looks are drawn",
    }
    return f"said by {ways[value.decoder]}"


def _sentences(sheet: Sheet, seen: Seen, x: int) -> None:
    """The best sentence, how far to believe it, and the next best."""
    y = HEAD + 20
    for line in wrapped(seen.sentences[0].text, 34, RIGHT - x)[:LINES]:
        sheet.text(x, y, line, size=34)
        y += 44
    y += 6
    if seen.sure:
        sheet.grey(x, y, f"{seen.known:.0%} sure that it is of a kind it learned from")
    else:
        for line in wrapped(
            f"{NOT_SURE}: this is unlike the photographs it learned from (people, dogs, sport out "
            f"of doors; {seen.known:.0%})",
            21,
            RIGHT - x,
        ):
            sheet.text(x, y, line, size=21, colour=DOUBT_RGB)
            y += 28
    y += 48
    most = max(each.probability for each in seen.sentences)
    for sentence in seen.sentences:
        bar = 60 * sentence.probability / most if most else 0
        sheet.draw.rectangle((x, y - 4, x + max(2, bar), y + 4), SPEAKS_RGB)
        for line in wrapped(sentence.text, 20, RIGHT - x - 80)[:2]:
            sheet.text(x + 76, y, line, size=20)
            y += 26
        sheet.grey(x + 76, y, _chance(sentence), size=15)
        y += 38


def _chance(sentence: Sentence) -> str:
    chance = sentence.probability
    return f"probability {100 * chance:.2g} %"


def draw_film(value: Captions, path: Path, title: str) -> None:
    """Write a film's shots as PNG, each with when it is, and what is said of it."""
    chosen = value.seen
    if len(chosen) > MOST_SHOTS:
        chosen = [chosen[n] for n in np.linspace(0, len(chosen) - 1, MOST_SHOTS).astype(int)]
    wide = (RIGHT - MARGIN + SPACE) // SHOTS_ACROSS - SPACE
    small = _fitting(chosen[0].picture, wide, 260)
    step = small.height + TEXT + 20
    rows = -(-len(chosen) // SHOTS_ACROSS)
    count = "1 shot" if len(value.seen) == 1 else f"{len(value.seen)} shots, each"
    if len(chosen) < len(value.seen):
        count = f"{len(value.seen)} shots, {len(chosen)} of them shown, each"
    sheet = Sheet(HEAD + rows * step + 12, title, f"{count} by the picture in its middle")
    for n, seen in enumerate(chosen):
        x = MARGIN + (n % SHOTS_ACROSS) * (wide + SPACE)
        y = HEAD + (n // SHOTS_ACROSS) * step
        picture = _fitting(seen.picture, wide, 260)
        sheet.image.paste(picture, (x, y))
        y += picture.height + 18
        sheet.grey(x, y, f"{clock(seen.start)} to {clock(seen.end)}", size=15)
        for line in wrapped(seen.text, 20, wide)[:3]:
            y += 25
            sheet.text(x, y, line, size=20, colour=INK_RGB if seen.sure else DOUBT_RGB)
    sheet.save(path)


def _fitting(picture: Array, wide: int, high: int) -> Image.Image:
    """As large as its box allows."""
    image = Image.fromarray(picture)
    scale = min(wide / image.width, high / image.height)
    size = max(1, round(scale * image.width)), max(1, round(scale * image.height))
    return image.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC)


def _looked(picture: Array, attention: Array) -> Array:
    """A picture, bright where attention [7, 7] lies."""
    height, width, _ = picture.shape
    map_ = Image.fromarray(attention.astype(np.float32) / max(float(attention.max()), 1e-9))
    large = np.asarray(map_.resize((width, height), Image.Resampling.BICUBIC))
    bright = DARK + (1 - DARK) * large.clip(0, 1)[..., None]
    lit: Array = (picture * bright).round().astype(np.uint8)
    return lit
