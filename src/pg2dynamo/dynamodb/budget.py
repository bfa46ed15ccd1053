"""One budget of write units per second for all processes of a run, in a small file that they share.

Owns the arithmetic of the rate and the file; knows nothing of requests. The state is one number, the moment until
which everything taken so far is paid for, so that a process killed at any point leaves a budget that the others can
go on with: what it had taken and not sent is lost as pause, never gained as rate.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from pg2dynamo.errors import StageError

BURST_SECONDS = 1.0
"""What was not used may be made up for, within a second: DynamoDB counts its limits by the second as well."""

_FORMAT = struct.Struct("=8sdd")
_PAID_UNTIL = struct.Struct("=d")
_PAID_UNTIL_AT = 16
_MAGIC = b"pg2dwu 1"


class WriteBudget:
    """A token bucket of write units that holds one second's worth, shared by every process that opens its file.

    A context manager. Its calls may come from any thread. Times are of the machine's monotonic clock: the file is of
    use to processes of one machine, and until it restarts.
    """

    def __init__(self, descriptor: int) -> None:
        """Take over a descriptor of the file; use `create` and `open`."""
        self._descriptor = descriptor
        self._state = mmap.mmap(descriptor, _FORMAT.size)
        self._in_thread = threading.Lock()
        self.units_per_second: float = _FORMAT.unpack_from(self._state)[1]

    @classmethod
    def create(cls, path: str | Path, units_per_second: float) -> WriteBudget:
        """Make the file, with a second's worth of units in it, and open it. Raises FileExistsError when it is there."""
        if not 0 < units_per_second < float("inf"):
            raise ValueError("a budget needs a rate above zero")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.write(descriptor, _FORMAT.pack(_MAGIC, units_per_second, time.monotonic() - BURST_SECONDS))
        return cls(descriptor)

    @classmethod
    def open(cls, path: str | Path) -> WriteBudget:
        """Open the file that `create` made. Raises StageError when it is not there, or is none."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            raise StageError("The file of the run's write budget is gone.", remedy=_AGAIN) from None
        state = os.pread(descriptor, _FORMAT.size + 1, 0)
        if len(state) != _FORMAT.size or not state.startswith(_MAGIC):
            os.close(descriptor)
            raise StageError("The file of the run's write budget holds something else.", remedy=_AGAIN)
        return cls(descriptor)

    def take(self, units: float) -> float:
        """Reserve `units` (0 or more) and return how many seconds to wait before they may be used.

        They are reserved at once, in the order of calls over all processes, also when they are more than the bucket
        holds. Whoever waits as told keeps this promise: by any moment no more has been used than the rate times the
        seconds since the budget was made, and one second's worth.
        """
        with self._locked():
            now = time.monotonic()
            paid_until = max(self._paid_until, now - BURST_SECONDS) + units / self.units_per_second
            self._paid_until = paid_until
        return max(0.0, paid_until - now)

    def settle(self, difference: float) -> None:
        """Add what was used beyond what was reserved; below zero gives back what was not used."""
        with self._locked():
            self._paid_until += difference / self.units_per_second

    def close(self) -> None:
        """Close the file; it stays where it is."""
        if not self._state.closed:
            self._state.close()
            os.close(self._descriptor)

    def __enter__(self) -> WriteBudget:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # flock, not lockf: closing another descriptor of the file in this process must not end the lock.
        with self._in_thread:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    @property
    def _paid_until(self) -> float:
        return float(_PAID_UNTIL.unpack_from(self._state, _PAID_UNTIL_AT)[0])

    @_paid_until.setter
    def _paid_until(self, moment: float) -> None:
        _PAID_UNTIL.pack_into(self._state, _PAID_UNTIL_AT, moment)


_AGAIN = "Run the command again."
