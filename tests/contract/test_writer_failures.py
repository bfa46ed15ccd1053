"""The writer against an endpoint that misbehaves: nothing is lost, nothing old comes over something new.

Numbers in brackets are those of the design's list of failures. Each test fails when its rule is off.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import orjson
import pytest

from pg2dynamo.dynamodb import retry
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.wire import Answer, Wire
from pg2dynamo.dynamodb.writer import BatchWriter
from pg2dynamo.errors import (
    TargetDenied,
    TargetRejected,
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
    parsed,
    refuse,
    scripted,
    write,
    writes,
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


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedEndpoint]:
    with scripted(monkeypatch) as endpoint:
        yield endpoint


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
    begin = Wire.begin

    def notice(wire: Wire, operation: str, body: bytes) -> Answer | None:
        answered = begin(wire, operation, body)
        if answered is not None and "refused" in answered.message:
            refused.set()
        return answered

    monkeypatch.setattr(Wire, "begin", notice)

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
    with BatchWriter(PATIENT, TABLE, on_refused=refuse) as writer:
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


@pytest.mark.parametrize("lost", ["held until the client hung up", "dropped", "answered with garbage"])
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

    def garbled(exchange: Exchange) -> None:
        threading.Thread(target=execute_late, args=(exchange,)).start()
        exchange.reply(200, b"<html>")

    def notice(exchange: Exchange) -> Step | None:
        if b'"N":"2"' not in exchange.body:
            return None

        def step(exchange: Exchange) -> None:
            exchange.endpoint.execute(exchange)
            newer_seen.set()
            executed.wait(20)
            exchange.reply(200, b'{"UnprocessedItems":{}}')

        return step

    endpoint.script({"held": held, "dropped": dropped, "answered": garbled}[lost.split()[0]])
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
    written = threading.Event()

    def notice(exchange: Exchange) -> None:
        if "199" in keys_of(exchange):
            written.set()

    endpoint.always(notice)
    began = time.monotonic()
    with BatchWriter(SETTINGS, TABLE, on_refused=refuse) as writer:
        number = 0
        while number < 200 or not written.is_set():
            writer.put(key(number), item(number))
            number += 1
        assert time.monotonic() - began < SETTINGS.request_timeout_seconds
    assert_whole(endpoint, number)


@pytest.mark.parametrize("leave", ["flush", "an error"])
def test_whoever_writes_next_is_safe_from_a_request_of_unknown_fate(endpoint: ScriptedEndpoint, leave: str) -> None:
    """The next writer may be another process: a journal entry or an ended run tells it that all is quiet."""
    timeout_seconds = 1.0
    lost = threading.Event()

    def lose(exchange: Exchange) -> None:
        lost.set()
        raise Hangup

    endpoint.script(lose)
    settings = TargetSettings(in_flight=4, request_timeout_seconds=timeout_seconds)
    writer = BatchWriter(settings, TABLE, on_refused=refuse)
    writer.put(key(1), item(1))
    if leave == "an error":
        endpoint.always(lambda exchange: error(400, "AccessDeniedException"))
    started = time.monotonic()
    with suppress(TargetDenied):
        writer.flush()
    if leave == "an error":
        writer.close()

    assert lost.is_set()
    assert time.monotonic() - started >= timeout_seconds
    writer.close()
