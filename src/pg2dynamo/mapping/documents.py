"""PostgreSQL's json and jsonb, as text, into DynamoDB's M, L, S, N, BOOL and NULL; numbers keep every digit."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from pg2dynamo.mapping.limits import NESTING_LEVELS, AttributeValue, Malformed, Unfit, attribute_name_fault
from pg2dynamo.mapping.numbers import canonical

NULL: AttributeValue = {"NULL": True}
TRUE: AttributeValue = {"BOOL": True}
FALSE: AttributeValue = {"BOOL": False}
TOO_DEEP = f"more than {NESTING_LEVELS} levels of nesting"


class _Number(str):
    """The text of a JSON number, told apart from a JSON string."""

    __slots__ = ()


def document(text: str) -> AttributeValue:
    """Return a JSON document.

    Raises Unfit for duplicate or empty names, numbers that DynamoDB cannot hold, and more than 32 levels.
    Lone surrogates are passed on: whoever turns the item into bytes meets them.
    """
    try:
        return _value(_READER.decode(text), 1)
    except RecursionError:
        raise Unfit(TOO_DEEP) from None


def _value(value: Any, level: int) -> AttributeValue:
    kind = type(value)
    if kind is str:
        return {"S": value}
    if kind is _Number:
        return {"N": canonical(value)}
    if value is None:
        return NULL
    if kind is bool:
        return TRUE if value else FALSE
    if level > NESTING_LEVELS:
        raise Unfit(TOO_DEEP)
    if kind is list:
        return {"L": [_value(entry, level + 1) for entry in value]}
    return {"M": {name: _value(entry, level + 1) for name, entry in value.items()}}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise Unfit("duplicate name in json")
    for name in result:
        if not name or len(name) > 255:
            fault = attribute_name_fault(name)
            if fault:
                raise Unfit(f"{fault} in json")
    return result


def _refuse_constant(_: str) -> NoReturn:
    raise Malformed("not JSON")


_READER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_Number, parse_int=_Number, parse_constant=_refuse_constant
)
