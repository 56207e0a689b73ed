"""Where faces are: BlazeFace (Bazarevsky et al. 2019), MediaPipe's full-range sparse model.

The network sees 192 x 192 pixels. A picture is shown to it whole, and for small faces once more
in overlapping square tiles; overlapping answers are merged by weighted non-maximum suppression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from avtool.face import landmarks as mesh
from avtool.tflite import Network
from avtool.values import Array

SIDE = 192  # pixels, the network's input
CELLS = 48  # the anchors stand in the middle of 48 x 48 cells
SCORE = 0.6  # MediaPipe's own threshold for this model
OVERLAP = 0.3  # IoU above which two boxes are one face

Square = tuple[int, int, int]  # left, top, side in pixels; may reach out of the picture


@dataclass(frozen=True, eq=False)
class Detections:
    """Faces in one picture, the surest first.

    Shape:
        boxes: float32 [n, 4], x0, y0, x1, y1 in pixels; keypoints: float32 [n, 6, 2], the
        person's right eye, left eye, nose tip, mouth, right ear, left ear; scores: float32 [n].
    """

    boxes: Array
    keypoints: Array
    scores: Array

    def __len__(self) -> int:
        return len(self.scores)


class Detector:
    """Finds faces in pictures, uint8 RGB [height, width, 3]."""

    def __init__(self) -> None:
        self._network = Network("face_detection_full_range_sparse.tflite")

    def __call__(self, image: Array, squares: Sequence[Square] | None = None) -> Detections:
        """Faces in the given squares of the picture; by default in the whole of it, once."""
        height, width = image.shape[:2]
        rows, scores = [], []
        for square in [whole(height, width)] if squares is None else squares:
            found, score = decode(*self._network(_cut(image, square)))
            # A face cut by a tile's edge is another tile's to find; its box here would be wrong.
            inside = _uncut(found[:, :4], square, height, width)
            left, top, side = square
            rows.append(found[inside] * side + np.tile([left, top], 8))
            scores.append(score[inside])
        return merge(np.concatenate(rows), np.concatenate(scores))


def whole(height: int, width: int) -> Square:
    """The smallest square that has the whole picture, in its middle."""
    side = max(height, width)
    return (width - side) // 2, (height - side) // 2, side


def tiles(height: int, width: int, side: int) -> list[Square]:
    """Squares that cover the picture and overlap by a quarter of their side at least."""
    if side >= max(height, width):
        return []

    def starts(length: int) -> list[int]:
        if length <= side:
            return [(length - side) // 2]
        steps = -(-4 * (length - side) // (3 * side))
        return [round(k * (length - side) / steps) for k in range(steps + 1)]

    return [(left, top, side) for top in starts(height) for left in starts(width)]


def decode(regressors: Array, logits: Array) -> tuple[Array, Array]:
    """The network's answer as rows in units of the square, and scores, above ``SCORE``.

    Shape:
        regressors: float32 [2304, 16], centre, size and six points in input pixels from the
        anchor; logits: float32 [2304, 1]. Returns float32 [n, 16], x0, y0, x1, y1 and six
        points; float32 [n].
    """
    scores = 1 / (1 + np.exp(-np.clip(logits[:, 0], -80, 80)))
    kept = np.flatnonzero(scores > SCORE)
    anchors = (np.stack([kept % CELLS, kept // CELLS], 1) + np.float32(0.5)) / CELLS
    rows = regressors[kept].reshape(-1, 8, 2) / SIDE
    centre, half = rows[:, 0] + anchors, rows[:, 1] / 2
    points = rows[:, 2:] + anchors[:, None]
    whole = np.concatenate([(centre - half)[:, None], (centre + half)[:, None], points], 1)
    return whole.reshape(-1, 16).astype(np.float32), scores[kept].astype(np.float32)


def merge(rows: Array, scores: Array) -> Detections:
    """Weighted non-maximum suppression: overlapping answers are averaged by their scores.

    Shape:
        rows: [n, 16], boxes and points; scores: [n].
    """
    order = np.argsort(-scores, kind="stable")
    rows, scores = rows[order], scores[order]
    left = np.ones(len(rows), bool)
    merged, best = [], []
    for k in range(len(rows)):
        if left[k]:
            same = left & (iou(rows[k : k + 1, :4], rows[:, :4])[0] > OVERLAP)
            same[k] = True
            left &= ~same
            merged.append(np.average(rows[same], 0, scores[same]))
            best.append(scores[k])
    stacked = np.array(merged, np.float32).reshape(-1, 16)
    points = stacked[:, 4:].reshape(-1, 6, 2)
    return Detections(stacked[:, :4], points, np.array(best, np.float32))


def iou(a: Array, b: Array) -> Array:
    """Intersection over union of boxes [n, 4] with boxes [m, 4]: [n, m]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(2)
    areas = [np.clip(box[:, 2:] - box[:, :2], 0, None).prod(1) for box in (a, b)]
    result: Array = common / np.maximum(areas[0][:, None] + areas[1] - common, 1e-9)
    return result


def _cut(image: Array, square: Square) -> Array:
    """A square of the picture as the network's input in [-1, 1]; black beyond the edges."""
    left, top, side = square
    around = mesh.Square(left + side / 2, top + side / 2, side)
    return mesh.cut(image, around, SIDE, cv2.BORDER_CONSTANT) / np.float32(127.5) - 1


def _uncut(boxes: Array, square: Square, height: int, width: int) -> Array:
    """Which boxes [n, 4] (units of the square) no edge of it cuts that lies in the picture."""
    left, top, side = square
    inner = np.array([left > 0, top > 0, left + side < width, top + side < height])
    margin = 0.02
    cut = np.concatenate([boxes[:, :2] < margin, boxes[:, 2:] > 1 - margin], 1)
    result: Array = ~(cut & inner).any(1)
    return result
