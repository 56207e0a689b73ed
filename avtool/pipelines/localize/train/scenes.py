"""Made scenes of things that move, of which some sound: for calibrating and for measuring.

Each thing moves as much as the others and by a schedule of its own; the sound of those that sound
is cut from real recordings and gated by their motion. They are synthetic, and told apart from
recordings in every table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from avtool.training.corpus import RATE
from avtool.values import Array

FPS = 25
KINDS = ("bounce", "hammer", "pluck", "blink")


@dataclass(frozen=True, eq=False)
class Scene:
    """A made scene.

    Shape:
        images: uint8 [frames, height, width, 3], RGB, at 25 fps; sounds: float32 [things, time] at
        16 kHz, what each thing would sound like; boxes: float32 [things, frames, 4], x0, y0, x1, y1
        in pixels of where each is.
    """

    images: Array
    sounds: Array
    boxes: Array


def scene(
    seed: Sequence[int],
    takes: Sequence[Array],
    *,
    things: int = 2,
    seconds: float = 5.0,
    size: tuple[int, int] = (480, 270),
    alike: bool = False,
) -> Scene:
    """Make a scene.

    Args:
        takes: recordings to cut sounds from, float32 [time] at 16 kHz.
        things: how many move, side by side.
        alike: all are of one kind and move at the same moments, so only their place differs.
    """
    rng = np.random.default_rng(seed)
    width, height = size
    frames = round(seconds * FPS)
    images = np.repeat(background(rng, width, height)[None], frames, 0)
    sounds = np.zeros((things, round(seconds * RATE)), np.float32)
    boxes = np.zeros((things, frames, 4), np.float32)
    lane = width / things
    kind, moments = rng.choice(KINDS), schedule(rng, seconds)
    for n in range(things):
        if not alike:
            kind, moments = rng.choice(KINDS), schedule(rng, seconds)
        middle = lane * (n + rng.uniform(0.4, 0.6))
        reach = min(lane, height) * rng.uniform(0.3, 0.42)
        place = (middle, height * rng.uniform(0.45, 0.6), reach)
        boxes[n] = DRAWN[kind](rng, images, place, moments)
        sounds[n] = gated(rng, takes[int(rng.integers(len(takes)))], moments, sounds.shape[1])
    noise = rng.normal(0, rng.uniform(0.5, 2.5), images.shape[:3])[..., None]
    return Scene(np.clip(images + noise, 0, 255).astype(np.uint8), sounds, boxes)


def schedule(rng: np.random.Generator, seconds: float) -> Array:
    """Moments in seconds at which something happens, irregular, from before 0 to after the end."""
    pace = rng.uniform(0.45, 0.9)
    gaps = rng.uniform(0.6, 1.4, round(seconds / pace * 2) + 8) * pace
    moments: Array = np.cumsum(gaps) - 2 * pace
    return moments[: np.searchsorted(moments, seconds) + 1]


def gated(rng: np.random.Generator, take: Array, moments: Array, length: int) -> Array:
    """A recording that is heard from each moment on and dies away, float32 [length]."""
    power = np.convolve(take**2, np.full(800, 1 / 800), "same")
    start = int(rng.choice(np.argsort(power)[-max(1, len(power) // 50) :]))
    decay = rng.uniform(0.05, 0.2)
    out = np.zeros(length, np.float32)
    for moment in moments:
        first = round(moment * RATE)
        piece = take[start : start + round(5 * decay * RATE)]
        piece = piece * np.exp(-np.arange(len(piece)) / (decay * RATE))
        piece = piece[max(0, -first) :][: max(0, length - max(0, first))]
        out[max(0, first) : max(0, first) + len(piece)] += piece
    return out * np.float32(0.1 / (np.sqrt(np.mean(out**2)) + 1e-6))


def background(rng: np.random.Generator, width: int, height: int) -> Array:
    """A coarse and a fine pattern, float [height, width, 3]."""
    coarse = rng.uniform(80, 170, (5, 8, 1)) + rng.uniform(-25, 25, (5, 8, 3))
    fine = rng.normal(0, 12, (height // 4, width // 4, 1)).astype(np.float32)
    field = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    whole: Array = np.clip(field + cv2.resize(fine, (width, height))[..., None], 0, 255)
    return whole


Place = tuple[float, float, float]  # middle x and y, and how far the thing reaches, in pixels


def _colour(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(c) for c in rng.choice([rng.uniform(0, 60, 3), rng.uniform(200, 255, 3)]))


def _phase(moments: Array, time: float) -> tuple[float, float]:
    """Seconds since the last moment, and from it to the next."""
    place = int(np.searchsorted(moments, time, "right"))
    last = moments[place - 1] if place else moments[0] - 0.6
    after = moments[place] if place < len(moments) else last + 0.6
    return time - last, after - last


def _bounce(rng: np.random.Generator, images: Array, place: Place, moments: Array) -> Array:
    """A ball on a floor; the moments are its impacts."""
    x, y, reach = place
    radius, floor = reach * 0.28, y + reach * 0.7
    colour, mark = _colour(rng), _colour(rng)
    boxes = np.zeros((len(images), 4), np.float32)
    for k, image in enumerate(images):
        since, gap = _phase(moments, k / FPS)
        part = since / gap
        up = 4 * part * (1 - part) * min(1.5, (gap / 0.8) ** 2) * reach
        at = (x, floor - radius - up)
        _disc(image, at, radius, colour)
        _disc(image, (at[0] + 0.3 * radius, at[1] - 0.3 * radius), radius / 3, mark)
        boxes[k] = (at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius)
    return boxes


def _hammer(rng: np.random.Generator, images: Array, place: Place, moments: Array) -> Array:
    """A hammer that is lifted slowly and falls fast; the moments are its blows."""
    x, y, reach = place
    colour, head = _colour(rng), _colour(rng)
    pivot = (x - 0.7 * reach, y + 0.3 * reach)
    for k, image in enumerate(images):
        since, gap = _phase(moments, k / FPS)
        lift = min(since / max(gap - 0.12, 0.05), 1) ** 0.7
        fall = np.clip((gap - since) / 0.12, 0, 1)
        angle = -1.1 * min(lift, fall)
        tip = (pivot[0] + 1.4 * reach * np.cos(angle), pivot[1] + 1.4 * reach * np.sin(angle))
        _line(image, pivot, tip, colour, reach * 0.1)
        _disc(image, tip, reach * 0.22, head)
    return _still(
        [x - 0.8 * reach, y - 1.2 * reach, x + 0.95 * reach, y + 0.6 * reach], len(images)
    )


def _pluck(rng: np.random.Generator, images: Array, place: Place, moments: Array) -> Array:
    """A string that swings after each moment and comes to rest."""
    x, y, reach = place
    colour, along = _colour(rng), np.linspace(-1, 1, 25)
    for k, image in enumerate(images):
        since, _ = _phase(moments, k / FPS)
        swing = 0.35 * reach * np.exp(-since / 0.25) * np.cos(2 * np.pi * 7.3 * since)
        line = np.stack([x + reach * along, y + swing * np.cos(along * np.pi / 2)], 1)
        points = (line * 16).round().astype(np.int32)[:, None]
        cv2.polylines(image, [points], False, colour, max(2, int(reach * 0.06)), cv2.LINE_AA, 4)
    return _still([x - reach, y - 0.4 * reach, x + reach, y + 0.4 * reach], len(images))


def _blink(rng: np.random.Generator, images: Array, place: Place, moments: Array) -> Array:
    """A lamp that lights up at each moment and fades."""
    x, y, reach = place
    dark, light = rng.uniform(20, 90, 3), rng.uniform(170, 255, 3)
    for k, image in enumerate(images):
        since, _ = _phase(moments, k / FPS)
        glow = dark + (light - dark) * np.exp(-since / 0.15)
        _disc(image, (x, y), reach * 0.4, tuple(int(c) for c in glow))
    side = reach * 0.4
    return _still([x - side, y - side, x + side, y + side], len(images))


DRAWN: dict[str, Callable[[np.random.Generator, Array, Place, Array], Array]] = {
    "bounce": _bounce,
    "hammer": _hammer,
    "pluck": _pluck,
    "blink": _blink,
}


def _still(box: Sequence[float], frames: int) -> Array:
    return np.repeat(np.array(box, np.float32)[None], frames, 0)


def _disc(image: Array, at: tuple[float, float], radius: float, colour: tuple[int, ...]) -> None:
    centre = (round(at[0] * 16), round(at[1] * 16))
    cv2.circle(image, centre, round(radius * 16), colour, -1, cv2.LINE_AA, 4)


def _line(
    image: Array,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: tuple[int, ...],
    thick: float,
) -> None:
    a, b = ((round(p[0] * 16), round(p[1] * 16)) for p in (start, end))
    cv2.line(image, a, b, colour, max(2, round(thick)), cv2.LINE_AA, 4)
