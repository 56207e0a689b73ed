"""Commands that are stopped at any moment, and run again.

    python tests/kill.py --signals 100 --seed 1

A process gets KILL, TERM, INT or HUP at a seeded random moment, from its start on or, as often,
from when it begins to write; half of them replace files with --overwrite. What it leaves at a
result's name is whole: the very bytes of a run that nobody disturbed, or what was there before. A
polite signal leaves nothing beside, and no line but avtool's own. The same command once more ends
well, gives all of the same bytes, and clears what the dead left.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fuzz import PROGRAM, SAMPLES, gone, run, started, strange_lines

COMMANDS = {
    "info": "info {media}/speech.wav {media}/cocktail.mp4",
    "waveform": "waveform -f npy,wav,png {media}/speech.wav {media}/cocktail.mp4 -o {out}/",
    "spectrogram": "spectrogram -f npz,png {media}/speech.wav {media}/cocktail.mp4 -o {out}/",
    "mel": "mel -f npy,csv {media}/speech.wav {media}/cocktail.mp4 -j 2 -o {out}/",
    "mfcc": "mfcc -f npz,csv {media}/speech.wav {media}/cocktail.mp4 -o {out}/",
    "faces": "faces {media}/cocktail.mp4 -o {out}/",
    "separate": "separate --video {media}/cocktail.mp4 -o {out}/",
    "localize": "localize {media}/knock.mp4 -o {out}/",
    "lips": "lips {media}/face.png {media}/speech.wav --curves {out}/curves.csv -o {out}/",
    "speech2face": "speech2face {media}/speech.wav {media}/cocktail.mp4 -o {out}/",
}
SIGNALS = ("KILL", "TERM", "INT", "HUP")
OLD = b"what was there before"
LIMIT = 120.0  # seconds without an end that are a hang


@dataclass(frozen=True)
class Undisturbed:
    """A run to the end: the bytes of its files by name, and how long it took."""

    files: Mapping[str, bytes]
    seconds: float


@dataclass(frozen=True)
class Trial:
    """One signal.

    Args:
        moment: as a part of the undisturbed run's time; writing: a fifth of it, counted from when
            the first unfinished file is there.
    """

    command: str
    signal: str
    moment: float
    writing: bool
    overwrite: bool


def words(command: str, media: Path, out: Path) -> list[str]:
    return [*PROGRAM, *(word.format(media=media, out=out) for word in COMMANDS[command].split())]


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of all files below a folder, by name."""
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def undisturbed(command: str, media: Path, scratch: Path) -> Undisturbed:
    began = time.monotonic()
    ended = run(words(command, media, scratch / "out"), scratch, LIMIT)
    assert ended.code == 0, ended.err.decode()
    return Undisturbed(contents(scratch / "out"), time.monotonic() - began)


def begun(trial: Trial, whole: Undisturbed, scratch: Path) -> bool:
    """Whether there is something that is no result yet."""
    names = {path.name for path in (scratch / "out").iterdir()}
    return bool(names - set(whole.files)) or any((scratch / "tmp").iterdir())


