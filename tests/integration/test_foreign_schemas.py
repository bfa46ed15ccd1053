"""`init` on databases that nobody knew of: what it writes passes `check`, and what is copied by it verifies equal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pg2dynamo.migration.check import check
from pg2dynamo.migration.check_source import check_source
from pg2dynamo.migration.copy import CopyOptions, copy
from pg2dynamo.migration.init import InitOptions, infer_plan
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.migration.source import open_source
from pg2dynamo.migration.verify import verify
from pg2dynamo.plan.check import Level
from pg2dynamo.plan.infer import Design
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.model import Plan
from pg2dynamo.secret import Secret
from tests.conftest import Database
from tests.integration.foreign_schemas import PARTITIONS, SHOP, TYPES, large, many

LEFT_OUT = {
    "shop": {"public.log_lines", "public.open_orders", "public.sales"},
    "partitions": set[str](),
    "types": {"public.keys_document"},
}
SCHEMAS = {"shop": SHOP, "partitions": PARTITIONS, "types": TYPES}
DESIGNS: Sequence[Design] = ("tables", "single-table")


def inferred(database: Database, unique: str, design: Design = "tables") -> tuple[Plan, str]:
    """Infer a plan, with names of the test's own, and nothing else changed."""
    text = infer_plan(Secret(database.dsn), InitOptions(design=design))
    text = re.sub(r"(?m)^source: .*$", f"\\g<0>\ntarget: {{control_table: {unique}-control}}", text)
    return parse_plan(text.replace(database.name.replace("_", "-"), unique), {"DATABASE_URL": database.dsn}), text


def make(database: Database, ddl: str) -> None:
    with database.connect() as connection:
        connection.execute(ddl.encode())


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("schema", SCHEMAS)
def test_what_init_writes_copies_and_verifies_without_an_edit(
    any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path, schema: str, design: Design
) -> None:
    make(any_database, SCHEMAS[schema])
    plan, text = inferred(any_database, unique, design)
    environ = any_aws_environ | {"DATABASE_URL": any_database.dsn}
    left_out = set(re.findall(r"# (\S+) is left out", text))
    assert left_out == LEFT_OUT[schema]
    prepare(plan, environ)
    checked = check(plan, environ)
    assert [line for line in checked.lines if line.level is Level.FAILED] == []
    report = copy(plan, environ, CopyOptions(processes=0))
    compared = verify(plan, environ, processes=0, report=tmp_path / "report.jsonl")
    lost = {name: counts.quarantined for name, counts in report.tables.items() if counts.quarantined}
    assert compared.total.missing == sum(lost.values())
    assert (compared.total.different, compared.total.extra) == (0, 0)
    # Only what `check` has warned of is kept back.
    warned = {line.subject for line in checked.lines if line.level is Level.WARNING and "quarantine" in line.message}
    assert {f"table {name}" for name in lost} <= warned
    assert sum(counts.rows for counts in report.tables.values()) > 10


@pytest.mark.parametrize("design", DESIGNS)
def test_a_catalog_of_hundreds_of_tables_fits_its_plan(any_database: Database, unique: str, design: Design) -> None:
    make(any_database, large(150))
    plan, text = inferred(any_database, unique, design)
    assert set(re.findall(r"# (\S+) is left out", text)) == {"public.nothing", "public.nullable"}
    assert len(plan.tables) == 150 + 9
    with open_source(plan, {"DATABASE_URL": any_database.dsn}) as connection:
        findings = check_source(connection, plan)
    assert [line for line in findings.lines if line.level is Level.FAILED] == []
    assert len(findings.mappings) == len(plan.tables)


def test_a_plan_is_inferred_in_a_number_of_statements_that_does_not_grow_with_the_tables(
    any_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counter[int]()
    execute = psycopg.Cursor.execute
    tables = 0

    def counting(cursor: psycopg.Cursor, *arguments: Any, **options: Any) -> psycopg.Cursor:
        counted[tables] += 1
        return execute(cursor, *arguments, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", counting)
    for tables in (4, 40):
        make(any_database, "DROP SCHEMA IF EXISTS tenant_a, tenant_b, public CASCADE; CREATE SCHEMA public")
        make(any_database, many(tables))
        counted.clear()
        infer_plan(Secret(any_database.dsn))
        assert 0 < counted[tables] < 60
