"""How good faces for voices are: of the right sex, as sure as they are right, found again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from avtool import media
from avtool.cli.terminal import say
from avtool.errors import InputError
from avtool.media import Clip
from avtool.metrics.calibration import calibration_error
from avtool.metrics.retrieval import retrieval
from avtool.pipelines.speech2face import pipeline as imagining
from avtool.values import Array, Audio


def report(table: str, *, weights: str | None, as_json: bool) -> None:
    """Run `avtool eval speech2face`; returns the exit code.

    Raises:
        InputError: the table cannot be read, or names no file that is there.
    """
    rows = _recordings(Path(table))
    models = imagining.load(imagining.Options(weights=weights))
    said, halves = [], []
    for path, _ in rows:
        sound = media.open(path).clip(imagining.SPEC).audio
        assert sound is not None
        samples = sound.samples.mean(0)
        parts = samples, samples[: len(samples) // 2], samples[len(samples) // 2 :]
        whole, one, two = (imagining.listen(_clip(path, part), models) for part in parts)
        said.append(imagining.report(whole)["sex"]["male"])
        halves.append((one.feature, two.feature))
    true = np.array([sex == "M" for _, sex in rows])
    ones, twos = (np.array(each) for each in zip(*halves, strict=True))
    ones /= np.linalg.norm(ones, axis=1, keepdims=True)
    twos /= np.linalg.norm(twos, axis=1, keepdims=True)
    at = [k for k in (1, 5, 10) if k <= len(rows)]
    found: dict[str, float] = {
        "voices": len(rows),
        "sex": float(((np.array(said) > 0.5) == true).mean()),
        "sex, the commoner for all": float(max(true.mean(), 1 - true.mean())),
        "calibration error": calibration_error(np.array(said), true),
    }
    for k, share in zip(at, retrieval(ones @ twos.T, at), strict=True):
        found[f"other half, R@{k}"] = share
        found[f"other half, R@{k}, chance"] = k / len(rows)
    found = {name: round(float(value), 4) for name, value in found.items()}
    if as_json:
        say.data(json.dumps(found))
    else:
        for name, value in found.items():
            say.data(f"{name:28}{value:10.4g}")


def _recordings(table: Path) -> list[tuple[Path, str]]:
    """Recordings and sexes, by a table of file and sex; files lie beside the table or below."""
    try:
        with table.open(newline="") as file:
            rows = [(row["file"], row["sex"]) for row in csv.DictReader(file)]
    except OSError as error:
        raise InputError(f"{table}: cannot be read ({error.strerror})") from error
    except (KeyError, csv.Error) as error:
        raise InputError(f"{table}: is no table with the columns file and sex (F or M)") from error
    below = {path.name: path for path in table.parent.rglob("*") if path.is_file()}
    found = [(below[Path(name).name], sex) for name, sex in rows if Path(name).name in below]
    if not found:
        raise InputError(f"{table}: none of its files lies beside it")
    return found


def _clip(path: Path, samples: Array) -> Clip:
    return Clip(path.name, Audio.of(samples, imagining.RATE), None, None)
