"""Which secondary indexes an inferred plan has, and what it says about those that it has not."""

from __future__ import annotations

import pytest

from pg2dynamo.mapping.limits import GLOBAL_INDEXES
from pg2dynamo.plan.infer import infer
from pg2dynamo.plan.schema import SourceTable
from tests.unit.inferred import (
    BOOLEAN,
    INET,
    INTEGER,
    JSONB,
    TEXT,
    TIMESTAMP,
    comments,
    compiled,
    generated,
    index,
    plan_of,
    statistics,
    table,
)


def keys_of(source: SourceTable) -> list[tuple[str, str | None]]:
    return [(i.hash, i.range) for i in plan_of(source).tables[0].indexes]


def test_foreign_keys_then_unique_indexes_then_others_become_indexes_once() -> None:
    source = table(
        columns=("id", "a", "b", "c", "d"),
        unique=[("c",), ("b",), ("id",)],
        foreign=[("b",), ("a",)],
        others=[index("plain", "d"), index("again", "a")],
    )
    [plan] = plan_of(source).tables
    assert [(i.name, i.hash) for i in plan.indexes] == [
        ("b-index", "b"),
        ("a-index", "a"),
        ("c-index", "c"),
        ("d-index", "d"),
    ]


def test_what_the_table_or_a_longer_index_answers_has_no_index_of_its_own() -> None:
    columns = ("tenant", "id", "name", "note")
    source = table(
        columns=columns,
        key=("tenant", "id"),
        foreign=[("tenant",), ("name",)],
        others=[index("x", "name", "id"), index("y", "note", "id")],
        nullable=("note",),
    )
    assert keys_of(source) == [("name", "id"), ("note", "id")]


def test_an_index_is_kept_beside_a_longer_one_that_lacks_some_of_its_rows() -> None:
    source = table(columns=("id", "a", "b"), foreign=[("a",)], others=[index("x", "a", "b")], nullable=("b",))
    assert keys_of(source) == [("a", None), ("a", "b")]


def test_an_index_of_three_columns_has_a_range_that_sorts() -> None:
    source = table(columns={"id": TEXT, "a": TEXT, "b": INTEGER, "c": TIMESTAMP}, others=[index("x", "a", "b", "c")])
    [entry] = plan_of(source).tables
    assert [(i.hash, i.range) for i in entry.indexes] == [("a", "b_c")]
    assert entry.attributes["b_c"].template == "{b:sort}#{c:sort}"
    [mapping] = compiled(plan_of(source), source)
    assert dict(mapping.key_types) == {"id": "S", "a": "S", "b_c": "S"}


def test_two_indexes_with_the_same_rest_share_its_template() -> None:
    columns = ("id", "a", "b", "c", "d")
    source = table(columns=columns, others=[index("x", "a", "c", "d"), index("y", "b", "c", "d")])
    assert keys_of(source) == [("a", "c_d"), ("b", "c_d")]
    assert len(plan_of(source).tables[0].attributes) == 1


def test_indexes_of_other_kinds_are_named_in_one_comment() -> None:
    source = table(
        columns=("id", "a"),
        others=[
            index("partial", "a", predicate="a IS NOT NULL"),
            index("expression", None),
            *(index(method, "a", method=method) for method in ("gin", "gist", "hash", "brin")),
        ],
    )
    assert keys_of(source) == []
    said = "not made: partial (partial), expression (an expression), gin (gin), gist (gist), hash (hash), brin (brin)"
    assert said in comments(infer("shop", [source]))


def test_an_index_that_only_serves_ranges_is_not_made() -> None:
    source = table(
        columns={"id": TEXT, "at": TIMESTAMP, "on": BOOLEAN},
        others=[index("by_time", "at"), index("by_on", "on"), index("both", "on", "at")],
    )
    assert keys_of(source) == [("on", "at")]
    said = comments(infer("shop", [source]))
    assert "by_time (at: ranges need a hash before them)" in said
    assert "by_on (on: two values)" in said


