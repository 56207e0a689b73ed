"""How near separated voices come to the true ones, beside what needs no lips, and a control."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from avtool import media
from avtool.batch.jobs import videos
from avtool.cli.terminal import say
from avtool.errors import InputError
from avtool.face import Track
from avtool.face.lip_points import lip_window, opening
from avtool.media import Spec
from avtool.metrics import separation as metric
from avtool.pipelines.separate.pipeline import SPEC, Options, run
from avtool.signal.resample import at_rate
from avtool.speakers import separation as hearing
from avtool.speakers.tracks import find
from avtool.values import FRAME_SAMPLES, RATE, Array

COLUMNS = ("SI-SDR", "SI-SDRi", "SDR", "STOI", "right voice")


Row = tuple[float, ...]  # of one face, by COLUMNS


def means(rows: Sequence[Row]) -> dict[str, float]:
    """The mean of each column."""
    found = np.mean(rows, 0)
    return {name: round(float(x), 3) for name, x in zip(COLUMNS, found, strict=True)}


def report(inputs: Sequence[str], *, weights: str | None, as_json: bool) -> None:
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
        say.data(json.dumps({"videos": count, **table}))
        return
    say.data(f"{count} videos, {len(found['mixture'])} faces; dB, mean over faces")
    say.data(f"{'':24}" + "".join(f"{name:>13}" for name in COLUMNS))
    for way, score in table.items():
        say.data(f"{way:24}" + "".join(f"{score[name]:13.2f}" for name in COLUMNS))


def _pairs(inputs: Sequence[str]) -> Iterator[tuple[Path, list[Path]]]:
    for text in inputs:
        for video in videos(Path(text)):
            truths = sorted(video.parent.glob(f"{video.stem}.face*.wav"))
            if len(truths) > 1 and video.suffix != ".wav":
                yield video, truths


def measure(
    video: Path, truths: Sequence[Path], weights: str | None = None
) -> dict[str, list[Row]]:
    """Scores of each face, by the way its voice was found: ours, and what it must beat."""
    source = media.open(video)
    clip = source.clip(SPEC)
    audio = clip.audio
    assert audio is not None
    true = np.stack([_true(path) for path in truths])
    tracks, models = find(clip), hearing.load(weights)
    length = true.shape[1]
    mixture = at_rate(audio.samples, audio.rate, RATE, length).mean(0)

    def voices(seen: Sequence[Track], blind: bool = False) -> Array:
        options = Options(weights=weights, blind=blind)
        result = run(clip, options, tracks=seen, models=models)
        given = []
        for number in range(1, len(true) + 1):
            voice = result.voices.get(number)
            sound = np.zeros((1, length), np.float32) if voice is None else voice.samples
            given.append(at_rate(sound, audio.rate, RATE, length).mean(0))
        return np.stack(given)

    ours = voices(tracks)
    found = {"avtool": _rows(ours, true, mixture)}
    found["mixture"] = _rows(np.stack([mixture] * len(true)), true, mixture)
    # Voices of a separator that sees no lips, given to faces by the network of lips and voices, or
    # by how lip opening goes with loudness.
    parted = voices(tracks, blind=True)
    found["blind, lip-voice match"] = _rows(parted, true, mixture)
    found["blind, lip opening"] = _rows(parted[_by_opening(tracks, parted)], true, mixture)
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
        lips, _ = lip_window(track, 0, frames)
        scores[row] = [_correlation(opening(lips), each) for each in loud]
    return [int(n) for n in metric.permutation(scores.T)]


def _correlation(a: Array, b: Array) -> float:
    spread = float(a.std() * b.std())
    return float(np.mean((a - a.mean()) * (b - b.mean()))) / spread if spread else 0.0


def _true(path: Path) -> Array:
    """A voice as it was before it was mixed, float32 [time] at 16 kHz."""
    audio = media.open(path).clip(Spec(audio=True, rate=RATE)).audio
    assert audio is not None
    return audio.samples[0]
