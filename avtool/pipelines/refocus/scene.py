"""A picture taken apart by depth: its layers, and how far each is out of focus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from avtool.pipelines.refocus.depth import Person
from avtool.pipelines.refocus.lens import FINE, Layer
from avtool.pipelines.refocus.matte import Mattes
from avtool.values import Array

LENS, FACE = 0.050, 0.18  # metres: the lens's focal length, and a face from its chin to its brow
BEHIND = 0.4  # of the farthest face's nearness, what is behind everybody
APART = 0.25  # of a face's nearness, by which others are taken to be away from it at least
WIDTHS = np.array([0.0, 3.0, 6.0, 11.0, 18.0, 28.0, 42.0, 64.0, 96.0])  # pixels of layers' blurs
RIM = 0.02  # of the short side: how far a map may be wrong at an edge
STEPS = 1024  # in which a blur's width is told, from the widest one behind to that in front


@dataclass(frozen=True, eq=False)
class Scene:
    """The layers of a picture, from the farthest to the nearest.

    Args:
        people: whose each layer is; 0 is nobody's.
        blurs: of each face, the diameter of its circle of confusion in pixels; 0: of what is
            behind everybody, where its depth is not known.
    """

    layers: list[Layer]
    people: list[int]
    blurs: dict[int, float]

    def width(self) -> Array:
        """The diameter of the blur in each part, in pixels, float32 [h, w]."""
        return np.asarray(sum(layer.alpha * np.float32(layer.blur) for layer in self.layers))


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture before and after, and what was found in it.

    Shape:
        sharp: float32 [height, width], how much of each pixel is in focus.
    """

    number: int
    before: Array
    after: Array
    scene: Scene
    sharp: Array


def opening(stop: float) -> float:
    """The lens's opening over a face's height, for an f-number.

    A disc of light behind everything is as wide as the opening is in the plane of the focus; so
    blurs are this times the difference of nearness, which is told in pixels of a face's height.
    """
    return LENS / stop / FACE


def scene(
    mattes: Mattes,
    people: Mapping[int, Person],
    focus: Mapping[int, float],
    focal: float,
    stop: float,
    *,
    exact: bool = False,
    near: Array | None = None,
) -> Scene:
    """Take a picture apart.

    Args:
        focus: how much the focus lies in each face; focal: the nearness that is in focus; stop: the
            f-number; exact: see ``Options``.

    Shape:
        near: float32 [h, w], nearness, where it is known everywhere.
    """
    lens = opening(stop)
    found: list[tuple[float, int, Array]] = []  # how far from the focus, whose, alpha
    behind = np.ones_like(mattes.small)
    for number, person in people.items():
        size = nearness(near, person, mattes, person.size)
        off: float = lens * (size - focal)
        if near is None and not exact:
            least = lens * APART * person.size * (1 - focus.get(number, 0.0))
            off = max(off, least) if off > 0 else min(off, -least)
        alpha = mattes.alpha[number] * np.float32(person.there)
        found.append((off, number, alpha))
        behind = behind - alpha
    behind = np.clip(behind, 0, 1)
    blurs = {number: abs(off) for off, number, _ in found}
    if near is None:
        far = BEHIND * min([focal, *(each.size for each in people.values())])
        found.append((lens * (far - focal), 0, behind))
        blurs[0] = lens * (focal - far)
    else:
        offs = lens * (_beside(near, behind) - focal)
        found += [(each, 0, alpha * behind) for each, alpha in _levels(offs)]
    found.sort(key=lambda each: each[0])
    layers = [Layer(alpha, abs(off), near is not None and not n) for off, n, alpha in found]
    return Scene(layers, [number for _, number, _ in found], blurs)


def sharp(scene: Scene, mattes: Mattes, people: Mapping[int, Person]) -> Array:
    """How much of each pixel is almost in focus, float32 [height, width]."""
    total = np.zeros(mattes.size[::-1], np.float32)
    for layer, number in zip(scene.layers, scene.people, strict=True):
        if layer.blur < FINE:
            own = mattes.fine(number) if number else cv2.resize(layer.alpha, mattes.size)
            total += own * np.float32(people[number].there if number else 1)
    return np.asarray(np.minimum(total, 1))


def _within(near: Array, box: Array, mattes: Mattes) -> float:
    """The nearness of a face [4], its median."""
    scale = near.shape[1] / mattes.size[0]
    x0, y0, x1, y1 = (box * scale).round().astype(int).tolist()
    part = near[max(0, y0) : max(1, y1), max(0, x0) : max(1, x1)]
    return float(np.median(part)) if part.size else 0.0


def nearness(near: Array | None, person: Person | None, mattes: Mattes, size: float) -> float:
    """How near a face is: by the map where there is one and the face is seen, else by its size."""
    if near is None or person is None:
        return size
    return _within(near, person.box, mattes)


def unit(near: Array, people: Mapping[int, Person], mattes: Mattes) -> float | None:
    """What one of a map's nearness is in pixels of a face's height; None where no face tells."""
    told = sum(_within(near, each.box, mattes) for each in people.values())
    return sum(each.size for each in people.values()) / told if told > 0 else None


def _beside(near: Array, behind: Array) -> Array:
    """The same map, in which people's edges are as far away as what is beside them."""
    side = 2 * max(1, round(RIM * min(near.shape))) + 1
    kernel = np.ones((side, side), np.uint8)
    return np.asarray(np.where(cv2.erode(behind, kernel) < 1, cv2.erode(near, kernel), near))


def _levels(off: Array) -> list[tuple[float, Array]]:
    """Blurs, negative behind the focus, and how much each place has of each; two share a place."""
    every = np.concatenate([-WIDTHS[:0:-1], WIDTHS])
    low, high = np.searchsorted(every, [off.min(), off.max()])
    some = every[max(0, low - 1) : high + 1]
    at = np.linspace(some[0], some[-1], STEPS)
    place = np.clip((off - some[0]) / max(np.ptp(some), 1e-6) * (STEPS - 1), 0, STEPS - 1)
    place = place.round().astype(np.int32)
    found = []
    for row, width in zip(np.eye(len(some)), some.tolist(), strict=True):
        alpha = np.interp(at, some, row).astype(np.float32)[place]
        if alpha.max() > 0:
            found.append((width, alpha))
    return found
