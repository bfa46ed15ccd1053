"""When the next operation may begin: an open loop, so that a slow answer does not lower the rate of questions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

MOST_BEHIND_SECONDS = 5.0
"""What was missed during a longer pause is not made up for: it would come all at once."""


@dataclass(frozen=True, slots=True)
class Watch:
    """A monotonic clock and a way to wait, in seconds; tests give their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep


class Pacer:
    """Gives all workers together `rate` turns a second, 0 for no limit. Safe to use from several threads."""

    def __init__(self, rate: float, watch: Watch) -> None:
        self._rate, self._watch = rate, watch
        self._lock = threading.Lock()
        self._next: float | None = None

    def wait(self) -> None:
        """Return when it is the caller's turn."""
        if self._rate <= 0:
            return
        with self._lock:
            now = self._watch.now()
            turn = now if self._next is None else max(self._next, now - MOST_BEHIND_SECONDS)
            self._next = turn + 1 / self._rate
        if turn > now:
            self._watch.sleep(turn - now)
