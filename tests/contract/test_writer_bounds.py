"""The writer knows its bounds: in requests, bytes, write units and time; and what cannot succeed ends at once."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from pg2dynamo.dynamodb import retry
from pg2dynamo.dynamodb import writer as writer_module
from pg2dynamo.dynamodb.budget import WriteBudget
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.window import Limit
from pg2dynamo.dynamodb.writer import BatchWriter
from pg2dynamo.errors import (
    StageError,
    TargetDenied,
    TargetError,
    TargetMissing,
    TargetShapeDiffers,
    TargetThrottled,
    TargetUnreachable,
)
from tests.contract.writing import (
    IMPATIENT,
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
    writes,
)
from tests.scripted_endpoint import (
    Exchange,
    ScriptedEndpoint,
    Step,
    answer,
    drop,
    error,
    hold,
    throttle,
    unprocessed,
    wrong_checksum,
)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedEndpoint]:
    with scripted(monkeypatch) as endpoint:
        yield endpoint


# Throttling


def test_throttling_narrows_the_window_and_success_widens_it_again(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    throttled = Limit.throttled

    def note(limit: Limit, generation: int) -> None:
        throttled(limit, generation)
        seen.append(limit.requests)

    monkeypatch.setattr(Limit, "throttled", note)
    endpoint.script(throttle, times=20)
    settings = TargetSettings(in_flight=8)

    with BatchWriter(settings, TABLE, on_refused=refuse) as writer:
        for number in range(3000):
            writer.put(key(number), item(number))
        writer.flush()

        assert min(seen) < 8
        assert writer._limit.requests > min(seen)
    assert writer.throttled == 20
    assert_whole(endpoint, 3000)


def test_as_few_requests_are_under_way_as_throttling_leaves(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every answer but the last of each batch tells of throttling: after the first ones a single request is left."""
    monkeypatch.setattr(retry, "BACKOFF_CAP_SECONDS", 0.01)

    def leave_most(exchange: Exchange) -> Step | None:
        if len(endpoint.requests) == 8:
            endpoint.most_under_way = 1
        count = len(keys_of(exchange))
        return unprocessed(count - 1) if count > 1 else None

    endpoint.always(leave_most)

    write(100, PATIENT)

    assert endpoint.most_under_way == 1
    assert_whole(endpoint, 100)


def test_a_few_items_left_undone_hold_back_themselves_and_not_the_rest(endpoint: ScriptedEndpoint) -> None:
    """A hot key range is throttled by itself; the others are not."""
    hot = {"3", "30"}
    endpoint.always(lambda exchange: leave(exchange, hot) if len(endpoint.requests) <= 40 else None)

    with BatchWriter(PATIENT, TABLE, on_refused=refuse) as writer:
        for number in range(800):
            writer.put(key(number), item(number))
        writer.flush()
        assert writer._limit.requests == PATIENT.in_flight
    assert writer.throttled >= 2
    assert_whole(endpoint, 800)


def leave(exchange: Exchange, hot: set[str]) -> Step | None:
    """Put the hot ones last and leave them undone."""
    (table, requests), *_ = exchange.request["RequestItems"].items()
    requests.sort(key=lambda request: request["PutRequest"]["Item"]["id"]["S"] in hot)
    exchange.body = orjson.dumps({"RequestItems": {table: requests}})
    count = len(hot.intersection(keys_of(exchange)))
    return unprocessed(count) if 0 < count < len(requests) else None


def test_no_more_requests_are_under_way_than_is_allowed(endpoint: ScriptedEndpoint) -> None:
    all_there = threading.Barrier(4)

    def meet(exchange: Exchange) -> None:
        all_there.wait(20)
        exchange.succeed()

    endpoint.script(meet, times=8)

    write(1000, PATIENT)

    assert endpoint.most_under_way == 4


def test_a_writer_waits_when_too_much_is_under_way(endpoint: ScriptedEndpoint) -> None:
    """Memory is bounded: with every answer held, put must stop taking items."""
    let_go = threading.Event()
    endpoint.always(lambda exchange: hold(let_go))
    given = 0

    def give() -> None:
        nonlocal given
        with BatchWriter(PATIENT, TABLE, on_refused=refuse) as writer:
            for number in range(2000):
                writer.put(key(number), item(number))
                given = number + 1

    thread = threading.Thread(target=give)
    thread.start()
    thread.join(0.5)
    taken = given
    let_go.set()
    thread.join()

    assert taken < (2 * PATIENT.in_flight + 2) * 25
    assert_whole(endpoint, 2000)


