"""Rows as COPY writes them: the text form, in pieces of bounded size, by segment or by key.

Nothing is decoded here. SQL is built from quoted names and literals only, and from the plan's own expressions.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence

import psycopg

from pg2dynamo.errors import SourceError
from pg2dynamo.mapping.keys import lookup_attributes
from pg2dynamo.mapping.table import TableMapping, quote_identifier
from pg2dynamo.mapping.types import Kind
from pg2dynamo.mapping.values import Value
from pg2dynamo.postgres.connect import translated
from pg2dynamo.postgres.lines import Lines, OnUnreadable
from pg2dynamo.postgres.literals import Compared, compared, quote_literal, typed_literal
from pg2dynamo.postgres.oversized import may_be_oversized
from pg2dynamo.postgres.segments import Segment
from pg2dynamo.postgres.selection import (
    KEYS_PER_STATEMENT,
    among,
    key_literals,
    newer_condition,
    segment_rows,
    whole_table,
)
from pg2dynamo.postgres.storage import unmoved
from pg2dynamo.postgres.unreadable import fails, read_around, read_whole


def copy_rows(
    conn: psycopg.Connection,
    mapping: TableMapping,
    segment: Segment,
    newer_than: int | None = None,
    on_unreadable: OnUnreadable | None = None,
) -> Generator[list[bytes], None, None]:
    """Yield the rows of a segment as lines of COPY's text format, without newline, some 256 KB at a time.

    With `newer_than` (a 64-bit transaction id) only rows inserted or updated by that transaction or later
    ones, or frozen so long ago that this cannot be told. Rows that PostgreSQL cannot compute, or with a cell that
    no item can hold, go to `on_unreadable`; without it, and of a view or foreign table, SourceError is raised for one
    that cannot be computed. Raises SourceChanged when the table was rewritten before or while it was read; what was
    yielded of the segment must then not be trusted.
    """
    with unmoved(conn, segment) as storage, translated(f"Reading {segment}"):
        lines = Lines(conn, mapping, on_unreadable, guarded=may_be_oversized(mapping, segment, storage.toast_bytes))
        if segment.whole:
            batches = read_whole(f"Reading {segment}", lines.read(segment_rows(segment, mapping, newer_than)))
        else:
            batches = read_around(
                conn,
                f"Reading {segment}",
                lambda after: segment_rows(segment, mapping, newer_than, after=after),
                lines.read,
                lambda tid, fault: lines.set_aside(segment_rows(segment, mapping, only=tid), fault),
                singly=True,
            )
        for batch in batches:
            if fitting := lines.fitting(batch):
                yield fitting


def count_rows(conn: psycopg.Connection, mapping: TableMapping, segment: Segment, newer_than: int) -> tuple[int, int]:
    """Return how many rows of the segment are visible, and how many of these `copy_rows(newer_than)` gives."""
    counts = f"count(*), count(*) FILTER (WHERE {newer_condition(newer_than)})"
    with unmoved(conn, segment), translated(f"Counting {segment}"):
        row = conn.execute(f"SELECT {counts} {segment_rows(segment, mapping)}".encode()).fetchone()
    if row is None:
        raise SourceError(f"Counting {segment}: no answer.")
    return row[0], row[1]


def copy_rows_by_key(
    conn: psycopg.Connection,
    mapping: TableMapping,
    keys: Sequence[Mapping[str, str | None]],
    on_unreadable: OnUnreadable | None = None,
) -> Iterator[list[bytes]]:
    """Yield the rows that have these source keys (column → text) as COPY's lines; absent ones are left out.

    `on_unreadable` as for `copy_rows`; when it gets a row, others may come twice.
    """
    columns = [compared(quote_identifier(k.column), k.type) for k in mapping.source_key]
    tuples = [_source_literals(mapping, key) for key in keys]
    yield from _copy_by_key(conn, mapping, columns, [t for t in tuples if t], on_unreadable)


def copy_rows_by_item_key(
    conn: psycopg.Connection,
    mapping: TableMapping,
    keys: Sequence[Mapping[str, Value]],
    on_unreadable: OnUnreadable | None = None,
) -> Iterator[list[bytes]]:
    """Yield the rows whose key attributes have these values as COPY's lines; absent ones are left out.

    Every key must be one that `keys_present` found. A row may come that has a key only equal by the column's own
    comparison (citext, char(n)). `on_unreadable` as for `copy_rows_by_key`.
    """
    expressions = [compared(attribute.sql, attribute.type) for attribute in lookup_attributes(mapping)]
    known = [literals for key in keys if (literals := key_literals(mapping, key))]
    tuples = [[literal for _, literal in literals] for literals in known]
    yield from _copy_by_key(conn, mapping, expressions, tuples, on_unreadable)


def _copy_by_key(
    conn: psycopg.Connection,
    mapping: TableMapping,
    expressions: Sequence[Compared],
    tuples: Sequence[list[str]],
    on_unreadable: OnUnreadable | None,
) -> Iterator[list[bytes]]:
    table = whole_table(conn, mapping)
    lines = Lines(conn, mapping, on_unreadable, guarded=True)
    with translated(f"Reading rows of {mapping.source} by key"):
        for start in range(0, len(tuples), KEYS_PER_STATEMENT):
            some = tuples[start : start + KEYS_PER_STATEMENT]
            yield from lines.by_key(lambda keys: f"FROM {table} WHERE {among(expressions, keys)}", some)


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
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.SyntaxError):
        # A key that is no value of its column's type: find it by halving. Hazard: when it is one, another row's key
        # cannot be computed; to call this one absent would have its item deleted.
        if len(asked) == 1:
            if not fails(conn, f"SELECT {', '.join(literal for _, literal in asked[0][1])}"):
                raise SourceError(f"The keys of {mapping.source} cannot be computed for all rows.") from None
            return []
        middle = len(asked) // 2
        return _present_numbers(conn, mapping, asked[:middle]) + _present_numbers(conn, mapping, asked[middle:])
    except psycopg.Error as error:
        with translated(f"Looking for rows of {mapping.source}"):
            raise error


def _is_key(mapping: TableMapping, literals: list[tuple[str, str]]) -> str:
    """Return the SQL that is true for the row whose item has exactly this key, and not merely one that sorts equal."""
    conditions = []
    for attribute, (text, literal) in zip(lookup_attributes(mapping), literals, strict=True):
        conditions.append(compared(attribute.sql, attribute.type).equal_to(literal))
        shown = f"format('%s', {attribute.sql})"
        if attribute.type.kind in (Kind.TEXT, Kind.UUID, Kind.OUTPUT):
            conditions.append(f'{shown} COLLATE "C" = {quote_literal(text)}')
        elif attribute.type.kind is Kind.INTERVAL:
            conditions.append(f"{shown} COLLATE \"C\" = format('%s', {literal})")
        elif attribute.type.kind in (Kind.FLOAT4, Kind.FLOAT8):
            conditions.append(f"{shown}::numeric = {quote_literal(text)}::numeric")
    return " AND ".join(conditions)


def _source_literals(mapping: TableMapping, key: Mapping[str, str | None]) -> list[str]:
    texts = [(key[k.column], k.type) for k in mapping.source_key]
    return (
        [typed_literal(text, t) for text, t in texts if text is not None]
        if all(t[0] is not None for t in texts)
        else []
    )
