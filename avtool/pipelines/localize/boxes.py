"""Where the sources of a set of clips are: files of boxes in the three forms that are in use.

- our own CSV: ``file,x0,y0,x1,y1`` in pixels of the source, several rows a file allowed;
- VGG-SS's JSON (Chen et al., "Localizing Visual Sounds the Hard Way", CVPR 2021): a list of
  ``{"file": ..., "class": ..., "bbox": [[x0, y0, x1, y1], ...]}``, in parts of width and height;
- Flickr-SoundNet's folder of XML files, one a clip (Senocak et al., "Learning to Localize Sound
  Source in Visual Scenes", CVPR 2018): a ``bbox`` for each of three annotators, in a picture of
  256 x 256 pixels.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree  # a user's own files, and this parser fetches nothing

import numpy as np

from avtool.errors import InputError
from avtool.values import Array

FLICKR_SIZE = 256  # pixels, of both sides


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes by file name, or by name without suffix.

    Args:
        agree: annotators who must agree on a pixel (see ``metrics.localization.truth_map``).
        pixels: boxes are in pixels of the source, not in parts of its width and height.

    Shape:
        by_name: each float64 [n, 4], x0, y0, x1, y1; n may be 0.
    """

    by_name: dict[str, Array]
    agree: int
    pixels: bool

    def relative(self, file: str, width: int, height: int) -> Array | None:
        """A clip's boxes in parts of width and height, float64 [n, 4] within 0 and 1.

        None where the clip has not been marked; empty boxes are left out.

        Args:
            width, height: of the source in pixels, upright.

        >>> boxes = Boxes({"dog.mp4": np.array([[0, 30, 32, 90], [40, 0, 40, 9]])}, 1, pixels=True)
        >>> boxes.relative("pets/dog.mp4", 64, 60).tolist()
        [[0.0, 0.5, 0.5, 1.0]]
        """
        path = Path(file)
        found = self.by_name.get(path.name, self.by_name.get(path.stem))
        if found is None:
            return None
        if self.pixels:
            found = found / [width, height, width, height]
        # Published boxes reach outside of their pictures, some by 10^16: they end at the edge.
        found = np.clip(found, 0, 1)
        return np.asarray(found[(found[:, 2:] > found[:, :2]).all(1)])


def read_boxes(path: Path) -> Boxes:
    """Boxes of a .csv or .json file or of a folder of .xml files.

    Raises:
        InputError: it cannot be read, or is in none of the three forms.
    """
    if path.is_dir():
        return _flickr(path)
    kinds = {".csv": _table, ".json": _vggss}
    if path.suffix.lower() not in kinds:
        raise InputError(f"{path}: is no file of boxes; give a .csv, a .json or a folder of .xml")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give a text file") from error
    return kinds[path.suffix.lower()](path, text)


def _table(path: Path, text: str) -> Boxes:
    rows = csv.DictReader(text.splitlines())
    names = ("x0", "y0", "x1", "y1")
    if not {"file", *names} <= set(rows.fieldnames or ()):
        raise InputError(f"{path}: its first line must be file,x0,y0,x1,y1")
    found = defaultdict(list)
    for row in rows:
        where = f"{path}, line {rows.line_num}"
        found[Path(row["file"] or "").name].append(_box([row[name] for name in names], where))
    if not found:
        raise InputError(f"{path}: holds no box; add lines of file,x0,y0,x1,y1")
    return Boxes({name: np.array(each) for name, each in found.items()}, agree=1, pixels=True)


def _vggss(path: Path, text: str) -> Boxes:
    try:
        entries = json.loads(text)
        found = {
            str(entry["file"]): [_box(box, f"{path}, {entry['file']}") for box in entry["bbox"]]
            for entry in entries
        }
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: is not VGG-SS's form ({error!r}); it is a list of "
            '{"file": ..., "bbox": [[x0, y0, x1, y1], ...]}'
        ) from error
    by_name = {name: np.array(each).reshape(-1, 4) for name, each in found.items()}
    return Boxes(by_name, agree=1, pixels=False)


def _flickr(folder: Path) -> Boxes:
    found = {}
    for path in sorted(folder.glob("*.xml")):
        try:
            root = ElementTree.parse(path).getroot()
        except (OSError, ElementTree.ParseError) as error:
            raise InputError(f"{path}: is no XML ({error}); download it again") from error
        boxes = []
        for each in root.iter("bbox"):
            # By name; else by place, as the published loaders do: the four come last.
            named = [each.findtext(name) for name in ("xmin", "ymin", "xmax", "ymax")]
            boxes.append(_box(named if all(named) else [x.text for x in each][-4:], str(path)))
        if not boxes:
            raise InputError(f"{path}: holds no <bbox>; Flickr-SoundNet's annotations have three")
        found[path.stem] = np.array(boxes) / FLICKR_SIZE
    if not found:
        raise InputError(f"{folder}: holds no .xml file; give Flickr-SoundNet's Annotations")
    return Boxes(found, agree=2, pixels=False)


def _box(values: list[Any], where: str) -> list[float]:
    try:
        box = [float(value) for value in values]
    except (TypeError, ValueError):
        box = []
    if len(box) != 4 or not np.isfinite(box).all():
        raise InputError(f"{where}: a box is the four numbers x0, y0, x1, y1, not {values}")
    return box
