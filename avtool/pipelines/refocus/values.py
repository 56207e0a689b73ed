"""What was refocused, for the eye and in numbers: the value of `avtool refocus` beside its film."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from avtool.save.place import Place
from avtool.values import Array


@dataclass(frozen=True, eq=False)
class Moment:
    """One picture before and after.

    Shape:
        before, after: uint8 RGB [height, width, 3]; width: float32 [h, w], of the blur in pixels;
        sharp: float32 [height, width], how much of each pixel is in focus.
    """

    time: float
    face: int
    before: Array
    after: Array
    width: Array
    sharp: Array


@dataclass(frozen=True, eq=False)
class Refocused:
    """Moments of a film, or the one of a photo, and the blur of each face in each picture.

    Args:
        turns: seconds, and the face that the focus goes to then; blurs: for each picture, of each
            face, and of what is behind (0), the diameter in pixels; stop: the f-number.
    """

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    moments: list[Moment]
    turns: Sequence[tuple[float, int]]
    blurs: list[dict[int, float]]
    fps: Fraction
    stop: float


@dataclass(frozen=True, eq=False)
class Photo:
    """A refocused photo, uint8 RGB [height, width, 3], and a note that says so in its file."""

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    image: Array
    note: str


def _refocused_json(value: Refocused, place: Place) -> None:
    """Seconds, and pixels of the picture."""
    rows = [
        {
            "t": round(float(number / value.fps), 3),
            "blur": {str(face): round(width, 2) for face, width in blurs.items() if face},
            **({"behind": round(blurs[0], 2)} if 0 in blurs else {}),
        }
        for number, blurs in enumerate(value.blurs)
    ]
    focus = [{"t": round(time, 3), "face": face} for time, face in value.turns]
    with place.path.open("w") as file:
        json.dump({"f-number": value.stop, "focus": focus, "pictures": rows}, file)
        file.write("\n")


def _refocused_png(value: Refocused, place: Place) -> None:
    from avtool.pipelines.refocus.draw import draw_sheet

    draw_sheet(value, place.path, place.title)


def _photo(value: Photo, place: Place, kind: str, **options: Any) -> None:
    from PIL import Image

    image = Image.fromarray(value.image)
    exif = Image.Exif()
    exif[0x010E] = value.note  # ImageDescription
    image.save(place.path, kind, exif=exif, **options)


Refocused.WRITERS = {".json": _refocused_json, ".png": _refocused_png}
Photo.WRITERS = {
    ".jpg": lambda value, place: _photo(value, place, "JPEG", quality=95, subsampling=0),
    ".webp": lambda value, place: _photo(value, place, "WEBP", lossless=True),
    ".tif": lambda value, place: _photo(value, place, "TIFF", compression="tiff_lzw"),
}
