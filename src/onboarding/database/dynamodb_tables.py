"""The DynamoDB tables of the onboarding service: their names, keys and indexes, and how they are created.

`src/onboarding/plan.yaml` has the same for those that are filled from PostgreSQL; a test holds the two together.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from botocore.exceptions import ClientError

from onboarding.aws import error_code, told
from onboarding.store.errors import StoreError, Unavailable

PREFIX = "threat-engine-"
ACTIVE_SECONDS = 300.0
"""Creating a table with three indexes takes AWS less than a minute."""
EXPIRY_ATTRIBUTE = "expires_at_epoch"


@dataclass(frozen=True, slots=True)
class TableNames:
    """The name of each table. `DYNAMODB_<FIELD>_TABLE` overrides it."""

    tenants: str = PREFIX + "tenants"
    providers: str = PREFIX + "providers"
    accounts: str = PREFIX + "accounts"
    schedules: str = PREFIX + "schedules"
    executions: str = PREFIX + "executions"
    scan_results: str = PREFIX + "scan-results"
    tenant_names: str = PREFIX + "tenant-names"
    tenant_providers: str = PREFIX + "tenant-providers"
    service_state: str = PREFIX + "service-state"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> TableNames:
        """Return the names that `environ` gives; a variable that is empty counts as not set."""
        given = {field.name: environ.get(f"DYNAMODB_{field.name.upper()}_TABLE") for field in fields(cls)}
        return cls(**{name: value for name, value in given.items() if value})


@dataclass(frozen=True, slots=True)
class IndexDefinition:
    """A global secondary index with all attributes."""

    name: str
    hash: str
    range: str | None = None


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A table's key, all of strings, its indexes, and the attribute by which items expire."""

    hash: str
    range: str | None = None
    indexes: tuple[IndexDefinition, ...] = ()
    expiry: str | None = None


DEFINITIONS: Mapping[str, TableDefinition] = {
    "tenants": TableDefinition("tenant_id", indexes=(IndexDefinition("tenant-name-index", "tenant_name"),)),
    "providers": TableDefinition(
        "provider_id", indexes=(IndexDefinition("tenant-provider-index", "tenant_id", "provider_type"),)
    ),
    "accounts": TableDefinition(
        "account_id",
        indexes=(
            IndexDefinition("tenant-accounts-index", "tenant_id", "status"),
            IndexDefinition("provider-accounts-index", "provider_id", "status"),
        ),
    ),
    "schedules": TableDefinition(
        "schedule_id",
        indexes=(
            IndexDefinition("tenant-schedules-index", "tenant_id", "schedule_id"),
            IndexDefinition("account-schedules-index", "account_id", "schedule_id"),
            IndexDefinition("next-run-index", "enabled", "next_run_at"),
        ),
    ),
    "executions": TableDefinition(
        "execution_id",
        indexes=(
            IndexDefinition("schedule-executions-index", "schedule_id", "started_at"),
            IndexDefinition("account-executions-index", "account_id", "started_at"),
        ),
    ),
    "scan_results": TableDefinition(
        "scan_id",
        indexes=(
            IndexDefinition("account-scans-index", "account_id", "started_at"),
            IndexDefinition("status-scans-index", "status", "started_at"),
        ),
    ),
    "tenant_names": TableDefinition("tenant_name"),
    "tenant_providers": TableDefinition("tenant_id", "provider_type"),
    "service_state": TableDefinition("scope", "entry", expiry=EXPIRY_ATTRIBUTE),
}
"""By the fields of TableNames."""


def create_tables(client: Any, names: TableNames) -> None:
    """Create the tables that are missing, and wait until all are active. Idempotent.

    Raises StoreError when a table has another key or lacks an index, Unavailable when one does not become active.
    """
    with told("DynamoDB"):
        for field, definition in DEFINITIONS.items():
            _create(client, getattr(names, field), definition)
        for field, definition in DEFINITIONS.items():
            name = getattr(names, field)
            _require_equal(name, definition, _active(client, name))
            _let_expire(client, name, definition)


def _create(client: Any, name: str, definition: TableDefinition) -> None:
    if _described(client, name) is not None:
        return
    try:
        client.create_table(**creation(name, definition))
    except ClientError as error:
        if error_code(error) != "ResourceInUseException":
            raise


def creation(name: str, definition: TableDefinition) -> dict[str, Any]:
    """Return the parameters of CreateTable: on-demand billing, indexes with all attributes."""
    keys = [(definition.hash, definition.range), *((index.hash, index.range) for index in definition.indexes)]
    attributes = sorted({attribute for key in keys for attribute in key if attribute})
    indexes = [
        {"IndexName": i.name, "KeySchema": _schema(i.hash, i.range), "Projection": {"ProjectionType": "ALL"}}
        for i in definition.indexes
    ]
    return {
        "TableName": name,
        "KeySchema": _schema(definition.hash, definition.range),
        "AttributeDefinitions": [{"AttributeName": a, "AttributeType": "S"} for a in attributes],
        "BillingMode": "PAY_PER_REQUEST",
    } | ({"GlobalSecondaryIndexes": indexes} if indexes else {})


def _schema(hash_: str, range_: str | None) -> list[dict[str, str]]:
    schema = [{"AttributeName": hash_, "KeyType": "HASH"}]
    return schema + ([{"AttributeName": range_, "KeyType": "RANGE"}] if range_ else [])


def _described(client: Any, name: str) -> dict[str, Any] | None:
    try:
        table: dict[str, Any] = client.describe_table(TableName=name)["Table"]
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise
    return table


def _active(client: Any, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + ACTIVE_SECONDS
    pause_seconds = 0.05
    while True:
        table = _described(client, name)
        if table is not None and _all_active(table):
            return table
        if time.monotonic() > deadline:
            raise Unavailable("DynamoDB", f"has not made the table {name} active")
        time.sleep(pause_seconds)
        pause_seconds = min(2 * pause_seconds, 2.0)


def _all_active(table: Mapping[str, Any]) -> bool:
    states = [table["TableStatus"], *(i.get("IndexStatus", "ACTIVE") for i in _indexes(table))]
    return all(state == "ACTIVE" for state in states)


def _indexes(table: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return table.get("GlobalSecondaryIndexes") or ()


def _require_equal(name: str, definition: TableDefinition, table: Mapping[str, Any]) -> None:
    if table["KeySchema"] != _schema(definition.hash, definition.range):
        raise StoreError(f"The table {name} has another key than this service's: name another by its variable.")
    types = {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]}
    there = {i["IndexName"]: (i["KeySchema"], i["Projection"].get("ProjectionType")) for i in _indexes(table)}
    for index in definition.indexes:
        if there.get(index.name) != (_schema(index.hash, index.range), "ALL"):
            raise StoreError(f"The table {name} lacks the index {index.name}: add it, or name another table.")
    if set(types.values()) != {"S"}:
        raise StoreError(f"The table {name} has keys that are no strings: name another by its variable.")


def _let_expire(client: Any, name: str, definition: TableDefinition) -> None:
    if definition.expiry is None:
        return
    state = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"].get("TimeToLiveStatus")
    if state not in ("ENABLED", "ENABLING"):
        specification = {"Enabled": True, "AttributeName": definition.expiry}
        client.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)
