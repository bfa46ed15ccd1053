"""Documents come back in one form, and what comes back may be written again."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboarding.store.documents import plain_document
from onboarding.store.errors import Invalid
from onboarding.store.rules import check_fields


def test_numbers_are_int_when_integral_and_float_otherwise() -> None:
    given = {"a": [Decimal("1.0"), 1.5, Decimal("-0"), True, None, "1"], "b": {"c": Decimal("1E+3")}}
    plain = plain_document(given)
    assert json.dumps(plain) == '{"a": [1, 1.5, 0, true, null, "1"], "b": {"c": 1000}}'


@pytest.mark.parametrize("number", [Decimal(10**38 - 1), 10**38 - 1, 1 - 10**38])
def test_an_integer_of_38_digits_stays_exact(number: Decimal | int) -> None:
    assert plain_document(number) == int(number)


@pytest.mark.parametrize("number", [1e60, Decimal("1E+60"), 10**38, -(10**60)])
def test_a_longer_integer_is_a_float(number: float) -> None:
    assert type(plain_document(number)) is float


@given(
    st.recursive(st.floats() | st.integers() | st.booleans(), lambda inner: st.lists(inner, max_size=3), max_leaves=5)
)
def test_a_document_that_is_taken_is_taken_again_as_it_came_back(value: object) -> None:
    document = {"value": value}
    try:
        check_fields("scan_result", {"metadata": document})
    except Invalid:
        return
    check_fields("scan_result", {"metadata": plain_document(document)})
