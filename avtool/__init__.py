"""avtool: sound and pictures of talking people, from the command line or from Python.

Each command is a function of the same name, and gives its pipeline's Result:

>>> import avtool
>>> avtool.mel("sample_media/speech.wav", preset="whisper").mel.values.shape[0]
80
>>> avtool.open("sample_media/speech.wav").info.audio[0].channels
1
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

__version__ = "0.1.0"
__all__ = [
    "lips",
    "localize",
    "mel",
    "mfcc",
    "open",
    "separate",
    "spectrogram",
    "speech2face",
    "waveform",
]

_PIPELINES = ("waveform", "spectrogram", "mel", "mfcc", "separate", "localize", "speech2face")


def __getattr__(name: str) -> Any:
    # On demand: `import avtool` costs nothing, and each command pays for what it uses.
    if name == "open":
        from avtool.media import open as found

        return found
    if name == "lips":
        return _lips
    if name in _PIPELINES:
        return _function(name)
    raise AttributeError(f"module 'avtool' has no attribute '{name}'")


def _lips(
    face: str | os.PathLike[str] | None, speech: str | os.PathLike[str], **options: Any
) -> Any:
    """The Result of `avtool lips`; see avtool.pipelines.lips. No face is the drawn head.

    Raises:
        AvtoolError: a file or an option cannot be used, or there is no such face.
    """
    from pathlib import Path

    from avtool import media
    from avtool.media.picture import SUFFIXES, read_picture
    from avtool.pipelines import faces, lips
    from avtool.pipelines import film as filming

    given: Any = None
    if face is not None and Path(face).suffix.lower() in SUFFIXES:
        given = read_picture(face)
    elif face is not None:
        source = media.open(face)
        given = filming.filmed(
            source, faces.find(source.clip(filming.LOOKED)), options.get("number")
        )
    clip = media.open(speech).clip(lips.SPEC)
    return lips.run(clip, lips.Options(given, **options))


def _function(name: str) -> Callable[..., Any]:
    def command(
        path: str | os.PathLike[str],
        *,
        preset: str | None = None,
        start: float = 0.0,
        duration: float | None = None,
        channel: int | None = None,
        **options: Any,
    ) -> Any:
        from avtool import media
        from avtool.pipelines import pipeline, presets, spec

        module = pipeline(name)
        chosen = presets.options(module.Options, preset, **options)
        wanted = spec(module, chosen, start=start, duration=duration, channel=channel)
        return module.run(media.open(path).clip(wanted), chosen)

    command.__name__ = command.__qualname__ = name
    command.__doc__ = (
        f"The Result of `avtool {name}` on a file; see avtool.pipelines.{name}.\n\n"
        "Raises:\n    AvtoolError: the file or an option cannot be used."
    )
    return command
