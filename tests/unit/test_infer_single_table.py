"""The proposal of one DynamoDB table for all: rows stand with their parents, and the keys of two kinds never meet."""

from __future__ import annotations

from pg2dynamo.mapping.types import Kind
from pg2dynamo.plan.infer import infer
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.schema import SourceTable
from pg2dynamo.plan.table import TablePlan
from tests.unit.inferred import BOOLEAN, INTEGER, TEXT, comments, compiled, plan_of, table

TENANTS = table("tenants", ("tenant_id",), key=("tenant_id",))
ACCOUNTS = table(
    "accounts",
    {"account_id": INTEGER, "tenant_id": TEXT, "backup": TEXT},
    key=("account_id",),
    references=[("tenants", ("tenant_id",), ("tenant_id",)), ("tenants", ("backup",), ("tenant_id",))],
)


def entry(name: str, *tables: SourceTable) -> TablePlan:
    plan = plan_of(*tables, design="single-table")
    mappings = compiled(plan, *tables)
    assert {(m.target, m.hash, m.range) for m in mappings} == {(m.target, "pk", "sk") for m in mappings}
    return next(t for t in plan.tables if t.source.name == name)


def templates(plan: TablePlan) -> dict[str, str | None]:
    return {name: rule.template for name, rule in plan.attributes.items()}


def test_a_parent_is_alone_in_its_hash_until_its_children_stand_there_too() -> None:
    parent, child = entry("tenants", TENANTS, ACCOUNTS), entry("accounts", TENANTS, ACCOUNTS)
    assert templates(parent) == {"pk": "TENANT#{tenant_id}", "sk": "TENANT"}
    assert templates(child)["pk"] == "TENANT#{tenant_id}"
    assert templates(child)["sk"] == "ACCOUNT#{account_id:sort}"
    assert (parent.constants, child.constants) == ({"type": "TENANT"}, {"type": "ACCOUNT"})
    assert parent.to == child.to == "shop"


def test_a_child_is_found_by_its_own_id_and_by_its_second_parent() -> None:
    child = entry("accounts", TENANTS, ACCOUNTS)
    assert [(i.name, i.hash, i.range) for i in child.indexes] == [("gsi1", "gsi1pk", None), ("gsi2", "gsi2pk", "sk")]
    assert templates(child)["gsi1pk"] == "ACCOUNT#{account_id}"
    assert templates(child)["gsi2pk"] == "TENANT#{backup}"


def test_rows_between_two_tables_stand_with_one_and_are_found_from_the_other() -> None:
    authors, books = table("authors"), table("books")
    between = table(
        "book_authors",
        ("book_id", "author_id"),
        key=("book_id", "author_id"),
        references=[("books", ("book_id",), ("id",)), ("authors", ("author_id",), ("id",))],
    )
    assert templates(entry("book_authors", authors, books, between)) == {
        "pk": "BOOK#{book_id}",
        "sk": "BOOK_AUTHOR#{author_id:sort}",
        "gsi2pk": "AUTHOR#{author_id}",
    }


def test_a_table_without_parent_has_its_own_key_in_hash_and_range() -> None:
    source = table("counters", {"name": TEXT, "shard": INTEGER, "on": BOOLEAN}, key=("name", "shard", "on"))
    assert templates(entry("counters", source)) == {"pk": "COUNTER#{name}", "sk": "COUNTER#{shard:sort}#{on:sort}"}


def test_a_parent_of_its_own_kind_and_a_circle_of_parents_do_no_harm() -> None:
    nodes = table("nodes", ("id", "up"), references=[("nodes", ("up",), ("id",))], nullable=("up",))
    assert templates(entry("nodes", nodes)) == {"pk": "NODE#{id}", "sk": "NODE", "gsi2pk": "NODE#{up}"}
    cats = table("cats", ("id", "dog"), references=[("dogs", ("dog",), ("id",))])
    dogs = table("dogs", ("id", "cat"), references=[("cats", ("cat",), ("id",))])
    assert templates(entry("cats", cats, dogs))["pk"] == "DOG#{dog}"
    assert templates(entry("dogs", cats, dogs))["pk"] == "CAT#{cat}"


def test_each_kind_has_a_word_of_its_own_whatever_its_name() -> None:
    tables = [table("order"), table("orders"), table("Order", schema="x"), table("заказ"), table("orders_2")]
    plan = plan_of(*tables, design="single-table")
    words = [t.constants["type"] for t in plan.tables]
    assert len(set(words)) == len(tables)
    compiled(plan, *tables)


def test_the_attributes_of_the_table_are_no_columns_of_any_source() -> None:
    odd = table("odd", ("id", "pk", "type", "item_type"))
    plan = plan_of(odd, TENANTS, design="single-table")
    assert {(t.key.hash, t.key.range) for t in plan.tables} == {("item_pk", "sk")}
    assert {tuple(t.constants) for t in plan.tables} == {("item_type2",)}
    assert "`item_type2` names the kind" in comments(infer("shop", [odd, TENANTS], design="single-table"))
    assert {m.hash for m in compiled(plan, odd, TENANTS)} == {"item_pk"}


def test_a_name_that_no_template_takes_keeps_a_table_of_its_own() -> None:
    odd = table("odd", ("{id}",), key=("{id}",))
    plan = plan_of(odd, TENANTS, design="single-table")
    assert [t.to for t in plan.tables] == ["shop-odd", "shop"]
    assert "a table of its own" in comments(infer("shop", [odd, TENANTS], design="single-table"))


def test_what_is_left_out_of_many_tables_is_left_out_of_one() -> None:
    text = infer("shop", [table("log", key=()), TENANTS], design="single-table")
    assert [t.from_ for t in parse_plan(text, {}).tables] == ["public.tenants"]
    assert "public.log is left out" in text


def test_credentials_of_different_tables_have_names_that_differ() -> None:
    text = infer("shop", [table("a", ("id", "token")), table("b", ("id", "token"))], design="single-table")
    assert 'name: "shop-a/{id}"' in text
    assert 'name: "shop-b/{id}"' in text


def test_all_keys_are_text() -> None:
    plan = plan_of(TENANTS, ACCOUNTS, design="single-table")
    types = {form for mapping in compiled(plan, TENANTS, ACCOUNTS) for _, form in mapping.key_types}
    assert types == {"S"}
    assert ACCOUNTS.columns[0].type.kind is Kind.INTEGER
