"""A strip of what was found: each picture with its film, its time, and how likely it is meant."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from avtool.draw.canvas import clock, fitted
from avtool.draw.sheet import GAP, HEAD, MARGIN, WIDTH, Sheet
from avtool.pipelines.search.values import Hit, Hits

ACROSS, HIGH, TEXT = 4, 270, 84  # pictures in a row, their height, room for the words below
TILE_RGB = (242, 243, 246)
WIDE = (WIDTH - 2 * MARGIN - (ACROSS - 1) * GAP) // ACROSS


def draw_hits(value: Hits, path: Path) -> None:
    """Write the strip as PNG."""
    rows = -(-max(1, len(value.hits)) // ACROSS)
    found = f"the best {len(value.hits)} of {value.looked} pictures and moments"
    sheet = Sheet(HEAD + rows * (HIGH + TEXT), f"“{value.query}”", found)
    if not value.hits:
        sheet.grey(MARGIN, HEAD + 40, "nothing was found")
    for n, hit in enumerate(value.hits):
        x = MARGIN + n % ACROSS * (WIDE + GAP)
        y = HEAD + n // ACROSS * (HIGH + TEXT)
        sheet.draw.rounded_rectangle((x, y, x + WIDE, y + HIGH), 6, TILE_RGB)
        if hit.picture is None:
            sheet.grey(x + WIDE / 2, y + HIGH / 2, hit.kind or "no picture", "mm", 24)
        else:
            picture = ImageOps.contain(Image.fromarray(hit.picture), (WIDE, HIGH))
            left, top = (WIDE - picture.width) // 2, (HIGH - picture.height) // 2
            sheet.image.paste(picture, (x + left, y + top))
        sheet.text(x, y + HIGH + 22, fitted(_words(hit), 20, WIDE), size=20)
        sheet.grey(x, y + HIGH + 48, fitted(Path(hit.file).name, 18, WIDE), size=18)
    sheet.save(path)


def _words(hit: Hit) -> str:
    chance = f"{hit.likely:.0%}"
    if hit.sense == "heard":
        chance = f"{hit.kind} heard, {chance}"
    return f"{chance} · {clock(hit.start)} to {clock(hit.end)}" if hit.is_film else chance
