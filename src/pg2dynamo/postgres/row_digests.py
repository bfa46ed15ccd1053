"""Digests of rows by Python code written for the one mapping, straight from PostgreSQL's binary form.

The reference is `binary_values` and `mapping.digest`, which encode what has no form here: the digests are the same for
all rows. Nothing is shared with the encoder, nor with what digests items but the encodings of numbers and names.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from psycopg import pq

from pg2dynamo.mapping.digest import (
    KEY_HASH,
    ROW_HASH,
    encode_integer,
    encode_plain,
    encode_scaled,
    encode_value,
    heading,
)
from pg2dynamo.mapping.document_digests import encode_jsonb
from pg2dynamo.mapping.table import Attribute, TableMapping
from pg2dynamo.mapping.templates import Template
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.mapping.values import Value
from pg2dynamo.postgres.binary_values import OID, Reader, reader, reads_output

Encode = Callable[[bytes], bytes]

_ARRAY = struct.Struct("!iiIii").unpack_from
_NUMERIC = struct.Struct("!HhHH").unpack_from
_LENGTH = struct.Struct("!i").unpack_from
_MINUS = 0x4000
_MOST_DIGITS = 10
"""Of base 10,000: as many as items can hold."""
_DIGITS = [struct.Struct(f"!8x{count}H").unpack for count in range(_MOST_DIGITS + 1)]
_DOUBLE = struct.Struct("!d").unpack
_UUID = struct.Struct("!IHHHHI").unpack
_ENDS = (1 << 63) - 1
_MOST_DATES = 20_000

_INTEGER = "({h}b'n%dE0;' % i if (i := number(v, 'big', signed={signed})) % 10 else {h}b'%b' % integer(i))"
_TEMPLATES = {
    "TEXT": "{h}b's%d:%b' % (len(v), v)",
    "BINARY": "{h}b'b%d:%b' % (len(v), v)",
    "UUID": "{h}b's36:%08x-%04x-%04x-%04x-%04x%08x' % uuid(v)",
    "BOOLEAN": "{h}b'%b' % (b'0' if v == b'\\0' else b'1')",
    "DATE": "{h}b'%b' % DATES[v]",
    "INTEGER": _INTEGER.replace("{signed}", "True"),
    "OID": _INTEGER.replace("{signed}", "False"),
    "INSTANT": (
        "({h}b'n%dE0;' % i if (i := number(v, 'big', signed=True)) % 10 and -ENDS <= i < ENDS"
        " else {h}b'%b' % cell{n}(v))"
    ),
    "OTHER": "{h}b'%b' % cell{n}(v)",
    "EMBEDDED": "cell{n}(v)",
}
"""For each form: Python for the encoding of `v`, the bytes of a value, with its heading {h}, a literal of bytes that
the next one goes on with."""
_FORMS = {
    Kind.TEXT: "TEXT",
    Kind.OUTPUT: "TEXT",
    Kind.UUID: "UUID",
    Kind.INTEGER: "INTEGER",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.BYTEA: "BINARY",
    Kind.DATE: "DATE",
    Kind.TIMESTAMP: "INSTANT",
    Kind.TIMESTAMPTZ: "INSTANT",
}


class RowDigests:
    """Digests the rows of one mapping. Not changed by use but for what it remembers, up to a bound.

    `readers` are the reference's own, one for each attribute that is read.
    """

    def __init__(self, mapping: TableMapping, readers: Sequence[Reader]) -> None:
        self._digest = _compiled(mapping, readers)

    def digest(self, result: pq.abc.PGresult) -> tuple[list[bytes], list[bytes]]:
        """Return the digests of the keys and of the rows of a result, in order.

        Only for rows that are wholly read, and restored, by a plan that puts nothing in the place of values.
        """
        return self._digest(result.get_value, range(result.ntuples))


_Digest = Callable[[Callable[[int, int], bytes | None], Iterable[int]], tuple[list[bytes], list[bytes]]]


def _compiled(mapping: TableMapping, readers: Sequence[Reader]) -> _Digest:
    names: dict[str, Any] = {
        "KEY_HASH": KEY_HASH,
        "ROW_HASH": ROW_HASH,
        "DATES": _Dates(),
        "ENDS": _ENDS,
        "uuid": _UUID,
        "number": int.from_bytes,
        "integer": encode_integer,
    }
    places = {attribute.name: (place, attribute) for place, attribute in enumerate(mapping.attributes)}
    templates = {derived.name: derived.template for derived in mapping.derived}
    order = sorted(mapping.names)
    lines: list[str] = []
    for n, name in enumerate(order):
        if name in templates:
            names[f"cell{n}"] = _template_encoder(name, templates[name], mapping, readers)
            lines.append(f"a{n} = cell{n}(get, row)")
            continue
        place, attribute = places[name]
        names[f"cell{n}"] = _cell(attribute, readers[place])
        lines += [f"v = get(row, {place})", f"a{n} = b'' if v is None else {_expression(n, attribute)}"]
    keys = [n for n, name in enumerate(order) if name in mapping.key_attributes]
    exec(compile(_source(lines, keys, len(order)), "<digests of rows>", "exec"), names)  # noqa: S102
    made: _Digest = names["digest"]
    return made


def _source(lines: list[str], keys: list[int], count: int) -> str:
    """Write the function. Names of attributes stand in it as literals of Python only."""
    return "\n".join(
        [
            "def digest(get, numbers):",
            "    keys, rows = [], []",
            "    for row in numbers:",
            *(f"        {line}" for line in lines),
            "        hash = KEY_HASH.copy()",
            f"        hash.update(b''.join(({''.join(f'a{n}, ' for n in keys)})))",
            "        keys.append(hash.digest())",
            "        hash = ROW_HASH.copy()",
            f"        hash.update(b''.join(({''.join(f'a{n}, ' for n in range(count))})))",
            "        rows.append(hash.digest())",
            "    return keys, rows",
        ]
    )


def _expression(n: int, attribute: Attribute) -> str:
    form = "EMBEDDED" if attribute.embed is not None else _form(attribute.type)
    literal = repr(heading(attribute.name).replace(b"%", b"%%")) + " "
    return _TEMPLATES[form].replace("{n}", str(n)).replace("{h}", literal)


def _form(column_type: ColumnType) -> str:
    if column_type.oid == OID:
        return "OID"
    if reads_output(column_type) and column_type.kind is not Kind.ARRAY:
        return "TEXT"
    return _FORMS.get(column_type.kind, "OTHER")


def _cell(attribute: Attribute, read: Reader) -> Encode:
    """Return what encodes the values that are not written by an expression."""
    if attribute.embed is not None:
        return _embedded_encoder(heading(attribute.name), read)
    element = attribute.type.element
    if element is None:
        return _encoder(attribute.type, read)
    other = _reference(read)
    return other if reads_output(attribute.type) else _array_encoder(_encoder(element, reader(element)), other)


def _encoder(column_type: ColumnType, read: Reader) -> Encode:
    """Return what encodes the values of a type, as the reference does."""
    other = _reference(read)
    make = None if column_type.oid == OID else _ENCODERS.get(column_type.kind)
    return make(other) if make is not None else other


def _reference(read: Reader) -> Encode:
    return lambda data: encode_value(read(data))


def _embedded_encoder(name: bytes, read: Reader) -> Encode:
    def encode(data: bytes) -> bytes:
        value = read(data)
        return b"" if value is None else name + encode_value(value)

    return encode


def _template_encoder(
    name: str, template: Template, mapping: TableMapping, readers: Sequence[Reader]
) -> Callable[[Callable[[int, int], bytes | None], int], bytes]:
    parts = [(n, a.name, readers[n]) for n, a in enumerate(mapping.read) if a.name in template.names]

    def encode(get: Callable[[int, int], bytes | None], row: int) -> bytes:
        values: dict[str, Value] = {}
        for place, part, read in parts:
            data = get(row, place)
            values[part] = None if data is None else read(data)
        text = template.of_values(values)
        return b"" if text is None else heading(name) + encode_value(text)

    return encode


def _array_encoder(encode: Encode, other: Encode) -> Encode:
    """Return what encodes arrays of one dimension that begins at 1, and leaves every other to the reference."""

    def array(data: bytes) -> bytes:  # array_send
        if len(data) < 20:
            return other(data)
        dimensions, _has_null, _oid, count, lower = _ARRAY(data)
        if dimensions != 1 or lower != 1:
            return other(data)
        parts, position = [b"l%d:" % count], 20
        while position < len(data):
            [length] = _LENGTH(data, position)
            position += 4
            if length < 0:
                parts.append(b"z")
            else:
                parts.append(encode(data[position : position + length]))
                position += length
        return b"".join(parts)

    return array


def _text(_other: Encode) -> Encode:
    return lambda data: b"s%d:%b" % (len(data), data)


def _integer(_other: Encode) -> Encode:
    return lambda data: encode_integer(int.from_bytes(data, "big", signed=True))


def _numeric(other: Encode) -> Encode:
    def numeric(data: bytes) -> bytes:  # numeric_send: digits of base 10,000, the first times 10,000 ** weight
        count, weight, sign, _scale = _NUMERIC(data)
        if count > _MOST_DIGITS or sign not in (0, _MINUS):
            return other(data)
        value = 0
        for digit in _DIGITS[count](data):
            value = value * 10_000 + digit
        return encode_scaled(-value if sign else value, 4 * (weight - count + 1))

    return numeric


def _float8(other: Encode) -> Encode:
    def float8(data: bytes) -> bytes:  # float8send
        [value] = _DOUBLE(data)
        # Where repr has an exponent, or is not what PostgreSQL prints: see `binary_floats`.
        return encode_plain(repr(value)) if 1e-4 <= value < 1e15 or -1e15 < value <= -1e-4 else other(data)

    return float8


def _jsonb(other: Encode) -> Encode:
    def jsonb(data: bytes) -> bytes:  # jsonb_send: a version byte, then the text
        try:
            return b"j" + encode_jsonb(data[1:])
        except (ValueError, RecursionError):
            return other(data)

    return jsonb


_ENCODERS: dict[Kind, Callable[[Encode], Encode]] = {
    Kind.TEXT: _text,
    Kind.OUTPUT: _text,
    Kind.INTEGER: _integer,
    Kind.NUMERIC: _numeric,
    Kind.FLOAT8: _float8,
    Kind.JSONB: _jsonb,
}


class _Dates(dict[bytes, bytes]):
    """The encodings of dates, by their binary forms."""

    _encode = staticmethod(_reference(reader(ColumnType(Kind.DATE, "date", 1082))))

    def __missing__(self, data: bytes) -> bytes:
        if len(self) >= _MOST_DATES:
            self.clear()
        return self.setdefault(data, self._encode(data))
