"""Requests under way at the same time, over connections that are kept: one thread, which waits for all of them at once.

Moves bodies out and answers in; knows neither what a body holds nor what an answer means.
"""

from __future__ import annotations

import select
import time
from typing import Generic, TypeVar

from pg2dynamo.dynamodb.endpoint import Endpoint
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.signing import Signer
from pg2dynamo.dynamodb.wire import Answer, Wire

T = TypeVar("T")


class Lanes(Generic[T]):
    """Send requests of one operation, each with a token by which its answer is known again.

    A lane is a connection with at most one request under way; lanes are opened when none is idle. Every request that
    was started is answered for exactly once by `answers`, if only by its having had no answer in time.
    """

    def __init__(self, operation: str, settings: TargetSettings, endpoint: Endpoint) -> None:
        self._operation, self._settings, self._endpoint = operation, settings, endpoint
        self._signer = Signer(endpoint.scope)
        self._idle: list[Wire] = []
        self._under_way: dict[int, tuple[Wire, T]] = {}  # by descriptor, the earliest deadline first
        self._sending: set[int] = set()  # descriptors of requests that are not sent to their end
        self._ended: list[tuple[T, Wire, Answer]] = []
        self._poll = select.poll()

    @property
    def under_way(self) -> int:
        """How many requests have been started and not been given back with their answers."""
        return len(self._under_way) + len(self._ended)

    @property
    def sending(self) -> bool:
        """Whether a request has gone out in part only, as its body did not fit between here and there."""
        return bool(self._sending)

    def start(self, token: T, body: bytes) -> None:
        """Send a request. Waits for a new connection only. Raises TargetDenied when nothing signs it."""
        wire = self._idle.pop() if self._idle else Wire(self._settings, self._endpoint, self._signer)
        answer = wire.begin(self._operation, body)
        if answer is not None:
            self._ended.append((token, wire, answer))
            return
        self._under_way[wire.fileno()] = wire, token
        self._watch(wire)

    def answers(self, seconds: float) -> list[tuple[T, Wire, Answer]]:
        """Return the answers that are there, and the wires they came by; waits up to `seconds` for the first."""
        if self._ended:
            seconds = 0.0
        elif self._under_way and seconds > 0:
            seconds = max(0.0, min(seconds, self._first_deadline() - time.monotonic()))
        for descriptor, _ in self._poll.poll(seconds * 1000):
            self._advance(descriptor)
        self._expire()
        ended, self._ended = self._ended, []
        self._idle += [wire for _, wire, _ in ended]
        return ended

    def close(self) -> None:
        """Close the connections; requests under way are given up."""
        for wire in [*self._idle, *(wire for wire, _ in self._under_way.values())]:
            wire.close()
        self._idle.clear()
        self._sending.clear()
        self._under_way.clear()
        self._ended.clear()

    def _advance(self, descriptor: int) -> None:
        wire, token = self._under_way[descriptor]
        try:
            answer = wire.advance()
        except BaseException:
            self._end(descriptor, wire, token, wire.expire())  # of its fate nothing is known
            raise
        if answer is not None:
            self._end(descriptor, wire, token, answer)
        else:
            self._watch(wire)

    def _watch(self, wire: Wire) -> None:
        descriptor, events = wire.fileno(), wire.events
        self._poll.register(descriptor, events)
        if events & select.POLLOUT:
            self._sending.add(descriptor)
        else:
            self._sending.discard(descriptor)

    def _end(self, descriptor: int, wire: Wire, token: T, answer: Answer) -> None:
        self._poll.unregister(descriptor)
        self._sending.discard(descriptor)
        del self._under_way[descriptor]
        self._ended.append((token, wire, answer))

    def _first_deadline(self) -> float:
        wire, _ = next(iter(self._under_way.values()))
        return wire.deadline

    def _expire(self) -> None:
        """Give up requests whose time is over, which what has come by now did not answer."""
        while self._under_way and self._first_deadline() <= time.monotonic():
            descriptor, (wire, token) = next(iter(self._under_way.items()))
            self._end(descriptor, wire, token, wire.expire())
