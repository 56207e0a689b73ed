"""How well `avtool localize` finds what sounds, beside what needs no sound.

    python tests/bench/localization.py DATA [--only faces,things,stereo,visible,cost] [--count N]

People are GRID's s4 and the five of `grid/others`, sounds ESC-10's fold 5: nothing of them was
learned from. All scenes are made: faces are real clips side by side, things are drawn.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
from separation import resident

from avtool.face import track as follow
from avtool.media import ffmpeg
from avtool.metrics.localization import auroc
from avtool.pipelines.localize.cues import VisualCues, listen
from avtool.pipelines.localize.pipeline import locate
from avtool.pipelines.localize.train.fusion import clip_of, face_clip, panned, tiled
from avtool.pipelines.localize.train.scenes import FPS, RATE, scene
from avtool.pipelines.localize.values import Source, Sources
from avtool.save.video import write_video
from avtool.training import corpus
from avtool.values import Audio, Frames

SEED = 2026
TILE = (360, 288)


def sound_of(samples: np.ndarray) -> object:
    return listen(Audio.of(samples, RATE))


def inside(source: Source, box: np.ndarray) -> bool:
    x, y = source.peak
    return bool(box[0] <= x <= box[2] and box[1] <= y <= box[3])


def people(data: Path) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Clips by person, those that nothing was learned from."""
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for path in sorted((data / "grid" / "s4").glob("*.mp4")):
        found.setdefault("s4", []).append(face_clip(path, TILE))
    for path in sorted((data / "grid" / "others").glob("*.mp4")):
        found[path.stem] = [face_clip(path, TILE)]
    return found


def crowd(rng: np.random.Generator, by_person: dict, count: int) -> list[tuple]:
    """Clips of different people where there are enough; else some appear in another clip."""
    names = list(rng.permutation(list(by_person)))
    chosen = [by_person[n][rng.integers(len(by_person[n]))] for n in names[:count]]
    spare = list(rng.permutation(len(by_person["s4"])))
    taken = {id(clip) for clip in chosen}
    while len(chosen) < count:
        clip = by_person["s4"][spare.pop()]
        if id(clip) not in taken:
            chosen.append(clip)
    return [chosen[k] for k in rng.permutation(count)]


def faces(data: Path, count: int) -> Iterator[str]:
    by_person = people(data)
    yield f"faces, real clips side by side, {count} scenes each: peak in a right face"
    yield f"{'faces':>6}{'speak':>7}{'clip':>8}{'moments':>9}{'chance':>8}{'motion alone':>14}"
    for number, columns in ((2, 2), (4, 2), (9, 3)):
        for speakers in (1, 2):
            if speakers == number:
                continue
            whole, steps, least = [], [], []
            for n in range(count):
                rng = np.random.default_rng((SEED, number, speakers, n))
                chosen = crowd(rng, by_person, number)
                who = rng.choice(number, speakers, replace=False)
                sight = looked(chosen, columns)
                mixed = mixture([chosen[k][1] for k in who])
                found = locate(sight, sound_of(mixed))
                boxes = [tile_box(k, columns) for k in who]
                whole.append(any(inside(found.clip, box) for box in boxes))
                steps += [any(inside(s, box) for box in boxes) for s in found.steps]
                motion = np.array([energy(clip[0]) for clip in chosen])
                least.append(int(motion.argmax()) in who)
            yield (
                f"{number:6}{speakers:7}{np.mean(whole):8.1%}{np.mean(steps):9.1%}"
                f"{speakers / number:8.1%}{np.mean(least):14.1%}"
            )


def energy(images: np.ndarray) -> float:
    gray = images.mean(3)
    return float(np.abs(np.diff(gray, axis=0)).mean())


def looked(chosen: list[tuple], columns: int) -> VisualCues:
    images = tiled([clip[0] for clip in chosen], columns)
    tracks = follow(iter(images), FPS)
    clip = clip_of(images, np.zeros(RATE, np.float32))
    return VisualCues(clip, tracks, (images.shape[2], images.shape[1]))


def tile_box(place: int, columns: int) -> np.ndarray:
    x, y = place % columns * TILE[0], place // columns * TILE[1]
    return np.array([x, y, x + TILE[0], y + TILE[1]])


