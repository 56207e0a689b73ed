"""How good is `avtool lips`? python tests/bench/lips.py DATA [--only PART] [--count 20]

DATA is a folder with GRID and LibriSpeech as the README names them. The people of s4 and of
grid/others, the last hundred clips of s1 and the readers kept out were not learned from.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path

import cv2
import numpy as np
import torch

from avtool import media
from avtool.face import LIPS, track
from avtool.face.lip_points import lip_window
from avtool.media import Clip, Spec
from avtool.metrics.lips import closures
from avtool.models import weights
from avtool.models.lipvoice import LipVoice
from avtool.pipelines.faces import pipeline as faces
from avtool.pipelines.lips import pipeline as lips
from avtool.pipelines.lips import video_face as filming
from avtool.pipelines.lips.evaluate import MouthScore, gap, loudness, mouths, real, summary
from avtool.pipelines.lips.model import LipMotion
from avtool.pipelines.separate.train.lipvoice_data import VALID
from avtool.save.video import write_video
from avtool.speakers.tracks import find
from avtool.training import corpus
from avtool.training.phone_alignment import SILENCE, Phone, PhoneAligner, transcripts
from avtool.values import FPS, FRAME_SAMPLES, RATE, Array, Audio

SAMPLES = Path(__file__).parents[2] / "sample_media"
SHUT = 0.15  # of a clip's wide opening (its 95th percentile): closed for the eye
PHONES_OF = {"/b/": "B", "/p/": "P", "/m/": "M", "all three": "BPM"}
REACH = 0.04  # seconds around a closure's time


def opened(path: Path) -> Clip:
    return media.open(path).clip(faces.SPEC)


def readers(data: Path) -> Iterator[Array]:
    """The voices kept out, float32 [time] at 16 kHz."""
    items = corpus.recordings(data)
    return (item.samples for item in items if item.sex and item.split == "test")


def said(sound: Array) -> Clip:
    return Clip("", Audio.of(sound, RATE), None, None)


def sets(data: Path, count: int) -> dict[str, list[Path]]:
    grid = data / "grid"
    s1 = sorted((grid / "s1").glob("*.mp4"))[-VALID:]
    s4, others = sorted((grid / "s4").glob("*.mp4")), sorted((grid / "others").glob("*.mp4"))
    return {f"s1, {min(count, 100)} clips": s1[:count], "s4": s4, "five others": others}


def accuracy(data: Path, count: int) -> None:
    print("\nlandmark distance in % of the eyes', one gain a clip; opening's r, all")
    print("and from the first word on; lag in frames")
    heads = f"{'distance':>10}{'under loudness':>16}{'r':>8}{'talking':>9}{'lag':>8}"
    print(f"{'':16}{'way':12}{heads}")
    unseen: dict[str, dict[str, list[MouthScore]]] = {}
    for name, paths in sets(data, count).items():
        every: dict[str, list[MouthScore]] = {}
        for path in paths:
            for way, row in mouths(opened(path), weights.load(LipMotion)).items():
                every.setdefault(way, []).append(row)
                if not name.startswith("s1"):
                    person = "s4" if name == "s4" else path.stem
                    unseen.setdefault(way, {}).setdefault(person, []).append(row)
        table(name, every)
    clips = {way: [row for rows in of.values() for row in rows] for way, of in unseen.items()}
    table("unseen, clips", clips)
    table("unseen, people", {way: list(map(mean, of.values())) for way, of in unseen.items()})


def mean(rows: list[MouthScore]) -> MouthScore:
    """Of one person's clips."""
    found = [(row.distance, row.r, row.talking, row.lag) for row in rows]
    return MouthScore(*np.mean(found, 0).tolist())


def table(name: str, every: dict[str, list[MouthScore]]) -> None:
    for way, rows in every.items():
        row = summary(rows, every["loudness"])
        print(
            f"{name:16}{way:12}{row['distance']:10.2f}{row['under loudness']:15.1f}%"
            f"{row['r']:8.3f}{row['r talking']:9.3f}{row['lag']:8.2f}"
        )


