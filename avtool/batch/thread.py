"""Jobs in this process, one after the other."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from avtool.batch.jobs import Job
from avtool.batch.request import Cancelled, Report
from avtool.batch.worker import Tell, Work, keep_memory
from avtool.media import ffmpeg


def reports(do: Work, jobs: Iterable[Job], tell: Tell) -> Generator[Report, None, None]:
    """What became of each job, in their order; closing it stops what goes on.

    The work has a thread of its own, so that Ctrl-C finds another that listens.

    Args:
        do: one job; it raises nothing that is the job's own.
        tell: called with a job's name, how far it is and what it is doing.
    """
    stop = threading.Event()

    def one(job: Job) -> Report:
        def tick(part: float | None, stage: str) -> None:
            if stop.is_set():
                raise Cancelled
            tell(job.name, part, stage)

        return do(job, tick)

    keep_memory()
    running: Future[Report] | None = None
    pool = ThreadPoolExecutor(1)
    try:
        for job in jobs:
            running = pool.submit(one, job)
            report = running.result()
            running = None
            yield report
    finally:
        stop.set()
        if running:
            ffmpeg.kill_all()  # wakes a worker that waits for pictures or sound
        pool.shutdown(wait=True, cancel_futures=True)
