"""chair.obj: a chair that the rules of `avtool shape`'s made things make, front to the viewer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from avtool.pipelines.shape.made import chair
from avtool.pipelines.shape.values import Surface
from avtool.save import save

SEED = 9


def main() -> None:
    surface = chair(np.random.default_rng(SEED)).parted().surface
    turned = Surface(surface.vertices * (-1, -1, 1), surface.faces)  # half a turn about z
    save(turned, [Path(__file__).with_name("chair.obj")], name="mesh", title="chair")


if __name__ == "__main__":
    main()
