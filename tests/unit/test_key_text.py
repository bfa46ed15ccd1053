"""Key texts: what names a row in a report asks DynamoDB for its item, and decodes to the same values."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg2dynamo.mapping.decode import decode_key
from pg2dynamo.mapping.key_text import can_be_key, item_key, key_texts, key_values, texts_of_item
from pg2dynamo.mapping.table import Attribute, SourceKeyColumn, TableMapping, TableName
from pg2dynamo.mapping.types import KEY_FORMS, ColumnType, Kind
from pg2dynamo.mapping.value_text import value_text
from pg2dynamo.mapping.values import Endless, Value

MICROSECONDS = st.integers(-211_813_488_000_000_000, 9_223_371_331_200_000_000)
DAY = 86_400_000_000


def keyed(kind: Kind, range_kind: Kind | None = None) -> TableMapping:
    kinds = {"h": kind, "r": range_kind} if range_kind else {"h": kind}
    types = {name: ColumnType(k, str(k), 0) for name, k in kinds.items() if k}
    return TableMapping(
        source=TableName("public", "t"),
        target="t",
        attributes=tuple(Attribute(name, name, type_, name) for name, type_ in types.items()),
        source_key=tuple(SourceKeyColumn(name, type_, n) for n, (name, type_) in enumerate(types.items())),
        hash="h",
        range="r" if range_kind else None,
        indexes=(),
        key_types=tuple((name, KEY_FORMS[type_.kind]) for name, type_ in types.items()),
    )


@given(
    st.one_of(
        st.tuples(st.just(Kind.TEXT), st.text()),
        st.tuples(st.just(Kind.OUTPUT), st.text()),
        st.tuples(st.just(Kind.UUID), st.uuids().map(str)),
        st.tuples(st.just(Kind.INTEGER), st.integers(-(2**63), 2**63)),
        st.tuples(st.just(Kind.NUMERIC), st.decimals(allow_nan=False, allow_infinity=False)),
        st.tuples(st.just(Kind.BYTEA), st.binary()),
        st.tuples(st.just(Kind.DATE), st.integers(-2_451_507, 2_145_031_948 // 1000) | st.sampled_from(Endless)),
        st.tuples(st.just(Kind.TIME), st.integers(0, DAY)),
        st.tuples(st.just(Kind.TIMETZ), st.tuples(st.integers(0, DAY), st.integers(-57_599, 57_599))),
        st.tuples(st.just(Kind.TIMESTAMP), MICROSECONDS | st.sampled_from(Endless)),
        st.tuples(st.just(Kind.TIMESTAMPTZ), MICROSECONDS),
        st.tuples(
            st.just(Kind.INTERVAL),
            st.tuples(
                st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
            ),
        ),
    )
)
def test_the_text_of_a_key_decodes_to_its_value(kind_and_value: tuple[Kind, Value]) -> None:
    kind, value = kind_and_value
    mapping = keyed(kind)
    texts = key_texts(mapping, {"h": value})
    assert decode_key(mapping, item_key(mapping, texts)) == {"h": value}
    assert key_values(mapping, texts) == {"h": value}
    assert texts_of_item(mapping, item_key(mapping, texts)) == texts


@given(st.dates())
def test_dates_are_those_of_the_calendar(day: date) -> None:
    assert value_text(Kind.DATE, (day - date(2000, 1, 1)) // timedelta(days=1)) == day.isoformat()


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_no_item_can_have_name_their_row_all_the_same(text: str) -> None:
    mapping = keyed(Kind.NUMERIC)
    texts = key_texts(mapping, {"h": Decimal(text)})
    assert texts == {"h": text}
    assert not can_be_key(mapping, texts)
    values = key_values(mapping, texts)
    assert values is not None
    assert str(values["h"]) == text


def test_a_text_that_no_row_can_have_has_no_values() -> None:
    assert key_values(keyed(Kind.DATE), {"h": "yesterday"}) is None


@pytest.mark.parametrize(
    ("kind", "text", "fits"),
    [
        (Kind.TEXT, "", False),
        (Kind.TEXT, "a", True),
        (Kind.TEXT, "a" * 2048, True),
        (Kind.TEXT, "a" * 2049, False),
        (Kind.TEXT, "ä" * 1024, True),
        (Kind.TEXT, "ä" * 1025, False),
        (Kind.BYTEA, "", False),
        (Kind.BYTEA, "AA==", True),
        (Kind.NUMERIC, "1" * 38, True),
        (Kind.NUMERIC, "1" * 39, False),
        (Kind.NUMERIC, "1" * 38 + "000", True),
        (Kind.NUMERIC, "9.9E+125", True),
        (Kind.NUMERIC, "1E+126", False),
        (Kind.NUMERIC, "1E-130", True),
        (Kind.NUMERIC, "1E-131", False),
        (Kind.NUMERIC, "0", True),
        (Kind.NUMERIC, "0E-200", True),
    ],
)
def test_what_can_be_a_hash_key(kind: Kind, text: str, fits: bool) -> None:
    assert can_be_key(keyed(kind), {"h": text}) is fits


@pytest.mark.parametrize(("length", "fits"), [(1024, True), (1025, False)])
def test_what_can_be_a_range_key(length: int, fits: bool) -> None:
    assert can_be_key(keyed(Kind.TEXT, Kind.TEXT), {"h": "h", "r": "r" * length}) is fits
