"""Writing numbered items to a scripted endpoint, and what must hold of every request that it saw."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest

from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.writer import BatchWriter
from tests.scripted_endpoint import Exchange, ScriptedEndpoint

SETTINGS = TargetSettings(in_flight=4, request_timeout_seconds=2.0, give_up_seconds=60.0)
PATIENT = TargetSettings(in_flight=4, request_timeout_seconds=20.0, give_up_seconds=60.0)
ONE_BY_ONE = TargetSettings(in_flight=1, request_timeout_seconds=10.0, give_up_seconds=60.0)
IMPATIENT = TargetSettings(in_flight=4, request_timeout_seconds=0.5, give_up_seconds=0.4)
TABLE = "accounts"


@contextmanager
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedEndpoint]:
    """Point the environment at a scripted endpoint; in the end look at every request that it saw."""
    with ScriptedEndpoint() as endpoint:
        for name, value in endpoint.environ.items():
            monkeypatch.setenv(name, value)
        yield endpoint
    assert endpoint.key_overlaps == [], "two requests on one key were under way at once"
    assert all(len(keys_of(e)) == len(set(keys_of(e))) for e in writes(endpoint)), "one key twice in a batch"


def key(number: int) -> bytes:
    """The key of an item."""
    return b'{"id":{"S":"%d"}}' % number


def item(number: int, value: int = 0) -> bytes:
    """An item with a value."""
    return b'{"id":{"S":"%d"},"v":{"N":"%d"}}' % (number, value)


def parsed(number: int, value: int = 0) -> dict[str, Any]:
    """The same, parsed."""
    return dict(orjson.loads(item(number, value)))


def refuse(key: bytes, reason: str) -> None:
    """Fail: no refusal is expected."""
    pytest.fail(f"refused: {reason}")


def writes(endpoint: ScriptedEndpoint) -> list[Exchange]:
    """The writing requests that came."""
    return [exchange for exchange in endpoint.requests if exchange.operation == "BatchWriteItem"]


def keys_of(exchange: Exchange) -> list[str]:
    """The keys that a request writes."""
    requests = json.loads(exchange.body)["RequestItems"][TABLE]
    return [(r.get("PutRequest", {}).get("Item") or r["DeleteRequest"]["Key"])["id"]["S"] for r in requests]


def write(count: int, settings: TargetSettings = SETTINGS) -> BatchWriter:
    """Write items 0 to `count`, and return the writer for its counts."""
    with BatchWriter(settings, TABLE, on_refused=refuse) as writer:
        for number in range(count):
            writer.put(key(number), item(number))
    return writer


def assert_whole(endpoint: ScriptedEndpoint, count: int) -> None:
    """Require exactly the items that `write` writes."""
    found = sorted(endpoint.stored(TABLE), key=lambda i: int(i["id"]["S"]))
    assert found == [parsed(n) for n in range(count)]
