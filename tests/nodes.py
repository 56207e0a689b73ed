"""A Ray cluster on 127.0.0.1: a head that does no work, and nodes of one CPU each."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

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
WAIT = """
import sys, time
import ray._private.services
ray._private.services.resolve_ip_for_localhost = lambda host: host
ray.init("auto", logging_level=50)
while sum(node["Alive"] for node in ray.nodes()) != int(sys.argv[1]):
    time.sleep(0.1)
"""


class Cluster:
    """Nodes as they are started by hand, each a group of processes.

    Args:
        folder: of its scripts and its log; modules in it are found by drivers and workers.
    """

    def __init__(self, folder: Path) -> None:
        self._log, self._local = folder / "log", folder / "local.py"
        self._local.write_text(LOCAL)
        self._nodes: list[subprocess.Popen[bytes]] = []
        self._killed = 0
        port = _free_port()
        # A socket's name has little room, and pytest's folders have long ones.
        self._ray_folder = f"/tmp/avtool-ray-{os.getpid()}"
        self.environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{folder}",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_raylet_start_wait_time_s": "120",  # where other work fills the machine
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": os.urandom(16).hex(),
        }
        self._start("--head", "--port", port, "--num-cpus", 0, "--include-dashboard", "False",
                    "--temp-dir", self._ray_folder)  # fmt: skip
        self.environment["RAY_ADDRESS"] = f"127.0.0.1:{port}"
        while not _listens(port):
            assert self._nodes[0].poll() is None, self._log.read_text()
            time.sleep(0.1)
        self._wait()

    def _start(self, *words: object) -> None:
        command = [sys.executable, self._local, "ray.scripts.scripts", "start", "--block"]
        command += ["--node-ip-address", "127.0.0.1", "--object-store-memory", "80000000"]
        command += ["--min-worker-port", "0", "--max-worker-port", "0", "--disable-usage-stats"]
        with self._log.open("ab") as log:
            self._nodes.append(
                subprocess.Popen(
                    [str(word) for word in (*command, *words)],
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def _wait(self) -> None:
        count = str(len(self._nodes) - self._killed)
        command = [sys.executable, "-c", WAIT, count]
        subprocess.run(command, env=self.environment, check=True, timeout=120)

    def add(self) -> None:
        """One more node; two that start at once may get each other's ports."""
        self._start("--address", self.environment["RAY_ADDRESS"], "--num-cpus", 1)
        self._wait()

    def kill(self) -> None:
        """End the last node with all its processes, as when its machine loses power."""
        os.killpg(self._nodes[-1].pid, signal.SIGKILL)
        self._killed += 1

    def avtool(self, *words: object) -> list[str]:
        """The command line of a driver; it runs in ``environment``."""
        return [sys.executable, str(self._local), "avtool.__main__", *map(str, words)]

    def stop(self) -> None:
        for each in self._nodes:
            with suppress(ProcessLookupError):
                os.killpg(each.pid, signal.SIGKILL)
            each.wait()
        shutil.rmtree(self._ray_folder, ignore_errors=True)


@contextmanager
def cluster(folder: Path, nodes: int) -> Iterator[Cluster]:
    """A head and so many nodes, which stop with the block."""
    started = Cluster(folder)
    try:
        for _ in range(nodes):
            started.add()
        yield started
    finally:
        started.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