def closing(data: Path, count: int) -> None:
    """The lips at /b/, /p/ and /m/ inside sentences: of s1, whose words are known, and of readers
    kept out, whose words are heard, and not all right.
    """
    ear, words = PhoneAligner(), transcripts(data / "grid" / "s1")
    print("\nclosures inside sentences, within 40 ms; phones by alignment")
    print(f"{'':14}{'phone':12}{'times':>6}  {'mouth':18}{'recall':>8}{'closed elsewhere':>18}")
    rows: Closures = {}
    for path in sets(data, count)[f"s1, {min(count, 100)} clips"]:
        clip = opened(path)
        phones = ear.phones(clip.audio.samples[0], words[path.stem])
        if (true := real(clip)) is not None and phones:
            moved = lips.said(clip, weights.load(LipMotion))
            ways = {
                "the real mouth": gap(true),
                "avtool": gap(moved.lips(moved.at(np.arange(len(true)) / FPS))),
                "loudness": loudness(clip.audio, len(true)),
            }
            closed(rows, ways, phones)
    told("s1", rows)
    rows = {}
    for sound in islice(readers(data), min(count, 30)):
        if phones := ear.phones(sound):
            moved = lips.said(said(sound), weights.load(LipMotion))
            frames = int(moved.seconds * FPS)
            ours = gap(moved.lips(moved.at(np.arange(frames) / FPS)))
            ways = {"avtool": ours, "loudness": loudness(said(sound).audio, frames)}
            closed(rows, ways, phones)
    told("readers", rows)


Closures = dict[tuple[str, str], list[tuple[int, float, float]]]


def closed(rows: Closures, ways: dict[str, Array], phones: Sequence[Phone]) -> None:
    """Add a recording's closures: how many, recall and the false rate, of each way."""
    spoken = [each for each in phones if each[0] != SILENCE]
    begin, end = spoken[0][1], spoken[-1][2]
    for which, names in PHONES_OF.items():
        # At the first phone the lips are closed anyway.
        near = [(a - begin, b - begin) for phone, a, b in spoken[1:] if phone in names]
        for way, opening in ways.items() if near else ():
            part = opening[round(begin * FPS) : round(end * FPS)]
            shut = SHUT * float(np.quantile(part, 0.95))
            found = len(near), *closures(part, FPS, near, shut, REACH)
            rows.setdefault((which, way), []).append(found)


def told(name: str, rows: Closures) -> None:
    for (which, way), found in sorted(rows.items()):
        times, recall, false = np.transpose(found)
        print(
            f"{name:14}{which:12}{int(times.sum()):6}  {way:18}"
            f"{np.average(recall, weights=times):8.0%}{false.mean():18.0%}"
        )


def silence(data: Path) -> None:
    rng = np.random.default_rng(2026)
    quiet = rng.standard_normal(3 * RATE) * 10 ** (-65 / 20)
    voice = next(readers(data))[: 3 * RATE]
    after = np.concatenate([voice, quiet.astype(np.float32)])
    print("\nopening in silence, in % of the eyes' distance (speech: up to some 9)")
    for name, sound in (
        ("digital silence", np.zeros(3 * RATE, np.float32)),
        ("a quiet room, -65 dB", quiet.astype(np.float32)),
        ("that room after speech, from 0.3 s on", after),
    ):
        moved = lips.said(said(sound), weights.load(LipMotion))
        times = np.arange(0.3 if len(sound) == 3 * RATE else 3.3, len(sound) / RATE - 0.1, 0.04)
        opening = gap(moved.lips(moved.at(times)))
        print(f"{name:40} most {100 * opening.max():6.3f}  jitter {100 * opening.std():6.3f}")


