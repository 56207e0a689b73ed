"""What moves in pictures: points that are followed, and how each moves.

Dense optical flow from picture to picture (Kroeger et al., "Fast optical flow using dense inverse
search", 2016) carries a grid of points along. Each point then has a history: its jolts, which are
changes of velocity and what a blow looks like, and its changes of brightness that no motion
explains (a lamp, a mouth that opens).

A carried camera moves everything, and its exposure lights everything: what most of a picture has in
common is the camera's, and only what a point does beyond that is its own. No point is followed from
one shot into the next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from avtool.signal.cut import RECENT, is_cut
from avtool.values import Array

LONG_SIDE = 256  # of the pictures that flow is computed on, in pixels
SHORT_SIDE = 32  # the least: OpenCV's flow reads beyond a picture that is longer than 8:1
CELL = 4  # pixels of those that are one cell of the grid
EDGE = 2  # cells at the edge of the picture, where a moving camera's flow is made up
SHAKE = 0.05  # cells a picture, below which a camera stands still
FLICKER = 0.2  # of 255 a picture, below which its exposure stays
NEARLY = 0.1  # part of the camera's motion that cells may miss and still agree with it
PARALLAX = 0.25  # part of the camera's jolt that near and far things do not share
FITS = 3  # times that the camera's motion is fitted


def grid_of(width: int, height: int) -> tuple[int, int]:
    """Rows and columns of the grid for pictures of a size.

    >>> grid_of(1280, 720), grid_of(360, 640)
    ((36, 64), (64, 36))
    """
    small = _small(width, height)
    return small[1] // CELL, small[0] // CELL


def _small(width: int, height: int) -> tuple[int, int]:
    scale = LONG_SIDE / max(width, height)
    return max(SHORT_SIDE, round(width * scale)), max(SHORT_SIDE, round(height * scale))


@dataclass(frozen=True, eq=False)
class Field:
    """The motion at one picture: ahead to the next one, and back to the last one.

    Shape:
        values: float32 [2, rows, columns, 3]: flow (x and y in cells, 0 where there is none) and
        brightness, 0 to 255; camera: float32 [2, 2, 3], the camera's part of the flow at
        (x, y, 1); exposure: float32 [2, 1, 2], its part of the change of brightness at
        (brightness, 1). Both are 0 where most of the picture has none in common.
    """

    values: Array
    camera: Array
    exposure: Array
    cut: bool = False  # a new shot begins here

    @classmethod
    def of(cls, brightness: Array, cut: bool = False) -> Field:
        """Nothing moves yet."""
        values = np.zeros((2, *brightness.shape, 3), np.float32)
        values[..., 2] = brightness
        return cls(values, np.zeros((2, 2, 3), np.float32), np.zeros((2, 1, 2), np.float32), cut)


def fields(images: Iterable[Array], width: int, height: int) -> Iterator[Field]:
    """The motion at each picture, on the grid of pictures of a size, which may be larger.

    Shape:
        images: uint8 [.., .., 3], all of one size
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    size, grid = _small(width, height), grid_of(width, height)
    changes: deque[float] = deque(maxlen=RECENT)
    held: tuple[Array, Field] | None = None
    for image in images:
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        field = Field.of(_cells(gray.astype(np.float32), grid))
        if held is not None:
            before, last = held
            last.values[0, ..., :2] = _flow(flow, before, gray, grid)
            field.values[1, ..., :2] = _flow(flow, gray, before, grid)
            left = _share(last, field)
            if is_cut(left, changes):  # then none of this means anything
                field = Field.of(field.values[0, ..., 2], cut=True)
                for each in (last.values[0, ..., :2], last.camera[0], last.exposure[0]):
                    each[:] = 0
            yield last
        held = gray, field
    if held is not None:
        yield held[1]


def _share(one: Field, two: Field) -> Array:
    """Tell what the camera does from one picture to the next, and fill it into both.

    Shape:
        output: float32 [rows, columns], change of brightness that is not the camera's
    """
    flow, light, then = one.values[0, ..., :2], one.values[0, ..., 2], two.values[0, ..., 2]
    at = _places(light.shape)
    rows, columns = (slice(EDGE, n - EDGE, 2) if n > 4 * EDGE else slice(n) for n in light.shape)
    some = rows, columns  # a quarter of the cells will do
    camera = _common(at[some], flow[some], SHAKE)
    if np.abs(cv2.transform(at, camera)).max() < SHAKE:
        camera[:] = 0  # it stands still
    one.camera[0], two.camera[1] = camera, _back(camera)
    change = _at(then, (at + flow)[some]) - light[some]
    if abs(np.median(change)) > FLICKER:
        exposure = _common(light[some][..., None], change[..., None], 2.0)
        if abs(exposure[0, 0]) < 0.5:  # else it is another picture
            one.exposure[0], two.exposure[1] = exposure, _back(exposure)
    left = _at(then, at + cv2.transform(at, one.camera[0])) - light
    return np.abs(left - cv2.transform(light, one.exposure[0]))


