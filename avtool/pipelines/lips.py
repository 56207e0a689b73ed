"""`avtool lips`: a face whose mouth says another sound.

A network tells what a mouth does while it says the sound (``models.lipmotion``), as motion of a
mesh without face, head or camera. That motion is laid on the face's own closed mouth, turned as the
head is, and the picture is warped there and nowhere else (``mouth.Painter``): the task of Chen et
al., "Lip Movements Generation at a Glance" (2018), done with the source's own pixels, as Bregler
et al. did in "Video Rewrite" (1997).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from math import ceil
from typing import Literal

import numpy as np

from avtool.errors import InputError
from avtool.faces import LIPS, Landmarker, Track, align, track
from avtool.faces.detect import iou
from avtool.faces.look import Look
from avtool.faces.mesh import MARGIN, POINTS, Square
from avtool.head import model
from avtool.head.model import UNITS
from avtool.head.render import Camera, render
from avtool.head.shade import Look as Dress
from avtool.media import Clip, Media, Spec
from avtool.models.lipmotion import FPS as MOTION_FPS
from avtool.models.lipmotion import PHONES
from avtool.mouth import Painter
from avtool.mouth.shape import Pose
from avtool.pipelines.hearing import FPS as TRACKED
from avtool.pipelines.hearing import RATE, at_rate, opening
from avtool.pipelines.manner import Manner
from avtool.pipelines.separate import unknown_face
from avtool.pipelines.speech import LOWER, Motion, motion
from avtool.spool import Spool
from avtool.values import Array, Audio, Curves, Frames

SPEC = Spec(audio=True, channel=0)
LOOKED = Spec(frames=True, fps=Fraction(TRACKED))  # what a film's tracks are found in
NOTE = "Synthetic: the mouth in these pictures was made by avtool lips; nobody said this."
FPS = Fraction(25)  # of what was no video
SIZE = 512, 576  # of the drawn head's pictures
IDENTITY = {"sex": 0.0, "age": 30.0, "caucasian": 1.0, "asian": 0.4, "african": 0.3}
DRAWN = Dress(style="bob")
SEEN = (0.5, 0.65)  # how frontal a face is, between which the mouth is eased in
SAME = 0.3  # IoU of a mesh and its track's box
LOWEST = 5  # of the lips' points: the middle of the lower lip's edge
CLEARLY = 0.4  # how likely a sound must be to be shown
STEADY = np.array([-3, 12, 17, 12, -3]) / 35
EASE = 4  # pictures over which a mouth is eased in where a face comes or goes


Made = tuple[Frames, int, Callable[[int], Array]]  # pictures, how many, the face's box in each
SOUNDS = {  # what a mouth shows best, by phones
    "/a/": ("AA", "AE", "AH", "AY"),
    "/o/": ("OW", "UW", "AO", "W"),
    "/i/": ("IY", "IH", "EY"),
    "/m/": ("M", "B", "P"),
    "/f/": ("F", "V"),
    "silence": ("SIL",),
}


OPEN = ("/a/", "/o/", "/i/")


@dataclass(frozen=True, eq=False)
class Film:
    """A face in a video: its pictures at their own rate, the face's track at 25 a second.

    Args:
        backwards: the first ``count`` pictures from the last to the first.
    """

    frames: Frames
    track: Track
    backwards: Callable[[int], Iterator[Array]]


@dataclass(frozen=True)
class Options:
    """What is asked for.

    Args:
        face: what is to speak: a photo uint8 [height, width, 3], a film, or None, the drawn head.
        number: which face of a photo, counted from 1 from the left; None is the largest.
        length: whose length the video has.
        still: a photo keeps head and eyes still.
        weights: a checkpoint of the user's own.
    """

    face: Array | Film | None = None
    number: int | None = None
    length: Literal["speech", "video"] = "speech"
    still: bool = False
    weights: str | None = None


@dataclass(frozen=True)
class Result:
    """Pictures and the sound under them, as long as each other; the motion as face units.

    Args:
        first: the source's first picture, uint8 [height, width, 3].
        box: of the face in a picture, x0, y0, x1, y1 in pixels, by the picture's number.
        passed: seconds, from and to, in which a film's face could not be painted; it fills while
            the pictures are read.
    """

    lips: Frames
    audio: Audio
    motion: Motion
    first: Array
    box: Callable[[int], Array]
    passed: list[tuple[float, float]]

    def curves(self, fps: int = 25) -> Curves:
        """The motion as ARKit's 52 face units."""
        return curves(self.motion, fps)


