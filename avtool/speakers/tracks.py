"""The face tracks of a file: found once, then read from the cache by every command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from avtool import __version__
from avtool.cache import cached
from avtool.errors import MediaError
from avtool.face import Track, from_arrays, to_arrays, track
from avtool.media import Clip, Media, Spec

FPS = 25
SPEC = Spec(frames=True, fps=Fraction(FPS))


def find(clip: Clip) -> list[Track]:
    """The tracks of a clip's faces, at 25 pictures a second.

    Raises:
        InputError: its pictures were not asked for.
    """
    return track(clip.pictures().images(), FPS)


def tracks_of(
    source: Media,
    part: Spec = SPEC,
    tick: Callable[[float], None] = lambda seconds: None,
    strict: bool = False,
    *,
    so: str = "so no face can be found in it",
) -> list[Track]:
    """The face tracks of a part of a file, from the cache where they were found before.

    Args:
        part: whose start and duration say which part; tick: called with the seconds reached.
        strict: damaged media is an error; so: what follows where there are no pictures.

    Raises:
        MediaError: it has no pictures.
    """
    if not source.info.video:
        raise MediaError(f"{source.name}: has no pictures, {so}")
    spec = replace(SPEC, start=part.start, duration=part.duration)

    def look() -> Any:
        return to_arrays(find(source.clip(spec, tick=tick, strict=strict)))

    what = f"faces {__version__} {spec.start} {spec.duration} {spec.fps}"
    found = cached(Path(source.info.path), what, look, from_arrays)
    tick(source.info.duration or 0.0)
    return found


def unknown_face(name: str, face: int, count: int, so: str) -> str:
    """What to say where a face is asked for that is not there; ``so``: what follows."""
    if not count:
        return f"{name}: shows no face, {so}"
    number = "1 face" if count == 1 else f"{count} faces, 1 to {count}"
    return f"{name}: has no face {face}; it has {number}, see the sheet of 'avtool faces {name}'"
