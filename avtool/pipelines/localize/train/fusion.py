"""How much each cue of `avtool localize` counts.

``python -m avtool.pipelines.localize.train.fusion --data FOLDER --out FOLDER``

It makes scenes whose truth is known, looks at them and listens to them, and writes the weights that
make the truth likeliest (a softmax over cells, faces and nowhere) to fusion.json. Faces are clips
of GRID's s1; their lips and voices are mostly those of other people that the lip-voice match does
not learn from (its recipe's ``clips.npz``), so that what lips count does not rest on one man.
Sounds are those of ESC-10 outside fold 5; the people and sounds that results are told of are
others.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from avtool import media
from avtool.face import Track
from avtool.face import track as follow
from avtool.media import Clip, Spec
from avtool.pipelines.localize.cues import Cues, VisualCues, cue_evidence, listen
from avtool.pipelines.localize.fusion import Weights, fuse
from avtool.pipelines.localize.train.scenes import FPS, Scene, scene
from avtool.pipelines.separate.train.lipvoice import Pairs
from avtool.pipelines.separate.train.lipvoice_data import FRAMES, VALID, load, pack
from avtool.training import corpus
from avtool.training.corpus import RATE
from avtool.values import Array, Audio, Frames

TILE = (240, 192)  # a face's picture in a made scene


@dataclass(frozen=True, eq=False)
class Example:
    """One moment and its truth: a face, a box in parts of the picture, or None: nowhere."""

    cues: Cues
    truth: int | Array | None


def clip_of(images: Array, sound: Array) -> Clip:
    """A clip in memory: uint8 [frames, height, width, 3], float [channels, time] at 16 kHz."""
    _, height, width, _ = images.shape
    frames = Frames(lambda: iter(images), Fraction(FPS), width, height)
    return Clip("scene", Audio.of(sound, RATE), frames, len(images) / FPS)


def examples(
    images: Array, sound: Array, truth: int | Array | None, tracks: Sequence[Track], every: int = 10
) -> Iterator[Example]:
    """Moments of a scene; the truth: a place in ``tracks``, boxes [frames, 4], or None."""
    clip = clip_of(images, sound)
    size = (images.shape[2], images.shape[1])
    assert clip.audio is not None
    for cues in cue_evidence(VisualCues(clip, tracks, size), listen(clip.audio), every):
        at = truth[cues.frame] / np.tile(size, 2) if isinstance(truth, np.ndarray) else truth
        yield Example(cues, at)


def likelihood(example: Example, weights: Weights) -> float:
    """The natural log of the probability of the truth."""
    fused = fuse(example.cues, weights)
    if example.truth is None:
        part = 1 - fused.visible
    elif isinstance(example.truth, int):
        part = float(fused.faces[example.truth])
    else:
        rows, cols = fused.things.shape
        x0, y0, x1, y1 = example.truth * [cols, rows, cols, rows]
        part = float(
            fused.things[
                max(0, int(y0)) : int(np.ceil(y1)) + 1, max(0, int(x0)) : int(np.ceil(x1)) + 1
            ].sum()
        )
    return float(np.log(max(part, 1e-6)))


def fit(found: Sequence[Example], rounds: int = 40) -> tuple[Weights, float]:
    """The weights under which the truths are likeliest, each tried up and down in turn; and the
    mean log-likelihood.
    """

    def score(w: Weights) -> float:
        return float(np.mean([likelihood(example, w) for example in found]))

    weights = Weights()
    names = [each.name for each in fields(Weights)]
    steps = {name: 0.5 * max(0.5, abs(getattr(weights, name))) for name in names}
    best = score(weights)
    for _ in range(rounds):
        for name in names:
            for sign in (1, -1):
                now = {n: getattr(weights, n) for n in names}
                now[name] += sign * steps[name]
                tried = Weights(**now)
                value = score(tried)
                if value > best:
                    best, weights = value, tried
                    steps[name] *= 1.3
                    break
            else:
                steps[name] *= 0.5
        if max(steps[n] / max(0.5, abs(getattr(weights, n))) for n in names) < 0.01:
            break
    return weights, best


def moving(seed: int, takes: Sequence[Array]) -> Iterator[Example]:
    """Scenes of things: one sounds; none does; two that are alike, told apart by their side."""
    rng = np.random.default_rng((seed, 7))
    things = int(rng.integers(2, 5))
    made = scene((seed, 0), takes, things=things)
    which = int(rng.integers(things))
    yield from examples(made.images, made.sounds[which], made.boxes[which], ())
    other = scene((seed, 1), takes, things=1)
    yield from examples(made.images, other.sounds[0], None, (), 20)
    twins = scene((seed, 2), takes, things=2, alike=True)
    which = int(rng.integers(2))
    yield from examples(twins.images, panned(rng, twins, which), twins.boxes[which], ())


def panned(rng: np.random.Generator, made: Scene, which: int) -> Array:
    """A thing's sound as two channels hear it, float32 [2, time]."""
    middle = float(made.boxes[which][:, [0, 2]].mean()) / made.images.shape[2] * 2 - 1
    sound = made.sounds[which]
    delay = middle * 0.25e-3 * rng.uniform(0.6, 1.4)
    level = middle * 8.0 * rng.uniform(0.3, 1.2)
    turned = np.fft.rfft(sound)
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(len(sound), 1 / RATE) * delay)
    left = np.fft.irfft(turned * turn, len(sound)) * 10 ** (-level / 40)
    both = np.stack([left, sound * 10 ** (level / 40)])
    return (both + rng.normal(0, 1e-4, both.shape)).astype(np.float32)


