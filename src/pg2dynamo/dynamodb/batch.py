"""One BatchWriteItem request: its operations, its body, and what its answer leaves undone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

import orjson

from pg2dynamo.errors import TargetRejected

MAX_OPERATIONS = 25
"""BatchWriteItem takes 25 put or delete requests (service quotas of DynamoDB)."""
MAX_BODY_BYTES = 4 * 1024 * 1024
"""A quarter of the 16 MB that BatchWriteItem takes: more would gain nothing and hold memory and time."""
ALL_WRITTEN = b'{"UnprocessedItems":{}}'

_PUT = b'{"PutRequest":{"Item":'
_DELETE = b'{"DeleteRequest":{"Key":'
_NEXT_PUT = b"}}," + _PUT

Operation: TypeAlias = "tuple[bytes, bytes | None]"
"""A key and the item to store there (DynamoDB JSON objects), or None to delete what is there."""


def body_of(table: str, operations: Sequence[Operation], *, count_consumed: bool = False) -> bytes:
    """Return the request's body. `count_consumed` asks for the write units that it used."""
    items = [item for _, item in operations if item is not None]
    if len(items) == len(operations):
        requests = _PUT + _NEXT_PUT.join(items) + b"}}"
    else:
        requests = b",".join([_request(operation) for operation in operations])
    asked = b',"ReturnConsumedCapacity":"TOTAL"' if count_consumed else b""
    return b'{"RequestItems":{%b:[%b]}%b}' % (orjson.dumps(table), requests, asked)


def _request(operation: Operation) -> bytes:
    key, item = operation
    return _DELETE + key + b"}}" if item is None else _PUT + item + b"}}"


def consumed_units(body: bytes) -> float | None:
    """Return how many write units an answer says were used, indexes included; None when it does not say."""
    try:
        return float(sum(each["CapacityUnits"] for each in orjson.loads(body)["ConsumedCapacity"]))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


def unprocessed(body: bytes, table: str, operations: Sequence[Operation]) -> list[Operation] | None:
    """Return the operations that the answer says were not done, as they were sent.

    None when the answer is not one to BatchWriteItem: then nothing is known to be written. Raises
    TargetRejected when it names operations that were not sent: then the other side is not DynamoDB.
    """
    if body == ALL_WRITTEN:
        return []
    try:
        named = orjson.loads(body)["UnprocessedItems"]
        requests = [request for requests in named.values() for request in requests]
        if not requests:
            return []
        sent = {(_identity(orjson.loads(key)), item is None): (key, item) for key, item in operations}
        names = tuple(orjson.loads(operations[0][0]))
        wanted = [_named_operation(request, names) for request in requests]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError, InvalidOperation):
        return None
    if list(named) != [table] or len(set(wanted)) != len(wanted) or any(w not in sent for w in wanted):
        raise TargetRejected(
            f"BatchWriteItem on {table}: the answer leaves items undone that were not sent.",
            remedy="Make sure that the endpoint is DynamoDB's.",
        )
    return [sent[w] for w in wanted]


def _named_operation(request: dict[str, Any], names: tuple[str, ...]) -> tuple[Any, bool]:
    (kind, content), *more = request.items()
    attributes = content["Key"] if kind == "DeleteRequest" else content["Item"]
    if more or kind not in ("PutRequest", "DeleteRequest"):
        raise ValueError
    return _identity({name: attributes[name] for name in names}), kind == "DeleteRequest"


def _identity(key: dict[str, dict[str, str]]) -> tuple[tuple[str, str, str | Decimal], ...]:
    """Return the key as a value that is equal when DynamoDB calls it equal: numbers by value."""
    return tuple(sorted((name, form, _comparable(form, text)) for name, v in key.items() for form, text in v.items()))


def _comparable(form: str, text: str) -> str | Decimal:
    if not isinstance(text, str):
        raise TypeError
    return Decimal(text) if form == "N" else text


def key_identity(key: dict[str, Any]) -> tuple[tuple[str, str, str | Decimal], ...]:
    """Return a hashable value, equal for keys that DynamoDB calls equal. Raises when it is no key."""
    return _identity(key)
