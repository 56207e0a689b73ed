"""What is no scene: photographs, noise, and drawings of other kinds, to be told from scenes."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageDraw

from avtool.models.captioned import read
from avtool.pipelines.ask.model import SIZE
from avtool.values import Array

WIDER = 96  # pixels that a photograph is kept with; a part of it is taken each time


def photographs(data: Path, split: str = "train", most: int = 6000) -> Array:
    """Of a folder of pictures with sentences, uint8 RGB [photographs, WIDER, WIDER, 3]."""
    captioned = read(data)
    made = []
    for n in captioned.of(split)[:most]:
        with Image.open(captioned.folder / "images" / captioned.names[n]) as file:
            file.draft("RGB", (2 * WIDER, 2 * WIDER))
            made.append(np.asarray(file.convert("RGB").resize((WIDER, WIDER))))
    return np.stack(made)


def other(rng: Random, photos: Array) -> Array:
    """A picture that is no scene, uint8 RGB [SIZE, SIZE, 3]: half of them photographs."""
    if rng.random() < 0.5:
        photo = photos[rng.randrange(len(photos))]
        side = rng.randint(SIZE, WIDER)
        x, y = rng.randint(0, WIDER - side), rng.randint(0, WIDER - side)
        part = Image.fromarray(photo[y : y + side, x : x + side])
        return np.asarray(part.resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    return rng.choice((noise, lines, stripes, chart, chart, chart))(rng)


def noise(rng: Random) -> Array:
    """Clouds of any fineness."""
    random = np.random.default_rng(rng.getrandbits(32))
    fine = rng.choice((2, 4, 8, 16, 64))
    small = random.integers(0, 256, (fine, fine, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def lines(rng: Random) -> Array:
    """Strokes and letters on any ground, as in a diagram."""
    image = Image.new("RGB", (SIZE, SIZE), _any(rng))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randint(2, 14)):
        ends = [rng.randrange(SIZE) for _ in range(4)]
        draw.line(ends, _any(rng), rng.choice((1, 1, 2, 3)))
    for _ in range(rng.randint(0, 5)):
        place = rng.randrange(SIZE - 8), rng.randrange(SIZE - 8)
        letters = "".join(rng.choices("abcdefgHKMRTX0123456789", k=rng.randint(1, 9)))
        draw.text(place, letters, _any(rng))
    return np.asarray(image)


def chart(rng: Random) -> Array:
    """What is drawn on a pale ground as scenes are: axes, panels, bars, curves, outlines, words."""
    red, green, blue = (255 - rng.randrange(32) * (rng.random() < 0.5) for _ in range(3))
    image = Image.new("RGB", (SIZE, SIZE), (red, green, blue))
    draw = ImageDraw.Draw(image)
    left, top = rng.randint(2, 24), rng.randint(2, 24)
    right, foot = rng.randint(36, 62), rng.randint(36, 62)
    parts = rng.sample(("panel", "bars", "curve", "outlines", "words", "axes"), rng.randint(2, 4))
    if "panel" in parts:
        inside = Image.fromarray(rng.choice((noise, stripes, lines))(rng))
        image.paste(inside.resize((right - left, foot - top)), (left, top))
    if "bars" in parts:
        step = rng.randint(4, 10)
        for x in range(left, right, step):
            draw.rectangle((x, rng.randint(top, foot), x + step - 2, foot), _any(rng))
    if "curve" in parts:
        points = [(x, rng.randint(top, foot)) for x in range(left, right, rng.randint(2, 8))]
        draw.line(points, _any(rng), rng.choice((1, 2)))
    if "outlines" in parts:
        for _ in range(rng.randint(1, 5)):
            x, y, half = rng.randint(0, 54), rng.randint(0, 54), rng.randint(3, 10)
            rng.choice((draw.ellipse, draw.rectangle))(
                (x, y, x + 2 * half, y + 2 * half), None, _any(rng), rng.choice((1, 1, 2))
            )
    if "words" in parts:
        for y in range(rng.randint(0, 40), 60, rng.randint(6, 14)):
            x = rng.randint(0, 30)
            shade = rng.randint(0, 150)
            draw.line((x, y, x + rng.randint(6, 30), y), (shade, shade, shade), rng.choice((1, 2)))
    if "axes" in parts:
        draw.line((left, top, left, foot), (90, 90, 90))
        draw.line((left, foot, right, foot), (90, 90, 90))
    return np.asarray(image)


def stripes(rng: Random) -> Array:
    """A ground of stripes, tiles or a gradient."""
    first, second = np.array(_any(rng)), np.array(_any(rng))
    y, x = np.mgrid[:SIZE, :SIZE] / rng.choice((3, 6, 12, 64))
    slope = rng.uniform(-1, 1)
    ramp = (x + slope * y) % 1
    share = ramp if rng.random() < 0.5 else np.floor(2 * ramp) / 2 + np.floor(y) % 2 / 2
    return (first + (second - first) * share[..., None]).clip(0, 255).astype(np.uint8)


def _any(rng: Random) -> tuple[int, int, int]:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)
