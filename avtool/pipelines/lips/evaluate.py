"""How near `avtool lips` comes to the real mouth of somebody who talks, and what else would."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from avtool import media
from avtool.batch.jobs import videos
from avtool.cli.terminal import say
from avtool.errors import InputError
from avtool.face import LIPS
from avtool.face.lip_points import opening
from avtool.media import Clip, Spec
from avtool.metrics.lips import correlation, lag, landmark_distance
from avtool.pipelines.lips.model import LipMotion
from avtool.pipelines.lips.pipeline import Options, load, said
from avtool.pipelines.lips.speech_to_motion import gap, loudness
from avtool.pipelines.lips.video_face import meshes
from avtool.speakers.tracks import find
from avtool.values import FPS, RATE, Array

WATCHED = Spec(audio=True, frames=True, rate=RATE, fps=Fraction(FPS))
MOST = 0.02  # part of the pictures in which the face may be lost for a moment
LOUD, BEFORE = 0.6, 2  # of ``loudness``: a word; pictures by which lips are ahead of the first one


@dataclass(frozen=True)
class MouthScore:
    """One way to move a mouth, against the real one: distance over the eyes', r, lag in frames.

    Args:
        talking: r from the first word on, without the breath before it.
    """

    distance: float
    r: float
    talking: float
    lag: float


def real(clip: Clip) -> Array | None:
    """The motion of a talking face's lips, float32 [frames, 40, 2], away from its closed mouth.

    None where there is not one face all the time.
    """
    tracks = find(clip)
    if len(tracks) != 1 or clip.frames is None:
        return None
    own = meshes(clip.frames, tracks[0])[:, list(LIPS)]
    seen = np.flatnonzero(np.isfinite(own[:, 0, 0]))
    if len(seen) < (1 - MOST) * len(own):
        return None
    near = seen[np.abs(seen[:, None] - np.arange(len(own))).argmin(0)]
    own = own[near]
    rest = own[np.argsort(opening(own))[: max(1, len(own) // 5)]].mean(0)
    moved: Array = (own - rest)[..., :2]
    return moved


def mouths(clip: Clip, model: LipMotion) -> dict[str, MouthScore]:
    """The real mouth of a clip against ours and what needs no network; empty where none is."""
    true = real(clip)
    if true is None or clip.audio is None:
        return {}
    moved = said(clip, model)
    points = moved.lips(moved.at(np.arange(len(true)) / FPS))
    wide = moved.shapes[0, list(LIPS), :2]
    wide = wide * np.sign(gap(wide))
    loud = loudness(clip.audio, len(true))
    ways = {
        "avtool": points,
        "closed": np.zeros_like(true),
        "mean mouth": np.broadcast_to(wide, true.shape),
        "loudness": loud[:, None, None] * wide,
    }
    begins = max(0, int(np.argmax(loud > LOUD)) - BEFORE)
    return {way: compared(each, true, begins) for way, each in ways.items()}


def compared(points: Array, true: Array, begins: int = 0) -> MouthScore:
    """Lips [frames, 40, 2] against the real ones; the first word begins at a frame."""
    ours, theirs = gap(points), gap(true)
    r, talking = correlation(ours, theirs), correlation(ours[begins:], theirs[begins:])
    return MouthScore(landmark_distance(points, true), r, talking, lag(ours, theirs) if r else 0)


def summary(rows: Sequence[MouthScore], beside: Sequence[MouthScore]) -> dict[str, float]:
    """Means over videos: distance in % of the eyes', how much under another way, r, lag."""
    distance = float(np.mean([row.distance for row in rows]))
    other = float(np.mean([row.distance for row in beside]))
    return {
        "distance": round(100 * distance, 2),
        "under loudness": round(100 * (1 - distance / other), 1),
        "r": round(float(np.mean([row.r for row in rows])), 3),
        "r talking": round(float(np.mean([row.talking for row in rows])), 3),
        "lag": round(float(np.mean([row.lag for row in rows])), 2),
    }


def report(inputs: Sequence[str], *, weights: str | None, as_json: bool) -> None:
    """Measure `avtool lips` on videos of one talking face; prints a table.

    Raises:
        InputError: no such video is there.
    """
    rows: dict[str, list[MouthScore]] = {}
    count, model = 0, load(Options(weights=weights))
    for path in [path for text in inputs for path in videos(Path(text))]:
        source = media.open(path)
        if not (source.info.audio and source.info.video):
            continue
        found = mouths(source.clip(WATCHED), model)
        count += bool(found)
        for way, mouth in found.items():
            rows.setdefault(way, []).append(mouth)
    if not count:
        raise InputError(f"{', '.join(inputs)}: no video with sound shows one face all the time")
    scores = {way: summary(each, rows["loudness"]) for way, each in rows.items()}
    if as_json:
        say.data(json.dumps({"videos": count, **scores}))
        return
    say.data(f"{count} videos; landmark distance in % of the eyes', one gain a video")
    names = ("distance", "under loudness", "r", "r talking", "lag")
    say.data(f"{'':14}" + "".join(f"{name:>16}" for name in names))
    for way, score in scores.items():
        say.data(f"{way:14}" + "".join(f"{score[name]:16.2f}" for name in names))
