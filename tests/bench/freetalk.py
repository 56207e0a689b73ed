"""People who talk as they like, none of whom any network has seen: what each command makes of them.

    python tests/bench/freetalk.py DATA [--only alone,pairs,listener,noise,localize,numbers]

DATA/freetalk holds four people alone (``talk-*.mp4``) and two who talk over each other
(``two-talk.mp4``, without true voices). It is measured on and never learned or tuned from. Scenes
are made in memory: the face tracks of two clips, and the sum of their voices at 0 dB.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import torch

from avtool import media
from avtool.face import Track
from avtool.face import track as follow
from avtool.face.lip_points import lip_window, opening
from avtool.media import Clip
from avtool.metrics import separation as metric
from avtool.models import weights
from avtool.models.separator import Separator
from avtool.pipelines.faces import pipeline as looking
from avtool.pipelines.localize.cues import VisualCues, listen
from avtool.pipelines.localize.pipeline import locate
from avtool.pipelines.localize.train.fusion import clip_of, face_clip, tiled
from avtool.pipelines.separate import pipeline as separating
from avtool.speakers.tracks import find
from avtool.training import corpus
from avtool.values import FPS, FRAME_SAMPLES, RATE, Array, Audio

TILE = (288, 288)  # a face's picture in a scene of ``localize``
WINDOW = round(2.9 * FPS)
SILENCE_DB = -30.0  # what a voice that is silence counts as
SPEAKS = 0.01  # power of a frame against the loudest one, above which one speaks (-20 dB)


@dataclass(frozen=True, eq=False)
class Person:
    """One who talks: the track of the face, and the voice, float32 [time] at 16 kHz."""

    name: str
    track: Track
    sound: Array

    @property
    def frames(self) -> int:
        return len(self.sound) // FRAME_SAMPLES

    def part(self, first: int, frames: int, face: int = 1) -> Person:
        """Some of it, as a clip of its own."""
        keep = (self.track.frames >= first) & (self.track.frames < first + frames)
        rows = {k: getattr(self.track, k)[keep] for k in ("boxes", "lips", "scores")}
        track = replace(self.track, face=face, frames=self.track.frames[keep] - first, **rows)
        sound = self.sound[first * FRAME_SAMPLES : (first + frames) * FRAME_SAMPLES]
        return Person(self.name, track, sound)


def people(data: Path) -> list[Person]:
    """The four, each at the loudness of speech."""
    found = []
    for path in sorted((data / "freetalk").glob("talk-*.mp4")):
        clip = media.open(path).clip(looking.SPEC)
        tracks = find(clip)
        assert clip.audio is not None
        sound = clip.audio.mono().samples[0]
        track = max(tracks, key=lambda t: len(t.frames))
        frames = min(len(sound) // FRAME_SAMPLES, int(track.frames[-1]) + 1)
        sound = sound[: frames * FRAME_SAMPLES]
        sound = (sound * (0.05 / np.sqrt(np.mean(sound**2)))).astype(np.float32)
        found.append(Person(path.stem, track, sound))
    return found


def separated(
    tracks: Sequence[Track], mixture: Array, options: separating.Options | None = None
) -> list[Array]:
    """The voice of each face, float32 [time]."""
    clip = Clip("scene", Audio.of(mixture, RATE), None, len(mixture) / RATE)
    result = separating.run(clip, options or separating.Options(), tracks=tracks)
    return [result.voices[track.face].samples[0] for track in tracks]


def level(sound: Array) -> Array:
    return (sound * (0.05 / (np.sqrt(np.mean(sound**2)) + 1e-9))).astype(np.float32)


def score(given: Array, true: Array) -> float:
    return float(metric.si_sdr(given, true)) if given.any() else SILENCE_DB


def loud(sound: Array) -> Array:
    """Frames in which there is speech, by energy."""
    frames = len(sound) // FRAME_SAMPLES
    power = np.square(sound[: frames * FRAME_SAMPLES].reshape(frames, -1)).mean(1)
    found: Array = power > SPEAKS * power.max()
    return found


def windows(each: Person) -> list[Person]:
    """Those of 2.9 s that one has, or the whole of a shorter clip."""
    return [each.part(n, WINDOW) for n in range(0, max(1, each.frames - WINDOW + 1), WINDOW)]


def alone(who: list[Person]) -> Iterator[str]:
    yield "alone, whole clips: seconds called speech of those that are, and the voice given"
    hits, total, scores = 0.0, 0.0, []
    for each in who:
        clip = Clip(each.name, Audio.of(each.sound, RATE), None, each.frames / FPS)
        found = looking.run(clip, tracks=[each.track]).faces.faces[0]
        said = np.zeros(each.frames, bool)
        for start, end in found.speaking:
            said[round(start * FPS) : round(end * FPS)] = True
        true = loud(each.sound)
        hit = (said & true).sum()
        (voice,) = separated([each.track], each.sound)
        scores.append(score(voice, each.sound))
        hits, total = hits + hit, total + true.sum()
        yield f"  {each.name}: {hit / FPS:.1f} of {true.sum() / FPS:.1f} s; {scores[-1]:.1f} dB"
    yield f"  all: {hits / total:.0%} of seconds; SI-SDR median {np.median(scores):.1f} dB"


def scenes(who: list[Person]) -> Iterator[tuple[str, list[Person]]]:
    """Every pair: the windows of 2.9 s that both have, and the whole of the shorter clip."""
    for a, b in combinations(who, 2):
        shorter = min(a.frames, b.frames)
        for first in range(0, shorter - WINDOW + 1, WINDOW):
            yield "2.9 s", [p.part(first, WINDOW, n) for n, p in enumerate((a, b), 1)]
        yield "whole", [p.part(0, shorter, n) for n, p in enumerate((a, b), 1)]


def pairs(who: list[Person]) -> Iterator[str]:
    yield "two, 0 dB, side by side: each face's voice"
    ways = {"avtool": separating.Options(), "sees no lips": separating.Options(blind=True)}
    rows: dict[tuple[str, str], list[tuple[str, float, bool, bool]]] = {}
    for kind, both in scenes(who):
        true = np.stack([level(p.sound) for p in both])
        mixture, tracks = true.sum(0), [p.track for p in both]
        given = {name: np.stack(separated(tracks, mixture, o)) for name, o in ways.items()}
        best = best_order(mixture, true)
        given["by lip opening"] = best[by_opening(tracks, best)]
        shorter = min(len(track.frames) for track in tracks)
        pairs = zip(tracks, tracks[::-1], strict=True)
        crossed = [
            replace(
                a,
                frames=b.frames[:shorter],
                lips=b.lips[:shorter],
                boxes=b.boxes[:shorter],
                scores=b.scores[:shorter],
            )
            for a, b in pairs
        ]
        given["faces swapped (control)"] = np.stack(separated(crossed, mixture))
        given["blind, best order"] = best
        for name, voices in given.items():
            right = metric.right_voice(voices, true)
            for k, (voice, truth) in enumerate(zip(voices, true, strict=True)):
                gain = score(voice, truth) - float(metric.si_sdr(mixture, truth))
                row = (both[k].name, gain, bool(right[k]), not voice.any())
                rows.setdefault((name, kind), []).append(row)
                rows.setdefault((name, "all"), []).append(row)
    for (name, kind), found in rows.items():
        both_right = np.array([r for _, _, r, _ in found]).reshape(-1, 2).all(1)
        yield (
            f"  {name:24} {kind:6} {len(both_right):3} scenes: both right "
            f"{both_right.mean():4.0%}  SI-SDRi {np.mean([g for _, g, _, _ in found]):6.2f} dB  "
            f"silent {np.mean([s for *_, s in found]):4.0%}"
        )
    for name in [p.name for p in who]:
        own = [row for row in rows["avtool", "all"] if row[0] == name]
        text = f"right {np.mean([r for _, _, r, _ in own]):.0%}, {np.mean([r[1] for r in own]):.1f}"
        yield f"  avtool, {name}: {text} dB ({len(own)} faces)"


def by_opening(tracks: Sequence[Track], voices: Array) -> list[int]:
    """The baseline: which voice each face gets by how lip opening goes with loudness."""
    frames = voices.shape[1] // FRAME_SAMPLES
    power = np.square(voices[:, : frames * FRAME_SAMPLES].reshape(len(voices), frames, -1)).mean(2)
    gaps = [opening(lip_window(t, 0, frames)[0]) for t in tracks]
    found = np.corrcoef(np.stack(gaps), np.log(power + 1e-8))[: len(gaps), len(gaps) :]
    orders = list(permutations(range(len(voices))))
    return list(max(orders, key=lambda o: sum(found[f, v] for f, v in enumerate(o))))


def best_order(mixture: Array, true: Array) -> Array:
    """What the separator without lips could reach if somebody knew the order."""
    with torch.inference_mode():
        given = weights.load(Separator)(torch.from_numpy(mixture)[None], len(true))[0, :-1].numpy()
    return given[metric.permutation(metric.si_sdr(given[:, None], true))]


def listener(who: list[Person]) -> Iterator[str]:
    yield "a talker beside a listener, who is the film of another talk without its sound"
    right, scores, given_sound, silent = [], [], [], []
    for a, b in permutations(who, 2):
        shorter = min(a.frames, b.frames)
        for first in range(0, max(1, shorter - WINDOW + 1), WINDOW):
            talks, listens = a.part(first, WINDOW, 1), b.part(first, WINDOW, 2)
            sound = level(talks.sound)
            voices = separated([talks.track, listens.track], sound)
            scores.append(score(voices[0], sound))
            given_sound.append(bool(voices[1].any()))
            silent.append(not voices[0].any())
            right.append(scores[-1] > 3 and not given_sound[-1])
    yield (
        f"  {len(right)} scenes: right voice and listener silent {np.mean(right):.0%}, listener is "
        f"given sound {np.mean(given_sound):.0%}, talker silent {np.mean(silent):.0%}, talker's "
        f"SI-SDR median {np.median(scores):.1f} dB"
    )


def noise(who: list[Person], data: Path) -> Iterator[str]:
    yield "a talker in ESC-10 (fold 5): SI-SDR improvement as given"
    rng = np.random.default_rng(2026)
    items = [i for i in corpus.recordings(data, sounds="noises") if i.split == "test"]
    for decibels in (0, 5):
        gains, silent = [], []
        for each in who:
            for part in windows(each):
                for _ in range(3):
                    sound = level(part.sound)
                    kind = items[int(rng.integers(len(items)))].samples
                    other = level(corpus.sized(kind, len(sound))) * 10 ** (-decibels / 20)
                    mixture = (sound + other).astype(np.float32)
                    (voice,) = separated([part.track], mixture)
                    before = float(metric.si_sdr(mixture, sound))
                    gains.append(score(voice, sound) - before)
                    silent.append(not voice.any())
        yield (
            f"  {decibels} dB, {len(gains)} scenes: mean {np.mean(gains):.1f} dB, median "
            f"{np.median(gains):.1f}, silent {np.mean(silent):.0%}"
        )


def nobody(who: list[Person], data: Path) -> Iterator[str]:
    yield "whose face moves and whose voice is not heard: faces given sound"
    rng = np.random.default_rng(2026)
    items = [i for i in corpus.recordings(data, sounds="noises") if i.split == "test"]
    readers = [i for i in corpus.recordings(data, sounds="readers") if i.split == "test"]
    found: dict[str, list[bool]] = {}
    for each in who:
        for part in windows(each):
            for _ in range(3):
                for name, group in (("ESC-10", items), ("a reader off screen", readers)):
                    sound = group[int(rng.integers(len(group)))].samples
                    sound = level(corpus.sized(sound, len(part.sound)))
                    found.setdefault(name, []).append(bool(separated([part.track], sound)[0].any()))
            found.setdefault("silence", []).append(
                bool(separated([part.track], 0 * part.sound)[0].any())
            )
            still = replace(
                part.track, lips=np.repeat(part.track.lips[:1], len(part.track.lips), 0)
            )
            found.setdefault("own voice, lips still", []).append(
                bool(separated([still], level(part.sound))[0].any())
            )
    for name, each_ in found.items():
        yield f"  {name}: {np.mean(each_):.0%} of {len(each_)}"


def localize(data: Path) -> Iterator[str]:
    yield "localize: faces side by side, all of them talk in the picture, one is heard"
    films = [face_clip(p, TILE) for p in sorted((data / "freetalk").glob("talk-*.mp4"))]
    readers = [i for i in corpus.recordings(data, sounds="readers") if i.split == "test"]
    rng, visible, away = np.random.default_rng(2026), [], []
    for count, frames in ((2, WINDOW), (4, 50)):
        whole, steps, least = [], [], []
        for group in combinations(range(len(films)), count):
            frames_here = min(frames, *(len(films[k][0]) for k in group))
            for first in range(0, min(len(films[k][0]) for k in group) - frames_here + 1, WINDOW):
                images = tiled([films[k][0][first : first + frames_here] for k in group], 2)
                tracks = follow(iter(images), FPS)
                size = (images.shape[2], images.shape[1])
                liveliest = int(
                    np.argmax(
                        [
                            np.abs(np.diff(films[k][0][:frames_here].mean(3), axis=0)).mean()
                            for k in group
                        ]
                    )
                )
                for place, k in enumerate(group):
                    begin = first * FRAME_SAMPLES
                    sound = films[k][1][begin : begin + frames_here * FRAME_SAMPLES]
                    found = locate(
                        VisualCues(clip_of(images, sound), tracks, size),
                        listen(Audio.of(sound, RATE)),
                    )
                    x, y = place % 2 * TILE[0], place // 2 * TILE[1]
                    box = (x, y, x + TILE[0], y + TILE[1])
                    whole.append(inside(found.clip.peak, box))
                    steps += [inside(s.peak, box) for s in found.steps]
                    least.append(liveliest == place)
                    visible.append(found.clip.visible)
                sound = readers[int(rng.integers(len(readers)))].samples
                sound = level(corpus.sized(sound, frames_here * FRAME_SAMPLES))
                found = locate(
                    VisualCues(clip_of(images, sound), tracks, size), listen(Audio.of(sound, RATE))
                )
                away.append(found.clip.visible)
        yield (
            f"  one heard of {count}, {len(whole)} scenes: clip {np.mean(whole):.0%}, moments "
            f"{np.mean(steps):.0%}, chance {1 / count:.0%}, the liveliest {np.mean(least):.0%}"
        )
    yield f"  visible: a talker in sight {np.mean(visible):.2f} ({len(visible)}), a voice off " + (
        f"screen {np.mean(away):.2f} ({len(away)})"
    )


def inside(peak: tuple[float, float], box: tuple[int, ...]) -> bool:
    return box[0] <= peak[0] <= box[2] and box[1] <= peak[1] <= box[3]


def numbers(data: Path) -> Iterator[str]:
    yield "numbers given to people"
    for path in sorted((data / "freetalk").glob("*.mp4")):
        tracks = find(media.open(path).clip(looking.SPEC))
        seen = [f"{t.frames[0] / FPS:.1f}-{t.frames[-1] / FPS:.1f}" for t in tracks]
        yield f"  {path.stem}: {len(tracks)} ({', '.join(seen)} s)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default="alone,pairs,listener,noise,nobody,localize,numbers")
    given = parser.parse_args()
    torch.set_num_threads(1)
    who = people(given.data)
    parts = {
        "alone": lambda: alone(who),
        "pairs": lambda: pairs(who),
        "listener": lambda: listener(who),
        "noise": lambda: noise(who, given.data),
        "nobody": lambda: nobody(who, given.data),
        "localize": lambda: localize(given.data),
        "numbers": lambda: numbers(given.data),
    }
    for name in given.only.split(","):
        for line in parts[name]():
            print(line, flush=True)


if __name__ == "__main__":
    main()
