"""What avtool says when it cannot go on: one line with the file, the fact and the next step."""

from __future__ import annotations

import re

# What moves a cursor, begins a line or turns the direction of the text.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class AvtoolError(Exception):
    """Root of all errors that are meant for the user's eyes."""


class InputError(AvtoolError):
    """An option or a combination of options cannot be used."""


class MediaError(AvtoolError):
    """A file cannot be read as the sound or pictures that were asked for."""


class OutputError(AvtoolError):
    """A result cannot be written where it was asked to go."""


def told(error: Exception, name: str = "") -> str:
    """An error as its user is told of it.

    Args:
        name: of the input where it came up.

    >>> told(InputError("--face 0: faces are counted from 1"))
    '--face 0: faces are counted from 1'
    >>> told(OSError(28, "No space left on device", "talk.mel.npy"), "talk.wav")
    'talk.mel.npy: No space left on device'
    """
    if isinstance(error, AvtoolError):
        return str(error)
    named = f"{name}: " if name else ""
    if isinstance(error, OSError):
        about = f"{error.filename}: " if error.filename else named
        return f"{about}{error.strerror or error}"
    if isinstance(error, MemoryError):
        return f"{named}does not fit into the memory that is free"
    if isinstance(error, ImportError):
        return f"{named}a library cannot be loaded ({error}); free memory, or install avtool anew"
    # A fault of ours.
    return f"{named}unexpected {type(error).__name__}: {error}; --debug shows where"


def shown(text: object) -> str:
    r"""Text of a name or a tag in one line: what would act on a terminal is escaped.

    >>> print(shown("talk\navtool: all is well.wav"))
    talk\navtool: all is well.wav
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


def text_of(name: str) -> str:
    r"""A file's name as text that can be stored: bytes of it that are no UTF-8 are escaped.

    >>> print(text_of("t\udcffalk.wav"))
    t\xffalk.wav
    """
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
