"""Ctrl-C, a polite kill and a closed terminal: each ends the program in order, with one code."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130  # the exit code
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 1.0  # seconds in which a signal that comes again is the same wish


class Interrupted(BaseException):
    """The user has had enough; no ``KeyboardInterrupt``, which click makes its own words of."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Signals raise ``Interrupted`` within; who asks again later need not wait for the end.

    What is ignored stays so: a hang-up under ``nohup``, Ctrl-C in a shell's background.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    first: list[float] = []

    def stop(number: int, frame: object) -> None:
        first.append(time.monotonic())
        if len(first) == 1:
            raise Interrupted
        if first[-1] - first[0] > PATIENCE:
            os._exit(INTERRUPTED)  # something does not end; part files are left to the next run

    before = {each: signal.getsignal(each) for each in SIGNALS}
    heard = [each for each in SIGNALS if before[each] is not signal.SIG_IGN]
    try:
        for each in heard:
            signal.signal(each, stop)
        yield
    except Exception as error:
        if first:  # a library that was being loaded makes an error of its own of it
            raise Interrupted from error
        raise
    finally:
        for each in heard:
            signal.signal(each, before[each])
