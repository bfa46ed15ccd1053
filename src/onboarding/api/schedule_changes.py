"""What a change of a schedule comes to: which other fields it moves. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from onboarding.api.schedule_times import BadTime, next_run
from onboarding.store.records import Schedule

TIMING = frozenset({"schedule_type", "cron_expression", "interval_seconds", "timezone", "next_run_at"})


def with_next_run(schedule: Schedule, changes: Mapping[str, Any], now: datetime) -> Mapping[str, Any]:
    """Return the changes, and the schedule's next run with them when they touch it.

    They do when they change when it runs, or enable it or set it active again. Raises BadTime when the schedule, as
    it would become, lacks what its type needs, or when a next run is given that is reckoned.
    """
    # Checked by the rules when it was sent; here only to see what becomes of it.
    becomes = replace(schedule, **changes)
    if "next_run_at" in changes and becomes.schedule_type != "one_time":
        raise BadTime("next_run_at", f"is reckoned for the type {becomes.schedule_type} and cannot be given")
    if not (TIMING & changes.keys() or (_runs(becomes) and not _runs(schedule))):
        return changes
    if becomes.schedule_type == "one_time":
        _check_one_time(schedule, changes)
        return changes
    since = schedule.last_run_at or schedule.created_at
    return {**changes, "next_run_at": next_run(becomes, now=now, since=since)}


def _check_one_time(schedule: Schedule, changes: Mapping[str, Any]) -> None:
    """Raise BadTime when the schedule would run once without anybody having said when."""
    if schedule.schedule_type != "one_time" and changes.get("next_run_at") is None:
        raise BadTime("next_run_at", "is needed for a schedule of type one_time")


def _runs(schedule: Schedule) -> bool:
    return schedule.enabled and schedule.status == "active"
