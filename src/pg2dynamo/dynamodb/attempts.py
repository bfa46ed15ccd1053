"""What one request has been through, and how long to go on: `retry`'s verdicts on its answers, for reads and writes.

Does not know what the bodies hold.
"""

from __future__ import annotations

import random
import time

from pg2dynamo.dynamodb.refusal import fatal_error, give_up_error
from pg2dynamo.dynamodb.retry import Verdict, backoff, verdict
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.wire import Answer, Wire
from pg2dynamo.errors import TargetError


class Attempts:
    """The attempts at one request: judge each answer, wait between, and give up in time."""

    def __init__(self, operation: str, table: str, settings: TargetSettings) -> None:
        self._operation = operation
        self._table = table
        self._give_up = settings.give_up_seconds
        self._failures = 0
        self._since = time.monotonic()
        self._why = ""

    def judge(self, wire: Wire, answer: Answer) -> Verdict:
        """Return DONE, SPLIT, AGAIN or THROTTLED. Raises TargetError when no repeat can help."""
        found = verdict(answer.status, answer.error_code)
        if found is Verdict.RENEW and wire.renew_credentials():
            found = Verdict.AGAIN
        if found in (Verdict.RENEW, Verdict.FATAL):
            raise self.refused(answer)
        self._why = answer.message if answer.status == 0 else answer.error_code or f"HTTP status {answer.status}"
        return found

    def refused(self, answer: Answer) -> TargetError:
        """Return the error for an answer that cannot be bettered."""
        return fatal_error(self._operation, self._table, answer.status, answer.error_code, answer.message)

    def progressed(self) -> None:
        """Note that part of the request was done: the time to give up counts anew."""
        self._failures = 0
        self._since = time.monotonic()

    def wait(self, *, throttled: bool, why: str = "") -> None:
        """Wait before the next attempt. Raises TargetError when it has gone on for too long."""
        time.sleep(self.pause_seconds(throttled=throttled, why=why))

    def pause_seconds(self, *, throttled: bool, why: str = "") -> float:
        """Return how long to wait before the next attempt. Raises TargetError when it has gone on for too long."""
        self._failures += 1
        spent = time.monotonic() - self._since
        if spent >= self._give_up:
            raise give_up_error(self._operation, self._table, spent, throttled, why or self._why)
        jitter = random.Random()  # noqa: S311 (made only here: seeding costs more than sending a request)
        return min(backoff(self._failures, jitter), self._give_up - spent)
