"""A list of inputs and its journal: what is done, failed and left, whatever happens in between."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet
import pytest
from conftest import Avtool, program, sine_wav

from avtool.batch import journal, listing
from avtool.batch.jobs import Input, Job, Plan
from avtool.batch.journal import Journal
from avtool.batch.request import Report
from avtool.errors import InputError


def noted(avtool: Avtool, *more: object, out: str = "out") -> tuple[int, list[str], str]:
    ran = avtool("mel", "--files", "list.txt", "-f", "npy", "-o", out, *more)
    return ran.code, ran.lines, ran.err


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """Two files and a broken one, in a list."""
    for name in ("in/a.wav", "in/deep/b.wav"):
        sine_wav(tmp_path / name)
    (tmp_path / "in/broken.wav").write_bytes(b"RIFF")
    (tmp_path / "list.txt").write_text("in/a.wav\n\nin/broken.wav\r\nin/deep/b.wav\nin/a.wav\n")
    return tmp_path


def test_a_rerun_asks_the_journal(avtool: Avtool, three: Path) -> None:
    code, lines, words = noted(avtool)
    assert (code, lines) == (1, ["out/in/a.mel.npy", "out/in/deep/b.mel.npy"])
    assert "2 done, 0 already there, 1 failed" in words
    # Files that are gone are not looked for, unless that is asked for.
    Path("out/in/a.mel.npy").unlink()
    sine_wav(three / "in/broken.wav")
    assert "1 done, 3 already there, 0 failed" in noted(avtool)[2]
    ran = avtool("status", "out", "--check", "--json")
    assert "the files of 1 inputs are gone; a rerun makes them" in ran.err
    told = json.loads(ran.out)
    assert (told["done"], told["failed"], told["left"], told["listed"]) == (2, 0, 1, 3)
    assert noted(avtool)[:2] == (0, ["out/in/a.mel.npy"])


def test_only_what_failed(avtool: Avtool, three: Path) -> None:
    noted(avtool)
    with Path("list.txt").open("a") as more:
        more.write("in/new.wav\n")
    sine_wav(three / "in/new.wav")
    sine_wav(three / "in/broken.wav")
    assert noted(avtool, "--retry-failed")[:2] == (0, ["out/in/broken.mel.npy"])
    assert noted(avtool, "--retry-failed")[:2] == (0, [])
    assert noted(avtool)[:2] == (0, ["out/in/new.mel.npy"])


def test_status_tells_why(avtool: Avtool, three: Path) -> None:
    shutil.copy("in/broken.wav", "in/worse.wav")
    Path("in/empty.wav").touch()
    Path("list.txt").write_text("\n".join(map(str, sorted(Path("in").rglob("*.wav")))))
    noted(avtool)
    ran = avtool("status", "out")
    first, *reasons = ran.lines
    assert (ran.code, first) == (0, "out: avtool mel: 2 done, 3 failed, 0 left")
    assert [line.split()[0] for line in reasons] == ["2", "1"]
    assert "is not sound or video" in reasons[0] and "is empty" in reasons[1]
    named = avtool("status", "out", "--failed").lines[1:]
    assert [line.split(":")[0].strip() for line in named] == [
        f"in/{name}.wav" for name in ("broken", "empty", "worse")
    ]
    assert avtool("status", "in").code == 2


def test_other_options_are_another_run(avtool: Avtool, three: Path) -> None:
    noted(avtool)
    before = Path("out/in/a.mel.npy").read_bytes()
    code, lines, words = noted(avtool, "--n-mels", 64)
    assert (code, lines, words.count("\n")) == (2, [], 1)
    assert "holds a run with other options (n_mels 80, now 64); name another -o" in words
    # Made anew, and by a rerun as well: a file of the old options is none of this run's.
    code, lines, _ = noted(avtool, "--n-mels", 64, "--overwrite")
    assert lines == ["out/in/a.mel.npy", "out/in/deep/b.mel.npy"]
    assert Path("out/in/a.mel.npy").read_bytes() != before
    Path("out/in/broken.mel.npy").write_bytes(before)
    sine_wav(three / "in/broken.wav")
    assert noted(avtool, "--n-mels", 64)[:2] == (0, ["out/in/broken.mel.npy"])
    assert Path("out/in/broken.mel.npy").read_bytes() != before


def test_files_that_were_there_before_are_skipped(avtool: Avtool, three: Path) -> None:
    avtool("mel", "in/a.wav", "-f", "npy", "-o", "out/in/")
    assert noted(avtool)[1] == ["out/in/deep/b.mel.npy"]
    assert avtool("status", "out").lines[0] == "out: avtool mel: 2 done, 1 failed, 0 left"


def test_two_of_one_name(avtool: Avtool, three: Path) -> None:
    """Neither is taken for the other: the second fails, in this run and in the next."""
    shutil.copy("in/a.wav", "in/a.flac")
    Path("list.txt").write_text("in/a.wav\nin/a.flac\n")
    for _ in range(2):
        code, _, words = noted(avtool)
        assert code == 1 and "in/a.flac: its files would have the names of another" in words
    pa.parquet.write_table(
        pa.table({"path": ["in/a.wav", "in/a.flac", None], "id": ["1", "x/../../2.b", "3"]}),
        "list.parquet",
    )
    ran = avtool("mel", "--files", "list.parquet", "-f", "npy", "-o", "ids/")
    assert (ran.code, ran.lines) == (0, ["ids/1.mel.npy", "ids/2.b.mel.npy"])


def test_no_input_is_written_over(avtool: Avtool, three: Path) -> None:
    shutil.copy("in/a.wav", "in/a.waveform.wav")
    Path("list.txt").write_text("in/a.wav\nin/a.waveform.wav\n")
    before = Path("in/a.waveform.wav").stat()
    ran = avtool("waveform", "--files", "list.txt", "-f", "wav")
    assert ran.code == 1 and "is named as this command's outputs are" in ran.err
    assert Path("in/a.waveform.wav").stat() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["in/a.wav", "--files", "list.txt"], "name none besides"),
        (["--files", "none.txt"], "none.txt: cannot be read (No such file"),
        (["--files", "in/a.parquet"], "cannot be read as Parquet"),
        (["--files", "list.txt", "-o", "one.npy"], "a list's outputs go into a folder/"),
        (["--files", "list.txt", "-o", "-"], "a list's outputs go into a folder/"),
        (["in/a.wav", "--retry-failed"], "give --files as before"),
        (["--files", "list.txt", "--retry-failed", "--overwrite"], "contradict each other"),
        ([], "Missing argument"),
    ],
)
def test_wrong_calls(avtool: Avtool, three: Path, arguments: list[str], words: str) -> None:
    Path("in/a.parquet").write_text("no table")
    before = sorted(os.listdir())
    ran = avtool("mel", *arguments)
    assert (ran.code, ran.out) == (2, "") and words in " ".join(ran.err.split())
    assert sorted(os.listdir()) == before


def test_two_runs_at_once(avtool: Avtool, three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "PATIENCE", 0.1)
    with Journal(Path("out"), {"command": "mel"}, None, False):
        code, lines, words = noted(avtool)
    assert (code, lines, words.count("\n")) == (1, [], 1)
    assert "out: another run is at work there; wait for it, or name another -o" in words


def test_where_no_journal_can_be(avtool: Avtool, three: Path) -> None:
    Path("out").mkdir()
    Path("out/.avtool-mel.lock").mkdir()  # root may write anywhere, but no folder
    code, lines, words = noted(avtool)
    assert (code, lines, words.count("\n")) == (1, [], 1)
    assert "its journal cannot be written (Is a directory); -o names another place" in words
    Path("out/.avtool-mel.lock").rmdir()
    Path("out/.avtool-mel.sqlite").write_text("no journal" * 1000)
    code, lines, words = noted(avtool)
    assert (code, lines, words.count("\n")) == (1, [], 1) and "file is not a database" in words
    assert avtool("status", "out").code == 1


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"a.wav\r\nb c.wav\n\n  \n#1.wav", ["a.wav", "b c.wav", "#1.wav"]),
        (b"a\nb.wav\0c.wav\0", ["a\nb.wav", "c.wav"]),
        (b"\xff.wav\n", ["\udcff.wav"]),
        (b"one", ["one"]),
        (b"", []),
    ],
)
def test_lists_are_read_as_the_system_writes_them(
    data: bytes, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "list"
    place.write_bytes(data)
    for size in (1, 3, 1 << 16):  # names lie across the ends of what is read at a time
        monkeypatch.setattr(listing, "CHUNK", size)
        if b"\0" not in data or size > 3:
            assert [each.name for each in listing.listed(str(place))] == names
    assert listing.counted(str(place)) == len(names)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    assert [each.name for each in listing.listed("-")] == names
    assert listing.counted("-") is None


def test_names_that_are_not_text(avtool: Avtool, three: Path) -> None:
    Path("list.txt").write_bytes(b"in/\xff.wav\nin/\xfe.wav\nin/\xff.wav\n")
    for _ in range(2):
        ran = program("mel", "--files", "list.txt", "-f", "npy", "-o", "out", cwd=three)
        assert ran.returncode == 1 and "2 failed" in ran.stderr
    first, *failed = avtool("status", "out", "--failed").lines
    assert "0 done, 2 failed, 0 left" in first
    assert [line.partition(": ")[0] for line in failed] == ["  in/\\xfe.wav", "  in/\\xff.wav"]


def test_a_long_list_is_not_held(tmp_path: Path) -> None:
    """What is read ahead, and what waits to be written down, is bounded."""
    alive = list[weakref.ref[Job]]()
    plan = Plan({"mel": [".npy"]}, ["npy"], [], f"{tmp_path}/")
    lines = (Input(Path(f"{k}.wav"), f"{k}.wav", key=str(k)) for k in range(8 * journal.ROWS))

    def jobs() -> Iterator[Job]:
        for job in plan.listed(lines):
            alive.append(weakref.ref(job))
            yield job

    highest = 0
    with Journal(tmp_path, {"command": "mel"}, None, False) as kept:
        for job in kept.noted(kept.todo(jobs())):
            kept.note(Report(job.name))
            highest = max(highest, sum(1 for each in alive[-4 * journal.ROWS :] if each()))
    assert highest <= 3 * journal.ROWS
    assert journal.told(kept.path).done == 8 * journal.ROWS


@pytest.fixture
def killed(three: Path) -> Iterator[subprocess.Popen[str]]:
    """A run over 150 files of which some are done, killed; what it had written stays."""
    for k in range(150):
        (three / f"in/{k:03}.wav").hardlink_to(three / "in/a.wav")
    Path(three / "list.txt").write_text("".join(f"in/{k:03}.wav\n" for k in range(150)))
    command = [sys.executable, "-m", "avtool", "mel", "--files", "list.txt", "-f", "npy"]
    run = subprocess.Popen(
        [*command, "-o", "out", "-j", "1"], cwd=three, stdout=subprocess.PIPE, text=True
    )
    guard = threading.Timer(60, run.kill)
    guard.start()
    assert run.stdout is not None
    for _ in range(30):
        run.stdout.readline()
    run.send_signal(signal.SIGKILL)
    run.wait()
    guard.cancel()
    run.stdout.close()
    yield run


def test_killed(avtool: Avtool, killed: subprocess.Popen[str]) -> None:
    """Nothing is said to be done that is not whole; nothing that is whole is made again."""
    assert killed.returncode == -signal.SIGKILL
    whole = {path: path.stat().st_mtime_ns for path in Path("out/in").glob("*.npy")}
    assert 30 <= len(whole) < 150
    db = sqlite3.connect("out/.avtool-mel.sqlite")
    done = {key for (key,) in db.execute("SELECT key FROM files WHERE state = 1")}
    db.close()
    assert done <= {f"in/{path.name.split('.')[0]}" for path in whole}
    code, lines, words = noted(avtool)
    assert code == 0 and len(lines) == 150 - len(whole)
    assert f"{150 - len(whole)} done, {len(whole)} already there, 0 failed" in words
    assert {path: path.stat().st_mtime_ns for path in whole} == whole
    assert avtool("status", "out").lines == ["out: avtool mel: 150 done, 0 failed, 0 left"]


def test_a_journal_that_is_read_while_it_is_written(tmp_path: Path) -> None:
    with Journal(tmp_path, {"command": "mel"}, 3, False) as kept:
        jobs = [Job(Path(name), name, key=name) for name in ("a", "b")]
        for job in kept.noted(kept.todo(jobs)):
            kept.note(Report(job.name, "done" if job.name == "a" else "failed", error="b: bad"))
        kept.flush()
        told = journal.told(kept.path)
        assert (told.done, told.failed, told.reasons) == (1, 1, {"bad": 1})
    with pytest.raises(InputError, match="other options"):
        Journal(tmp_path, {"command": "mel", "hop": 1}, 3, False)
