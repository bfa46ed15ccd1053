"""Decode the binary form of each kind of type; written from PostgreSQL's send functions, named beside each."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.mapping.values import Bounded, Endless, Json, JsonValue, Value
from pg2dynamo.postgres.binary_floats import read_float4, read_float8

Reader: TypeAlias = Callable[[bytes], Value]

OID = 26
_CHAR, _XML = 18, 142  # their send functions give other text than their output functions
_INT16 = struct.Struct("!h").unpack
_INT32 = struct.Struct("!i").unpack
_INT64 = struct.Struct("!q").unpack
_UINT32 = struct.Struct("!I").unpack
_TIMETZ = struct.Struct("!qi").unpack
_INTERVAL = struct.Struct("!qii").unpack
_NUMERIC = struct.Struct("!HhHH").unpack_from
_ARRAY = struct.Struct("!iiI").unpack_from
_DIMENSION = struct.Struct("!ii").unpack_from
_LENGTH = struct.Struct("!i").unpack_from


def reads_output(column_type: ColumnType) -> bool:
    """Tell whether values of this type are read as the text of their output function."""
    while column_type.kind is Kind.ARRAY and column_type.element is not None:
        column_type = column_type.element
    return column_type.kind in (Kind.ARRAY, Kind.OUTPUT) or column_type.oid in (_CHAR, _XML)


def reader(column_type: ColumnType) -> Reader:
    """Return the function that decodes a value of this type, as the server sends it for `reads_output`."""
    if reads_output(column_type):
        return _output_reader(column_type)
    return _binary_reader(column_type)


def _binary_reader(column_type: ColumnType) -> Reader:
    element = column_type.element
    if column_type.kind is Kind.ARRAY and element is not None:
        return _array_reader(_binary_reader(element), of_arrays=element.kind is Kind.ARRAY)
    return _oid if column_type.oid == OID else _SCALARS[column_type.kind]


def _output_reader(column_type: ColumnType) -> Reader:
    if column_type.kind is not Kind.ARRAY:
        return _text
    read = _text_reader(column_type)
    return lambda data: read(_text(data))


def _text(data: bytes) -> str:  # textsend, bpcharsend, namesend, enum_send, citextsend
    return data.decode()


def _integer(data: bytes) -> int:  # int2send, int4send, int8send
    value: int = {2: _INT16, 4: _INT32, 8: _INT64}[len(data)](data)[0]
    return value


def _oid(data: bytes) -> int:  # oidsend: without sign
    value: int = _UINT32(data)[0]
    return value


def _boolean(data: bytes) -> bool:  # boolsend
    return data != b"\0"


def _bytea(data: bytes) -> bytes:  # byteasend
    return bytes(data)


def _uuid(data: bytes) -> str:  # uuid_send
    text = data.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_DIGITS = [f"{n:04d}" for n in range(10_000)]
_NOT_FINITE = {0xC000: Decimal("NaN"), 0xD000: Decimal("Infinity"), 0xF000: Decimal("-Infinity")}


def _numeric(data: bytes) -> Decimal:  # numeric_send: digits of base 10,000, the first times 10,000 ** weight
    count, weight, sign, _scale = _NUMERIC(data)
    if sign in _NOT_FINITE:
        return _NOT_FINITE[sign]
    if not count:
        return Decimal(0)
    # By text, as neither int() takes more than 4,300 digits nor Decimal arithmetic more than its context's.
    digits = "".join([_DIGITS[n] for n in struct.unpack_from(f"!{count}H", data, 8)])
    return Decimal(f"{'-' if sign else ''}{digits}E{4 * (weight - count + 1)}")


def _date(data: bytes) -> int | Endless:  # date_send: days since 2000-01-01
    return _endless(_INT32(data)[0], 31)


def _time(data: bytes) -> int:  # time_send
    value: int = _INT64(data)[0]
    return value


def _timetz(data: bytes) -> tuple[int, ...]:  # timetz_send: microseconds, seconds west of UTC
    value: tuple[int, int] = _TIMETZ(data)
    return value


def _timestamp(data: bytes) -> int | Endless:  # timestamp_send, timestamptz_send: microseconds since 2000-01-01
    return _endless(_INT64(data)[0], 63)


def _endless(value: int, bits: int) -> int | Endless:
    if value == (1 << bits) - 1:
        return Endless.FUTURE
    return Endless.PAST if value == -(1 << bits) else value


def _interval(data: bytes) -> tuple[int, ...] | Endless:  # interval_send: microseconds, days, months
    microseconds, days, months = _INTERVAL(data)
    if (microseconds, days, months) == ((1 << 63) - 1, (1 << 31) - 1, (1 << 31) - 1):  # since PostgreSQL 17
        return Endless.FUTURE
    if (microseconds, days, months) == (-(1 << 63), -(1 << 31), -(1 << 31)):
        return Endless.PAST
    return months, days, microseconds


def _json(data: bytes) -> Json:  # json_send
    return _document(data, _json_object)


def _document(data: bytes, read_object: Callable[[Any], Any] | None) -> Json:
    text = _text(data)
    try:
        value: JsonValue = json.loads(text, parse_float=_json_number, parse_int=Decimal, object_pairs_hook=read_object)
    except RecursionError:
        # Nested far deeper than any item can be: give what no item can hold, as attribute names are not empty.
        value = {"": text}
    return Json(value)


def _json_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the entries; where a name stands twice, with an entry that no item can hold: one without a name."""
    entries = dict(pairs)
    return entries if len(entries) == len(pairs) else {**entries, "": None}


