"""Encodings of values never collide, and buckets find what differs whatever the order."""

from __future__ import annotations

import pickle
import random
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg2dynamo.mapping.digest import (
    BUCKETS,
    DIGEST_BYTES,
    Buckets,
    bucket_of,
    digest_key,
    digest_row,
    digest_row_and_each,
    encode_pairs,
    encode_value,
)
from pg2dynamo.mapping.values import Bounded, Endless, Json, JsonValue, Undecodable, Unknown, Value

ALL_DIFFERENT: list[Value] = [
    None,
    "",
    " ",
    "a",
    "a ",
    "<null>",
    "null",
    "None",
    "\0",
    "1",
    "1.0",
    1,
    -1,
    0,
    10,
    100,
    Decimal("0.1"),
    Decimal("0.10000000000000001"),
    Decimal("1E+60"),
    Decimal("1E-60"),
    Decimal("NaN"),
    Decimal("Infinity"),
    Decimal("-Infinity"),
    True,
    False,
    "true",
    "t",
    b"",
    b"a",
    b"1",
    Endless.FUTURE,
    Endless.PAST,
    "infinity",
    "-infinity",
    [],
    [None],
    [""],
    [[]],
    ["a", "b"],
    ["b", "a"],
    ["ab"],
    ["a,b"],
    [["a"], "b"],
    [["a", "b"]],
    [["a"], ["b"]],
    (1, 0, 0),
    (0, 30, 0),
    (0, 0, 1),
    (1, 0),
    [1, 0, 0],
    Bounded("[0:0]", ["a"]),
    Bounded("[2:2]", ["a"]),
    ["a", None],
    Json(None),
    Json("a"),
    Json(""),
    Json(True),
    Json(Decimal(1)),
    Json("1"),
    Json([]),
    Json({}),
    Json({"a": None}),
    Json({"a": "b"}),
    Json({"b": "a"}),
    Json({"a": {"b": "c"}}),
    Json({"a": ["b", "c"]}),
    Json(["a", "b"]),
    Json(["b", "a"]),
    Json([["a"], "b"]),
    Json([None]),
    [Json("a"), Json("b")],
    [Json(["a", "b"])],
    [Json(None)],
    Undecodable(),
    Unknown(),
]


def test_different_values_have_different_encodings() -> None:
    encodings = [encode_value(value) for value in ALL_DIFFERENT]
    assert len(set(encodings)) == len(ALL_DIFFERENT)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([("x", "a|b"), ("y", "c")], [("x", "a"), ("y", "b|c")]),
        ([("x", "a,b"), ("y", "c")], [("x", "a"), ("y", "b,c")]),
        ([("x", "a\0b"), ("y", "c")], [("x", "a"), ("y", "b\0c")]),
        ([("x", "1:a")], [("x", "a")]),
        ([("x", None)], [("x", "<null>")]),
        ([("x", None)], [("x", "")]),
        ([("x", "1")], [("x", 1)]),
        ([("x", "a"), ("y", None)], [("x", None), ("y", "a")]),
        ([("xy", "a")], [("x", "ya")]),
        ([("x", "a"), ("y", "b")], [("x", "b"), ("y", "a")]),
        ([("x", "as1:b")], [("x", "a"), ("s1:b", "")]),
        ([("x", None)], [("x", Json(None))]),
        ([("x", True)], [("x", 1)]),
    ],
)
def test_rows_that_a_careless_encoding_would_take_for_equal_are_not(
    one: list[tuple[str, Value]], other: list[tuple[str, Value]]
) -> None:
    assert digest_row(one) != digest_row(other)
    assert digest_key(one) != digest_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Decimal("1.50"), Decimal("1.5")),
        (Decimal("-0"), Decimal("0")),
        (Decimal("0E+10"), Decimal("0.000")),
        (Decimal("1E+3"), Decimal("1000")),
        (Decimal(1000), 1000),
        (Decimal("0.00"), 0),
        (-120, Decimal("-1.2E2")),
        (Json(Decimal("1.0")), Json(Decimal("1"))),
        (Json({"a": "1", "b": "2"}), Json({"b": "2", "a": "1"})),
        (Decimal("1" * 40 + ".50"), Decimal("1" * 40 + ".5")),
    ],
)
def test_equal_values_have_equal_encodings(one: Value, other: Value) -> None:
    assert encode_value(one) == encode_value(other)


