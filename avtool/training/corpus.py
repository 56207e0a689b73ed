"""What the sound networks learn from: readers and noises, split once, packed into one file.

The data folder holds LibriSpeech (``librispeech/speakers.csv`` and its files), GRID
(``grid/s1``) and ESC-10 (``esc10/labels.csv``), and where it has them, spoken commands, Arabic
words, kitchen noise (``speech``) and rooms' impulse responses (``rooms``); see the model cards for
their licences.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from avtool import media
from avtool.media import Spec
from avtool.models.speaker import Speaker
from avtool.signal.pitch import pitch
from avtool.values import Array

RATE = 16_000
TEST_READERS, VALID_READERS = 15, 5  # of each sex
GRID_CLIPS = 200  # one man more; more of him would be too much of him
ALIKE = 0.9  # cosine of two voices' vectors, above which they may be one speaker's
HIGH_HZ = 165.0  # median pitch that parts most women's voices from most men's


@dataclass(frozen=True)
class Recording:
    """One recording: ``samples`` float32 [time] at 16 kHz."""

    speaker: str  # or the kind of noise
    sex: str  # F, M; "" for noise
    split: str  # train, valid, test; "room": an impulse response
    samples: Array


def splits(rows: list[dict[str, str]]) -> dict[str, str]:
    """Which readers are kept out: the 15 smallest speaker numbers of each sex, then 5 to tune on.

    >>> rows = [{"speaker": str(n), "sex": sex} for n in range(100) for sex in "FM"]
    >>> found = splits(rows)
    >>> found["14"], found["15"], found["19"], found["20"]
    ('test', 'valid', 'valid', 'train')
    """
    found = {}
    for sex in "FM":
        numbers = sorted(int(row["speaker"]) for row in rows if row["sex"] == sex)
        for place, number in enumerate(numbers):
            kept = "valid" if place < TEST_READERS + VALID_READERS else "train"
            found[str(number)] = "test" if place < TEST_READERS else kept
    return found


def recordings(data: Path, sounds: str = "") -> Iterator[Recording]:
    """All recordings of the data folder, decoded, or only its "readers" or its "noises"."""
    if sounds != "noises":
        yield from _readers(data)
    if not sounds:
        for path in sorted((data / "grid" / "s1").glob("*.mp4"))[:: 1000 // GRID_CLIPS]:
            yield Recording("grid-s1", "M", "train", decoded(path))
    if sounds != "readers":
        yield from _noises(data)


def _readers(data: Path) -> Iterator[Recording]:
    with (data / "librispeech" / "speakers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    kept = splits(rows)
    for row in rows:
        path = next((data / "librispeech").rglob(row["file"]))
        yield Recording(row["speaker"], row["sex"], kept[row["speaker"]], decoded(path))


def _noises(data: Path) -> Iterator[Recording]:
    with (data / "esc10" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        path = next((data / "esc10").rglob(row["file"]))
        yield Recording(row["label"], "", "test" if row["fold"] == "5" else "train", decoded(path))


def decoded(path: Path) -> Array:
    """A file's sound as one channel at 16 kHz, float32 [time]."""
    audio = media.open(path).clip(Spec(audio=True, rate=RATE)).audio
    assert audio is not None
    return audio.samples[0]


def sized(sound: Array, length: int) -> Array:
    """[time], cut or filled with silence to a length."""
    return np.pad(sound, (0, max(0, length - len(sound))))[:length]


def more_readers(items: Iterable[Recording], seed: int = 0) -> Iterator[Recording]:
    """The recordings, and after each reader's to learn from, the same by two other throats."""
    from avtool.training.voice_conversion import LIKE, other_voices

    rng = np.random.default_rng(seed)
    for item in items:
        yield item
        if item.sex and item.split == "train" and item.speaker.isdecimal():
            for n, voice in enumerate(other_voices(rng, item.samples, (LIKE, LIKE), 420.0), 1):
                yield Recording(f"{item.speaker}+{n}", item.sex, item.split, voice)


def more_speakers(data: Path) -> Iterator[Recording]:
    """Speech besides the readers', kitchen noise, and impulse responses, as the folder has them.

    The commands' speakers have no names: a clip joins the first speaker whose voice is like its
    own. Sexes are guessed by pitch; they only decide which voices are mixed as alike.
    """
    folder = data / "speech"
    for path in sorted((folder / "arabic").glob("*.opus")):
        sound = decoded(path)
        yield Recording(path.stem, _sex(sound), "train", sound)
    known: list[Array] = []
    for path in sorted((folder / "picovoice").glob("*.opus")):
        sound = decoded(path)
        vector = _voice_vector(sound)
        alike = [float(each @ vector) for each in known]
        number = int(np.argmax(alike)) if alike and max(alike) > ALIKE else len(known)
        if number == len(known):
            known.append(vector)
        yield Recording(f"command-{number}", _sex(sound), "train", sound)
    if (folder / "kitchen-noise.opus").exists():
        yield Recording("kitchen", "", "train", decoded(folder / "kitchen-noise.opus"))
    for path in sorted((data / "rooms").glob("*.flac")):
        response = decoded(path)
        yield Recording(path.stem, "", "room", response / np.abs(response).max())


def _sex(sound: Array) -> str:
    hz = pitch(sound[: 10 * RATE], RATE)[0]
    return "F" if hz.any() and np.median(hz[hz > 0]) > HIGH_HZ else "M"


def _voice_vector(sound: Array) -> Array:
    import torch

    from avtool.models import weights
    from avtool.models.speaker import windows

    speaker = weights.load(Speaker)
    with torch.inference_mode():
        power = speaker.power(torch.from_numpy(sound)[None])[0]
        vector = speaker(windows(power)).mean(0)
        found: Array = (vector / vector.norm()).numpy()
    return found


def pack(items: Iterable[Recording], out: Path) -> None:
    """Write what may be learned from and tuned on to one small file: Vorbis in npz, no pickle."""
    facts, sounds = [], []
    for item in items:
        if item.split == "test":
            continue
        facts.append((item.speaker, item.sex, item.split))
        sounds.append(vorbis(item.samples))
    ends = np.cumsum([len(sound) for sound in sounds])
    with out.open("wb") as packed:
        np.savez(packed, facts=np.array(facts), ends=ends, sounds=np.concatenate(sounds))


def vorbis(samples: Array) -> Array:
    """A sound at 16 kHz, float32 [time], as the bytes of an Ogg file, uint8 [bytes]."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", RATE, 1, "VORBIS", format="OGG") as file:
        for first in range(0, len(samples), RATE):  # libsndfile fails on long writes
            file.write(samples[first : first + RATE])
    return np.frombuffer(buffer.getvalue(), np.uint8)


def load(path: Path) -> list[Recording]:
    """The recordings of a packed file."""
    with np.load(path) as file:
        facts, ends, sounds = file["facts"], file["ends"], file["sounds"]
    found = []
    for (speaker, sex, split), part in zip(facts, np.split(sounds, ends[:-1]), strict=True):
        samples, _ = soundfile.read(io.BytesIO(part.tobytes()), dtype="float32")
        found.append(Recording(str(speaker), str(sex), str(split), samples))
    return found
