"""Jobs on the machines of a Ray cluster, by actors that load their networks once.

Ray places the actors and tells of those that died; what it would print goes to its own folder.
Workers see the files under the same names: a file system that all nodes share, or addresses.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from traceback import format_exc
from typing import Any

import avtool
from avtool.batch.groups import Group, Groups
from avtool.batch.jobs import Job
from avtool.batch.request import Cancelled, Report
from avtool.batch.worker import Tell, Work, keep_memory
from avtool.errors import InputError
from avtool.media import ffmpeg

CPUS = 4  # of an actor with networks, where a node has as many; one with features takes one
GROUP_SECONDS = 0.2  # that the jobs of one call should take
OFTEN = 0.5  # seconds between two questions to one actor how far it is
GROWTH = 10.0  # seconds between two looks at how large the cluster is
PATIENCE = 10.0  # seconds that actors have to end in order
STARTS = 5  # of actors in a row that may fail
TRIES = 2  # times that a job may kill its process


def reports(
    do: Work,
    jobs: Iterable[Job],
    tell: Tell,
    prepare: Callable[[], None],
    address: str,
    device: str = "",
    at_once: int | None = None,
) -> Generator[Report, None, None]:
    """What became of each job, in their order; closing it stops those that go on.

    A job whose node dies is done again by another; one that kills its process twice fails alone.

    Args:
        do, tell, prepare: as of ``processes.reports``.
        address: ``auto`` (the cluster that this machine is part of), ``ray://HEAD:10001``, or
            ``local`` (one on this machine, for this run).
        device: where networks run; empty where there are none.
        at_once: most actors [as many as the cluster has room for].

    Raises:
        InputError: there is no Ray, no such cluster, or no node in it that avtool can run on.
    """
    ray = _connected(address)
    try:
        yield from _Run(ray, do, jobs, tell, prepare, address, device, at_once).reports()
    finally:
        ray.shutdown()


def _connected(address: str) -> Any:
    """Ray, connected to a cluster, and silent."""
    if address not in ("auto", "local") and not address.startswith("ray://"):
        raise InputError(f"--cluster {address}: is no cluster; use auto, local or ray://HEAD:10001")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if address == "local":  # it is nobody else's: 127.0.0.1 alone
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    try:
        import ray
        import ray._private.worker

        if address.startswith("ray://"):
            import ray.util.client.worker  # needs grpcio
    except ImportError as error:
        raise InputError(
            f"--cluster {address}: Ray is not installed here; pip install 'avtool[ray]'"
        ) from error
    # Told of each process that dies, which is ours to tell, and on stdout, where data goes.
    ray._private.worker.print_to_stdstream = lambda *_, **__: None
    more: dict[str, Any] = {"log_to_driver": False}
    if address == "local":
        more |= {"num_cpus": len(os.sched_getaffinity(0)), "include_dashboard": False}
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        with _no_stderr():
            ray.init(address, logging_level=logging.CRITICAL, **more)
    except Exception as error:  # Ray's are of many kinds: no cluster, wrong token, other version
        raise InputError(f"--cluster {address}: {_why(error)}") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return ray


@contextmanager
def _no_stderr() -> Iterator[None]:
    """Nothing reaches stderr: Ray's core, which is no Python, writes there until it has its log."""
    if sys.stderr is None:  # closed with 2>&-
        yield
        return
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _why(error: Exception) -> str:
    """Why there is no connection, and what to do."""
    text = " ".join(str(error).split())
    if "oken" in text and "uth" in text:
        return (
            "the cluster wants its token; "
            "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN as on its nodes"
        )
    if "ersion" in text:
        return f"{text[:200]}; install the cluster's versions here"
    if isinstance(error, ConnectionError):
        return "no cluster answers there; start one with `ray start --head`, or use local"
    return f"cannot be used ({type(error).__name__}: {text[:200]})"


class _Actor:
    """A process on some node. One thread of it does jobs, another listens."""

    def __init__(self, do: Work, prepare: Callable[[], None], folder: str) -> None:
        if not os.path.isdir(folder):  # noqa: PTH112
            raise InputError(
                f"{folder}: is not there on {os.uname().nodename}; start in a folder that all "
                "nodes share"
            )
        os.chdir(folder)
        keep_memory()
        prepare()
        self._do, self._stopped = do, False
        self._at: tuple[str, float | None, str] | None = None

    def version(self) -> str:
        return avtool.__version__

    def do(self, jobs: list[Job]) -> list[Report | Exception]:
        """Their reports; fewer where they are stopped."""
        done: list[Report | Exception] = []
        for job in jobs:
            try:
                done.append(self._do(job, partial(self._tick, job.name)))
            except Cancelled:
                break
            except Exception as error:  # --debug: the driver raises it
                error.add_note(format_exc())
                done.append(error)
        return done

    def _tick(self, name: str, part: float | None, stage: str) -> None:
        if self._stopped:
            raise Cancelled
        self._at = (name, part, stage)

    def at(self) -> tuple[str, float | None, str] | None:
        return self._at

    def stop(self) -> None:
        self._stopped = True
        ffmpeg.kill_all()  # wakes what waits for pictures or sound


@dataclass(eq=False)
class _Seat:
    """An actor, as the driver sees it, and the jobs that it has, by their numbers."""

    handle: Any
    ready: bool = False
    jobs: Group = field(default_factory=dict)
    asked: float = 0.0


