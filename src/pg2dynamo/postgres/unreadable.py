"""Rows that PostgreSQL cannot compute: each is set aside, and the rest of its segment is read.

A virtual generated column or the plan's own SQL may fail for a row. The statement ends there, after the rows before
it. Rows come in the order of their tids, so their number tells which row failed, and reading goes on behind it:
three statements and the reading of one row's parts for each such row, whatever the size of the segment.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from pg2dynamo.errors import SourceError

MOST_UNREADABLE = 1_000
"""How many rows of one segment may fail before it is the plan that is at fault, and not the rows."""

# Classes of SQLSTATE ("PostgreSQL Error Codes") that a row's own values can cause; the others are about the server,
# the session, the role or the schema, and would come for every row.
_OF_A_ROW = ("21", "22", "23", "38", "39", "44", "54", "P0", "XX")

T = TypeVar("T")
Row = TypeVar("Row", covariant=True)


class Read(Protocol[Row]):
    """Yields the rows of FROM and WHERE; `singly` such that none is lost that comes before a failure."""

    def __call__(self, rows: str, *, singly: bool) -> Iterator[Sequence[Row]]:
        """Yield the rows in order."""


def is_of_a_row(error: psycopg.Error) -> bool:
    """Return whether a statement failed by the values of a row."""
    return (error.sqlstate or "").startswith(_OF_A_ROW)


def is_of_a_key(error: psycopg.Error) -> bool:
    """Return whether a statement failed by the values of a row or of a stated key, for some types a syntax error."""
    return is_of_a_row(error) or error.sqlstate == "42601"


def reason(error: psycopg.Error) -> str:
    """Return why a row is set aside; never the server's text, which may hold values."""
    return f"PostgreSQL cannot compute it (SQLSTATE {error.sqlstate})"


def savepoint(conn: psycopg.Connection) -> AbstractContextManager[object]:
    """Return a context whose failure leaves an open transaction usable; it begins none."""
    idle = conn.info.transaction_status == TransactionStatus.IDLE
    return nullcontext() if idle else conn.transaction()


def read_around(
    conn: psycopg.Connection,
    doing: str,
    behind: Callable[[str | None], str],
    read: Read[T],
    set_aside: Callable[[str, psycopg.Error], None],
    *,
    singly: bool,
) -> Generator[Sequence[T], None, None]:
    """Yield what `read` gives of all rows but those that fail, each row once; `set_aside` gets these, by tid.

    `behind` gives FROM and WHERE of the rows after a tid, of all for None. `singly` says that `read` loses no row
    before a failure however it is called. An open transaction stays usable. Raises psycopg's errors, and SourceError
    when too many rows fail.
    """
    after, one_by_one, failed = None, singly, 0
    while True:
        came = 0
        try:
            with savepoint(conn):
                for batch in read(behind(after), singly=one_by_one):
                    came += len(batch)
                    yield batch
            return
        except psycopg.Error as error:
            if not is_of_a_row(error):
                raise
            fault = error
        if not one_by_one:
            after, one_by_one = _tid(conn, behind(after), came - 1) if came else after, True
            continue
        failed += 1
        if failed > MOST_UNREADABLE:
            raise SourceError(
                f"{doing}: more than {MOST_UNREADABLE:,} rows cannot be computed (SQLSTATE {fault.sqlstate}).",
                remedy="Look at the generated columns and at the SQL of the plan; `where` cannot fail for any row.",
            )
        tid = _tid(conn, behind(after), came)
        if tid is None:
            raise fault
        set_aside(tid, fault)
        after, one_by_one = tid, singly


def read_whole(doing: str, batches: Iterator[Sequence[T]]) -> Generator[Sequence[T], None, None]:
    """Yield the rows of a view or foreign table. Raises SourceError when one fails: nothing says which came before."""
    try:
        yield from batches
    except psycopg.Error as error:
        if not is_of_a_row(error):
            raise
        raise SourceError(
            f"{doing}: a row cannot be computed (SQLSTATE {error.sqlstate}).",
            remedy="One row of a view or foreign table cannot be left aside: correct its SQL, or that of the plan.",
        ) from None


def _tid(conn: psycopg.Connection, rows: str, number: int) -> str | None:
    """Return the tid of the row of that number, from 0; the same rows in the same order as they are read in."""
    row = conn.execute(f"SELECT ctid::text {rows} OFFSET {number} LIMIT 1".encode()).fetchone()
    return row[0] if row else None


def failing(conn: psycopg.Connection, read: Callable[[Sequence[T]], object], parts: Sequence[T]) -> list[T]:
    """Return the parts that cannot be read, found by halving: all when only together they fail, none when none does."""
    try:
        with savepoint(conn):
            read(parts)
        return []
    except psycopg.Error as error:
        if not is_of_a_row(error):
            raise
    if len(parts) == 1:
        return list(parts)
    middle = len(parts) // 2
    return failing(conn, read, parts[:middle]) + failing(conn, read, parts[middle:]) or list(parts)


def fails(conn: psycopg.Connection, statement: str) -> bool:
    """Return whether a statement fails by the values it meets or states."""
    try:
        with savepoint(conn):
            conn.execute(statement.encode())
        return False
    except psycopg.Error as error:
        if not is_of_a_key(error):
            raise
        return True
