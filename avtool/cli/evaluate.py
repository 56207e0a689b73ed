"""`avtool eval`: how good is it on files whose truth lies beside them?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from avtool import media
from avtool.cli.jobs import MEDIA_SUFFIXES
from avtool.errors import InputError
from avtool.faces import Track
from avtool.metrics import separation as metric
from avtool.pipelines import faces as looking
from avtool.pipelines import hearing
from avtool.pipelines import separate as separating
from avtool.pipelines.hearing import FRAME_SAMPLES, RATE
from avtool.training import corpus
from avtool.values import Array

COLUMNS = ("SI-SDR", "SI-SDRi", "SDR", "STOI", "right voice")


Row = tuple[float, ...]  # of one face, by COLUMNS


def means(rows: Sequence[Row]) -> dict[str, float]:
    """The mean of each column."""
    found = np.mean(rows, 0)
    return {name: round(float(x), 3) for name, x in zip(COLUMNS, found, strict=True)}


def separation(inputs: Sequence[str], *, weights: str | None, as_json: bool) -> int:
    """Measure `avtool separate` on videos with true voices beside them; prints a table.

    Raises:
        InputError: no video has true voices beside it.
    """
    found: dict[str, list[Row]] = {}
    count = 0
    for video, truths in _pairs(inputs):
        count += 1
        for way, rows in measure(video, truths, weights).items():
            found.setdefault(way, []).extend(rows)
    if not count:
        raise InputError(
            f"{', '.join(inputs)}: no video has its true voices beside it, "
            "as talk.face1.wav and talk.face2.wav beside talk.mp4"
        )
    table = {way: means(rows) for way, rows in found.items()}
    if as_json:
        print(json.dumps({"videos": count, **table}))
        return 0
    print(f"{count} videos, {len(found['mixture'])} faces; dB, mean over faces")
    print(f"{'':24}" + "".join(f"{name:>13}" for name in COLUMNS))
    for way, score in table.items():
        print(f"{way:24}" + "".join(f"{score[name]:13.2f}" for name in COLUMNS))
    return 0


def _pairs(inputs: Sequence[str]) -> Iterator[tuple[Path, list[Path]]]:
    for text in inputs:
        place = Path(text)
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        for video in files:
            if video.suffix.lower() in MEDIA_SUFFIXES:
                truths = sorted(video.parent.glob(f"{video.stem}.face*.wav"))
                if len(truths) > 1 and video.suffix != ".wav":
                    yield video, truths


def measure(
    video: Path, truths: Sequence[Path], weights: str | None = None
) -> dict[str, list[Row]]:
    """Scores of each face, by the way its voice was found: ours, and what it must beat."""
    source = media.open(video)
    clip = source.clip(separating.SPEC)
    audio = clip.audio
    assert audio is not None
    true = np.stack([corpus.decoded(path) for path in truths])
    tracks = looking.find(clip)
    length = true.shape[1]
    mixture = hearing.at_rate(audio.samples, audio.rate, RATE, length).mean(0)

    def voices(seen: Sequence[Track]) -> Array:
        result = separating.run(clip, separating.Options(weights=weights, tracks=seen))
        given = []
        for number in range(1, len(true) + 1):
            voice = result.voices.get(number)
            sound = np.zeros((1, length), np.float32) if voice is None else voice.samples
            given.append(hearing.at_rate(sound, audio.rate, RATE, length).mean(0))
        return np.stack(given)

    ours = voices(tracks)
    found = {"avtool": _rows(ours, true, mixture)}
    found["mixture"] = _rows(np.stack([mixture] * len(true)), true, mixture)
    # The same voices, given to faces by how lip opening goes with loudness.
    found["lip opening, loudness"] = _rows(ours[_by_opening(tracks, ours)], true, mixture)
    # The control: with the faces' lips swapped, the voices must swap too.
    swapped = [
        Track(a.face, b.frames, b.boxes, b.lips, b.scores, a.portrait, a.portrait_frame)
        for a, b in zip(tracks, [*tracks[1:], *tracks[:1]], strict=True)
    ]
    found["faces swapped (control)"] = _rows(voices(swapped), true, mixture)
    return found


def _rows(given: Array, true: Array, mixture: Array) -> list[Row]:
    right = metric.right_voice(given, true)
    rows: list[Row] = []
    for estimate, reference, is_right in zip(given, true, right, strict=True):
        silent = not np.any(estimate)
        score = -30.0 if silent else float(metric.si_sdr(estimate, reference))
        gain = score - float(metric.si_sdr(mixture, reference))
        sdr = -30.0 if silent else float(metric.sdr(estimate, reference))
        rows.append(
            (score, gain, sdr, float(metric.stoi(estimate, reference, RATE)), float(is_right))
        )
    return rows


def _by_opening(tracks: Sequence[Track], voices: Array) -> list[int]:
    """Which voice each face gets where the correlation of opening and loudness chooses."""
    frames = voices.shape[1] // FRAME_SAMPLES
    blocks = voices[:, : frames * FRAME_SAMPLES].reshape(len(voices), frames, -1)
    loud = np.log(np.square(blocks).mean(2) + 1e-8)
    scores = np.zeros((len(voices), len(voices)))
    for row, track in enumerate(tracks[: len(voices)]):
        lips, _ = hearing.lip_window(track, 0, frames)
        opening = hearing.opening(lips)
        scores[row] = [_correlation(opening, each) for each in loud]
    return [int(n) for n in metric.permutation(scores.T)]


def _correlation(a: Array, b: Array) -> float:
    spread = float(a.std() * b.std())
    return float(np.mean((a - a.mean()) * (b - b.mean()))) / spread if spread else 0.0
