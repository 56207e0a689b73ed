"""`avtool localize`: where in the picture a sound comes from, and whether it is there at all.

Three cues are held against each other (see ``cues``). A place is either a cell of the
picture, whose motion agrees with the sound, or a face, whose lips do; beside them stands "nowhere".
One softmax over all of them (``fusion``) gives the map and how likely the source is
visible at all. The question is that of Senocak et al., "Learning to localize sound source in visual
scenes" (2018); a network of theirs that the user has trained is a fourth cue: what looks like the
sound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from avtool.draw.heat import softened
from avtool.errors import InputError
from avtool.face import Track
from avtool.media import Clip, Media, Spec
from avtool.pipelines.localize.cues import (
    Cues,
    Seen,
    Sound,
    VisualCues,
    cue_evidence,
    listen,
    moving,
)
from avtool.pipelines.localize.fusion import Fused, Weights, decided, explained, fuse
from avtool.pipelines.localize.values import Source, Sources
from avtool.prefetch import Prefetch
from avtool.speakers.tracks import find
from avtool.spool import Spool, spooled
from avtool.values import FPS, RATE, Array

if TYPE_CHECKING:
    from avtool.models.lipvoice import LipVoice
    from avtool.models.yamnet import YAMNet
    from avtool.pipelines.localize.attention import Attention

SPEC = Spec(audio=True, frames=True, rate=RATE, channel=0, fps=Fraction(FPS))
SMALL = 512  # long side of the pictures that motion is looked for in, and a summary shows
LONGEST = 60  # seconds from one look to the next
BEFORE = 1000  # looks at what moves that are kept at most while faces are still looked for


@dataclass(frozen=True)
class Options:
    """What is asked for.

    Args:
        every: seconds from one look to the next.
        threshold: what part of the peak's heat still belongs to the source.
        explain: keep what each cue says alone.
        weights: an attention network of the user's own, which is a cue then.

    Raises:
        InputError: a value is out of its range.
    """

    every: float = 0.2
    threshold: float = 0.5
    explain: bool = False
    weights: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise InputError(
                f"--threshold {self.threshold:g} is a part of the peak: say 0.5, between 0 and 1"
            )
        if not 0 < self.every <= LONGEST:
            raise InputError(f"--every {self.every:g} is a time in seconds: 0.2, up to {LONGEST}")

    @property
    def frames(self) -> int:
        """Pictures from one look to the next."""
        return max(1, round(self.every * FPS))


@dataclass(frozen=True)
class Result:
    """Where the sound comes from."""

    sources: Sources


def reading(source: Media, spec: Spec) -> Spec:
    """What is read of a file: pictures that are just large enough to see motion."""
    if not source.info.video:
        return spec
    stream = source.info.video[0]
    scale = min(1.0, SMALL / max(stream.width, stream.height))
    small = (max(2, round(stream.width * scale)), max(2, round(stream.height * scale)))
    return replace(spec, size=small)


class Models(NamedTuple):
    """The lip-voice match, the attention network where one is asked for, and what is heard."""

    lipvoice: LipVoice
    attention: Attention | None
    yamnet: YAMNet


def load(options: Options = Options(), device: str = "auto") -> Models:
    """The networks, once for many clips.

    Raises:
        InputError: there is no such device; the user's weights cannot be used.
    """
    from avtool.models import weights
    from avtool.models.lipvoice import LipVoice
    from avtool.models.yamnet import YAMNet

    device = weights.device(device)
    attention = None
    if options.weights is not None:
        from avtool.pipelines.localize.attention import load as own

        attention = own(options.weights, device)
    return Models(weights.load(LipVoice, device=device), attention, YAMNet())


Tracks = Sequence[Track] | Callable[[], Sequence[Track]]


def run(
    clip: Clip,
    options: Options = Options(),
    *,
    tracks: Tracks | None = None,
    size: tuple[int, int] | None = None,
    models: Models | None = None,
) -> Result:
    """Find the source of a clip's sound in its pictures.

    Args:
        tracks: the faces, or what finds them; None looks now.
        size: width, height of the source, where the clip's pictures are smaller.
        models: what ``load`` gave; None loads it now.

    Raises:
        InputError: its sound or its pictures were not asked for.
    """
    if clip.audio is None or clip.frames is None:
        raise InputError(f"{clip.name}: needs both sound and pictures")
    sight = VisualCues(clip, (), size or (clip.frames.width, clip.frames.height))
    sound = listen(spooled(clip.audio))
    models = models or load(options)
    seen = moving(sight, sound, options.frames, models.attention)
    with Prefetch(seen, BEFORE) as agreed:  # while faces are found
        sight = replace(sight, tracks=faces_of(clip, tracks))
        return Result(named(locate(sight, sound, options, agreed, models), sound, models.yamnet))


def named(sources: Sources, sound: Sound, network: YAMNet) -> Sources:
    """The same, each step with the kind of sound that is heard in the half second around it."""
    from avtool.models.yamnet import likeliest, moments, probable

    looks = list(moments(sound.mono, network))
    times = np.array([look.time for look in looks])
    likely = np.stack([probable(look.scores) for look in looks])
    steps = []
    for step in sources.steps:
        near = np.abs(times - step.time) <= max(0.25, np.abs(times - step.time).min())
        steps.append(replace(step, kind=likeliest(likely[near].mean(0), 0.5)))
    heard = Counter(step.kind for step in steps if step.kind)
    most = heard.most_common(1)[0][0] if heard else ""
    return replace(sources, steps=steps, clip=replace(sources.clip, kind=most))


def faces_of(clip: Clip, tracks: Tracks | None) -> Sequence[Track]:
    """The tracks of a clip's faces, given, found by what is given, or found now."""
    if tracks is None:
        return find(clip)
    return tracks() if callable(tracks) else tracks


