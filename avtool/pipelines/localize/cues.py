"""What tells where a sound comes from, moment by moment: motion, faces, two channels, and looks.

A ``Sound`` is listened to and ``VisualCues`` are looked at by themselves; ``cue_evidence`` compares
the two, also a sound with pictures that it does not belong to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from avtool.errors import InputError
from avtool.face import Track
from avtool.media import Clip
from avtool.pipelines.features import mel
from avtool.pipelines.localize import stereo as direction
from avtool.pipelines.localize.optical_flow import Field, fields, grid_of, histories, shot
from avtool.pipelines.localize.synchrony import FAR, LAG, sounding, synchrony
from avtool.signal.resample import at_rate
from avtool.speakers.separation import STEP, WINDOW, windows
from avtool.speakers.sync import mouths, voice_of
from avtool.values import FPS, RATE, Array, Audio

if TYPE_CHECKING:
    from avtool.models.lipvoice import LipVoice
    from avtool.pipelines.localize.attention import Attention

SPAN = 101  # frames that are held against the sound at a time
SPOKEN = 19.0  # frames: spread of the window in which a face's evidence adds up
HEARD = 10  # frames of sound whose side is told at a time
SILENT_DB = -65.0  # of full scale, below which nothing is heard
PICTURES = 6  # that a summary shows


@dataclass(frozen=True, eq=False)
class VisualCues:
    """Pictures to look at; what moves in them is found anew each time, and kept nowhere.

    Args:
        clip: whose pictures, at 25 a second.
        size: width, height of the source; the clip's pictures may be smaller.
        shown: (time, picture) of moments spread over the clip; filled at the first look.
    """

    clip: Clip
    tracks: Sequence[Track]
    size: tuple[int, int]
    shown: list[tuple[float, Array]] = field(default_factory=list)

    @property
    def start(self) -> float:
        return self.clip.audio.start if self.clip.audio else 0.0

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of maps."""
        return grid_of(*self.size)

    def fields(self, look: Callable[[int, Array], None] | None = None) -> Iterator[Field]:
        """The motion at each picture (see ``optical_flow``).

        Args:
            look: is shown each picture with its number, before its motion is given.

        Raises:
            InputError: the clip's pictures were not asked for, or there are none.
        """
        if self.clip.frames is None:
            raise InputError(f"{self.clip.name}: its pictures were not asked for")
        count = 0
        images = self._kept(self.clip.frames.images(), not self.shown, look)
        for each in fields(images, *self.size):
            count += 1
            yield each
        if not count:
            raise InputError(f"{self.clip.name}: no picture lies in this part of it")

    def _kept(
        self, images: Iterator[Array], first: bool, look: Callable[[int, Array], None] | None
    ) -> Iterator[Array]:
        gap = max(1, round((self.clip.duration or 10.0) * FPS / PICTURES))
        for number, image in enumerate(images):
            if first and number % gap == gap // 2 and len(self.shown) < PICTURES:
                self.shown.append((self.start + number / FPS, image))
            if look is not None:
                look(number, image)
            yield image


@dataclass(frozen=True, eq=False)
class Sound:
    """A sound that has been listened to.

    Shape:
        mono: a stream of one channel at 16 kHz; moves: float32 [2, frames] of
        ``synchrony``; level: float32 [frames] in dB of full scale; sides: float32
        [frames, 2], place and confidence of ``stereo``.
    """

    mono: Audio
    moves: Array
    level: Array
    sides: Array


@dataclass(frozen=True, eq=False)
class Cues:
    """What each cue says of one moment.

    Shape:
        motion: float32 [rows, columns], agreement of motion with sound, 0 and up; faces:
        float [faces], log-odds that lips and sound belong together, None where a face is not
        seen; boxes: of faces, float [4] in parts of the picture; side: place -1 to 1, confidence;
        attention: float32 [rows, columns], log-odds that a cell looks like the sound, against its
        being elsewhere; None without a network for it.
    """

    frame: int
    motion: Array
    faces: list[float | None]
    boxes: list[Array | None]
    side: tuple[float, float]
    heard: bool
    attention: Array | None = None


def listen(audio: Audio) -> Sound:
    """Listen to a sound; its channels are taken apart where it has two."""
    if audio.rate != RATE:
        audio = Audio.of(at_rate(audio.samples, audio.rate, RATE), RATE)

    mono = audio.mono()
    power, sides = [], []  # type: list[float], list[tuple[float, float]]
    held = np.zeros((audio.channels, 0), np.float32)
    step = RATE // FPS
    for block in audio.blocks():
        held = np.concatenate([held, block], 1)
        while held.shape[1] >= HEARD * step:  # every fifth of a second
            near = held[:, : HEARD * step]
            place = direction.side(near, RATE) if audio.channels == 2 else (0.0, 0.0)
            sides += [place] * 5
            power += _power(near[:, : 5 * step])
            held = held[:, 5 * step :]
    power += _power(held) or [0.0]
    frames = len(power)
    sides = sides or [(0.0, 0.0)]
    ahead = (HEARD - 5) // 2  # a stretch tells of its middle
    sides = ([sides[0]] * ahead + sides + [sides[-1]] * frames)[:frames]
    options = mel.Options(n_fft=512, win=400, hop=160, n_mels=24, fmin=60, top=None)
    levels = mel.run(Clip("sound", mono, None, None), options).mel.values.T
    if not len(levels):  # a track without a sample is silence
        levels = np.full((1, options.n_mels), -100, np.float32)  # dB
    missing = max(0, 4 * frames - len(levels))
    moves = sounding(np.pad(levels, ((0, missing), (0, 0)), "edge"))[:, :frames]
    level = 10 * np.log10(np.array(power, np.float32) + 1e-12)
    return Sound(mono, moves, level, np.array(sides, np.float32))


