"""The rows that are measured: small ones of 13 columns, 30 % of them NULL, and large ones with documents and arrays."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

SMALL = """
CREATE TABLE {table} (
  id uuid NOT NULL, account text NOT NULL, email text, name text, status text, note text, visits integer, score bigint,
  balance numeric(12,2), active boolean, created_at timestamptz NOT NULL, updated_at timestamptz, born date
);
INSERT INTO {table}
SELECT md5('s' || n)::uuid, 'account-of-a-customer-' || lpad((n % 5000)::text, 8, '0'),
       CASE WHEN (n * 7 + 1) % 100 >= 39 THEN 'person.' || n || '@mail.example.com' END,
       CASE WHEN (n * 11 + 2) % 100 >= 39 THEN 'Name of Person ' || md5('n' || n) || ' and ' || md5('m' || n) END,
       CASE WHEN (n * 13 + 3) % 100 >= 39 THEN (ARRAY['active', 'suspended', 'closed', 'invited'])[n % 4 + 1] END,
       CASE WHEN (n * 17 + 4) % 100 >= 39 THEN 'noted "' || md5('x' || n) || '", then ' ||
         md5('y' || n) || ' and ' || md5('z' || n) || '.' END,
       CASE WHEN (n * 19 + 5) % 100 >= 39 THEN n % 100000 END,
       CASE WHEN (n * 23 + 6) % 100 >= 39 THEN n * 7919::bigint END,
       CASE WHEN (n * 29 + 7) % 100 >= 39 THEN (n % 9000000) / 100.0 END,
       CASE WHEN (n * 31 + 8) % 100 >= 39 THEN n % 3 > 0 END,
       '2021-01-01T00:00:00Z'::timestamptz + n * interval '1.000123 second',
       CASE WHEN (n * 37 + 9) % 100 >= 39 THEN '2023-06-01T00:00:00Z'::timestamptz + n * interval '3.21 second' END,
       CASE WHEN (n * 41 + 10) % 100 >= 39 THEN '1950-01-01'::date + (n % 20000)::int END
  FROM generate_series(1, {rows}::bigint) n;
"""

LARGE = """
CREATE TABLE {table} (
  id uuid NOT NULL, tenant text NOT NULL, title text, tags text[], amounts numeric[], counts integer[],
  profile jsonb, history jsonb, created_at timestamptz NOT NULL
);
INSERT INTO {table}
SELECT md5('l' || n)::uuid, 'tenant-' || n % 500, 'Report of ' || md5('t' || n) || md5('u' || n),
       ARRAY['red', 'blue ' || n % 10, md5('g' || n), md5('h' || n), md5('i' || n) || md5('j' || n)],
       ARRAY[n / 4.0, 0.01, 12345.678], ARRAY[n::int, 1, NULL, 3],
       jsonb_build_object(
         'name', 'Person ' || n, 'age', n % 90, 'score', n / 8.0, 'active', n % 2 = 0, 'parent', NULL,
         'address', jsonb_build_object('street', 'Long Street ' || n % 999, 'city', 'Town ' || n % 77, 'zip', n % 99999,
           'geo', jsonb_build_object('lat', 52.5 + n % 100 / 1e4, 'lon', 13.4 - n % 100 / 1e4)),
         'languages', jsonb_build_array('en', 'de', 'quoted "word"'),
         'limits', jsonb_build_array(1, 2.5, n, jsonb_build_array(n % 7, NULL, true))),
       (SELECT jsonb_agg(jsonb_build_object('at', '2024-01-01T00:00:' || lpad((k * 7)::text, 2, '0'),
           'by', md5(n || 'b' || k), 'kind', 'changed', 'before', n + k,
           'after', jsonb_build_object('value', (n * k) / 16.0, 'ok', true)))
          FROM generate_series(1, 5) k),
       '2021-01-01T00:00:00Z'::timestamptz + n * interval '1.000123 second'
  FROM generate_series(1, {rows}::bigint) n;
"""


SHARES: Mapping[str, float] = {
    "small": 1.0,
    "small_long": 3.0,
    "small_short": 0.2,
    "small_few": 0.006,
    "large": 0.12,
    "large_long": 0.4,
}
"""The tables and their rows, as shares of the number that is asked for. What is fast is measured over more rows, so
that starting and ending are as small a part of it as of what is slow."""
FEWEST_ROWS = 50


def table_rows(asked: int) -> dict[str, int]:
    """Return how many rows each table has when `asked` are asked for."""
    return {name: max(FEWEST_ROWS, round(asked * share)) for name, share in SHARES.items()}


def fill(connection: psycopg.Connection[tuple[object, ...]], table: str, rows: int) -> None:
    """Make a table of small or large rows, as its name begins: the same each time, indexed, frozen and analyzed.

    `connection` commits by itself.
    """
    statements = LARGE if table.startswith("large") else SMALL
    with connection.transaction():
        connection.execute(statements.format(table=table, rows=rows).encode())
        connection.execute(f"ALTER TABLE {table} ADD PRIMARY KEY (id)".encode())
    connection.execute(f"VACUUM (FREEZE, ANALYZE) {table}".encode())