def talking(
    seed: int, clips: Sequence[tuple[Array, Array]], takes: Sequence[Array], pairs: Pairs
) -> Iterator[Example]:
    """Faces side by side: one is heard; none is; and one beside a thing, either is heard."""
    rng = np.random.default_rng((seed, 8))
    count = int(rng.integers(1, 5))
    chosen = rng.choice(len(clips), count + 1, replace=False)
    spoken = [pairs.one(rng, FRAMES) for _ in chosen]
    voices = [sound for _, sound in spoken]
    images = tiled([clips[n][0] for n in chosen[:count]], count)
    tracks = follow(iter(images), FPS)
    if not tracks:
        return
    centres = [int(track.boxes[:, [0, 2]].mean() // TILE[0]) for track in tracks]
    tracks = [
        replace(track, lips=spoken[at][0][np.minimum(track.frames, FRAMES - 1)])
        for track, at in zip(tracks, centres, strict=True)
    ]
    which = int(rng.integers(count))
    if which in centres:
        yield from examples(images, voices[which], centres.index(which), tracks)
    yield from examples(images, voices[count], None, tracks)
    made = scene((seed, 3), takes, things=1, seconds=len(images) / FPS, size=(2 * TILE[0], TILE[1]))
    beside = np.concatenate([images[:, :, : TILE[0]], made.images[: len(images)]], 2)
    alone = [track for track, at in zip(tracks, centres, strict=True) if at == 0]
    if alone:
        boxes = made.boxes[0] + [TILE[0], 0, TILE[0], 0]
        yield from examples(beside, made.sounds[0], boxes, alone)
        yield from examples(beside, voices[0], 0, alone)


def tiled(pictures: Sequence[Array], columns: int) -> Array:
    """Clips side by side, ``columns`` a row, uint8 [frames, height, width, 3]."""
    frames = min(len(each) for each in pictures)
    blank = np.zeros_like(pictures[0][:frames])
    whole = [each[:frames] for each in pictures]
    whole += [blank] * (-len(whole) % columns)
    rows = [np.concatenate(whole[k : k + columns], 2) for k in range(0, len(whole), columns)]
    return np.concatenate(rows, 1)


def face_clip(path: Path, size: tuple[int, int] = TILE) -> tuple[Array, Array]:
    """A clip's pictures uint8 [frames, height, width, 3] at 25 a second, and its sound [time]."""
    clip = media.open(path).clip(
        Spec(audio=True, frames=True, rate=RATE, fps=Fraction(FPS), size=size)
    )
    assert clip.audio is not None and clip.frames is not None
    return np.stack(list(clip.frames.images())), clip.audio.samples[0]


def main() -> None:
    """Fit; see the module's words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument("--out", type=Path, required=True, help="folder of fusion.json")
    parser.add_argument("--clips", type=Path, help="the lip-voice recipe's clips.npz")
    parser.add_argument("--scenes", type=int, default=24, help="of each sort")
    given = parser.parse_args()
    takes = [r.samples for r in corpus.recordings(given.data, "noises") if r.split == "train"]
    paths = sorted((given.data / "grid" / "s1").glob("*.mp4"))[-VALID::4]
    clips = [face_clip(path) for path in paths]
    packed = given.clips or given.out / "clips.npz"
    given.out.mkdir(parents=True, exist_ok=True)
    if not packed.exists():
        pack(given.data, packed)
    held = load(packed)
    pairs = Pairs(held.valid, held.noises, held.others)
    found: list[Example] = []
    for seed in range(given.scenes):
        found += [*moving(seed, takes), *talking(seed, clips, takes, pairs)]
    weights, mean = fit(found)
    facts = asdict(weights) | {"log_likelihood": mean, "moments": len(found)}
    (given.out / "fusion.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
