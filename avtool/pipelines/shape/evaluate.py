"""How well shapes are told and turned into each other, with baselines and controls."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avtool.cli.terminal import say
from avtool.errors import InputError
from avtool.models import weights as shipped
from avtool.pipelines.shape.made import clouds
from avtool.pipelines.shape.pointnet import KINDS, PARTS, POINTS, PointNet, centred
from avtool.pipelines.shape.voxnet import KINDS as TOLD
from avtool.pipelines.shape.voxnet import SIDE, VoxNet
from avtool.values import Array

TEST, LEARNED = 0, 1  # seeds of the made things that are scored, and of those that baselines see


@torch.no_grad()
def parted(model: PointNet, places: Array, kinds: Array) -> tuple[Array, Array]:
    """What the network says of clouds [n, points, 3]: parts [n, points], and kinds [n]."""
    parts, told = [], []
    first = np.cumsum([0, *map(len, PARTS.values())])
    for n in range(0, len(places), 16):
        cloud = centred(torch.from_numpy(places[n : n + 16].astype(np.float32)))
        outputs, whole = model.heard(cloud)
        given = torch.from_numpy(kinds[n : n + 16])
        found = model.parts(outputs, whole, given).argmax(-1).numpy()
        parts.append(found - first[kinds[n : n + 16]][:, None])
        told.append(model.kinds(whole).argmax(-1).numpy())
    return np.concatenate(parts), np.concatenate(told)


def part_iou(told: Array, true: Array, kinds: Array) -> dict[str, float]:
    """Mean over things of the mean IoU of their parts, by kind, and as a mean over all things.

    A part that a thing has not, and that is not told either, has an IoU of 1, as in ShapeNet's
    score (Yi et al., 2016); ``present`` leaves such parts out.
    """
    every: dict[str, list[float]] = {kind: [] for kind in KINDS}
    present = []
    for one, other, kind in zip(told, true, kinds, strict=True):
        name = KINDS[kind]
        ious, there = [], []
        for part in range(len(PARTS[name])):
            union = ((one == part) | (other == part)).sum()
            both = ((one == part) & (other == part)).sum()
            ious.append(both / union if union else 1.0)
            there += [both / union] if union else []
        every[name].append(float(np.mean(ious)))
        present.append(float(np.mean(there)))
    found = {kind: float(np.mean(ious)) for kind, ious in every.items() if ious}
    found["all"] = float(np.mean([iou for ious in every.values() for iou in ious]))
    found["present"] = float(np.mean(present))
    return found


def report(data: str | None, *, things: int, weights: str | None, as_json: bool) -> None:
    """Measure what `avtool shape` says, and print tables.

    Raises:
        InputError: the data cannot be read.
    """
    facts: dict[str, Any] = {}
    if data is not None:
        facts["what"] = kinds_of(Path(data), shipped.load(VoxNet, weights))
    if things:
        facts["parts"] = parts_of(things, shipped.load(PointNet))
    if as_json:
        say.data(json.dumps(facts))
        return
    for name, rows in facts.items():
        say.data(f"{name}: {rows.pop('of')}")
        for way, value in rows.items():
            told = "  ".join(f"{k} {v:.3f}" for k, v in value.items())
            say.data(f"  {way:<44} {told}")


def kinds_of(path: Path, model: VoxNet) -> dict[str, Any]:
    """Accuracy on ModelNet10's test objects, beside simple classifiers of the same grids."""
    try:
        with np.load(path, allow_pickle=False) as file:
            known, kinds = file["X_train"].astype(np.float32), file["y_train"]
            grids, true = file["X_test"].astype(np.float32), file["y_test"]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: is no voxels30.npz of ModelNet10 ({error})") from error
    margin = (SIDE - grids.shape[1]) // 2
    padded = torch.from_numpy(np.pad(grids, ((0, 0), *[(margin, margin)] * 3)))
    with torch.no_grad():
        voted = torch.cat([model.vote(part) for part in padded.split(64)]).argmax(1).numpy()
        once = torch.cat([model(part) for part in padded.split(64)]).argmax(1).numpy()
        rng = np.random.default_rng(0)
        cells = padded.flatten(1).numpy()
        mixed = np.stack([rng.permutation(row) for row in cells]).reshape(padded.shape)
        control = torch.cat([model.vote(p) for p in torch.from_numpy(mixed).split(64)])
    flat, learned = grids.reshape(len(grids), -1), known.reshape(len(known), -1)
    twins = {row.tobytes() for row in learned}
    new = np.array([row.tobytes() not in twins for row in flat])
    ways = {
        "avtool, 12 turns voted": voted,
        "avtool, one look": once,
        "nearest training grid": kinds[_nearest(flat, learned)],
        "linear, on the cells": _linear(learned, kinds, flat),
        "the commonest kind, always": np.full(len(true), np.bincount(kinds).argmax()),
        "avtool, cells in random order (control)": control.argmax(1).numpy(),
    }
    found: dict[str, Any] = {
        "of": f"{len(true)} objects of ModelNet10's test split, {int((~new).sum())} of which are "
        "cell by cell in the training split too"
    }
    for way, told in ways.items():
        right = told == true
        each = [float(right[true == kind].mean()) for kind in range(len(TOLD))]
        found[way] = {
            "right": float(right.mean()),
            "mean of the kinds": float(np.mean(each)),
            "without those": float(right[new].mean()),
        }
    return found


