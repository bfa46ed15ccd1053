"""Reading items back: every item once, consistent, whatever comes between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import boto3
import orjson
import pytest

from pg2dynamo.dynamodb.page import Page
from pg2dynamo.dynamodb.scan import get_items, read_pages, scan_pages
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.wire import Wire
from pg2dynamo.dynamodb.writer import BatchWriter
from pg2dynamo.errors import TargetDenied, TargetMissing, TargetRejected, TargetThrottled, TargetUnreachable
from tests.scripted_endpoint import (
    Exchange,
    ScriptedEndpoint,
    Step,
    answer,
    drop,
    error,
    raw,
    throttle,
    truncated,
    wrong_checksum,
)

SETTINGS = TargetSettings(region="us-east-1", in_flight=4)
FEW_SECONDS = TargetSettings(region="us-east-1", in_flight=4, request_timeout_seconds=2.0, give_up_seconds=0.3)
COUNT = 700


def key(number: int) -> dict[str, Any]:
    return {"id": {"N": str(number)}, "at": {"S": f"at {number}"}}


def item(number: int, size: int = 4000) -> dict[str, Any]:
    return {**key(number), "v": {"S": "x" * size}}


def fill(table: str, count: int = COUNT) -> None:
    with BatchWriter(SETTINGS, table, on_refused=lambda k, reason: pytest.fail(reason)) as writer:
        for number in range(count):
            writer.put(orjson.dumps(key(number)), orjson.dumps(item(number)))


def numbers(items: list[dict[str, Any]]) -> list[int]:
    return sorted(int(item["id"]["N"]) for item in items)


@pytest.fixture
def table(aws_environ: dict[str, str], unique: str) -> Iterator[str]:
    client = boto3.client("dynamodb", region_name="us-east-1")
    client.create_table(
        TableName=unique,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "N"},
            {"AttributeName": "at", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=unique)
    yield unique
    client.delete_table(TableName=unique)
    client.close()


@pytest.mark.parametrize("total", [1, 3, 8])
def test_the_segments_together_hold_every_item_once(table: str, total: int) -> None:
    fill(table)

    found = [i for segment in range(total) for page in scan_pages(SETTINGS, table, segment, total) for i in page]

    assert numbers(found) == list(range(COUNT))
    assert found[0] == item(int(found[0]["id"]["N"]))


def test_a_table_larger_than_a_page_comes_in_pages_over_one_connection(table: str) -> None:
    fill(table)
    wire = Wire(SETTINGS)
    try:
        pages = list(scan_pages(SETTINGS, table, 0, 1, wire=wire))
    finally:
        wire.close()

    assert len(pages) > 1
    assert all(pages)


def test_an_empty_table_has_no_pages(table: str) -> None:
    assert list(scan_pages(SETTINGS, table, 0, 1)) == []


def test_keys_alone_can_be_read_though_their_names_are_reserved_words(table: str) -> None:
    fill(table, 5)

    found = [i for page in scan_pages(SETTINGS, table, 0, 1, key_attributes=("id", "at")) for i in page]

    assert sorted(found, key=lambda i: int(i["id"]["N"])) == [key(n) for n in range(5)]


def test_items_are_got_by_key_in_any_number_and_missing_keys_are_left_out(table: str) -> None:
    fill(table, 130)

    found = get_items(SETTINGS, table, [key(n) for n in range(20, 260)])

    assert numbers(found) == list(range(20, 130))


def test_a_key_asked_for_twice_in_two_forms_is_got_once(table: str) -> None:
    fill(table, 2)
    same = {"id": {"N": "1.0"}, "at": {"S": "at 1"}}

    assert numbers(get_items(SETTINGS, table, [key(1), same, key(1)])) == [1]


def test_items_of_more_than_16_mb_together_are_all_got(table: str) -> None:
    with BatchWriter(SETTINGS, table, on_refused=lambda k, reason: pytest.fail(reason)) as writer:
        for number in range(50):
            writer.put(orjson.dumps(key(number)), orjson.dumps(item(number, 400_000)))

    assert numbers(get_items(SETTINGS, table, [key(n) for n in range(50)])) == list(range(50))


def test_no_keys_are_no_items(table: str) -> None:
    assert get_items(SETTINGS, table, []) == []


def test_a_missing_table_is_said_so(aws_environ: dict[str, str], unique: str) -> None:
    with pytest.raises(TargetMissing, match="pg2dynamo prepare"):
        list(scan_pages(SETTINGS, unique, 0, 1))
    with pytest.raises(TargetMissing):
        get_items(SETTINGS, unique, [key(1)])


# Against the scripted endpoint


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint("id", "at") as endpoint:
        for name, value in endpoint.environ.items():
            monkeypatch.setenv(name, value)
        yield endpoint


TROUBLE: dict[str, Step] = {
    "throttled": throttle,
    "dropped": drop,
    "truncated": truncated,
    "a wrong checksum": wrong_checksum,
    "no HTTP": raw(b"\x00\x01\x02 nonsense\r\n\r\n"),
    "not JSON": answer(b"<html></html>"),
    "another object": answer(b'{"hello": 1}'),
    "items of no list": answer(b'{"Items": 3}'),
    "a null": answer(b"null"),
    "500": error(500, "InternalServerError"),
    "503": answer(b"busy", 503),
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_a_scan_goes_on_after(scripted: ScriptedEndpoint, trouble: str) -> None:
    fill("t", 60)
    scripted.page_items = 25
    calls: list[Exchange] = []

    def every_second(exchange: Exchange) -> Step | None:
        calls.append(exchange)
        return TROUBLE[trouble] if len(calls) % 2 else None

    scripted.always(every_second)

    assert numbers([i for page in scan_pages(SETTINGS, "t", 0, 1) for i in page]) == list(range(60))
    assert len(calls) == 6


@pytest.mark.parametrize("trouble", TROUBLE)
def test_getting_items_goes_on_after(scripted: ScriptedEndpoint, trouble: str) -> None:
    fill("t", 60)
    scripted.script(TROUBLE[trouble], TROUBLE[trouble])

    assert numbers(get_items(SETTINGS, "t", [key(n) for n in range(60)])) == list(range(60))


def test_a_page_whose_items_turn_out_damaged_is_asked_for_again(scripted: ScriptedEndpoint) -> None:
    fill("t", 40)
    scripted.page_items = 25
    damaged = (
        b'{"Items":[{"id":{"N":"1"}},{"id":{"N":1x}}],"Count":2,"LastEvaluatedKey":{"id":{"N":"1"},"at":{"S":"x"}}}'
    )
    scripted.script(answer(damaged))

    assert numbers([i for page in read_pages(SETTINGS, "t", 0, 1, list) for i in page]) == list(range(40))


def test_the_next_page_is_on_its_way_while_one_is_read(scripted: ScriptedEndpoint) -> None:
    fill("t", 60)
    scripted.page_items = 25
    asked = [threading.Event() for _ in range(3)]
    events = iter(asked)

    def note(exchange: Exchange) -> None:
        if exchange.operation == "Scan":
            next(events).set()

    scripted.always(note)
    read: list[int] = []

    def read_slowly(page: Page) -> int:
        read.append(len(page))
        assert asked[min(len(read), 2)].wait(20)
        return len(page)

    assert list(read_pages(SETTINGS, "t", 0, 1, read_slowly)) == [25, 25, 10]


def test_a_scan_that_is_left_early_ends_what_it_waits_for(scripted: ScriptedEndpoint) -> None:
    fill("t", 60)
    scripted.page_items = 25
    scans: list[Exchange] = []

    def throttle_after_one(exchange: Exchange) -> Step | None:
        scans.append(exchange)
        return throttle if len(scans) > 1 else None

    scripted.always(throttle_after_one)
    for page in scan_pages(SETTINGS, "t", 0, 1):
        assert len(page) == 25
        break


def test_reads_are_consistent(scripted: ScriptedEndpoint) -> None:
    fill("t", 3)
    list(scan_pages(SETTINGS, "t", 0, 1))
    get_items(SETTINGS, "t", [key(1)])

    scan, get = scripted.requests[-2:]
    assert scan.request["ConsistentRead"] is True
    assert get.request["RequestItems"]["t"]["ConsistentRead"] is True


def test_keys_left_unprocessed_are_asked_for_again(scripted: ScriptedEndpoint) -> None:
    fill("t", 100)

    def leave_most(exchange: Exchange) -> Step | None:
        if exchange.operation != "BatchGetItem":
            return None
        keys = exchange.request["RequestItems"]["t"]["Keys"]

        def step(exchange: Exchange) -> None:
            left = keys[:-30]
            exchange.body = orjson.dumps({"RequestItems": {"t": {"Keys": keys[-30:]}}})
            result = scripted.execute(exchange)
            result["UnprocessedKeys"] = {"t": {"Keys": left, "ConsistentRead": True}} if left else {}
            exchange.reply(200, orjson.dumps(result))

        return step

    scripted.always(leave_most)

    assert numbers(get_items(SETTINGS, "t", [key(n) for n in range(100)])) == list(range(100))


def test_items_that_were_not_asked_for_are_refused(scripted: ScriptedEndpoint) -> None:
    scripted.script(answer(orjson.dumps({"Responses": {"t": [item(9)]}, "UnprocessedKeys": {}})))

    with pytest.raises(TargetRejected, match="not asked for"):
        get_items(SETTINGS, "t", [key(1)])


def test_a_scan_that_does_not_move_on_ends(scripted: ScriptedEndpoint) -> None:
    page = orjson.dumps({"Items": [item(1)], "LastEvaluatedKey": key(1)})
    scripted.always(lambda exchange: answer(page))

    with pytest.raises(TargetRejected, match="twice"):
        list(scan_pages(SETTINGS, "t", 0, 1))


def test_a_scan_gives_up_in_time_when_it_is_throttled_for_ever(scripted: ScriptedEndpoint) -> None:
    scripted.always(lambda exchange: throttle)

    with pytest.raises(TargetThrottled):
        list(scan_pages(FEW_SECONDS, "t", 0, 1))


def test_reading_gives_up_in_time_when_nothing_answers(scripted: ScriptedEndpoint) -> None:
    scripted.stop_listening()

    with pytest.raises(TargetUnreachable, match="connection refused"):
        get_items(FEW_SECONDS, "t", [key(1)])


def test_reading_ends_at_once_when_it_is_denied(scripted: ScriptedEndpoint) -> None:
    scripted.always(lambda exchange: error(400, "AccessDeniedException", "User: … is not authorized"))

    with pytest.raises(TargetDenied):
        list(scan_pages(SETTINGS, "t", 0, 1))
    assert len(scripted.requests) == 1
