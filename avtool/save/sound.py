"""Sound files, written as the sound comes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from avtool.save.place import Place
from avtool.values import Array, Audio

HEADER_BYTES = 4096
PEAK_TIME = 12  # where the time stands in a PEAK chunk: behind its name, length and version


class SoundFile:
    """.wav (32-bit float: nothing is clipped or rounded) or .flac (24 bits)."""

    def __init__(self, value: Audio, place: Place, *, kind: str) -> None:
        import soundfile

        self._open, self._failure = soundfile.SoundFile, soundfile.LibsndfileError
        self._path, self._frames = place.path, 0
        # A plain wav ends at 4 GiB.
        length = value.length_samples or (value.seconds or 0) * value.rate
        long = length * value.channels * 4 > 0.99 * 2**32
        subtype = "PCM_24" if kind == "FLAC" else "FLOAT"
        kind = "RF64" if kind == "WAV" and long else kind
        with self._said_by_the_system():
            file = self._open(
                # Bytes: a folder's name need not be UTF-8.
                os.fsencode(place.path),
                "w",
                value.rate,
                value.channels,
                subtype=subtype,
                format=kind,
            )
        self._file, self._kind = file, kind
        place.closing.callback(self._close)
        if value.note:
            self._file.comment = value.note

    def write(self, block: Array) -> None:
        with self._said_by_the_system():
            self._file.write(block.T)
        self._frames += block.shape[1]

    def finish(self) -> None:
        self._close()
        if self._kind != "FLAC":
            return self._forget_the_time()
        # The last samples are written by the closing, which fails without a word.
        with self._open(os.fsencode(self._path)) as file:
            if file.frames != self._frames:
                self._fail("the end is missing")

    def _close(self) -> None:
        with self._said_by_the_system():
            self._file.close()

    def _forget_the_time(self) -> None:
        """Libsndfile notes when a float wav was written: the same sound would be other bytes."""
        file = os.open(self._path, os.O_RDWR)
        place = os.pread(file, HEADER_BYTES, 0).find(b"PEAK")
        if place >= 0:
            os.pwrite(file, bytes(4), place + PEAK_TIME)
        os.close(file)

    @contextmanager
    def _said_by_the_system(self) -> Iterator[None]:
        try:
            yield
        except self._failure as error:
            self._fail(error.error_string)

    def _fail(self, words: str) -> NoReturn:
        """A full disk is but "System error" to libsndfile: Python writes once more and is told."""
        with self._path.open("ab") as file:
            file.write(bytes(1 << 16))
        raise OSError(words)