def mixture(sounds: list[np.ndarray]) -> np.ndarray:
    length = max(len(s) for s in sounds)
    level = [s / (np.sqrt(np.mean(s**2)) + 1e-9) * 0.05 for s in sounds]
    return sum(np.pad(s, (0, length - len(s))) for s in level)


def things(data: Path, count: int) -> Iterator[str]:
    takes = [r.samples for r in corpus.recordings(data, "noises") if r.split == "test"]
    yield f"things, synthetic, sounds of ESC-10 fold 5, {count} scenes each, 5 s: peak inside"
    yield f"{'things':>7}{'clip, right one':>17}{'moments':>9}{'chance':>8}{'most motion':>13}"
    swaps, all_steps = [], []
    for number in (2, 3, 4):
        whole, steps, least = [], [], []
        for n in range(count):
            made = scene((SEED, number, n), takes, things=number)
            which = n % number
            clip = clip_of(made.images, made.sounds[which])
            size = (made.images.shape[2], made.images.shape[1])
            sight = VisualCues(clip, (), size)
            found = locate(sight, sound_of(made.sounds[which]))
            whole.append(lane(found.clip, number, size[0]) == which)
            steps += on(found, made.boxes[which])
            other = (which + 1) % number
            moved = locate(sight, sound_of(made.sounds[other]))
            swaps.append(lane(moved.clip, number, size[0]) == other)
            parts = [energy(p) for p in np.array_split(made.images, number, 2)]
            least.append(int(np.argmax(parts)) == which)
        all_steps += steps
        yield (
            f"{number:7}{np.mean(whole):17.1%}{np.mean(steps):9.1%}{1 / number:8.1%}"
            f"{np.mean(least):13.1%}"
        )
    yield f"all moments together: peak inside in {np.mean(all_steps):.1%}"
    yield f"swapped for another thing's sound, the answer is that thing: {np.mean(swaps):.1%}"


def lane(source: Source, number: int, width: int) -> int:
    return min(number - 1, int(source.peak[0] / width * number))


def on(found: Sources, boxes: np.ndarray) -> list[bool]:
    """Whether each step's peak is on the thing, where it is then."""
    rows = (min(len(boxes) - 1, round(s.time * FPS)) for s in found.steps)
    return [inside(s, boxes[k]) for s, k in zip(found.steps, rows, strict=True)]


def stereo(data: Path, count: int) -> Iterator[str]:
    takes = [r.samples for r in corpus.recordings(data, "noises") if r.split == "test"]
    right, mono = [], []
    for n in range(2 * count):
        rng = np.random.default_rng((SEED, 5, n))
        made = scene((SEED, 5, n), takes, things=2, alike=True)
        which = n % 2
        both = panned(rng, made, which)
        sight = VisualCues(clip_of(made.images, both), (), made.images.shape[2:0:-1])
        for sound, kept in ((both, right), (both.mean(0), mono)):
            found = locate(sight, sound_of(sound))
            kept.append(lane(found.clip, 2, made.images.shape[2]) == which)
    yield f"two alike that move alike, {2 * count} scenes, synthetic: the side that sounds"
    yield f"two channels {np.mean(right):.1%}, one channel (control) {np.mean(mono):.1%}"


