"""When a schedule runs next: in its time zone, over the changes of its clocks, and never in the past."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onboarding.api.schedule_times import (
    LATEST,
    MACROS,
    BadTime,
    check_cron,
    check_timezone,
    next_cron,
    next_run,
    run_after,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, 678)


@dataclass(frozen=True)
class Timing:
    """What of a schedule says when it runs."""

    schedule_type: str
    cron_expression: str | None = None
    interval_seconds: int | None = None
    timezone: str = "UTC"
    next_run_at: datetime | None = None


@pytest.mark.parametrize(
    ("expression", "timezone", "now", "runs"),
    [
        ("0 2 * * *", "UTC", NOW, datetime(2026, 1, 3, 2)),
        ("0 2 * * *", "Europe/Berlin", NOW, datetime(2026, 1, 3, 1)),
        ("0 2 * * *", "Europe/Berlin", datetime(2026, 7, 2, 3), datetime(2026, 7, 3, 0)),
        ("0 2 * * *", "Asia/Kolkata", NOW, datetime(2026, 1, 2, 20, 30)),
        ("*/15 * * * 1-5", "UTC", datetime(2026, 1, 2, 23, 50), datetime(2026, 1, 5)),
        ("0 0 29 2 *", "UTC", NOW, datetime(2028, 2, 29)),
        ("@daily", "America/Argentina/Buenos_Aires", NOW, datetime(2026, 1, 3, 3)),
        ("0 2 * * *", "UTC", datetime(2026, 1, 2, 2), datetime(2026, 1, 3, 2)),
    ],
    ids=range(8),
)
def test_a_cron_schedule_runs_at_the_time_of_day_of_its_zone(
    expression: str, timezone: str, now: datetime, runs: datetime
) -> None:
    assert next_cron(expression, timezone, now) == runs


def test_a_time_in_the_gap_when_clocks_go_forward_runs_at_the_gaps_end() -> None:
    # Berlin, 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC.
    assert next_cron("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 28, 12)) == datetime(2026, 3, 29, 1)
    assert next_cron("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 29, 1)) == datetime(2026, 3, 30, 0, 30)


def test_a_time_that_comes_twice_when_clocks_go_back_runs_once() -> None:
    # Berlin, 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC; 02:30 is 00:30 and 01:30 UTC.
    first = next_cron("30 2 * * *", "Europe/Berlin", datetime(2026, 10, 24, 12))
    assert first == datetime(2026, 10, 25, 0, 30)
    for later in (first, first + timedelta(minutes=15), datetime(2026, 10, 25, 1, 15), datetime(2026, 10, 25, 1, 30)):
        assert next_cron("30 2 * * *", "Europe/Berlin", later) == datetime(2026, 10, 26, 1, 30)


def test_a_schedule_of_every_half_hour_runs_every_half_hour_over_both_changes() -> None:
    for begin in (datetime(2026, 3, 28, 23), datetime(2026, 10, 24, 23)):
        times = [begin]
        for _ in range(8):
            times.append(next_cron("*/30 * * * *", "Europe/Berlin", times[-1]) or LATEST)
        assert {after - before for before, after in pairwise(times)} == {timedelta(minutes=30)}


@settings(max_examples=200)
@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),
    st.sampled_from(["30 2 * * *", "*/7 * * * *", "0 0 * * 0", "15,45 1-3 * * *", "@hourly", "0 12 L * *"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"]),
)
def test_the_next_run_is_never_now_or_before(now: datetime, expression: str, timezone: str) -> None:
    found = next_cron(expression, timezone, now)
    assert found is not None
    assert found > now


@pytest.mark.parametrize("macro", sorted(MACROS))
def test_the_usual_macros_are_taken(macro: str) -> None:
    check_cron(macro)
    check_cron(f" {macro.upper()} ")


@pytest.mark.parametrize(
    "expression",
    ["", "daily", "@reboot", "@", "* * * *", "* * * * * *", "60 * * * *", "*/0 * * * *", "0 0 30 2 *", "5-1 * * * *",
     "L/2 * * * *", "* * * * L", "a b c d e", "* * * * 8", "* * * * ٣", "1,, * * * *",
     "-1 * * * *", "99999999999999999999 * * * *"],
    ids=range(18),
)  # fmt: skip
def test_what_is_no_cron_expression_is_refused(expression: str) -> None:
    with pytest.raises(BadTime) as refused:
        check_cron(expression)
    assert refused.value.field == "cron_expression"


@given(st.text(alphabet="0123456789*/,-#L @aMON\n\t", max_size=24))
def test_any_text_is_either_taken_or_refused_as_a_bad_time(expression: str) -> None:
    try:
        check_cron(expression)
    except BadTime:
        return
    next_cron(expression, "Europe/Berlin", NOW)


@pytest.mark.parametrize("name", ["", "Berlin", "europe/berlin", "../../etc/passwd", "UTC ", "posixrules/x"])
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(BadTime, match="timezone"):
        check_timezone(name)


def test_an_interval_counts_from_the_last_run_and_what_was_missed_is_due_at_once() -> None:
    timing = Timing("interval", interval_seconds=60)
    assert next_run(timing, now=NOW, since=NOW) == NOW + timedelta(seconds=60)
    assert next_run(timing, now=NOW, since=NOW - timedelta(days=1)) == NOW - timedelta(days=1) + timedelta(seconds=60)
    assert next_run(replace(timing, interval_seconds=2**31 - 1), now=LATEST, since=LATEST) == LATEST


def test_a_schedule_that_runs_once_has_the_time_given_and_none_after_it() -> None:
    timing = Timing("one_time", next_run_at=NOW)
    assert next_run(timing, now=NOW, since=NOW) == NOW
    assert run_after(timing, now=NOW) is None
    assert run_after(Timing("interval", interval_seconds=60), now=NOW) == NOW + timedelta(seconds=60)
    assert run_after(Timing("cron", "@daily"), now=NOW) == datetime(2026, 1, 3)


@pytest.mark.parametrize(
    ("kind", "field"),
    [("cron", "cron_expression"), ("interval", "interval_seconds"), ("one_time", "next_run_at")],
)
def test_a_schedule_that_lacks_what_its_type_needs_is_refused_by_name(kind: str, field: str) -> None:
    with pytest.raises(BadTime) as refused:
        next_run(Timing(kind), now=NOW, since=NOW)
    assert refused.value.field == field
