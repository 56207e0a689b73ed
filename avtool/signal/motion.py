"""What moves in pictures: points that are followed, and how each moves.

Dense optical flow from picture to picture (Kroeger et al., "Fast optical flow using dense inverse
search", 2016) carries a grid of points along. Each point then has a history: its jolts, which are
changes of velocity and what a blow looks like, and its changes of brightness that no motion
explains (a lamp, a mouth that opens).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from avtool.values import Array

LONG_SIDE = 256  # of the pictures that flow is computed on, in pixels
CELL = 4  # pixels of those that are one cell of the grid
LAYERS = 5  # of a field: flow to the next picture, flow back to the last (x and y), brightness


def grid_of(width: int, height: int) -> tuple[int, int]:
    """Rows and columns of the grid for pictures of a size.

    >>> grid_of(1280, 720), grid_of(360, 640)
    ((36, 64), (64, 36))
    """
    small = _small(width, height)
    return small[1] // CELL, small[0] // CELL


def _small(width: int, height: int) -> tuple[int, int]:
    scale = LONG_SIDE / max(width, height)
    return max(16, round(width * scale)), max(16, round(height * scale))


def fields(images: Iterable[Array]) -> Iterator[Array]:
    """The motion at each picture.

    Shape:
        images: uint8 [height, width, 3], all of one size
        each field: float16 [LAYERS, rows, columns]: flow to the next picture and back to the last
        one in cells, 0 where there is none; brightness, 0 to 255.
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    held: tuple[Array, Array] | None = None
    for image in images:
        size = _small(image.shape[1], image.shape[0])
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        field = np.zeros((LAYERS, *grid_of(image.shape[1], image.shape[0])), np.float16)
        field[4] = _cells(gray.astype(np.float32))
        if held is not None:
            before, last = held
            last[0:2] = _flow(flow, before, gray)
            field[2:4] = _flow(flow, gray, before)
            yield last
        held = gray, field
    if held is not None:
        yield held[1]


def _flow(flow: cv2.DISOpticalFlow, a: Array, b: Array) -> Array:
    found = flow.calc(a, b, np.zeros((*a.shape, 2), np.float32))
    return np.stack([_cells(found[..., axis]) / CELL for axis in (0, 1)])


def _cells(plane: Array) -> Array:
    rows, columns = plane.shape[0] // CELL, plane.shape[1] // CELL
    plane = plane[: rows * CELL, : columns * CELL]
    means: Array = plane.reshape(rows, CELL, columns, CELL).mean((1, 3))
    return means


def histories(window: Array, middle: int) -> Array:
    """How the point that is on each cell at picture ``middle`` moves through a window of fields.

    Shape:
        window: float [frames, LAYERS, rows, columns]
        output: float32 [2, rows * columns, frames]: jolt in cells a picture, change of brightness;
        0 where the point has left the picture.
    """
    window = window.astype(np.float32)
    frames, _, rows, columns = window.shape
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    places = np.zeros((frames, 2, rows, columns), np.float32)
    light = np.zeros((frames, rows, columns), np.float32)
    inside = np.ones((frames, rows, columns), bool)
    places[middle], light[middle] = (x, y), window[middle, 4]
    for step, layers, order in (
        (1, (0, 1), range(middle + 1, frames)),
        (-1, (2, 3), range(middle - 1, -1, -1)),
    ):
        at_x, at_y = x, y
        for k in order:
            move_x, move_y = (_at(window[k - step, layer], at_x, at_y) for layer in layers)
            at_x, at_y = at_x + move_x, at_y + move_y
            places[k] = at_x, at_y
            light[k] = _at(window[k, 4], at_x, at_y)
            inside[k] = inside[k - step] & (at_x > -0.5) & (at_x < columns - 0.5)
            inside[k] &= (at_y > -0.5) & (at_y < rows - 0.5)
    velocity = np.diff(places, axis=0, prepend=places[:1])
    velocity[0] = velocity[1] if frames > 1 else 0
    jolt = np.diff(velocity, axis=0, append=velocity[-1:])
    change = np.abs(np.diff(light, axis=0, prepend=light[:1]))
    found = np.stack([np.hypot(jolt[:, 0], jolt[:, 1]), change]) * inside
    return np.ascontiguousarray(found.reshape(2, frames, -1).transpose(0, 2, 1))


def _at(plane: Array, x: Array, y: Array) -> Array:
    return cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
