"""A row that PostgreSQL cannot compute is set aside, and everything else of its table is copied and verified."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pg2dynamo.errors import SourceError
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration.copy import CopyOptions, copy
from pg2dynamo.migration.export import export
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.migration.repair import repair
from pg2dynamo.migration.verify import verify
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.postgres import unreadable
from pg2dynamo.postgres.lines import UnreadableRow
from pg2dynamo.postgres.rows import copy_rows, copy_rows_by_key, keys_present
from pg2dynamo.postgres.segments import plan_segments
from pg2dynamo.postgres.selection import segment_rows
from pg2dynamo.postgres.snapshot import adopt_snapshot, hold_snapshot
from pg2dynamo.postgres.streaming import copy_out
from pg2dynamo.postgres.unreadable import is_of_a_row
from pg2dynamo.secret import Secret
from tests.conftest import Database
from tests.integration.reading import mapping_of, run, selected_rows, session

TABLE = "CREATE TABLE public.t (id int PRIMARY KEY, n int, note text)"
FILL = """
INSERT INTO public.t
SELECT id, CASE WHEN id % 50 = 7 THEN 0 ELSE id END, repeat('x', 100) FROM generate_series(1, 500) id
"""
BAD = frozenset(range(7, 501, 50))
GOOD = sorted(set(range(1, 501)) - BAD)
DIVIDED = {"part": {"sql": "1000 / n"}}
CANNOT = "PostgreSQL cannot compute it (SQLSTATE 22012)"

PLAN = """
name: {unique}
source: {{dsn: env:DATABASE_URL}}
target: {{control_table: {unique}-control, request_timeout_seconds: 1}}
tables:
  - from: public.t
    to: {unique}-t
    key: {{hash: id}}
    attributes: {{{attributes}}}
