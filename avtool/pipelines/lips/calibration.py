"""How far a film's own mouth moves, found by painting some of its pictures and looking again.

The mesh tells the motion of lips too small or too large, each face's by another factor, and finds
painted lips by yet another. What is left of the film's motion in a painted picture, and how much
of the wanted one is seen, both are straight lines over a few pictures, and so can be undone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from avtool.face import LIPS, Landmarker, align
from avtool.face.landmarks import EYES, Square
from avtool.pipelines.lips.speech_to_motion import gap
from avtool.pipelines.lips.warp import Painter, lip_edges
from avtool.pipelines.lips.warp.topology import Pose
from avtool.values import Array

SAMPLES = 48  # pictures of a film that are painted
SIDE = 400  # pixels of a sample at most: the face and half as much around it
FEWEST = 12  # samples that tell a line
ROUNDS = 3  # of painting and looking again
GOLDEN = (5**0.5 - 1) / 2  # of which the multiples fill 0 to 1 evenly
SLOWLY = 0.6  # as lips that all but touch open by more than twice as much for twice the motion
STILL = 0.01  # eyes' distances: what opens less shows nothing
WIDE = 0.6, 2.0  # least and most of what is said beside the usual motion
MORE = 0.08  # by which a mouth moves further than the mesh tells, on five people
FURTHER = -0.4, 0.6  # least and most of that factor
USUAL_FALL, FALL = 0.5, (0.25, 1.2)  # of what is left of the motion, with that factor


@dataclass(frozen=True, eq=False)
class Sample:
    """A face cut out of a picture of a film: its number, uint8 RGB, and the mesh in it."""

    number: int
    image: Array
    points: Array

    @classmethod
    def of(cls, number: int, image: Array, points: Array) -> Sample:
        flat = points[:, :2]
        reach = 0.25 * float(np.ptp(flat, 0).max())
        low = np.maximum(np.floor(flat.min(0) - reach), 0).astype(int)
        high = np.minimum(np.ceil(flat.max(0) + reach), image.shape[1::-1]).astype(int)
        part = image[low[1] : high[1], low[0] : high[0]]
        scale = min(1.0, SIDE / max(part.shape[:2]))
        if scale < 1:
            part = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        moved = (points * scale).astype(np.float32)
        moved[:, :2] = (flat - low + 0.5) * scale - 0.5
        return cls(number, part.copy(), moved)


@dataclass(frozen=True, eq=False)
class Mouth:
    """A film's mouth: the closed one in head coordinates [468, 3], how far speech moves each of
    its points [468, 1], and by how much further than the mesh tells it moves.
    """

    rest: Array
    reach: Array
    more: float = MORE

    def laid(
        self, points: Array, own: Array, further: Array, says: Array, share: float = 1.0
    ) -> tuple[Array, Array]:
        """A picture's mesh and where it shall be, float32 [468, 3] in pixels.

        Args:
            points: the mesh as found; own: the same without jitter, in head coordinates;
            further: how much further out the lips end; says: [468, 3], away from the closed mouth.
        """
        pose = Pose.of(points)
        said = own + self.reach * (self.rest + says - own)
        said = lip_edges.ended(said, lip_edges.usual(said))
        own = lip_edges.ended(own + self.more * self.reach * (own - self.rest), further)
        target = own + share * (said - own)
        return pose.laid(points, own), pose.laid(points, target)


def spread(values: Array, count: int) -> Array:
    """Places of so many values, evenly from the least to the greatest, [count] or fewer."""
    order = np.argsort(values, kind="stable")
    return order[np.unique(np.linspace(0, len(order) - 1, count).round().astype(int))]


def fitted(
    mouth: Mouth,
    wide: float,
    samples: Sequence[Sample],
    meshes: Sequence[tuple[Array, Array]],
    says: Callable[[int], tuple[Array, float]],
    opens: Array,
    own: Array,
    painter: Painter,
) -> tuple[Mouth, float]:
    """The mouth whose own motion is gone when it is painted, and how much of the motion that is
    said makes it open as far as it does in its film.

    Args:
        wide: the motion's usual part, which stays where too few samples tell.
        meshes: of each sample, in head coordinates, and how much further out its lips end.
        says: the motion of a picture's mesh, [468, 3], and how far the chin hangs.
        opens: how far that opens the lips, [pictures]; own: the same in the film, of any pictures.
    """
    before = gap(np.array([mesh for mesh, _ in meshes])[:, list(LIPS)]) if meshes else np.empty(0)
    if len(before) < FEWEST or _range(before) < STILL or not _range(opens):
        return mouth, wide
    # Each sample twice, with what is said so mixed that it has nothing to do with the film.
    twice = np.repeat(np.arange(len(samples)), 2)
    mixed = (np.arange(len(twice)) * GOLDEN % 1 * len(opens)).astype(int)
    said = np.argsort(opens, kind="stable")[mixed]
    terms = np.stack([np.ones(len(twice)), before[twice], opens[said], opens[said] ** 2], 1)
    landmarker, tried = Landmarker(), list[tuple[float, float]]()
    for _ in range(ROUNDS):
        found = []
        for place, number in zip(twice.tolist(), said.tolist(), strict=True):
            (mesh, further), (moved, drop) = meshes[place], says(number)
            points, target = mouth.laid(samples[place].points, mesh, further, wide * moved)
            made = painter.paint(samples[place].image, points, target, wide * drop)
            found.append(_open(landmarker, made, samples[place].points))
        left = float(np.linalg.lstsq(terms, np.array(found), rcond=None)[0][1])
        tried.append((mouth.more, left))
        (m0, left0), (m1, left1) = tried[-2:] if len(tried) > 1 else (tried[0], tried[0])
        fall = (left0 - left1) / (m1 - m0) if m1 != m0 else USUAL_FALL
        more = mouth.more + left / float(np.clip(fall, *FALL))
        mouth = replace(mouth, more=float(np.clip(more, *FURTHER)))
        less = _range(own) / max(_range(np.array(found)), 1e-3)
        wide = float(np.clip(wide * less**SLOWLY, *WIDE))
    return mouth, wide


def _range(opened: Array) -> float:
    """From its 5th to its 95th percentile."""
    return float(np.ptp(np.quantile(opened, [0.05, 0.95])))


def _open(landmarker: Landmarker, image: Array, points: Array) -> float:
    """How far the lips of a face are found open, in a picture where it was at these points."""
    for _ in range(2):  # where the film's mesh was, then where the painted one is
        flat = points[:, :2].astype(np.float64)
        points, _ = landmarker(image, Square.around(flat, flat[EYES]))
    return float(gap(align(points)[0][list(LIPS)]))
