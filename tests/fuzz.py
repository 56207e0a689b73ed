"""Damaged media through all commands: what avtool promises must hold for each file.

    python tests/fuzz.py --files 5000 --seed 1

Files are made with ffmpeg, damaged by a seeded draw (file N of a seed is always the same; --only N
makes it alone), and given to each command, many in one process. After each process: no traceback,
no "unexpected", no line on stderr but avtool's own, exit code 0 or 1 as the reports say, nothing
left behind (part files, temporary files, children), no hang, each file that is said to be there is
there and can be read, and what lies beside a playlist is in no output and no word. What breaks one
of these is traced to its file, made as small as it stays wrong, and kept.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from avtool.media import ffmpeg  # noqa: E402 - found beside this file, installed or not

SAMPLES = ROOT / "sample_media"
PROGRAM = (sys.executable, "-m", "avtool")
ADDRESS_BYTES, FILE_BYTES = 12 << 30, 1 << 30  # of a process; of one of its files
LONGEST = 900.0  # seconds that any one file may take
OWN_LINE = re.compile(r"avtool: |  \S")  # two blanks: the list of failures at a batch's end


# --- media ---------------------------------------------------------------------------------------

TONE = "aevalsrc=0.3*sin(440*2*PI*t)|0.2*sin(660*2*PI*t):s={rate}:d=0.6"
PICTURES = "testsrc2=s=96x64:r=25:d=0.6"
X264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p"
SOUNDS = {
    "s16.wav": "-c:a pcm_s16le",
    "f32.wav": "-c:a pcm_f32le",
    "f64.wav": "-c:a pcm_f64le",
    "s24.wav": "-c:a pcm_s24le",
    "u8.wav": "-c:a pcm_u8 -ac 1",
    "adpcm.wav": "-c:a adpcm_ms",
    "flac": "",
    "mp3": "-c:a libmp3lame",
    "vorbis.ogg": "-c:a libvorbis",
    "opus.ogg": "-c:a libopus -ar 48000",
    "m4a": "-c:a aac",
    "aiff": "",
    "au": "",
    "s16.raw": "-f s16le",
}
VIDEOS = {
    "mp4": f"{X264} -bf 2 -c:a aac",
    "fragments.mp4": f"{X264} -c:a aac -movflags frag_keyframe+empty_moov",
    "mov": f"{X264} -c:a pcm_s16le",
    "mkv": f"{X264} -c:a flac",
    "webm": "-c:v libvpx -deadline realtime -c:a libvorbis",
    "ts": f"{X264} -c:a aac",
    "avi": "-c:v mpeg4 -c:a pcm_s16le",
    "mpg": "-c:v mpeg2video -c:a mp2 -ar 44100",
    "flv": f"{X264} -c:a aac -ar 44100",
}
FACES = {
    "mp4": f"{X264} -c:a aac",
    "mkv": f"{X264} -c:a libopus -ar 48000",
    "webm": "-c:v libvpx -deadline realtime -c:a libopus -ar 48000",
}
VOICES = {"wav": "", "f32.wav": "-c:a pcm_f32le", "flac": "", "mp3": "", "m4a": "-c:a aac"}
STILLS = ("png", "jpg", "gif")
# Playlists of a file beside them ({name}, or {path}), as demuxers of ffmpeg know them.
PLAYLISTS = {
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\n{path}\n#EXT-X-ENDLIST\n",
    "m3u": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\n{name}\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile {name}\n",
    "mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT2S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
    '<Period><AdaptationSet mimeType="audio/mp4"><Representation id="1" bandwidth="9">'
    "<BaseURL>{path}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=audio 5004 RTP/AVP 0\n",
    "ism": "<SmoothStreamingMedia><StreamIndex Url='{path}'/></SmoothStreamingMedia>",
    "cue": 'FILE "{path}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
    "pls": "[playlist]\nFile1={path}\nNumberOfEntries=1\nVersion=2\n",
    "imf": '<?xml version="1.0"?><AssetMap xmlns="http://www.smpte-ra.org/schemas/429-9/2007/AM">'
    "<AssetList><Asset><ChunkList><Chunk><Path>{path}</Path></Chunk></ChunkList></Asset>"
    "</AssetList></AssetMap>",
}
SUFFIXES = (*(name.rsplit(".")[-1] for name in [*SOUNDS, *VIDEOS]), *STILLS)
# What a file is made of, and how often: tones, a test picture with them, a talking face, its voice.
KINDS = {"sound": 0.35, "video": 0.25, "face": 0.2, "voice": 0.1, "still": 0.1}
HEARD = ("voice", "face")
SECRET = b"CANARY-IN-THE-MINE"
# Part of a name: for a terminal, a log, a pattern, a shell; no UTF-8; long.
ODD_NAMES = ("\x1b[31m", "\navtool: x", "\r", "%d", " '$(x)' ", "ü", "\udcff", "x" * 190)


def seeds(folder: Path) -> dict[str, list[Path]]:
    """Whole media to be damaged, by kind."""
    folder.mkdir(parents=True, exist_ok=True)
    made: dict[str, list[Path]] = {kind: [] for kind in KINDS}

    def make(kind: str, name: str, inputs: list[str], options: str) -> None:
        path = folder / f"{kind}.{name}"
        run = [ffmpeg.binary(), "-nostdin", "-loglevel", "error", "-y", *inputs]
        run += [*options.split(), "-t", "1.2" if kind in HEARD else "0.6"]
        run += ["-map_metadata", "-1", "-fflags", "+bitexact"]
        subprocess.run([*run, str(path)], check=True, stdin=subprocess.DEVNULL)
        made[kind].append(path)

    tone = ["-f", "lavfi", "-i", TONE.format(rate=22_050)]
    shown = ["-f", "lavfi", "-i", PICTURES]
    for name, options in SOUNDS.items():
        make("sound", name, tone, options)
    for name, options in VIDEOS.items():
        make("video", name, [*shown, *tone], options)
    talking = ["-ss", "1", "-i", str(SAMPLES / "cocktail.mp4"), "-vf", "scale=256:144"]
    for name, options in FACES.items():
        make("face", name, talking, options)
    for name, options in VOICES.items():
        make("voice", name, ["-ss", "0.5", "-i", str(SAMPLES / "speech.wav")], options)
    for name in STILLS:
        make("still", name, shown, "-frames:v 1" if name != "gif" else "")
    face = ["-i", str(SAMPLES / "face.png"), "-vf", "scale=200:-2"]
    make("still", "face.png", face, "-frames:v 1")
    return made


def secrets(folder: Path) -> list[bytes]:
    """Files that nobody named, and what of them may be seen nowhere."""
    noise = np.random.default_rng(0).integers(-(2**14), 2**14, 32_000).astype(np.int16)
    path = folder / "secret.wav"
    with soundfile.SoundFile(path, "w", 16_000, 1) as file:
        file.title = SECRET.decode()
        file.write(noise)
    copy = ["-i", str(path), "-c:a", "flac", "-strict", "-2"]
    run = [ffmpeg.binary(), "-nostdin", "-loglevel", "error", "-y", *copy]
    subprocess.run([*run, str(folder / "secret.mp4")], check=True, stdin=subprocess.DEVNULL)
    middle = noise[8000:8016]
    return [SECRET, middle.tobytes(), (middle / np.float32(2**15)).astype(np.float32).tobytes()]


# --- damage --------------------------------------------------------------------------------------

Rng = np.random.Generator
FIELDS = re.compile(
    rb"mvhd|tkhd|mdhd|hdlr|stsd|stts|ctts|stsz|stsc|stco|avcC|esds|mp4a|avc1|pasp|elst|trun|tfhd"
    rb"|fmt |data|fact|avih|strh|strf|idx1|fLaC|OggS|vorbis|OpusHead|IHDR|COMM|SSND|\.snd|FLV"
)
VALUES = (0, 1, 2, -1, 3, 255, 0x7FFF, 0x8000, 0xFFFF, 1 << 24, 0x7FFFFFFF, 0x80000000, 0x40000000)


def place(rng: Rng, size: int) -> int:
    """Somewhere in a file, as often in its head or its tail as anywhere."""
    low, high = ((0, 400), (0, size), (size - 400, size))[rng.integers(3)]
    return int(rng.integers(max(0, low), max(1, min(high, size))))


def flipped(rng: Rng, data: bytearray) -> None:
    for _ in range(int(2 ** rng.integers(0, 7))):
        data[place(rng, len(data))] ^= 1 << int(rng.integers(8))


def cut(rng: Rng, data: bytearray) -> None:
    del data[place(rng, len(data)) :]


def dropped(rng: Rng, data: bytearray) -> None:
    at = place(rng, len(data))
    del data[at : at + int(2 ** rng.integers(0, 13))]


def zeroed(rng: Rng, data: bytearray) -> None:
    at = place(rng, len(data))
    stop = min(len(data), at + int(2 ** rng.integers(2, 13)))
    data[at:stop] = bytes(stop - at)


def numbered(rng: Rng, data: bytearray) -> None:
    """A number of the head is another."""
    named = [found.end() for found in FIELDS.finditer(data)]
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.choice(named)) + int(rng.integers(40)) if named else place(rng, 256)
        width = int(rng.choice([1, 2, 4, 4, 8]))
        value = int(rng.choice(VALUES)) % 256**width
        data[at : at + width] = value.to_bytes(width, ("big", "little")[rng.integers(2)])


def swapped(rng: Rng, data: bytearray) -> None:
    """Two of a container's pieces change places: boxes, chunks, pages, packets, else blocks."""
    parts = pieces(bytes(data))
    if len(parts) < 2:
        edges = sorted({0, len(data), *(place(rng, len(data)) for _ in range(4))})
        parts = [bytes(data[a:b]) for a, b in pairwise(edges)]
    if len(parts) > 1:
        a, b = rng.choice(len(parts), 2, replace=False)
        parts[a], parts[b] = parts[b], parts[a]
    data[:] = b"".join(parts)


