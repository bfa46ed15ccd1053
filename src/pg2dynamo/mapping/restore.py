"""Values, as `mapping.values` describes them, back into the texts that PostgreSQL reads: the way back."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from pg2dynamo.mapping.calendar import civil_date
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.mapping.values import Bounded, Endless, Json, JsonValue, Text, Value

_MICROSECONDS_PER_DAY = 86_400_000_000
_MOST_DIMENSIONS = 6


def column_text(value: Value, column_type: ColumnType) -> str:
    """Return the text of which a column of this type makes this value: for COPY, or as a literal without a type.

    The column's declaration restores what the value does not hold: the zeros of numeric(10,2), the padding of
    char(n). The text is read alike under every DateStyle, IntervalStyle and TimeZone; the settings `xmloption` and
    `lc_monetary` must be those of `postgres.connect`. Raises ValueError for what is no value of the type, as NULL is.
    """
    if isinstance(value, Text):
        return value.text
    if column_type.kind is Kind.ARRAY:
        return _array(value, column_type)
    if isinstance(value, Endless) and column_type.kind in _MAY_BE_ENDLESS:
        return value.value
    known = _TEXTS.get(column_type.kind)
    if known is None or type(value) is not known[0]:
        raise _no_value(column_type)
    return known[1](value)


def _no_value(column_type: ColumnType) -> ValueError:
    return ValueError(f"not a value of the type {column_type.name}")


def _array(value: Value, column_type: ColumnType) -> str:
    element = column_type.element
    bounds = value.bounds if isinstance(value, Bounded) else ""
    elements = value.elements if isinstance(value, Bounded) else value
    if element is None or not isinstance(elements, list):
        raise _no_value(column_type)
    dimensions = bounds.count("[") or (1 if element.kind is Kind.ARRAY else _MOST_DIMENSIONS)
    literal = _elements(elements, element, column_type.element_delimiter, dimensions)
    return f"{bounds}={literal}" if bounds else literal


def _elements(elements: list[Value], element: ColumnType, delimiter: str, dimensions: int) -> str:
    parts = []
    for part in elements:
        if part is None:
            parts.append("NULL")
        elif isinstance(part, list) and dimensions > 1:
            parts.append(_elements(part, element, delimiter, dimensions - 1))
        else:
            text = column_text(part, element).replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'"{text}"')
    return "{" + delimiter.join(parts) + "}"


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("a text with a zero character, which PostgreSQL has no text for")
    return value


def _json(value: Json) -> str:
    return _json_text(value.value)


def _json_text(value: JsonValue) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_json_text(name)}: {_json_text(entry)}" for name, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json_text, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _date(days: int) -> str:
    """Return days since 2000-01-01 as PostgreSQL reads a date, BC years and years over 9999 too."""
    year, month, day = civil_date(days)
    return f"{year:04d}-{month:02d}-{day:02d}" if year > 0 else f"{1 - year:04d}-{month:02d}-{day:02d} BC"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _time(microseconds: int) -> str:
    return f"{_clock(microseconds // 1_000_000)}.{microseconds % 1_000_000:06d}"


def _timestamp(microseconds: int, zone: str = "") -> str:
    days, rest = divmod(microseconds, _MICROSECONDS_PER_DAY)
    date, _, era = _date(days).partition(" ")
    return f"{date} {_time(rest)}{zone} {era}".rstrip()


def _timetz(value: tuple[int, ...]) -> str:
    microseconds, west = value
    return f"{_time(microseconds)}{'-' if west > 0 else '+'}{_clock(abs(west))}"


def _interval(value: tuple[int, ...]) -> str:
    # Each number with its sign: IntervalStyle sql_standard would read the first one's into all.
    months, days, microseconds = value
    return f"{months:+d} months {days:+d} days {microseconds:+d} microseconds"


_MAY_BE_ENDLESS = (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.INTERVAL)
_TEXTS: dict[Kind, tuple[type, Callable[[Any], str]]] = {
    Kind.TEXT: (str, _text),
    Kind.UUID: (str, _text),
    Kind.OUTPUT: (str, _text),
    Kind.INTEGER: (int, str),
    Kind.NUMERIC: (Decimal, str),
    Kind.FLOAT4: (Decimal, str),
    Kind.FLOAT8: (Decimal, str),
    Kind.BOOLEAN: (bool, lambda value: "t" if value else "f"),
    Kind.BYTEA: (bytes, lambda value: "\\x" + value.hex()),
    Kind.DATE: (int, _date),
    Kind.TIME: (int, _time),
    Kind.TIMETZ: (tuple, _timetz),
    Kind.TIMESTAMP: (int, _timestamp),
    Kind.TIMESTAMPTZ: (int, lambda value: _timestamp(value, "+00")),
    Kind.INTERVAL: (tuple, _interval),
    Kind.JSON: (Json, _json),
    Kind.JSONB: (Json, _json),
}
