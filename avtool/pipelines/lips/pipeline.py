"""`avtool lips`: a face whose mouth says another sound.

A network tells what a mouth does while it says the sound (``lips.model``), as motion of a
mesh without face, head or camera. That motion is laid on the face's own closed mouth, turned as the
head is, and the picture is warped there and nowhere else (``warp.Painter``): the task of Chen et
al., "Lip Movements Generation at a Glance" (2018), done with the source's own pixels, as Bregler
et al. did in "Video Rewrite" (1997).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from math import ceil
from typing import Literal

import numpy as np

from avtool.errors import InputError
from avtool.face import LIPS, Landmarker, align, track
from avtool.face.landmarks import EYES
from avtool.face.lip_points import opening
from avtool.head import model
from avtool.head.hairdo import Hairdo
from avtool.head.model import UNITS
from avtool.head.parts import in_parts
from avtool.head.portrait import REST
from avtool.head.render import Camera, render
from avtool.head.shade import Appearance
from avtool.media import Clip, Spec
from avtool.models.speech_frontend import PHONES
from avtool.pipelines.lips.breath import LivingPhoto
from avtool.pipelines.lips.calibration import Mouth, Sample, fitted
from avtool.pipelines.lips.idle_motion import IdleMotion, eyes_open
from avtool.pipelines.lips.model import LipMotion
from avtool.pipelines.lips.moments import Moments
from avtool.pipelines.lips.speech_to_motion import CHIN, Motion, gap, motion
from avtool.pipelines.lips.values import Curves, Mouths
from avtool.pipelines.lips.video_face import (
    FaceVideo,
    closed,
    eased,
    look,
    mesh_of,
    openings,
    ping_pong,
    size,
    steady,
    turned,
)
from avtool.pipelines.lips.warp import Painter, lip_edges
from avtool.pipelines.lips.warp.topology import MOUTH, Pose
from avtool.signal.resample import streamed
from avtool.spool import Spool
from avtool.values import FPS as TRACKED
from avtool.values import RATE, Array, Audio, Frames, Mesh

SPEC = Spec(audio=True, channel=0)
NOTE = "Synthetic: the mouth in these pictures was made by avtool lips; nobody said this."
SHUTTER = np.array([0.25, 0.5, 0.25], np.float32)
RINGS = [point for ring in MOUTH.upper + MOUTH.lower for point in ring]
FPS = 25  # of what was no video, unless another of the rates is asked for
RATES = (25, 30, 50, 60)
ENERGY = (0.5, 1.5)  # least and most
SIZE = 512, 576  # of the drawn head's pictures
IDENTITY = {"sex": 0.0, "age": 30.0, "caucasian": 1.0, "asian": 0.4, "african": 0.3}
DRAWN = Appearance(style=Hairdo(length=0.5, volume=0.0, curl=0.05, parting=0.35))
WIDE = 0.61, 1.05  # least and most of a film's mouth beside the usual one
UPPER_LIP, LOWER_LIP = 13, 14  # points of the mesh, the middle of the inner lips
WIDEST = 0.30  # eyes' distances that the mouth of a photo may be open
FLESH = 0.04  # seconds over which the flesh around the lips follows them


Made = tuple[Frames, int, Callable[[int], Array]]  # pictures, how many, the face's box in each


@dataclass(frozen=True)
class Options:
    """What is asked for.

    Args:
        face: which face of a photo or a video, counted from 1 from the left; None is the largest.
        length: whose length the video has.
        still: a photo keeps head and eyes still.
        fps: pictures a second, 25, 30, 50 or 60; None is a video's own rate, else 25.
        energy: how wide the mouth moves, 0.5 to 1.5 of what is usual.
        weights: a checkpoint of the user's own.

    Raises:
        InputError: a value is out of its range.
    """

    face: int | None = None
    length: Literal["speech", "video"] = "speech"
    still: bool = False
    weights: str | None = None
    fps: int | None = None
    energy: float = 1.0

    def __post_init__(self) -> None:
        if self.face is not None and self.face < 1:
            raise InputError(f"--face {self.face}: faces are counted from 1")
        if self.length not in ("speech", "video"):
            raise InputError(f"--length {self.length} is unknown; it is speech or video")
        if self.fps not in (None, *RATES):
            raise InputError(
                f"--fps {self.fps}: pictures are made at 25, 30, 50 or 60 a second; leave it out "
                "to keep a video's own rate"
            )
        least, most = ENERGY
        if not least <= self.energy <= most:  # nan is refused as well
            raise InputError(
                f"--energy {self.energy:g}: a mouth moves {least:g} to {most:g} times as wide as "
                "usual"
            )


@dataclass(frozen=True)
class Result:
    """Pictures and the sound under them, as long as each other; the motion as face units.

    Args:
        first: the source's first picture, uint8 [height, width, 3].
        box: of the face in a picture, x0, y0, x1, y1 in pixels, by the picture's number.
        passed: seconds, from and to, in which a film's face could not be painted; it fills while
            the pictures are read.
        changed: each painted picture's number, and how far its lips were moved from where the
            source has them, mean over their points, eyes' distance 1; it fills likewise.
        fps: of the curves.
    """

    lips: Frames
    audio: Audio
    motion: Motion
    first: Array
    box: Callable[[int], Array]
    passed: list[tuple[float, float]]
    changed: list[tuple[int, float]]
    fps: int = FPS

    def curves(self, fps: int | None = None) -> Curves:
        """The motion as ARKit's 52 face units, so many a second, else as the pictures are."""
        return curves(self.motion, fps or self.fps)

    def picture(self) -> Mouths:
        """A few moments of it, with the opening of the lips and the loudness."""
        kept = Moments(self, self.audio)
        for _ in kept.watching(self.lips).images():
            pass
        return kept.picture()


