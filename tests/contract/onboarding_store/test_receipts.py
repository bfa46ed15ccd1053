"""The contract of every store: a creation leaves its receipt in the same act."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from onboarding.store.errors import AlreadyExists, Conflict
from onboarding.store.interface import Store
from onboarding.store.records import (
    NewAccount,
    NewExecution,
    NewProvider,
    NewScanResult,
    NewSchedule,
    NewTenant,
    Receipt,
)
from tests.contract.onboarding_store.conftest import Clock, Making

MOMENT = datetime(2026, 3, 29, 1, 30, 0, 7)


def test_a_receipt_is_left_with_what_was_created_and_stands_against_a_second_one(
    store: Store, make: Making, clock: Clock
) -> None:
    receipt = Receipt(uuid.uuid4().hex, "fingerprint", clock() + timedelta(hours=24))
    assert store.receipt(receipt.key) is None
    tenant = store.create_tenant(NewTenant(tenant_name=str(uuid.uuid4())), receipt=receipt)
    assert store.receipt(receipt.key) == receipt
    with pytest.raises(AlreadyExists):
        store.create_tenant(NewTenant(tenant_name=str(uuid.uuid4())), receipt=receipt)
    store.delete_tenant(tenant.tenant_id)
    with pytest.raises(AlreadyExists):
        store.create_tenant(NewTenant(tenant_name=str(uuid.uuid4())), receipt=receipt)


def test_a_creation_that_is_refused_leaves_no_receipt(store: Store, make: Making, clock: Clock) -> None:
    receipt = Receipt(uuid.uuid4().hex, "fingerprint", clock() + timedelta(hours=24))
    with pytest.raises(Conflict):
        store.create_tenant(NewTenant(tenant_name=make.tenant().tenant_name), receipt=receipt)
    assert store.receipt(receipt.key) is None


def test_an_expired_receipt_counts_no_more(store: Store, clock: Clock) -> None:
    receipt = Receipt(uuid.uuid4().hex, "fingerprint", clock() + timedelta(hours=24))
    store.create_tenant(NewTenant(tenant_name=str(uuid.uuid4())), receipt=receipt)
    clock.ahead = timedelta(hours=25)
    assert store.receipt(receipt.key) is None
    renewed = replace(receipt, fingerprint="another", expires_at=clock() + timedelta(hours=24))
    store.create_tenant(NewTenant(tenant_name=str(uuid.uuid4())), receipt=renewed)
    assert store.receipt(receipt.key) == renewed
    store.sweep(seconds=1)
    assert store.receipt(receipt.key) == renewed


def test_every_creation_leaves_its_receipt(store: Store, make: Making, clock: Clock) -> None:
    receipts = [Receipt(uuid.uuid4().hex, "f", clock() + timedelta(hours=1)) for _ in range(5)]
    tenant = make.tenant()
    provider = store.create_provider(
        NewProvider(tenant_id=tenant.tenant_id, provider_type="oci"), receipt=receipts[0], owner=tenant.tenant_id
    )
    new = NewAccount(provider_id=provider.provider_id, tenant_id=tenant.tenant_id, account_name="a")
    account = store.create_account(new, receipt=receipts[1], owner=tenant.tenant_id)
    schedule = store.create_schedule(
        NewSchedule(
            tenant_id=tenant.tenant_id,
            account_id=account.account_id,
            name="s",
            schedule_type="one_time",
            provider_type="oci",
        ),
        receipt=receipts[2],
        owner=tenant.tenant_id,
    )
    store.create_execution(
        NewExecution(schedule_id=schedule.schedule_id, started_at=MOMENT), receipt=receipts[3], owner=tenant.tenant_id
    )
    scan = NewScanResult(account_id=account.account_id, provider_type="oci", started_at=MOMENT, status="running")
    store.create_scan_result(scan, receipt=receipts[4], owner=tenant.tenant_id)
    assert [store.receipt(receipt.key) for receipt in receipts] == receipts
