"""A few rows of an entry, and the statements that its rows are read by: what `plan` shows before anything runs."""

from __future__ import annotations

import psycopg

from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.postgres.binary import _Select
from pg2dynamo.postgres.connect import translated
from pg2dynamo.postgres.selection import whole_table
from pg2dynamo.postgres.streaming import copy_out


def first_rows(conn: psycopg.Connection, mapping: TableMapping, count: int) -> list[bytes]:
    """Return up to `count` rows as lines of COPY's text format, whichever the server finds first.

    Raises SourceError when PostgreSQL cannot compute one of them.
    """
    query = f"{_select(conn, mapping)} LIMIT {count:d}"
    with translated(f"Reading the first rows of {mapping.source}"):
        return [line for lines in copy_out(conn, query) for line in lines]


def copy_statement(conn: psycopg.Connection, mapping: TableMapping) -> str:
    """Return the statement by which the copy reads the table; it does so a range of blocks at a time."""
    return f"COPY ({_select(conn, mapping)}) TO STDOUT"


def verify_statement(conn: psycopg.Connection, mapping: TableMapping) -> str:
    """Return the statement by which verification reads the table, in binary form; a range of blocks at a time.

    Where cells may be larger than an item, it has a guard around each besides.
    """
    return _Select(conn, mapping, guarded=False)._query(f"FROM {whole_table(conn, mapping)}")[0]


def _select(conn: psycopg.Connection, mapping: TableMapping) -> str:
    return f"SELECT {', '.join(mapping.select_list)} FROM {whole_table(conn, mapping)}"  # noqa: S608
