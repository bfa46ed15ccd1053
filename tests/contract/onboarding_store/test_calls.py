"""What a request to the store in DynamoDB costs: exactly the calls that its access pattern needs, and never a Scan."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.client import BaseClient

from onboarding.store.interface import PageRequest, Store
from onboarding.store.records import (
    Advance,
    NewAccount,
    NewCredential,
    NewExecution,
    NewProvider,
    NewScanResult,
    NewSchedule,
    NewTenant,
    Receipt,
)
from tests.contract.onboarding_store.conftest import Making, Opened
from tests.contract.onboarding_store.test_tenancy import Things

MOMENT = datetime(2026, 1, 2)
PAGE = PageRequest()
CREDENTIAL = NewCredential(credential_type="ibm_api_key", credentials={"api_key": "x"})
ONE_GET, TWO_GETS, ONE_QUERY = {"GetItem": 1}, {"GetItem": 2}, {"Query": 1}
TRANSACTION, UPDATE = {"TransactWriteItems": 1}, {"UpdateItem": 1}


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Count the calls to AWS by operation."""
    calls: Counter[str] = Counter()
    real = BaseClient._make_api_call  # type: ignore[attr-defined]

    def count(client: BaseClient, operation: str, given: dict[str, Any]) -> Any:
        calls[operation] += 1
        return real(client, operation, given)

    with monkeypatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", count)
        yield calls


def _requests(store: Store, things: Things) -> list[tuple[str, dict[str, int], Callable[[], Any]]]:
    owner = things.tenant.tenant_id
    tenant, provider, account = owner, things.provider.provider_id, things.account.account_id
    schedule, execution, scan = things.schedule.schedule_id, things.execution.execution_id, things.scan.scan_id
    receipt = Receipt(uuid.uuid4().hex, "f", datetime.max)
    new_account = NewAccount(provider_id=provider, tenant_id=tenant, account_name="a")
    new_schedule = NewSchedule(
        tenant_id=tenant, account_id=account, name="s", schedule_type="one_time", provider_type="aws"
    )
    new_scan = NewScanResult(account_id=account, provider_type="aws", started_at=MOMENT, status="running")
    new_execution = NewExecution(schedule_id=schedule, started_at=MOMENT)
    later = MOMENT + timedelta(days=1)
    return [
        ("receipt", ONE_GET, lambda: store.receipt("none")),
        ("get tenant", ONE_GET, lambda: store.get_tenant(tenant)),
        ("get tenant by name", TWO_GETS, lambda: store.get_tenant_by_name(things.tenant.tenant_name)),
        ("get provider", ONE_GET, lambda: store.get_provider(provider, owner=owner)),
        ("get provider by type", TWO_GETS, lambda: store.get_provider_by_tenant_and_type(tenant, "aws")),
        ("get account", ONE_GET, lambda: store.get_account(account, owner=owner)),
        ("get schedule", ONE_GET, lambda: store.get_schedule(schedule, owner=owner)),
        ("get execution, whosever", ONE_GET, lambda: store.get_execution(execution)),
        ("get execution", TWO_GETS, lambda: store.get_execution(execution, owner=owner)),
        ("get scan result", TWO_GETS, lambda: store.get_scan_result(scan, owner=owner)),
        ("list providers", ONE_QUERY, lambda: store.list_providers(tenant, PAGE)),
        ("list accounts", ONE_QUERY, lambda: store.list_accounts_by_tenant(tenant, PAGE)),
        ("list accounts of a status", ONE_QUERY, lambda: store.list_accounts_by_tenant(tenant, PAGE, status="active")),
        ("list accounts of a provider", ONE_QUERY, lambda: store.list_accounts_by_provider(provider, PAGE)),
        ("list schedules", ONE_QUERY, lambda: store.list_schedules_by_tenant(tenant, PAGE)),
        (
            "list schedules of an account",
            ONE_GET | ONE_QUERY,
            lambda: store.list_schedules_by_account(account, PAGE, owner=owner),
        ),
        (
            "list executions",
            ONE_GET | ONE_QUERY,
            lambda: store.list_executions_by_schedule(schedule, PAGE, owner=owner),
        ),
        (
            "list scan results",
            ONE_GET | ONE_QUERY,
            lambda: store.list_scan_results_by_account(account, PAGE, owner=owner),
        ),
        ("due", ONE_QUERY, lambda: store.due_schedules(MOMENT, PAGE, owner=owner)),
        ("create tenant", TRANSACTION, lambda: store.create_tenant(NewTenant(tenant_name=str(uuid.uuid4())))),
        (
            "create provider",
            TRANSACTION,
            lambda: store.create_provider(NewProvider(tenant_id=tenant, provider_type="oci"), owner=owner),
        ),
        ("create account", TRANSACTION, lambda: store.create_account(new_account, owner=owner, receipt=receipt)),
        ("create schedule", TRANSACTION, lambda: store.create_schedule(new_schedule, owner=owner)),
        (
            "rename tenant",
            ONE_GET | TRANSACTION,
            lambda: store.update_tenant(tenant, {"tenant_name": str(uuid.uuid4())}),
        ),
        ("update tenant", UPDATE, lambda: store.update_tenant(tenant, {"status": "active"})),
        ("update provider", UPDATE, lambda: store.update_provider(provider, {"status": "active"}, owner=owner)),
        ("update account", UPDATE, lambda: store.update_account(account, {"status": "active"}, owner=owner)),
        ("update schedule", UPDATE, lambda: store.update_schedule(schedule, {"enabled": True}, owner=owner)),
        ("credential info", {"GetItem": 1}, lambda: store.get_credential_info(account, owner=owner)),
        ("read credential", {"GetItem": 1}, lambda: store.read_credential(account, owner=owner)),
        ("create execution", {}, lambda: store.create_execution(new_execution, owner=owner)),
        ("claim", {}, lambda: store.create_execution(new_execution, owner=owner, advance=Advance(MOMENT, later))),
        ("create scan result", {}, lambda: store.create_scan_result(new_scan, owner=owner)),
        ("end execution", {}, lambda: store.update_execution(execution, {"status": "failed"}, owner=owner)),
        ("update scan result", {}, lambda: store.update_scan_result(scan, {"status": "failed"}, owner=owner)),
        ("put credential", {}, lambda: store.put_credential(account, CREDENTIAL, owner=owner)),
        ("delete credential", {}, lambda: store.delete_credential(account, owner=owner)),
    ]


AT_MOST = 4
"""Where nothing exact is said above: an owner's check, a parent's content, the write, and for secrets a second look."""


def test_a_request_costs_the_calls_that_its_access_pattern_needs(
    opened_dynamodb: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened_dynamodb.store
    wrong = []
    for name, expected, request in _requests(store, Things(Making(store))):
        with counted(monkeypatch) as calls:
            request()
        dynamodb = {operation: n for operation, n in calls.items() if "Secret" not in operation}
        if expected and dynamodb != expected:
            wrong.append((name, dynamodb, expected))
        if "Scan" in calls or calls.total() > AT_MOST:
            wrong.append((name, dict(calls), expected))
    assert wrong == []


def test_deleting_a_tenant_scans_nothing(opened_dynamodb: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened_dynamodb.store
    things = Things(Making(store))
    with counted(monkeypatch) as calls:
        store.delete_tenant(things.tenant.tenant_id)
    assert "Scan" not in calls


def test_only_the_administrators_list_of_tenants_scans(
    opened_dynamodb: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    with counted(monkeypatch) as calls:
        opened_dynamodb.store.list_tenants(PAGE)
    assert set(calls) == {"Scan"}
