"""One source table in several entries of a plan: a row becomes several items, kept unique by their keys."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from pg2dynamo.errors import MassDeletion, PlanError
from pg2dynamo.migration.check import Level, check
from pg2dynamo.migration.copy import CopyOptions, copy
from pg2dynamo.migration.export import export
from pg2dynamo.migration.import_ import ImportOptions, import_export
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.migration.progress import Silent
from pg2dynamo.migration.repair import repair
from pg2dynamo.migration.status import status
from pg2dynamo.migration.verify import verify
from pg2dynamo.migration.verify_export import verify_export
from pg2dynamo.migration.verify_report import VerifyReport
from pg2dynamo.plan.load import parse_plan
from tests.case import Case
from tests.conftest import Database

TENANTS, NAMES, KINDS = 0, 1, 2
SOURCE, BY_NAME, BY_KIND = "public.tenants", "tenant-names", "tenant-kinds"
# What repair counts beside these, none of which a lookup has.
UNTOUCHED = {"quarantined": 0, "accepted": 0, "skipped": 0}
ROWS = 100
EVERY_ROW = dict.fromkeys((SOURCE, BY_NAME, BY_KIND), ROWS)

SCHEMA = """
CREATE TABLE tenants (
  id text PRIMARY KEY, name text NOT NULL UNIQUE, owner int NOT NULL, kind text NOT NULL, note text,
  UNIQUE (owner, kind)
);
"""
FILL = f"""
INSERT INTO tenants SELECT 't' || n, 'name ' || n, n / 4, 'kind ' || n % 4, repeat('x', 400)
  FROM generate_series(1, {ROWS}) n
"""
PLAN = """
name: {unique}
source: {{dsn: env:DATABASE_URL}}
target: {{control_table: {unique}-control, request_timeout_seconds: 1}}
tables:
  - from: public.tenants
    to: {unique}-tenants
    key: {{hash: id}}
"""
LOOKUPS = """
  - name: tenant-names
    from: public.tenants
    to: {unique}-tenant-names
    key: {{hash: name}}
    columns: [name, id]
  - name: tenant-kinds
    from: public.tenants
    to: {unique}-tenant-kinds
    key: {{hash: owner, range: kind}}
    columns: [owner, kind]
    attributes: {{label: {{sql: "upper(name)"}}}}
"""


@dataclass(frozen=True)
class Lookups(Case):
    """The tenants, with one entry of all columns and two lookups."""

    report: Path

    def verify(self, **options: Any) -> VerifyReport:
        """Verify in this process."""
        return verify(self.plan, self.environ, processes=0, report=self.report, **options)

    def found(self) -> set[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
        """Return entry, kind, key and attributes of each difference of the report."""
        lines = [orjson.loads(line) for line in self.report.read_bytes().splitlines()]
        return {(n["table"], n["kind"], tuple(n["key"].values()), tuple(n["attributes"])) for n in lines}

    def put(self, number: int, item: dict[str, Any]) -> None:
        """Put an item behind the migration's back."""
        self.journal().client.put_item(TableName=self.plan.tables[number].to, Item=item)


def make(database: Database, aws_environ: dict[str, str], unique: str, folder: Path) -> Lookups:
    with database.connect() as connection:
        connection.execute(SCHEMA.encode())
        connection.execute(FILL.encode())
    text = (PLAN + LOOKUPS).format(unique=unique)
    environ = aws_environ | {"DATABASE_URL": database.dsn, "PATH": os.environ["PATH"]}
    case = Lookups(database, parse_plan(text, environ), text, environ, folder / "report.jsonl")
    prepare(case.plan, environ)
    return case


@pytest.fixture
def case(any_database: Database, aws_environ: dict[str, str], unique: str, tmp_path: Path) -> Lookups:
    """A filled source and a prepared target, on each DynamoDB."""
    return make(any_database, aws_environ, unique, tmp_path)


@pytest.fixture
def local(any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path) -> Lookups:
    """The same on one DynamoDB."""
    return make(any_database, any_aws_environ, unique, tmp_path)


def change_keys(case: Lookups) -> None:
    """Rename, exchange names, hand one over, delete, insert, and change a primary key."""
    case.execute("UPDATE tenants SET name = 'renamed' WHERE id = 't1'")
    case.execute(
        "BEGIN; UPDATE tenants SET name = '-' WHERE id = 't2'; UPDATE tenants SET name = 'name 2' WHERE id = 't3'; "
        "UPDATE tenants SET name = 'name 3' WHERE id = 't2'; COMMIT"
    )
    case.execute("UPDATE tenants SET name = 'gave it up' WHERE id = 't90'")
    case.execute("UPDATE tenants SET name = 'name 90' WHERE id = 't5'")
    case.execute("DELETE FROM tenants WHERE id = 't6'; UPDATE tenants SET kind = 'kind 9' WHERE id = 't7'")
    case.execute("INSERT INTO tenants VALUES ('t1000', 'name 6', 1000, 'kind 1')")
    case.execute("UPDATE tenants SET id = 't2000' WHERE id = 't8'")


