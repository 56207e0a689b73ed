"""Sound and pictures as short texts that a page can hold."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import soxr
from PIL import Image

from avtool.draw.heat import COLD, WARM
from avtool.page import Heat
from avtool.signal.mel import MelBank
from avtool.signal.stft import STFT
from avtool.values import Array, Audio, Matrix

PIECE, MARGIN = 5.0, 0.1  # seconds of sound in a piece, and what each needs of its neighbours
OPUS_RATE, OPUS_BITS = 48_000, 40_000  # Hz; a second, of each channel
SILENT = 1e-4  # what is never louder, -80 dB, is left out
PEAKS, MELS, HOP = 100, 40, 0.025  # of a voice: peaks a second, bands, seconds
RANGE = -75.0, -15.0  # dB of full scale that a voice's spectrogram shows
TILE = 500  # frames of a matrix in one picture
SHEET = 16  # heat maps side by side in one picture


def text(data: bytes | Array) -> str:
    """Bytes as base64."""
    return b64encode(data if isinstance(data, bytes) else np.ascontiguousarray(data).data).decode()


def webp(image: Array, quality: int | None = None) -> str:
    """A picture as an address of itself, exact where no quality is named; uint8 [h, w] or RGB."""
    file = io.BytesIO()
    how: dict[str, Any] = {"lossless": True} if quality is None else {"quality": quality}
    Image.fromarray(image).save(file, "WEBP", method=4, **how)
    return f"data:image/webp;base64,{text(file.getvalue())}"


def portrait(image: Array) -> str:
    """A small picture."""
    small = Image.fromarray(image)
    small.thumbnail((160, 160))
    return webp(np.asarray(small.convert("RGB")), 80)


def voice(sound: Audio) -> Iterator[tuple[str, Array, str]]:
    """A sound in pieces: each as Opus, empty where it is silent, its peaks and its spectrogram.

    Piece k is heard from k * PIECE + MARGIN on, the first from 0 on, for its decoder needs the
    margin before it to be exact there. Peaks and spectrograms begin at k * PIECE.

    Shape:
        peaks: uint8 [PIECE * PEAKS], square roots of amplitudes.
    """
    step, margin = round(PIECE * sound.rate), round(MARGIN * sound.rate)
    for _, part in sound.windows(step + 2 * margin, step):
        own = part[:, :step] if part.shape[1] == step + 2 * margin else part
        is_silent = float(np.abs(part).max(initial=0)) < SILENT
        mono = np.ascontiguousarray(own.mean(0), np.float32)
        yield (
            "" if is_silent else text(opus(part, sound.rate)),
            _peaks(mono, sound.rate),
            ("" if is_silent else _mel(mono, sound.rate)),
        )


def opus(samples: Array, rate: int) -> bytes:
    """Sound as Ogg Opus (RFC 7845), of two channels at most; float32 [channels, time]."""
    import av

    if len(samples) > 2:
        samples = samples.mean(0, keepdims=True)
    layout = "mono" if len(samples) == 1 else "stereo"
    wide = soxr.resample(samples.T, rate, OPUS_RATE).astype(np.float32)
    if rate == OPUS_RATE:
        wide = samples.T
    file = io.BytesIO()
    with av.open(file, "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", OPUS_RATE, options={"compression_level": "5"})
        stream.layout, stream.bit_rate = layout, OPUS_BITS * len(samples)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(wide, np.float32).reshape(1, -1), format="flt", layout=layout
        )
        frame.sample_rate, frame.pts = OPUS_RATE, 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return file.getvalue()


def _peaks(mono: Array, rate: int) -> Array:
    edges = np.arange(0, len(mono) * PEAKS / rate) * rate / PEAKS
    found = np.maximum.reduceat(np.abs(mono), edges.astype(int)) if len(mono) else mono
    peaks: Array = np.sqrt(np.clip(found, 0, 1)) * 255
    return peaks.round().astype(np.uint8)


def _mel(mono: Array, rate: int) -> str:
    stft, bank = _ears(rate)
    power = stft.spectrogram(mono)
    full = (stft.win_samples / 4) ** 2  # the power of a tone of full scale
    level = 10 * np.log10(bank.filters() @ power / full + 1e-12)
    return webp(scaled(level[:, : max(1, len(mono) // stft.hop_samples)], *RANGE), 30)


def _ears(rate: int) -> tuple[STFT, MelBank]:
    n_fft = 1 << (round(0.04 * rate) - 1).bit_length()
    stft = STFT(n_fft, round(0.04 * rate), round(HOP * rate))
    return stft, MelBank(rate, n_fft, MELS, 60.0, min(8000.0, rate / 2), norm=None)


def mel_facts(rate: int) -> dict[str, Any]:
    """What the pictures of ``voice`` show."""
    bins = _ears(rate)[1].centres().round(1).tolist()
    return {"hop": HOP, "start": 0, "bins": bins, "unit": "dB", "low": RANGE[0], "high": RANGE[1]}


def scaled(values: Array, low: float, high: float) -> Array:
    """Levels as 0 to 255, the highest bin on top; [bins, frames]."""
    part: Array = np.clip((values[::-1] - low) / max(high - low, 1e-9), 0, 1) * 255
    return part.round().astype(np.uint8)


def matrix(value: Matrix) -> dict[str, Any]:
    """A matrix as pictures of ``TILE`` frames, and what they show."""
    whole, unit = value.values, value.unit
    if unit in ("power", "magnitude", "complex"):  # levels are for the eye
        factor, unit = 10 if unit == "power" else 20, "dB"
        whole = factor * np.log10(np.maximum(np.abs(whole), 1e-10))
    high = float(whole.max(initial=-np.inf)) if whole.size else 0.0
    low = (
        max(float(whole.min(initial=high)), high - 90)
        if unit.startswith("dB")
        else (float(whole.min(initial=high)))
    )
    tiles = [
        webp(scaled(whole[:, at : at + TILE], low, high)) for at in range(0, whole.shape[1], TILE)
    ]
    return {
        "tiles": tiles,
        "each": TILE * value.hop,
        "hop": value.hop,
        "start": value.start,
        "bins": np.asarray(value.bins, float).round(2).tolist(),
        "axis": value.axis,
        "unit": unit,
        "low": low,
        "high": high,
        "frames": whole.shape[1],
    }


def track(frames: Array, boxes: Array, size: tuple[int, int]) -> dict[str, Any]:
    """Boxes of a face as parts of the picture, 16 bits each, and runs of the pictures it is in."""
    cuts = np.flatnonzero(np.diff(frames) > 1) + 1
    runs = [[int(run[0]), len(run)] for run in np.split(frames, cuts)] if len(frames) else []
    parts = np.clip(boxes / np.tile(size, 2), -0.5, 1.5) + 0.5
    return {"runs": runs, "boxes": text((parts * 32767).round().astype("<u2"))}


def heat(value: Heat) -> dict[str, Any]:
    """Maps as pictures of many."""
    steps, rows, columns = value.maps.shape
    cells = (np.clip(value.maps, 0, 1) * 255).round().astype(np.uint8)
    sheets = []
    for first in range(0, steps, SHEET * SHEET):
        some = cells[first : first + SHEET * SHEET]
        sheet = np.zeros((SHEET * rows, SHEET * columns), np.uint8)
        for n, cell in enumerate(some):
            y, x = n // SHEET * rows, n % SHEET * columns
            sheet[y : y + rows, x : x + columns] = cell
        sheets.append(webp(sheet[: -(-len(some) // SHEET) * rows], 60))
    return {
        "every": value.every,
        "rows": rows,
        "cells": columns,
        "steps": steps,
        "across": SHEET,
        "sheets": sheets,
        "cold": COLD,
        "colours": text(WARM.tobytes()),
        "clip": value.sources.get("clip"),
        "columns": _columns(value.sources.get("steps", [])),
    }


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows by name, so that each name stands once; None where a row has none."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
