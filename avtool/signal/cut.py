"""Whether a new shot starts: suddenly most of the picture changes."""

from __future__ import annotations

from collections import deque

import numpy as np

from avtool.values import Array

RECENT = 12  # changes that tell what is usual
LEAST, SUDDEN = 10.0, 4.0  # of 255 that the picture changes on average, and against the usual
SHARE = 0.35  # part of the picture that changes by as much; waving hands reach less


class Cuts:
    """Tells of pictures that come one after the other which of them begin a new shot.

    Args:
        places: rows and columns that are compared, about.
    """

    def __init__(self, places: int = 56) -> None:
        self._places = places
        self._before: Array | None = None
        self._recent: deque[float] = deque(maxlen=RECENT)

    def begins(self, image: Array) -> bool:
        """Whether the next picture does; of another size it does, the first one does not.

        Shape:
            image: uint8 RGB [height, width, 3]
        """
        rows, columns = (max(1, n // self._places) for n in image.shape[:2])
        grey = image[::rows, ::columns].mean(2, dtype=np.float32)
        before, self._before = self._before, grey
        if before is None or before.shape != grey.shape:
            return before is not None
        return is_cut(np.abs(grey - before), self._recent)


def is_cut(change: Array, recent: deque[float]) -> bool:
    """Whether a picture begins a new shot; its mean change joins the recent ones.

    Shape:
        change: float [...], of brightness from the picture before, 0 to 255, a place each
    """
    usual = float(np.median(recent)) if recent else 0.0
    mean = float(change.mean())
    recent.append(mean)
    return mean > LEAST and mean > SUDDEN * usual and float((change > LEAST).mean()) > SHARE
