"""The writer against real DynamoDBs: what is flushed is there, what is refused is told, order is kept."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from typing import Any

import boto3
import orjson
import pytest

from pg2dynamo.dynamodb.scan import get_items, scan_pages
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.writer import BatchWriter
from pg2dynamo.errors import TargetMissing, TargetShapeDiffers

SETTINGS = TargetSettings(region="us-east-1", in_flight=4)
MAX_ITEM_BYTES = 409_600


def key(number: int) -> bytes:
    return b'{"id":{"S":"%d"}}' % number


def item(number: int, value: str = "x") -> bytes:
    return orjson.dumps({"id": {"S": str(number)}, "v": {"S": value}})


def refuse(key: bytes, reason: str) -> None:
    pytest.fail(f"refused: {reason}")


@pytest.fixture
def table(aws_environ: dict[str, str], unique: str) -> Iterator[str]:
    client = boto3.client("dynamodb", region_name="us-east-1")
    client.create_table(
        TableName=unique,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "status", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-status",
                "KeySchema": [{"AttributeName": "status", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=unique)
    yield unique
    client.delete_table(TableName=unique)
    client.close()


def stored(table: str) -> dict[str, Any]:
    return {i["id"]["S"]: i for page in scan_pages(SETTINGS, table, 0, 1) for i in page}


def test_what_is_flushed_is_there(table: str) -> None:
    with BatchWriter(SETTINGS, table, on_refused=refuse) as writer:
        for number in range(510):
            writer.put(key(number), item(number))
        writer.flush()

        assert stored(table) == {str(n): orjson.loads(item(n)) for n in range(510)}
    assert (writer.written, writer.deleted, writer.refused) == (510, 0, 0)


def test_a_put_replaces_and_a_delete_removes_also_what_is_not_there(table: str) -> None:
    with BatchWriter(SETTINGS, table, on_refused=refuse) as writer:
        for number in range(60):
            writer.put(key(number), item(number, "old"))
        for number in range(30):
            writer.put(key(number), item(number, "new"))
        for number in range(20, 90):
            writer.delete(key(number))

    assert stored(table) == {str(n): orjson.loads(item(n, "new")) for n in range(20)}
    assert (writer.written, writer.deleted) == (90, 70)


def test_random_operations_end_as_if_done_one_by_one(table: str) -> None:
    chosen, model = random.Random(4), dict[str, Any]()
    with BatchWriter(SETTINGS, table, on_refused=refuse) as writer:
        for step in range(1500):
            number = chosen.randrange(40)
            if chosen.random() < 0.3:
                writer.delete(key(number))
                model.pop(str(number), None)
            else:
                writer.put(key(number), item(number, str(step)))
                model[str(number)] = orjson.loads(item(number, str(step)))

    assert stored(table) == model


def test_many_at_once_end_as_if_given_one_by_one_also_when_keys_come_again(table: str) -> None:
    chosen, model = random.Random(5), dict[str, Any]()
    with BatchWriter(SETTINGS, table, on_refused=refuse) as writer:
        for step in range(60):
            numbers = [chosen.randrange(200) for _ in range(chosen.randrange(80))]
            contents = [item(number, f"{step} {place}") for place, number in enumerate(numbers)]
            writer.put_many([key(number) for number in numbers], contents)
            model.update(
                {str(number): orjson.loads(content) for number, content in zip(numbers, contents, strict=True)}
            )
            for number in numbers[:2]:
                writer.delete(key(number))
                model.pop(str(number), None)

    assert stored(table) == model


POISON = {
    "too large": ({"v": {"S": "x" * MAX_ITEM_BYTES}}, "409,600 bytes"),
    "39 digits": ({"v": {"N": "1" * 39}}, "38 significant digits"),
    "number too great": ({"v": {"N": "1e126"}}, "range"),
    "no number": ({"v": {"N": "4711-secret"}}, "number"),
    "index key of another type": ({"status": {"N": "4711"}}, "index"),
    "empty index key": ({"status": {"S": ""}}, "empty"),
    "nested too deeply": ({"v": orjson.loads(b'{"L":[' * 40 + b'{"S":""}' + b"]}" * 40)}, "nested"),
}


@pytest.mark.parametrize("poison", POISON)
def test_a_poisoned_item_is_told_with_its_reason_and_the_rest_is_written(table: str, poison: str) -> None:
    attributes, words = POISON[poison]
    refused: list[tuple[bytes, str]] = []

    with BatchWriter(SETTINGS, table, on_refused=lambda *told: refused.append(told)) as writer:
        for number in range(30):
            bad = orjson.dumps({"id": {"S": str(number)}, **attributes})
            writer.put(key(number), bad if number == 17 else item(number))

    assert [told for told, _ in refused] == [key(17)]
    assert words in refused[0][1]
    assert "4711" not in refused[0][1]
    assert stored(table).keys() == {str(n) for n in range(30) if n != 17}
    assert (writer.written, writer.refused) == (29, 1)


def test_an_empty_key_is_told_and_the_rest_is_written(table: str) -> None:
    refused: list[tuple[bytes, str]] = []
    with BatchWriter(SETTINGS, table, on_refused=lambda *told: refused.append(told)) as writer:
        writer.put(key(1), item(1))
        writer.put(b'{"id":{"S":""}}', b'{"id":{"S":""}}')
        writer.delete(key(2))

    assert refused == [(b'{"id":{"S":""}}', "a key or index key attribute is empty")]
    assert stored(table).keys() == {"1"}


def test_every_item_of_a_batch_can_be_poisoned(table: str) -> None:
    refused: list[bytes] = []
    with BatchWriter(SETTINGS, table, on_refused=lambda k, reason: refused.append(k)) as writer:
        for number in range(30):
            writer.put(key(number), b'{"id":{"S":"%d"},"v":{"N":"x"}}' % number)

    assert sorted(refused) == sorted(key(n) for n in range(30))
    assert stored(table) == {}


def test_an_item_of_the_largest_size_is_written_among_others(table: str) -> None:
    """Sizes count attribute names: 2 + 3 of id, 1 + the rest of v."""
    largest = "x" * (MAX_ITEM_BYTES - len("id" + "300" + "v"))
    with BatchWriter(SETTINGS, table, on_refused=refuse) as writer:
        for number in range(300, 330):
            writer.put(key(number), item(number, largest if number % 10 == 0 else "x"))

    found = get_items(SETTINGS, table, [orjson.loads(key(300))])
    assert len(found[0]["v"]["S"]) == len(largest)


def test_bytes_come_back_as_they_were_given(table: str) -> None:
    binary = base64.b64encode(bytes(range(256))).decode()
    with BatchWriter(SETTINGS, table, on_refused=refuse) as writer:
        writer.put(key(1), orjson.dumps({"id": {"S": "1"}, "v": {"B": binary}, "t": {"S": "é\u0000\U0001f600\n"}}))

    assert stored(table)["1"] == {"id": {"S": "1"}, "v": {"B": binary}, "t": {"S": "é\u0000\U0001f600\n"}}


def fill(table: str, name: str) -> None:
    with BatchWriter(SETTINGS, table, on_refused=refuse) as writer:
        for number in range(1000):
            same = b'{"%s":{"S":"%d"}}' % (name.encode(), number)
            writer.put(same, same)


def test_a_missing_table_ends_the_run_with_what_to_do(aws_environ: dict[str, str], unique: str) -> None:
    with pytest.raises(TargetMissing, match="pg2dynamo prepare"):
        fill(unique, "id")


def test_a_table_with_another_key_ends_the_run_instead_of_refusing_every_row(table: str) -> None:
    with pytest.raises(TargetShapeDiffers):
        fill(table, "other")
