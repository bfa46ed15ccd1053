"""Rows as verification sees them: PostgreSQL's binary form, decoded into `mapping.values`.

Another path than `rows`: another protocol, other decoding, nothing shared with the encoder. Types without a
kind of their own are read by their output function, through format('%s', …): a cast to text is another text.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import pq

from pg2dynamo.mapping.keys import lookup_attributes
from pg2dynamo.mapping.table import Attribute, TableMapping, quote_identifier
from pg2dynamo.mapping.types import ColumnType
from pg2dynamo.mapping.values import Value
from pg2dynamo.postgres.binary_values import Reader, reader, reads_output
from pg2dynamo.postgres.connect import translated
from pg2dynamo.postgres.segments import Segment
from pg2dynamo.postgres.selection import (
    KEYS_PER_STATEMENT,
    among,
    key_literals,
    segment_rows,
    unmoved,
    whole_table,
)
from pg2dynamo.postgres.streaming import binary_rows


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row: its values in the order of what the mapping reads (`TableMapping.read`).

    `unrestored` names the attributes whose `back` does not give the column again, so that the way back
    would not restore the row.
    """

    values: tuple[Value, ...]
    unrestored: tuple[str, ...]


def select_rows(
    conn: psycopg.Connection, mapping: TableMapping, segment: Segment
) -> Generator[list[SourceRow], None, None]:
    """Yield the rows of a segment, some hundred at a time. Errors as `rows.copy_rows`."""
    with unmoved(conn, segment), translated(f"Reading {segment}"):
        yield from _read(conn, mapping, segment_rows(segment, mapping))


def select_rows_by_key(
    conn: psycopg.Connection, mapping: TableMapping, keys: Sequence[Mapping[str, Value]]
) -> Iterator[list[SourceRow]]:
    """Yield the rows whose key attributes have these values; keys without a row, or that no row can have, are left out.

    A row may come that has a key only equal by the column's own comparison (citext, char(n)): compare keys.
    """
    with translated(f"Reading rows of {mapping.source} by key"):
        for start in range(0, len(keys), KEYS_PER_STATEMENT):
            tuples = [
                literals for key in keys[start : start + KEYS_PER_STATEMENT] if (literals := key_literals(mapping, key))
            ]
            yield from _read_keys(conn, mapping, [[literal for _, literal in literals] for literals in tuples])


def _read_keys(conn: psycopg.Connection, mapping: TableMapping, tuples: list[list[str]]) -> Iterator[list[SourceRow]]:
    if not tuples:
        return
    where = among([a.sql for a in lookup_attributes(mapping)], tuples)
    try:
        with conn.transaction():
            batches = list(_read(conn, mapping, f"FROM {whole_table(conn, mapping)} WHERE {where}"))
    except (psycopg.DataError, psycopg.IntegrityError):
        # A key that is no value of its column's type, unless a row itself fails: find it by halving.
        if len(tuples) == 1:
            return
        middle = len(tuples) // 2
        yield from _read_keys(conn, mapping, tuples[:middle])
        yield from _read_keys(conn, mapping, tuples[middle:])
        return
    yield from batches


def _read(conn: psycopg.Connection, mapping: TableMapping, rows: str) -> Iterator[list[SourceRow]]:
    readers = [reader(attribute.type) for attribute in mapping.read]
    checked = [a for a in mapping.attributes if a.back is not None]
    for result in binary_rows(conn, _query(mapping, checked, rows)):
        yield _rows(result, readers, [a.name for a in checked])


def _rows(result: pq.abc.PGresult, readers: Sequence[Reader], checked: Sequence[str]) -> list[SourceRow]:
    get = result.get_value
    columns = list(enumerate(readers))
    batch = []
    for row in range(result.ntuples):
        values = tuple(None if (data := get(row, column)) is None else read(data) for column, read in columns)
        unrestored: tuple[str, ...] = ()
        if checked:
            same = get(row, len(columns)) or b""
            unrestored = tuple(name for name, sign in zip(checked, same.decode(), strict=True) if sign != "t")
        batch.append(SourceRow(values, unrestored))
    return batch


def _query(mapping: TableMapping, checked: Sequence[Attribute], rows: str) -> str:
    """Return the SELECT: a column for each attribute, and for all `back` rules together one text of t and f.

    `back` speaks of the attributes, so it is evaluated over a subquery in which they have their names. The
    column to restore goes beside them, under a name that no attribute has.
    """
    if not checked:
        return f"SELECT {', '.join(_output(a.sql, a.type) for a in mapping.read)} {rows}"
    inner = [f"{a.sql} AS {quote_identifier(a.name)}" for a in mapping.read]
    inner += [f"{quote_identifier(a.restores or a.name)} AS {_original(n)}" for n, a in enumerate(checked)]
    outer = [_output(quote_identifier(a.name), a.type) for a in mapping.read]
    same = [_same(f"({a.back})", _original(n)) for n, a in enumerate(checked)]
    # OFFSET 0 keeps the planner from merging the levels, which would evaluate an expression twice.
    subquery = f"(SELECT {', '.join(inner)} {rows} OFFSET 0) AS attributes"
    return f"SELECT {', '.join(outer)}, concat({', '.join(same)}) FROM {subquery}"  # noqa: S608


def _original(number: int) -> str:
    return quote_identifier(f"pg2dynamo original {number}")


def _same(back: str, original: str) -> str:
    # format() of NULL is '', and a composite of NULLs IS NULL though it is none: num_nulls tells.
    return (
        f"CASE WHEN num_nulls({back}) = num_nulls({original}) AND "
        f"format('%s', {back}) COLLATE \"C\" = format('%s', {original}) THEN 't' ELSE 'f' END"
    )


def _output(sql: str, column_type: ColumnType) -> str:
    return f"CASE WHEN num_nulls({sql}) = 0 THEN format('%s', {sql}) END" if reads_output(column_type) else sql
