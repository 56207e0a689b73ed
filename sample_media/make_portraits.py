"""Make portraits.jpg: 24 drawn people, by origin, sex and age. Run in this folder.

Who they are is drawn from the prior of ``avtool.head.traits``, seed 1; nobody was photographed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from avtool.head import model
from avtool.head.model import ORIGINS
from avtool.head.portrait import portrait
from avtool.head.traits import INDEX, drawn

SIDE, ACROSS = 256, 6
AGES = (22, 38, 55, 74)


def main() -> None:
    head, rng, tiles = model.load(), np.random.default_rng(1), []
    for origin in ORIGINS:
        for sex in (0, 1):
            for age in AGES:
                people = drawn(rng, 60, sex=sex, age=age)
                someone = people[people[:, INDEX[origin]] > 0.85][0]
                image = Image.fromarray(portrait(head, someone, 2 * SIDE))
                tiles.append(np.asarray(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)))
    rows = [np.concatenate(tiles[k : k + ACROSS], 1) for k in range(0, len(tiles), ACROSS)]
    sheet = Image.fromarray(np.concatenate(rows))
    sheet.save(Path(__file__).parent / "portraits.jpg", quality=88, optimize=True)


if __name__ == "__main__":
    main()
