"""`avtool faces`: who is in a video, when, and when they speak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from avtool.face import Track
from avtool.media import Clip, Media, Spec
from avtool.pipelines.faces.values import Face, Faces
from avtool.speakers import separation as hearing
from avtool.speakers.separation import Models, hear
from avtool.speakers.tracks import find
from avtool.values import FPS, RATE

SPEC = Spec(audio=True, frames=True, rate=RATE, fps=Fraction(FPS))


@dataclass(frozen=True)
class Options:
    """Nothing to choose."""


@dataclass(frozen=True)
class Result:
    """The faces."""

    faces: Faces


def reading(source: Media, spec: Spec) -> Spec:
    """What is read of a file: in one without sound nobody speaks, and is seen nevertheless."""
    return replace(spec, audio=bool(source.info.audio))


def load(options: Options = Options(), device: str = "auto") -> Models:
    """The networks, once for many clips; see ``hearing.load``."""
    return hearing.load(device=device)


def run(
    clip: Clip,
    options: Options = Options(),
    *,
    tracks: Sequence[Track] | None = None,
    models: Models | None = None,
) -> Result:
    """Find the faces of a clip, and where it has sound, when each speaks.

    Args:
        tracks: what an earlier look found; None looks now.
        models: what ``load`` gave; None loads them now.

    Raises:
        InputError: its pictures were not asked for.
    """
    tracks = find(clip) if tracks is None else tracks
    heard = hear(clip.audio, tracks, models or load()) if clip.audio and tracks else None
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
