"""Copying rows: all of them, once, under one snapshot; again after whatever happened in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pg2dynamo.dynamodb.journal import QuarantinedRow
from pg2dynamo.errors import MassDeletion, RunnerActive, TargetMissing, TargetRejected, TargetShapeDiffers
from pg2dynamo.migration.copy import CopyOptions, copy
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.plan.load import parse_plan
from tests.case import Case, make_case
from tests.conftest import Database

PEOPLE, VISITS = 0, 1


@pytest.fixture
def case(any_database: Database, aws_environ: dict[str, str], unique: str) -> Case:
    """A filled source and a prepared target, on each DynamoDB."""
    return make_case(any_database, aws_environ, unique)


@pytest.fixture
def local_case(any_database: Database, any_aws_environ: dict[str, str], unique: str) -> Case:
    """A filled source and a prepared target, on one DynamoDB."""
    return make_case(any_database, any_aws_environ, unique)


def test_every_row_becomes_the_item_of_its_key(case: Case) -> None:
    report = case.copy()
    people, visits = case.items(PEOPLE), case.items(VISITS)
    assert {name: (c.rows, c.items, c.quarantined) for name, c in report.tables.items()} == {
        "public.people": (300, 300, 0),
        "public.visits": (200, 200, 0),
    }
    assert (len(people), len(visits)) == (300, 200)
    assert report.ok
    item = people["7"]
    assert item.pop("changed")["S"][10] == "T"
    assert item == {
        "id": {"N": "7"},
        "name": {"S": "name 7"},
        "town": {"S": "town 0"},
        "balance": {"N": "1.75"},
        "data": {"M": {"n": {"N": "7"}, "l": {"L": []}}},
    }
    assert "town" not in people["3"]
    assert visits["2/place 1"]["seen"] == {"S": "2026-01-01T00:00:01.000000Z"}


def test_rows_are_read_in_many_segments_by_several_processes(local_case: Case) -> None:
    report = local_case.copy(processes=2)
    assert len(local_case.journal().segments("public.people")) > 1
    assert report.tables["public.people"].written == 300
    assert len(local_case.items(PEOPLE)) == 300


def test_a_second_run_changes_nothing(case: Case) -> None:
    case.copy()
    before = case.items(PEOPLE)
    report = case.copy()
    assert report.resumed
    assert {c.written for c in report.tables.values()} == {0}
    assert {c.rows for c in report.tables.values()} == {300, 200}
    assert case.items(PEOPLE) == before


def test_a_later_run_writes_what_was_inserted_and_updated_and_deletes_what_is_gone(case: Case) -> None:
    case.copy()
    case.execute("UPDATE people SET name = 'renamed', town = NULL WHERE id = 5")
    case.execute("INSERT INTO people (id, name) VALUES (1001, 'new')")
    case.execute("DELETE FROM people WHERE id IN (9, 10)")
    report = case.copy()
    people = case.items(PEOPLE)
    counts = report.tables["public.people"]
    assert (counts.rows, counts.written, counts.deleted) == (299, 2, 2)
    assert people["5"]["name"] == {"S": "renamed"}
    assert "town" not in people["5"]
    assert people["1001"]["name"] == {"S": "new"}
    assert not {"9", "10"} & people.keys()
    assert len(people) == 299


def test_a_key_that_changed_leaves_no_item_behind(local_case: Case) -> None:
    local_case.copy()
    local_case.execute("UPDATE people SET id = 5000 WHERE id = 5")
    local_case.execute(
        "BEGIN; UPDATE people SET id = -1 WHERE id = 6; UPDATE people SET id = 6 WHERE id = 7; "
        "UPDATE people SET id = 7 WHERE id = -1; COMMIT"
    )
    local_case.copy()
    people = local_case.items(PEOPLE)
    assert "5" not in people
    assert [people[k]["name"]["S"] for k in ("5000", "6", "7")] == ["name 5", "name 7", "name 6"]
    assert len(people) == 300


def test_rows_inserted_by_a_transaction_that_was_open_during_the_first_run_are_not_lost(local_case: Case) -> None:
    with local_case.database.connect() as early:
        early.execute("BEGIN")
        early.execute("INSERT INTO people (id, name) VALUES (2001, 'early')")
        local_case.execute("INSERT INTO people (id, name) VALUES (2002, 'later, committed first')")
        local_case.copy()
        early.execute("COMMIT")
    local_case.copy()
    assert {"2001", "2002"} <= local_case.items(PEOPLE).keys()


@pytest.mark.parametrize(
    "rewrite",
    [
        "VACUUM FULL people",
        "CLUSTER people USING people_pkey",
        "ALTER TABLE people ALTER COLUMN balance TYPE numeric(20,4)",
    ],
)
def test_a_table_rewritten_between_two_runs_is_copied_anew(local_case: Case, rewrite: str) -> None:
    local_case.copy()
    local_case.execute("DELETE FROM people WHERE id <= 20")
    local_case.execute(rewrite)
    local_case.copy()
    assert local_case.items(PEOPLE).keys() == {str(n) for n in range(21, 301)}


def test_a_truncated_table_is_taken_for_mass_deletion_until_that_is_allowed(local_case: Case) -> None:
    local_case.copy()
    local_case.execute("TRUNCATE people; INSERT INTO people (id, name) VALUES (1, 'one')")
    with pytest.raises(MassDeletion, match="more than 100 items"):
        local_case.copy()
    assert len(local_case.items(PEOPLE)) == 300
    local_case.copy(max_deletes=299)
    assert local_case.items(PEOPLE).keys() == {"1"}


def test_one_deletion_more_than_allowed_deletes_nothing(local_case: Case) -> None:
    local_case.copy()
    local_case.execute("DELETE FROM people WHERE id <= 8")
    with pytest.raises(MassDeletion):
        local_case.copy(max_deletes=7)
    assert len(local_case.items(PEOPLE)) == 300
    assert local_case.copy(max_deletes=8).tables["public.people"].deleted == 8


def test_items_of_rows_that_went_while_a_run_was_cut_short_are_deleted_by_the_next(local_case: Case) -> None:
    """The first run wrote a segment and died before it was journaled; its row is gone when the next one reads."""
    local_case.copy()
    journal = local_case.journal()
    record = journal.tables()["public.people"]
    journal.put_table(replace(record, state="copying"))
    journal.clear_segments("public.people")
    local_case.execute("DELETE FROM people WHERE id = 77")
    assert local_case.copy().tables["public.people"].deleted == 1
    assert "77" not in local_case.items(PEOPLE)


def test_an_item_that_cannot_be_of_this_migration_is_left_to_verification(local_case: Case) -> None:
    """Only what has the form of a row's key can be a vanished row."""
    local_case.execute("CREATE TABLE things (id uuid PRIMARY KEY); INSERT INTO things VALUES (gen_random_uuid())")
    name = local_case.plan.name
    text = f"""
name: {name}-things
target: {{control_table: {local_case.plan.target.control_table}}}
tables: [{{from: things, to: {name}-things, key: {{hash: id}}}}]
"""
    things = replace(local_case, plan=parse_plan(text, local_case.environ), plan_text=text)
    prepare(things.plan, things.environ)
    things.copy()
    things.journal().client.put_item(TableName=f"{name}-things", Item={"id": {"S": "not a uuid"}})
    things.execute("DELETE FROM things")
    assert things.copy().tables["public.things"].deleted == 1
    assert things.items(0).keys() == {"not a uuid"}


