"""Measure how fast the two sides of `verify` are: `python -m tests.bench.verification [--json]`.

Rows are read from a PostgreSQL of the benchmark's own and digested; items are parsed from pages of a Scan, in memory,
and digested: each by the code written for the table (fast) and by the reference, for small rows (13 columns, 30 % NULL)
and large ones (2 KB, with nested documents and arrays). One process; rounds are interleaved, and the median is shown:
rows a second, and the CPU microseconds of this process for a row. All four must give equal sums.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg

from pg2dynamo.dynamodb.page import Page
from pg2dynamo.local import process
from pg2dynamo.local.postgres import start_postgres
from pg2dynamo.mapping.decode import Decoder
from pg2dynamo.mapping.digest import Buckets
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration.difference import Expectation
from pg2dynamo.migration.source import compile_plan, open_source
from pg2dynamo.migration.verify_segment import digest_items, digested_item, digested_row
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.postgres.binary import ReadRows, SourceRow, row_digests, select_rows
from pg2dynamo.postgres.rows import copy_rows
from pg2dynamo.postgres.segments import plan_segments

PAGE_BYTES = 1_500_000
"""Of JSON: a page of Scan has 1 MB as DynamoDB counts it."""

SMALL = """
CREATE TABLE small (id uuid PRIMARY KEY, account text NOT NULL, email text, name text, status text, note text,
  visits integer, score bigint, balance numeric(12,2), active boolean, created_at timestamptz NOT NULL,
  updated_at timestamptz, born date);
INSERT INTO small
SELECT md5('s' || n)::uuid, 'account-of-a-customer-' || lpad((n % 5000)::text, 8, '0'),
       CASE WHEN n * 7 % 100 >= 39 THEN 'person.' || n || '@mail.example.com' END,
       CASE WHEN n * 11 % 100 >= 39 THEN 'Name of Person ' || md5('n' || n) || ' and ' || md5('m' || n) END,
       CASE WHEN n * 13 % 100 >= 39 THEN (ARRAY['active', 'suspended', 'closed', 'invited'])[n % 4 + 1] END,
       CASE WHEN n * 17 % 100 >= 39 THEN 'noted "' || md5('x' || n) || '", then ' || md5('y' || n) || ' and more' END,
       CASE WHEN n * 19 % 100 >= 39 THEN n % 100000 END, CASE WHEN n * 23 % 100 >= 39 THEN n * 7919::bigint END,
       CASE WHEN n * 29 % 100 >= 39 THEN (n % 9000000) / 100.0 END, CASE WHEN n * 31 % 100 >= 39 THEN n % 3 > 0 END,
       '2021-01-01T00:00:00Z'::timestamptz + n * interval '1.000123 second',
       CASE WHEN n * 37 % 100 >= 39 THEN '2023-06-01T00:00:00Z'::timestamptz + n * interval '3.21 second' END,
       CASE WHEN n * 41 % 100 >= 39 THEN '1950-01-01'::date + (n % 20000)::int END
  FROM generate_series(1, {rows}::bigint) n;
"""
LARGE = """
CREATE TABLE large (id uuid PRIMARY KEY, tenant text NOT NULL, title text, tags text[], amounts numeric[],
  counts integer[], profile jsonb, history jsonb, created_at timestamptz NOT NULL);
INSERT INTO large
SELECT md5('l' || n)::uuid, 'tenant-' || n % 500, 'Report of ' || md5('t' || n) || md5('u' || n),
       ARRAY['red', 'blue ' || n % 10, md5('g' || n), md5('h' || n), md5('i' || n) || md5('j' || n)],
       ARRAY[n / 4.0, 0.01, 12345.678], ARRAY[n::int, 1, NULL, 3],
       jsonb_build_object('name', 'Person ' || n, 'age', n % 90, 'score', n / 8.0, 'active', n % 2 = 0, 'parent', NULL,
         'address', jsonb_build_object('street', 'Long Street ' || n % 999, 'city', 'Town ' || n % 77, 'zip', n % 99999,
           'geo', jsonb_build_object('lat', 52.5 + n % 100 / 1e4, 'lon', 13.4 - n % 100 / 1e4)),
         'languages', jsonb_build_array('en', 'de', 'quoted "word"'),
         'limits', jsonb_build_array(1, 2.5, n, jsonb_build_array(n % 7, NULL, true))),
       (SELECT jsonb_agg(jsonb_build_object('at', '2024-01-01T00:00:' || lpad((k * 7)::text, 2, '0'),
           'by', md5(n || 'b' || k), 'kind', 'changed', 'before', n + k,
           'after', jsonb_build_object('value', (n * k) / 16.0, 'ok', true))) FROM generate_series(1, 5) k),
       '2021-01-01T00:00:00Z'::timestamptz + n * interval '1.000123 second'
  FROM generate_series(1, {rows}::bigint) n;
