"""`pg2dynamo plan`: what would be made and run, and the items that the first rows become; nothing is written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import pytest
from rich.console import Console
from typer.testing import CliRunner

from pg2dynamo.cli.app import app
from pg2dynamo.cli.plan import show_shown_plan
from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.errors import PlanError
from pg2dynamo.migration import show_plan as use_case
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.migration.show_plan import ShownPlan, ShownTable, show_plan
from pg2dynamo.plan.json_schema import editor_schema
from pg2dynamo.plan.load import parse_plan
from tests.conftest import Database

SCHEMA = """
CREATE TABLE orders (id bigint PRIMARY KEY, day date, total numeric, note text, raw bytea, doc jsonb);
INSERT INTO orders VALUES
  (1, '2024-01-02', 12345678901234567890123456789012345678, E'a\\u009b31m', '\\x00ff', '{"a": [1.50, null, true]}'),
  (2, NULL, 'NaN', NULL, NULL, NULL), (3, '2024-01-03', 1, '', NULL, NULL), (4, NULL, 2, NULL, NULL, NULL);
CREATE TABLE lines (order_id bigint, number int, price int, PRIMARY KEY (order_id, number));
INSERT INTO lines VALUES (1, 1, 5), (1, 2, 6);
CREATE TABLE credentials (id bigint PRIMARY KEY, data bytea, at timestamp);
INSERT INTO credentials VALUES (1, 'hunter2', now());
"""

PLAN = """
name: shown
tables:
  - from: orders
    to: app
    key: {hash: pk, range: sk}
    indexes:
      - {name: by-day, hash: day}
      - {name: by-total, hash: pk, range: total, local: true}
    attributes: {pk: {template: "ORDER#{id}"}, sk: {template: "ORDER"}}
  - from: lines
    name: app-lines
    to: app
    key: {hash: pk, range: sk}
    where: price > 5
    attributes:
      pk: {template: "ORDER#{order_id}"}
      sk: {template: "LINE#{number:sort}"}
secrets:
  - from: credentials
    name: shown/{id}
    ciphertext: data
    decrypt: {format: plaintext}
    newest_by: at
    kms_key: alias/k
