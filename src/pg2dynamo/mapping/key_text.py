"""The text of a key: from values, without the encoder, so that verification can ask for an item by a row's key.

The text is what stands in the key attribute (`{"S": text}`, `{"N": text}`, `{"B": text}`), and what reports name
rows by. Written from values.py's forms alone; `decode.decode_key` gives the values of it again.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias, cast

from pg2dynamo.mapping.calendar import interval_text
from pg2dynamo.mapping.decode import ItemUndecodable, decode_key
from pg2dynamo.mapping.limits import HASH_KEY_BYTES, RANGE_KEY_BYTES, number_fault
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.mapping.types import Kind
from pg2dynamo.mapping.values import Endless, Value

KeyTexts: TypeAlias = dict[str, str]
"""A key: attribute name to text."""

_DAY_MICROSECONDS = 86_400_000_000
_DAYS_FROM_ERA_TO_2000 = 730_425
"""From 0000-03-01, where the calendar's 400-year cycle is counted from, to 2000-01-01."""
_CYCLE_DAYS = 146_097
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")


def key_texts(mapping: TableMapping, values: Mapping[str, Value]) -> KeyTexts:
    """Return the texts of the key attributes, given the values of at least these."""
    kinds = {attribute.name: attribute.type.kind for attribute in mapping.attributes}
    return {name: value_text(kinds.get(name, Kind.TEXT), values[name]) for name in mapping.key_attributes}


def texts_of_item(mapping: TableMapping, item: Mapping[str, Mapping[str, Any]]) -> KeyTexts:
    """Return the texts of an item's key attributes, as they stand there."""
    return {name: str(next(iter(item[name].values()))) for name in mapping.key_attributes}


def item_key(mapping: TableMapping, texts: KeyTexts) -> dict[str, dict[str, str]]:
    """Return the key in DynamoDB JSON."""
    forms = dict(mapping.key_types)
    return {name: {forms[name]: texts[name]} for name in mapping.key_attributes}


def key_values(mapping: TableMapping, texts: KeyTexts) -> dict[str, Value] | None:
    """Return the values of a key, None when no row can have it."""
    forms = dict(mapping.key_types)
    endless = {n: Decimal(t) for n, t in texts.items() if forms[n] == "N" and t in _NOT_FINITE}
    try:
        finite = decode_key(mapping, item_key(mapping, texts | dict.fromkeys(endless, "0")))
    except ItemUndecodable:
        return None
    return finite | endless


def can_be_key(mapping: TableMapping, texts: KeyTexts) -> bool:
    """Return whether DynamoDB can hold an item of this key at all: not empty, not too long, a number in range."""
    forms = dict(mapping.key_types)
    limits = {mapping.hash: HASH_KEY_BYTES, mapping.range: RANGE_KEY_BYTES}
    return all(_fits(forms[name], texts[name], limits[name]) for name in mapping.key_attributes)


def _fits(form: str, text: str, limit_bytes: int) -> bool:
    if form == "N":
        return _number_fits(Decimal(text))
    size = len(b64decode(text)) if form == "B" else len(text.encode("utf-8", "surrogatepass"))
    return 0 < size <= limit_bytes


def _number_fits(number: Decimal) -> bool:
    if not number.is_finite():
        return False
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    return not digits or number_fault(len(digits), number.adjusted()) is None


def value_text(kind: Kind, value: Value) -> str:
    """Return the text of one value of a kind that can be a key."""
    if isinstance(value, Endless):
        return value.value
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if kind is Kind.DATE:
        return _date(cast(int, value))
    if kind in (Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
        days, microseconds = divmod(cast(int, value), _DAY_MICROSECONDS)
        return f"{_date(days)}T{_time(microseconds)}{'Z' if kind is Kind.TIMESTAMPTZ else ''}"
    if kind is Kind.TIME:
        return _time(cast(int, value))
    if kind is Kind.TIMETZ:
        microseconds, west = cast("tuple[int, int]", value)
        return _time(microseconds) + _offset(-west)
    if kind is Kind.INTERVAL:
        return interval_text(*cast("tuple[int, int, int]", value))
    return str(value)


def _date(days: int) -> str:
    """Return days since 2000-01-01 as ISO 8601, by the civil calendar's 400-year cycle, for any year."""
    cycle, day_of_cycle = divmod(days + _DAYS_FROM_ERA_TO_2000, _CYCLE_DAYS)
    leap_days = day_of_cycle // 1_460 - day_of_cycle // 36_524 + day_of_cycle // 146_096
    year_of_cycle = (day_of_cycle - leap_days) // 365
    day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle // 4 - year_of_cycle // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    year = year_of_cycle + 400 * cycle + (month <= 2)
    shown = f"{year:04d}" if 0 <= year <= 9999 else f"{year:+07d}"
    return f"{shown}-{month:02d}-{day:02d}"


def _time(microseconds: int) -> str:
    seconds, fraction = divmod(microseconds, 1_000_000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:06d}"


def _offset(east_seconds: int) -> str:
    size = abs(east_seconds)
    shown = f"{'-' if east_seconds < 0 else '+'}{size // 3600:02d}:{size // 60 % 60:02d}"
    return f"{shown}:{size % 60:02d}" if size % 60 else shown
