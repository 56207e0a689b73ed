"""Colours of maps: equal steps of level are equal steps of lightness, on paper too."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np

from avtool.values import Array

MAP, INK = 240, 16  # entries of a palette: the map, then from paper to ink
PAPER_RGB, INK_RGB = (255, 255, 255), (34, 36, 44)

# Corner colours in OKLab (Ottosson 2020): lightness, and two opponent axes. Between them all three
# are straight, so equal steps of level are equal steps of lightness, in print too.
_HEAT = [(0.10, 0.01, -0.04), (0.30, 0.07, -0.13), (0.52, 0.17, -0.03), (0.73, 0.11, 0.11)]
_HEAT += [(0.97, -0.02, 0.08)]
_SPREAD = [(0.40, -0.04, -0.13), (0.68, -0.03, -0.08), (0.97, 0.0, 0.0)]
_SPREAD += [(0.70, 0.09, 0.06), (0.42, 0.14, 0.07)]
_WAVE = [(1.0, 0.0, 0.0), (0.80, -0.03, -0.07), (0.48, -0.02, -0.15)]


@cache
def palette(kind: Literal["heat", "spread", "wave"]) -> bytes:
    """256 RGB entries: the map's 240 levels, then 16 from paper to ink."""
    corners = np.array({"heat": _HEAT, "spread": _SPREAD, "wave": _WAVE}[kind])
    at = np.linspace(0, len(corners) - 1, MAP)
    lab = np.stack([np.interp(at, range(len(corners)), corners[:, i]) for i in range(3)], 1)
    ramp = np.linspace(0, 1, INK)[:, None]
    ink = (1 - ramp) * PAPER_RGB + ramp * INK_RGB
    return bytes(np.concatenate([oklab_to_rgb(lab), ink]).round().astype(np.uint8).ravel())


def oklab_to_rgb(lab: Array) -> Array:
    """OKLab [n, 3] to sRGB 0..255 [n, 3]; colours outside sRGB are cut."""
    to_lms = [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728]]
    to_lms += [[1, -0.0894841775, -1.2914855480]]
    to_rgb = [[4.0767416621, -3.3077115913, 0.2309699292]]
    to_rgb += [[-1.2684380046, 2.6097574011, -0.3413193965]]
    to_rgb += [[-0.0041960863, -0.7034186147, 1.7076147010]]
    linear = np.clip((lab @ np.array(to_lms).T) ** 3 @ np.array(to_rgb).T, 0, 1)
    curved = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    rgb: Array = 255 * np.where(linear <= 0.0031308, 12.92 * linear, curved)
    return rgb