def expect_changed(case: Lookups) -> None:
    tenants, names, kinds = case.items(TENANTS), case.items(NAMES), case.items(KINDS)
    assert len(tenants) == len(names) == len(kinds) == ROWS
    assert {text: item["id"]["S"] for text, item in names.items()} == {
        item["name"]["S"]: text for text, item in tenants.items()
    }
    holders = {"renamed": "t1", "name 3": "t2", "name 2": "t3", "gave it up": "t90", "name 90": "t5"}
    assert {text: names[text]["id"]["S"] for text in holders} == holders
    assert (names["name 6"]["id"]["S"], names["name 8"]["id"]["S"]) == ("t1000", "t2000")
    assert not {"name 1", "name 5"} & names.keys()
    assert not {"t6", "t8"} & tenants.keys()
    assert {"1/kind 9", "1000/kind 1"} <= kinds.keys()
    assert not {"1/kind 2", "1/kind 3"} & kinds.keys()


def test_a_row_becomes_an_item_of_each_entry_with_exactly_its_attributes(case: Lookups) -> None:
    report = case.copy()
    assert {name: counts.items for name, counts in report.tables.items()} == EVERY_ROW
    assert case.items(NAMES)["name 7"] == {"name": {"S": "name 7"}, "id": {"S": "t7"}}
    assert case.items(KINDS)["1/kind 3"] == {"owner": {"N": "1"}, "kind": {"S": "kind 3"}, "label": {"S": "NAME 7"}}
    assert case.items(TENANTS)["t7"].keys() == {"id", "name", "owner", "kind", "note"}
    verified = case.verify()
    assert verified.equal
    assert {name: found.compared for name, found in verified.tables.items()} == EVERY_ROW


def test_a_key_that_changed_hands_ends_with_the_row_that_has_it_and_one_that_went_leaves_no_item(case: Lookups) -> None:
    case.copy()
    change_keys(case)
    assert not case.verify().equal
    counts = case.copy().tables
    assert [counts[name].deleted for name in (SOURCE, BY_NAME, BY_KIND)] == [2, 2, 2]
    expect_changed(case)
    assert case.verify().equal
    assert {counts.written + counts.deleted for counts in case.copy().tables.values()} == {0}


@pytest.mark.parametrize(("change", "deleted"), [("name = 'renamed'", [0, 1, 0]), ("id = 't1000'", [1, 0, 0])])
def test_a_key_that_changed_in_a_segment_that_counts_as_many_rows_as_before_leaves_no_item(
    local: Lookups, change: str, deleted: list[int]
) -> None:
    whole = {"blocks_per_segment": 1024}
    local.copy(**whole)
    local.execute(f"UPDATE tenants SET {change} WHERE id = 't1'")
    counts = local.copy(**whole).tables
    assert [counts[name].deleted for name in (SOURCE, BY_NAME, BY_KIND)] == deleted
    assert local.verify().equal


@pytest.mark.parametrize("point", ["copy.segment.journaled:2", "copy.table.reconciled:2"])
def test_a_copy_that_was_killed_before_keys_changed_is_finished_right(
    local: Lookups, tmp_path: Path, point: str
) -> None:
    if point.startswith("copy.table"):
        local.copy()
        change_keys(local)
    (tmp_path / "plan.yaml").write_text(local.plan_text)
    command = [sys.executable, "-m", "pg2dynamo", "copy", "--plan", "plan.yaml", "--processes", "0"]
    environ = local.environ | {"PG2DYNAMO_KILL_AT": point}
    assert subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True).returncode == -signal.SIGKILL
    if point.startswith("copy.segment"):
        change_keys(local)
    local.copy()
    expect_changed(local)
    assert local.verify().equal


