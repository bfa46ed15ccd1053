"""A plan compiles to a mapping only when its rows would become items that are told apart."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from pg2dynamo.errors import PlanError
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.plan.compile import compile_table
from pg2dynamo.plan.schema import SourceIndex, SourceTable
from pg2dynamo.plan.table import TablePlan
from tests.unit.inferred import BOOLEAN, JSONB, TEXT, table

INTEGER = ColumnType(Kind.INTEGER, "integer", 23)


def _compile(source: SourceTable, computed: dict[str, ColumnType] | None = None, **changes: Any) -> TableMapping:
    plan = TablePlan.model_validate({"from": "accounts", "to": "items", "key": {"hash": "id"}} | changes)
    return compile_table(plan, source, computed or {})


def test_every_column_becomes_the_attribute_of_its_name() -> None:
    mapping = _compile(table(columns={"id": INTEGER, 'a"b': TEXT}))
    assert [(a.name, a.sql, a.column) for a in mapping.attributes] == [
        ("id", '"id"', "id"),
        ('a"b', '"a""b"', 'a"b'),
    ]
    assert (mapping.key_attributes, mapping.key_types) == (("id",), (("id", "N"),))
    assert pickle.loads(pickle.dumps(mapping)) == mapping


def test_a_computed_attribute_stands_in_its_columns_place_and_a_new_one_at_the_end() -> None:
    rules = {"on": {"sql": "CASE", "back": "on = 'true'"}, "new": {"sql": "1"}}
    mapping = _compile(table(columns={"on": BOOLEAN, "id": TEXT}), {"on": TEXT, "new": INTEGER}, attributes=rules)
    assert [(a.name, a.sql, a.column, a.restores) for a in mapping.attributes] == [
        ("on", "(CASE)", None, "on"),
        ("id", '"id"', "id", None),
        ("new", "(1)", None, None),
    ]


def test_source_keys_that_are_no_attributes_are_selected_after_them() -> None:
    source = table(columns={"a": INTEGER, "b": INTEGER, "c": TEXT}, key=("b", "a"), unique=[("c",)])
    rules = {"a": {"sql": "x"}, "b": {"sql": "y"}}
    mapping = _compile(source, {"a": TEXT, "b": TEXT}, key={"hash": "c"}, attributes=rules)
    assert mapping.select_list == ("(x)", "(y)", '"c"', '"b"', '"a"')
    assert [(k.column, k.position) for k in mapping.source_key] == [("b", 3), ("a", 4)]


def test_only_listed_columns_become_attributes_in_the_order_of_the_table_and_rules_for_new_ones_always() -> None:
    source = table(columns={"id": TEXT, "on": BOOLEAN, "a": TEXT, "b": TEXT}, unique=[("a",)])
    rules = {"on": {"sql": "CASE"}, "new": {"sql": "b"}}
    mapping = _compile(
        source, {"on": TEXT, "new": TEXT}, key={"hash": "a"}, columns=["a", "on"], attributes=rules, name="by-a"
    )
    assert [(a.name, a.sql) for a in mapping.attributes] == [("on", "(CASE)"), ("a", '"a"'), ("new", "(b)")]
    assert mapping.select_list == ("(CASE)", '"a"', "(b)", '"id"')
    assert (mapping.name, str(mapping.source)) == ("by-a", "public.accounts")


def test_a_mapping_goes_by_its_source_unless_the_entry_has_a_name() -> None:
    assert (_compile(table()).entry, _compile(table()).name) == (None, "public.accounts")


@pytest.mark.parametrize(
    ("source", "changes", "message"),
    [
        (table(columns=("id", "a")), {"columns": ["id", "x"]}, "`columns` names x, which"),
        (table(columns=("id", "a")), {"columns": ["a"]}, "`columns` leaves out id, which is of a key"),
        (
            table(columns=("id", "a")),
            {"columns": ["id"], "indexes": [{"name": "i-x", "hash": "a"}]},
            "`columns` leaves out a, which is of a key",
        ),
        (
            table(columns=("id", "a")),
            {"columns": ["id"], "attributes": {"a": {"sql": "1"}}},
            "computes a, which `columns`",
        ),
        (table(key=()), {}, "no primary key"),
        (table(columns=("id", "a")), {"key": {"hash": "a"}}, "not unique in the source"),
        (table(columns=("id",)), {"key": {"hash": "x"}}, "x is no column and no computed attribute"),
        (table(columns={"id": JSONB}), {}, "has type jsonb, which cannot be a key"),
        (table(columns={"id": TEXT, "b": BOOLEAN}), {"indexes": [{"name": "i", "hash": "b"}]}, "has type boolean"),
        (table(columns=("id",)), {"indexes": [{"name": "i", "hash": "id", "range": "x"}]}, "x is no column"),
        (table(columns=("a", "b"), key=("a", "b")), {"key": {"hash": "a"}}, "not unique in the source"),
        (table(), {"attributes": {"id": {"sql": "lower(id)"}}}, "not unique in the source"),
        (table(), {"attributes": {"x": {"sql": "1", "back": "1"}}}, "has no column x"),
    ],
)
def test_a_plan_under_which_rows_would_be_lost_is_refused(
    source: SourceTable, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        _compile(source, dict.fromkeys(changes.get("attributes", {}), TEXT), **changes)


def test_a_unique_index_will_do_for_the_key_unless_it_is_partial_or_nullable() -> None:
    assert _compile(table(columns=("id", "a"), unique=[("a",)]), key={"hash": "a"}).hash == "a"
    partial = SourceIndex("i", ("a",), unique=True, primary=False, predicate="a > 0")
    expression = SourceIndex("i", (None,), unique=True, primary=False)
    for source in (
        table(columns=("id", "a"), unique=[("a",)], nullable=("a",)),
        table(columns=("id", "a"), others=[partial]),
        table(columns=("id", "a"), others=[expression]),
    ):
        with pytest.raises(PlanError, match="not unique"):
            _compile(source, key={"hash": "a"})


def test_a_wider_key_than_needed_still_tells_rows_apart() -> None:
    mapping = _compile(table(columns=("id", "a")), key={"hash": "a", "range": "id"})
    assert mapping.key_attributes == ("a", "id")


def test_the_digest_changes_with_what_items_look_like_and_not_with_indexes() -> None:
    source = table(columns=("id", "a"))
    digest = _compile(source).digest
    assert _compile(source, indexes=[{"name": "i-x", "hash": "a"}]).digest == digest
    assert _compile(source, name="another-name").digest == digest
    assert _compile(source, columns=["a", "id"]).digest == digest
    assert _compile(source, columns=["id"]).digest != digest
    assert _compile(source, to="other").digest != digest
    assert _compile(source, {"a": TEXT}, attributes={"a": {"sql": "upper(a)"}}).digest != digest
