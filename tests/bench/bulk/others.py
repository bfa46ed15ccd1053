"""What pg2dynamo is compared with: a bare COPY, and the usual ways to write items from Python. Knows no pg2dynamo."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from importlib import import_module
from typing import Any
from uuid import UUID

import boto3
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from tests.bench.bulk.measure import Call

ROWS_PER_FETCH = 1_000


def copy_text(table: str, rows: int) -> Call:
    """Read a table with COPY in its text form, and throw the lines away: the least that any reader does."""

    def call() -> int:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            pgconn = connection.pgconn
            pgconn.exec_(f"COPY {table} TO STDOUT".encode())
            read = 0
            while pgconn.get_copy_data(0)[0] > 0:
                read += 1
            while pgconn.get_result() is not None:
                pass
        return _all(read, rows)

    return call


def batch_writer(table: str, rows: int) -> Call:
    """Write rows by boto3's batch_writer, as its documentation shows."""
    target = boto3.resource("dynamodb").Table(f"bench-{table}")

    def call() -> int:
        written = 0
        with target.batch_writer() as batch:
            for item in _items(table, rows):
                batch.put_item(Item=item)
                written += 1
        return _all(written, rows)

    return call


def wrangler_items(table: str, rows: int) -> Call:
    """Write rows by awswrangler's put_items, in its own threads."""
    wrangler: Any = import_module("awswrangler")
    return _whole(table, rows, lambda items: wrangler.dynamodb.put_items(items=items, table_name=f"bench-{table}"))


def wrangler_frame(table: str, rows: int) -> Call:
    """Write rows by awswrangler's put_df, in its own threads."""
    wrangler: Any = import_module("awswrangler")
    pandas: Any = import_module("pandas")

    def put(items: list[dict[str, Any]]) -> None:
        # As objects: a column of integers with gaps becomes floats otherwise, which boto3 refuses.
        frame = pandas.DataFrame(items, dtype=object)
        wrangler.dynamodb.put_df(df=frame, table_name=f"bench-{table}")

    return _whole(table, rows, put)


def _whole(table: str, rows: int, put: Callable[[list[dict[str, Any]]], None]) -> Call:
    """Read all rows, and put them by one call."""

    def call() -> int:
        items = list(_items(table, rows))
        put(items)
        return _all(len(items), rows)

    return call


def _items(table: str, rows: int) -> Iterator[dict[str, Any]]:
    """Yield rows as items of boto3's types, NULL left out."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        set_json_loads(partial(json.loads, parse_float=Decimal), connection)
        with connection.cursor("bench", row_factory=dict_row) as cursor:
            cursor.itersize = ROWS_PER_FETCH
            cursor.execute(f"SELECT * FROM {table} LIMIT {rows}".encode())
            for row in cursor:
                yield {name: _value(value) for name, value in row.items() if value is not None}


def _value(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    return value.isoformat() if isinstance(value, date | datetime) else value


def _all(done: int, rows: int) -> int:
    if done != rows:
        raise AssertionError(f"{rows} rows were to be done, and {done} are")
    return done
