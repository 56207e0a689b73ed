"""`avtool lips`: a face whose mouth says another sound.

A network tells what a mouth does while it says the sound (``lips.model``), as motion of a
mesh without face, head or camera. That motion is laid on the face's own closed mouth, turned as the
head is, and the picture is warped there and nowhere else (``warp.Painter``): the task of Chen et
al., "Lip Movements Generation at a Glance" (2018), done with the source's own pixels, as Bregler
et al. did in "Video Rewrite" (1997).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import Literal

import numpy as np

from avtool.errors import InputError
from avtool.face import Landmarker, align, track
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
from avtool.pipelines.lips.idle_motion import IdleMotion, eyes_open
from avtool.pipelines.lips.model import LipMotion
from avtool.pipelines.lips.moments import Moments
from avtool.pipelines.lips.painted_film import Made, apart, painted_film
from avtool.pipelines.lips.speech_to_motion import CHIN, Motion, motion
from avtool.pipelines.lips.values import Curves, Mouths
from avtool.pipelines.lips.video_face import FaceVideo, size, turned
from avtool.pipelines.lips.warp import Painter, lip_edges
from avtool.pipelines.lips.warp.topology import Pose
from avtool.signal.resample import streamed
from avtool.values import RATE, Array, Audio, Frames, Mesh

SPEC = Spec(audio=True, channel=0)
NOTE = "Synthetic: the mouth in these pictures was made by avtool lips; nobody said this."
FPS = 25  # of what was no video, unless another of the rates is asked for
RATES = (25, 30, 50, 60)
ENERGY = (0.5, 1.5)  # least and most
SIZE = 512, 576  # of the drawn head's pictures
IDENTITY = {"sex": 0.0, "age": 30.0, "caucasian": 1.0, "asian": 0.4, "african": 0.3}
DRAWN = Appearance(style=Hairdo(length=0.5, volume=0.0, curl=0.05, parting=0.35))
UPPER_LIP, LOWER_LIP = 13, 14  # points of the mesh, the middle of the inner lips
WIDEST = 0.30  # eyes' distances that the mouth of a photo may be open


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
        wanted = _count(usual, source.frames.fps) if options.length == "speech" else None
        frames, count, box = painted_film(source, usual, wanted, options.energy, passed, changed)
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
    wide = float(pose.own[LOWER_LIP, 1] - pose.own[UPPER_LIP, 1])
    if wide > WIDEST:
        raise InputError(
            f"the mouth is open by {100 * wide:.0f} % of the eyes' distance, too wide to be shut "
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
            changed.append((number, apart(ended, own)))
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


def _count(moved: Motion, fps: Fraction) -> int:
    """Pictures that last as long as the speech, to the next whole one."""
    return max(1, ceil(round(moved.seconds * fps, 6)))  # 0.28 s are 7 at 25, not 8
