"""Values as SQL literals that mean the same under the settings of `connect`: never rounded, never cut."""

from __future__ import annotations

from decimal import Decimal

from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.mapping.values import Endless, Value

_MICROSECONDS_PER_DAY = 86_400_000_000
_DAYS_TO_2000 = 730_425  # from 0000-03-01 of the proleptic Gregorian calendar to 2000-01-01

# Without length or precision: a cast to varchar(3), numeric(10,2) or timestamp(0) would make another value equal.
_BARE_NAMES: dict[int, str] = {
    1042: "bpchar",
    1043: "varchar",
    1083: "time",
    1114: "timestamp",
    1184: "timestamptz",
    1186: "interval",
    1266: "timetz",
    1560: "bit varying",
    1562: "bit varying",
    1700: "numeric",
}


def quote_literal(text: str) -> str:
    """Return `text` as an SQL string; right while `standard_conforming_strings` is on, as `connect` states."""
    return "'" + text.replace("'", "''") + "'"


def typed_literal(text: str, column_type: ColumnType) -> str:
    """Return the literal of a value in PostgreSQL's text form, cast to its type without length or precision."""
    return f"{quote_literal(text)}::{_BARE_NAMES.get(column_type.oid, column_type.name)}"


def value_text(value: Value, column_type: ColumnType) -> str | None:
    """Return the input text of a value as `mapping.values` describes it; None when it is not of that kind.

    Only for the kinds that can be keys.
    """
    kind = column_type.kind
    if kind in (Kind.TEXT, Kind.UUID, Kind.OUTPUT):
        return value if isinstance(value, str) and "\0" not in value else None
    if kind is Kind.BYTEA:
        return "\\x" + value.hex() if isinstance(value, bytes) else None
    if isinstance(value, Endless):
        return value.value
    if kind in (Kind.NUMERIC, Kind.FLOAT4, Kind.FLOAT8):
        return str(value) if isinstance(value, Decimal) else None
    if kind in (Kind.TIMETZ, Kind.INTERVAL):
        return _tuple_text(value, kind) if isinstance(value, tuple) else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return _int_text(value, kind)


def _int_text(value: int, kind: Kind) -> str | None:
    if kind is Kind.INTEGER:
        return str(value)
    if kind is Kind.DATE:
        return _date_text(value)
    if kind is Kind.TIME:
        return _time_text(value)
    if kind in (Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
        days, microseconds = divmod(value, _MICROSECONDS_PER_DAY)
        date, _, era = _date_text(days).partition(" ")
        zone = "+00" if kind is Kind.TIMESTAMPTZ else ""
        return f"{date} {_time_text(microseconds)}{zone} {era}".rstrip()
    return None


def _tuple_text(value: tuple[int, ...], kind: Kind) -> str | None:
    if kind is Kind.INTERVAL and len(value) == 3:
        return f"{value[0]} months {value[1]} days {value[2]} microseconds"
    if kind is Kind.TIMETZ and len(value) == 2:
        sign = "-" if value[1] > 0 else "+"
        return f"{_time_text(value[0])}{sign}{_clock(abs(value[1]))}"
    return None


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _time_text(microseconds: int) -> str:
    return f"{_clock(microseconds // 1_000_000)}.{microseconds % 1_000_000:06d}"


def _date_text(days: int) -> str:
    """Return days since 2000-01-01 as PostgreSQL reads a date, BC years and years over 9999 too."""
    # Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    era, day_of_era = divmod(days + _DAYS_TO_2000, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (month <= 2)
    return f"{year:04d}-{month:02d}-{day:02d}" if year > 0 else f"{1 - year:04d}-{month:02d}-{day:02d} BC"