def test_numbers_are_told_apart_beyond_the_precision_of_decimal_arithmetic() -> None:
    number = "1" * 60
    assert encode_value(Decimal(number)) != encode_value(Decimal(number + ".1"))
    assert encode_value(Decimal(number)) != encode_value(Decimal(number[:-1] + "2"))


def test_the_order_of_attributes_does_not_count_and_null_is_absent() -> None:
    assert digest_row([("a", 1), ("b", "x"), ("c", None)]) == digest_row([("b", "x"), ("a", 1)])


def test_a_digest_has_256_bits_and_that_of_a_key_is_no_rows() -> None:
    assert len(digest_key([("a", 1)])) == len(digest_row([("a", 1)])) == DIGEST_BYTES
    assert digest_key([("a", 1)]) != digest_row([("a", 1)])


def test_documents_too_deep_for_the_stack_are_encoded() -> None:
    def nested(core: JsonValue) -> Json:
        for _ in range(20_000):
            core = [core]
        return Json(core)

    assert encode_value(nested("a")) != encode_value(nested("b"))


def test_lone_surrogates_are_encoded_and_told_apart() -> None:
    assert encode_value(Json("\ud800")) != encode_value(Json("\ud801"))


def test_a_value_of_no_known_type_is_an_error() -> None:
    strange: Any = 1.5
    with pytest.raises(TypeError, match="float"):
        encode_value(strange)


texts = st.text("ab1:;|\0é", max_size=3)
numbers = st.integers(-12, 12).map(Decimal) | st.decimals(-20, 20, places=2)
json_values = st.recursive(
    st.none() | st.booleans() | texts | numbers,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=4,
)
scalars = (
    texts | st.integers(-12, 12) | numbers | st.booleans() | st.binary(max_size=2) | st.sampled_from(Endless)
) | st.tuples(st.integers(0, 2), st.integers(0, 2))
arrays: st.SearchStrategy[Any] = st.recursive(
    st.none() | scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=4
).filter(lambda value: isinstance(value, list))
values: st.SearchStrategy[Any] = scalars | arrays | json_values.map(Json) | arrays.map(lambda e: Bounded("[0:1]", e))


