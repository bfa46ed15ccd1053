"""Tables and statistics as catalog and planner would give them, for the tests of inference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pg2dynamo.mapping.table import TableMapping, TableName
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.plan.compile import compile_table
from pg2dynamo.plan.infer import Design, infer
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.model import Plan
from pg2dynamo.plan.schema import ForeignKey, SourceColumn, SourceIndex, SourceTable
from pg2dynamo.plan.shared import share_targets
from pg2dynamo.plan.statistics import ColumnStatistics, TableStatistics

TEXT = ColumnType(Kind.TEXT, "text", 25)
INTEGER = ColumnType(Kind.INTEGER, "integer", 23)
NUMERIC = ColumnType(Kind.NUMERIC, "numeric", 1700)
BOOLEAN = ColumnType(Kind.BOOLEAN, "boolean", 16)
JSON = ColumnType(Kind.JSON, "json", 114)
JSONB = ColumnType(Kind.JSONB, "jsonb", 3802)
BYTEA = ColumnType(Kind.BYTEA, "bytea", 17)
DATE = ColumnType(Kind.DATE, "date", 1082)
TIMESTAMP = ColumnType(Kind.TIMESTAMP, "timestamp", 1114)
INET = ColumnType(Kind.OUTPUT, "inet", 869)
ENUM = ColumnType(Kind.TEXT, "colour", 20_000)
CITEXT = ColumnType(Kind.TEXT, "public.citext", 20_001)

References = tuple[str, tuple[str, ...], tuple[str, ...]]


def table(
    name: str = "accounts",
    columns: Mapping[str, ColumnType] | Sequence[str] = ("id",),
    *,
    key: tuple[str, ...] = ("id",),
    unique: Sequence[tuple[str, ...]] = (),
    foreign: Sequence[tuple[str, ...]] = (),
    references: Sequence[References] = (),
    others: Sequence[SourceIndex] = (),
    nullable: Sequence[str] = (),
    kind: str = "table",
    schema: str = "public",
) -> SourceTable:
    """Build a table; `foreign` refers to a table x that is not there, `references` says table and columns."""
    types = columns if isinstance(columns, Mapping) else dict.fromkeys(columns, TEXT)
    primary = [SourceIndex(f"{name}_pkey", key, unique=True, primary=True)] if key else []
    indexes = [SourceIndex("_".join(c), c, unique=True, primary=False) for c in unique]
    elsewhere = [ForeignKey("_".join(c), c, TableName("public", "x"), ("id",)) for c in foreign]
    here = [ForeignKey("_".join(c), c, TableName("public", to), theirs) for to, c, theirs in references]
    return SourceTable(
        name=TableName(schema, name),
        oid=1,
        kind=kind,
        columns=tuple(SourceColumn(n, t, not_null=n not in nullable) for n, t in types.items()),
        primary_key=key,
        indexes=(*primary, *indexes, *others),
        foreign_keys=(*elsewhere, *here),
    )


def index(name: str, *columns: str | None, method: str = "btree", predicate: str | None = None) -> SourceIndex:
    """Build an index that is not unique."""
    return SourceIndex(name, columns, unique=False, primary=False, method=method, predicate=predicate)


def statistics(
    source: SourceTable,
    rows: int,
    *,
    distinct: Mapping[str, float] | None = None,
    nulls: Mapping[str, float] | None = None,
    column_bytes: float = 10,
    toast_bytes: int = 0,
) -> dict[TableName, TableStatistics]:
    """Build what ANALYZE would say of a table."""
    columns = {
        c.name: ColumnStatistics((nulls or {}).get(c.name, 0.0), (distinct or {}).get(c.name, 0.0), column_bytes)
        for c in source.columns
    }
    return {source.name: TableStatistics(source.name, rows, True, rows * 100, toast_bytes, columns)}


def plan_of(
    *tables: SourceTable,
    database: str = "shop",
    known: Mapping[TableName, TableStatistics] | None = None,
    design: Design = "tables",
) -> Plan:
    """Infer a plan, and load it."""
    return parse_plan(infer(database, tables, known, design=design), {})


def compiled(plan: Plan, *tables: SourceTable) -> list[TableMapping]:
    """Compile a plan against the tables, where what it computes is text."""
    catalog = {t.name: t for t in tables}
    mappings = []
    for entry in plan.tables:
        computed = {name: TEXT for name, rule in entry.attributes.items() if rule.sql is not None}
        mappings.append(compile_table(entry, catalog[entry.source], computed, catalog=catalog))
    return share_targets(mappings)


def comments(text: str) -> str:
    """Return the comments of a plan as running text, however their lines are broken."""
    return " ".join(
        line.strip().removeprefix("#").strip() for line in text.splitlines() if line.strip().startswith("#")
    )


def uncommented(text: str, first: str) -> str:
    """Return the plan with the comment lines from the one that is `first` on, as far as they go, as its own lines."""
    lines = text.splitlines()
    begin = next(n for n, line in enumerate(lines) if line.strip() == f"# {first}")
    end = next((n for n in range(begin, len(lines)) if not lines[n].strip().startswith("#")), len(lines))
    return "\n".join([*lines[:begin], *(line.replace("# ", "", 1) for line in lines[begin:end]), *lines[end:]])


def generated(source: SourceTable, *names: str) -> SourceTable:
    """Return the table with these columns generated."""
    columns = tuple(replace(c, generated=c.name in names) for c in source.columns)
    return replace(source, columns=columns)
