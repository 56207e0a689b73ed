"""The commands that look at people: their faces, and the voice of each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from avtool import __version__, media
from avtool.cache import cached
from avtool.cli.batch import Report, Tick, drive
from avtool.cli.jobs import Job, Plan, expanded, is_folder
from avtool.errors import InputError, MediaError
from avtool.face import Track, from_arrays, to_arrays
from avtool.media import Clip, Media, Spec
from avtool.media.write import replace_sound
from avtool.pipelines import faces as looking
from avtool.pipelines import mel
from avtool.pipelines import separate as separating
from avtool.save import replacing, save, sink_of
from avtool.values import Array, Audio, Faces, Matrix, Voices


def faces(
    *,
    inputs: list[str],
    out: str | None,
    format: list[str] | None,
    start: float,
    duration: float | None,
    overwrite: bool,
    strict: bool,
    json: bool,
) -> int:
    """Run `avtool faces`; returns the exit code."""
    plan = Plan(
        fields=["faces"],
        formats=format or [],
        defaults=looking.FORMATS,
        out=out,
        check=lambda field, suffix: sink_of(Faces, suffix),
    )
    wanted = replace(looking.SPEC, start=start, duration=duration)

    def work(job: Job, tick: Tick) -> Report:
        source = media.open(job.source, name=job.name)
        stage = stages(tick, source, 2)
        spec = replace(wanted, audio=bool(source.info.audio))
        tracks = tracks_of(source, spec, stage(0), strict)
        clip = source.clip(spec, tick=stage(1), strict=strict)
        found = looking.run(clip, looking.Options(tracks)).faces
        for paths in job.outputs.values():
            save(found, paths, name="faces", title=job.title)
        warnings = [*clip.warnings]
        if not source.info.audio:
            warnings.append("has no sound, so nobody speaks")
        if not tracks:
            warnings.append("shows no face")
        facts = {"faces": len(tracks)}
        return Report(job.name, "done", [str(p) for p in job.paths], warnings=warnings, facts=facts)

    with expanded(inputs) as found:
        return drive(plan.jobs(found), work, overwrite=overwrite, as_json=json, out=out)


def separate(
    *,
    inputs: list[str],
    face: int | None,
    all: bool,
    video: bool,
    voices: int | None,
    weights: str | None,
    out: str | None,
    format: list[str] | None,
    start: float,
    duration: float | None,
    overwrite: bool,
    strict: bool,
    json: bool,
) -> int:
    """Run `avtool separate`; returns the exit code.

    Raises:
        InputError: the options contradict each other.
    """
    if all and face is not None:
        raise InputError("--face and --all contradict each other; give one")
    if face is not None and face < 1:
        raise InputError("faces are counted from 1")
    if video and (start or duration is not None):
        raise InputError("--video keeps the whole picture; leave out --start and --duration")
    if out == "-" and (face is None or sys.stdout.isatty()):
        raise InputError("-o - takes one --face, and a pipe to write to")
    is_file = out not in (None, "-") and not is_folder(str(out))
    if face is None and is_file:
        raise InputError(f"-o {out} is one file for several voices; name a folder/, or one --face")
    if video and is_file:
        raise InputError(f"--video is a second file beside -o {out}; name a folder/")
    field = f"face{face}" if face else "rest"  # of several voices, the one that is written last
    plan = Plan(
        fields=[field],
        formats=[*(format or ["wav"]), "mp4"] if video else format or [],
        defaults=["wav"],
        out=out,
        check=lambda field, suffix: suffix == ".mp4" or sink_of(Audio, suffix),
    )
    options = separating.Options(face, voices, weights)
    wanted = replace(separating.SPEC, start=start, duration=duration)

    def work(job: Job, tick: Tick) -> Report:
        source = media.open(job.source, name=job.name)
        if not source.info.audio:
            raise MediaError(f"{job.name}: has no sound; 'avtool info' shows what it holds")
        stage = stages(tick, source, 3)
        tracks = tracks_of(source, wanted, stage(0), strict)
        clip = source.clip(wanted, tick=stage(1), strict=strict)
        result = separating.run(clip, replace(options, tracks=tracks))
        warnings = list(clip.warnings)
        paths = job.outputs[field]
        written = paths
        if face is not None:
            _write(result.voices[face], paths, source, field)
        else:
            written, stem = [], paths[0].name.removesuffix(f".{field}{paths[0].suffix}")
            voices = {f"face{n}": voice for n, voice in result.voices.items()}
            for name, voice in (voices | {field: result.rest}).items():
                places = [path.with_name(f"{stem}.{name}{path.suffix}") for path in paths]
                _write(voice, places, source, name)
                written += places
            written.append(paths[0].with_name(f"{stem}.voices.png"))
            drawn = _picture(clip, tracks, result)
            save(drawn, written[-1:], name="voices", title=job.title)
        for number, spans in result.speaking.items():
            if not spans:
                warnings.append(f"face {number} never speaks; its voice is silence")
        facts: dict[str, Any] = {"faces": len(tracks), "speaking": result.speaking}
        made = [str(path) for path in written]
        return Report(job.name, "done", made, warnings=warnings, facts=facts)

    with expanded(inputs) as found:
        return drive(plan.jobs(found), work, overwrite=overwrite, as_json=json, out=out)


def _picture(clip: Clip, tracks: Sequence[Track], result: separating.Result) -> Voices:
    """The spectrograms of the source, of each voice and of the rest."""
    assert clip.audio is not None

    def levels(sound: Audio) -> Matrix:
        options = mel.Options(n_mels=80, fmax=min(8000.0, sound.rate / 2), top=None)
        return mel.run(Clip(clip.name, sound.mono(), None, clip.duration), options).mel

    portraits = {track.face: track.portrait for track in tracks}
    rows: list[tuple[str, Array | None, Matrix]] = [("source", None, levels(clip.audio))]
    rows += [(str(n), portraits[n], levels(voice)) for n, voice in result.voices.items()]
    return Voices([*rows, ("rest", None, levels(result.rest))])


def _write(voice: Audio, paths: Sequence[Path], source: Media, name: str) -> None:
    """Sound in all its formats at once, and under the pictures where an mp4 is asked for."""
    sounds = [path for path in paths if path.suffix != ".mp4"]
    if sounds:
        save(voice, sounds, name=name, title=sounds[0].stem)
    for path in paths:
        if path not in sounds:
            with replacing(path) as part:
                replace_sound(Path(source.info.path), part, voice, suffix=".mp4")


def tracks_of(
    source: Media, wanted: Spec, tick: Callable[[float], None], strict: bool
) -> list[Track]:
    """The file's faces, from the cache where they were found before."""
    if not source.info.video:
        raise MediaError(f"{source.name}: has no pictures, so nobody's voice can be asked for")
    spec = replace(wanted, audio=False)

    def look() -> Any:
        return to_arrays(looking.find(source.clip(spec, tick=tick, strict=strict)))

    what = f"faces {__version__} {spec.start} {spec.duration} {spec.fps}"
    found = from_arrays(cached(Path(source.info.path), what, look))
    tick(source.info.duration or 0.0)
    return found


def stages(tick: Tick, source: Media, count: int) -> Callable[[int], Callable[[float], None]]:
    """One bar over several readings of a file, also where two go on at once."""
    total = source.info.duration
    done = [0.0] * count

    def stage(number: int) -> Callable[[float], None]:
        def told(seconds: float) -> None:
            done[number] = seconds
            tick(sum(done), count * total if total else None)

        return told

    return stage
