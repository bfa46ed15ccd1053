"""Changes of schedules: the next run follows whatever says when it is, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from onboarding.api.schedule_changes import with_next_run
from onboarding.api.schedule_times import BadTime
from onboarding.store.records import Schedule

NOW = datetime(2026, 1, 2, 3, 4, 5)
ID = UUID("5c0f5f8e-7a1d-4c7e-9d55-0c1a7f3b1a01")
CRON = Schedule(
    schedule_id=ID,
    tenant_id=ID,
    account_id=ID,
    name="nightly",
    description=None,
    schedule_type="cron",
    cron_expression="0 2 * * *",
    interval_seconds=None,
    timezone="UTC",
    provider_type="aws",
    regions=None,
    services=None,
    exclude_services=None,
    status="active",
    enabled=True,
    last_run_at=None,
    next_run_at=datetime(2025, 1, 1, 2),
    run_count=0,
    success_count=0,
    failure_count=0,
    notify_on_success=False,
    notify_on_failure=True,
    notification_channels=None,
    created_at=NOW - timedelta(days=1),
    updated_at=NOW - timedelta(days=1),
    created_by=None,
)
INTERVAL = replace(CRON, schedule_type="interval", cron_expression=None, interval_seconds=60)
ONCE = replace(CRON, schedule_type="one_time", cron_expression=None)


@pytest.mark.parametrize(
    "changes",
    [{}, {"name": "n"}, {"enabled": False}, {"status": "paused"}, {"enabled": True}, {"regions": ("a",)}],
    ids=str,
)
def test_a_change_that_does_not_touch_when_it_runs_leaves_the_next_run(changes: dict[str, Any]) -> None:
    assert with_next_run(CRON, changes, NOW) == changes


@pytest.mark.parametrize(
    ("schedule", "changes", "runs"),
    [
        (CRON, {"cron_expression": "0 4 * * *"}, datetime(2026, 1, 2, 4)),
        (CRON, {"timezone": "Asia/Kolkata"}, datetime(2026, 1, 2, 20, 30)),
        (CRON, {"schedule_type": "interval", "interval_seconds": 60}, NOW - timedelta(days=1, seconds=-60)),
        (replace(INTERVAL, last_run_at=NOW), {"interval_seconds": 90}, NOW + timedelta(seconds=90)),
        (INTERVAL, {"schedule_type": "cron", "cron_expression": "@daily"}, datetime(2026, 1, 3)),
        (ONCE, {"next_run_at": NOW}, NOW),
        (ONCE, {"next_run_at": None}, None),
        (CRON, {"schedule_type": "one_time", "next_run_at": NOW}, NOW),
        (replace(CRON, enabled=False), {"enabled": True}, datetime(2026, 1, 3, 2)),
        (replace(CRON, status="paused"), {"status": "active"}, datetime(2026, 1, 3, 2)),
    ],
    ids=range(10),
)
def test_a_change_of_when_it_runs_moves_the_next_run(
    schedule: Schedule, changes: dict[str, Any], runs: datetime | None
) -> None:
    assert with_next_run(schedule, changes, NOW) == {**changes, "next_run_at": runs}


def test_a_schedule_that_ran_once_can_be_enabled_without_running_again() -> None:
    ran = replace(ONCE, next_run_at=None, enabled=False)
    assert with_next_run(ran, {"enabled": True}, NOW) == {"enabled": True}


@pytest.mark.parametrize(
    ("schedule", "changes", "field"),
    [
        (CRON, {"next_run_at": NOW}, "next_run_at"),
        (CRON, {"schedule_type": "interval"}, "interval_seconds"),
        (INTERVAL, {"schedule_type": "cron"}, "cron_expression"),
        (CRON, {"cron_expression": None}, "cron_expression"),
        (CRON, {"schedule_type": "one_time"}, "next_run_at"),
    ],
    ids=range(5),
)
def test_a_change_that_would_leave_a_schedule_without_its_time_is_refused(
    schedule: Schedule, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadTime) as refused:
        with_next_run(schedule, changes, NOW)
    assert refused.value.field == field
