"""How many requests may be under way at once: fewer after throttling, slowly more after success. Pure."""

from __future__ import annotations


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
