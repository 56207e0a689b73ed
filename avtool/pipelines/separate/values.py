"""The picture of separated voices: a value of `avtool separate`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from avtool.save.place import Place
from avtool.values import Array, Matrix


@dataclass(frozen=True, eq=False)
class Voices:
    """What was taken apart, for the eye: the source first, then each voice, then the rest.

    Shape:
        rows: (name, portrait uint8 RGB or None, log-mel spectrogram in dB).
    """

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    rows: list[tuple[str, Array | None, Matrix]]


def _voices_png(value: Voices, place: Place) -> None:
    from avtool.pipelines.separate.draw import draw_voices

    draw_voices(value, place.path, place.title)


Voices.WRITERS = {".png": _voices_png}
