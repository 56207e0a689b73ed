"""`avtool refocus`: one face sharp, everything else out of focus by its depth.

People are found by their faces and by a mask, how near they are by the size of their faces, and
the picture is laid together again as a thin lens with a wide opening would show it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np

from avtool.errors import InputError, MediaError
from avtool.face import Track, track
from avtool.media import Clip, Media, Spec
from avtool.models import weights
from avtool.pipelines.refocus.depth import Given, People, Person, given
from avtool.pipelines.refocus.focus import Focus, speakers
from avtool.pipelines.refocus.lens import refocused
from avtool.pipelines.refocus.matte import Matter, Mattes
from avtool.pipelines.refocus.model import Selfie
from avtool.pipelines.refocus.moments import Moments
from avtool.pipelines.refocus.scene import Scene, Shot, nearness, scene, sharp, unit
from avtool.pipelines.refocus.values import Refocused
from avtool.prefetch import Prefetch
from avtool.signal.cut import Cuts
from avtool.speakers import separation as hearing
from avtool.speakers.tracks import find, unknown_face
from avtool.values import Array, Audio, Frames

SPEC = Spec(audio=True, frames=True, channel=0)
NOTE = "Altered: the focus of these pictures was changed by avtool refocus."
LARGEST = (16_000, 16_000)  # pixels of a photo: any
FILM, PHOTO = 360, 720  # pixels of the short side in which layers of a film, of a photo are made
STOPS = (0.7, 22.0)  # the openings that there are


@dataclass(frozen=True)
class Options:
    """What is sharp, and how far the rest is not.

    Args:
        face: the face in focus, counted from 1; None is the largest.
        speaker: the focus goes to who speaks.
        blur: the opening, as the f-number of a 50 mm lens: 0.7 (much blur) to 22 (hardly any).
        exact: a face as far away as the one in focus is as sharp.
        depth: a photo or a film that is brighter where the picture is nearer, or a .npy of metres.
        right: the right picture, or film, of a stereo pair.

    Raises:
        InputError: a value is out of its range, or two contradict each other.
    """

    face: int | None = None
    speaker: bool = False
    blur: float = 1.4
    exact: bool = False
    depth: str | None = None
    right: str | None = None

    def __post_init__(self) -> None:
        if self.face is not None and self.face < 1:
            raise InputError(f"--face {self.face}: faces are counted from 1")
        if self.face is not None and self.speaker:
            raise InputError("--face and --speaker contradict each other; give one of them")
        least, most = STOPS
        if not least <= self.blur <= most:  # nan is refused as well
            raise InputError(
                f"--blur {self.blur:g}: it is an f-number, {least:g} (much blur) to {most:g}"
            )
        if self.depth is not None and self.right is not None:
            raise InputError("--depth and --right both tell the depth; give one of them")


@dataclass(frozen=True)
class Result:
    """Pictures in which one face is sharp, and the sound under them, or None.

    Args:
        focus: who is sharp when; tracks: all faces.
        shots: the same pictures with what was found in them; count: how many, about; stop: the
            lens's f-number.
    """

    refocus: Frames
    audio: Audio | None
    focus: Focus
    tracks: Sequence[Track]
    shots: Callable[[], Iterator[Shot]]
    count: int
    stop: float

    def picture(self) -> Refocused:
        """Moments of it before and after, with the width of the blur."""
        kept = self.moments()
        for _ in kept.watching(self.shots()):
            if kept.complete:
                break
        return kept.value()

    def moments(self) -> Moments:
        """What keeps them while the pictures are made."""
        return Moments(self.focus, self.tracks, self.count, self.refocus.fps, self.stop)


@dataclass(frozen=True)
class Models:
    """What sees people, what hears who speaks, and a depth that is given."""

    selfie: Selfie
    hearing: hearing.Models | None
    depth: Given | None


def load(options: Options = Options(), device: str = "auto") -> Models:
    """The networks, once for many clips, and the depth that a user brings.

    Raises:
        InputError: there is no such device. MediaError: the depth cannot be read.
    """
    weights.device(device)  # told also where none of these networks runs on it
    heard = hearing.load(device=device) if options.speaker else None
    return Models(Selfie(), heard, given(options.depth, options.right))


def reading(source: Media, spec: Spec) -> Spec:
    """What is read of a file, which may have no sound."""
    return replace(spec, audio=bool(source.info.audio))


def run(
    clip: Clip,
    options: Options = Options(),
    *,
    tracks: Sequence[Track] | None = None,
    models: Models | None = None,
    start: float = 0.0,
) -> Result:
    """Refocus a clip, or a still picture (see ``media.still``).

    Args:
        tracks: what an earlier look found, 25 pictures a second; None looks now.
        models: what ``load`` gave; None loads them now.
        start: when the clip begins, in seconds of its film.

    Raises:
        InputError: its pictures were not asked for. MediaError: there is no such face, or no sound
            that tells who speaks.
    """
    frames, still = clip.pictures(), clip.duration == 0
    models = models or load(options)
    if tracks is None:
        tracks = track(frames.images(), 1) if still else find(clip)
    focus = _focus(clip, options, tracks, models)

    def shots() -> Iterator[Shot]:
        return _shots(clip, options, tracks, focus, models, start)

    made = replace(frames, images=lambda: (shot.after for shot in shots()))
    count = 1 if still else max(1, round((clip.duration or 0.0) * frames.fps))
    sound = clip.audio and replace(clip.audio, note=NOTE)
    return Result(made, sound, focus, tracks, shots, count, options.blur)


def _focus(clip: Clip, options: Options, tracks: Sequence[Track], models: Models) -> Focus:
    if not tracks:
        raise MediaError(unknown_face(clip.name, 1, 0, "so nothing can be in focus"))
    area = {
        each.face: float(np.prod(each.boxes[:, 2:] - each.boxes[:, :2], 1).sum()) for each in tracks
    }
    largest = max(area, key=area.__getitem__)
    if options.speaker:
        if clip.audio is None:
            raise MediaError(f"{clip.name}: has no sound, so nobody speaks; --face names a face")
        heard = hearing.hear(clip.audio, tracks, models.hearing or hearing.load())
        return speakers({n: heard.speaking(k) for k, n in enumerate(area)}, largest)
    if options.face is not None and options.face not in area:
        raise MediaError(unknown_face(clip.name, options.face, len(tracks), "to be sharp"))
    return Focus(((0.0, options.face or largest),))


def _shots(
    clip: Clip,
    options: Options,
    tracks: Sequence[Track],
    focus: Focus,
    models: Models,
    start: float,
) -> Iterator[Shot]:
    """Each picture; the next one's masks are made while the last one's layers are blurred."""
    frames, people = clip.pictures(), People(tracks)
    step = max(1.0, min(frames.width, frames.height) / (PHOTO if clip.duration == 0 else FILM))
    size = max(1, round(frames.width / step)), max(1, round(frames.height / step))

    def seen() -> Iterator[tuple[Array, Mattes, Mapping[int, Person], Scene]]:
        matter, cuts = Matter(models.selfie, size), Cuts()
        depth, per_map = models.depth, 1.0
        given = depth.images(frames, start, clip.name) if depth else repeat(None)
        for number, (image, told) in enumerate(zip(frames.images(), given, strict=False)):
            time = float(number / frames.fps)
            there, here = people.at(time), focus.at(time)
            mattes = matter(
                image, {face: each.box for face, each in there.items()}, cuts.begins(image)
            )
            near = None
            if depth is not None and told is not None:
                near = depth.near(mattes.small, told)
                per_map = unit(near, there, mattes) or per_map
                near *= per_map
            focal = sum(
                part * nearness(near, there.get(face), mattes, people.size(face, time))
                for face, part in here.items()
            )
            yield (
                image,
                mattes,
                there,
                scene(mattes, there, here, focal, options.blur, exact=options.exact, near=near),
            )

    with Prefetch(seen(), 2) as ready:
        for number, (image, mattes, there, found) in enumerate(ready):
            focused = sharp(found, mattes, there)
            made = refocused(image, found.layers, focused, step)
            yield Shot(number, image, made, found, focused)
