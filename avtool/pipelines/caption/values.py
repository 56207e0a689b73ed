"""What is seen, in words: the value of `avtool caption`, and its files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from avtool.errors import OutputError
from avtool.save.place import Place
from avtool.save.subtitles import Cue, clock, write_srt, write_vtt
from avtool.values import Array

NOT_SURE = "I am not sure"


@dataclass(frozen=True, eq=False)
class Sentence:
    """A sentence about a picture.

    Args:
        likely: the probability of each word, given those before it; the end's too, at last.
        probability: of the whole sentence among all that could be said.

    Shape:
        attention: float [words, 7, 7], how much each cell was looked at, each word's sum is 1; None
        where the decoder saw one vector only
    """

    words: list[str]
    likely: list[float]
    probability: float
    attention: Array | None = None

    @property
    def text(self) -> str:
        """As a sentence is written.

        >>> Sentence(["a", "dog", "runs"], [], 0.1).text
        'A dog runs.'
        """
        return " ".join(self.words).capitalize() + "."


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture, or a shot from ``start`` to ``end`` seconds, by the picture in its middle.

    Args:
        sentences: the best first.
        known: how likely it is that the picture is of a kind that was learned from, 0 to 1.
        sure: whether that is likely enough to believe the sentence.

    Shape:
        picture: uint8 RGB [height, width, 3]
    """

    start: float
    end: float
    picture: Array
    sentences: list[Sentence]
    known: float
    sure: bool

    @property
    def text(self) -> str:
        """The best sentence, and doubt where there is any."""
        best = self.sentences[0].text
        return best if self.sure else f"{NOT_SURE}: {best[0].lower()}{best[1:]}"


@dataclass(frozen=True, eq=False)
class Captions:
    """What is seen on a picture, or in each shot of a film."""

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    seen: list[Seen]
    film: bool
    decoder: str


def _captions_json(value: Captions, place: Place) -> None:
    """Times in seconds, of a film; attention in cells of a 7 x 7 grid, from the top left on."""
    facts = {"decoder": value.decoder, "shots" if value.film else "pictures": []}
    (rows,) = (each for each in facts.values() if isinstance(each, list))
    for seen in value.seen:
        row: dict[str, Any] = {"caption": seen.sentences[0].text}
        if value.film:
            row = {"start": round(seen.start, 2), "end": round(seen.end, 2), **row}
        row |= {"known": round(seen.known, 3), "sure": seen.sure, "best": []}
        for sentence in seen.sentences:
            words: list[dict[str, Any]] = [
                {"word": word, "probability": round(likely, 4)}
                for word, likely in zip(sentence.words, sentence.likely, strict=False)
            ]
            if sentence.attention is not None:
                for word, map_ in zip(words, sentence.attention, strict=True):
                    word["attention"] = map_.astype(float).round(4).tolist()
            row["best"].append(
                {
                    "caption": sentence.text,
                    "probability": float(f"{sentence.probability:.3g}"),
                    "words": words,
                }
            )
        rows.append(row)
    with place.path.open("w") as file:
        json.dump(facts, file)
        file.write("\n")


def _captions_txt(value: Captions, place: Place) -> None:
    """A sentence a line; of a film with the time at which its shot begins."""
    with place.path.open("w") as file:
        for seen in value.seen:
            time = f"{clock(seen.start, '.')} " if value.film else ""
            file.write(f"{time}{seen.text}\n")


def _captions_srt(value: Captions, place: Place) -> None:
    write_srt(_cues(value, place.path), place.path)


def _captions_vtt(value: Captions, place: Place) -> None:
    write_vtt(_cues(value, place.path), place.path)


def _cues(value: Captions, path: Path) -> list[Cue]:
    """A cue a shot."""
    if not value.film:
        raise OutputError(f"{path}: a still picture has no times for subtitles; use -f txt or json")
    return [(seen.start, seen.end, seen.text) for seen in value.seen]


def _captions_png(value: Captions, place: Place) -> None:
    from avtool.pipelines.caption.draw import draw_film, draw_picture

    draw = draw_film if value.film else draw_picture
    draw(value, place.path, place.title)


Captions.WRITERS = {
    ".json": _captions_json,
    ".txt": _captions_txt,
    ".srt": _captions_srt,
    ".vtt": _captions_vtt,
    ".png": _captions_png,
}
