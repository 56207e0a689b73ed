"""A film for a page: put into it without its sound, or left where it lies."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from avtool.page import EMBEDDED_BYTES, Film
from avtool.save.video import without_sound
from avtool.values import Array


def film(
    path: Path,
    page: Path,
    folder: Path,
    size: tuple[int, int],
    fps: float,
    *,
    embed: bool | None = None,
    before: Film | None = None,
    poster: Array | None = None,
    start: float = 0.0,
) -> Film:
    """A film as its page shows it.

    Args:
        page: the page's file; folder: a temporary one, as long-lived as the film.
        start: seconds from its zero to its first picture.
        embed: whether it is put into the page; None decides by its size.
    """
    if embed is None:
        embed = path.stat().st_size <= EMBEDDED_BYTES
    if not embed:
        address = quote(os.path.relpath(path, page.parent))
        return Film(path, size, fps, address, before, poster, start=start)
    # A mute film starts at once and changes its speed without stumbling. It starts at its first
    # picture, for browsers do not agree on what they do with a gap before it.
    copy = folder / f"mute{'.webm' if path.suffix.lower() == '.webm' else '.mp4'}"
    without_sound(path, copy, start)
    return Film(copy, size, fps, None, before, poster, path.name, start)
