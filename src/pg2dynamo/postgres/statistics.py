"""What the planner's statistics say of tables: two statements for any number of them, and no row is read.

Of `pg_stats` only fractions, counts and widths are taken: its columns that hold values of rows are never named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import psycopg

from pg2dynamo.mapping.table import TableName
from pg2dynamo.plan.statistics import ColumnStatistics, TableStatistics
from pg2dynamo.postgres.connect import translated

_TUPLE_OVERHEAD_BYTES = 28
"""Of a row in its page: the header of 23 bytes, aligned, and the line pointer of 4 (storage-page-layout)."""
_VARYING_BYTES = 32
"""What the planner assumes for a column of varying width that was never analysed (get_typavgwidth)."""

_NAMED = "(n.nspname, c.relname) IN (SELECT * FROM unnest(%(schemas)s::name[], %(names)s::name[]))"
_ALL = "n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"

# A partitioned table stands for its leaves; of a table that others inherit from only its own rows count.
_PARTS = """
WITH RECURSIVE tree(root, oid) AS (
  SELECT c.oid, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND c.relpersistence <> 't' AND {which}
  UNION ALL
  SELECT t.root, i.inhrelid FROM tree t JOIN pg_class p ON p.oid = t.oid AND p.relkind = 'p'
    JOIN pg_inherits i ON i.inhparent = t.oid AND NOT i.inhdetachpending
)
SELECT rn.nspname, r.relname, n.nspname, c.relname, c.relkind::text, c.reltuples::float8, c.relpages,
       CASE WHEN c.relkind IN ('r', 'm') THEN coalesce(pg_relation_size(c.oid), 0) ELSE 0 END,
       CASE WHEN c.reltoastrelid <> 0 THEN coalesce(pg_relation_size(c.reltoastrelid), 0) ELSE 0 END,
       (SELECT coalesce(sum(CASE WHEN a.attlen > 0 THEN a.attlen ELSE {varying} END), 0)::int FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       has_any_column_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid),
       current_setting('block_size')::int
  FROM tree t JOIN pg_class c ON c.oid = t.oid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class r ON r.oid = t.root JOIN pg_namespace rn ON rn.oid = r.relnamespace
 ORDER BY 1, 2, 3, 4
"""

_COLUMNS = """
SELECT schemaname, tablename, inherited, attname, null_frac::float8, n_distinct::float8, avg_width
  FROM pg_stats
 WHERE (schemaname, tablename) IN (SELECT * FROM unnest(%(schemas)s::name[], %(names)s::name[]))
