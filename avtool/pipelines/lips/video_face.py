"""A face in a video for `avtool lips`: its mesh in each picture, and its pictures to and fro."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice, pairwise

import numpy as np

from avtool.errors import InputError
from avtool.face import LIPS, Landmarker, Track, align
from avtool.face.appearance import Look
from avtool.face.detect import iou
from avtool.face.landmarks import MARGIN, POINTS, Square
from avtool.face.lip_points import opening
from avtool.media import Media, Spec
from avtool.pipelines.lips.calibration import SAMPLES, Sample, spread
from avtool.pipelines.lips.hidden import Lookout
from avtool.pipelines.lips.speech_to_motion import Motion, gap
from avtool.pipelines.lips.warp import Painter, lip_edges
from avtool.pipelines.lips.warp.topology import Pose
from avtool.speakers.tracks import unknown_face
from avtool.spool import Spool
from avtool.values import FPS as TRACKED
from avtool.values import Array, Frames

SEEN = (0.80, 0.87)  # how frontal a face is, from 37 to 29 degrees, where a drawn mouth tears
SAME = 0.3  # IoU of a mesh and its track's box
AGAIN = 1.0  # seconds after which a lost face may go on as another track
ALIKE = 0.07  # of white: coarse portraits of one face in a film differ by less than 0.05
SHOWN = 0.12  # of an open mouth, teeth in a picture that the mouth's inside is taken from
LOWEST = 5  # of the lips' points: the middle of the lower lip's edge
STEADY = np.array([-3, 12, 17, 12, -3]) / 35
JITTER = 0.005  # eyes' distances that the lips' opening is found wrong by
EDGES = 2 * len(lip_edges.INNER[0])
MOOD = Fraction(1, 2)  # seconds between two closed mouths
SLOW = 2  # times that long from the middle of a mean to its end
EASE = Fraction(1, 3)  # seconds over which a mouth is eased in where a face comes or goes
LOOKED = Spec(frames=True, fps=Fraction(TRACKED))  # what a film's tracks are found in


@dataclass(frozen=True, eq=False)
class FaceVideo:
    """A face in a video: its pictures at their own rate, the face's track at 25 a second.

    Args:
        backwards: the first ``count`` pictures from the last to the first.
    """

    frames: Frames
    track: Track
    backwards: Callable[[int], Iterator[Array]]


def video_face(
    source: Media, tracks: Sequence[Track], number: int | None = None, fps: int | None = None
) -> FaceVideo:
    """A face of a video, by its number, else the one that fills most of it.

    Args:
        fps: at which its pictures are read; None is the video's own rate.

    Raises:
        InputError: there is no such face.
    """
    if number is None and tracks:
        number = max(tracks, key=lambda each: size(each.boxes)).face
    spec = Spec(frames=True, fps=None if fps is None else Fraction(fps))
    for each in tracks:
        if each.face == number:
            frames = source.clip(spec).frames
            assert frames is not None
            whole = joined(each, tracks)
            return FaceVideo(frames, whole, lambda count: source.backwards(spec, count))
    raise InputError(
        unknown_face(source.name, number or 1, len(tracks), "so no mouth can be painted")
    )


def joined(face: Track, tracks: Sequence[Track]) -> Track:
    """A face's track with those that go on where it breaks off: the same place, the same look."""
    for other in tracks:
        if other.face != face.face and _goes_on(face, other):
            frames = np.concatenate([face.frames, other.frames])
            order = np.argsort(frames, kind="stable")
            boxes, points, scores = (
                np.concatenate([getattr(each, name) for each in (face, other)])[order]
                for name in ("boxes", "lips", "scores")
            )
            whole = replace(face, frames=frames[order], boxes=boxes, lips=points, scores=scores)
            return joined(whole, [each for each in tracks if each is not other])
    return face


def _goes_on(face: Track, other: Track) -> bool:
    """Whether a track is of the same face, at another time."""
    if np.isin(other.frames, face.frames).any():
        return False
    places = np.searchsorted(face.frames, other.frames[[0, -1]])
    ends = [(places[0] - 1, 0), (places[1], -1)]  # of each what is nearest
    near = [
        iou(face.boxes[k][None], other.boxes[end][None])[0, 0]
        for k, end in ends
        if 0 <= k < len(face.frames)
        and abs(int(face.frames[k] - other.frames[end])) <= AGAIN * TRACKED
    ]
    one, two = (
        each.portrait.reshape(8, 20, 8, 20, 3).mean((1, 3))[1:7, 1:7] / 255
        for each in (face, other)
    )
    apart = float(np.sqrt((((one - one.mean()) - (two - two.mean())) ** 2).mean()))
    return max(near, default=0.0) > SAME and apart < ALIKE


