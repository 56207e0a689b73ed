"""Features of many inputs in a few files, as those who train read them; none lost, none twice."""

from __future__ import annotations

import io
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.dataset
import pytest
import soundfile
from conftest import Avtool

from avtool.batch import journal
from avtool.batch.jobs import Input, Plan, Shard
from avtool.batch.journal import Journal
from avtool.batch.request import Report
from avtool.errors import OutputError
from avtool.save import shards

COUNT = 24


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """Files of different lengths, and a broken one, in a list."""
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for k in range(COUNT):
        sound = rng.uniform(-0.5, 0.5, 2000 + 100 * k)
        soundfile.write(tmp_path / f"in/{k:03}.wav", sound, 16_000)
    (tmp_path / "in/broken.wav").write_bytes(b"RIFF")
    names = sorted(path.name for path in (tmp_path / "in").iterdir())
    (tmp_path / "list.txt").write_text("".join(f"in/{name}\n" for name in names))
    return tmp_path


def samples(folder: Path, kind: str) -> Iterator[tuple[str, np.ndarray, dict[str, object]]]:
    """Key, array [bins, frames] and facts, by readers that know nothing of avtool."""
    if kind == "parquet":
        table = pyarrow.dataset.dataset(folder).to_table()
        for row in table.to_pylist():
            assert list(np.shape(row["mel"])) == row["shape"]
            facts = json.loads(row["parameters"])
            assert facts["path"] == row["path"]
            yield row["id"], np.array(row["mel"], np.float32).T, facts
        return
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as file:
            names = file.getnames()
            for name, following in itertools.pairwise(names):
                if name.endswith(".npy"):
                    assert following == name.removesuffix("npy") + "json"
                    array = file.extractfile(name)
                    told = file.extractfile(following)
                    assert array is not None and told is not None
                    yield (
                        name.removesuffix(".npy"),
                        np.load(io.BytesIO(array.read())),
                        json.load(told),
                    )


def run(avtool: Avtool, kind: str, *more: object) -> tuple[int, list[str], str]:
    format = ["-f", "tar"] if kind == "tar" else []
    ran = avtool(
        *("mel", "--files", "list.txt", *format, "-o", f"all.{kind}/", "--per-shard", 10, *more)
    )
    return ran.code, ran.lines, ran.err


def keys(kind: str) -> Counter[str]:
    return Counter(key for key, _, _ in samples(Path(f"all.{kind}"), kind))


EVERY = Counter({f"in/{k:03}": 1 for k in range(COUNT)})


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_the_same_numbers_as_a_file_each(avtool: Avtool, listed: Path, kind: str) -> None:
    code, lines, words = run(avtool, kind)
    assert code == 1 and words.count("broken.wav") == 1
    assert lines == [f"all.{kind}/mel-{number:06}.{kind}" for number in range(3)]
    avtool("mel", "--files", "list.txt", "-f", "npz", "-o", "each/")
    assert keys(kind) == EVERY
    for key, array, facts in samples(Path(f"all.{kind}"), kind):
        with np.load(f"each/{key}.mel.npz") as alone:
            assert np.array_equal(array, alone["mel"])
            assert facts["n_mels"] == alone["n_mels"] and facts["path"] == f"{key}.wav"
            hop, start = facts["hop_seconds"], facts["start"]
            assert isinstance(hop, float) and isinstance(start, float)
            assert np.allclose(start + hop * np.arange(array.shape[1]), alone["time"])
            assert np.allclose(np.array(facts["frequencies"]), alone["frequency"])


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_processes_change_nothing(avtool: Avtool, listed: Path, kind: str) -> None:
    run(avtool, kind, "--jobs", 1)
    whole = {path.name: path.read_bytes() for path in Path(f"all.{kind}").glob("[ms]*-*")}
    run(avtool, kind, "--jobs", 2, "--overwrite")
    assert {path.name: path.read_bytes() for path in Path(f"all.{kind}").glob("[ms]*-*")} == whole


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_a_rerun_adds_what_is_missing(avtool: Avtool, listed: Path, kind: str) -> None:
    run(avtool, kind)
    (listed / "in/broken.wav").write_bytes((listed / "in/001.wav").read_bytes())
    assert run(avtool, kind, "--retry-failed")[:2] == (0, [f"all.{kind}/mel-000003.{kind}"])
    every = EVERY + Counter(["in/broken"])
    assert keys(kind) == every
    Path(f"all.{kind}/mel-000001.{kind}").unlink()
    code, lines, words = run(avtool, kind)
    assert (code, lines) == (0, [f"all.{kind}/mel-000001.{kind}"])
    assert f"all.{kind}: 1 shards are gone, so their files are made again" in words
    assert keys(kind) == every and run(avtool, kind)[:2] == (0, [])
    assert "25 done in 4 shards, 0 failed" in avtool("status", f"all.{kind}").out


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_a_shard_that_is_whole_counts(avtool: Avtool, listed: Path, kind: str) -> None:
    """As after a kill between its renaming and the journal's line; a stranger's does not."""
    run(avtool, kind)
    last = Path(f"all.{kind}/mel-000002.{kind}")
    with sqlite3.connect(f"all.{kind}/.avtool-mel.sqlite") as db:
        db.execute("UPDATE files SET state = 0, shard = NULL WHERE shard = 2")
        db.execute("DELETE FROM shards WHERE number = 2")
    db.close()
    before = last.stat().st_mtime_ns
    code, lines, words = run(avtool, kind)
    assert lines == [] and "24 already there" in words
    assert keys(kind) == EVERY and last.stat().st_mtime_ns == before
    Path(f"all.{kind}/.avtool-mel.sqlite").unlink()
    code, _, words = run(avtool, kind)
    assert code == 2 and f"mel-000000.{kind}: is not of this run; name another -o" in words
    assert run(avtool, kind, "--overwrite")[1] and keys(kind) == EVERY


