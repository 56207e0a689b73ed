"""The features against their peers and against the machine's limits, in Markdown.

    python tests/bench/features.py [--quick] [--only kernels|long|batch|start]

Each candidate runs in a process of its own, they take turns, and the numbers are medians over the
turns; CPU time does not depend on how many cores happened to be free. All sound is made here from
fixed seeds. Nothing passes or fails: "asked" is the goal, "measured" is what came out. The parent
imports the standard library alone, because a child's peak memory starts from its parent's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from importlib import metadata
from importlib.util import find_spec
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
ALONE = "librosa, 1 BLAS thread"
PEERS = ["librosa", ALONE, "scipy", "torch", "kaldi-native-fbank", "audioflux"]
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
PACKAGES = "avtool ducc0 numpy librosa scipy torch kaldi_native_fbank audioflux soundfile pillow "
PACKAGES += "matplotlib typer"
AVTOOL = [sys.executable, "-m", "avtool"]
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
S = librosa.amplitude_to_db(np.abs(librosa.stft(y)), ref=np.max)
figure, axes = plt.subplots()
image = librosa.display.specshow(S, sr=sr, x_axis="time", y_axis="linear", ax=axes)
figure.colorbar(image, ax=axes)
figure.savefig(sys.argv[2])
"""
TYPER = """
import typer
app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
app.command("one")(lambda: None)
@app.command()
def two(name: str) -> None: "Two."
app()
"""
# What `avtool mel -f npy` needs before its first sample.
IMPORTS = "import avtool.app, avtool.pipelines.features.work, avtool.pipelines.features.mel, "
IMPORTS += "ducc0, numpy, soundfile"


# ---------------------------------------------------------------- in a child: one candidate's work


def sound(seconds: float, seed: int) -> Any:
    """Noise over a hum in four syllables a second with pauses, float32 [time]."""
    import numpy as np

    time_s = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(time_s), np.float32)
    syllables = np.maximum(0, np.sin(2 * np.pi * 4 * time_s)) * (np.sin(time_s * 0.7) > -0.6)
    hum = (time_s * 120 % 1) - 0.5
    return ((0.1 * noise + 0.3 * hum) * syllables + 1e-3 * noise).astype(np.float32)


