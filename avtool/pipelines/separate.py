"""`avtool separate`: the voice of one face, out of all that is heard.

Sound is separated, vision says whose voice it is: a network counts the voices of each window of
the sound and splits it into as many (``models.separator``), another weighs each voice against each
face's lips (``models.lipvoice``), and the best sequence of assignments over all windows (Viterbi
1967) keeps every face on its voice. Built after Ephrat et al., "Looking to Listen at the Cocktail
Party" (2018).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from avtool.errors import InputError
from avtool.face import Track
from avtool.media import Clip, Spec
from avtool.pipelines.assignment import Window
from avtool.pipelines.faces import find
from avtool.pipelines.hearing import FPS, RATE, STEP, WINDOW, Heard, at_rate, hear, windows
from avtool.spool import Spool
from avtool.values import Array, Audio

SPEC = Spec(audio=True, frames=True, channel=0, fps=Fraction(FPS))


@dataclass(frozen=True)
class Options:
    """What is asked for.

    Args:
        face: whose voice, counted from 1; None is every face's.
        voices: how many people speak at once at most, 2 or 3; None finds out, window by window.
        weights: a separator of the user's own.
        blind: the separator does not see the lips; they only tell whose voice is whose.
        tracks: what an earlier look at the faces found; None looks now.
    """

    face: int | None = None
    voices: int | None = None
    weights: str | None = None
    blind: bool = False
    tracks: Sequence[Track] | None = None


@dataclass(frozen=True)
class Result:
    """Voices by face and the rest, at the source's rate and channels; they sum to the source.

    Args:
        voices: the asked faces; rest: all that is none of theirs.
        speaking: by face, [start, end] in seconds where a voice was given to it.
    """

    voices: dict[int, Audio]
    rest: Audio
    speaking: dict[int, list[tuple[float, float]]]


def run(clip: Clip, options: Options = Options()) -> Result:
    """Separate a clip's sound by its faces.

    Raises:
        InputError: there is no such face.
    """
    audio = clip.audio
    if audio is None:
        raise InputError(f"{clip.name}: its sound was not asked for")
    tracks = find(clip) if options.tracks is None else options.tracks
    faces = [track.face for track in tracks]
    if not faces or (options.face is not None and options.face not in faces):
        raise InputError(unknown_face(clip.name, options.face or 1, len(faces)))
    wanted = faces if options.face is None else [options.face]
    heard = hear(audio, tracks, options.voices, options.weights, blind=options.blind)

    def voice(face: int) -> Audio:
        place = faces.index(face)
        picks = [[n for n, who in enumerate(row) if who == place] for row in heard.chosen]
        note = f"voice of face {face}, separated by avtool; it may hold other voices"
        return _audio(audio, note, lambda: compose(audio, heard, picks))

    def rest() -> Iterator[Array]:
        given = {faces.index(face) for face in wanted}
        picks = [
            [*(n for n, who in enumerate(row) if who not in given), len(row)]
            for row in heard.chosen
        ]
        return compose(audio, heard, picks)

    return Result(
        {face: voice(face) for face in wanted},
        _audio(audio, "what is no face's voice, separated by avtool", rest),
        {
            face: [(audio.start + a, audio.start + b) for a, b in heard.speaking(faces.index(face))]
            for face in wanted
        },
    )


def unknown_face(
    name: str, face: int, count: int, so: str = "nobody's voice can be asked for"
) -> str:
    """What to say where a face is asked for that is not there."""
    if not count:
        return f"{name}: shows no face, so {so}"
    number = "1 face" if count == 1 else f"{count} faces, 1 to {count}"
    return f"{name}: has no face {face}; it has {number}, see the sheet of 'avtool faces {name}'"


def compose(audio: Audio, heard: Heard, picks: Sequence[Sequence[int]]) -> Iterator[Array]:
    """The sum of the picked parts of each window, cross-faded, [channels, time] in blocks.

    What the network did not hear, the difference of the channels and all above 8 kHz, is shared
    out by the parts' power, so that all parts together are the source again.
    """
    overlap = (WINDOW - STEP) * audio.rate
    rise = (np.arange(overlap, dtype=np.float32) + 0.5) / overlap
    parts = _parts(heard.parts, heard.windows)
    tail: Array | None = None
    for (_, sound), mixed, picked in zip(windows(audio), parts, picks, strict=True):
        out = share(sound, mixed, picked, audio.rate)
        if tail is not None:
            joined = min(overlap, out.shape[1])
            fade = rise[:joined]
            out[:, :joined] = out[:, :joined] * fade + tail[:, :joined] * (1 - fade)
        if out.shape[1] < WINDOW * audio.rate:
            tail = None
            yield out
        else:
            tail = out[:, STEP * audio.rate :]
            yield out[:, : STEP * audio.rate]
    if tail is not None:
        yield tail


def share(sound: Array, parts: Array, picked: Sequence[int], rate: int) -> Array:
    """The picked parts of one window at the source's own channels and rate.

    Shape:
        sound: float32 [channels, time], the source; parts: float32 [voices + 1, time at 16 kHz],
        of its channels' mean. Returns [channels, time].
    """
    import torch

    if len(picked) == len(parts):
        return sound
    if not picked:
        return np.zeros_like(sound)
    inner = at_rate(sound, rate, RATE, parts.shape[1])
    side = inner - inner.mean(0)
    out = np.broadcast_to(parts[list(picked)].sum(0), inner.shape).copy()
    window = torch.hann_window(512).sqrt()
    power = torch.stft(
        torch.from_numpy(parts), 512, 256, window=window, pad_mode="constant", return_complex=True
    ).abs()
    power = power.square() + 1e-12  # [voices + 1, bins, frames]
    if np.abs(side).max(initial=0) > 1e-5:
        mask = power[list(picked)].sum(0) / power.sum(0)  # Wiener's
        turned = torch.stft(
            torch.from_numpy(side),
            512,
            256,
            window=window,
            pad_mode="constant",
            return_complex=True,
        )
        out += torch.istft(turned * mask, 512, 256, window=window, length=side.shape[1]).numpy()
    high = sound - at_rate(inner, RATE, rate, sound.shape[1])
    top = power[:, 128:].sum(1)  # above 4 kHz: [voices + 1, frames]
    gain = (top[list(picked)].sum(0) / top.sum(0)).numpy()
    times = np.arange(sound.shape[1]) * (RATE / rate / 256)
    gains = np.interp(times, np.arange(len(gain)), gain).astype(np.float32)
    return at_rate(out, RATE, rate, sound.shape[1]) + high * gains


def _parts(spool: Spool, found: Sequence[Window]) -> Iterator[Array]:
    """The spooled windows again, float32 [voices + 1, time]."""
    rows = spool.blocks()
    held: Array | None = None
    for window in found:
        while held is None or len(held) < window.length_samples:
            block = next(rows)
            held = block if held is None else np.concatenate([held, block])
        yield np.ascontiguousarray(held[: window.length_samples].T)
        held = held[window.length_samples :]


def _audio(source: Audio, note: str, blocks: Callable[[], Iterator[Array]]) -> Audio:
    return replace(source, blocks=blocks, note=note)
