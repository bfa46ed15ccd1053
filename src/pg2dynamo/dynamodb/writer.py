"""Write items: batches of 25, many requests in flight, each operation answered for or the run fails.

The one place that writes items. Threads inside, a plain call outside. What it promises:

- An operation counts as done when DynamoDB's answer to it says so, and not before.
- Operations on one key are done in the order they were given; two are never under way at once. After an answer
  was lost, the key rests until the lost request can no longer be executed (`request_timeout_seconds` after
  its connection was closed), so that an old value cannot come late over a new one: neither over one of this
  writer, nor, since flush and close wait as well, over one of whoever writes next.
- Every operation may be sent more than once; all are idempotent.
- An item that DynamoDB refuses is found by halving its batch, and told to the caller; the rest is written.
- Memory is bounded, whatever the other side does.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from pg2dynamo.dynamodb.attempts import Attempts, Stopped
from pg2dynamo.dynamodb.batch import (
    MAX_BODY_BYTES,
    MAX_OPERATIONS,
    Operation,
    body_of,
    delete_operation,
    put_operation,
    unprocessed,
)
from pg2dynamo.dynamodb.endpoint import Endpoint, resolve_endpoint
from pg2dynamo.dynamodb.refusal import is_shape_problem, item_reason
from pg2dynamo.dynamodb.retry import Verdict
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.window import Window
from pg2dynamo.dynamodb.wire import Answer, Wire
from pg2dynamo.errors import TargetError

OPERATION = "BatchWriteItem"
MAX_OUTSTANDING_BYTES = 64 * 1024 * 1024
"""Bodies given out and not answered for; one batch may always go, so one process holds this and 4 MiB."""
WATCH_SECONDS = 1.0
"""How often a waiting caller looks whether its threads still live."""


class _Batch:
    """Operations on different keys, on their way."""

    __slots__ = ("operations", "rest_until", "size")

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.size = 0
        self.rest_until: float | None = None  # when a request of unknown fate can no longer be executed

    def takes(self, size: int) -> bool:
        return len(self.operations) < MAX_OPERATIONS and self.size + size <= MAX_BODY_BYTES

    def add(self, operation: Operation) -> None:
        self.operations.append(operation)
        self.size += len(operation.request)


class BatchWriter:
    """Put and delete items of one table; for one calling thread. A context manager: leaving it flushes.

    `on_refused(key, reason)` is called in the calling thread, within put, delete or flush, for each item that
    DynamoDB refuses; the reason holds no value. Every method raises the first TargetError that occurred; what
    was not flushed before it may or may not be written.

    `written` and `deleted` count operations answered for, `refused` those told to `on_refused`, `retried`
    operations sent again, `throttled` the answers that asked to slow down.
    """

    def __init__(
        self,
        settings: TargetSettings,
        table: str,
        *,
        on_refused: Callable[[bytes, str], None],
        endpoint: Endpoint | None = None,
    ) -> None:
        self.written = self.deleted = self.refused = self.retried = self.throttled = 0
        self._settings = settings
        self._table = table
        self._on_refused = on_refused
        self._endpoint = endpoint or resolve_endpoint(settings)
        self._window = Window(settings.in_flight)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._batch = _Batch()
        self._busy: set[bytes] = set()  # keys of operations given and not answered for, or resting
        lock = threading.Lock()
        self._given = threading.Condition(lock)  # threads wait here for batches
        self._answered = threading.Condition(lock)  # the caller waits here for answers
        self._queue: deque[_Batch] = deque()
        self._outstanding = self._outstanding_bytes = self._idle = 0
        self._resting: list[_Batch] = []
        self._quiet_at = 0.0  # when no lost request can be executed any more
        self._refusals: deque[tuple[bytes, str]] = deque()
        self._error: TargetError | None = None

    def put(self, key: bytes, item: bytes) -> None:
        """Store `item` under `key` (DynamoDB JSON objects), replacing what is there. May wait for room."""
        self._give(put_operation(key, item))

    def delete(self, key: bytes) -> None:
        """Delete the item of `key`, if there is one. May wait for room."""
        self._give(delete_operation(key))

    def flush(self) -> None:
        """Return when everything given so far has been answered for: it is durable in DynamoDB.

        Nothing of it can be executed a second time later: after a lost answer that takes up to
        `request_timeout_seconds`.
        """
        self._dispatch()
        with self._answered:
            while self._outstanding and self._error is None:
                self._await_answer()
        self._tell()
        self._await_quiet()

    def close(self) -> None:
        """End the threads; what was not flushed may or may not be written, but nothing is written later.

        Waits for requests under way, and for lost ones until they can no longer be executed: each for at most
        `request_timeout_seconds`.
        """
        self._stop.set()
        with self._given:
            self._given.notify_all()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        self._await_quiet()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.flush()
        finally:
            self.close()

    # The caller's side

    def _give(self, operation: Operation) -> None:
        if operation.key in self._busy:
            self._await_key(operation.key)
        if not self._batch.takes(len(operation.request)):
            self._dispatch()
        self._busy.add(operation.key)
        self._batch.add(operation)
        if len(self._batch.operations) == MAX_OPERATIONS:
            self._dispatch()

    def _await_key(self, key: bytes) -> None:
        """Wait until nothing on this key is under way and no lost request on it can still be executed."""
        self._dispatch()
        with self._answered:
            self._end_rests()
            while key in self._busy and self._error is None:
                self._await_answer()
                self._end_rests()
        self._tell()

    def _dispatch(self) -> None:
        """Hand the current batch to the threads, when there is room."""
        self._tell()
        batch = self._batch
        if not batch.operations:
            return
        with self._answered:
            while not self._has_room(batch) and self._error is None:
                self._await_answer()
            self._end_rests()
            self._outstanding += 1
            self._outstanding_bytes += batch.size
            self._queue.append(batch)
            self._batch = _Batch()
            self._given.notify()
            start = self._idle < len(self._queue) and len(self._threads) < self._settings.in_flight
        if start:
            self._start_thread()

    def _await_quiet(self) -> None:
        """Wait until no lost request can be executed any more."""
        while (seconds := self._quiet_at - time.monotonic()) > 0:
            time.sleep(seconds)

    def _has_room(self, batch: _Batch) -> bool:
        if not self._outstanding:
            return True
        room = self._outstanding < 2 * self._settings.in_flight
        return room and self._outstanding_bytes + batch.size <= MAX_OUTSTANDING_BYTES

    def _await_answer(self) -> None:
        """Wait for a thread to report, but not for a dead one. Call with the lock held."""
        self._answered.wait(self._seconds_to_look())
        if self._error is None and not all(thread.is_alive() for thread in self._threads):
            self._error = TargetError(f"{OPERATION} on {self._table}: a sending thread ended with its work undone.")

    def _seconds_to_look(self) -> float:
        now = time.monotonic()
        ends = [batch.rest_until - now for batch in self._resting if batch.rest_until is not None]
        return max(0.0, min([WATCH_SECONDS, *ends]))

    def _end_rests(self) -> None:
        """Free the keys of lost requests that can no longer be executed. Call with the lock held."""
        if not self._resting:
            return
        now = time.monotonic()
        for batch in self._resting:
            if batch.rest_until is not None and batch.rest_until <= now:
                self._busy.difference_update([operation.key for operation in batch.operations])
                batch.rest_until = None
        self._resting = [batch for batch in self._resting if batch.rest_until is not None]

    def _tell(self) -> None:
        """Tell the caller of refused items, and of the error that ended it all."""
        while self._refusals:
            self._on_refused(*self._refusals[0])
            self._refusals.popleft()
        if self._error is not None:
            raise self._error

    # The threads' side

    def _start_thread(self) -> None:
        name = f"{self._table}-sender-{len(self._threads)}"
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        try:
            wire = Wire(self._settings, self._endpoint)
            try:
                while (batch := self._next()) is not None:
                    self._send(wire, batch, batch.operations)
                    self._finish(batch)
            finally:
                wire.close()
        except Stopped:
            return
        except TargetError as error:
            self._fail(error)
        except BaseException as error:  # noqa: BLE001 (a thread that dies unheard would lose its batch)
            place = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__} in {place.name}, line {place.lineno}"
            self._fail(TargetError(f"{OPERATION} on {self._table}: a sending thread failed ({what})."))

    def _next(self) -> _Batch | None:
        with self._given:
            self._idle += 1
            while not self._queue and not self._stop.is_set():
                self._given.wait()
            self._idle -= 1
            return None if self._stop.is_set() else self._queue.popleft()

    def _finish(self, batch: _Batch) -> None:
        with self._answered:
            self._outstanding -= 1
            self._outstanding_bytes -= batch.size
            if batch.rest_until is None:
                self._busy.difference_update([operation.key for operation in batch.operations])
            else:
                self._resting.append(batch)
            self._answered.notify()

    def _fail(self, error: TargetError) -> None:
        self._stop.set()
        with self._answered:
            self._error = self._error or error
            self._answered.notify_all()
            self._given.notify_all()

    def _send(self, wire: Wire, batch: _Batch, operations: Sequence[Operation]) -> None:
        """Send until every operation is answered for."""
        attempts = Attempts(OPERATION, self._table, self._settings, self._stop)
        while operations:
            answer, generation = self._exchange(wire, operations)
            if answer.uncertain:
                self._let_rest(batch)
            found = attempts.judge(wire, answer)
            if found is Verdict.SPLIT:
                return self._halve(wire, batch, operations, answer, attempts)
            left = unprocessed(answer.body, self._table, operations) if found is Verdict.DONE else list(operations)
            if left is not None and len(left) < len(operations):
                self._count_done(operations, left)
                attempts.progressed()
            if left == []:
                return self._window.succeeded()
            throttled = found is Verdict.THROTTLED or (found is Verdict.DONE and left is not None)
            if left is None:
                self._let_rest(batch)
            operations = operations if left is None else left
            self._count_again(operations, generation, throttled)
            attempts.wait(throttled=throttled, why="" if left is not None else "the answer is not DynamoDB's")
        return None

    def _exchange(self, wire: Wire, operations: Sequence[Operation]) -> tuple[Answer, int]:
        """Send one request. Every write request leaves from here: a budget of write units is asked here."""
        body = body_of(self._table, operations)
        with self._window.request() as generation:
            if self._stop.is_set():
                raise Stopped
            return wire.call(OPERATION, body), generation

    def _let_rest(self, batch: _Batch) -> None:
        """Keep the batch's keys back until a request of unknown fate can no longer be executed."""
        self._quiet_at = batch.rest_until = time.monotonic() + self._settings.request_timeout_seconds

    def _halve(
        self, wire: Wire, batch: _Batch, operations: Sequence[Operation], answer: Answer, attempts: Attempts
    ) -> None:
        """Find what is refused: send each half by itself, down to one item."""
        if is_shape_problem(answer.message):
            raise attempts.refused(answer)
        if len(operations) > 1:
            middle = len(operations) // 2
            self._send(wire, batch, operations[:middle])
            self._send(wire, batch, operations[middle:])
            return
        with self._answered:
            self.refused += 1
            self._refusals.append((operations[0].key, item_reason(answer.error_code, answer.message)))

    def _count_done(self, operations: Sequence[Operation], left: Sequence[Operation]) -> None:
        deleted = sum([o.is_delete for o in operations]) - sum([o.is_delete for o in left])
        with self._answered:
            self.deleted += deleted
            self.written += len(operations) - len(left) - deleted

    def _count_again(self, operations: Sequence[Operation], generation: int, throttled: bool) -> None:
        if throttled:
            self._window.throttled(generation)
        with self._answered:
            self.retried += len(operations)
            self.throttled += throttled
