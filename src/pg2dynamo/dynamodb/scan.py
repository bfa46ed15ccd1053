"""Read items: parallel Scan page by page, and BatchGetItem by key; always consistent reads.

Knows nothing of mappings: items are DynamoDB JSON as parsed by orjson.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from decimal import InvalidOperation
from typing import Any, TypeVar

import orjson

from pg2dynamo.dynamodb.attempts import Attempts
from pg2dynamo.dynamodb.batch import key_identity
from pg2dynamo.dynamodb.page import Garbled, Item, Page
from pg2dynamo.dynamodb.retry import Verdict
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.wire import Wire
from pg2dynamo.errors import TargetRejected

T = TypeVar("T")

MAX_KEYS = 100
"""BatchGetItem takes 100 keys (service quotas of DynamoDB)."""

_GARBLED = "the answer is not DynamoDB's"


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
    pages = read_pages(settings, table, segment, total, list, key_attributes=key_attributes, wire=wire)
    for page in pages:
        if page:
            yield page


def read_pages(
    settings: TargetSettings,
    table: str,
    segment: int,
    total: int,
    read: Callable[[Page], T],
    *,
    key_attributes: tuple[str, ...] | None = None,
    wire: Wire | None = None,
) -> Iterator[T]:
    """Yield what `read` makes of each page of a segment, while the next is on its way; see `scan_pages`.

    `read` may be called again with the same page, as its items may turn out damaged: it has no effect before it
    returns.
    """
    request: dict[str, Any] = {"TableName": table, "ConsistentRead": True, "Segment": segment, "TotalSegments": total}
    if key_attributes is not None:
        names = {f"#k{n}": name for n, name in enumerate(key_attributes)}
        request |= {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
    stop = threading.Event()
    with _wire(settings, wire) as used, ThreadPoolExecutor(1) as thread, _set_at_end(stop):

        def ask(asked: dict[str, Any]) -> Future[Page]:
            return thread.submit(_ask, used, settings, "Scan", table, asked, Page, stop=stop)

        coming, attempts = ask(request), _attempts("Scan", table, settings)
        while True:
            page = coming.result()
            following = _following(request, page)
            coming = ask(following) if following is not None else coming
            try:
                result = read(page)
            except Garbled:
                # Another answer may end elsewhere: what followed this one is not to be trusted.
                attempts.wait(throttled=False, why=_GARBLED)
                coming = ask(request)
                continue
            attempts.progressed()
            yield result
            if following is None:
                return
            request = following


def _following(request: dict[str, Any], page: Page) -> dict[str, Any] | None:
    """Return the request for the page after that of `request`, None when it is the last."""
    if page.last is None:
        return None
    if page.last == request.get("ExclusiveStartKey"):
        raise TargetRejected(f"Scan on {request['TableName']}: the same page came twice.")
    return request | {"ExclusiveStartKey": page.last}


@contextmanager
def _set_at_end(stop: threading.Event) -> Iterator[None]:
    """Call off what a thread waits for when the work ends, whether it is done or not."""
    try:
        yield
    finally:
        stop.set()


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
    stop: threading.Event | None = None,
) -> T:
    """Send a request until its answer can be read. Idempotent operations only. `stop` ends waits, with _CalledOff."""
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
                why = _GARBLED
        pause_seconds = attempts.pause_seconds(throttled=found is Verdict.THROTTLED, why=why)
        if (stop or threading.Event()).wait(pause_seconds):
            raise _CalledOff


class _CalledOff(Exception):
    """Nobody waits for the answer any longer."""


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
