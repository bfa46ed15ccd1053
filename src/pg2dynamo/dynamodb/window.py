"""How many requests may be under way at once: fewer after throttling, slowly more after success.

`Limit` decides; `Window` makes threads wait for it. The one door that every write request goes through.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Limit:
    """Additive increase, multiplicative decrease, as TCP does (RFC 5681 section 3.1); pure.

    Throttling answers to requests that were sent before the last decrease do not decrease again: they tell of
    the same moment.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._value = float(most)
        self.generation = 0

    @property
    def requests(self) -> int:
        """How many requests may be under way: at least 1."""
        return int(self._value)

    def succeeded(self) -> None:
        """Allow one more after a whole window of successes."""
        self._value = min(float(self._most), self._value + 1 / self._value)

    def throttled(self, generation: int) -> None:
        """Allow half, unless the request was sent under an earlier limit (`generation`)."""
        if generation == self.generation:
            self._value = max(1.0, self._value / 2)
            self.generation += 1


class Window:
    """The limit, as a door for threads."""

    def __init__(self, most: int) -> None:
        self._limit = Limit(most)
        self._under_way = 0
        self._changed = threading.Condition(threading.Lock())

    @contextmanager
    def request(self) -> Iterator[int]:
        """Wait until a request may be sent, and count it while it is under way; gives its generation."""
        with self._changed:
            while self._under_way >= self._limit.requests:
                self._changed.wait()
            self._under_way += 1
            generation = self._limit.generation
        try:
            yield generation
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify()

    def succeeded(self) -> None:
        """Note a success."""
        with self._changed:
            self._limit.succeeded()
            self._changed.notify()

    def throttled(self, generation: int) -> None:
        """Note a throttled request of that generation."""
        with self._changed:
            self._limit.throttled(generation)

    @property
    def requests(self) -> int:
        """How many requests may be under way now."""
        with self._changed:
            return self._limit.requests