def run(clip: Clip, options: Options = Options()) -> Result:
    """Let a face say a clip's sound.

    Raises:
        InputError: the sound was not asked for, is empty, or there is no such face.
    """
    speech = clip.audio
    if speech is None:
        raise InputError(f"{clip.name}: its sound was not asked for")
    moved = said(clip, options.weights)
    passed: list[tuple[float, float]] = []
    if isinstance(options.face, Film):
        frames, count, box = _film(options.face, moved, options, passed)
        first = next(options.face.frames.images())
    else:
        first = image = _drawn() if options.face is None else options.face
        frames, count, box = _photo(image, moved, options)
    sound = lasting(speech, count / frames.fps)
    return Result(frames, replace(sound, note=NOTE), moved, first, box, passed)


def filmed(source: Media, tracks: Sequence[Track], number: int | None = None) -> Film:
    """A face of a video, by its number, else the one that fills most of it.

    Raises:
        InputError: there is no such face.
    """
    if number is None and tracks:
        number = max(tracks, key=lambda each: _size(each.boxes)).face
    spec = Spec(frames=True)
    for each in tracks:
        if each.face == number:
            frames = source.clip(spec).frames
            assert frames is not None
            return Film(frames, each, lambda count: source.backwards(spec, count))
    raise InputError(unknown_face(source.name, number or 1, len(tracks), "no mouth can be painted"))


def _size(boxes: Array) -> float:
    return float(np.prod(boxes[:, 2:] - boxes[:, :2], 1).sum())


def said(clip: Clip, weights: str | None = None) -> Motion:
    """What a mouth does while it says a clip's sound.

    Raises:
        InputError: there is no sound in it.
    """
    assert clip.audio is not None
    audio = clip.audio
    mono = np.concatenate([block.mean(0) for block in audio.blocks()] or [np.zeros(0)])
    if not len(mono):
        raise InputError(f"{clip.name}: holds no sound to be said")
    sound = at_rate(mono[None].astype(np.float32), audio.rate, RATE)
    return motion(Audio.of(sound, RATE), weights)


def curves(moved: Motion, fps: int) -> Curves:
    """A motion as ARKit's 52 face units, ``fps`` a second."""
    times = np.arange(max(1, round(moved.seconds * fps))) / fps
    return Curves(moved.face_units(moved.at(times)), fps, UNITS)


def moments(moved: Motion, fps: Fraction, count: int) -> list[tuple[str, int]]:
    """What is said most clearly of each kind, and the number of its picture, as they come."""
    found = []
    wide = np.clip(moved.mesh(moved.amounts)[:, LOWER, 1], 0, None)
    wide = wide / max(float(wide.max()), 1e-6)
    for name, phones in SOUNDS.items():
        likely = moved.phones[:, [PHONES.index(phone) for phone in phones]].sum(1)
        near = np.convolve(likely, np.full(3, 1 / 3), "same")  # not where it begins or ends
        best = int((near * (0.25 + wide if name in OPEN else 1)).argmax())
        if near[best] > CLEARLY:
            found.append((name, min(count - 1, round(best / MOTION_FPS * fps))))
    return sorted(found, key=lambda each: each[1])


def lasting(audio: Audio, seconds: Fraction) -> Audio:
    """A sound cut, or filled with silence, to a length."""
    wanted = round(seconds * audio.rate)

    def blocks() -> Iterator[Array]:
        left = wanted
        for block in audio.blocks():
            yield block[:, :left]
            left -= min(left, block.shape[1])
            if not left:
                return
        if left:
            yield np.zeros((audio.channels, left), np.float32)

    return replace(audio, blocks=blocks, length_samples=wanted, seconds=float(seconds))


