"""The features against their peers and against the machine's limits, in Markdown.

    python tests/bench/features.py [--quick] [--only kernels|long|batch|start]

Each candidate runs in a process of its own; the candidates take turns, and the numbers are medians
over the turns. Look at the CPU time first: it does not depend on how many cores happened to be
free. All sound is made here from fixed seeds. A peer that is not installed is left out. Nothing
here passes or fails: "asked" is the goal, "measured" is what came out.

This parent imports nothing but the standard library: a child's peak memory starts from its
parent's.
"""

from __future__ import annotations

import argparse
import importlib.metadata as metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from math import log2
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

RATE = 16_000
KERNEL_SECONDS = 600
KERNEL_SEED, LONG_SEED, BATCH_SEED = 1, 2, 3
SIZES = [(400, 160), (512, 160), (1024, 256), (2048, 512)]  # n_fft = window, hop
KERNELS = {f"STFT power {n}/{hop}": ("stft", n, hop) for n, hop in SIZES}
KERNELS |= {"log-mel 80, 400/160": ("mel", 400, 160), "log-mel 80, 2048/512": ("mel", 2048, 512)}
KERNELS |= {"MFCC 13, 400/160": ("mfcc", 400, 160)}
# Shown as columns, in this order. "librosa, 1 BLAS thread" has OPENBLAS_NUM_THREADS=1.
ALONE = "librosa, 1 BLAS thread"
PEERS = ["ours", "librosa", ALONE, "scipy", "torch", "kaldi-native-fbank", "audioflux", "fft"]
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
PACKAGES = "avtool ducc0 numpy librosa scipy torch kaldi_native_fbank audioflux soundfile soxr"
PACKAGES += " pillow matplotlib typer"
FRAMES = ["--n-fft", "400", "--win", "400", "--hop", "160", "--sr", str(RATE)]

LIBROSA_LONG = """
import sys, librosa, numpy as np
y, sr = librosa.load(sys.argv[1], sr=None)
S = librosa.feature.melspectrogram(y=y, sr=sr, n_fft=400, hop_length=160, n_mels=80)
np.save(sys.argv[2], librosa.power_to_db(S))
"""
LIBROSA_BATCH = """
import sys, librosa, numpy as np, soundfile
from pathlib import Path
for path in sorted(Path(sys.argv[1]).glob("*.wav")):
    y, sr = soundfile.read(path, dtype="float32")
    M = librosa.feature.mfcc(y=y, sr=sr, n_mfcc=13, n_mels=80, n_fft=400, hop_length=160)
    np.save(Path(sys.argv[2]) / path.with_suffix(".npy").name, M)
"""
LIBROSA_PICTURE = """
import sys, librosa, librosa.display, matplotlib, numpy as np
matplotlib.use("Agg")
import matplotlib.pyplot as plt
y, sr = librosa.load(sys.argv[1], sr=None)
S = librosa.amplitude_to_db(np.abs(librosa.stft(y, n_fft=512, hop_length=160)), ref=np.max)
figure, axes = plt.subplots(figsize=(16, 8))
image = librosa.display.specshow(
    S, sr=sr, n_fft=512, hop_length=160, x_axis="time", y_axis="linear", ax=axes)
figure.colorbar(image, ax=axes, format="%+2.0f dB")
figure.savefig(sys.argv[2])
"""
TYPER = """
import typer
app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
@app.command()
def one(name: str) -> None: "One."
@app.command()
def two(name: str) -> None: "Two."
app()
"""
# What `avtool mel -f npy` imports before its first sample.
IMPORTS = "import avtool.cli, avtool.cli.features, avtool.pipelines.mel, avtool.save, ducc0"
IMPORTS += ", numpy, soundfile"


# ---------------------------------------------------------------- in a child: one candidate's work


def sound(seconds: float, seed: int) -> Any:
    """Noise in syllables over a hum, float32 [time], about -20 dB."""
    import numpy as np

    time_s = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(time_s), np.float32)
    syllables = np.maximum(0, np.sin(2 * np.pi * 4 * time_s)) * (np.sin(time_s * 0.7) > -0.6)
    hum = (time_s * 120 % 1) - 0.5
    return ((0.1 * noise + 0.3 * hum) * syllables + 1e-3 * noise).astype(np.float32)


