"""Rows in COPY's text format become DynamoDB JSON, or are refused with a reason that holds no value."""

from __future__ import annotations

import pickle
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg2dynamo.errors import PlanError, RowRefused, SourceChanged
from pg2dynamo.mapping.encode import EncodedItem, Encoder
from pg2dynamo.mapping.limits import HASH_KEY_BYTES, ITEM_BYTES, RANGE_KEY_BYTES, item_bytes
from pg2dynamo.mapping.table import Attribute, IndexMapping, SourceKeyColumn, TableMapping
from pg2dynamo.mapping.types import ColumnType, Kind
from tests.mappings import column, mapping_of, type_of


def encode(mapping: TableMapping, *fields: str) -> EncodedItem:
    return Encoder(mapping).encode("\t".join(fields).encode())


def value_of(kind: Kind, text: str, element: Kind | ColumnType | None = None, delimiter: str = ",") -> Any:
    """Encode one value given as COPY writes it, and return its DynamoDB form."""
    encoded = encode(mapping_of(column("value", kind, element, delimiter)), "key", text)
    return orjson.loads(encoded.item)["value"]


def refusal_of(kind: Kind, text: str, element: Kind | None = None) -> str:
    with pytest.raises(RowRefused) as refused:
        value_of(kind, text, element)
    assert refused.value.attribute == "value"
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
    return refused.value.reason


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Kind.TEXT, "", {"S": ""}),
        (Kind.TEXT, "  padded  ", {"S": "  padded  "}),
        (Kind.TEXT, 'quote " and é ☃ 𝄞 \x01 \x7f', {"S": 'quote " and é ☃ 𝄞 \x01 \x7f'}),
        (Kind.INTEGER, "-9223372036854775808", {"N": "-9223372036854775808"}),
        (Kind.NUMERIC, "1.50", {"N": "1.5"}),
        (Kind.NUMERIC, "0.00", {"N": "0"}),
        (Kind.NUMERIC, "1000", {"N": "1000"}),
        (Kind.FLOAT8, "-0", {"N": "0"}),
        (Kind.FLOAT8, "1e-100", {"N": "1E-100"}),
        (Kind.FLOAT4, "1.1754944e-38", {"N": "1.1754944E-38"}),
        (Kind.BOOLEAN, "t", {"BOOL": True}),
        (Kind.BOOLEAN, "f", {"BOOL": False}),
        (Kind.BYTEA, r"\\x", {"B": ""}),
        (Kind.BYTEA, r"\\x00ff61", {"B": "AP9h"}),
        (Kind.UUID, "0d2f6f0e-8a55-4b0e-9c7b-0a1b2c3d4e5f", {"S": "0d2f6f0e-8a55-4b0e-9c7b-0a1b2c3d4e5f"}),
        (Kind.DATE, "2024-01-02", {"S": "2024-01-02"}),
        (Kind.DATE, "0001-12-31 BC", {"S": "0000-12-31"}),
        (Kind.DATE, "0044-03-15 BC", {"S": "-000043-03-15"}),
        (Kind.DATE, "4714-11-24 BC", {"S": "-004713-11-24"}),
        (Kind.DATE, "10000-01-01", {"S": "+010000-01-01"}),
        (Kind.DATE, "5874897-12-31", {"S": "+5874897-12-31"}),
        (Kind.DATE, "-infinity", {"S": "-infinity"}),
        (Kind.TIME, "03:04:05", {"S": "03:04:05.000000"}),
        (Kind.TIME, "24:00:00", {"S": "24:00:00.000000"}),
        (Kind.TIME, "03:04:05.67", {"S": "03:04:05.670000"}),
        (Kind.TIMETZ, "03:04:05+02", {"S": "03:04:05.000000+02:00"}),
        (Kind.TIMETZ, "03:04:05.6-03:30", {"S": "03:04:05.600000-03:30"}),
        (Kind.TIMETZ, "03:04:05+15:59:59", {"S": "03:04:05.000000+15:59:59"}),
        (Kind.TIMESTAMP, "2024-01-02 03:04:05", {"S": "2024-01-02T03:04:05.000000"}),
        (Kind.TIMESTAMP, "2024-01-02 03:04:05.678", {"S": "2024-01-02T03:04:05.678000"}),
        (Kind.TIMESTAMP, "2024-01-02 03:04:05.000006", {"S": "2024-01-02T03:04:05.000006"}),
        (Kind.TIMESTAMP, "0044-03-15 12:00:00 BC", {"S": "-000043-03-15T12:00:00.000000"}),
        (Kind.TIMESTAMP, "0001-03-15 12:00:00.5 BC", {"S": "0000-03-15T12:00:00.500000"}),
        (Kind.TIMESTAMP, "294276-12-31 23:59:59.999999", {"S": "+294276-12-31T23:59:59.999999"}),
        (Kind.TIMESTAMP, "infinity", {"S": "infinity"}),
        (Kind.TIMESTAMPTZ, "2024-01-02 03:04:05+00", {"S": "2024-01-02T03:04:05.000000Z"}),
        (Kind.TIMESTAMPTZ, "2024-01-02 03:04:05.6+00", {"S": "2024-01-02T03:04:05.600000Z"}),
        (Kind.TIMESTAMPTZ, "0044-03-15 12:00:00.25+00 BC", {"S": "-000043-03-15T12:00:00.250000Z"}),
        (Kind.TIMESTAMPTZ, "10000-01-01 00:00:00+00", {"S": "+010000-01-01T00:00:00.000000Z"}),
        (Kind.TIMESTAMPTZ, "-infinity", {"S": "-infinity"}),
        (Kind.INTERVAL, "1 year 2 mons -3 days +04:05:06.7", {"S": "1 year 2 mons -3 days +04:05:06.7"}),
        (Kind.OUTPUT, '(1,"a b")', {"S": '(1,"a b")'}),
    ],
)
def test_each_kind_has_one_form(kind: Kind, text: str, value: dict[str, Any]) -> None:
    assert value_of(kind, text) == value


