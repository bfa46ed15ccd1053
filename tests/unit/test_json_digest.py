"""Digests of items as DynamoDB has them: equal for what it takes for equal, and for nothing else."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg2dynamo.mapping.digest import Buckets
from pg2dynamo.mapping.json_digest import add_item, item_digests

NUMBERS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30, places=8),
    st.integers(-(10**37), 10**37).map(Decimal),
    st.sampled_from([Decimal("1E60"), Decimal("-1E-130"), Decimal("9.9E+125"), Decimal("-0"), Decimal("0E5")]),
)


def digests(**attributes: Any) -> tuple[bytes, bytes]:
    return item_digests({"id": {"S": "1"}, **attributes}, ("id",))


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("1.50", "1.5"),
        ("-0", "0"),
        ("0.000", "0"),
        ("1E60", "1" + "0" * 60),
        ("1E-130", "0." + "0" * 129 + "1"),
        ("-12.3400E2", "-1234"),
        ("0001", "1"),
    ],
)
def test_a_number_counts_by_its_value(sent: str, stored: str) -> None:
    assert digests(n={"N": sent}) == digests(n={"N": stored})
    assert digests(m={"M": {"N": {"N": sent}}}) == digests(m={"M": {"N": {"N": stored}}})


@given(NUMBERS, NUMBERS)
def test_two_numbers_have_one_digest_exactly_when_they_are_equal(one: Decimal, other: Decimal) -> None:
    equal = digests(n={"N": str(one)}) == digests(n={"N": str(other)})
    assert equal == (one == other)
    assert digests(n={"N": str(one)}) == digests(n={"N": f"{one:f}"})


def test_the_order_of_attributes_and_of_members_of_maps_does_not_count() -> None:
    assert digests(a={"S": "x"}, b={"M": {"c": {"S": "y"}, "d": {"BOOL": True}}}) == digests(
        b={"M": {"d": {"BOOL": True}, "c": {"S": "y"}}}, a={"S": "x"}
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"S": "1"}, {"N": "1"}),
        ({"S": '{"N":"1.50"}'}, {"S": '{"N":"1.5"}'}),
        ({"S": "1.50"}, {"S": "1.5"}),
        ({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}),
        ({"B": "MS41MA=="}, {"B": "MS41"}),
        ({"NULL": True}, {"BOOL": True}),
        ({"N": "1"}, {"N": "1.0000000001"}),
        ({"N": "NaN"}, {"N": "Infinity"}),
        ({"N": "no number"}, {"N": ""}),
        ({"N": "1E999"}, {"N": "1E998"}),
    ],
)
def test_other_values_have_other_digests(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert digests(a=one)[1] != digests(a=other)[1]
    assert digests(a=one)[0] == digests(a=other)[0]


def test_an_attribute_that_is_absent_is_not_one_that_is_empty() -> None:
    assert digests() != digests(a={"S": ""})


def test_the_key_has_a_digest_of_its_own() -> None:
    one = item_digests({"id": {"N": "1"}, "at": {"N": "2.0"}, "x": {"S": "a"}}, ("id", "at"))
    other = item_digests({"x": {"S": "b"}, "at": {"N": "2"}, "id": {"N": "1.0"}}, ("id", "at"))
    assert one[0] == other[0]
    assert one[1] != other[1]


def test_sums_differ_when_an_item_is_lost_merged_or_changed_and_not_by_order() -> None:
    items = [{"id": {"N": str(n)}, "x": {"S": "a"}} for n in range(3_000)]

    def summed(of: list[dict[str, Any]]) -> Buckets:
        buckets = Buckets()
        for item in of:
            add_item(buckets, item, ("id",))
        return buckets

    whole = summed(items)
    assert len(whole.to_bytes()) < 4_096 * 42 + 100
    assert not whole.differing(summed(items[::-1]))
    for other in (items[1:], [*items[1:], items[1]], [*items[1:], items[0] | {"x": {"S": "b"}}], [*items, items[0]]):
        assert whole.differing(summed(other))
