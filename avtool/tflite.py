"""Runs a packaged .tflite network on one thread, and silently."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from importlib import resources

import numpy as np

from avtool.values import Array


class Network:
    """A network with one array in and several out.

    Args:
        name: file in ``avtool/weights``.
        tensors: names of what it gives, also from inside the network; else its outputs.
    """

    def __init__(self, name: str, tensors: Sequence[str] = ()) -> None:
        from ai_edge_litert.interpreter import Interpreter

        weights = resources.files("avtool").joinpath("weights", name).read_bytes()
        with _stderr_closed(), warnings.catch_warnings():
            # It says that keeping what is inside is for debugging, since that takes memory.
            warnings.filterwarnings("ignore", "Warning: Enabling `experimental_preserve_all")
            self._interpreter = Interpreter(
                model_content=weights,
                num_threads=1,
                experimental_preserve_all_tensors=bool(tensors),
            )
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        outputs = {each["name"]: each["index"] for each in self._interpreter.get_output_details()}
        if tensors:
            inside = self._interpreter.get_tensor_details()
            numbers = {detail["name"]: detail["index"] for detail in inside}
            outputs = {each: numbers[each] for each in tensors}
        self._outputs = list(outputs.values())

    def __call__(self, values: Array) -> list[Array]:
        """The outputs for a float32 array, as a picture or sound, each without its batch axis."""
        self._interpreter.set_tensor(self._input, values[None])
        self._interpreter.invoke()
        found = (np.asarray(self._interpreter.get_tensor(index)) for index in self._outputs)
        return [each[0] if len(each) == 1 else each for each in found]


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
