"""A real Ray cluster on 127.0.0.1: a head and two nodes; a batch ends as it does without."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Avtool, program, sine_wav
from nodes import Cluster, cluster

# What its jobs do is in a module, as it is for every command.
JOBS = """
import os, signal
from pathlib import Path
from avtool.batch.request import Report

def work(job, tick):
    with open(Path(job.name).name + ".tries", "a") as file:
        file.write("x")
    if "crash" in job.name:
        os.kill(os.getpid(), signal.SIGKILL)
    if "fail" in job.name:
        raise ValueError("this one")
    return Report(job.name, facts={"pid": os.getpid()})

def nothing(): ...
"""
DRIVER = """
import sys
from pathlib import Path
if __name__ == "__main__":
    import ray._private.services
    ray._private.services.resolve_ip_for_localhost = lambda host: host
    from avtool.batch import cluster
    from avtool.batch.jobs import Job
    from avtool.batch.worker import Worker
    import cluster_jobs
    jobs = [Job(Path(name), name) for name in sys.argv[1:]]
    tell = lambda name, part, stage: None
    for report in cluster.reports(
        Worker(cluster_jobs.work), jobs, tell, cluster_jobs.nothing, "auto"
    ):
        print(report.input, report.status, report.error or "")
"""


def test_without_ray_one_line_says_how(avtool: Avtool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "1")  # put back, for the nodes below
    ran = avtool("mel", sine_wav(Path("a.wav")), "--cluster", "local")
    assert ran.code == 2 and ran.err.count("\n") == 1 and "pip install 'avtool[ray]'" in ran.err


def test_an_address_of_another_kind(avtool: Avtool) -> None:
    ran = avtool("mel", sine_wav(Path("a.wav")), "--cluster", "spark://x")
    assert ran.code == 2 and "use auto, local or ray://" in ran.err


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head and two nodes."""
    pytest.importorskip("ray")
    folder = tmp_path_factory.mktemp("c")
    (folder / "cluster_jobs.py").write_text(JOBS)
    with cluster(folder, 2) as started:
        yield started


def ran(nodes: Cluster, cwd: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        nodes.avtool(*words),
        cwd=cwd, env=nodes.environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_the_same_files_and_words(nodes: Cluster, tmp_path: Path) -> None:
    for k in range(40):
        sine_wav(tmp_path / "in" / f"{k}.wav", 0.2 + k / 100)
    (tmp_path / "in" / "broken.wav").write_bytes(b"RIFF")
    plain = program("mfcc", "in", "-o", "one/", "-f", "npy", "--jobs", 1, cwd=tmp_path)
    there = ran(nodes, tmp_path, "mfcc", "in", "-o", "two/", "-f", "npy", "--cluster", "auto")
    assert there.returncode == plain.returncode == 1
    assert there.stderr == plain.stderr and there.stdout == plain.stdout.replace("one/", "two/")
    made = {
        name: {p.name: p.read_bytes() for p in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    }
    assert made["one"] == made["two"] and len(made["one"]) == 40


def test_a_job_that_kills_its_process_fails_alone(nodes: Cluster, tmp_path: Path) -> None:
    names = ["a", "fail", "crash", *map(str, range(20))]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, *names],
        cwd=tmp_path, env=nodes.environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == names
    failed = {line.split()[0]: line for line in lines if line.split()[1] == "failed"}
    assert failed.keys() == {"fail", "crash"}
    assert "died of it twice" in failed["crash"] and "this one" in failed["fail"]
    assert (tmp_path / "crash.tries").read_text() == "xx"


def test_a_node_dies_and_nothing_is_lost(nodes: Cluster, tmp_path: Path) -> None:
    for k in range(300):
        sine_wav(tmp_path / "in" / f"{k:03}.wav", 0.2)
    words = ["mel", "in", "-o", "out/", "--cluster", "auto"]
    driver = subprocess.Popen(
        nodes.avtool(*words),
        cwd=tmp_path,
        env=nodes.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert driver.stdout is not None
    for _ in range(20):
        driver.stdout.readline()
    nodes.kill()
    _, said = driver.communicate()
    assert driver.returncode == 0, said
    assert said == "avtool: 300 done, 0 already there, 0 failed\n" or "already there" in said
    assert len(list((tmp_path / "out").glob("*.npz"))) == 300
    (tmp_path / "out/000.mel.npz").unlink()
    again = ran(nodes, tmp_path, *words)
    assert again.stderr.endswith("avtool: 1 done, 299 already there, 0 failed\n")
    # What the dead node had begun is removed by the next that writes there.
    assert not list((tmp_path / "out").glob(".avtool*"))
