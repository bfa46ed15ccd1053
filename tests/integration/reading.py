"""What the tests of reading PostgreSQL share: a session as pg2dynamo opens it, and a table's mapping."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration.source import compile_one
from pg2dynamo.plan.attributes import Policy
from pg2dynamo.plan.table import TablePlan
from pg2dynamo.postgres.binary import SourceRow, select_rows
from pg2dynamo.postgres.catalog import read_tables
from pg2dynamo.postgres.connect import connect
from pg2dynamo.postgres.rows import copy_rows
from pg2dynamo.postgres.segments import plan_segments
from pg2dynamo.secret import Secret
from tests.conftest import Database

DEADLINE_SECONDS = 30.0


@contextmanager
def session(database: Database) -> Iterator[psycopg.Connection]:
    """Open a session by the code under test."""
    conn = connect(Secret(database.dsn))
    try:
        yield conn
    finally:
        conn.close()


def run(database: Database, *statements: str) -> None:
    """Run SQL as superuser, each statement in a transaction of its own."""
    with database.connect() as conn:
        for statement in statements:
            conn.execute(statement.encode())


def mapping_of(
    conn: psycopg.Connection, name: str, key: str = "id", *, attributes: Mapping[str, Any] | None = None
) -> TableMapping:
    """Compile a table whose key is one column, or two with a comma between."""
    hash_name, _, range_name = key.partition(",")
    plan = TablePlan.model_validate(
        {
            "from": name,
            "to": "items",
            "key": {"hash": hash_name, "range": range_name or None},
            "attributes": attributes or {},
        }
    )
    return compile_one(conn, plan, read_tables(conn, [plan.source]), Policy())


def copied_lines(
    conn: psycopg.Connection, mapping: TableMapping, *, blocks: int = 1024, newer_than: int | None = None
) -> list[bytes]:
    """Return all lines that copying the table reads."""
    segments = plan_segments(conn, mapping.source, blocks)
    return [line for s in segments for lines in copy_rows(conn, mapping, s, newer_than) for line in lines]


def selected_rows(conn: psycopg.Connection, mapping: TableMapping) -> list[SourceRow]:
    """Return all rows that verifying the table reads."""
    segments = plan_segments(conn, mapping.source)
    return [row for s in segments for rows in select_rows(conn, mapping, s) for row in rows]


def await_true(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)
