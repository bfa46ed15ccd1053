"""A number has one text, keeps its value, and is refused beyond DynamoDB's range."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg2dynamo.mapping.limits import Unfit
from pg2dynamo.mapping.numbers import canonical, number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9" * 38, "9" * 38),
        ("-" + "9" * 38, "-" + "9" * 38),
        ("9" * 38 + "0" * 3, "9." + "9" * 37 + "E+40"),
        ("9." + "9" * 37 + "e+125", "9." + "9" * 37 + "E+125"),
        ("1e-130", "1E-130"),
        ("-1e-130", "-1E-130"),
        ("0." + "0" * 129 + "1", "1E-130"),
        ("1" + "0" * 125, "1E+125"),
        ("0e999999999999999999999", "0"),
        ("-0.0", "0"),
        ("1e+20", "100000000000000000000"),
        ("1.5e-05", "0.000015"),
    ],
)
def test_numbers_in_range_have_their_one_text(text: str, expected: str) -> None:
    assert number(text) == canonical(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "9" * 39,
        "1" + "0" * 37 + "1",
        "1." + "0" * 37 + "1",
        "1e126",
        "1" + "0" * 126,
        "9.9e-131",
        "0." + "0" * 130 + "1",
        "1e999999999999999999999",
        "1e-999999999999999999999",
        "1e" + "9" * 5_000,
        "1" * 100_000,
        "NaN",
        "Infinity",
        "-Infinity",
    ],
)
def test_numbers_out_of_range_are_refused(text: str) -> None:
    with pytest.raises(Unfit):
        number(text)


@pytest.mark.parametrize("text", ["", "1,5", ".5", "5.", "+1", "٣", "0x1", "1e", "1 ", "--1"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(Unfit):
        canonical(text)


@given(st.integers(-(10**38) + 1, 10**38 - 1), st.integers(-130, 87), st.integers(0, 6))
def test_equal_numbers_have_one_text_of_equal_value(digits: int, exponent: int, zeros: int) -> None:
    value = Decimal(f"{digits}e{exponent}")
    texts = {f"{value:f}", f"{digits}e{exponent}", f"{digits}{'0' * zeros}e{exponent - zeros}"}
    if exponent < 0:
        texts.add(f"{value:f}" + "0" * zeros)
    results = {number(text) for text in texts} | {canonical(text) for text in texts}
    assert len(results) == 1
    assert Decimal(results.pop()) == value