def _common(basis: Array, seen: Array, exact: float) -> Array:
    """The affine map that most cells agree with, 0 if there is none.

    It starts from the median, and is fitted again to those cells that it fits best.

    Args:
        exact: how near to it a cell must be to agree.

    Shape:
        basis: [rows, columns, m]; seen: [rows, columns, n]; output: float64 [n, m + 1]
    """
    basis = _and_one(basis.reshape(-1, basis.shape[-1]).astype(np.float64))
    seen = seen.reshape(len(basis), -1).astype(np.float64)
    found = np.zeros((basis.shape[1], seen.shape[1]))
    found[-1] = np.median(seen, 0)
    for _ in range(FITS):
        off = np.square(seen - basis @ found).sum(1)
        near = off <= 4 * np.median(off)
        some = basis[near]
        squares = some.T @ some + 1e-6 * np.eye(basis.shape[1])
        found = np.linalg.solve(squares, some.T @ seen[near])
    common = basis @ found
    off, size = (np.sqrt(np.square(each).sum(1)) for each in (seen - common, common))
    agree = float((off < exact + NEARLY * size).mean())
    return found.T if agree > 0.5 else np.zeros_like(found.T)


def _back(change: Array) -> Array:
    """What undoes a change [n, n + 1], as a change."""
    whole = np.eye(len(change) + 1)
    whole[:-1] += change
    whole = np.linalg.inv(whole) - np.eye(len(whole))
    return whole[:-1]


def _places(shape: tuple[int, ...]) -> Array:
    """Places of the cells, x and y, float32 [rows, columns, 2]."""
    rows, columns = shape
    return np.mgrid[:rows, :columns][::-1].transpose(1, 2, 0).astype(np.float32)


def _and_one(values: Array) -> Array:
    return np.concatenate([values, np.ones_like(values[..., :1])], -1)


def _at(plane: Array, places: Array) -> Array:
    """What of [rows, columns(, ..)] is at places [rows, columns, 2]."""
    found: Array = cv2.remap(  # both maps in one, which its types do not know
        plane,
        places,
        None,  # type: ignore[call-overload]
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return found


def shot(window: Sequence[Field], middle: int) -> tuple[list[Field], int]:
    """The fields of the shot that the picture ``middle`` is in, and its place among them."""
    cuts = [0, *(k for k, each in enumerate(window) if each.cut and k), len(window)]
    first = max(k for k in cuts if k <= middle)
    end = min(k for k in cuts if k > middle)
    return list(window)[first:end], middle - first


def _flow(flow: cv2.DISOpticalFlow, a: Array, b: Array, grid: tuple[int, int]) -> Array:
    found: Array = _cells(flow.calc(a, b, np.zeros((*a.shape, 2), np.float32)), grid) / CELL
    return found


def _cells(plane: Array, grid: tuple[int, int]) -> Array:
    rows, columns = grid
    plane = plane[: rows * CELL, : columns * CELL]
    return cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA)  # means of cells


@dataclass(frozen=True, eq=False)
class Histories:
    """What became of the point that is on each cell at one picture, before and after it.

    Shape:
        moves: float32 [2, rows * columns, frames], jolt in cells a picture and change of
        brightness, 0 where the point has left the picture; places: float32 [frames,
        rows * columns, 2], x and y in cells
    """

    moves: Array
    places: Array


def histories(window: Sequence[Field], middle: int) -> Histories:
    """Follow the points of picture ``middle`` through as many fields, of one shot, as there are
    frames.
    """
    frames, (_, rows, columns, _) = len(window), window[0].values.shape
    places = np.zeros((frames, rows, columns, 2), np.float32)
    light = np.zeros((frames, rows, columns), np.float32)
    drift, glow = np.zeros_like(places[1:]), np.zeros_like(light[1:])  # the camera's part of steps
    shaken = _is_shaken(window)
    for way, order in ((0, range(middle, frames)), (1, range(middle, -1, -1))):
        at, sign = _places((rows, columns)), 1 - 2 * way
        for k in order:
            field, step = window[k], k - way
            found = _at(field.values[way], at)
            places[k], light[k] = at, found[..., 2]
            if 0 <= step < len(drift) and shaken:
                drift[step] = sign * cv2.transform(at, field.camera[way])
            if 0 <= step < len(glow) and field.exposure[way].any():
                glow[step] = sign * cv2.transform(light[k], field.exposure[way])
            at = at + found[..., :2]
    x, y = places[..., 0], places[..., 1]
    edge = (EDGE if shaken else 0) - 0.5
    inside = (x > edge) & (x < columns - 1 - edge) & (y > edge) & (y < rows - 1 - edge)
    inside[middle:] = np.minimum.accumulate(inside[middle:])
    inside[middle::-1] = np.minimum.accumulate(inside[middle::-1])
    found = np.zeros((2, frames, rows, columns), np.float32)
    # Nothing is known of jolts in the first and the last picture.
    found[0, 1:-1] = _jolts(np.diff(places, axis=0) - drift)
    if shaken:
        found[0, 1:-1] = np.maximum(found[0, 1:-1] - PARALLAX * _jolts(drift), 0)
    found[1, 1:] = np.abs(np.diff(light, axis=0) - glow)
    found *= inside
    moves = np.ascontiguousarray(found.reshape(2, frames, -1).transpose(0, 2, 1))
    return Histories(moves, places.reshape(frames, -1, 2))


def _jolts(steps: Array) -> Array:
    """Sizes of the changes of velocity [frames - 1, ..] between steps [frames, .., 2]."""
    jolt = np.diff(steps, axis=0)
    size: Array = np.sqrt(np.square(jolt[..., 0]) + np.square(jolt[..., 1]))
    return size


def _is_shaken(window: Sequence[Field]) -> bool:
    """Whether the camera moves at all while these pictures are taken."""
    rows, columns = window[0].values.shape[1:3]
    middle = np.array([(columns - 1) / 2, (rows - 1) / 2, 1])
    return any(np.abs(each.camera @ middle).max() > SHAKE for each in window)
