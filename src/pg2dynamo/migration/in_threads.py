"""The work of many secrets in a few threads: Secrets Manager answers slowly, and each name is its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

THREADS = 8
WAITING = 64
"""How many may be read ahead of those that are being worked on."""

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_threads(given: Iterable[Given], work: Callable[[Given], Made]) -> Iterator[Made]:
    """Do the work of each in a few threads; yield the results in order, reading only a little ahead.

    The first error ends it: what has not begun is not begun.
    """
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="pg2dynamo-secrets") as pool:
        try:
            for one in given:
                waiting.append(pool.submit(work, one))
                if len(waiting) >= WAITING:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