def load(options: Options = Options(), device: str = "auto") -> LipMotion:
    """The network, once for many sounds.

    Raises:
        InputError: the weights cannot be read, or there is no such device.
    """
    from avtool.models import weights

    model = weights.load(LipMotion, options.weights, weights.device(device))
    if model.config.phones != len(PHONES):
        raise InputError(
            f"{options.weights}: tells {model.config.phones} phones, not {len(PHONES)}; train it "
            "with its recipe"
        )
    return model


def run(
    clip: Clip,
    options: Options = Options(),
    *,
    source: Array | FaceVideo | None = None,
    models: LipMotion | None = None,
) -> Result:
    """Let a face say a clip's sound.

    Args:
        source: what is to speak: a photo uint8 [height, width, 3], a film, or None, the drawn head.
        models: what ``load`` gave; None loads it now.

    Raises:
        InputError: the sound was not asked for, is empty, or there is no such face.
    """
    speech = clip.sound()
    usual = said(clip, models or load(options))
    moved = wider(usual, options.energy)
    passed: list[tuple[float, float]] = []
    changed: list[tuple[int, float]] = []
    if isinstance(source, FaceVideo):
        frames, count, box = _film(source, usual, options, passed, changed)
        first = next(source.frames.images())
    else:
        first = image = _drawn() if source is None else source
        frames, count, box = _photo(image, moved, options, changed, clip.warnings)
    sound = lasting(speech, count / frames.fps)
    sound = replace(sound, note=NOTE)
    return Result(frames, sound, moved, first, box, passed, changed, options.fps or FPS)


def said(clip: Clip, model: LipMotion) -> Motion:
    """What a mouth does while it says a clip's sound.

    Raises:
        InputError: there is no sound in it.
    """
    speech = clip.sound()
    if not any(block.size for block in speech.blocks()):
        raise InputError(f"{clip.name}: holds no sound to be said")
    return motion(streamed(speech.mono(), RATE), model)


def wider(moved: Motion, energy: float) -> Motion:
    """The same motion, so many times as wide."""
    return replace(moved, amounts=moved.amounts * np.float32(energy))


def curves(moved: Motion, fps: int) -> Curves:
    """A motion as ARKit's 52 face units, ``fps`` a second."""
    times = np.arange(max(1, round(moved.seconds * fps))) / fps
    return Curves(moved.face_units(moved.at(times)), fps, UNITS)


def animated(curves: Curves) -> Mesh:
    """The built-in head in three dimensions, which moves by the curves."""
    head = model.load()
    still = in_parts(head, head.vertices(head.shape(IDENTITY), REST), DRAWN)
    return replace(still, motion=curves.amounts, fps=curves.fps)


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


def _photo(
    image: Array,
    moved: Motion,
    options: Options,
    changed: list[tuple[int, float]],
    warnings: list[str],
) -> Made:
    found = track([image])
    if not found:
        raise InputError("shows no face; it takes one that looks ahead, 40 pixels wide or more")
    sizes = [size(each.boxes) for each in found]
    place = int(np.argmax(sizes)) if options.face is None else options.face - 1
    if not 0 <= place < len(found):
        raise InputError(f"has no face {options.face}; it has {len(found)}, counted from the left")
    points, _ = Landmarker().in_box(image, found[place].boxes[0])
    if not turned(align(points)[1][2, 2]):
        raise InputError("the face is turned too far away; give a photo that looks ahead")
    pose = Pose.of(points)
    apart = float(pose.own[LOWER_LIP, 1] - pose.own[UPPER_LIP, 1])
    if apart > WIDEST:
        raise InputError(
            f"the mouth is open by {100 * apart:.0f} % of the eyes' distance, too wide to be shut "
            f"again; give a photo with closed lips, or open by less than {100 * WIDEST:.0f} %"
        )
    if not eyes_open(pose.own):
        warnings.append("the eyes in the photo are shut, or half, and stay so; open ones look best")
    rest = moved.shut(pose.own)
    ended = lip_edges.ended(pose.own, lip_edges.found(image, points))
    fps = Fraction(options.fps or FPS)
    count = _count(moved, fps)
    times = np.arange(count) / float(fps)
    manner = living = None
    if not options.still:
        manner, living = IdleMotion(moved, pose.own), LivingPhoto(pose, *image.shape[:2])

    def images() -> Iterator[Array]:
        changed.clear()
        painter, there = Painter(), pose.laid(points, ended)
        painter.learn(image, there, max(0.0, float(pose.own[CHIN, 1] - rest[CHIN, 1])))
        for number, (time, amounts) in enumerate(zip(times, moved.at(times), strict=True)):
            own = rest + moved.mesh(amounts)
            own = lip_edges.ended(own, lip_edges.usual(own))
            changed.append((number, _apart(ended, own)))
            if manner:
                own = manner.pose_at(own, time)
            made = painter.paint(image, there, pose.laid(points, own), moved.drop(amounts))
            if manner and living:
                made = living.at(made, *manner.turn(time)[1:], time)
            yield made

    frames = Frames(images, fps, image.shape[1], image.shape[0])
    return frames, count, lambda number: found[place].boxes[0]


