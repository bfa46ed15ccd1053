"""What the checklist asks of the server: its version and role, missing privileges, and counts over whole tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from pg2dynamo.mapping.table import TableMapping, TableName
from pg2dynamo.postgres.connect import translated
from pg2dynamo.postgres.selection import whole_table

_FACTS = """
SELECT current_setting('server_version'), current_setting('server_version_num')::int, pg_is_in_recovery(),
       current_database(), current_user::text
"""

# Leaves are read by name, so the privilege must be had on each; LOCK TABLE needs it on the whole table.
_MISSING = """
WITH RECURSIVE tree(oid) AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s
  UNION ALL
  SELECT i.inhrelid FROM tree t JOIN pg_class p ON p.oid = t.oid AND p.relkind = 'p'
    JOIN pg_inherits i ON i.inhparent = t.oid AND NOT i.inhdetachpending
)
SELECT DISTINCT grants FROM (
  SELECT format('GRANT USAGE ON SCHEMA %%I TO %%I', n.nspname, current_user) AS grants
    FROM tree JOIN pg_class c ON c.oid = tree.oid JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE NOT has_schema_privilege(n.oid, 'USAGE')
  UNION ALL
  SELECT format('GRANT SELECT ON %%I.%%I TO %%I', n.nspname, c.relname, current_user)
    FROM tree JOIN pg_class c ON c.oid = tree.oid JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE NOT has_table_privilege(c.oid, 'SELECT')
) AS missing ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The server, database and role of a session. `version_number` is e.g. 150018."""

    version: str
    version_number: int
    in_recovery: bool
    database: str
    role: str


def server_facts(conn: psycopg.Connection) -> ServerFacts:
    """Ask the server who it is."""
    with translated("Asking the server for its version"):
        row = conn.execute(_FACTS).fetchone()
    return ServerFacts(*(row or ("", 0, False, "", "")))


def missing_privileges(conn: psycopg.Connection, table: TableName) -> list[str]:
    """Return the GRANT statements without which the role cannot read the table or a partition of it."""
    with translated(f"Looking at the privileges on {table}"):
        return [row[0] for row in conn.execute(_MISSING, [table.schema, table.name])]


def count_where(conn: psycopg.Connection, mapping: TableMapping, conditions: Sequence[str]) -> list[int]:
    """Return for each condition how many rows of the table it is true of; reads the whole table once."""
    if not conditions:
        return []
    counts = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in conditions)
    with translated(f"Counting rows of {mapping.source}"):
        # In an array: a target list has 1,664 entries at most.
        query = f"SELECT ARRAY[{counts}] FROM {whole_table(conn, mapping)}"  # noqa: S608
        row = conn.execute(query.encode()).fetchone()
    return list(row[0]) if row else []
