"""Moves the mouth of a face in a picture, and nothing else, at the picture's own resolution."""

from avtool.mouth.paint import Painter

__all__ = ["Painter"]
