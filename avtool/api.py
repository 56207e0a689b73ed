"""The commands as functions, each made from its pipeline: its ``Options``, ``Result`` and ``run``.

A new pipeline is a new function without a word here. What its ``run`` asks for by name it is given:
``models`` (what its ``load`` gives), ``tracks`` of the faces, ``size`` of the pictures, ``start``
of the part, and ``source``, the face that is to speak. Where it has ``reading``, that says what is
read of a video; where it has ``LARGEST``, it takes a photo too, made to fit that; where its
``Result`` has ``picture``, that is drawn.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, replace
from functools import cache
from inspect import Parameter, Signature, cleandoc, signature
from pathlib import Path
from textwrap import indent
from typing import Any, get_type_hints

import numpy as np

from avtool import media
from avtool.errors import InputError
from avtool.media import Clip, Info, Media, Spec
from avtool.media.probe import AudioStream
from avtool.media.read import BLOCK_SAMPLES, Held, Reading
from avtool.pipelines import commands, pipeline, spec
from avtool.pipelines.features import presets
from avtool.pipelines.speech2face.values import FaceSamples
from avtool.save import formats, save
from avtool.scratch import temporary_folder
from avtool.signal.resample import resampled
from avtool.values import Array, Audio, Frames, Matrix

FILE = str | os.PathLike[str]
PATHS = (str, os.PathLike)
# What a function takes first: type and meaning.
SOUND = (FILE | np.ndarray, "a file; or samples [time] or [channels, time], float or int16")
VIDEO = (FILE, "a video file")
SIGHT = (FILE, "a photo, or a video file")
FACE = (
    FILE | np.ndarray | None,
    "a photo or a video; or a photo as uint8 [height, width, 3]; None is the drawn head",
)
# What it takes besides its options: type, default and meaning.
READING: dict[str, tuple[Any, Any, str]] = {
    "rate": (int | None, None, "of samples, in Hz; a file knows its own"),
    "preset": (str | None, None, f"whose numbers to give: {', '.join(presets.PRESETS)}"),
    "start": (float, 0.0, "where to begin, in seconds"),
    "duration": (float | None, None, "how much to take, in seconds; None is all"),
    "channel": (int | None, None, "one channel, counted from 1; None is what suits the command"),
    "device": (str, "auto", "where networks run: auto, cpu, cuda or mps"),
}


@cache
def command(name: str) -> Callable[..., Any]:
    """The function of a command; its Results get a picture and a short repr."""
    module = pipeline(name)
    form = _form(module)

    def function(*sources: Any, **options: Any) -> Any:
        if module.SPEC.frames and sources and not isinstance(sources[0], PATHS):
            kind = type(sources[0]).__name__
            raise InputError(f"avtool.{name} takes a video file, not {kind}; give its path")
        there = form.parameters.keys() - _sources(module).keys()
        for unknown in (each for each in options if each not in form.parameters):
            raise InputError(f"there is no option {unknown}; there are {', '.join(sorted(there))}")
        form.bind(*sources, **options)  # raises TypeError where a source lacks or is one too many
        return _run(name, *sources, **options)

    function.__name__ = function.__qualname__ = name
    function.__module__ = "avtool"
    function.__doc__ = _words(module, form)
    function.__signature__ = form  # type: ignore[attr-defined]
    module.Result.__repr__ = _short
    module.Result._repr_png_ = _picture
    return function


def _sources(module: Any) -> dict[str, tuple[Any, str]]:
    if "source" in signature(module.run).parameters:
        return {"source": FACE, "speech": SOUND}
    if hasattr(module, "LARGEST"):
        return {"source": SIGHT}
    return {"source": VIDEO if module.SPEC.frames else SOUND}


def _form(module: Any) -> Signature:
    """What a function takes, and gives."""
    lacks = {
        "rate": module.SPEC.frames,
        "preset": "sr" not in {field.name for field in fields(module.Options)},
        "device": "models" not in signature(module.run).parameters,
    }
    named = {key: (kind, default) for key, (kind, default, _) in READING.items()}
    named = {key: each for key, each in named.items() if not lacks.get(key)}
    hints = get_type_hints(module.Options)
    for field in fields(module.Options):
        make = field.default_factory
        named[field.name] = hints[field.name], field.default if make is MISSING else make()
    first = [
        Parameter(key, Parameter.POSITIONAL_ONLY, annotation=kind)
        for key, (kind, _) in _sources(module).items()
    ]
    rest = [
        Parameter(key, Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for key, (kind, default) in named.items()
    ]
    return Signature([*first, *rest], return_annotation=module.Result)


def _words(module: Any, form: Signature) -> str:
    """A function's docstring: the pipeline's, and what its options and its Result say of them."""
    told = {key: words for key, (_, words) in _sources(module).items()}
    told |= {key: words for key, (_, _, words) in READING.items() if key in form.parameters}
    lines = [f"{key}: {words}." for key, words in told.items()]
    for kind in reversed(module.Options.__mro__[:-1]):
        # Of Options' docstring, what follows its summary: the words of Args, and where to see more.
        text = re.sub(r"^Raises:\n(    .*\n?)+", "", cleandoc(kind.__doc__), flags=re.MULTILINE)
        rest = text.partition("\n\n")[2].replace("Args:\n", "")
        lines += [line.removeprefix("    ") for line in rest.splitlines() if line]
    summary = re.sub(r"^`avtool \w+`: (.)", lambda m: m[1].upper(), cleandoc(module.__doc__))
    values = ", ".join(field.name for field in fields(module.Result))
    meant = cleandoc(module.Result.__doc__).replace("\n\nArgs:\n", "\n")
    gives = indent(f"A Result with {values}.\n{meant}", "    ")
    return (
        f"{summary}\n\nArgs:\n{indent(chr(10).join(lines), '    ')}\n\nReturns:\n{gives}\n\n"
        "Raises:\n    AvtoolError: a source or an option cannot be used.\n"
    )


def _run(
    name: str,
    source: Any,
    speech: Any = None,
    *,
    rate: int | None = None,
    preset: str | None = None,
    start: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
    device: str = "auto",
    **options: Any,
) -> Any:
    module = pipeline(name)
    asked = signature(module.run).parameters
    chosen = presets.options(module.Options, preset, **options)
    wanted = spec(module, chosen, start=start, duration=duration, channel=channel)
    title = Path(source).name if isinstance(source, PATHS) else "an array"
    more: dict[str, Any] = {}
    channels = 0
    if module.SPEC.frames:
        clip, more = _video(module, source, wanted)
    elif "source" in asked:
        more["source"] = _face(source, chosen.face, chosen.fps)
        clip = _opened(speech, rate).clip(wanted)
        title = f"{title if source is not None else 'the drawn head'} says {Path(clip.name).name}"
    else:
        heard = _opened(source, rate)
        clip = heard.clip(wanted)
        channels = heard.info.audio[0].channels
    if "models" in asked:
        more["models"] = module.load(chosen, device)
    result = module.run(clip, chosen, **{key: more[key] for key in more if key in asked})
    if channels > 1:
        result = _of_channels(result, channels, wanted.channel)
    vars(result)["_title"] = title  # of its picture
    return result


def _of_channels(result: Any, channels: int, channel: int | None) -> Any:
    """The same result; its matrices say which of a sound's channels they are of."""
    values = {field.name: getattr(result, field.name) for field in fields(result)}
    matrices = {key: value for key, value in values.items() if isinstance(value, Matrix)}
    return replace(
        result, **{key: each.of_channels(channels, channel) for key, each in matrices.items()}
    )