def size(boxes: Array) -> float:
    """How much of a video a face fills: the sum of its boxes' areas."""
    return float(np.prod(boxes[:, 2:] - boxes[:, :2], 1).sum())


def meshes(frames: Frames, face: Track) -> Array:
    """A face's mesh in head coordinates, float32 [pictures, 468, 3]; nan where it is not seen."""
    rows = [look.points if look else None for look in _looks(frames, face)]
    nowhere = np.full((POINTS, 3), np.nan, np.float32)
    return np.stack([nowhere if row is None else align(row)[0] for row in rows])


def _looks(frames: Frames, face: Track) -> Iterator[Look | None]:
    """A face in each picture, found where it was in the one before, else where its track is."""
    landmarker, look = Landmarker(), None
    for number, image in enumerate(frames.images()):
        time = number / frames.fps * TRACKED
        place = min(int(np.searchsorted(face.frames, round(time))), len(face.frames) - 1)
        there = abs(face.frames[place] - time) <= 1
        gap = face.frames[place] - face.frames[max(0, place - 1)]
        within = face.frames[0] <= time <= face.frames[-1] and gap <= AGAIN * TRACKED
        # Where the tracker loses a face for a moment the mesh may still follow it.
        look = look and Look.at(landmarker, image, look.square, 1) if there or within else None
        if there and (look is None or iou(look.box[None], face.boxes[place][None])[0, 0] < SAME):
            x0, y0, x1, y1 = map(float, face.boxes[place])
            square = Square((x0 + x1) / 2, (y0 + y1) / 2, MARGIN * max(x1 - x0, y1 - y0))
            look = Look.at(landmarker, image, square, 2)
        yield look


def look(
    film: FaceVideo,
    moved: Motion,
    painter: Painter,
    spool: Spool,
    most: int | None,
    samples: list[Sample],
) -> Array:
    """See the face in each picture: its mesh goes to the spool, and how much further out the lips
    end; how much of the mouth can be painted, as it is neither turned away nor hidden, is returned.

    The painter learns the inside of the mouth where it is wide open. Of some pictures, spread over
    how far it is open, the face is kept as samples.
    """
    track, fps = film.track, film.frames.fps
    gaps = opening(track.lips)
    wide, shut = np.quantile(gaps, [0.6, 0.2])
    low = float(np.median(track.lips[gaps <= shut][:, LOWEST, 1]))
    frontal: list[float] = []
    lookout = Lookout()
    within = slice(
        None if most is None else np.searchsorted(track.frames, float(most * TRACKED / fps))
    )
    some = track.frames[within][spread(gaps[within], SAMPLES)]
    wanted = {round(int(each) * fps / TRACKED) for each in some}
    held: list[Array] = []

    def images() -> Iterator[Array]:
        for image in islice(film.frames.images(), most):
            held[:] = [image]
            yield image

    for number, look in enumerate(_looks(replace(film.frames, images=images), track)):
        frontal.append(float(align(look.points)[1][2, 2]) if look else 0.0)
        lookout.add(held[0], look.points) if look else lookout.skip()
        points, further = np.zeros((POINTS, 3), np.float32), np.zeros(EDGES, np.float32)
        if look:
            points, further = look.points, lip_edges.found(held[0], look.points).ravel()
            if number in wanted:
                samples.append(Sample.of(number, held[0], points))
        spool.append(np.concatenate([points.ravel(), further])[None])
        place = int(np.searchsorted(track.frames, round(number / fps * TRACKED)))
        place = min(place, len(track.frames) - 1)
        if look and frontal[-1] > SEEN[1] and gaps[place] >= wide:
            hangs = moved.hangs * float(track.lips[place, LOWEST, 1] - low)
            painter.learn(held[0], _ended(points, further), max(0.0, hangs), SHOWN)
    return np.asarray(np.minimum(turned(np.array(frontal)), lookout.shown()))