@pytest.mark.parametrize("kind", ["tar", "parquet"])
@pytest.mark.parametrize("kill", [os.kill, os.killpg])
def test_killed(avtool: Avtool, listed: Path, kind: str, kill: Callable[[int, int], None]) -> None:
    """Alone, or with its workers, which otherwise end by themselves and give no shard away."""
    names = [f"in/{k:03}.{n}.wav" for n in range(8) for k in range(COUNT)]
    for name in names:
        Path(name).hardlink_to(f"{name.split('.')[0]}.wav")
    Path("list.txt").write_text("\n".join(names))
    command = [sys.executable, "-m", "avtool", "mel", "--files", "list.txt", "-j", "2"]
    command += [
        "--per-shard",
        "10",
        "-o",
        f"all.{kind}/",
        *(["-f", "tar"] if kind == "tar" else []),
    ]
    killed = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    guard = threading.Timer(60, lambda: os.killpg(killed.pid, signal.SIGKILL))
    guard.start()
    assert killed.stdout is not None
    killed.stdout.readline()
    kill(killed.pid, signal.SIGKILL)
    killed.wait()
    guard.cancel()
    killed.stdout.close()
    there = keys(kind)
    assert there.total() >= 10 and set(there.values()) == {1}
    assert run(avtool, kind)[0] == 0
    text = (name.removesuffix(".wav") for name in names)
    every = (name.replace(".", "_") if kind == "tar" else name for name in text)
    assert keys(kind) == Counter(every)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # its open files
def test_those_who_train_read_them(avtool: Avtool, listed: Path) -> None:
    """By webdataset's own loader, in torch's, with processes."""
    webdataset = pytest.importorskip("webdataset")
    from torch.utils.data import DataLoader

    run(avtool, "tar")
    found = webdataset.WebDataset("all.tar/mel-{000000..000002}.tar", shardshuffle=False)
    data = found.decode().to_tuple("__key__", "npy", "json")
    loaded = list(DataLoader(data, batch_size=None))
    assert Counter(key for key, _, _ in loaded) == EVERY
    key, array, facts = loaded[7]
    assert array.shape[0] == facts["n_mels"] == 80 and facts["path"] == f"{key}.wav"


def test_no_run_begins_while_a_shard_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a worker of a run that was killed: the shard's number would be given to another."""
    monkeypatch.setattr(journal, "PATIENCE", 0.1)
    with Journal(tmp_path, {"command": "mel"}, None, False), journal.attended(tmp_path, "mel"):
        pass
    with (
        journal.attended(tmp_path, "mel"),
        pytest.raises(OutputError, match="another run is at work there"),
    ):
        Journal(tmp_path, {"command": "mel"}, None, False)
    Journal(tmp_path, {"command": "mel"}, None, False).__exit__(None, None, None)


def test_who_kills_a_process_is_found(tmp_path: Path) -> None:
    """Of a shard whose process died nothing is known: each of its inputs is tried alone."""
    plan = Plan({"mel": [".npy"]}, [], [], f"{tmp_path}/", shards=".tar")

    def run(only_failed: bool) -> list[list[str]]:
        inputs = (Input(Path(name), name, key=name) for name in "abcdef")
        given = []
        with Journal(tmp_path, {"command": "mel"}, None, False) as kept:
            jobs = plan.sharded(kept.todo(plan.listed(inputs), only_failed), "mel", 3, {7})
            for job in kept.noted(jobs):
                assert isinstance(job, Shard)
                names = [part.name for part in job.parts]
                given.append(names)
                died = "b" in names
                parts = [Report(name) for name in names]
                report = Report(job.name, "failed", error=f"{job.name}: its process died of it")
                told = kept.note(report if died else Report(job.name, parts=parts))
                assert [each.input for each in told] == names
                assert {each.status for each in told} == {"failed" if died else "done"}
        return given

    assert run(False) == [["a", "b", "c"], ["d", "e", "f"]]
    assert run(True) == [["a"], ["b"], ["c"]]
    assert run(False) == [["b"]]


def test_rows_are_written_in_groups(
    avtool: Avtool, listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "GROUP_BYTES", 20_000)
    run(avtool, "parquet")
    with pyarrow.parquet.ParquetFile("all.parquet/mel-000000.parquet") as file:
        assert file.num_row_groups > 2
    assert keys("parquet") == EVERY


def test_what_parquet_cannot_hold(avtool: Avtool, listed: Path) -> None:
    ran = avtool("spectrogram", "in/001.wav", "--power", 0, "-o", "s.parquet/")
    assert ran.code == 1 and "complex values do not fit .parquet; use -f tar" in ran.err
    assert not list(Path("s.parquet").glob("[ms]*-*"))
    ran = avtool("spectrogram", "in/001.wav", "--power", 0, "-f", "tar", "-o", "s/")
    assert ran.code == 0
    ((_, array, _),) = samples(Path("s"), "tar")
    assert array.dtype == np.complex64


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-f", "tar,npy"], "-f tar holds all that is written; give no other format"),
        (["-f", "tar", "-o", "x.tar"], "a list's outputs go into a folder/"),
        (["-f", "npy", "--per-shard", 10], "--per-shard is for shards; add -f tar"),
    ],
)
def test_wrong_calls(avtool: Avtool, listed: Path, arguments: list[object], words: str) -> None:
    ran = avtool("mel", "in/001.wav", *arguments)
    assert (ran.code, ran.out) == (2, "") and words in ran.err
    assert sorted(os.listdir()) == ["in", "list.txt"]
