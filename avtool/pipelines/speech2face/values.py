"""A face for a voice: the value of `avtool speech2face`, and its files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from avtool.save.place import Place
from avtool.values import Array


@dataclass(frozen=True, eq=False)
class FaceSamples:
    """A face that a voice may have, others that it may have as well, and what was heard.

    Shape:
        portrait: uint8 RGB [size, size, 3]; faces: uint8 RGB [256, 256, 3] each.
    """

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    portrait: Array
    faces: list[Array]
    report: dict[str, Any]


def _plausible_png(value: FaceSamples, place: Place) -> None:
    if place.name == "faces":
        from avtool.pipelines.speech2face.draw import draw_samples

        draw_samples(value, place.path, place.title)
        return
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    words = PngInfo()
    words.add_text("Description", f"synthetic: {value.report['what']}")
    Image.fromarray(value.portrait).save(place.path, format="PNG", pnginfo=words)


def _plausible_json(value: FaceSamples, place: Place) -> None:
    with place.path.open("w") as file:
        json.dump(value.report, file, indent=1)
        file.write("\n")


FaceSamples.WRITERS = {".json": _plausible_json, ".png": _plausible_png}
