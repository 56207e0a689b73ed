"""`avtool eval`: how good is it on files whose truth lies beside them?"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from avtool import media
from avtool.batch.jobs import MEDIA_SUFFIXES
from avtool.errors import InputError
from avtool.face import Track
from avtool.media import Clip
from avtool.metrics import localization as metric_of
from avtool.metrics import separation as metric
from avtool.metrics.faces import calibration_error, retrieval
from avtool.pipelines import cues, hearing
from avtool.pipelines import faces as looking
from avtool.pipelines import lips as speaking
from avtool.pipelines import localize as locating
from avtool.pipelines import separate as separating
from avtool.pipelines import speech2face as imagining
from avtool.pipelines.audit import mean_map, motion_of
from avtool.pipelines.cues import Sight
from avtool.pipelines.hearing import FRAME_SAMPLES, RATE
from avtool.pipelines.mouths import Mouth, mouths, summary
from avtool.speakers.tracks import find
from avtool.training import corpus
from avtool.training.boxes import read_boxes
from avtool.values import Array, Audio

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
        for video in _videos(Path(text)):
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
    tracks, models = find(clip), hearing.load(weights)
    length = true.shape[1]
    mixture = hearing.at_rate(audio.samples, audio.rate, RATE, length).mean(0)

    def voices(seen: Sequence[Track], blind: bool = False) -> Array:
        options = separating.Options(weights=weights, blind=blind)
        result = separating.run(clip, options, tracks=seen, models=models)
        given = []
        for number in range(1, len(true) + 1):
            voice = result.voices.get(number)
            sound = np.zeros((1, length), np.float32) if voice is None else voice.samples
            given.append(hearing.at_rate(sound, audio.rate, RATE, length).mean(0))
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
        lips, _ = hearing.lip_window(track, 0, frames)
        opening = hearing.opening(lips)
        scores[row] = [_correlation(opening, each) for each in loud]
    return [int(n) for n in metric.permutation(scores.T)]


def localize(inputs: Sequence[str], *, boxes: str, as_json: bool) -> int:
    """Measure `avtool localize` on clips whose boxes are known; prints a table.

    Raises:
        InputError: the boxes cannot be read, or no clip has any.
    """
    known = read_boxes(Path(boxes))
    files = [path for text in inputs for path in _videos(Path(text))]
    found: dict[str, list[tuple[float, bool]]] = {}
    clips: list[tuple[Sight, cues.Sound, Array]] = []
    for path in files:
        source = media.open(path)
        if not source.info.video or not source.info.audio:
            continue
        size = (source.info.video[0].width, source.info.video[0].height)
        truth = known.relative(str(path), *size)
        if truth is None or not len(truth):
            continue
        clip = source.clip(locating.SPEC)
        assert clip.audio is not None
        sight = Sight(clip, find(clip), size)
        clips.append((sight, cues.listen(clip.audio), truth))
    if not clips:
        raise InputError(f"{', '.join(inputs)}: no clip with sound has boxes in {boxes}")
    for place, (sight, sound, truth) in enumerate(clips):
        other = clips[(place + 1) % len(clips)][1]
        rows, cols = sight.grid
        x, y = np.arange(cols) - (cols - 1) / 2, np.arange(rows)[:, None] - (rows - 1) / 2
        maps = {
            "avtool": mean_map(locating.locate(sight, sound), sight.grid),
            "another clip's sound": mean_map(locating.locate(sight, other), sight.grid),
            "most motion": motion_of(sight),
            "middle": np.exp(-2 * ((x / cols) ** 2 + (y / rows) ** 2)),
        }
        side = 224  # pixels, as the published scores
        true = metric_of.truth_map(truth * side, side, side, known.agree)
        for way, each in maps.items():
            large = cv2.resize(each.astype(np.float32), (side, side))
            at = np.unravel_index(int(large.argmax()), large.shape)
            hit = metric_of.pointing((at[1] + 0.5, at[0] + 0.5), truth * side)
            found.setdefault(way, []).append((metric_of.ciou(large, true), hit))
    table = {}
    for way, scores in found.items():
        overlap = np.array([score for score, _ in scores])
        table[way] = {
            "cIoU": round(metric_of.success(overlap), 3),
            "AUC": round(metric_of.auc(overlap), 3),
            "pointing": round(float(np.mean([hit for _, hit in scores])), 3),
        }
    if as_json:
        print(json.dumps({"clips": len(clips), **table}))
        return 0
    print(f"{len(clips)} clips; cIoU: part of clips at 0.5 or more, maps cut at their median")
    print(f"{'':24}{'cIoU':>10}{'AUC':>10}{'pointing':>10}")
    for way, row in table.items():
        print(f"{way:24}" + "".join(f"{row[name]:10.3f}" for name in ("cIoU", "AUC", "pointing")))
    return 0


def lips(inputs: Sequence[str], *, weights: str | None, as_json: bool) -> int:
    """Measure `avtool lips` on videos of one talking face; prints a table.

    Raises:
        InputError: no such video is there.
    """
    rows: dict[str, list[Mouth]] = {}
    videos, model = 0, speaking.load(speaking.Options(weights=weights))
    for path in [path for text in inputs for path in _videos(Path(text))]:
        source = media.open(path)
        if not (source.info.audio and source.info.video):
            continue
        found = mouths(source.clip(looking.SPEC), model)
        videos += bool(found)
        for way, mouth in found.items():
            rows.setdefault(way, []).append(mouth)
    if not videos:
        raise InputError(f"{', '.join(inputs)}: no video with sound shows one face all the time")
    scores = {way: summary(each, rows["loudness"]) for way, each in rows.items()}
    if as_json:
        print(json.dumps({"videos": videos, **scores}))
        return 0
    print(f"{videos} videos; landmark distance in % of the eyes', one gain a video")
    names = ("distance", "under loudness", "r", "r talking", "lag")
    print(f"{'':14}" + "".join(f"{name:>16}" for name in names))
    for way, score in scores.items():
        print(f"{way:14}" + "".join(f"{score[name]:16.2f}" for name in names))
    return 0


def speech2face(table: str, *, weights: str | None, as_json: bool) -> int:
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
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:28}{value:10.4g}")
    return 0


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


def _videos(place: Path) -> list[Path]:
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    return [path for path in files if path.suffix.lower() in MEDIA_SUFFIXES]


def _correlation(a: Array, b: Array) -> float:
    spread = float(a.std() * b.std())
    return float(np.mean((a - a.mean()) * (b - b.mean()))) / spread if spread else 0.0
