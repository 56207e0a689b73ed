"""`avtool mfcc`: mel-frequency cepstral coefficients and their deltas.

Davis & Mermelstein (1980); deltas after Furui (1986).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from avtool.errors import InputError
from avtool.media import Clip, Spec
from avtool.pipelines import mel
from avtool.pipelines.spectrogram import frame_facts, sound
from avtool.signal.cepstrum import Cepstrum, deltas
from avtool.values import Array, Matrix

SPEC = Spec(audio=True)


@dataclass(frozen=True)
class Options(mel.Options):
    """The mel's options, and the cepstrum's. See ``signal.cepstrum``.

    Args:
        deltas: 0, 1 (velocity) or 2 (and acceleration), appended below the coefficients.
        energy: the first coefficient is the frame's log energy (Kaldi).
    """

    n_mfcc: int = 13
    lifter: float = 0.0
    lifter_from: int = 1
    deltas: int = 0
    delta_kind: Literal["librosa", "kaldi"] = "librosa"
    energy: bool = False


@dataclass(frozen=True)
class Result:
    """[n_mfcc * (1 + deltas), frames]."""

    mfcc: Matrix


def run(clip: Clip, options: Options = Options()) -> Result:
    """The cepstral coefficients of a clip's sound.

    Raises:
        InputError: the options do not fit each other, the rate, or the sound's length.
    """
    audio = sound(clip)
    if options.deltas not in (0, 1, 2):
        raise InputError("--deltas is 0, 1 or 2")
    stft = options.stft(audio.rate)
    bank, log = mel.bank_of(clip, options, stft), options.logarithm()
    cepstrum = Cepstrum(options.n_mels, options.n_mfcc, options.lifter, options.lifter_from)

    def coefficients() -> Iterator[Array]:
        blocks = mel.log_mel(audio, options, stft, bank, log, energy=options.energy)
        for block in mel.ranged(blocks, log, bank.n_mels):
            out = cepstrum.apply(block[:, : bank.n_mels])
            if options.energy:
                out[:, 0] = np.log(np.maximum(block[:, -1], np.float32(options.log_floor)))
            yield out

    return Result(
        Matrix(
            lambda: deltas(coefficients(), options.deltas, options.delta_kind),
            bins=np.arange(options.n_mfcc * (1 + options.deltas)),
            axis="index",
            unit="MFCC",
            **frame_facts(audio, stft, options),
        )
    )
