"""Export from real servers: one snapshot, whole or not at all, and bad rows accounted for on both sides."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from pg2dynamo.errors import RunnerActive, SourceError, StageError
from pg2dynamo.migration.credentials import read_credentials
from pg2dynamo.migration.export import export
from pg2dynamo.migration.export_credentials import credential_lines, exported_credentials
from pg2dynamo.migration.export_files import prove, read_lines
from pg2dynamo.migration.import_ import import_export
from pg2dynamo.migration.source import open_source
from pg2dynamo.migration.verify_export import verify_export
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.model import Plan
from pg2dynamo.postgres.segments import plan_segments
from tests.conftest import Database

PLAN = """
name: {name}
source: {{dsn: env:DATABASE_URL}}
target: {{control_table: {name}-control}}
tables:
  - {{from: public.odd, to: {name}-odd, key: {{hash: id, range: part}}}}
  - {{from: public.nothing, to: {name}-nothing, key: {{hash: id}}}}
secrets:
  - from: public.keys
    name: {name}/{{owner}}/{{id}}
    ciphertext: data
    decrypt: {{format: plaintext}}
    newest_by: made
    fields: [made, weight, tags]
    plaintext: value
"""

ROWS = """
CREATE TABLE odd (id int, part text, amount numeric, words text[], PRIMARY KEY (id, part)) PARTITION BY RANGE (id);
CREATE TABLE odd_low PARTITION OF odd FOR VALUES FROM (0) TO (500);
CREATE TABLE odd_high PARTITION OF odd FOR VALUES FROM (500) TO (10000);
INSERT INTO odd SELECT n, 'p' || n, n / 7.0, ARRAY['a', NULL, n::text] FROM generate_series(0, 999) AS n;
INSERT INTO odd VALUES (1000, 'nan', 'NaN', NULL), (1001, '', 1, NULL), (1002, 'wide', 1, ARRAY[repeat('x', 410000)]);
CREATE TABLE nothing (id int PRIMARY KEY);
CREATE TABLE keys (id int PRIMARY KEY, owner text, data bytea, made timestamp, weight numeric, tags text[]);
INSERT INTO keys SELECT n, 'o' || n % 3, convert_to('{"secret": ' || n || '}', 'UTF8'),
    '2024-01-01'::timestamp + n * '1 s'::interval, n / 7.0, ARRAY['x', NULL] FROM generate_series(1, 12) AS n;
INSERT INTO keys VALUES (13, NULL, '\\x7b7d', now(), 1, NULL), (14, 'a', NULL, now(), 1, NULL),
    (15, 'a', '\\x7b7d', now(), 'NaN', NULL), (16, 'bad name', '\\x7b7d', NULL, NULL, '{}');
