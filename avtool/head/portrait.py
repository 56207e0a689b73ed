"""Portraits of made people, framed like a passport picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from avtool.head import traits as people
from avtool.head.model import Head
from avtool.head.parts import in_parts
from avtool.head.render import Camera, render
from avtool.values import Array, Mesh

# A face at rest is not slack, nor sad.
REST = {
    "mouthSmileLeft": 0.06,
    "mouthSmileRight": 0.06,
    "mouthPressLeft": 0.3,
    "mouthPressRight": 0.3,
    "mouthShrugLower": 0.3,
    "browInnerUp": 0.06,
}
STUDIO = ((0.50, 0.52, 0.54), (0.26, 0.28, 0.30))
SHIRT = (0.17, 0.18, 0.20)


def portrait(head: Head, traits: Array, size: int = 512) -> Array:
    """Someone from the front, calm, before a plain background: uint8 RGB [size, size, 3].

    Args:
        traits: float [traits], in the order of ``people.TRAITS``.
    """
    shape = head.shape(people.identity(traits))
    look = replace(people.look(traits), background=STUDIO, shirt=SHIRT)
    return render(head, head.vertices(shape, REST), look, framed(head, shape, size))


def framed(head: Head, shape: Array, size: int) -> Camera:
    """A camera that shows head and neck: the face fills the same part of every picture."""
    face = shape[head.mean[:, 1] > -0.125]
    low, high = face[:, 1].min(), face[:, 1].max()
    middle, tall = (low + high) / 2, (high - low) * 1.52
    distance = 1.3
    fov = 2 * np.degrees(np.arctan(tall / 2 / distance))
    return Camera(size, size, distance, float(fov), (0.0, float(middle + 0.005)))


def modelled(head: Head, traits: Array) -> Mesh:
    """Someone in three dimensions, hair and all, with the 52 face units."""
    look = replace(people.look(traits), shirt=SHIRT)
    return in_parts(head, head.vertices(head.shape(people.identity(traits)), REST), look)
