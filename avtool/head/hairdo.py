"""Hairdos: how a head's hair is cut and worn."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hairdo:
    """How hair is cut and worn; all 0 to 1 but ``parting`` (-1 to 1, to the head's left)."""

    length: float = 0.2  # 0 cropped, 0.25 short, 0.5 to the jaw, 1 over the shoulders
    volume: float = 0.45
    curl: float = 0.1  # 0 straight, 1 tight
    baldness: float = 0.0
    parting: float = 0.0
    tied: bool = False  # combed back and held behind the head
