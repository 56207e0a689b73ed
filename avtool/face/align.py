"""Head coordinates: a face's points without the head's motion, the camera's distance, the size.

The mesh is laid on a frontal head by the similarity that fits points which do not move with
speech (Umeyama 1991). The middle of the outer eye corners is 0, their distance 1; x goes right
in the picture, y down, z away from the camera.
"""

from __future__ import annotations

import numpy as np

from avtool.values import Array

# Points of the mesh in their order around the mouth, from its right corner (left in the picture)
# along the lower lip to the left one and back along the upper lip.
LIPS_OUTER = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375),
    *(291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
)
LIPS_INNER = (
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324),
    *(308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
)
LIPS = LIPS_OUTER + LIPS_INNER

# Forehead, nose bridge, eye corners, temples: the mean of six people's meshes, made symmetric.
# Over talking people these points stay within 0.002 to 0.005; the lower lip moves by 0.04.
HEAD = {
    10: (0.000, -0.632, -0.144),
    151: (0.000, -0.450, -0.200),
    9: (0.000, -0.251, -0.248),
    8: (0.000, -0.151, -0.240),
    168: (0.000, -0.070, -0.239),
    6: (0.000, 0.011, -0.294),
    33: (-0.500, 0.000, 0.000),
    263: (0.500, 0.000, 0.000),
    133: (-0.196, 0.011, -0.058),
    362: (0.196, 0.011, -0.058),
    127: (-0.760, 0.111, 0.541),
    356: (0.760, 0.111, 0.541),
    139: (-0.710, -0.061, 0.256),
    368: (0.710, -0.061, 0.256),
    71: (-0.672, -0.196, 0.157),
    301: (0.672, -0.196, 0.157),
    143: (-0.684, 0.080, 0.151),
    372: (0.684, 0.080, 0.151),
    109: (-0.209, -0.623, -0.127),
    338: (0.209, -0.623, -0.127),
    67: (-0.386, -0.583, -0.060),
    297: (0.386, -0.583, -0.060),
    103: (-0.548, -0.499, 0.055),
    332: (0.548, -0.499, 0.055),
    54: (-0.653, -0.379, 0.187),
    284: (0.653, -0.379, 0.187),
    21: (-0.715, -0.232, 0.311),
    251: (0.715, -0.232, 0.311),
    162: (-0.748, -0.077, 0.442),
    389: (0.748, -0.077, 0.442),
}
_INDEX = np.array(list(HEAD))
_FIXED = np.array(list(HEAD.values()))


def align(points: Array) -> tuple[Array, Array]:
    """A mesh in head coordinates, and how the head is turned.

    Shape:
        points: [..., 468, 3] in pixels. Returns float32 [..., 468, 3]; rotation float32
        [..., 3, 3] from the picture's axes to the head's, whose last element is 1 for a face
        that looks into the camera and 0 for a profile.
    """
    points = np.asarray(points, np.float64)
    moving = points[..., _INDEX, :]
    middle = moving.mean(-2, keepdims=True)
    moving, fixed = moving - middle, _FIXED - _FIXED.mean(0)
    u, s, vt = np.linalg.svd(fixed.T @ moving)
    mirrored = np.sign(np.linalg.det(u @ vt))  # -1 where the best fit is no rotation
    u[..., :, 2] *= mirrored[..., None]
    s[..., 2] *= mirrored
    rotation = u @ vt
    scale = s.sum(-1) / np.maximum((moving**2).sum((-2, -1)), 1e-12)
    own = (points - middle) @ np.swapaxes(rotation, -1, -2) * scale[..., None, None]
    return (own + _FIXED.mean(0)).astype(np.float32), rotation.astype(np.float32)


def lips(points: Array) -> Array:
    """The 40 lip points in head coordinates, float32 [..., 40, 3]: outer, then inner."""
    return align(points)[0][..., LIPS, :]
