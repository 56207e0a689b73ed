"""Work of two kinds side by side: the next things are made while the last ones are used."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Empty, Full, Queue
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T], most: int = 4) -> Iterator[T]:
    """The same items in the same order, made in a thread of their own, ``most`` of them ahead.

    What is raised there is raised here, in its place. Closing it closes ``items``.
    """
    queue: Queue[tuple[str, T | BaseException | None]] = Queue(most)
    over = threading.Event()

    def give(kind: str, item: T | BaseException | None = None) -> bool:
        while not over.is_set():
            try:
                queue.put((kind, item), timeout=0.1)
                return True
            except Full:
                pass
        return False

    def make() -> None:
        try:
            for item in items:
                if not give("item", item):
                    break
            getattr(items, "close", lambda: None)()
            give("end")
        except BaseException as error:
            give("error", error)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while True:
            kind, item = queue.get()
            if kind == "error":
                assert isinstance(item, BaseException)
                raise item
            if kind == "end":
                return
            yield item  # type: ignore[misc]
    finally:
        over.set()
        while thread.is_alive():
            try:
                queue.get_nowait()
            except Empty:
                thread.join(0.02)
