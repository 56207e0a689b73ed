"""Portraits of made people, framed like a passport picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from avtool.head import traits as people
from avtool.head.hairdo import Hairdo
from avtool.head.model import Head
from avtool.head.parts import in_parts
from avtool.head.render import Camera, render
from avtool.values import Array, Mesh

# A face at rest is not slack, nor sad.
REST = {
    "mouthSmileLeft": 0.33,
    "mouthSmileRight": 0.33,
    "cheekSquintLeft": 0.15,
    "cheekSquintRight": 0.15,
    "mouthPressLeft": 0.1,
    "mouthPressRight": 0.1,
    "browInnerUp": 0.06,
}
STUDIO = ((0.50, 0.52, 0.54), (0.26, 0.28, 0.30))


def rest(traits: Array) -> dict[str, float]:
    """A mild face: where the mouth's corners hang, as with the years, they smile a little more."""
    years, corners = (float(traits[people.INDEX[name]]) for name in ("age", "mouth_corners"))
    more = 1 + 1.1 * float(np.clip((years - 35) / 40, 0, 1)) + max(-corners, 0)
    return {name: amount * (more if "Smile" in name else 1) for name, amount in REST.items()}


def portrait(head: Head, traits: Array, size: int = 512) -> Array:
    """Someone from the front, calm, before a plain background: uint8 RGB [size, size, 3].

    Args:
        traits: float [traits], in the order of ``people.TRAITS``.
    """
    shape = head.shape(people.identity(traits))
    look = replace(people.look(traits), background=STUDIO)
    return render(
        head, head.vertices(shape, rest(traits)), look, framed(head, shape, size, room(look.style))
    )


def room(style: Hairdo) -> float:
    """Metres that hair needs above the head."""
    return 0.06 * style.volume * min(style.length, 0.55) if style.curl > 0.6 else 0.0


def framed(head: Head, shape: Array, size: int, above: float = 0.0) -> Camera:
    """A camera that shows head and neck: the face fills about the same part of every picture.

    Args:
        above: metres of hair above the head.
    """
    face = shape[head.mean[:, 1] > -0.125]
    low, high = face[:, 1].min(), face[:, 1].max()
    middle, tall = (low + high + above) / 2, (high - low) * 1.4 + above
    distance = 1.3
    fov = 2 * np.degrees(np.arctan(tall / 2 / distance))
    return Camera(size, size, distance, float(fov), (0.0, float(middle + 0.005)))


def modelled(head: Head, traits: Array) -> Mesh:
    """Someone in three dimensions, hair and all, with the 52 face units."""
    look = people.look(traits)
    return in_parts(head, head.vertices(head.shape(people.identity(traits)), rest(traits)), look)
