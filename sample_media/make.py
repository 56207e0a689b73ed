"""Make the sample media. Needs Debian's `flite` (apt-get install flite); run in this folder.

speech.wav: a sentence of ours spoken by Flite's voice "slt" (CMU Flite and its voices are free
software under a BSD-like licence that asks for no more than its notice; the sound is ours to give,
Apache-2.0 as the rest). 16 kHz, 16 bit, mono.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

SENTENCE = (
    "The picture of a voice shows what the ear can only guess: "
    "its pitch, its vowels, and every breath between."
)


def main() -> None:
    here = Path(__file__).parent
    subprocess.run(
        ["flite", "-voice", "slt", "-t", SENTENCE, "-o", here / "speech.wav"], check=True
    )


if __name__ == "__main__":
    main()