def test_null_is_an_absent_attribute_and_the_text_of_a_backslash_and_n_is_not() -> None:
    mapping = mapping_of(column("a", Kind.TEXT), column("b", Kind.TEXT))
    assert orjson.loads(encode(mapping, "key", r"\N", r"\\N").item) == {"id": {"S": "key"}, "b": {"S": r"\N"}}


def test_escapes_of_copy_are_undone() -> None:
    assert value_of(Kind.TEXT, r"\b\f\n\r\t\v\\\\n") == {"S": "\b\f\n\r\t\v\\\\n"}


@pytest.mark.parametrize("text", [r"\x41", r"\101", r"\q", "end\\"])
def test_escapes_that_copy_does_not_write_are_refused(text: str) -> None:
    assert refusal_of(Kind.TEXT, text) == "not in the form that PostgreSQL writes"


def copy_text(text: str) -> str:
    escapes = {"\\": r"\\", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v"}
    return "".join(escapes.get(character, character) for character in text)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_every_text_survives(text: str) -> None:
    assert value_of(Kind.TEXT, copy_text(text)) == {"S": text}


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (Kind.NUMERIC, "NaN", "NaN"),
        (Kind.NUMERIC, "-Infinity", "Infinity"),
        (Kind.FLOAT8, "Infinity", "Infinity"),
        (Kind.FLOAT8, "1e+126", "1E+126"),
        (Kind.FLOAT8, "1e-131", "1E-130"),
        (Kind.FLOAT8, "5e-324", "1E-130"),
        (Kind.NUMERIC, "1" * 39, "38 significant digits"),
        (Kind.NUMERIC, "0." + "1" * 39, "38 significant digits"),
        (Kind.JSONB, "[1e126]".replace("1e126", "1" + "0" * 126), "1E+126"),
        (Kind.JSON, '{"a": 1, "a": 1}', "duplicate name in json"),
        (Kind.JSON, '{"": 1}', "an empty attribute name in json"),
        (Kind.JSON, r'"\\ud800"', "surrogate"),
        (Kind.JSON, "[" * 33 + "]" * 33, "32 levels"),
        (Kind.JSON, "[" * 100_000 + "]" * 100_000, "32 levels"),
        (Kind.JSON, "NaN", "not JSON"),
        (Kind.BOOLEAN, "true", "boolean"),
        (Kind.BYTEA, "abc", "bytea_output"),
        (Kind.TIMESTAMPTZ, "2024-01-02 03:04:05+02", "TimeZone UTC"),
        (Kind.TIMESTAMP, "01/02/2024 03:04:05", "DateStyle ISO"),
        (Kind.DATE, "01/02/2024", "DateStyle ISO"),
    ],
)
def test_what_dynamodb_cannot_hold_is_refused(kind: Kind, text: str, reason: str) -> None:
    assert reason in refusal_of(kind, text)


