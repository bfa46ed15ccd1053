"""Digests of keys and rows, and their sums by bucket: two tables are compared in memory that does not grow.

Every value is written with a tag of its type and its length before it, so that different values have
different encodings: ('a|b', 'c') is not ('a', 'b|c'), '' not NULL, '1' not 1. Equal values have equal
encodings: numbers count by value (1.50 is 1.5, -0 is 0, and 1 is 1 whether int or Decimal), the names of a
JSON object and the attributes of a row in any order, the elements of a list in theirs.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from operator import itemgetter
from typing import Any

from pg2dynamo.mapping.values import Bounded, Endless, Json, Text, Undecodable, Unknown, Value

DIGEST_BYTES = 32
BUCKETS = 65_536

_MASK = (1 << (8 * DIGEST_BYTES)) - 1
_HEADER = struct.Struct(">4sI")
_ENTRY = struct.Struct(f">HQ{DIGEST_BYTES}s")
_MAGIC = b"pgb1"
_name = itemgetter(0)
_OF_ROW = blake2b(digest_size=DIGEST_BYTES, person=b"pg2dynamo row")
"""Never updated itself: a copy of it costs less than half of a new one."""


def digest_key(pairs: Iterable[tuple[str, Value]]) -> bytes:
    """Return the digest of a key: 32 bytes, equal exactly when names and values are."""
    return blake2b(encode_pairs(pairs), digest_size=DIGEST_BYTES, person=b"pg2dynamo key").digest()


def digest_row(pairs: Iterable[tuple[str, Value]]) -> bytes:
    """Return the digest of a row: 32 bytes; a column that is NULL counts as absent."""
    return _row_digest(encode_pairs(pairs))


def digest_row_and_each(pairs: Iterable[tuple[str, Value]]) -> tuple[bytes, dict[str, bytes]]:
    """Return `digest_row` of the pairs, and of each pair alone by its name, having encoded each value once."""
    encoded = {
        name: _heading(name) + _SCALARS.get(type(value), encode_value)(value)
        for name, value in pairs
        if value is not None
    }
    # The encoding of several pairs is theirs in the order of their names.
    whole = b"".join([encoded[name] for name in sorted(encoded)])
    return _row_digest(whole), {name: _row_digest(each) for name, each in encoded.items()}


def _row_digest(encoded: bytes) -> bytes:
    made = _OF_ROW.copy()
    made.update(encoded)
    return made.digest()


def encode_pairs(pairs: Iterable[tuple[str, Value]]) -> bytes:
    """Return the encoding of named values: injective, whatever their order; None is left out."""
    parts: list[bytes] = []
    for name, value in sorted(pairs, key=_name):
        if value is not None:
            encode = _SCALARS.get(type(value), encode_value)
            parts += (_heading(name), encode(value))
    return b"".join(parts)


def encode_value(value: Value) -> bytes:
    """Return the encoding of one value. Deep documents do not exhaust the stack."""
    encode = _SCALARS.get(type(value))
    if encode is not None:
        return encode(value)
    parts: list[bytes] = []
    todo: list[Any] = [value]
    while todo:
        next_value = todo.pop()
        encode = _SCALARS.get(type(next_value))
        if encode is not None:
            parts.append(encode(next_value))
        elif isinstance(next_value, _Name):
            parts.append(_sized(b"k", next_value.text))
        else:
            head, inner = _open(next_value)
            parts.append(head)
            todo += reversed(inner)
    return b"".join(parts)


class Buckets:
    """Sums of rows by the first 16 bits of their key's digest: 65,536 of them, only those in use stored.

    Adding is commutative, so rows may come in any order and from many processes (`merge`). Two tables of
    equal rows have equal buckets; different rows give, but for a chance of 2**-256, a differing bucket.
    """

    def __init__(self) -> None:
        self._sums: dict[int, int] = {}
        self._counts: dict[int, int] = {}

    def add(self, key_digest: bytes, row_digest: bytes) -> None:
        """Add one row."""
        bucket = key_digest[0] << 8 | key_digest[1]
        both = blake2b(key_digest + row_digest, digest_size=DIGEST_BYTES, person=b"pg2dynamo item").digest()
        self._sums[bucket] = (self._sums.get(bucket, 0) + int.from_bytes(both, "big")) & _MASK
        self._counts[bucket] = self._counts.get(bucket, 0) + 1

    def merge(self, other: Buckets) -> None:
        """Add all rows of another."""
        for bucket, total in other._sums.items():
            self._sums[bucket] = (self._sums.get(bucket, 0) + total) & _MASK
            self._counts[bucket] = self._counts.get(bucket, 0) + other._counts[bucket]

    def differing(self, other: Buckets) -> set[int]:
        """Return the buckets whose sum or count is not the other's."""
        used = self._counts.keys() | other._counts.keys()
        return {bucket for bucket in used if self._state(bucket) != other._state(bucket)}

    @property
    def rows(self) -> int:
        """How many rows were added."""
        return sum(self._counts.values())

    def to_bytes(self) -> bytes:
        """Return the buckets as bytes, equal for equal buckets; 42 bytes for each in use."""
        entries = (
            _ENTRY.pack(bucket, self._counts[bucket], self._sums[bucket].to_bytes(DIGEST_BYTES, "big"))
            for bucket in sorted(self._counts)
        )
        return _HEADER.pack(_MAGIC, len(self._counts)) + b"".join(entries)

    @classmethod
    def from_bytes(cls, data: bytes) -> Buckets:
        """Return what `to_bytes` wrote. Raises ValueError when it is not that."""
        if len(data) < _HEADER.size:
            raise ValueError("not buckets: too short")
        magic, entries = _HEADER.unpack_from(data)
        if magic != _MAGIC or len(data) != _HEADER.size + entries * _ENTRY.size:
            raise ValueError("not buckets: another format or length")
        buckets = cls()
        for bucket, count, total in _ENTRY.iter_unpack(data[_HEADER.size :]):
            buckets._sums[bucket] = int.from_bytes(total, "big")
            buckets._counts[bucket] = count
        return buckets

    def _state(self, bucket: int) -> tuple[int, int]:
        return self._counts.get(bucket, 0), self._sums.get(bucket, 0)


