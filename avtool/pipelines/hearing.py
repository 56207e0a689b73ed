"""Who says what: the sound taken apart in windows, each voice weighed against each face.

A network that sees the moving lips splits each window into voices (``models.separator``), another
weighs each voice against each face's lips (``models.lipvoice``), and the best sequence of
assignments is taken (``pipelines.assignment``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from avtool.faces import LIPS, Track
from avtool.media.read import resampled
from avtool.pipelines.assignment import State, Window, assign
from avtool.spool import Spool
from avtool.values import Array, Audio

if TYPE_CHECKING:
    from torch import Tensor

    from avtool.models.lipvoice import LipVoice

RATE, FPS = 16_000, 25
FRAME_SAMPLES = RATE // FPS
WINDOW, STEP = 8, 6  # seconds of sound that are looked at together, and from one to the next
SHORTEST_SAMPLES = 3200  # at 16 kHz; the transforms need something to stand on
LOWER, UPPER = LIPS.index(14), LIPS.index(13)  # the middle of the inner lips
STILL = 0.005  # spread of the lips' opening, over the eyes' distance, of a mouth that rests
ACTIVE = 0.01  # power of a frame against the loudest one of the sound, above which one speaks
SHORTEST, PAUSE = 0.3, 0.4  # seconds of speech that count, and pauses that do not


@dataclass(frozen=True, eq=False)
class Heard:
    """What was found in a sound.

    Args:
        windows: of the sound, in order; chosen: for each, the face (its place in ``tracks``) of
            each voice, or -1: nobody's.
        parts: the separated windows, float32 [time at 16 kHz, voices + 1] one after the other.
    """

    windows: list[Window]
    chosen: list[State]
    parts: Spool

    def speaking(self, place: int) -> list[tuple[float, float]]:
        """When a face's voice is heard, [start, end] in seconds of the sound."""
        heard = np.zeros(len(self.windows) * STEP * FPS + WINDOW * FPS, bool)
        for number, (window, row) in enumerate(zip(self.windows, self.chosen, strict=True)):
            for voice, who in enumerate(row):
                if who == place:
                    first = number * STEP * FPS
                    heard[first : first + window.active.shape[1]] |= window.active[voice]
        return spans(heard)


def hear(
    audio: Audio,
    tracks: Sequence[Track],
    voices: int | None = None,
    weights: str | None = None,
    *,
    blind: bool = False,
) -> Heard:
    """Take a sound apart and give its voices to faces.

    Args:
        voices: how many people speak at once at most, 2 or 3; None is 2 for up to two faces.
        weights: a separator of the user's own.
        blind: it does not see the lips; they only tell whose voice is whose.
    """
    spool, voices = Spool(), voices or (2 if len(tracks) <= 2 else 3)
    found = list(look(audio, tracks, voices, weights, spool, blind))
    return Heard(found, assign(found), spool)


