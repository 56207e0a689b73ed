"""Bring the weights of the wheel Resemblyzer 0.1.4 (Apache-2.0) into the form that ships.

    python -m avtool.training.convert_speaker resemblyzer/pretrained.pt speaker.safetensors

Nothing is trained. The file is read as tensors only, so nothing in it runs.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import torch
from safetensors.torch import save_file

from avtool.models.speaker import Speaker


def main() -> None:
    """Convert; see the module's words."""
    source, out = sys.argv[1:]
    held = torch.load(source, map_location="cpu", weights_only=True)["model_state"]
    model = Speaker()
    model.load_state_dict({name: held[name] for name in model.state_dict()})
    tensors = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, out, {"config": json.dumps(asdict(model.config))})


if __name__ == "__main__":
    main()
