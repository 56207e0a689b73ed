"""Runs a packaged .tflite network on one thread, and silently."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib import resources

import numpy as np

from avtool.values import Array


class Network:
    """A network with one picture in and several arrays out.

    Args:
        name: file in ``avtool/weights``.
    """

    def __init__(self, name: str) -> None:
        from ai_edge_litert.interpreter import Interpreter

        weights = resources.files("avtool").joinpath("weights", name).read_bytes()
        with _stderr_closed():
            self._interpreter = Interpreter(model_content=weights, num_threads=1)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]

    def __call__(self, image: Array) -> list[Array]:
        """The outputs for a float32 [height, width, 3] picture, each without its batch axis."""
        self._interpreter.set_tensor(self._input, image[None])
        self._interpreter.invoke()
        return [np.asarray(self._interpreter.get_tensor(index))[0] for index in self._outputs]


@contextlib.contextmanager
def _stderr_closed() -> Iterator[None]:
    """Nothing reaches stderr: LiteRT greets there from C++, and has no switch for it."""
    try:
        kept = os.dup(2)
    except OSError:  # closed already
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sink)