class _Run:
    """The driver's side. It never waits in Ray, which would swallow our signals."""

    def __init__(
        self,
        ray: Any,
        do: Work,
        jobs: Iterable[Job],
        tell: Tell,
        prepare: Callable[[], None],
        address: str,
        device: str,
        at_once: int | None,
    ) -> None:
        self._ray, self._groups, self._tell = ray, Groups(jobs, GROUP_SECONDS), tell
        self._address, self._device, self._most = address, device, at_once or sys.maxsize
        self._given = (ray.put(do), prepare, str(Path.cwd()))
        self._cpus, self._gpus = self._needs()
        wants = {"num_cpus": self._cpus, "num_gpus": self._gpus, "concurrency_groups": {"ear": 1}}
        self._actor = ray.remote(**wants)(_Actor)
        self._seats: list[_Seat] = []
        self._said: SimpleQueue[tuple[_Seat, str, Future[Any]]] = SimpleQueue()
        self._deaths: Counter[int] = Counter()
        self._failed_starts, self._looked = 0, 0.0

    def reports(self) -> Generator[Report, None, None]:
        try:
            while self._groups.left:
                self._grow()
                for seat in self._seats:
                    if seat.ready and not seat.jobs:
                        self._give(seat)
                if self._groups.left:
                    self._hear(OFTEN)
                yield from self._groups.reports()
        finally:
            self._stop()

    def _nodes(self) -> list[dict[str, float]]:
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]

    def _needs(self) -> tuple[int, int]:
        """CPUs and GPUs of an actor."""
        nodes = self._nodes()
        cpus = int(max((node.get("CPU", 0) for node in nodes), default=0))
        gpu = any(node.get("GPU", 0) >= 1 for node in nodes)
        if cpus < 1:
            raise InputError(f"--cluster {self._address}: no node has a CPU to give; start one")
        if self._device.startswith("cuda") and not gpu:
            raise InputError(f"--cluster {self._address}: no node has a GPU; use --device cpu")
        return min(CPUS, cpus) if self._device else 1, int(gpu and self._device in ("auto", "cuda"))

    def _grow(self) -> None:
        """Seats for all the room that there is; what does not fit yet waits with Ray."""
        if time.monotonic() < self._looked + GROWTH and self._seats:
            return
        self._looked = time.monotonic()
        room = sum(
            int(min(node.get("CPU", 0) // self._cpus, node.get("GPU", 0) if self._gpus else 1e9))
            for node in self._nodes()
        )
        for _ in range(len(self._seats), min(max(room, 1), self._most)):
            self._seats.append(self._seat())

    def _seat(self) -> _Seat:
        seat = _Seat(self._actor.remote(*self._given))
        self._ask(seat, "version")
        return seat

    def _ask(self, seat: _Seat, method: str, *arguments: Any, group: str | None = None) -> None:
        call = getattr(seat.handle, method)
        call = call.options(concurrency_group=group) if group else call
        future = call.remote(*arguments).future()
        future.add_done_callback(lambda ended: self._said.put((seat, method, ended)))

    def _give(self, seat: _Seat) -> None:
        seat.jobs = self._groups.next(len(self._seats))
        if seat.jobs:
            seat.asked = time.monotonic()
            self._ask(seat, "do", list(seat.jobs.values()))

    def _hear(self, seconds: float) -> None:
        """Take what actors say, waiting for the first word."""
        try:
            seat, method, answer = self._said.get(timeout=seconds)
        except Empty:
            self._look()
            return
        error = answer.exception()
        if seat not in self._seats:
            return  # it has died since
        if error is not None:
            self._lost(seat, method, error)
        elif method == "version":
            if answer.result() != avtool.__version__:
                raise InputError(
                    f"--cluster {self._address}: a node has avtool {answer.result()}, "
                    f"this is {avtool.__version__}; install one version everywhere"
                )
            seat.ready, self._failed_starts = True, 0
        elif method == "do":
            self._take(seat, answer.result())
        elif method == "at" and answer.result():
            self._tell(*answer.result())

    def _take(self, seat: _Seat, answers: list[Report | Exception]) -> None:
        numbers, seat.jobs = list(seat.jobs), {}
        for number, report in zip(numbers, answers, strict=False):
            if isinstance(report, Exception):
                raise report
            self._groups.done(number, report)
            self._groups.took(report.seconds)

    def _look(self) -> None:
        """Ask those that have been busy for a while how far they are."""
        now = time.monotonic()
        for seat in self._seats:
            if seat.jobs and now > seat.asked + OFTEN:
                seat.asked = now
                self._ask(seat, "at", group="ear")

    def _lost(self, seat: _Seat, method: str, error: BaseException) -> None:
        """Its actor is gone: another takes its seat, and its jobs are done again."""
        self._seats.remove(seat)
        self._ray.kill(seat.handle)
        text = str(error)
        if not seat.ready:
            self._failed_starts += 1
            if "creation task" in text or self._failed_starts > STARTS:
                *_, last = (line.strip() for line in text.splitlines() if line.strip())
                raise InputError(f"--cluster {self._address}: no actor starts ({last})") from error
        for number, job in seat.jobs.items():
            self._deaths[number] += "node has died" not in text
            if self._deaths[number] < TRIES:
                self._groups.lost(number, job)
                continue
            words = (
                f"{job.name}: its process died of it twice (killed, as a system does that has no "
            )
            words += "memory left, or a fault in a codec); please report the file"
            self._groups.done(number, Report(job.name, "failed", error=words))
        self._seats.append(self._seat())

    def _stop(self) -> None:
        """Ask those that are busy to end; what they have begun is cleaned up."""
        for seat in self._seats:
            if seat.jobs:
                self._ask(seat, "stop", group="ear")
        end = time.monotonic() + PATIENCE
        while any(seat.jobs for seat in self._seats) and time.monotonic() < end:
            try:
                seat, method, answer = self._said.get(timeout=OFTEN)
            except Empty:
                continue
            if method == "do" or answer.exception():
                seat.jobs = {}
