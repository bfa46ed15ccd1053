"""The writer against an endpoint that misbehaves: nothing is lost, nothing old comes over something new.

Numbers in brackets are those of the design's list of failures. Each test fails when its rule is off.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from pg2dynamo.dynamodb import retry
from pg2dynamo.dynamodb import writer as writer_module
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.window import Window
from pg2dynamo.dynamodb.wire import Answer, Wire
from pg2dynamo.dynamodb.writer import BatchWriter
from pg2dynamo.errors import (
    TargetDenied,
    TargetError,
    TargetMissing,
    TargetRejected,
    TargetShapeDiffers,
    TargetThrottled,
    TargetUnreachable,
)
from tests.scripted_endpoint import (
    Exchange,
    Hangup,
    ScriptedEndpoint,
    Step,
    answer,
    apply_then_drop,
    close_after,
    drop,
    error,
    hold,
    raw,
    succeed,
    throttle,
    truncated,
    unprocessed,
    wrong_checksum,
)

SETTINGS = TargetSettings(in_flight=4, request_timeout_seconds=10.0, give_up_seconds=60.0)
ONE_BY_ONE = TargetSettings(in_flight=1, request_timeout_seconds=10.0, give_up_seconds=60.0)
IMPATIENT = TargetSettings(in_flight=4, request_timeout_seconds=10.0, give_up_seconds=0.4)
TABLE = "accounts"


def key(number: int) -> bytes:
    return b'{"id":{"S":"%d"}}' % number


def item(number: int, value: int = 0) -> bytes:
    return b'{"id":{"S":"%d"},"v":{"N":"%d"}}' % (number, value)


def parsed(number: int, value: int = 0) -> dict[str, Any]:
    return dict(orjson.loads(item(number, value)))


def refuse(key: bytes, reason: str) -> None:
    pytest.fail(f"refused: {reason}")


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint() as endpoint:
        for name, value in endpoint.environ.items():
            monkeypatch.setenv(name, value)
        yield endpoint
    assert endpoint.key_overlaps == [], "two requests on one key were under way at once"
    assert all(len(keys_of(e)) == len(set(keys_of(e))) for e in writes(endpoint)), "one key twice in a batch"


def writes(endpoint: ScriptedEndpoint) -> list[Exchange]:
    return [exchange for exchange in endpoint.requests if exchange.operation == "BatchWriteItem"]


def keys_of(exchange: Exchange) -> list[str]:
    requests = json.loads(exchange.body)["RequestItems"][TABLE]
    return [(r.get("PutRequest", {}).get("Item") or r["DeleteRequest"]["Key"])["id"]["S"] for r in requests]


def write(count: int, settings: TargetSettings = SETTINGS) -> BatchWriter:
    with BatchWriter(settings, TABLE, on_refused=refuse) as writer:
        for number in range(count):
            writer.put(key(number), item(number))
    return writer


def assert_whole(endpoint: ScriptedEndpoint, count: int) -> None:
    found = sorted(endpoint.stored(TABLE), key=lambda i: int(i["id"]["S"]))
    assert found == [parsed(n) for n in range(count)]


# Everything is answered for


TROUBLE: dict[str, Step] = {
    "an answer lost after the write [25]": apply_then_drop,
    "a dropped connection": drop,
    "a connection closed after its answer": close_after,
    "throttling [26]": throttle,
    "throttling of the account": error(400, "RequestLimitExceeded"),
    "429": answer(b"", 429),
    "some unprocessed [24]": unprocessed(7),
    "one unprocessed": unprocessed(1),
    "all unprocessed": unprocessed(25),
    "a truncated answer": truncated,
    "a wrong checksum": wrong_checksum,
    "no HTTP": raw(b"\x16\x03\x01 nonsense \r\n\r\n"),
    "half a head": raw(b"HTTP/1.1 200 OK\r\ncontent-le"),
    "two answers": raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
    "an upgrade": raw(b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
    "HTML": answer(b"<html>welcome</html>"),
    "an empty body": answer(b""),
    "an empty object": answer(b"{}"),
    "JSON null": answer(b"null"),
    "a page of another operation": answer(b'{"Items": []}'),
    "a redirect": answer(b"", 302),
    "a 404 of something between": answer(b"<html>", 404),
    "500": error(500, "InternalServerError"),
    "503": answer(b"busy", 503),
    "a conflict of replicas": error(400, "ReplicatedWriteConflictException"),
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_nothing_is_lost_by(endpoint: ScriptedEndpoint, trouble: str) -> None:
    endpoint.script(succeed, TROUBLE[trouble], TROUBLE[trouble], succeed, TROUBLE[trouble])

    writer = write(160)

    assert_whole(endpoint, 160)
    assert writer.written == 160


def test_trouble_of_every_kind_by_turns_ends_as_an_undisturbed_run(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "BACKOFF_CAP_SECONDS", 0.2)
    endpoint.script(*TROUBLE.values(), *reversed(TROUBLE.values()))

    assert write(2000).written == 2000

    assert_whole(endpoint, 2000)


def test_a_restarted_endpoint_ends_as_an_undisturbed_run(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped, refused = threading.Event(), threading.Event()
    call = Wire.call

    def notice(wire: Wire, operation: str, body: bytes) -> Answer:
        answered = call(wire, operation, body)
        if "refused" in answered.message:
            refused.set()
        return answered

    monkeypatch.setattr(Wire, "call", notice)

    def stop(exchange: Exchange) -> None:
        exchange.endpoint.stop_listening()
        stopped.set()
        raise Hangup

    def restart() -> None:
        stopped.wait(20)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", endpoint.port), 1)
        refused.wait(20)
        endpoint.listen()

    endpoint.script(succeed, succeed, stop)
    restarter = threading.Thread(target=restart)
    restarter.start()

    writer = write(500)
    restarter.join()

    assert refused.is_set()
    assert_whole(endpoint, 500)
    assert writer.written == 500


def test_only_what_was_left_unprocessed_is_sent_again_as_it_was(endpoint: ScriptedEndpoint) -> None:
    endpoint.script(unprocessed(3))

    writer = write(25, ONE_BY_ONE)

    assert sorted(keys_of(writes(endpoint)[1])) == ["22", "23", "24"]
    assert (writer.written, writer.retried, writer.throttled) == (25, 3, 1)


def test_flush_returns_only_when_everything_is_answered_for(endpoint: ScriptedEndpoint) -> None:
    let_go = threading.Event()
    held = threading.Event()

    endpoint.script(hold(let_go, held))
    flushed = threading.Event()
    with BatchWriter(SETTINGS, TABLE, on_refused=refuse) as writer:
        writer.put(key(1), item(1))

        def flush() -> None:
            writer.flush()
            flushed.set()

        thread = threading.Thread(target=flush)
        thread.start()
        assert held.wait(20)
        assert not flushed.wait(0.2)
        assert writer.written == 0
        let_go.set()
        thread.join()

    assert flushed.is_set()
    assert writer.written == 1


def test_an_answer_that_leaves_items_undone_that_were_not_sent_ends_the_run(endpoint: ScriptedEndpoint) -> None:
    left = {"UnprocessedItems": {TABLE: [{"PutRequest": {"Item": parsed(999)}}]}}
    endpoint.script(answer(orjson.dumps(left)))

    with pytest.raises(TargetRejected, match="not sent"):
        write(10)


# Order by key


def test_operations_on_one_key_are_never_in_one_batch_nor_under_way_at_once(endpoint: ScriptedEndpoint) -> None:
    """The fixture looks at every request that came."""
    with BatchWriter(SETTINGS, TABLE, on_refused=refuse) as writer:
        for value in range(200):
            writer.put(key(value % 3), item(value % 3, value))

    assert endpoint.stored(TABLE) == [parsed(0, 198), parsed(1, 199), parsed(2, 197)]
    assert writer.written == 200


@pytest.mark.parametrize("trouble", ["throttling [26]", "some unprocessed [24]", "500", "a wrong checksum"])
def test_an_older_value_never_lands_after_a_newer_one_when_it_has_to_be_sent_again(
    endpoint: ScriptedEndpoint, trouble: str
) -> None:
    quick = TargetSettings(in_flight=4, request_timeout_seconds=0.5)
    endpoint.script(TROUBLE[trouble], TROUBLE[trouble])

    with BatchWriter(quick, TABLE, on_refused=refuse) as writer:
        for value in range(3):
            for number in range(10):
                writer.put(key(number), item(number, value))

    assert_ordered(endpoint)
    assert all(found["v"]["N"] == "2" for found in endpoint.stored(TABLE))


def assert_ordered(endpoint: ScriptedEndpoint) -> None:
    last: dict[str, int] = {}
    for name, stored in endpoint.history:
        if stored is None:
            continue
        value = int(stored["v"]["N"])
        assert value >= last.get(name, 0)
        last[name] = value


@pytest.mark.parametrize("lost", ["held until the client hung up", "dropped"])
def test_a_request_of_unknown_fate_cannot_bring_an_old_value_over_a_newer_one(
    endpoint: ScriptedEndpoint, lost: str
) -> None:
    """The endpoint executes the lost request as late as it may: half a request timeout after the client let go,
    or at once when the newer value was there before.
    """
    timeout_seconds = 1.0
    newer_seen, executed = threading.Event(), threading.Event()

    def execute_late(exchange: Exchange) -> None:
        newer_seen.wait(timeout_seconds / 2)
        exchange.endpoint.execute(exchange)
        executed.set()

    def held(exchange: Exchange) -> None:
        exchange.wait_until_closed()
        execute_late(exchange)
        raise Hangup

    def dropped(exchange: Exchange) -> None:
        threading.Thread(target=execute_late, args=(exchange,)).start()
        raise Hangup

    def notice(exchange: Exchange) -> Step | None:
        if b'"N":"2"' not in exchange.body:
            return None

        def step(exchange: Exchange) -> None:
            exchange.endpoint.execute(exchange)
            newer_seen.set()
            executed.wait(20)
            exchange.reply(200, b'{"UnprocessedItems":{}}')

        return step

    endpoint.script(held if lost.startswith("held") else dropped)
    endpoint.always(notice)
    settings = TargetSettings(in_flight=4, request_timeout_seconds=timeout_seconds)

    with BatchWriter(settings, TABLE, on_refused=refuse) as writer:
        writer.put(key(1), item(1, 1))
        writer.put(key(1), item(1, 2))
    endpoint.key_overlaps.clear()  # the lost request itself overlaps, by the nature of the test

    assert executed.is_set()
    assert endpoint.stored(TABLE) == [parsed(1, 2)]


def test_other_keys_do_not_wait_for_a_request_of_unknown_fate(endpoint: ScriptedEndpoint) -> None:
    endpoint.script(apply_then_drop)
    settings = TargetSettings(in_flight=2, request_timeout_seconds=60.0)
    started = time.monotonic()

    write(200, settings)

    assert time.monotonic() - started < 30
    assert_whole(endpoint, 200)


# Throttling


def test_throttling_narrows_the_window_and_success_widens_it_again(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    throttled = Window.throttled

    def note(window: Window, generation: int) -> None:
        throttled(window, generation)
        seen.append(window.requests)

    monkeypatch.setattr(Window, "throttled", note)
    endpoint.script(throttle, times=20)
    settings = TargetSettings(in_flight=8)

    with BatchWriter(settings, TABLE, on_refused=refuse) as writer:
        for number in range(3000):
            writer.put(key(number), item(number))
        writer.flush()

        assert min(seen) < 8
        assert writer._window.requests > min(seen)
    assert writer.throttled == 20
    assert_whole(endpoint, 3000)


def test_no_more_requests_are_under_way_than_is_allowed(endpoint: ScriptedEndpoint) -> None:
    all_there = threading.Barrier(4)

    def meet(exchange: Exchange) -> None:
        all_there.wait(20)
        exchange.succeed()

    endpoint.script(meet, times=8)

    write(1000)

    assert endpoint.most_under_way == 4


def test_a_writer_waits_when_too_much_is_under_way(endpoint: ScriptedEndpoint) -> None:
    """Memory is bounded: with every answer held, put must stop taking items."""
    let_go = threading.Event()
    endpoint.always(lambda exchange: hold(let_go))
    given = 0

    def give() -> None:
        nonlocal given
        with BatchWriter(SETTINGS, TABLE, on_refused=refuse) as writer:
            for number in range(2000):
                writer.put(key(number), item(number))
                given = number + 1

    thread = threading.Thread(target=give)
    thread.start()
    thread.join(0.5)
    taken = given
    let_go.set()
    thread.join()

    assert taken < (2 * SETTINGS.in_flight + 2) * 25
    assert_whole(endpoint, 2000)


def test_bodies_under_way_are_bounded_in_bytes(endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "MAX_OUTSTANDING_BYTES", 100_000)
    let_go = threading.Event()
    endpoint.always(lambda exchange: hold(let_go))
    given = 0

    def give() -> None:
        nonlocal given
        with BatchWriter(SETTINGS, TABLE, on_refused=refuse) as writer:
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


# Threads


@pytest.mark.parametrize("what", [RuntimeError("4711-secret"), MemoryError(), SystemExit(1)], ids=repr)
def test_a_thread_that_fails_fails_the_writer(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch, what: BaseException
) -> None:
    def fail(wire: Wire, operation: str, body: bytes) -> None:
        raise what

    monkeypatch.setattr(Wire, "call", fail)

    with pytest.raises(TargetError, match=f"a sending thread failed .{type(what).__name__}") as caught:
        write(100)
    assert "4711" not in str(caught.value)


def test_a_thread_that_ends_without_a_word_fails_the_writer(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BatchWriter, "_run", lambda writer: writer._next())

    with pytest.raises(TargetError, match="ended with its work undone"):
        write(10)


def test_after_a_failure_every_call_says_so_and_nothing_more_is_sent(endpoint: ScriptedEndpoint) -> None:
    endpoint.always(lambda exchange: error(400, "AccessDeniedException"))
    writer = BatchWriter(ONE_BY_ONE, TABLE, on_refused=refuse)
    writer.put(key(1), item(1))
    for act in (writer.flush, writer.flush, lambda: writer.put(key(1), item(1)), writer.flush):
        with pytest.raises(TargetDenied):
            act()
    writer.close()

    assert len(endpoint.requests) == 1


def test_leaving_by_an_error_ends_the_threads_and_waits_for_requests_under_way(endpoint: ScriptedEndpoint) -> None:
    arrived = threading.Event()
    let_go = threading.Event()
    endpoint.always(lambda exchange: hold(let_go, arrived))

    with pytest.raises(KeyboardInterrupt), BatchWriter(SETTINGS, TABLE, on_refused=refuse) as writer:  # noqa: PT012
        for number in range(100):
            writer.put(key(number), item(number))
        assert arrived.wait(20)
        threading.Timer(0.1, let_go.set).start()
        raise KeyboardInterrupt

    assert [t for t in threading.enumerate() if t.name.startswith(TABLE)] == []
    assert {exchange.ended for exchange in endpoint.requests} == {True}
    assert len(endpoint.history) == sum(len(keys_of(exchange)) for exchange in endpoint.requests)


def test_leaving_by_an_error_does_not_wait_for_retries(endpoint: ScriptedEndpoint) -> None:
    endpoint.always(lambda exchange: throttle)
    started = time.monotonic()

    with pytest.raises(KeyboardInterrupt), BatchWriter(SETTINGS, TABLE, on_refused=refuse) as writer:  # noqa: PT012
        for number in range(50):
            writer.put(key(number), item(number))
        raise KeyboardInterrupt

    assert time.monotonic() - started < SETTINGS.give_up_seconds / 2


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
