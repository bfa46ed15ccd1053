"""Which rows an inferred plan suggests to embed: those of which few belong to one, as the statistics say."""

from __future__ import annotations

from collections.abc import Mapping

from pg2dynamo.mapping.table import TableName
from pg2dynamo.plan.infer import infer
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.schema import SourceTable
from pg2dynamo.plan.statistics import TableStatistics
from tests.unit.inferred import TIMESTAMP, References, comments, statistics, table, uncommented

ORDERS = table("orders", ("id", "customer"))
OF_ORDER: References = ("orders", ("order_id",), ("id",))
LINES = table("lines", ("order_id", "n", "text"), key=("order_id", "n"), references=[OF_ORDER])


def known(
    parent: SourceTable, child: SourceTable, fan_out: float, column_bytes: float = 10
) -> dict[TableName, TableStatistics]:
    parents = 1_000
    column = child.foreign_keys[0].columns[0]
    of_child = statistics(child, int(parents * fan_out), distinct={column: parents}, column_bytes=column_bytes)
    return statistics(parent, parents) | of_child


def suggested(
    *tables: SourceTable, statistics_of: Mapping[TableName, TableStatistics]
) -> Mapping[str, Mapping[str, str]]:
    """Return attribute and `on` of what is suggested, as the plan has it once it is uncommented."""
    text = infer("shop", tables, statistics_of)
    if "# embed:" not in text:
        return {}
    [entry] = [t for t in parse_plan(uncommented(text, "embed:"), {}).tables if t.embed]
    return {name: embed.on for name, embed in entry.embed.items()}


def test_few_rows_to_one_are_suggested_as_lines_that_only_need_to_be_uncommented() -> None:
    assert suggested(ORDERS, LINES, statistics_of=known(ORDERS, LINES, 3.2)) == {"lines": {"order_id": "id"}}
    said = comments(infer("shop", [ORDERS, LINES], known(ORDERS, LINES, 3.2)))
    assert "3.2 rows of public.lines to a row here on average, 0.1 KB: could be embedded" in said


def test_many_rows_to_one_are_not() -> None:
    assert suggested(ORDERS, LINES, statistics_of=known(ORDERS, LINES, 20)) != {}
    assert suggested(ORDERS, LINES, statistics_of=known(ORDERS, LINES, 21)) == {}


def test_large_rows_are_not() -> None:
    assert suggested(ORDERS, LINES, statistics_of=known(ORDERS, LINES, 10, column_bytes=10_000)) == {}


def test_nothing_is_suggested_where_nothing_was_measured() -> None:
    assert suggested(ORDERS, LINES, statistics_of={}) == {}


def test_one_row_at_most_is_one_map() -> None:
    profile = table("profiles", ("order_id", "a"), key=("order_id",), references=[OF_ORDER])
    text = infer("shop", [ORDERS, profile], known(ORDERS, profile, 1))
    [entry] = [t for t in parse_plan(uncommented(text, "embed:"), {}).tables if t.embed]
    assert entry.embed["profiles"].one


def test_the_attribute_has_a_name_that_no_column_has() -> None:
    orders = table("orders", ("id", "lines"))
    assert suggested(orders, LINES, statistics_of=known(orders, LINES, 3)) == {"lines_2": {"order_id": "id"}}


def test_rows_between_two_tables_belong_to_neither() -> None:
    tags = table("tags", ("id", "name"))
    between = table(
        "order_tags",
        ("order_id", "tag_id"),
        key=("order_id", "tag_id"),
        references=[OF_ORDER, ("tags", ("tag_id",), ("id",))],
    )
    assert suggested(ORDERS, tags, between, statistics_of=known(ORDERS, between, 2) | statistics(tags, 10)) == {}


def test_rows_that_others_refer_to_stay_where_they_are() -> None:
    notes = table("notes", ("id", "order_id", "n"), references=[("lines", ("order_id", "n"), ("order_id", "n"))])
    assert suggested(ORDERS, LINES, notes, statistics_of=known(ORDERS, LINES, 2)) == {}


def test_rows_that_refer_to_their_own_kind_or_in_a_circle_are_not_suggested() -> None:
    itself = table("nodes", ("id", "parent"), references=[("nodes", ("parent",), ("id",))])
    assert suggested(itself, statistics_of=statistics(itself, 10, distinct={"parent": 5})) == {}
    a = table("a", ("id", "b"), references=[("b", ("b",), ("id",))])
    b = table("b", ("id", "a"), references=[("a", ("a",), ("id",))])
    both = statistics(a, 10, distinct={"b": 5}) | statistics(b, 10, distinct={"a": 5})
    assert suggested(a, b, statistics_of=both) == {}


def test_rows_that_time_adds_to_without_end_are_not_suggested() -> None:
    series = table(
        "samples",
        {"order_id": ORDERS.columns[0].type, "at": TIMESTAMP},
        key=("order_id", "at"),
        references=[OF_ORDER],
    )
    assert suggested(ORDERS, series, statistics_of=known(ORDERS, series, 2)) == {}


def test_rows_that_may_lack_a_parent_are_not_suggested() -> None:
    loose = table("loose", ("id", "order_id"), references=[OF_ORDER], nullable=("order_id",))
    assert suggested(ORDERS, loose, statistics_of=known(ORDERS, loose, 2)) == {}