class Phases(Silent):
    """Remembers what was begun."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, str]] = []

    def start(self, phase: str, table: str, rows: int | None) -> None:
        self.begun.append((phase, table))


def test_rows_that_were_only_inserted_cost_no_look_at_the_target(local: Lookups) -> None:
    local.copy()
    local.execute("INSERT INTO tenants VALUES ('t1000', 'name 1000', 1000, 'kind 1')")
    phases = Phases()
    options = CopyOptions(processes=0, blocks_per_segment=2)
    assert copy(local.plan, local.environ, options, phases).tables[BY_NAME].written == 1
    assert phases.begun == [("copy", name) for name in (SOURCE, BY_NAME, BY_KIND)]


def test_more_changed_keys_than_allowed_delete_nothing(local: Lookups) -> None:
    local.copy()
    local.execute("UPDATE tenants SET name = 'new ' || name WHERE owner < 2")
    with pytest.raises(MassDeletion, match=f"{BY_NAME}: more than 6 items"):
        local.copy(max_deletes=6)
    assert "name 1" in local.items(NAMES)
    assert local.copy(max_deletes=7).tables[BY_NAME].deleted == 7
    assert local.verify().equal


def test_a_wrong_an_extra_and_a_missing_item_of_a_lookup_are_found_under_its_name_and_mended(case: Lookups) -> None:
    case.copy()
    case.put(NAMES, {"name": {"S": "name 1"}, "id": {"S": "t2"}})
    case.put(NAMES, {"name": {"S": "name 2"}, "id": {"S": "t2"}, "note": {"S": "left out of this entry"}})
    case.put(NAMES, {"name": {"S": "nobody's"}, "id": {"S": "t2"}})
    case.delete_item(KINDS, {"owner": {"N": "1"}, "kind": {"S": "kind 3"}})
    case.delete_item(TENANTS, {"id": {"S": "t4"}})
    assert not case.verify().equal
    assert case.found() == {
        (BY_NAME, "different", ("name 1",), ("id",)),
        (BY_NAME, "different", ("name 2",), ("note",)),
        (BY_NAME, "extra", ("nobody's",), ()),
        (BY_KIND, "missing", ("1", "kind 3"), ()),
        (SOURCE, "missing", ("t4",), ()),
    }
    mended = repair(case.plan, case.environ, report=case.report).as_json()["tables"]
    assert mended == {
        SOURCE: {"written": 1, "deleted": 0} | UNTOUCHED,
        BY_NAME: {"written": 2, "deleted": 1} | UNTOUCHED,
        BY_KIND: {"written": 1, "deleted": 0} | UNTOUCHED,
    }
    assert case.verify().equal


def test_keys_that_changed_since_the_copy_are_mended_by_repair_alone(local: Lookups) -> None:
    local.copy()
    change_keys(local)
    local.verify()
    repair(local.plan, local.environ, report=local.report)
    expect_changed(local)
    assert local.verify().equal


def test_an_entry_is_verified_alone_by_its_name_and_all_of_a_source_by_that(local: Lookups) -> None:
    local.copy()
    assert list(local.verify(tables=[BY_NAME]).tables) == [BY_NAME]
    assert list(local.verify(tables=["tenants"]).tables) == [SOURCE, BY_NAME, BY_KIND]
    with pytest.raises(PlanError, match=r"no table a\.b\.c"):
        local.verify(tables=["a.b.c"])


def test_a_row_is_in_the_quarantine_of_the_entry_that_cannot_hold_it_alone(local: Lookups) -> None:
    local.execute("UPDATE tenants SET name = '' WHERE id = 't1'")
    report = local.copy()
    assert [report.tables[name].quarantined for name in (SOURCE, BY_NAME, BY_KIND)] == [0, 1, 0]
    [row] = local.journal().quarantined()
    assert (row.table, row.key, row.attribute) == (BY_NAME, {"id": "t1"}, "name")
    told = status(local.plan, local.environ).as_json()["tables"]
    assert [(name, entry["source"], entry["items"]) for name, entry in told.items()] == [
        (SOURCE, SOURCE, ROWS),
        (BY_NAME, SOURCE, ROWS - 1),
        (BY_KIND, SOURCE, ROWS),
    ]
    local.execute("UPDATE tenants SET name = 'mended' WHERE id = 't1'")
    assert local.copy().ok
    assert local.items(NAMES)["mended"]["id"] == {"S": "t1"}


def test_an_export_with_lookups_is_imported_and_verified_and_a_later_one_replaces_it(
    local: Lookups, tmp_path: Path
) -> None:
    there, environ = tmp_path / "export", local.environ
    for changed in (False, True):
        if changed:
            change_keys(local)
        export(local.plan, environ, there, processes=0, overwrite=True)
        assert {path.name for path in (there / "tables").iterdir()} == {SOURCE, BY_NAME, BY_KIND}
        import_export(local.plan, environ, there, ImportOptions(processes=0))
        verified = verify_export(local.plan, environ, there, processes=0, report=local.report)
        assert verified.equal
        assert {name: counts.compared for name, counts in verified.tables.items()} == EVERY_ROW
    expect_changed(local)


def test_columns_that_no_entry_gives_back_are_a_warning_and_none_beside_an_entry_of_all(local: Lookups) -> None:
    assert check(local.plan, local.environ).count(Level.WARNING) == 0
    alone = local.plan.model_copy(update={"tables": local.plan.tables[NAMES:]})
    lines = [line for line in check(alone, local.environ).lines if line.level is Level.WARNING]
    assert [(line.subject, line.message.partition(":")[0]) for line in lines] == [
        (f"table {BY_NAME}", "owner, kind, note cannot be restored"),
        (f"table {BY_KIND}", "id, name, note cannot be restored"),
    ]


def test_rows_that_the_key_of_one_entry_cannot_hold_are_counted_for_that_entry(local: Lookups) -> None:
    local.execute("UPDATE tenants SET name = '' WHERE id = 't1'")
    lines = [line for line in check(local.plan, local.environ).lines if line.level is Level.WARNING]
    assert [line.subject for line in lines] == [f"table {BY_NAME}"]
    assert "1 rows would go to quarantine" in lines[0].message
