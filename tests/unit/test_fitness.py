"""What DynamoDB cannot hold is judged twice, from texts as they are copied and from values: always alike."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pg2dynamo.errors import RowRefused, RowSkipped
from pg2dynamo.mapping.decode import Decoder
from pg2dynamo.mapping.digest import digest_row
from pg2dynamo.mapping.encode import EncodedItem, Encoder
from pg2dynamo.mapping.fitness import may_be_text, unfit_reason
from pg2dynamo.mapping.restore import column_text
from pg2dynamo.mapping.table import Attribute, Derived, IndexMapping, TableMapping, Unfit
from pg2dynamo.mapping.templates import Placeholder, Template
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.mapping.values import Json, Text, Value
from pg2dynamo.migration.difference import Expectation, Pairs
from pg2dynamo.postgres.binary_values import reader
from tests.mappings import column, mapping_of, type_of

POLICIES: tuple[Unfit, ...] = ("error", "text", "null", "skip", "quarantine")


@dataclass(frozen=True)
class Cell:
    """A value, and what PostgreSQL writes for it."""

    value: Value
    text: str | None


NULL = Cell(None, None)


def of_type(value: Value, column_type: ColumnType) -> Cell:
    return Cell(value, column_text(value, column_type))


def number(text: str) -> Cell:
    """As numeric_out and float8out write numbers: plainly, or with a small e."""
    value = Decimal(text)
    plain = format(value, "f") if value.is_finite() else str(value)
    return Cell(value, plain if len(plain) < 150 else str(value).lower())


def array(cells: list[Cell]) -> Cell:
    return Cell([cell.value for cell in cells], "{" + ",".join(str(cell.text) for cell in cells) + "}")


def document(text: str) -> Cell:
    return Cell(reader(type_of(Kind.JSON))(text.encode()), text)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def documents(cells: list[Cell]) -> Cell:
    literal = ",".join("NULL" if cell.text is None else quoted(cell.text) for cell in cells)
    return Cell([cell.value for cell in cells], "{" + literal + "}")


def grid(cells: list[Cell]) -> Cell:
    """Two rows of the same documents: written with their bounds."""
    row = documents(cells)
    return Cell([row.value, row.value], "{" + f"{row.text},{row.text}" + "}") if cells else documents([])


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


NUMBERS = ["NaN", "Infinity", "-Infinity", "0", "-0", "0E+500", "1" + "0" * 130, "9" * 38, "9" * 39, "-" + "1" * 38]
NUMBERS += ["1E+125", "9.99E+125", "1E+126", "1E-130", "9.9E-131", "1." + "0" * 50 + "1", "1234567890" * 4 + "0"]
DOCUMENTS = [
    *('"bare"', ' "bare"', '""', "null", "0", "true", "1e126", "1e-131", "1e999999999999999999", "0e999999999999"),
    *('{"": 1}', '{"a": {"": 1}}', '{"a": 1, "a": 1}', '[{"a": 1, "b": 2, "a": 1}]', '"\\ud800"', '{"\\udc00": 1}'),
    *('"\\ud83d\\ude00"', '"\\u0000"', nested(30), nested(31), nested(32), nested(33), nested(3000), "9" * 39),
    *(json.dumps({"x" * 65_535: 1}), json.dumps({"x" * 65_536: 1}), '{"a": [1, 2, {"b": null}]}', "[[[]], {}]"),
]

numbers = st.sampled_from(NUMBERS) | st.decimals(allow_nan=False, allow_infinity=False).map(str)
numeric = numbers.map(number)
jsons = st.sampled_from(DOCUMENTS) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
).map(json.dumps)
doc = jsons.map(document)
texts = st.sampled_from(["", "x", "x" * 1024, "x" * 1025, "x" * 2049, "é" * 512, "é" * 513])
key_text = texts.map(lambda text: of_type(text, type_of(Kind.TEXT)))
key_bytes = texts.map(lambda text: of_type(text.encode(), type_of(Kind.BYTEA)))

TYPES: dict[str, tuple[ColumnType, st.SearchStrategy[Cell]]] = {
    "amount": (type_of(Kind.NUMERIC), numeric),
    "ratio": (type_of(Kind.FLOAT8), numeric),
    "doc": (type_of(Kind.JSON), doc),
    "place.doc": (type_of(Kind.JSONB), doc),
    "amounts": (type_of(Kind.ARRAY, Kind.NUMERIC), st.lists(numeric, max_size=3).map(array)),
    "docs": (type_of(Kind.ARRAY, Kind.JSON), st.lists(doc | st.just(NULL), max_size=3).map(documents)),
    "grid": (type_of(Kind.ARRAY, Kind.JSONB), st.lists(doc, max_size=2).map(grid)),
    "name": (type_of(Kind.TEXT), key_text),
    "raw": (type_of(Kind.BYTEA), key_bytes),
    "part": (type_of(Kind.TEXT), key_text),
}
INDEXES = (IndexMapping("by-name", "name", None), IndexMapping("by-raw", "raw", "amount"))
INDEX_KEYS = ("name", "raw", "amount")


def mapping_with(policies: dict[str, Unfit], nulls: frozenset[str] = frozenset()) -> TableMapping:
    """A mapping of all types, a template as the table's range key and as an index key, under these policies."""
    attributes = []
    for name, (column_type, _) in TYPES.items():
        unfit = policies.get(name, "error")
        in_key = name in (*INDEX_KEYS, "part")
        unfit = "error" if in_key and unfit == "text" else unfit
        path = tuple(name.split(".")) if "." in name else ()
        attributes.append(
            Attribute(name, name, column_type, name, path=path, unfit=unfit, nulls=name in nulls and not in_key)
        )
    made = Template(("P#", Placeholder("part", type_of(Kind.TEXT))))
    number = Template(("N#", Placeholder("amount", type_of(Kind.NUMERIC))))
    mapping = mapping_of(column("id", Kind.TEXT), *attributes, indexes=INDEXES)
    refused = {"text", "null"}
    return replace(
        mapping,
        range="made",
        indexes=(*mapping.indexes, IndexMapping("by-number", "number", None), IndexMapping("by-both", "both", None)),
        derived=(
            Derived("made", made, "error" if policies.get("made") in refused else policies.get("made", "error")),
            Derived("number", number, "error" if policies.get("number") == "text" else policies.get("number", "error")),
            Derived("both", made, "error" if policies.get("both") == "text" else policies.get("both", "error")),
        ),
        key_types=(("amount", "N"), ("raw", "B"), *((name, "S") for name in ("both", "id", "made", "name", "number"))),
    )


