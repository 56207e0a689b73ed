"""Which phone is said when, by PocketSphinx's English models: words that are known, or heard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from avtool.models.speech_frontend import PHONES
from avtool.training.corpus import RATE
from avtool.values import Array

SILENCE = "SIL"
# Said otherwise than the dictionary has it: letters by their names, and British vowels.
ALSO = {"a": "EY", "z": "Z EH D", "r": "AA", "four": "F AO", "at": "AH T"}

Phone = tuple[str, float, float]  # of ARPABET, from and to in seconds


class PhoneAligner:
    """Hears words with a language model, and then where their phones are."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder  # of the extra "train"; nothing else needs it

        usual: dict[str, Any] = {"samprate": RATE, "cmn": "batch", "loglevel": "FATAL"}
        self._free = Decoder(**usual)
        wide = {"beam": 1e-120, "pbeam": 1e-120, "wbeam": 1e-100}
        self._told = Decoder(**usual, **wide, lm=None, bestpath=False)
        for word, said in ALSO.items():
            self._told.add_word(f"{word}(9)", said, True)

    def words(self, sound: Array) -> list[str]:
        """What is said, float [time] at 16 kHz -> words; not all of them right."""
        _decode(self._free, _bytes(sound))
        found = [each.word.split("(")[0] for each in self._free.seg() or ()]
        return [word for word in found if word[0].isalpha() or word[0] == "'"]

    def phones(self, sound: Array, words: Sequence[str] = ()) -> list[Phone]:
        """Phones and silences of a sound, in order; none where its words cannot be found in it.

        Args:
            sound: float [time] at 16 kHz.
            words: that are said; none: those that are heard.
        """
        words, raw = words or self.words(sound), _bytes(sound)
        if not words or any(self._told.lookup_word(word) is None for word in words):
            return []
        self._told.set_align_text(" ".join(words))
        _decode(self._told, raw)
        found = [each.word.split("(")[0] for each in self._told.seg() or ()]
        if [word for word in found if word[0] not in "<["] != list(words):
            return []
        self._told.set_alignment()
        _decode(self._told, raw)
        return [
            (
                phone.name if phone.name in PHONES else SILENCE,
                phone.start / 100,
                (phone.start + phone.duration) / 100,
            )
            for word in self._told.get_alignment() or ()
            for phone in word
        ]


def labels(phones: Sequence[Phone], frames: int) -> Array:
    """The phone of each fiftieth of a second, its number in ``PHONES``: int64 [frames]."""
    found = np.full(frames, PHONES.index(SILENCE))
    for phone, start, end in phones:
        found[max(0, round(50 * start)) : max(0, round(50 * end))] = PHONES.index(phone)
    return found


def transcripts(folder: Path) -> dict[str, list[str]]:
    """Words of the clips of a folder, where ``FOLDER-words.tsv`` beside it has them.

    Its columns are clip, start_s, end_s, word, as of GRID; ``sil`` and ``sp`` are no words.
    """
    path, found = folder.with_name(f"{folder.name}-words.tsv"), dict[str, list[str]]()
    if path.exists():
        for line in path.read_text().splitlines()[1:]:
            clip, _, _, word = line.split("\t")
            found.setdefault(clip, []).extend([word] if word not in ("sil", "sp") else [])
    return found


def _decode(decoder: Any, raw: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(raw, full_utt=True)
    decoder.end_utt()


def _bytes(sound: Array) -> bytes:
    return (np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes()
