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

KEY_HASH = blake2b(digest_size=DIGEST_BYTES, person=b"pg2dynamo key")
ROW_HASH = blake2b(digest_size=DIGEST_BYTES, person=b"pg2dynamo row")
"""What digests of keys and of rows begin with: copied, which costs less than making them anew."""

_name = itemgetter(0)


def hashed(begun: blake2b, data: bytes) -> bytes:
    """Return the digest of data after what has been hashed; `begun` is not changed."""
    digest = begun.copy()
    digest.update(data)
    return digest.digest()


def digest_key(pairs: Iterable[tuple[str, Value]]) -> bytes:
    """Return the digest of a key: 32 bytes, equal exactly when names and values are."""
    return hashed(KEY_HASH, encode_pairs(pairs))


def digest_row(pairs: Iterable[tuple[str, Value]]) -> bytes:
    """Return the digest of a row: 32 bytes; a column that is NULL counts as absent."""
    return hashed(ROW_HASH, encode_pairs(pairs))


def digest_row_and_each(pairs: Iterable[tuple[str, Value]]) -> tuple[bytes, dict[str, bytes]]:
    """Return `digest_row` of the pairs, and of each pair alone by its name, having encoded each value once."""
    encoded = {
        name: heading(name) + _SCALARS.get(type(value), encode_value)(value)
        for name, value in pairs
        if value is not None
    }
    # The encoding of several pairs is theirs in the order of their names.
    whole = b"".join([encoded[name] for name in sorted(encoded)])
    return hashed(ROW_HASH, whole), {name: hashed(ROW_HASH, each) for name, each in encoded.items()}


def encode_pairs(pairs: Iterable[tuple[str, Value]]) -> bytes:
    """Return the encoding of named values: injective, whatever their order; None is left out."""
    parts: list[bytes] = []
    for name, value in sorted(pairs, key=_name):
        if value is not None:
            encode = _SCALARS.get(type(value), encode_value)
            parts += (heading(name), encode(value))
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
            parts.append(entry_heading(next_value.text))
        else:
            head, inner = _open(next_value)
            parts.append(head)
            todo += reversed(inner)
    return b"".join(parts)


class Buckets:
    """Sums of rows by the first 16 bits of their key's digest: 65,536 of them, 5 MB when all are in use.

    Adding is commutative, so rows may come in any order and from many processes (`merge`). Two tables of
    equal rows have equal buckets; different rows give, but for a chance of 2**-256, a differing bucket.
    """

    def __init__(self) -> None:
        # Count and sum are one number, as one is added faster than two: 2**64 digests stay below the count.
        self._totals = [0] * BUCKETS

    def add(self, key_digest: bytes, row_digest: bytes) -> None:
        """Add one row; its digest is of all of it, so that of another key it would be another."""
        self.add_all((key_digest,), (row_digest,))

    def add_all(self, key_digests: Iterable[bytes], row_digests: Iterable[bytes]) -> None:
        """Add rows, given the digests of each one's key and of each one, in the same order."""
        totals, number = self._totals, int.from_bytes
        for key, row in zip(key_digests, row_digests, strict=True):
            totals[key[0] << 8 | key[1]] += number(row, "big") + _ONE

    def merge(self, other: Buckets) -> None:
        """Add all rows of another."""
        self._totals = [mine + theirs for mine, theirs in zip(self._totals, other._totals, strict=True)]

    def differing(self, other: Buckets) -> set[int]:
        """Return the buckets whose sum or count is not the other's."""
        pairs = enumerate(zip(self._totals, other._totals, strict=True))
        return {bucket for bucket, (mine, theirs) in pairs if mine != theirs}

    @property
    def rows(self) -> int:
        """How many rows were added."""
        return sum(total >> _COUNT_BIT for total in self._totals)

    def to_bytes(self) -> bytes:
        """Return the buckets as bytes, equal for equal buckets; 50 bytes for each in use."""
        used = [(bucket, divmod(total, _ONE)) for bucket, total in enumerate(self._totals) if total]
        entries = [_ENTRY.pack(bucket, count, total.to_bytes(_SUM_BYTES, "big")) for bucket, (count, total) in used]
        return _HEADER.pack(_MAGIC, len(entries)) + b"".join(entries)

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
            buckets._totals[bucket] = count * _ONE + int.from_bytes(total, "big")
        return buckets


_SUM_BYTES = DIGEST_BYTES + 8
_COUNT_BIT = 8 * _SUM_BYTES
_ONE = 1 << _COUNT_BIT
_HEADER = struct.Struct(">4sI")
_ENTRY = struct.Struct(f">HQ{_SUM_BYTES}s")
_MAGIC = b"pgb2"


def bucket_of(key_digest: bytes) -> int:
    """Return the bucket of a key, 0 to 65,535."""
    return key_digest[0] << 8 | key_digest[1]


class _Name:
    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
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
        yield _Name(name)
        yield entry


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@lru_cache(maxsize=4096)
def heading(name: str) -> bytes:
    """Return what stands before the encoding of an attribute's value."""
    return _sized(b"a", _utf8(name))


def entry_heading(name: str) -> bytes:
    """Return what stands before the encoding of an entry of a JSON object."""
    return _sized(b"k", _utf8(name))


def _sized(tag: bytes, content: bytes) -> bytes:
    return b"%b%d:%b" % (tag, len(content), content)


def _counted(tag: bytes, count: int) -> bytes:
    return b"%b%d:" % (tag, count)


def _string(value: str) -> bytes:
    content = value.encode("utf-8", "surrogatepass")
    return b"s%d:%b" % (len(content), content)


def encode_integer(value: int) -> bytes:
    """Return the encoding of a whole number."""
    return encode_scaled(value, 0)


def encode_scaled(value: int, exponent: int) -> bytes:
    """Return the encoding of the number `value` times ten to that power."""
    if value % 10:
        return b"n%dE%d;" % (value, exponent)
    digits = str(value)
    significant = digits.rstrip("0")
    if not significant:
        return b"n0;"
    return f"n{significant}E{exponent + len(digits) - len(significant)};".encode()


def encode_plain(text: str) -> bytes:
    """Return the encoding of a number, given its text without an exponent. Raises ValueError for most others."""
    whole, _, fraction = text.partition(".")
    return encode_scaled(int(whole + fraction), -len(fraction))


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
    int: encode_integer,
    Decimal: _decimal,
    bool: lambda value: b"1" if value else b"0",
    bytes: lambda value: _sized(b"b", value),
    Endless: lambda value: b"+" if value is Endless.FUTURE else b"-",
    Text: lambda value: _sized(b"T", _utf8(value.text)),
    type(None): lambda _: b"z",
    Undecodable: lambda _: b"u",
    Unknown: lambda _: b"U",
}