def _power(block: Array) -> list[float]:
    """Mean square of the channels' mean, a frame each; the last one may be shorter."""
    step = RATE // FPS
    mean = block.mean(0)
    return [float(np.square(mean[k : k + step]).mean()) for k in range(0, len(mean), step)]


class Seen(NamedTuple):
    """What the pictures around one frame say; ``motion`` and ``attention`` as in ``Cues``."""

    frame: int
    motion: Array
    attention: Array | None


def moving(
    sight: VisualCues, sound: Sound, every: int, attention: Attention | None = None
) -> Iterator[Seen]:
    """How each cell's motion, and its looks, agree with the sound, at every so many frames.

    The pictures are read once; those at these frames, and no others, are shown to ``attention``.

    Raises:
        InputError: there are no pictures.
    """
    if attention is None:
        yield from _agreeing(sight, sound, every, sight.fields())
        return
    from avtool.pipelines.localize.attention import sounds_around

    ahead: deque[Array] = deque()  # pictures are seen up to half a span before they are told of
    with closing(sounds_around(sound.mono, every)) as around:

        def look(number: int, image: Array) -> None:
            if number % every == 0:
                ahead.append(attention.log_odds(image, next(around), sight.grid))

        for each in _agreeing(sight, sound, every, sight.fields(look)):
            yield each._replace(attention=ahead.popleft())


def _agreeing(
    sight: VisualCues, sound: Sound, every: int, found: Iterator[Field]
) -> Iterator[Seen]:
    frames = len(sound.level)
    for middle, window, place in _windows(found, every):
        first = middle - place - LAG - FAR
        times = np.arange(first, first + len(window) + 2 * (LAG + FAR))
        heard = sound.moves[:, np.clip(times, 0, frames - 1)]
        agree = synchrony(histories(window, place), place, heard, sight.grid)
        yield Seen(middle, agree, None)


def cue_evidence(
    sight: VisualCues,
    sound: Sound,
    every: int,
    agreed: Iterable[Seen] | None = None,
    lipvoice: LipVoice | None = None,
) -> Iterator[Cues]:
    """What each cue says at every so many frames, from the first.

    Args:
        agreed: what ``moving`` gives, where that has begun.
        lipvoice: the lip-voice match; None loads it now.

    Raises:
        InputError: there are no pictures.
    """
    spoken = spoken_by(sight.tracks, sound, lipvoice)
    places = [{int(frame): n for n, frame in enumerate(track.frames)} for track in sight.tracks]
    scale = np.tile(np.array(sight.size, np.float64), 2)
    for middle, agree, looks in agreed or moving(sight, sound, every):
        faces, boxes = [], []  # type: list[float | None], list[Array | None]
        for track, at, odds in zip(sight.tracks, places, spoken, strict=True):
            here = at.get(middle)
            boxes.append(None if here is None else track.boxes[here] / scale)
            faces.append(None if here is None else float(odds[min(middle, len(odds) - 1)]))
        near = slice(max(0, middle - 12), middle + 13)
        side = sound.sides[near]
        sure = float(side[:, 1].mean()) if len(side) else 0.0
        where = float((side[:, 0] * side[:, 1]).sum() / max(side[:, 1].sum(), 1e-6))
        is_heard = bool(sound.level[near].max(initial=-120) > SILENT_DB)
        yield Cues(middle, agree, faces, boxes, (where, sure), is_heard, looks)


def _windows(found: Iterator[Field], every: int) -> Iterator[tuple[int, list[Field], int]]:
    """(frame, fields around it that are of its shot, its place among them)."""
    held: deque[Field] = deque()
    first, middle, half, more = 0, 0, SPAN // 2, True
    while True:
        while more and first + len(held) <= middle + half:
            following = next(found, None)
            more = following is not None
            if following is not None:
                held.append(following)
        if middle >= first + len(held):
            return
        while first < middle - half:
            held.popleft()
            first += 1
        yield middle, *shot(held, middle - first)
        middle += every


def spoken_by(
    tracks: Sequence[Track], sound: Sound, lipvoice: LipVoice | None = None
) -> list[Array]:
    """For each face, how much its lips and the sound belong together around each frame [frames].

    Evidence adds up over a second and a half; a mouth that is still is evidence against it.
    """
    length = len(sound.level)
    found = [np.zeros(length, np.float32) for _ in tracks]
    if not found:
        return found
    import torch

    from avtool.models import weights
    from avtool.models.lipvoice import LipVoice

    lipvoice = lipvoice or weights.load(LipVoice)
    loud = sound.level > max(float(sound.level.max(initial=-120)) - 40, SILENT_DB)
    margin = (WINDOW - STEP) * FPS // 2
    for start, part in windows(sound.mono):
        first = round(start * FPS / RATE)
        frames = max(1, -(-part.shape[1] // (RATE // FPS)))
        with torch.inference_mode():
            whole = np.pad(part, ((0, 0), (0, frames * (RATE // FPS) - part.shape[1])))
            heard = voice_of(lipvoice, whole)
            spoken = torch.from_numpy(loud[first : first + frames])[None].to(heard.device)
            for row, each in zip(found, mouths(lipvoice, tracks, first, frames), strict=True):
                odds = each.odds(lipvoice, heard, spoken)[0][0]
                begin = margin if first else 0
                into = row[first + begin : first + frames]
                into[:] = odds[begin : begin + len(into)].cpu().numpy()
    reach = np.arange(-3 * int(SPOKEN), 3 * int(SPOKEN) + 1)
    kernel = np.exp(-0.5 * (reach / SPOKEN) ** 2)
    middle = slice(len(reach) // 2, len(reach) // 2 + length)
    return [np.convolve(row, kernel)[middle] for row in found]
