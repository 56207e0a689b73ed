"""Jobs in groups for whoever does them elsewhere, and their reports in the jobs' order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from avtool.batch.jobs import Job
from avtool.batch.request import Report

MOST = 16  # jobs in a group
AHEAD = 4 * MOST  # jobs for each who does them, that may be done before an earlier one has ended

Group = dict[int, Job]  # by number


class Groups:
    """Hands out jobs, as many at a time as take a moment: a message costs as much as a short file.

    Args:
        seconds: about how long a group should take.
    """

    def __init__(self, jobs: Iterable[Job], seconds: float) -> None:
        self._queue, self._target, self._each = enumerate(jobs), seconds, seconds
        self._again: deque[tuple[int, Job]] = deque()
        self._done: dict[int, Report] = {}
        self._given, self._told, self._more = 0, 0, True

    @property
    def left(self) -> bool:
        """Whether a report is still to come."""
        return self._more or self._told < self._given

    def next(self, hands: int) -> Group:
        """The next group for one of so many; empty where there is none, or not yet."""
        if self._again:
            return dict([self._again.popleft()])
        size = min(MOST, max(1, round(self._target / self._each)))
        wanted = min(size, self._told + AHEAD * hands - self._given) if self._more else 0
        found = dict(islice(self._queue, max(0, wanted)))
        self._given += len(found)
        self._more = self._more and len(found) >= wanted
        return found

    def lost(self, number: int, job: Job) -> None:
        """A job that went down with another: it is handed out again, alone."""
        self._again.append((number, job))

    def done(self, number: int, report: Report) -> None:
        """A job has ended."""
        self._done[number] = report

    def took(self, seconds: float) -> None:
        """What a job took, of which the size of groups follows."""
        self._each += (max(seconds, 0.001) - self._each) / 16

    def reports(self) -> Iterator[Report]:
        """Those whose turn it is."""
        while self._told in self._done:
            self._told += 1
            yield self._done.pop(self._told - 1)
