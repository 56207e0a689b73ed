"""What moves in pictures: points that are followed, and how each moves.

Dense optical flow from picture to picture (Kroeger et al., "Fast optical flow using dense inverse
search", 2016) carries a grid of points along. Each point then has a history: its jolts, which are
changes of velocity and what a blow looks like, and its changes of brightness that no motion
explains (a lamp, a mouth that opens).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from avtool.values import Array

LONG_SIDE = 256  # of the pictures that flow is computed on, in pixels
CELL = 4  # pixels of those that are one cell of the grid


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


def fields(images: Iterable[Array], width: int, height: int) -> Iterator[Array]:
    """The motion at each picture, on the grid of pictures of a size, which may be larger.

    Shape:
        images: uint8 [.., .., 3], all of one size
        each field: float32 [2, rows, columns, 3]: flow to the next picture (x and y in cells, 0
        where there is none) and brightness, 0 to 255; then flow back to the last one, and the same
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    size, grid = _small(width, height), grid_of(width, height)
    held: tuple[Array, Array] | None = None
    for image in images:
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        field = np.zeros((2, *grid, 3), np.float32)
        field[..., 2] = _cells(gray.astype(np.float32), grid)
        if held is not None:
            before, last = held
            last[0, ..., :2] = _flow(flow, before, gray, grid)
            field[1, ..., :2] = _flow(flow, gray, before, grid)
            yield last
        held = gray, field
    if held is not None:
        yield held[1]


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


def histories(window: Sequence[Array], middle: int) -> Histories:
    """Follow the points of picture ``middle`` through as many fields as there are frames."""
    frames, (_, rows, columns, _) = len(window), window[0].shape
    places = np.zeros((frames, rows, columns, 2), np.float32)
    light = np.zeros((frames, rows, columns), np.float32)
    for way, order in ((0, range(middle, frames)), (1, range(middle, -1, -1))):
        at = np.mgrid[:rows, :columns][::-1].transpose(1, 2, 0).astype(np.float32)
        for k in order:
            found = cv2.remap(  # both maps in one, which its types do not know
                window[k][way],
                at,
                None,  # type: ignore[call-overload]
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            places[k], light[k] = at, found[..., 2]
            at = at + found[..., :2]
    x, y = places[..., 0], places[..., 1]
    inside = (x > -0.5) & (x < columns - 0.5) & (y > -0.5) & (y < rows - 0.5)
    inside[middle:] = np.minimum.accumulate(inside[middle:])
    inside[middle::-1] = np.minimum.accumulate(inside[middle::-1])
    found = np.zeros((2, frames, rows, columns), np.float32)
    jolt = np.diff(places, 2, axis=0)  # nothing is known of it in the first and the last picture
    found[0, 1:-1] = np.sqrt(np.square(jolt[..., 0]) + np.square(jolt[..., 1]))
    found[1, 1:] = np.abs(np.diff(light, axis=0))
    found *= inside
    moves = np.ascontiguousarray(found.reshape(2, frames, -1).transpose(0, 2, 1))
    return Histories(moves, places.reshape(frames, -1, 2))
