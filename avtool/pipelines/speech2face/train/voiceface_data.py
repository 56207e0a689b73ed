"""What the voice encoder learns from: voices and whose they are, made or real, in one file."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch

from avtool import media
from avtool.pipelines.faces import pipeline as faces
from avtool.pipelines.lips.train.lipmotion_data import VIDEOS
from avtool.pipelines.speech2face.face_model import Face
from avtool.pipelines.speech2face.train.ageing import CHILD, SPREAD, aged
from avtool.pipelines.speech2face.train.face import seen
from avtool.signal.voice_features import measure
from avtool.speakers.tracks import find
from avtool.training import corpus
from avtool.training.corpus import RATE
from avtool.training.mixtures import Mixer, MixtureConfig, Room
from avtool.training.voice_conversion import Parts, analyse
from avtool.values import Array

TAKES, VARIANTS = 2, 4  # parts of each reader's words, and how many others say each
AGES, OFTEN = ((8, 16), (16, 62), (62, 85)), (0.12, 0.63, 0.25)  # years, and how often
PIECE = 6 * RATE  # samples of a recording that are one voice
UNTOLD = (np.nan, np.nan, np.nan)  # sex, age and tract of real people
TRUST = 0.7  # in one recording's measure of a tract


@dataclass(frozen=True, eq=False)
class Item:
    """One voice: ``person`` is sex (0 female, 1 male), age, tract, nan where not known."""

    reader: str
    split: str
    person: tuple[float, float, float]
    sound: Array
    face: Array | None = None  # float32 [feature], of a real face


@dataclass(frozen=True, eq=False)
class Voices:
    """Voices and whose they are.

    Shape:
        sounds: float32 [time] each, 16 kHz; person: float32 [n, 3], as an ``Item`` has it;
        face: float32 [n, feature], nan where it is not known.
    """

    sounds: list[Array]
    reader: list[str]
    person: Array
    face: Array

    def split(self, chosen: Array) -> Voices:
        """Those that are chosen, bool [n]."""
        rows = np.flatnonzero(chosen)
        return Voices(
            [self.sounds[row] for row in rows],
            [self.reader[row] for row in rows],
            self.person[rows],
            self.face[rows],
        )


def made_voices(data: Path) -> Iterator[Item]:
    """Readers as they are, and at other ages and with other throats."""
    rng = np.random.default_rng(0)
    readers = [item for item in corpus.recordings(data, "readers") if item.split != "test"]
    own = own_tracts(readers)
    for item in readers:
        man = float(item.sex == "M")
        for first in range(0, max(1, len(item.samples) - PIECE // 2), PIECE):
            part = item.samples[first : first + PIECE]
            yield Item(item.speaker, item.split, (man, np.nan, own[item.speaker]), part)
        for _ in range(TAKES):
            parts = analyse(loud_part(rng, item.samples, 3.5))
            for _ in range(VARIANTS):
                yield made_voice(rng, item, parts, own[item.speaker])


def made_voice(rng: np.random.Generator, item: corpus.Recording, parts: Parts, own: float) -> Item:
    """A reader's words as somebody else's, whose age and tract are drawn."""
    low, high = AGES[rng.choice(len(AGES), p=OFTEN)]
    age, tract, man = float(rng.uniform(low, high)), float(rng.normal()), float(item.sex == "M")
    if age < CHILD:  # a boy or a girl: it cannot be heard, and women say their words
        if man:
            age = float(rng.uniform(16, 85))
        else:
            man = float(rng.random() < 0.5)
    sound = aged(rng, parts, item.sex, age, tract)
    return Item(item.speaker, item.split, (man, age, own + tract), sound)


def own_tracts(readers: Sequence[corpus.Recording]) -> dict[str, float]:
    """How long readers' vocal tracts are for their sex, as measured, in ``ages.SPREAD``."""
    found: dict[str, float] = {}
    for sex in "FM":
        those = [item for item in readers if item.sex == sex]
        lengths = np.log([measure(item.samples, RATE).tract_length for item in those])
        away = (lengths - np.nanmedian(lengths)) / SPREAD * TRUST
        found |= dict(zip([item.speaker for item in those], np.nan_to_num(away), strict=True))
    return found


def loud_part(rng: np.random.Generator, sound: Array, seconds: float) -> Array:
    """A part of a sound that is not quiet, [time]."""
    length = round(seconds * RATE)
    if len(sound) <= length:
        return sound
    power = np.cumsum(np.concatenate([[0], sound.astype(np.float64) ** 2]))
    power = power[length:] - power[:-length]
    first = int(rng.choice(np.flatnonzero(power > 0.5 * power.max())))
    return sound[first : first + length]


