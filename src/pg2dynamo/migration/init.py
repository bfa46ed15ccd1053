"""Infer a plan from a database's catalog."""

from __future__ import annotations

from pg2dynamo.plan.infer import infer
from pg2dynamo.postgres.catalog import read_tables
from pg2dynamo.postgres.connect import connect, translated
from pg2dynamo.secret import Secret


def infer_plan(dsn: Secret[str]) -> str:
    """Return the text of a plan for the database: see `plan.infer`. Reads the catalog only, no row.

    The text refers to the database as env:DATABASE_URL and holds no part of `dsn` but the database's name.
    Raises the SourceError branch.
    """
    conn = connect(dsn, application="pg2dynamo init")
    try:
        with translated("Reading the database's name"):
            row = conn.execute("SELECT current_database()").fetchone()
        return infer(row[0] if row else "", read_tables(conn).values())
    finally:
        conn.close()