def judged(data: Path, count: int) -> None:
    """Is the finished video's mouth that of its own speech, by the network of lips and voices?"""
    judge = weights.load(LipVoice)
    sounds = [np.resize(voice, 5 * RATE) for voice in islice(readers(data), count)]
    videos = [*sets(data, 1)["s4"], *sets(data, 1)["five others"]]
    found: dict[str, list[bool]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, sound in enumerate(sounds):
            film = videos[number % len(videos)]
            for name in ("the drawn photo", "a filmed face"):
                path = Path(folder) / "made.mp4"
                speech = Path(folder) / "speech.wav"
                write_wav(speech, sound)
                face = SAMPLES / "face.png" if name == "the drawn photo" else film
                run([str(face), str(speech), "-o", str(path), "--overwrite"])
                made = media.open(path).clip(faces.SPEC)
                (seen,) = track(made.frames.images(), FPS)[:1]
                frames = len(sound) // FRAME_SAMPLES
                points, _ = lip_window(seen, 0, frames)
                other = sounds[(number + 1) % len(sounds)]
                with torch.inference_mode():
                    heard = judge.voice(torch.from_numpy(np.stack([sound, other]).astype("f4")))
                    look = judge.lips(torch.from_numpy(points)[None])
                    spoken = torch.ones(heard.shape[:2], dtype=torch.bool)
                    odds, _ = judge.odds(look[0], heard, spoken)
                own, wrong = odds.sum(1).tolist()
                found.setdefault(name, []).append(own > wrong)
    print(f"\nits own speech or another, by the lip-voice network on the finished video, {count}")
    for name, right in found.items():
        print(f"{name:20}{np.mean(right):6.0%} right (chance 50 %)")


def write_wav(path: Path, sound: Array) -> None:
    import soundfile

    soundfile.write(path, sound, RATE)


def run(arguments: Sequence[str]) -> None:
    subprocess.run([sys.executable, "-m", "avtool", "-q", "lips", *arguments], check=True)


def pixels(data: Path) -> None:
    """Outside the mouth nothing moves; inside, no more flicker than in the real footage."""
    print("\nfilmed faces that say their own words again: pixels outside the mouth that differ;")
    print("second difference over time, grey levels, lower half of the face: the real footage, the")
    print("same words again, and a mouth that is held closed")
    for path in [sets(data, 1)["s4"][0], *sets(data, 1)["five others"]]:
        source = media.open(path)
        clip = source.clip(Spec(frames=True))
        speech = source.clip(Spec(audio=True, channel=0))
        nothing = said(np.zeros(round(speech.audio.seconds * RATE), np.float32))
        (face,) = track(clip.frames.images(), FPS)[:1]
        film = filming.video_face(source, [face])
        films = [np.stack(list(islice(clip.frames.images(), 75))).astype(np.int16)]
        for sound in (speech, nothing):
            images = lips.run(sound, source=film).lips.images()
            films.append(np.stack(list(islice(images, len(films[0])))).astype(np.int16))
        moving = (films[0] != films[1]).any(-1).any(0)
        x0, y0, x1, y1 = face.boxes.mean(0).astype(int)
        wide = int(0.35 * (x1 - x0))
        outside = np.ones(moving.shape, bool)
        outside[max(0, y0) : y1 + wide, max(0, x0 - wide) : x1 + wide] = False
        middle = slice((y0 + y1) // 2, y1), slice(x0, x1)
        rough = [
            float(np.abs(np.diff(each[(slice(None), *middle)], 2, 0)).mean()) for each in films
        ]
        print(
            f"{path.stem:14}{int((moving & outside).sum()):6d}"
            + "".join(f"{each:8.2f}" for each in rough)
        )


def old(data: Path, count: int) -> None:
    """Is the film's own motion gone? Filmed faces say others' words and are seen again: r of the
    lips' opening in the film with that in the result, without what the same words do to a still
    picture of that film. Mean over sentences, for in one alone chance makes some 0.3.
    """
    people = []
    for path in sorted((data / "freetalk").glob("*talk*.mp4")):
        people += [(path, each) for each in find(media.open(path).clip(faces.SPEC))]
    some = *sets(data, 1)["s4"][:2], *sets(data, 1)["five others"]
    for path in (*some, sorted((data / "grid" / "s1").glob("*.mp4"))[-1]):
        people.append((path, track(opened(path).frames.images(), FPS)[0]))
    voices = [np.resize(voice, 18 * RATE) for voice in islice(readers(data), count)]
    print(f"\nopening of the lips, film's own with the result's, {count} sentences: r, and r")
    print("without the speech; how much of each opening is left; its width beside the film's")
    for path, seen in people:
        film = filming.video_face(media.open(path), [seen], seen.face)
        before = filming.meshes(film.frames, seen)[:, list(LIPS), :2]
        here = np.flatnonzero(np.isfinite(before[:, 0, 0]))
        quiet = int(here[gap(before[here]).argmin()])
        still = next(islice(film.frames.images(), quiet, None)).copy()
        box = seen.boxes[np.abs(seen.frames - quiet / film.frames.fps * FPS).argmin()]
        held = replace(seen, boxes=np.tile(box, (len(seen.boxes), 1)))
        photo = replace(film, frames=replace(film.frames, images=lambda still=still: repeat(still)))
        found = []
        for voice in voices:
            speech = said(voice[: round(len(before) / film.frames.fps * RATE)])
            rows, painted = [gap(before)], np.ones(len(before), bool)
            for source, face in ((film, seen), (photo, held)):
                made = lips.run(speech, source=replace(source, track=face))
                rows.append(gap(filming.meshes(made.lips, face)[:, list(LIPS), :2]))
                for times in made.passed:  # and while it fades
                    first, last = (
                        round((t + way / 3) * made.lips.fps)
                        for t, way in zip(times, (-1, 1), strict=True)
                    )
                    painted[max(0, first) : last] = False
            least = min(map(len, rows))
            every = np.stack([row[:least] for row in rows])[:, painted[:least]]
            every = every[:, np.isfinite(every).all(0)]
            wide = np.ptp(np.quantile(every[:2], [0.05, 0.95], axis=1), axis=0)
            found.append((np.corrcoef(every)[0, 1], *partial(*every), wide[1] / wide[0]))
        plain, without, left, wider = np.mean(found, 0)
        spread = np.std(found, 0)[1]
        print(
            f"{path.stem:16}{seen.face:2}  r {plain:6.2f}  {without:6.2f} (spread {spread:.2f})  "
            f"left {left:5.0%}  width {wider:.2f}"
        )


def partial(own: Array, after: Array, control: Array) -> tuple[float, float]:
    """r of two rows without what a third explains in either, and the second's slope on the first:
    how much is left of each opening.
    """
    base = np.stack([control, np.ones_like(control)], 1)
    a, b = (row - base @ np.linalg.lstsq(base, row, rcond=None)[0] for row in (own, after))
    return float(np.corrcoef(a, b)[0, 1]), float(a @ b / (a @ a))


def cost(data: Path) -> None:
    voice = next(readers(data))
    with tempfile.TemporaryDirectory() as folder:
        speech = Path(folder) / "speech.wav"
        write_wav(speech, np.resize(voice, 20 * RATE))
        photo = Path(folder) / "photo.png"
        cv2.imwrite(str(photo), cv2.resize(cv2.imread(str(SAMPLES / "face.png"))[:512], (512, 512)))
        video = Path(folder) / "talk.mp4"
        clip = media.open(SAMPLES / "cocktail.mp4").clip(Spec(frames=True, size=(1280, 720)))
        write_video(video, clip.frames)
        print("\npictures a second, start included, 20 s of speech on this machine")
        for name, arguments in (
            ("a photo, 512 x 512", [str(photo)]),
            ("the same, --still", [str(photo), "--still"]),
            ("a video, 1280 x 720, two faces", [str(video)]),
        ):
            out = str(Path(folder) / "out.mp4")
            began = time.monotonic()
            run([arguments[0], str(speech), *arguments[1:], "-o", out, "--overwrite"])
            took = time.monotonic() - began
            print(f"{name:34}{20 * 25 / took:7.1f}")
        print(f"most memory of one process: {peak():.0f} MiB")


def memory(data: Path) -> None:
    voice = next(readers(data))
    print("\nmost memory of one process, in MiB: two faces on video, under seconds of speech")
    with tempfile.TemporaryDirectory() as folder:
        speech, out = Path(folder) / "speech.wav", str(Path(folder) / "out.mp4")
        for seconds in (20, 600):
            write_wav(speech, np.resize(voice, seconds * RATE))
            run([str(SAMPLES / "cocktail.mp4"), str(speech), "-o", out, "--overwrite"])
            print(f"{seconds:34}{peak():7.0f}")


def peak() -> float:
    """MiB of the largest program that was run until now."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


# Memory first, as a peak is of all that ran before.
PARTS = ("memory", "accuracy", "closures", "silence", "judge", "pixels", "old", "cost")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--count", type=int, default=20)
    given = parser.parse_args()
    parts = [given.only] if given.only else PARTS
    for part in parts:
        if part == "memory":
            memory(given.data)
        elif part == "accuracy":
            accuracy(given.data, max(given.count, 100) if not given.only else given.count)
        elif part == "closures":
            closing(given.data, given.count)
        elif part == "silence":
            silence(given.data)
        elif part == "judge":
            judged(given.data, given.count)
        elif part == "pixels":
            pixels(given.data)
        elif part == "old":
            old(given.data, min(given.count, 4))
        else:
            cost(given.data)


if __name__ == "__main__":
    main()
