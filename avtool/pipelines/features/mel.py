"""`avtool mel`: the log-mel spectrogram of a sound.

Stevens, Volkmann & Newman (1937) for the scale; the filters are those of the preset's tool.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from avtool.errors import InputError
from avtool.media import Clip, Spec
from avtool.pipelines.features import spectrogram
from avtool.pipelines.features.spectrogram import (
    check_choice,
    check_number,
    check_whole,
    frame_facts,
    samples,
    trimmed,
)
from avtool.signal.mel import Log, MelBank, Scale
from avtool.signal.stft import STFT
from avtool.spool import Spool
from avtool.values import Array, Audio, Matrix

SPEC = Spec(audio=True)


@dataclass(frozen=True)
class Options(spectrogram.Options):
    """The spectrogram's options, and the mel bank's and the logarithm's.

    See ``signal.mel.MelBank`` and ``signal.mel.Log``. ``fmin`` and ``fmax`` are in Hz; ``fmax``
    None is half the rate.

    Raises:
        InputError: a value that no file could be analysed with.
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

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.power == 0:
            raise InputError("--power 0 is complex, mel bands are not; use 1 (magnitude) or 2")
        check_whole("--n-mels", self.n_mels, 1, "80 are usual")
        check_number("--fmin", self.fmin, 0, "leave it out for 0 Hz")
        if self.fmax is not None:
            check_number("--fmax", self.fmax, 0, "leave it out for half the rate")
            if self.fmax <= self.fmin:
                raise InputError(
                    f"--fmax {self.fmax:g} Hz is not above --fmin {self.fmin:g} Hz; "
                    "raise --fmax or lower --fmin"
                )
        check_choice("mel_scale", self.mel_scale, ("slaney", "htk"))
        check_choice("mel_norm", self.mel_norm, ("slaney", None))
        check_choice("mel_straight", self.mel_straight, ("hz", "mel"))
        check_choice("log", self.log, ("db", "ln", "log10", "none"))
        check_number("log_floor", self.log_floor, 0, "1e-10 is usual")
        check_number("log_offset", self.log_offset, 0, "use 0 for none")
        if self.top is not None:
            check_number("top", self.top, 0, "use None for no limit")
        check_number("out_scale", self.out_scale, None, "use 1 for none")
        check_number("out_shift", self.out_shift, None, "use 0 for none")
        self._check_clip()
        if self.sr is not None:
            self.bank(self.sr, self.stft(self.sr).n_fft)

    def _check_clip(self) -> None:
        if self.clip is None:
            return
        ends = list(self.clip) if isinstance(self.clip, tuple | list) else []
        for end in ends:
            check_number("clip", end, None, "use None for none")
        if len(ends) != 2 or ends[0] >= ends[1]:
            raise InputError(f"clip is (low, high), not {self.clip!r}; use None for none")

    def bank(self, rate: int, n_fft: int) -> MelBank:
        """The filters at a rate in Hz; raises InputError where they do not fit below its half."""
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
        """What follows the filters."""
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


SPEECH = Options(n_mels=64, fmin=60, fmax=7600, log="ln", top=None)  # as our networks hear it


@dataclass(frozen=True)
class Result:
    """[n_mels, frames]."""

    mel: Matrix


def run(clip: Clip, options: Options = Options()) -> Result:
    """The log-mel spectrogram of a clip's sound.

    Raises:
        InputError: the options do not fit each other or the rate.
    """
    audio = clip.sound()
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
    rate = clip.sound().rate
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
            peak = max(peak, float(block[:, :n_mels].max(initial=-np.inf)))
            spool.append(block)
        for block in spool.blocks():
            yield _finished(block, log, n_mels, peak)


def _finished(block: Array, log: Log, n_mels: int, peak: float) -> Array:
    mels = log.finish(block[:, :n_mels], peak)
    return mels if block.shape[1] == n_mels else np.concatenate([mels, block[:, n_mels:]], 1)