def turned(frontal: Array) -> Array:
    """How much of a mouth can be painted on a face that is so frontal, 0 to 1."""
    return np.asarray(np.clip((frontal - SEEN[0]) / (SEEN[1] - SEEN[0]), 0, 1))


def _ended(points: Array, further: Array) -> Array:
    """A mesh in pixels whose lips end so much further out."""
    pose = Pose.of(points)
    return pose.laid(points, lip_edges.ended(pose.own, further.reshape(2, -1)))


def mesh_of(rows: Array) -> Array:
    """The meshes in the spool's rows, float32 [rows, 468, 3]."""
    return np.asarray(rows[:, : 3 * POINTS].reshape(-1, POINTS, 3))


def steady(spool: Spool, place: int, painted: Array) -> tuple[Array, Array]:
    """A picture's mesh in head coordinates, [468, 3], and how much further out the lips end,
    [2, 9], without the jitter of their finding.

    A parabola through five pictures (Savitzky & Golay 1964), so that what moves is not late.
    """
    first, weight = place - len(STEADY) // 2, STEADY
    if first < 0 or painted[first : first + len(STEADY)].sum() != len(STEADY):
        first, weight = place, np.ones(1)
    rows = spool.part(first, first + len(weight))
    meshes = align(mesh_of(rows))[0]
    own, further = (
        np.tensordot(weight, each, 1).astype(np.float32) for each in (meshes, rows[:, 3 * POINTS :])
    )
    # What opens or shuts the lips by more than jitter does is so quick, and is followed.
    here = meshes[place - first]
    quick = float(gap(here[list(LIPS)]) - gap(own[list(LIPS)])) / JITTER
    own += np.float32(quick**2 / (1 + quick**2)) * (here - own)
    return own, further.reshape(2, -1)


def eased(seen: Array, fps: Fraction) -> Array:
    """How much of the motion is painted in each picture, eased where the face comes and goes.

    A mouth is painted or it is not: half of one motion and half of another is neither. Between
    two pictures that are not painted, nearer than both fades are long, none is.
    """
    reach = max(1, round(EASE * fps))
    gone = seen < 0.5
    for before, after in pairwise(np.flatnonzero(gone)):
        gone[before:after] |= after - before <= 2 * reach
    least = np.lib.stride_tricks.sliding_window_view(
        np.pad(~gone, reach, mode="edge"), 2 * reach + 1
    )
    ramp = np.abs(np.arange(-reach, reach + 1)) / (reach + 1)
    return np.asarray(np.maximum(least, ramp).min(1))


def closed(spool: Spool, painted: Array, moved: Motion, step: int) -> Array:
    """The face's closed mouth as its mood is, float32 [n, 468, 3] in head coordinates, one every
    ``step`` pictures.

    What lips and cheeks do slowly is a smile or none, and stays; speech is quicker.
    """
    total = np.zeros((1 + len(painted) // step, POINTS, 3))
    weight = np.zeros((len(total), 1, 1))
    first = 0
    for rows in spool.blocks():
        shown = first + np.flatnonzero(painted[first : first + len(rows)])
        own, places = align(mesh_of(rows[shown - first]))[0], shown / step
        first += len(rows)
        away = np.abs(places - np.arange(len(total))[:, None]) / SLOW
        near = np.where(away < 1, 1 + np.cos(np.pi * away), 0)
        total += np.tensordot(near, own, 1)
        weight += near.sum(1)[:, None, None]
    usual = total.sum(0) / weight.sum()  # stays where the face is hidden for long
    # Once leaves some of a wide opening.
    return np.stack([moved.shut(moved.shut(each)) for each in (total + usual) / (weight + 1)])


def openings(spool: Spool) -> Array:
    """How far the lips are open in each picture, mean over the inner lips, [pictures]."""
    rows = (align(mesh_of(rows))[0] for rows in spool.blocks())
    return np.concatenate([gap(each[:, LIPS]) for each in rows])


def ping_pong(film: FaceVideo, total: int) -> Iterator[tuple[int, Array]]:
    """Pictures with their numbers: to the end, back to the beginning, and so on."""
    yield from enumerate(islice(film.frames.images(), total))
    while True:
        back = zip(range(total - 1, -1, -1), film.backwards(total), strict=False)
        yield from islice(back, 1, None)
        yield from islice(enumerate(islice(film.frames.images(), total)), 1, None)
        if total == 1:
            yield from ((0, image) for image in film.frames.images())
