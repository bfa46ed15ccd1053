"""The source of a plan: its connection, and its tables compiled into mappings. Shared by the use cases."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

from pg2dynamo.errors import PlanError, SourceChanged, SourceUnsupported
from pg2dynamo.mapping.table import TableMapping, TableName
from pg2dynamo.plan.compile import compile_table
from pg2dynamo.plan.load import resolve
from pg2dynamo.plan.model import Plan, TablePlan
from pg2dynamo.plan.schema import SourceTable
from pg2dynamo.postgres.catalog import describe, read_tables
from pg2dynamo.postgres.connect import connect
from pg2dynamo.secret import Secret

COPIED_KINDS = ("table", "partitioned")


def source_dsn(plan: Plan, environ: Mapping[str, str]) -> Secret[str]:
    """Return the connection string that the plan refers to. Raises PlanError when its variable is not set."""
    dsn = resolve(plan.source.dsn, environ)
    if dsn is None:
        raise PlanError("The plan's source has no address.", remedy="Write `source: {dsn: env:DATABASE_URL}`.")
    return dsn


def open_source(plan: Plan, environ: Mapping[str, str], *, application: str = "pg2dynamo") -> psycopg.Connection:
    """Connect to the plan's source; the caller closes the connection. Errors as `postgres.connect.connect`."""
    return connect(source_dsn(plan, environ), application=application)


def connect_source(reference: str, environ: Mapping[str, str]) -> psycopg.Connection:
    """Connect to what a plan's `dsn` refers to, wherever the call runs; the caller closes the connection."""
    dsn = resolve(reference, environ)
    if dsn is None:
        raise PlanError(
            f"{reference.partition(':')[2]} is not set.", remedy="Set it to the source's connection string."
        )
    return connect(dsn)


def source_tables(plan: Plan) -> list[TableName]:
    """Return every table that the plan reads once, those of secrets too, in the plan's order."""
    return list(dict.fromkeys([*(t.source for t in plan.tables), *(s.source for s in plan.secrets)]))


def compile_plan(conn: psycopg.Connection, plan: Plan) -> list[TableMapping]:
    """Compile the plan's entries against the catalog as `conn` sees it, in the plan's order.

    Raises SourceChanged when a table is not there, SourceUnsupported for one that is not copied (a view, a
    foreign table), PlanError when the plan does not fit it.
    """
    known = read_tables(conn, [t.source for t in plan.tables])
    return [compile_one(conn, t, known.get(t.source)) for t in plan.tables]


def compile_one(conn: psycopg.Connection, plan: TablePlan, table: SourceTable | None) -> TableMapping:
    """Compile one table's plan; errors as `compile_plan`."""
    if table is None:
        raise SourceChanged(f"The source has no table {plan.source}.", remedy="Correct `from` in the plan.")
    if table.kind not in COPIED_KINDS:
        raise SourceUnsupported(f"{table.name} is a {table.kind}; only tables are copied.", remedy="Leave it out.")
    rules = {name: rule.sql for name, rule in plan.attributes.items()}
    return compile_table(plan, table, describe(conn, table.name, rules))
