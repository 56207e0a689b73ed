"""`avtool speech2face`: a plausible face for a voice, and how good such faces are."""

from __future__ import annotations

import csv
from json import dumps
from pathlib import Path
from typing import Any

import numpy as np

from avtool import media
from avtool.cli.batch import Report, Tick, drive
from avtool.cli.jobs import Job, Plan, expanded
from avtool.errors import InputError, MediaError
from avtool.media import Clip
from avtool.metrics.faces import calibration_error, retrieval
from avtool.pipelines import speech2face as imagining
from avtool.save import save, sink_of
from avtool.values import Array, Audio, Mesh, Plausible

SHEET = "faces"  # the second picture's name


def speech2face(
    *,
    inputs: list[str],
    samples: int,
    seed: int,
    weights: str | None,
    formats: list[str] | None,
    out: str | None,
    overwrite: bool,
    strict: bool,
    json: bool,
) -> int:
    """Run `avtool speech2face`; returns the exit code.

    Raises:
        InputError: the inputs or the options do not fit each other.
    """
    if not 1 <= samples <= 64:
        raise InputError(f"--samples {samples}: a sheet has 1 to 64 faces")
    plan = Plan(
        fields=["face"],
        formats=formats or [],
        defaults=["png", "json", "glb", "obj"],
        out=out,
        check=lambda field, suffix: _writable(suffix),
    )
    options = imagining.Options(samples=samples, seed=seed, weights=weights)

    def work(job: Job, tick: Tick) -> Report:
        source = media.open(job.source, name=job.name)
        if not source.info.audio:
            raise MediaError(f"{job.name}: has no sound; give a recording of a voice")
        clip = source.clip(imagining.SPEC, strict=strict)
        found = imagining.run(clip, options)
        face, heard = found.face, found.heard
        pictures = [path for path in job.outputs["face"] if path.suffix in (".png", ".json")]
        meshes = [path for path in job.outputs["face"] if path not in pictures]
        save(face, pictures, name="face", title=job.title)
        save(face, job.outputs.get(SHEET, []), name=SHEET, title=f"who may say {job.title}")
        save(found.mesh, meshes, name="face", title=job.title)
        warnings = [*clip.warnings]
        if heard.voices > 1:
            warnings.append(
                "more than one voice, or much noise, is in it, and the face is for all of it; "
                f"'avtool separate' takes a video's voices apart ({job.name})"
            )
        facts: dict[str, Any] = {key: face.report[key] for key in ("sex", "age", "what")}
        return Report(
            job.name, "done", [str(path) for path in job.paths], warnings=warnings, facts=facts
        )

    with expanded(inputs) as found:
        jobs = [_with_sheet(job, out) for job in plan.jobs(found)]
        return drive(jobs, work, overwrite=overwrite, as_json=json, out=out)


def _writable(suffix: str) -> None:
    if suffix not in (".glb", ".obj"):
        sink_of(Plausible, suffix)
    else:
        sink_of(Mesh, suffix)


def _with_sheet(job: Job, out: str | None) -> Job:
    """The same job; a sheet of faces lies beside the portrait, unless one file was asked for."""
    pictures = [path for path in job.outputs["face"] if path.suffix == ".png"]
    if not pictures or (out and Path(out) == pictures[0]):
        return job
    stem = pictures[0].name.removesuffix(".face.png")
    sheet = pictures[0].with_name(f"{stem}.{SHEET}.png")
    return Job(job.source, job.name, {**job.outputs, SHEET: [sheet]})


def evaluate(table: str, *, weights: str | None, as_json: bool) -> int:
    """Run `avtool eval speech2face`; returns the exit code.

    Raises:
        InputError: the table cannot be read, or names no file that is there.
    """
    rows = _rows(Path(table))
    said, halves = [], []
    for path, _ in rows:
        sound = media.open(path).clip(imagining.SPEC).audio
        assert sound is not None
        samples = sound.samples.mean(0)
        parts = samples, samples[: len(samples) // 2], samples[len(samples) // 2 :]
        whole, one, two = (imagining.listen(_clip(path, part), weights) for part in parts)
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
        print(dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:28}{value:10.4g}")
    return 0


def _rows(table: Path) -> list[tuple[Path, str]]:
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
