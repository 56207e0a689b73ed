"""Does the map of `avtool localize` follow the sound? The same pictures with other sounds.

Most published maps hardly move when the sound is exchanged or taken away (Juanola et al., "A
critical assessment of visual sound source localization models including negative audio", 2024):
what they show is what looks as if it could sound. Here each clip can be asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from avtool.errors import InputError
from avtool.media import Clip
from avtool.pipelines.localize.cues import VisualCues, listen
from avtool.pipelines.localize.pipeline import Models, Options, Tracks, faces_of, load, locate
from avtool.pipelines.localize.values import Source, Sources
from avtool.signal.resample import at_rate
from avtool.values import Array, Audio

SHIFT = 2.0  # seconds


@dataclass(frozen=True)
class Moved:
    """What became of the answer under one control, against the clip's own sound.

    Args:
        visible: mean probability that the source is in the picture; None where no sound was used.
        moved: mean total variation between the two maps, 0 to 1.
        left: part of the steps whose peak lies outside the box of the clip's own sound.
    """

    control: str
    visible: float | None
    moved: float | None
    left: float

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        facts = {k: v for k, v in asdict(self).items() if k != "control"}
        return {k: None if v is None else round(v, 3) for k, v in facts.items()}


def audit(
    clip: Clip,
    options: Options,
    other: Audio | None = None,
    *,
    tracks: Tracks | None = None,
    size: tuple[int, int] | None = None,
    models: Models | None = None,
) -> list[Moved]:
    """Hold other sounds against the same pictures.

    Args:
        other: another clip's sound; None exchanges the halves of the clip's own.
        tracks, size, models: as in ``localize.run``.

    Raises:
        InputError: its sound or its pictures were not asked for.
    """
    if clip.audio is None or clip.frames is None:
        raise InputError(f"{clip.name}: needs both sound and pictures")
    sight = VisualCues(
        clip, faces_of(clip, tracks), size or (clip.frames.width, clip.frames.height)
    )
    models = models or load(options)
    own = locate(sight, listen(clip.audio), options, models=models)
    rows = [Moved("own sound", _visible(own), 0.0, 0.0)]
    for control, sound in _controls(clip.audio, other):
        rows.append(_compared(control, own, locate(sight, listen(sound), options, models=models)))
    return [*rows, *_floors(own, sight)]


def _controls(own: Audio, other: Audio | None) -> Iterator[tuple[str, Audio]]:
    samples = own.samples
    length = samples.shape[1]
    shift = round(SHIFT * own.rate) % max(length, 1)

    def of(changed: Array) -> Audio:
        return replace(Audio.of(changed, own.rate), start=own.start)

    if other is None:
        yield "halves exchanged", of(np.roll(samples, length // 2, 1))
    else:
        sound = at_rate(other.samples, other.rate, own.rate)
        times = -(-length // max(1, sound.shape[1]))
        yield "another clip's sound", of(np.tile(sound, (1, times))[:, :length])
    yield f"shifted by {SHIFT:g} s", of(np.roll(samples, shift, 1))
    yield "reversed", of(samples[:, ::-1])
    yield "silenced", of(np.zeros_like(samples))


def _visible(found: Sources) -> float:
    return float(np.mean([step.visible for step in found.steps]))


def _compared(control: str, own: Sources, given: Sources) -> Moved:
    moved = []
    for a, b in zip(own.maps(), given.maps(), strict=True):
        moved.append(0.5 * (np.abs(a - b).sum() + abs(float(a.sum() - b.sum()))))
    left = [not _inside(b.peak, a) for a, b in zip(own.steps, given.steps, strict=True)]
    return Moved(control, _visible(given), float(np.mean(moved)), float(np.mean(left)))


def _inside(peak: tuple[float, float], step: Source) -> bool:
    x0, y0, x1, y1 = step.box
    return x0 <= peak[0] <= x1 and y0 <= peak[1] <= y1


def _floors(own: Sources, sight: VisualCues) -> Iterator[Moved]:
    """What needs no sound at all: the picture's middle, and where most moves."""
    middle = (sight.size[0] / 2, sight.size[1] / 2)
    motion = motion_of(sight)
    y, x = np.unravel_index(int(motion.argmax()), motion.shape)
    rows, cols = motion.shape
    liveliest = ((x + 0.5) / cols * sight.size[0], (y + 0.5) / rows * sight.size[1])
    for control, peak in (("floor: middle", middle), ("floor: most motion", liveliest)):
        left = float(np.mean([not _inside(peak, step) for step in own.steps]))
        yield Moved(control, None, None, left)


def motion_of(sight: VisualCues) -> Array:
    """How much moves in each cell, [rows, columns]: a map that needs no sound."""
    rows, cols = sight.grid
    motion = np.zeros((rows, cols))
    for field in sight.fields():
        motion += np.linalg.norm(field.values[0, ..., :2], axis=-1)
    return motion


def mean_map(found: Sources, grid: tuple[int, int]) -> Array:
    """The mean of all steps' maps, [rows, columns]."""
    total = np.zeros(grid)
    for shown in found.maps():
        total += shown
    return total / max(1, len(found.steps))