def test_rows_that_dynamodb_cannot_hold_go_to_quarantine_and_are_retried_alone_when_mended(case: Case) -> None:
    case.execute(
        "INSERT INTO people (id, name, town, data) VALUES (902, 'b', '', NULL),"
        " (901, 'a', NULL, to_jsonb(repeat('x', 410000)))"
    )
    case.execute("INSERT INTO people (id, name, balance) VALUES (903, 'c', 1e200)")
    case.execute("INSERT INTO visits VALUES (1, '', now())")
    report = case.copy()
    assert not report.ok
    assert report.tables["public.people"].quarantined == 3
    assert report.tables["public.visits"].quarantined == 1
    rows = {(r.table, r.key.get("id") or r.key["person"]): r for r in case.journal().quarantined()}
    assert set(rows) == {
        ("public.people", "901"),
        ("public.people", "902"),
        ("public.people", "903"),
        ("public.visits", "1"),
    }
    assert rows["public.people", "902"].attribute == "town"
    assert "409,600" in rows["public.people", "901"].reason
    assert len(case.items(PEOPLE)) == 300

    assert not case.copy().ok
    case.execute("UPDATE people SET town = 'somewhere' WHERE id = 902; DELETE FROM people WHERE id = 903")
    case.execute("UPDATE people SET data = NULL WHERE id = 901; DELETE FROM visits WHERE place = ''")
    report = case.copy()
    assert report.ok
    assert report.tables["public.people"].written >= 2
    assert not list(case.journal().quarantined())
    assert {"901", "902"} <= case.items(PEOPLE).keys()