def test_bodies_under_way_are_bounded_in_bytes(endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "MAX_OUTSTANDING_BYTES", 100_000)
    let_go = threading.Event()
    endpoint.always(lambda exchange: hold(let_go))
    given = 0

    def give() -> None:
        nonlocal given
        with BatchWriter(PATIENT, TABLE, on_refused=refuse) as writer:
            for number in range(100):
                padding = orjson.dumps({"id": {"S": str(number)}, "v": {"S": "x" * 20_000}})
                writer.put(key(number), padding)
                given = number + 1

    thread = threading.Thread(target=give)
    thread.start()
    thread.join(0.5)
    taken = given
    let_go.set()
    thread.join()

    assert taken <= 50  # one batch of 500,000 bytes may go when nothing else is under way, and one is collected
    assert len(endpoint.stored(TABLE)) == 100


@pytest.mark.parametrize(("count", "size"), [(25, 100), (26, 100), (12, 400_000)])
def test_a_batch_keeps_to_the_limits_of_the_service(endpoint: ScriptedEndpoint, count: int, size: int) -> None:
    """25 requests; 16 MB, of which a quarter is used."""
    with BatchWriter(ONE_BY_ONE, TABLE, on_refused=refuse) as writer:
        for number in range(count):
            writer.put(key(number), orjson.dumps({"id": {"S": str(number)}, "v": {"S": "x" * size}}))

    expected = {(25, 100): [25], (26, 100): [25, 1], (12, 400_000): [10, 2]}[count, size]
    assert [len(keys_of(exchange)) for exchange in writes(endpoint)] == expected
    assert max(len(exchange.body) for exchange in writes(endpoint)) < 16_000_000


def test_items_given_by_the_dozen_fill_whole_batches(endpoint: ScriptedEndpoint) -> None:
    with BatchWriter(ONE_BY_ONE, TABLE, on_refused=refuse) as writer:
        for start in range(0, 120, 12):
            numbers = range(start, start + 12)
            writer.put_many([key(n) for n in numbers], [item(n) for n in numbers])

    assert [len(keys_of(exchange)) for exchange in writes(endpoint)] == [25, 25, 25, 25, 20]
    assert_whole(endpoint, 120)


def test_large_items_given_together_make_no_request_over_the_limit(endpoint: ScriptedEndpoint) -> None:
    large = [orjson.dumps({"id": {"S": str(n)}, "v": {"S": "x" * 400_000}}) for n in range(12)]
    with BatchWriter(ONE_BY_ONE, TABLE, on_refused=refuse) as writer:
        writer.put_many([key(n) for n in range(12)], large)

    assert [len(keys_of(exchange)) for exchange in writes(endpoint)] == [10, 2]


def test_a_caller_that_is_busy_elsewhere_leaves_no_request_half_sent(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit into the connection's buffers is sent before `put` returns."""
    connect = socket.create_connection

    def connect_narrowly(address: tuple[str, int], timeout: float) -> socket.socket:
        connection = connect(address, timeout)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8_192)
        return connection

    monkeypatch.setattr(socket, "create_connection", connect_narrowly)
    arrived = threading.Event()
    endpoint.always(lambda exchange: arrived.set())
    large = [orjson.dumps({"id": {"S": str(n)}, "v": {"S": "x" * 399_000}}) for n in range(11)]

    with BatchWriter(PATIENT, TABLE, on_refused=refuse) as writer:
        for number, content in enumerate(large):
            writer.put(key(number), content)
        assert arrived.wait(20)


# The budget


