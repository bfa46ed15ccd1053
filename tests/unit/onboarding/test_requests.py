"""Requests: a body takes exactly what the store's rules take, and a refusal never repeats what was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from onboarding.api import fields
from onboarding.api.requests import BODIES, Body
from onboarding.database import models
from onboarding.store.errors import Invalid
from onboarding.store.rules import CHANGEABLE, CREDENTIAL_TYPES, RULES

KINDS = {
    "Tenant": "tenant",
    "Provider": "provider",
    "Account": "account",
    "Credential": "credential",
    "CronSchedule": "schedule",
    "IntervalSchedule": "schedule",
    "OneTimeSchedule": "schedule",
    "Schedule": "schedule",
    "ManualExecution": "execution",
    "DueExecution": "execution",
    "Execution": "execution",
    "ScanResult": "scan_result",
}
STRICTER = {"cron_expression", "timezone", "schedule_type", "triggered_by"}
"""Fields of which a body takes less than the store: expressions that mean something, and one type for each body."""
OWN = {("DueExecutionCreate", "next_run_at")}
"""Fields of a body that are no field of the record."""


def kind_of(body: type[Body]) -> str:
    name = body.__name__
    for ending in ("Create", "Change", "Write"):
        name = name.removesuffix(ending)
    return KINDS[name]


def pairs() -> Iterator[tuple[type[Body], str]]:
    """Give each type of field with each rule that it stands for once, by the first body that has it."""
    seen = set()
    for body in BODIES:
        for name, field in body.model_fields.items():
            if name in STRICTER or (body.__name__, name) in OWN:
                continue
            pair = (repr(field.rebuild_annotation()), id(RULES[kind_of(body)][name]))
            if pair not in seen:
                seen.add(pair)
                yield body, name


PAIRS = tuple(pairs())

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([10**38, -(10**38), 1e-200]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
texts = st.one_of(
    st.text(max_size=8),
    st.sampled_from([0, 1, 49, 50, 51, 100, 101, 255, 256, 4_096, 4_097]).map(lambda length: "x" * length),
    st.sampled_from(["a\0b", "\ud800", "a\udfff", "\U0010ffff" * 255, "active", "pending", "aws", "running", "é" * 50]),
    st.uuids().map(str),
)
values = st.one_of(
    texts,
    json_values,
    st.lists(texts | st.none(), max_size=5),
    st.sampled_from(
        [["a"] * 100, ["a"] * 101, [None], [1], True, 1, 0, -1, 2**31 - 1, 2**31, 1.0, {"": 1}, {"a": {"": {}}}]
    ),
    st.sampled_from([{"a": "x" * size} for size in (100, 32_700, 32_800, 65_500, 65_600)]),
)


NEEDED = {
    ("CronScheduleCreate", "cron_expression"),
    ("IntervalScheduleCreate", "interval_seconds"),
    ("OneTimeScheduleCreate", "next_run_at"),
}
"""What one kind of schedule cannot be without, though a schedule can."""


def taken(check: Callable[[], Any]) -> Any:
    """Return what was taken, or the refusal."""
    try:
        return check()
    except (ValidationError, Invalid) as refused:
        return refused


@pytest.mark.parametrize(("body", "name"), PAIRS, ids=[f"{body.__name__}.{name}" for body, name in PAIRS])
def test_a_body_takes_what_the_rules_take_and_nothing_else(body: type[Body], name: str) -> None:
    rule = RULES[kind_of(body)][name]
    field = body.model_fields[name]
    adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())

    @settings(max_examples=50, deadline=None)
    @given(values)
    def compare(value: Any) -> None:
        sent = taken(lambda: adapter.validate_python(value))
        if value is None and (body.__name__, name) in NEEDED:
            assert isinstance(sent, ValidationError)
        elif isinstance(sent, ValidationError):
            assert isinstance(taken(lambda: rule(name, as_the_store_has_it(value, rule, name))), Invalid)
        else:
            rule(name, sent)

    compare()


def as_the_store_has_it(value: Any, rule: Callable[[str, Any], None], name: str) -> Any:
    """Return a JSON value as the store would have it: lists of words are tuples there."""
    return tuple(value) if isinstance(value, list) and name in ("regions", "services", "exclude_services") else value


def test_a_change_can_name_exactly_what_the_store_lets_change() -> None:
    changes = {kind_of(body): set(body.model_fields) for body in BODIES if body.__name__.endswith("Change")}
    assert changes == {kind: set(names) for kind, names in CHANGEABLE.items()}


def test_words_that_are_enumerated_are_those_of_the_database() -> None:
    assert get_args(fields.ProviderType) == models.PROVIDER_TYPES
    assert get_args(fields.AccountStatus) == models.ACCOUNT_STATUSES
    assert get_args(fields.OnboardingStatus) == models.ONBOARDING_STATUSES
    assert get_args(fields.ScheduleStatus) == models.SCHEDULE_STATUSES
    assert get_args(fields.RunStatus) == models.EXECUTION_STATUSES
    assert get_args(fields.Trigger) == models.TRIGGERS
    assert get_args(fields.ScanType) == models.SCAN_TYPES
    assert get_args(fields.CredentialType) == CREDENTIAL_TYPES


MOMENT: TypeAdapter[datetime] = TypeAdapter(fields.Moment)
IDENTIFIER: TypeAdapter[UUID] = TypeAdapter(fields.Id)


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)), st.integers(-23 * 60, 23 * 60))
def test_a_time_becomes_the_same_moment_in_utc(moment: datetime, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    found = MOMENT.validate_python(moment.replace(tzinfo=zone).isoformat())
    assert found.tzinfo is None
    assert found.replace(tzinfo=UTC) == moment.replace(tzinfo=zone)


def test_times_are_read_as_rfc_3339_has_them() -> None:
    assert MOMENT.validate_python("2024-01-02t03:04:05z") == datetime(2024, 1, 2, 3, 4, 5)
    assert MOMENT.validate_python("2024-01-02T03:04:05.1234567Z") == datetime(2024, 1, 2, 3, 4, 5, 123456)
    assert MOMENT.validate_python("2016-12-31T23:59:60Z") == datetime(2017, 1, 1)


@pytest.mark.parametrize(
    "text",
    ["2024-01-02", "2024-01-02T03:04:05", "2024-13-02T03:04:05Z", "0001-01-01T00:00:00+01:00", "20240102T030405Z",
     "9999-12-31T23:59:59-01:00", "2024-01-02 03:04:05Z", "2024-W01-1T03:04:05Z", "", "now", 1, None,
     "٢024-01-02T03:04:05Z"],
    ids=range(13),
)  # fmt: skip
def test_what_is_no_time_is_refused(text: object) -> None:
    with pytest.raises(ValidationError):
        MOMENT.validate_python(text)


@pytest.mark.parametrize(
    "text", ["", "5c0f5f8e7a1d4c7e9d550c1a7f3b1a01", "{5c0f5f8e-7a1d-4c7e-9d55-0c1a7f3b1a01}", 1, None]
)
def test_an_id_has_one_form(text: object) -> None:
    with pytest.raises(ValidationError):
        IDENTIFIER.validate_python(text)
    assert IDENTIFIER.validate_python("5C0F5f8e-7a1d-4c7e-9d55-0c1a7f3b1a01").version == 4