"""


@pytest.fixture
def filled(database: Database) -> Database:
    with database.connect() as connection:
        connection.execute(ROWS.encode())
    return database


NONE = dict.fromkeys(("rows", "items", "quarantined", "accepted", "skipped", "nulled"), 0)


def plan_of(name: str) -> Plan:
    return parse_plan(PLAN.format(name=name), {})


def environ_of(database: Database) -> dict[str, str]:
    return dict(os.environ) | {"DATABASE_URL": database.dsn}


def test_rows_that_no_item_can_hold_are_listed_with_key_and_reason(filled: Database, tmp_path: Path) -> None:
    report = export(plan_of("m"), environ_of(filled), tmp_path / "x", processes=0)
    assert report.tables["public.odd"] == NONE | {"rows": 1003, "items": 1000, "quarantined": 3}
    assert report.tables["public.nothing"] == NONE
    assert not report.ok
    table = prove(tmp_path / "x").tables[0]
    lines = b"\n".join(line for file in table.refused for line in read_lines(tmp_path / "x", file)).decode()
    assert [lines.count(f'"id":"{n}"') for n in (999, 1000, 1001, 1002)] == [0, 1, 1, 1]
    assert "xxx" not in lines


def test_credentials_come_back_as_they_were_read(filled: Database, tmp_path: Path) -> None:
    plan = plan_of("m")
    export(plan, environ_of(filled), tmp_path / "x", processes=0)
    exported = prove(tmp_path / "x").credentials[0]
    with open_source(plan, environ_of(filled)) as connection:
        read = [(g.name, r, g.fault) for g in read_credentials(connection, plan.secrets[0]) for r in g.rows]
    found = exported_credentials(tmp_path / "x", exported, plan.secrets[0])
    came_back = [(group.name, row, group.fault) for group in found for row in group.rows]
    assert [(name, row.key, row.ciphertext, row.fault, fault) for name, row, fault in came_back] == [
        (name, row.key, row.ciphertext, row.fault, fault) for name, row, fault in read
    ]
    assert [row.fields for _, row, _ in came_back if not row.fault] == [
        row.fields for _, row, _ in read if not row.fault
    ]
    assert exported.rows == len(read) == 16


def test_the_other_side_accounts_for_every_row(
    filled: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path
) -> None:
    plan = plan_of(unique)
    export(plan, environ_of(filled), tmp_path / "x", processes=0)
    report = import_export(plan, os.environ, tmp_path / "x")
    assert report.tables["public.odd"].as_json() == {
        "rows": 1003,
        "items": 1000,
        "quarantined": 3,
        "accepted": 0,
        "skipped": 0,
        "nulled": 0,
        "written": 1000,
        "deleted": 0,
    }
    assert (report.secrets.rows, report.secrets.current, report.secrets.refused) == (16, 12, 4)
    verified = verify_export(plan, os.environ, tmp_path / "x", processes=0, report=tmp_path / "r.jsonl")
    odd = verified.tables["public.odd"]
    assert (odd.compared, odd.missing, odd.different, odd.extra, odd.quarantined) == (1003, 3, 0, 0, 3)
    assert verified.tables["public.nothing"].equal
    assert verified.secrets is not None
    assert (verified.secrets.equal, verified.secrets.compared, verified.secrets.refused) == (True, 12, 4)


def test_all_of_an_export_is_one_snapshot(filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def meddle(*arguments: object) -> object:
        with filled.connect() as connection:
            connection.execute("DELETE FROM odd WHERE id < 100")
            connection.execute("DELETE FROM keys")
        return plan_segments(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("pg2dynamo.migration.export.plan_segments", meddle)
    report = export(plan_of("m"), environ_of(filled), tmp_path / "x", processes=0)
    assert report.tables["public.odd"]["rows"] == 1003
    assert report.credentials == {"public.keys": 16}


def test_a_credential_written_otherwise_than_the_other_path_reads_it_ends_the_export(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pg2dynamo.migration.export.credential_lines",
        lambda plan, group: (line.replace(b"2024-01-01", b"2024-01-02") for line in credential_lines(plan, group)),
    )
    with pytest.raises(SourceError, match="read twice under one snapshot and differ"):
        export(plan_of("m"), environ_of(filled), tmp_path / "x", processes=0)
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_is_there_is_replaced_only_when_asked(filled: Database, tmp_path: Path) -> None:
    target, environ = tmp_path / "x", environ_of(filled)
    export(plan_of("m"), environ, target, processes=0)
    first = prove(target).export_id
    with pytest.raises(StageError, match="holds an export already"):
        export(plan_of("m"), environ, target, processes=0)
    (target / "manifest.json").write_text("damaged")
    export(plan_of("m"), environ, target, processes=0, overwrite=True)
    assert prove(target).export_id != first
    assert list(tmp_path.iterdir()) == [target]


def test_a_directory_with_anything_else_in_it_is_never_replaced(filled: Database, tmp_path: Path) -> None:
    export(plan_of("m"), environ_of(filled), tmp_path / "x", processes=0)
    (tmp_path / "x" / "notes.txt").write_text("mine")
    with pytest.raises(StageError, match="no export of ours"):
        export(plan_of("m"), environ_of(filled), tmp_path / "x", processes=0, overwrite=True)
    assert (tmp_path / "x" / "notes.txt").read_text() == "mine"


def test_two_exports_into_one_directory_do_not_run_at_once(filled: Database, tmp_path: Path) -> None:
    partial = tmp_path / ".x.partial"
    partial.mkdir()
    held = os.open(partial, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(RunnerActive):
        export(plan_of("m"), environ_of(filled), tmp_path / "x", processes=0)
    os.close(held)
    export(plan_of("m"), environ_of(filled), tmp_path / "x", processes=0)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
