"""Options that reproduce other tools' numbers, each for the tool's own defaults.

A preset gives each command what the tool has for it: "stft" for all, "mel" and "mfcc" in addition
for those two. What a tool does not have (Whisper has no MFCC) is ours, on top of its mel.
What a tool derives from its n_fft follows where that is told (``FOLLOWS``).
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

from avtool.errors import InputError

Preset = dict[str, dict[str, Any]]  # options by command

EPSILON = 1.1920928955078125e-07  # of float32, Kaldi's smallest energy

# librosa 0.11: stft, feature.melspectrogram + power_to_db, feature.mfcc.
LIBROSA: Preset = {
    "stft": {"sr": 22050, "n_fft": 2048, "win": 2048, "hop": 512},
    "mel": {"n_mels": 128},
    "mfcc": {"n_mfcc": 20},
}
# torchaudio 2: transforms.Spectrogram, MelSpectrogram + AmplitudeToDB(top_db=80), MFCC.
TORCHAUDIO: Preset = {
    "stft": {"sr": 16000, "n_fft": 400, "win": 400, "hop": 200, "pad": "reflect"},
    "mel": {"n_mels": 128, "mel_scale": "htk", "mel_norm": None},
    "mfcc": {"n_mfcc": 40, "delta_kind": "kaldi"},
}
# Kaldi: feature-window.cc, feature-fbank.cc, feature-mfcc.cc; dither 0.
KALDI: Preset = {
    "stft": {
        "sr": 16000,
        "n_fft": 512,
        "win": 400,
        "hop": 160,
        "window": "povey",
        "center": False,
        "span": "win",
        "frame_dc": True,
        "frame_preemphasis": 0.97,
        "scale": 32768.0,
    },
    "mel": {
        "n_mels": 23,
        "fmin": 20.0,
        "mel_scale": "htk",
        "mel_norm": None,
        "mel_straight": "mel",
        "log": "ln",
        "log_floor": EPSILON,
        "top": None,
    },
    "mfcc": {
        "n_mfcc": 13,
        "lifter": 22.0,
        "lifter_from": 0,
        "delta_kind": "kaldi",
        "energy": True,
    },
}
# Whisper (Radford 2022), audio.py: log_mel_spectrogram.
WHISPER: Preset = {
    "stft": {
        "sr": 16000,
        "n_fft": 400,
        "win": 400,
        "hop": 160,
        "pad": "reflect",
        "drop_last": True,
    },
    "mel": {"log": "log10", "top": 8.0, "out_scale": 0.25, "out_shift": 1.0},
    "mfcc": {},
}
# Wav2Lip (Prajwal 2020), audio.py with its hparams and its librosa 0.7, which mirrors the ends.
WAV2LIP: Preset = {
    "stft": {
        "sr": 16000,
        "n_fft": 800,
        "win": 800,
        "hop": 200,
        "power": 1.0,
        "pad": "reflect",
        "preemphasis": 0.97,
    },
    "mel": {
        "fmin": 55.0,
        "fmax": 7600.0,
        "log_floor": 1e-5,
        "top": None,
        # 8 * ((dB - 20 + 100) / 100) - 4
        "out_scale": 0.08,
        "out_shift": 2.4,
        "clip": (-4.0, 4.0),
    },
    "mfcc": {},
}
# YAMNet (Plakal & Ellis 2019), features.py, without its padding to whole patches.
YAMNET: Preset = {
    "stft": {
        "sr": 16000,
        "n_fft": 512,
        "win": 400,
        "hop": 160,
        "power": 1.0,
        "center": False,
        "span": "win",
    },
    "mel": {
        "n_mels": 64,
        "fmin": 125.0,
        "fmax": 7500.0,
        "mel_scale": "htk",
        "mel_norm": None,
        "mel_straight": "mel",
        "log": "ln",
        "log_floor": 0.0,
        "log_offset": 0.001,
        "top": None,
    },
    "mfcc": {},
}
PRESETS: dict[str, Preset] = {
    "librosa": LIBROSA,
    "torchaudio": TORCHAUDIO,
    "kaldi": KALDI,
    "whisper": WHISPER,
    "wav2lip": WAV2LIP,
    "yamnet": YAMNET,
}
# What follows where n_fft is told and the window or the hop is not. In these tools the window is
# as long as n_fft, and the hop is this part of the window; None: it stays the preset's. So
# librosa.stft takes a quarter, its feature.melspectrogram and mfcc always 512; torchaudio a half;
# Whisper's HOP_LENGTH is a number of its own. The others' windows do not follow: Wav2Lip's win_size
# and hop_size stand beside its n_fft; Kaldi and YAMNet know the window in seconds, and their
# transform is the next power of two, so that one told is never shorter than the window.
FOLLOWS: dict[str, dict[str, int | None]] = {
    "librosa": {"stft": 4, "mel": None},
    "torchaudio": {"stft": 2, "mel": 2},
    "whisper": {"stft": None, "mel": None},
}

T = TypeVar("T")


def options(kind: type[T], preset: str | None = None, **given: Any) -> T:
    """Options of a pipeline: its defaults, a preset's, then what is given.

    A given n_fft changes the window and the hop as it does in the preset's tool, unless they are
    given too.

    Raises:
        InputError: no such preset or option, or a value that cannot be used.

    >>> from avtool.pipelines.features import mel
    >>> options(mel.Options, "whisper", n_mels=128).n_mels
    128
    >>> shorter = options(mel.Options, "torchaudio", n_fft=256)
    >>> shorter.win, shorter.hop
    (256, 128)
    """
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if preset is not None and preset not in PRESETS:
        raise InputError(f"--preset {preset} is unknown; use {', '.join(PRESETS)}")
    values: dict[str, Any] = {}
    for part in PRESETS[preset].values() if preset else ():
        values |= {name: value for name, value in part.items() if name in names}
    for name, value in given.items():
        if name not in names:
            raise InputError(f"there is no option {name}; there are {', '.join(sorted(names))}")
        values[name] = value
    if preset not in FOLLOWS or given.get("n_fft") is None:
        return kind(**values)
    if "win" not in given:
        values["win"] = given["n_fft"]
    chosen: Any = kind(**values)  # which refuses what cannot be divided
    share = FOLLOWS[preset]["mel" if "n_mels" in names else "stft"]
    if share is None or "hop" in given:
        return chosen
    win = chosen.win
    if isinstance(win, float) and chosen.sr is not None:
        win = round(win * chosen.sr)
    hop = win / share if isinstance(win, float) else max(1, win // share)
    return replace(chosen, hop=hop)
