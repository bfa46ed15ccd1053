"""Move bytes of one statement from libpq to the caller, in bounded pieces, letting other threads run meanwhile.

psycopg's own iterators cost about as much again per row as libpq does; this is their loop without that. A
connection serves one statement at a time, and one thread.
"""

from __future__ import annotations

import select
from collections.abc import Generator, Iterator

import psycopg
from psycopg import errors, pq

BATCH_BYTES = 262_144
"""About how many bytes of rows are handed over at once: the memory that one reader needs."""

ROWS_PER_CHUNK = 200


def copy_out(conn: psycopg.Connection, query: str) -> Generator[list[bytes], None, None]:
    """Run `COPY (query) TO STDOUT` and yield its lines without newline, at least one and some 256 KB at a time.

    Raises psycopg's errors. Left before its end, it cancels the statement and the connection stays usable; an
    open transaction is then aborted.
    """
    pgconn = conn.pgconn
    pgconn.send_query(f"COPY ({query}) TO STDOUT".encode())
    finished = False
    try:
        _expect(_next_result(pgconn), pq.ExecStatus.COPY_OUT)
        yield from _lines(pgconn)
        while (result := _next_result(pgconn)) is not None:
            _expect(result, pq.ExecStatus.COMMAND_OK)
        finished = True
    finally:
        if not finished:
            _abandon(conn)


def _lines(pgconn: pq.abc.PGconn) -> Iterator[list[bytes]]:
    lines: list[bytes] = []
    size = 0
    while True:
        count, data = pgconn.get_copy_data(1)
        if count > 0:
            lines.append(bytes(data[:-1]))
            size += count
            if size >= BATCH_BYTES:
                yield lines
                lines, size = [], 0
        elif count == 0:
            _wait_readable(pgconn)
        else:
            break
    if lines:
        yield lines


def binary_rows(
    conn: psycopg.Connection, query: str, *, rows_at_once: int = ROWS_PER_CHUNK
) -> Generator[pq.abc.PGresult, None, None]:
    """Run a query and yield its rows in binary form as results of some hundred rows; empty ones are left out.

    Raises psycopg's errors; left before its end as `copy_out`. When the server fails in the middle, rows that came
    before may be lost, unless they are taken one at once.
    """
    pgconn = conn.pgconn
    pgconn.send_query_params(query.encode(), None, result_format=pq.Format.BINARY)
    _set_chunked(pgconn, rows_at_once)
    finished = False
    try:
        while (result := _next_result(pgconn)) is not None:
            _expect(result, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.SINGLE_TUPLE, _TUPLES_CHUNK)
            if result.ntuples:
                yield result
        finished = True
    finally:
        if not finished:
            _abandon(conn)


_TUPLES_CHUNK = getattr(pq.ExecStatus, "TUPLES_CHUNK", pq.ExecStatus.SINGLE_TUPLE)
_CHUNKS_SINCE = 170000  # libpq


def _set_chunked(pgconn: pq.abc.PGconn, rows: int) -> None:
    if pq.version() >= _CHUNKS_SINCE and rows > 1:
        pgconn.set_chunked_rows_mode(rows)
    else:
        pgconn.set_single_row_mode()


def _next_result(pgconn: pq.abc.PGconn) -> pq.abc.PGresult | None:
    while pgconn.is_busy():
        _wait_readable(pgconn)
    return pgconn.get_result()


def _wait_readable(pgconn: pq.abc.PGconn) -> None:
    pgconn.flush()
    poll = select.poll()
    poll.register(pgconn.socket, select.POLLIN)
    poll.poll()
    pgconn.consume_input()


def _expect(result: pq.abc.PGresult | None, *statuses: pq.ExecStatus) -> None:
    if result is None:
        raise psycopg.OperationalError("the server gave no answer")
    if result.status not in statuses:
        raise errors.error_from_result(result)


def _abandon(conn: psycopg.Connection) -> None:
    """End a statement half read: cancel it, read what is left, or close the connection when that fails."""
    if conn.closed:
        return
    try:
        conn.cancel_safe(timeout=5)
        while (result := _next_result(conn.pgconn)) is not None:
            if result.status == pq.ExecStatus.COPY_OUT:
                for _ in _lines(conn.pgconn):
                    pass
    except psycopg.Error:
        conn.close()