def test_a_refusal_never_shows_the_value() -> None:
    secret = "hunter2"
    refusals = [
        refusal_of(Kind.NUMERIC, secret),
        refusal_of(Kind.DATE, secret),
        refusal_of(Kind.TIMETZ, secret),
        refusal_of(Kind.JSON, f'{{"{secret}": 1, "{secret}": 2}}'),
        refusal_of(Kind.JSON, f'"{secret}'),
        refusal_of(Kind.BYTEA, rf"\\x{secret}"),
        refusal_of(Kind.ARRAY, f"[{secret}", Kind.TEXT),
        refusal_of(Kind.TEXT, f"{secret}\\"),
    ]
    assert not any(secret in reason for reason in refusals)


def test_text_that_is_not_utf8_is_refused_by_attribute() -> None:
    mapping = mapping_of(column("a", Kind.TEXT), column("b", Kind.TEXT))
    with pytest.raises(RowRefused) as refused:
        Encoder(mapping).encode(b"key\tfine\tsecret\xff")
    assert refused.value.attribute == "b"
    assert "secret" not in str(refused.value)


def test_a_row_of_another_width_ends_the_run() -> None:
    with pytest.raises(SourceChanged):
        encode(mapping_of(column("a", Kind.TEXT)), "key", "a", "b")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", {"L": []}),
        ("{1,NULL,3}", {"L": [{"N": "1"}, {"NULL": True}, {"N": "3"}]}),
        ("{{1,2},{3,NULL}}", {"L": [{"L": [{"N": "1"}, {"N": "2"}]}, {"L": [{"N": "3"}, {"NULL": True}]}]}),
        ("[0:1]={1,2}", {"M": {"bounds": {"S": "[0:1]"}, "elements": {"L": [{"N": "1"}, {"N": "2"}]}}}),
        (
            "[1:1][-2:-1]={{1,2}}",
            {"M": {"bounds": {"S": "[1:1][-2:-1]"}, "elements": {"L": [{"L": [{"N": "1"}, {"N": "2"}]}]}}},
        ),
    ],
)
def test_arrays_are_lists_nested_by_dimension(text: str, value: dict[str, Any]) -> None:
    assert value_of(Kind.ARRAY, text, Kind.INTEGER) == value


def test_array_elements_keep_quotes_delimiters_and_the_word_null() -> None:
    literal = r'{"a,b","\"q\" \\ \{","NULL",NULL,"",plain}'
    expected = [{"S": "a,b"}, {"S": '"q" \\ {'}, {"S": "NULL"}, {"NULL": True}, {"S": ""}, {"S": "plain"}]
    assert value_of(Kind.ARRAY, copy_text(literal), Kind.TEXT) == {"L": expected}


def test_array_elements_are_converted_by_their_own_kind() -> None:
    assert value_of(Kind.ARRAY, '{"2024-01-02 03:04:05"}', Kind.TIMESTAMP) == {
        "L": [{"S": "2024-01-02T03:04:05.000000"}]
    }
    assert value_of(Kind.ARRAY, copy_text(r'{"\\x61"}'), Kind.BYTEA) == {"L": [{"B": "YQ=="}]}
    assert value_of(Kind.ARRAY, "{t,f}", Kind.BOOLEAN) == {"L": [{"BOOL": True}, {"BOOL": False}]}


def test_boxes_are_delimited_by_semicolons() -> None:
    assert value_of(Kind.ARRAY, "{(1,1),(0,0);(3,3),(2,2)}", Kind.OUTPUT, ";") == {
        "L": [{"S": "(1,1),(0,0)"}, {"S": "(3,3),(2,2)"}]
    }


def test_an_array_of_json_says_where_its_dimensions_end_and_its_elements_begin() -> None:
    one = {"L": [{"L": [{"N": "1"}]}]}
    assert value_of(Kind.ARRAY, "{[1]}", Kind.JSONB) == one
    assert value_of(Kind.ARRAY, "{{1}}", Kind.JSONB) == {"M": {"bounds": {"S": "[1:1][1:1]"}, "elements": one}}


def test_json_null_in_an_array_is_refused_as_it_cannot_be_told_from_null() -> None:
    assert "JSON null" in refusal_of(Kind.ARRAY, "{null}", Kind.JSONB)
    assert value_of(Kind.ARRAY, "{NULL}", Kind.JSONB) == {"L": [{"NULL": True}]}