"""
PART = 'part: {sql: "1000 / n"}'


def divided(database: Database, attributes: dict[str, Any] | None = None, where: str | None = None) -> TableMapping:
    with session(database) as conn:
        return replace(mapping_of(conn, "public.t", attributes=attributes or DIVIDED), where=where)


@contextmanager
def under_snapshot(database: Database, mapping: TableMapping) -> Iterator[psycopg.Connection]:
    with (
        hold_snapshot(Secret(database.dsn), [mapping.source]) as owner,
        session(database) as conn,
        adopt_snapshot(conn, owner.position.name),
    ):
        yield conn


def read(database: Database, mapping: TableMapping, blocks: int = 1024) -> tuple[list[int], list[UnreadableRow]]:
    """Read the table under a snapshot, as copying does: the ids of the rows, and what was set aside."""
    aside: list[UnreadableRow] = []
    with under_snapshot(database, mapping) as conn:
        segments = plan_segments(conn, mapping.source, blocks)
        batches = [b for s in segments for b in copy_rows(conn, mapping, s, on_unreadable=aside.append)]
    return [number(line) for batch in batches for line in batch], aside


def number(line: bytes) -> int:
    return int(line.split(b"\t")[0])


@pytest.mark.parametrize("blocks", [1024, 3])
def test_every_row_comes_once_but_those_that_fail_which_are_set_aside(database: Database, blocks: int) -> None:
    run(database, TABLE, FILL)
    ids, aside = read(database, divided(database), blocks)
    assert ids == GOOD
    assert [(number(row.line), row.attribute, row.reason) for row in aside] == [
        (id, "part", CANNOT) for id in sorted(BAD)
    ]


def test_a_filter_that_could_be_a_join_does_not_change_the_order_that_rows_are_told_apart_by(
    any_database: Database,
) -> None:
    run(
        any_database,
        TABLE,
        "INSERT INTO public.t SELECT id, id % 1000, repeat('x', 100) FROM generate_series(1, 20000) id",
        "CREATE TABLE public.wanted (id int PRIMARY KEY)",
        "INSERT INTO public.wanted SELECT id FROM generate_series(20000, 1, -500) id",
        "ANALYZE public.t, public.wanted",
    )
    ids, aside = read(any_database, divided(any_database, where="id IN (SELECT w.id FROM public.wanted w)"))
    assert ids == [id for id in range(500, 20001, 500) if id % 1000]
    assert [number(row.line) for row in aside] == list(range(1000, 20001, 1000))


def test_verification_sees_a_row_that_fails_without_what_failed(database: Database) -> None:
    run(database, TABLE, FILL)
    mapping = divided(database)
    with under_snapshot(database, mapping) as conn:
        rows = selected_rows(conn, mapping)
    assert [row.values[0] for row in rows] == list(range(1, 501))
    assert {row.values[0]: row.unrestored for row in rows if row.unrestored} == dict.fromkeys(BAD, ("part",))
    assert {row.values[3] for row in rows if row.unrestored} == {None}


def test_several_attributes_at_fault_name_none(database: Database) -> None:
    run(database, TABLE, "INSERT INTO public.t VALUES (1, 0, 'x'), (2, 2, '2')")
    both = {**DIVIDED, "whole": {"sql": "note::int"}}
    ids, aside = read(database, divided(database, both))
    assert (ids, [(number(row.line), row.attribute) for row in aside]) == ([2], [(1, "")])


def test_too_many_such_rows_are_a_fault_of_the_plan(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unreadable, "MOST_UNREADABLE", 5)
    run(database, TABLE, FILL)
    with pytest.raises(SourceError, match="more than 5 rows cannot be computed"):
        read(database, divided(database))


@pytest.mark.parametrize("state", ["08006", "57P01", "57014", "53100", "40001", "42703", "42501", "55000", "25006"])
def test_what_is_no_fault_of_a_row_ends_the_run(state: str) -> None:
    assert not is_of_a_row(psycopg.errors.lookup(state)())


def test_a_value_in_the_servers_message_is_not_repeated(database: Database) -> None:
    run(database, TABLE, "INSERT INTO public.t VALUES (1, 1, 'hunter2')")
    _, [row] = read(database, divided(database, {"part": {"sql": "note::int"}}))
    assert "hunter2" not in f"{row.attribute} {row.reason} {row.line!r}"


def test_rows_read_by_key_are_set_aside_too(database: Database) -> None:
    run(database, TABLE, FILL)
    mapping, aside = divided(database), list[UnreadableRow]()
    keys: list[dict[str, str | None]] = [{"id": str(id)} for id in range(1, 60)]
    with under_snapshot(database, mapping) as conn:
        found = {number(line) for batch in copy_rows_by_key(conn, mapping, keys, aside.append) for line in batch}
    assert found == set(range(1, 60)) - BAD
    assert {number(row.line) for row in aside} == {7, 57}


def test_keys_that_cannot_be_computed_for_every_row_are_not_called_absent(database: Database) -> None:
    run(database, TABLE, "INSERT INTO public.t VALUES (1, 0, 'x'), (2, 2, 'x')")
    with session(database) as conn:
        mapping = mapping_of(conn, "public.t", "part,id", attributes={"part": {"sql": "(1000 / n)::bigint"}})
        with pytest.raises(SourceError, match="cannot be computed for all rows"):
            keys_present(conn, mapping, [{"part": 500, "id": 1}])


def migrate(
    database: Database, environ: dict[str, str], unique: str, attributes: str = PART
) -> tuple[Any, dict[str, str]]:
    environ = environ | {"DATABASE_URL": database.dsn}
    plan = parse_plan(PLAN.format(unique=unique, attributes=attributes), environ)
    prepare(plan, environ)
    return plan, environ


def test_copying_keeps_such_rows_in_quarantine_and_verification_calls_them_missing(
    any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path
) -> None:
    run(any_database, TABLE, FILL)
    plan, environ = migrate(any_database, any_aws_environ, unique)
    counts = copy(plan, environ, CopyOptions(processes=0, blocks_per_segment=5)).tables["public.t"]
    assert (counts.rows, counts.written, counts.quarantined) == (500, len(GOOD), len(BAD))
    report = verify(plan, environ, processes=0, report=tmp_path / "report.jsonl")
    assert (report.total.compared, report.total.missing, report.total.different) == (500, len(BAD), 0)
    assert repair(plan, environ, report=tmp_path / "report.jsonl").tables["public.t"].quarantined == len(BAD)
    again = copy(plan, environ, CopyOptions(processes=0)).tables["public.t"]
    assert (again.rows, again.written, again.quarantined) == (500, 0, len(BAD))
    run(any_database, "UPDATE public.t SET n = 1 WHERE n = 0")
    mended = copy(plan, environ, CopyOptions(processes=0)).tables["public.t"]
    assert (mended.rows, mended.quarantined) == (500, 0)
    assert verify(plan, environ, processes=0, report=tmp_path / "report.jsonl").equal


def test_an_item_of_a_row_that_fails_now_differs(
    any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path
) -> None:
    run(any_database, TABLE, "INSERT INTO public.t SELECT id, id, 'x' FROM generate_series(1, 20) id")
    plan, environ = migrate(any_database, any_aws_environ, unique)
    copy(plan, environ, CopyOptions(processes=0))
    run(any_database, "UPDATE public.t SET n = 0 WHERE id = 5")
    report = verify(plan, environ, processes=0, report=tmp_path / "report.jsonl")
    assert (report.total.missing, report.total.different) == (0, 1)
    assert '"attributes": ["n", "part"]' in (tmp_path / "report.jsonl").read_text()


def test_an_export_lists_such_rows(
    any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path
) -> None:
    run(any_database, TABLE, FILL)
    plan, environ = migrate(any_database, any_aws_environ, unique)
    report = export(plan, environ, tmp_path / "export", processes=0)
    counts = report.tables["public.t"]
    assert (counts["rows"], counts["items"], counts["quarantined"]) == (500, len(GOOD), len(BAD))


def test_a_virtual_column_that_fails_sets_its_row_aside(
    any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path
) -> None:
    run(
        any_database,
        "CREATE TABLE public.t (id int PRIMARY KEY, n int, part int GENERATED ALWAYS AS (1000 / n) VIRTUAL)",
        "INSERT INTO public.t SELECT id, id % 10 FROM generate_series(1, 100) id",
    )
    plan, environ = migrate(any_database, any_aws_environ, unique, attributes="")
    counts = copy(plan, environ, CopyOptions(processes=0)).tables["public.t"]
    assert (counts.rows, counts.written, counts.quarantined) == (100, 90, 10)
    report = verify(plan, environ, processes=0, report=tmp_path / "report.jsonl")
    assert (report.total.compared, report.total.missing) == (100, 10)


def test_a_row_without_a_key_is_missing_and_not_lost(
    any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path
) -> None:
    run(any_database, TABLE, "INSERT INTO public.t VALUES (1, NULL, 'x'), (2, 2, 'x')")
    environ = any_aws_environ | {"DATABASE_URL": any_database.dsn}
    text = PLAN.format(unique=unique, attributes='part: {sql: "n::bigint"}').replace(
        "{hash: id}", "{hash: part, range: id}"
    )
    plan = parse_plan(text, environ)
    prepare(plan, environ)
    copy(plan, environ, CopyOptions(processes=0))
    report = verify(plan, environ, processes=0, report=tmp_path / "report.jsonl")
    assert (report.total.compared, report.total.missing) == (2, 1)


def test_rows_that_came_in_one_piece_with_a_failure_are_read_again_one_by_one(any_database: Database) -> None:
    run(any_database, TABLE, FILL)
    aside: list[str] = []
    mapping = divided(any_database)
    with under_snapshot(any_database, mapping) as conn:
        [segment] = plan_segments(conn, mapping.source)

        def read(rows: str, *, singly: bool) -> Iterator[list[bytes]]:
            batches = copy_out(conn, f"SELECT id, 1000 / n {rows}")
            yield from batches if singly else [[line for batch in batches for line in batch]]

        batches = unreadable.read_around(
            conn,
            "Reading",
            lambda after: segment_rows(segment, mapping, after=after),
            read,
            lambda tid, _: aside.append(tid),
            singly=False,
        )
        assert [number(line) for batch in batches for line in batch] == GOOD
    assert len(aside) == len(BAD)
