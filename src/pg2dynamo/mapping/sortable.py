"""Texts of values that sort, by code points and before a `#`, as PostgreSQL sorts the values; and back.

From values alone; `rendering` makes the same texts from what the encoder has written. `#` stands in none of them.

| kind | text |
|---|---|
| INTEGER | digits, zeros before them up to the type's width; a negative number as `-` and what it lacks to 10**width |
| NUMERIC, FLOAT | `1`, six digits of exponent + 200,000, the significant digits; negative: `-`, all digits complemented, `~`; zero is `0`, -Infinity `!`, Infinity `2`, NaN `3` |
| TEXT | characters up to `$` as `$` and the character 48 further on; collation C; what pads a char(n) as `$/` each |
| UUID, BYTEA, BOOLEAN, TIME | as they are, bytea in hex |
| DATE, TIMESTAMP, TIMESTAMPTZ | ISO 8601; -infinity `!`, years BC `-` and the year complemented, years over 9999 `:` and seven digits |
"""  # noqa: E501

from __future__ import annotations

import re
from decimal import Decimal

from pg2dynamo.mapping import calendar
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.mapping.value_text import value_text
from pg2dynamo.mapping.values import Endless, Value

SORTABLE = frozenset(
    {
        *(Kind.INTEGER, Kind.NUMERIC, Kind.FLOAT4, Kind.FLOAT8, Kind.TEXT, Kind.UUID, Kind.BYTEA, Kind.BOOLEAN),
        *(Kind.DATE, Kind.TIME, Kind.TIMESTAMP, Kind.TIMESTAMPTZ),
    }
)
"""The kinds whose values have a sortable text; of TEXT, the types of `TEXT_OIDS`."""
BPCHAR_OID = 1042
TEXT_OIDS = frozenset({19, 25, BPCHAR_OID, 1043})
"""name, text, char(n) and varchar: PostgreSQL sorts enums by declaration, citext without case, "char" by bytes."""

NUMBERS = (Kind.NUMERIC, Kind.FLOAT4, Kind.FLOAT8)
INSTANTS = (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ)
WIDTHS = {21: 5, 23: 10}
"""Digits of the largest value, by the type's oid; 19 for the others."""
EXPONENT_OFFSET, EXPONENT_DIGITS = 200_000, 6
"""More than PostgreSQL's 131,072 digits before and 16,383 after the point need."""
HIGHEST_ESCAPED, SHIFT = "$", 0x30
PADDING = "$/"
"""Before every character: PostgreSQL compares char(n) without the spaces at its end."""

_NOT_FINITE = {"!": Decimal("-Infinity"), "2": Decimal("Infinity"), "3": Decimal("NaN")}
_POSITIVE = re.compile(r"1([0-9]{6})([1-9](?:[0-9]*[1-9])?)")
_NEGATIVE = re.compile(r"-([0-9]{6})([0-9]+)~")
_COMPLEMENT = str.maketrans("0123456789", "9876543210")
_YEAR = re.compile(r"([+-])([0-9]{6,7})(-.*)")


def integer_width(column_type: ColumnType) -> int:
    """Return how many digits the integers of a type are written with."""
    return WIDTHS.get(column_type.oid, 19)


def has_sortable_text(column_type: ColumnType) -> bool:
    """Return whether values of the type have texts that sort as PostgreSQL sorts the values."""
    if column_type.kind is Kind.TEXT:
        # Of bpchar without a length 'a' equals 'a ': two texts for what PostgreSQL holds equal within a tuple.
        return column_type.oid in TEXT_OIDS and column_type.name != "bpchar"
    return column_type.kind in SORTABLE


