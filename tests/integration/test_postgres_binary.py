"""The binary way of reading gives exactly the values of `mapping.values`, for every kind."""

from __future__ import annotations

import math
import random
import struct
from decimal import Decimal
from typing import Any

import pytest

from pg2dynamo.errors import SourceChanged
from pg2dynamo.mapping.table import TableName
from pg2dynamo.mapping.values import Bounded, Endless, Json, Value
from pg2dynamo.postgres.binary import SourceRow, select_rows, select_rows_by_key
from pg2dynamo.postgres.binary_floats import read_float4, read_float8
from pg2dynamo.postgres.segments import plan_segments
from tests.conftest import Database
from tests.integration.reading import mapping_of, run, selected_rows, session

HUGE = "9" * 5000 + "." + "1" * 3000

CASES: list[tuple[str, str, Value]] = [
    ("text", "E'a\\n\\té\\U0001F600 '", "a\n\té😀 "),
    ("text", "''", ""),
    ("varchar(5)", "'ab '", "ab "),
    ("char(5)", "'ab'", "ab   "),
    ("name", "'n'", "n"),
    ('"char"', "'x'", "x"),
    ('"char"', "''", ""),
    ("int2", "-32768", -32768),
    ("int4", "2147483647", 2147483647),
    ("int8", "-9223372036854775808", -(2**63)),
    ("oid", "4294967295", 4294967295),
    ("numeric", "0", Decimal(0)),
    ("numeric", "-0.00", Decimal(0)),
    ("numeric(10,4)", "1.5", Decimal("1.5")),
    ("numeric", "-12345678901234567890123456789012345678.5", Decimal("-12345678901234567890123456789012345678.5")),
    ("numeric", "1e-200", Decimal("1E-200")),
    ("numeric", "1e200", Decimal("1E+200")),
    ("numeric", "10000", Decimal(10000)),
    ("numeric", "0.0001", Decimal("0.0001")),
    ("numeric", HUGE, Decimal(HUGE)),
    ("numeric", "'Infinity'", Decimal("Infinity")),
    ("numeric", "'-Infinity'", Decimal("-Infinity")),
    ("float8", "0.1", Decimal("0.1")),
    ("float8", "'-0'", Decimal(0)),
    ("float8", "5e-324", Decimal("5E-324")),
    ("float8", "'Infinity'", Decimal("Infinity")),
    ("float4", "0.1", Decimal("0.1")),
    ("float4", "16777216", Decimal(16777216)),
    ("float4", "'-Infinity'", Decimal("-Infinity")),
    ("bool", "true", True),
    ("bool", "false", False),
    ("bytea", r"'\x00ff5c'", b"\x00\xff\\"),
    ("bytea", "''", b""),
    ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("date", "'2000-01-02'", 1),
    ("date", "'0044-03-15 BC'", -746117),
    ("date", "'5874897-12-31'", 2145031948),
    ("date", "'infinity'", Endless.FUTURE),
    ("date", "'-infinity'", Endless.PAST),
    ("time", "'23:59:59.999999'", 86_399_999_999),
    ("time", "'24:00'", 86_400_000_000),
    ("timetz", "'03:04:05.1+02:30:15'", (11_045_100_000, -9015)),
    ("timestamp", "'1999-12-31 23:59:59.999999'", -1),
    ("timestamp", "'294276-12-31 23:59:59.999999'", 9_223_371_331_199_999_999),
    ("timestamp", "'infinity'", Endless.FUTURE),
    ("timestamptz", "'2000-01-01 00:00:00+01'", -3_600_000_000),
    ("timestamptz", "'-infinity'", Endless.PAST),
    ("interval", "'1 mon'", (1, 0, 0)),
    ("interval", "'30 days'", (0, 30, 0)),
    ("interval", "'-1 year 2 days -0.000001 sec'", (-12, 2, -1)),
    ("json", """'{"a": 1, "b": [1.50, null, "x", true, 1e400]}'""",
     Json({"a": Decimal(1), "b": [Decimal("1.5"), None, "x", True, Decimal("1E+400")]})),
    ("json", "'null'", Json(None)),
    ("jsonb", """'{"a": {"b": []}, "": ""}'""", Json({"a": {"b": []}, "": ""})),
    ("jsonb", "'null'", Json(None)),
    ("jsonb", "'12345678901234567890.123'", Json(Decimal("12345678901234567890.123"))),
    ("inet", "'10.0.0.1'", "10.0.0.1"),
    ("cidr", "'10.0.0.0/8'", "10.0.0.0/8"),
    ("macaddr", "'08:00:2b:01:02:03'", "08:00:2b:01:02:03"),
    ("money", "12.5", "$12.50"),
    ("bit(3)", "'101'", "101"),
    ("point", "'(1,2)'", "(1,2)"),
    ("int4range", "'[1,5]'", "[1,6)"),
    ("tsvector", "'a b'", "'a' 'b'"),
    ("int2vector", "'1 2'", "1 2"),
    ("text[]", "'{}'", []),
    ("text[]", "array['a,b', NULL, '', 'NULL', '\"\\']", ["a,b", None, "", "NULL", '"\\']),
    ("int[]", "'{{1,2},{3,NULL}}'", [[1, 2], [3, None]]),
    ("int[]", "'[0:1][2:3]={{1,2},{3,NULL}}'", Bounded("[0:1][2:3]", [[1, 2], [3, None]])),
    ("int[]", "'[1:2]={1,2}'", [1, 2]),
    ("int[]", "'{{{1},{2}},{{3},{4}}}'", [[[1], [2]], [[3], [4]]]),
    ("numeric(5,2)[]", "'{1.5,NULL}'", [Decimal("1.5"), None]),
    ("timestamptz[]", "'{2000-01-01 00:00:00+00,infinity}'", [0, Endless.FUTURE]),
    ("bytea[]", r"array['\x00'::bytea, '']", [b"\0", b""]),
    ("jsonb[]", """array['{"a":1}'::jsonb, 'null', NULL]""", [Json({"a": Decimal(1)}), Json(None), None]),
    ("inet[]", "'[-1:1]={10.0.0.1,NULL,::1}'", Bounded("[-1:1]", ["10.0.0.1", None, "::1"])),
    ("box[]", "'{(1,2),(3,4);(1,1),(2,2)}'", ["(3,4),(1,2)", "(2,2),(1,1)"]),
    ('"char"[]', "array['a','\"',',']", ["a", '"', ","]),
    ("uuid[]", "array['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid]", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    ("point[]", "array['(1,2)'::point]", ["(1,2)"]),
]  # fmt: skip


def _equal(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


def test_every_kind_of_type_is_read_as_its_value(database: Database) -> None:
    columns = ", ".join(f"c{n} {type_name}" for n, (type_name, _, _) in enumerate(CASES))
    values = ", ".join(f"CAST({sql} AS {type_name})" for type_name, sql, _ in CASES)
    run(
        database,
        f"CREATE TABLE public.t (id int PRIMARY KEY, {columns})",
        f"INSERT INTO public.t VALUES (1, {values})",
        "INSERT INTO public.t VALUES (2)",
    )
    with session(database) as conn:
        first, second = selected_rows(conn, mapping_of(conn, "t"))
    wrong = [
        (type_name, sql, found)
        for (type_name, sql, value), found in zip(CASES, first.values[1:], strict=True)
        if not _equal(found, value)
    ]
    assert wrong == []
    assert second.values == (2, *(None for _ in CASES))


def test_values_that_no_item_holds_are_read_all_the_same(database: Database) -> None:
    run(
        database,
        "CREATE TABLE public.t (id int PRIMARY KEY, n numeric, f float8, f4 float4, a numeric[], j json)",
        "INSERT INTO public.t VALUES (1, 'NaN', 'NaN', 'NaN', '{NaN}', '{\"a\":1,\"a\":2}')",
        "INSERT INTO public.t (id, j) VALUES (2, (repeat('[', 5000) || repeat(']', 5000))::json)",
    )
    with session(database) as conn:
        first, second = selected_rows(conn, mapping_of(conn, "t"))
    _, n, f, f4, a, j = first.values
    assert isinstance(a, list)
    assert all(isinstance(v, Decimal) and v.is_nan() for v in (n, f, f4, a[0]))
    # A name that stands twice is told by an empty name, which no item holds.
    assert j == Json({"a": Decimal(2), "": None})
    assert isinstance(second.values[5], Json)


def test_infinite_intervals_are_endless_where_the_server_has_them(database: Database) -> None:
    if database.server.version < (17,):
        pytest.skip("infinite intervals came with PostgreSQL 17")
    run(
        database,
        "CREATE TABLE public.t (id int PRIMARY KEY, a interval, b interval)",
        "INSERT INTO public.t VALUES (1, 'infinity', '-infinity')",
    )
    with session(database) as conn:
        [row] = selected_rows(conn, mapping_of(conn, "t"))
    assert row.values == (1, Endless.FUTURE, Endless.PAST)


def test_user_defined_types_are_read_as_their_kind(database: Database) -> None:
    run(
        database,
        "CREATE TYPE public.mood AS ENUM ('sad', 'a \"b')",
        "CREATE DOMAIN public.small AS int",
        "CREATE DOMAIN public.smaller AS public.small",
        "CREATE DOMAIN public.smalls AS public.smaller[]",
        "CREATE TYPE public.pair AS (a int, b text)",
        "CREATE TABLE public.t (id public.smaller PRIMARY KEY, m public.mood, ms public.mood[], s public.smalls, "
        "p public.pair, ps public.pair[], mr int4multirange)",
        "INSERT INTO public.t VALUES (1, 'sad', array['a \"b', 'sad', NULL]::public.mood[], '{1,NULL}', "
        "ROW(1, 'a,\"b'), array[ROW(NULL, NULL)::public.pair, NULL], '{[1,2],[5,6]}')",
        "INSERT INTO public.t (id, p) VALUES (2, ROW(NULL, NULL))",
    )
    with session(database) as conn:
        first, second = selected_rows(conn, mapping_of(conn, "t"))
    assert first.values == (
        1, "sad", ['a "b', "sad", None], [1, None], '(1,"a,""b")', ["(,)", None], "{[1,3),[5,7)}",
    )  # fmt: skip
    assert second.values == (2, None, None, None, "(,)", None, None), "a composite of NULLs is no NULL"


def test_floats_are_the_decimals_that_the_server_prints(database: Database) -> None:
    random_ = random.Random(1)
    doubles = [2.0**e * sign for e in range(-1074, 1024, 3) for sign in (1, -1)]
    doubles += [struct.unpack("!d", random_.randbytes(8))[0] for _ in range(5000)]
    doubles += [random_.randint(1, 99999) * 10.0 ** random_.randint(-40, 40) for _ in range(3000)]
    doubles += [random_.random() * 2.0 ** random_.randint(53, 137) for _ in range(8000)]
    doubles = [d for d in doubles if math.isfinite(d)]
    singles = [struct.pack("!I", e << 23 | low) for e in range(255) for low in (0, 1)]
    singles += [struct.pack("!I", n) for n in range(500)] + [random_.randbytes(4) for _ in range(8000)]
    singles = [s for s in singles if math.isfinite(struct.unpack("!f", s)[0])]
    with session(database) as conn:
        printed = "SELECT array_agg(f::{}::text ORDER BY n) FROM unnest(%b::float8[]) WITH ORDINALITY u(f, n)"
        row8 = conn.execute(printed.format("float8").encode(), [doubles]).fetchone()
        row4 = conn.execute(
            printed.format("float4").encode(), [[struct.unpack("!f", s)[0] for s in singles]]
        ).fetchone()
    assert row8
    assert row4
    assert [
        d for d, text in zip(doubles, row8[0], strict=True) if read_float8(struct.pack("!d", d)) != Decimal(text)
    ] == []
    assert [s for s, text in zip(singles, row4[0], strict=True) if read_float4(s) != Decimal(text)] == []


def test_columns_that_back_does_not_restore_are_named(database: Database) -> None:
    run(
        database,
        "CREATE TABLE public.t (id int PRIMARY KEY, enabled bool, n numeric, p point)",
        "INSERT INTO public.t VALUES (1, true, 1.5, '(1,2)'), (2, NULL, NULL, NULL), (3, false, 2, NULL)",
    )
    rules = {
        "enabled": {"sql": "CASE WHEN enabled THEN 'true' ELSE 'false' END", "back": "enabled = 'true'"},
        "n": {"sql": "trunc(n)::text", "back": "n::numeric"},
        "p": {
            "sql": "p[0] || '/' || p[1]",
            "back": "point(split_part(p, '/', 1)::float8, split_part(p, '/', 2)::float8)",
        },
        "twice": {"sql": "n * 2"},
    }
    with session(database) as conn:
        mapping = mapping_of(conn, "t", attributes=rules)
        rows = {row.values[0]: row for row in selected_rows(conn, mapping)}
        by_key = {r.values[0]: r for rs in select_rows_by_key(conn, mapping, [{"id": 1}, {"id": 2}]) for r in rs}
    assert rows[1].values == (1, "true", "1", "1/2", Decimal(3))
    assert {id_: row.unrestored for id_, row in rows.items()} == {1: ("n",), 2: ("enabled",), 3: ()}
    assert by_key == {1: rows[1], 2: rows[2]}


def test_a_table_as_wide_as_tables_can_be_is_read(database: Database) -> None:
    columns = ", ".join(f"c{n} {'bool' if n % 2 else 'inet'}" for n in range(1599))
    run(
        database,
        f"CREATE TABLE public.t (id int PRIMARY KEY, {columns})",
        "INSERT INTO public.t (id, c1) VALUES (1, true)",
    )
    with session(database) as conn:
        rules = {"c1": {"sql": "c1::text", "back": "c1::boolean"}}
        [row] = selected_rows(conn, mapping_of(conn, "t", attributes=rules))
    assert (row.values[:3], len(row.values), row.unrestored) == ((1, None, "true"), 1600, ())


def test_rows_are_found_by_key_and_what_is_no_key_is_left_out(database: Database) -> None:
    run(
        database,
        "CREATE TABLE public.t (a uuid, b timestamp, c text, PRIMARY KEY (a, b))",
        "INSERT INTO public.t SELECT gen_random_uuid(), '2000-01-01', n FROM generate_series(1, 1200) n",
    )
    with session(database) as conn:
        mapping = mapping_of(conn, "t", "a,b")
        rows = selected_rows(conn, mapping)
        keys: list[dict[str, Value]] = [{"a": r.values[0], "b": r.values[1]} for r in rows]
        keys.insert(700, {"a": "no uuid", "b": 0})
        keys.insert(3, {"a": keys[0]["a"], "b": 1})
        keys.insert(3, {"a": keys[0]["a"]})
        found = [row for batch in select_rows_by_key(conn, mapping, keys) for row in batch]
    assert sorted(found, key=repr) == sorted(rows, key=repr)


def test_memory_is_bounded_by_batches(database: Database) -> None:
    run(database, "CREATE TABLE public.t (id int PRIMARY KEY)", "INSERT INTO public.t SELECT generate_series(1, 5000)")
    with session(database) as conn:
        mapping = mapping_of(conn, "t")
        sizes = [len(rows) for s in plan_segments(conn, mapping.source) for rows in select_rows(conn, mapping, s)]
        assert sum(sizes) == 5000
        assert max(sizes) <= 200
        rows = select_rows(conn, mapping, plan_segments(conn, mapping.source)[0])
        next(rows)
        rows.close()
        assert len(selected_rows(conn, mapping)) == 5000, "a read left half way leaves the connection usable"


def test_a_rewritten_table_is_not_verified(database: Database) -> None:
    run(database, "CREATE TABLE public.t (id int PRIMARY KEY)", "INSERT INTO public.t VALUES (1)")
    with session(database) as conn:
        mapping = mapping_of(conn, "t")
        [segment] = plan_segments(conn, TableName("public", "t"))
        run(database, "VACUUM FULL public.t")
        with pytest.raises(SourceChanged):
            list(select_rows(conn, mapping, segment))


def test_a_row_that_back_fails_on_is_not_restored(database: Database) -> None:
    run(database, "CREATE TABLE public.t (id int PRIMARY KEY, a text)", "INSERT INTO public.t VALUES (1, 'hunter2')")
    with session(database) as conn:
        mapping = mapping_of(conn, "t", attributes={"a": {"sql": "a", "back": "a::int"}})
        assert selected_rows(conn, mapping) == [SourceRow((1, "hunter2"), ("a",))]
