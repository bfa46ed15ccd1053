"""What differs between a row and its item, by name."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pg2dynamo.mapping.digest import digest_row
from pg2dynamo.mapping.table import Attribute, TableMapping, TableName
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.mapping.values import Json, Undecodable, Unknown, Value
from pg2dynamo.migration.difference import (
    Expectation,
    Pairs,
    attribute_digests,
    attributes_unlike,
    differing_attributes,
    row_and_attribute_digests,
)

MAPPING = TableMapping(
    source=TableName("public", "t"),
    target="t",
    attributes=tuple(Attribute(name, name, ColumnType(Kind.TEXT, "text", 25), name) for name in ("a", "b")),
    source_key=(),
    hash="a",
    range=None,
    indexes=(),
    key_types=(("a", "S"),),
)


def pairs_of(values: list[Value], unrestored: tuple[str, ...]) -> Pairs:
    pairs = Expectation(MAPPING).pairs(values, unrestored)
    assert pairs is not None
    return pairs


@pytest.mark.parametrize(
    ("row", "item", "names"),
    [
        ([("a", "x")], [("a", "x")], ()),
        ([("a", "x"), ("b", 1)], [("b", Decimal("1.0")), ("a", "x")], ()),
        ([("a", "x")], [("a", "x ")], ("a",)),
        ([("a", "1")], [("a", 1)], ("a",)),
        ([("a", True)], [("a", 1)], ("a",)),
        ([("a", "")], [], ("a",)),
        ([], [("a", "")], ("a",)),
        ([("a", Json(None))], [], ("a",)),
        ([("a", ["x", "y"])], [("a", ["y", "x"])], ("a",)),
        ([("b", "1"), ("a", "2")], [("b", "2"), ("a", "1")], ("a", "b")),
        ([("a", "x")], [("a", Undecodable())], ("a",)),
        ([("a", "x")], [("a", "x"), ("z", Unknown())], ("z",)),
    ],
)
def test_the_attributes_that_differ_are_named(row: Pairs, item: Pairs, names: tuple[str, ...]) -> None:
    assert differing_attributes(row, item) == names
    assert attributes_unlike(MAPPING, attribute_digests(MAPPING, row), item) == names


def test_attributes_that_cannot_be_given_back_are_unlike_whatever_the_item_holds() -> None:
    digests = attribute_digests(MAPPING, pairs_of(["x", "y"], ("b",)))
    assert attributes_unlike(MAPPING, digests, [("a", "x"), ("b", "y")]) == ("b",)


def test_null_is_the_absent_attribute() -> None:
    assert differing_attributes(pairs_of(["x", None], ()), [("a", "x")]) == ()


def test_a_row_that_its_item_cannot_restore_is_never_equal_and_names_the_attribute() -> None:
    values: list[Value] = ["x", "y"]
    restored, unrestored = pairs_of(values, ()), pairs_of(values, ("b",))
    assert digest_row(restored) != digest_row(unrestored)
    assert differing_attributes(unrestored, restored) == ("b",)


@pytest.mark.parametrize("unrestored", [(), ("b",)])
def test_the_digests_of_row_and_attributes_are_those_of_each_alone(unrestored: tuple[str, ...]) -> None:
    for values in (["x", "y"], ["x", None]):
        pairs = pairs_of(list(values), unrestored)
        assert row_and_attribute_digests(MAPPING, pairs) == (digest_row(pairs), attribute_digests(MAPPING, pairs))
