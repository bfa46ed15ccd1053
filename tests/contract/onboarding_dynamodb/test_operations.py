"""The guide's functions: what its scripts call, as they call it."""

from __future__ import annotations

import uuid
from datetime import datetime

import pytest

from onboarding.database import dynamodb_operations as operations
from onboarding.database.dynamodb_operations import (
    create_account,
    create_provider,
    create_schedule,
    create_tenant,
    list_accounts_by_tenant,
    list_tenants,
)
from onboarding.storage.secrets_manager_storage import secrets_manager_storage
from onboarding.store.errors import Invalid, NotFound
from tests.contract.onboarding_dynamodb.conftest import World


@pytest.fixture(autouse=True)
def environment(any_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in any_world.environ.items():
        monkeypatch.setenv(name, text)


def test_the_guides_import_and_its_verification_run() -> None:
    rows = {"tenant": {"tenant_name": f"tenant {uuid.uuid4()}"}, "account": {"account_name": "prod"}}
    tenant = create_tenant(tenant_name=rows["tenant"]["tenant_name"], description=rows["tenant"].get("description"))
    provider = create_provider(tenant_id=tenant["tenant_id"], provider_type="aws")
    account = create_account(
        provider_id=provider["provider_id"],
        tenant_id=tenant["tenant_id"],
        account_name=rows["account"]["account_name"],
        account_number=rows["account"].get("account_number"),
    )
    secrets_manager_storage.store(
        account_id=account["account_id"], credential_type="ibm_api_key", credentials={"api_key": "x"}
    )
    schedule = create_schedule(
        tenant_id=tenant["tenant_id"],
        account_id=account["account_id"],
        name="nightly",
        schedule_type="cron",
        provider_type="aws",
        cron_expression="0 3 * * *",
        interval_seconds=None,
        regions=["eu-central-1"],
        services=[],
        exclude_services=None,
    )
    assert operations.get_schedule(schedule["schedule_id"]) == schedule
    assert (schedule["regions"], schedule["services"], schedule["exclude_services"]) == (["eu-central-1"], [], None)
    [found] = [one for one in list_tenants() if one["tenant_name"] == tenant["tenant_name"]]
    [listed] = list_accounts_by_tenant(found["tenant_id"])
    assert listed == account
    assert secrets_manager_storage.retrieve(listed["account_id"])["credentials"] == {"api_key": "x"}


def test_values_are_plain_and_what_is_not_there_is_none() -> None:
    tenant = create_tenant(f"tenant {uuid.uuid4()}", "first", status="trial")
    assert datetime.fromisoformat(tenant["created_at"])
    assert tenant["status"] == "trial"
    assert operations.get_tenant(tenant["tenant_id"]) == tenant
    assert operations.get_tenant_by_name(tenant["tenant_name"]) == tenant
    assert operations.get_tenant(uuid.uuid4()) is None
    assert operations.get_tenant_by_name("nobody's") is None
    with pytest.raises(Invalid):
        operations.get_tenant("no id")
    with pytest.raises(Invalid):
        create_tenant("x", nonsense=1)
    operations.delete_tenant(tenant["tenant_id"])
    with pytest.raises(NotFound):
        operations.update_tenant(tenant["tenant_id"], status="active")


def test_every_kind_is_created_read_changed_listed_and_deleted() -> None:
    tenant = create_tenant(f"tenant {uuid.uuid4()}")
    tenant_id = tenant["tenant_id"]
    provider = create_provider(tenant_id, "aws")
    account = create_account(provider["provider_id"], tenant_id, "prod", "123")
    account_id = account["account_id"]
    schedule = create_schedule(
        tenant_id, account_id, "s", "interval", "aws", interval_seconds=60, next_run_at="2026-01-01T02:00:00+01:00"
    )
    schedule_id = schedule["schedule_id"]
    assert (schedule["next_run_at"], schedule["enabled"]) == ("2026-01-01T01:00:00.000000", True)
    executions = [operations.create_execution(schedule_id, datetime(2026, 1, day)) for day in (1, 2)]
    scan = operations.create_scan_result(account_id, "aws", metadata={"n": 1.5})

    assert operations.get_provider_by_tenant_and_type(tenant_id, "aws") == provider
    assert operations.list_providers(tenant_id) == [provider]
    assert operations.update_provider(provider["provider_id"], status="paused")["status"] == "paused"
    assert operations.update_account(account_id, status="active")["status"] == "active"
    assert len(list_accounts_by_tenant(tenant_id, status="active")) == 1
    assert list_accounts_by_tenant(tenant_id, "error") == []
    assert len(operations.list_accounts_by_provider(provider["provider_id"])) == 1
    assert operations.list_schedules_by_tenant(tenant_id) == operations.list_schedules_by_account(account_id)
    assert schedule_id in [due["schedule_id"] for due in operations.get_due_schedules()]
    assert schedule_id not in [due["schedule_id"] for due in operations.get_due_schedules(datetime(2025, 1, 1))]
    assert operations.list_executions_by_schedule(schedule_id) == executions[::-1]
    assert operations.list_executions_by_account(account_id) == executions[::-1]
    ended = operations.update_execution(executions[0]["execution_id"], status="completed")
    assert operations.get_execution(executions[0]["execution_id"]) == ended
    assert operations.update_schedule(schedule_id, enabled=False, next_run_at=None)["run_count"] == 1
    assert operations.list_scan_results_by_account(account_id) == [scan]
    assert operations.update_scan_result(scan["scan_id"], status="failed")["status"] == "failed"
    assert scan["scan_id"] in [one["scan_id"] for one in operations.list_scan_results_by_status("failed")]

    operations.delete_schedule(schedule_id)
    operations.delete_account(account_id)
    operations.delete_provider(provider["provider_id"])
    assert operations.get_schedule(schedule_id) is None
    assert operations.get_scan_result(scan["scan_id"]) is None
    assert operations.get_account(account_id) is None
    assert operations.get_provider(provider["provider_id"]) is None


def test_the_store_is_opened_again_when_the_environment_changes(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = create_tenant(f"tenant {uuid.uuid4()}")
    for name, text in any_world.fresh().environ.items():
        monkeypatch.setenv(name, text)
    assert operations.get_tenant(tenant["tenant_id"]) is None
    assert list_tenants() == []
