"""Rows by segment and by key: each once, none missed, none of another storage."""

from __future__ import annotations

import traceback
from datetime import date, datetime
from decimal import Decimal

import psycopg
import pytest

from pg2dynamo.errors import SourceChanged, SourceDenied, SourceError, SourceUnreachable
from pg2dynamo.mapping.table import TableName
from pg2dynamo.mapping.values import Endless, Value
from pg2dynamo.postgres.rows import copy_rows, copy_rows_by_key, count_rows, keys_present
from pg2dynamo.postgres.segments import plan_segments
from pg2dynamo.postgres.selection import count_visible, estimated_rows, newer_condition
from pg2dynamo.postgres.snapshot import adopt_snapshot, hold_snapshot
from pg2dynamo.postgres.streaming import BATCH_BYTES
from pg2dynamo.secret import Secret
from tests.conftest import Database
from tests.integration.reading import copied_lines, mapping_of, run, selected_rows, session

T = TableName("public", "t")
TABLE = "CREATE TABLE public.t (id int PRIMARY KEY, a text)"


def _fill(last: int) -> str:
    return f"INSERT INTO public.t SELECT n, 'row ' || n FROM generate_series(1, {last}) n"


def _ids(lines: list[bytes]) -> list[int]:
    return sorted(int(line.split(b"\t")[0]) for line in lines)


@pytest.mark.parametrize("blocks", [1, 3, 1024])
def test_segments_hold_every_row_once_whatever_their_size(database: Database, blocks: int) -> None:
    run(
        database, TABLE, _fill(2000), "DELETE FROM public.t WHERE id % 7 = 0", "UPDATE public.t SET a = a WHERE id < 99"
    )
    with session(database) as conn:
        lines = copied_lines(conn, mapping_of(conn, "t"), blocks=blocks)
        assert _ids(lines) == [n for n in range(1, 2001) if n % 7]
        assert count_visible(conn, mapping_of(conn, "t")) == len(lines)


def test_segments_are_the_same_in_every_run_and_grow_at_the_end(database: Database) -> None:
    run(database, TABLE, _fill(2000))
    with session(database) as conn:
        first = plan_segments(conn, T, 2)
        run(database, "INSERT INTO public.t SELECT n, 'more' FROM generate_series(2001, 4000) n")
        assert plan_segments(conn, T, 2)[: len(first)] == first
        assert len(plan_segments(conn, T, 2)) > len(first)


def test_an_empty_table_has_no_segments(database: Database) -> None:
    run(database, TABLE)
    with session(database) as conn:
        assert plan_segments(conn, T) == []


def test_a_missing_table_is_no_empty_table(database: Database) -> None:
    with session(database) as conn, pytest.raises(SourceChanged):
        plan_segments(conn, T)


def test_partitions_of_partitions_are_read_and_the_source_name_holds_in_the_plans_sql(database: Database) -> None:
    run(
        database,
        "CREATE TABLE public.t (id int PRIMARY KEY, a text) PARTITION BY RANGE (id)",
        "CREATE TABLE public.t1 PARTITION OF public.t FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id)",
        'CREATE TABLE public."T 1a" (a text, gone int, id int NOT NULL)',
        'ALTER TABLE public."T 1a" DROP gone',
        'ALTER TABLE public.t1 ATTACH PARTITION public."T 1a" FOR VALUES FROM (0) TO (50)',
        "CREATE TABLE public.t1b PARTITION OF public.t1 DEFAULT",
        "CREATE TABLE public.t2 PARTITION OF public.t DEFAULT",
        _fill(200),
        "ANALYZE public.t",
    )
    with session(database) as conn:
        mapping = mapping_of(conn, "t", attributes={"both": {"sql": "t.id || t.a"}})
        lines = copied_lines(conn, mapping)
        assert _ids(lines) == list(range(1, 201))
        assert count_visible(conn, mapping) == 200
        assert estimated_rows(conn, mapping) == 200
        assert b"7\trow 7\t7row 7" in lines
        assert list(copy_rows_by_key(conn, mapping, [{"id": "7"}])) == [[b"7\trow 7\t7row 7"]]