def write_wav(path: str, seconds: float, seed: int) -> None:
    """16-bit mono, a minute at a time."""
    import wave

    import numpy as np

    with wave.open(path, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        for k in range(0, round(seconds), 60):
            part = sound(min(60, seconds - k), seed * 100_000 + k) * 32767
            file.writeframes(np.clip(part, -32768, 32767).astype("<i2").tobytes())


def kernel(peer: str, kind: str, n: int, hop: int) -> Callable[[], Any]:
    """The call to time. Raises ImportError or ValueError where a peer has no such thing."""
    import numpy as np

    y = None if peer == "fft" else sound(KERNEL_SECONDS, KERNEL_SEED)
    if peer == "fft":  # our transforms alone, in cache
        import ducc0

        block, groups = np.ones((256, n), np.float32), -(-KERNEL_SECONDS * RATE // hop // 256)
        out = np.empty((256, n // 2 + 1), np.complex64)
        return lambda: [ducc0.fft.r2c(block, axes=(1,), out=out) for _ in range(groups)]
    if peer == "ours":
        from avtool.media import Clip
        from avtool.pipelines import mel, mfcc, presets
        from avtool.signal.stft import STFT
        from avtool.values import Audio

        if kind == "stft":
            return lambda: STFT(n, n, hop).spectrogram(y)
        module = {"mel": mel, "mfcc": mfcc}[kind]
        options = presets.options(module.Options, win=n, n_fft=n, hop=hop)
        clip = Clip("noise", Audio.of(y, RATE), None, None)
        return lambda: getattr(module.run(clip, options), kind).values
    if peer in ("librosa", ALONE):
        import librosa

        if kind == "stft":
            return lambda: np.abs(librosa.stft(y, n_fft=n, hop_length=hop)) ** 2
        given: dict[str, Any] = {"y": y, "sr": RATE, "n_fft": n, "hop_length": hop, "n_mels": 80}
        if kind == "mfcc":
            return lambda: librosa.feature.mfcc(n_mfcc=13, **given)
        return lambda: librosa.power_to_db(librosa.feature.melspectrogram(**given))
    if peer == "scipy" and kind == "stft":
        from scipy.signal import stft

        return lambda: np.abs(stft(y, nperseg=n, noverlap=n - hop)[2]) ** 2
    if peer == "torch":
        return torch_kernel(kind, n, hop, y)
    if peer == "kaldi-native-fbank" and kind != "stft":
        return kaldi_kernel(kind, n, hop, y)
    if peer == "audioflux" and not n & (n - 1) and kind != "mfcc":
        import audioflux

        bands, scale = (80, "MEL") if kind == "mel" else (n // 2 + 1, "LINEAR")
        kinds = audioflux.type.SpectralFilterBankScaleType
        power = audioflux.type.SpectralDataType.POWER
        bft = audioflux.BFT(
            bands, n.bit_length() - 1, RATE, slide_length=hop, scale_type=kinds[scale],
            data_type=power,
        )  # fmt: skip
        if kind == "stft":
            return lambda: bft.bft(y, result_type=1)
        return lambda: audioflux.utils.power_to_db(bft.bft(y, result_type=1))
    raise ValueError("has no such thing")


def torch_kernel(kind: str, n: int, hop: int, y: Any) -> Callable[[], Any]:
    import torch

    from avtool.signal.cepstrum import Cepstrum, _basis
    from avtool.signal.mel import MelBank

    torch.set_num_threads(1)
    y, window = torch.from_numpy(y), torch.hann_window(n)
    bank = torch.from_numpy(MelBank(RATE, n, 80, 0, RATE / 2).filters().copy())
    dct = torch.from_numpy(_basis(Cepstrum(80, 13)).T.copy())

    def work() -> Any:
        x = torch.stft(y, n, hop, window=window, pad_mode="constant", return_complex=True)
        power = x.abs() ** 2
        if kind == "stft":
            return power
        level = 10 * torch.log10(torch.clamp(bank @ power, min=1e-10))
        level = torch.maximum(level, level.max() - 80)
        return level if kind == "mel" else dct @ level

    return work


def kaldi_kernel(kind: str, n: int, hop: int, y: Any) -> Callable[[], Any]:
    import kaldi_native_fbank as knf
    import numpy as np

    options = knf.FbankOptions() if kind == "mel" else knf.MfccOptions()
    options.frame_opts.dither = 0
    options.frame_opts.frame_length_ms, options.frame_opts.frame_shift_ms = n / 16, hop / 16
    options.frame_opts.round_to_power_of_two = False
    options.mel_opts.num_bins = 80
    make = knf.OnlineFbank if kind == "mel" else knf.OnlineMfcc

    def minute(part: Any) -> Any:
        online = make(options)
        online.accept_waveform(RATE, part.tolist())
        return np.stack([online.get_frame(k) for k in range(online.num_frames_ready)])

    return lambda: [minute(y[k : k + 60 * RATE]) for k in range(0, len(y), 60 * RATE)]


def limit(what: str) -> Callable[[], Any]:
    import numpy as np

    if what == "sgemm":  # 2 * 1024**3 operations
        a = np.ones((1024, 1024), np.float32)
        out = np.empty_like(a)
        return lambda: np.matmul(a, a, out=out)
    source, target = np.ones(1 << 26, np.float32), np.ones(1 << 26, np.float32)
    return lambda: np.copyto(target, source)  # reads and writes 256 MiB each


def child(words: list[str]) -> None:
    """Set up, call once, then time calls; JSON [[CPU, wall], ...] or the word why not."""
    what, *rest = words
    if what == "write":
        return write_wav(rest[0], float(rest[1]), int(rest[2]))
    if what == "write-many":
        for k in range(int(rest[1])):
            write_wav(str(Path(rest[0]) / f"{k:03}.wav"), 5, BATCH_SEED * 1000 + k)
        return None
    try:
        if what == "limit":
            work = limit(rest[0])
        else:
            work = kernel(rest[0], rest[1], int(rest[2]), int(rest[3]))
    except (ImportError, ValueError) as error:
        return print(json.dumps(str(error)))
    work()
    times = []
    for _ in range(int(words[-1])):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    return print(json.dumps(times))


# ------------------------------------------------------------- in the parent: turns, medians, words


class Cost(NamedTuple):
    cpu: float  # seconds
    wall: float
    rss: float = 0.0  # MiB


def turns(candidates: Iterable[str], rounds: int, one: Callable[[str], Cost]) -> dict[str, Cost]:
    """Medians over rounds in which each candidate has one turn."""
    costs: dict[str, list[Cost]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name in list(costs):
            try:
                costs[name].append(one(name))
            except LookupError:
                del costs[name]
    return {name: Cost(*map(median, zip(*all, strict=True))) for name, all in costs.items()}


def in_child(*words: object, env: dict[str, str] | None = None, best: bool = False) -> Cost:
    """Cost of a call, timed in a child. Raises LookupError where the peer is missing."""
    command = [sys.executable, __file__, "--child", *map(str, words)]
    done = subprocess.run(command, env=os.environ | (env or {}), stdout=subprocess.PIPE, check=True)
    times = json.loads(done.stdout)
    if isinstance(times, str):
        if "No module" in times:
            print(f"({words[1]} is left out: {times})\n")
        raise LookupError(times)
    return Cost(*map(min if best else median, zip(*times, strict=True)))


def command(*words: object) -> Cost:
    """Cost of a whole command, its children included."""
    with tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen([*map(str, words)], stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            sys.exit(f"{words}: {errors.read().decode(errors='replace')[-2000:]}")
    scale = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / scale)


def table(head: str, rows: Iterable[Iterable[object]]) -> None:
    columns = head.split(" | ")
    print(f"\n| {head} |\n|---|{'---:|' * (len(columns) - 1)}")
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    print(flush=True)


def asked(what: str, goal: float, measured: float, unit: str = "x", most: bool = False) -> None:
    print(f"- {what}: asked at {'most' if most else 'least'} {goal:.4g}{unit}; measured "
          f"**{measured:.3g}{unit}**")  # fmt: skip


def versus(one: Cost, other: Cost | None) -> str:
    """How many times dearer the other is, CPU (wall)."""
    return f"{other.cpu / one.cpu:.1f} ({other.wall / one.wall:.1f})" if other else "–"


def kernels(quick: bool) -> None:
    rounds, calls = (1, 3) if quick else (3, 5)
    found: dict[str, dict[str, Cost]] = {}
    for job, (kind, n, hop) in KERNELS.items():

        def one(peer: str, kind: str = kind, n: int = n, hop: int = hop) -> Cost:
            env = ONE_THREAD if peer == ALONE else {}
            return in_child("kernel", peer, kind, n, hop, calls, env=env)

        found[job] = turns(PEERS, rounds, one)
    peers = PEERS[1:-1]
    print(f"\n### Kernels: {KERNEL_SECONDS} s of {RATE} Hz mono float32 in memory, warm\n")
    print(f"Sound from seed {KERNEL_SEED}; {rounds} processes each, {calls} calls in each. Peers: "
          "how many times our CPU time (wall time). torch has one thread.")  # fmt: skip
    rows = []
    for job, costs in found.items():
        ours = costs["ours"]
        row = [job, f"{ours.cpu * 1e3:.0f} / {ours.wall * 1e3:.0f}"]
        row += [f"{costs['librosa'].cpu * 1e3:.0f} / {costs['librosa'].wall * 1e3:.0f}"]
        row += [versus(ours, costs.get(peer)) for peer in peers]
        rows.append([*row, f"{costs['fft'].cpu / ours.cpu:.0%}"])
    table("job | ours, ms CPU / wall | librosa, ms CPU / wall | " + " | ".join(peers)
          + " | our FFT alone", rows)  # fmt: skip

    peak = 2 * 1024**3 / in_child("limit", "sgemm", 20, env=ONE_THREAD, best=True).cpu
    traffic = 2 * (1 << 28) / in_child("limit", "memcpy", 10, env=ONE_THREAD, best=True).cpu
    print(f"Limit: one thread multiplies matrices at {peak / 1e9:.0f} GFLOP/s and copies at "
          f"{traffic / 2e9:.1f} GB/s; an rFFT is 2.5 N log2 N operations; memory is each new sample "
          "read and each value written once, without the kernel's zeroing of fresh pages.")  # fmt: skip
    rows, worst = [], 0.0
    for n, hop in SIZES:
        costs, frames = found[f"STFT power {n}/{hop}"], KERNEL_SECONDS * RATE // hop + 1
        flops = 2.5 * n * log2(n)
        fft, memory = flops / peak * 1e9, 4 * (hop + n // 2 + 1) / traffic * 1e9
        alone, ours = (costs[name].cpu / frames * 1e9 for name in ("fft", "ours"))
        worst = max(worst, alone / fft)
        row = (flops, fft, memory, alone, ours)
        rows.append([f"{n}/{hop}", *(f"{x:,.0f}" for x in row), f"{ours / (fft + memory):.1f}"])
    table("STFT power | flops a frame | FFT's floor, ns | memory's floor, ns | our FFT alone, ns | "
          "ours, ns | ours ÷ both floors", rows)  # fmt: skip

    for job, costs in found.items():
        goal = 3.0 if "STFT" not in job else 1.8 if "400" in job else 2.1
        asked(f"{job}, librosa's CPU ÷ ours", goal, costs["librosa"].cpu / costs["ours"].cpu)
    others = [(costs[peer].cpu / costs["ours"].cpu, f"{peer} at {job}")
              for job, costs in found.items() for peer in peers[2:] if peer in costs]  # fmt: skip
    asked(f"fastest other peer ({min(others)[1]}), CPU ÷ ours", 1.7, min(others)[0])
    asked("our FFT alone ÷ its floor, the worst size", 4.5, worst, most=True)


def long(quick: bool) -> None:
    rounds = 1 if quick else 3
    with tempfile.TemporaryDirectory(prefix="avtool-bench-") as name:
        folder = Path(name)

        def made(seconds: int) -> Path:
            path = folder / f"{seconds}.wav"
            command(sys.executable, __file__, "--child", "write", path, seconds, LONG_SEED)
            return path

        def ours(path: Path) -> Cost:
            base = [
                sys.executable,
                "-m",
                "avtool",
                "mel",
                path,
                "-f",
                "npy",
                "-o",
                f"{folder}/out/",
            ]
            return command(*base, *FRAMES, "--overwrite")

        paths = {"10 min": made(600), "2 h": made(7200)}
        candidates = {
            "avtool mel, 2 h": lambda: ours(paths["2 h"]),
            "librosa in one go, 2 h": lambda: command(
                sys.executable, "-c", LIBROSA_LONG, paths["2 h"], folder / "librosa.npy"
            ),
            "avtool mel, 10 min": lambda: ours(paths["10 min"]),
            "its imports only": lambda: command(sys.executable, "-c", IMPORTS),
            "python -c pass": lambda: command(sys.executable, "-c", "pass"),
        }
        ours(paths["10 min"])
        found = turns(candidates, rounds, lambda name: candidates[name]())
        day = None
        if quick:
            print("(no 24 hours with --quick)")
        elif shutil.disk_usage(folder).free < 12e9:
            print("(no 24 hours: less than 12 GB are free on the temporary disk)")
        else:
            day = found["avtool mel, 24 h (one run)"] = ours(made(86_400))
    print(f"\n### Long sound: {RATE} Hz 16-bit wav to a log-mel 80 (400/160) .npy, whole command\n")
    print(f"Sound from seed {LONG_SEED}, {rounds} runs each.")
    rows = [[n, f"{c.cpu:.2f}", f"{c.wall:.2f}", f"{c.rss:.0f}"] for n, c in found.items()]
    table("what | CPU s | wall s | peak memory MiB", rows)
    two, other = found["avtool mel, 2 h"], found["librosa in one go, 2 h"]
    bare, short = found["its imports only"], found["avtool mel, 10 min"]
    asked("2 h, librosa's CPU ÷ ours", 3.5, other.cpu / two.cpu)
    asked("2 h, peak memory above the imports", 64, two.rss - bare.rss, " MiB", most=True)
    asked("peak of 2 h less peak of 10 min", 8, two.rss - short.rss, " MiB", most=True)
    if day:
        asked("peak of 24 h less peak of 10 min", 8, day.rss - short.rss, " MiB", most=True)


def batch(quick: bool) -> None:
    rounds, files = (1, 100) if quick else (3, 500)
    with tempfile.TemporaryDirectory(prefix="avtool-bench-") as name:
        folder = Path(name)
        for each in ("in", "librosa"):
            (folder / each).mkdir()
        command(sys.executable, __file__, "--child", "write-many", folder / "in", files)
        base = [sys.executable, "-m", "avtool", "mfcc", folder / "in", "-f", "npy", *FRAMES]
        base += ["-o", f"{folder}/out/", "--overwrite", "-q"]
        candidates: dict[str, list[object]] = {
            "avtool mfcc": base,
            "avtool mfcc --jobs 2": [*base, "--jobs", "2"],
            "librosa in a loop": [
                sys.executable, "-c", LIBROSA_BATCH, folder / "in", folder / "librosa",
            ],
        }  # fmt: skip
        found = turns(candidates, rounds, lambda name: command(*candidates[name]))
    print(
        f"\n### {files} files of 5 s, {RATE} Hz 16-bit wav to MFCC 13 (400/160) .npy, whole command\n"
    )
    print(f"Sound from seeds {BATCH_SEED}000 and on, {rounds} runs each.")
    rows = [[n, f"{c.cpu:.2f}", f"{c.wall:.2f}", f"{files / c.cpu:.0f}", f"{c.rss:.0f}"]
            for n, c in found.items()]  # fmt: skip
    table("what | CPU s | wall s | files a CPU second | peak memory MiB", rows)
    one, two, other = (found[name] for name in candidates)
    asked("librosa's CPU ÷ ours", 3.0, other.cpu / one.cpu)
    print(f"- --jobs 2 takes {two.wall / one.wall:.2f} of the wall time of --jobs 1")


def start(quick: bool) -> None:
    rounds = 7 if quick else 11
    find = "from avtool.media.ffmpeg import binary; print(binary())"
    ffmpeg = subprocess.check_output([sys.executable, "-c", find], text=True).strip()
    with tempfile.TemporaryDirectory(prefix="avtool-bench-") as name:
        wav, folder, python = Path(name) / "5s.wav", Path(name), sys.executable
        command(python, __file__, "--child", "write", wav, 5, LONG_SEED)
        ours, theirs = "avtool spectrogram 5s.wav -f png", "ffmpeg showspectrumpic"
        plot = "librosa + matplotlib script"
        candidates: dict[str, list[object]] = {
            ours: [python, "-m", "avtool", "spectrogram", wav, "-f", "png", "-o", f"{folder}/out/"],
            theirs: [ffmpeg, "-y", "-nostdin", "-i", wav, "-lavfi", "showspectrumpic=s=1336x622",
                     folder / "ffmpeg.png"],
            plot: [python, "-c", LIBROSA_PICTURE, wav, folder / "plot.png"],
            "avtool --help": [python, "-m", "avtool", "--help"],
            "Typer, a command that does nothing": [python, "-c", TYPER, "one", "x"],
            "Typer, --help": [python, "-c", TYPER, "--help"],
            "python -c pass": [python, "-c", "pass"],
        }  # fmt: skip
        candidates[ours].append("--overwrite")
        if sox := shutil.which("sox"):
            candidates["sox spectrogram"] = [sox, wav, "-n", "spectrogram", "-o", folder / "s.png"]
        for words in candidates.values():  # once for the disk's cache and matplotlib's fonts
            command(*words)
        found = turns(candidates, rounds, lambda name: command(*candidates[name]))
    print("\n### From cold: a picture of 5 s of sound, whole command\n")
    print(f"{rounds} runs each.")
    rows = [[n, f"{c.cpu * 1e3:.0f}", f"{c.wall * 1e3:.0f}", f"{c.rss:.0f}"]
            for n, c in found.items()]  # fmt: skip
    table("what | CPU ms | wall ms | peak memory MiB", rows)
    bare = found["python -c pass"].cpu
    typer = found["Typer, a command that does nothing"].cpu - bare
    asked("picture ÷ (ffmpeg's + Typer's own start-up above bare Python's)", 1,
          found[ours].cpu / (found[theirs].cpu + typer), most=True)  # fmt: skip
    asked("librosa + matplotlib's CPU ÷ ours", 12, found[plot].cpu / found[ours].cpu)
    asked("avtool --help ÷ a bare Typer's", 1.5,
          found["avtool --help"].cpu / found["Typer, --help"].cpu, most=True)  # fmt: skip


def machine() -> None:
    """What all of this ran on."""
    cpu = platform.processor() or platform.machine()
    if (facts := Path("/proc/cpuinfo")).exists():
        lines = facts.read_text().splitlines()
        cpu = next((x.split(": ")[1] for x in lines if x.startswith("model name")), cpu)
    print(f"{cpu}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}")
    versions = []
    for name in PACKAGES.split():
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"(no {name})")
    say = "from avtool.media.ffmpeg import output; print(output(['-version']).split(' Copy')[0])"
    versions.append(subprocess.check_output([sys.executable, "-c", say], text=True).strip())
    print(", ".join(versions) + f"; load at the start {os.getloadavg()[0]:.1f}", flush=True)


def main() -> None:
    parts = {"kernels": kernels, "long": long, "batch": batch, "start": start}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer and smaller runs")
    parser.add_argument("--only", choices=parts, help="one part")
    parser.add_argument("--child", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return child(given.child)
    machine()
    for name in [given.only] if given.only else parts:
        parts[name](given.quick)


if __name__ == "__main__":
    main()
