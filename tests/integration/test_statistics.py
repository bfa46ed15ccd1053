"""The planner's statistics of tables, read without reading a row."""

from __future__ import annotations

import math

import psycopg
import pytest

from pg2dynamo.mapping.table import TableName
from pg2dynamo.postgres.statistics import read_statistics
from tests.conftest import Database
from tests.integration.reading import run, session

T = TableName("public", "t")


def test_rows_nulls_widths_and_distinct_values_are_those_that_analyze_found(database: Database) -> None:
    run(
        database,
        "CREATE TABLE public.t (id bigint PRIMARY KEY, kind text, note text, doc json)",
        "INSERT INTO public.t SELECT n, 'k' || n % 4, CASE WHEN n % 5 = 0 THEN repeat('x', 99) END, '{}' "
        "FROM generate_series(1, 2000) n",
        "ANALYZE public.t",
    )
    with session(database) as conn:
        found = read_statistics(conn, [T])[T]
    assert (found.table, found.rows, found.analysed, found.toast_bytes) == (T, 2000, True, 0)
    assert found.heap_bytes > 0
    assert found.columns["id"].distinct == 2000
    assert found.columns["id"].average_bytes == 8
    assert found.columns["kind"].distinct == 4
    assert found.columns["note"].null_fraction == pytest.approx(0.8)
    assert found.columns["note"].average_bytes == 100
    assert found.columns["doc"].distinct == 0
    assert not any(math.isnan(getattr(c, n)) for c in found.columns.values() for n in ("null_fraction", "distinct"))


def test_rows_added_since_are_counted_by_the_growth_of_the_table(database: Database) -> None:
    run(
        database,
        "CREATE TABLE public.t (id bigint, v text) WITH (autovacuum_enabled = false)",
        "INSERT INTO public.t SELECT n, repeat('x', 100) FROM generate_series(1, 1000) n",
        "ANALYZE public.t",
        "INSERT INTO public.t SELECT n, repeat('x', 100) FROM generate_series(1, 3000) n",
    )
    with session(database) as conn:
        assert read_statistics(conn, [T])[T].rows == pytest.approx(4000, rel=0.1)


def test_a_table_never_analysed_says_so_and_guesses_its_rows_by_its_size(database: Database) -> None:
    run(
        database,
        "CREATE TABLE public.t (id bigint, other bigint) WITH (autovacuum_enabled = false)",
        "INSERT INTO public.t SELECT n, n FROM generate_series(1, 5000) n",
        "CREATE TABLE public.empty (id bigint)",
        "CREATE VIEW public.v AS SELECT * FROM public.t",
    )
    with session(database) as conn:
        found = read_statistics(conn)
    assert not found[T].analysed
    assert found[T].columns == {}
    assert found[T].rows == pytest.approx(5000, rel=0.1)
    assert (found[TableName("public", "empty")].rows, found[TableName("public", "empty")].analysed) == (0, True)
    assert (found[TableName("public", "v")].rows, found[TableName("public", "v")].analysed) == (-1, False)


@pytest.mark.parametrize("analysed", ["the leaves", "the parent"])
def test_a_partitioned_table_stands_for_all_its_leaves(database: Database, analysed: str) -> None:
    run(
        database,
        "CREATE TABLE public.t (id int, kind text, note text) PARTITION BY RANGE (id)",
        "CREATE TABLE public.one PARTITION OF public.t FOR VALUES FROM (0) TO (1001) PARTITION BY RANGE (id)",
        "CREATE TABLE public.one_of_one PARTITION OF public.one DEFAULT",
        "CREATE TABLE public.two PARTITION OF public.t FOR VALUES FROM (1001) TO (9999)",
        "INSERT INTO public.t SELECT n, 'k' || n % 4, CASE WHEN n > 1000 THEN 'four' END "
        "FROM generate_series(1, 4000) n",
        "ANALYZE public.t" if analysed == "the parent" else "ANALYZE public.one_of_one, public.two",
    )
    with session(database) as conn:
        found = read_statistics(conn, [T])
    assert list(found) == [T]
    assert (found[T].rows, found[T].analysed) == (4000, True)
    columns = found[T].columns
    assert columns["id"].distinct == pytest.approx(4000)
    assert columns["kind"].distinct == 4
    assert columns["note"].null_fraction == pytest.approx(0.25, abs=0.01)
    assert columns["note"].average_bytes == 5
    assert columns["id"].average_bytes == 4


def test_of_a_table_that_others_inherit_from_only_its_own_rows_count(any_database: Database) -> None:
    run(
        any_database,
        "CREATE TABLE public.t (id int)",
        "CREATE TABLE public.child (more text) INHERITS (public.t)",
        "INSERT INTO public.t SELECT generate_series(1, 100)",
        "INSERT INTO public.child SELECT generate_series(1, 900)",
        "ANALYZE",
    )
    with session(any_database) as conn:
        found = read_statistics(conn, [T])[T]
    assert (found.rows, found.columns["id"].distinct) == (100, 100)


def test_columns_that_the_role_may_not_read_are_lacking(any_database: Database, unique: str) -> None:
    run(
        any_database,
        "CREATE TABLE public.t (id bigint, hidden text)",
        "INSERT INTO public.t SELECT n, 'x' FROM generate_series(1, 100) n",
        "ANALYZE public.t",
        f"CREATE ROLE {unique}",
        f"GRANT SELECT (id) ON public.t TO {unique}",
    )
    try:
        with session(any_database) as conn:
            conn.execute(f"SET ROLE {unique}".encode())
            some = read_statistics(conn, [T])[T]
            run(any_database, f"REVOKE ALL (id) ON public.t FROM {unique}")
            none = read_statistics(conn, [T])[T]
    finally:
        run(any_database, f"DROP OWNED BY {unique}", f"DROP ROLE {unique}")
    assert (set(some.columns), some.analysed) == ({"id"}, True)
    assert (set(none.columns), none.analysed, none.rows) == (set(), True, 100)


def test_values_in_toast_are_counted_by_the_toast_tables_size(any_database: Database) -> None:
    run(
        any_database,
        "CREATE TABLE public.t (id bigint, v text)",
        "ALTER TABLE public.t ALTER v SET STORAGE EXTERNAL",
        "INSERT INTO public.t SELECT n, repeat('x', 10000) FROM generate_series(1, 100) n",
        "ANALYZE public.t",
    )
    with session(any_database) as conn:
        found = read_statistics(conn, [T])[T]
    assert 1_000_000 < found.toast_bytes < 1_300_000
    assert found.columns["v"].average_bytes == 18


def test_no_value_of_a_row_is_asked_for(any_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[str] = []
    execute = psycopg.Connection.execute

    def recorded(conn: psycopg.Connection, query: bytes, *args: object, **kwargs: object) -> object:
        statements.append(query.decode())
        return execute(conn, query, *args, **kwargs)  # type: ignore[call-overload]

    run(any_database, *(f"CREATE TABLE public.t{n} (id int)" for n in range(50)))
    with session(any_database) as conn:
        monkeypatch.setattr(psycopg.Connection, "execute", recorded)
        read_statistics(conn)
        monkeypatch.undo()
    assert len(statements) == 2
    assert not any(word in text for text in statements for word in ("most_common", "histogram", '"t1"'))
