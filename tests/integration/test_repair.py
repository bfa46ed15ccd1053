"""Repair against real servers: exactly what the report names is mended, and then all is equal."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pg2dynamo.dynamodb.journal import QuarantinedRow, TableRecord
from pg2dynamo.errors import MassDeletion, RunnerActive, StageError
from pg2dynamo.migration.repair import RepairCounts
from pg2dynamo.migration.run import recorded_run
from pg2dynamo.plan.load import parse_plan
from tests.conftest import Database
from tests.integration.verified import ROWS, Migration, begin, key

QUARANTINED = QuarantinedRow("public.things", {"id": "2"}, "price", "a number out of range", "1:1:")


@pytest.fixture
def migration(database: Database, aws_environ: dict[str, str], unique: str, tmp_path: Path) -> Migration:
    """The migration on every PostgreSQL with every DynamoDB."""
    return prepared(begin(database, {**os.environ, **aws_environ}, unique, tmp_path))


@pytest.fixture
def one(any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path) -> Migration:
    """The migration on one PostgreSQL with one DynamoDB."""
    return prepared(begin(any_database, {**os.environ, **any_aws_environ}, unique, tmp_path))


def prepared(migration: Migration) -> Migration:
    migration.journal.ensure_table()
    return migration


def record(migration: Migration) -> TableRecord:
    return TableRecord(
        source="public.things",
        target=migration.table,
        target_id="id",
        mapping_digest=migration.mapping.digest,
        source_id="1/1/1",
        segment_blocks=1024,
        state="complete",
        snapshot="1:1:",
        rows=ROWS,
        items=ROWS,
        quarantined=0,
        updated_at="2024-01-01T00:00:00+00:00",
    )


def test_what_verification_found_is_mended_and_then_equal(migration: Migration) -> None:
    migration.delete(1)
    migration.put({**key(100_001), "name": {"S": "nobody's"}})
    migration.change(2, count={"S": "14"}, surprise={"S": "not of the table"})
    migration.sql("DELETE FROM things WHERE id = 3")
    migration.sql("INSERT INTO things (id, name, enabled) VALUES (100002, 'new', true)")
    assert not migration.verify().equal
    report = migration.repair()
    assert report.tables == {"public.things": RepairCounts(written=3, deleted=2)}
    assert report.ok
    assert migration.verify().equal


def test_only_what_the_report_names_is_touched(one: Migration) -> None:
    one.change(1, name={"S": "wrong"})
    one.verify()
    one.change(2, name={"S": "wrong too, but not in the report"})
    one.repair()
    one.verify()
    assert one.found() == {2: ("different", ["name"])}


def test_rows_are_mended_as_they_are_now_not_as_they_were_verified(one: Migration) -> None:
    one.delete(1)
    one.delete(2)
    one.verify()
    one.sql("UPDATE things SET name = 'newer' WHERE id = 1")
    one.sql("DELETE FROM things WHERE id = 2")
    one.repair()
    assert one.item(1)["name"] == {"S": "newer"}
    assert one.verify().equal


def test_an_equal_report_changes_nothing(one: Migration) -> None:
    one.verify()
    assert one.repair().as_json()["tables"] == {}


def test_more_deletions_than_allowed_stop_before_anything_is_written(one: Migration) -> None:
    one.change(300, name={"S": "wrong"})
    one.sql("DELETE FROM things WHERE id <= 101")
    one.verify()
    with pytest.raises(MassDeletion, match="more than 100 items"):
        one.repair()
    assert one.item(1)
    assert one.item(300)["name"] == {"S": "wrong"}
    assert one.repair(max_deletes=101).as_json()["tables"]["public.things"]["deleted"] == 101
    assert one.verify().equal


def test_as_many_deletions_as_allowed_are_made(one: Migration) -> None:
    one.sql("DELETE FROM things WHERE id <= 100")
    one.verify()
    assert one.repair().as_json()["tables"]["public.things"]["deleted"] == 100


def test_a_report_of_another_migration_is_refused(one: Migration) -> None:
    one.verify()
    summary = json.loads(one.report.with_suffix(".json").read_text())
    one.report.with_suffix(".json").write_text(json.dumps(summary | {"migration": "another"}))
    with pytest.raises(StageError, match="another"):
        one.repair()


def test_no_report_is_an_error_that_says_to_verify(one: Migration) -> None:
    with pytest.raises(StageError, match="pg2dynamo verify"):
        one.repair()


def test_an_altered_report_is_refused(one: Migration) -> None:
    one.delete(1)
    one.verify()
    one.report.write_text(one.report.read_text() * 2)
    with pytest.raises(StageError, match="altered"):
        one.repair()


@pytest.mark.parametrize(("command", "state"), [("copy", "complete"), ("copy", "failed"), ("repair", "complete")])
def test_a_report_older_than_what_was_written_since_is_refused(one: Migration, command: str, state: Any) -> None:
    one.verify()
    with recorded_run(one.journal, command) as run:
        run.end(state, {})
        one.journal.put_run(replace(run.record, ended_at="2999-01-01T00:00:00+00:00"))
    with pytest.raises(StageError, match=f"older than the last {command}"):
        one.repair()


def test_a_repair_that_was_cut_short_can_be_made_again(one: Migration) -> None:
    one.delete(1)
    one.verify()
    with recorded_run(one.journal, "repair") as run:
        run.end("incomplete", {})
        one.journal.put_run(replace(run.record, ended_at="2999-01-01T00:00:00+00:00"))
    assert one.repair().ok


def test_another_runner_is_not_disturbed(one: Migration) -> None:
    one.delete(1)
    one.verify()
    with one.journal.lease(request_timeout_seconds=1), pytest.raises(RunnerActive):
        one.repair()


def test_a_row_that_dynamodb_cannot_hold_goes_to_quarantine(one: Migration) -> None:
    one.sql("UPDATE things SET price = 1e200 WHERE id = 1")
    one.delete(2)
    one.verify()
    report = one.repair()
    assert report.tables == {"public.things": RepairCounts(written=1, quarantined=1)}
    assert not report.ok
    [row] = one.journal.quarantined("public.things")
    assert (row.key, row.attribute) == ({"id": "1"}, "price")


def test_a_mended_row_leaves_the_quarantine(one: Migration) -> None:
    one.journal.put_quarantined([QUARANTINED, replace(QUARANTINED, key={"id": "3"})])
    one.delete(2)
    assert one.verify().tables["public.things"].quarantined == 2
    one.repair()
    assert [row.key for row in one.journal.quarantined("public.things")] == [{"id": "3"}]


def test_after_an_item_was_put_that_copying_did_not_count_the_next_copy_looks_for_vanished_rows(one: Migration) -> None:
    one.journal.put_table(record(one))
    one.sql("INSERT INTO things (id, enabled) VALUES (100002, true)")
    one.verify()
    one.repair()
    assert one.journal.tables()["public.things"].state == "copying"


def test_mending_what_was_there_leaves_the_table_complete(one: Migration) -> None:
    one.journal.put_table(record(one))
    one.change(1, name={"S": "wrong"})
    one.verify()
    one.repair()
    assert one.journal.tables()["public.things"].state == "complete"


def test_a_report_of_a_table_that_the_plan_no_longer_has_is_refused(one: Migration) -> None:
    one.delete(1)
    one.verify()
    one.sql("CREATE TABLE others (id int PRIMARY KEY)")
    text = f"name: {one.plan.name}\ntables:\n  - {{from: others, to: {one.table}, key: {{hash: id}}}}\n"
    control = f"target: {{control_table: {one.plan.target.control_table}}}\n"
    one.plan = parse_plan(text + control, one.environ)
    with pytest.raises(StageError, match=r"public\.things"):
        one.repair()


def test_the_run_is_recorded(one: Migration) -> None:
    one.verify()
    one.repair()
    assert [(run.command, run.state) for run in one.journal.runs()] == [("verify", "complete"), ("repair", "complete")]
