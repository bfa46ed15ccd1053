"""The encoder written for one table and the one in C give the reference's bytes, or leave the row to it."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg2dynamo.errors import RowRefused, SourceChanged
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.generated import MOST_BYTES
from pg2dynamo.mapping.table import IndexMapping
from pg2dynamo.mapping.types import Kind
from tests.copy_lines import FIELDS, VALUES, every_form, lines
from tests.fast_encoders import NAMES, fast_encoder, require_equal
from tests.mappings import column, mapping_of

EACH = pytest.mark.parametrize("name", NAMES)
EVERY = every_form()


@EACH
@given(st.data())
def test_every_row_is_written_as_the_reference_writes_it_or_left(name: str, data: st.DataObject) -> None:
    fast = fast_encoder(name, EVERY)
    require_equal(EVERY, fast, data.draw(lines()))


@EACH
@given(st.data())
def test_a_column_of_each_form_is_written_and_not_left(name: str, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(VALUES) - 1))
    kind, element = list(VALUES)[number]
    field = data.draw(FIELDS[number])
    mapping = mapping_of(column("value", kind, element))
    row = f"k\t{field}".encode()
    left = require_equal(mapping, fast_encoder(name, mapping), [row])
    try:
        Encoder(mapping).encode(row)
    except RowRefused:
        assert left == 1
    else:
        assert left == 0 or (name == "generated" and is_unusual(row))


@EACH
@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (Kind.NUMERIC, '"0.000'),
        (Kind.FLOAT8, '1"5'),
        (Kind.DATE, '2024-01-"1'),
        (Kind.TIMESTAMP, '2024-01-02 03:04:05.12345"'),
        (Kind.TIMESTAMPTZ, '2024-01-0" 03:04:05.123456+00'),
    ],
)
def test_a_quote_where_none_belongs_makes_no_other_item(name: str, kind: Kind, field: str) -> None:
    mapping = mapping_of(column("value", kind))
    require_equal(mapping, fast_encoder(name, mapping), [f"k\t{field}".encode(), b"k\t\\N"])


def is_unusual(row: bytes) -> bool:
    """Whether a row has what the generated encoder may leave."""
    controls = any(byte < 0x20 and byte not in b"\t\n" for byte in row)
    return controls or any(part in row for part in (b"\\v", b"\\u", b"\\\\", b'"":'))


@EACH
@pytest.mark.parametrize("row", [b"k\tx\ty", b"k", b"", b"k\t\xff", b"k\t\\q", b"k\ta\\", b"\\N\tx", b"\tx"])
def test_a_row_that_copy_does_not_write_is_left_and_those_beside_it_are_not(name: str, row: bytes) -> None:
    mapping = mapping_of(column("value", Kind.TEXT))
    _, items, left = fast_encoder(name, mapping).encode([b"a\t1", row, b"b\t2", b"c\t3"])
    assert list(left) == [1]
    assert [orjson.loads(item)["value"]["S"] for item in items] == ["1", "2", "3"]
    with pytest.raises((RowRefused, SourceChanged)):
        Encoder(mapping).encode(row)


@EACH
def test_a_row_that_may_be_too_large_is_left(name: str) -> None:
    mapping = mapping_of(column("value", Kind.TEXT))
    rows = [b"a\t1", b"b\t" + b"x" * MOST_BYTES, b"c\t3"]
    assert list(fast_encoder(name, mapping).encode(rows)[2]) == [1]
    mapping = mapping_of(column("value", Kind.ARRAY, Kind.INTEGER))
    grows = b"b\t{" + b",".join([b"1"] * (MOST_BYTES // 4)) + b"}"
    assert len(grows) < MOST_BYTES
    assert list(fast_encoder(name, mapping).encode([b"a\t{1}", grows])[2]) == [1]


@EACH
def test_more_lines_than_are_encoded_at_once_keep_their_order(name: str) -> None:
    mapping = mapping_of(column("value", Kind.TEXT))
    rows = [b"%d\t" % number + b"x" * 1000 for number in range(3_000)]
    assert require_equal(mapping, fast_encoder(name, mapping), rows) == 0


@EACH
@pytest.mark.parametrize(("key", "left"), [("k" * 512, 0), ("k" * 2049, 1), ("", 1), ("\\N", 1), ("ab\\tc", 0)])
def test_a_key_that_may_be_empty_or_too_long_is_left(name: str, key: str, left: int) -> None:
    mapping = mapping_of(column("value", Kind.TEXT))
    row = f"{key}\t1".encode()
    assert len(fast_encoder(name, mapping).encode([row])[2]) == left


@EACH
def test_the_key_of_an_index_may_be_absent_but_not_empty(name: str) -> None:
    mapping = mapping_of(column("other", Kind.BYTEA), indexes=[IndexMapping("by_other", "other", None)])
    fast = fast_encoder(name, mapping)
    assert require_equal(mapping, fast, [b"a\t\\N", b"b\t\\\\x01"]) == 0
    assert list(fast.encode([b"a\t\\\\x", b"b\t\\\\x" + b"00" * 2_049])[2]) == [0, 1]


@EACH
def test_a_null_that_the_plan_keeps_is_written_and_a_first_column_that_is_none_leaves_no_comma(name: str) -> None:
    first = replace(column("first", Kind.TEXT), nulls=True)
    mapping = mapping_of(first, column("second", Kind.TEXT), column("id", Kind.TEXT))
    assert require_equal(mapping, fast_encoder(name, mapping), [b"\\N\t\\N\tk", b"a\tb\tk", b"a\t\\N\tk"]) == 0
    bare = mapping_of(column("first", Kind.TEXT), column("second", Kind.TEXT), column("id", Kind.TEXT))
    assert require_equal(bare, fast_encoder(name, bare), [b"\\N\t\\N\tk", b"\\N\tb,\tk", b"a\t\\N\tk"]) == 0


@EACH
def test_the_order_of_the_key_is_the_targets(name: str) -> None:
    mapping = mapping_of(column("b", Kind.TEXT), column("a", Kind.INTEGER), hash="a", range="b")
    keys, items, left = fast_encoder(name, mapping).encode([b"x\t1"])
    assert (keys, items) == ([b'{"a":{"N":"1"},"b":{"S":"x"}}'], [b'{"b":{"S":"x"},"a":{"N":"1"}}'])
    assert not left
