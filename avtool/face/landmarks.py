"""The shape of a face: MediaPipe's mesh of 468 points (Kartynnik et al. 2019).

The network sees a square, 192 x 192 pixels, around the face, turned so that the eyes are level.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from avtool.tflite import Network
from avtool.values import Array

SIDE = 192  # pixels, the network's input
MARGIN = 1.5  # the square's side over the face's
POINTS = 468
EYES = [33, 263]  # outer corners, the person's right and left


@dataclass(frozen=True)
class Square:
    """A turned square in the picture: centre and side in pixels, angle in radians, clockwise."""

    x: float
    y: float
    side: float
    angle: float = 0.0

    @property
    def axes(self) -> Array:
        """The square's own right and down, one a row, float64 [2, 2]."""
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        return np.array([[cosine, sine], [-sine, cosine]])

    @classmethod
    def around(cls, points: Array, eyes: Array) -> Square:
        """Around points [n, 2], level with the eyes [2, 2], with a margin.

        >>> Square.around(np.array([[0.0, 0.0], [10.0, 8.0]]), np.array([[2.0, 3.0], [8.0, 3.0]]))
        Square(x=5.0, y=4.0, side=15.0, angle=0.0)
        """
        across, down = np.asarray(eyes[1] - eyes[0], np.float64)
        level = cls(0.0, 0.0, 0.0, float(np.arctan2(down, across)))
        own = points @ level.axes.T
        low, high = own.min(0), own.max(0)
        x, y = (low + high) / 2 @ level.axes
        return cls(float(x), float(y), MARGIN * float((high - low).max()), level.angle)


class Landmarker:
    """Finds the 468 points in a square of a picture, uint8 RGB [height, width, 3]."""

    def __init__(self) -> None:
        self._network = Network("face_landmark.tflite")

    def __call__(self, image: Array, square: Square) -> tuple[Array, float]:
        """Points in source pixels, float32 [468, 3] (z grows away from the camera), and how
        sure the network is that a face is there, 0 to 1.
        """
        points, presence = self._network(cut(image, square, SIDE) / np.float32(255))
        own = points.reshape(POINTS, 3) / SIDE - np.array([0.5, 0.5, 0], np.float32)
        found = own * np.float32(square.side)
        found[:, :2] = found[:, :2] @ square.axes.astype(np.float32)
        found[:, :2] += np.array([square.x, square.y], np.float32)
        return found, float(1 / (1 + np.exp(-presence.item())))

    def in_box(self, image: Array, box: Array) -> tuple[Array, float]:
        """The same for a face's box [4], x0, y0, x1, y1 in source pixels, of a track or not."""
        x0, y0, x1, y1 = map(float, box)
        square = Square((x0 + x1) / 2, (y0 + y1) / 2, MARGIN * max(x1 - x0, y1 - y0))
        # The first look tells how the head is turned.
        points, _ = self(image, square)
        return self(image, Square.around(points[:, :2], points[EYES, :2]))


def cut(image: Array, square: Square, size: int, outside: int = cv2.BORDER_REPLICATE) -> Array:
    """The square's pixels, uint8 [size, size, 3], antialiased; the picture's edge goes on."""
    height, width = image.shape[:2]
    # Averaging whole pixels first is what keeps a shrunk picture from aliasing.
    shrink = max(1, int(square.side / size))
    half = square.side / 2 * np.abs(square.axes).sum(0)
    low = np.floor(np.array([square.x, square.y]) - half).astype(int) - shrink
    high = np.ceil(np.array([square.x, square.y]) + half).astype(int) + 2 * shrink
    edge = np.array([width, height])
    low = np.clip(low, 0, np.maximum(edge - shrink, 0))
    count = np.maximum((np.clip(high, low + 1, edge) - low) // shrink, 1)
    (x0, y0), (x1, y1) = low, low + count * shrink
    part = image[y0:y1, x0:x1]
    if shrink > 1:
        part = cv2.resize(part, tuple(count.tolist()), interpolation=cv2.INTER_AREA)
    # Output pixel (u, v) comes from centre + ((u, v) + 1/2 - size / 2) @ axes * side / size.
    step = square.axes.T * (square.side / size / shrink)
    start = (np.array([square.x, square.y]) - low) / shrink - step @ np.full(2, (size - 1) / 2)
    matrix = np.concatenate([step, start[:, None] - 0.5], 1)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(part, matrix, (size, size), flags=how, borderMode=outside)
