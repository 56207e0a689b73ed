"""How far each preset is from its tool: the worst frame of the worst sound. Prints a table.

    python tests/bench/parity.py

The sounds and the tools' side are those of tests/test_presets.py (seed 7 for the noise).
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import librosa
import numpy as np
import torch
from test_presets import SOUNDS, TOOLS, WINDOWS, clip, db_error, lengths, worst

from avtool.pipelines.features import mel, mfcc, spectrogram
from avtool.pipelines.features.presets import options

AGAINST = {
    "librosa": f"librosa {librosa.__version__}",
    "torchaudio": "its formulas in float64",
    "kaldi": "kaldi-native-fbank",
    "whisper": "its formulas in float64",
    "wav2lip": "its formulas, librosa's STFT",
    "yamnet": "its formulas in float64",
}


def main() -> None:
    warnings.filterwarnings("ignore", "Empty filters detected")
    print(f"{len(SOUNDS)} sounds x windows of {', '.join(map(str, WINDOWS))} samples at 16 kHz")
    print(f"numpy {np.__version__}, torch {torch.__version__}\n")
    print("| preset | against | STFT power, of the peak | log-mel, dB | MFCC |")
    print("| --- | --- | --- | --- | --- |")
    for preset, tool in TOOLS.items():
        stft, logs, ceps = [], [], []
        for win in WINDOWS:
            span = lengths(preset, win)
            for name, y in SOUNDS.items():
                truth = tool(y, **span)
                if truth.power is not None:
                    chosen = options(spectrogram.Options, preset, **span)
                    ours = spectrogram.run(clip(y), chosen).spectrogram.values
                    stft.append(worst(ours, truth.power)[0] / truth.power.max())
                ours = mel.run(clip(y), options(mel.Options, preset, **span)).mel.values
                logs.append(db_error(ours, truth.log_mel, truth.unit_db))
                if truth.mfcc is not None and (preset, name) != ("kaldi", "tone"):
                    ours = mfcc.run(clip(y), options(mfcc.Options, preset, **span)).mfcc.values
                    ceps.append(worst(ours, truth.mfcc)[0])
        cells = [f"{max(values):.1e}" if values else "-" for values in (stft, logs, ceps)]
        print(f"| `{preset}` | {AGAINST[preset]} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