"""
TABLES = {"small": (SMALL, 1.0), "large": (LARGE, 0.1)}
"""For each table the SQL that makes it, and its share of the rows asked for."""
PLAN = """
name: bench
source: {dsn: env:DATABASE_URL}
target: {control_table: bench-control}
tables: [%s]
"""


@dataclass(frozen=True)
class Table:
    """One table: its rows in PostgreSQL, its items as pages."""

    connection: psycopg.Connection
    mapping: TableMapping
    pages: Sequence[bytes]

    def batches(self) -> Iterator[Sequence[SourceRow]]:
        """Read all rows as verification does."""
        for segment in plan_segments(self.connection, self.mapping.source):
            yield from select_rows(self.connection, self.mapping, segment)

    def rows_by_reference(self) -> Buckets:
        """Sum the rows by values."""
        buckets, expected = Buckets(), Expectation(self.mapping)
        for batch in self.batches():
            for row in batch:
                pairs = expected.pairs(row.values, row.unrestored, row.texts)
                buckets.add(*digested_row(self.mapping, pairs or ())[:2])
        return buckets

    def rows_fast(self) -> Buckets:
        """Sum the rows by the code written for the table."""
        buckets, fast = Buckets(), row_digests(self.mapping)
        for batch in self.batches():
            if not isinstance(batch, ReadRows) or not batch.restored:
                raise AssertionError("rows that are not as usual")
            buckets.add_all(*fast.digest(batch.result))
        return buckets

    def items_by_reference(self) -> Buckets:
        """Sum the items by values, parsed page by page."""
        buckets, decoder = Buckets(), Decoder(self.mapping)
        for page in self.pages:
            for item in orjson.loads(page)["Items"]:
                buckets.add(*digested_item(self.mapping, decoder, item)[:2])
        return buckets

    def items_fast(self) -> Buckets:
        """Sum the items by the code written for the table, parsed item by item."""
        buckets = Buckets()
        for page in self.pages:
            buckets.add_all(*digest_items(self.mapping, Page(page)))
        return buckets


WAYS: dict[str, Callable[[Table], Buckets]] = {
    "rows, reference": Table.rows_by_reference,
    "rows, fast": Table.rows_fast,
    "items, reference": Table.items_by_reference,
    "items, fast": Table.items_fast,
}


def make_tables(dsn: str, rows: int) -> Iterator[Table]:
    """Fill the tables and make the pages of their items."""
    with psycopg.connect(dsn, autocommit=True) as writer:
        for name, (statements, share) in TABLES.items():
            writer.execute(statements.format(rows=max(1, round(rows * share))).encode())
            writer.execute(f"VACUUM (FREEZE, ANALYZE) {name}".encode())
    entries = ", ".join(f"{{from: public.{name}, to: {name}-items, key: {{hash: id}}}}" for name in TABLES)
    environ = os.environ | {"DATABASE_URL": dsn}
    plan = parse_plan(PLAN % entries, environ)
    with open_source(plan, environ) as connection:
        for mapping in compile_plan(connection, plan):
            yield Table(connection, mapping, list(pages_of(connection, mapping)))


def pages_of(connection: psycopg.Connection, mapping: TableMapping) -> Iterator[bytes]:
    """Yield the bodies of a Scan's answers, with the items that copying writes."""
    encoder, items, size = Encoder(mapping), list[bytes](), 0
    for segment in plan_segments(connection, mapping.source):
        for line in (line for lines in copy_rows(connection, mapping, segment) for line in lines):
            items.append(encoder.encode(line).item)
            size += len(items[-1])
            if size >= PAGE_BYTES:
                yield b'{"Count":%d,"Items":[%b],"ScannedCount":%d}' % (len(items), b",".join(items), len(items))
                items, size = [], 0
    yield b'{"Count":%d,"Items":[%b],"ScannedCount":%d}' % (len(items), b",".join(items), len(items))


def measure(table: Table, rounds: int) -> dict[str, dict[str, float]]:
    """Return the medians of each way."""
    seconds: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    expected, rows = table.rows_by_reference(), 0
    for _ in range(rounds):
        for way, sum_up in WAYS.items():
            began, cpu = time.perf_counter(), time.process_time()
            buckets = sum_up(table)
            seconds[way].append((time.perf_counter() - began, time.process_time() - cpu))
            rows = buckets.rows
            if buckets.differing(expected):
                raise AssertionError(f"{way}: other sums than by the reference")
    return {way: _medians(values, rows) for way, values in seconds.items()}


def _medians(values: list[tuple[float, float]], rows: int) -> dict[str, float]:
    return {
        "rows_per_s": round(rows / statistics.median(seconds for seconds, _ in values)),
        "cpu_us_per_row": round(statistics.median(cpu for _, cpu in values) / rows * 1e6, 2),
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rows", type=int, default=50_000, help="small rows; of large ones a tenth")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    directory = process.make_directory("pg2dynamo-bench-")
    with ExitStack() as stack:
        stack.callback(process.remove_directory, directory)
        postgres = start_postgres(process.make_folder(directory / "postgres"))
        stack.callback(postgres.stop)
        result: dict[str, Any] = {
            table.mapping.source.name: measure(table, arguments.rounds)
            for table in make_tables(postgres.dsn, arguments.rows)
        }
    if arguments.json:
        print(json.dumps(result))
        return 0
    for name, ways in result.items():
        for way, numbers in ways.items():
            print(f"{name:6} {way:18} {numbers['rows_per_s']:9,} rows/s {numbers['cpu_us_per_row']:8.2f} CPU µs a row")
        for speed in ("reference", "fast"):
            both = sum(numbers["cpu_us_per_row"] for way, numbers in ways.items() if way.endswith(speed))
            print(f"{name:6} both, {speed:12} {1e6 / both:9,.0f} rows/s {both:8.2f} CPU µs a row, by CPU time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