def write_wavs(folder: str, name: str, files: int, seconds: int, seed: int) -> None:
    """16-bit mono files, made a minute at a time."""
    import wave

    for k in range(files):
        with wave.open(f"{folder}/{name}{k:03}.wav", "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            for first in range(0, seconds, 60):
                part = sound(min(60, seconds - first), seed * 1_000_000 + k * 10_000 + first // 60)
                file.writeframes((part * 32767).clip(-32768, 32767).astype("<i2").tobytes())


def kernel(peer: str, kind: str, n: int, hop: int) -> Callable[[], Any]:
    """The call to time. Raises ImportError or ValueError where a peer is missing or cannot."""
    import numpy as np

    if peer == "fft":  # our transforms alone, in cache
        import ducc0

        block, out = np.ones((2, 256, n + 16), np.float32)[:, :, :n]
        groups, how = -(-KERNEL_SECONDS * RATE // hop // 256), {"real2hermitian": True, "out": out}
        transform = ducc0.fft.r2r_fftpack
        return lambda: [transform(block, axes=(1,), forward=True, **how) for _ in range(groups)]
    if peer == "sgemm":  # the machine's limits: 2 * n**3 operations
        a, out = np.ones((2, n, n), np.float32)
        return lambda: np.matmul(a, a, out=out)
    if peer == "memcpy":  # reads and writes n MiB
        source, target = np.ones((2, n << 18), np.float32)
        return lambda: np.copyto(target, source)
    y = sound(KERNEL_SECONDS, KERNEL_SEED)
    if peer == "ours":
        from avtool.media import Clip
        from avtool.pipelines.features import mel, mfcc, presets
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
    if peer == "audioflux" and n & (n - 1) == 0 and kind == "stft":
        import audioflux

        bft = audioflux.BFT(n // 2 + 1, n.bit_length() - 1, RATE, slide_length=hop)
        return lambda: bft.bft(y, result_type=1) ** 2
    raise ValueError(f"{peer} has no such thing")


def torch_kernel(kind: str, n: int, hop: int, y: Any) -> Callable[[], Any]:
    import torch

    from avtool.signal import cepstrum, mel

    torch.set_num_threads(1)
    wave, window = torch.from_numpy(y), torch.hann_window(n)
    bank = torch.from_numpy(mel.MelBank(RATE, n, 80, 0, RATE / 2).filters().copy())
    dct = torch.from_numpy(cepstrum._basis(cepstrum.Cepstrum(80, 13)).T.copy())

    def work() -> Any:
        power = torch.stft(wave, n, hop, window=window, return_complex=True).abs() ** 2
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
    options.frame_opts.dither, options.frame_opts.round_to_power_of_two = 0, False
    options.frame_opts.frame_length_ms, options.frame_opts.frame_shift_ms = n / 16, hop / 16
    options.mel_opts.num_bins = 80

    def minute(part: Any) -> Any:
        online = knf.OnlineFbank(options) if kind == "mel" else knf.OnlineMfcc(options)
        online.accept_waveform(RATE, part.tolist())
        return np.stack([online.get_frame(k) for k in range(online.num_frames_ready)])

    return lambda: [minute(y[k : k + 60 * RATE]) for k in range(0, len(y), 60 * RATE)]


def child(words: list[str]) -> None:
    """Set up, call once, then time calls; JSON [[CPU, wall], ...], or a word why not."""
    what, *rest = words
    if what == "write":
        return write_wavs(rest[0], rest[1], *map(int, rest[2:]))
    try:
        work = kernel(what, rest[0], int(rest[1]), int(rest[2]))
    except (ImportError, ValueError) as error:
        return print(json.dumps(str(error)))
    work()
    times = []
    for _ in range(int(rest[-1])):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    return print(json.dumps(times))


# ------------------------------------------------------------- in the parent: turns, medians, words


class Cost(NamedTuple):
    cpu: float  # seconds
    wall: float
    rss: float = 0.0  # MiB


def turns(candidates: dict[str, Callable[[], Cost]], rounds: int) -> dict[str, Cost]:
    """Medians over rounds in which each candidate has one turn."""
    costs: dict[str, list[Cost]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name in list(costs):
            try:
                costs[name].append(candidates[name]())
            except LookupError:
                del costs[name]
    return {name: Cost(*map(median, zip(*each, strict=True))) for name, each in costs.items()}


def in_child(*words: object, env: dict[str, str] | None = None, best: bool = False) -> Cost:
    """Cost of a call, timed in a child. Raises LookupError where the peer is missing or cannot."""
    line = [sys.executable, __file__, "--child", *map(str, words)]
    times = json.loads(subprocess.check_output(line, env=os.environ | (env or {})))
    if isinstance(times, str):
        if "No module" in times:
            print(f"(left out: {times})")
        raise LookupError(times)
    return Cost(*map(min if best else median, zip(*times, strict=True)))


def command(*words: object) -> Cost:
    """Cost of a whole command, its children included."""
    began = time.perf_counter()
    process = subprocess.Popen([*map(str, words)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"failed: {words}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / unit)


def write(folder: Path, name: str, files: int, seconds: int, seed: int) -> Path:
    command(sys.executable, __file__, "--child", "write", folder, name, files, seconds, seed)
    return folder / f"{name}000.wav"


def table(head: str, rows: Iterable[Iterable[object]]) -> None:
    print(f"\n| {head} |\n|---|" + "---:|" * head.count(" | "))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    print(flush=True)


def costs_table(title: str, what: str, found: dict[str, Cost]) -> None:
    print(f"\n### {title}, whole command\n\n{what}.")
    rows = [[n, f"{c.cpu:.3g}", f"{c.wall:.3g}", f"{c.rss:.0f}"] for n, c in found.items()]
    table("what | CPU s | wall s | peak memory MiB", rows)


def asked(what: str, sign: str, goal: float, measured: float, unit: str = "x") -> None:
    bound = {">": "at least", "<": "at most"}[sign]
    print(f"- {what}: asked {bound} {goal:.3g}{unit}; measured **{measured:.3g}{unit}**")


def kernels(quick: bool) -> None:
    rounds, calls = (1, 3) if quick else (3, 5)
    found: dict[str, dict[str, Cost]] = {}
    for job, (kind, n, hop) in KERNELS.items():

        def one(peer: str, words: tuple[str, int, int] = (kind, n, hop)) -> Cost:
            return in_child(peer, *words, calls, env=ONE_THREAD if peer == ALONE else None)

        names = ["ours", "fft", *PEERS]
        found[job] = turns({peer: lambda peer=peer, one=one: one(peer) for peer in names}, rounds)
    print(f"\n### Kernels: {KERNEL_SECONDS} s of {RATE} Hz mono float32 in memory, warm\n")
    print(f"Sound of seed {KERNEL_SEED}, {rounds} x {calls} calls. Peers: their CPU (wall) ÷ ours.")
    print("torch has one thread. FFT alone: its part of our CPU time, measured on its own.")
    rows = []
    for job, costs in found.items():
        ours, librosa = costs["ours"], costs["librosa"]
        row = [job, *(f"{c.cpu * 1e3:.0f} ({c.wall * 1e3:.0f})" for c in (ours, librosa))]
        for peer in (costs.get(peer) for peer in PEERS):
            row.append(f"{peer.cpu / ours.cpu:.1f} ({peer.wall / ours.wall:.1f})" if peer else "-")
        rows.append([*row, f"{costs['fft'].cpu / ours.cpu:.0%}"])
    table(f"job | ours, ms | librosa, ms | {' | '.join(PEERS)} | FFT alone", rows)

    peak = 2 * 1024**3 / in_child("sgemm", "", 1024, 0, 20, env=ONE_THREAD, best=True).cpu
    traffic = 2 * (256 << 20) / in_child("memcpy", "", 256, 0, 10, best=True).cpu
    print(f"The limit: one thread multiplies matrices at {peak / 1e9:.0f} GFLOP/s and moves")
    print(f"{traffic / 1e9:.0f} GB/s, read and written. An rFFT is 2.5 N log2 N operations; memory")
    print("is each new sample read and each value written once.")
    rows, worst = [], 0.0
    for n, hop in SIZES:
        costs, frames = found[f"STFT power {n}/{hop}"], KERNEL_SECONDS * RATE // hop + 1
        flops = 2.5 * n * log2(n)
        fft, memory = flops / peak * 1e9, 4 * (hop + n // 2 + 1) / traffic * 1e9
        alone, ours = (costs[name].cpu / frames * 1e9 for name in ("fft", "ours"))
        worst = max(worst, ours / (fft + memory))
        numbers = (f"{x:,.0f}" for x in (flops, fft, memory, alone, ours))
        rows.append([f"STFT power {n}/{hop}", *numbers, f"{ours / (fft + memory):.1f}"])
    head = "flops | FFT's floor, ns | memory's floor, ns | our FFT alone, ns | ours, ns"
    table(f"a frame of | {head} | ours ÷ both floors", rows)
    nearest = (1e9, "none is installed")
    for job, costs in found.items():
        goal = 3.0 if "STFT" not in job else 1.8 if "400" in job else 2.1
        asked(f"{job}, librosa's CPU ÷ ours", ">", goal, costs["librosa"].cpu / costs["ours"].cpu)
        for peer in (peer for peer in PEERS[2:] if peer in costs):
            nearest = min(nearest, (costs[peer].cpu / costs["ours"].cpu, f"{peer}, {job}"))
    asked(f"nearest other peer ({nearest[1]}), CPU ÷ ours", ">", 1.7, nearest[0])
    print(f"- distance to the limit, the worst size: {worst:.1f}x")


def long(quick: bool) -> None:
    rounds = 1 if quick else 3
    with tempfile.TemporaryDirectory(prefix="avtool-bench-") as name:
        folder = Path(name)
        short, two = (write(folder, f"{s}-", 1, s, LONG_SEED) for s in (600, 7200))
        base = [*AVTOOL, "mel", "-f", "npy", "-o", f"{folder}/out/", *FRAMES, "-q", "--overwrite"]
        script = [sys.executable, "-c", LIBROSA_LONG]
        for warm in ([*base, short], [*script, short, folder / "librosa.npy"]):
            command(*warm)
        candidates = {
            "avtool mel, 2 h": lambda: command(*base, two),
            "librosa in one go, 2 h": lambda: command(*script, two, folder / "librosa.npy"),
            "avtool mel, 10 min": lambda: command(*base, short),
            "its imports alone": lambda: command(sys.executable, "-c", IMPORTS),
        }
        found = turns(candidates, rounds)
        ours, theirs, brief, bare = found.values()
        two.unlink()
        day = None
        if not quick and shutil.disk_usage(folder).free > 12e9:
            day = command(*base, write(folder, "day", 1, 86_400, LONG_SEED))
            found["avtool mel, 24 h (one run)"] = day
    title = f"Long sound: {RATE} Hz 16-bit wav to log-mel 80 (400/160) .npy"
    costs_table(title, f"Sound of seed {LONG_SEED}, {rounds} runs each", found)
    asked("2 h, librosa's CPU ÷ ours", ">", 3.5, theirs.cpu / ours.cpu)
    asked("2 h, peak memory above the imports", "<", 64, ours.rss - bare.rss, " MiB")
    asked("peak of 2 h less peak of 10 min", "<", 8, ours.rss - brief.rss, " MiB")
    if day:
        asked("peak of 24 h less peak of 10 min", "<", 8, day.rss - brief.rss, " MiB")
    else:
        print("- 24 h: not run (--quick, or less than 12 GB free on the temporary disk)")


def batch(quick: bool) -> None:
    rounds, files = (1, 100) if quick else (3, 500)
    with tempfile.TemporaryDirectory(prefix="avtool-bench-") as name:
        folder, results = Path(name) / "in", Path(name) / "librosa"
        folder.mkdir()
        results.mkdir()
        first = write(folder, "s", files, 5, BATCH_SEED)
        base = [*AVTOOL, "mfcc", "-f", "npy", "-o", f"{name}/out/", *FRAMES, "-q", "--overwrite"]
        script = [sys.executable, "-c", LIBROSA_BATCH]
        for warm in ([*base, first], [*script, folder, results]):
            command(*warm)
        candidates = {
            "avtool mfcc": lambda: command(*base, folder),
            "avtool mfcc --jobs 2": lambda: command(*base, folder, "--jobs", 2),
            "librosa in a loop": lambda: command(*script, folder, results),
        }
        found = turns(candidates, rounds)
    ours, jobs, theirs = found.values()
    title = f"{files} wavs of 5 s at {RATE} Hz to MFCC 13 (400/160) .npy"
    costs_table(title, f"Sound of seed {BATCH_SEED}, {rounds} runs each", found)
    asked("librosa's CPU ÷ ours", ">", 3.0, theirs.cpu / ours.cpu)
    print(f"- files a CPU second: {files / ours.cpu:.0f}")
    print(f"- wall time with --jobs 2: {jobs.wall / ours.wall:.2f} of that with one")


def start(quick: bool) -> None:
    rounds, python = 7 if quick else 11, sys.executable
    find = "from avtool.media.ffmpeg import binary; print(binary())"
    ffmpeg = subprocess.check_output([python, "-c", find], text=True).strip()
    with tempfile.TemporaryDirectory(prefix="avtool-bench-") as name:
        wav = write(Path(name), "5s", 1, 5, LONG_SEED)
        picture = [*AVTOOL, "spectrogram", wav, "-f", "png", "-o", f"{name}/out/", "--overwrite"]
        spectrum = [ffmpeg, "-v", "error", "-nostdin", "-y", "-i", wav]
        lines: dict[str, list[object]] = {
            "avtool spectrogram -f png": picture,
            "ffmpeg showspectrumpic": [
                *spectrum,
                "-lavfi",
                "showspectrumpic",
                f"{name}/ffmpeg.png",
            ],
            "librosa + matplotlib script": [python, "-c", LIBROSA_PICTURE, wav, f"{name}/plot.png"],
            "a Typer program's empty command": [python, "-c", TYPER, "two", "x"],
            "python -c pass": [python, "-c", "pass"],
            "avtool --help": [*AVTOOL, "--help"],
            "a Typer program's --help": [python, "-c", TYPER, "--help"],
        }
        if not find_spec("matplotlib"):
            lines["librosa + matplotlib script"] = lines["python -c pass"]
            print("(matplotlib is not installed: its script's numbers are those of python -c pass)")
        for line in lines.values():  # once for the disk's cache and matplotlib's fonts
            command(*line)
        found = turns({n: lambda line=line: command(*line) for n, line in lines.items()}, rounds)
    ours, theirs, plot, typer, bare, our_help, its_help = (cost.cpu for cost in found.values())
    title = "From cold: a picture of a 5-s wav"
    costs_table(title, f"Sound of seed {LONG_SEED}, {rounds} runs each", found)
    allowed = theirs + typer - bare
    asked("picture ÷ (ffmpeg's + what Typer adds to Python)", "<", 1, ours / allowed)
    asked("librosa + matplotlib's CPU ÷ ours", ">", 12, plot / ours)
    print(f"- avtool --help ÷ a Typer program's --help: {our_help / its_help:.2f}x")


def machine() -> None:
    """What all of this ran on."""
    cpu = platform.processor() or platform.machine()
    if (facts := Path("/proc/cpuinfo")).exists():
        lines = facts.read_text().splitlines()
        cpu = next((x.split(": ")[1] for x in lines if x.startswith("model name")), cpu)
    print(f"{cpu}, {os.cpu_count()} cores, {platform.system()}, load {os.getloadavg()[0]:.1f};")
    found = {dist.name.lower().replace("-", "_"): dist.version for dist in metadata.distributions()}
    versions = [f"{name} {found.get(name, 'not installed')}" for name in PACKAGES.split()]
    say = "from avtool.media.ffmpeg import output; print(output(['-version']).split(' Copy')[0])"
    versions.append(subprocess.check_output([sys.executable, "-c", say], text=True).strip())
    print(f"Python {platform.python_version()}, {', '.join(versions)}", flush=True)


def main() -> None:
    parts = {"kernels": kernels, "long": long, "batch": batch, "start": start}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer and smaller runs")
    parser.add_argument("--only", choices=parts, help="one part")
    parser.add_argument("--child", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return child(given.child)
    # An installed package has its bytecode; else each command would compile us again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    machine()
    for name in [given.only] if given.only else parts:
        parts[name](given.quick)
    return None


if __name__ == "__main__":
    main()
