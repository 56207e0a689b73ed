"""Every preset against the tool that it names, or the tool's published formula, at every frame.

Measured at the maximum, not the median, and the edge frames on their own: a symmetric window or
a wrong padding moves few frames, by much (see the controls at the end).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import kaldi_native_fbank
import librosa
import numpy as np
import pytest
import scipy.fft
import scipy.signal
import soundfile
import torch

from avtool.errors import InputError
from avtool.media import Clip
from avtool.pipelines.features import mel, mfcc, spectrogram
from avtool.pipelines.features.presets import options
from avtool.values import Array, Audio

RATE = 16_000
WINDOWS = [320, 400, 512, 800, 1024, 2048]
SPEECH = Path(__file__).parents[1] / "sample_media" / "speech.wav"


def speech() -> Array:
    return soundfile.read(SPEECH, dtype="float32")[0][: 4 * RATE + 37]


def sounds() -> dict[str, Array]:
    rng = np.random.default_rng(7)
    tone = np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE).astype(np.float32)
    return {
        "speech": speech(),
        "quiet": speech() * np.float32(1e-3),
        "noise": (0.1 * rng.standard_normal(3 * RATE + 11)).astype(np.float32),
        "silence after": np.concatenate([speech()[:RATE], np.zeros(RATE, np.float32)]),
        "tone": tone,
    }


SOUNDS = sounds()


def clip(y: Array, rate: int = RATE) -> Clip:
    return Clip("test", Audio.of(y, rate), None, None)


@dataclass
class Truth:
    """What the other tool says: power (its exponent), log-mel, MFCC, and its unit in dB."""

    power: Array | None
    log_mel: Array
    mfcc: Array | None
    unit_db: float


def librosa_truth(y: Array, win: int, n_fft: int, hop: int) -> Truth:
    kw: dict[str, Any] = {"n_fft": n_fft, "hop_length": hop, "win_length": win}
    power = np.abs(librosa.stft(y, **kw)) ** 2
    log_mel = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=RATE, **kw))
    return Truth(power, log_mel, librosa.feature.mfcc(y=y, sr=RATE, **kw), 1.0)


def torchaudio_truth(y: Array, win: int, n_fft: int, hop: int) -> Truth:
    """The functional melscale_fbanks (HTK), AmplitudeToDB(top_db=80) and create_dct, restated."""
    window = torch.hann_window(win, dtype=torch.float64)
    wave = torch.from_numpy(y).double()
    spec = torch.stft(wave, n_fft, hop, win, window, return_complex=True, pad_mode="reflect")
    power = spec.abs() ** 2
    freqs = torch.linspace(0, RATE // 2, n_fft // 2 + 1, dtype=torch.float64)
    top = 2595.0 * np.log10(1 + RATE / 2 / 700)
    points = 700.0 * (10 ** (torch.linspace(0, top, 130, dtype=torch.float64) / 2595.0) - 1)
    slopes = points[None] - freqs[:, None]
    down = -slopes[:, :-2] / (points[1:-1] - points[:-2])
    up = slopes[:, 2:] / (points[2:] - points[1:-1])
    mels = torch.clamp(torch.minimum(down, up), min=0).T @ power
    db = 10 * torch.log10(torch.clamp(mels, min=1e-10))
    db = torch.maximum(db, db.max() - 80.0)
    n, k = torch.arange(128.0).double(), torch.arange(40.0).double()[:, None]
    dct = torch.cos(torch.pi / 128 * (n + 0.5) * k) * (2 / 128) ** 0.5
    dct[0] *= 2**-0.5
    return Truth(power.numpy(), db.numpy(), (dct @ db).numpy(), 1.0)


def kaldi_truth(y: Array, win: int, n_fft: int, hop: int) -> Truth:
    def rows(kind: Any, opts: Any) -> Array:
        opts.frame_opts.dither = 0.0
        opts.frame_opts.frame_length_ms = 1000 * win / RATE
        opts.frame_opts.frame_shift_ms = 1000 * hop / RATE
        opts.mel_opts.num_bins = 23
        tool = kind(opts)
        tool.accept_waveform(RATE, (y * 32768).tolist())
        tool.input_finished()
        return np.stack([tool.get_frame(i) for i in range(tool.num_frames_ready)]).T

    fbank = rows(kaldi_native_fbank.OnlineFbank, kaldi_native_fbank.FbankOptions())
    ceps = rows(kaldi_native_fbank.OnlineMfcc, kaldi_native_fbank.MfccOptions())
    return Truth(None, fbank, ceps, 10 / np.log(10))


def whisper_truth(y: Array, win: int, n_fft: int, hop: int) -> Truth:
    """Whisper's audio.py, log_mel_spectrogram, restated in float64."""
    wave, window = torch.from_numpy(y).double(), torch.hann_window(win, dtype=torch.float64)
    spec = torch.stft(wave, n_fft, hop, win, window, return_complex=True)[..., :-1]
    power = spec.abs() ** 2
    bank = librosa.filters.mel(sr=RATE, n_fft=n_fft, n_mels=80, dtype=np.float64)
    logs = torch.clamp(torch.from_numpy(bank) @ power, min=1e-10).log10()
    logs = (torch.maximum(logs, logs.max() - 8.0) + 4.0) / 4.0
    return Truth(power.numpy(), logs.numpy(), None, 40.0)


