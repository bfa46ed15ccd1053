"""A clock that a test moves by hand."""

from __future__ import annotations


class Clock:
    """Stands in for the module `time`, where only the monotonic clock is asked."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """The time that the test has set."""
        return self.now
