"""The tables are created as they are defined, and others are refused."""

from __future__ import annotations

import uuid

import pytest

from onboarding.database.dynamodb_tables import DEFINITIONS, EXPIRY_ATTRIBUTE, create_tables, creation
from onboarding.store.errors import StoreError
from onboarding.store.interface import PageRequest
from onboarding.store.records import NewTenant
from tests.contract.onboarding_dynamodb.conftest import World
from tests.contract.onboarding_store.conftest import Making


def test_creating_tables_again_changes_nothing_and_receipts_expire(world: World) -> None:
    client = world.client()
    tenant = world.store().create_tenant(NewTenant(tenant_name=f"tenant {uuid.uuid4()}"))
    create_tables(client, world.names)
    assert world.store().get_tenant(tenant.tenant_id) == tenant
    expiry = client.describe_time_to_live(TableName=world.names.service_state)["TimeToLiveDescription"]
    assert (expiry["TimeToLiveStatus"], expiry["AttributeName"]) == ("ENABLED", EXPIRY_ATTRIBUTE)
    billing = client.describe_table(TableName=world.names.tenants)["Table"]["BillingModeSummary"]
    assert billing["BillingMode"] == "PAY_PER_REQUEST"


@pytest.mark.parametrize(
    ("field", "like", "said"),
    [("ACCOUNTS", "tenants", "another key"), ("TENANT_NAMES", "tenants", "another key")],
)
def test_a_table_with_another_key_is_refused(any_world: World, field: str, like: str, said: str) -> None:
    environ = {**any_world.environ, f"DYNAMODB_{field}_TABLE": getattr(any_world.names, like)}
    with pytest.raises(StoreError, match=said):
        create_tables(any_world.client(), World(environ, "").names)


def test_a_table_without_its_index_is_refused(any_world: World) -> None:
    client, name = any_world.client(), f"{any_world.prefix}-bare"
    bare = {
        **creation(name, DEFINITIONS["tenant_names"]),
        "KeySchema": [{"AttributeName": "tenant_id", "KeyType": "HASH"}],
    }
    bare["AttributeDefinitions"] = [{"AttributeName": "tenant_id", "AttributeType": "S"}]
    client.create_table(**bare)
    environ = {**any_world.environ, "DYNAMODB_TENANTS_TABLE": name}
    with pytest.raises(StoreError, match="lacks the index tenant-name-index"):
        create_tables(client, World(environ, "").names)


def test_a_listing_goes_on_past_the_megabyte_of_one_answer(world: World) -> None:
    store = world.store()
    make = Making(store)
    account = make.account()
    scans = [make.scan(account, metadata={"text": "x" * 60_000}) for _ in range(20)]
    found = store.list_scan_results_by_account(account.account_id, PageRequest(limit=1_000))
    assert sorted(scan.scan_id for scan in found.items) == sorted(scan.scan_id for scan in scans)
    assert found.next is None