"""


class _Part(NamedTuple):
    """A relation whose rows are a table's: itself, or a leaf or a level between when it is partitioned."""

    root: TableName
    name: TableName
    kind: str
    tuples: float
    pages: int
    heap_bytes: int
    toast_bytes: int
    width: int
    shown: bool
    block_bytes: int

    @property
    def rows(self) -> int:
        """The rows that it has by now, if it has as many to a page as when it was last looked at (as the planner)."""
        if self.kind in ("v", "f"):
            return int(self.tuples) if self.tuples > 0 else -1
        if self.heap_bytes == 0:
            return 0
        if self.tuples >= 0 and self.pages > 0:
            return round(self.tuples * self.heap_bytes / (self.pages * self.block_bytes))
        return max(1, self.heap_bytes // (self.width + _TUPLE_OVERHEAD_BYTES))


_Columns = dict[tuple[TableName, bool], dict[str, tuple[float, float, float]]]
"""By table and whether its children's rows count too, for each column: null_frac, n_distinct, avg_width."""


def read_statistics(
    conn: psycopg.Connection, names: Sequence[TableName] | None = None
) -> dict[TableName, TableStatistics]:
    """Return the statistics of these tables that exist, or of all that are no part of the system; reads no row.

    Views and tables never analysed are among them, see TableStatistics. A partitioned table without statistics of
    its own has those of its leaves together.
    """
    which = _ALL if names is None else _NAMED
    wanted = _as_arrays(names or ())
    with translated("Reading the planner's statistics"):
        query = _PARTS.format(which=which, varying=_VARYING_BYTES)
        rows = conn.execute(query.encode(), wanted).fetchall()
        parts: dict[TableName, list[_Part]] = {}
        for root_schema, root, schema, name, *rest in rows:
            part = _Part(TableName(root_schema, root), TableName(schema, name), *rest)
            parts.setdefault(part.root, []).append(part)
        columns = _read_columns(conn, {part.name for group in parts.values() for part in group})
    return {table: _statistics(table, group, columns) for table, group in parts.items()}


def _as_arrays(names: Iterable[TableName]) -> dict[str, list[str]]:
    listed = list(names)
    return {"schemas": [name.schema for name in listed], "names": [name.name for name in listed]}


def _read_columns(conn: psycopg.Connection, names: set[TableName]) -> _Columns:
    found: _Columns = {}
    for schema, table, inherited, column, *values in conn.execute(_COLUMNS.encode(), _as_arrays(sorted(names))):
        null_fraction, distinct, width = values
        found.setdefault((TableName(schema, table), inherited), {})[column] = (null_fraction, distinct, width)
    return found


def _statistics(table: TableName, group: Sequence[_Part], known: _Columns) -> TableStatistics:
    leaves = [part for part in group if part.kind != "p"]
    rows = -1 if any(part.rows < 0 for part in leaves) else sum(part.rows for part in leaves)
    own = known.get((table, True), {}) if any(part.kind == "p" and part.name == table for part in group) else {}
    columns = {name: _of_values(rows, *values) for name, values in own.items()} or _together(leaves, known)
    seen = any(part.tuples >= 0 for part in leaves)
    hidden = not any(part.shown for part in group)
    return TableStatistics(
        table=table,
        rows=rows,
        analysed=rows == 0 or bool(columns) or (seen and hidden),
        heap_bytes=sum(part.heap_bytes for part in leaves),
        toast_bytes=sum(part.toast_bytes for part in leaves),
        columns=columns,
    )


def _of_values(rows: int, null_fraction: float, distinct: float, width: float) -> ColumnStatistics:
    """Return a column's statistics; a negative number of distinct values is a share of the rows."""
    absolute = -distinct * max(rows, 0) if distinct < 0 else distinct
    return ColumnStatistics(null_fraction, absolute, float(width))


def _together(leaves: Sequence[_Part], known: _Columns) -> Mapping[str, ColumnStatistics]:
    """Return the statistics of all leaves together, each weighing as many rows as it has."""
    found: dict[str, list[tuple[int, tuple[float, float, float]]]] = {}
    for leaf in leaves:
        for name, values in known.get((leaf.name, False), {}).items():
            found.setdefault(name, []).append((max(leaf.rows, 0), values))
    return {name: _weighed(parts) for name, parts in found.items()}


def _weighed(parts: Sequence[tuple[int, tuple[float, float, float]]]) -> ColumnStatistics:
    if len(parts) == 1:
        return _of_values(parts[0][0], *parts[0][1])
    rows = sum(count for count, _ in parts) or 1
    present = [(count * (1 - null_fraction), width) for count, (null_fraction, _, width) in parts]
    values = sum(count for count, _ in present)
    # Values that grow with the rows differ from leaf to leaf; a few that recur are the same few in each.
    growing = sum(-distinct * count for count, (_, distinct, _) in parts if distinct < 0)
    recurring = max((distinct for _, (_, distinct, _) in parts if distinct > 0), default=0.0)
    return ColumnStatistics(
        null_fraction=sum(count * null_fraction for count, (null_fraction, _, _) in parts) / rows,
        distinct=max(growing, recurring),
        average_bytes=sum(count * width for count, width in present) / values if values else 0.0,
    )
