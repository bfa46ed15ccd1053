"""The contract of every store: what hangs on a thing goes with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from onboarding.store.errors import NotFound
from onboarding.store.interface import PageRequest, Store
from onboarding.store.records import NewCredential
from tests.contract.onboarding_store.conftest import Clock, Making

PAGE = PageRequest()
CREDENTIAL = NewCredential(credential_type="ibm_api_key", credentials={"api_key": "x"})


class Family:
    """A provider with two accounts, each with two schedules, thirty executions, two scans and a credential."""

    def __init__(self, make: Making) -> None:
        self.store = store = make.store
        self.provider = make.provider()
        self.accounts = [make.account(self.provider) for _ in range(2)]
        self.schedules = [make.schedule(account) for account in self.accounts for _ in range(2)]
        begun = datetime(2026, 1, 2)
        self.executions = [
            make.execution(schedule, started_at=begun + timedelta(seconds=n))
            for schedule in self.schedules
            for n in range(15)
        ]
        self.scans = [make.scan(account) for account in self.accounts for _ in range(2)]
        for account in self.accounts:
            store.put_credential(account.account_id, CREDENTIAL)

    def left(self) -> dict[str, int]:
        """Count what is still there, by asking for each thing."""
        store = self.store
        return {
            "providers": _there(store.get_provider, self.provider.provider_id),
            "accounts": sum(_there(store.get_account, a.account_id) for a in self.accounts),
            "credentials": sum(_there(store.get_credential_info, a.account_id) for a in self.accounts),
            "schedules": sum(_there(store.get_schedule, s.schedule_id) for s in self.schedules),
            "executions": sum(_there(store.get_execution, e.execution_id) for e in self.executions),
            "scans": sum(_there(store.get_scan_result, s.scan_id) for s in self.scans),
        }

    def listed(self) -> int:
        """Count what the listings still show."""
        store, tenant_id = self.store, self.provider.tenant_id
        pages = [
            store.list_providers(tenant_id, PAGE),
            store.list_accounts_by_tenant(tenant_id, PAGE),
            store.list_accounts_by_provider(self.provider.provider_id, PAGE),
            store.list_schedules_by_tenant(tenant_id, PAGE),
        ]
        for account in self.accounts:
            pages += [
                store.list_schedules_by_account(account.account_id, PAGE),
                store.list_executions_by_account(account.account_id, PAGE),
                store.list_scan_results_by_account(account.account_id, PAGE),
            ]
        pages += [store.list_executions_by_schedule(schedule.schedule_id, PAGE) for schedule in self.schedules]
        return sum(len(page.items) for page in pages)


ALL = {"providers": 1, "accounts": 2, "credentials": 2, "schedules": 4, "executions": 60, "scans": 4}
NONE = dict.fromkeys(ALL, 0)


def _there(get: Callable[[Any], object], identifier: object) -> int:
    try:
        get(identifier)
    except NotFound:
        return 0
    return 1


def test_with_a_tenant_goes_everything(store: Store, make: Making) -> None:
    family, other = Family(make), Family(make)
    assert family.left() == ALL
    store.delete_tenant(family.provider.tenant_id)
    assert (family.left(), family.listed()) == (NONE, 0)
    assert other.left() == ALL
    with pytest.raises(NotFound):
        store.delete_tenant(family.provider.tenant_id)


def test_with_a_provider_go_its_accounts(store: Store, make: Making) -> None:
    family = Family(make)
    store.delete_provider(family.provider.provider_id)
    assert (family.left(), family.listed()) == (NONE, 0)
    assert store.get_tenant(family.provider.tenant_id)


def test_with_an_account_goes_what_is_its(store: Store, make: Making) -> None:
    family = Family(make)
    store.delete_account(family.accounts[0].account_id)
    half = {"providers": 1, "accounts": 1, "credentials": 1, "schedules": 2, "executions": 30, "scans": 2}
    assert family.left() == half


def test_with_a_schedule_go_its_executions(store: Store, make: Making) -> None:
    family = Family(make)
    store.delete_schedule(family.schedules[0].schedule_id)
    assert family.left() == ALL | {"schedules": 3, "executions": 45}


def test_what_is_deleted_is_not_confirmed_before_its_time_and_then_forgotten(
    store: Store, make: Making, clock: Clock
) -> None:
    family = Family(make)
    store.delete_tenant(family.provider.tenant_id)
    clock.ahead = timedelta(hours=1)
    assert store.sweep(seconds=60) == 0
    assert store.sweep() == 0
