"""Items as they are encoded, against real DynamoDBs: counted to the byte, and given back as what they were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import orjson
import pytest

from pg2dynamo.dynamodb.scan import scan_pages
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.writer import BatchWriter
from pg2dynamo.mapping.decode import Decoder
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.limits import ITEM_BYTES, item_bytes
from pg2dynamo.mapping.types import Kind
from tests.mappings import column, mapping_of

SETTINGS = TargetSettings(region="us-east-1", in_flight=2)

VALUES: list[dict[str, Any]] = [
    {"S": "é☃𝄞"},
    {"B": "AAECAw=="},
    {"BOOL": True},
    {"NULL": True},
    {"L": []},
    {"M": {}},
    {"L": [{"S": "a"}, {"N": "12000"}, {"L": [{"NULL": True}]}]},
    {"M": {"ab": {"S": "a"}, "é": {"M": {"c": {"BOOL": False}}}}},
    *({"N": text} for text in ("0", "5", "-5", "12", "123", "-123", "100", "12000", "0.012", "0.12", "1.5", "1E-101")),
    *(
        {"N": text}
        for text in ("1" * 38, "-" + "1" * 37, "1." + "1" * 37, "1E+125", "1E-130", "9." + "9" * 37 + "E+125")
    ),
]


@pytest.fixture
def table(aws_environ: dict[str, str], unique: str) -> Iterator[str]:
    client = boto3.client("dynamodb", region_name="us-east-1")
    client.create_table(
        TableName=unique,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=unique)
    yield unique
    client.delete_table(TableName=unique)
    client.close()


def put(table: str, items: list[dict[str, Any]]) -> list[str]:
    """Write items and return the ids of those that the service refused."""
    refused: list[str] = []
    with BatchWriter(SETTINGS, table, on_refused=lambda key, _: refused.append(orjson.loads(key)["id"]["S"])) as writer:
        for item in items:
            writer.put(orjson.dumps({"id": item["id"]}), orjson.dumps(item))
    return refused


def of_size(number: int, value: dict[str, Any], size: int) -> dict[str, Any]:
    item = {"id": {"S": f"{number:03d}"}, "value": value, "rest": {"S": ""}}
    item["rest"]["S"] = "x" * (size - item_bytes(item))
    return item


def test_items_of_exactly_the_limit_are_stored(table: str) -> None:
    assert put(table, [of_size(number, value, ITEM_BYTES) for number, value in enumerate(VALUES)]) == []


def test_items_one_byte_over_the_limit_are_refused(table: str) -> None:
    items = [of_size(number, value, ITEM_BYTES + 1) for number, value in enumerate(VALUES)]
    assert sorted(put(table, items)) == [item["id"]["S"] for item in items]


ROWS = [
    ("numeric", Kind.NUMERIC, ["0", "1.50", "-0.00", "1" * 38, "1" + "0" * 125, "0." + "0" * 129 + "1", "-12.5"]),
    ("float", Kind.FLOAT8, ["-0", "1e-130", "1.7976931348623157e+125", "0.1", "1e+23", "123456789012345.67"]),
    ("integer", Kind.INTEGER, ["-9223372036854775808", "9223372036854775807", "0"]),
    ("text", Kind.TEXT, ["", " ", "é𝄞", "\x01", '"\\\\']),
    ("json", Kind.JSONB, ["null", "{}", "[]", '{"a": [1.50, null, {"b": ""}]}', "[" * 31 + "]" * 31, '{" ": 1e5}']),
]


@pytest.mark.parametrize(("name", "kind", "texts"), ROWS)
def test_what_the_service_gives_back_decodes_as_what_was_encoded(
    table: str, name: str, kind: Kind, texts: list[str]
) -> None:
    mapping = mapping_of(column(name, kind))
    encoder, decoder = Encoder(mapping), Decoder(mapping)
    encoded = [encoder.encode(f"{number}\t{text}".encode()) for number, text in enumerate(texts)]
    with BatchWriter(SETTINGS, table, on_refused=lambda key, reason: pytest.fail(reason)) as writer:
        for item in encoded:
            writer.put(item.key, item.item)

    stored = [item for page in scan_pages(SETTINGS, table, 0, 1) for item in page]

    by_id = {item["id"]["S"]: decoder.decode(item) for item in stored}
    sent = [decoder.decode(orjson.loads(item.item)) for item in encoded]
    assert by_id == {values["id"]: values for values in sent}
