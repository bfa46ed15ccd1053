"""Digests of items as they are in DynamoDB JSON: equal exactly when DynamoDB would say that the items are.

What was sent and what came back are compared by them. They know nothing of rows and types: a number counts by its
value, as DynamoDB writes 1.50 as 1.5, the members of maps in any order; all else as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any

import orjson

from pg2dynamo.mapping.digest import DIGEST_BYTES, Buckets

_UNUSUAL_NUMBER = re.compile(rb'\{"N":"(?!(?:0|-?[1-9]\d*|-?(?:0|[1-9]\d*)\.\d*[1-9])")([^"]*)"\}')
"""A number that is not written in the usual way: within a text of JSON no quote stands bare."""
_EMPTY = blake2b(digest_size=DIGEST_BYTES)
"""Never updated itself: a copy of it costs less than half of a new one."""
_MOST_DIGITS = 200
"""DynamoDB's numbers have at most 126 digits before the point, and 130 after it."""


def item_digests(item: Mapping[str, Any], key: Sequence[str]) -> tuple[bytes, bytes]:
    """Return the digests of an item's key and of the whole item, 32 bytes each; `key` names its attributes."""
    return _digest({name: item[name] for name in key}), _digest(item)


def add_item(buckets: Buckets, item: Mapping[str, Any], key: Sequence[str]) -> None:
    """Add an item to sums that are compared with others made by this function: 4,096 buckets, a megabyte."""
    of_key, of_item = item_digests(item, key)
    buckets.add(bytes((of_key[0], of_key[1] & 0xF0)) + of_key, of_item)


def _digest(values: Mapping[str, Any]) -> bytes:
    text = orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
    made = _EMPTY.copy()
    made.update(_UNUSUAL_NUMBER.sub(_usual, text))
    return made.digest()


def _usual(found: re.Match[bytes]) -> bytes:
    try:
        number = Decimal(found[1].decode())
    except InvalidOperation:
        return found[0]
    if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS:
        return found[0]
    whole, _, fraction = f"{number:f}".partition(".")
    fraction = fraction.rstrip("0")
    text = f"{whole}.{fraction}" if fraction else whole
    return b'{"N":"%b"}' % (b"0" if text in ("-0", "0") else text.encode())