NAMES = (*TYPES, "made", "number", "both")
policies_of_each = st.fixed_dictionaries({name: st.sampled_from(POLICIES) for name in NAMES})
rows = st.fixed_dictionaries({name: st.just(NULL) | cells for name, (_, cells) in TYPES.items()})


def copied(text: str | None) -> str:
    if text is None:
        return "\\N"
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def encoded(mapping: TableMapping, row: dict[str, Cell]) -> EncodedItem:
    fields = ["1", *(row[name].text for name in TYPES)]
    return Encoder(mapping).encode("\t".join(map(copied, fields)).encode())


def expected(mapping: TableMapping, row: dict[str, Cell]) -> Pairs | None:
    texts = [row[a.name].text for a in mapping.attributes if a.unfit == "text" and may_be_text(a.type)]
    return Expectation(mapping).pairs(["1", *(row[name].value for name in TYPES)], (), texts)


def assert_alike(mapping: TableMapping, row: dict[str, Cell]) -> EncodedItem | None:
    """Both judge the row alike, and the item, when there is one, holds what is expected of it."""
    pairs = expected(mapping, row)
    try:
        item = encoded(mapping, row)
    except RowSkipped:
        assert pairs is None
        return None
    except RowRefused:
        assert pairs is not None
        return None
    assert pairs is not None
    assert digest_row(list(Decoder(mapping).decode(orjson.loads(item.item)).items())) == digest_row(pairs)
    return item


@settings(max_examples=200, deadline=None)
@given(policies_of_each, st.frozensets(st.sampled_from(tuple(TYPES))), rows)
def test_copying_and_verifying_judge_every_row_alike(
    policies: dict[str, Unfit], nulls: frozenset[str], row: dict[str, Cell]
) -> None:
    assert_alike(mapping_with(policies, nulls), row)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_one_value_is_judged_alike_under_each_policy(name: str, policy: Unfit, data: Any) -> None:
    row = dict.fromkeys(TYPES, NULL) | {"part": of_type("x", type_of(Kind.TEXT)), name: data.draw(TYPES[name][1])}
    assert_alike(mapping_with(dict.fromkeys((*TYPES, "made", "number", "both"), policy)), row)


@pytest.mark.parametrize("text", DOCUMENTS)
def test_hostile_documents_are_judged_alike(text: str) -> None:
    base = dict.fromkeys(TYPES, NULL) | {"part": of_type("x", type_of(Kind.TEXT))}
    for policy, nulls in product(POLICIES, (frozenset[str](), frozenset(TYPES))):
        mapping = mapping_with(dict.fromkeys(NAMES, policy), nulls)
        for name in ("doc", "place.doc"):
            assert_alike(mapping, base | {name: document(text)})
        assert_alike(mapping, base | {"docs": documents([document(text)])})
        assert_alike(mapping, base | {"grid": grid([document(text)])})


def row_with(**cells: Cell) -> dict[str, Cell]:
    return dict.fromkeys(TYPES, NULL) | {"part": of_type("x", type_of(Kind.TEXT))} | cells


NAN = number("NaN")


def test_an_unfit_value_is_written_as_its_text_and_a_fit_one_as_ever() -> None:
    mapping = mapping_with({"ratio": "text", "docs": "text", "doc": "text"})
    item = orjson.loads(encoded(mapping, row_with(ratio=NAN, docs=documents([document("1e200")]))).item)
    assert (item["ratio"], item["docs"]) == ({"S": "NaN"}, {"S": '{"1e200"}'})
    item = orjson.loads(encoded(mapping, row_with(ratio=number("2"))).item)
    assert item["ratio"] == {"N": "2"}


