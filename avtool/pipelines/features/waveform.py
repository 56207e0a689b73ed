"""`avtool waveform`: the samples themselves, at any rate, and their picture over time."""

from __future__ import annotations

from dataclasses import dataclass

from avtool.media import Clip, Spec
from avtool.pipelines.features.spectrogram import check_rate
from avtool.values import Audio

SPEC = Spec(audio=True, channel=0)


@dataclass(frozen=True)
class Options:
    """What the waveform is.

    Args:
        sr: rate in Hz to resample to; None keeps the file's own.

    Raises:
        InputError: a rate that no sound has.
    """

    sr: int | None = None

    def __post_init__(self) -> None:
        check_rate(self.sr)


@dataclass(frozen=True)
class Result:
    """[channels, time], in [-1, 1]."""

    waveform: Audio


def run(clip: Clip, options: Options = Options()) -> Result:
    """The sound of a clip."""
    return Result(clip.sound())
