"""`pg2dynamo init` on the command line: of what, in which design, and into which file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pg2dynamo.cli.app import app
from pg2dynamo.plan.load import parse_plan
from tests.conftest import Database
from tests.integration.reading import run

TABLES = (
    "CREATE SCHEMA sales",
    "CREATE TABLE sales.orders (id int, day date, PRIMARY KEY (id, day)) PARTITION BY LIST (day)",
    "CREATE TABLE sales.orders_rest PARTITION OF sales.orders DEFAULT",
    "CREATE TABLE users (id int PRIMARY KEY)",
    "CREATE TABLE teams (id int PRIMARY KEY, leader int NOT NULL REFERENCES users)",
)


@pytest.fixture
def source(any_database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database of two schemas and a partition."""
    run(any_database, *TABLES)
    monkeypatch.setenv("DATABASE_URL", any_database.dsn)
    return any_database


def init(*options: str) -> Result:
    return CliRunner().invoke(app, ["init", *options])


def sources(*options: str) -> list[str]:
    result = init(*options)
    assert result.exit_code == 0, result.output
    return [table.from_ for table in parse_plan(result.stdout, {}).tables]


@pytest.mark.parametrize(
    ("options", "tables"),
    [
        ((), ["public.teams", "public.users", "sales.orders"]),
        (("--schema", "sales"), ["sales.orders"]),
        (("--schema", "sales", "--schema", "public"), ["public.teams", "public.users", "sales.orders"]),
        (("--table", "users"), ["public.users"]),
        (("--table", "sales.orders_rest", "--table", "public.teams"), ["public.teams", "sales.orders_rest"]),
        (("--schema", "sales", "--table", "users"), ["public.users", "sales.orders"]),
    ],
    ids=["all", "a schema", "two schemas", "a table", "a partition and a table", "both"],
)
def test_a_plan_is_of_everything_or_of_the_schemas_and_tables_that_are_named(
    source: Database, options: tuple[str, ...], tables: list[str]
) -> None:
    assert sources(*options) == tables


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--schema", "sale"), "no tables in a schema sale; did you mean sales"),
        (("--table", "sales.order"), "no table sales.order; did you mean sales.orders"),
        (("--table", "a.b.c"), "a.b.c is not a table name"),
    ],
    ids=["schema", "table", "no name"],
)
def test_a_name_that_is_not_there_is_an_error_with_the_nearest_one(
    source: Database, options: tuple[str, ...], words: str
) -> None:
    result = init(*options)
    assert result.exit_code == 2
    assert words in result.stderr


def test_one_table_for_all_is_proposed_when_asked_for(source: Database) -> None:
    plan = parse_plan(init("--design", "single-table").stdout, {})
    assert len({table.to for table in plan.tables}) == 1
    assert {table.key.hash for table in plan.tables} == {"pk"}


def test_a_file_that_is_there_is_not_written_over_unless_that_is_said(source: Database, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    first = init("--output", str(path))
    assert (first.exit_code, first.stdout) == (0, "")
    assert f"pg2dynamo check --plan {path}" in first.stderr
    written = path.read_text()
    assert written == init().stdout
    path.write_text("mine")
    refused = init("--output", str(path))
    assert refused.exit_code == 2
    assert "exists, and was not written" in refused.stderr
    assert path.read_text() == "mine"
    assert init("--output", str(path), "--force").exit_code == 0
    assert path.read_text() == written


def test_a_file_that_cannot_be_written_is_an_error_that_says_so(source: Database, tmp_path: Path) -> None:
    result = init("--output", str(tmp_path / "none" / "plan.yaml"))
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_the_plan_is_in_the_json_object_when_json_is_asked_for(source: Database, tmp_path: Path) -> None:
    assert json.loads(init("--json").stdout)["plan"] == init().stdout
    path = tmp_path / "plan.yaml"
    answer = json.loads(init("--json", "--output", str(path)).stdout)
    assert answer == {"plan": path.read_text(), "output": str(path)}


def test_the_help_names_every_option() -> None:
    text = re.sub(r"\x1b\[[0-9;]*m", "", init("--help").stdout)
    for option in ("--dsn", "--schema", "--table", "--design", "--output", "--force", "--json"):
        assert option in text
