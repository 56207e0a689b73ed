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
from avtool.pipelines.features import mel
from avtool.pipelines.features.spectrogram import (
    check_choice,
    check_flag,
    check_number,
    check_whole,
    frame_facts,
)
from avtool.signal.cepstrum import Cepstrum, deltas
from avtool.values import Array, Matrix

SPEC = Spec(audio=True)


@dataclass(frozen=True)
class Options(mel.Options):
    """The mel's options, and the cepstrum's. See ``signal.cepstrum``.

    Args:
        deltas: 0, 1 (velocity) or 2 (and acceleration), appended below the coefficients.
        energy: the first coefficient is the frame's log energy (Kaldi).

    Raises:
        InputError: a value that no file could be analysed with.
    """

    n_mfcc: int = 13
    lifter: float = 0.0
    lifter_from: int = 1
    deltas: int = 0
    delta_kind: Literal["librosa", "kaldi"] = "librosa"
    energy: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("--n-mfcc", self.n_mfcc, 1, "13 are usual")
        check_number("--lifter", self.lifter, 0, "use 0 for none")
        check_whole("lifter_from", self.lifter_from, 0, "use 1 (librosa) or 0 (Kaldi)")
        check_choice("delta_kind", self.delta_kind, ("librosa", "kaldi"))
        check_flag("energy", self.energy)
        check_whole("--deltas", self.deltas, 0, "use 0 (none), 1 or 2")
        if self.deltas > 2:
            raise InputError(f"--deltas is 0, 1 or 2, not {self.deltas}; use 2 for both orders")
        self.cepstrum()

    def cepstrum(self) -> Cepstrum:
        """The transform of the log-mel; raises InputError where it has too few bands."""
        return Cepstrum(self.n_mels, self.n_mfcc, self.lifter, self.lifter_from)


@dataclass(frozen=True)
class Result:
    """[n_mfcc * (1 + deltas), frames]."""

    mfcc: Matrix


def run(clip: Clip, options: Options = Options()) -> Result:
    """The cepstral coefficients of a clip's sound.

    Raises:
        InputError: the options do not fit each other, the rate, or the sound's length.
    """
    audio = clip.sound()
    stft = options.stft(audio.rate)
    bank, log = mel.bank_of(clip, options, stft), options.logarithm()
    cepstrum = options.cepstrum()

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
