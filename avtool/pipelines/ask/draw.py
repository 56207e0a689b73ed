"""A question and its answer for the eye: where was looked, step by step, or who is meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from avtool.draw.canvas import fitted, typeface, wrapped
from avtool.draw.palette import INK_RGB
from avtool.draw.sheet import FOOT, GREY, HEAD, MARGIN, RIGHT, RULE, SPEAKS_RGB, Sheet
from avtool.pipelines.ask.values import Reply, Step
from avtool.values import Array

WIDE, HIGH = 900, 620  # pixels at most: the picture
SMALL, GAP = 340, 46  # a step's picture, and from one to the next
TEXT = MARGIN + WIDE + 56  # where the words begin
DIM = 0.5  # of the light is taken where nothing is looked at
HEARD = 0.5  # how much of a say a word has that is told
FAINT, CLEAR = 0.1, 0.7  # how well a cell fits that is left dark, and that is lit fully


def draw_reply(value: Reply, path: Path, title: str) -> None:
    """Write the picture as PNG."""
    picture = None if value.picture is None else _shown(value)
    high = 300 if picture is None else max(picture.height, 300)
    steps = SMALL + 100 if value.steps else 0
    sheet = Sheet(HEAD + high + steps + FOOT // 2, title, "asked of it, answered, and by what")
    left = MARGIN if picture is None else TEXT
    if picture is not None:
        at = MARGIN + (WIDE - picture.width) // 2
        sheet.image.paste(picture, (at, HEAD))
        edge = (at - 1, HEAD - 1, at + picture.width, HEAD + picture.height)
        sheet.draw.rectangle(edge, outline=RULE)
    y = HEAD + 16
    for line in wrapped(value.question, 26, RIGHT - left):
        sheet.text(left, y, line, size=26, colour=GREY)
        y += 36
    y += 20
    for line in wrapped(value.answer, 44, RIGHT - left):
        sheet.text(left, y, line, size=44)
        y += 54
    if value.sure is not None:
        y += 10
        sheet.draw.rounded_rectangle((left, y, left + 300, y + 14), 7, RULE)
        full = left + 300 * max(value.sure, 0.05)
        sheet.draw.rounded_rectangle((left, y, full, y + 14), 7, SPEAKS_RGB)
        sheet.text(left + 316, y + 7, f"{value.sure:.0%} sure")
        y += 44
    for line in wrapped(value.why, 21, RIGHT - left):
        sheet.grey(left, y + 8, line, size=21)
        y += 30
    if value.steps:
        sheet.grey(MARGIN, HEAD + high + 28, "its looks, and the words that guided each")
    for number, step in enumerate(value.steps):
        x = MARGIN + number * (SMALL + GAP)
        _small(sheet, value, step, number, x, HEAD + high + 50)
    sheet.save(path, optimize=True)


def _shown(value: Reply) -> Image.Image:
    """The picture with what was looked at last, or with the faces that are meant."""
    assert value.picture is not None
    if value.steps:
        return _lit(value.picture, value.steps[-1].cells, HIGH)
    image = Image.fromarray(value.picture)
    scale = min(WIDE / image.width, HIGH / image.height)
    size = round(image.width * scale), round(image.height * scale)
    image = image.resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(image)
    for name, box in value.boxes:
        x0, y0, x1, y1 = (scale * side for side in box)
        draw.rounded_rectangle((x0, y0, x1, y1), 8, outline=SPEAKS_RGB, width=4)
        wide = typeface(20).getlength(name) + 16
        draw.rounded_rectangle((x0, y0 - 30, x0 + wide, y0 - 2), 6, SPEAKS_RGB)
        draw.text((x0 + 8, y0 - 16), name, "white", typeface(20), "lm")
    return image


def _lit(picture: Array, cells: Array, side: int) -> Image.Image:
    """A picture that is bright where it is looked at: on the square that the network sees."""
    high, wide = picture.shape[:2]
    most = max(high, wide)
    scale = side / most
    image = Image.fromarray(picture).resize(
        (max(1, round(wide * scale)), max(1, round(high * scale))), Image.Resampling.LANCZOS
    )
    light = ((cells - FAINT) / (CLEAR - FAINT)).clip(0, 1)
    shade = Image.fromarray((255 * light).astype(np.uint8))
    shade = shade.resize((side, side), Image.Resampling.BICUBIC)
    shade = shade.filter(ImageFilter.GaussianBlur(side / 24))
    x, y = (side - image.width) // 2, (side - image.height) // 2
    shade = shade.crop((x, y, x + image.width, y + image.height))
    share = np.asarray(shade, np.float32)[..., None]
    share = share / max(float(share.max()), 1.0)
    bright = np.asarray(image, np.float32)
    mixed = bright * (1 - DIM + DIM * share)
    return Image.fromarray(mixed.clip(0, 255).astype(np.uint8))


def _small(sheet: Sheet, value: Reply, step: Step, number: int, x: int, y: int) -> None:
    """A step: its number, the words that guided it, and where it looked."""
    assert value.picture is not None
    small = _lit(value.picture, step.cells, SMALL)
    sheet.image.paste(small, (x, y + 40))
    sheet.draw.rectangle((x - 1, y + 39, x + small.width, y + 40 + small.height), outline=RULE)
    told = " ".join(word for word, say in step.words if say > HEARD)
    sheet.grey(x, y + 18, f"{number + 1}")
    sheet.text(x + 22, y + 18, fitted(told, 20, SMALL - 22), colour=INK_RGB)
