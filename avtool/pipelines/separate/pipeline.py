"""`avtool separate`: the voice of one face, out of all that is heard.

Sound is separated, vision says whose voice it is: a network counts the voices of each window of
the sound and splits it into as many (``models.separator``), another weighs each voice against each
face's lips (``models.lipvoice``), and the best sequence of assignments over all windows (Viterbi
1967) keeps every face on its voice. Built after Ephrat et al., "Looking to Listen at the Cocktail
MixtureConfig" (2018).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from avtool.errors import InputError
from avtool.face import Track
from avtool.media import Clip, Spec
from avtool.pipelines.features import mel
from avtool.pipelines.separate.values import Voices
from avtool.prefetch import Fed
from avtool.signal.resample import at_rate
from avtool.speakers import separation as hearing
from avtool.speakers.assignment import Window
from avtool.speakers.separation import STEP, WINDOW, Models, SeparatedWindows, hear, windows
from avtool.speakers.tracks import find, unknown_face
from avtool.spool import Spool, spooled
from avtool.values import FPS, RATE, Array, Audio, Matrix

if TYPE_CHECKING:
    from torch import Tensor

NOBODY = "so nobody's voice can be asked for"
SPEC = Spec(audio=True, frames=True, channel=0, fps=Fraction(FPS))


@dataclass(frozen=True)
class Options:
    """What is asked for.

    Args:
        face: whose voice, counted from 1; None is every face's.
        voices: how many people speak at once at most, 2 or 3; None finds out, window by window.
        weights: a separator of the user's own.
        blind: the separator does not see the lips; they only tell whose voice is whose.

    Raises:
        InputError: a value is out of its range.
    """

    face: int | None = None
    voices: int | None = None
    weights: str | None = None
    blind: bool = False

    def __post_init__(self) -> None:
        if self.face is not None and self.face < 1:
            raise InputError(f"--face {self.face}: faces are counted from 1")
        if self.voices not in (None, 2, 3):
            raise InputError(f"--voices {self.voices}: it is 2 or 3; leave it out to find out")


@dataclass(frozen=True)
class Result:
    """Voices by face and the rest, at the source's rate and channels; they sum to the source.

    Args:
        voices: the asked faces; rest: all that is none of theirs.
        speaking: by face, [start, end] in seconds where a voice was given to it.
        source: what was separated; portraits: by face, uint8 RGB [height, width, 3].
        parts: the blocks of all voices side by side, by face, with 0 for the rest: one pass over
            the sound for all of them.
    """

    voices: dict[int, Audio]
    rest: Audio
    speaking: dict[int, list[tuple[float, float]]]
    source: Audio
    portraits: dict[int, Array]
    parts: Callable[[], Iterator[dict[int, Array]]]

    def picture(self) -> Voices:
        """The spectrograms of the source, of each voice and of the rest."""
        with Lanes(self.source, self.voices) as lanes:
            for blocks in self.parts():
                lanes.add(blocks)
            return lanes.done(self.portraits)


def load(options: Options = Options(), device: str = "auto") -> Models:
    """The networks, once for many clips; see ``hearing.load``."""
    return hearing.load(options.weights, device)


def run(
    clip: Clip,
    options: Options = Options(),
    *,
    tracks: Sequence[Track] | None = None,
    models: Models | None = None,
) -> Result:
    """Separate a clip's sound by its faces; the sound is decoded once.

    Args:
        tracks: what an earlier look at the faces found; None looks now.
        models: what ``load`` gave; None loads them now.

    Raises:
        InputError: there is no such face.
    """
    audio = spooled(clip.sound())
    tracks = find(clip) if tracks is None else tracks
    faces = [track.face for track in tracks]
    if not faces or (options.face is not None and options.face not in faces):
        raise InputError(unknown_face(clip.name, options.face or 1, len(faces), NOBODY))
    wanted = faces if options.face is None else [options.face]
    heard = hear(audio, tracks, models or load(options), options.voices, blind=options.blind)
    picks = picked(heard, [faces.index(face) for face in wanted])

    def part(place: int, note: str) -> Audio:
        blocks = lambda: (each[0] for each in compose(audio, heard, [picks[place]]))  # noqa: E731
        return replace(audio, blocks=blocks, note=note)

    def parts() -> Iterator[dict[int, Array]]:
        for blocks in compose(audio, heard, picks):
            yield dict(zip([*wanted, 0], blocks, strict=True))

    return Result(
        {
            face: part(n, f"voice of face {face}, separated by avtool; it may hold other voices")
            for n, face in enumerate(wanted)
        },
        part(-1, "what is no face's voice, separated by avtool"),
        {
            face: [(audio.start + a, audio.start + b) for a, b in heard.speaking(faces.index(face))]
            for face in wanted
        },
        audio,
        {track.face: track.portrait for track in tracks},
        parts,
    )


def picked(heard: SeparatedWindows, places: Sequence[int]) -> list[list[list[int]]]:
    """For each of some faces, and last for all else, its parts of each window."""
    found = [
        [[n for n, who in enumerate(row) if who == place] for row in heard.chosen]
        for place in places
    ]
    rest = [
        [*(n for n, who in enumerate(row) if who not in places), len(row)] for row in heard.chosen
    ]
    return [*found, rest]


class Lanes:
    """The picture's log-mel spectrograms, made while the voices are written: rows wait in spools.

    Args:
        source: what was separated; faces: the numbers of those whose voices are shown.
    """

    def __init__(self, source: Audio, faces: Iterable[int]) -> None:
        self._source, self._stack = source, ExitStack()
        make = partial(levels, source)
        self._fed = {face: self._stack.enter_context(Fed(make)) for face in (*faces, 0)}

    def __enter__(self) -> Lanes:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, parts: Mapping[int, Array]) -> None:
        """Add a block of each voice, as ``Result.parts`` gives them."""
        for face, fed in self._fed.items():
            fed.put(parts[face])

    def done(self, portraits: Mapping[int, Array]) -> Voices:
        """The rows of the picture: the source, each voice, the rest."""
        found = {face: fed.result() for face, fed in self._fed.items()}
        rest = found.pop(0)
        rows: list[tuple[str, Array | None, Matrix]]
        rows = [("source", None, levels(self._source, self._source.blocks()))]
        rows += [(str(face), portraits[face], each) for face, each in found.items()]
        return Voices([*rows, ("rest", None, rest)])


def levels(source: Audio, blocks: Iterator[Array]) -> Matrix:
    """A voice's log-mel spectrogram in dB, kept in a spool; ``blocks`` are as the source's are."""
    sound = replace(source, blocks=lambda: blocks).mono()
    options = mel.Options(n_mels=80, fmax=min(8000.0, sound.rate / 2), top=None)
    found, spool = mel.run(Clip("", sound, None, None), options).mel, Spool()
    for rows in found.blocks():
        spool.append(rows)
    return replace(found, blocks=spool.blocks, frames=spool.rows)


def compose(
    audio: Audio, heard: SeparatedWindows, picks: Sequence[Sequence[Sequence[int]]]
) -> Iterator[list[Array]]:
    """Sums of the picked parts of each window, cross-faded, [channels, time] in blocks.

    What the network did not hear, the difference of the channels and all above 8 kHz, is shared
    out by the parts' power, so that all parts together are the source again.

    Args:
        picks: for each sum, its parts of each window.
    """
    overlap = (WINDOW - STEP) * audio.rate
    rise = (np.arange(overlap, dtype=np.float32) + 0.5) / overlap
    parts = _parts(heard.parts, heard.windows)
    tails: list[Array] = []
    for (_, sound), mixed, *now in zip(windows(audio), parts, *picks, strict=True):
        sums = shares(sound, mixed, now, audio.rate)
        for out, tail in zip(sums, tails, strict=False):
            joined = min(overlap, out.shape[1])
            fade = rise[:joined]
            out[:, :joined] = out[:, :joined] * fade + tail[:, :joined] * (1 - fade)
        if sound.shape[1] < WINDOW * audio.rate:
            tails = []
            yield sums
        else:
            tails = [out[:, STEP * audio.rate :] for out in sums]
            yield [out[:, : STEP * audio.rate] for out in sums]
    if tails:
        yield tails


def shares(sound: Array, parts: Array, picks: Sequence[Sequence[int]], rate: int) -> list[Array]:
    """Sums of picked parts of one window, at the source's own channels and rate.

    Shape:
        sound: float32 [channels, time], the source; parts: float32 [voices + 1, time at 16 kHz],
        of its channels' mean. Returns [channels, time] each.
    """
    import torch

    def spectrum(sound: Array) -> Tensor:
        at = torch.from_numpy(sound), 512, 256, None, torch.hann_window(512).sqrt()
        return torch.stft(*at, pad_mode="constant", return_complex=True)

    inner = at_rate(sound, rate, RATE, parts.shape[1])
    side = inner - inner.mean(0)
    power = spectrum(parts).abs().square() + 1e-12  # [voices + 1, bins, frames]
    turned = spectrum(side) if np.abs(side).max(initial=0) > 1e-5 else None
    high = sound - at_rate(inner, RATE, rate, sound.shape[1])
    top = power[:, 128:].sum(1)  # above 4 kHz: [voices + 1, frames]

    def share(picked: list[int]) -> Array:
        if len(picked) == len(parts):
            return sound.copy()
        if not picked:
            return np.zeros_like(sound)
        out = np.broadcast_to(parts[picked].sum(0), inner.shape).copy()
        if turned is not None:
            mask = power[picked].sum(0) / power.sum(0)  # Wiener's
            window = torch.hann_window(512).sqrt()
            out += torch.istft(turned * mask, 512, 256, None, window, length=side.shape[1]).numpy()
        gain = (top[picked].sum(0) / top.sum(0)).numpy()
        times = np.arange(sound.shape[1]) * (RATE / rate / 256)
        gains = np.interp(times, np.arange(len(gain)), gain).astype(np.float32)
        return at_rate(out, RATE, rate, sound.shape[1]) + high * gains

    return [share(list(picked)) for picked in picks]


def _parts(spool: Spool, found: Sequence[Window]) -> Iterator[Array]:
    """The spooled windows again, float32 [voices + 1, time]."""
    rows = spool.blocks()
    held: Array | None = None
    for window in found:
        while held is None or len(held) < window.length_samples:
            block = next(rows)
            held = block if held is None else np.concatenate([held, block])
        yield held[: window.length_samples].T.copy()
        held = held[window.length_samples :]
