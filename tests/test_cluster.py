"""A real Ray cluster on 127.0.0.1: a head and two nodes; a batch ends as it does without."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import Avtool, program, sine_wav

ROOT = Path(__file__).parents[1]
# Ray takes 127.0.0.1 for a machine's outer address, and would listen on it.
LOCAL = """
import sys
if __name__ == "__main__":
    import ray._private.services
    ray._private.services.resolve_ip_for_localhost = lambda host: host
    module = __import__(sys.argv.pop(1), fromlist=["main"])
    module.main()
"""
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

NODES = """
import sys, time
import ray._private.services
ray._private.services.resolve_ip_for_localhost = lambda host: host
ray.init("auto", logging_level=50)
while sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[1]):
    time.sleep(0.1)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_without_ray_one_line_says_how(avtool: Avtool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "1")  # put back, for the nodes below
    ran = avtool("mel", sine_wav(Path("a.wav")), "--cluster", "local")
    assert ran.code == 2 and ran.err.count("\n") == 1 and "pip install 'avtool[ray]'" in ran.err


def test_an_address_of_another_kind(avtool: Avtool) -> None:
    ran = avtool("mel", sine_wav(Path("a.wav")), "--cluster", "spark://x")
    assert ran.code == 2 and "use auto, local or ray://" in ran.err


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, str], list[int]]]:
    """The environment of a driver, and the raylet of each node but the head's."""
    pytest.importorskip("ray")
    folder = tmp_path_factory.mktemp("c")
    (folder / "local.py").write_text(LOCAL)
    (folder / "cluster_jobs.py").write_text(JOBS)
    port = free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{folder}",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_raylet_start_wait_time_s": "120",  # where other work fills the machine
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": os.urandom(16).hex(),
    }
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: object) -> None:
        command = [sys.executable, folder / "local.py", "ray.scripts.scripts", "start", "--block"]
        command += ["--node-ip-address", "127.0.0.1", "--object-store-memory", "80000000"]
        command += ["--min-worker-port", "0", "--max-worker-port", "0"]
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [str(word) for word in (*command, "--disable-usage-stats", *words)],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started.append(process)

    # A socket's name has little room, and pytest's folders have long ones.
    ray_folder = f"/tmp/avtool-ray-{os.getpid()}"
    start("--head", "--port", port, "--num-cpus", 0, "--include-dashboard", "False",
          "--temp-dir", ray_folder)  # fmt: skip
    try:
        while not listens(port):
            assert started[0].poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        environment["RAY_ADDRESS"] = f"127.0.0.1:{port}"
        count = [sys.executable, "-c", NODES]
        subprocess.run([*count, "1"], env=environment, check=True, timeout=120)
        for nodes in ("2", "3"):  # two that start at once may get each other's ports
            start("--address", f"127.0.0.1:{port}", "--num-cpus", 1)
            subprocess.run([*count, nodes], env=environment, check=True, timeout=120)
        yield environment, [each.pid for each in started[1:]]
    finally:
        for each in started:
            with suppress(ProcessLookupError):
                os.killpg(each.pid, signal.SIGKILL)
            each.wait()
        subprocess.run(["rm", "-rf", ray_folder], check=True)


def ran(
    nodes: tuple[dict[str, str], list[int]], cwd: Path, *words: object
) -> subprocess.CompletedProcess[str]:
    local = str(Path(nodes[0]["PYTHONPATH"].split(":")[1]) / "local.py")
    command = [sys.executable, local, "avtool.app", *map(str, words)]
    return subprocess.run(
        command, cwd=cwd, env=nodes[0], capture_output=True, text=True, timeout=60
    )


def test_the_same_files_and_words(nodes: tuple[dict[str, str], list[int]], tmp_path: Path) -> None:
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


def test_a_job_that_kills_its_process_fails_alone(
    nodes: tuple[dict[str, str], list[int]], tmp_path: Path
) -> None:
    names = ["a", "fail", "crash", *map(str, range(20))]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, *names],
        cwd=tmp_path, env=nodes[0], capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == names
    failed = {line.split()[0]: line for line in lines if line.split()[1] == "failed"}
    assert failed.keys() == {"fail", "crash"}
    assert "died of it twice" in failed["crash"] and "this one" in failed["fail"]
    assert (tmp_path / "crash.tries").read_text() == "xx"


def test_a_node_dies_and_nothing_is_lost(
    nodes: tuple[dict[str, str], list[int]], tmp_path: Path
) -> None:
    for k in range(300):
        sine_wav(tmp_path / "in" / f"{k:03}.wav", 0.2)
    local = str(Path(nodes[0]["PYTHONPATH"].split(":")[1]) / "local.py")
    command = [sys.executable, local, "avtool.app", "mel", "in", "-o", "out/", "--cluster", "auto"]
    driver = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=nodes[0],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert driver.stdout is not None
    for _ in range(20):
        driver.stdout.readline()
    os.killpg(nodes[1][1], signal.SIGKILL)
    _, said = driver.communicate()
    assert driver.returncode == 0, said
    assert said == "avtool: 300 done, 0 already there, 0 failed\n" or "already there" in said
    assert len(list((tmp_path / "out").glob("*.npz"))) == 300
    (tmp_path / "out/000.mel.npz").unlink()
    again = ran(nodes, tmp_path, *command[3:])
    assert again.stderr.endswith("avtool: 1 done, 299 already there, 0 failed\n")
    # What the dead node had begun is removed by the next that writes there.
    assert not list((tmp_path / "out").glob(".avtool*"))