def locate(
    sight: VisualCues,
    sound: Sound,
    options: Options = Options(),
    agreed: Iterable[Seen] | None = None,
    models: Models | None = None,
) -> Sources:
    """Hold a sound against pictures.

    Args:
        agreed: what ``cues.moving`` gives, where that has begun.
        models: what ``load`` gave; None loads it now, where it is needed.

    Raises:
        InputError: there are no pictures.
    """
    every, weights = options.frames, Weights()
    maps, steps = Spool(), []
    rows, cols = sight.grid
    heard, shown, things = 0, np.zeros((rows, cols)), np.zeros((rows, cols))
    faces = np.zeros(len(sight.tracks))
    alone: list[dict[str, Array]] = []
    if models is None and options.weights is not None:
        models = load(options)
    lipvoice, attention = (models.lipvoice, models.attention) if models else (None, None)
    agreed = agreed or moving(sight, sound, every, attention)
    for cues in cue_evidence(sight, sound, every, agreed, lipvoice):
        fused = fuse(cues, weights)
        maps.append(fused.map.reshape(1, -1))
        steps.append(_source(fused, cues, sight, weights, options.threshold))
        heard, faces = heard + cues.heard, faces + fused.faces
        shown, things = shown + fused.map, things + fused.things
        due = [round((time - sight.start) * FPS) for time, _ in sight.shown[len(alone) :]]
        if options.explain and due and cues.frame + every / 2 >= due[0]:
            alone.append(explained(cues, weights))
    mean = Fused(*(each / max(heard, 1) for each in (shown, things, faces)))

    def each_map() -> Iterator[Array]:
        return (row.reshape(rows, cols) for block in maps.blocks() for row in block)

    def each_heat() -> Iterator[Array]:
        pairs = zip(each_map(), steps, strict=True)
        return (softened(each) * step.visible for each, step in pairs)

    whole = _source(mean, None, sight, weights, options.threshold)
    for cue in ("stereo", "attention"):
        if whole.cue != "face" and sum(step.cue == cue for step in steps) > len(steps) / 2:
            whole = replace(whole, cue=cue)
    return Sources(
        steps,
        whole,
        each_map,
        each_heat,
        every / FPS,
        sight.size,
        sight.shown[: len(alone)] if options.explain else sight.shown,
        alone,
        sound.level,
    )


def _source(
    fused: Fused, cues: Cues | None, sight: VisualCues, weights: Weights, threshold: float
) -> Source:
    """The likeliest source: a face, or a region of the map."""
    rows, cols = sight.grid
    scale = np.array([sight.size[0] / cols, sight.size[1] / rows])
    time = sight.start + (cues.frame / FPS if cues else 0.0)
    things = fused.things
    top = np.unravel_index(int(things.argmax()), things.shape)
    parts = cv2.connectedComponents((softened(things) >= threshold).astype(np.uint8))[1]
    region = parts == parts[top]
    best = int(fused.faces.argmax()) if len(fused.faces) else -1
    if best >= 0 and fused.faces[best] >= things[region].sum() and fused.faces[best] > 0:
        box = _face_box(cues.boxes[best], sight) if cues else _mean_box(sight, best)
        peak = (float((box[0] + box[2]) / 2), float(box[1] + 0.75 * (box[3] - box[1])))
        return Source(time, fused.visible, peak, box, "face", sight.tracks[best].face)
    y, x = np.nonzero(region)
    part = softened(things)[region] + 1e-9  # where nothing is heard all are alike
    middle = np.array([(x * part).sum(), (y * part).sum()]) / part.sum()
    if not region[round(middle[1]), round(middle[0])]:
        middle = np.array(top[::-1], float)  # a ring, say: its middle is not of it
    peak = (middle + 0.5) * scale
    edges = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1]) * np.tile(scale, 2)
    cue = decided(cues, weights, (int(top[0]), int(top[1]))) if cues else "motion"
    return Source(time, fused.visible, (float(peak[0]), float(peak[1])), _four(edges), cue, None)


def _face_box(box: Array | None, sight: VisualCues) -> tuple[float, float, float, float]:
    assert box is not None  # a face that is not seen has no part of the map
    return _four(box * np.tile(np.array(sight.size), 2))


def _mean_box(sight: VisualCues, place: int) -> tuple[float, float, float, float]:
    return _four(sight.tracks[place].boxes.mean(0))


def _four(box: Array) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (float(edge) for edge in box)
    return x0, y0, x1, y1