def wav2lip_truth(y: Array, win: int, n_fft: int, hop: int) -> Truth:
    """Wav2Lip's audio.py and hparams.py, with the padding of the librosa 0.7 that it pins."""
    emphasised = scipy.signal.lfilter([1, -0.97], [1], y.astype(np.float64))
    kw: dict[str, Any] = {"n_fft": n_fft, "hop_length": hop, "win_length": win}
    magnitude = np.abs(librosa.stft(emphasised, pad_mode="reflect", **kw))
    bank = librosa.filters.mel(sr=RATE, n_fft=n_fft, n_mels=80, fmin=55, fmax=7600)
    level = 20 * np.log10(np.maximum(np.exp(-100 / 20 * np.log(10)), bank @ magnitude)) - 20
    return Truth(magnitude, np.clip(8 * ((level + 100) / 100) - 4, -4, 4), None, 12.5)


def yamnet_truth(y: Array, win: int, n_fft: int, hop: int) -> Truth:
    """YAMNet's features.py: tf.signal.stft and linear_to_mel_weight_matrix, restated."""
    count = 1 + (len(y) - win) // hop
    frames = np.stack([y[i * hop : i * hop + win] for i in range(count)]).astype(np.float64)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(win) / win)
    magnitude = np.abs(np.fft.rfft(frames * window, n_fft)).T

    def to_mel(hz: Any) -> Array:
        return 1127.0 * np.log(1.0 + np.asarray(hz) / 700.0)

    bins = to_mel(np.linspace(0, RATE / 2, n_fft // 2 + 1)[1:])[:, None]
    edges = np.linspace(to_mel(125.0), to_mel(7500.0), 66)
    lower = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    upper = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    bank = np.pad(np.maximum(0, np.minimum(lower, upper)), [[1, 0], [0, 0]])
    return Truth(magnitude, np.log(bank.T @ magnitude + 0.001), None, 20 / np.log(10))


TOOLS: dict[str, Callable[..., Truth]] = {  # of the sound, window, FFT length and hop
    "librosa": librosa_truth,
    "torchaudio": torchaudio_truth,
    "kaldi": kaldi_truth,
    "whisper": whisper_truth,
    "wav2lip": wav2lip_truth,
    "yamnet": yamnet_truth,
}


def lengths(preset: str, win: int) -> dict[str, int]:
    n_fft = 1 << (win - 1).bit_length() if preset in ("kaldi", "yamnet") else win
    return {"win": win, "n_fft": n_fft, "hop": win * 2 // 5}


def worst(ours: Array, truth: Array) -> tuple[float, float]:
    """Largest difference at all frames, and at the first and last four."""
    assert ours.shape == truth.shape
    error = np.abs(ours - truth)
    return float(error.max()), float(np.concatenate([error[:, :4], error[:, -4:]], 1).max())


def db_error(ours: Array, truth: Array, unit_db: float) -> float:
    """Largest error in dB over the upper 80 dB."""
    assert ours.shape == truth.shape
    heard = truth > truth.max() - 80 / unit_db
    return float(np.abs(ours - truth)[heard].max() * unit_db)


@pytest.mark.filterwarnings("ignore:Empty filters detected")
@pytest.mark.parametrize("win", WINDOWS)
@pytest.mark.parametrize("preset", TOOLS)
def test_preset_equals_tool(preset: str, win: int) -> None:
    span = lengths(preset, win)
    for name in SOUNDS:
        assert_equal(preset, name, TOOLS[preset](SOUNDS[name], **span), **span)


def assert_equal(preset: str, name: str, truth: Truth, **given: int) -> None:
    """Our power, log-mel and MFCC of a sound against the tool's, with what is told."""
    y = SOUNDS[name]
    if truth.power is not None:
        chosen = options(spectrogram.Options, preset, sr=None, **given)
        power = spectrogram.run(clip(y), chosen).spectrogram.values
        peak = truth.power.max()
        for error in worst(power, truth.power):
            assert error <= 1e-6 * peak, (name, error / peak)
    ours = mel.run(clip(y), options(mel.Options, preset, **given)).mel.values
    assert db_error(ours, truth.log_mel, truth.unit_db) <= 2e-3, name
    # Without a floor under the maximum, a pure tone's far bands are the rounding noise of
    # either tool's float32, over 120 dB down.
    if truth.mfcc is not None and (preset, name) != ("kaldi", "tone"):
        ours = mfcc.run(clip(y), options(mfcc.Options, preset, **given)).mfcc.values
        for error in worst(ours, truth.mfcc):
            assert error <= 2e-3, (name, error)


@pytest.mark.filterwarnings("ignore:Empty filters detected")
@pytest.mark.parametrize("n_fft", [256, 512, 1000, 4096])
@pytest.mark.parametrize("preset", ["librosa", "torchaudio", "whisper"])
def test_n_fft_alone_is_what_the_tool_makes_of_it(preset: str, n_fft: int) -> None:
    """librosa's functions are told n_fft and nothing else, so that their own defaults speak."""
    for name in ("speech", "noise"):
        y = SOUNDS[name]
        if preset == "librosa":
            power = np.abs(librosa.stft(y, n_fft=n_fft)) ** 2
            mels = librosa.feature.melspectrogram(y=y, sr=RATE, n_fft=n_fft)
            ceps = librosa.feature.mfcc(y=y, sr=RATE, n_fft=n_fft)
            truth = Truth(power, librosa.power_to_db(mels), ceps, 1.0)
        else:
            # transforms.Spectrogram: win_length is n_fft, hop_length half of it. Whisper's
            # audio.py: hann_window(N_FFT), and HOP_LENGTH is 160 whatever N_FFT is.
            truth = TOOLS[preset](y, n_fft, n_fft, n_fft // 2 if preset == "torchaudio" else 160)
        assert_equal(preset, name, truth, n_fft=n_fft)


@pytest.mark.parametrize(
    "told",
    [{"win_length": 600}, {"hop_length": 100}, {"win_length": 602, "hop_length": 300}],
)
def test_a_window_or_hop_that_is_told_stays(told: dict[str, Any]) -> None:
    truth = np.abs(librosa.stft(speech(), n_fft=1024, **told)) ** 2
    given = {name.removesuffix("_length"): length for name, length in told.items()}
    chosen = options(spectrogram.Options, "librosa", n_fft=1024, **given)
    ours = spectrogram.run(clip(speech()), chosen).spectrogram.values
    assert max(worst(ours, truth)) <= 1e-6 * truth.max()


def test_a_window_told_in_seconds_gives_librosas_hop() -> None:
    """25 ms at 22050 Hz are 551 samples, and a quarter of them 137: cut, not rounded."""
    chosen = options(spectrogram.Options, "librosa", n_fft=1024, win=0.025)
    stft = chosen.stft(22_050)
    assert (stft.win_samples, stft.hop_samples) == (551, 551 // 4)
    chosen = options(spectrogram.Options, "librosa", n_fft=1024, win=0.025, sr=None)
    assert chosen.stft(16_000).hop_samples == 100


@pytest.mark.parametrize(("preset", "win", "hop"), [("wav2lip", 800, 200), ("yamnet", 400, 160)])
def test_a_window_that_does_not_follow_n_fft(preset: str, win: int, hop: int) -> None:
    """Wav2Lip's win_size is a number of its own, YAMNet's window is told in seconds."""
    truth = TOOLS[preset](SOUNDS["speech"], win, 2048, hop)
    assert_equal(preset, "speech", truth, n_fft=2048)


@pytest.mark.parametrize("preset", ["kaldi", "wav2lip", "yamnet"])
def test_n_fft_shorter_than_such_a_window_says_what_to_do(preset: str) -> None:
    longer, own = options(mel.Options, preset, n_fft=4096), options(mel.Options, preset)
    assert (longer.win, longer.hop) == (own.win, own.hop)
    words = r"--win \((400|800) samples\) is longer than --n-fft \(256\); raise --n-fft or shorten"
    with pytest.raises(InputError, match=words):
        options(mel.Options, preset, n_fft=256)


@pytest.mark.parametrize("win", WINDOWS)
@pytest.mark.parametrize("center", [True, False])
def test_complex_stft_equals_librosa(win: int, center: bool) -> None:
    for n_fft in (win, 2048):
        span = {"win": win, "n_fft": n_fft, "hop": win // 4}
        chosen = options(spectrogram.Options, "librosa", power=0, center=center, **span)
        ours = spectrogram.run(clip(speech()), chosen).spectrogram.values
        truth = librosa.stft(
            speech(), n_fft=n_fft, win_length=win, hop_length=win // 4, center=center
        )
        for error in worst(ours, truth):
            assert error <= 1e-6 * np.abs(truth).max()


@pytest.mark.parametrize("n_fft", [401, 1000, 1017, 1023, 1024, 1025])
@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_any_length_and_exponent_equal_librosa(n_fft: int, power: float) -> None:
    chosen = options(spectrogram.Options, win=400, n_fft=n_fft, hop=160, power=power)
    ours = spectrogram.run(clip(speech()), chosen).spectrogram.values
    stft = librosa.stft(speech(), n_fft=n_fft, win_length=400, hop_length=160)
    truth = np.abs(stft) ** power
    for error in worst(ours, truth):
        assert error <= (1e-6 if power >= 1 else 1e-3) * truth.max()


@pytest.mark.parametrize("orders", [1, 2])
def test_librosa_deltas(orders: int) -> None:
    for y in SOUNDS.values():
        ours = mfcc.run(clip(y), options(mfcc.Options, "librosa", sr=RATE, deltas=orders))
        base = librosa.feature.mfcc(y=y, sr=RATE)
        parts = [base] + [librosa.feature.delta(base, order=n + 1) for n in range(orders)]
        assert max(worst(ours.mfcc.values, np.concatenate(parts))) <= 2e-3


def test_kaldi_deltas() -> None:
    """Kaldi's DeltaFeatures: each order convolves the last one's taps, the end frames repeat."""
    ours = mfcc.run(clip(speech()), options(mfcc.Options, "kaldi", deltas=2)).mfcc.values
    base = ours[:13].astype(np.float64)
    slope = np.arange(-2, 3) / 10
    for order, taps in ((1, slope), (2, np.convolve(slope, slope))):
        half = len(taps) // 2
        padded = np.pad(base, [(0, 0), (half, half)], mode="edge")
        truth = np.stack([np.correlate(row, taps, "valid") for row in padded])
        assert max(worst(ours[13 * order : 13 * (order + 1)], truth)) <= 1e-4


def test_librosa_lifter() -> None:
    ours = mfcc.run(clip(speech()), options(mfcc.Options, "librosa", sr=RATE, lifter=22.0))
    truth = librosa.feature.mfcc(y=speech(), sr=RATE, lifter=22)
    assert max(worst(ours.mfcc.values, truth)) <= 2e-2  # lifted up to 12 times


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": "hamming"},
        {"pad": "reflect"},
        {"center": False},
        {"mel_scale": "htk"},
        {"mel_norm": None},
        {"power": 1.0},
        {"top": None},
    ],
)
def test_a_wrong_convention_is_seen(wrong: dict[str, Any]) -> None:
    """The measure of these tests must fail for each convention that tools differ in."""
    # Something at both ends, for the padding; deep silence, for the range.
    y = SOUNDS["silence after"].copy()
    y[:200] += np.float32(0.1)
    y[-200:] += np.float32(0.1)
    truth = librosa_truth(y, 400, 400, 160).mfcc
    assert truth is not None
    right = options(mfcc.Options, "librosa", win=400, n_fft=400, hop=160)
    ours = mfcc.run(clip(y), replace(right, **wrong)).mfcc.values
    assert max(worst(mfcc.run(clip(y), right).mfcc.values, truth)) <= 2e-3
    assert ours.shape != truth.shape or max(worst(ours, truth)) > 2e-2


def test_numbers_of_the_dct_are_scipys() -> None:
    logs = mel.run(clip(speech())).mel.values
    truth = scipy.fft.dct(logs.astype(np.float64), axis=0, norm="ortho")[:13]
    assert max(worst(mfcc.run(clip(speech())).mfcc.values, truth)) <= 2e-3
