"""What avtool says when it cannot go on: one line with the file, the fact and the next step."""


class AvtoolError(Exception):
    """Root of all errors that are meant for the user's eyes."""


class InputError(AvtoolError):
    """An option or a combination of options cannot be used."""


class MediaError(AvtoolError):
    """A file cannot be read as the sound or pictures that were asked for."""


class OutputError(AvtoolError):
    """A result cannot be written where it was asked to go."""
