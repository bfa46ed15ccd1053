"""A PostgreSQL of one's own: how it runs, and how it ends."""

from __future__ import annotations

from pg2dynamo.local.postgres import PostgresServer
from tests.conftest import Database


def test_each_test_gets_an_empty_database_on_each_server(database: Database) -> None:
    with database.connect() as connection:
        row = connection.execute("SELECT current_database(), count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert row.fetchone() == (database.name, 0)


def test_logical_replication_is_on(postgres: PostgresServer, database: Database) -> None:
    with database.connect() as connection:
        assert connection.execute("SHOW wal_level").fetchone() == ("logical",)
