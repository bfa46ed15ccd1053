"""Encodings of JSON documents for digests, without a value made of them: of attribute values, and of jsonb's text.

They are what `digest.encode_value` gives for the document in a `Json`, but for the tag before it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

import orjson

from pg2dynamo.mapping.digest import encode_integer, encode_plain, encode_value, entry_heading

PLAIN_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")

_DIGITS = bytes.maketrans(b".123456789", b"0000000000")
_MOST_DIGITS = b"0" * 17
_MOST_REMEMBERED = 4096
_LONGEST_REMEMBERED = 200
"""Characters: of what is longer nothing is remembered, so that what is stays within some megabytes."""


class _Numbers(dict[str, bytes]):
    """The encodings of numbers without an exponent, by their texts. Raises ValueError for another text."""

    def __missing__(self, text: str) -> bytes:
        if PLAIN_NUMBER.fullmatch(text) is None:
            raise ValueError
        encoding = encode_plain(text)
        if len(text) <= _LONGEST_REMEMBERED:
            if len(self) >= _MOST_REMEMBERED:
                self.clear()
            self[text] = encoding
        return encoding


class _Orders(dict[tuple[str, ...], list[tuple[str, bytes]]]):
    """The names of objects in order, each with what stands before its entry, by the names as they come."""

    def __missing__(self, names: tuple[str, ...]) -> list[tuple[str, bytes]]:
        order = [(name, entry_heading(name)) for name in sorted(names)]
        if sum(map(len, names)) + len(names) <= _LONGEST_REMEMBERED:
            if len(self) >= _MOST_REMEMBERED:
                self.clear()
            self[names] = order
        return order


_NUMBERS, _ORDERS = _Numbers(), _Orders()


def encode_attribute_value(value: Any) -> bytes:
    """Return the encoding of a document as it stands in an item.

    Raises what `decode.MALFORMED` names for what is not in the form that documents have, and for numbers with an
    exponent, which nobody writes.
    """
    [form] = value
    return _ATTRIBUTE_VALUES[form](value[form])


def _string(text: str) -> bytes:
    content = text.encode()
    return b"s%d:%b" % (len(content), content)


def _map(entries: Any) -> bytes:
    if type(entries) is not dict:
        raise TypeError
    parts = [b"m%d:" % len(entries)]
    for name, before in _ORDERS[tuple(entries)]:
        # As encode_attribute_value, but without the call.
        value = entries[name]
        [form] = value
        parts += (before, _ATTRIBUTE_VALUES[form](value[form]))
    return b"".join(parts)


def _list(entries: Any) -> bytes:
    if type(entries) is not list:
        raise TypeError
    return b"l%d:%b" % (len(entries), b"".join([encode_attribute_value(entry) for entry in entries]))


def _boolean(value: Any) -> bytes:
    if type(value) is not bool:
        raise TypeError
    return b"1" if value else b"0"


def _null(value: Any) -> bytes:
    if value is not True:
        raise ValueError
    return b"z"


_ATTRIBUTE_VALUES: dict[str, Callable[[Any], bytes]] = {
    "S": _string,
    "N": _NUMBERS.__getitem__,
    "M": _map,
    "L": _list,
    "BOOL": _boolean,
    "NULL": _null,
}


def encode_jsonb(text: bytes) -> bytes:
    """Return the encoding of a document, given jsonb's text. Raises ValueError or RecursionError for what is unusual.

    orjson reads numbers as doubles, or as whole numbers of 64 bits: up to 15 digits, a double gives them again. jsonb
    writes numbers without exponents.
    """
    if _MOST_DIGITS in text.translate(_DIGITS):
        return _encoded(_decode(text.decode()))
    return _encoded(orjson.loads(text))


def _encoded(value: Any) -> bytes:
    return _VALUES[type(value)](value)


def _object(entries: dict[str, Any]) -> bytes:
    parts = [b"m%d:" % len(entries)]
    for name, before in _ORDERS[tuple(entries)]:
        entry = entries[name]
        parts += (before, _VALUES[type(entry)](entry))
    return b"".join(parts)


@lru_cache(maxsize=4096)
def _double(value: float) -> bytes:
    return encode_value(Decimal(repr(value)))


_VALUES: dict[type, Callable[[Any], bytes]] = {
    str: _string,
    dict: _object,
    list: lambda entries: b"l%d:%b" % (len(entries), b"".join([_VALUES[type(entry)](entry) for entry in entries])),
    int: encode_integer,
    float: _double,
    bytes: bytes,
    bool: lambda value: b"1" if value else b"0",
    type(None): lambda _: b"z",
}


_decode = json.JSONDecoder(parse_float=_NUMBERS.__getitem__).decode
"""Reads JSON exactly, the numbers with a point as their encodings."""
