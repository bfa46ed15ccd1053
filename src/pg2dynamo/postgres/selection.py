"""Which rows a statement reads: the ranges of segments, whole tables, keys. FROM and WHERE only, no value of a row.

SQL is built from quoted names and literals, and from the plan's own expressions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg

from pg2dynamo.errors import SourceChanged
from pg2dynamo.mapping.keys import lookup_attributes, lookup_values
from pg2dynamo.mapping.table import TableMapping, quote_identifier
from pg2dynamo.mapping.values import Value
from pg2dynamo.postgres.connect import translated
from pg2dynamo.postgres.literals import Compared, typed_literal, value_text
from pg2dynamo.postgres.segments import Segment

KEYS_PER_STATEMENT = 500
"""Keys asked for at once: few enough that the planner reads them by the index."""

_RELKIND = """
SELECT c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %s AND c.relname = %s
"""


def newer_condition(newer_than: int, *, xmin: str = "xmin", xmax: str | None = None) -> str:
    """Return the SQL that is true for every row inserted by transaction `newer_than` (64-bit) or a later one.

    A row shows only the low 32 bits of its transaction, which is below the snapshot's xmax; their distance,
    modulo 2**32, dates every row younger than 2**31 transactions. An older one may look newer than it is,
    which only means reading it once more; when the horizon itself is that far away, all rows are newer.
    """
    xmax = xmax or "(SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint)"
    far = f"{xmax} - {newer_than} >= 2147483648"
    near = f"(({xmax} - {xmin}::text::bigint) & 4294967295) <= {xmax} - {newer_than}"
    return f"({far} OR {near})"


def key_literals(mapping: TableMapping, key: Mapping[str, Value]) -> list[tuple[str, str]] | None:
    """Return text and typed literal of each of `mapping.keys.lookup_attributes`, for an item's key.

    None when no row can have that key.
    """
    values = lookup_values(mapping, key)
    if values is None:
        return None
    result = []
    for attribute in lookup_attributes(mapping):
        text = value_text(values.get(attribute.name), attribute.type)
        if text is None:
            return None
        result.append((text, typed_literal(text, attribute.type)))
    return result


def among(expressions: Sequence[Compared], tuples: Sequence[Sequence[str]]) -> str:
    """Return the SQL that is true when the expressions are one of the tuples of literals."""
    if not tuples:
        return "false"
    values = ", ".join(f"({', '.join(literals)})" for literals in tuples)
    if all(expression.equals == "=" for expression in expressions):
        return f"({', '.join(expression.sql for expression in expressions)}) IN (VALUES {values})"
    # IN looks its operator up by the search path; the names are none that a column or a table is likely to have.
    names = [quote_identifier(f"pg2dynamo key {n}") for n in range(len(expressions))]
    equal = " AND ".join(e.equal_to(name) for e, name in zip(expressions, names, strict=True))
    return f'EXISTS (SELECT FROM (VALUES {values}) AS "pg2dynamo keys" ({", ".join(names)}) WHERE {equal})'


def segment_rows(
    segment: Segment,
    mapping: TableMapping,
    newer_than: int | None = None,
    *,
    after: str | None = None,
    only: str | None = None,
) -> str:
    """Return FROM and WHERE of the segment's rows; the leaf goes by the source's name, as the plan's SQL may say it.

    The rows come in the order of their tids (`ctid`): of the conditions only those over it can lead to another scan
    than one of the blocks in turn. With `after` only the rows behind that tid, with `only` only the row there.
    """
    conditions = _range(segment, after, only)
    if newer_than is not None:
        conditions.append(newer_condition(newer_than))
    if mapping.where is not None:
        # Hazard: in a CASE, as a bare condition could lead to an index, or be made a join, and change the order.
        conditions.append(f"CASE WHEN ({mapping.where}) THEN true ELSE false END")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"FROM ONLY {segment.leaf.quoted} AS {quote_identifier(mapping.source.name)}{where}"


def _range(segment: Segment, after: str | None, only: str | None) -> list[str]:
    if only is not None:
        return [f"ctid = '{only}'"]
    if segment.whole:
        return []
    first, end = segment.bounds
    return [f"ctid >= '{first}'" if after is None else f"ctid > '{after}'", f"ctid < '{end}'"]


def whole_table(conn: psycopg.Connection, mapping: TableMapping) -> str:
    """Return the rows of the mapping as an item of FROM: with partitions, without tables that inherit, filtered."""
    source = mapping.source
    with translated(f"Reading the catalog for {source}"):
        row = conn.execute(_RELKIND, [source.schema, source.name]).fetchone()
    if row is None:
        raise SourceChanged(f"The source has no table {source}.")
    rows = f"{'' if row[0] == 'p' else 'ONLY '}{source.quoted} AS {quote_identifier(source.name)}"
    if mapping.where is None:
        return rows
    return f"(SELECT * FROM {rows} WHERE ({mapping.where})) AS {quote_identifier(source.name)}"  # noqa: S608


def estimated_rows(conn: psycopg.Connection, mapping: TableMapping) -> int:
    """Return about how many rows the table has, by the planner: at once, also for a table never analysed."""
    with translated(f"Estimating {mapping.source}"):
        query = f"EXPLAIN (FORMAT JSON) SELECT FROM {whole_table(conn, mapping)}"
        row = conn.execute(query.encode()).fetchone()
    return int(row[0][0]["Plan"]["Plan Rows"]) if row else 0


def count_visible(conn: psycopg.Connection, mapping: TableMapping) -> int:
    """Return how many rows the table has, by a plain count of the whole of it.

    Knows nothing of segments: what was read by segments must come to the same number under the same snapshot.
    """
    with translated(f"Counting {mapping.source}"):
        query = f"SELECT count(*) FROM {whole_table(conn, mapping)}"  # noqa: S608
        row = conn.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0
