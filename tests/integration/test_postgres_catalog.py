"""What the catalog says, in plain values."""

from __future__ import annotations

import psycopg
import pytest

from pg2dynamo.errors import PlanError, SourceChanged
from pg2dynamo.mapping.table import TableName
from pg2dynamo.mapping.types import Kind
from pg2dynamo.postgres.catalog import describe, read_tables
from pg2dynamo.postgres.connect import connect
from pg2dynamo.postgres.server import missing_privileges
from pg2dynamo.secret import Secret
from tests.conftest import Database
from tests.integration.reading import mapping_of, run, session

T = TableName("public", "t")


def test_columns_come_in_order_with_their_base_types(database: Database) -> None:
    run(
        database,
        "CREATE TYPE public.mood AS ENUM ('a')",
        "CREATE DOMAIN public.age AS int NOT NULL",
        "CREATE DOMAIN public.ages AS public.age[]",
        "CREATE TABLE public.t (gone int, id bigint GENERATED ALWAYS AS IDENTITY, v varchar(10), m public.mood, "
        "a public.age, aa public.ages, n numeric(8,2)[], b box[], i inet, iv int2vector, "
        "twice bigint GENERATED ALWAYS AS (id * 2) STORED)",
        "ALTER TABLE public.t DROP gone",
        "COMMENT ON COLUMN public.t.v IS 'a comment'",
    )
    with session(database) as conn:
        table = read_tables(conn, [T])[T]
    shown = {c.name: (c.type.kind, c.type.name, c.type.element.kind if c.type.element else None) for c in table.columns}
    assert shown == {
        "id": (Kind.INTEGER, "bigint", None),
        "v": (Kind.TEXT, "character varying(10)", None),
        "m": (Kind.TEXT, "public.mood", None),
        "a": (Kind.INTEGER, "public.age", None),
        "aa": (Kind.ARRAY, "public.ages", Kind.INTEGER),
        "n": (Kind.ARRAY, "numeric(8,2)[]", Kind.NUMERIC),
        "b": (Kind.ARRAY, "box[]", Kind.OUTPUT),
        "i": (Kind.OUTPUT, "inet", None),
        "iv": (Kind.OUTPUT, "int2vector", None),
        "twice": (Kind.INTEGER, "bigint", None),
    }
    assert next(iter(shown)) == "id"
    by_name = {c.name: c for c in table.columns}
    assert (by_name["a"].type.oid, by_name["b"].type.element_delimiter) == (23, ";")
    assert (by_name["twice"].generated, by_name["id"].generated, by_name["v"].comment) == (True, False, "a comment")
    assert (by_name["id"].not_null, by_name["v"].not_null) == (True, False)


def test_keys_and_indexes_are_read_with_what_makes_them_special(database: Database) -> None:
    run(
        database,
        "CREATE TABLE public.parent (a int, b int, PRIMARY KEY (b, a))",
        "CREATE TABLE public.t (x int, y int, s text, PRIMARY KEY (y, x), "
        "FOREIGN KEY (x, y) REFERENCES public.parent (a, b)) PARTITION BY RANGE (x)",
        "CREATE TABLE public.t1 PARTITION OF public.t DEFAULT",
        "CREATE INDEX partial ON public.t (s) WHERE x > 0",
        "CREATE INDEX expression ON public.t (lower(s), x)",
        "CREATE UNIQUE INDEX covering ON public.t (x) INCLUDE (s)",
        "CREATE INDEX hashed ON public.t USING hash (s)",
    )
    with session(database) as conn:
        table = read_tables(conn, [T])[T]
    assert (table.kind, table.primary_key) == ("partitioned", ("y", "x"))
    indexes = {i.name: (i.columns, i.unique, i.primary, i.method, i.predicate) for i in table.indexes}
    assert indexes == {
        "t_pkey": (("y", "x"), True, True, "btree", None),
        "partial": (("s",), False, False, "btree", "(x > 0)"),
        "expression": ((None, "x"), False, False, "btree", None),
        "covering": (("x",), True, False, "btree", None),
        "hashed": (("s",), False, False, "hash", None),
    }
    assert [(k.columns, str(k.references), k.referenced_columns) for k in table.foreign_keys] == [
        (("x", "y"), "public.parent", ("a", "b"))
    ]


def test_a_unique_index_where_nulls_are_not_distinct_is_told(database: Database) -> None:
    run(
        database,
        "CREATE TABLE public.t (id int PRIMARY KEY, a int)",
        "CREATE UNIQUE INDEX u ON public.t (a) NULLS NOT DISTINCT",
    )
    with session(database) as conn:
        assert [i.nulls_not_distinct for i in read_tables(conn, [T])[T].indexes] == [False, True]