def pieces(data: bytes) -> list[bytes]:
    if data[4:8] in (b"ftyp", b"moov", b"free"):
        return sized(data, 0, "big", lambda at: 0)
    if data[:4] == b"RIFF":
        return sized(data, 12, "little", lambda at: 8)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return sized(data, 8, "big", lambda at: 12)
    if data[:4] == b"OggS":
        return [b"OggS" + part for part in data.split(b"OggS")[1:]]
    if data[:1] == b"G" and data[188:189] == b"G":
        return [data[at : at + 188] for at in range(0, len(data), 188)]
    return [data]


def sized(data: bytes, start: int, order: Any, more: Any) -> list[bytes]:
    """Pieces that begin with their size, or with a name and it."""
    parts, at = [data[:start]] if start else [], start
    while at + 8 <= len(data):
        first = at + (4 if order == "little" else 0)
        size = int.from_bytes(data[first : first + 4], order) + more(at)
        parts.append(data[at : at + max(8, size)])
        at += max(8, size)
    return [*parts, data[at:]] if at < len(data) else parts


def unreal(rng: Rng, data: bytearray) -> None:
    """Float samples that are no numbers, endless, or far above full scale."""
    values = np.array([np.nan, np.inf, -np.inf, 1e30, 3e38, 1e-42], np.float32)
    for _ in range(int(2 ** rng.integers(0, 8))):
        at = 80 + 4 * int(rng.integers(max(1, len(data) // 4 - 21)))
        data[at : at + 4] = rng.choice(values).tobytes()


DAMAGES = (flipped, flipped, cut, dropped, zeroed, numbered, numbered, swapped)


@dataclass(frozen=True)
class File:
    """One input. ``kind``: of its seed; ``playlist``: it must be refused."""

    path: Path
    kind: str
    playlist: bool = False


def damaged(folder: Path, known: dict[str, list[Path]], seed: int, number: int) -> File:
    """File ``number`` of a seed's draw."""
    rng = np.random.default_rng([seed, number])
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    source = known[kind][rng.integers(len(known[kind]))]
    suffix = source.suffix if rng.random() < 0.85 else "." + str(rng.choice(SUFFIXES))
    data = bytearray(source.read_bytes())
    draw = rng.random()
    if playlist := draw < 0.04:
        name = str(rng.choice(list(PLAYLISTS)))
        beside = folder / f"secret.{rng.choice(['wav', 'mp4'])}"
        data = bytearray(PLAYLISTS[name].format(name=beside.name, path=beside).encode())
        suffix = f".{name}" if rng.random() < 0.3 else suffix
    elif draw < 0.06:
        data = bytearray(rng.bytes(int(rng.integers(0, 3)) * 1000))  # none at all, or noise
    elif draw < 0.12 and "f32" in source.name:
        pass  # as it is; what follows makes its samples unreal
    elif draw > (0.4 if kind in ("face", "voice") else 0.2):  # the others are whole
        for _ in range(int(rng.choice([1, 1, 2, 3]))):
            if data:
                rng.choice(np.array(DAMAGES, object))(rng, data)
        if rng.random() < 0.1:
            every = [each for paths in known.values() for each in paths]
            other, at = every[rng.integers(len(every))].read_bytes(), place(rng, len(data))
            data[at:at] = other[place(rng, len(other)) :][: int(2 ** rng.integers(4, 14))]
    if "f32" in source.name and not playlist and rng.random() < 0.7 and len(data) > 200:
        unreal(rng, data)
    odd = str(rng.choice(ODD_NAMES)) if rng.random() < 0.05 else ""
    path = folder / f"f{number:05d}{odd}{suffix}"
    path.write_bytes(data)
    return File(path, kind, playlist)


# --- commands ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Command:
    """A command line but for its inputs.

    Args:
        share: it gets every so many-th file; kinds: of these seeds; empty: of all.
        together: files in one process; limit: seconds without a report that are a hang.
    """

    arguments: tuple[str, ...]
    share: int = 1
    kinds: tuple[str, ...] = ()
    together: int = 100
    limit: float = 60.0

    @property
    def name(self) -> str:
        flags = [each for each in self.arguments[1:] if each.startswith("--") and each != "--json"]
        return " ".join([self.arguments[0], *flags])

    def inputs(self, file: File) -> list[str]:
        """What it is given besides its options. ``lips`` takes a face, then a speech."""
        if self.arguments[0] != "lips":
            return [str(file.path)]
        if file.kind in ("sound", "voice"):
            return [str(SAMPLES / "face.png"), str(file.path)]
        return [str(file.path), str(SAMPLES / "speech.wav")]


def command(words: str, **keywords: Any) -> Command:
    return Command((*words.split(), "--json"), **keywords)


SEEN = ("face", "video", "still")
COMMANDS = (
    command("info"),
    command("info --scan"),
    command("waveform -f npy,wav,png"),
    command("spectrogram -f npz,png", share=2),
    command("mel -f npy,csv", share=2),
    command("mel --preset whisper -f npy", share=4),
    command("mfcc -f npz,csv", share=2),
    command("speech2face --samples 2", share=8, kinds=HEARD, together=20),
    command("faces", share=8, kinds=SEEN, together=30),
    command("separate", share=8, kinds=("face", "video"), together=20),
    command("separate --video", share=8, kinds=("face",), together=20),
    command("localize", share=8, kinds=SEEN, together=20),
    command("lips --duration 0.5", share=50, together=1),
)


# --- one process ---------------------------------------------------------------------------------


@dataclass
class Ended:
    """How a process ended. ``code``: as the shell's, negative: the signal; None: it hung."""

    code: int | None
    out: bytes
    err: bytes
    left: list[int] = field(default_factory=list)  # children that outlived it


def session(leader: int) -> list[int]:
    """Processes of a session, but for its leader; those that have ended do not count."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, sid = path.read_text("utf-8", "replace").rpartition(") ")[2].split()[:4]
        except (OSError, ValueError):
            continue  # it has just ended
        if int(sid) == leader and state not in "ZX" and int(path.parent.name) != leader:
            found.append(int(path.parent.name))
    return found


def gone(leader: int, seconds: float = 5.0) -> list[int]:
    """Processes that a session's leader left, those killed that are still there after a while."""
    until = time.monotonic() + seconds
    while (left := session(leader)) and time.monotonic() < until:
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return left


def started(arguments: Sequence[str], scratch: Path, **streams: Any) -> subprocess.Popen[bytes]:
    """A process in a session of its own, with its own cache and place for temporary files."""
    for name in ("tmp", "cache", "cwd"):
        (scratch / name).mkdir(parents=True, exist_ok=True)
    more = {"TMPDIR": str(scratch / "tmp"), "AVTOOL_CACHE": str(scratch / "cache")}
    more |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}
    process = subprocess.Popen(
        arguments,
        cwd=scratch / "cwd",
        env={**os.environ, **more},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        **streams,
    )
    if sys.platform == "linux":  # a file that asks for the whole machine does not get it
        for limit, most in (
            (resource.RLIMIT_AS, ADDRESS_BYTES),
            (resource.RLIMIT_FSIZE, FILE_BYTES),
        ):
            resource.prlimit(process.pid, limit, (most, most))
    return process


def run(arguments: Sequence[str], scratch: Path, limit: float, patience: float = 5.0) -> Ended:
    """Run to the end, or until it says nothing more for ``limit`` seconds.

    Args:
        patience: seconds that its children have to end after it.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    with (scratch / "stdout").open("wb") as out, (scratch / "stderr").open("wb") as err:
        process = started(arguments, scratch, stdout=out, stderr=err)
        size, since, code = 0, time.monotonic(), None
        while code is None and time.monotonic() - since < limit:
            try:
                code = process.wait(0.2)
            except subprocess.TimeoutExpired:
                if (now := os.fstat(out.fileno()).st_size) > size:
                    size, since = now, time.monotonic()
        if code is None:
            process.kill()
            process.wait()
    left = gone(process.pid, patience)
    return Ended(code, (scratch / "stdout").read_bytes(), (scratch / "stderr").read_bytes(), left)


# --- what must hold ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """A promise that was broken. ``file``: None where it was not found out by which."""

    command: Command
    what: str
    detail: str
    file: File | None = None

    @property
    def like(self) -> tuple[str, str]:
        """What faults of one cause have in common."""
        detail = re.sub(r"\S*/\S+|f\d{5}\S*|0x\w+|-?\d+(\.\d+)?", "", self.detail)
        return self.what, detail[:60]


@dataclass
class Looked:
    """What was found: outcomes counted, faults of files, and faults of the whole process."""

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    common: list[Fault] = field(default_factory=list)
    reported: int = 0

    def add(self, other: Looked) -> None:
        self.outcomes += other.outcomes
        self.faults += other.faults


def strange_lines(err: bytes) -> list[str]:
    """Lines on stderr that are not avtool's own."""
    lines = err.decode("utf-8", "replace").split("\n")
    return [line for line in lines if line and not OWN_LINE.match(line)]


def no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def read_back(path: Path, copied: bool) -> None:
    """Read an output with another reader than its writer; raises where it cannot be.

    Args:
        copied: a video's pictures are those of the input, with their damage.
    """
    suffix = path.suffix
    if suffix in (".npy", ".npz"):
        found = np.load(path, allow_pickle=False)
        arrays = [found[name] for name in found.files] if suffix == ".npz" else [found]
        for array in arrays:
            if array.dtype.kind in "fc" and not np.isfinite(array).all():
                raise ValueError("holds values that are no numbers")
    elif suffix == ".csv":
        with path.open(newline="") as file:
            rows = list(csv.reader(file))
        if {len(row) for row in rows} != {len(rows[0])}:
            raise ValueError("rows of different lengths")
        if not np.isfinite(np.array(rows[1:], float)).all():
            raise ValueError("holds values that are no numbers")
    elif suffix == ".json":
        json.loads(path.read_text("utf-8"), parse_constant=no_number)
    elif suffix in (".wav", ".flac"):
        if not np.isfinite(soundfile.read(os.fsencode(path))[0]).all():
            raise ValueError("holds values that are no numbers")
    elif suffix == ".png":
        with Image.open(path) as image:
            image.load()
    elif suffix == ".glb":
        data = path.read_bytes()
        if data[:4] != b"glTF" or int.from_bytes(data[8:12], "little") != len(data):
            raise ValueError("not as long as it says")
    elif suffix == ".obj":
        if not re.match(r"(?s).*^v .*^f ", path.read_text("utf-8"), re.MULTILINE):
            raise ValueError("no vertices or no faces")
    else:
        look = [ffmpeg.binary(), "-nostdin", "-v", "error", "-i", str(path), "-f", "null", "-"]
        seen = subprocess.run(look, capture_output=True, stdin=subprocess.DEVNULL)
        if seen.returncode or (seen.stderr and not copied):
            raise ValueError(seen.stderr.decode("utf-8", "replace").strip())


class Fuzz:
    """Looks at files, one command at a time.

    Args:
        secret: bytes that may be in no output and no word. program: what is run.
        patience: seconds that children have to end after their process.
    """

    def __init__(
        self,
        scratch: Path,
        secret: Sequence[bytes] = (),
        program: Sequence[str] = PROGRAM,
        patience: float = 5.0,
    ) -> None:
        self.scratch, self.secret, self.program = scratch, secret, program
        self.patience = patience

    def look(self, command: Command, files: Sequence[File]) -> Looked:
        """Run one process for all files; faults of the process are traced to a file."""
        found = self._once(command, files)
        if not found.common:
            return found
        if len(files) == 1:
            slow = any(fault.what == "hang" for fault in found.common)
            if slow and (longer := self._fair(command, files[0])) > command.limit:
                return self.look(replace(command, limit=longer), files)
            found.faults += [replace(fault, file=files[0]) for fault in found.common]
            return found
        # A process that died: those that it has told of are done, it died of one of the next.
        died = any(fault.what in ("hang", "crash") for fault in found.common)
        ahead = found.reported
        near = [files[ahead : ahead + 8], files[ahead + 8 :]] if died and ahead else []
        half = len(files) // 2
        whole = Looked()
        if near:
            whole.add(self.look(command, files[:ahead]))
        for part in near or [files[:half], files[half:]]:
            if part:
                whole.add(self.look(command, part))
        traced = {fault.what for fault in whole.faults}
        whole.faults += [fault for fault in found.common if fault.what not in traced]
        return whole

    def _fair(self, command: Command, file: File) -> float:
        """Seconds for a file that says it lasts for long: it may need a tenth of them."""
        ask = [*self.program, "info", "--json", str(file.path)]
        told = subprocess.run(ask, capture_output=True, text=True, timeout=LONGEST)
        info = json.loads(told.stdout or "{}").get("info", {})
        return min(command.limit + (info.get("duration") or 0) / 10, LONGEST)

    def _once(self, command: Command, files: Sequence[File]) -> Looked:
        scratch = Path(tempfile.mkdtemp(dir=self.scratch))
        try:
            return self._judged(command, files, scratch)
        finally:
            shutil.rmtree(scratch)

    def _judged(self, command: Command, files: Sequence[File], scratch: Path) -> Looked:
        out = scratch / "out"
        arguments = [*self.program, *command.arguments]
        arguments += [] if command.arguments[0] == "info" else ["-o", f"{out}/"]
        inputs = [each for file in files for each in command.inputs(file)]
        ended = run([*arguments, *inputs], scratch, command.limit, self.patience)
        found = Looked()

        def process(what: str, detail: str) -> None:
            found.common.append(Fault(command, what, detail))

        lines = ended.out.decode("utf-8", "replace").rstrip("\n").split("\n")
        reports: list[dict[str, Any]] = []
        for line in filter(None, lines):
            try:
                reports.append(json.loads(line, parse_constant=no_number))
            except ValueError as error:
                process("no JSON", f"{error}: {line[:200]}")
        found.reported = len(reports)
        for file, report in zip(files, reports, strict=False):
            self._report(command, file, report, found)

        strange = strange_lines(ended.err)
        if any("Traceback" in line for line in strange):
            process("traceback", strange[-1])
        elif strange:
            process("strange line", strange[0])
        if ended.left and ended.code is not None:  # one that is killed can stop nobody
            process("children", f"{len(ended.left)} left")
        if any(secret in ended.out + ended.err for secret in self.secret):
            process("canary", "in its words")
        if ended.code is None:
            process("hang", f"no word for {command.limit:g} s")
            return found
        if ended.code < 0 or len(reports) < len(files):
            said = ended.err.decode("utf-8", "replace").strip().split("\n")[-1]
            process("crash", f"code {ended.code}, {len(reports)} of {len(files)} told of: {said}")
            return found
        failed = any(report["status"] == "failed" for report in reports)
        if ended.code != failed:
            process("exit code", f"{ended.code}, and {'a' if failed else 'no'} file failed")
        told = {str(path) for report in reports for path in report["outputs"]}
        there = {str(path) for path in out.rglob("*") if not path.is_dir()}
        if there - told:
            process("left behind", ", ".join(sorted(Path(path).name for path in there - told)))
        for place in ("tmp", "cwd"):
            if kept := sorted(os.listdir(scratch / place)):
                process("left behind", f"in {place}: {', '.join(kept)}")
        return found

    def _report(self, command: Command, file: File, report: dict[str, Any], found: Looked) -> None:
        def fault(what: str, detail: str) -> None:
            found.faults.append(Fault(command, what, detail, file))

        status = report["status"]
        words = [*report["warnings"], report.get("error", "")]
        found.outcomes["warned" if status == "done" and words[:-1] else status] += 1
        for word in words:
            if "unexpected " in word:
                fault("unexpected", word.partition("unexpected ")[2])
            elif "\n" in word.replace(str(file.path), ""):
                fault("two lines", word)
        if status == "done" and file.playlist:
            fault("playlist", f"{file.path.read_bytes()[:40]!r} was opened")
        if status == "done" and command.arguments[0] != "info" and not report["outputs"]:
            fault("no output", "done, and nothing was written")
        for path in map(Path, report["outputs"] if status == "done" else ()):
            try:
                data = path.read_bytes()
                read_back(path, copied="--video" in command.arguments)
            except Exception as error:
                fault("unreadable", f"{path.suffix}: {type(error).__name__}: {error}")
                continue
            if any(secret in data for secret in self.secret):
                fault("canary", f"in {path.suffix}")

    def shrunk(self, fault: Fault, tries: int = 60) -> bytes:
        """The smallest file found that breaks the same promise in the same way."""
        file = fault.file
        assert file is not None
        data = file.path.read_bytes()
        folder = Path(tempfile.mkdtemp(dir=self.scratch))

        def fails(attempt: bytes) -> bool:
            nonlocal tries
            tries -= 1
            path = folder / file.path.name
            path.write_bytes(attempt)
            again = self.look(fault.command, [replace(file, path=path)])
            return any(each.like == fault.like for each in again.faults)

        size = len(data) // 2
        while size and tries > 0:
            at = len(data)  # from the tail on: a head is needed most
            while at > 0 and tries > 0:
                at = max(0, at - size)
                if fails(smaller := data[:at] + data[at + size :]):
                    data = smaller
            size //= 2
        shutil.rmtree(folder)
        return data

    def keep(self, fault: Fault, number: int, folder: Path, tries: int) -> str:
        """Write a fault's file, and how to see it again; gives the command line."""
        folder.mkdir(parents=True, exist_ok=True)
        what = re.sub(r"\W+", "-", f"{number}-{fault.command.name}-{fault.what}")
        if fault.file is None:
            return f"avtool {' '.join(fault.command.arguments)} (by no one file alone)"
        path = folder / f"{what}{fault.file.path.suffix}"
        path.write_bytes(self.shrunk(fault, tries))
        inputs = fault.command.inputs(replace(fault.file, path=path))
        line = f"avtool {' '.join([*fault.command.arguments, *inputs])}"
        path.with_suffix(path.suffix + ".txt").write_text(
            f"{line}\n{fault.what}: {fault.detail!a}\nfrom {fault.file.path.name!a}\n"
        )
        return f"{line} ({path.stat().st_size} bytes)"


# --- all of it -----------------------------------------------------------------------------------


def batches(
    commands: Sequence[Command], files: Sequence[File]
) -> Iterator[tuple[Command, list[File]]]:
    """Which files each command gets, by process; the longest first."""
    for number, command in sorted(enumerate(commands), key=lambda each: -each[1].share):
        fitting = [file for file in files if file.kind in (command.kinds or (file.kind,))]
        chosen = fitting[number % command.share :: command.share]
        for first in range(0, len(chosen), command.together):
            yield command, chosen[first : first + command.together]


def table(looked: dict[str, Looked]) -> str:
    """Command by outcome."""
    columns = ["done", "warned", "failed", "skipped"]
    kinds = sorted({fault.what for each in looked.values() for fault in each.faults})
    lines = [f"{'':20}" + "".join(f"{each:>13}" for each in [*columns, *kinds])]
    for name, each in looked.items():
        counted = Counter(fault.what for fault in each.faults)
        numbers = [*(each.outcomes[column] for column in columns), *(counted[k] for k in kinds)]
        lines.append(f"{name:20}" + "".join(f"{number:13}" for number in numbers))
    return "\n".join(lines)


def fuzz(
    numbers: Sequence[int],
    seed: int,
    scratch: Path,
    *,
    workers: int = 2,
    commands: Sequence[Command] = COMMANDS,
) -> tuple[Fuzz, dict[str, Looked]]:
    """Make the files of these numbers and look at them with all commands."""
    inputs = scratch / "inputs"
    inputs.mkdir(parents=True)
    known = seeds(scratch / "seeds")
    one = Fuzz(scratch, secrets(inputs))
    files = [damaged(inputs, known, seed, number) for number in numbers]
    looked = {each.name: Looked() for each in commands}
    with ThreadPoolExecutor(workers) as pool:
        work = list(batches(commands, files))
        for (command, _), found in zip(
            work, pool.map(lambda each: one.look(*each), work), strict=True
        ):
            looked[command.name].add(found)
    return one, looked


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=150, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--only", type=int, metavar="N", help="this file of the seed alone")
    parser.add_argument("--command", default="", metavar="NAME", help="this command alone")
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    parser.add_argument("--tries", type=int, default=60, metavar="N", help="to make a file smaller")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"), metavar="FOLDER")
    given = parser.parse_args()
    numbers = range(given.files) if given.only is None else [given.only]
    commands = [each for each in COMMANDS if given.command in ("", each.name)]
    if given.only is not None:
        commands = [replace(each, share=1, kinds=()) for each in commands]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="avtool-fuzz-") as folder:
        look = partial(fuzz, workers=given.workers, commands=commands)
        one, looked = look(numbers, given.seed, Path(folder))
        print(table(looked), flush=True)
        faults = [fault for each in looked.values() for fault in each.faults]
        print(f"{len(faults)} faults of {len(numbers)} files, {time.monotonic() - began:.0f} s")
        first = {fault.like: fault for fault in reversed(faults)}
        for number, (like, fault) in enumerate(sorted(first.items())):
            count = sum(each.like == like for each in faults)
            name = fault.file.path.name if fault.file else ""
            print(f"{count} x {fault.command.name}: {fault.what}: {fault.detail[:300]!a}")
            kept = one.keep(fault, number, given.keep, given.tries)
            print(f"    {name!a}: {kept}", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
