"""The DDL of the onboarding database: tables and indexes from the models, and the `updated_at` triggers."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from onboarding.database.models import Base

SESSION = (
    "-c search_path=public -c datestyle=ISO -c timezone=UTC -c statement_timeout=0 -c lock_timeout=0"
    " -c client_min_messages=warning"
)
"""What this package's sessions state, because a role or database may have other defaults."""

TOUCH_FUNCTION = """\
CREATE OR REPLACE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = now();
    RETURN NEW;
END
$$"""

TOUCH_TRIGGER = """\
CREATE OR REPLACE TRIGGER set_updated_at BEFORE UPDATE ON {table}
    FOR EACH ROW EXECUTE FUNCTION set_updated_at()"""


def tables() -> list[Table]:
    """Return the seven tables, each after those that it refers to."""
    return list(Base.metadata.sorted_tables)


def statements() -> Iterator[str]:
    """Yield the DDL in order. Run twice it changes nothing."""
    yield TOUCH_FUNCTION
    for table in tables():
        yield from _table_statements(table)


def _table_statements(table: Table) -> Iterator[str]:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    yield str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)).strip()
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        yield str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect))
    if "updated_at" in table.columns:
        yield TOUCH_TRIGGER.format(table=table.name)


def create_schema(dsn: str) -> None:
    """Create what is not there yet of the onboarding schema, in `public`, in one transaction. Idempotent."""
    with psycopg.connect(dsn, options=SESSION) as connection:
        for statement in statements():
            connection.execute(statement.encode())