def _nearest(rows: Array, known: Array) -> Array:
    """The nearest of known rows, by squared distance: int [n]."""
    square = (known**2).sum(1)
    return np.concatenate(
        [(square - 2 * part @ known.T).argmin(1) for part in np.array_split(rows, 8)]
    )


def _linear(known: Array, kinds: Array, rows: Array) -> Array:
    """Ridge regression to the kinds, by the Gram matrix; its strength by a held-out tenth."""
    targets = np.eye(kinds.max() + 1)[kinds]
    known, rows = known - known.mean(0), rows - known.mean(0)
    gram, cross = (known @ known.T).astype(float), (rows @ known.T).astype(float)
    held = np.random.default_rng(0).random(len(known)) < 0.1
    best = (-1.0, 0.0)
    for strength in (30.0, 300.0, 3000.0):
        inner = gram[~held][:, ~held] + strength * np.eye((~held).sum())
        told = gram[held][:, ~held] @ np.linalg.solve(inner, targets[~held])
        best = max(best, (float((told.argmax(1) == kinds[held]).mean()), strength))
    weight = np.linalg.solve(gram + best[1] * np.eye(len(known)), targets)
    return np.asarray((cross @ weight).argmax(1))


def parts_of(things: int, model: PointNet) -> dict[str, Any]:
    """Mean IoU of the parts of made things, beside what needs no network."""
    places, parts, kinds = clouds(things, POINTS, TEST)
    told, kind = parted(model, places, kinds)
    known = clouds(things, POINTS, LEARNED)
    found: dict[str, Any] = {
        "of": f"{things} made things with {POINTS} points each, seed {TEST}; mean IoU by kind; "
        f"the kind itself is told right of {float((kind == kinds).mean()):.1%}"
    }
    found["avtool"] = part_iou(told, parts, kinds)
    found["by height alone"] = part_iou(_by_height(known, places, kinds, 24), parts, kinds)
    found["the kind's commonest part"] = part_iou(_by_height(known, places, kinds, 1), parts, kinds)
    mixed = np.random.default_rng(0).permuted(places, axis=1)
    found["avtool, points in random places (control)"] = part_iou(
        parted(model, np.stack([_scattered(p, n) for n, p in enumerate(mixed)]), kinds)[0],
        parts,
        kinds,
    )
    return found


def _scattered(cloud: Array, seed: int) -> Array:
    """Each coordinate in an order of its own: the same box, no shape."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(cloud[:, axis]) for axis in range(3)], 1)


def _by_height(known: tuple[Array, ...], places: Array, kinds: Array, bins: int) -> Array:
    """The commonest part of the kind at a point's height in its thing: int [n, points]."""
    counts = np.zeros((len(KINDS), bins, max(map(len, PARTS.values()))))
    floors = _floors(known[0], bins)
    np.add.at(counts, (known[2][:, None], floors, known[1]), 1)
    return np.asarray(counts.argmax(-1)[kinds[:, None], _floors(places, bins)])


def _floors(places: Array, bins: int) -> Array:
    z = places[..., 2]
    low, high = z.min(1, keepdims=True), z.max(1, keepdims=True)
    return np.minimum((bins * (z - low) / (high - low)).astype(int), bins - 1)
