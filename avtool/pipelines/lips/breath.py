"""A photo that lives: the whole picture is bent a little, so that hair and shoulders move too.

Shoulders rise with the breath and carry the head, which leans from side to side on its neck. The
fields are smooth and nothing at the picture's edges, but for the lower one, where a body goes on.
"""

from __future__ import annotations

import cv2
import numpy as np

from avtool.pipelines.lips.warp.splines import eased
from avtool.pipelines.lips.warp.topology import Pose
from avtool.values import Array

BREATH = (0.014, 3.8)  # head units that shoulders rise, seconds from breath to breath
LEAN = 1.6  # of the head's tilt, for the whole head with its hair
SHIFT = 0.9  # head units sideways for each radian that the head turns
CHIN, SHOULDER = 1.15, 2.3  # head units below the eyes: up to the first all is head
WIDE = 3.4  # head units to each side, from one before which on all is at rest
EDGE = 0.14  # of the picture's smaller side, over which it comes to rest
STEP = 8  # pixels between the fields' nodes


class LivingPhoto:
    """Bends a photo of a face that lies in it as a pose says; at the time 0 it is as it was."""

    def __init__(self, pose: Pose, height: int, width: int) -> None:
        rows, columns = (-(-size // STEP) for size in (height, width))
        x, y = (np.arange(count) * STEP + (STEP - 1) / 2 for count in (columns, rows))
        axes = np.linalg.inv(pose.axes[:, :2])
        dx, dy = x[None, :] - pose.at[0], y[:, None] - pose.at[1]
        right, down = (axes[k, 0] * dx + axes[k, 1] * dy for k in (0, 1))
        side = EDGE * min(height, width)
        still = eased(np.minimum(np.minimum(x, width - 1 - x)[None, :], y[:, None]) / side)
        still = still * eased(WIDE - np.abs(right))
        head = eased((SHOULDER - down) / (SHOULDER - CHIN))
        body = eased((down + 1.0) / (SHOULDER + 1.0)) * (1 - 0.4 * head)
        # How far each node goes for a radian of tilt, a unit sideways, a unit up.
        around = np.stack([SHOULDER - down, right], -1) @ pose.axes[:, :2].T
        unit = pose.axes[:, :2].T
        bodily = (body * still)[..., None] * unit[1]
        self._fields = [
            ((head * still)[..., None] * each).astype(np.float32) for each in (around, unit[0])
        ] + [bodily.astype(np.float32)]
        across, along = (np.flatnonzero((still > 0).any(axis)) for axis in (0, 1))
        self._nodes = slice(along[0], along[-1] + 1), slice(across[0], across[-1] + 1)
        self._part = slice(along[0] * STEP, height), slice(across[0] * STEP, width)

    def at(self, image: Array, yaw: float, roll: float, time: float) -> Array:
        """The picture uint8 [height, width, 3] at a time in seconds, the head turned by radians."""
        most, pace = BREATH
        rise = most * 0.5 * (1 - np.cos(2 * np.pi * time / pace))
        amounts = LEAN * roll, SHIFT * yaw, -rise
        field = sum(
            part * each[self._nodes] for part, each in zip(amounts, self._fields, strict=True)
        )
        fine = cv2.resize(np.asarray(field, np.float32), None, fx=STEP, fy=STEP)
        out = image.copy()
        part = out[self._part][: len(fine), : fine.shape[1]]
        rows, columns = part.shape[:2]
        top, left = self._part[0].start, self._part[1].start
        x = np.arange(left, left + columns, dtype=np.float32) - fine[:rows, :columns, 0]
        y = np.arange(top, top + rows, dtype=np.float32)[:, None] - fine[:rows, :columns, 1]
        part[:] = cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(out)