def test_a_row_whose_key_was_too_long_to_keep_leaves_the_quarantine_when_the_whole_table_is_read(
    local_case: Case,
) -> None:
    local_case.copy()
    row = QuarantinedRow("public.people", {"id": "9" * 300_001}, "id", "a key of more than 2,048 bytes", "earlier")
    local_case.journal().put_quarantined([row])
    report = local_case.copy()
    assert report.tables["public.people"].written == 300
    assert report.ok
    assert local_case.copy().tables["public.people"].written == 0


def test_a_whole_table_that_is_read_again_for_such_a_row_leaves_no_item_of_a_row_that_went(local_case: Case) -> None:
    local_case.copy()
    row = QuarantinedRow("public.people", {"id": "9" * 300_001}, "id", "a key of more than 2,048 bytes", "earlier")
    local_case.journal().put_quarantined([row])
    local_case.execute("DELETE FROM people WHERE id = 77; UPDATE people SET id = 5000 WHERE id = 5")
    assert local_case.copy().tables["public.people"].deleted == 2
    assert not {"77", "5"} & local_case.items(PEOPLE).keys()


def test_a_row_that_an_import_knew_only_by_its_items_key_leaves_the_quarantine_with_its_whole_table(
    local_case: Case,
) -> None:
    local_case.copy()
    row = QuarantinedRow("public.people", {"another key": "7"}, "", "rejected", "an export's")
    local_case.journal().put_quarantined([row])
    assert local_case.copy().ok
    assert not list(local_case.journal().quarantined())


def test_a_plan_that_now_fits_takes_the_rows_out_of_quarantine(local_case: Case) -> None:
    local_case.execute("INSERT INTO people (id, name, balance) VALUES (903, 'c', 1e200)")
    assert local_case.copy().quarantined == 1
    text = local_case.plan_text.replace(
        "indexes:", 'attributes:\n      balance: {sql: "balance::text", back: "balance::numeric"}\n    indexes:'
    )
    mended = replace(local_case, plan=parse_plan(text, local_case.environ))
    assert mended.copy().ok
    assert mended.items(PEOPLE)["903"]["balance"]["S"].startswith("1000")
    assert mended.items(PEOPLE)["8"]["balance"]["S"].startswith("2.0")


def test_a_first_copy_into_a_table_that_holds_items_is_refused(local_case: Case) -> None:
    local_case.copy()
    other = parse_plan(local_case.plan_text.replace("name: t", "name: other-t", 1), local_case.environ)
    with pytest.raises(TargetRejected, match="holds items"):
        copy(other, local_case.environ, CopyOptions(processes=0))
    report = copy(other, local_case.environ, CopyOptions(processes=0, overwrite=True))
    assert report.tables["public.people"].written == 300


