"""Moves the mouth of a face in a picture, and nothing else, at the picture's own resolution."""

from avtool.pipelines.lips.warp.painter import Painter

__all__ = ["Painter"]
