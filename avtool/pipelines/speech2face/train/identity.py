"""The recipe of the draw of a face for each voice.

``python -m avtool.pipelines.speech2face.train.identity --data FOLDER --out FOLDER``

``FOLDER`` holds LibriSpeech. Of each reader some pieces are heard, as they are recorded and
elsewhere; the directions that are kept part readers of one sex best beside what parts one reader's
own pieces (linear discriminant analysis, Fisher 1936). It takes two minutes on one core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional

from avtool.models import weights
from avtool.models.speaker import Speaker, windows
from avtool.pipelines.speech2face.identity import Config, Identity
from avtool.pipelines.speech2face.train.voiceface_data import elsewhere, loud_part
from avtool.training import corpus
from avtool.training.mixtures import Mixer
from avtool.values import Array

PIECES, SECONDS = 6, (3.0, 6.0)  # of each reader, a third of them heard elsewhere
STEADY = 1.0  # of the mean variance within a voice, added to each direction's


@torch.inference_mode()
def hear(data: Path) -> tuple[Array, Array, Array]:
    """Speaker vectors float32 [n, speaker], whose they are [n], and whether these are men [n]."""
    readers = [item for item in corpus.recordings(data, "readers") if item.split != "test"]
    noises = [item for item in corpus.recordings(data, "noises") if item.split == "train"]
    mixer, speaker, rng = Mixer((), noises), weights.load(Speaker), np.random.default_rng(0)
    rows = []
    for number, reader in enumerate(readers):
        for piece in range(PIECES):
            sound = loud_part(rng, reader.samples, rng.uniform(*SECONDS))
            if piece % 3 == 0:
                sound = elsewhere(rng, sound, mixer)
            power = speaker.power(torch.from_numpy(sound)[None])[0]
            vector = functional.normalize(speaker(windows(power)).mean(0), dim=0).numpy()
            rows.append((vector, number, reader.sex == "M"))
    vectors, whose, men = (np.array(each) for each in zip(*rows, strict=True))
    return vectors, whose, men


def discriminant(vectors: Array, whose: Array, men: Array, size: int) -> tuple[Array, Array]:
    """``Identity``'s ``usual`` and ``people``.

    Shape:
        vectors: [n, speaker]; whose, men: [n]
    """
    people, first = np.unique(whose, return_index=True)
    mean = np.stack([vectors[whose == each].mean(0) for each in people])
    sexes = men[first]
    usual = np.stack([mean[sexes == sex].mean(0) for sex in (False, True)])
    within = np.cov((vectors - mean[np.searchsorted(people, whose)]).T)
    apart = mean - usual[sexes.astype(int)]
    steady = STEADY * np.trace(within) / len(within) * np.eye(len(within))
    root = np.linalg.inv(np.linalg.cholesky(within + steady))
    axes = np.linalg.eigh(root @ np.cov(apart.T) @ root.T)[1][:, : -size - 1 : -1].T @ root
    return usual, np.stack([_whitened(axes, apart[sexes == sex]) for sex in (False, True)])


def _whitened(axes: Array, apart: Array) -> Array:
    """Axes [size, speaker] turned and scaled so that rows [people, speaker] are spread evenly."""
    seen = apart @ axes.T
    spread, ways = np.linalg.eigh(seen.T @ seen / len(seen))
    return np.asarray((ways / np.sqrt(spread)) @ ways.T @ axes)


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit; see the module's words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    model = Identity(Config())
    for name, found in zip(
        ("usual", "people"), discriminant(*hear(given.data), model.config.size), strict=True
    ):
        getattr(model, name).copy_(torch.from_numpy(found))
    facts = {"config": json.dumps(asdict(model.config))}
    save_file(model.state_dict(), given.out / "identity.safetensors", facts)


if __name__ == "__main__":
    main()
