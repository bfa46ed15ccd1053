"""How a writer ends: after a failure, an interrupt or a refusal, nothing is taken for done that is not."""

from __future__ import annotations

import threading
import time
from _thread import interrupt_main
from collections.abc import Iterator

import pytest

from pg2dynamo.dynamodb import attempts
from pg2dynamo.dynamodb.wire import Wire
from pg2dynamo.dynamodb.writer import BatchWriter
from pg2dynamo.errors import (
    TargetDenied,
    TargetError,
)
from tests.contract.writing import (
    ONE_BY_ONE,
    PATIENT,
    SETTINGS,
    TABLE,
    assert_whole,
    item,
    key,
    keys_of,
    refuse,
    scripted,
    write,
)
from tests.scripted_endpoint import (
    Exchange,
    ScriptedEndpoint,
    Step,
    answer,
    error,
    hold,
    throttle,
)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedEndpoint]:
    with scripted(monkeypatch) as endpoint:
        yield endpoint


def test_after_a_failure_every_call_says_so_and_nothing_more_is_sent(endpoint: ScriptedEndpoint) -> None:
    endpoint.always(lambda exchange: error(400, "AccessDeniedException"))
    writer = BatchWriter(ONE_BY_ONE, TABLE, on_refused=refuse)
    writer.put(key(1), item(1))
    for act in (writer.flush, writer.flush, lambda: writer.put(key(1), item(1)), writer.flush):
        with pytest.raises(TargetDenied):
            act()
    writer.close()

    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("what", [RuntimeError("4711-secret"), MemoryError(), KeyboardInterrupt()], ids=repr)
def test_a_failure_in_the_midst_of_an_answer_is_never_taken_for_success(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch, what: BaseException
) -> None:
    def fail(wire: Wire) -> None:
        raise what

    writer = BatchWriter(SETTINGS, TABLE, on_refused=refuse)
    monkeypatch.setattr(Wire, "advance", fail)
    for number in range(10):
        writer.put(key(number), item(number))
    with pytest.raises(type(what)):
        writer.flush()
    monkeypatch.undo()
    with pytest.raises(TargetError, match="cut short") as caught:
        writer.flush()
    writer.close()

    assert "4711" not in str(caught.value)
    assert writer.written == 0


def test_leaving_by_an_error_waits_for_requests_under_way(endpoint: ScriptedEndpoint) -> None:
    arrived = threading.Event()
    let_go = threading.Event()
    endpoint.always(lambda exchange: hold(let_go, arrived))

    with pytest.raises(KeyboardInterrupt), BatchWriter(PATIENT, TABLE, on_refused=refuse) as writer:  # noqa: PT012
        for number in range(100):
            writer.put(key(number), item(number))
        assert arrived.wait(20)
        threading.Timer(0.1, let_go.set).start()
        raise KeyboardInterrupt

    assert {exchange.ended for exchange in endpoint.requests} == {True}
    assert len(endpoint.history) == sum(len(keys_of(exchange)) for exchange in endpoint.requests)


def test_an_interrupt_does_not_wait_for_retries(endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    def long(attempt: int, rng: object) -> float:
        interrupt_main()
        return 50.0

    monkeypatch.setattr(attempts, "backoff", long)
    endpoint.always(lambda exchange: throttle)
    started = time.monotonic()

    with pytest.raises(KeyboardInterrupt), BatchWriter(SETTINGS, TABLE, on_refused=refuse) as writer:  # noqa: PT012
        for number in range(10_000):
            writer.put(key(number), item(number))

    assert time.monotonic() - started < 25


def test_a_caller_that_fails_when_told_of_a_refusal_is_heard(endpoint: ScriptedEndpoint) -> None:
    endpoint.script(error(400, "ValidationException", "Item size has exceeded the maximum allowed size"))

    def fail(key: bytes, reason: str) -> None:
        raise LookupError

    with pytest.raises(LookupError), BatchWriter(ONE_BY_ONE, TABLE, on_refused=fail) as writer:
        writer.put(key(1), item(1))


def test_refusals_are_told_in_the_calling_thread_before_flush_returns(endpoint: ScriptedEndpoint) -> None:
    def refuse_odd(exchange: Exchange) -> Step | None:
        odd = any(int(name) % 10 == 3 for name in keys_of(exchange))
        return error(400, "ValidationException", "Item size has exceeded the maximum allowed size") if odd else None

    endpoint.always(refuse_odd)
    told: list[tuple[bytes, str, threading.Thread]] = []
    with BatchWriter(
        SETTINGS, TABLE, on_refused=lambda k, r: told.append((k, r, threading.current_thread()))
    ) as writer:
        for number in range(100):
            writer.put(key(number), item(number))
        writer.flush()

        assert sorted(k for k, _, _ in told) == sorted(key(n) for n in range(3, 100, 10))
    assert {thread for _, _, thread in told} == {threading.current_thread()}
    assert {reason for _, reason, _ in told} == {"the item is larger than 409,600 bytes"}
    assert (writer.written, writer.refused) == (90, 10)
    assert len(endpoint.stored(TABLE)) == 90


@pytest.mark.parametrize("status", [400, 413])
def test_a_request_too_large_for_something_between_is_halved(endpoint: ScriptedEndpoint, status: int) -> None:
    def refuse_many(exchange: Exchange) -> Step | None:
        if len(keys_of(exchange)) <= 5:
            return None
        return answer(b"", 413) if status == 413 else error(400, "ValidationException", "too large")

    endpoint.always(refuse_many)

    write(60)

    assert_whole(endpoint, 60)
