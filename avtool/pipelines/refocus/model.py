"""Where people are in a picture: MediaPipe's selfie segmentation, a network of 0.1 million weights.

It sees 256 x 256 pixels and says of each how likely it is a person, hair and clothes too.
"""

from __future__ import annotations

import cv2
import numpy as np

from avtool.tflite import Network
from avtool.values import Array

SIDE = 256  # pixels, the network's input


class Selfie:
    """Finds people in pictures, uint8 RGB [height, width, 3]."""

    def __init__(self) -> None:
        self._network = Network("selfie_segmentation.tflite")

    def __call__(self, image: Array) -> Array:
        """How likely each of 256 x 256 parts of the picture is a person, float32 [256, 256]."""
        shrinks = min(image.shape[:2]) > SIDE
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        small = cv2.resize(image, (SIDE, SIDE), interpolation=how)
        (likely,) = self._network(small / np.float32(255))
        return np.asarray(likely[..., 0])