def video_voices(folder: Path, face: Face) -> Iterator[Item]:
    """Voices and real faces of videos in which one person is seen and heard.

    A person is a folder of videos inside the folder, or a video that lies in it.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEOS)
    names = [path.parent.name if path.parent != folder else path.stem for path in files]
    people = sorted(set(names))
    kept = people[-max(1, len(people) // 10) :]  # to tune on
    for path, person in zip(files, names, strict=True):
        source = media.open(path)
        if not (source.info.audio and source.info.video):
            continue
        tracks = find(source.clip(faces.SPEC))
        if len(tracks) != 1:
            continue
        picture = seen(tracks[0].portrait, np.array([30, 30, 130, 140]))
        if picture is None:
            continue
        with torch.inference_mode():
            feature = face.recognise(torch.from_numpy(picture)[None])[0].numpy()
        sound = corpus.decoded(path)
        for first in range(0, max(1, len(sound) - PIECE // 2), PIECE):
            part = sound[first : first + PIECE]
            yield Item(person, "valid" if person in kept else "train", UNTOLD, part, feature)


def write(out: Path, items: Iterable[Item], noises: Iterable[corpus.Recording], size: int) -> None:
    """Voices, then noises, to one small file: Vorbis in npz, no pickle."""
    rows: list[tuple[str, str, Array, Array]] = []
    sounds: list[Array] = []
    for item in items:
        sounds.append(corpus.vorbis(item.sound))
        feature = np.full(size, np.nan) if item.face is None else item.face
        rows.append((item.reader, item.split, np.array(item.person), feature))
    for noise in noises:
        if noise.split == "train":
            sounds.append(corpus.vorbis(noise.samples))
    with out.open("wb") as file:
        np.savez(
            file,
            reader=np.array([row[0] for row in rows]),
            split=np.array([row[1] for row in rows]),
            person=np.array([row[2] for row in rows], np.float32),
            face=np.array([row[3] for row in rows], np.float32),
            sounds=np.concatenate(sounds),
            ends=np.cumsum([len(sound) for sound in sounds]),
        )


def load(path: Path) -> tuple[dict[str, Voices], list[corpus.Recording]]:
    """Voices to learn from and to tune on, and noises."""
    with np.load(path) as file:
        held = {name: file[name] for name in file.files}
    parts = np.split(held["sounds"], held["ends"][:-1])
    sounds = [soundfile.read(io.BytesIO(part.tobytes()), dtype="float32")[0] for part in parts]
    count = len(held["reader"])
    voices = Voices(sounds[:count], list(held["reader"]), held["person"], held["face"])
    noises = [corpus.Recording("noise", "", "train", sound) for sound in sounds[count:]]
    return {name: voices.split(held["split"] == name) for name in ("train", "valid")}, noises


def elsewhere(rng: np.random.Generator, sound: Array, mixer: Mixer) -> Array:
    """The same voice in another room, over a telephone, under noise, at another level."""
    if rng.random() < 0.3:
        sound = Room(rng).heard(rng, sound)
    if rng.random() < 0.5:
        noise = mixer.noise(rng, len(sound), MixtureConfig(noise_level=(0.0, 0.0)))
        level = np.sqrt(np.mean(sound**2) / max(float(np.mean(noise**2)), 1e-12))
        sound = sound + noise * np.float32(level * 10 ** (-rng.uniform(2, 30) / 20))
    if rng.random() < 0.25:
        sound = telephone(sound, rng.uniform(200, 400), rng.uniform(3000, 3800))
    return np.asarray(sound * np.float32(10 ** rng.uniform(-1.5, 0.3)), np.float32)


def telephone(sound: Array, low: float = 300.0, high: float = 3400.0) -> Array:
    """What goes through a telephone's band, float32 [time]."""
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1 / RATE)
    gain = 1 / (1 + (low / np.maximum(hz, 1)) ** 8) / (1 + (hz / high) ** 12)
    return np.fft.irfft(spectrum * gain, len(sound)).astype(np.float32)


def music(rng: np.random.Generator, length: int) -> Array:
    """Made music: chords, a melody and drums, float32 [length]."""
    times = np.arange(length) / RATE
    out = np.zeros(length)
    beat = rng.uniform(0.15, 0.6)
    root = rng.uniform(80, 300)
    scale = 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16]) / 12)
    tilt, drums = rng.uniform(0.8, 2.5), rng.uniform(0, 0.5)
    for first in np.arange(0, length / RATE, beat):
        here = times - first
        shape = np.where(here >= 0, np.exp(-here / rng.uniform(0.1, 1.0)), 0)
        shape *= np.minimum(1, here.clip(0) / rng.uniform(0.003, 0.08))
        for note in rng.choice(scale, rng.integers(1, 4), replace=False):
            for harmonic in range(1, 9):
                if root * note * harmonic < 7600:
                    turn = 2 * np.pi * root * note * harmonic * here + rng.uniform(0, 6)
                    out += shape * np.sin(turn) * harmonic**-tilt
        if rng.random() < 0.6:
            blow = np.where(here >= 0, np.exp(-here / 0.05), 0)
            out += drums * blow * rng.standard_normal(length)
    return np.asarray(0.1 * out / np.abs(out).max(), np.float32)


def speaking(sound: Array, frames: int) -> Array:
    """Where a clean voice speaks, a frame each 20 ms: 1, 0, or -1 where it cannot be said."""
    power = np.square(np.pad(sound, (160, 320 * frames))[: 320 * frames].reshape(frames, 320))
    level = 10 * np.log10(power.mean(1) + 1e-9)
    under = level - np.quantile(level, 0.95)
    near = np.lib.stride_tricks.sliding_window_view(np.pad(under, 4, mode="edge"), 9).max(1)
    return np.where(under > -25, 1.0, np.where(near < -35, 0.0, -1.0)).astype(np.float32)
