"""A page: a film, the voices in it and what was found, as one HTML file that opens anywhere.

It is opened from a disk, where browsers let no page read its neighbours (``fetch`` fails, the sound
of a ``<video>`` cannot be taken apart). So voices lie inside it, in short pieces of Opus that are
decoded as they are needed; only a long film stands beside it, and is shown without its own sound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from avtool.save.place import Place
from avtool.values import Array, Audio, Matrix

MARK = '<meta name="generator" content="avtool '  # by which a page is known
EMBEDDED_BYTES = 20 << 20  # a film up to here is put into its page, so that one file can be sent

__all__ = ["Film", "Heat", "Lane", "Page"]


@dataclass(frozen=True)
class Film:
    """Pictures that a browser can show.

    Args:
        address: as the page finds it; None puts it into the page.
        before: another film of the same length, or a JPEG, to compare it with.
    """

    path: Path
    size: tuple[int, int]
    fps: float
    address: str | None = None
    before: Film | None = None
    poster: Array | None = None  # one of its pictures, uint8 RGB
    name: str = ""  # what it is called, where that is not its path's
    start: float = 0.0  # seconds of the page at which its first picture is shown


@dataclass(frozen=True, eq=False)
class Lane:
    """Someone, or something, over time.

    Shape:
        frames: int [n], pictures at 25 a second that the face is in, rising; boxes: float [n, 4],
        x0, y0, x1, y1 in the film's pixels; portrait: uint8 RGB.
    """

    name: str
    face: int = 0  # 0 is no face
    voice: Audio | None = None
    matrix: Matrix | None = None
    speaking: Sequence[tuple[float, float]] = ()
    frames: Array | None = None
    boxes: Array | None = None
    portrait: Array | None = None


@dataclass(frozen=True, eq=False)
class Heat:
    """Where the sound comes from.

    Shape:
        maps: float [steps, rows, columns], 0 to 1, one each ``every`` seconds.
    """

    maps: Array
    every: float
    sources: Mapping[str, Any]  # as avtool localize writes them


@dataclass(frozen=True, eq=False)
class Page:
    """What one file became.

    Args:
        head: a .glb; facts: short ones of it, by name; words: a sentence about it.
        forms: of a shape, which is then what ``head`` holds: (name there, title, words) of each;
            views: its pictures on one sheet, uint8 RGB.
        pages: of many files, (address, title, seconds, words, picture as an address) of each.
    """

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    title: str
    duration: float = 0.0
    film: Film | None = None
    lanes: Sequence[Lane] = ()
    heat: Heat | None = None
    head: Path | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    words: str = ""
    pages: Sequence[tuple[str, str, float, str, str]] = ()
    forms: Sequence[tuple[str, str, str]] = ()
    views: Array | None = None


def _html(value: Page, place: Place) -> None:
    from avtool.page.html import write  # which loads Pillow and PyAV

    write(value, place.path)


Page.WRITERS = {".html": _html}
