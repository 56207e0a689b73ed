"""Sound files, written as the sound comes."""

from __future__ import annotations

from avtool.save.place import Place
from avtool.values import Array, Audio


class SoundFile:
    """.wav (32-bit float: nothing is clipped or rounded) or .flac (24 bits)."""

    def __init__(self, value: Audio, place: Place, *, kind: str) -> None:
        import soundfile

        self._failure = soundfile.LibsndfileError
        # A plain wav ends at 4 GiB.
        length = value.length_samples or (value.seconds or 0) * value.rate
        long = length * value.channels * 4 > 0.99 * 2**32
        subtype = "PCM_24" if kind == "FLAC" else "FLOAT"
        kind = "RF64" if kind == "WAV" and long else kind
        file = soundfile.SoundFile(
            place.path, "w", value.rate, value.channels, subtype=subtype, format=kind
        )
        self._file = place.closing.enter_context(file)
        if value.note:
            self._file.comment = value.note

    def write(self, block: Array) -> None:
        try:
            self._file.write(block.T)
        except self._failure as error:  # a full disk, said in libsndfile's words
            raise OSError(error.error_string) from error

    def finish(self) -> None:
        self._file.flush()
