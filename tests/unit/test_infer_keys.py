"""The key of a table's items: what tells the rows apart, the best column as hash, and the reason where it is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pg2dynamo.mapping.types import ColumnType
from pg2dynamo.plan.infer import infer
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.schema import SourceIndex, SourceTable
from tests.unit.inferred import (
    BOOLEAN,
    BYTEA,
    CITEXT,
    DATE,
    ENUM,
    INTEGER,
    JSONB,
    TEXT,
    TIMESTAMP,
    comments,
    compiled,
    index,
    plan_of,
    statistics,
    table,
)


def test_a_key_of_one_column_is_the_hash_and_of_two_hash_and_range() -> None:
    one, two = plan_of(table("a"), table("b", ("x", "y"), key=("y", "x"))).tables
    assert (one.key.hash, one.key.range, one.to, str(one.source)) == ("id", None, "shop-a", "public.a")
    assert (two.key.hash, two.key.range) == ("y", "x")


@pytest.mark.parametrize(
    ("column_type", "words"),
    [(DATE, "a date"), (TIMESTAMP, "a time"), (BOOLEAN, "a boolean"), (ENUM, "an enum")],
    ids=["date", "timestamp", "boolean", "enum"],
)
def test_a_first_column_whose_values_many_rows_share_is_not_the_hash_and_the_reason_is_told(
    column_type: ColumnType, words: str
) -> None:
    source = table(columns={"first": column_type, "n": INTEGER}, key=("first", "n"))
    [entry] = plan_of(source).tables
    assert entry.key.hash == "n"
    said = comments(infer("shop", [source]))
    assert f"hash n, not first as in its key, which is {words}: rows of one value would meet in one partition" in said
    [mapping] = compiled(plan_of(source), source)
    assert mapping.range is not None


def test_citext_is_text_and_no_enum() -> None:
    source = table(columns={"name": CITEXT, "n": INTEGER}, key=("name", "n"))
    assert plan_of(source).tables[0].key.hash == "name"


def test_a_first_column_of_few_values_in_many_rows_is_not_the_hash() -> None:
    source = table(columns=("type", "id"), key=("type", "id"))
    few = statistics(source, 1_000_000, distinct={"type": 4, "id": 1_000_000})
    assert plan_of(source, known=few).tables[0].key.hash == "id"
    assert "which is of 4 values in 1,000,000 rows" in comments(infer("shop", [source], few))
    in_few_rows = statistics(source, 1_000, distinct={"type": 4, "id": 1_000})
    assert plan_of(table(columns=("kind_id", "id"), key=("kind_id", "id")), known=in_few_rows).tables[0].key.hash == (
        "kind_id"
    )


def test_an_id_is_preferred_to_what_is_none() -> None:
    source = table(columns=("position", "list"), key=("position", "list"), foreign=[("list",)])
    assert plan_of(source).tables[0].key.hash == "list"
    assert "as list is of a foreign key" in comments(infer("shop", [source]))


def test_when_all_columns_are_shared_by_many_rows_the_one_of_most_values_is_the_hash() -> None:
    source = table(columns=("a", "b"), key=("a", "b"))
    known = statistics(source, 1_000_000, distinct={"a": 2, "b": 20})
    assert plan_of(source, known=known).tables[0].key.hash == "b"


def test_three_columns_or_more_are_a_hash_and_a_template_that_sorts() -> None:
    columns = {"day": DATE, "tenant_id": TEXT, "n": INTEGER, "on": BOOLEAN, "raw": BYTEA}
    source = table(columns=columns, key=tuple(columns))
    [entry] = plan_of(source).tables
    assert (entry.key.hash, entry.key.range) == ("tenant_id", "day_n_on_raw")
    assert entry.attributes["day_n_on_raw"].template == "{day:sort}#{n:sort}#{on:sort}#{raw:sort}"
    [mapping] = compiled(plan_of(source), source)
    assert [attribute.name for attribute in mapping.attributes] == list(columns)


def test_the_template_of_a_key_has_a_name_that_no_column_has() -> None:
    source = table(columns=("id", "a", "b", "a_b", "a_b_key"), key=("id", "a", "b"))
    [entry] = plan_of(source).tables
    assert entry.key.range == "a_b_key2"
    compiled(plan_of(source), source)


def test_a_boolean_key_is_a_template() -> None:
    source = table(columns={"id": BOOLEAN})
    [entry] = plan_of(source).tables
    assert entry.key.hash == "id_key"
    assert entry.attributes["id_key"].template == "{id}"
    compiled(plan_of(source), source)


def test_a_part_of_the_primary_key_that_is_unique_alone_is_enough() -> None:
    source = table(columns={"day": DATE, "id": INTEGER}, key=("day", "id"), unique=[("id",)])
    [entry] = plan_of(source).tables
    assert (entry.key.hash, entry.key.range, entry.identity) == ("id", None, None)
    compiled(plan_of(source), source)


def test_without_primary_key_a_unique_index_over_not_null_columns_is_the_identity() -> None:
    source = table(columns=("a", "b", "c"), key=(), unique=[("a", "b"), ("c",)], nullable=("c",))
    [entry] = plan_of(source).tables
    assert (entry.key.hash, entry.key.range, entry.identity) == ("a", "b", ("a", "b"))
    assert "no primary key: told apart by its unique index a_b (a, b)" in comments(infer("shop", [source]))
    compiled(plan_of(source), source)


def test_uniqueness_of_leaves_only_is_told() -> None:
    leaves = SourceIndex("<leaves>", ("id", "region"), unique=True, primary=False)
    source = table(columns=("id", "region"), key=(), others=[leaves], kind="partitioned")
    assert plan_of(source).tables[0].identity == ("id", "region")
    assert "each of its partitions has rows unique by id, region" in comments(infer("shop", [source]))


def test_a_primary_key_that_dynamodb_cannot_have_gives_way_to_a_unique_index() -> None:
    source = table(columns={"id": JSONB, "n": INTEGER}, unique=[("n",)])
    [entry] = plan_of(source).tables
    assert (entry.key.hash, entry.identity) == ("n", ("n",))
    compiled(plan_of(source), source)


NULLABLE = table(columns=("a", "b"), key=(), unique=[("a", "b")], nullable=("b",))
PARTIAL = table(columns=("a",), key=(), others=[replace(index("p", "a", predicate="a > 0"), unique=True)])


@pytest.mark.parametrize(
    ("source", "reason", "remedy"),
    [
        (table(key=()), "it has no primary key and no unique index", 'ADD COLUMN "id_key" bigint GENERATED'),
        (PARTIAL, "only partial unique indexes", 'ADD COLUMN "id" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;'),
        (NULLABLE, "over columns that may be NULL", 'ALTER TABLE "public"."accounts" ALTER COLUMN "b" SET NOT NULL;'),
        (table(columns=(), key=()), "it has no columns", "key: {hash: }"),
        (table(columns={"id": JSONB}), "has type jsonb, which cannot be a key", "AS IDENTITY UNIQUE;"),
        (table(key=(), kind="partitioned"), "add a primary key with the partition key's columns", "key: {hash: }"),
        (table(columns=("k" * 256,), key=("k" * 256,)), "a key attribute name of more than 255 bytes", "UNIQUE;"),
    ],
    ids=["no key", "partial", "nullable", "no columns", "jsonb", "partitioned", "long name"],
)
def test_a_table_without_usable_key_is_a_comment_with_the_reason_and_the_remedy(
    source: SourceTable, reason: str, remedy: str
) -> None:
    text = infer("shop", [source])
    assert parse_plan(text, {}).tables == ()
    assert f"# {source.name} is left out: " in text
    assert reason in comments(text)
    assert remedy in text


@pytest.mark.parametrize("kind", ["view", "materialized view", "foreign"])
def test_what_has_no_key_by_its_kind_is_a_comment_that_works_once_it_is_filled_in(kind: str) -> None:
    source = table("sales", ("id", "total"), kind=kind, key=())
    text = infer("shop", [source])
    assert parse_plan(text, {}).tables == ()
    assert "say which columns tell its rows apart" in comments(text)
    lines = [line.replace("# ", "", 1) for line in text.splitlines() if line.startswith("  # ")]
    entry = "\n".join(lines[next(n for n, line in enumerate(lines) if line.startswith("  - from")) :])
    [plan] = parse_plan(f"name: x\ntables:\n{entry}", {}).tables
    assert (plan.key.hash, plan.identity) == ("id", ("id",))


def test_a_view_of_which_nothing_is_known_shows_what_to_fill_in() -> None:
    text = infer("shop", [table("sales", {"a": TEXT}, kind="view", key=())])
    assert "#   identity: []" in text
