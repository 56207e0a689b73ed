"""Whose each part of a picture is: a soft mask of each person, hair too, that does not flicker.

The network's mask is coarse. It follows the picture's edges by a guided filter (He, Sun & Tang,
"Guided image filtering", 2013; at a small size, and applied at the full one, He & Sun 2015). Where
the picture does not change, the mask hardly does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from avtool.pipelines.refocus.model import Selfie
from avtool.values import Array

REACH = 4.0  # sides of a face that the network sees around it, across
ABOVE = 0.35  # of them, above the face's middle
STEADY = 0.12  # of its region's side, that a face may move until the network looks elsewhere
NEWEST = 0.2  # least weight of the newest mask in the mean over time
CHANGED = 0.035  # of white, by which a part of the picture differs if it has moved
RADIUS, NOISE = 0.022, 4e-4  # of the guided filter: of the short side; of white, squared
EDGE = (0.12, 0.88)  # of the filter's answer, what is taken for none and for all
APART = 0.6  # sides of a face: how sharply two people's shares change between them


@dataclass(frozen=True, eq=False)
class Mattes:
    """Masks of the people in one picture, by their numbers.

    Shape:
        alpha: float32 [h, w] each, at the small size; small: the picture's brightness there, 0 to 1
    """

    alpha: dict[int, Array]
    small: Array
    _lines: dict[int, tuple[Array, Array]]
    _grey: Array

    @property
    def size(self) -> tuple[int, int]:
        """The picture's own, (width, height)."""
        return self._grey.shape[1], self._grey.shape[0]

    def fine(self, number: int) -> Array:
        """A person's mask at the picture's own size, float32 [height, width]."""
        slope, offset = (cv2.resize(each, self.size) for each in self._lines[number])
        return _stretched(cv2.add(cv2.multiply(slope, self._grey), offset))


class Matter:
    """Takes the pictures of a film one by one.

    Args:
        selfie: the network; size: the small size, (width, height).
    """

    def __init__(self, selfie: Selfie, size: tuple[int, int]) -> None:
        self._selfie, self._size = selfie, size
        self._regions: dict[int, tuple[int, int, int, int]] = {}
        self._masks: dict[int, Array] = {}
        self._before: Array | None = None

    def __call__(self, image: Array, boxes: Mapping[int, Array], cut: bool = False) -> Mattes:
        """The masks of the people whose faces are in these boxes [4], by their numbers.

        Args:
            cut: whether a new shot begins, so that nothing of the last one counts.
        """
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
        small = cv2.resize(grey, self._size, interpolation=cv2.INTER_AREA)
        if cut:
            self._regions, self._masks, self._before = {}, {}, None
        likely = self._likely(image, boxes)
        shares = self._shares(image, boxes)
        newest = self._newest(small)
        masks = {}
        for number in boxes:
            mask = likely[number] * shares[number]
            if number in self._masks and newest is not None:
                mask = self._masks[number] + newest * (mask - self._masks[number])
            masks[number] = mask
        self._masks, self._before = masks, small
        lines = self._guided(small, masks)
        alpha = {n: _stretched(slope * small + offset) for n, (slope, offset) in lines.items()}
        total = sum(alpha.values())
        if len(alpha) > 1 and np.max(total) > 1:
            alpha = {n: each / np.maximum(total, 1) for n, each in alpha.items()}
        return Mattes(alpha, small, lines, grey)

    def _likely(self, image: Array, boxes: Mapping[int, Array]) -> dict[int, Array]:
        """The network's answer about each person's surroundings, [h, w]; 0 beyond them."""
        height, width = image.shape[:2]
        seen: dict[tuple[int, int, int, int], Array] = {}
        found = {}
        for number, box in boxes.items():
            region = self._region(number, box, width, height)
            if region not in seen:
                x0, y0, x1, y1 = region
                answer = self._selfie(image[y0:y1, x0:x1])
                scale = self._size[0] / width, self._size[1] / height
                left, right = (round(x * scale[0]) for x in (x0, x1))
                top, bottom = (round(y * scale[1]) for y in (y0, y1))
                whole = np.zeros(self._size[::-1], np.float32)
                whole[top:bottom, left:right] = cv2.resize(answer, (right - left, bottom - top))
                seen[region] = whole
            found[number] = seen[region]
        return found

    def _region(
        self, number: int, box: Array, width: int, height: int
    ) -> tuple[int, int, int, int]:
        """Where the network looks, x0, y0, x1, y1: the same place as before, if it still fits."""
        side = REACH * float((box[2:] - box[:2]).max())
        wide, high = min(width, side), min(height, side)
        x = float(np.clip((box[0] + box[2]) / 2 - wide / 2, 0, width - wide))
        y = float(np.clip((box[1] + box[3]) / 2 - ABOVE * high, 0, height - high))
        wanted = np.array([x, y, x + wide, y + high])
        last = self._regions.get(number)
        if last is None or np.abs(wanted - last).max() > STEADY * max(wide, high):
            x0, y0, x1, y1 = wanted.round().astype(int).tolist()
            self._regions[number] = x0, y0, x1, y1
        return self._regions[number]

    def _shares(self, image: Array, boxes: Mapping[int, Array]) -> dict[int, Array | float]:
        """How much of a person in each place is this one, [h, w]; a body hangs below its face."""
        if len(boxes) < 2:
            return dict.fromkeys(boxes, 1.0)
        height, width = image.shape[:2]
        x = (np.arange(self._size[0]) + 0.5) * (width / self._size[0])
        y = (np.arange(self._size[1]) + 0.5) * (height / self._size[1])
        near = []
        for box in boxes.values():
            side = float((box[2:] - box[:2]).max())
            across = (x - (box[0] + box[2]) / 2) / side
            down = (y - (box[1] + box[3]) / 2) / side
            down = np.where(down > 0, 0.35 * down, down)
            near.append(np.sqrt(across**2 + down[:, None] ** 2).astype(np.float32))
        near_to = np.exp(-(np.array(near) - np.min(near, 0)) / (APART / 4))
        return dict(zip(boxes, near_to / near_to.sum(0), strict=True))

    def _newest(self, small: Array) -> Array | None:
        """How much the newest mask counts in each place: what has not moved keeps its mask."""
        if self._before is None:
            return None
        moved = cv2.blur(np.abs(small - self._before), (9, 9)) / CHANGED
        return np.asarray(np.clip(moved, NEWEST, 1))

    def _guided(self, small: Array, masks: Mapping[int, Array]) -> dict[int, tuple[Array, Array]]:
        """For each mask the line, by place, on which it lies over the picture's brightness."""
        side = 2 * max(1, round(RADIUS * min(self._size))) + 1

        def mean(values: Array) -> Array:
            return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT_101))

        middle = mean(small)
        spread = mean(small * small) - middle * middle + np.float32(NOISE)
        lines = {}
        for number, mask in masks.items():
            usual = mean(mask)
            slope = (mean(small * mask) - middle * usual) / spread
            lines[number] = mean(slope), mean(usual - slope * middle)
        return lines


def _stretched(mask: Array) -> Array:
    low, high = EDGE
    return np.asarray(np.clip((mask - low) / (high - low), 0, 1), np.float32)