def _json_number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        # An exponent beyond Decimal's: zero all the same, or a number that no item can hold.
        return Decimal("NaN") if text.lower().partition("e")[0].strip("-0.") else Decimal(0)


def _jsonb(data: bytes) -> Json:  # jsonb_send: a version byte, then the text
    return _document(data[1:], None)  # no name stands twice


def _array_reader(element: Reader, *, of_arrays: bool) -> Reader:
    def read(data: bytes) -> Value:  # array_send
        count, _has_null, _oid = _ARRAY(data)
        if not count:
            return []
        dimensions = [_DIMENSION(data, 12 + 8 * n) for n in range(count)]
        values = _elements(data, 12 + 8 * count, element)
        shaped = _shape(values, [length for length, _ in dimensions])
        if all(lower == 1 for _, lower in dimensions) and not (of_arrays and count > 1):
            return shaped
        return Bounded("".join(f"[{lower}:{lower + length - 1}]" for length, lower in dimensions), shaped)

    return read


def _elements(data: bytes, offset: int, element: Reader) -> list[Value]:
    values: list[Value] = []
    while offset < len(data):
        length: int = _LENGTH(data, offset)[0]
        offset += 4
        if length < 0:
            values.append(None)
        else:
            values.append(element(data[offset : offset + length]))
            offset += length
    return values


def _shape(values: list[Value], lengths: list[int]) -> list[Value]:
    """Nest a flat list, the last dimension varying fastest."""
    for length in reversed(lengths[1:]):
        values = [values[n : n + length] for n in range(0, len(values), length)]
    return values


def _text_reader(column_type: ColumnType) -> Callable[[str], Value]:
    """Return the function that reads a value as its output function writes it."""
    element, delimiter = column_type.element, column_type.element_delimiter
    if element is None:
        return str
    read_element = _text_reader(element)

    def read(text: str) -> Value:  # array_out
        bounds, _, body = text.partition("=") if text.startswith("[") else ("", "", text)
        elements = _parse_array(body, delimiter, read_element)
        if not bounds and element.kind is Kind.ARRAY:
            bounds = _bounds_from_one(body, elements)
        return Bounded(bounds, elements) if bounds else elements

    return read


def _bounds_from_one(body: str, elements: list[Value]) -> str:
    """Return the bounds of an array of arrays of several dimensions, and none for one dimension.

    As an element that is an array stands in quotes, the braces that `body` begins with are the dimensions.
    """
    dimensions = len(body) - len(body.lstrip("{"))
    bounds, level = "", elements
    for _ in range(dimensions if dimensions > 1 else 0):
        bounds += f"[1:{len(level)}]"
        level = level[0] if isinstance(level[0], list) else []
    return bounds


def _parse_array(text: str, delimiter: str, read: Callable[[str], Value]) -> list[Value]:
    """Read what array_out wrote, e.g. `{"a,b",NULL,{c}}`."""
    stack: list[list[Value]] = [[]]
    position = 0
    while position < len(text):
        character = text[position]
        if character == "{":
            stack.append([])
            position += 1
        elif character == "}":
            done = stack.pop()
            stack[-1].append(done)
            position += 1
        elif character == delimiter:
            position += 1
        else:
            element, position = _parse_element(text, position, delimiter)
            stack[-1].append(None if element is None else read(element))
    outer = stack[0][0]
    assert isinstance(outer, list)
    return outer


def _parse_element(text: str, position: int, delimiter: str) -> tuple[str | None, int]:
    if text[position] != '"':
        end = position
        while text[end] not in (delimiter, "}"):
            end += 1
        word = text[position:end]
        return (None if word == "NULL" else word), end
    characters = []
    position += 1
    while text[position] != '"':
        position += text[position] == "\\"
        characters.append(text[position])
        position += 1
    return "".join(characters), position + 1


_SCALARS: dict[Kind, Reader] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.NUMERIC: _numeric,
    Kind.FLOAT4: read_float4,
    Kind.FLOAT8: read_float8,
    Kind.BOOLEAN: _boolean,
    Kind.BYTEA: _bytea,
    Kind.UUID: _uuid,
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.TIMETZ: _timetz,
    Kind.TIMESTAMP: _timestamp,
    Kind.TIMESTAMPTZ: _timestamp,
    Kind.INTERVAL: _interval,
    Kind.JSON: _json,
    Kind.JSONB: _jsonb,
}