def look(
    audio: Audio,
    tracks: Sequence[Track],
    voices: int,
    weights: str | None,
    spool: Spool,
    blind: bool,
) -> Iterator[Window]:
    """Separate window by window, weigh the voices against the faces, keep them in the spool."""
    import torch

    from avtool.models import weights as loaded

    separator, lipvoice = loaded.separator(weights), loaded.lipvoice()
    before: Array | None = None
    for first, sound in windows(audio):
        length = -(-sound.shape[1] * RATE // audio.rate)  # never none
        mono = at_rate(sound, audio.rate, RATE, length).mean(0)
        padded = np.pad(mono, (0, max(0, SHORTEST_SAMPLES - len(mono))))
        with torch.inference_mode():
            whole = _whole_frames(mono[None])
            frames = whole.shape[1] // FRAME_SAMPLES
            every = mouths(lipvoice, tracks, round(first * FPS / audio.rate), frames)
            shown = [] if blind else [each for each in every if each.lips is not None]
            if len(shown) > voices:  # those that are heard
                mixed = lipvoice.voice(torch.from_numpy(whole))
                shown.sort(key=lambda each: -float(each.odds(lipvoice, mixed).sum()))
            lips = torch.stack([each.shown for each in shown[:voices]])[None] if shown else None
            parts = separator(torch.from_numpy(padded)[None], voices, lips)[0, :, : len(mono)]
            parts = parts.numpy()
            spool.append(parts.T.astype(np.float32))
            heard = lipvoice.voice(torch.from_numpy(_whole_frames(parts[:voices])))
            evidence = np.full((len(tracks), voices), -1.0)  # a mouth that is still says nothing
            for row, each in enumerate(every):
                if each.lips is not None:
                    evidence[row] = each.odds(lipvoice, heard).sum(1).numpy()
        power = (parts**2).mean(1)
        level = power[:voices] / max(float((mono**2).mean()), 1e-12)
        loud = np.square(_whole_frames(parts[:voices]).reshape(voices, -1, FRAME_SAMPLES)).mean(2)
        active = loud > max(ACTIVE * float(loud.max(initial=0)), 1e-9)
        follows = np.zeros((voices, voices))
        if before is not None:
            follows = _correlation(before[:voices, STEP * RATE :], parts[:voices])
        before = parts
        yield Window(len(mono), evidence, level, follows, active)


@dataclass(frozen=True, eq=False)
class Mouth:
    """A face's lips in a window. Shape: lips: [frames, size], None at rest; seen: bool [frames]."""

    lips: Tensor | None
    seen: Tensor

    @property
    def shown(self) -> Tensor:
        """Lips that move, 0 where they are not seen."""
        assert self.lips is not None
        return self.lips * self.seen[:, None]

    def odds(self, lipvoice: LipVoice, heard: Tensor) -> Tensor:
        """Log-odds that voices [voices, frames, size] are those of lips that move."""
        assert self.lips is not None
        odds = lipvoice.evidence(self.lips[None], heard) + lipvoice.contrast(self.lips, heard)
        return odds * self.seen


def mouths(lipvoice: LipVoice, tracks: Sequence[Track], first: int, frames: int) -> list[Mouth]:
    """Each face's, from a frame on."""
    import torch

    found = []
    for track in tracks:
        lips, seen = lip_window(track, first, frames)
        embedded = lipvoice.lips(torch.from_numpy(lips)[None])[0] if move(lips[seen]) else None
        found.append(Mouth(embedded, torch.from_numpy(seen)))
    return found


def _whole_frames(parts: Array) -> Array:
    """[parts, time] with silence after it up to whole frames of the pictures, one at least."""
    length = max(1, -(-parts.shape[1] // FRAME_SAMPLES)) * FRAME_SAMPLES
    return np.pad(parts, ((0, 0), (0, length - parts.shape[1])))


def _correlation(before: Array, after: Array) -> Array:
    """Of what two windows say about the same time: [voices before, voices after], 0 to 1."""
    shared = min(before.shape[1], after.shape[1])
    a, b = before[:, :shared], after[:, :shared]
    size = np.sqrt((a**2).sum(1))[:, None] * np.sqrt((b**2).sum(1))
    loud = np.sqrt((a**2).sum(1)).max(initial=1e-9)
    active = np.minimum(1.0, np.sqrt((a**2).sum(1)) / loud * 3)[:, None]
    result: Array = np.clip(a @ b.T / np.maximum(size, 1e-9), 0, 1) * active
    return result


def spans(active: Array) -> list[tuple[float, float]]:
    """Where someone speaks, bool [frames], as [start, end] in seconds.

    >>> spans(np.repeat([True, False, True, False], [25, 5, 20, 25]))
    [(0.0, 2.0)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    found: list[tuple[float, float]] = []
    for start, end in edges.reshape(-1, 2).tolist():
        if found and start / FPS - found[-1][1] < PAUSE:
            found[-1] = (found[-1][0], end / FPS)
        else:
            found.append((start / FPS, end / FPS))
    return [span for span in found if span[1] - span[0] >= SHORTEST]


def windows(audio: Audio) -> Iterator[tuple[int, Array]]:
    """First sample and samples [channels, time] of each window; the last one may be shorter."""
    length, step = WINDOW * audio.rate, STEP * audio.rate
    held = np.zeros((audio.channels, 0), np.float32)
    first = 0
    for block in audio.blocks():
        held = np.concatenate([held, block], 1)
        while held.shape[1] > length:
            yield first, held[:, :length]
            held, first = held[:, step:], first + step
    if held.shape[1]:
        yield first, held


def lip_window(track: Track, first: int, frames: int) -> tuple[Array, Array]:
    """A face's lips float32 [frames, points, 3] at 25 fps, and where they are seen, bool [frames].

    Where they are not, the last known ones stand; those of filled gaps are no evidence.
    """
    times = np.arange(first, first + frames)
    place = np.clip(np.searchsorted(track.frames, times, "right") - 1, 0, None)
    seen = np.isin(times, track.frames[track.scores > 0])
    return track.lips[place].astype(np.float32), seen


def move(lips: Array) -> bool:
    """Whether lips [frames, 40, 3] open and close; a detector's jitter is no motion."""
    if len(lips) < 5:
        return False
    smooth = np.convolve(opening(lips), np.full(5, 0.2), "valid")
    return bool(smooth.std() > STILL)


def opening(lips: Array) -> Array:
    """How far lips [..., 40, 3] are open, over the eyes' distance: [...]."""
    apart = lips[..., UPPER, :2] - lips[..., LOWER, :2]
    distance: Array = np.linalg.norm(apart, axis=-1)
    return distance


def streamed(audio: Audio, wanted: int) -> Audio:
    """The same sound at another rate, resampled while it is read."""
    if audio.rate == wanted:
        return audio
    blocks = lambda: resampled(audio.blocks(), audio.rate, wanted, audio.channels)  # noqa: E731
    return replace(audio, blocks=blocks, rate=wanted, length_samples=None)


def at_rate(sound: Array, rate: int, wanted: int, length_samples: int | None = None) -> Array:
    """Resample float32 [channels, time], and cut or fill it to a length."""
    if rate != wanted:
        import soxr

        sound = soxr.resample(np.ascontiguousarray(sound.T), rate, wanted).T
    if length_samples is not None:
        missing = max(0, length_samples - sound.shape[1])
        sound = np.pad(sound, ((0, 0), (0, missing)))[:, :length_samples]
    return np.ascontiguousarray(sound)
