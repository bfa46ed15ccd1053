"""What the checklist finds in the catalog and the plan alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.plan.check import Level, check_table
from pg2dynamo.plan.check_values import value_checks
from pg2dynamo.plan.compile import compile_table
from pg2dynamo.plan.table import TablePlan
from tests.unit.inferred import BYTEA, TEXT, TIMESTAMP, table


def _plan(**changes: Any) -> TablePlan:
    return TablePlan.model_validate({"from": "accounts", "to": "items", "key": {"hash": "id"}} | changes)


def test_a_plain_table_has_nothing_against_it() -> None:
    assert check_table([_plan()], table()) == []


def test_row_security_fails() -> None:
    [line] = check_table([_plan()], replace(table(), row_security=True))
    assert line.level is Level.FAILED


def test_inheritance_is_a_warning() -> None:
    [line] = check_table([_plan()], replace(table(), inherited=True))
    assert (line.level, "inherit" in line.message) == (Level.WARNING, True)


@pytest.mark.parametrize(("rule", "warned"), [({"sql": "x"}, True), ({"sql": "x", "back": "y"}, False)])
def test_a_column_that_cannot_be_restored_is_a_warning(rule: dict[str, str], warned: bool) -> None:
    lines = check_table([_plan(attributes={"a": rule, "new": {"sql": "1"}})], table(columns=("id", "a")))
    assert [line.message for line in lines] == (["a cannot be restored: computed without `back`"] if warned else [])


BY_A = {"name": "by-a", "columns": ["a"]}


@pytest.mark.parametrize(
    ("entries", "lost"),
    [
        ([BY_A], [("table by-a", "id, b cannot be restored: left out by `columns`")]),
        ([BY_A, {}], []),
        ([{}, BY_A], []),
        ([BY_A, {"attributes": {"b": {"sql": "x", "back": "y"}}}], []),
        ([{"columns": ["id", "a", "b"]}], []),
        (
            [BY_A, {"name": "by-b", "columns": ["id", "b"]}],
            [
                ("table by-a", "id, b cannot be restored: left out by `columns`"),
                ("table by-b", "a cannot be restored: left out by `columns`"),
            ],
        ),
        (
            [BY_A, {"attributes": {"b": {"sql": "x"}}}],
            [
                ("table by-a", "id, b cannot be restored: left out by `columns`"),
                ("table public.accounts", "b cannot be restored: computed without `back`"),
            ],
        ),
    ],
)
def test_columns_left_out_are_a_warning_unless_one_entry_of_the_table_gives_back_all(
    entries: list[dict[str, Any]], lost: list[tuple[str, str]]
) -> None:
    source = table(columns=("id", "a", "b"))
    generated = replace(source.columns[0], name="g", generated=True)
    lines = check_table([_plan(**entry) for entry in entries], replace(source, columns=(*source.columns, generated)))
    assert [(line.subject, line.message) for line in lines if "g cannot" not in line.message] == lost


def _limits(columns: dict[str, ColumnType], **changes: Any) -> list[tuple[str, str]]:
    checks = value_checks(compile_table(_plan(**changes), table(columns=columns), {}))
    return sorted((check.attribute, check.reason) for check in checks if check.attribute)


def test_keys_are_counted_against_the_limit_of_their_strictest_role() -> None:
    indexes = [{"name": "one", "hash": "a", "range": "b"}, {"name": "two", "hash": "b"}]
    assert _limits({"id": TEXT, "a": BYTEA, "b": TEXT, "c": TEXT}, indexes=indexes) == [
        ("a", "is a key of more than 2,048 bytes"),
        ("a", "is empty, and a key must not be"),
        ("b", "is a key of more than 1,024 bytes"),
        ("b", "is empty, and a key must not be"),
        ("id", "is a key of more than 2,048 bytes"),
        ("id", "is empty, and a key must not be"),
    ]


def test_keys_that_always_fit_are_not_counted() -> None:
    assert _limits({"id": ColumnType(Kind.UUID, "uuid", 2950), "a": TIMESTAMP}, key={"hash": "id", "range": "a"}) == []


def test_a_computed_key_is_counted_for_null() -> None:
    plan = _plan(key={"hash": "id", "range": "x"}, attributes={"x": {"sql": "f(id)"}})
    mapping = compile_table(plan, table(), {"x": ColumnType(Kind.INTEGER, "integer", 23)})
    assert [(c.attribute, c.sql) for c in value_checks(mapping) if "NULL" in c.reason] == [
        ("x", "num_nulls((f(id))) = 1")
    ]
