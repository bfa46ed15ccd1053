"""The values that a worker gives its records, from its own random numbers only. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from onboarding.database.models import ACCOUNT_STATUSES, ONBOARDING_STATUSES, SCHEDULE_STATUSES, SCHEDULE_TYPES
from onboarding.store.rules import CREDENTIAL_TYPES

FIRST_MOMENT = datetime(2026, 1, 1)
ONE_SECOND = timedelta(seconds=1)
WORDS = ("prod", "test", "Grün", "naïve", "日本", "a'b\"c", "spread out", "x" * 60, "line\nbreak", "🙂", "%s", "null")
REGIONS = ("us-east-1", "eu-central-1", "ap-south-1", "westeurope", "us-central1")


def identifier(random: Random) -> UUID:
    """Return a new UUID."""
    return UUID(int=random.getrandbits(128), version=4)


def words(random: Random) -> str:
    """Return some text, with the characters that stores stumble over."""
    return f"{random.choice(WORDS)} {random.randrange(10**6)}"


def maybe(random: Random, value: Any) -> Any:
    """Return the value, or now and then None."""
    return value if random.random() < 0.8 else None


def moment(random: Random, around: datetime) -> datetime:
    """Return a time within a day of another, to the second or to the microsecond."""
    near = around + timedelta(seconds=random.randrange(-86_400, 86_400))
    return near if random.random() < 0.5 else near + timedelta(microseconds=random.randrange(10**6))


def _some_words(random: Random) -> tuple[str | None, ...] | None:
    chosen: list[str | None] = list(random.sample(REGIONS, random.randrange(4)))
    if random.random() < 0.1:
        chosen.append(None)
    return maybe(random, tuple(chosen))  # type: ignore[no-any-return]


def document(random: Random) -> dict[str, Any]:
    """Return a JSON object with every kind of value."""
    return {
        "name": words(random),
        "count": random.randrange(-(2**40), 2**40),
        "share": random.randrange(1_000) / 8,
        "on": random.random() < 0.5,
        "none": None,
        "inner": {"list": [1, "two", None, [], {}], "empty": {}, random.choice(WORDS): random.randrange(10)},
    }


def checks(random: Random) -> dict[str, int | None]:
    """Return the three counts of checks, as executions and scan results have them."""
    total = random.randrange(1_000)
    passed = random.randint(0, total)
    return {"total_checks": total, "passed_checks": passed, "failed_checks": maybe(random, total - passed)}


def credential(random: Random) -> dict[str, Any]:
    """Return the fields of a new credential; the value is of no use anywhere."""
    secret = f"{random.getrandbits(256):064x}"
    return {
        "credential_type": random.choice(CREDENTIAL_TYPES),
        "credentials": {"key": secret, "number": random.randrange(10**9), "note": random.choice(WORDS)},
        "expires_at": maybe(random, moment(random, FIRST_MOMENT + timedelta(days=4_000))),
    }


def some(random: Random, possible: dict[str, Any]) -> dict[str, Any]:
    """Return one to three of the possible changes."""
    chosen = random.sample(sorted(possible), min(len(possible), random.randint(1, 3)))
    return {name: possible[name] for name in chosen}


def schedule_changes(random: Random, now: datetime) -> dict[str, Any]:
    """Return a value for every field of a schedule that can be changed."""
    return {
        "name": words(random),
        "description": maybe(random, words(random)),
        "schedule_type": random.choice(SCHEDULE_TYPES),
        "cron_expression": maybe(random, f"{random.randrange(60)} {random.randrange(24)} * * *"),
        "interval_seconds": maybe(random, random.randint(1, 86_400)),
        "timezone": random.choice(("UTC", "Europe/Berlin", "Asia/Tokyo")),
        "regions": _some_words(random),
        "services": _some_words(random),
        "exclude_services": _some_words(random),
        "status": random.choice((*SCHEDULE_STATUSES, "active", "active")),
        "enabled": random.random() < 0.7,
        "next_run_at": maybe(random, moment(random, now)),
        "notify_on_success": random.random() < 0.5,
        "notify_on_failure": random.random() < 0.5,
        "notification_channels": maybe(random, document(random)),
    }


TIMING = {"cron": "cron_expression", "interval": "interval_seconds", "one_time": "next_run_at"}
"""What a schedule of each type must be given; for the other types a service that reckons runs takes none of it."""


def fit_for_reckoning(values: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return the values of a new schedule with just what its type needs."""
    needed = {"cron_expression": "0 4 * * *", "interval_seconds": 3_600, "next_run_at": now}
    timing = {
        name: (values[name] or needed[name]) if kind == values["schedule_type"] else None
        for kind, name in TIMING.items()
    }
    return values | timing


def changes_while_reckoning(values: dict[str, Any], schedule_type: str) -> dict[str, Any]:
    """Return the changes of a schedule that leave its type, and keep what the type needs."""
    unfit = {name for kind, name in TIMING.items() if kind != schedule_type or values[name] is None}
    return {name: value for name, value in values.items() if name not in unfit | {"schedule_type"}}


def account_changes(random: Random, now: datetime) -> dict[str, Any]:
    """Return a value for every field of an account that can be changed."""
    return {
        "account_name": words(random),
        "account_number": maybe(random, f"{random.randrange(10**12):012d}"),
        "status": random.choice(ACCOUNT_STATUSES),
        "onboarding_status": random.choice(ONBOARDING_STATUSES),
        "onboarding_id": maybe(random, identifier(random)),
        "last_validated_at": maybe(random, moment(random, now)),
    }