def _photo(image: Array, moved: Motion, options: Options) -> Made:
    found = track([image])
    if not found:
        raise InputError("shows no face; it takes one that looks ahead, 40 pixels wide or more")
    sizes = [_size(each.boxes) for each in found]
    place = int(np.argmax(sizes)) if options.number is None else options.number - 1
    if not 0 <= place < len(found):
        raise InputError(
            f"has no face {options.number}; it has {len(found)}, counted from the left"
        )
    points, _ = Landmarker().in_box(image, found[place].boxes[0])
    pose = Pose.of(points)
    rest = moved.shut(pose.own)
    count = _count(moved, FPS)
    times = np.arange(count) / float(FPS)
    manner = None if options.still else Manner(moved, pose.own)

    def images() -> Iterator[Array]:
        painter = Painter()
        for time, amounts in zip(times, moved.at(times), strict=True):
            own = rest + moved.mesh(amounts)
            if manner is not None:
                own = manner.lived(own, time)
            yield painter.paint(image, points, _placed(points, pose, own), moved.drop(amounts))

    frames = Frames(images, FPS, image.shape[1], image.shape[0])
    return frames, count, lambda number: found[place].boxes[0]


def _drawn() -> Array:
    """The built-in head at rest, nobody's likeness, uint8 RGB."""
    head = model.load()
    return render(head, head.shape(IDENTITY), DRAWN, Camera(*SIZE))


def _film(film: Film, moved: Motion, options: Options, passed: list[tuple[float, float]]) -> Made:
    fps = film.frames.fps
    wanted = _count(moved, fps) if options.length == "speech" else None
    painter, spool = Painter(), Spool()
    seen = _look(film, moved, painter, spool, wanted)
    if not seen.any():
        raise InputError("its face is never seen from the front, so no mouth can be painted")
    strength = _eased(seen)
    rest, reach = _rest(spool, seen, moved), moved.reach[:, None]
    count = wanted or len(seen)
    amounts = moved.at(np.arange(count) / float(fps))

    def images() -> Iterator[Array]:
        passed.clear()
        for number, (place, image) in enumerate(islice(_to_and_fro(film, len(seen)), count)):
            share = strength[place]
            if not share:
                _note(passed, number, fps)
                yield image
                continue
            points = spool.row(place).reshape(-1, 3)
            pose = Pose.of(points)
            own = _steady(spool, place, seen)
            away = share * reach * (rest + moved.mesh(amounts[number]) - own)
            points, target = (_placed(points, pose, each) for each in (own, own + away))
            hangs = moved.drop(amounts[number]) * share
            yield painter.paint(image, points, target, hangs)

    def box(number: int) -> Array:
        place = np.searchsorted(film.track.frames, round(number / fps * TRACKED))
        return np.asarray(film.track.boxes[min(int(place), len(film.track.boxes) - 1)])

    return Frames(images, fps, film.frames.width, film.frames.height), count, box


def _count(moved: Motion, fps: Fraction) -> int:
    """Pictures that last as long as the speech, to the next whole one."""
    return max(1, ceil(moved.seconds * fps))


def _placed(points: Array, pose: Pose, own: Array) -> Array:
    """The mesh in pixels where it is to be ``own`` in head coordinates."""
    target = points.copy()
    target[:, :2] += (own - pose.own) @ pose.axes.T
    return target


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
        here = abs(face.frames[place] - time) <= 1
        look = look and Look.at(landmarker, image, look.square, 1) if here else None
        if here and (look is None or iou(look.box[None], face.boxes[place][None])[0, 0] < SAME):
            x0, y0, x1, y1 = map(float, face.boxes[place])
            square = Square((x0 + x1) / 2, (y0 + y1) / 2, MARGIN * max(x1 - x0, y1 - y0))
            look = Look.at(landmarker, image, square, 2)
        yield look


