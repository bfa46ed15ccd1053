"""The code that digests items of one mapping gives the reference's digests, and leaves to it what is not as usual."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg2dynamo.errors import Pg2DynamoError
from pg2dynamo.mapping import document_digests, item_digests
from pg2dynamo.mapping.decode import Decoder
from pg2dynamo.mapping.digest import encode_value
from pg2dynamo.mapping.document_digests import encode_attribute_value, encode_jsonb
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.item_digests import Item, ItemDigests
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.mapping.types import Kind
from pg2dynamo.migration.verify_segment import digested_item
from tests.copy_lines import DOCUMENTS, VALUES, copy_field, every_form, jsonb_text, lines
from tests.mappings import column, mapping_of

EVERY = every_form()
KEY = {"id": {"S": "k"}}


class Compared:
    """Digests the items of a mapping in both ways; `left` are those that were left to the reference."""

    def __init__(self, mapping: TableMapping) -> None:
        self.mapping = mapping
        self.left: list[Item] = []
        self._fast, self._decoder = ItemDigests(mapping), Decoder(mapping)

    def reference(self, item: Item) -> tuple[bytes, bytes]:
        return digested_item(self.mapping, self._decoder, item)[:2]

    def require_equal(self, *items: Item) -> list[bytes]:
        """Compare; return the digests of the items."""

        def left(item: Item) -> tuple[bytes, bytes]:
            self.left.append(item)
            return self.reference(item)

        self.left.clear()
        keys, rows = self._fast.digest(items, left)
        assert list(zip(keys, rows, strict=True)) == [self.reference(item) for item in items]
        return rows


BOTH = Compared(EVERY)


def items_of(rows: list[bytes]) -> list[Item]:
    """The items of the rows that can be such."""
    encoder, items = Encoder(EVERY), []
    for row in rows:
        try:
            items.append(orjson.loads(encoder.encode(row).item))
        except Pg2DynamoError:
            continue
    return items


@given(lines())
def test_items_as_the_copy_writes_them_have_the_references_digests(rows: list[bytes]) -> None:
    BOTH.require_equal(*items_of(rows))


HOSTILE = (
    *(
        "1",
        "-1",
        "10",
        "0",
        "-0",
        "01",
        "1.5",
        "1.50",
        ".5",
        "5.",
        "1e2",
        "1E+2",
        "1_0",
        " 1",
        "+1",
        "١",
        "NaN",
        "1" * 38,
    ),
    *("AP9h", "AP9i==", "AP9", "2024-01-02", "2024-02-30", "infinity", "-infinity", "+012024-01-02T03:04:05.000006"),
    *("2024-01-02T03:04:05.000006", "2024-01-02T03:04:05.000006Z", "2024-01-02 03:04:05.000006", "03:04:05.000000"),
    *("2024-01-02T24:00:00.000000", "0d2f6f0e-8a55-4b0e-9c7b-0a1b2c3d4e5f", "0D2F6F0E-8A55-4B0E-9C7B-0A1B2C3D4E5F"),
)
texts = st.text(max_size=4) | st.sampled_from(HOSTILE)
contents: st.SearchStrategy[Any] = st.one_of(texts, st.booleans(), st.none(), st.integers(0, 3), st.floats(0, 1))
forms = st.sampled_from(["S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "?"])
attribute_values: st.SearchStrategy[Any] = st.recursive(
    st.dictionaries(forms, contents, min_size=1, max_size=1) | contents | st.just({}),
    lambda inner: (
        st.builds(lambda form, entries: {form: entries}, forms, st.lists(inner, max_size=3))
        | st.builds(lambda form, entries: {form: entries}, forms, st.dictionaries(texts, inner, max_size=3))
        | st.dictionaries(forms, inner, max_size=2)
    ),
    max_leaves=6,
)


@given(st.data())
def test_items_with_any_attribute_value_in_any_place_have_the_references_digests(data: st.DataObject) -> None:
    found = items_of(data.draw(lines(longest=1))) or [KEY]
    names = st.sampled_from([*EVERY.names, "unknown", "text"])
    changes = data.draw(st.dictionaries(names, attribute_values | st.none(), max_size=3))
    item = {name: value for name, value in (found[0] | changes).items() if name not in changes or value is not None}
    if isinstance(item.get("id"), dict) and len(item["id"]) == 1:
        BOTH.require_equal(item)


@given(st.data())
def test_items_of_one_attribute_have_the_references_digests_whatever_it_is(data: st.DataObject) -> None:
    kind, element = data.draw(st.sampled_from([*VALUES, (Kind.OUTPUT, None), (Kind.FLOAT4, None)]))
    attribute = column("value", kind, element)
    attribute = replace(attribute, nulls=data.draw(st.booleans()), unfit=data.draw(st.sampled_from(["error", "text"])))
    both = Compared(mapping_of(attribute))
    both.require_equal(*({**KEY, "value": value} for value in data.draw(st.lists(attribute_values, max_size=4))), KEY)


USUAL: list[tuple[Kind, Kind | None, list[Any]]] = [
    (Kind.TEXT, None, [{"S": ""}, {"S": "a"}, {"S": "é☃𝄞"}, {"S": '"\\%s'}]),
    (Kind.OUTPUT, None, [{"S": "(1,2)"}]),
    (Kind.UUID, None, [{"S": "0d2f6f0e-8a55-4b0e-9c7b-0a1b2c3d4e5f"}]),
    (Kind.INTEGER, None, [{"N": "0"}, {"N": "-12"}, {"N": "1000"}, {"N": "-9223372036854775808"}]),
    (Kind.NUMERIC, None, [{"N": "0"}, {"N": "-0.5"}, {"N": "12.25"}, {"N": "1" * 38}, {"N": "0." + "0" * 129 + "1"}]),
    (Kind.FLOAT8, None, [{"N": "0.1"}]),
    (Kind.FLOAT4, None, [{"N": "0.1"}]),
    (Kind.BOOLEAN, None, [{"BOOL": True}, {"BOOL": False}]),
    (Kind.BYTEA, None, [{"B": ""}, {"B": "AP9h"}, {"B": "AA=="}]),
    (Kind.DATE, None, [{"S": "2024-02-29"}, {"S": "0000-12-31"}, {"S": "infinity"}, {"S": "-004713-11-24"}]),
    (Kind.TIMESTAMP, None, [{"S": "2024-02-29T23:59:59.999999"}, {"S": "1999-12-31T00:00:00.000000"}]),
    (Kind.TIMESTAMPTZ, None, [{"S": "2024-02-29T23:59:59.999999Z"}, {"S": "1999-12-31T00:00:00.000000Z"}]),
    (Kind.TIME, None, [{"S": "24:00:00.000000"}]),
    (Kind.TIMETZ, None, [{"S": "00:00:01.000000+02:00"}]),
    (Kind.INTERVAL, None, [{"S": "1 mon 2 days"}, {"S": "infinity"}]),
    (
        Kind.JSONB,
        None,
        [{"NULL": True}, {"S": "x"}, {"M": {"b": {"N": "1.5"}, "a": {"L": [{"NULL": True}, {"BOOL": False}]}}}],
    ),
    (Kind.JSON, None, [{"L": []}, {"M": {}}, {"N": "1000"}]),
    (Kind.ARRAY, Kind.TEXT, [{"L": []}, {"L": [{"S": "a"}, {"NULL": True}]}, {"L": [{"L": [{"S": "a"}]}]}]),
    (Kind.ARRAY, Kind.INTEGER, [{"L": [{"N": "10"}, {"N": "-1"}]}]),
    (Kind.ARRAY, Kind.NUMERIC, [{"L": [{"N": "1.5"}]}]),
    (Kind.ARRAY, Kind.JSONB, [{"L": [{"M": {"a": {"S": "b"}}}, {"NULL": True}]}]),
    (Kind.ARRAY, Kind.DATE, [{"L": [{"S": "2024-02-29"}]}]),
    (
        Kind.ARRAY,
        Kind.UUID,
        [{"M": {"bounds": {"S": "[0:0]"}, "elements": {"L": [{"S": "0d2f6f0e-8a55-4b0e-9c7b-0a1b2c3d4e5f"}]}}}],
    ),
]


@pytest.mark.parametrize(("kind", "element", "values"), USUAL)
def test_usual_items_of_each_kind_are_not_left(kind: Kind, element: Kind | None, values: list[Any]) -> None:
    for name in ("value", "50% of 'it' {h}\\\n\"n\" {n}", "é"):
        both = Compared(mapping_of(column(name, kind, element)))
        found = both.require_equal(KEY, *({**KEY, name: value} for value in values))
        assert both.left == []
        assert len(set(found)) == len(found)


NO_DOCUMENTS: list[Any] = [
    *(
        {"M": []},
        {"M": ""},
        {"L": {"a": {"S": ""}}},
        {"NULL": False},
        {"NULL": 1},
        {"BOOL": 0},
        {"S": None},
        "S",
        ["S"],
    ),
    *(
        {"N": "x"},
        {"SS": ["a"]},
        {"B": "AA=="},
        {"M": {"a": "b"}},
        {"L": ["a"]},
        {"M": {"a": {}}},
        {"S": "a", "N": "1"},
    ),
    *({"N": " 1"}, {"N": "1_0"}, {"M": {"a": {"N": "+1"}}}),
    *({"L": [{"S": "a", "N": "1"}]}, {"M": {"a": {"S": "a", "N": "1"}}}),
]
CORRUPTED: list[tuple[Kind, Kind | None, Any]] = [
    *(
        (Kind.TEXT, None, value)
        for value in ({"N": "1"}, {"B": "AA=="}, {"S": 1}, {"S": ["a"]}, {"S": "a", "N": "1"}, {})
    ),
    *((Kind.UUID, None, {"S": text}) for text in ("0D2F6F0E-8A55-4B0E-9C7B-0A1B2C3D4E5F", "x" * 36, "")),
    (Kind.UUID, None, {"S": "0d2f6f0e-8a55-4b0e-9c7b-0a1b2c3d4e5f\n"}),
    *((Kind.INTEGER, None, {"N": text}) for text in ("1.5", " 1", "1_0", "+1", "١", "", "0x1", "1\n", 1, True, None)),
    *((Kind.INTEGER, None, value) for value in ({"S": "1"}, {"N": "1", "S": "1"}, {"NULL": True})),
    *((Kind.NUMERIC, None, {"N": text}) for text in (".5", "5.", "1_0.5", " 1", "+1", "١.٥", "NaN", "1\n", 1.5, "--1")),
    *((Kind.BOOLEAN, None, value) for value in ({"BOOL": 1}, {"BOOL": "true"}, {"BOOL": None}, {"S": "t"})),
    *((Kind.BYTEA, None, {"B": text}) for text in ("AP9", "A", "A*==", "AP9i==", "AP9h\n", "AP-h", 1)),
    *(
        (Kind.DATE, None, {"S": text})
        for text in ("2024-02-30", "2024-1-01", "24-01-01", "+002024-01-01", "2024-01-01 ")
    ),
    *(
        (kind, None, {"S": text + zone})
        for kind, zone in ((Kind.TIMESTAMP, ""), (Kind.TIMESTAMPTZ, "Z"))
        for text in ("2024-01-02 03:04:05.000006", "2024-01-02T03:04:05.00006", "2024-01-02T03:04:05.0000006")
    ),
    *(
        (Kind.TIMESTAMP, None, {"S": f"2024-01-02T{text}"})
        for text in ("24:00:00.000000", "03:60:00.000000", "03:04:60.000000", "03:04:05.000006Z", "03:04:05.+00006")
    ),
    *((Kind.TIMESTAMPTZ, None, {"S": f"2024-01-02T03:04:05.000006{zone}"}) for zone in ("", "z", "+00:00", "ZZ")),
    *((Kind.JSONB, None, value) for value in NO_DOCUMENTS),
    *((Kind.ARRAY, Kind.TEXT, {"L": value}) for value in ([{"N": "1"}], {"S": "a"}, "", [{"S": "a", "N": "1"}], ["a"])),
    *(
        (Kind.ARRAY, Kind.INTEGER, {"L": [value]})
        for value in ({"N": "1.5"}, {"NULL": False}, {"NULL": True, "N": "1"})
    ),
    *((Kind.ARRAY, Kind.INTEGER, {"L": [{"N": text}]}) for text in (" 1", "1_0", "+1")),
    *((Kind.ARRAY, Kind.NUMERIC, {"L": [{"N": text}]}) for text in (" 1", "1_0.5", "5.")),
]


@pytest.mark.parametrize(("kind", "element", "value"), CORRUPTED)
def test_an_attribute_value_that_no_row_has_is_left_and_equals_none(
    kind: Kind, element: Kind | None, value: Any
) -> None:
    both = Compared(mapping_of(column("value", kind, element)))
    item = {**KEY, "value": value}
    [digest] = both.require_equal(item)
    assert both.left == [item] or value == {"L": ""}
    usual = [values for k, e, values in USUAL if (k, e) == (kind, element)]
    assert digest not in both.require_equal(*({**KEY, "value": found} for values in usual for found in values))


def test_an_item_with_an_unknown_attribute_or_without_its_key_is_left() -> None:
    both = Compared(mapping_of(column("value", Kind.TEXT)))
    strange: list[Item] = [
        {**KEY, "other": {"S": "a"}},
        {"value": {"S": "a"}, "id": {"N": "1"}},
        {**KEY, "value": None},
    ]
    found = both.require_equal(*strange, KEY, {**KEY, "value": {"S": "a"}})
    assert both.left == strange
    assert len(set(found)) == 5


def test_null_is_not_absent_where_the_plan_keeps_it() -> None:
    both = Compared(mapping_of(replace(column("value", Kind.TEXT), nulls=True)))
    null, absent = both.require_equal({**KEY, "value": {"NULL": True}}, KEY)
    assert null != absent
    assert both.left == [KEY]


def test_attributes_in_maps_are_found_there_and_nowhere_else() -> None:
    inner = replace(column("a.b", Kind.TEXT), path=("a", "b"))
    both = Compared(mapping_of(inner, column("c", Kind.TEXT)))
    usual = {**KEY, "a": {"M": {"b": {"S": "x"}}}, "c": {"S": "y"}}
    both.require_equal(usual)
    assert both.left == []
    strange: list[Item] = [{**KEY, "a.b": {"S": "x"}}, {**KEY, "a": {"S": "x"}}, {**KEY, "a": {"M": {"z": {"S": "x"}}}}]
    both.require_equal(*strange)
    assert both.left == strange


def test_the_order_of_the_key_is_that_of_its_digest() -> None:
    both = Compared(mapping_of(column("b", Kind.TEXT), column("a", Kind.INTEGER), hash="b", range="a"))
    both.require_equal({"b": {"S": "x"}, "a": {"N": "1"}}, {"a": {"N": "10"}, "b": {"S": "x"}})
    assert both.left == []


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_digests, "_MOST_DAYS", 10)
    monkeypatch.setattr(document_digests, "_MOST_REMEMBERED", 10)
    attributes = (column("day", Kind.DATE), column("at", Kind.TIMESTAMP), column("doc", Kind.JSONB))
    both = Compared(mapping_of(*attributes))
    for n in range(1, 29):
        day = f"2024-02-{n:02d}"
        entries = {f"a{n}": {"N": f"{n}"}, "b": {"N": f"{n}" * 300}, "c" * 300: {"NULL": True}}
        item = {**KEY, "day": {"S": day}, "at": {"S": f"{day}T00:00:00.000000"}}
        both.require_equal(item | {"doc": {"M": entries}}, item | {"doc": {"M": {f"a{n}": {"N": f"0.{n}"}}}})
    assert both.left == []
    names: dict[str, Any] = vars(both._fast)["_digest"].__globals__
    remembered = [names["DATES"], names["DAYS"], document_digests._ORDERS, document_digests._NUMBERS]
    assert [len(what) <= 10 for what in remembered] == [True] * 4
    assert max(map(len, document_digests._NUMBERS)) <= 200
    assert all(name[0] != "c" for order in document_digests._ORDERS for name in order)


@pytest.mark.parametrize(
    ("kind", "element", "usual"),
    [
        (Kind.NUMERIC, None, {"N": "1"}),
        (Kind.JSONB, None, {"M": {}}),
        (Kind.ARRAY, Kind.NUMERIC, {"L": [{"N": "1"}]}),
    ],
)
def test_text_in_the_place_of_what_is_no_attribute_value_is_told_from_all_else(
    kind: Kind, element: Kind | None, usual: Any
) -> None:
    text = {**KEY, "value": {"S": "NaN"}}
    as_text = Compared(mapping_of(replace(column("value", kind, element), unfit="text")))
    one, other = as_text.require_equal(text, {**KEY, "value": usual})
    assert as_text.left == []
    assert one != other
    assert one not in Compared(mapping_of(column("value", kind, element))).require_equal(text)


@given(DOCUMENTS)
def test_a_document_has_one_encoding_from_its_text_and_from_its_attribute_value(document: Any) -> None:
    text = jsonb_text(document)
    mapping = mapping_of(column("value", Kind.JSONB))
    try:
        item = orjson.loads(Encoder(mapping).encode(f"k\t{copy_field(text)}".encode()).item)
    except Pg2DynamoError:
        return
    expected = encode_value(Decoder(mapping).decode(item)["value"])
    assert b"j" + encode_jsonb(text.encode()) == expected == b"j" + encode_attribute_value(item["value"])


@pytest.mark.parametrize(
    "number",
    [
        *(
            "0.1",
            "0.30000000000000004",
            "123456789012345678",
            "12345678901234567890",
            "9007199254740993",
            "1.50",
            "100",
        ),
        *("0." + "1" * 30, "1" + "0" * 40, "0.000001", "123456.123456789", "-12.50", "0.12500000000000000000", "100"),
    ],
)
def test_numbers_of_documents_are_exact(number: str) -> None:
    exact = encode_attribute_value({"L": [{"N": number}, {"M": {"a": {"N": number}}}]})
    assert encode_jsonb(f'[{number}, {{"a": {number}}}]'.encode()) == exact
    assert json.loads(f"[{number}]")
    longer = f"{number}1" if "." in number else f"{number}.1"
    assert encode_jsonb(f'[{longer}, {{"a": {number}}}]'.encode()) != exact
