"""The contract of every store: on behalf of one tenant nothing of another is reached."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from onboarding.store.errors import NotFound
from onboarding.store.interface import PageRequest, Store
from onboarding.store.records import (
    Advance,
    NewAccount,
    NewCredential,
    NewExecution,
    NewProvider,
    NewScanResult,
    NewSchedule,
)
from tests.contract.onboarding_store.conftest import Making

MOMENT = datetime(2026, 1, 2)
PAGE = PageRequest()
CREDENTIAL = NewCredential(credential_type="ibm_api_key", credentials={"api_key": "x"})


class Things:
    """One of everything, of one tenant."""

    def __init__(self, make: Making) -> None:
        self.schedule = make.schedule(next_run_at=MOMENT)
        self.account = make.store.get_account(self.schedule.account_id)
        self.provider = make.store.get_provider(self.account.provider_id)
        self.tenant = make.store.get_tenant(self.account.tenant_id)
        self.execution = make.execution(self.schedule)
        self.scan = make.scan(self.account)
        make.store.put_credential(self.account.account_id, CREDENTIAL)

    def all(self, store: Store) -> list[Any]:
        """Return everything as the store has it now."""
        return [
            store.get_tenant(self.tenant.tenant_id),
            store.get_provider(self.provider.provider_id),
            store.get_account(self.account.account_id),
            store.get_schedule(self.schedule.schedule_id),
            store.get_execution(self.execution.execution_id),
            store.get_scan_result(self.scan.scan_id),
            store.read_credential(self.account.account_id),
        ]


def calls(store: Store, theirs: Things, owner: uuid.UUID) -> list[Callable[[], Any]]:
    """Return every call that names something of `theirs`, on behalf of `owner`."""
    provider, account = theirs.provider.provider_id, theirs.account.account_id
    schedule, execution, scan = theirs.schedule.schedule_id, theirs.execution.execution_id, theirs.scan.scan_id
    tenant = theirs.tenant.tenant_id
    account_given = NewAccount(provider_id=provider, tenant_id=tenant, account_name="a")
    schedule_given = NewSchedule(
        tenant_id=tenant, account_id=account, name="s", schedule_type="one_time", provider_type="aws"
    )
    execution_given = NewExecution(schedule_id=schedule, started_at=MOMENT)
    scan_given = NewScanResult(account_id=account, provider_type="aws", started_at=MOMENT, status="running")
    return [
        lambda: store.create_provider(NewProvider(tenant_id=tenant, provider_type="ibm"), owner=owner),
        lambda: store.get_provider(provider, owner=owner),
        lambda: store.update_provider(provider, {"status": "stolen"}, owner=owner),
        lambda: store.update_provider(provider, {"status": "stolen"}, owner=owner, seen=theirs.provider),
        lambda: store.update_provider(provider, {}, owner=owner),
        lambda: store.delete_provider(provider, owner=owner),
        lambda: store.create_account(account_given, owner=owner),
        lambda: store.get_account(account, owner=owner),
        lambda: store.list_accounts_by_provider(provider, PAGE, owner=owner),
        lambda: store.update_account(account, {"status": "disabled"}, owner=owner),
        lambda: store.update_account(account, {"status": "disabled"}, owner=owner, seen=theirs.account),
        lambda: store.delete_account(account, owner=owner),
        lambda: store.put_credential(account, CREDENTIAL, owner=owner),
        lambda: store.get_credential_info(account, owner=owner),
        lambda: store.read_credential(account, owner=owner),
        lambda: store.delete_credential(account, owner=owner),
        lambda: store.create_schedule(schedule_given, owner=owner),
        lambda: store.get_schedule(schedule, owner=owner),
        lambda: store.list_schedules_by_account(account, PAGE, owner=owner),
        lambda: store.update_schedule(schedule, {"enabled": False}, owner=owner),
        lambda: store.update_schedule(schedule, {"enabled": False}, owner=owner, seen=theirs.schedule),
        lambda: store.delete_schedule(schedule, owner=owner),
        lambda: store.create_execution(execution_given, owner=owner),
        lambda: store.create_execution(execution_given, owner=owner, advance=Advance(MOMENT, None)),
        lambda: store.get_execution(execution, owner=owner),
        lambda: store.list_executions_by_schedule(schedule, PAGE, owner=owner),
        lambda: store.list_executions_by_account(account, PAGE, owner=owner),
        lambda: store.update_execution(execution, {"status": "failed"}, owner=owner),
        lambda: store.update_execution(execution, {"total_checks": 1}, owner=owner, seen=theirs.execution),
        lambda: store.create_scan_result(scan_given, owner=owner),
        lambda: store.get_scan_result(scan, owner=owner),
        lambda: store.list_scan_results_by_account(account, PAGE, owner=owner),
        lambda: store.update_scan_result(scan, {"status": "failed"}, owner=owner),
        lambda: store.update_scan_result(scan, {"status": "failed"}, owner=owner, seen=theirs.scan),
    ]


def test_on_behalf_of_another_tenant_nothing_is_found_and_nothing_changes(store: Store, make: Making) -> None:
    theirs, ours = Things(make), make.tenant()
    before = theirs.all(store)
    for owner in (ours.tenant_id, uuid.uuid4()):
        for number, call in enumerate(calls(store, theirs, owner)):
            with pytest.raises(NotFound):
                pytest.fail(f"call {number} answered {call()!r}")
    assert theirs.all(store) == before


def test_on_behalf_of_its_own_tenant_every_call_is_answered(store: Store, make: Making) -> None:
    count = len(calls(store, Things(make), uuid.uuid4()))
    for number in range(count):
        things = Things(make)
        calls(store, things, things.tenant.tenant_id)[number]()


def test_an_account_of_one_tenant_cannot_hang_on_a_provider_of_another(store: Store, make: Making) -> None:
    theirs, ours = make.provider(), make.tenant()
    for owner in (None, ours.tenant_id):
        new = NewAccount(provider_id=theirs.provider_id, tenant_id=ours.tenant_id, account_name="a")
        with pytest.raises(NotFound) as refusal:
            store.create_account(new, owner=owner)
        assert refusal.value.kind == "provider"


def test_what_is_due_is_of_the_owner_alone(store: Store, make: Making) -> None:
    ours, theirs = make.schedule(next_run_at=MOMENT), make.schedule(next_run_at=MOMENT)
    due = store.due_schedules(MOMENT, PAGE, owner=ours.tenant_id)
    assert [schedule.schedule_id for schedule in due.items] == [ours.schedule_id]
    assert theirs.tenant_id != ours.tenant_id
