"""The encoder written for one table gives the reference's bytes, or leaves the row to it."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg2dynamo.errors import RowRefused, SourceChanged
from pg2dynamo.mapping.document_text import DocumentText
from pg2dynamo.mapping.documents import document
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.generated import MOST_BYTES, GeneratedEncoder
from pg2dynamo.mapping.limits import AttributeValue, Unfit
from pg2dynamo.mapping.row_program import FastEncoder, row_program
from pg2dynamo.mapping.table import IndexMapping, TableMapping
from pg2dynamo.mapping.types import Kind
from tests.copy_lines import DOCUMENTS, FIELDS, VALUES, every_form, jsonb_text, lines
from tests.mappings import column, mapping_of

EVERY = every_form()


def generated(mapping: TableMapping) -> FastEncoder:
    program = row_program(mapping)
    assert program is not None
    return GeneratedEncoder(program, [convert for _, convert in Encoder(mapping)._columns])


def require_equal(mapping: TableMapping, fast: FastEncoder, rows: list[bytes]) -> int:
    """Compare with the reference, line by line; return how many lines are left."""
    reference = Encoder(mapping)
    keys, items, left = fast.encode(rows)
    assert list(left) == sorted(set(left))
    assert len(keys) == len(items) == len(rows) - len(left)
    encoded = [reference.encode(row) for number, row in enumerate(rows) if number not in set(left)]
    assert [one.key for one in encoded] == keys
    assert [one.item for one in encoded] == items
    assert not any(one.nulled for one in encoded)
    return len(left)


FAST = generated(EVERY)


@given(lines())
def test_every_row_is_written_as_the_reference_writes_it_or_left(rows: list[bytes]) -> None:
    require_equal(EVERY, FAST, rows)


@given(st.data())
def test_a_column_of_each_form_is_written_and_not_left(data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(VALUES) - 1))
    kind, element = list(VALUES)[number]
    field = data.draw(FIELDS[number])
    mapping = mapping_of(column("value", kind, element))
    row = f"k\t{field}".encode()
    left = require_equal(mapping, generated(mapping), [row])
    usual = not any(byte < 0x20 and byte not in b"\t\n" for byte in row) and b"\\v" not in row and b"\\u" not in row
    try:
        Encoder(mapping).encode(row)
    except RowRefused:
        assert left == 1
    else:
        assert left == 0 or not usual or "\\\\" in field or '"":' in field


@pytest.mark.parametrize("row", [b"k\tx\ty", b"k", b"", b"k\t\xff", b"k\t\\q", b"k\ta\\", b"\\N\tx", b"\tx"])
def test_a_row_that_copy_does_not_write_is_left_and_those_beside_it_are_not(row: bytes) -> None:
    mapping = mapping_of(column("value", Kind.TEXT))
    _, items, left = generated(mapping).encode([b"a\t1", row, b"b\t2", b"c\t3"])
    assert list(left) == [1]
    assert [orjson.loads(item)["value"]["S"] for item in items] == ["1", "2", "3"]
    with pytest.raises((RowRefused, SourceChanged)):
        Encoder(mapping).encode(row)


def test_a_row_that_may_be_too_large_is_left() -> None:
    mapping = mapping_of(column("value", Kind.TEXT))
    rows = [b"a\t1", b"b\t" + b"x" * MOST_BYTES, b"c\t3"]
    assert list(generated(mapping).encode(rows)[2]) == [1]
    mapping = mapping_of(column("value", Kind.ARRAY, Kind.INTEGER))
    grows = b"b\t{" + b",".join([b"1"] * (MOST_BYTES // 4)) + b"}"
    assert len(grows) < MOST_BYTES
    assert list(generated(mapping).encode([b"a\t{1}", grows])[2]) == [1]


def test_more_lines_than_are_encoded_at_once_keep_their_order() -> None:
    mapping = mapping_of(column("value", Kind.TEXT))
    rows = [b"%d\t" % number + b"x" * 1000 for number in range(3_000)]
    assert require_equal(mapping, generated(mapping), rows) == 0


@pytest.mark.parametrize(("key", "left"), [("k" * 512, 0), ("k" * 513, 1), ("", 1), ("\\N", 1), ("ab\\tc", 0)])
def test_a_key_that_may_be_empty_or_too_long_is_left(key: str, left: int) -> None:
    mapping = mapping_of(column("value", Kind.TEXT))
    assert len(generated(mapping).encode([f"{key}\t1".encode()])[2]) == left


def test_the_key_of_an_index_may_be_absent_but_not_empty() -> None:
    mapping = mapping_of(column("other", Kind.BYTEA), indexes=[IndexMapping("by_other", "other", None)])
    fast = generated(mapping)
    assert require_equal(mapping, fast, [b"a\t\\N", b"b\t\\\\x01"]) == 0
    assert list(fast.encode([b"a\t\\\\x", b"b\t\\\\x" + b"00" * 2_049])[2]) == [0, 1]


def test_a_null_that_the_plan_keeps_is_written_and_a_first_column_that_is_none_leaves_no_comma() -> None:
    first = replace(column("first", Kind.TEXT), nulls=True)
    mapping = mapping_of(first, column("second", Kind.TEXT), column("id", Kind.TEXT))
    assert require_equal(mapping, generated(mapping), [b"\\N\t\\N\tk", b"a\tb\tk", b"a\t\\N\tk"]) == 0
    bare = mapping_of(column("first", Kind.TEXT), column("second", Kind.TEXT), column("id", Kind.TEXT))
    assert require_equal(bare, generated(bare), [b"\\N\t\\N\tk", b"\\N\tb,\tk", b"a\t\\N\tk"]) == 0


def test_the_order_of_the_key_is_the_targets() -> None:
    mapping = mapping_of(column("b", Kind.TEXT), column("a", Kind.INTEGER), hash="a", range="b")
    keys, items, left = generated(mapping).encode([b"x\t1"])
    assert (keys, items) == ([b'{"a":{"N":"1"},"b":{"S":"x"}}'], [b'{"b":{"S":"x"},"a":{"N":"1"}}'])
    assert not left


WRITER = DocumentText()


@given(DOCUMENTS)
def test_a_document_is_written_as_the_reference_writes_it_or_refused(value: object) -> None:
    text = jsonb_text(value)
    expected = reference_document(text)
    try:
        written = WRITER.write(text)
    except Unfit:
        assert expected is None or '"":' in text
    else:
        assert expected is not None
        assert written == orjson.dumps(expected).decode()


def reference_document(text: str) -> AttributeValue | None:
    try:
        return document(text)
    except Unfit:
        return None


@pytest.mark.parametrize(
    "text",
    ['{"a": 1', '{"a": 1}}', "[1, ]", "[1 2]", "12x", '"a" "b"', '12"a"', '{1: "a"}', '["a": 1]', '{"a", "b"}', "",
     "[" * 33 + "]" * 33, '{"": 1}', "1e130", "NaN", "[[1], ]", "{]", '"a', "1, 2", '{"a": }', "]"],
)  # fmt: skip
def test_what_is_no_jsonb_that_an_item_can_hold_is_refused(text: str) -> None:
    with pytest.raises(Unfit):
        DocumentText().write(text)


def test_what_is_remembered_is_bounded() -> None:
    writer = DocumentText()
    for number in range(12_000):
        text = f'{{"a": {number}, "b": "x"}}'
        assert writer.write(text) == f'{{"M":{{"a":{{"N":"{number}"}},"b":{{"S":"x"}}}}}}'
    long = '{"a": [' + ", ".join(map(str, range(5_000))) + '], "b": "x"}'
    for _ in range(2):
        assert writer.write(long) == orjson.dumps(document(long)).decode()
    assert sum(len(turns) for turns in writer._places.values()) <= 10_000
    assert max(len(between) for turns in writer._places.values() for between in turns) <= 32
