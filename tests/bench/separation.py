"""How well voices are separated and given to faces, on people that no network learned from.

    python tests/bench/separation.py DATA [--only readers,lips,files,company,cost] [--count N]

DATA is the folder that the recipes in ``avtool/training`` learn from. Kept out of it were 30
readers of LibriSpeech (``corpus.splits``) and six people of GRID: s4 and ``grid/others``.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import soundfile
import torch

from avtool import media
from avtool.face.lip_points import LOWER, UPPER, lip_window
from avtool.media import Spec, ffmpeg
from avtool.metrics import separation as metric
from avtool.models import weights
from avtool.models.lipvoice import LipVoice
from avtool.models.separator import Separator
from avtool.pipelines.faces import pipeline as looking
from avtool.pipelines.separate import pipeline as separating
from avtool.pipelines.separate.evaluate import COLUMNS, means, measure
from avtool.save.video import write_video
from avtool.speakers import separation as hearing
from avtool.speakers.tracks import find
from avtool.training import corpus
from avtool.training.mixtures import Mixer, MixtureConfig
from avtool.values import FRAME_SAMPLES, RATE, Array, Audio, Frames


def table(title: str, rows: list[tuple[str, str]]) -> None:
    print(f"\n{title}")
    for name, text in rows:
        print(f"  {name:48} {text}")


def readers(data: Path, count: int, model: str | None) -> None:
    """Readers kept out, several at once at 0 dB: SI-SDR improvement of the best order."""
    items = [item for item in corpus.recordings(data, sounds="readers") if item.split == "test"]
    mixer, separator = Mixer(items, []), weights.load(Separator, model)
    rows = []
    for voices in (2, 3):
        for name, room in (("clean", 0.0), ("in a room", 1.0)):
            party = MixtureConfig(
                6.0, (voices,), 0.0, changed=0.0, room=room, noise=0.0, pauses=0.0
            )
            gains, sdrs, stois, before = [], [], [], []
            for n in range(count):
                parts = mixer.draw((2026, n), party, voices)
                mixture, true = parts.sum(0), parts[:-1]
                with torch.inference_mode():
                    given = separator(torch.from_numpy(mixture)[None], voices)[0, :-1].numpy()
                given = given[metric.permutation(metric.si_sdr(given[:, None], true))]
                gains.append(metric.si_sdr_improvement(given, true, mixture))
                before.append(metric.si_sdr(mixture, true))
                sdrs.append(metric.sdr(given, true))
                stois.append([metric.stoi(g, t, RATE) for g, t in zip(given, true, strict=True)])
            low, high = np.percentile(gains, [10, 90])
            text = f"SI-SDRi {np.mean(gains):5.2f} dB ({low:.1f} to {high:.1f})"
            text += f"  SDR {np.mean(sdrs):5.2f}  STOI {np.mean(stois):.3f}"
            rows.append((f"{voices} voices, {name}", f"{text}  mixture {np.mean(before):.2f} dB"))
    table(f"30 readers kept out, 0 dB, 6 s, {count} mixtures each, seed 2026", rows)


class People:
    """The clips of people kept out: lips, sound and pictures."""

    def __init__(self, data: Path) -> None:
        paths = sorted((data / "grid" / "s4").glob("*.mp4"))
        paths += sorted((data / "grid" / "others").glob("*.mp4"))
        self.paths = paths
        self.person = [p.parent.name if p.parent.name == "s4" else p.stem for p in paths]
        lips, sounds = [], []
        for path in paths:
            clip = media.open(path).clip(looking.SPEC)
            (track,) = find(clip)
            lips.append(lip_window(track, 0, 75)[0])
            assert clip.audio is not None
            sounds.append(corpus.sized(clip.audio.samples[0], 75 * FRAME_SAMPLES))
        self.lips, self.sounds = np.stack(lips), np.stack(sounds)

    def pairs(self) -> list[tuple[int, int]]:
        """All pairs of clips."""
        return list(combinations(range(len(self.paths)), 2))

    def couples(self) -> list[tuple[int, int]]:
        """All pairs of clips of two different people."""
        return [(a, b) for a, b in self.pairs() if self.person[a] != self.person[b]]


def lips(people: People, data: Path, model: str | None) -> None:
    """Whose voice is whose: two streams and two faces, one of 25, and the moment."""
    match = weights.load(LipVoice)
    rows = []

    def evidence(lip: Array, sound: Array) -> Array:
        """[clips, frames, ...] and [clips, time] -> log-odds of all with all."""
        with torch.inference_mode():
            seen, heard = match.lips(torch.from_numpy(lip)), match.voice(torch.from_numpy(sound))
            power = np.square(sound.reshape(len(sound), -1, FRAME_SAMPLES)).mean(2)
            spoken = torch.from_numpy(power > hearing.ACTIVE * power.max(1, keepdims=True))
            return np.stack([match.odds(each, heard, spoken)[0].sum(1).numpy() for each in seen])

    def two(sounds: Array, first: int, frames: int) -> list[bool]:
        cut = sounds[:, first * FRAME_SAMPLES : (first + frames) * FRAME_SAMPLES]
        e = evidence(people.lips[:, first : first + frames], cut)
        return [bool(e[a, a] + e[b, b] > e[a, b] + e[b, a]) for a, b in people.pairs()]

    def opening(first: int, frames: int) -> list[bool]:
        gap = np.linalg.norm(people.lips[:, :, UPPER, :2] - people.lips[:, :, LOWER, :2], axis=2)
        power = np.square(people.sounds.reshape(len(gap), 75, -1)).mean(2)
        a, b = gap[:, first : first + frames], np.log(power[:, first : first + frames] + 1e-8)
        e = np.corrcoef(a, b)[: len(a), len(a) :]
        return [bool(e[i, i] + e[j, j] > e[i, j] + e[j, i]) for i, j in people.pairs()]

    def told(right: list[bool]) -> str:
        return f"{100 * np.mean(right):5.1f} %  of {len(right)}"

    seconds = [first for first in range(0, 75 - 24, 25)]
    rows.append(("3 s", told(two(people.sounds, 0, 75))))
    rows.append(("3 s, lip opening with loudness (baseline)", told(opening(0, 75))))
    rows.append(("1 s", told([r for f in seconds for r in two(people.sounds, f, 25)])))
    power = np.square(people.sounds.reshape(len(people.paths), 75, -1)).mean(2)
    speaks = power > 0.01 * power.max(1, keepdims=True)
    both = []
    for first in seconds:
        busy = speaks[:, first : first + 25].mean(1) >= 0.5
        right = two(people.sounds, first, 25)
        both += [r for r, (a, b) in zip(right, people.pairs(), strict=True) if busy[a] and busy[b]]
    rows.append(("1 s in which both speak half the time", told(both)))
    rows.append(("1 s, baseline", told([r for f in seconds for r in opening(f, 25)])))
    rng = np.random.default_rng(2026)
    level = np.sqrt(np.square(people.sounds).mean(1, keepdims=True))
    white = rng.standard_normal(people.sounds.shape) * level
    noisy = (people.sounds + white).astype(np.float32)
    rows.append(("3 s, white noise at 0 dB", told(two(noisy, 0, 75))))
    items = [i for i in corpus.recordings(data, sounds="noises") if i.split == "test"]
    kinds = np.stack(
        [corpus.sized(items[n % len(items)].samples, 48_000) for n in range(len(level))]
    )
    kinds *= level / (np.sqrt(np.square(kinds).mean(1, keepdims=True)) + 1e-6)
    rows.append(("3 s, ESC-10 (fold 5) at 0 dB", told(two(people.sounds + kinds, 0, 75))))
    separator = weights.load(Separator, model)
    for way in ("as the separator leaves them", "as it leaves them where it sees no lips"):
        right = []
        for a, b in people.couples():
            pair = people.sounds[[a, b]] / level[[a, b]] * 0.05
            with torch.inference_mode():
                mouths = match.lips(torch.from_numpy(people.lips[[a, b]]))[None]
                shown = mouths if way.endswith("leaves them") else None
                given = separator(torch.from_numpy(pair.sum(0))[None], 2, shown)[0, :2].numpy()
            order = metric.permutation(metric.si_sdr(given[:, None], pair))
            e = evidence(people.lips[[a, b]], given[order])
            right.append(bool(e[0, 0] + e[1, 1] > e[0, 1] + e[1, 0]))
        rows.append((f"3 s, {way}", told(right)))
    own = [n for n, who in enumerate(people.person) if who == "s4"]
    e = evidence(people.lips[own], people.sounds[own])
    rows.append(("3 s, the right one of 25 voices (s4)", told(list(e.argmax(1) == np.arange(25)))))
    shifts = []
    with torch.inference_mode():
        seen = match.lips(torch.from_numpy(people.lips))
        for shift in range(-10, 11, 5):
            moved = np.roll(people.sounds, shift * FRAME_SAMPLES, 1)
            heard = match.voice(torch.from_numpy(moved))
            at = [(seen[:, 15:60] * heard[:, 15 + n : 60 + n]).sum((1, 2)) for n in range(-15, 16)]
            shifts += [abs(int(k) - 15 - shift) <= 1 for k in torch.stack(at, 1).argmax(1)]
    rows.append(("the lag of a shifted sound, within one frame", told(shifts)))
    table(f"Lips and voices of six people never seen, {len(people.paths)} clips", rows)


def files(people: People, count: int, model: str | None) -> None:
    """Two people side by side in one video, their voices mixed, from the file to the voice."""
    couples = people.couples()
    if count < len(couples):
        couples = couples[:: len(couples) // count]
    found: dict[str, list[tuple[float, ...]]] = {}
    persons: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for n, (a, b) in enumerate(couples):
            video, truths = compose(people, (a, b), Path(folder))
            for way, rows in measure(video, truths, model).items():
                found.setdefault(way, []).extend(rows)
                for clip, row in zip((a, b), rows, strict=True):
                    persons.setdefault((way, people.person[clip]), []).append(row)
            if sys.stderr.isatty():
                print(f"\r{n + 1}/{len(couples)}", end="", file=sys.stderr)
    rows = []
    for way, each in found.items():
        score = means(each)
        rows.append((way, "  ".join(f"{name} {score[name]:.2f}" for name in COLUMNS)))
    for way in ("avtool", "blind, lip-voice match"):
        each = {who: means(rows_) for (w, who), rows_ in persons.items() if w == way}
        text = "  ".join(f"{who} {score['SI-SDRi']:.1f}" for who, score in each.items())
        mean = np.mean([score["SI-SDRi"] for score in each.values()])
        right = np.mean([score["right voice"] for score in each.values()])
        rows.append((f"{way}, by person", f"SI-SDRi {mean:.2f}, right {right:.2f}: {text}"))
    title = f"Two people side by side, 0 dB, {len(couples)} videos, every face asked for"
    table(title, rows)


def company(people: People, data: Path, count: int, model: str | None) -> None:
    """Three who speak; one who speaks beside one who listens, alone and in noise, from the file."""
    rng = np.random.default_rng(2026)
    noises = [i for i in corpus.recordings(data, sounds="noises") if i.split == "test"]
    three: dict[str, list[tuple[float, ...]]] = {}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(count):
            names = list(rng.permutation(sorted(set(people.person)))[:3])
            who = [int(rng.choice(np.flatnonzero(np.array(people.person) == n))) for n in names]
            for way, each in measure(*compose(people, who, Path(folder)), model).items():
                three.setdefault(way, []).extend(each)
        for way, each in three.items():
            score = means(each)
            rows.append((f"three speak: {way}", "  ".join(f"{n} {score[n]:.2f}" for n in COLUMNS)))
        for noisy in (False, True):
            gains, heard, quiet, silent = [], [], [], []
            for k in rng.permutation(len(people.couples()))[:count]:
                noise = None
                if noisy:
                    noise = corpus.sized(noises[rng.integers(len(noises))].samples, 48_000)
                video, (truth, _) = compose(
                    people, people.couples()[k], Path(folder), listens=1, noise=noise
                )
                clip = media.open(video).clip(separating.SPEC)
                result = separating.run(clip, separating.Options(weights=model))
                own = corpus.decoded(truth)
                mixture = corpus.sized(corpus.decoded(video), len(own))
                given = [
                    corpus.sized(result.voices[n].samples[0], len(own))
                    if n in result.voices
                    else np.zeros_like(own)
                    for n in (1, 2)
                ]
                score = float(metric.si_sdr(given[0], own)) if given[0].any() else -30.0
                heard.append(score)
                gains.append(score - float(metric.si_sdr(mixture, own)))
                power = [10 * np.log10(np.mean(g**2) + 1e-12) for g in given]
                quiet.append(power[1] - 10 * np.log10(np.mean(own**2)))
                silent.append(not result.speaking.get(2))
            name = "one speaks, one listens" + (", ESC-10 at 0 dB" if noisy else "")
            text = f"SI-SDR {np.mean(heard):.2f}  SI-SDRi {np.mean(gains):.2f}  "
            text += f"listener {np.median(quiet):.0f} dB (median), silent {np.mean(silent):.0%}"
            rows.append((name, text))
    table(f"AudiovisualMixer, {count} videos each, seed 2026", rows)


def compose(
    people: People,
    clips: Sequence[int],
    folder: Path,
    *,
    listens: int | None = None,
    noise: Array | None = None,
) -> tuple[Path, list[Path]]:
    """A video of clips side by side with their voices at 0 dB, and the true voices.

    Args:
        listens: the place of one whose face rests and who is not heard.
        noise: put under the voices, at 0 dB.
    """
    pictures, voices = [], []
    for place, index in enumerate(clips):
        clip = media.open(people.paths[index]).clip(
            Spec(frames=True, fps=looking.SPEC.fps, size=(450, 360))
        )
        assert clip.frames is not None
        images = list(clip.frames.images())[:75]
        sound = people.sounds[index] * (0.05 / np.sqrt(np.mean(people.sounds[index] ** 2)))
        pictures.append(images[:1] * len(images) if place == listens else images)
        voices.append(np.zeros_like(sound) if place == listens else sound)
    video = folder / "pair.mp4"
    joined = [np.concatenate(both, 1) for both in zip(*pictures, strict=False)]
    frames = Frames(lambda: iter(joined), clip.frames.fps, 450 * len(clips), 360)
    mixture = sum(voices)
    if noise is not None:
        mixture = mixture + noise * (0.05 / np.sqrt(np.mean(noise**2) + 1e-9))
    write_video(video, frames, Audio.of(mixture, RATE))
    truths = []
    for number, voice in enumerate(voices, 1):
        truths.append(folder / f"pair.face{number}.wav")
        soundfile.write(truths[-1], voice, RATE, subtype="FLOAT")
    return video, truths


def cost(minutes: float) -> None:
    """Whole commands on the sample made large and long: seconds, CPU, memory."""
    sample = Path(__file__).parents[2] / "sample_media" / "cocktail.mp4"
    with tempfile.TemporaryDirectory() as folder:
        large, long = Path(folder) / "large.mp4", Path(folder) / "long.mp4"
        scale = ["-vf", "scale=1280:720", "-t", "10", "-c:v", "libx264", "-crf", "20"]
        ffmpeg.output(["-stream_loop", "1", "-i", str(sample), *scale, str(large)])
        loops = str(int(minutes * 60 / 7))
        ffmpeg.output(["-stream_loop", loops, "-i", str(sample), "-c", "copy", str(long)])
        rows = []
        for name, command, path in (
            ("faces, 10 s at 720p25", "faces", large),
            ("separate --all, 10 s at 720p25", "separate", large),
            (f"separate --all, {minutes:g} min at 360p25", "separate", long),
        ):
            env = os.environ | {"AVTOOL_CACHE": str(Path(folder) / name)}
            began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            arguments = [sys.executable, "-m", "avtool", "-q", command, str(path)]
            child = subprocess.Popen(arguments, cwd=folder, env=env, stdout=subprocess.DEVNULL)
            peak = 0
            while child.poll() is None:
                peak = max(peak, resident(child.pid))
                time.sleep(0.05)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            text = f"{time.monotonic() - began:6.1f} s   CPU {cpu:6.1f} s   {peak >> 20} MiB"
            rows.append((name, text))
    table(f"Cost, {os.cpu_count()} cores", rows)


def resident(pid: int) -> int:
    """Bytes in memory of a process."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    except (OSError, IndexError):
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default="readers,lips,files,company")
    parser.add_argument("--weights", default=None, help="another separator")
    parser.add_argument("--count", type=int, default=200, help="mixtures of readers")
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=10.0, help="of the long file of cost")
    given = parser.parse_args()
    torch.set_num_threads(1)
    only = given.only.split(",")
    if "readers" in only:
        readers(given.data, given.count, given.weights)
    if "cost" in only:
        cost(given.minutes)
    if {"lips", "files", "company"} & set(only):
        people = People(given.data)
        if "lips" in only:
            lips(people, given.data, given.weights)
        if "files" in only:
            files(people, given.videos, given.weights)
        if "company" in only:
            company(people, given.data, min(30, given.videos), given.weights)


if __name__ == "__main__":
    main()
