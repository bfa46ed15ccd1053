"""The source of a plan: its connection, and its tables compiled into mappings. Shared by the use cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import psycopg

from pg2dynamo.errors import PlanError, SourceChanged, SourceUnsupported
from pg2dynamo.mapping.table import TableMapping, TableName
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.plan.attributes import Policy
from pg2dynamo.plan.compile import Catalog, compile_table
from pg2dynamo.plan.load import resolve
from pg2dynamo.plan.model import Plan
from pg2dynamo.plan.shared import share_targets
from pg2dynamo.plan.table import Chosen, Embed, TablePlan
from pg2dynamo.postgres.catalog import describe, read_tables
from pg2dynamo.postgres.connect import connect
from pg2dynamo.secret import Secret

COPIED_KINDS = ("table", "partitioned", "view", "materialized view", "foreign")


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
    """Return every table that the plan reads once, those of embeds, look-ups and secrets too, in the plan's order."""
    read = [name for table in plan.tables for name in read_by(table)]
    return list(dict.fromkeys([*read, *(s.source for s in plan.secrets)]))


def compile_plan(conn: psycopg.Connection, plan: Plan) -> list[TableMapping]:
    """Compile the plan's entries against the catalog as `conn` sees it, in the plan's order.

    Raises SourceChanged when a table is not there or not the one that the plan was made for, PlanError when the
    plan does not fit it.
    """
    catalog = read_tables(conn, list(dict.fromkeys(name for table in plan.tables for name in read_by(table))))
    policy = default_policy(plan)
    return share_targets(compile_one(conn, table, catalog, policy) for table in plan.tables)


def compile_one(conn: psycopg.Connection, plan: TablePlan, catalog: Catalog, policy: Policy) -> TableMapping:
    """Compile one entry as if it were alone; errors as `compile_plan`."""
    table = catalog.get(plan.source)
    if table is None:
        raise SourceChanged(f"The source has no table {plan.source}.", remedy="Correct `from` in the plan.")
    if table.kind not in COPIED_KINDS:
        raise SourceUnsupported(f"{table.name} is a {table.kind}; only tables are copied.", remedy="Leave it out.")
    computed = describe(conn, table.name, _rules(plan))
    _require_condition(conn, table.name, plan.where)
    embedded = {path: _described(conn, embed) for path, embed in embeds(plan)}
    mapping = compile_table(plan, table, computed, policy=policy, catalog=catalog, embedded=embedded)
    # Whether the columns of joins can be compared and sorted is for the server to say.
    describe(conn, table.name, {a.name: a.sql for a in mapping.attributes if a.embed is not None or a.lookup})
    return mapping


def default_policy(plan: Plan) -> Policy:
    """Return the policy of entries that say nothing of their own."""
    return Policy().within(plan.unfit, plan.nulls)


def embeds(plan: Chosen, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Embed]]:
    """Yield every embed of an entry, of all levels, with the attribute names from the outermost in."""
    for name, embed in plan.embed.items():
        yield (*path, name), embed
        yield from embeds(embed, (*path, name))


def read_by(plan: TablePlan) -> list[TableName]:
    """Return the tables that an entry reads, its source first."""
    others = [lookup.source for lookup in plan.lookups] + [embed.source for _, embed in embeds(plan)]
    return list(dict.fromkeys([plan.source, *others]))


def _rules(plan: Chosen) -> dict[str, str]:
    return {name: rule.sql for name, rule in plan.attributes.items() if rule.sql is not None}


def _described(conn: psycopg.Connection, embed: Embed) -> Mapping[str, ColumnType]:
    _require_condition(conn, embed.source, embed.where)
    return describe(conn, embed.source, _rules(embed))


def _require_condition(conn: psycopg.Connection, table: TableName, where: str | None) -> None:
    if where is None:
        return
    found = describe(conn, table, {"where": where})["where"]
    if found.kind is not Kind.BOOLEAN:
        raise PlanError(f"{table}: `where` is of type {found.name}, and must be true or false.")
