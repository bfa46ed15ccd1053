"""When indexes lag: nothing that must be right is decided by them, and deletions outlast the lag."""

from __future__ import annotations

import uuid
from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest

from onboarding.database.dynamodb_tables import TableNames
from onboarding.store.dynamodb import DynamoDBStore
from onboarding.store.errors import Changed, Conflict, NotFound
from onboarding.store.interface import PageRequest
from onboarding.store.records import NewProvider, NewTenant
from tests.contract.onboarding_dynamodb.conftest import World, make_world
from tests.contract.onboarding_store.conftest import Making

PAGE = PageRequest()


class Lagging:
    """A client that answers queries of indexes from tables which are only now and then made equal."""

    def __init__(self, client: Any, real: TableNames, shadow: TableNames) -> None:
        self._client = client
        self._tables = {getattr(real, f.name): getattr(shadow, f.name) for f in fields(TableNames)}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def query(self, **request: Any) -> Any:
        if "IndexName" in request:
            request["TableName"] = self._tables[request["TableName"]]
        return self._client.query(**request)

    def catch_up(self) -> None:
        """Let the indexes show what is there now."""
        for real, shadow in self._tables.items():
            keys = [k["AttributeName"] for k in self._client.describe_table(TableName=real)["Table"]["KeySchema"]]
            for item in self._client.scan(TableName=shadow)["Items"]:
                self._client.delete_item(TableName=shadow, Key={name: item[name] for name in keys})
            for item in self._client.scan(TableName=real)["Items"]:
                self._client.put_item(TableName=shadow, Item=item)


@pytest.fixture
def slow(any_world: World) -> tuple[World, Lagging, DynamoDBStore]:
    """A store whose indexes show nothing until they catch up."""
    world, shadow = any_world.fresh(), make_world(any_world.environ)
    client = Lagging(world.client(), world.names, shadow.names)
    return world, client, world.store(client)


Slow = tuple[World, Lagging, DynamoDBStore]


def test_unique_values_and_ownership_do_not_wait_for_an_index(slow: Slow) -> None:
    _, _, store = slow
    make = Making(store)
    provider = make.provider()
    tenant = store.get_tenant(provider.tenant_id)
    with pytest.raises(Conflict):
        store.create_tenant(NewTenant(tenant_name=tenant.tenant_name))
    with pytest.raises(Conflict):
        store.create_provider(NewProvider(tenant_id=tenant.tenant_id, provider_type="aws"))
    assert store.get_tenant_by_name(tenant.tenant_name) == tenant
    assert store.get_provider_by_tenant_and_type(tenant.tenant_id, "aws") == provider
    account = make.account(provider)
    with pytest.raises(NotFound):
        store.update_account(account.account_id, {"status": "active"}, owner=uuid.uuid4())
    changed = store.update_account(account.account_id, {"status": "active"}, owner=tenant.tenant_id)
    assert store.get_account(account.account_id) == changed
    with pytest.raises(Changed):
        store.update_account(account.account_id, {"status": "error"}, seen=account)


def test_a_listing_shows_what_the_index_knows(slow: Slow) -> None:
    _, client, store = slow
    account = Making(store).account()
    assert store.list_accounts_by_tenant(account.tenant_id, PAGE).items == ()
    client.catch_up()
    assert store.list_accounts_by_tenant(account.tenant_id, PAGE).items == (account,)


def test_a_child_that_the_index_does_not_show_yet_goes_with_a_later_sweep(slow: Slow) -> None:
    world, client, store = slow
    make = Making(store)
    account = make.account()
    execution, scan = make.execution(make.schedule(account)), make.scan(account)
    store.delete_tenant(account.tenant_id)
    assert store.get_account(account.account_id) == account
    assert store.sweep() == 1
    for _ in range(3):
        client.catch_up()
        assert store.sweep() > 0
    world.ahead = timedelta(hours=1)
    for _ in range(3):
        client.catch_up()
        left = store.sweep()
    assert left == 0
    for read in (
        lambda: store.get_account(account.account_id),
        lambda: store.get_execution(execution.execution_id),
        lambda: store.get_scan_result(scan.scan_id),
    ):
        with pytest.raises(NotFound):
            read()
    assert set(world.count().values()) == {0}


def test_a_look_that_still_finds_children_is_not_the_last(slow: Slow) -> None:
    world, client, store = slow
    execution = Making(store).execution()
    store.delete_schedule(execution.schedule_id)
    world.ahead = timedelta(hours=1)
    client.catch_up()
    assert store.sweep() == 1
    client.catch_up()
    assert store.sweep() == 0
    with pytest.raises(NotFound):
        store.get_execution(execution.execution_id)


def test_a_provider_that_was_replaced_keeps_its_pair_when_the_index_still_shows_the_old_one(slow: Slow) -> None:
    world, client, store = slow
    make = Making(store)
    provider = make.provider()
    other = make.provider(store.get_tenant(provider.tenant_id), "oci")
    client.catch_up()
    store.delete_provider(provider.provider_id)
    again = store.create_provider(NewProvider(tenant_id=provider.tenant_id, provider_type="aws"))
    store.delete_tenant(provider.tenant_id)
    assert store.get_provider_by_tenant_and_type(provider.tenant_id, "aws") == again
    with pytest.raises(NotFound):
        store.get_provider(other.provider_id)
    client.catch_up()
    store.sweep()
    with pytest.raises(NotFound):
        store.get_provider_by_tenant_and_type(provider.tenant_id, "aws")
    world.ahead = timedelta(hours=1)
    client.catch_up()
    store.sweep()
    assert store.sweep() == 0
    assert set(world.count().values()) == {0}
