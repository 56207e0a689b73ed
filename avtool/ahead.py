"""Work of two kinds side by side: the next things are made while the last ones are used."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Empty, Full, Queue
from typing import Generic, Literal, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """The same items in the same order, made in a thread of its own from now on.

    What is raised there is raised here, in its place. Leaving its ``with`` ends the thread.

    Args:
        most: items that are made before they are asked for.
    """

    def __init__(self, items: Iterator[T], most: int = 4) -> None:
        self._queue: Queue[tuple[Literal["item"], T] | tuple[Literal["end"], BaseException]]
        self._queue = Queue(most)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._make, args=(items,), daemon=True)
        self._thread.start()

    def _make(self, items: Iterator[T]) -> None:
        end: BaseException = StopIteration()
        try:
            for item in items:
                if not self._put(("item", item)):
                    break
            getattr(items, "close", lambda: None)()
        except BaseException as error:
            end = error  # raised again where it is waited for
        self._put(("end", end))

    def _put(self, what: tuple[Literal["item"], T] | tuple[Literal["end"], BaseException]) -> bool:
        while not self._over.is_set():
            try:
                self._queue.put(what, timeout=0.1)
                return True
            except Full:
                pass
        return False

    def __iter__(self) -> Ahead[T]:
        return self

    def __next__(self) -> T:
        what = self._queue.get()
        if what[0] == "end":
            self._queue.put(what)  # whoever asks again is told again
            raise what[1]
        return what[1]

    def __enter__(self) -> Ahead[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        while self._thread.is_alive():
            try:
                self._queue.get_nowait()
            except Empty:
                self._thread.join(0.02)
