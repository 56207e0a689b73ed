"""The page of a face that says something: how it was before, and after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from avtool.media.image import SUFFIXES, read_picture
from avtool.page import Film, Lane, Page
from avtool.page.film import film
from avtool.pipelines.lips.pipeline import Result
from avtool.save import save
from avtool.scratch import temporary_folder

QUALITY = 88  # of a photo's JPEG


def save_page(path: Path, made: Path, found: Result, source: Path | None, title: str) -> None:
    """Write the page of a film that was made.

    Args:
        source: the photo or the film before; None is the drawn head.
    """
    frames, audio = found.lips, found.audio
    size, fps = (frames.width, frames.height), float(frames.fps)
    with temporary_folder() as folder:
        before = None
        if source is not None and source.suffix.lower() in SUFFIXES:
            photo = Image.fromarray(np.asarray(read_picture(source, size)))
            photo.resize(size).save(folder / "before.jpg", quality=QUALITY)
            before = Film(folder / "before.jpg", size, fps)
        elif source is not None:
            (folder / "before").mkdir()
            before = film(source, path, folder / "before", size, fps)
        page = Page(
            title,
            audio.seconds or 0.0 if audio else 0.0,
            film(made, path, folder, size, fps, before=before),
            [Lane("Speech", voice=audio)] if audio else [],
            words="Synthetic: this mouth was moved by avtool.",
        )
        save(page, [path], name="lips", title=title)