def tried(trial: Trial, whole: Undisturbed, media: Path, scratch: Path) -> tuple[str, list[str]]:
    """One signal and a run after it.

    Returns:
        How the process ended, and what was wrong.
    """
    out, wrong = scratch / "out", list[str]()
    out.mkdir(parents=True)
    for name in whole.files if trial.overwrite else ():
        (out / name).write_bytes(OLD)
    arguments = words(trial.command, media, out) + ["--overwrite"] * trial.overwrite
    number = getattr(signal, f"SIG{trial.signal}")
    with (scratch / "stderr").open("wb") as err, (scratch / "stdout").open("wb") as said:
        process = started(arguments, scratch, stdout=said, stderr=err)
        if trial.writing:
            until = time.monotonic() + LIMIT
            while not begun(trial, whole, scratch) and process.poll() is None:
                assert time.monotonic() < until
                time.sleep(0.002)
        time.sleep(trial.moment * whole.seconds / (5 if trial.writing else 1))
        process.send_signal(number)
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            return "hung", [f"still there {LIMIT:g} s after the signal"]
    if left := gone(process.pid):
        wrong.append(f"{len(left)} children left")
    for name, data in contents(out).items():
        if name in whole.files:
            if data != whole.files[name] and not (trial.overwrite and data == OLD):
                wrong.append(f"{name} is half")
        elif trial.signal != "KILL":
            wrong.append(f"{name} left behind")
    if trial.overwrite and (lost := set(whole.files) - set(contents(out))):
        wrong.append(f"lost: {', '.join(lost)}")
    if trial.signal != "KILL":
        wrong += [f"left in tmp: {name}" for name in os.listdir(scratch / "tmp")]
        wrong += [f"said: {line}" for line in strange_lines((scratch / "stderr").read_bytes())[-1:]]
        if code not in (0, 130, 128 + number, -number):
            wrong.append(f"code {code}")

    again = run(arguments, scratch, LIMIT)
    if again.code != 0 or strange_lines(again.err):
        wrong.append(f"again: code {again.code}, {again.err.decode()[-200:]}")
    after = contents(out)
    for name in sorted(set(after) | set(whole.files)):
        if name not in whole.files:
            wrong.append(f"again: {name} left behind")
        elif after.get(name) != whole.files[name]:
            wrong.append(f"again: {name} {'differs' if name in after else 'is missing'}")
    wrong += [f"again: left in tmp: {name}" for name in os.listdir(scratch / "tmp")]
    kept = [name for name in contents(scratch / "cache") if not name.endswith(".npz")]
    wrong += [f"again: {name} left in the cache" for name in kept]
    return "done" if code == 0 else "early" if code == -number else "stopped", wrong


def trials(count: int, seed: int, commands: Sequence[str] = tuple(COMMANDS)) -> list[Trial]:
    """Signals in turn over commands in turn, at drawn moments."""
    rng = np.random.default_rng(seed)
    drawn = []
    for number in range(count):
        command = commands[number % len(commands)]
        writing, overwrite = (bool(each) and command != "info" for each in rng.integers(2, size=2))
        name = SIGNALS[(number // len(commands)) % len(SIGNALS)]
        drawn.append(Trial(command, name, float(rng.uniform(0, 1)), writing, overwrite))
    return drawn


def kill(
    wanted: Sequence[Trial], media: Path, scratch: Path, workers: int = 2
) -> list[tuple[Trial, str, list[str]]]:
    """All trials, each with how it ended and what was wrong."""
    commands = sorted({trial.command for trial in wanted})

    def one(trial: Trial) -> tuple[Trial, str, list[str]]:
        folder = Path(tempfile.mkdtemp(dir=scratch))
        try:
            return trial, *tried(trial, wholes[trial.command], media, folder)
        finally:
            shutil.rmtree(folder)

    # A shell's background job ignores these, and so would its children.
    heard = (signal.SIGINT, signal.SIGHUP)
    before = [signal.signal(number, signal.default_int_handler) for number in heard]
    try:
        with ThreadPoolExecutor(workers) as pool:
            runs = pool.map(lambda each: undisturbed(each, media, scratch / each), commands)
            wholes = dict(zip(commands, runs, strict=True))
            return list(pool.map(one, wanted))
    finally:
        for number, handler in zip(heard, before, strict=True):
            signal.signal(number, handler)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--signals", type=int, default=100, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--command", choices=COMMANDS, help="this command alone")
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    given = parser.parse_args()
    wanted = trials(given.signals, given.seed, [given.command] if given.command else [*COMMANDS])
    with tempfile.TemporaryDirectory(prefix="avtool-kill-") as folder:
        ended = kill(wanted, SAMPLES, Path(folder), given.workers)
    print(f"{'':14}" + "".join(f"{name:>8}" for name in [*SIGNALS, "early", "wrong"]))
    for command in dict.fromkeys(trial.command for trial in wanted):
        own = [each for each in ended if each[0].command == command]
        count = Counter(trial.signal for trial, _, _ in own)
        count |= {"early": sum(how == "early" for _, how, _ in own)}
        count |= {"wrong": sum(bool(wrong) for _, _, wrong in own)}
        numbers = [count[name] for name in [*SIGNALS, "early", "wrong"]]
        print(f"{command:14}" + "".join(f"{number:8}" for number in numbers))
    for trial, how, wrong in ended:
        for each in wrong:
            when = f"{trial.moment:.2f}{' of writing' * trial.writing}"
            print(f"{trial.command}, {trial.signal} at {when}, {how}: {each}")
    return int(any(wrong for _, _, wrong in ended))


if __name__ == "__main__":
    sys.exit(main())
