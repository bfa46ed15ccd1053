"""Infer a plan from a database's catalog and statistics."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pg2dynamo.errors import PlanError
from pg2dynamo.mapping.table import TableName
from pg2dynamo.plan.infer import Design, infer
from pg2dynamo.plan.schema import SourceTable
from pg2dynamo.plan.table import parse_table_name
from pg2dynamo.postgres.catalog import read_tables
from pg2dynamo.postgres.connect import connect, translated
from pg2dynamo.postgres.statistics import read_statistics
from pg2dynamo.secret import Secret


@dataclass(frozen=True, slots=True)
class InitOptions:
    """What the plan is to be of: everything, or some schemas and tables; and the design of the target.

    `tables` are schema.table, where one without schema is of `public`; a partition counts only when it is named.
    """

    schemas: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    design: Design = "tables"


def infer_plan(dsn: Secret[str], options: InitOptions | None = None) -> str:
    """Return the text of a plan for the database: see `plan.infer`. Reads catalog and statistics, and no row.

    The text refers to the database as env:DATABASE_URL and holds no part of `dsn` but the database's name. The number
    of statements grows with that of types, not of tables. Raises the SourceError branch, and PlanError when `options`
    names a schema or a table that is not there.
    """
    options = options or InitOptions()
    named = [_parsed(table) for table in options.tables]
    conn = connect(dsn, application="pg2dynamo init")
    try:
        with translated("Reading the database's name"):
            row = conn.execute("SELECT current_database()").fetchone()
        found = read_tables(conn)
        found |= read_tables(conn, [name for name in named if name not in found])
        tables = _chosen(found, options.schemas, named)
        statistics = read_statistics(conn, [table.name for table in tables])
    finally:
        conn.close()
    return infer(row[0] if row else "", tables, statistics, design=options.design)


def _parsed(table: str) -> TableName:
    try:
        return parse_table_name(table)
    except ValueError as error:
        raise PlanError(f"{error}.") from None


def _chosen(
    found: Mapping[TableName, SourceTable], schemas: Sequence[str], named: Sequence[TableName]
) -> list[SourceTable]:
    """Return the tables that are in these schemas or named; all when neither is said."""
    known = {name.schema for name in found}
    for schema in schemas:
        if schema not in known:
            raise PlanError(f"The source has no tables in a schema {schema}{_near(schema, known)}.")
    for name in named:
        if name not in found:
            raise PlanError(f"The source has no table {name}{_near(str(name), map(str, found))}.")
    return [t for t in found.values() if t.name in named or t.name.schema in schemas or not (named or schemas)]


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}" if near else ""