def _video(module: Any, source: Any, wanted: Spec) -> tuple[Clip, dict[str, Any]]:
    """A video as its pipeline reads it, and what its ``run`` may ask for; a photo where it can."""
    from avtool.media.image import SUFFIXES, read_picture
    from avtool.speakers.tracks import tracks_of

    if hasattr(module, "LARGEST") and Path(source).suffix.lower() in SUFFIXES:
        return media.still(os.fspath(source), read_picture(source, module.LARGEST)), {}
    film = media.open(source)
    if hasattr(module, "reading"):
        wanted = module.reading(film, wanted)
    size = next(((each.width, each.height) for each in film.info.video), None)
    more: dict[str, Any] = {"size": size, "start": wanted.start}
    if "tracks" in signature(module.run).parameters:
        more["tracks"] = tracks_of(film, wanted)
    return film.clip(wanted), more


def _face(source: Any, face: int | None, fps: int | None) -> Any:
    """What is to speak: a photo, a film, or None, the drawn head."""
    from avtool.media.image import SUFFIXES, read_picture
    from avtool.pipelines.lips.video_face import LOOKED, video_face
    from avtool.speakers.tracks import tracks_of

    if source is None:
        return None
    if not isinstance(source, PATHS):
        image = np.array(source)  # a copy, for it is read later
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise InputError(
                f"a photo is uint8 [height, width, 3], RGB; this is {_shape(image)}; convert it"
            )
        return image
    if Path(source).suffix.lower() in SUFFIXES:
        return read_picture(source)
    film = media.open(source)
    return video_face(film, tracks_of(film, LOOKED), face, fps)


