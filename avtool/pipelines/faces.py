"""`avtool faces`: who is in a video, when, and when they speak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from avtool.errors import InputError
from avtool.face import Track
from avtool.face import track as follow
from avtool.media import Clip, Spec
from avtool.pipelines.hearing import FPS, RATE, hear
from avtool.values import Face, Faces

SPEC = Spec(audio=True, frames=True, rate=RATE, fps=Fraction(FPS))
FORMATS = ["json", "png"]


@dataclass(frozen=True)
class Options:
    """Nothing to choose.

    Args:
        tracks: what an earlier look found; None looks now.
    """

    tracks: Sequence[Track] | None = None


@dataclass(frozen=True)
class Result:
    """The faces."""

    faces: Faces


def run(clip: Clip, options: Options = Options()) -> Result:
    """Find the faces of a clip, and where it has sound, when each speaks.

    Raises:
        InputError: its pictures were not asked for.
    """
    tracks = find(clip) if options.tracks is None else options.tracks
    heard = hear(clip.audio, tracks) if clip.audio and tracks else None
    spoken = [heard.speaking(place) if heard else [] for place in range(len(tracks))]
    start = clip.audio.start if clip.audio else 0.0
    faces = [
        Face(
            track.face,
            start + track.frames / FPS,
            track.boxes,
            track.portrait,
            [(start + a, start + b) for a, b in spans],
        )
        for track, spans in zip(tracks, spoken, strict=True)
    ]
    last = max((float(face.times[-1]) + 1 / FPS for face in faces), default=start)
    return Result(Faces(faces, 1 / FPS, start, max(last, start + (clip.duration or 0.0))))


def find(clip: Clip) -> list[Track]:
    """The tracks of a clip's faces, at 25 pictures a second."""
    if clip.frames is None:
        raise InputError(f"{clip.name}: its pictures were not asked for")
    return follow(clip.frames.images(), FPS)
