"""Write items: batches of 25, many requests in flight, each operation answered for or the run fails.

The one place that writes items. It works while it is called, in the calling thread: whoever gives it operations faster
than they are answered waits in `put`. What it promises:

- An operation counts as done when DynamoDB's answer to it says so, and not before.
- Operations on one key are done in the order they were given; two are never under way at once. After an answer
  was lost, the key rests until the lost request can no longer be executed (`request_timeout_seconds` after
  its connection was closed), so that an old value cannot come late over a new one: neither over one of this
  writer, nor, since flush and close wait as well, over one of whoever writes next.
- Every operation may be sent more than once; all are idempotent.
- An item that DynamoDB refuses is found by halving its batch, and told to the caller; the rest is written.
- With a budget, no request is sent before its write units are there, whatever sends it: first, again, or in halves.
- Memory is bounded, whatever the other side does.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from pg2dynamo.dynamodb.attempts import Attempts
from pg2dynamo.dynamodb.batch import ALL_WRITTEN, MAX_BODY_BYTES, MAX_OPERATIONS, Operation, body_of, unprocessed
from pg2dynamo.dynamodb.delivery import Delivery
from pg2dynamo.dynamodb.endpoint import Endpoint, resolve_endpoint
from pg2dynamo.dynamodb.lanes import Lanes
from pg2dynamo.dynamodb.pacing import Pacing, Units
from pg2dynamo.dynamodb.refusal import is_shape_problem, item_reason
from pg2dynamo.dynamodb.retry import Verdict
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.window import Limit
from pg2dynamo.dynamodb.wire import Answer, Wire
from pg2dynamo.errors import TargetError
from pg2dynamo.mapping.write_units import WriteUnits

OPERATION = "BatchWriteItem"
MAX_OUTSTANDING_BYTES = 16 * 1024 * 1024
"""Bodies given out and not answered for; one batch may always go, so one process holds this and 4 MiB."""
WATCH_SECONDS = 1.0
"""How long one wait for answers lasts at most."""


class BatchWriter:
    """Put and delete items of one table; for one thread. A context manager: leaving it flushes.

    `on_refused(key, reason)` is called within put, delete or flush for each item that DynamoDB refuses; the reason
    holds no value. `units` says how many write units an item takes, for the budget of `settings`. Every method raises
    the first TargetError that occurred; what was not flushed before it may or may not be written.

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
        units: Units | None = None,
    ) -> None:
        self.written = self.deleted = self.refused = self.retried = self.throttled = 0
        self._settings = settings
        self._table = table
        self._on_refused = on_refused
        self._limit = Limit(settings.in_flight)
        self._lanes: Lanes[Delivery] = Lanes(OPERATION, settings, endpoint or resolve_endpoint(settings))
        self._pacing = Pacing(settings, units or WriteUnits())
        self._answered: deque[tuple[Delivery, Wire, Answer]] = deque()
        self._batch: list[Operation] = []
        self._batch_bytes = 0
        self._busy: set[bytes] = set()  # keys of operations given and not answered for, or resting
        self._queue: deque[Delivery] = deque()
        self._pausing: list[Delivery] = []
        self._outstanding = self._outstanding_bytes = 0
        self._resting: list[tuple[float, list[bytes]]] = []
        self._quiet_at = 0.0  # when no lost request can be executed any more
        self._refusals: deque[tuple[bytes, str]] = deque()
        self._error: TargetError | None = None

    def put(self, key: bytes, item: bytes) -> None:
        """Store `item` under `key` (DynamoDB JSON objects), replacing what is there. May wait for room."""
        self._give(key, item)

    def put_many(self, keys: Sequence[bytes], items: Sequence[bytes]) -> None:
        """Put every item under the key at its place; as `put` for each, at a fraction of the cost."""
        start = 0
        while start < len(keys):
            stop = start + MAX_OPERATIONS - len(self._batch)
            names, contents = keys[start:stop], items[start:stop]
            start = stop
            size = self._batch_bytes + sum(map(len, contents))
            if size > MAX_BODY_BYTES or len(set(names)) < len(names) or not self._busy.isdisjoint(names):
                for key, item in zip(names, contents, strict=True):
                    self._give(key, item)
                continue
            self._busy.update(names)
            self._batch += zip(names, contents, strict=True)
            self._batch_bytes = size
            if len(self._batch) == MAX_OPERATIONS:
                self._dispatch()

    def delete(self, key: bytes) -> None:
        """Delete the item of `key`, if there is one. May wait for room."""
        self._give(key, None)

    def flush(self) -> None:
        """Return when everything given so far has been answered for: it is durable in DynamoDB.

        Nothing of it can be executed a second time later: after a lost answer that takes up to
        `request_timeout_seconds`.
        """
        self._dispatch()
        while self._outstanding:
            self._work(WATCH_SECONDS)
        self._tell()
        self._await_quiet()

    def close(self) -> None:
        """End it; what was not flushed may or may not be written, but nothing is written later.

        Waits for requests under way, and for lost ones until they can no longer be executed: each for at most
        `request_timeout_seconds`.
        """
        while self._lanes.under_way:
            self._answered.extend(self._lanes.answers(WATCH_SECONDS))
        # Hazard: when a run ends by an error, a lost request may stand among answers that nobody has judged.
        if any(answer.uncertain for _, _, answer in self._answered):
            self._quiet_at = time.monotonic() + self._settings.request_timeout_seconds
        self._answered.clear()
        self._lanes.close()
        self._pacing.close()
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

    # Taking operations

    def _give(self, key: bytes, item: bytes | None) -> None:
        if key in self._busy:
            self._await_key(key)
        size = len(key if item is None else item)
        if self._batch and self._batch_bytes + size > MAX_BODY_BYTES:
            self._dispatch()
        self._busy.add(key)
        self._batch.append((key, item))
        self._batch_bytes += size
        if len(self._batch) == MAX_OPERATIONS:
            self._dispatch()

    def _await_key(self, key: bytes) -> None:
        """Wait until nothing on this key is under way and no lost request on it can still be executed."""
        self._dispatch()
        while key in self._busy:
            self._work(WATCH_SECONDS)

    def _dispatch(self) -> None:
        """Send the current batch, or queue it, when there is room."""
        self._tell()
        if not self._batch:
            return
        while not self._has_room():
            self._work(WATCH_SECONDS)
        self._queue.append(Delivery(self._batch, self._batch_bytes))
        self._outstanding += 1
        self._outstanding_bytes += self._batch_bytes
        self._batch, self._batch_bytes = [], 0
        self._work(0.0)

    def _has_room(self) -> bool:
        if not self._outstanding:
            return True
        room = self._outstanding < 2 * self._settings.in_flight
        return room and self._outstanding_bytes + self._batch_bytes <= MAX_OUTSTANDING_BYTES

    def _await_quiet(self) -> None:
        """Wait until no lost request can be executed any more."""
        while (seconds := self._quiet_at - time.monotonic()) > 0:
            time.sleep(seconds)

    def _tell(self) -> None:
        """Tell the caller of refused items, and of the error that ended it all."""
        while self._refusals:
            self._on_refused(*self._refusals[0])
            self._refusals.popleft()
        if self._error is not None:
            raise self._error

    # Sending them

    def _work(self, seconds: float) -> None:
        """Send what may be sent and take the answers that are there; wait up to `seconds` for something to happen."""
        self._tell()
        try:
            self._send()
            while self._lanes.sending:  # a caller that is busy elsewhere must not leave a request half sent
                self._answered.extend(self._lanes.answers(WATCH_SECONDS))
            # Looking for answers costs about as much as one: with half of the window free it can wait.
            if not seconds and not self._answered and 2 * self._lanes.under_way < self._limit.requests:
                return
            self._answered.extend(self._lanes.answers(0.0 if self._answered else self._seconds_to_wait(seconds)))
            while self._answered:
                delivery, wire, answer = self._answered[0]
                if answer.status == 200 and answer.body == ALL_WRITTEN:
                    self._limit.succeeded()
                    self._end(delivery)
                else:
                    self._judge(delivery, wire, answer)
                self._answered.popleft()
            self._send()
        except TargetError as error:
            self._error = self._error or error
            raise
        except BaseException as error:
            # Hazard: what was being done may be half done. No later call may take it for success.
            what = f"{OPERATION} on {self._table} was cut short ({type(error).__name__})."
            self._error = self._error or TargetError(what, remedy="Run the command again.")
            raise
        if self._resting:
            self._end_rests()

    def _send(self) -> None:
        """Start what is queued, as far as window and budget allow. Every write request leaves from here."""
        if self._pausing:
            now = time.monotonic()
            self._queue.extend(delivery for delivery in self._pausing if delivery.due <= now)
            self._pausing = [delivery for delivery in self._pausing if delivery.due > now]
        while self._queue and self._lanes.under_way < self._limit.requests and self._pacing.allows(self._queue[0]):
            delivery = self._queue.popleft()
            delivery.generation = self._limit.generation
            body = body_of(self._table, delivery.operations, count_consumed=self._settings.count_consumed)
            self._lanes.start(delivery, body)

    def _seconds_to_wait(self, seconds: float) -> float:
        """Return for how long there is nothing to do but take answers."""
        if not seconds:
            return 0.0
        moments = [delivery.due for delivery in self._pausing] + [end for end, _ in self._resting]
        if self._queue and self._lanes.under_way < self._limit.requests:
            moments.append(self._queue[0].due)
        now = time.monotonic()
        return max(0.0, min([seconds, *(moment - now for moment in moments)]))

    def _judge(self, delivery: Delivery, wire: Wire, answer: Answer) -> None:
        """Do what an answer calls for that is not the usual one."""
        attempts = delivery.attempts = delivery.attempts or Attempts(OPERATION, self._table, self._settings)
        found = attempts.judge(wire, answer)
        if found is Verdict.DONE:
            left = unprocessed(answer.body, self._table, delivery.operations)
        else:
            left = None if answer.uncertain else delivery.operations
        self._pacing.settle(delivery, answer, left)
        if left is None:
            self._let_rest(delivery)
        if found is Verdict.SPLIT:
            self._halve(delivery, answer, attempts)
        elif left is None or left:
            self._again(delivery, attempts, found, left)
        else:
            self._limit.succeeded()
            self._end(delivery)

    def _again(self, delivery: Delivery, attempts: Attempts, found: Verdict, left: Sequence[Operation] | None) -> None:
        """Send what was left undone again after a pause; `left` is None when nothing is known to be done or not."""
        sent = len(delivery.operations)
        throttled = found is Verdict.THROTTLED or (found is Verdict.DONE and left is not None)
        if left is not None and len(left) < sent:
            self._keep(delivery, left)
            attempts.progressed()
        # Few items left undone tell of a hot key range: these wait, and the rest goes on as before.
        if throttled and 2 * len(delivery.operations) >= sent:
            self._limit.throttled(delivery.generation)
        self.throttled += throttled
        self.retried += len(delivery.operations)
        why = "the answer is not DynamoDB's" if found is Verdict.DONE and left is None else ""
        delivery.due = time.monotonic() + attempts.pause_seconds(throttled=throttled, why=why)
        self._pausing.append(delivery)

    def _keep(self, delivery: Delivery, left: Sequence[Operation]) -> None:
        """Go on with what is left of a delivery, and count the rest as done."""
        keys = {key for key, _ in left}
        done = Delivery([operation for operation in delivery.operations if operation[0] not in keys], 0)
        done.rest_until = delivery.rest_until
        delivery.operations = list(left)
        self._outstanding += 1
        self._end(done)

    def _halve(self, delivery: Delivery, answer: Answer, attempts: Attempts) -> None:
        """Find what is refused: send each half by itself, down to one item."""
        if is_shape_problem(answer.message):
            raise attempts.refused(answer)
        if len(delivery.operations) > 1:
            self._queue.extendleft(delivery.halves())
            self._outstanding += 1
            return
        self.refused += 1
        self._refusals.append((delivery.operations[0][0], item_reason(answer.error_code, answer.message)))
        self._release(delivery)

    def _end(self, delivery: Delivery) -> None:
        """Count the delivery as done."""
        deleted = [item for _, item in delivery.operations].count(None)
        self.deleted += deleted
        self.written += len(delivery.operations) - deleted
        self._release(delivery)

    def _release(self, delivery: Delivery) -> None:
        """Let go of what has been answered for; its keys rest while a lost request on them can still be executed."""
        self._outstanding -= 1
        self._outstanding_bytes -= delivery.size
        keys = [key for key, _ in delivery.operations]
        if delivery.rest_until:
            self._resting.append((delivery.rest_until, keys))
        else:
            self._busy.difference_update(keys)

    def _let_rest(self, delivery: Delivery) -> None:
        """Keep the delivery's keys back until a request of unknown fate can no longer be executed."""
        self._quiet_at = delivery.rest_until = time.monotonic() + self._settings.request_timeout_seconds

    def _end_rests(self) -> None:
        """Free the keys of lost requests that can no longer be executed."""
        now = time.monotonic()
        for end, keys in self._resting:
            if end <= now:
                self._busy.difference_update(keys)
        self._resting = [(end, keys) for end, keys in self._resting if end > now]