def _look(film: Film, moved: Motion, painter: Painter, spool: Spool, most: int | None) -> Array:
    """See the face in each picture: its mesh goes to the spool, how frontal it is is returned.

    The painter learns the inside of the mouth where it is wide open.
    """
    track, fps = film.track, film.frames.fps
    gaps = opening(track.lips)
    wide, shut = np.quantile(gaps, [0.97, 0.2])
    low = float(np.median(track.lips[gaps <= shut][:, LOWEST, 1]))
    frontal: list[float] = []
    held: list[Array] = []

    def images() -> Iterator[Array]:
        for image in islice(film.frames.images(), most):
            held[:] = [image]
            yield image

    for number, look in enumerate(_looks(replace(film.frames, images=images), track)):
        frontal.append(float(align(look.points)[1][2, 2]) if look else 0.0)
        points = look.points if look else np.zeros((POINTS, 3), np.float32)
        spool.append(points.reshape(1, -1))
        place = int(np.searchsorted(track.frames, round(number / fps * TRACKED)))
        place = min(place, len(track.frames) - 1)
        if look and frontal[-1] > SEEN[1] and gaps[place] >= wide:
            hangs = moved.hangs * float(track.lips[place, LOWEST, 1] - low)
            painter.learn(held[0], points, max(0.0, hangs))
    seen = (np.array(frontal) - SEEN[0]) / (SEEN[1] - SEEN[0])
    return np.asarray(np.clip(seen, 0, 1))


def _steady(spool: Spool, place: int, seen: Array) -> Array:
    """A picture's mesh in head coordinates, without the jitter of its finding, [468, 3].

    A parabola through five pictures (Savitzky & Golay 1964), so that what moves is not late.
    """
    first = place - len(STEADY) // 2
    if first < 0 or (seen[first : first + len(STEADY)] > 0).sum() != len(STEADY):
        return align(spool.row(place).reshape(-1, 3))[0]
    rows = np.stack([spool.row(first + k).reshape(-1, 3) for k in range(len(STEADY))])
    return np.tensordot(STEADY, align(rows)[0], 1).astype(np.float32)


def _eased(seen: Array) -> Array:
    """How much of the motion is painted in each picture, eased where the face comes and goes."""
    if len(seen) < 3:
        return seen
    gone = np.pad(seen, EASE, mode="edge")
    least = np.lib.stride_tricks.sliding_window_view(gone, 2 * EASE + 1)
    ramp = np.abs(np.arange(-EASE, EASE + 1)) / (EASE + 1)
    return np.asarray(np.minimum(seen, np.maximum(least, ramp).min(1)) * (seen > 0))


def _rest(spool: Spool, seen: Array, moved: Motion) -> Array:
    """The face's closed mouth in head coordinates, float32 [468, 3]: the least open fifth."""
    own = (align(rows.reshape(-1, POINTS, 3))[0] for rows in spool.blocks())
    gaps = np.concatenate([opening(rows[:, LIPS]) for rows in own])
    gaps[seen <= 0] = np.inf
    few = gaps <= np.quantile(gaps[seen > 0], 0.2)
    total, first = np.zeros((POINTS, 3)), 0
    for rows in spool.blocks():
        part = few[first : first + len(rows)]
        first += len(rows)
        if part.any():
            total += align(rows[part].reshape(-1, POINTS, 3))[0].sum(0)
    return moved.shut((total / few.sum()).astype(np.float32))


def _to_and_fro(film: Film, total: int) -> Iterator[tuple[int, Array]]:
    """Pictures with their numbers: to the end, back to the beginning, and so on."""
    yield from enumerate(islice(film.frames.images(), total))
    while True:
        back = zip(range(total - 1, -1, -1), film.backwards(total), strict=False)
        yield from islice(back, 1, None)
        yield from islice(enumerate(islice(film.frames.images(), total)), 1, None)
        if total == 1:
            yield from ((0, image) for image in film.frames.images())


def _note(passed: list[tuple[float, float]], number: int, fps: Fraction) -> None:
    """A picture more that was passed through."""
    start, end = float(number / fps), float((number + 1) / fps)
    if passed and abs(passed[-1][1] - start) < 1e-6:
        start = passed.pop()[0]
    passed.append((start, end))
