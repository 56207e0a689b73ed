"""An answer, and what it is from: the value of `avtool ask`, and its files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from avtool.save.place import Place
from avtool.values import Array

CANNOT = "I cannot tell"
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Person:
    """A face that `avtool faces` found.

    Args:
        box: where it was first seen, x0, y0, x1, y1 in pixels of the source; speaking: (start,
            end) in seconds; since: when it was first seen.
    """

    face: int
    box: Box
    speaking: Sequence[tuple[float, float]] = ()
    since: float = 0.0

    @property
    def spoken(self) -> float:
        """Seconds in all."""
        return sum(end - start for start, end in self.speaking)


@dataclass(frozen=True)
class Heard:
    """A sound that `avtool sounds` told."""

    kind: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True)
class Known:
    """What other commands found in a file; None is what was not looked for.

    Args:
        seconds: how long it is; None is a picture.
        size: width and height of its pictures; None where it has none.
        sound: whether it has sound; start: where the part that is asked about begins.
    """

    seconds: float | None = None
    size: tuple[int, int] | None = None
    sound: bool = False
    people: Sequence[Person] | None = None
    heard: Sequence[Heard] | None = None
    start: float = 0.0


@dataclass(frozen=True, eq=False)
class Step:
    """One look at the picture.

    Shape:
        words: by each word of the question, how much of a say it had in this look; cells: float32
        [16, 16], how well each cell of the picture is what was looked for. Both are 0 to 1.
    """

    words: Sequence[tuple[str, float]]
    cells: Array


@dataclass(frozen=True, eq=False)
class Reply:
    """An answer.

    Args:
        source: ``network``, or the command whose facts it is from: ``faces``, ``sounds``,
            ``info``; empty where it cannot be told.
        sure: its probability, where the source has one.
        why: how it was found, or why it cannot be told.
        picture: uint8 RGB [height, width, 3] that was asked about, if any.
        steps: of the network, the last one shown on the picture.
        boxes: of faces that are meant, with what each is called.
    """

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    question: str
    answer: str
    source: str
    sure: float | None
    why: str
    picture: Array | None = None
    steps: Sequence[Step] = ()
    boxes: Sequence[tuple[str, Box]] = ()

    @property
    def said(self) -> str:
        """The answer in a line, with how sure it is and where it comes from."""
        sure = "" if self.sure is None else f"{self.sure:.0%} sure; "
        return f"{self.answer} ({sure}{self.why})"


def _reply_json(value: Reply, place: Place) -> None:
    """Boxes in source pixels; rows of cells from the top left on."""
    facts = {
        "question": value.question,
        "answer": value.answer,
        "source": value.source,
        "sure": None if value.sure is None else round(value.sure, 3),
        "why": value.why,
        "boxes": [{"name": name, "box": list(box)} for name, box in value.boxes],
        "steps": [
            {
                "words": [[word, round(share, 3)] for word, share in step.words],
                "cells": step.cells.astype(float).round(4).tolist(),
            }
            for step in value.steps
        ],
    }
    with place.path.open("w") as file:
        json.dump(facts, file)
        file.write("\n")


def _reply_png(value: Reply, place: Place) -> None:
    from avtool.pipelines.ask.draw import draw_reply

    draw_reply(value, place.path, place.title)


Reply.WRITERS = {".json": _reply_json, ".png": _reply_png}