def test_rows_of_tables_that_inherit_are_not_read_with_their_parent(database: Database) -> None:
    run(
        database,
        TABLE,
        _fill(3),
        "CREATE TABLE public.child () INHERITS (public.t)",
        "INSERT INTO public.child VALUES (4)",
    )
    with session(database) as conn:
        mapping = mapping_of(conn, "t")
        assert _ids(copied_lines(conn, mapping)) == [1, 2, 3]
        assert list(copy_rows_by_key(conn, mapping, [{"id": "4"}])) == []
        assert keys_present(conn, mapping, [{"id": 4}]) == [False]
        assert count_visible(conn, mapping) == 3


def test_a_foreign_partition_is_one_segment(database: Database) -> None:
    run(
        database,
        "CREATE FOREIGN DATA WRAPPER nothing",
        "CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing",
        "CREATE TABLE public.t (id int) PARTITION BY RANGE (id)",
        "CREATE FOREIGN TABLE public.t1 PARTITION OF public.t DEFAULT SERVER nowhere",
    )
    with session(database) as conn:
        assert [(str(s.leaf), s.whole) for s in plan_segments(conn, T)] == [("public.t1", True)]


@pytest.mark.parametrize(
    "statement",
    [
        "VACUUM FULL public.t",
        "TRUNCATE public.t",
        "ALTER TABLE public.t ALTER a TYPE varchar(9)",
        "DROP TABLE public.t",
    ],
)
def test_a_table_rewritten_since_its_segments_were_planned_is_not_read(database: Database, statement: str) -> None:
    run(database, TABLE, _fill(100))
    with session(database) as conn:
        mapping = mapping_of(conn, "t")
        [segment] = plan_segments(conn, T)
        run(database, statement)
        with pytest.raises(SourceChanged, match="rewritten or dropped"):
            list(copy_rows(conn, mapping, segment))
        with pytest.raises(SourceChanged, match="rewritten or dropped"):
            count_rows(conn, mapping, segment, 0)


def test_a_table_rewritten_before_the_read_has_ended_is_noticed(database: Database) -> None:
    run(database, TABLE, _fill(100))
    with session(database) as conn:
        mapping = mapping_of(conn, "t")
        [segment] = plan_segments(conn, T)
        rows = copy_rows(conn, mapping, segment)
        assert len(next(rows)) == 100  # the server has sent all and let go of its lock
        run(database, "ALTER TABLE public.t ALTER a TYPE varchar(9)")
        with pytest.raises(SourceChanged, match="rewritten or dropped"):
            next(rows)


def test_pieces_are_bounded_in_size(database: Database) -> None:
    run(database, TABLE, "INSERT INTO public.t SELECT n, repeat('x', 100000) FROM generate_series(1, 20) n")
    with session(database) as conn:
        mapping = mapping_of(conn, "t")
        [segment] = plan_segments(conn, T)
        sizes = [sum(map(len, lines)) for lines in copy_rows(conn, mapping, segment)]
    assert sum(sizes) > 20 * 100_000
    assert max(sizes) < BATCH_BYTES + 110_000


def test_a_read_left_half_way_leaves_the_connection_usable(database: Database) -> None:
    run(database, TABLE, "INSERT INTO public.t SELECT n, repeat('x', 1000) FROM generate_series(1, 5000) n")
    with session(database) as conn:
        mapping = mapping_of(conn, "t")
        segment = plan_segments(conn, T)[0]
        rows = copy_rows(conn, mapping, segment)
        next(rows)
        rows.close()
        assert len(copied_lines(conn, mapping)) == 5000


def test_a_read_left_half_way_under_a_snapshot_leaves_the_connection_usable(database: Database) -> None:
    run(database, TABLE, "INSERT INTO public.t SELECT n, repeat('x', 1000) FROM generate_series(1, 5000) n")
    with hold_snapshot(Secret(database.dsn), [T]) as owner, session(database) as conn:
        mapping = mapping_of(conn, "t")
        with adopt_snapshot(conn, owner.position.name):
            rows = copy_rows(conn, mapping, plan_segments(conn, T)[0])
            next(rows)
            rows.close()
        with adopt_snapshot(conn, owner.position.name):
            assert len(copied_lines(conn, mapping)) == 5000