def test_json_in_an_array_counts_the_arrays_levels() -> None:
    def nested(levels: int) -> str:
        return "{" + "[" * levels + "]" * levels + "}"

    assert value_of(Kind.ARRAY, nested(31), Kind.JSONB)
    assert "32 levels" in refusal_of(Kind.ARRAY, nested(32), Kind.JSONB)


def test_a_json_document_keeps_types_and_every_digit() -> None:
    text = r'{"a": 12345678901234567890.123456789, "b": [true, false, null, "1"], "c": {"d": 1E+5, "e": -0}}'
    assert value_of(Kind.JSON, text) == {
        "M": {
            "a": {"N": "12345678901234567890.123456789"},
            "b": {"L": [{"BOOL": True}, {"BOOL": False}, {"NULL": True}, {"S": "1"}]},
            "c": {"M": {"d": {"N": "100000"}, "e": {"N": "0"}}},
        }
    }


def test_json_null_is_not_a_null_column() -> None:
    assert value_of(Kind.JSONB, "null") == {"NULL": True}


def test_json_may_have_32_levels() -> None:
    assert value_of(Kind.JSONB, "[" * 32 + "]" * 32)


def test_the_key_holds_the_key_attributes_hash_first() -> None:
    mapping = mapping_of(column("r", Kind.INTEGER), column("h", Kind.TEXT), hash="h", range="r")
    assert encode(mapping, "7", "a").key == b'{"h":{"S":"a"},"r":{"N":"7"}}'


@pytest.mark.parametrize("texts", [("1.5", "1.50"), ("0", "0.000"), ("100", "100.0"), ("1" * 38 + ".0", "1" * 38)])
def test_equal_keys_are_equal_bytes(texts: tuple[str, str]) -> None:
    mapping = mapping_of(column("n", Kind.NUMERIC), hash="n")
    assert encode(mapping, texts[0]).key == encode(mapping, texts[1]).key


@pytest.mark.parametrize(("role", "limit"), [("hash", HASH_KEY_BYTES), ("range", RANGE_KEY_BYTES)])
@pytest.mark.parametrize("character", ["a", "é", "☃", "𝄞"])
def test_a_key_may_be_as_long_as_its_limit_in_bytes_and_no_longer(role: str, limit: int, character: str) -> None:
    width = len(character.encode())
    fits = character * (limit // width) + "a" * (limit % width)
    mapping = mapping_of(column("h", Kind.TEXT), column("r", Kind.TEXT), hash="h", range="r")
    order = (lambda text: (text, "r")) if role == "hash" else (lambda text: ("h", text))
    assert encode(mapping, *order(fits))
    with pytest.raises(RowRefused, match=f"{limit:,} bytes"):
        encode(mapping, *order(fits + "a"))


def test_a_binary_key_counts_its_own_bytes_and_not_those_of_base64() -> None:
    mapping = mapping_of(column("h", Kind.BYTEA), hash="h")
    assert encode(mapping, r"\\x" + "00" * HASH_KEY_BYTES)
    with pytest.raises(RowRefused):
        encode(mapping, r"\\x" + "00" * (HASH_KEY_BYTES + 1))


@pytest.mark.parametrize(("field", "reason"), [("", "an empty key"), (r"\N", "NULL in a key attribute")])
def test_a_key_that_is_empty_or_null_is_refused(field: str, reason: str) -> None:
    with pytest.raises(RowRefused) as refused:
        encode(mapping_of(column("a", Kind.TEXT)), field, "a")
    assert (refused.value.attribute, refused.value.reason) == ("id", reason)


def test_an_empty_binary_key_is_refused() -> None:
    with pytest.raises(RowRefused, match="an empty key"):
        encode(mapping_of(column("h", Kind.BYTEA), hash="h"), r"\\x")


def test_an_index_key_may_be_null_but_not_empty_nor_too_long() -> None:
    index = IndexMapping("by-a", "a", "b")
    mapping = mapping_of(column("a", Kind.TEXT), column("b", Kind.TEXT), indexes=[index])
    assert encode(mapping, "key", r"\N", r"\N").item == b'{"id":{"S":"key"}}'
    assert encode(mapping, "key", "a" * HASH_KEY_BYTES, "b" * RANGE_KEY_BYTES)
    for fields in (("", "b"), ("a", ""), ("a" * (HASH_KEY_BYTES + 1), "b"), ("a", "b" * (RANGE_KEY_BYTES + 1))):
        with pytest.raises(RowRefused):
            encode(mapping, "key", *fields)


@pytest.mark.parametrize("index", [IndexMapping("by-a", "a", "id"), IndexMapping("by-id", "id", "a")])
def test_an_attribute_in_two_roles_keeps_the_smaller_limit(index: IndexMapping) -> None:
    ranges = IndexMapping("first", "b", "id")
    mapping = mapping_of(column("a", Kind.TEXT), column("b", Kind.TEXT), indexes=[ranges, index])
    assert encode(mapping, "k" * RANGE_KEY_BYTES, "a", "b")
    with pytest.raises(RowRefused):
        encode(mapping, "k" * (RANGE_KEY_BYTES + 1), "a", "b")


@pytest.mark.parametrize("character", ["a", "é", '"', "\x01"])
def test_an_item_may_have_409600_bytes_and_no_more(character: str) -> None:
    mapping = mapping_of(column("body", Kind.TEXT))
    room = ITEM_BYTES - len("id") - len("k") - len("body")
    width = len(character.encode())
    fits = character * (room // width) + "a" * (room % width)
    assert encode(mapping, "k", fits).size == ITEM_BYTES
    with pytest.raises(RowRefused) as refused:
        encode(mapping, "k", fits + "a")
    assert refused.value.attribute == ""
    assert "409,600 bytes" in refused.value.reason


def test_a_long_document_is_measured_as_dynamodb_does_and_not_as_json() -> None:
    assert encode(mapping_of(column("body", Kind.JSONB)), "k", "[" + ",".join(["1"] * 100_000) + "]")


small_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=2), inner, max_size=4),
    max_leaves=8,
)


