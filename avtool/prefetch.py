"""Work of two kinds side by side: the next things are made while the last ones are used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from queue import Empty, Full, Queue
from typing import Generic, Literal, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Prefetch(Generic[T]):
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

    def __iter__(self) -> Prefetch[T]:
        return self

    def __next__(self) -> T:
        what = self._queue.get()
        if what[0] == "end":
            self._queue.put(what)  # whoever asks again is told again
            raise what[1]
        return what[1]

    def __enter__(self) -> Prefetch[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        while self._thread.is_alive():
            try:
                self._queue.get_nowait()
            except Empty:
                self._thread.join(0.02)


class Fed(Generic[T, R]):
    """What reads a stream, fed item by item: it reads in a thread of its own.

    What it raises is raised by ``put`` and ``result``. Leaving its ``with`` ends the thread.

    Args:
        read: gets the items and gives the result; most: items that wait.
    """

    def __init__(self, read: Callable[[Iterator[T]], R], most: int = 2) -> None:
        self._queue: Queue[tuple[T] | None] = Queue(most)
        self._future: Future[R] = Future()
        self._thread = threading.Thread(target=self._read, args=(read,), daemon=True)
        self._thread.start()

    def _read(self, read: Callable[[Iterator[T]], R]) -> None:
        try:
            self._future.set_result(read(self._items()))
        except BaseException as error:
            self._future.set_exception(error)  # raised again where it is waited for

    def _items(self) -> Iterator[T]:
        while (item := self._queue.get()) is not None:
            yield item[0]

    def put(self, item: T) -> None:
        """Give the next item."""
        self._put((item,))

    def result(self) -> R:
        """What the reader made of all items."""
        self._put(None)
        return self._future.result()

    def _put(self, what: tuple[T] | None) -> None:
        while not self._future.done():
            try:
                return self._queue.put(what, timeout=0.1)
            except Full:
                pass
        self._future.result()  # it has failed, or wants no more

    def __enter__(self) -> Fed[T, R]:
        return self

    def __exit__(self, *_: object) -> None:
        while self._thread.is_alive():
            try:
                self._queue.put_nowait(None)
            except Full:
                self._queue.get_nowait()
            self._thread.join(0.02)