def test_no_more_is_written_by_any_moment_than_the_budget_allows(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """All requests count, also those that write again what was left undone."""
    arrivals: list[tuple[float, int]] = []

    def note(exchange: Exchange) -> Step | None:
        arrivals.append((time.monotonic(), len(keys_of(exchange))))
        return unprocessed(20) if len(arrivals) in (2, 5) else None

    endpoint.always(note)
    units_per_second = 100
    settings = replace(PATIENT, budget_file=str(tmp_path / "budget"))
    began = time.monotonic()
    with WriteBudget.create(tmp_path / "budget", units_per_second):
        write(250, settings)

    assert_whole(endpoint, 250)
    done = 0
    for number, (moment, items) in enumerate(arrivals, start=1):
        done += items
        given_back = 20 * ((number > 2) + (number > 5))
        assert done - given_back <= units_per_second * (1 + moment - began)


def test_a_budget_that_is_gone_ends_the_run(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="budget is gone"):
        write(1, replace(SETTINGS, budget_file=str(tmp_path / "budget")))


# What cannot succeed ends at once


@pytest.mark.parametrize(
    ("step", "kind", "words"),
    [
        (error(400, "AccessDeniedException", "User: … is not authorized"), TargetDenied, "policy"),
        (error(400, "ResourceNotFoundException"), TargetMissing, "pg2dynamo prepare"),
        (error(400, "UnrecognizedClientException"), TargetDenied, "AWS_ACCESS_KEY_ID"),
        (error(400, "InvalidSignatureException", "Signature expired: x is now earlier than y"), TargetDenied, "clock"),
        (error(400, "RequestExpired"), TargetDenied, "clock"),
        (error(403, "SignatureDoesNotMatch"), TargetDenied, "AWS_SECRET_ACCESS_KEY"),
        (error(400, "IncompleteSignature"), TargetDenied, "AWS_ACCESS_KEY_ID"),
        (error(400, "ExpiredTokenException"), TargetDenied, "Log in again"),
        (
            error(400, "ValidationException", "The provided key element does not match the schema"),
            TargetShapeDiffers,
            "key",
        ),
        (answer(b"<html>forbidden</html>", 403), TargetDenied, "403"),
    ],
)
def test_what_cannot_succeed_ends_at_once_with_what_to_do(
    endpoint: ScriptedEndpoint, step: Step, kind: type[TargetError], words: str
) -> None:
    endpoint.always(lambda exchange: step)

    with pytest.raises(kind, match=words):
        write(2000)

    assert len(endpoint.requests) <= 2 * SETTINGS.in_flight


def test_endless_throttling_ends_in_time(endpoint: ScriptedEndpoint) -> None:
    endpoint.always(lambda exchange: throttle)

    with pytest.raises(TargetThrottled, match="slow the copy"):
        write(100, IMPATIENT)


def test_endless_unprocessed_items_end_in_time(endpoint: ScriptedEndpoint) -> None:
    endpoint.always(lambda exchange: unprocessed(len(keys_of(exchange))))

    with pytest.raises(TargetThrottled):
        write(100, IMPATIENT)


def test_throttling_with_progress_never_ends_the_run(endpoint: ScriptedEndpoint) -> None:
    """25 answers, each with a wait, take longer than the time to give up without success."""
    endpoint.always(lambda exchange: unprocessed(len(keys_of(exchange)) - 1))

    write(25, TargetSettings(in_flight=1, give_up_seconds=0.06))

    assert_whole(endpoint, 25)


@pytest.mark.parametrize(
    "step",
    [answer(b"<html>"), error(500, "InternalServerError"), drop, wrong_checksum],
    ids=["garbage", "500", "drop", "crc"],
)
def test_an_endpoint_that_never_recovers_ends_the_run_in_time(endpoint: ScriptedEndpoint, step: Step) -> None:
    endpoint.always(lambda exchange: step)

    with pytest.raises(TargetUnreachable):
        write(100, IMPATIENT)
    assert endpoint.stored(TABLE) == []


def test_an_endpoint_that_is_not_there_ends_the_run_in_time(endpoint: ScriptedEndpoint) -> None:
    endpoint.stop_listening()

    with pytest.raises(TargetUnreachable, match="connection refused"):
        write(100, IMPATIENT)


def test_an_answer_that_drips_is_cut_off_by_the_timeout(endpoint: ScriptedEndpoint) -> None:
    def drip(exchange: Exchange) -> None:
        exchange.endpoint.note_end(exchange)
        exchange.connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        gone = threading.Event()
        while not gone.wait(0.05):
            exchange.connection.sendall(b"x")

    endpoint.script(drip)

    writer = write(3, TargetSettings(in_flight=1, request_timeout_seconds=0.5))

    assert_whole(endpoint, 3)
    assert writer.retried == 3
