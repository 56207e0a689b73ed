"""How far a film's own mouth moves, found by painting some of its pictures and looking again.

The mesh tells the motion of lips too small or too large, each face's by another factor, and finds
painted lips by yet another. What is left of the film's motion in a painted picture, and how much
of the wanted one is seen, both are straight lines over a few pictures, and so can be undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from avtool.face import LIPS, Landmarker, align
from avtool.face.landmarks import EYES, Square
from avtool.pipelines.lips.speech_to_motion import CORNERS, gap
from avtool.pipelines.lips.warp import Painter, lip_edges
from avtool.pipelines.lips.warp.topology import Pose
from avtool.values import Array

SAMPLES = 96  # pictures of a film that are painted
SIDE = 400  # pixels of a sample at most: the face and half as much around it
FEWEST = 12  # samples that tell a line
ROUNDS = 4  # of painting and looking again, the last for how far it opens
GOLDEN = (5**0.5 - 1) / 2  # of which the multiples fill 0 to 1 evenly
SLOWLY = 0.6  # as lips that all but touch open by more than twice as much for twice the motion
STILL = 0.01  # eyes' distances: what opens less shows nothing
SAID = 0.35, 2.5  # least and most of what is said beside the usual motion
MORE = 0.08  # by which a mouth moves further than the mesh tells, on five people
FURTHER = -0.4, 0.6  # least and most of that factor
FALL = 0.5, 0.25  # of what is left of the motion, with that factor: usually, and its spread


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
    """A film's mouth: the closed one in head coordinates, how far speech moves each of its points
    [468, 1], and by how much further than the mesh tells it moves.

    Args:
        rests: the closed mouth as the face's mood is, [n, 468, 3], one every ``step`` pictures.
    """

    rests: Array
    reach: Array
    step: int = 1
    more: float = MORE

    def rest(self, number: int) -> Array:
        """The closed mouth in a picture, float32 [468, 3]."""
        place = min(number / self.step, len(self.rests) - 1)
        low = min(int(place), max(0, len(self.rests) - 2))
        near = self.rests[low : low + 2]
        return np.asarray(near[0] + np.float32(place - low) * (near[-1] - near[0]))

    def laid(
        self,
        number: int,
        points: Array,
        own: Array,
        further: Array,
        says: Array,
        share: float = 1.0,
    ) -> tuple[Array, Array]:
        """A picture's mesh and where it shall be, float32 [468, 3] in pixels.

        Args:
            points: the mesh as found; own: the same without jitter, in head coordinates;
            further: how much further out the lips end; says: [468, 3], away from the closed mouth.
        """
        pose, rest = Pose.of(points), self.rest(number)
        said = own + self.reach * (rest + says - own)
        said = lip_edges.ended(said, lip_edges.usual(said))
        own = lip_edges.ended(own + self.more * self.reach * (own - rest), further)
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
    told = list[tuple[Array, Array]]()
    order = np.argsort(opens, kind="stable")
    places = np.arange(len(samples))
    numbers = np.minimum([each.number for each in samples], len(opens) - 1)
    for turn in range(ROUNDS):
        # What has nothing to do with the film tells what is left of it, and what is said in just
        # that picture how far it will open; so the last round is of that alone.
        said = order[((places * GOLDEN + turn / ROUNDS) % 1 * len(opens)).astype(int)]
        now = ((places + turn) % 2 == 0) | (turn == ROUNDS - 1)
        said[now] = numbers[now]
        found, across = _tried(mouth, wide, samples, meshes, map(says, said.tolist()), painter)
        words = np.stack([np.ones(len(said)), opens[said], opens[said] ** 2, across], 1)
        line = np.linalg.lstsq(words, found, rcond=None)[0]
        # The whole film as those samples tell it, which are themselves in it.
        every = line[0] + line[1] * opens + line[2] * opens**2 + line[3] * across.mean()
        every = every + np.resize(found - words @ line, len(opens))
        every[said[now]] = found[now]
        if turn < ROUNDS - 1:
            # What the words leave unexplained is the film's motion, the less the larger the factor.
            off, film = (
                row - words @ np.linalg.lstsq(words, row, rcond=None)[0] for row in (found, before)
            )
            told.append((np.stack([film, -mouth.more * film], 1), off))
            mouth = replace(mouth, more=_more(told))
        less = _range(own) / max(_range(every), 1e-3)
        wide = float(np.clip(wide * less**SLOWLY, *SAID))
    return mouth, wide


def _tried(
    mouth: Mouth,
    wide: float,
    samples: Sequence[Sample],
    meshes: Sequence[tuple[Array, Array]],
    says: Iterable[tuple[Array, float]],
    painter: Painter,
) -> tuple[Array, Array]:
    """How far the lips of painted samples are found open, and how much wider from corner to corner
    what they say makes them, [samples] each.
    """
    landmarker, rows = Landmarker(), []
    for sample, mesh, (moved, drop) in zip(samples, meshes, says, strict=True):
        points, target = mouth.laid(sample.number, sample.points, *mesh, wide * moved)
        made = painter.paint(sample.image, points, target, wide * drop)
        across = float(moved[CORNERS[1], 0] - moved[CORNERS[0], 0])
        rows.append((_open(landmarker, made, sample.points), across))
    found, wider = np.array(rows).T
    return found, wider


def _more(told: Sequence[tuple[Array, Array]]) -> float:
    """The factor with which nothing is left of a film's motion, by what was seen with others.

    Args:
        told: of each round, the film's opening and that times the factor tried, [samples, 2], and
            the opening found, [samples], without what the words explain in either.
    """
    terms, off = (np.concatenate(each) for each in zip(*told, strict=True))
    weight = off.std() / FALL[1]  # of what is usual beside what was seen
    terms = np.concatenate([terms, [[0.0, weight]]])
    left, fall = np.linalg.lstsq(terms, np.append(off, weight * FALL[0]), rcond=None)[0]
    return float(np.clip(left / max(float(fall), FALL[0] / 2), *FURTHER))


def _range(opened: Array) -> float:
    """From its 5th to its 95th percentile."""
    return float(np.ptp(np.quantile(opened, [0.05, 0.95])))


def _open(landmarker: Landmarker, image: Array, points: Array) -> float:
    """How far the lips of a face are found open, in a picture where it was at these points."""
    for _ in range(2):  # where the film's mesh was, then where the painted one is
        flat = points[:, :2].astype(np.float64)
        points, _ = landmarker(image, Square.around(flat, flat[EYES]))
    return float(gap(align(points)[0][list(LIPS)]))
