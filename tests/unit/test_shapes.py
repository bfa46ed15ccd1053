"""How the shape of a table is compared with the plan's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pg2dynamo.dynamodb.tables import (
    IndexShape,
    TableShape,
    require_shape,
    shape_differences,
    shape_faults,
    shape_notes,
    table_shape,
    unwritable,
)
from pg2dynamo.errors import TargetShapeDiffers
from pg2dynamo.mapping.table import Attribute, IndexMapping, SourceKeyColumn, TableMapping, TableName
from pg2dynamo.mapping.types import ColumnType, Kind

TEXT = ColumnType(Kind.TEXT, "text", 25)
INTEGER = ColumnType(Kind.INTEGER, "integer", 23)
BOOLEAN = ColumnType(Kind.BOOLEAN, "boolean", 16)
MAPPING = TableMapping(
    source=TableName("public", "a"),
    target="a-items",
    attributes=(
        Attribute("id", '"id"', TEXT, "id"),
        Attribute("at", '"at"', TEXT, "at"),
        Attribute("total", '"total"', INTEGER, "total"),
        Attribute("on", '"on"', BOOLEAN, "on"),
    ),
    source_key=(SourceKeyColumn("id", TEXT, 0),),
    hash="id",
    range=None,
    indexes=(IndexMapping("by-time", "at", "id"),),
    key_types=(("at", "S"), ("id", "S")),
)
WANTED = table_shape(MAPPING)


def with_types(**types: str) -> TableShape:
    return replace(WANTED, types=tuple(sorted({**dict(WANTED.types), **types}.items())))


def test_the_shape_of_a_mapping_has_its_key_its_types_and_its_indexes() -> None:
    assert TableShape("id", None, (("at", "S"), ("id", "S")), (IndexShape("by-time", "at", "id"),)) == WANTED


def test_equal_shapes_do_not_differ() -> None:
    assert shape_differences(WANTED, WANTED) == []
    assert shape_notes(WANTED, WANTED) == []
    assert unwritable(MAPPING, WANTED) == []


@pytest.mark.parametrize(
    ("actual", "words"),
    [
        (replace(WANTED, hash="at"), "its key is at, the plan's is id"),
        (replace(WANTED, range="at"), "its key is id, at, the plan's is id"),
        (with_types(id="N"), "the key attribute id is of type N, the plan's is S"),
        (with_types(at="B"), "the key attribute at is of type B, the plan's is S"),
        (replace(WANTED, indexes=()), "it lacks the index by-time (at, id)"),
        (
            replace(WANTED, indexes=(IndexShape("by-time", "at", None),)),
            "the key of its index by-time is at, the plan's is at, id",
        ),
        (
            replace(WANTED, indexes=(IndexShape("by-time", "at", "id", "KEYS_ONLY"),)),
            "its index by-time projects KEYS_ONLY, the plan's projects ALL",
        ),
    ],
)
def test_each_difference_is_named(actual: TableShape, words: str) -> None:
    assert shape_differences(WANTED, actual) == [words]
    with pytest.raises(TargetShapeDiffers) as raised:
        require_shape("a-items", shape_differences(WANTED, actual))
    assert f"The table a-items exists with another shape: {words}." in str(raised.value)


def test_an_index_more_and_another_billing_are_notes_and_no_differences() -> None:
    actual = replace(WANTED, indexes=(*WANTED.indexes, IndexShape("more", "total", None)), billing="PROVISIONED")
    assert shape_differences(WANTED, actual) == []
    assert shape_notes(WANTED, actual) == [
        "it has an index that the plan does not name: more",
        "its billing is PROVISIONED, so its write capacity bounds the copy",
    ]


def test_an_index_more_whose_key_the_plan_writes_as_another_type_would_refuse_every_item() -> None:
    assert unwritable(MAPPING, with_types(total="N", other="S")) == []
    assert unwritable(MAPPING, with_types(total="S")) == [
        "an index of it needs the attribute total as S, the plan writes it as N"
    ]
    assert unwritable(MAPPING, with_types(on="S")) == [
        "an index of it needs the attribute on as S, the plan writes it as no key type"
    ]


def indexes(count: int) -> tuple[IndexShape, ...]:
    return tuple(IndexShape(f"index-{n}", "at", None) for n in range(count))


def test_twenty_indexes_are_the_most() -> None:
    assert shape_faults("a-items", replace(WANTED, indexes=indexes(20))) == []
    assert shape_faults("a-items", replace(WANTED, indexes=indexes(21))) == ["21 indexes, and a table can have 20"]


@pytest.mark.parametrize("name", ["abc", "a" * 255])
def test_names_at_the_limit_are_taken(name: str) -> None:
    assert shape_faults(name, WANTED) == []


@pytest.mark.parametrize("name", ["ab", "a" * 256, "a b c", "tábla"])
def test_names_past_the_limit_are_not(name: str) -> None:
    assert len(shape_faults(name, WANTED)) == 1
    assert len(shape_faults("a-items", replace(WANTED, indexes=(IndexShape(name, "at", None),)))) == 1


def test_an_index_that_stands_twice_or_has_one_attribute_as_both_keys_is_refused() -> None:
    assert shape_faults("a-items", replace(WANTED, indexes=(WANTED.indexes[0],) * 2)) == [
        "the index by-time stands twice"
    ]
    assert shape_faults("a-items", replace(WANTED, indexes=(IndexShape("xyz", "at", "at"),))) == [
        "the index xyz has the same hash and range"
    ]
