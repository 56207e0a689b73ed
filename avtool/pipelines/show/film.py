"""The film of a page: as it is, put into the page, or made anew for browsers."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from avtool.batch.jobs import Job
from avtool.media import Media, Spec
from avtool.media.image import SUFFIXES
from avtool.page import EMBEDDED_BYTES, Film
from avtool.page.film import film
from avtool.save import replacing, save
from avtool.save.video import without_sound
from avtool.values import Array, Frames, Video

FILM = "film"  # the field of a job
PLAYED = {"h264", "vp8", "vp9", "av1"}  # by every browser
POSTER = 240  # pixels
WIDEST = 1280  # pixels of a film that has to be made for the page


def is_played(source: Media, embed: bool | None) -> bool:
    """Whether a film can be put into the page as it is.

    One beside the page is a copy without sound, too: only such a film keeps to within 10 ms.
    """
    inside = source.info.bytes <= EMBEDDED_BYTES if embed is None else embed
    return inside and source.info.video[0].codec in PLAYED


def film_of(embed: bool | None, job: Job, source: Media, page: Path, folder: Path) -> Film | None:
    """The film of a page; None where there is none.

    Args:
        embed: whether it is put into the page; None decides by its size.
        folder: a temporary one, as long-lived as what comes back.
    """
    if not source.info.video or job.source.suffix.lower() in SUFFIXES:
        return None
    stream = source.info.video[0]
    made = job.outputs.get(FILM)
    path = job.named(FILM, ".mp4") if made is not None else job.source
    size, fps = (stream.width, stream.height), float(stream.fps)
    embed = embed if made is None else False
    start = stream.start if made is None or stream.codec in PLAYED else 0.0
    return film(path, page, folder, size, fps, embed=embed, poster=_poster(source), start=start)


def _poster(source: Media) -> Array | None:
    """A picture of a film, small, from its first third."""
    stream, seconds = source.info.video[0], (source.info.duration or 0.0) / 3
    scale = POSTER / max(stream.width, stream.height)
    size = max(2, round(stream.width * scale)), max(2, round(stream.height * scale))
    clip = source.clip(Spec(frames=True, size=size, start=seconds))
    with closing(clip.pictures().images()) as images:  # type: ignore[type-var]
        return next(images, None)


def make_film(source: Media, path: Path, title: str) -> None:
    """The pictures of a film as browsers play them."""
    stream = source.info.video[0]
    if stream.codec in PLAYED:
        with replacing(path) as part:
            without_sound(Path(source.info.path), part, stream.start, suffix=path.suffix)
    else:
        save(Video(_small(source), None), [path], name=FILM, title=title)


def _small(source: Media) -> Frames:
    """The pictures of a film, small enough for any browser."""
    stream = source.info.video[0]
    scale = min(1.0, WIDEST / max(stream.width, stream.height))
    size = round(stream.width * scale / 2) * 2, round(stream.height * scale / 2) * 2
    return source.clip(Spec(frames=True, size=size)).pictures()
