"""ISO 8601 texts and PostgreSQL's interval texts back into numbers of days, microseconds and months.

Used by `decode`, `key_text` and `restore`, which must share no conversion with `encode`. What reads raises
ValueError for a text that is not exactly in the form which `mapping.types` names.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pg2dynamo.mapping.values import Endless

SECOND = 1_000_000
DAY = 86_400 * SECOND

_ENDLESS = {end.value: end for end in Endless}
_DATE = re.compile(r"([0-9]{4}|[+-][0-9]{6,7})-([0-9]{2})-([0-9]{2})")
_TIME = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{6})")
_OFFSET = re.compile(r"([+-])([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?")
_INTERVAL = re.compile(
    r"(?:([+-]?[0-9]+) years?)? ?(?:([+-]?[0-9]+) mons?)? ?(?:([+-]?[0-9]+) days?)? ?"
    r"(?:([+-]?)([0-9]+):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?)?"
)
_DAYS_TO_2000 = 730_425
"""From 0000-03-01 of the proleptic Gregorian calendar to 2000-01-01."""
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def read_date(text: str) -> int | Endless:
    """Return the days since 2000-01-01."""
    return _ENDLESS[text] if text in _ENDLESS else _days(text)


def read_timestamp(text: str) -> int | Endless:
    """Return the microseconds since 2000-01-01T00:00:00."""
    if text in _ENDLESS:
        return _ENDLESS[text]
    date, separator, time = text.partition("T")
    if not separator:
        raise ValueError
    microseconds = read_time(time)
    if microseconds == DAY:
        raise ValueError
    return _days(date) * DAY + microseconds


def read_timestamptz(text: str) -> int | Endless:
    """Return the microseconds since 2000-01-01T00:00:00Z."""
    if text in _ENDLESS:
        return _ENDLESS[text]
    if not text.endswith("Z"):
        raise ValueError
    instant = read_timestamp(text[:-1])
    if isinstance(instant, Endless):
        raise ValueError
    return instant


def read_time(text: str) -> int:
    """Return the microseconds since midnight, up to those of 24:00."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError
    hours, minutes, seconds, fraction = map(int, match.groups())
    microseconds = ((hours * 60 + minutes) * 60 + seconds) * SECOND + fraction
    if minutes > 59 or seconds > 59 or microseconds > DAY:
        raise ValueError
    return microseconds


def read_timetz(text: str) -> tuple[int, int]:
    """Return the microseconds since midnight and the seconds west of UTC."""
    match = _OFFSET.fullmatch(text, 15)
    if match is None:
        raise ValueError
    sign, hours, minutes, seconds = match.groups()
    east = (int(hours) * 60 + int(minutes)) * 60 + int(seconds or 0)
    canonical = f"{hours}:{minutes}" if int(seconds or 0) == 0 else f"{hours}:{minutes}:{seconds}"
    if int(minutes) > 59 or int(seconds or 0) > 59 or text[16:] != canonical or (sign == "-" and east == 0):
        raise ValueError
    return read_time(text[:15]), -east if sign == "+" else east


def read_interval(text: str) -> tuple[int, int, int] | Endless:
    """Return months, days and microseconds."""
    if text in _ENDLESS:
        return _ENDLESS[text]
    match = _INTERVAL.fullmatch(text)
    if match is None:
        raise ValueError
    years, months, days, sign, hours, minutes, seconds, fraction = match.groups(default="0")
    microseconds = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * SECOND + int(fraction.ljust(6, "0"))
    interval = (int(years) * 12 + int(months), int(days), -microseconds if sign == "-" else microseconds)
    if text != interval_text(*interval):
        raise ValueError
    return interval


@lru_cache(maxsize=4096)
def _days(text: str) -> int:
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError
    year, month, day = map(int, match.groups())
    expected = f"{year:04d}" if 0 <= year <= 9999 else f"{year:+07d}"
    if match[1] != expected or not 1 <= month <= 12 or not 1 <= day <= _month_days(year, month):
        raise ValueError
    return _days_before_year(year) + sum(_month_days(year, m) for m in range(1, month)) + day - 1


def civil_date(days: int) -> tuple[int, int, int]:
    """Return year (0 is 1 BC), month and day of days since 2000-01-01, by the calendar's cycle of 400 years."""
    # Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    era, day_of_era = divmod(days + _DAYS_TO_2000, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, day


def _days_before_year(year: int) -> int:
    """Return the days from 2000-01-01 to January 1 of a year of the proleptic Gregorian calendar."""
    before = year - 1
    return year * 365 + before // 4 - before // 100 + before // 400 - (2000 * 365 + 1999 // 4 - 1999 // 100 + 4)


def _month_days(year: int, month: int) -> int:
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return _MONTH_DAYS[month - 1] + leap


def interval_text(months: int, days: int, microseconds: int) -> str:
    """Return the one text that PostgreSQL writes for an interval in IntervalStyle postgres."""
    years, rest = divmod(abs(months), 12)
    sign = -1 if months < 0 else 1
    parts: list[str] = []
    negative = False
    for amount, unit in ((sign * years, "year"), (sign * rest, "mon"), (days, "day")):
        if amount:
            plus = "+" if negative and amount > 0 else ""
            parts.append(f"{plus}{amount} {unit}{'' if amount == 1 else 's'}")
            negative = amount < 0
    if microseconds or not parts:
        mark = "-" if microseconds < 0 else "+" if negative else ""
        seconds, fraction = divmod(abs(microseconds), SECOND)
        tail = f".{fraction:06d}".rstrip("0") if fraction else ""
        parts.append(f"{mark}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{tail}")
    return " ".join(parts)
