"""Heat: where a sound comes from, as it is laid over pictures."""

from __future__ import annotations

import numpy as np

from avtool.draw.palette import MAP, palette
from avtool.values import Array

SOFT = 0.25  # power of a map that is shown, and whose region is boxed
COLD = 0.3  # heat that is not drawn

# The upper part of the heat map's colours: what is cold is not drawn at all.
_COLOURS = np.frombuffer(palette("heat"), np.uint8).reshape(-1, 3)[:MAP][70:]
# The colour of heat 0 to 255, which begins at ``COLD``: uint8 RGB [256, 3].
WARM = _COLOURS[np.arange(256) * (len(_COLOURS) - 1) // 255]


def softened(probability: Array) -> Array:
    """A map against its peak, 0 to 1, so that what is nearly as likely is seen beside it."""
    top = float(probability.max(initial=0))
    soft: Array = (probability / top) ** SOFT if top > 0 else np.zeros_like(probability)
    return soft
