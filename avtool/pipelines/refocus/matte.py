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
NEWEST = 0.1  # least weight of the newest mask in the mean over time
CHANGED = 0.06  # of white, by which a part of the picture differs if it has moved
RADIUS, NOISE = 0.022, 4e-4  # of the guided filter: of the short side; of white, squared
FURTHER = 0.014  # of the short side, that hair may reach further than the network says
EDGE = (0.12, 0.88)  # of the filter's answer, what is taken for none and for all
SURE = (0.2, 0.8)  # of the network's answer, likewise
APART = 0.65  # sides of a face, at which a place is much less of a person
CLEARLY = 0.7  # sides of a face within which a place tells a person's colours
COLOUR = 2.5  # how much colours of bodies count beside places
HANGS = 0.35  # of a place's distance below a face, that counts
UNKNOWN = 2e-3  # of all colours, a colour that somebody has by chance


@dataclass(frozen=True, eq=False)
class Mattes:
    """Masks of the people in one picture, by their numbers.

    Shape:
        alpha: float32 [h, w] each, at the small size; small: the picture's brightness there, 0 to 1
    """

    alpha: dict[int, Array]
    small: Array
    _lines: dict[int, tuple[Array, Array]]
    _most: dict[int, Array]
    _grey: Array

    @property
    def size(self) -> tuple[int, int]:
        """The picture's own, (width, height)."""
        return self._grey.shape[1], self._grey.shape[0]

    def fine(self, number: int) -> Array:
        """A person's mask at the picture's own size, float32 [height, width]."""
        slope, offset = (cv2.resize(each, self.size) for each in self._lines[number])
        alpha = _stretched(cv2.add(cv2.multiply(slope, self._grey), offset))
        return np.minimum(alpha, cv2.resize(self._most[number], self.size))


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
        shares = self._shares(image, boxes, likely)
        newest = self._newest(small)
        masks = {}
        for number in boxes:
            mask = likely[number] * shares[number]
            if number in self._masks and newest is not None:
                mask = self._masks[number] + newest * (mask - self._masks[number])
            masks[number] = mask
        self._masks, self._before = masks, small
        lines = self._guided(small, masks)
        most = {number: self._most(mask) for number, mask in masks.items()}
        alpha = {
            n: np.minimum(_stretched(slope * small + offset), most[n])
            for n, (slope, offset) in lines.items()
        }
        total = sum(alpha.values())
        if len(alpha) > 1 and np.max(total) > 1:
            alpha = {n: each / np.maximum(total, 1) for n, each in alpha.items()}
        return Mattes(alpha, small, lines, most, grey)

    def _likely(self, image: Array, boxes: Mapping[int, Array]) -> dict[int, Array]:
        """The network's answer about each person's surroundings, [h, w]; 0 beyond them."""
        height, width = image.shape[:2]
        seen: dict[tuple[int, int, int, int], Array] = {}
        found = {}
        for number, box in boxes.items():
            region = self._region(number, box, width, height)
            if region not in seen:
                x0, y0, x1, y1 = region
                answer = _stretched(self._selfie(image[y0:y1, x0:x1]), SURE)
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

    def _shares(
        self, image: Array, boxes: Mapping[int, Array], likely: Mapping[int, Array]
    ) -> dict[int, Array | float]:
        """How much of a person in each place is this one, [h, w].

        Who is nearer, for a body hangs below its face, and whose colours it has: those of the
        places that are clearly one's own.
        """
        if len(boxes) < 2:
            return dict.fromkeys(boxes, 1.0)
        size = max(1, self._size[0] // 2), max(1, self._size[1] // 2)
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.int32) >> 5
        colour = (small[..., 0] << 6) + (small[..., 1] << 3) + small[..., 2]
        away = np.array([_away(image, box, size) for box in boxes.values()])
        y = (np.arange(size[1]) + 0.5) * (image.shape[0] / size[1])
        chin = max(float(box[3]) for box in boxes.values())
        side = max(float(np.ptp(box.reshape(2, 2), 0).max()) for box in boxes.values())
        # Bodies overlap, heads do not: there the place alone decides.
        below = COLOUR * np.clip((y[:, None] - chin) / side + 0.5, 0, 1).astype(np.float32)
        there = {number: cv2.resize(likely[number], size) for number in boxes}
        near = _normal(np.exp(-((away / APART) ** 2)))
        both = near
        for _ in range(2):  # the first colours tell whose places the next ones are learned from
            told = []
            for number, own, far in zip(boxes, both, away, strict=True):
                weight = np.where(far < CLEARLY, own**4 * there[number], 0)
                counts = np.bincount(colour.ravel(), weight.ravel(), 512).reshape(64, 8)
                counts = np.asarray(cv2.GaussianBlur(counts.astype(np.float32), (3, 3), 0.7))
                alike = np.log(counts.ravel() / max(float(counts.sum()), 1e-6) + UNKNOWN)
                told.append(cv2.blur(alike.astype(np.float32)[colour], (5, 5)))
            both = _normal(near * np.exp(below * (np.array(told) - np.max(told, 0))))
        grown = (cv2.resize(each.astype(np.float32), self._size) for each in both)
        return dict(zip(boxes, grown, strict=True))

    def _newest(self, small: Array) -> Array | None:
        """How much the newest mask counts in each place: what has not moved keeps its mask."""
        if self._before is None:
            return None
        moved = cv2.blur(np.abs(small - self._before), (9, 9)) / CHANGED
        return np.asarray(np.clip(moved, NEWEST, 1))

    def _most(self, mask: Array) -> Array:
        """The most that a mask may come to: what looks alike but lies further away is another."""
        reach = max(1, round(FURTHER * min(self._size)))
        side = 2 * reach + 1
        grown = cv2.dilate(mask, np.ones((side, side), np.uint8))
        return np.asarray(np.clip(1.5 * cv2.blur(grown, (side, side)), 0, 1))

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


def _away(image: Array, box: Array, size: tuple[int, int]) -> Array:
    """How far each place is from a person's face and the body below, in sides of it, [h, w]."""
    x = (np.arange(size[0]) + 0.5) * (image.shape[1] / size[0])
    y = (np.arange(size[1]) + 0.5) * (image.shape[0] / size[1])
    side = float((box[2:] - box[:2]).max())
    across = (x - (box[0] + box[2]) / 2) / side
    down = (y - (box[1] + box[3]) / 2) / side
    down = np.where(down > 0, HANGS * down, down)
    return np.asarray(np.hypot(across, down[:, None]), np.float32)


def _normal(parts: Array) -> Array:
    """Parts [n, h, w] that sum to 1."""
    return np.asarray(parts / parts.sum(0))


def _stretched(mask: Array, ends: tuple[float, float] = EDGE) -> Array:
    low, high = ends
    return np.asarray(np.clip((mask - low) / (high - low), 0, 1), np.float32)