"""


@pytest.fixture
def source(any_database: Database) -> Database:
    with any_database.connect() as connection:
        connection.execute(SCHEMA.encode())
    return any_database


def shown(source: Database, text: str = PLAN, **options: Any) -> ShownPlan:
    # No AWS at all: the command must not need it.
    return show_plan(parse_plan(text, {}), {"DATABASE_URL": source.dsn}, **options)


def printed(report: ShownPlan) -> str:
    console = Console(record=True, soft_wrap=True, width=200, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    with console.file:
        show_shown_plan(report, console)
        return console.export_text()


def entry(report: ShownPlan, name: str) -> ShownTable:
    return next(table for table in report.tables if table.name == name)


def test_the_first_rows_are_shown_as_the_items_that_they_become_and_refused_ones_with_the_reason(
    source: Database,
) -> None:
    orders = entry(shown(source), "public.orders").as_json()
    assert orders["rows"][0] == {
        "item": {
            "id": {"N": "1"},
            "day": {"S": "2024-01-02"},
            "total": {"N": "12345678901234567890123456789012345678"},
            "note": {"S": "a\x9b31m"},
            "raw": {"B": "AP8="},
            "doc": {"M": {"a": {"L": [{"N": "1.5"}, {"NULL": True}, {"BOOL": True}]}}},
            "pk": {"S": "ORDER#1"},
            "sk": {"S": "ORDER"},
        }
    }
    assert orders["rows"][1]["key"] == {"id": "2"}
    assert "attribute total" in orders["rows"][1]["refused"]
    assert len(orders["rows"]) == 3


def test_a_row_that_the_plan_leaves_out_is_shown_as_skipped(source: Database) -> None:
    report = shown(source, PLAN.replace('sk: {template: "ORDER"}', 'sk: {template: "ORDER"}, total: {unfit: skip}'))
    assert list(entry(report, "public.orders").as_json()["rows"][1]) == ["skipped", "key"]
    assert "  skipped: the row id=2: attribute total: " in printed(report)


def test_only_rows_of_the_filter_are_shown(source: Database) -> None:
    [row] = entry(shown(source), "app-lines").as_json()["rows"]
    assert (row["item"]["pk"], row["item"]["price"]) == ({"S": "ORDER#1"}, {"N": "6"})


def test_what_is_printed_has_keys_indexes_call_statements_and_items(source: Database) -> None:
    text = printed(shown(source))
    for expected in (
        "public.orders → app\n  key: pk (S), sk (S)\n",
        "  global index by-day: day (S)\n  local index by-total: pk (S), total (N)\n",
        '"TableName": "app"',
        'COPY (SELECT "id", "day", "total", "note", "raw", "doc" FROM ONLY "public"."orders" AS "orders") TO STDOUT',
        "    total: 12345678901234567890123456789012345678\n",
        '    doc: {"a": [1.5, null, true]}\n',
        "    raw: base64 AP8=\n",
        "  refused: the row id=2: attribute total: ",
        "app-lines (from public.lines) → app\n",
        "public.credentials → secrets shown/{id}\n",
        "CreateSecret under the KMS key alias/k",
    ):
        assert expected in text
    assert "\x9b" not in text


def test_the_statements_are_those_that_the_server_takes(source: Database) -> None:
    with source.connect() as connection:
        for table in shown(source).tables:
            assert connection.execute(table.verify.encode()).fetchall()
            with connection.cursor().copy(table.copy.encode()) as copied:
                assert list(copied)


def test_the_call_is_the_one_that_prepare_makes(source: Database, any_aws_environ: dict[str, str], unique: str) -> None:
    environ = any_aws_environ | {"DATABASE_URL": source.dsn}
    plan = parse_plan(PLAN.partition("secrets:")[0].replace("to: app", f"to: {unique}"), {})
    report = show_plan(plan, environ)
    client = dynamodb_client(TargetSettings())
    client.create_table(**entry(report, "public.orders").request)
    assert all(line.outcome != "created" for line in prepare(plan, environ).lines if unique in line.subject)
    assert entry(report, "public.orders").request == entry(report, "app-lines").request


def test_entries_are_chosen_by_their_name_or_source_but_all_are_compiled(source: Database) -> None:
    for name, expected in (("app-lines", "app-lines"), ("orders", "public.orders"), ("public.lines", "app-lines")):
        report = shown(source, tables=[name])
        assert [table.name for table in report.tables] == [expected]
        assert len(report.tables[0].request["GlobalSecondaryIndexes"]) == 1
        assert report.secrets == ()
    with pytest.raises(PlanError, match=r"The plan has no table orers\. It has: public\.orders, app-lines"):
        shown(source, tables=["orers"])
    with pytest.raises(PlanError):
        shown(source, PLAN.replace("LINE#{number:sort}", "ORDER"), tables=["orders"])


def test_no_row_of_credentials_is_ever_read(source: Database) -> None:
    role = f"reader_{source.name}"
    with source.connect() as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'pw'".encode())
        connection.execute(f"GRANT SELECT ON orders, lines TO {role}".encode())
    dsn = psycopg.conninfo.make_conninfo(source.dsn, user=role, password="pw")
    try:
        report = show_plan(parse_plan(PLAN, {}), {"DATABASE_URL": dsn})
    finally:
        with source.connect() as connection:
            connection.execute(f"DROP OWNED BY {role}".encode())
            connection.execute(f"DROP ROLE {role}".encode())
    assert len(report.secrets) == 1
    assert "hunter2" not in json.dumps(report.as_json())


def test_no_row_is_read_when_none_is_asked_for(source: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> NoReturn:
        raise AssertionError

    monkeypatch.setattr(use_case, "first_rows", read)
    with pytest.raises(AssertionError):
        shown(source)
    assert all("rows" not in table for table in shown(source, rows=0).as_json()["tables"])


def test_a_row_that_sql_cannot_compute_is_told_without_hiding_the_rest(source: Database) -> None:
    broken = PLAN.replace('sk: {template: "ORDER"}', 'sk: {template: "ORDER"}, inverse: {sql: "1 / (id - 1)"}')
    orders = entry(shown(source, broken), "public.orders")
    assert orders.rows is None
    assert "a value of a row makes the SQL fail" in orders.unread
    assert "1 / (id - 1)" in orders.copy
    assert "rows cannot be shown: " in printed(shown(source, broken))


def test_what_dynamodb_cannot_have_is_said(source: Database) -> None:
    assert "DynamoDB cannot have this table: a b: " in printed(shown(source, PLAN.replace("to: app", "to: a b")))


def test_an_empty_table_is_shown_without_rows(source: Database) -> None:
    with source.connect() as connection:
        connection.execute("TRUNCATE orders")
    report = shown(source)
    assert entry(report, "public.orders").rows == ()
    assert "  no row\n" in printed(report)


def test_nothing_is_written_to_the_source(source: Database) -> None:
    with source.connect() as connection:
        query = b"SELECT txid_snapshot_xmax(txid_current_snapshot())"
        before = connection.execute(query).fetchone()
        shown(source)
        assert connection.execute(query).fetchone() == before


def test_the_command_prints_json_and_a_wrong_plan_is_told_with_file_and_line(
    source: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", source.dsn)
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    result = CliRunner().invoke(app, ["plan", "--plan", str(path), "--json", "--rows", "1", "--table", "orders"])
    assert result.exit_code == 0, result.output
    [table] = json.loads(result.stdout)["tables"]
    assert [list(row) for row in table["rows"]] == [["item"]]
    path.write_text(PLAN.replace("hash: day", "hash: dya"))
    result = CliRunner().invoke(app, ["plan", "--plan", str(path)])
    assert result.exit_code == 2
    assert f"PlanError: {path}:4: orders: the key attribute dya is no column" in result.stderr


def test_the_checklist_says_where_in_the_file_an_entry_that_does_not_fit_stands(
    source: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, any_aws_environ: dict[str, str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", source.dsn)
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.partition("secrets:")[0].replace("    where: price > 5\n", "    columns:\n      - prise\n"))
    lines = json.loads(CliRunner().invoke(app, ["check", "--plan", str(path), "--json"]).stdout)["lines"]
    [message] = [line["message"] for line in lines if line["level"] == "failed" and "prise" in line["message"]]
    assert message.startswith(f"{path}:15: app-lines (from lines): `columns` names prise")


def test_the_schema_is_printed_without_a_plan() -> None:
    result = CliRunner().invoke(app, ["plan", "--schema"])
    assert (result.exit_code, json.loads(result.stdout)) == (0, editor_schema())
