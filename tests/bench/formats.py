"""Log-mel of the files that people have, against loops over the best peers, in Markdown.

    python tests/bench/formats.py DATA [--files 60] [--rounds 3]

DATA holds ESC-10 (``esc10/audio``, ogg) and GRID (``grid/s1``, mp4). mp3, flac and m4a are made of
the ogg files by ffmpeg. Both sides make 80 log-mel bands at 16 kHz and write .npy; each is a
process of its own, they take turns, and the numbers are medians of CPU and wall time over the
rounds. librosa decodes m4a by an ffmpeg of its own; mp4 goes against PyAV, which decodes in
process, as avtool does.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from avtool.media import ffmpeg

LOADERS = {
    "librosa": "y, sr = librosa.load(path, sr=16000)",
    "PyAV + soxr": """
    with av.open(path) as file:
        sr = file.streams.audio[0].rate
        y = np.concatenate([part.to_ndarray() for part in file.decode(audio=0)], 1).mean(0)
    y = soxr.resample(y, sr, 16000, "HQ")""",
}
LOOP = """
import os, sys, librosa, numpy as np
if "{loader}".startswith("PyAV"):
    import av, soxr
for path in sys.argv[2:]:
    {load}
    S = librosa.feature.melspectrogram(y=y, sr=16000, n_fft=400, hop_length=160, n_mels=80)
    np.save(os.path.join(sys.argv[1], os.path.basename(path) + ".npy"), librosa.power_to_db(S))
"""
OURS = ["--sr", "16000", "--n-fft", "400", "--win", "400", "--hop", "160", "-f", "npy", "-q"]
# Formats made of the ogg files; how many are measured.
MADE = {"mp3": ["-b:a", "128k"], "flac": [], "m4a": ["-c:a", "aac"]}


def cost(command: list[str], env: dict[str, str]) -> tuple[float, float]:
    """CPU and wall seconds of a process and its children."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, env=env, check=True, capture_output=True)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def row(name: str, files: list[Path], loader: str, rounds: int, folder: Path) -> None:
    """Measure one format, and print its row."""
    env = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    program = folder / "ffmpeg"  # librosa takes the one on the PATH
    if not program.exists():
        program.symlink_to(ffmpeg.binary())
    env["PATH"] = f"{folder}{os.pathsep}{env['PATH']}"
    names = [str(path) for path in files]
    loop = LOOP.format(loader=loader, load=LOADERS[loader])
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "theirs": []}
    for k in range(rounds):
        for side, costs in found.items():
            out = folder / f"{side}{k}-{name}"
            out.mkdir()
            ours = [
                sys.executable,
                "-m",
                "avtool",
                "mel",
                *names,
                *OURS,
                "-j",
                "1",
                "-o",
                f"{out}/",
            ]
            theirs = [sys.executable, "-c", loop, str(out), *names]
            costs.append(cost(ours if side == "ours" else theirs, env))
            assert len(list(out.iterdir())) == len(files)
    (cpu, wall), (their_cpu, their_wall) = (
        [median(values) for values in zip(*costs, strict=True)] for costs in found.values()
    )
    print(
        f"| {len(files)} {name} | {loader} | {cpu:.2f} | {their_cpu:.2f} | {cpu / their_cpu:.2f} "
        f"| {wall / their_wall:.2f} |",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--files", type=int, default=60, help="of mp3, flac and m4a")
    parser.add_argument("--all", type=int, default=400, help="of ogg and mp4")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    ogg = sorted((given.data / "esc10" / "audio").glob("*.ogg"))
    print("| files | against | avtool, CPU s | theirs, CPU s | CPU ratio | wall ratio |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        row("ogg", ogg[: given.all], "librosa", given.rounds, folder)
        for suffix, how in MADE.items():
            made = [folder / f"{path.stem}.{suffix}" for path in ogg[: given.files]]
            for path, target in zip(ogg, made, strict=False):
                command = [ffmpeg.binary(), "-nostdin", "-v", "quiet", "-i", str(path), *how]
                subprocess.run([*command, str(target)], check=True)
            row(suffix, made, "librosa", given.rounds, folder)
        films = sorted((given.data / "grid" / "s1").glob("*.mp4"))[: given.all]
        row("mp4", films, "PyAV + soxr", given.rounds, folder)


if __name__ == "__main__":
    main()
