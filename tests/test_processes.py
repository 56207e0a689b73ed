"""Jobs in processes of their own: the same files, in order, and none is lost with its neighbour."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Generator
from contextlib import closing
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Avtool, alive

from avtool.batch import processes
from avtool.batch.jobs import Job
from avtool.batch.request import Cancelled, Report, Tick
from avtool.batch.worker import Worker


def jobs(*names: str) -> list[Job]:
    return [Job(Path(name), name) for name in names]


def told(job: Job, tick: Tick) -> Report:
    """What a name asks for: to die, to fail, to take long, or nothing."""
    tick(0.5, job.name)
    if job.name.startswith("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    if job.name.startswith("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if job.name.startswith("fail"):
        raise ValueError("this one")
    while job.name.startswith("long"):
        time.sleep(0.01)
        tick(None, "")
    return Report(job.name, facts={"pid": os.getpid(), "threads": os.environ["OMP_NUM_THREADS"]})


def run(do: Worker, *names: str, count: int = 2) -> Generator[Report, None, None]:
    return processes.reports(do, jobs(*names), lambda name, part, stage: None, count, nothing)


def nothing() -> None: ...


def test_a_file_that_kills_its_process_fails_alone() -> None:
    names = ["a", "kill", "b", "fail", "crash", "c", "d"]
    found = list(run(Worker(told), *names))
    assert [report.input for report in found] == names
    failed = {report.input: str(report.error) for report in found if report.status == "failed"}
    assert failed.keys() == {"kill", "crash", "fail"}
    assert "was killed" in failed["kill"] and "SIGSEGV" in failed["crash"]
    assert "this one" in failed["fail"]
    first = {report.facts["pid"] for report in found[:1]}
    assert os.getpid() not in first
    # Started once: of the seven files, two ended their process and each was replaced by one.
    assert len({report.facts["pid"] for report in found if report.facts}) <= 4


def test_what_was_given_beside_it_is_done() -> None:
    """Short files are given together; of those of one that dies, each is tried alone."""
    names = [*map(str, range(90)), "kill", *map(str, range(91, 120))]
    found = list(run(Worker(told), *names, count=2))
    assert [report.input for report in found] == names
    assert [report.input for report in found if report.status != "done"] == ["kill"]


def test_threads_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "cores", lambda: 6)
    before = os.environ.get("OMP_NUM_THREADS")
    (report,) = run(Worker(told), "a", count=2)
    assert report.facts["threads"] == "3"
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_closing_ends_the_others() -> None:
    with closing(run(Worker(told), "a", "long", "long 2")) as found:
        pid = next(found).facts["pid"]
    assert not alive(pid)


def test_a_worker_ends_with_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is no failure of its job: of a shard, the other files would be left out."""
    ours, theirs = Pipe()
    ours.send(jobs("a"))
    ours.close()
    raised = []

    def do(job: Job, tick: Tick) -> Report:
        try:
            tick(None, "")
        except BaseException as error:
            raised.append(type(error))
            raise
        return Report(job.name)

    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    processes._serve(theirs, do, nothing)
    assert raised == [Cancelled]


def test_debug_raises_here() -> None:
    with pytest.raises(ValueError, match="this one") as raised:
        list(run(Worker(told, debug=True), "fail"))
    assert any("in told" in note for note in raised.value.__notes__)


def test_the_same_files(avtool: Avtool, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for k in range(7):
        soundfile.write(f"in/{k}.wav", rng.uniform(-0.5, 0.5, 8000), 16_000)
    (tmp_path / "in" / "broken.wav").write_bytes(b"RIFF")
    made = {}
    for count in (1, 2):
        ran = avtool("mfcc", "in", "-o", f"out{count}/", "--jobs", count)
        assert ran.code == 1 and "broken.wav" in ran.err
        assert [Path(line).name for line in ran.lines] == sorted(
            (Path(line).name for line in ran.lines), key=lambda name: int(name.split(".")[0])
        )
        made[count] = {p.name: p.read_bytes() for p in Path(f"out{count}").iterdir()}
    assert made[1] == made[2] and len(made[1]) == 14


def test_free_memory_bounds_the_number() -> None:
    assert processes.fitting(1 << 60) == 1
    assert processes.fitting(1) == processes.cores()
