"""The page of pages: what each page says of itself, read back from it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from avtool.errors import OutputError
from avtool.page import MARK, Page
from avtool.save import save

NAME = "index.html"
END_BYTES = 4 << 20  # of a page, in which its facts are
HEAD_BYTES = 4096
BEGIN, END = b'id="data">', b"</script>"


def index(folder: Path, pages: Iterable[Path]) -> Path:
    """Write a page that lists pages, in their order.

    Raises:
        OutputError: a file of another program has its name.
    """
    place = folder / NAME
    if place.exists():
        with place.open("rb") as file:
            if MARK.encode() not in file.read(HEAD_BYTES):
                raise OutputError(f"{place}: is not avtool's, and stays; -o names another folder")
    rows = [
        (quote(os.path.relpath(page, folder)), *_told(told))
        for page in pages
        if (told := _facts(page))
    ]
    title = folder.absolute().name or "Pages"
    save(Page(title, pages=rows), [place], name="index", title=title)
    return place


def _told(facts: dict[str, Any]) -> tuple[str, float, str, str]:
    """Title, seconds, words and picture of a page."""
    faces = [lane for lane in facts["lanes"] if lane["face"]]
    words = f"{len(faces)} face{'s' * (len(faces) != 1)}" if faces else ""
    pictures = [facts.get("film", {}).get("poster"), *(lane.get("portrait") for lane in faces)]
    picture = next((each for each in pictures if each), "")
    return facts["title"], facts["duration"], words, picture


def _facts(page: Path) -> dict[str, Any] | None:
    """What a page holds, but for its sound and its film."""
    with page.open("rb") as file:
        file.seek(max(0, page.stat().st_size - END_BYTES))
        _, found, rest = file.read().partition(BEGIN)
    if not found:
        return None
    facts: dict[str, Any] = json.loads(rest.partition(END)[0])
    return facts
