"""However a sound arrives, its features are the same bits; and a long one needs no more memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from avtool.draw.columns import Columns
from avtool.errors import InputError
from avtool.media import Clip
from avtool.pipelines import pipeline
from avtool.pipelines.features import mel, mfcc, spectrogram
from avtool.pipelines.features.presets import PRESETS, options
from avtool.prefetch import Prefetch
from avtool.signal.stft import STFT
from avtool.values import Array, Audio

RNG = np.random.default_rng(3)
SOUND = (0.2 * RNG.standard_normal(150_001)).astype(np.float32)


def cut(y: Array, size: int) -> Clip:
    def blocks() -> Iterator[Array]:
        for first in range(0, len(y), size):
            yield y[None, first : first + size]

    return Clip("cut", Audio(blocks, 16_000, 1, len(y)), None, None)


@pytest.mark.parametrize("size", [1, 7, 999, 4096, 65_536])
@pytest.mark.parametrize("preset", [None, *PRESETS])
@pytest.mark.parametrize("name", ["spectrogram", "mel", "mfcc"])
def test_any_cut_gives_the_same_bits(name: str, preset: str | None, size: int) -> None:
    module = pipeline(name)
    given = {"deltas": 2} if name == "mfcc" else {}
    chosen = options(module.Options, preset, **given)
    y = SOUND[:20_011] if size < 10 else SOUND
    whole = getattr(module.run(cut(y, len(y)), chosen), name).values
    parts = getattr(module.run(cut(y, size), chosen), name).values
    assert whole.shape[1] > 30
    assert np.array_equal(whole, parts)


@pytest.mark.parametrize("size", [1, 100, 1000, 50_000])
def test_a_hop_longer_than_the_window(size: int) -> None:
    chosen = options(spectrogram.Options, win=64, n_fft=64, hop=100, center=False)
    frames = spectrogram.run(cut(SOUND[:60_000], size), chosen).spectrogram.values
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(64) / 64)
    truth = np.stack([SOUND[k * 100 : k * 100 + 64] * window for k in range(600)])
    assert frames.shape == (33, 600)
    assert np.allclose(frames, np.abs(np.fft.rfft(truth)).T ** 2, atol=1e-5)


# Of so many samples: frames of 400 every 160, centred (as librosa counts them) and not.
FRAMES = {0: (0, 0), 1: (1, 0), 2: (1, 0), 150: (1, 0), 399: (3, 0), 400: (3, 1), 401: (3, 1)}
FRAMES |= {559: (4, 1), 560: (4, 2), 40_959: (256, 254), 40_960: (257, 254), 81_921: (513, 510)}


@pytest.mark.parametrize("length", FRAMES)
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("pad", ["constant", "reflect"])
def test_frame_count_is_as_promised(length: int, center: bool, pad: str) -> None:
    chosen = options(
        spectrogram.Options, win=400, n_fft=400, hop=160, center=center, pad=pad, sr=None
    )
    matrix = spectrogram.run(cut(SOUND[:length], 1000), chosen).spectrogram
    assert matrix.frames == FRAMES[length][not center]
    assert matrix.values.shape == (201, matrix.frames)


def test_in_memory_equals_streamed() -> None:
    stft = STFT(512, 400, 160)
    streamed = np.concatenate([block.copy() for block in stft.power([SOUND])]).T
    assert np.array_equal(stft.spectrogram(SOUND), streamed)


def test_a_matrix_can_be_read_twice() -> None:
    result = mel.run(cut(SOUND, 5000)).mel
    first = [block.copy() for block in result.blocks()]
    assert np.array_equal(
        np.concatenate(first), np.concatenate([b.copy() for b in result.blocks()])
    )


def test_times_are_the_frames_centres() -> None:
    """A click at 2 s is loudest in the frame whose time is 2 s, centred or not."""
    y = np.zeros(64_000, np.float32)
    y[32_000] = 1.0
    for center in (True, False):
        chosen = options(spectrogram.Options, win=400, n_fft=400, hop=16, center=center)
        matrix = spectrogram.run(cut(y, 5000), chosen).spectrogram
        loudest = int(matrix.values.sum(0).argmax())
        assert abs(matrix.times(matrix.values.shape[1])[loudest] - 2.0) <= 0.001


def test_a_tone_stands_in_its_bin() -> None:
    y = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    lines = spectrogram.run(cut(y, 5000)).spectrogram
    assert lines.bins[lines.values[:, 50].argmax()] == 1000
    bands = mel.run(cut(y, 5000)).mel
    assert abs(bands.bins[bands.values[:, 50].argmax()] - 1000) < 40


@pytest.mark.parametrize("how", ["max", "mean"])
def test_picture_columns_do_not_depend_on_the_cut(how: str) -> None:
    rows = RNG.standard_normal((5003, 3)).astype(np.float32)
    results = []
    for size in (1, 13, 1000, 5003):
        columns = Columns(how, limit=100)  # type: ignore[arg-type]
        for first in range(0, len(rows), size):
            columns.add(rows[first : first + size])
        results.append(columns.done())
        assert columns.factor == 32
        assert columns.frames == len(rows)
    assert all(np.allclose(results[0], other, atol=1e-6) for other in results)
    if how == "max":
        truth = np.stack([rows[i : i + 32].max(0) for i in range(0, len(rows), 32)])
        assert np.array_equal(results[0], truth)


def test_deltas_of_a_short_sound_say_so() -> None:
    with pytest.raises(Exception, match="needs 9 frames, this sound has 5"):
        _ = mfcc.run(cut(SOUND[:700], 100), options(mfcc.Options, deltas=1)).mfcc.values


def test_work_ahead_keeps_order_passes_errors_on_and_closes_its_source() -> None:
    closed, others = [], threading.active_count()

    def source(fails: bool) -> Iterator[int]:
        try:
            yield from range(20)
            if fails:
                raise InputError("told")
        finally:
            closed.append(fails)

    with Prefetch(source(False)) as items:
        assert list(items) == list(range(20))
    with Prefetch(source(True)) as items, pytest.raises(InputError, match="told"):
        list(items)
    with Prefetch(source(False)) as items:
        assert next(items) == 0
    assert closed == [False, True, False]
    assert threading.active_count() == others