def visible(data: Path, count: int) -> Iterator[str]:
    takes = [r.samples for r in corpus.recordings(data, "noises") if r.split == "test"]
    by_person = people(data)
    scores: dict[str, list[float]] = {}

    def put(name: str, sight: VisualCues, sound: np.ndarray) -> None:
        scores.setdefault(name, []).append(locate(sight, sound_of(sound)).clip.visible)

    for n in range(count):
        rng = np.random.default_rng((SEED, 6, n))
        chosen = crowd(rng, by_person, 3)
        sight = looked(chosen[:2], 2)
        put("face: own voice", sight, chosen[int(rng.integers(2))][1])
        put("face: voice off screen", sight, chosen[2][1])
        put("face: other sound", sight, takes[rng.integers(len(takes))][: 3 * RATE])
        put("face: white noise", sight, 0.05 * rng.standard_normal(3 * RATE))
        put("face: silence", sight, np.zeros(3 * RATE, np.float32))
        made, other = (scene((SEED, 6, n, k), takes, things=2) for k in (0, 1))
        size = (made.images.shape[2], made.images.shape[1])
        sight = VisualCues(clip_of(made.images, made.sounds[0]), (), size)
        put("thing: own sound", sight, made.sounds[0])
        put("thing: sound off screen", sight, other.sounds[0])
        put("thing: white noise", sight, 0.05 * rng.standard_normal(5 * RATE))
        still = np.repeat(made.images[:1], len(made.images), 0)
        noise = np.random.default_rng(n).normal(0, 2, still.shape[:3])[..., None]
        still = np.clip(still + noise, 0, 255).astype(np.uint8)
        sight = VisualCues(clip_of(still, made.sounds[0]), (), size)
        put("still picture: a sound", sight, made.sounds[0])
    yield f"visible or not, {count} scenes each: mean probability, AUROC against the sort's own"
    for name, values in scores.items():
        own = scores["thing: own sound" if name[0] in "ts" else "face: own voice"]
        rank = auroc(np.array(own + values), np.array([1] * len(own) + [0] * len(values)))
        shown = "" if "own" in name else f"{rank:8.3f}"
        yield f"{name:26}{np.mean(values):7.2f}{shown}"
    own = scores["face: own voice"] + scores["thing: own sound"]
    rest = [v for name, values in scores.items() if "own" not in name for v in values]
    labels = np.array([1] * len(own) + [0] * len(rest))
    yield f"all together: AUROC {auroc(np.array(own + rest), labels):.3f}"
    values = np.array(own + rest)
    edges = np.linspace(0, 1, 6)
    weight = np.where(labels == 1, 0.5 / len(own), 0.5 / len(rest))
    error = 0.0
    for low, high in pairwise(edges):
        here = (values >= low) & (values <= high if high == 1 else values < high)
        if here.any():
            mean = np.average(values[here], weights=weight[here])
            error += weight[here].sum() * abs(mean - np.average(labels[here], weights=weight[here]))
    yield f"expected calibration error, both answers as frequent: {error:.3f}"


def cost(data: Path, count: int) -> Iterator[str]:
    clips = [face_clip(path, (640, 720)) for path in sorted((data / "grid/s4").glob("*.mp4"))[:8]]
    with tempfile.TemporaryDirectory() as folder:
        left = np.concatenate([clip[0] for clip in clips[:4]])[:250]
        right = np.concatenate([clip[0] for clip in clips[4:]])[:250]
        voice = np.concatenate([clip[1] for clip in clips[:4]])[: 10 * RATE]
        frames = Frames(
            lambda: (np.concatenate(pair, 1) for pair in zip(left, right, strict=False)),
            Fraction(FPS),
            1280,
            720,
        )
        short, long = Path(folder, "short.mp4"), Path(folder, "long.mp4")
        write_video(short, frames, Audio.of(voice, RATE))
        ffmpeg.output(["-stream_loop", "5", "-i", str(short), "-c", "copy", str(long)])
        for path, seconds in ((short, 10), (long, 60)):
            command = [sys.executable, "-m", "avtool", "-q", "localize", str(path), "-o"]
            env = {"AVTOOL_CACHE": f"{folder}/c", "PATH": "/usr/bin"}
            began, peak = time.monotonic(), 0
            child = subprocess.Popen([*command, f"{folder}/"], env=env, stdout=subprocess.DEVNULL)
            while child.poll() is None:
                peak = max(peak, resident(child.pid))
                time.sleep(0.05)
            took = time.monotonic() - began
            yield f"{seconds} s of 720p, two faces, start included: {took:.1f} s, {peak >> 20} MiB"


PARTS = {"faces": faces, "things": things, "stereo": stereo, "visible": visible, "cost": cost}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--count", type=int, default=40)
    given = parser.parse_args()
    for part in given.only.split(","):
        for line in PARTS[part](given.data, given.count):
            print(line, flush=True)
        print(flush=True)


if __name__ == "__main__":
    main()