def test_a_time_that_is_indexed_and_always_there_is_the_range_of_foreign_keys() -> None:
    columns = {"id": TEXT, "parent": TEXT, "one": TEXT, "at": TIMESTAMP}
    foreign = [("parent",), ("one",)]
    source = table(columns=columns, foreign=foreign, unique=[("one",)], others=[index("by_time", "at")])
    assert keys_of(source) == [("parent", "at"), ("one", None)]
    nullable = table(columns=columns, foreign=foreign, others=[index("by_time", "at")], nullable=("at",))
    assert keys_of(nullable) == [("parent", None), ("one", None)]


@pytest.mark.parametrize("number", [GLOBAL_INDEXES, 34])
def test_indexes_stop_at_the_limit_and_the_rest_is_named_in_one_comment(number: int) -> None:
    columns = [f"c{n:02}" for n in range(number)]
    source = table(columns=("id", *columns), others=[index(c, c) for c in columns], foreign=[(columns[-1],)])
    assert len(keys_of(source)) == GLOBAL_INDEXES
    assert keys_of(source)[0] == (columns[-1], None)
    said = comments(infer("shop", [source]))
    assert ("a table can have 20 indexes, so there is none on (c19), (c20)" in said) is (number > GLOBAL_INDEXES)
    assert "20 indexes: each is another write of the whole item" in said


def test_at_the_limit_the_more_useful_index_is_made() -> None:
    columns = [f"c{n:02}" for n in range(GLOBAL_INDEXES + 1)]
    source = table(columns=("id", *columns), others=[index(c, c) for c in columns])
    known = statistics(source, 1_000_000, nulls={"c00": 0.99}, distinct=dict.fromkeys(columns, 1_000.0) | {"c01": 2})
    made = [i.hash for i in plan_of(source, known=known).tables[0].indexes]
    assert "c00" not in made
    assert made[-1] == "c01"


def test_a_boolean_in_an_index_is_computed_as_text_and_back() -> None:
    source = table(
        columns={"id": TEXT, "on": BOOLEAN, "maybe": BOOLEAN}, unique=[("on",), ("maybe",)], nullable=("maybe",)
    )
    [plan] = plan_of(source).tables
    assert plan.attributes["on"].sql == "CASE WHEN \"on\" THEN 'true' ELSE 'false' END"
    assert plan.attributes["on"].back == "\"on\" = 'true'"
    assert plan.attributes["maybe"].sql == "CASE WHEN \"maybe\" THEN 'true' WHEN NOT \"maybe\" THEN 'false' END"
    [mapping] = compiled(plan_of(source), source)
    assert dict(mapping.key_types) == {"id": "S", "on": "S", "maybe": "S"}


def test_a_boolean_that_is_of_the_key_or_generated_is_a_template_in_an_index() -> None:
    of_key = table(columns={"id": TEXT, "on": BOOLEAN}, key=("id", "on"), others=[index("x", "on", "id")])
    made = generated(table(columns={"id": TEXT, "on": BOOLEAN}, others=[index("x", "on", "id")]), "on")
    for source in (of_key, made):
        assert keys_of(source) == [("on_key", "id")]
        compiled(plan_of(source), source)


def test_an_index_over_what_cannot_be_a_key_is_left_out_with_a_comment() -> None:
    source = table(columns={"id": TEXT, "data": JSONB}, unique=[("data",)])
    assert keys_of(source) == []
    assert "no index on (data): of a type that cannot be a key" in comments(infer("shop", [source]))


def test_rows_that_an_index_lacks_are_told_with_their_share_when_they_are_many() -> None:
    source = table(columns=("id", "a", "b"), unique=[("a",), ("b",)], nullable=("a", "b"))
    known = statistics(source, 100, nulls={"a": 0.93, "b": 0.1})
    said = comments(infer("shop", [source], known))
    assert "rows where a (93% of the rows), b is NULL will not be in the indexes over it" in said


def test_a_range_that_sorts_otherwise_is_told() -> None:
    columns = {"id": TEXT, "n": INTEGER, "address": INET}
    direct = table(columns=columns, others=[index("x", "n", "address")])
    joined = table(columns=columns, key=("id", "n", "address"))
    for source in (direct, joined):
        assert "DynamoDB sorts address by the text, unlike PostgreSQL" in comments(infer("shop", [source]))
    assert "by the text" not in comments(infer("shop", [table(columns=columns, key=("address", "n"))]))
