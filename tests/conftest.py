"""Media for the tests, made by the very ffmpeg that avtool uses, and second opinions on it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

# Here and in the processes that tests start: threads that wait for each other spin, which costs
# more than it gives, and most where several suites share a machine. Said before torch is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")

import av
import numpy as np
import pytest
import soundfile

from avtool import app, media
from avtool.cli.terminal import say
from avtool.media import ffmpeg
from avtool.models import weights

X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]


def naive(*arguments: object) -> bytes:
    """Stdout of a plain ffmpeg run: makes the tests' media, and shows what a naive call gives."""
    command = [ffmpeg.binary(), "-nostdin", "-hide_banner", "-loglevel", "error", "-y"]
    run = subprocess.run(
        [*command, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True
    )
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout


def lavfi(graph: str) -> list[str]:
    return ["-f", "lavfi", "-i", graph]


def tone(hz: float, rate: int, seconds: float, peak: float = 0.25) -> np.ndarray:
    """A sine by its formula, float64 [time]."""
    return peak * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)


Source = media.Media | Path | str


def opened(source: Source) -> media.Media:
    return source if isinstance(source, media.Media) else media.open(source)


def sound(source: Source, **spec: Any) -> np.ndarray:
    """All channels [channels, time], or as ``spec`` says."""
    clip = opened(source).clip(media.Spec(audio=True, **{"channel": 0, **spec}))
    return clip.sound().samples


def pictures(source: Source, fps: float | Fraction | None = None, **spec: Any) -> np.ndarray:
    """Frames [time, height, width, 3]."""
    fps = None if fps is None else Fraction(fps)
    clip = opened(source).clip(media.Spec(frames=True, fps=fps, **spec))
    return np.array(list(clip.pictures().images()))


def pyav_pictures(path: Path | str) -> tuple[np.ndarray, np.ndarray]:
    """PyAV's frame times from the container's zero, and its frames, unturned."""
    with av.open(str(path)) as file:
        zero = file.start_time / av.time_base
        found = [(f.time - zero, f.to_ndarray(format="rgb24")) for f in file.decode(video=0)]
    return np.array([time for time, _ in found]), np.array([image for _, image in found])


def pyav_time(packet: av.Packet[Any]) -> float:
    """When a packet is shown, seconds."""
    assert packet.pts is not None and packet.time_base is not None
    return float(packet.pts * packet.time_base)


def pyav_sound(path: Path | str) -> np.ndarray:
    """PyAV's samples [channels, time], in the file's own sample type."""
    with av.open(str(path)) as file:
        channels = file.streams.audio[0].codec_context.layout.nb_channels
        blocks = [frame.to_ndarray() for frame in file.decode(audio=0)]
    return np.concatenate([block.T.reshape(-1, channels) for block in blocks]).T


def nearest(image: np.ndarray, images: np.ndarray) -> int:
    """Number of the picture that ``image`` shows."""
    return int(np.abs(images.astype(np.int16) - image).mean((1, 2, 3)).argmin())


def program(
    *arguments: object, cwd: Path | None = None, **keywords: Any
) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own."""
    command = [sys.executable, "-m", "avtool", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, **keywords)


def alive(pid: int) -> bool:
    """Whether a process is there, as a zombie too."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Avtool = Callable[..., Ran]


@pytest.fixture
def avtool(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Avtool:
    """Run the program in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["avtool", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app.main()
        code = ended.value.code
        said = capsys.readouterr()
        say.quiet = say.verbose = say.debug = False
        return Ran(code if isinstance(code, int) else 0, said.out, said.err)

    return run


def sine_wav(path: Path, seconds: float = 0.5, rate: int = 16_000, channels: int = 1) -> Path:
    """A wav file: 440 Hz, its multiples in further channels."""
    t = np.arange(round(seconds * rate)) / rate
    waves = [0.3 * np.sin(2 * np.pi * 440 * (c + 1) * t) for c in range(channels)]
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.stack(waves, 1), rate)
    return path


@pytest.fixture(autouse=True)
def no_ffmpeg_stays() -> Iterator[None]:
    """A test that leaves an ffmpeg running fails."""
    started: list[int] = []
    before = ffmpeg.Run.__init__

    def noted(self: ffmpeg.Run, *arguments: Any, **keywords: Any) -> None:
        before(self, *arguments, **keywords)
        started.append(self._process.pid)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ffmpeg.Run, "__init__", noted)
        yield
        left = [pid for pid in started if alive(pid)]
        ffmpeg.kill_all()
    assert not left and not ffmpeg._running


@pytest.fixture
def networks_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the networks whose weights are read from now on; none is there yet."""
    read, names = weights._read, list[str]()

    def noted(network: type[Any], path: Any) -> Any:
        names.append(network.__name__)
        return read(network, path)

    monkeypatch.setattr(weights, "_loaded", {})
    monkeypatch.setattr(weights, "_read", noted)
    return names


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for media that several tests read."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture(scope="session")
def talk(made: Path) -> Path:
    """2 s mp4: 50 different pictures at 25 fps, a 440 Hz tone at 44.1 kHz."""
    path = made / "talk.mp4"
    video = lavfi("testsrc2=s=160x120:r=25:d=2")
    audio = lavfi("aevalsrc=0.25*sin(2*PI*440*t):s=44100:d=2")
    naive(*video, *audio, *X264, "-bf", "2", "-g", "12", "-c:a", "aac", path)
    return path


@pytest.fixture(scope="session")
def exact(made: Path) -> Path:
    """2 s mkv with lossless sound (16 bits, stereo noise) and pictures (yuv420p)."""
    noise = np.random.default_rng(1).integers(-(2**14), 2**14, (2 * 48000, 2)).astype(np.int16)
    soundfile.write(made / "noise.wav", noise, 48000)
    path = made / "exact.mkv"
    video = lavfi("testsrc2=s=160x120:r=25:d=2")
    naive(*video, "-i", made / "noise.wav", *X264, "-qp", "0", "-c:a", "flac", path)
    return path
