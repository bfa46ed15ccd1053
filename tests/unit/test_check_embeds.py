"""What the checklist says of embeds from the catalog alone: rows that no index finds, and rows that may be two."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pg2dynamo.plan.check import Level
from pg2dynamo.plan.check_embeds import check_embeds
from pg2dynamo.plan.schema import SourceIndex, SourceTable
from pg2dynamo.plan.table import TablePlan
from tests.unit.inferred import index, table


def sized(source: SourceTable, rows: int, total_bytes: int = 0) -> SourceTable:
    return replace(source, estimated_rows=rows, total_bytes=total_bytes)


PARENT = sized(table("accounts"), 1_000)


def said(child: SourceTable, on: tuple[str, ...] = ("account",), parent: SourceTable = PARENT, **more: Any) -> Any:
    embed = {"from": "lines", "on": dict.fromkeys(on, "id")} | more
    plan = TablePlan.model_validate({"from": "accounts", "to": "x", "key": {"hash": "id"}, "embed": {"lines": embed}})
    return check_embeds(plan, {parent.name: parent, child.name: child})


def lines(*indexes: SourceIndex, rows: int = 1_000_000, **more: Any) -> SourceTable:
    return sized(table("lines", ("id", "account", "part"), others=indexes, **more), rows)


def test_rows_that_no_index_finds_are_a_warning_with_the_statement_to_run() -> None:
    [line] = said(lines())
    assert (line.level, line.subject) == (Level.WARNING, "table public.accounts, embed lines")
    assert "public.lines has no index on account" in line.message
    assert line.remedy == 'CREATE INDEX CONCURRENTLY ON "public"."lines" ("account"); then ANALYZE "public"."lines";'


def test_what_would_take_hours_fails() -> None:
    [line] = said(lines(rows=20_000_000))
    assert line.level is Level.FAILED


@pytest.mark.parametrize(
    ("found", "on"),
    [
        (index("i", "account"), ("account",)),
        (index("i", "account", method="hash"), ("account",)),
        (index("i", "account", "part"), ("account",)),
        (index("i", "part", "account", "id"), ("account", "part")),
        (SourceIndex("i", ("part",), unique=True, primary=False), ("account", "part")),
    ],
)
def test_an_index_that_begins_with_the_joined_columns_serves(found: SourceIndex, on: tuple[str, ...]) -> None:
    assert said(lines(found), on) == []


@pytest.mark.parametrize(
    "found",
    [
        index("i", "part", "account"),
        index("i", "account", predicate="part IS NULL"),
        index("i", "account", method="gin"),
        index("i", None, "account"),
    ],
)
def test_another_index_does_not_serve(found: SourceIndex) -> None:
    assert len(said(lines(found))) == 1


def test_a_small_table_needs_no_index() -> None:
    assert said(lines(rows=999)) == []
    assert said(sized(lines(), -1, total_bytes=8_192)) == []
    assert len(said(sized(lines(), -1, total_bytes=1 << 20))) == 1


def test_a_partitioned_table_is_not_indexed_concurrently_and_a_view_not_at_all() -> None:
    [line] = said(lines(kind="partitioned"))
    assert line.remedy.startswith('CREATE INDEX ON "public"."lines"')
    [line] = said(lines(kind="view", key=()))
    assert "that the view reads" in line.remedy


def test_a_foreign_table_is_a_warning_embedded_or_looked_up() -> None:
    [line] = said(lines(kind="foreign"))
    assert "foreign table" in line.message
    plan: dict[str, Any] = {"from": "accounts", "to": "x", "key": {"hash": "id"}}
    plan["lookups"] = [{"from": "lines", "on": {"id": "id"}, "attributes": {"a": "part"}}]
    foreign = lines(kind="foreign")
    [line] = check_embeds(TablePlan.model_validate(plan), {PARENT.name: PARENT, foreign.name: foreign})
    assert "foreign table" in line.message


def test_one_row_that_no_unique_key_promises_is_a_warning() -> None:
    by_account = index("i", "account")
    [line] = said(lines(by_account), one=True)
    assert "at most one row of public.lines" in line.message
    unique = replace(by_account, unique=True)
    assert said(lines(unique), one=True) == []
    assert said(lines(unique, nullable=["account"]), one=True) == []
    assert len(said(lines(by_account, replace(unique, predicate="part > 1")), one=True)) == 1


def test_levels_within_are_looked_at_too() -> None:
    inner = {"parts": {"from": "parts", "on": {"line": "id"}}}
    parent, child = PARENT, lines(index("i", "account"))
    parts = sized(table("parts", ("id", "line")), 1_000_000)
    embed = {"from": "lines", "on": {"account": "id"}, "embed": inner}
    plan = TablePlan.model_validate({"from": "accounts", "to": "x", "key": {"hash": "id"}, "embed": {"lines": embed}})
    [line] = check_embeds(plan, {t.name: t for t in (parent, child, parts)})
    assert line.subject == "table public.accounts, embed lines.parts"
    assert line.level is Level.FAILED
