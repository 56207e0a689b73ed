"""Many files: one process, resumable, stoppable, and nothing half-written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Avtool, sine_wav

from avtool.errors import OutputError
from avtool.media import Clip
from avtool.pipelines.features import mel
from avtool.save import replacing


def test_folders_keep_their_shape(avtool: Avtool, tmp_path: Path) -> None:
    for name in ("in/a.wav", "in/deep/a.wav", "in/deep/b.WAV", "in/notes.txt"):
        sine_wav(tmp_path / name) if name.lower().endswith("wav") else Path(name).touch()
    ran = avtool("mel", "in", "-f", "npy", "-o", "out/")
    assert ran.code == 0, ran.err
    assert ran.lines == ["out/a.mel.npy", "out/deep/a.mel.npy", "out/deep/b.mel.npy"]
    assert "3 done, 0 already there, 0 failed" in ran.err


def test_same_stem_keeps_its_suffix(avtool: Avtool, tmp_path: Path) -> None:
    sine_wav(tmp_path / "talk.wav")
    sine_wav(tmp_path / "talk.flac")
    ran = avtool("mel", "talk.wav", "talk.flac", "-f", "npy")
    assert ran.lines == ["talk.wav.mel.npy", "talk.flac.mel.npy"]


def test_outputs_are_no_inputs_of_the_next_run(avtool: Avtool, tmp_path: Path) -> None:
    sine_wav(tmp_path / "in" / "a.wav")
    assert avtool("waveform", "in", "-f", "wav", "-o", "in/").lines == ["in/a.waveform.wav"]
    ran = avtool("waveform", "in", "-f", "wav", "-o", "in/")
    assert ran.code == 0 and ran.out == ""
    assert sorted(os.listdir("in")) == ["a.wav", "a.waveform.wav"]


def test_one_bad_file_stops_nobody(avtool: Avtool, tmp_path: Path) -> None:
    for k in range(12):
        sine_wav(tmp_path / "in" / f"{k:02}.wav")
    (tmp_path / "in" / "03.wav").write_bytes(b"")
    (tmp_path / "in" / "07.wav").write_text("no sound")
    ran = avtool("mel", "in", "-f", "npy", "-o", "out/", "--jobs", 2)
    assert ran.code == 1
    assert len(ran.lines) == 10
    assert "10 done, 0 already there, 2 failed" in ran.err
    summary = ran.err.split("failed:\n")[1]
    assert "03.wav: is empty" in summary and "07.wav: is not sound" in summary
    again = avtool("mel", "in", "-f", "npy", "-o", "out/", "--jobs", 2)
    assert "0 done, 10 already there, 2 failed" in again.err


def test_a_fault_of_ours_is_told_and_stops_nobody(
    avtool: Avtool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sine_wav(tmp_path / "a.wav")
    sine_wav(tmp_path / "b.wav")
    whole = mel.run

    def broken(clip: Clip, options: mel.Options) -> mel.Result:
        return whole(clip, options) if clip.name == "b.wav" else 1 // 0  # type: ignore[return-value]

    monkeypatch.setattr(mel, "run", broken)
    ran = avtool("mel", "a.wav", "b.wav", "-f", "npy")
    assert (ran.code, ran.lines) == (1, ["b.mel.npy"])
    assert "a.wav: unexpected ZeroDivisionError: " in ran.err and "--debug" in ran.err


def test_five_hundred_files_in_one_process(avtool: Avtool, tmp_path: Path) -> None:
    """No interpreter and no ffmpeg is started, whatever the number of files."""
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for k in range(500):
        soundfile.write(f"in/{k:04}.wav", rng.uniform(-0.5, 0.5, 1600), 16_000)
    before = children_ever(os.getpid())
    ran = avtool("mfcc", "in", "-f", "npy", "-o", "out/", "--jobs", 1)
    assert ran.code == 0, ran.err[-500:]
    assert children_ever(os.getpid()) == before
    assert len(os.listdir("out")) == 500
    # Buffers that are used again share nothing: each file's numbers are its own.
    alone = avtool("mfcc", "in/0234.wav", "-f", "npy", "-o", "alone.npy")
    assert alone.code == 0
    assert np.array_equal(np.load("out/0234.mfcc.npy"), np.load("alone.npy"))


def children_ever(pid: int) -> float:
    """Processor time of all children that have ended: it grows with each one."""
    times = os.times()
    return times.children_user + times.children_system


def test_results_come_in_the_inputs_order(avtool: Avtool, tmp_path: Path) -> None:
    names = []
    for k in range(9):
        names.append(f"{k}.wav")
        sine_wav(tmp_path / names[-1], seconds=3.0 if k % 2 == 0 else 0.05)
    ran = avtool("mel", *names, "-f", "npy", "--jobs", 4, "--json")
    assert [json.loads(line)["input"] for line in ran.lines] == names


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="children are read of /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_interrupted(number: int, jobs: str, tmp_path: Path, long_video: Path) -> None:
    """Ends with 130, no part files, no children; what was done stays; a rerun goes on."""
    sine_wav(tmp_path / "0.wav")
    for k in range(5):  # more than can end between the signal and its answer
        (tmp_path / f"long{k}.mka").symlink_to(long_video)
    command = [sys.executable, "-m", "avtool", "mel", "-f", "npy", "-j", jobs]
    command += ["0.wav", *(f"long{k}.mka" for k in range(5)), "-o", "out/"]
    run = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A suite in the background of a shell has it ignored, and so would its children.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    guard = threading.Timer(60, run.kill)
    guard.start()
    assert run.stdout is not None
    assert run.stdout.readline() == "out/0.mel.npy\n"
    parts = (tmp_path / "out").glob
    while not (any(parts(".*.part")) and children_of(run.pid)) and run.poll() is None:
        time.sleep(0.01)
    assert run.poll() is None
    run.send_signal(number)
    _, words = run.communicate()
    guard.cancel()
    assert run.returncode == 130
    done = os.listdir(tmp_path / "out")  # one may end between the signal and its answer
    told = [f"avtool: interrupted; {len(done) - n} of 6 done, a rerun goes on" for n in (0, 1)]
    assert words.splitlines()[-1] in told
    assert "Traceback" not in words
    assert len(done) < 6 and {path.split(".", 1)[1] for path in done} == {"mel.npy"}
    assert not children_of(run.pid)


def children_of(pid: int) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has just ended
        if int(fields[1]) == pid:
            found.append(entry.parent.name)
    return found


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: the same error, for any user."""
    sine_wav(tmp_path / "big.wav", seconds=20)
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)); "
    code += "from avtool.app import main; main()"
    for formats in ("npy", "npz", "csv", "png", "parquet"):
        done = subprocess.run(
            [sys.executable, "-c", code, "mel", "big.wav", "-f", formats],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, formats
        assert done.stderr.startswith(f"avtool: big.mel.{formats}: cannot be written (")
        assert done.stderr.count("\n") == 1, done.stderr
        assert os.listdir(tmp_path) == ["big.wav"]


def test_replacing_is_all_or_nothing(tmp_path: Path) -> None:
    target = tmp_path / "x.npy"
    target.write_text("old")
    with pytest.raises(RuntimeError), replacing(target) as part:
        part.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    with replacing(target) as part:
        part.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["x.npy"]
    with pytest.raises(OutputError, match="cannot be written"), replacing(tmp_path / "no" / "x"):
        pass


@pytest.fixture(scope="session")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound that takes ffmpeg a while to decode, whatever the machine: an hour of it."""
    from avtool.media import ffmpeg

    folder = tmp_path_factory.mktemp("long")
    short, path = str(folder / "short.mka"), folder / "long.mka"
    ffmpeg.output(["-f", "lavfi", "-i", "sine=r=48000:d=180", "-c:a", "mp2", short])
    ffmpeg.output(["-stream_loop", "19", "-i", short, "-c", "copy", str(path)])
    return path
