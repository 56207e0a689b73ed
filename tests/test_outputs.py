"""What is written: whole or not at all, in a part file of its own, the same bytes each time."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import program

from avtool import scratch
from avtool.errors import OutputError
from avtool.save import replacing, save
from avtool.values import Audio

MEDIA = Path(__file__).parents[1] / "sample_media"
FACE, SPEECH = MEDIA / "face.png", MEDIA / "speech.wav"


def test_a_part_file_is_ours_alone(tmp_path: Path) -> None:
    """No link that was laid is followed, no NAME.part of the user's is touched."""
    victim, mine = tmp_path / "victim", tmp_path / "y.npy.part"
    for path in (victim, mine):
        path.write_text("precious")
    (tmp_path / "x.npy.part").symlink_to(victim)
    for name in ("x.npy", "y.npy"):
        with replacing(tmp_path / name) as part:
            assert part.stat().st_size == 0 and part.parent == tmp_path
            part.write_text("made")
        assert (tmp_path / name).read_text() == "made"
    assert victim.read_text() == mine.read_text() == "precious"
    assert (tmp_path / "x.npy.part").is_symlink()


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_outputs_have_the_mode_of_new_files(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        with replacing(tmp_path / "x") as part:
            part.touch()
        (tmp_path / "y").touch()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o666 & ~mask
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "y").stat().st_mode


def test_two_runs_at_once_both_end_well(tmp_path: Path) -> None:
    with replacing(tmp_path / "x") as one, replacing(tmp_path / "x") as two:
        assert one != two
        one.write_text("one")
        two.write_text("two")
    assert (tmp_path / "x").read_text() == "one"  # whose end came last
    assert os.listdir(tmp_path) == ["x"]


def test_what_dead_runs_left_is_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing else: not a living run's, not another's, not what looks like it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = "import os, sys; from pathlib import Path; from avtool import scratch\n"
    code += "with scratch.part_file(Path(sys.argv[1])), scratch.temporary_folder() as folder:\n"
    code += "    (folder / 'sound.wav').write_text('a voice'); print('up', flush=True); input()"
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, tmp_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        for _ in range(2)
    ]
    for run in runs:
        assert run.stdout is not None and run.stdout.readline() == b"up\n"
    assert len(os.listdir(tmp_path)) == 4
    runs[0].kill()
    runs[0].wait()
    target = tmp_path / "notes"
    target.mkdir()
    (target / "mine").write_text("precious")
    like = [".avtool-0123456789abcdef.part.txt", "x.npy.part", "avtool-mine", "avtool-0123.tmp"]
    for name in like:
        (tmp_path / name).touch()
    links = [".avtool-0123456789abcdef.part", "avtool-0123456789abcdef.tmp"]
    for name in links:
        (tmp_path / name).symlink_to(target)
    (tmp_path / ".avtool-00000000000000ff.part").write_text("another's")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    scratch._cleared.clear()
    scratch.clear(tmp_path)
    assert len(os.listdir(tmp_path)) == 4 + 1 + len(like) + len(links) + 1
    monkeypatch.undo()
    scratch._cleared.clear()
    scratch.clear(tmp_path)
    living = {name for name in os.listdir(tmp_path) if name not in {*like, *links, "notes"}}
    assert len(living) == 2 and ".avtool-00000000000000ff.part" not in living
    assert (target / "mine").read_text() == "precious"
    assert runs[1].communicate(b"\n")[0] == b"" and runs[1].returncode == 0
    assert set(os.listdir(tmp_path)) == {*like, *links, "notes"}
    for pipe in (runs[0].stdin, runs[0].stdout):
        assert pipe is not None
        pipe.close()


def test_a_part_that_was_cleared_too_soon_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its making and its lock, another run may take it for a dead one's."""
    taken: list[Path] = []
    lock = fcntl.flock

    def late(number: int, how: int) -> None:
        if not taken:
            taken.extend(tmp_path.glob(".avtool-*"))
            taken[0].unlink()
        lock(number, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with replacing(tmp_path / "x") as part:
        assert part not in taken
        part.write_text("whole")
    assert (tmp_path / "x").read_text() == "whole" and os.listdir(tmp_path) == ["x"]


def noise(samples: int) -> Audio:
    values = np.random.default_rng(0).uniform(-0.5, 0.5, (1, samples))
    return Audio.of(values.astype(np.float32), 16_000)


def test_a_float_wav_does_not_say_when_it_was_written(tmp_path: Path) -> None:
    save(noise(1600), [tmp_path / "x.wav"], name="x", title="")
    data = (tmp_path / "x.wav").read_bytes()
    chunks, at = {}, 12
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        chunks[data[at : at + 4]] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    version, time = np.frombuffer(chunks[b"PEAK"][:8], "<u4")
    assert (version, time) == (1, 0)
    samples, _ = soundfile.read(tmp_path / "x.wav", dtype="float32")
    assert np.array_equal(samples, noise(1600).samples[0])
    assert np.frombuffer(chunks[b"PEAK"][8:12], "<f4")[0] == np.abs(samples).max()


@pytest.mark.parametrize(
    ("name", "samples"),
    [("x.wav", 30_000), ("x.flac", 30_000), ("x.flac", 3000), ("x.mp4", 30_000)],
)
def test_a_full_disk_is_said_as_such(tmp_path: Path, name: str, samples: int) -> None:
    """Also where the last samples of a short file come after everything was well."""
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
    code += "from avtool.app import main; main()"
    soundfile.write(tmp_path / "talk.wav", noise(samples).samples.T, 16_000)
    command = ["lips", FACE, "talk.wav"] if name == "x.mp4" else ["waveform", "talk.wav"]
    done = subprocess.run(
        [sys.executable, "-c", code, *command, "-o", name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "AVTOOL_CACHE": os.devnull},
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"avtool: {name}: cannot be written ("), done.stderr
    assert "File too large" in last or name == "x.mp4"
    assert ".part" not in done.stderr and "System error" not in done.stderr
    assert os.listdir(tmp_path) == ["talk.wav"]


def test_what_is_said_of_a_part_is_said_of_its_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as told, replacing(tmp_path / "x.mp4") as part:
        raise OutputError(f"{part}: cannot be written (file:{part}: the disk is full)")
    path = tmp_path / "x.mp4"
    assert str(told.value) == f"{path}: cannot be written (file:{path}: the disk is full)"


@pytest.mark.skipif(sys.platform == "darwin", reason="names are UTF-8 there")
def test_a_folder_need_not_be_utf8(tmp_path: Path) -> None:
    folder, formats = os.fsdecode(b"o\xff"), ["wav", "flac", "npz", "npy", "csv", "parquet", "png"]
    arguments = ("waveform", SPEECH, "-f", ",".join(formats), "-o", f"{folder}/")
    ran = program(*arguments, cwd=tmp_path, errors="surrogateescape")
    names = [f"speech.waveform.{suffix}" for suffix in formats]
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == [f"{folder}/{name}" for name in names]  # as bytes: the name
    assert sorted(os.listdir(tmp_path / folder)) == sorted(names)
