"""Read items: parallel Scan page by page, and BatchGetItem by key; always consistent reads.

Knows nothing of mappings: items are DynamoDB JSON as parsed by orjson.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import InvalidOperation
from typing import Any, TypeVar

import orjson

from pg2dynamo.dynamodb.attempts import Attempts
from pg2dynamo.dynamodb.batch import key_identity
from pg2dynamo.dynamodb.retry import Verdict
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.wire import Wire
from pg2dynamo.errors import TargetRejected

Item = dict[str, Any]
T = TypeVar("T")

MAX_KEYS = 100
"""BatchGetItem takes 100 keys (service quotas of DynamoDB)."""


def scan_pages(
    settings: TargetSettings,
    table: str,
    segment: int,
    total: int,
    *,
    key_attributes: tuple[str, ...] | None = None,
    wire: Wire | None = None,
) -> Iterator[list[Item]]:
    """Yield the items of one of `total` segments, page by page (1 MB each), with consistent reads.

    `key_attributes` reads these attributes alone. `wire` spares a connection of its own to a caller that scans
    many segments. Every page is read again until it came whole; raises TargetError when it does not.
    """
    request: dict[str, Any] = {"TableName": table, "ConsistentRead": True, "Segment": segment, "TotalSegments": total}
    if key_attributes is not None:
        names = {f"#k{n}": name for n, name in enumerate(key_attributes)}
        request |= {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
    with _wire(settings, wire) as used:
        while True:
            items, last = _ask(used, settings, "Scan", table, request, _read_page)
            if items:
                yield items
            if last is None:
                return
            if last == request.get("ExclusiveStartKey"):
                raise TargetRejected(f"Scan on {table}: the same page came twice.")
            request["ExclusiveStartKey"] = last


def get_items(settings: TargetSettings, table: str, keys: Sequence[Item], *, wire: Wire | None = None) -> list[Item]:
    """Return the items of these keys that are there, in no order, as consistent reads see them.

    Keys may repeat; each item is returned once. Goes on until every key is answered for; raises TargetError
    when that does not happen.
    """
    wanted = {key_identity(key): key for key in keys}
    found: list[Item] = []
    with _wire(settings, wire) as used:
        remaining = list(wanted.values())
        for start in range(0, len(remaining), MAX_KEYS):
            found += _get_batch(used, settings, table, remaining[start : start + MAX_KEYS])
    return found


def _get_batch(wire: Wire, settings: TargetSettings, table: str, keys: list[Item]) -> list[Item]:
    attempts = _attempts("BatchGetItem", table, settings)
    found: list[Item] = []
    while keys:
        request = {"RequestItems": {table: {"Keys": keys, "ConsistentRead": True}}}
        sent = keys

        def read(body: bytes, sent: list[Item] = sent) -> tuple[list[Item], list[Item]]:
            return _read_items(body, table, sent)

        items, keys = _ask(wire, settings, "BatchGetItem", table, request, read, attempts)
        found += items
        if len(keys) < len(sent):
            attempts.progressed()
        if keys:
            attempts.wait(throttled=True)
    return found


def _read_page(body: bytes) -> tuple[list[Item], Item | None]:
    page = orjson.loads(body)
    items, last = page["Items"], page.get("LastEvaluatedKey")
    if not isinstance(items, list) or not (last is None or isinstance(last, dict)):
        raise TypeError
    return items, last or None


def _read_items(body: bytes, table: str, keys: list[Item]) -> tuple[list[Item], list[Item]]:
    """Return the items, and the keys that the answer leaves for another request."""
    answer = orjson.loads(body)
    items: list[Item] = answer["Responses"].get(table, [])
    left = answer.get("UnprocessedKeys", {}).get(table, {"Keys": []})["Keys"]
    sent = {key_identity(key): key for key in keys}
    names = tuple(keys[0])
    returned = [key_identity({name: item[name] for name in names}) for item in items]
    again = [key_identity(key) for key in left]
    if len({*returned, *again}) != len(returned) + len(again) or not sent.keys() >= {*returned, *again}:
        raise TargetRejected(
            f"BatchGetItem on {table}: the answer holds items that were not asked for.",
            remedy="Make sure that the endpoint is DynamoDB's.",
        )
    return items, [sent[identity] for identity in again]


def _ask(
    wire: Wire,
    settings: TargetSettings,
    operation: str,
    table: str,
    request: dict[str, Any],
    read: Callable[[bytes], T],
    attempts: Attempts | None = None,
) -> T:
    """Send a request until its answer can be read. Idempotent operations only."""
    attempts = attempts or _attempts(operation, table, settings)
    body = orjson.dumps(request)
    while True:
        answer = wire.call(operation, body)
        found = attempts.judge(wire, answer)
        if found is Verdict.SPLIT:
            raise attempts.refused(answer)
        why = ""
        if found is Verdict.DONE:
            try:
                return read(answer.body)
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError, InvalidOperation):
                why = "the answer is not DynamoDB's"
        attempts.wait(throttled=found is Verdict.THROTTLED, why=why)


def _attempts(operation: str, table: str, settings: TargetSettings) -> Attempts:
    return Attempts(operation, table, settings)


@contextmanager
def _wire(settings: TargetSettings, wire: Wire | None) -> Iterator[Wire]:
    if wire is not None:
        yield wire
        return
    own = Wire(settings)
    try:
        yield own
    finally:
        own.close()