def bucket_of(key_digest: bytes) -> int:
    """Return the bucket of a key, 0 to 65,535."""
    return key_digest[0] << 8 | key_digest[1]


class _Name:
    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        self.text = text


def _open(value: Any) -> tuple[bytes, list[Any]]:
    """Return the head of a container and what stands in it."""
    if isinstance(value, list):
        return _counted(b"l", len(value)), value
    if isinstance(value, tuple):
        return _counted(b"t", len(value)), list(value)
    if isinstance(value, dict):
        return _counted(b"m", len(value)), list(_entries(value))
    if isinstance(value, Json):
        return b"j", [value.value]
    if isinstance(value, Bounded):
        return b"B", [value.bounds, value.elements]
    raise TypeError(f"no value of a row has the type {type(value).__name__}")


def _entries(value: dict[str, Any]) -> Iterator[Any]:
    for name, entry in sorted(value.items(), key=_name):
        yield _Name(_utf8(name))
        yield entry


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@lru_cache(maxsize=4096)
def _heading(name: str) -> bytes:
    return _sized(b"a", _utf8(name))


def _sized(tag: bytes, content: bytes) -> bytes:
    return b"%b%d:%b" % (tag, len(content), content)


def _counted(tag: bytes, count: int) -> bytes:
    return b"%b%d:" % (tag, count)


def _string(value: str) -> bytes:
    content = value.encode("utf-8", "surrogatepass")
    return b"s%d:%b" % (len(content), content)


def _integer(value: int) -> bytes:
    digits = str(value)
    significant = digits.rstrip("0")
    if not significant:
        return b"n0;"
    return f"n{significant}E{len(digits) - len(significant)};".encode()


def _decimal(value: Decimal) -> bytes:
    # Hazard: Decimal.normalize and arithmetic round to the context's precision; only the digits are exact.
    sign, digit_tuple, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return b"n%b%b;" % (b"-" if sign else b"", str(exponent).encode())
    digits = "".join(map(str, digit_tuple)).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return b"n0;"
    return f"n{'-' if sign else ''}{significant}E{exponent + len(digits) - len(significant)};".encode()


_SCALARS: dict[type, Callable[[Any], bytes]] = {
    str: _string,
    int: _integer,
    Decimal: _decimal,
    bool: lambda value: b"1" if value else b"0",
    bytes: lambda value: _sized(b"b", value),
    Endless: lambda value: b"+" if value is Endless.FUTURE else b"-",
    Text: lambda value: _sized(b"T", _utf8(value.text)),
    type(None): lambda _: b"z",
    Undecodable: lambda _: b"u",
    Unknown: lambda _: b"U",
}
