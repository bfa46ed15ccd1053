"""Embedded rows from text to maps, and back: what does not fit is refused, what no row wrote is told."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import orjson
import pytest

from pg2dynamo.errors import RowRefused
from pg2dynamo.mapping.decode import Decoder
from pg2dynamo.mapping.digest import encode_value
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.table import Attribute, Embedded, TableMapping, TableName
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.mapping.values import Json, Undecodable, Value
from tests.mappings import column, mapping_of

ROWS = ColumnType(Kind.EMBEDDED, "text[]", 1009)
LINES = TableName("public", "lines")


def embedding(name: str, *attributes: Attribute, **more: Any) -> Attribute:
    embed = Embedded(LINES, (), attributes, (), **more)
    return Attribute(name, "", ROWS, None, embed=embed)


def encoded(mapping: TableMapping, cell: str) -> dict[str, Any]:
    line = "\t".join(["k", cell.replace("\\", "\\\\").replace("\t", "\\t") if cell != "\\N" else cell])
    item: dict[str, Any] = orjson.loads(Encoder(mapping).encode(line.encode()).item)
    return item


NUMBER_AND_TEXT = (column("number", Kind.INTEGER), column("text", Kind.TEXT))
MANY = mapping_of(embedding("lines", *NUMBER_AND_TEXT, at_most=3))
ONE = mapping_of(embedding("line", *NUMBER_AND_TEXT, one=True))


def test_each_row_is_a_map_without_what_is_null() -> None:
    item = encoded(MANY, '{{1,"a, \\"b\\\\"},{2,NULL},{NULL,"NULL"}}')
    maps = [{"number": {"N": "1"}, "text": {"S": 'a, "b\\'}}, {"number": {"N": "2"}}, {"text": {"S": "NULL"}}]
    assert item["lines"] == {"L": [{"M": entries} for entries in maps]}


def test_no_rows_are_an_empty_list_and_one_row_is_a_map() -> None:
    assert encoded(MANY, "{}")["lines"] == {"L": []}
    assert encoded(ONE, '{{1,""}}')["line"] == {"M": {"number": {"N": "1"}, "text": {"S": ""}}}
    assert "line" not in encoded(ONE, "\\N")


@pytest.mark.parametrize(
    ("mapping", "cell", "reason"),
    [
        (MANY, "{{1,a},{2,a},{3,a},{4,a}}", "more than 3 rows of public.lines belong to it"),
        (ONE, "{{1,a},{2,a}}", "several rows of public.lines belong to it"),
        (MANY, "{{1}}", "not in the form"),
        (MANY, "{1,a}", "not in the form"),
        (MANY, "{{1,{a}}}", "not in the form"),
        (MANY, "{{1,a}", "not an? .* in the form|not in the form"),
    ],
)
def test_what_is_too_much_or_no_rows_is_refused(mapping: TableMapping, cell: str, reason: str) -> None:
    with pytest.raises(RowRefused, match=reason):
        encoded(mapping, cell)


def test_a_level_within_is_read_from_base64_and_counts_its_own_rows() -> None:
    inner = embedding("inner", column("text", Kind.TEXT), at_most=2)
    mapping = mapping_of(embedding("lines", column("number", Kind.INTEGER), inner))

    def cell(rows: str) -> str:
        return f'{{{{1,"{b64encode(rows.encode()).decode()}"}}}}'

    [entry] = encoded(mapping, cell('{{"é"},{NULL}}'))["lines"]["L"]
    assert entry["M"]["inner"] == {"L": [{"M": {"text": {"S": "é"}}}, {"M": {}}]}
    with pytest.raises(RowRefused, match="inner: more than 2 rows"):
        encoded(mapping, cell("{{a},{a},{a}}"))
    with pytest.raises(RowRefused, match="not in the form"):
        encoded(mapping, "{{1,%%}}")


def test_a_document_within_counts_its_levels_with_those_around_it() -> None:
    mapping = mapping_of(embedding("lines", column("doc", Kind.JSONB)))
    assert encoded(mapping, "{{" + "[" * 30 + "]" * 30 + "}}")["lines"]
    with pytest.raises(RowRefused, match="levels of nesting"):
        encoded(mapping, "{{" + "[" * 31 + "]" * 31 + "}}")


WELL: tuple[tuple[TableMapping, dict[str, Any], Value], ...] = (
    (MANY, {"L": []}, []),
    (MANY, {"L": [{"M": {}}]}, [{}]),
    (MANY, {"L": [{"M": {"number": {"N": "1"}, "text": {"S": ""}}}]}, [{"number": 1, "text": ""}]),
    (ONE, {"M": {"number": {"N": "1"}}}, {"number": 1}),
)


@pytest.mark.parametrize(("mapping", "value", "decoded"), WELL)
def test_what_was_written_is_read(mapping: TableMapping, value: dict[str, Any], decoded: Value) -> None:
    name = mapping.attributes[-1].name
    assert Decoder(mapping).decode({name: value}) == {name: decoded}


@pytest.mark.parametrize(
    ("mapping", "value"),
    [
        (MANY, {"M": {}}),
        (MANY, {"NULL": True}),
        (MANY, {"L": [{"M": {"number": {"S": "1"}}}]}),
        (MANY, {"L": [{"M": {"number": {"NULL": True}}}]}),
        (MANY, {"L": [{"M": {"other": {"S": "1"}}}]}),
        (MANY, {"L": [{"L": []}]}),
        (MANY, {"L": [{"M": {}}], "S": ""}),
        (MANY, {"L": [{"M": {}}] * 4}),
        (MANY, {"L": {}}),
        (ONE, {"L": [{"M": {}}]}),
        (ONE, {"M": []}),
    ],
)
def test_what_no_row_wrote_is_undecodable_as_a_whole(mapping: TableMapping, value: dict[str, Any]) -> None:
    name = mapping.attributes[-1].name
    assert isinstance(Decoder(mapping).decode({name: value})[name], Undecodable)


def test_rows_documents_and_arrays_never_have_the_same_encoding() -> None:
    values: list[Value] = [
        [],
        [[]],
        {},
        [{}],
        [{}, {}],
        [{"a": 1}],
        {"a": 1},
        [{"a": "1"}],
        [{"a": []}],
        [{"a": {}}],
        [{"a": [{}]}],
        [{"a": Json([])}],
        [{"a": Json({})}],
        Json([]),
        Json({}),
        Json([{}]),
        Json({"a": None}),
        [{"a": Json(None)}],
        [{"aa": "b"}],
        [{"a": "ab"}],
        [{"a": 1}, {"b": 2}],
        [{"a": 1, "b": 2}],
    ]
    assert len({encode_value(value) for value in values}) == len(values)
    assert encode_value([{"a": 1, "b": 2}]) == encode_value([{"b": 2, "a": 1}])
    assert encode_value([{"a": 1}, {"b": 2}]) != encode_value([{"b": 2}, {"a": 1}])
