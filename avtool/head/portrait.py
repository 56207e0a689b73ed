"""Portraits of made people, framed like a passport picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from avtool.head import traits as people
from avtool.head.hair import LOCKS, dressed
from avtool.head.model import UNITS, Head
from avtool.head.render import Camera, normals, render
from avtool.head.shade import SHADERS
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
    rest = head.vertices(head.shape(people.identity(traits)), REST)
    mesh = dressed(head, rest, look.style)
    count = len(mesh.vertices)
    towards = np.tile(np.array([0, 0, 1], np.float32), (count, 1))  # as lit from where one looks
    names = (*head.paints, "hair", "along_x", "along_y", "along_z")
    region = np.zeros(count, int)
    region[mesh.faces] = mesh.region[:, None]
    colours = np.zeros((count, 3), np.float32)
    for number, shader in enumerate(SHADERS):
        here = np.flatnonzero(region == number)
        if len(here):
            patch = dict(zip(names, mesh.paint[here].T, strict=True))
            patch |= {"place": mesh.place[here], "normal": towards[here]}
            behind = 0.5 * np.array(look.hair) if number == LOCKS else np.array(look.skin)
            patch["behind"] = np.tile(behind.astype(np.float32), (len(here), 1))
            colours[here] = shader(look, patch)
    units = np.zeros((len(UNITS), count, 3), np.float32)
    units[:, : len(rest)] = head.units
    facing = normals(mesh.vertices, mesh.faces)
    return Mesh(mesh.vertices, mesh.faces, facing, colours.clip(0, 1), units, UNITS)
