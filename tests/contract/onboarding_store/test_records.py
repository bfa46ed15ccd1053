"""The contract of every store: what is created, read, changed and refused."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from onboarding.store.errors import AlreadyExists, Changed, Conflict, Invalid, NotFound
from onboarding.store.interface import Store
from onboarding.store.records import (
    Advance,
    NewCredential,
    NewExecution,
    NewProvider,
    NewScanResult,
    NewSchedule,
    NewTenant,
)
from tests.contract.onboarding_store.conftest import Clock, Making

MOMENT = datetime(2026, 3, 29, 1, 30, 0, 7)
ALLOWANCE = timedelta(seconds=5)
HOSTILE = "Zürich\t\"quoted\" \\ 'x' \U0001f319 日本\n"
DOCUMENT = {
    "email": ["a@example.com", HOSTILE],
    "empty": {"list": [], "object": {}, "text": ""},
    "numbers": [0, -1, 0.125, 12345678901234567890123, 1e-7],
    "flag": True,
    "nothing": None,
}


def _given(new: Any) -> dict[str, Any]:
    return {f.name: value for f in fields(new) if (value := getattr(new, f.name)) is not None}


def _shown(record: Any, new: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in _given(new)}


def _times_are_now(record: Any) -> None:
    now = Clock()()
    assert abs(record.created_at - now) < ALLOWANCE
    assert getattr(record, "updated_at", record.created_at) == record.created_at


def test_a_tenant_comes_back_as_it_was_created(store: Store) -> None:
    new = NewTenant(tenant_name=f"{HOSTILE}{uuid.uuid4()}", description=HOSTILE, status="suspended")
    made = store.create_tenant(new)
    assert _shown(made, new) == _given(new)
    _times_are_now(made)
    assert store.get_tenant(made.tenant_id) == made
    assert store.get_tenant_by_name(new.tenant_name) == made


def test_a_new_record_has_the_defaults_of_its_columns(make: Making) -> None:
    schedule = make.schedule()
    assert (schedule.status, schedule.enabled, schedule.timezone) == ("active", True, "UTC")
    assert (schedule.notify_on_success, schedule.notify_on_failure) == (False, True)
    assert (schedule.run_count, schedule.success_count, schedule.failure_count) == (0, 0, 0)
    account = make.store.get_account(schedule.account_id)
    assert (account.status, account.onboarding_status) == ("pending", "pending")
    assert make.execution(schedule).status == "running"


def test_every_field_of_a_schedule_comes_back(store: Store, make: Making) -> None:
    account = make.account()
    new = NewSchedule(
        tenant_id=account.tenant_id,
        account_id=account.account_id,
        name=HOSTILE,
        schedule_type="cron",
        provider_type="aws",
        description="",
        cron_expression="0 2 * * *",
        interval_seconds=2**31 - 1,
        timezone="Europe/Berlin",
        regions=("eu-central-1", None, "", HOSTILE),
        services=(),
        exclude_services=("iam",),
        status="paused",
        enabled=False,
        next_run_at=MOMENT,
        notify_on_success=True,
        notify_on_failure=False,
        notification_channels=DOCUMENT,
        created_by=uuid.uuid4(),
        schedule_id=uuid.uuid4(),
    )
    made = store.create_schedule(new)
    assert _shown(made, new) == _given(new)
    assert store.get_schedule(made.schedule_id) == made


def test_every_field_of_a_scan_result_comes_back(store: Store, make: Making) -> None:
    new = NewScanResult(
        account_id=make.account().account_id,
        provider_type="gcp",
        started_at=MOMENT,
        status="completed",
        scan_type="on_demand",
        completed_at=MOMENT + timedelta(microseconds=1),
        total_checks=3,
        passed_checks=2,
        failed_checks=1,
        error_checks=0,
        result_storage_path="",
        metadata=DOCUMENT,
        scan_id=f"scan-{uuid.uuid4()}",
    )
    made = store.create_scan_result(new)
    assert _shown(made, new) == _given(new)
    assert store.get_scan_result(made.scan_id) == made


def test_an_account_and_a_provider_come_back(store: Store, make: Making) -> None:
    provider = make.provider()
    assert store.get_provider(provider.provider_id) == provider
    assert store.get_provider_by_tenant_and_type(provider.tenant_id, "aws") == provider
    account = make.account(provider, account_number="0123", onboarding_id=uuid.uuid4(), account_name=HOSTILE)
    assert store.get_account(account.account_id) == account
    assert (account.account_number, account.last_validated_at) == ("0123", None)


CREATIONS: list[tuple[str, Callable[[Making, dict[str, Any]], Any]]] = [
    ("tenant_id", lambda make, given: make.tenant(**given)),
    ("provider_id", lambda make, given: make.store.create_provider(_new_provider(make, given))),
    ("account_id", lambda make, given: make.account(**given)),
    ("schedule_id", lambda make, given: make.schedule(**given)),
    ("execution_id", lambda make, given: make.execution(**given)),
]


def _new_provider(make: Making, given: dict[str, Any]) -> NewProvider:
    return NewProvider(tenant_id=make.tenant().tenant_id, provider_type="ibm", **given)


@pytest.mark.parametrize(("field", "create"), CREATIONS, ids=[name for name, _ in CREATIONS])
def test_an_id_is_taken_once(make: Making, field: str, create: Any) -> None:
    identifier = uuid.uuid4()
    assert getattr(create(make, {field: identifier}), field) == identifier
    with pytest.raises(AlreadyExists):
        create(make, {field: identifier})


def test_a_scan_id_is_taken_once(make: Making) -> None:
    scan_id = f"scan-{uuid.uuid4()}"
    make.scan(scan_id=scan_id)
    with pytest.raises(AlreadyExists):
        make.scan(scan_id=scan_id)


def test_a_tenants_name_is_taken_once_and_free_after_a_rename_or_deletion(store: Store, make: Making) -> None:
    first = make.tenant()
    with pytest.raises(Conflict):
        make.tenant(tenant_name=first.tenant_name)
    store.update_tenant(first.tenant_id, {"tenant_name": f"{first.tenant_name}, renamed"})
    second = make.tenant(tenant_name=first.tenant_name)
    assert store.get_tenant_by_name(first.tenant_name).tenant_id == second.tenant_id
    with pytest.raises(Conflict):
        store.update_tenant(first.tenant_id, {"tenant_name": second.tenant_name})
    assert store.get_tenant(first.tenant_id).tenant_name == f"{first.tenant_name}, renamed"
    store.delete_tenant(second.tenant_id)
    assert make.tenant(tenant_name=first.tenant_name).tenant_id != second.tenant_id


def test_a_tenant_may_be_renamed_to_the_name_that_it_has(store: Store, make: Making) -> None:
    tenant = make.tenant()
    renamed = store.update_tenant(tenant.tenant_id, {"tenant_name": tenant.tenant_name, "description": "same"})
    assert (renamed.tenant_name, renamed.description) == (tenant.tenant_name, "same")
    assert store.get_tenant_by_name(tenant.tenant_name) == renamed


def test_a_tenant_has_each_provider_once_and_may_have_it_again_after_a_deletion(store: Store, make: Making) -> None:
    tenant = make.tenant()
    provider = make.provider(tenant)
    with pytest.raises(Conflict):
        make.provider(tenant)
    make.provider(tenant, "azure")
    make.provider()
    store.delete_provider(provider.provider_id)
    assert make.provider(tenant).provider_id != provider.provider_id


def test_an_id_that_is_taken_is_said_before_a_name_that_is_taken(store: Store, make: Making) -> None:
    tenant = make.tenant()
    with pytest.raises(AlreadyExists):
        store.create_tenant(NewTenant(tenant_name=tenant.tenant_name, tenant_id=tenant.tenant_id))
    provider = make.provider(tenant)
    with pytest.raises(AlreadyExists):
        store.create_provider(
            NewProvider(tenant_id=tenant.tenant_id, provider_type="aws", provider_id=provider.provider_id)
        )


def test_a_child_needs_its_parents(store: Store, make: Making) -> None:
    nobody, account = uuid.uuid4(), make.account()
    other = make.account()
    refused: list[tuple[str, Callable[[], Any]]] = [
        ("tenant", lambda: store.create_provider(NewProvider(tenant_id=nobody, provider_type="aws"))),
        ("tenant", lambda: make.account(make.provider(), tenant_id=nobody)),
        ("provider", lambda: make.account(make.provider(), provider_id=nobody)),
        ("provider", lambda: make.account(make.provider(), provider_id=other.provider_id)),
        ("tenant", lambda: make.schedule(account, tenant_id=nobody)),
        ("account", lambda: make.schedule(account, account_id=nobody)),
        ("account", lambda: make.schedule(account, account_id=other.account_id)),
        ("schedule", lambda: store.create_execution(NewExecution(schedule_id=nobody, started_at=MOMENT))),
        ("account", lambda: make.scan(account, account_id=nobody)),
        ("account", lambda: store.put_credential(nobody, NewCredential(credential_type="ibm_api_key", credentials={}))),
    ]
    for kind, create in refused:
        with pytest.raises(NotFound) as refusal:
            create()
        assert refusal.value.kind == kind


def test_what_is_not_there_is_not_found(store: Store) -> None:
    nobody = uuid.uuid4()
    calls: list[Callable[[], Any]] = [
        lambda: store.get_tenant(nobody),
        lambda: store.get_tenant_by_name(str(nobody)),
        lambda: store.update_tenant(nobody, {"status": "active"}),
        lambda: store.update_tenant(nobody, {"tenant_name": str(nobody)}),
        lambda: store.update_tenant(nobody, {}),
        lambda: store.delete_tenant(nobody),
        lambda: store.get_provider(nobody),
        lambda: store.get_provider_by_tenant_and_type(nobody, "aws"),
        lambda: store.update_provider(nobody, {"status": "active"}),
        lambda: store.delete_provider(nobody),
        lambda: store.get_account(nobody),
        lambda: store.update_account(nobody, {"status": "active"}),
        lambda: store.delete_account(nobody),
        lambda: store.get_credential_info(nobody),
        lambda: store.read_credential(nobody),
        lambda: store.delete_credential(nobody),
        lambda: store.get_schedule(nobody),
        lambda: store.update_schedule(nobody, {"enabled": True}),
        lambda: store.delete_schedule(nobody),
        lambda: store.get_execution(nobody),
        lambda: store.update_execution(nobody, {"status": "completed"}),
        lambda: store.update_execution(nobody, {"total_checks": 1}),
        lambda: store.get_scan_result(str(nobody)),
        lambda: store.update_scan_result(str(nobody), {"status": "completed"}),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()


def test_an_update_changes_what_it_names_and_nothing_else(store: Store, make: Making) -> None:
    before = make.schedule(description="before", next_run_at=MOMENT, notification_channels=DOCUMENT)
    after = store.update_schedule(
        before.schedule_id,
        {
            "description": None,
            "enabled": False,
            "regions": ("a", None),
            "next_run_at": None,
            "notification_channels": {},
        },
    )
    expected = replace(
        before, description=None, enabled=False, regions=("a", None), next_run_at=None, notification_channels={}
    )
    assert replace(after, updated_at=before.updated_at) == expected
    assert after.updated_at >= before.updated_at
    assert store.get_schedule(before.schedule_id) == after


def test_an_update_of_nothing_touches_nothing(store: Store, make: Making) -> None:
    account = make.account()
    assert store.update_account(account.account_id, {}) == account
    assert store.get_account(account.account_id) == account


def test_fields_that_make_a_record_what_it_is_cannot_be_changed(store: Store, make: Making) -> None:
    account = make.account()
    for change in ({"tenant_id": uuid.uuid4()}, {"account_id": uuid.uuid4()}, {"created_at": MOMENT}, {"nonsense": 1}):
        with pytest.raises(Invalid):
            store.update_account(account.account_id, change)
    with pytest.raises(Invalid):
        store.update_account(account.account_id, {"status": "no such"})
    assert store.get_account(account.account_id) == account


def test_an_update_of_what_has_changed_since_it_was_seen_is_refused(store: Store, make: Making) -> None:
    cases: list[tuple[Any, Callable[..., Any], dict[str, Any], dict[str, Any]]] = []
    tenant, account, schedule = make.tenant(), make.account(), make.schedule(notification_channels=DOCUMENT)
    execution, scan, provider = make.execution(), make.scan(metadata=DOCUMENT), make.provider()
    cases = [
        (tenant, store.update_tenant, {"description": "one"}, {"tenant_name": f"two {uuid.uuid4()}"}),
        (provider, store.update_provider, {"status": "one"}, {"status": "two"}),
        (account, store.update_account, {"last_validated_at": MOMENT}, {"account_number": "two"}),
        (schedule, store.update_schedule, {"regions": ("one",)}, {"name": "two"}),
        (execution, store.update_execution, {"total_checks": 1}, {"status": "completed"}),
        (scan, store.update_scan_result, {"error_checks": 1}, {"metadata": None}),
    ]
    for seen, update, first, second in cases:
        identifier = getattr(seen, next(iter(seen.__dataclass_fields__)))
        now = update(identifier, first, seen=seen)
        with pytest.raises(Changed):
            update(identifier, second, seen=seen)
        again = update(identifier, second, seen=now)
        assert {name: getattr(again, name) for name in first | second} == first | second


def test_what_is_gone_is_not_found_though_it_was_seen(store: Store, make: Making) -> None:
    schedule = make.schedule()
    store.delete_schedule(schedule.schedule_id)
    with pytest.raises(NotFound):
        store.update_schedule(schedule.schedule_id, {"enabled": False}, seen=schedule)


def test_an_execution_ends_once_and_its_schedule_counts_it(store: Store, make: Making) -> None:
    schedule = make.schedule()
    for status in ("completed", "failed", "cancelled"):
        execution = make.execution(schedule, started_at=MOMENT)
        ended = store.update_execution(execution.execution_id, {"status": status, "completed_at": MOMENT})
        assert (ended.status, ended.completed_at) == (status, MOMENT)
        with pytest.raises(Conflict):
            store.update_execution(execution.execution_id, {"status": "running"})
        with pytest.raises(Conflict):
            store.update_execution(execution.execution_id, {"status": "failed" if status != "failed" else "completed"})
        again = store.update_execution(execution.execution_id, {"status": status, "error_message": "late"})
        assert (again.status, again.error_message) == (status, "late")
    counted = store.get_schedule(schedule.schedule_id)
    assert (counted.run_count, counted.success_count, counted.failure_count) == (3, 1, 1)
    assert counted.last_run_at == MOMENT


def test_a_due_run_is_claimed_once(store: Store, make: Making) -> None:
    later = MOMENT + timedelta(hours=1)
    schedule = make.schedule(next_run_at=MOMENT)
    new = NewExecution(schedule_id=schedule.schedule_id, started_at=MOMENT, triggered_by="scheduler")
    begun = store.create_execution(new, advance=Advance(MOMENT, later))
    assert begun.account_id == schedule.account_id
    assert store.get_schedule(schedule.schedule_id).next_run_at == later
    with pytest.raises(Conflict):
        store.create_execution(new, advance=Advance(MOMENT, later))
    store.create_execution(new, advance=Advance(later, None))
    assert store.get_schedule(schedule.schedule_id).next_run_at is None
    with pytest.raises(Conflict):
        store.create_execution(new, advance=Advance(later, None))