def test_a_connection_lost_half_way_is_unreachable(database: Database) -> None:
    run(database, TABLE, "INSERT INTO public.t SELECT n, repeat('x', 8000) FROM generate_series(1, 5000) n")
    with session(database) as conn:
        mapping = mapping_of(conn, "t")
        rows = copy_rows(conn, mapping, plan_segments(conn, T, 100_000)[0])
        next(rows)
        run(database, f"SELECT pg_terminate_backend({conn.info.backend_pid}, 10000)")
        with pytest.raises(SourceUnreachable):
            list(rows)


def test_a_value_that_makes_the_plans_sql_fail_is_not_shown(database: Database) -> None:
    run(database, TABLE, "INSERT INTO public.t VALUES (1, 'hunter2')")
    with session(database) as conn:
        mapping = mapping_of(conn, "t", attributes={"number": {"sql": "a::int"}})
        with pytest.raises(SourceError) as caught:
            copied_lines(conn, mapping)
        assert "hunter2" not in "".join(traceback.format_exception(caught.value))
        assert "public.t segment 0: a value of a row makes the SQL fail" in str(caught.value)


def test_rows_that_a_policy_hides_are_refused_and_not_taken_for_absent(database: Database, unique: str) -> None:
    run(
        database,
        TABLE,
        _fill(10),
        f"CREATE ROLE {unique} LOGIN PASSWORD '{unique}'",
        f"GRANT SELECT ON public.t TO {unique}",
        "CREATE POLICY few ON public.t USING (id < 5)",
        "ALTER TABLE public.t ENABLE ROW LEVEL SECURITY",
        f"ALTER ROLE {unique} SET row_security = on",
    )
    dsn = psycopg.conninfo.make_conninfo(database.dsn, user=unique, password=unique)
    try:
        with session(Database(dsn, database.name, database.server)) as conn:
            mapping = mapping_of(conn, "t")
            with pytest.raises(SourceDenied, match="row-level security"):
                copied_lines(conn, mapping)
            with pytest.raises(SourceDenied):
                selected_rows(conn, mapping)
            with pytest.raises(SourceDenied):
                keys_present(conn, mapping, [{"id": 7}])
    finally:
        run(database, f"DROP OWNED BY {unique}", f"DROP ROLE {unique}")


def _next_transaction(database: Database) -> int:
    with database.connect() as conn:
        row = conn.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint").fetchone()
    assert row
    return int(row[0])


def test_rows_written_since_a_transaction_are_found_and_others_left_out(database: Database) -> None:
    run(database, TABLE, _fill(1000))
    since = _next_transaction(database)
    with database.connect() as conn:
        conn.execute("UPDATE public.t SET a = 'new' WHERE id = 5")
        with conn.transaction(), conn.transaction():
            conn.execute("INSERT INTO public.t VALUES (1001, 'in a subtransaction')")
        conn.execute("DELETE FROM public.t WHERE id = 6")
    with session(database) as conn:
        mapping = mapping_of(conn, "t")
        assert _ids(copied_lines(conn, mapping, newer_than=since)) == [5, 1001]
        counts = [count_rows(conn, mapping, s, since) for s in plan_segments(conn, T, 2)]
        assert (sum(c[0] for c in counts), sum(c[1] for c in counts)) == (1000, 2)


def test_rows_frozen_since_are_still_found(database: Database) -> None:
    run(database, TABLE, _fill(100))
    since = _next_transaction(database)
    run(database, "UPDATE public.t SET a = 'new' WHERE id <= 5", "VACUUM (FREEZE) public.t")
    with session(database) as conn:
        assert _ids(copied_lines(conn, mapping_of(conn, "t"), newer_than=since)) == [1, 2, 3, 4, 5]


def test_rows_are_dated_rightly_after_thousands_of_transactions(database: Database) -> None:
    run(database, TABLE, _fill(10))
    since = _next_transaction(database)
    burn = "DO $$ BEGIN FOR i IN 1..3000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
    run(database, burn, "INSERT INTO public.t VALUES (11, '')", burn)
    with session(database) as conn:
        assert _ids(copied_lines(conn, mapping_of(conn, "t"), newer_than=since)) == [11]
        assert copied_lines(conn, mapping_of(conn, "t"), newer_than=_next_transaction(database)) == []


