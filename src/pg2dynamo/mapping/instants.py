"""PostgreSQL's dates and times, as text in DateStyle ISO and TimeZone UTC, into ISO 8601.

Years 0000 (1 BC) to 9999 have four digits and sort as text. Years before and after have a sign and at least
six digits (the expanded form of ISO 8601) and do not sort. `infinity` and `-infinity` stay as they are.
"""

from __future__ import annotations

import re

from pg2dynamo.mapping.limits import Malformed

_ENDLESS = ("infinity", "-infinity")
_DATE = re.compile(r"([0-9]{4,7})(-[0-9]{2}-[0-9]{2})( BC)?")
_TIMESTAMP = re.compile(r"([0-9]{4,7})(-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,6})?(\+00)?( BC)?")
_TIMETZ = re.compile(r"([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,6})?([+-][0-9]{2})(:[0-9]{2})?(:[0-9]{2})?")
_SECOND = len("2024-01-02T03:04:05")
_MICROSECOND = len("2024-01-02T03:04:05.000006")


def date(text: str) -> str:
    """Return a date as `2024-01-02`."""
    if (len(text) == 10 and text[4] == "-") or text in _ENDLESS:
        return text
    match = _DATE.fullmatch(text)
    if match is None:
        raise Malformed("not a date in DateStyle ISO")
    year, day, era = match.groups()
    return _year(year, era) + day


def timestamp(text: str) -> str:
    """Return a timestamp as `2024-01-02T03:04:05.000006`."""
    if text[10:11] == " " and text[4] == "-" and text[-1] != "C":
        if len(text) == _SECOND:
            return f"{text[:10]}T{text[11:]}.000000"
        return f"{text[:10]}T{text[11:]}".ljust(_MICROSECOND, "0")
    return text if text in _ENDLESS else _unusual(text, zone=None)


def timestamptz(text: str) -> str:
    """Return a timestamp with time zone as `2024-01-02T03:04:05.000006Z`."""
    if text[10:11] == " " and text[4] == "-" and text[-3:] == "+00":
        if len(text) == _SECOND + 3:
            return f"{text[:10]}T{text[11:19]}.000000Z"
        return f"{text[:10]}T{text[11:-3]}".ljust(_MICROSECOND, "0") + "Z"
    return text if text in _ENDLESS else _unusual(text, zone="+00") + "Z"


def time(text: str) -> str:
    """Return a time of day as `03:04:05.000006`."""
    return f"{text}.000000" if len(text) == 8 else text.ljust(15, "0")


def timetz(text: str) -> str:
    """Return a time of day with its offset as `03:04:05.000006+02:00`, seconds of the offset kept when there."""
    match = _TIMETZ.fullmatch(text)
    if match is None:
        raise Malformed("not a time with time zone")
    clock, fraction, hours, minutes, seconds = match.groups(default="")
    return f"{clock}{(fraction or '.').ljust(7, '0')}{hours}{minutes or ':00'}{seconds}"


def _unusual(text: str, zone: str | None) -> str:
    match = _TIMESTAMP.fullmatch(text)
    if match is None or match[5] != zone:
        raise Malformed("not a timestamp in DateStyle ISO and TimeZone UTC")
    year, day, clock, fraction, _, era = match.groups()
    return f"{_year(year, era)}{day}T{clock}{(fraction or '.').ljust(7, '0')}"


def _year(text: str, era: str | None) -> str:
    year = 1 - int(text) if era else int(text)
    return f"{year:04d}" if 0 <= year <= 9999 else f"{year:+07d}"
