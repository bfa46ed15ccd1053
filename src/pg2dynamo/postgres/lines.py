"""Rows of any FROM and WHERE as lines of COPY's text format, those aside that no item can be made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import psycopg

from pg2dynamo.errors import SourceError
from pg2dynamo.mapping.table import Attribute, TableMapping
from pg2dynamo.mapping.types import ColumnType
from pg2dynamo.postgres.oversized import TOO_LARGE, Guarded
from pg2dynamo.postgres.streaming import copy_out
from pg2dynamo.postgres.unreadable import failing, is_of_a_row, reason, savepoint

_NO_SIGNS = b"\t\\N"


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that stays in the source: `line` holds at least its source key, `attribute` is at fault, '' if several."""

    line: bytes
    attribute: str
    reason: str

    def accepted_by(self, mapping: TableMapping) -> bool:
        """Return whether the plan accepts it in quarantine: one that is too large, not one that cannot be computed."""
        return self.reason == TOO_LARGE and mapping.unfit == "quarantine"


OnUnreadable = Callable[[UnreadableRow], None]


class Lines:
    """Reads a mapping's rows. `guarded` leaves cells that are too large for an item in the server."""

    def __init__(
        self, conn: psycopg.Connection, mapping: TableMapping, on_unreadable: OnUnreadable | None, *, guarded: bool
    ) -> None:
        self._conn, self._mapping, self._on_unreadable, self._guarded = conn, mapping, on_unreadable, guarded
        self._keys = frozenset(key.position for key in mapping.source_key)
        types = [None if n in self._keys else attribute.type for n, attribute in enumerate(mapping.read)]
        selected = mapping.select_list
        self._columns = list(zip(selected, [*types, *[None] * (len(selected) - len(types))], strict=True))

    def read(self, rows: str, *, singly: bool = True) -> Iterator[list[bytes]]:  # noqa: ARG002 (COPY loses none)
        """Yield the rows as the server sends them; see `unreadable.Read`."""
        return copy_out(self._conn, self._query(self._columns, rows))

    def _plain(self, line: bytes) -> bytes:
        return line[: -len(_NO_SIGNS)] if self._guarded else line

    def fitting(self, batch: Sequence[bytes]) -> list[bytes]:
        """Return the lines of rows that were read whole, and set the others aside."""
        if not self._guarded:
            return list(batch)
        for line in batch:
            if not line.endswith(_NO_SIGNS):
                self._too_large(*line.rsplit(b"\t", 1))
        return [line[: -len(_NO_SIGNS)] for line in batch if line.endswith(_NO_SIGNS)]

    def by_key(
        self, condition: Callable[[Sequence[list[str]]], str], keys: Sequence[list[str]]
    ) -> Iterator[list[bytes]]:
        """Yield the rows of FROM and WHERE for these keys; a row may come twice when another one fails."""
        rows = condition(keys)
        try:
            with savepoint(self._conn):
                for batch in self.read(rows):
                    yield self.fitting(batch)
            return
        except psycopg.Error as error:
            if not is_of_a_row(error) or self._on_unreadable is None:
                raise
            fault = error
        if len(keys) == 1:
            self.set_aside(rows, fault)
            return
        middle = len(keys) // 2
        yield from self.by_key(condition, keys[:middle])
        yield from self.by_key(condition, keys[middle:])

    def set_aside(self, rows: str, fault: psycopg.Error) -> None:
        """Hand over a row that failed. Raises its failure when nobody takes it, and SourceError when it can be read."""
        if self._on_unreadable is None:
            raise fault
        failed = failing(self._conn, lambda parts: self._try(parts, rows), self._mapping.read)
        if not failed:
            raise SourceError(f"{self._mapping.source}: rows came in another order than that of their storage.")
        only_keys = [(sql if n in self._keys else "NULL", None) for n, (sql, _) in enumerate(self._columns)]
        found = [line for batch in copy_out(self._conn, self._query(only_keys, rows)) for line in batch]
        if not found:
            raise fault
        attribute = failed[0].name if len(failed) == 1 else ""
        for line in found:
            self._on_unreadable(UnreadableRow(self._plain(line), attribute, reason(fault)))

    def _try(self, parts: Sequence[Attribute], rows: str) -> None:
        for _ in copy_out(self._conn, self._query([(part.sql, part.type) for part in parts], rows)):
            pass

    def _too_large(self, line: bytes, signs: bytes) -> None:
        if self._on_unreadable is None:
            raise SourceError(f"{self._mapping.source}: a row holds more than any item can.")
        names = _guard(self._columns, "").too_large(signs.decode())
        columns = [self._mapping.read[int(name.strip('"'))].name for name in names]
        self._on_unreadable(UnreadableRow(line, columns[0] if len(columns) == 1 else "", TOO_LARGE))

    def _query(self, columns: Sequence[tuple[str, ColumnType | None]], rows: str) -> str:
        if not self._guarded:
            return f"SELECT {', '.join(sql for sql, _ in columns)} {rows}"
        guard = _guard(columns, rows)
        cells = ", ".join(guard.cell(_name(n)) for n in range(len(columns)))
        return f"SELECT {cells}, {guard.signs} {guard.rows}"


def _guard(columns: Sequence[tuple[str, ColumnType | None]], rows: str) -> Guarded:
    return Guarded([(_name(n), sql, column_type) for n, (sql, column_type) in enumerate(columns)], rows)


def _name(number: int) -> str:
    return f'"{number}"'
