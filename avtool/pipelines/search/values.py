"""What `avtool search` and `avtool tag` find, and their files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from avtool.save.place import Place
from avtool.values import Array

EDL_FPS = 25


@dataclass(frozen=True, eq=False)
class Hit:
    """A picture, or a moment of a film, that fits.

    Args:
        start, end: of the moment, in seconds; a picture has none. at: the moment's own picture.
        likely: how likely it is that it, of ten drawn at random, is the one that is meant; of a
            sound, that it is one of this kind.
        sense: "seen" or "heard"; kind: of the sound.
        picture: uint8 RGB [height, width, 3], or None where it can no longer be read.
    """

    file: str
    start: float
    end: float
    at: float
    likely: float
    sense: str = "seen"
    kind: str = ""
    is_film: bool = True
    picture: Array | None = None


@dataclass(frozen=True, eq=False)
class Hits:
    """What fits a query, best first; ``looked`` at how many pictures and moments."""

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    query: str
    hits: list[Hit]
    looked: int


def _hits_json(value: Hits, place: Place) -> None:
    hits = []
    for hit in value.hits:
        facts: dict[str, Any] = {"file": hit.file}
        if hit.is_film:
            facts |= {"start": round(hit.start, 2), "end": round(hit.end, 2)}
        facts |= {"likely": round(hit.likely, 3), "sense": hit.sense}
        hits.append(facts | ({"kind": hit.kind} if hit.kind else {}))
    _dump({"query": value.query, "looked_at": value.looked, "hits": hits}, place.path)


def _hits_csv(value: Hits, place: Place) -> None:
    with place.path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "start", "end", "likely", "sense", "kind"])
        for hit in value.hits:
            times = (f"{hit.start:.2f}", f"{hit.end:.2f}") if hit.is_film else ("", "")
            writer.writerow([hit.file, *times, f"{hit.likely:.3f}", hit.sense, hit.kind])


def _hits_m3u8(value: Hits, place: Place) -> None:
    """A playlist as VLC and mpv take it: each film from its moment on."""
    with place.path.open("w") as file:
        file.write("#EXTM3U\n")
        for hit in value.hits:
            name = " ".join(Path(hit.file).name.split())
            file.write(f"#EXTINF:{max(1, round(hit.end - hit.start))},{name}\n")
            if hit.is_film:
                file.write(f"#EXTVLCOPT:start-time={hit.start:.2f}\n")
                file.write(f"#EXTVLCOPT:stop-time={hit.end:.2f}\n")
            file.write(f"{Path(hit.file).absolute()}\n")


def _hits_edl(value: Hits, place: Place) -> None:
    """An edit decision list (CMX 3600): the moments, one after the other, at 25 pictures/s."""
    films = [hit for hit in value.hits if hit.is_film]
    with place.path.open("w") as file:
        file.write(f"TITLE: {' '.join(value.query.split())}\nFCM: NON-DROP FRAME\n\n")
        at = 0.0
        for number, hit in enumerate(films, 1):
            length = max(hit.end - hit.start, 1 / EDL_FPS)
            times = (hit.start, hit.start + length, at, at + length)
            codes = " ".join(_timecode(each) for each in times)
            file.write(f"{number:03}  AX       V     C        {codes}\n")
            file.write(f"* FROM CLIP NAME: {' '.join(Path(hit.file).name.split())}\n\n")
            at += length


def _timecode(seconds: float) -> str:
    """Hours, minutes, seconds, pictures.

    >>> _timecode(3723.48)
    '01:02:03:12'
    """
    whole, pictures = divmod(round(seconds * EDL_FPS), EDL_FPS)
    minutes, second = divmod(whole, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}:{pictures:02}"


def _hits_png(value: Hits, place: Place) -> None:
    from avtool.pipelines.search.draw import draw_hits

    draw_hits(value, place.path)


Hits.WRITERS = {
    ".png": _hits_png,
    ".json": _hits_json,
    ".csv": _hits_csv,
    ".edl": _hits_edl,
    ".m3u8": _hits_m3u8,
}


@dataclass(frozen=True)
class Tag:
    """A word that fits, how likely, and when it fits best (in seconds; 0 of a picture)."""

    word: str
    likely: float
    at: float


@dataclass(frozen=True, eq=False)
class Tags:
    """Words that fit a picture or a film, likeliest first; none where none does."""

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    tags: list[Tag]
    threshold: float


def _tags_json(value: Tags, place: Place) -> None:
    rounded = [asdict(t) | {"likely": round(t.likely, 3), "at": round(t.at, 2)} for t in value.tags]
    _dump({"tags": rounded, "threshold": value.threshold}, place.path)


def _tags_csv(value: Tags, place: Place) -> None:
    with place.path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["word", "likely", "at"])
        writer.writerows([t.word, f"{t.likely:.3f}", f"{t.at:.2f}"] for t in value.tags)


def _tags_txt(value: Tags, place: Place) -> None:
    place.path.write_text("".join(f"{tag.word}\n" for tag in value.tags))


Tags.WRITERS = {".json": _tags_json, ".csv": _tags_csv, ".txt": _tags_txt}


def _dump(facts: dict[str, Any], path: Path) -> None:
    with path.open("w") as file:
        json.dump(facts, file, ensure_ascii=False)
        file.write("\n")
