"""When a schedule runs next. Pure: times are UTC without zone, now is given.

- `cron`: the first time after now that the expression names in the schedule's time zone. Where the clocks go
  forward, a time of day in the gap is taken at the gap's end; where they go back, a fixed time of day that comes
  twice runs at its first, and an expression whose minute or hour starts with `*` runs by elapsed time (the rules of
  Debian's cron, which the library `cronsim` follows).
- `interval`: so many seconds after the last run, or after the creation when there was none. Runs that were missed
  are not made up for: a time that has passed is due at once.
- `one_time`: the time that was given; none after it has run.

A disabled or paused schedule keeps its next time, and does not run: it is never due. Enabled or set active again, its
next time is reckoned anew, so that a cron schedule does not run for the times missed meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

LONGEST_TIMEZONE = 50
MACROS: Mapping[str, str] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
LATEST = datetime(9999, 12, 31, 23, 59, 59)
_FIELDS = 5
_PROBE = datetime(2024, 1, 1)


class BadTime(Exception):
    """A field of the schedule makes no time. `field` names it, `reason` says what it must be."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}.")
        self.field, self.reason = field, reason


class Timed(Protocol):
    """What of a schedule says when it runs."""

    @property
    def schedule_type(self) -> str:
        """One of cron, interval, one_time."""

    @property
    def cron_expression(self) -> str | None:
        """Five fields or a macro."""

    @property
    def interval_seconds(self) -> int | None:
        """At least 1."""

    @property
    def timezone(self) -> str:
        """A name of the IANA time zone database."""

    @property
    def next_run_at(self) -> datetime | None:
        """Given by the caller for one_time."""


@lru_cache(maxsize=1)
def timezones() -> frozenset[str]:
    """Return the names of time zones that a schedule can have."""
    return frozenset(name for name in available_timezones() if len(name) <= LONGEST_TIMEZONE)


def check_timezone(name: str) -> None:
    """Raise BadTime unless it is a name of the IANA time zone database."""
    if name not in timezones():
        raise BadTime("timezone", "must be a name of the IANA time zone database, such as Europe/Berlin")


def check_cron(expression: str) -> None:
    """Raise BadTime unless it is a cron expression of five fields, or a macro, that names a time at all."""
    if next_cron(expression, "UTC", _PROBE) is None:
        raise BadTime("cron_expression", "must name a time that comes")


def next_run(schedule: Timed, *, now: datetime, since: datetime) -> datetime | None:
    """Return when the schedule runs next, None when never again.

    `since` is its last run, or its creation. Raises BadTime when what its type needs is not there.
    """
    if schedule.schedule_type == "cron":
        if schedule.cron_expression is None:
            raise BadTime("cron_expression", "is needed for a schedule of type cron")
        return next_cron(schedule.cron_expression, schedule.timezone, now)
    if schedule.schedule_type == "interval":
        if schedule.interval_seconds is None:
            raise BadTime("interval_seconds", "is needed for a schedule of type interval")
        return _later(since, schedule.interval_seconds)
    if schedule.next_run_at is None:
        raise BadTime("next_run_at", "is needed for a schedule of type one_time")
    return schedule.next_run_at


def run_after(schedule: Timed, *, now: datetime) -> datetime | None:
    """Return when the schedule runs after the run that begins now, None when never again."""
    if schedule.schedule_type == "one_time":
        return None
    return next_run(schedule, now=now, since=now)


def next_cron(expression: str, timezone: str, now: datetime) -> datetime | None:
    """Return the first time after now that the expression names, None when it names none. Raises BadTime."""
    check_timezone(timezone)
    zone = UTC if timezone in ("UTC", "Etc/UTC") else ZoneInfo(timezone)
    try:
        times = CronSim(_spelled_out(expression), now.replace(tzinfo=UTC).astimezone(zone))
        found = (time.astimezone(UTC).replace(tzinfo=None) for time in times)
        # In the hour that comes twice the library starts from its first passing: what lies before now is skipped.
        return next((time for time in found if time > now), None)
    except CronSimError:
        raise BadTime("cron_expression", "must be a cron expression of five fields, or a macro like @daily") from None
    except (StopIteration, OverflowError, RuntimeError):
        return None


def _spelled_out(expression: str) -> str:
    expression = MACROS.get(expression.strip().lower(), expression)
    # The library takes a sixth field, for seconds; it also reads digits beyond ASCII, and asserts on odd steps.
    if len(expression.split()) != _FIELDS or not expression.isascii():
        raise CronSimError
    try:
        CronSim(expression, _PROBE)
    except (AssertionError, ValueError, TypeError):
        raise CronSimError from None
    return expression


def _later(since: datetime, seconds: int) -> datetime:
    step = timedelta(seconds=seconds)
    return since + step if since <= LATEST - step else LATEST
