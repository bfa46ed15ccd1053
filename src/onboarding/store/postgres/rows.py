"""Rows of the onboarding tables as records: finding, adding, changing and removing one, whatever its kind.

**Locks** are taken from parents to children (tenant, provider, account, schedule, execution), as the server's own
cascading deletions do, so that no two calls wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    delete,
    false,
    insert,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from onboarding.database.models import Base
from onboarding.store.documents import plain_document
from onboarding.store.errors import NotFound
from onboarding.store.records import Account, Execution, Provider, ScanResult, Schedule, Tenant

R = TypeVar("R")
Identifier: TypeAlias = UUID | str
Lock: TypeAlias = Literal["against deletion", "against change"]
TABLES: Mapping[str, Table] = Base.metadata.tables


@dataclass(frozen=True)
class Kind(Generic[R]):
    """A kind of record: its name in errors, its table, and how a row is known to be a tenant's."""

    name: str
    table: Table
    record: type[R]
    owned: Callable[[UUID], ColumnElement[bool]]

    @property
    def key(self) -> Column[Any]:
        """Return the column of the id."""
        return next(iter(self.table.primary_key.columns))

    def made(self, row: Row[Any]) -> R:
        """Return the record that a row of all columns holds."""
        columns = zip(self.table.columns, row, strict=True)
        return self.record(**{column.name: _plain(column, value) for column, value in columns})


def _directly(table: Table) -> Callable[[UUID], ColumnElement[bool]]:
    return lambda owner: table.c.tenant_id == owner


def _by_account(table: Table) -> Callable[[UUID], ColumnElement[bool]]:
    accounts = TABLES["accounts"]
    return lambda owner: (
        select(accounts.c.account_id)
        .where(accounts.c.account_id == table.c.account_id, accounts.c.tenant_id == owner)
        .exists()
    )


def _kind(name: str, table: str, record: type[R], owned: Callable[[Table], Any]) -> Kind[R]:
    return Kind(name, TABLES[table], record, owned(TABLES[table]))


TENANTS = _kind("tenant", "tenants", Tenant, _directly)
PROVIDERS = _kind("provider", "providers", Provider, _directly)
ACCOUNTS = _kind("account", "accounts", Account, _directly)
SCHEDULES = _kind("schedule", "schedules", Schedule, _directly)
EXECUTIONS = _kind("execution", "schedule_executions", Execution, _by_account)
SCAN_RESULTS = _kind("scan_result", "scan_results", ScanResult, _by_account)


def find(
    connection: Connection,
    kind: Kind[R],
    identifier: Identifier,
    owner: UUID | None = None,
    *,
    lock: Lock | None = None,
) -> R:
    """Return a record, held until the transaction ends when a lock is asked for. Raises NotFound."""
    statement = select(kind.table).where(*_named(kind, identifier, owner))
    row = connection.execute(_locking(statement, lock)).one_or_none()
    if row is None:
        raise NotFound(kind.name)
    return kind.made(row)


def _locking(statement: Select[Any], lock: Lock | None) -> Select[Any]:
    if lock is None:
        return statement
    # FOR KEY SHARE lets others change the row; FOR NO KEY UPDATE lets them add children to it.
    return statement.with_for_update(key_share=True, read=lock == "against deletion")


def is_there(connection: Connection, kind: Kind[Any], identifier: Identifier) -> bool:
    """Tell whether the id is taken."""
    return connection.execute(select(kind.key).where(kind.key == identifier)).one_or_none() is not None


def add(connection: Connection, kind: Kind[R], values: Mapping[str, Any]) -> R:
    """Add a row; columns without a value are NULL or get their default."""
    given = {name: value for name, value in values.items() if value is not None}
    statement = insert(kind.table).values(_stored(kind, given)).returning(*kind.table.columns)
    return kind.made(connection.execute(statement).one())


def change(
    connection: Connection, kind: Kind[R], identifier: Identifier, values: Mapping[str, Any], owner: UUID | None
) -> R:
    """Change the columns named, and no others. Raises NotFound."""
    statement = update(kind.table).where(*_named(kind, identifier, owner)).values(_stored(kind, values))
    row = connection.execute(statement.returning(*kind.table.columns)).one_or_none()
    if row is None:
        raise NotFound(kind.name)
    return kind.made(row)


def remove(connection: Connection, kind: Kind[Any], identifier: Identifier, owner: UUID | None) -> None:
    """Delete a row; the server deletes what refers to it. Raises NotFound."""
    statement = delete(kind.table).where(*_named(kind, identifier, owner)).returning(kind.key)
    if connection.execute(statement).one_or_none() is None:
        raise NotFound(kind.name)


def equals(column: Column[Any], value: Any) -> ColumnElement[bool]:
    """Return the condition that a column has a value; false for text that the server could not even be sent."""
    return column == value if is_storable(value) else false()


def is_storable(value: Any) -> bool:
    """Tell whether PostgreSQL's text can hold a value, when it is text."""
    if not isinstance(value, str):
        return True
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def _named(kind: Kind[Any], identifier: Identifier, owner: UUID | None) -> list[ColumnElement[bool]]:
    named = [equals(kind.key, identifier)]
    return named if owner is None else [*named, kind.owned(owner)]


def _stored(kind: Kind[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _as_column(kind.table.columns[name], value) for name, value in values.items()}


def _as_column(column: Column[Any], value: Any) -> Any:
    if value is None:
        return null()  # None in a jsonb column would be JSON's null
    if isinstance(column.type, JSONB):
        return plain_document(value)
    return list(value) if isinstance(column.type, ARRAY) else value


def _plain(column: Column[Any], value: Any) -> Any:
    return tuple(value) if value is not None and isinstance(column.type, ARRAY) else value