def test_a_target_that_was_deleted_and_made_anew_is_filled_anew(local_case: Case) -> None:
    local_case.copy()
    journal = local_case.journal()
    name = local_case.plan.tables[PEOPLE].to
    journal.client.update_table(TableName=name, DeletionProtectionEnabled=False)
    journal.client.delete_table(TableName=name)
    journal.client.get_waiter("table_not_exists").wait(TableName=name)
    with pytest.raises(TargetMissing, match="prepare"):
        local_case.copy()
    prepare(local_case.plan, local_case.environ)
    assert local_case.copy().tables["public.people"].written == 300
    assert len(local_case.items(PEOPLE)) == 300


def test_a_target_of_another_shape_is_refused_before_anything_is_written(local_case: Case) -> None:
    text = local_case.plan_text.replace("hash: town, range: name", "hash: name")
    wrong = replace(local_case, plan=parse_plan(text, local_case.environ))
    with pytest.raises(TargetShapeDiffers, match="town-index"):
        wrong.copy()
    assert not local_case.items(VISITS)


def test_a_second_runner_is_refused_while_one_works(local_case: Case) -> None:
    with local_case.journal().lease(request_timeout_seconds=1), pytest.raises(RunnerActive):
        local_case.copy()
    assert local_case.copy().ok


def test_without_prepare_copy_says_what_to_do(
    any_database: Database, any_aws_environ: dict[str, str], unique: str
) -> None:
    plan = parse_plan(f"name: {unique}\ntarget: {{control_table: {unique}}}\n", {})
    environ = any_aws_environ | {"DATABASE_URL": any_database.dsn}
    with pytest.raises(TargetMissing, match="pg2dynamo prepare"):
        copy(plan, environ)


def test_all_tables_are_read_in_one_state_while_a_writer_keeps_them_equal(local_case: Case) -> None:
    """Each transaction writes to both tables; a copy that read them at two moments would see different sums."""
    local_case.execute("CREATE TABLE left_side (id int PRIMARY KEY); CREATE TABLE right_side (id int PRIMARY KEY)")
    text = f"""
name: {local_case.plan.name}-pair
target: {{control_table: {local_case.plan.target.control_table}}}
tables:
  - {{from: left_side, to: {local_case.plan.name}-left, key: {{hash: id}}}}
  - {{from: right_side, to: {local_case.plan.name}-right, key: {{hash: id}}}}
"""
    pair = replace(local_case, plan=parse_plan(text, local_case.environ), plan_text=text)
    prepare(pair.plan, pair.environ)
    with _writer(pair.database):
        for _ in range(3):
            pair.copy(max_deletes=10**6)
            left, right = pair.items(0), pair.items(1)
            assert left.keys() == right.keys()
            assert left


def _writer(database: Database) -> _PairWriter:
    return _PairWriter(database)


class _PairWriter:
    """Inserts and deletes the same ids in two tables until its context ends."""

    def __init__(self, database: Database) -> None:
        import threading

        self._database = database
        self._stop = threading.Event()
        self._wrote = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> _PairWriter:
        self._thread.start()
        assert self._wrote.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        with self._database.connect() as connection:
            for n in self._numbers():
                with connection.transaction():
                    connection.execute("INSERT INTO left_side VALUES (%s)", (n,))
                    connection.execute("DELETE FROM right_side WHERE id = %s", (n - 50,))
                    connection.execute("INSERT INTO right_side VALUES (%s)", (n,))
                    connection.execute("DELETE FROM left_side WHERE id = %s", (n - 50,))
                self._wrote.set()

    def _numbers(self) -> Iterator[int]:
        n = 0
        while not self._stop.is_set():
            yield n
            n += 1