def _drawn() -> Array:
    """The built-in head at rest, nobody's likeness, uint8 RGB."""
    head = model.load()
    return render(head, head.shape(IDENTITY), DRAWN, Camera(*SIZE))


def _film(
    film: FaceVideo,
    moved: Motion,
    options: Options,
    passed: list[tuple[float, float]],
    changed: list[tuple[int, float]],
) -> Made:
    fps = film.frames.fps
    wanted = _count(moved, fps) if options.length == "speech" else None
    painter, spool = Painter(), Spool()
    samples: list[Sample] = []
    seen = look(film, moved, painter, spool, wanted, samples)
    if not seen.any():
        raise InputError("its face is always turned away or hidden, so no mouth can be painted")
    strength = eased(seen, fps)
    mouth = Mouth(closed(spool, seen, moved), moved.reach[:, None])
    count = wanted or len(seen)
    times = np.arange(count) / float(fps)
    # A shutter is open while lips move; the flesh around them is slower than they are.
    amounts, slow = (_blurred(moved, times, each) for each in (0.5 / float(fps), FLESH))

    def says(number: int) -> tuple[Array, float]:
        own = moved.mesh(slow[number])
        own[RINGS] = moved.mesh(amounts[number])[RINGS]
        return own, moved.drop(amounts[number])

    samples = [each for each in samples if seen[each.number] > 0]
    mouth, wide = fitted(
        mouth,
        as_wide(film.track.lips, moved),
        samples,
        [steady(spool, each.number, seen) for each in samples],
        says,
        gap(moved.lips(amounts)),
        openings(spool)[seen > 0],
        copy(painter),
    )
    wide *= options.energy

    def images() -> Iterator[Array]:
        passed.clear()
        changed.clear()
        for number, (place, image) in enumerate(islice(ping_pong(film, len(seen)), count)):
            share = strength[place]
            if not share:
                _note(passed, number, fps)
                yield image
                continue
            points = mesh_of(spool.part(place, place + 1))[0]
            own, further = steady(spool, place, seen)
            motion, drop = says(number)
            points, target = mouth.laid(points, own, further, wide * motion, share)
            eyes = float(np.hypot(*np.diff(points[EYES, :2], axis=0)[0]))
            changed.append((number, _apart(points, target) / eyes))
            yield painter.paint(image, points, target, wide * drop * share)

    def box(number: int) -> Array:
        place = np.searchsorted(film.track.frames, round(number / fps * TRACKED))
        return np.asarray(film.track.boxes[min(int(place), len(film.track.boxes) - 1)])

    return Frames(images, fps, film.frames.width, film.frames.height), count, box


def as_wide(lips: Array, moved: Motion) -> float:
    """How wide a face's mouth opens in its film, beside the usual one.

    Shape:
        lips: [frames, 40, 3], in head coordinates.
    """
    own, usual = (
        float(np.ptp(np.quantile(opening(each), [0.2, 0.95])))
        for each in (lips, moved.lips(moved.amounts))
    )
    return float(np.clip(own / max(usual, 1e-3), *WIDE))


def _blurred(moved: Motion, times: Array, apart: float) -> Array:
    """The amounts at times, by those so many seconds before and after too."""
    near = [moved.at(np.clip(times + k * apart, 0, moved.seconds)) for k in (-1, 0, 1)]
    return np.tensordot(SHUTTER, near, 1)


def _count(moved: Motion, fps: Fraction) -> int:
    """Pictures that last as long as the speech, to the next whole one."""
    return max(1, ceil(round(moved.seconds * fps, 6)))  # 0.28 s are 7 at 25, not 8


def _apart(own: Array, target: Array) -> float:
    """How far the lips move between meshes [468, 3], mean over their points."""
    return float(np.hypot(*(target - own)[list(LIPS), :2].T).mean())


def _note(passed: list[tuple[float, float]], number: int, fps: Fraction) -> None:
    """A picture more that was passed through."""
    start, end = float(number / fps), float((number + 1) / fps)
    if passed and abs(passed[-1][1] - start) < 1e-6:
        start = passed.pop()[0]
    passed.append((start, end))