def sortable_text(column_type: ColumnType, value: Value) -> str:
    """Return the sortable text of a value of a type that has one."""
    kind = column_type.kind
    if kind is Kind.INTEGER and isinstance(value, int):
        width = integer_width(column_type)
        return f"{value:0{width}d}" if value >= 0 else f"-{10**width + value:0{width}d}"
    if kind in NUMBERS and isinstance(value, Decimal):
        return _number(value)
    if kind is Kind.TEXT and isinstance(value, str):
        compared = value.rstrip(" ") if column_type.oid == BPCHAR_OID else value
        text = "".join("$" + chr(ord(c) + SHIFT) if c <= HIGHEST_ESCAPED else c for c in compared)
        return text + PADDING * (len(value) - len(compared))
    if isinstance(value, bytes):
        return value.hex()
    if kind is Kind.BOOLEAN:
        return "true" if value else "false"
    return _instant(value_text(kind, value)) if kind in INSTANTS else value_text(kind, value)


def sortable_value(column_type: ColumnType, text: str) -> Value:
    """Return the value that has this sortable text; ValueError, or another value, when none has it."""
    kind = column_type.kind
    if kind is Kind.INTEGER:
        return int(text) if text[:1] != "-" else int(text[1:]) - 10 ** integer_width(column_type)
    if kind in NUMBERS:
        return _read_number(text)
    if kind is Kind.TEXT:
        return re.sub(r"\$(.)", _character, text, flags=re.DOTALL)
    if kind in INSTANTS:
        return plain_value(column_type, _read_instant(text))
    return plain_value(column_type, text)


def _character(match: re.Match[str]) -> str:
    return " " if match[0] == PADDING else chr(max(0, ord(match[1]) - SHIFT))


def plain_value(column_type: ColumnType, text: str) -> Value:
    """Return the value whose text in a key this is (bytea in hex); ValueError, or another value, when none has it."""
    kind = column_type.kind
    if kind is Kind.INTEGER:
        return int(text)
    if kind in NUMBERS:
        return Decimal(text)
    if kind is Kind.BYTEA:
        return bytes.fromhex(text)
    if kind is Kind.BOOLEAN:
        return {"true": True, "false": False}[text]
    read = _READ.get(kind)
    return text if read is None else read(text)


_READ = {
    Kind.DATE: calendar.read_date,
    Kind.TIME: calendar.read_time,
    Kind.TIMETZ: calendar.read_timetz,
    Kind.TIMESTAMP: calendar.read_timestamp,
    Kind.TIMESTAMPTZ: calendar.read_timestamptz,
    Kind.INTERVAL: calendar.read_interval,
}


def _number(value: Decimal) -> str:
    sign, digit_tuple, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return "3" if value.is_nan() else "!" if sign else "2"
    digits = "".join(map(str, digit_tuple)).lstrip("0")
    if not digits:
        return "0"
    first = exponent + len(digits) - 1
    text = f"{first + EXPONENT_OFFSET:0{EXPONENT_DIGITS}d}{digits.rstrip('0')}"
    return f"-{text.translate(_COMPLEMENT)}~" if sign else "1" + text


def _read_number(text: str) -> Decimal:
    if text == "0" or text in _NOT_FINITE:
        return _NOT_FINITE.get(text, Decimal(0))
    negative = _NEGATIVE.fullmatch(text)
    match = _POSITIVE.fullmatch("1" + text[1:-1].translate(_COMPLEMENT) if negative else text)
    if match is None:
        raise ValueError("not a sortable number")
    exponent, digits = match.groups()
    return Decimal(f"{'-' if negative else ''}{digits}E{int(exponent) - EXPONENT_OFFSET - len(digits) + 1}")


def _instant(text: str) -> str:
    if text == Endless.PAST.value:
        return "!"
    match = _YEAR.fullmatch(text)
    if match is None:
        return text
    sign, year, rest = match.groups()
    return f":{int(year):07d}{rest}" if sign == "+" else f"-{year.translate(_COMPLEMENT)}{rest}"


def _read_instant(text: str) -> str:
    if text == "!":
        return Endless.PAST.value
    if text[:1] == ":":
        return f"+{int(text[1:8]):06d}{text[8:]}"
    return f"-{text[1:7].translate(_COMPLEMENT)}{text[7:]}" if text[:1] == "-" else text
