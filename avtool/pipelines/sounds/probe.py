"""Kinds of a user's own: a linear probe over YAMNet's embedding, from a few examples of each.

Logistic regression on what a network has learned already (Alain & Bengio, "Understanding
intermediate layers using linear classifier probes", 2016).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from avtool.errors import InputError
from avtool.models.yamnet import ELSEWHERE, Kind, Moment, kinds, probable
from avtool.values import Array

OTHER = "other"  # the name of the folder of what is none of the kinds
LOUD_DB = 30.0  # below a recording's loudest look a look is a pause, and no example
TENSORS = ("mean", "scale", "weight", "bias", "usual")
GROUPS = {
    group: [kind.number for kind in kinds() if kind.group == group]
    for group in dict.fromkeys(kind.group for kind in kinds())
    if group != ELSEWHERE
}
STRENGTH = 0.01  # of the examples beside the prior that all weights are small (scikit-learn's C)


@dataclass(frozen=True, eq=False)
class Probe:
    """Embeddings to probabilities.

    Shape:
        mean, scale: [1024]; weight: [kinds, 1024]; bias: [kinds]; usual: [kinds, groups], how
        likely each of YAMNet's groups becomes in a usual example.
    """

    names: tuple[str, ...]
    mean: Array
    scale: Array
    weight: Array
    bias: Array
    usual: Array

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """As YAMNet's; "other" is not told."""
        return tuple(
            Kind(n, name, ELSEWHERE if name == OTHER else "taught", n)
            for n, name in enumerate(self.names)
        )

    def __call__(self, embedding: Array, own: Array) -> Array:
        """What it is, if it is one of the kinds at all: what YAMNet hears, and in no usual example
        of a kind, speaks against that kind, as speech against a dog.

        Shape:
            embedding: [..., 1024]; own: YAMNet's probabilities [..., 521]
            output: [..., kinds], whose sum is 1 at most
        """
        logits = (embedding - self.mean) / self.scale @ self.weight.T + self.bias
        odds = np.exp(logits - logits.max(-1, keepdims=True))
        strange = np.clip(_grouped(own)[..., None, :] - self.usual, 0, 1).max(-1)
        return (1 - strange) * odds / odds.sum(-1, keepdims=True)

    def of(self, looks: Sequence[Moment]) -> Array:
        """What a whole recording is: the mean of its looks that are no pauses, [kinds]."""
        level = max(look.level for look in looks) - LOUD_DB
        loud = [look for look in looks if look.level >= level]
        embedding = np.stack([look.embedding for look in loud])
        return self(embedding, np.stack([probable(look.scores) for look in loud])).mean(0)

    def save(self, path: Path) -> None:
        """Write it as safetensors."""
        from safetensors.numpy import save_file

        tensors = {name: np.ascontiguousarray(getattr(self, name), np.float32) for name in TENSORS}
        save_file(tensors, path, {"kinds": json.dumps(self.names)})

    @classmethod
    def load(cls, path: str) -> Probe:
        """Read what ``save`` wrote.

        Raises:
            InputError: the file is none of those.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "np") as file:
                names = json.loads(file.metadata()["kinds"])
                parts = {key: file.get_tensor(key) for key in TENSORS}
        except OSError as error:
            why = error.strerror or error
            raise InputError(f"{path}: cannot be read ({why}); check --weights") from error
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}: has no kinds of sound; avtool sounds --teach FOLDER makes such a file"
            ) from error
        shapes = {key: value.shape for key, value in parts.items()}
        count = len(names)
        sizes = ((1024,), (1024,), (count, 1024), (count,), (count, len(GROUPS)))
        wanted = dict(zip(TENSORS, sizes, strict=True))
        finite = all(np.isfinite(value).all() for value in parts.values())
        if shapes != wanted or not finite or not all(isinstance(name, str) for name in names):
            raise InputError(f"{path}: is damaged; avtool sounds --teach FOLDER makes it anew")
        return cls(tuple(names), **parts)


def taught(examples: Mapping[str, list[list[Moment]]]) -> Probe:
    """The probe that tells these kinds apart.

    Args:
        examples: by kind, the looks at each recording.
    """
    from sklearn.linear_model import LogisticRegression

    names = tuple(sorted(examples))
    rows, numbers, weights = [], [], []
    usual = np.zeros((len(names), len(GROUPS)))
    for number, name in enumerate(names):
        most: list[Array] = []
        for looks in examples[name]:
            level = max(look.level for look in looks) - LOUD_DB
            loud = [look.embedding for look in looks if look.level >= level]
            most.append(_grouped(np.stack([probable(look.scores) for look in looks])).max(0))
            rows += loud
            numbers += [number] * len(loud)
            weights += [1 / len(loud) / len(examples[name])] * len(loud)  # kinds count alike
        usual[number] = np.median(most, axis=0)
    x, weight = np.stack(rows), np.array(weights)
    mean = np.average(x, axis=0, weights=weight)
    scale = np.sqrt(np.average(np.square(x - mean), axis=0, weights=weight)) + 1e-3
    recordings = sum(len(each) for each in examples.values())
    fit = LogisticRegression(C=STRENGTH, max_iter=2000)
    fit.fit((x - mean) / scale, numbers, sample_weight=weight * recordings / weight.sum())
    coefficients, bias = fit.coef_, fit.intercept_
    if len(names) == 2:  # one row tells both apart
        coefficients = np.concatenate([-coefficients / 2, coefficients / 2])
        bias = np.concatenate([-bias / 2, bias / 2])
    return Probe(names, mean, scale, coefficients, bias, usual)


def _grouped(own: Array) -> Array:
    """The likeliest kind of each group: [..., 521] -> [..., groups]."""
    return np.stack([own[..., numbers].max(-1) for numbers in GROUPS.values()], -1)