def _opened(source: Any, rate: int | None) -> Media:
    """A file, or samples of the user's as if they were one."""
    if isinstance(source, PATHS):
        if rate is not None:
            raise InputError(f"{source}: rate is for samples, a file knows its own; leave it out")
        return media.open(source)
    given = np.atleast_2d(np.asarray(source))
    if given.dtype != np.int16 and given.dtype.kind != "f":
        raise InputError(f"samples are float in [-1, 1], or int16, not {given.dtype}; convert them")
    if given.ndim != 2 or not given.size or len(given) > given.shape[1]:
        raise InputError(f"samples are [time] or [channels, time], not {_shape(given)}; turn them")
    if rate is None or rate < 1 or rate != round(rate):
        raise InputError(f"samples need their rate in Hz, not {rate}; add rate=16000, say")
    return _Samples(given, int(rate))


class _Samples(Media):
    """Sound in memory, which is cut, mixed and resampled as a file's is.

    Shape:
        samples: float or int16 [channels, time]; copied, for clips are read later.
    """

    def __init__(self, samples: Array, rate: int) -> None:
        scale = 2.0**-15 if samples.dtype == np.int16 else 1.0
        self._samples = np.multiply(samples, scale, dtype=np.float32)
        channels, length = samples.shape
        stream = AudioStream(0, "samples", rate, channels, "", 0.0)
        info = Info(Path(), "samples", 0, length / rate, (stream,), length_samples=length)
        super().__init__(info, "the array")

    def _audio(
        self,
        spec: Spec,
        reading: Reading,
        seconds: float | None,
        info: Info,
        held: Held | None,
    ) -> Audio:
        audio = super()._audio(spec, reading, seconds, info, held)  # its facts
        own = self.info.audio[0]
        if spec.channel and not 1 <= spec.channel <= own.channels:
            raise InputError(f"the array has no channel {spec.channel}; it has {own.channels}")
        first = round(spec.start * own.rate)
        last = None if spec.duration is None else first + round(spec.duration * own.rate)
        part = self._samples[:, first:last]
        part = part[spec.channel - 1 : spec.channel] if spec.channel else part
        mean = spec.channel is None and own.channels > 1

        def blocks() -> Iterator[Array]:  # as long as a file's
            for at in range(0, part.shape[1], BLOCK_SAMPLES):
                block = part[:, at : at + BLOCK_SAMPLES]
                yield block.mean(0, keepdims=True) if mean else block.copy()

        def at_rate() -> Iterator[Array]:
            return resampled(blocks(), own.rate, audio.rate, audio.channels)

        return replace(audio, blocks=blocks if audio.rate == own.rate else at_rate)


def _picture(result: Any) -> bytes | None:
    """A Result as PNG, as its command draws it; None where there is no picture of it."""
    value, name = _shown(result), fields(result)[0].name
    if ".png" not in formats(type(value)):
        return None
    title = vars(result).get("_title", "")
    if isinstance(value, FaceSamples):  # all of the faces, not the one portrait
        name, title = "faces", f"who may say {title}"
    with temporary_folder() as folder:
        path = folder / "result.png"
        save(value, [path], name=name, title=title)
        return path.read_bytes()


def _shown(result: Any) -> Any:
    """What is drawn of a Result: its ``picture``, or else its first value."""
    if hasattr(result, "picture"):
        return result.picture()
    return getattr(result, fields(result)[0].name)


def _command(result: Any) -> str:
    return next(name for name, at in commands().items() if at == type(result).__module__)


def _short(result: Any) -> str:
    """A Result in a line: its values by name, arrays by their shape and sounds by their seconds."""
    values = (f"{field.name}={_brief(getattr(result, field.name))}" for field in fields(result))
    return f"{_command(result)}.Result({', '.join(values)})"


def _brief(value: Any) -> str:
    if isinstance(value, Audio):
        seconds = "" if value.seconds is None else f"{value.seconds:.2f} s, "
        return f"<{seconds}{value.channels} x {value.rate} Hz>"
    if isinstance(value, Matrix):
        seconds = "" if value.frames is None else f", {value.frames * value.hop:.2f} s"
        return f"<[{len(value.bins)}, {value.frames or '?'}] {value.unit}{seconds}>"
    if isinstance(value, Frames):
        return f"<{value.width} x {value.height}, {float(value.fps):g} a second>"
    if isinstance(value, np.ndarray):
        return f"<{_shape(value)}>"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_brief(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"<{len(value)} in a list>"
    return f"<{type(value).__name__}>"


def _shape(array: Array) -> str:
    return f"{array.dtype} {list(array.shape)}"
