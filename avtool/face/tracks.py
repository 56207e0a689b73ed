"""What is known of one face through a video, and its form on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from avtool.values import Array

# Of each array its type and shape; -1 is the number of pictures.
FORMS: dict[str, tuple[str, tuple[int, ...]]] = {
    "frames": ("int64", (-1,)),
    "boxes": ("float32", (-1, 4)),
    "lips": ("float32", (-1, 40, 3)),
    "scores": ("float32", (-1,)),
    "portrait": ("uint8", (160, 160, 3)),
    "portrait_frame": ("int64", ()),
}


@dataclass(frozen=True, eq=False)
class Track:
    """One face through a video.

    Shape:
        frames: int64 [n], numbers of the pictures it is in, rising; boxes: float32 [n, 4],
        x0, y0, x1, y1 of the mesh in pixels; lips: float32 [n, 40, 3] in head coordinates (see
        ``align``); scores: float32 [n], the mesh's presence, 0 where a gap was filled;
        portrait: uint8 [160, 160, 3], a sharp frontal moment, of frame ``portrait_frame``.
    """

    face: int  # from 1
    frames: Array
    boxes: Array
    lips: Array
    scores: Array
    portrait: Array
    portrait_frame: int

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """First and last picture of each stretch inside the track where the face is not seen."""
        after = np.flatnonzero(np.diff(self.frames) > 1)
        return [(int(self.frames[k]) + 1, int(self.frames[k + 1]) - 1) for k in after]


def to_arrays(tracks: Sequence[Track]) -> dict[str, Array]:
    """Tracks as named arrays without objects, for an .npz: ``"1.frames"``, ``"1.boxes"``, ..."""
    names = [each.name for each in fields(Track) if each.name != "face"]
    return {f"{t.face}.{name}": np.asarray(getattr(t, name)) for t in tracks for name in names}


def from_arrays(arrays: Mapping[str, Array]) -> list[Track]:
    """What ``to_arrays`` made.

    Raises:
        ValueError: it is something else.
    """
    faces = sorted({int(key.split(".")[0]) for key in arrays})
    if set(arrays) != {f"{face}.{name}" for face in faces for name in FORMS}:
        raise ValueError("these are no tracks")
    for key, array in arrays.items():
        face, name = key.split(".")
        kind, shape = FORMS[name]
        shape = tuple(len(arrays[f"{face}.frames"]) if n < 0 else n for n in shape)
        if array.dtype != kind or array.shape != shape:
            raise ValueError(f"{key} is {array.dtype} {array.shape}, not {kind} {shape}")
    return [
        Track(
            face,
            arrays[f"{face}.frames"],
            arrays[f"{face}.boxes"],
            arrays[f"{face}.lips"],
            arrays[f"{face}.scores"],
            arrays[f"{face}.portrait"],
            int(arrays[f"{face}.portrait_frame"]),
        )
        for face in faces
    ]
