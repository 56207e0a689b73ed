"""`avtool spectrogram`: the short-time Fourier transform of a sound.

Allen & Rabiner, "A unified approach to short-time Fourier analysis and synthesis" (1977).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from math import isfinite
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

from avtool.errors import InputError
from avtool.media import Clip, Spec
from avtool.signal.stft import STFT, WINDOWS
from avtool.values import Array, Audio, Matrix

SPEC = Spec(audio=True)

# A length of time: samples if it is an integer, seconds if it is a fraction.
Span = int | float


def check_rate(rate: object) -> None:
    """Raise InputError unless a rate is None (the file's own) or in Hz."""
    if rate is not None:
        check_whole("--sr", rate, 1, "leave it out for the file's own")


def check_whole(name: str, value: object, least: int, instead: str) -> None:
    """Raise InputError unless a value is an integer of at least ``least``.

    Args:
        name: of the option, as it is written; instead: what to do, said after a semicolon.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputError(f"{name} is a whole number, not {value!r}; {instead}")
    if int(value) < least:
        raise InputError(f"{name} is at least {least}, not {value}; {instead}")


def check_number(name: str, value: object, least: float | None, instead: str) -> None:
    """Raise InputError unless a value is a finite number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
        raise InputError(f"{name} is a number, not {value!r}; {instead}")
    if least is not None and value < least:
        raise InputError(f"{name} is at least {least:g}, not {value:g}; {instead}")


def check_choice(name: str, value: object, choices: Iterable[str | None]) -> None:
    """Raise InputError unless a value is one of the choices."""
    known = list(choices)
    if not (value is None or isinstance(value, str)) or value not in known:
        said = " ".join(str(value).split())
        raise InputError(f"{name} {said} is unknown; use {', '.join(map(str, known))}")


def check_flag(name: str, value: object) -> None:
    """Raise InputError unless a value is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name} is True or False, not {value!r}; give one of them")


def _check_span(name: str, value: object) -> None:
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 < value < float("inf"):  # type: ignore[operator]
        raise InputError(f"{name} {value!r} is no length; give samples (400) or seconds (0.025)")


@dataclass(frozen=True)
class Options:
    """How the sound is cut and transformed. The defaults suit speech and music at any rate.

    Args:
        sr: rate in Hz to resample to; None keeps the file's own.
        n_fft: None is the next power of two from the window's length.
        power: exponent of |X|: 1 magnitude, 2 power; 0 keeps X, complex.
        scale: multiplies the samples first (Kaldi counts in 16-bit steps).
        drop_last: leave out the last frame (Whisper).
    See ``signal.stft.STFT`` for the others.

    Raises:
        InputError: a value that no file could be analysed with.
    """

    sr: int | None = None
    n_fft: int | None = None
    win: Span = 0.025
    hop: Span = 0.010
    window: str = "hann"
    center: bool = True
    power: float = 2.0
    pad: Literal["constant", "reflect"] = "constant"
    span: Literal["n_fft", "win"] = "n_fft"
    preemphasis: float = 0.0
    frame_dc: bool = False
    frame_preemphasis: float = 0.0
    scale: float = 1.0
    drop_last: bool = False

    def __post_init__(self) -> None:
        check_rate(self.sr)
        if self.n_fft is not None:
            check_whole("--n-fft", self.n_fft, 1, "leave it out for a power of two from --win")
        _check_span("--win", self.win)
        _check_span("--hop", self.hop)
        check_choice("--window", self.window, WINDOWS)
        check_number("--power", self.power, 0, "use 0 (complex), 1 (magnitude) or 2 (power)")
        check_choice("pad", self.pad, ("constant", "reflect"))
        check_choice("span", self.span, ("n_fft", "win"))
        check_number("preemphasis", self.preemphasis, None, "use 0 for none")
        check_number("frame_preemphasis", self.frame_preemphasis, None, "use 0 for none")
        check_number("scale", self.scale, None, "use 1 for samples in [-1, 1]")
        for name in ("center", "frame_dc", "drop_last"):
            check_flag(name, getattr(self, name))
        # Lengths in seconds are compared where the rate is known, those in samples at any rate.
        if self.sr is not None:
            self.stft(self.sr)
        elif isinstance(self.win, Integral):
            self._stft(int(self.win), 1)

    def stft(self, rate: int) -> STFT:
        """The transform at a rate; raises InputError where the lengths do not fit."""
        return self._stft(in_samples(self.win, rate), in_samples(self.hop, rate))

    def _stft(self, win: int, hop: int) -> STFT:
        return STFT(
            n_fft=self.n_fft or 1 << max(0, win - 1).bit_length(),
            win_samples=win,
            hop_samples=hop,
            window=self.window,
            center=self.center,
            pad=self.pad,
            span=self.span,
            preemphasis=self.preemphasis,
            frame_dc=self.frame_dc,
            frame_preemphasis=self.frame_preemphasis,
        )


@dataclass(frozen=True)
class Result:
    """[n_fft//2 + 1 frequencies, frames]."""

    spectrogram: Matrix


def run(clip: Clip, options: Options = Options()) -> Result:
    """The spectrogram of a clip's sound, not in decibels: |X| ** power.

    Raises:
        InputError: the options do not fit each other or the rate.
    """
    audio = clip.sound()
    stft = options.stft(audio.rate)

    def blocks() -> Iterator[Array]:
        mono = samples(audio, options)
        if options.power == 0:
            return trimmed(stft.transform(mono), options)
        return trimmed(stft.power(mono, options.power), options)

    return Result(
        Matrix(
            blocks,
            bins=np.arange(stft.bins) * (audio.rate / stft.n_fft),
            axis="linear",
            unit={0.0: "complex", 1.0: "magnitude", 2.0: "power"}.get(options.power, "|X|^p"),
            **frame_facts(audio, stft, options),
        )
    )


def samples(audio: Audio, options: Options) -> Iterator[Array]:
    """The one channel, float32 [time] in blocks, scaled as the preset counts."""
    for block in audio.blocks():
        yield block[0] * np.float32(options.scale) if options.scale != 1.0 else block[0]


def trimmed(blocks: Iterator[Array], options: Options) -> Iterator[Array]:
    """The blocks, without the very last frame where a preset drops it."""
    if not options.drop_last:
        yield from blocks
        return
    held: Array | None = None
    for block in blocks:
        if held is not None:
            yield held
        held = block.copy()
    if held is not None:
        yield held[:-1]


def frame_facts(audio: Audio, stft: STFT, options: Options) -> dict[str, Any]:
    """What all matrices over time say of their frames and of how they were made."""
    frames = None
    if audio.length_samples is not None:
        frames = max(0, stft.frames(audio.length_samples) - options.drop_last)
    made = asdict(options) | {"sr": audio.rate, "n_fft": stft.n_fft}
    made |= {"win": stft.win_samples, "hop": stft.hop_samples}  # in samples, as they were used
    return {
        "hop": stft.hop_samples / audio.rate,
        "start": audio.start + stft.first_centre() / audio.rate,
        "frames": frames,
        "parameters": made,
    }


def in_samples(span: Span, rate: int) -> int:
    """Samples of a span of time.

    >>> in_samples(400, 16_000), in_samples(0.025, 16_000)
    (400, 400)
    """
    return int(span) if isinstance(span, Integral) else round(span * rate)
