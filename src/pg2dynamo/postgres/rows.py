"""Rows as COPY writes them: the text form, in pieces of bounded size, by segment or by key.

Nothing is decoded here. SQL is built from quoted names and literals only, and from the plan's own expressions.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg

from pg2dynamo.errors import SourceChanged, SourceError
from pg2dynamo.mapping.table import Attribute, TableMapping, quote_identifier
from pg2dynamo.mapping.types import Kind
from pg2dynamo.mapping.values import Value
from pg2dynamo.postgres.connect import translated
from pg2dynamo.postgres.literals import quote_literal, typed_literal, value_text
from pg2dynamo.postgres.segments import Segment
from pg2dynamo.postgres.streaming import copy_out

KEYS_PER_STATEMENT = 500
"""Keys asked for at once: few enough that the planner reads them by the index."""

_FILENODE = "SELECT pg_relation_filenode(to_regclass(%s))::bigint"
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


def copy_rows(
    conn: psycopg.Connection, mapping: TableMapping, segment: Segment, newer_than: int | None = None
) -> Generator[list[bytes], None, None]:
    """Yield the rows of a segment as lines of COPY's text format, without newline, some 256 KB at a time.

    With `newer_than` (a 64-bit transaction id) only rows inserted or updated by that transaction or later
    ones, or frozen so long ago that this cannot be told. Raises SourceChanged when the table was rewritten
    before or while it was read; what was yielded of the segment must then not be trusted.
    """
    with unmoved(conn, segment), translated(f"Reading {segment}"):
        yield from copy_out(
            conn, f"SELECT {', '.join(mapping.select_list)} {segment_rows(segment, mapping, newer_than)}"
        )


def count_rows(conn: psycopg.Connection, mapping: TableMapping, segment: Segment, newer_than: int) -> tuple[int, int]:
    """Return how many rows of the segment are visible, and how many of these `copy_rows(newer_than)` gives."""
    counts = f"count(*), count(*) FILTER (WHERE {newer_condition(newer_than)})"
    with unmoved(conn, segment), translated(f"Counting {segment}"):
        row = conn.execute(f"SELECT {counts} {segment_rows(segment, mapping)}".encode()).fetchone()
    if row is None:
        raise SourceError(f"Counting {segment}: no answer.")
    return row[0], row[1]


def copy_rows_by_key(
    conn: psycopg.Connection, mapping: TableMapping, keys: Sequence[Mapping[str, str | None]]
) -> Iterator[list[bytes]]:
    """Yield the rows that have these source keys (column → text) as COPY's lines; absent ones are left out."""
    columns = [quote_identifier(k.column) for k in mapping.source_key]
    for start in range(0, len(keys), KEYS_PER_STATEMENT):
        tuples = [_source_literals(mapping, key) for key in keys[start : start + KEYS_PER_STATEMENT]]
        where = among(columns, [literals for literals in tuples if literals])
        query = f"SELECT {', '.join(mapping.select_list)} FROM {whole_table(conn, mapping)} WHERE {where}"  # noqa: S608
        with translated(f"Reading rows of {mapping.source} by key"):
            yield from copy_out(conn, query)


def copy_rows_by_item_key(
    conn: psycopg.Connection, mapping: TableMapping, keys: Sequence[Mapping[str, Value]]
) -> Iterator[list[bytes]]:
    """Yield the rows whose key attributes have these values as COPY's lines; absent ones are left out.

    Every key must be one that `keys_present` found. A row may come that has a key only equal by the column's own
    comparison (citext, char(n)).
    """
    expressions = [attribute.sql for attribute in key_attributes(mapping)]
    for start in range(0, len(keys), KEYS_PER_STATEMENT):
        known = [
            literals for key in keys[start : start + KEYS_PER_STATEMENT] if (literals := key_literals(mapping, key))
        ]
        where = among(expressions, [[literal for _, literal in literals] for literals in known])
        query = f"SELECT {', '.join(mapping.select_list)} FROM {whole_table(conn, mapping)} WHERE {where}"  # noqa: S608
        with translated(f"Reading rows of {mapping.source} by key"):
            yield from copy_out(conn, query)


def keys_present(conn: psycopg.Connection, mapping: TableMapping, keys: Sequence[Mapping[str, Value]]) -> list[bool]:
    """Tell for each key of an item, by attribute, whether the source has its row; one answer a key, in order.

    A key that no row can have (of another type, or malformed) is simply absent.
    """
    result: list[bool] = []
    for start in range(0, len(keys), KEYS_PER_STATEMENT):
        result += _present(conn, mapping, keys[start : start + KEYS_PER_STATEMENT])
    return result


def _present(conn: psycopg.Connection, mapping: TableMapping, keys: Sequence[Mapping[str, Value]]) -> list[bool]:
    literals = [key_literals(mapping, key) for key in keys]
    asked = [(n, literal) for n, literal in enumerate(literals) if literal is not None]
    found = set(_present_numbers(conn, mapping, asked))
    return [n in found for n in range(len(keys))]


