"""Lips and voices to learn the lip-voice match from, packed into one file.

Real lips are rare: one GRID speaker (``grid/s1``) and one performer's face controls
(``mouths/facegood``). Speech without pictures is not: the lip motion network
(``lips.model``) makes the lips for LibriSpeech, spoken commands and Arabic words
(``librispeech``, ``speech/picovoice``, ``speech/arabic``). What is not in the data folder is left
out.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avtool import media
from avtool.face import LIPS
from avtool.face.lip_points import lip_window, opening
from avtool.head.model import UNITS
from avtool.models import weights
from avtool.models.lipvoice import FPS, FRAME_SAMPLES, RATE
from avtool.pipelines.faces import pipeline as faces
from avtool.pipelines.lips import speech_to_motion as speech
from avtool.pipelines.lips.model import LipMotion
from avtool.speakers.tracks import find
from avtool.training import corpus
from avtool.values import Array, Audio

FRAMES = 75  # of a clip
CONTROLS_FPS = 30  # of the performer's curves
VALID = 100  # clips of s1 that are not learned from, the last ones
KEPT = {"s1": VALID, "performer": 60, "words": 80}  # likewise
SOURCES = ("s1", "performer", "readers", "commands", "words")


@dataclass(frozen=True, eq=False)
class Clips:
    """Talking mouths of one source.

    Shape:
        lips: float [clips, frames, 40, 3], in head coordinates; sound: int16 or float32
        [clips, voices, time] at 16 kHz, first the clip's own voice, then the same words converted
        to other voices.
    """

    lips: Array
    sound: Array

    def voice(self, clip: int, row: int) -> Array:
        """One voice of one clip, float32 [time]."""
        sound: Array = self.sound[clip, row]
        return sound if sound.dtype == np.float32 else sound * np.float32(1 / 32767)


@dataclass(frozen=True, eq=False)
class Data:
    """What is learned from, by source, and what is tuned on; noises and voices to cover it."""

    train: dict[str, Clips]
    valid: dict[str, Clips]
    noises: list[Array]
    others: list[Array]


Clip = tuple[Array, Array]  # lips float32 [frames, 40, 3], sound float32 [voices, time]


def filmed(path: Path, seed: int) -> list[Clip]:
    """A video of one person: the lips that were seen, and three voices."""
    from avtool.training.voice_conversion import other_voices

    clip = media.open(path).clip(faces.SPEC)
    tracks = find(clip)
    if len(tracks) != 1 or clip.audio is None:
        return []
    own = corpus.sized(clip.audio.samples[0], FRAMES * FRAME_SAMPLES)
    voices = np.concatenate([own[None], other_voices(np.random.default_rng(seed), own)])
    return [(lip_window(tracks[0], 0, FRAMES)[0], voices)]


def performed(path: Path, seed: int) -> list[Clip]:
    """A performer's recording: her face controls as lips, and three voices."""
    from avtool.training.voice_conversion import other_voices

    with np.load(path.with_name("curves.npz")) as file:
        names, curves = [str(name) for name in file["names"]], file[path.stem].astype(np.float32)
    amounts = np.zeros((len(curves), len(UNITS)), np.float32)
    with path.with_name("controls-to-units.tsv").open(newline="") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            control = curves[:, names.index(row["control"])]
            amounts[:, UNITS.index(row["unit"])] += control * float(row["weight"])
    units = weights.load(LipMotion).units.numpy()[:, list(LIPS)]
    sound = corpus.decoded(path)
    count = min(len(sound) // FRAME_SAMPLES, int(len(amounts) * FPS / CONTROLS_FPS))
    times = np.arange(count) * CONTROLS_FPS / FPS
    low = np.minimum(times.astype(int), len(amounts) - 2)
    part = (times - low)[:, None]
    at = amounts[low] * (1 - part) + amounts[low + 1] * part
    lips = np.tensordot(at.clip(0, 1), units, 1).astype(np.float32)
    rng = np.random.default_rng(seed)
    return [
        (seen, np.concatenate([own[None], other_voices(rng, own, highest=420.0)]))
        for seen, own in windows(lips, sound)
    ]


def spoken(sound: Array, seed: int) -> list[Clip]:
    """Speech that nobody filmed: lips made for it, and its own voice."""
    motion = speech.motion(Audio.of(sound, RATE), weights.load(LipMotion))
    amounts = motion.at(np.arange(len(sound) // FRAME_SAMPLES) / FPS)
    shapes = motion.shapes[:, list(LIPS)]
    lips = np.tensordot(amounts, shapes, 1).astype(np.float32)
    return [(seen, own[None]) for seen, own in windows(lips, sound)]


def windows(lips: Array, sound: Array) -> Iterator[Clip]:
    """Pieces of a clip's length; the last one ends where the recording does."""
    firsts = list(range(0, len(lips) - FRAMES + 1, FRAMES))
    if firsts and len(lips) - firsts[-1] - FRAMES >= FRAMES // 3:
        firsts.append(len(lips) - FRAMES)
    for first in firsts:
        begin = first * FRAME_SAMPLES
        yield (
            lips[first : first + FRAMES],
            corpus.sized(sound[begin : begin + FRAMES * FRAME_SAMPLES], FRAMES * FRAME_SAMPLES),
        )


def pack(data: Path, out: Path) -> None:
    """Write lips and voices of all sources to one file, no pickle; a process a core."""
    opus = lambda *folder: sorted(data.joinpath(*folder).glob("*.opus"))  # noqa: E731
    arrays: dict[str, Any] = {}
    items = list(corpus.recordings(data))
    with ProcessPoolExecutor(initializer=torch.set_num_threads, initargs=(1,)) as pool:

        def keep(name: str, work: Callable[..., list[Clip]], given: Sequence[object]) -> None:
            found = pool.map(work, given, range(len(given)), chunksize=4)
            clips = [clip for each in found for clip in each]
            if clips:
                arrays[f"{name}.lips"] = np.stack([lips for lips, _ in clips]).astype(np.float16)
                arrays[f"{name}.sound"] = np.stack([_bytes(sound) for _, sound in clips])

        for split, name in (("train", "readers"), ("valid", "readers-valid")):
            keep(name, spoken, [i.samples for i in items if i.sex and i.split == split])
        keep("commands", spoken, [corpus.decoded(path) for path in opus("speech", "picovoice")])
        keep("words", spoken, [corpus.decoded(path) for path in opus("speech", "arabic")])
        keep("performer", performed, opus("mouths", "facegood"))
        keep("s1", filmed, sorted((data / "grid" / "s1").glob("*.mp4")))
    learned = [item for item in items if item.split == "train"]
    arrays["noises"] = np.stack(
        [_bytes(corpus.sized(item.samples, 80_000)) for item in learned if not item.sex]
    )
    arrays["others"] = np.stack(
        [_bytes(np.resize(item.samples, 128_000)) for item in learned if item.sex]
    )
    # Made motion starts at a closed mouth of no person: it gets that of the filmed one.
    if "s1.lips" in arrays:
        seen = arrays["s1.lips"].astype(np.float32)
        closed = np.sort(opening(seen), 1)[:, FRAMES // 5, None]
        rest = seen[opening(seen) <= closed].mean(0)
        for name in arrays:
            if name.endswith(".lips") and name != "s1.lips":
                arrays[name] = (arrays[name].astype(np.float32) + rest).astype(np.float16)
    with out.open("wb") as file:
        np.savez(file, **arrays)


def load(path: Path) -> Data:
    """What a packed file holds."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    train, valid = {}, {}
    for name in SOURCES:
        if f"{name}.lips" not in arrays:
            continue
        lips, sound = arrays[f"{name}.lips"], arrays[f"{name}.sound"]
        last = len(lips) - min(KEPT.get(name, 0), len(lips) // 4)
        train[name] = Clips(lips[:last], sound[:last])
        if last < len(lips):
            valid[name] = Clips(lips[last:], sound[last:])
    if "readers-valid.lips" in arrays:
        valid["readers"] = Clips(arrays["readers-valid.lips"], arrays["readers-valid.sound"])
    scale = np.float32(1 / 32767)
    return Data(
        train,
        valid,
        [noise * scale for noise in arrays["noises"]],
        [other * scale for other in arrays["others"]],
    )


def _bytes(sound: Array) -> Array:
    return (np.clip(sound, -1, 1) * 32767).astype(np.int16)
