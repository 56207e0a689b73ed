"""`avtool mel`: the log-mel spectrogram of a sound.

Stevens, Volkmann & Newman (1937) for the scale; the filters are those of the preset's tool.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from avtool.media import Clip, Spec
from avtool.pipelines import spectrogram
from avtool.pipelines.spectrogram import frame_facts, samples, sound, trimmed
from avtool.signal.mel import Log, MelBank, Scale
from avtool.signal.stft import STFT
from avtool.spool import Spool
from avtool.values import Array, Audio, Matrix

SPEC = Spec(audio=True)


@dataclass(frozen=True)
class Options(spectrogram.Options):
    """The spectrogram's options, and the mel bank's and the logarithm's.

    See ``signal.mel.MelBank`` and ``signal.mel.Log``. ``fmax`` None is half the rate.
    """

    n_mels: int = 80
    fmin: float = 0.0
    fmax: float | None = None
    mel_scale: Scale = "slaney"
    mel_norm: Literal["slaney"] | None = "slaney"
    mel_straight: Literal["hz", "mel"] = "hz"
    log: Literal["db", "ln", "log10", "none"] = "db"
    log_floor: float = 1e-10
    log_offset: float = 0.0
    top: float | None = 80.0
    out_scale: float = 1.0
    out_shift: float = 0.0
    clip: tuple[float, float] | None = None

    def bank(self, rate: int, n_fft: int) -> MelBank:
        return MelBank(
            rate,
            n_fft,
            self.n_mels,
            self.fmin,
            rate / 2 if self.fmax is None else self.fmax,
            self.mel_scale,
            self.mel_norm,
            self.mel_straight,
        )

    def logarithm(self) -> Log:
        return Log(
            self.log,
            self.power,
            self.log_floor,
            self.log_offset,
            self.top,
            self.out_scale,
            self.out_shift,
            self.clip,
        )


@dataclass(frozen=True)
class Result:
    """[n_mels, frames]."""

    mel: Matrix


def run(clip: Clip, options: Options = Options()) -> Result:
    """The log-mel spectrogram of a clip's sound.

    Raises:
        InputError: the options do not fit each other or the rate.
    """
    audio = sound(clip)
    stft = options.stft(audio.rate)
    bank, log = bank_of(clip, options, stft), options.logarithm()

    return Result(
        Matrix(
            lambda: ranged(log_mel(audio, options, stft, bank, log), log, bank.n_mels),
            bins=bank.centres(),
            axis="mel",
            unit=log.unit,
            **frame_facts(audio, stft, options),
        )
    )


def bank_of(clip: Clip, options: Options, stft: STFT) -> MelBank:
    """The options' mel bank; the clip is told of bands that no frequency falls into."""
    rate = sound(clip).rate
    bank = options.bank(rate, stft.n_fft)
    if empty := bank.empty():
        clip.warnings.append(
            f"{empty} of {bank.n_mels} mel bands hold no frequency of the transform and stay "
            "silent; lower --n-mels or raise --n-fft"
        )
    return bank


def log_mel(
    audio: Audio, options: Options, stft: STFT, bank: MelBank, log: Log, *, energy: bool = False
) -> Iterator[Array]:
    """Log-mel before the logarithm's range is known.

    Args:
        energy: append each frame's own energy as a last column.

    Shape:
        float32 [frames, n_mels (+ 1)].
    """

    def blocks() -> Iterator[Array]:
        for power, raw, valid in stft.power_groups(samples(audio, options), options.power, energy):
            out = np.empty((len(power), bank.n_mels + energy), np.float32)
            bank.apply(power, out[:, : bank.n_mels])
            log.apply(out[:, : bank.n_mels])
            if raw is not None and energy:
                out[:, -1] = raw
            yield out[:valid]

    return trimmed(blocks(), options)


def ranged(blocks: Iterator[Array], log: Log, n_mels: int) -> Iterator[Array]:
    """Log-mel as the preset ends it; a range below the maximum needs the whole sound first."""
    if log.top is None or log.kind == "none":
        for block in blocks:
            yield _finished(block, log, n_mels, 0.0)
        return
    with Spool() as spool:
        peak = -np.inf
        for block in blocks:
            peak = max(peak, float(block[:, :n_mels].max()))
            spool.append(block)
        for block in spool.blocks():
            yield _finished(block, log, n_mels, peak)


def _finished(block: Array, log: Log, n_mels: int, peak: float) -> Array:
    mels = log.finish(block[:, :n_mels], peak)
    return mels if block.shape[1] == n_mels else np.concatenate([mels, block[:, n_mels:]], 1)
