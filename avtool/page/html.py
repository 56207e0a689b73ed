"""The HTML of a page: nothing in it can act but its own script, and nothing is loaded into it."""

from __future__ import annotations

import html
import io
import json
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

from avtool import __version__
from avtool.page import MARK, Film, Lane, Page, pack
from avtool.values import FPS

TYPES = {".webm": "video/webm", ".jpg": "image/jpeg"}
CHUNK = 3 << 20  # bytes; of base64 three become four letters


def write(page: Page, path: Path) -> None:
    """Write a page, a long sound or film piece by piece."""
    code = _asset("head.js" if page.head else "page.js")
    more = " connect-src blob: data:;" if page.head else ""
    with path.open("w", encoding="utf-8", errors="replace") as file:
        file.write(_head(page.title, code, _asset("page.css"), more))
        data = _data(page, file)
        _block(file, "data", json.dumps(data, separators=(",", ":")), "application/json")
        file.write(f"<script>{code}</script>\n</body>\n</html>\n")


def served(title: str, data: Any) -> str:
    """The page of `avtool serve`: its script may ask its own server, and nobody else.

    Args:
        data: what the script reads, as JSON has it.
    """
    code, style = _asset("serve.js"), _asset("page.css") + _asset("serve.css")
    file = io.StringIO()
    file.write(_head(title, code, style, " connect-src 'self';"))
    _block(file, "data", json.dumps(data), "application/json")
    file.write(f"<script>{code}</script>\n</body>\n</html>\n")
    return file.getvalue()


def _head(title: str, code: str, style: str, more: str) -> str:
    """A page up to its data, with the policy that lets nothing act but this code."""
    policy = (
        f"default-src 'none'; script-src 'sha256-{_sum(code)}'; style-src 'sha256-{_sum(style)}'; "
        f"img-src data: blob:; media-src 'self' blob:;{more} base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f'{MARK}{__version__}">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{html.escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        "<noscript>This page needs JavaScript, which is in it.</noscript>\n"
    )


def _asset(name: str) -> str:
    return files("avtool.page").joinpath("assets", name).read_text("utf-8")


def _sum(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()


def _block(file: IO[str], name: str, content: str, kind: str = "text/plain") -> None:
    """A block of data; no ``</script>`` or ``<!--`` can be in it."""
    content = content.replace("<", "\\u003c")
    file.write(f'<script type="{kind}" id="{name}">{content}</script>\n')


def _data(page: Page, file: IO[str]) -> dict[str, Any]:
    """What the script reads; sound and film are written on the way, as blocks of their own."""
    lanes = [_lane(page, number, lane, file) for number, lane in enumerate(page.lanes)]
    # A browser's own recording does not tell its length.
    length = page.duration or max((seconds for _, seconds in lanes), default=0.0)
    made: dict[str, Any] = {
        "title": page.title,
        "duration": round(length, 4),
        "facts": dict(page.facts),
        "lanes": [lane for lane, _ in lanes],
    }
    if page.words:
        made["words"] = page.words
    if page.film:
        made["film"] = _film(page.film, "film", file)
    if page.heat:
        made["heat"] = pack.heat(page.heat)
    if page.head:
        _bytes(file, "head", page.head)
        made["head"] = "head"
    if page.forms:
        made["forms"] = [
            dict(zip(("name", "title", "words"), each, strict=True)) for each in page.forms
        ]
    if page.views is not None:
        made["views"] = pack.webp(page.views, 84)
    if page.pages:
        made["pages"] = page.pages
    return made


def _film(film: Film, name: str, file: IO[str]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "size": film.size,
        "fps": film.fps,
        "name": film.name or film.path.name,
        "start": film.start,
    }
    if film.address is None:
        _bytes(file, name, film.path)
        made |= {"id": name, "type": TYPES.get(film.path.suffix.lower(), "video/mp4")}
    else:
        made["src"] = film.address
    if film.poster is not None:
        made["poster"] = pack.webp(film.poster, 70)
    if film.before:
        made["before"] = _film(film.before, "before", file)
    return made


def _bytes(file: IO[str], name: str, path: Path) -> None:
    file.write(f'<script type="text/plain" id="{name}">')
    with path.open("rb") as source:
        while chunk := source.read(CHUNK):
            file.write(b64encode(chunk).decode())
    file.write("</script>\n")


def _lane(page: Page, number: int, lane: Lane, file: IO[str]) -> tuple[dict[str, Any], float]:
    """A lane, and the seconds that its voice has."""
    seconds = 0.0
    made: dict[str, Any] = {
        "name": lane.name,
        "face": lane.face,
        "speaking": [[round(a, 3), round(b, 3)] for a, b in lane.speaking],
    }
    if lane.portrait is not None:
        made["portrait"] = pack.portrait(lane.portrait)
    if lane.frames is not None and lane.boxes is not None and page.film:
        made["track"] = pack.track(lane.frames, lane.boxes, page.film.size) | {"fps": FPS}
    if lane.matrix is not None:
        made["picture"] = pack.matrix(lane.matrix)
    if lane.voice is not None:
        peaks, tiles, sounding = [], [], []
        for piece, (sound, high, tile) in enumerate(pack.voice(lane.voice)):
            if sound:
                _block(file, f"v{number}-{piece}", sound)
            seconds += len(high) / pack.PEAKS
            sounding.append(bool(sound))
            peaks.append(pack.text(high))
            tiles.append(tile)
        made["voice"] = {
            "piece": pack.PIECE,
            "margin": pack.MARGIN,
            "peak": 1 / pack.PEAKS,
            "sounding": sounding,
            "peaks": peaks,
        }
        if lane.matrix is None:
            facts = pack.mel_facts(lane.voice.rate)
            made["picture"] = {"tiles": tiles, "each": pack.PIECE, "axis": "mel", **facts}
    return made, seconds