@pytest.mark.parametrize(
    ("transaction", "next_transaction", "newer_than", "expected"),
    [
        (1000, 1001, 1000, True),  # the horizon itself
        (999, 1001, 1000, False),
        (2**32 + 5, 2**32 + 10, 2**32 + 5, True),  # just after the 32-bit counter began again
        (2**32 + 5, 2**32 + 10, 2**32 + 6, False),
        (2**32 - 5, 2**32 + 10, 2**32 - 10, True),  # the row before, the horizon before
        (2**32 - 5, 2**32 + 10, 2**32 - 5, True),
        (2**32 - 6, 2**32 + 10, 2**32 - 5, False),
        (2**32 + 5, 2**32 + 10, 2**32 - 5, True),  # the row after, the horizon before
        (2**32 - 5, 2**32 + 10, 2**32 + 5, False),  # the row before, the horizon after
        (5 * 2**32 + 7, 5 * 2**32 + 2**31, 5 * 2**32 + 7, True),  # nearly as far as can be told
        (5 * 2**32 + 6, 5 * 2**32 + 2**31, 5 * 2**32 + 7, False),
        (5 * 2**32 + 7, 5 * 2**32 + 2**31 + 7, 5 * 2**32 + 7, True),  # a horizon too far: everything is newer
        (5 * 2**32 + 6, 5 * 2**32 + 2**31 + 7, 5 * 2**32 + 7, True),
        (2**34, 2**34 + 1, 3, True),
    ],
)
def test_transactions_are_dated_across_the_wraparound_of_their_32_bits(
    any_database: Database, transaction: int, next_transaction: int, newer_than: int, expected: bool
) -> None:
    condition = newer_condition(newer_than, xmin=f"'{transaction % 2**32}'::xid", xmax=f"{next_transaction}::bigint")
    with session(any_database) as conn:
        assert conn.execute(f"SELECT {condition}".encode()).fetchone() == (expected,)


KEYS: list[tuple[str, str, str, Value, list[Value]]] = [
    # type, value as SQL, text by COPY, value of the key, values that no row has
    ("int8", "-9007199254740993", "-9007199254740993", -9007199254740993, [-9007199254740992, 2**70, "x", True, None]),
    ("text", "'a''\\\té'", "a'\\\té", "a'\\\té", ["a'\\\té ", "a", "\0", 1, b"a"]),
    ("varchar(3)", "'abc'", "abc", "abc", ["abcd", "ab"]),
    ("char(5)", "'ab'", "ab   ", "ab   ", ["ab", "ab    "]),
    ("numeric(6,2)", "1.50", "1.50", Decimal("1.5"), [Decimal("1.501"), Decimal("1E+20"), 1]),
    ("float8", "0.1", "0.1", Decimal("0.1"), [Decimal("0.10000000000000001"), Decimal("0.1000000000000001")]),
    ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
     "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0ee", ""]),
    ("date", "'0044-03-15 BC'", "0044-03-15 BC", -746_117, []),
    ("date", "'2024-02-29'", "2024-02-29", (date(2024, 2, 29) - date(2000, 1, 1)).days, [8826, 10**12, Endless.PAST]),
    ("date", "'infinity'", "infinity", Endless.FUTURE, [Endless.PAST]),
    ("timestamp(0)", "'1999-12-31 23:59:59'", "1999-12-31 23:59:59", -1_000_000, [-999_999, -1_000_001]),
    ("timestamp", "'294276-12-31 23:59:59.999999'", "294276-12-31 23:59:59.999999", 9223371331199999999, []),
    ("timestamptz", "'2024-01-02 03:04:05+02'", "2024-01-02 01:04:05+00",
     int((datetime(2024, 1, 2, 1, 4, 5) - datetime(2000, 1, 1)).total_seconds()) * 10**6, []),
    ("time", "'24:00'", "24:00:00", 86_400_000_000, [0]),
    ("timetz", "'03:04:05.5-02:30:15'", "03:04:05.5-02:30:15", (11_045_500_000, 9015), [(11_045_500_000, -9015)]),
    ("interval", "'1 mon'", "1 mon", (1, 0, 0), [(0, 30, 0)]),
    ("bytea", r"'\x00ff5c'", r"\x00ff5c", b"\x00\xff\\", [b"\x00", "x"]),
    ("inet", "'10.0.0.1'", "10.0.0.1", "10.0.0.1", ["10.0.0.1/32", "ten"]),
    ("oid", "4000000000", "4000000000", 4_000_000_000, [-1]),
]  # fmt: skip