def test_all_tables_are_those_of_the_user_and_not_their_partitions(database: Database) -> None:
    run(
        database,
        'CREATE SCHEMA "Odd one"',
        'CREATE TABLE "Odd one"."T""1" (id int PRIMARY KEY)',
        "CREATE TABLE public.p (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE public.p1 PARTITION OF public.p DEFAULT",
        "CREATE VIEW public.v AS SELECT 1 AS id",
        "CREATE MATERIALIZED VIEW public.mv AS SELECT 1 AS id",
        "CREATE UNLOGGED TABLE public.u (id int PRIMARY KEY)",
        "CREATE TABLE public.child () INHERITS (public.u)",
    )
    with session(database) as conn:
        tables = read_tables(conn)
        assert {str(name): table.kind for name, table in tables.items()} == {
            'Odd one.T"1': "table",
            "public.child": "table",
            "public.mv": "materialized view",
            "public.p": "partitioned",
            "public.u": "table",
            "public.v": "view",
        }
        assert [str(n) for n, t in tables.items() if t.inherited] == ["public.u"]
        assert read_tables(conn, [TableName("public", "nowhere")]) == {}
        with pytest.raises(PlanError, match="is a view, so its rows cannot be told apart"):
            mapping_of(conn, "v")
        with pytest.raises(SourceChanged):
            mapping_of(conn, "nowhere")


@pytest.mark.parametrize("forced", [False, True])
def test_row_security_is_told_when_it_would_hide_rows_from_this_role(
    database: Database, unique: str, forced: bool
) -> None:
    run(
        database,
        "CREATE TABLE public.t (id int PRIMARY KEY)",
        "ALTER TABLE public.t ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE public.t {'' if forced else 'NO '}FORCE ROW LEVEL SECURITY",
        f"CREATE ROLE {unique} LOGIN PASSWORD '{unique}'",
        f"GRANT SELECT ON public.t TO {unique}",
        f"CREATE ROLE {unique}_owner LOGIN PASSWORD '{unique}'",
        f"ALTER TABLE public.t OWNER TO {unique}_owner",
    )
    try:
        with session(database) as superuser:
            assert not read_tables(superuser, [T])[T].row_security
        for role, expected in ((unique, True), (f"{unique}_owner", forced)):
            dsn = psycopg.conninfo.make_conninfo(database.dsn, user=role, password=unique)
            with connect(Secret(dsn)) as conn:
                assert read_tables(conn, [T])[T].row_security is expected
    finally:
        run(database, "DROP TABLE public.t", f"DROP ROLE {unique}", f"DROP ROLE {unique}_owner")


def test_privileges_that_lack_on_a_partition_are_named(database: Database, unique: str) -> None:
    run(
        database,
        "CREATE SCHEMA inner_",
        "CREATE TABLE public.t (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE inner_.t1 PARTITION OF public.t DEFAULT",
        f"CREATE ROLE {unique} LOGIN PASSWORD '{unique}'",
        f"GRANT SELECT ON public.t TO {unique}",
    )
    try:
        dsn = psycopg.conninfo.make_conninfo(database.dsn, user=unique, password=unique)
        with connect(Secret(dsn)) as conn:
            assert missing_privileges(conn, T) == [
                f"GRANT SELECT ON inner_.t1 TO {unique}",
                f"GRANT USAGE ON SCHEMA inner_ TO {unique}",
            ]
    finally:
        run(database, f"DROP OWNED BY {unique}", f"DROP ROLE {unique}")


def test_expressions_are_described_without_reading_a_row(database: Database) -> None:
    run(
        database,
        "CREATE DOMAIN public.age AS int",
        "CREATE TABLE public.t (id int PRIMARY KEY, a public.age, s text)",
        "INSERT INTO public.t VALUES (1, 0, 'x')",
    )
    with session(database) as conn:
        types = describe(conn, T, {"b": "id > 0", "a": "a", "s": "t.s || '!'", "x": "1 / a", "l": "array[id]"})
    assert {name: t.kind for name, t in types.items()} == {
        "b": Kind.BOOLEAN,
        "a": Kind.INTEGER,
        "s": Kind.TEXT,
        "x": Kind.INTEGER,
        "l": Kind.ARRAY,
    }


@pytest.mark.parametrize(
    "sql", ["nowhere > 0", "id >", "id, id", "1 / 0", "id); DROP TABLE public.t; SELECT (1", "id --"]
)
def test_sql_that_the_server_does_not_accept_is_an_error_of_the_plan(database: Database, sql: str) -> None:
    run(database, "CREATE TABLE public.t (id int PRIMARY KEY)")
    with session(database) as conn:
        with pytest.raises(PlanError, match="the SQL of broken"):
            describe(conn, T, {"broken": sql})
        assert T in read_tables(conn, [T])
