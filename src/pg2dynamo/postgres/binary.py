"""Rows as verification sees them: PostgreSQL's binary form, decoded into `mapping.values`.

Another path than `rows`: another protocol, other decoding, nothing shared with the encoder. Types without a
kind of their own are read by their output function, through format('%s', …): a cast to text is another text.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

import psycopg
from psycopg import pq

from pg2dynamo.errors import SourceError
from pg2dynamo.mapping.fitness import text_attributes
from pg2dynamo.mapping.keys import lookup_attributes
from pg2dynamo.mapping.table import Attribute, TableMapping, quote_identifier
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.mapping.values import Value
from pg2dynamo.postgres.binary_values import reader, reads_output
from pg2dynamo.postgres.connect import translated
from pg2dynamo.postgres.embedded_rows import as_records, attribute_reader
from pg2dynamo.postgres.literals import compared
from pg2dynamo.postgres.oversized import Guarded, may_be_oversized
from pg2dynamo.postgres.row_digests import RowDigests
from pg2dynamo.postgres.segments import Segment
from pg2dynamo.postgres.selection import (
    KEYS_PER_STATEMENT,
    among,
    key_literals,
    segment_rows,
    whole_table,
)
from pg2dynamo.postgres.storage import unmoved
from pg2dynamo.postgres.streaming import ROWS_PER_CHUNK, binary_rows
from pg2dynamo.postgres.unreadable import failing, fails, is_of_a_key, read_around, read_whole, savepoint

_TEXTS = reader(ColumnType(Kind.ARRAY, "text[]", 1009, ColumnType(Kind.TEXT, "text", 25)))

GUARDED_ROWS_AT_ONCE = 20
"""Where cells may be megabytes long."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row: its values in the order of what the mapping reads (`TableMapping.read`).

    `unrestored` names the attributes whose `back` does not give the column again, and those that cannot be read or
    are too large for any item (their values are None): no item has such a row. `texts` are what PostgreSQL writes for
    the mapping's `fitness.text_attributes`, in their order.
    """

    values: tuple[Value, ...]
    unrestored: tuple[str, ...]
    texts: tuple[str | None, ...] = ()


def row_digests(mapping: TableMapping) -> RowDigests:
    """Return what digests the results of `ReadRows` that are `restored`, as `select_rows` gives them."""
    return RowDigests(mapping, [attribute_reader(attribute) for attribute in mapping.read])


def select_rows(
    conn: psycopg.Connection, mapping: TableMapping, segment: Segment
) -> Generator[Sequence[SourceRow], None, None]:
    """Yield the rows of a segment, some hundred at a time, those too that cannot be read whole.

    Those that can come as `ReadRows`. Errors as `rows.copy_rows`.
    """
    with unmoved(conn, segment) as storage, translated(f"Reading {segment}"):
        if segment.whole:
            every = _Select(conn, mapping, guarded=True).read(segment_rows(segment, mapping), singly=False)
            yield from read_whole(f"Reading {segment}", every)
            return
        guarded = may_be_oversized(mapping, segment, storage.toast_bytes)
        aside: list[SourceRow] = []
        batches = read_around(
            conn,
            f"Reading {segment}",
            lambda after: segment_rows(segment, mapping, after=after),
            _Select(conn, mapping, guarded=guarded).read,
            lambda tid, _: aside.extend(_unreadable(conn, mapping, segment_rows(segment, mapping, only=tid))),
            singly=False,
        )
        for batch in batches:
            if aside:
                yield aside.copy()
                aside.clear()
            yield batch
        if aside:
            yield aside


def select_rows_by_key(
    conn: psycopg.Connection, mapping: TableMapping, keys: Sequence[Mapping[str, Value]]
) -> Iterator[Sequence[SourceRow]]:
    """Yield the rows whose key attributes have these values; keys without a row, or that no row can have, are left out.

    A row may come that has a key only equal by the column's own comparison (citext, char(n)): compare keys. Rows that
    cannot be read whole come too.
    """
    with translated(f"Reading rows of {mapping.source} by key"):
        for start in range(0, len(keys), KEYS_PER_STATEMENT):
            tuples = [
                literals for key in keys[start : start + KEYS_PER_STATEMENT] if (literals := key_literals(mapping, key))
            ]
            yield from _read_keys(conn, mapping, [[literal for _, literal in literals] for literals in tuples])


def _read_keys(
    conn: psycopg.Connection, mapping: TableMapping, tuples: list[list[str]]
) -> Iterator[Sequence[SourceRow]]:
    if not tuples:
        return
    where = among([compared(a.sql, a.type) for a in lookup_attributes(mapping)], tuples)
    rows = f"FROM {whole_table(conn, mapping)} WHERE {where}"
    try:
        with savepoint(conn):
            batches = list(_Select(conn, mapping, guarded=True).read(rows, singly=False))
    except psycopg.Error as error:
        if not is_of_a_key(error):
            raise
        # A row that fails, or a key that is no value of its column's type: find it by halving.
        if len(tuples) > 1:
            middle = len(tuples) // 2
            yield from _read_keys(conn, mapping, tuples[:middle])
            yield from _read_keys(conn, mapping, tuples[middle:])
        elif not fails(conn, f"SELECT {', '.join(tuples[0])}"):
            yield _unreadable(conn, mapping, rows)
        return
    yield from batches


def _unreadable(conn: psycopg.Connection, mapping: TableMapping, rows: str) -> list[SourceRow]:
    """Read a row that cannot be read whole: without what fails of it, which is named as not restored."""

    def reads(parts: Sequence[Attribute]) -> None:
        for _ in _Select(conn, mapping, guarded=True, parts=parts, unchecked=everything).read(rows, singly=True):
            pass

    def restores(parts: Sequence[Attribute]) -> None:
        unchecked = everything - {attribute.name for attribute in parts}
        for _ in _Select(conn, mapping, guarded=True, without=lost, unchecked=unchecked).read(rows, singly=True):
            pass

    everything = frozenset(attribute.name for attribute in mapping.read)
    lost = frozenset(attribute.name for attribute in failing(conn, reads, mapping.read))
    checked = [a for a in mapping.read if a.back is not None and a.name not in lost]
    unrestored = lost.union(attribute.name for attribute in (failing(conn, restores, checked) if checked else ()))
    if not unrestored:
        raise SourceError(f"{mapping.source}: rows came in another order than that of their storage.")
    select = _Select(conn, mapping, guarded=True, without=lost, unchecked=unrestored)
    return [
        replace(row, unrestored=tuple(sorted(unrestored.union(row.unrestored))))
        for batch in select.read(rows, singly=True)
        for row in batch
    ]


class ReadRows(Sequence[SourceRow]):
    """The rows of one result, each decoded when it is asked for."""

    def __init__(self, select: _Select, result: pq.abc.PGresult, guard: Guarded | None) -> None:
        self._select, self._guard = select, guard
        self.result = result

    @property
    def restored(self) -> bool:
        """Whether every row is read wholly and restored by its item, so that `result` says all of it."""
        return self._select.are_restored(self.result, self._guard)

    def __len__(self) -> int:
        return self.result.ntuples

    @overload
    def __getitem__(self, number: int) -> SourceRow: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[SourceRow]: ...
    def __getitem__(self, number: int | slice) -> SourceRow | Sequence[SourceRow]:
        if isinstance(number, slice):
            return [self[n] for n in range(len(self))[number]]
        return self._select.row(self.result, range(len(self))[number], self._guard)


class _Select:
    """Reads rows of a mapping in binary form. `guarded` leaves cells that are too large for an item in the server.

    Only the attributes of `parts`, by default all that are read. Those of `without` are NULL, and of those of
    `unchecked` it is not looked whether `back` gives the column again.
    """

    def __init__(
        self,
        conn: psycopg.Connection,
        mapping: TableMapping,
        *,
        guarded: bool,
        parts: Sequence[Attribute] | None = None,
        without: frozenset[str] = frozenset(),
        unchecked: frozenset[str] = frozenset(),
    ) -> None:
        self._conn, self._guarded = conn, guarded
        wanted = {attribute.name for attribute in (mapping.read if parts is None else parts)}
        checked = {a.name for a in mapping.read if a.back is not None and a.name in wanted} - without - unchecked
        # `back` may speak of any attribute.
        absent = without if checked else without.union(a.name for a in mapping.read if a.name not in wanted)
        read = [as_records(attribute, mapping.source, _output) for attribute in mapping.read]
        self._read = [_absent(a) if a.name in absent else a for a in read]
        self._parts = [a for a in self._read if a.name in wanted]
        self._checked = [a for a in self._parts if a.name in checked]
        self._readers = [attribute_reader(attribute) for attribute in self._parts]
        texts = {attribute.name for attribute in text_attributes(mapping)}
        self._texts = [n for n, a in enumerate(self._read) if a in self._parts and a.name in texts]
        keys = {key.position for key in mapping.source_key}
        self._never_large = frozenset(a.name for n, a in enumerate(mapping.read) if n in keys)

    def read(self, rows: str, *, singly: bool) -> Iterator[ReadRows]:
        """Yield the rows; see `unreadable.Read`."""
        query, guard = self._query(rows)
        at_once = 1 if singly else GUARDED_ROWS_AT_ONCE if self._guarded else ROWS_PER_CHUNK
        for result in binary_rows(self._conn, query, rows_at_once=at_once):
            yield ReadRows(self, result, guard)

    def row(self, result: pq.abc.PGresult, row: int, guard: Guarded | None) -> SourceRow:
        """Return one row of a result, decoded."""
        get = result.get_value
        values = tuple(
            None if (data := get(row, column)) is None else read(data) for column, read in enumerate(self._readers)
        )
        texts = _read_texts(get(row, len(self._readers)) or b"") if self._texts else ()
        unrestored = self._unrestored(get(row, self._checks) or b"") if self._checked else ()
        if guard is not None and (signs := get(row, self._signs)):
            unrestored = tuple({*unrestored, *self._too_large(guard, signs.decode())})
        return SourceRow(values, unrestored, texts)

    def are_restored(self, result: pq.abc.PGresult, guard: Guarded | None) -> bool:
        """Return whether every row of a result is restored by its item, by all that PostgreSQL says."""
        get, rows = result.get_value, range(result.ntuples)
        restored = b"t" * len(self._checked)
        return (not self._checked or all(get(row, self._checks) == restored for row in rows)) and (
            guard is None or not any(get(row, self._signs) for row in rows)
        )

    @property
    def _checks(self) -> int:
        """The column that says of each `back` whether it restores."""
        return len(self._readers) + bool(self._texts)

    @property
    def _signs(self) -> int:
        """The column that says which cells are too large."""
        return self._checks + bool(self._checked)

    def _unrestored(self, same: bytes) -> tuple[str, ...]:
        return tuple(a.name for a, sign in zip(self._checked, same.decode(), strict=True) if sign != "t")

    def _too_large(self, guard: Guarded, signs: str) -> list[str]:
        names = {self._name(n): attribute.name for n, attribute in enumerate(self._read)}
        return [names[name] for name in guard.too_large(signs)]

    def _name(self, number: int) -> str:
        """Return what an attribute is called in SQL: by `back`, which speaks of it, its name."""
        return quote_identifier(self._read[number].name if self._checked else str(number))

    def _query(self, rows: str) -> tuple[str, Guarded | None]:
        """Return the SELECT: a column for each attribute, one for all texts, and for all `back` rules one of t and f.

        `back` speaks of the attributes, so it is evaluated over a subquery in which they have their names. The
        column to restore goes beside them, under a name that no attribute has.
        """
        if not self._checked and not self._guarded:
            cells = [_output(a.sql, a.type) for a in self._parts]
            cells += self._texts_cell([_text(self._read[n].sql) for n in self._texts])
            return f"SELECT {', '.join(cells)} {rows}", None
        named = [(self._name(n), a.sql, a.type) for n, a in enumerate(self._read)]
        originals = [(_original(n), quote_identifier(a.restores or a.name)) for n, a in enumerate(self._checked)]
        outputs = {name: _output(name, column_type) for name, _, column_type in named}
        shown = [self._name(n) for n, attribute in enumerate(self._read) if attribute in self._parts]
        same = " || ".join(_same(f"({a.back})", _original(n)) for n, a in enumerate(self._checked))
        if self._guarded:
            large = frozenset(a.name for a in self._parts) - self._never_large
            columns = [
                (n, sql, t if a.name in large else None) for (n, sql, t), a in zip(named, self._read, strict=True)
            ]
            guard = Guarded([*columns, *((name, sql, None) for name, sql in originals)], rows)
            cells = [guard.cell(name, outputs[name]) for name in shown]
            cells += self._texts_cell([guard.cell(self._name(n), _text(self._name(n))) for n in self._texts])
            # Where a cell is too large the row cannot be restored from an item anyway.
            same = f"CASE WHEN {guard.signs} IS NULL THEN {same} ELSE repeat('t', {len(self._checked)}) END"
            cells += [same] if self._checked else []
            return f"SELECT {', '.join([*cells, guard.signs])} {guard.rows}", guard
        inner = ", ".join(f"{sql} AS {name}" for name, sql in [*((n, sql) for n, sql, _ in named), *originals])
        # OFFSET 0 keeps the planner from merging the levels, which would evaluate an expression twice.
        subquery = f"(SELECT {inner} {rows} OFFSET 0) AS attributes"
        cells = [*(outputs[name] for name in shown), *self._texts_cell([_text(self._name(n)) for n in self._texts])]
        return f"SELECT {', '.join([*cells, same])} FROM {subquery}", None  # noqa: S608

    def _texts_cell(self, texts: Sequence[str]) -> list[str]:
        """Return the one column of all texts: a target list has 1,664 entries at most, a table 1,600 columns."""
        return [f"ARRAY[{', '.join(texts)}]::text[]"] if texts else []


def _absent(attribute: Attribute) -> Attribute:
    # NULL, of the same type: a cast of NULL to a domain could fail.
    return replace(attribute, sql=f"(CASE WHEN false THEN {attribute.sql} END)")


def _original(number: int) -> str:
    return quote_identifier(f"pg2dynamo original {number}")


def _same(back: str, original: str) -> str:
    # format() of NULL is '', and a composite of NULLs IS NULL though it is none: num_nulls tells.
    return (
        f"CASE WHEN num_nulls({back}) = num_nulls({original}) AND "
        f"format('%s', {back}) COLLATE \"C\" = format('%s', {original}) THEN 't' ELSE 'f' END"
    )


def _text(sql: str) -> str:
    return f"CASE WHEN num_nulls({sql}) = 0 THEN format('%s', {sql}) END"


def _read_texts(data: bytes) -> tuple[str | None, ...]:
    found = _TEXTS(data)
    return tuple(None if text is None else str(text) for text in found) if isinstance(found, list) else ()


def _output(sql: str, column_type: ColumnType) -> str:
    return _text(sql) if reads_output(column_type) else sql
