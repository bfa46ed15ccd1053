"""The text of a value that can be a key, from the value alone: the encoder's conversions are not used here."""

from __future__ import annotations

from base64 import b64encode
from typing import cast

from pg2dynamo.mapping.calendar import interval_text
from pg2dynamo.mapping.types import Kind
from pg2dynamo.mapping.values import Endless, Value

_DAY_MICROSECONDS = 86_400_000_000
_DAYS_FROM_ERA_TO_2000 = 730_425
"""From 0000-03-01, where the calendar's 400-year cycle is counted from, to 2000-01-01."""
_CYCLE_DAYS = 146_097


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
