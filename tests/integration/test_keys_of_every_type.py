"""Rows are found by a key of any type: exactly the row of that key, also where others compare equal to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from pg2dynamo.local.postgres import PostgresServer
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.mapping.types import key_form
from pg2dynamo.mapping.values import Value
from pg2dynamo.plan.attributes import as_text as as_text_type
from pg2dynamo.postgres.binary import select_rows_by_key
from pg2dynamo.postgres.literals import compared, typed_literal
from pg2dynamo.postgres.rows import copy_rows_by_item_key, keys_present
from pg2dynamo.postgres.selection import among
from tests.conftest import Database, _fresh_database
from tests.integration.reading import mapping_of, run, selected_rows, session
from tests.integration.zoo_table import ZOO, fill_zoo, make_zoo


@pytest.fixture(scope="module")
def zoo(postgres: PostgresServer) -> Iterator[psycopg.Connection]:
    """A session as copying opens it, on a database with the zoo."""
    with contextmanager(_fresh_database)(postgres) as database:
        with database.connect() as writer:
            fill_zoo(writer, make_zoo(writer), most=8)
        with session(database) as reader:
            yield reader


def zoo_mapping(conn: psycopg.Connection, *, as_text: bool) -> TableMapping:
    plain = mapping_of(conn, ZOO)
    texts = tuple(a if a.name == "id" else replace(a, type=as_text_type(a.type)) for a in plain.attributes)
    return replace(plain, attributes=texts) if as_text else plain


def keyed(mapping: TableMapping, name: str) -> TableMapping | None:
    """Return the mapping of that attribute as its key, beside the id; None when it cannot be one."""
    attributes = tuple(attribute for attribute in mapping.attributes if attribute.name in ("id", name))
    form = key_form(attributes[-1].type)
    return replace(mapping, attributes=attributes, hash=name, key_types=((name, form),)) if form else None


@pytest.mark.parametrize("as_text", [False, True], ids=["as it is", "as text"])
def test_the_rows_that_have_a_key_are_found_by_it(zoo: psycopg.Connection, as_text: bool) -> None:
    mapping = zoo_mapping(zoo, as_text=as_text)
    names = [attribute.name for attribute in mapping.attributes]
    rows = [dict(zip(names, row.values, strict=True)) for row in selected_rows(zoo, mapping)]
    for name in names:
        one = keyed(mapping, name)
        if one is not None:
            held = {row["id"]: row[name] for row in rows if row[name] is not None}
            expect_found(zoo, one, {n: value for n, value in held.items() if value == value})  # NaN is no key


def expect_found(conn: psycopg.Connection, mapping: TableMapping, held: Mapping[Value, Value]) -> None:
    keys = [{mapping.hash: value} for value in held.values()]
    missing = [key for key, there in zip(keys, keys_present(conn, mapping, keys), strict=True) if not there]
    assert not missing
    place = mapping.select_list.index('"id"')
    selected: list[Value] = [row.values[place] for batch in select_rows_by_key(conn, mapping, keys) for row in batch]
    copied: list[Value] = [
        int(line.split(b"\t")[place]) for batch in copy_rows_by_item_key(conn, mapping, keys) for line in batch
    ]
    assert (len(selected), set(selected)) == (len(held), set(held)), mapping.hash
    assert (len(copied), set(copied)) == (len(held), set(held)), mapping.hash


@pytest.mark.parametrize(
    ("name", "as_text", "held", "other"),
    [
        ("citext", False, "aB", "AB"),
        ("char(n)", False, "a           ", "a"),
        ("numeric", True, "1.50", "1.5"),
        ("interval", False, (0, 30, 0), (0, 0, 30 * 86_400_000_000)),
        ("double precision", True, "-0", "-0.0"),
        ("inet", False, "::1/64", "::1/0064"),
        ("box", False, "(1,1),(0,0)", "(2,2),(1,1)"),
        ("jsonb", True, '""', ' ""'),
        ("ltree", False, "a_1.B", "A_1.B"),
        ("ltree", False, "a_1.B", "no..path"),
        ("hstore", False, '""=>""', '"" => ""'),
        ("composite", False, "(1,)", "( 1,)"),
        ("int4range", False, "[1,5)", "[1,4]"),
        ("money", False, "$0.00", "0"),
        ("regclass", False, "pg_class", "pg_catalog.pg_class"),
        ("regclass", False, "pg_class", "gone"),
        ("point", False, "(0,-0)", "(0,0)"),
    ],
)  # fmt: skip
def test_a_key_that_only_compares_equal_or_is_spelt_otherwise_is_absent(
    zoo: psycopg.Connection, name: str, as_text: bool, held: Value, other: Value
) -> None:
    mapping = keyed(zoo_mapping(zoo, as_text=as_text), name)
    assert mapping is not None
    assert keys_present(zoo, mapping, [{name: other}, {name: held}]) == [False, True]
    [rows] = select_rows_by_key(zoo, mapping, [{name: other}, {name: held}])
    assert held in [dict(zip(mapping.names, row.values, strict=True))[name] for row in rows]


@pytest.mark.parametrize(
    ("extension", "type_name"),
    [("citext", "kinds.citext"), ("ltree", "kinds.ltree"), (None, "varchar"), (None, "int4range"), (None, "mood")],
)
def test_keys_are_looked_up_by_their_index_wherever_their_type_stands(
    database: Database, extension: str | None, type_name: str
) -> None:
    create = f"CREATE EXTENSION {extension} SCHEMA kinds" if extension else "CREATE TYPE mood AS ENUM ('x', 'y')"
    value = "'empty'" if type_name == "int4range" else "'x'"
    run(database, "CREATE SCHEMA kinds", create, f"CREATE TABLE public.t (k {type_name} PRIMARY KEY, n int)")
    with session(database) as conn:
        [key, _] = mapping_of(conn, "t", "k").attributes
        where = among([compared(key.sql, key.type)], [[typed_literal(value.strip("'"), key.type)]])
        conn.execute("SET enable_seqscan = off")
        plan = conn.execute(f"EXPLAIN SELECT FROM public.t WHERE {where}".encode()).fetchall()
    assert any("Index Cond" in line for (line,) in plan), plan