def equal(one: Any, other: Any) -> bool:
    """Whether two values are the same, told without any encoding."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | Decimal) and isinstance(other, int | Decimal):
        return one == other
    if type(one) is not type(other):
        return False
    if isinstance(one, Json):
        return equal(one.value, other.value)
    if isinstance(one, Bounded):
        return one.bounds == other.bounds and equal(one.elements, other.elements)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    return bool(one == other)


@given(values, values)
def test_encodings_are_equal_exactly_when_values_are(one: Any, other: Any) -> None:
    assert (encode_value(one) == encode_value(other)) == equal(one, other)


rows: st.SearchStrategy[Any] = st.dictionaries(st.sampled_from(["a", "b", "ab"]), st.none() | values, max_size=3)


@given(rows, rows)
def test_encodings_of_rows_are_equal_exactly_when_rows_are(one: dict[str, Any], other: dict[str, Any]) -> None:
    def present(row: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if value is not None}

    assert (encode_pairs(one.items()) == encode_pairs(other.items())) == equal(present(one), present(other))


@given(st.lists(rows, max_size=4))
def test_an_encoding_begins_no_other_so_that_lists_of_them_are_unambiguous(all_rows: list[dict[str, Any]]) -> None:
    encodings = {encode_value(value) for row in all_rows for value in row.values()}
    for one, other in combinations(encodings, 2):
        assert not one.startswith(other)
        assert not other.startswith(one)


def digests(number: int) -> tuple[bytes, bytes]:
    return digest_key([("id", number)]), digest_row([("id", number), ("name", f"name {number}")])


def buckets_of(numbers: list[int]) -> Buckets:
    buckets = Buckets()
    for number in numbers:
        buckets.add(*digests(number))
    return buckets


def test_equal_rows_in_any_order_and_any_parts_have_equal_buckets() -> None:
    numbers = list(range(2_000))
    shuffled = random.Random(7).sample(numbers, len(numbers))
    merged = buckets_of(shuffled[:700])
    merged.merge(buckets_of(shuffled[700:]))
    assert buckets_of(numbers).to_bytes() == merged.to_bytes()
    assert buckets_of(numbers).differing(merged) == set()
    assert merged.rows == 2_000


def test_a_missing_an_extra_and_a_changed_row_are_in_the_differing_buckets() -> None:
    source = buckets_of(list(range(1_000)))
    target = buckets_of(list(range(1, 1_001)))
    key, _ = digests(500)
    changed = buckets_of([number for number in range(1, 1_001) if number != 500])
    changed.add(key, digest_row([("id", 500), ("name", "another")]))
    assert source.differing(target) == {bucket_of(digests(0)[0]), bucket_of(digests(1_000)[0])}
    assert target.differing(changed) == {bucket_of(key)}
    assert source.differing(Buckets()) == {bucket_of(digests(number)[0]) for number in range(1_000)}


def test_a_row_twice_is_not_a_row_once() -> None:
    assert buckets_of([1, 1]).differing(buckets_of([1])) == {bucket_of(digests(1)[0])}


def test_another_row_and_more_rows_of_the_same_sum_differ() -> None:
    key, row = digests(1)
    one, other, more = Buckets(), Buckets(), Buckets()
    one.add(key, row)
    other.add(key, digests(2)[1])
    less = (int.from_bytes(row, "big") - 1).to_bytes(32, "big")
    more.add_all([key, key], [less, (1).to_bytes(32, "big")])
    assert one.differing(other) == one.differing(more) == {bucket_of(key)}


def test_sums_that_overflow_do_not_spoil_the_count() -> None:
    key, most = bytes(32), b"\xff" * 32
    one, other = Buckets(), Buckets()
    one.add_all([key] * 3, [most] * 3)
    other.add_all([key] * 2, [most, b"\xff" * 31 + b"\xfe"])
    assert (one.rows, other.rows) == (3, 2)
    other.add(key, most)
    assert one.differing(other) == {0}


def test_every_bucket_is_reached_and_no_other() -> None:
    assert {bucket_of(bytes([high, low]) + bytes(30)) for high in range(256) for low in range(256)} == set(
        range(BUCKETS)
    )


def test_buckets_go_from_process_to_process() -> None:
    buckets = buckets_of(list(range(300)))
    assert pickle.loads(pickle.dumps(buckets)).differing(buckets) == set()


def test_buckets_survive_as_bytes_and_damage_is_refused() -> None:
    buckets = buckets_of(list(range(300)))
    # So many that sums are longer than a digest.
    buckets.add_all([bytes(32)] * 1_000, [b"\xff" * 32] * 1_000)
    data = buckets.to_bytes()
    assert Buckets.from_bytes(data).differing(buckets) == set()
    assert Buckets.from_bytes(data).rows == buckets.rows == 1_300
    assert Buckets.from_bytes(data).to_bytes() == data
    assert Buckets.from_bytes(Buckets().to_bytes()).rows == 0
    for damaged in (b"", data[:-1], data + b"\0", b"xxxx" + data[4:], b"pgb1" + data[4:]):
        with pytest.raises(ValueError, match="not buckets"):
            Buckets.from_bytes(damaged)


def test_a_row_and_each_of_its_values_have_the_digests_that_they_have_alone() -> None:
    pairs: list[tuple[str, Value]] = [("b", "x"), ("a", Decimal("1.50")), ("none", None), ("c", [1, "y"]), ("", ["z"])]
    row, each = digest_row_and_each(pairs)
    assert row == digest_row(pairs)
    assert each == {name: digest_row([(name, value)]) for name, value in pairs if value is not None}


def test_digests_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        Buckets().add_all([bytes(32)], [])
