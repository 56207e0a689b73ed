"""Which sounds are heard when: the value of `avtool sounds`, and its files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from avtool.save.place import Place
from avtool.save.subtitles import Cue, write_srt
from avtool.values import Array

Span = tuple[float, float]


@dataclass(frozen=True)
class Sound:
    """A sound that is heard from ``start`` to ``end`` seconds.

    Args:
        confidence: mean of its probability meanwhile, 0 to 1.
    """

    kind: str
    group: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True, eq=False)
class Sounds:
    """What is heard, in the order in which it begins.

    Args:
        uncertain: where something is heard, and no kind is likely; silent: where nothing is.
        lanes: by kind, what is heard most of first: its group, and its probability at each look.
        mel: log-mel spectrogram, [columns, bands], from ``start`` to ``end``; drawn only.

    Shape:
        times: float [looks], seconds, each in the middle of ``hop`` seconds.
    """

    WRITERS: ClassVar[Mapping[str, Callable[[Any, Place], None]]]

    sounds: list[Sound]
    uncertain: list[Span]
    silent: list[Span]
    times: Array
    lanes: dict[str, tuple[str, Array]]
    mel: Array
    hop: float
    start: float
    end: float
    threshold: float


def _sounds_json(value: Sounds, place: Place) -> None:
    """Times in seconds; the curve of each kind as drawn."""
    facts = {
        "sounds": [
            {
                "kind": sound.kind,
                "group": sound.group,
                "start": round(sound.start, 2),
                "end": round(sound.end, 2),
                "confidence": round(sound.confidence, 3),
            }
            for sound in value.sounds
        ],
        "uncertain": _rounded(value.uncertain),
        "silent": _rounded(value.silent),
        "hop": value.hop,
        "times": value.times.round(2).tolist(),
        "probability": {
            kind: curve.astype(float).round(3).tolist() for kind, (_, curve) in value.lanes.items()
        },
    }
    with place.path.open("w") as file:
        json.dump(facts, file)
        file.write("\n")


def _rounded(spans: list[Span]) -> list[list[float]]:
    return [[round(start, 2), round(end, 2)] for start, end in spans]


def _sounds_csv(value: Sounds, place: Place) -> None:
    with place.path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["start", "end", "kind", "group", "confidence"])
        for sound in value.sounds:
            times = f"{sound.start:.2f}", f"{sound.end:.2f}"
            writer.writerow([*times, sound.kind, sound.group, f"{sound.confidence:.3f}"])


def _sounds_txt(value: Sounds, place: Place) -> None:
    """A label track of Audacity: start, end, text, with tabs between."""
    with place.path.open("w") as file:
        for sound in value.sounds:
            file.write(f"{sound.start:.6f}\t{sound.end:.6f}\t{sound.kind}\n")


def _sounds_srt(value: Sounds, place: Place) -> None:
    """Subtitles: a cue as long as the same sounds are heard, as [Dog; Speech]."""
    edges = sorted({edge for sound in value.sounds for edge in (sound.start, sound.end)})
    cues: list[Cue] = []
    for start, end in pairwise(edges):
        heard = [sound.kind for sound in value.sounds if sound.start <= start < sound.end]
        if heard:
            cues.append((start, end, f"[{'; '.join(heard)}]"))
    write_srt(cues, place.path)


def _sounds_png(value: Sounds, place: Place) -> None:
    from avtool.pipelines.sounds.draw import draw_sounds

    draw_sounds(value, place.path, place.title)


Sounds.WRITERS = {
    ".json": _sounds_json,
    ".csv": _sounds_csv,
    ".srt": _sounds_srt,
    ".txt": _sounds_txt,
    ".png": _sounds_png,
}