@given(small_json, st.integers(-(10**37), 10**37), st.binary(max_size=5))
def test_the_size_given_is_never_too_small(document: Any, number: int, binary: bytes) -> None:
    columns = (column("j", Kind.JSONB), column("n", Kind.NUMERIC), column("b", Kind.BYTEA), column("t", Kind.TEXT))
    fields = (orjson.dumps(document).decode(), str(number), "\\x" + binary.hex(), "")
    encoded = encode(mapping_of(*columns), "k", *map(copy_text, fields))
    assert item_bytes(orjson.loads(encoded.item)) <= encoded.size <= len(encoded.item)


def test_the_size_of_an_ordinary_row_is_a_few_bytes_an_attribute_too_high() -> None:
    encoded = encode(mapping_of(*(column(f"c{n}", Kind.TEXT) for n in range(10))), "k", *["value"] * 10)
    exact = item_bytes(orjson.loads(encoded.item))
    assert exact <= encoded.size <= exact + 3 * 11


def test_the_source_key_is_given_as_text_for_quarantine() -> None:
    integer = type_of(Kind.INTEGER)
    keys = [SourceKeyColumn("number", integer, 2), SourceKeyColumn("id", type_of(Kind.TEXT), 0)]
    mapping = mapping_of(column("a", Kind.TEXT), source_key=keys)
    encoder = Encoder(mapping)
    line = "a\\tb\tvalue\t17"
    assert encoder.source_key(line.encode()) == {"number": "17", "id": "a\tb"}
    assert orjson.loads(encoder.encode(line.encode()).item) == {"id": {"S": "a\tb"}, "a": {"S": "value"}}


def test_a_key_of_another_form_than_its_type_is_an_error_of_the_plan() -> None:
    mapping = mapping_of(column("a", Kind.TEXT))
    wrong = TableMapping(
        mapping.source, mapping.target, mapping.attributes, mapping.source_key, "id", None, (), (("id", "N"),)
    )
    with pytest.raises(PlanError, match="id"):
        Encoder(wrong)


def test_an_array_type_without_element_is_an_error_of_the_plan() -> None:
    with pytest.raises(PlanError):
        Encoder(mapping_of(Attribute("a", '"a"', ColumnType(Kind.ARRAY, "what[]", 0), "a")))


def test_a_refusal_travels_between_processes() -> None:
    with pytest.raises(RowRefused) as refused:
        encode(mapping_of(), "")
    again = pickle.loads(pickle.dumps(refused.value))
    assert (again.attribute, again.reason, str(again)) == ("id", "an empty key", str(refused.value))
