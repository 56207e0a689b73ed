"""Sound at another rate, whole or as it comes (soxr, high quality)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil

import numpy as np

from avtool.values import Array, Audio


def resampled(blocks: Iterator[Array], source: int, target: int, channels: int) -> Iterator[Array]:
    """Sound at another rate, as it comes: float32 [channels, time] in blocks."""
    import soxr

    stream = soxr.ResampleStream(source, target, channels, dtype="float32", quality="HQ")
    taken = made = 0
    for block in blocks:
        taken += block.shape[1]
        out = stream.resample_chunk(np.ascontiguousarray(block.T))
        made += len(out)
        if len(out):
            yield out.T
    out = stream.resample_chunk(np.zeros((0, channels), np.float32), last=True)
    # soxr rounds the length; the sound lasts to the end of the last sample.
    rest = ceil(taken * target / source) - made
    tail = np.zeros((max(rest, 0), channels), np.float32)
    tail[: len(out)] = out[: len(tail)]
    if len(tail):
        yield tail.T


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
