"""Faces in pictures: where they are, their mesh, their numbers and lips through time.

Works on frames, uint8 RGB [height, width, 3], and knows no files but its packaged networks.
"""

from avtool.face.align import LIPS, LIPS_INNER, LIPS_OUTER, align, lips
from avtool.face.detect import Detections, Detector
from avtool.face.landmarks import Landmarker
from avtool.face.tracker import Tracker, track
from avtool.face.tracks import Track, from_arrays, to_arrays

__all__ = [
    "LIPS",
    "LIPS_INNER",
    "LIPS_OUTER",
    "Detections",
    "Detector",
    "Landmarker",
    "Track",
    "Tracker",
    "align",
    "from_arrays",
    "lips",
    "to_arrays",
    "track",
]