@pytest.mark.parametrize(("type_name", "sql", "text", "value", "others"), KEYS, ids=[f"{k[0]} {k[1]}" for k in KEYS])
def test_rows_are_found_by_keys_of_every_kind_and_only_by_the_exact_one(
    database: Database, type_name: str, sql: str, text: str, value: Value, others: list[Value]
) -> None:
    run(database, f"CREATE TABLE public.t (k {type_name} PRIMARY KEY)", f"INSERT INTO public.t VALUES ({sql})")
    with session(database) as conn:
        mapping = mapping_of(conn, "t", "k")
        [line] = copied_lines(conn, mapping)
        assert list(copy_rows_by_key(conn, mapping, [{"k": text}])) == [[line]]
        assert keys_present(conn, mapping, [{"k": v} for v in [*others, value, *others]]) == [
            *(False for _ in others),
            True,
            *(False for _ in others),
        ]


def test_keys_of_enums_domains_and_quoted_names_are_found(database: Database) -> None:
    run(
        database,
        "CREATE TYPE public.\"Mood\" AS ENUM ('sad', 'it''s ok')",
        "CREATE DOMAIN public.small AS int CHECK (value < 10)",
        'CREATE TABLE public."T""1" ("Select" public."Mood", "a b" public.small, PRIMARY KEY ("Select", "a b"))',
        "INSERT INTO public.\"T\"\"1\" VALUES ('it''s ok', 7)",
    )
    with session(database) as conn:
        mapping = mapping_of(conn, '"public"."T""1"', "Select,a b")
        assert list(copy_rows_by_key(conn, mapping, [{"Select": "it's ok", "a b": "7"}])) == [[b"it's ok\t7"]]
        keys: list[dict[str, Value]] = [{"Select": "it's ok", "a b": n} for n in (7, 8, 11)]
        keys += [{"Select": mood, "a b": 7} for mood in ("sad", "merry")]
        assert keys_present(conn, mapping, keys) == [True, False, False, False, False]


def test_keys_are_asked_for_in_batches_and_answered_in_order(database: Database) -> None:
    run(database, TABLE, _fill(1200))
    with session(database) as conn:
        mapping = mapping_of(conn, "t")
        assert keys_present(conn, mapping, [{"id": n} for n in range(1300)]) == [0 < n <= 1200 for n in range(1300)]
        lines = list(copy_rows_by_key(conn, mapping, [{"id": str(n)} for n in range(1300)]))
        assert _ids([line for ls in lines for line in ls]) == list(range(1, 1201))
        assert list(copy_rows_by_key(conn, mapping, [{"id": None}])) == []
        assert keys_present(conn, mapping, []) == []


def test_keys_are_looked_up_by_the_index(database: Database) -> None:
    run(database, TABLE, _fill(20_000), "ANALYZE public.t")
    with session(database) as conn, conn.transaction():
        mapping = mapping_of(conn, "t")
        list(copy_rows_by_key(conn, mapping, [{"id": str(n)} for n in range(0, 1000, 100)]))
        keys_present(conn, mapping, [{"id": n} for n in range(0, 1000, 100)])
        scans = conn.execute("SELECT seq_scan, idx_scan > 0 FROM pg_stat_xact_user_tables WHERE relname = 't'")
        assert scans.fetchone() == (0, True)


def test_an_aborted_lookup_does_not_end_the_snapshot(database: Database) -> None:
    run(database, TABLE, _fill(3))
    with hold_snapshot(Secret(database.dsn), [T]) as owner, session(database) as conn:
        mapping = mapping_of(conn, "t")
        with adopt_snapshot(conn, owner.position.name):
            assert keys_present(conn, mapping, [{"id": 2**40}, {"id": 1}]) == [False, True]
            assert conn.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
            assert len(copied_lines(conn, mapping)) == 3
