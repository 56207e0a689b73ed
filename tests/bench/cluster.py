"""Many short files on a Ray cluster of this machine: what it costs, and what is lost when it dies.

    python tests/bench/cluster.py [--files 20000]

Log-mel of wavs of 1 s, written as npy. First the time of --jobs 1 and 2 and of a cluster of one
and two nodes of one CPU each. Then the run that goes wrong: a node is killed half way, the driver
at three quarters; the same command is run again. What is not whole, missing, different from what
one process makes, or was done twice, is counted. Last, every command on two files of sample_media
by all three runners, with one thread each: files, and how many differ.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from nodes import Cluster, cluster  # noqa: E402 - found beside this file

DISTINCT = 100  # sounds; the other files are further names of theirs


def made(folder: Path, count: int) -> Path:
    """The list of so many wavs."""
    rng = np.random.default_rng(0)
    (folder / "in").mkdir()
    names = [f"in/{k:05}.wav" for k in range(count)]
    for k, name in enumerate(names):
        if k < DISTINCT:
            soundfile.write(folder / name, rng.uniform(-0.5, 0.5, 16_000), 16_000)
        else:
            os.link(folder / names[k % DISTINCT], folder / name)
    (folder / "list.txt").write_text("\n".join(names))
    return folder / "list.txt"


def words(out: str, *more: object) -> list[object]:
    return ["mel", "--files", "list.txt", "-f", "npy", "-o", f"{out}/", "-q", *more]


def timed(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, int]:
    """Seconds, and the most memory of the driver's own process, in MB."""
    began = time.monotonic()
    driver = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    _, code, used = os.wait4(driver.pid, 0)
    assert code == 0, command
    return time.monotonic() - began, used.ru_maxrss >> 10


def files(folder: Path) -> dict[str, os.stat_result]:
    return {each.name: each.stat() for each in os.scandir(folder) if each.name.endswith(".npy")}


def until(folder: Path, count: int, driver: subprocess.Popen[bytes]) -> dict[str, os.stat_result]:
    """What is there when so many files are."""
    while not folder.exists() or len(there := files(folder)) < count:
        assert driver.poll() is None, "it ended before it was killed"
        time.sleep(0.05)
    return there


def killed(nodes: Cluster, folder: Path, count: int) -> str:
    """A run of which a node and then the driver are killed, and its rerun; a row of the table."""
    start = nodes.avtool(*words("bad", "--cluster", "auto"))
    out = folder / "bad/in"
    driver = subprocess.Popen(start, cwd=folder, env=nodes.environment, stdout=subprocess.DEVNULL)
    until(out, count // 2, driver)
    nodes.kill()
    until(out, 3 * count // 4, driver)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    time.sleep(5)  # what its actors were doing ends with it
    before = files(out)
    again = subprocess.run(
        [word for word in start if word != "-q"],
        cwd=folder, env=nodes.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    after = files(out)
    twice = sum(before[name].st_ino != after[name].st_ino for name in before)
    wrong = sum(
        (out / name).read_bytes() != (folder / "jobs1/in" / name).read_bytes() for name in after
    )
    left = sum(each.name.startswith(".avtool") and "sqlite" not in each.name
               and "lock" not in each.name for each in os.scandir(out))  # fmt: skip
    told = again.stderr.strip().rpartition("\n")[2]
    return f"| {count - len(after)} | {wrong} | {twice} | {left} | {told} |"


MEDIA = ROOT / "sample_media"
VOICES, FILMS = ("speech.wav", "cocktail.mp4"), ("cocktail.mp4", "knock.mp4")
COMMANDS = {
    **{name: VOICES for name in ("waveform", "spectrogram", "mel", "mfcc", "speech2face")},
    **{name: FILMS for name in ("faces", "localize")},
    "separate": ("cocktail.mp4",),
    "lips": ("face.png", *VOICES),
}


def compared(nodes: Cluster, folder: Path) -> Iterator[str]:
    """A row for each command: the files of one process, and those of others that differ."""
    for name, inputs in COMMANDS.items():
        made = []
        for runner in (["--jobs", 1], ["--jobs", 2], ["--cluster", "auto"]):
            out = folder / f"{name}{len(made)}"
            command = nodes.avtool(name, *(MEDIA / each for each in inputs), "-o", f"{out}/", "-q",
                                   "--duration", 2, *runner)  # fmt: skip
            own = {"OMP_NUM_THREADS": "1", "AVTOOL_CACHE": str(folder / f"cache{len(made)}")}
            environment = {**nodes.environment, **own}
            subprocess.run(
                command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL
            )
            made.append({each.name: each.read_bytes() for each in out.iterdir()})
        one, *others = made
        wrong = [
            sum(other.get(name) != one.get(name) for name in one.keys() | other.keys())
            for other in others
        ]
        yield f"| {name} | {len(one)} | {wrong[0]} | {wrong[1]} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=20_000, metavar="N")
    count = parser.parse_args().files
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made(folder, count)
        print(f"{count} wavs of 1 s\n\n| runner | s | ms a file | files/s | driver, MB |")
        print("| --- | ---: | ---: | ---: | ---: |")

        def row(runner: str, seconds: float, memory: int) -> None:
            cost = f"{1000 * seconds / count:.2f} | {count / seconds:.0f}"
            print(f"| {runner} | {seconds:.1f} | {cost} | {memory} |", flush=True)

        program = [sys.executable, "-m", "avtool"]
        for jobs in (1, 2):
            command = [*program, *map(str, words(f"jobs{jobs}", "--jobs", jobs))]
            row(f"`--jobs {jobs}`", *timed(command, folder, environment))
        (folder / "ray").mkdir()
        with cluster(folder / "ray", 1) as nodes:
            for number in (1, 2):
                command = nodes.avtool(*words(f"nodes{number}", "--cluster", "auto"))
                row(f"`--cluster`, nodes: {number}", *timed(command, folder, nodes.environment))
                if number == 1:
                    nodes.add()
            found = killed(nodes, folder, count)
            print("\n| missing | different | done twice | half-written | the rerun says |")
            print(f"| ---: | ---: | ---: | ---: | --- |\n{found}")
            nodes.add()
            print("\n| command | files | of `--jobs 2` differ | of `--cluster` differ |")
            print("| --- | ---: | ---: | ---: |")
            for line in compared(nodes, folder):
                print(line, flush=True)


if __name__ == "__main__":
    main()