def _present_numbers(
    conn: psycopg.Connection, mapping: TableMapping, asked: list[tuple[int, list[tuple[str, str]]]]
) -> list[int]:
    if not asked:
        return []
    rows = whole_table(conn, mapping)
    parts = [
        f"SELECT {n} WHERE EXISTS (SELECT FROM {rows} WHERE {_is_key(mapping, literals)})"  # noqa: S608
        for n, literals in asked
    ]
    try:
        with conn.transaction():
            return [row[0] for row in conn.execute(" UNION ALL ".join(parts).encode())]
    except (psycopg.DataError, psycopg.IntegrityError):
        # A key that is no value of its column's type: find it by halving.
        if len(asked) == 1:
            return []
        middle = len(asked) // 2
        return _present_numbers(conn, mapping, asked[:middle]) + _present_numbers(conn, mapping, asked[middle:])
    except psycopg.Error as error:
        with translated(f"Looking for rows of {mapping.source}"):
            raise error


def key_literals(mapping: TableMapping, key: Mapping[str, Value]) -> list[tuple[str, str]] | None:
    """Return text and typed literal of each key attribute, or None when one is not of its attribute's type."""
    result = []
    for attribute in key_attributes(mapping):
        text = value_text(key.get(attribute.name), attribute.type)
        if text is None:
            return None
        result.append((text, typed_literal(text, attribute.type)))
    return result


def _is_key(mapping: TableMapping, literals: list[tuple[str, str]]) -> str:
    """Return the SQL that is true for the row whose item has exactly this key, and not merely one that sorts equal."""
    conditions = []
    for attribute, (text, literal) in zip(key_attributes(mapping), literals, strict=True):
        conditions.append(f"{attribute.sql} = {literal}")
        shown = f"format('%s', {attribute.sql})"
        if attribute.type.kind in (Kind.TEXT, Kind.UUID, Kind.OUTPUT):
            conditions.append(f'{shown} COLLATE "C" = {quote_literal(text)}')
        elif attribute.type.kind is Kind.INTERVAL:
            conditions.append(f"{shown} COLLATE \"C\" = format('%s', {literal})")
        elif attribute.type.kind in (Kind.FLOAT4, Kind.FLOAT8):
            conditions.append(f"{shown}::numeric = {quote_literal(text)}::numeric")
    return " AND ".join(conditions)


def among(expressions: Sequence[str], tuples: Sequence[Sequence[str]]) -> str:
    """Return the SQL that is true when the expressions are one of the tuples of literals."""
    if not tuples:
        return "false"
    values = ", ".join(f"({', '.join(literals)})" for literals in tuples)
    return f"({', '.join(expressions)}) IN (VALUES {values})"


def key_attributes(mapping: TableMapping) -> list[Attribute]:
    """Return the attributes that are the item's key, hash first."""
    by_name = {attribute.name: attribute for attribute in mapping.attributes}
    return [by_name[name] for name in mapping.key_attributes]


def _source_literals(mapping: TableMapping, key: Mapping[str, str | None]) -> list[str]:
    texts = [(key[k.column], k.type) for k in mapping.source_key]
    return (
        [typed_literal(text, t) for text, t in texts if text is not None]
        if all(t[0] is not None for t in texts)
        else []
    )


def segment_rows(segment: Segment, mapping: TableMapping, newer_than: int | None = None) -> str:
    """Return FROM and WHERE of the segment's rows; the leaf goes by the source's name, as the plan's SQL may say it."""
    first, end = segment.bounds
    newer = f" AND {newer_condition(newer_than)}" if newer_than is not None else ""
    alias = quote_identifier(mapping.source.name)
    return f"FROM ONLY {segment.leaf.quoted} AS {alias} WHERE ctid >= '{first}' AND ctid < '{end}'{newer}"


def whole_table(conn: psycopg.Connection, mapping: TableMapping) -> str:
    """Return the table as an item of FROM: with its partitions, without tables that inherit from it."""
    source = mapping.source
    with translated(f"Reading the catalog for {source}"):
        row = conn.execute(_RELKIND, [source.schema, source.name]).fetchone()
    if row is None:
        raise SourceChanged(f"The source has no table {source}.")
    return f"{'' if row[0] == 'p' else 'ONLY '}{source.quoted} AS {quote_identifier(source.name)}"


@contextmanager
def unmoved(conn: psycopg.Connection, segment: Segment) -> Iterator[None]:
    """Raise SourceChanged when the leaf's storage is another than the segment's, before or after the body."""
    _require_filenode(conn, segment)
    yield
    _require_filenode(conn, segment)


def _require_filenode(conn: psycopg.Connection, segment: Segment) -> None:
    with translated(f"Looking at the storage of {segment.leaf}"):
        row = conn.execute(_FILENODE, [segment.leaf.quoted]).fetchone()
    if row != (segment.filenode,):
        raise SourceChanged(
            f"{segment.leaf} was rewritten or dropped (VACUUM FULL, CLUSTER, TRUNCATE, ALTER TABLE) since its "
            "segments were planned.",
            remedy="Run the command again.",
        )