def test_a_bare_string_is_written_as_json_where_text_may_stand() -> None:
    row = row_with(doc=document('"NaN"'))
    assert orjson.loads(encoded(mapping_with({"doc": "text"}), row).item)["doc"] == {"S": '"NaN"'}
    assert orjson.loads(encoded(mapping_with({}), row).item)["doc"] == {"S": "NaN"}
    assert dict(expected(mapping_with({"doc": "text"}), row) or ())["doc"] == Text('"NaN"')


def test_a_text_equals_no_number_and_is_read_only_where_the_policy_is_text() -> None:
    row = row_with(ratio=NAN)
    item = orjson.loads(encoded(mapping_with({"ratio": "text"}), row).item)
    assert Decoder(mapping_with({"ratio": "text"})).decode(item)["ratio"] == Text("NaN")
    assert Decoder(mapping_with({})).decode(item)["ratio"] != Text("NaN")
    assert len({digest_row([("a", v)]) for v in ("2", Text("2"), Decimal(2), Json("2"), Json(Decimal(2)))}) == 5


def test_a_value_that_becomes_null_is_absent_or_null_and_counted() -> None:
    mapping = mapping_with({"ratio": "null", "amount": "null"}, frozenset({"ratio"}))
    item = encoded(mapping, row_with(ratio=NAN, amount=NAN))
    assert item.nulled == 2
    assert orjson.loads(item.item)["ratio"] == {"NULL": True}
    assert not {"amount", "number"} & orjson.loads(item.item).keys()


def test_what_nobody_has_allowed_weighs_more_than_what_may_be_left_out() -> None:
    row = row_with(ratio=NAN, amount=NAN)
    with pytest.raises(RowSkipped):
        encoded(mapping_with({"ratio": "skip", "amount": "skip"}), row)
    with pytest.raises(RowRefused) as accepted:
        encoded(mapping_with({"ratio": "skip", "amount": "quarantine"}), row)
    assert (type(accepted.value), accepted.value.accepted, accepted.value.attribute) == (RowRefused, True, "amount")
    with pytest.raises(RowRefused) as refused:
        encoded(mapping_with({"ratio": "quarantine", "amount": "error"}), row)
    assert not refused.value.accepted


def test_a_row_left_out_names_the_item_that_it_may_have_been() -> None:
    with pytest.raises(RowSkipped) as skipped:
        encoded(mapping_with({"ratio": "skip"}), row_with(ratio=NAN))
    assert orjson.loads(skipped.value.key or b"") == {"id": {"S": "1"}, "made": {"S": "P#x"}}
    with pytest.raises(RowSkipped) as keyless:
        encoded(mapping_with({"made": "skip"}), row_with(part=of_type("x" * 1024, type_of(Kind.TEXT))))
    assert keyless.value.key is None


@pytest.mark.parametrize("policy", POLICIES)
def test_a_text_that_postgresql_does_not_write_is_refused_under_every_policy(policy: Unfit) -> None:
    with pytest.raises(RowRefused) as refused:
        encoded(mapping_with(dict.fromkeys(NAMES, policy)), row_with(ratio=Cell(None, "what")))
    assert (type(refused.value), refused.value.accepted) == (RowRefused, False)


@pytest.mark.parametrize("policy", POLICIES)
def test_text_that_is_not_utf8_is_a_value_that_dynamodb_cannot_hold(policy: Unfit) -> None:
    mapping = mapping_of(column("id", Kind.TEXT), replace(column("note", Kind.TEXT), unfit=policy))
    pairs = Expectation(mapping).pairs(["1", "\udcff"], ())
    if policy == "null":
        assert Encoder(mapping).encode(b"1\t\xff").item == b'{"id":{"S":"1"}}'
        assert pairs == [("id", "1")]
        return
    with pytest.raises(RowRefused) as refused:
        Encoder(mapping).encode(b"1\t\xff")
    assert (refused.value.attribute, refused.value.accepted) == ("note", policy == "quarantine")
    assert isinstance(refused.value, RowSkipped) == (policy == "skip") == (pairs is None)


def test_an_item_that_is_too_large_is_accepted_only_where_the_entry_says_so() -> None:
    mapping = mapping_of(column("id", Kind.TEXT), column("note", Kind.TEXT))
    for unfit in POLICIES:
        with pytest.raises(RowRefused) as refused:
            Encoder(replace(mapping, unfit=unfit)).encode(b"1\t" + b"x" * 409_600)
        assert (type(refused.value), refused.value.accepted) == (RowRefused, unfit == "quarantine")


def test_a_document_in_a_map_may_have_one_level_less() -> None:
    with pytest.raises(RowRefused, match="32 levels"):
        encoded(mapping_with({}), row_with(**{"place.doc": document(nested(32))}))
    encoded(mapping_with({}), row_with(doc=document(nested(32))))
    encoded(mapping_with({}), row_with(**{"place.doc": document(nested(31))}))


def test_reasons_hold_no_value() -> None:
    reason = unfit_reason(Json({"hunter2": [Decimal("1E+200")]}), type_of(Kind.JSONB))
    assert reason == "a number of magnitude 1E+126 or more"
