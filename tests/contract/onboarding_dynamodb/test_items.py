"""An item is what pg2dynamo writes for the same row, and a record is what PostgreSQL says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from cryptography.fernet import Fernet

import onboarding
from onboarding.seed import CredentialKeys, fill
from onboarding.store.dynamodb.items import (
    ACCOUNT,
    EXECUTION,
    PROVIDER,
    SCAN_RESULT,
    SCHEDULE,
    TENANT,
    Item,
    Kind,
    decode,
    encode,
    number_text,
)
from onboarding.store.interface import PageRequest, Store
from onboarding.store.opening import open_store
from onboarding.store.records import NewProvider, NewTenant
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.numbers import canonical
from pg2dynamo.migration.source import compile_plan
from pg2dynamo.plan.load import load_plan
from tests.conftest import Database
from tests.contract.onboarding_dynamodb.conftest import World

_PAGE = PageRequest()
PLAN = Path(onboarding.__file__).parent / "plan.yaml"


@pytest.fixture
def seeded(any_database: Database) -> tuple[dict[str, list[Item]], Store]:
    """Every row of a filled database as pg2dynamo's item, by the target's name; and the database's store."""
    key, old = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    fill(any_database.dsn, CredentialKeys(current=key, old=old), accounts=12)
    plan = load_plan(PLAN, {})
    with any_database.connect() as connection:
        mappings = compile_plan(connection, plan)
        items = {}
        for mapping in mappings:
            query = f"COPY (SELECT {', '.join(mapping.select_list)} FROM {mapping.source.quoted}) TO STDOUT"
            with connection.cursor().copy(query.encode()) as copy:
                lines = b"".join(bytes(part) for part in copy).splitlines()
            items[mapping.target] = [orjson.loads(Encoder(mapping).encode(line).item) for line in lines]
    return items, open_store("postgres", {"DATABASE_URL": any_database.dsn, "CREDENTIAL_KEY": key})


def test_an_item_is_pg2dynamos_and_a_record_is_postgresqls(seeded: tuple[dict[str, list[Item]], Store]) -> None:
    items, store = seeded
    kinds: list[tuple[str, Kind, Callable[[Any], Any]]] = [
        ("tenants", TENANT, store.get_tenant),
        ("providers", PROVIDER, store.get_provider),
        ("accounts", ACCOUNT, store.get_account),
        ("schedules", SCHEDULE, store.get_schedule),
        ("executions", EXECUTION, store.get_execution),
        ("scan-results", SCAN_RESULT, store.get_scan_result),
    ]
    for name, kind, read in kinds:
        found = items[f"threat-engine-{name}"]
        assert found
        for item in found:
            identifier = item[kind.key]["S"]
            record = read(identifier if kind is SCAN_RESULT else UUID(identifier))
            assert encode(kind, record) == item
            assert decode(kind, item) == record
    store.close()


def test_unique_values_are_kept_as_pg2dynamo_copies_them(
    seeded: tuple[dict[str, list[Item]], Store], any_world: World
) -> None:
    items, source = seeded
    store, client = any_world.store(), any_world.client()
    name = items["threat-engine-tenant-names"][0]
    tenant_id = UUID(name["tenant_id"]["S"])
    store.create_tenant(NewTenant(tenant_id=tenant_id, tenant_name=name["tenant_name"]["S"]))
    for provider in source.list_providers(tenant_id, _PAGE).items:
        new = NewProvider(tenant_id=tenant_id, provider_type=provider.provider_type, provider_id=provider.provider_id)
        store.create_provider(new)
    kept = client.scan(TableName=any_world.names.tenant_names)["Items"]
    assert [item for item in kept if item["tenant_id"] == name["tenant_id"]] == [name]
    pairs = client.scan(TableName=any_world.names.tenant_providers)["Items"]
    copied = [pair for pair in items["threat-engine-tenant-providers"] if pair["tenant_id"] == name["tenant_id"]]
    assert copied
    assert _sorted(pair for pair in pairs if pair["tenant_id"] == name["tenant_id"]) == _sorted(copied)
    source.close()


NUMBERS = (0, -0.0, 1.0, -1.5, 10**37, 123456789012345678901234567890, 1e37, 1e38, 1e39, -1e38, -1e39, 1e-37, 1e-38)


@pytest.mark.parametrize("number", [*NUMBERS, -1e-37, 1e-130, 9.99e125, 1.25e60, 0.1])
def test_a_number_is_written_as_pg2dynamo_writes_it(number: float) -> None:
    assert number_text(number) == canonical(repr(number))


def _sorted(items: Any) -> list[bytes]:
    return sorted(orjson.dumps(item, option=orjson.OPT_SORT_KEYS) for item in items)
