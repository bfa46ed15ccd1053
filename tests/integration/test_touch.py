"""What the model says that a row of another table touches holds against every item, before and after each change."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from pg2dynamo.local.postgres import PostgresServer
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.table import TableMapping, TableName, quote_identifier
from pg2dynamo.mapping.touch import Touch, touches
from pg2dynamo.migration.source import compile_plan
from pg2dynamo.plan.load import parse_plan
from tests.conftest import Database, _fresh_database
from tests.integration.embeds import DDL, FILL, PLAN
from tests.integration.moved import HEAD
from tests.integration.reading import copied_lines, session

MORE = """
CREATE SCHEMA "od%d";
CREATE TABLE "od%d"."%s" ("a%s" varchar(9), b char(4), "c" int, PRIMARY KEY ("a%s", b));
CREATE TABLE "od%d"."child %" ("x%" text, y char(4), z numeric);
INSERT INTO "od%d"."%s" SELECT 'k' || n % 3, 'b' || n, n FROM generate_series(1, 12) n;
INSERT INTO "od%d"."child %" SELECT 'k' || n % 3, 'b' || n % 12, n FROM generate_series(1, 40) n;
"""
ODD = """
  - from: '"od%d"."%s"'
    to: odd
    key: {hash: a%s, range: b}
    embed:
      rows: {from: '"od%d"."child %"', on: {x%: a%s, y: b}}
"""


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[Database]:
    with contextmanager(_fresh_database)(postgres) as database:
        with database.connect() as connection:
            connection.execute((DDL + FILL + MORE).encode())
        yield database


@pytest.fixture(scope="module")
def mappings(database: Database) -> list[TableMapping]:
    environ = {"DATABASE_URL": database.dsn}
    plan = parse_plan(HEAD.format(unique="x") + PLAN.replace("{unique}", "x") + ODD, environ)
    with session(database) as connection:
        return compile_plan(connection, plan)


def items_of(connection: psycopg.Connection, mapping: TableMapping) -> dict[tuple[str | None, ...], bytes]:
    encoder = Encoder(mapping)
    return {
        tuple(encoder.source_key(line).values()): encoder.encode(line).item
        for line in copied_lines(connection, mapping)
    }


def touched(connection: psycopg.Connection, touch: Touch, values: tuple[str | None, ...]) -> set[tuple[str, ...]]:
    return {tuple(map(str, row)) for row in connection.execute(touch.sql.encode(), values)}


def values_of(
    connection: psycopg.Connection, table: TableName, columns: tuple[str, ...], tid: str
) -> tuple[str | None, ...]:
    texts = ", ".join(f"{quote_identifier(column)}::text" for column in columns)
    row = connection.execute(f"SELECT {texts} FROM {table.quoted} WHERE ctid = '{tid}'".encode()).fetchone()
    assert row is not None
    return row


def links(mapping: TableMapping) -> dict[TableName, list[Touch]]:
    found: dict[TableName, list[Touch]] = {}
    for touch in touches(mapping):
        found.setdefault(touch.source, []).append(touch)
    return found


def change_one(writer: psycopg.Connection, table: TableName, columns: set[str], dice: random.Random) -> tuple[str, str]:
    """Give a random row another row's values of some columns, and change one more; return its tid before and after."""
    tids = [row[0] for row in writer.execute(f"SELECT ctid::text FROM {table.quoted} ORDER BY 1".encode())]
    tid, other = dice.choice(tids), dice.choice(tids)
    some = [quote_identifier(column) for column in sorted(columns) if dice.random() < 0.7]
    free, made = FREE[table.name]
    sets = [f"{c} = (SELECT {c} FROM {table.quoted} WHERE ctid = '{other}')" for c in some]
    changes = ", ".join([*sets, f"{quote_identifier(free)} = {made}"])
    query = f"UPDATE {table.quoted} SET {changes} WHERE ctid = '{tid}' RETURNING ctid::text"
    row = writer.execute(query.encode()).fetchone()
    assert row is not None
    return tid, row[0]


FREE = {
    "profiles": ("photo", "decode(md5(random()::text), 'hex')"),
    "orders": ("total", "random() * 1000"),
    'order "lines': ("note", "md5(random()::text)"),
    "products": ("name", "md5(random()::text)"),
    "labels": ("label", "md5(random()::text)"),
    "customer_labels": ("label_id", "1 + floor(random() * 5)::int"),
    "notes": ("note", "md5(random()::text)"),
    "nodes": ("name", "md5(random()::text)"),
    "child %": ("z", "random()"),
}
IDENTITIES = {"profiles": {"customer_id"}, "products": {"id"}, "labels": {"id"}, "nodes": {"id"}}


@pytest.mark.parametrize("number", [0, 1, 2])
def test_no_item_changes_that_was_not_touched_before_or_after(
    database: Database, mappings: list[TableMapping], number: int
) -> None:
    mapping, dice = mappings[number], random.Random(number)
    changed_by_all = set[TableName]()
    with database.connect() as writer, session(database) as reader:
        before = items_of(reader, mapping)
        for table, touching in sorted(links(mapping).items()):
            for _ in range(6):
                columns = {c for touch in touching for c in touch.columns} - IDENTITIES.get(table.name, set())
                columns |= {"parent"} if table.name == "nodes" else set()
                with writer.transaction():
                    probe = writer.execute(f"SELECT ctid::text FROM {table.quoted}".encode()).fetchall()
                    old = {tid: [values_of(writer, table, t.columns, tid) for t in touching] for (tid,) in probe}
                    try:
                        with writer.transaction():
                            tid, new_tid = change_one(writer, table, columns, dice)
                    except psycopg.errors.UniqueViolation:
                        continue
                    new = [values_of(writer, table, t.columns, new_tid) for t in touching]
                reached = set[tuple[str, ...]]()
                for touch, was, now in zip(touching, old[tid], new, strict=True):
                    reached |= touched(reader, touch, was) | touched(reader, touch, now)
                after = items_of(reader, mapping)
                changed = {key for key, item in after.items() if before[key] != item}
                if table == mapping.source:
                    changed -= {values_of(writer, table, ("id",), new_tid)}
                assert changed <= reached, (table, changed - reached)
                assert len(reached) < len(after)
                changed_by_all |= {table} if changed else set()
                before = after
    assert changed_by_all == links(mapping).keys()


def test_deep_levels_and_lookups_are_told_with_their_columns(mappings: list[TableMapping]) -> None:
    assert {(t.source.name, t.columns) for t in touches(mappings[0])} == {
        ("profiles", ("customer_id",)),
        ("orders", ("customer_id",)),
        ('order "lines', ("order",)),
        ("products", ("id",)),
        ("customer_labels", ("customer_id",)),
        ("labels", ("id",)),
        ("notes", ("customer_id",)),
    }
    assert [(t.source.name, t.columns) for t in touches(mappings[1])] == [
        ("nodes", ("id",)),
        ("nodes", ("parent",)),
        ("nodes", ("parent",)),
    ]


def test_touched_rows_are_found_by_indexes(database: Database, mappings: list[TableMapping]) -> None:
    with database.connect() as connection:
        connection.execute("ANALYZE; SET enable_seqscan = off")
        for touch in touches(mappings[0]):
            if touch.source.name in ("products", "labels"):
                continue
            plan = connection.execute(f"EXPLAIN {touch.sql}".encode(), ["1"] * len(touch.columns)).fetchall()
            assert not any("Seq Scan" in line for (line,) in plan), plan
