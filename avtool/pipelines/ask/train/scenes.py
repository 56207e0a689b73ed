"""Drawn scenes: a few things of five shapes, eight colours and two sizes, some before others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from PIL import Image, ImageDraw

from avtool.pipelines.ask.model import SIDE, SIZE
from avtool.pipelines.ask.words import COLOURS, SHAPES, SIZES
from avtool.values import Array

RGB = tuple[int, int, int]
PAINT: dict[str, RGB] = {
    "red": (245, 10, 10),
    "blue": (10, 10, 245),
    "green": (10, 235, 10),
    "yellow": (245, 245, 10),
    "black": (10, 10, 10),
    "gray": (128, 128, 128),
    "teal": (5, 128, 128),
    "brown": (160, 45, 42),
}
# Colours of shapes that training never shows nor asks about.
HELD: frozenset[tuple[str, str]] = frozenset(
    {("red", "star"), ("yellow", "cross"), ("blue", "star"), ("teal", "cross")}
)
HALF = {"small": 5.5 / SIZE, "large": 9.0 / SIZE}  # from the middle to the farthest corner
FINER = 4  # drawn so much larger, then averaged
HIDDEN = 0.06, 0.4  # share of a thing that one before it hides
ODD = 90  # from any colour to the ground, and to those that are held out, in steps of RGB
PAIRS = 0.6  # of scenes: some thing hides a part of another


@dataclass(frozen=True)
class Thing:
    """Something drawn.

    Args:
        x, y: its middle, and half its extent, in parts of the picture; turn: radians; slim:
            height by width of a rectangle.
    """

    colour: str
    shape: str
    size: str
    x: float
    y: float
    half: float
    turn: float
    slim: float
    paint: RGB


@dataclass(frozen=True)
class Scene:
    """Things from the farthest to the nearest, on a pale ground.

    Args:
        behind: pairs of their numbers, (which one is behind, what hides a part of it).
    """

    things: tuple[Thing, ...]
    ground: RGB
    behind: tuple[tuple[int, int], ...] = ()


def outline(thing: Thing) -> list[tuple[float, float]]:
    """The corners of a thing, in parts of the picture; a circle has 48."""
    if thing.shape == "circle":
        corners = [(0.92, 2 * math.pi * n / 48) for n in range(48)]
    elif thing.shape == "triangle":
        corners = [(1.0, -math.pi / 2 + 2 * math.pi * n / 3) for n in range(3)]
    elif thing.shape == "star":
        corners = [((0.42 if n % 2 else 1.0), math.pi * (n / 5 - 0.5)) for n in range(10)]
    elif thing.shape == "rectangle":
        angle = math.atan(thing.slim)
        corners = [(1.0, a) for a in (angle, math.pi - angle, math.pi + angle, -angle)]
    else:  # a cross: arms as broad as a third of it
        far, near, wide = 0.95, 0.31, 0.31
        arms = [(far, -wide), (far, wide), (near, near)]
        quarter = [(math.hypot(x, y), math.atan2(y, x)) for x, y in arms]
        corners = [(r, a + n * math.pi / 2) for n in range(4) for r, a in quarter]
    return [
        (
            thing.x + thing.half * r * math.cos(a + thing.turn),
            thing.y + thing.half * r * math.sin(a + thing.turn),
        )
        for r, a in corners
    ]


def drawn(scene: Scene, size: int = SIZE) -> Array:
    """The picture, uint8 RGB [size, size, 3]."""
    full = size * FINER
    image = Image.new("RGB", (full, full), scene.ground)
    draw = ImageDraw.Draw(image)
    for thing in scene.things:
        draw.polygon([(x * full, y * full) for x, y in outline(thing)], thing.paint)
    return np.asarray(image.reduce(FINER))


def mask(thing: Thing, size: int = 2 * SIZE) -> Array:
    """Where a thing is, were nothing before it: bool [size, size]."""
    image = Image.new("1", (size, size))
    corners = [(x * size, y * size) for x, y in outline(thing)]
    ImageDraw.Draw(image).polygon(corners, 1)
    return np.asarray(image)


def scene(rng: Random, held: bool = False) -> Scene:
    """A new scene of 2 to 6 things; one of a held-out combination is among them only if told."""
    # Half of the scenes have few colours and shapes, so that there is something to count.
    few = rng.random() < 0.5
    colours = rng.sample(COLOURS, rng.choice((2, 3)) if few else len(COLOURS))
    shapes = rng.sample(SHAPES, rng.choice((2, 3)) if few else len(SHAPES))
    usual = [(c, s) for s in shapes for c in colours if (c, s) not in HELD]
    things: list[Thing] = []
    behind: tuple[tuple[int, int], ...] = ()
    pair_at = rng.choice((1, 2, 3)) if rng.random() < PAIRS else 0
    for n in range(rng.choice((2, 3, 4, 5, 5, 6, 6))):
        colour, shape = rng.choice(sorted(HELD) if held and n == 0 else usual)
        for _ in range(20):
            thing = _thing(rng, colour, shape)
            if 0 < pair_at <= n and things and not behind and rng.random() < 0.9:
                hidden = things[-1]
                thing = _before(rng, thing, hidden)
                if _apart(thing, things[:-1]) and _hides(thing, hidden):
                    behind = ((len(things) - 1, len(things)),)
                    things.append(thing)
                    break
            elif _apart(thing, things):
                things.append(thing)
                break
    if len(things) < 2:
        return scene(rng, held)
    red, green, blue = (255 - rng.randrange(32) for _ in range(3))
    return Scene(tuple(things), (red, green, blue), behind)


def _thing(rng: Random, colour: str, shape: str) -> Thing:
    size = rng.choice(SIZES)
    half = HALF[size] * rng.uniform(0.92, 1.08)
    x, y = rng.uniform(half, 1 - half), rng.uniform(half, 1 - half)
    turn = rng.uniform(-0.3, 0.3) * (rng.random() < 0.5)
    red, green, blue = (min(max(part + rng.randint(-10, 10), 0), 255) for part in PAINT[colour])
    slim = rng.uniform(0.5, 1.6)
    return Thing(colour, shape, size, x, y, half, turn, slim, (red, green, blue))


def _before(rng: Random, thing: Thing, hidden: Thing) -> Thing:
    """The thing moved so that it may hide a part of another."""
    away = rng.uniform(0.6, 0.95) * (thing.half + hidden.half)
    angle = rng.uniform(0, 2 * math.pi)
    x, y = hidden.x + away * math.cos(angle), hidden.y + away * math.sin(angle)
    return replace(thing, x=x, y=y)


def _apart(thing: Thing, others: Sequence[Thing]) -> bool:
    """Whether it is wholly on the picture and touches none of the others."""
    inside = all(thing.half <= at <= 1 - thing.half for at in (thing.x, thing.y))
    return inside and all(
        math.hypot(thing.x - other.x, thing.y - other.y) > thing.half + other.half + 1 / SIZE
        for other in others
    )


def _hides(thing: Thing, hidden: Thing) -> bool:
    if thing.colour == hidden.colour:  # no edge is seen between them
        return False
    back = mask(hidden)
    share = (back & mask(thing)).sum() / back.sum()
    return bool(HIDDEN[0] <= share <= HIDDEN[1])


def painted(scene: Scene, rng: Random) -> Scene:
    """The scene in any colours, which have no name: so a shape is a shape in all of them.

    A shape that is held out in some colours is in none that is near them.
    """
    things = []
    for thing in scene.things:
        far = [PAINT[colour] for colour, shape in HELD if shape == thing.shape]
        while True:
            paint = (rng.randrange(256), rng.randrange(256), rng.randrange(256))
            if all(math.dist(paint, each) > ODD for each in (scene.ground, *far)):
                break
        things.append(replace(thing, colour="", paint=paint))
    return replace(scene, things=tuple(things))


def taught(scene: Scene) -> Array:
    """Of each cell: -1, or the number of the thing whose middle it holds. Int [256]."""
    cells = np.full(SIDE * SIDE, -1)
    for n, thing in enumerate(scene.things):
        cells[int(thing.y * SIDE) * SIDE + int(thing.x * SIDE)] = n
    return cells
