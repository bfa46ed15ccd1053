"""Values become the texts that PostgreSQL reads, without a server: forms, quoting, and what is refused."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg2dynamo.mapping import calendar
from pg2dynamo.mapping.restore import column_text
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.mapping.values import Bounded, Endless, Json, Undecodable, Unknown, Value
from tests.mappings import type_of

DAY = 86_400_000_000


def array_of(kind: Kind, delimiter: str = ",") -> ColumnType:
    return type_of(Kind.ARRAY, kind, delimiter)


@pytest.mark.parametrize(
    ("column_type", "value", "text"),
    [
        (type_of(Kind.TEXT), "", ""),
        (type_of(Kind.OUTPUT), "(1,2)", "(1,2)"),
        (type_of(Kind.INTEGER), -5, "-5"),
        (type_of(Kind.NUMERIC), Decimal("1E+200"), "1E+200"),
        (type_of(Kind.FLOAT4), Decimal("0.1"), "0.1"),
        (type_of(Kind.BOOLEAN), False, "f"),
        (type_of(Kind.BYTEA), b"", "\\x"),
        (type_of(Kind.DATE), -730_120, "0001-12-31 BC"),
        (type_of(Kind.DATE), 2_145_031_948, "5874897-12-31"),
        (type_of(Kind.DATE), Endless.PAST, "-infinity"),
        (type_of(Kind.TIME), DAY, "24:00:00.000000"),
        (type_of(Kind.TIMETZ), (1, 3_601), "00:00:00.000001-01:00:01"),
        (type_of(Kind.TIMESTAMP), -1, "1999-12-31 23:59:59.999999"),
        (type_of(Kind.TIMESTAMPTZ), -730_120 * DAY, "0001-12-31 00:00:00.000000+00 BC"),
        (type_of(Kind.INTERVAL), (-1, 2, 0), "-1 months +2 days +0 microseconds"),
        (type_of(Kind.INTERVAL), Endless.FUTURE, "infinity"),
        (type_of(Kind.JSON), Json({"a\0": [Decimal("1.5"), None, True]}), '{"a\\u0000": [1.5, null, true]}'),
        (type_of(Kind.JSONB), Json(None), "null"),
        (array_of(Kind.TEXT), [], "{}"),
        (array_of(Kind.TEXT), ["NULL", None, '"\\'], '{"NULL",NULL,"\\"\\\\"}'),
        (array_of(Kind.OUTPUT, ";"), [["a"], ["b"]], '{{"a"};{"b"}}'),
        (array_of(Kind.INTEGER), Bounded("[0:1]", [1, 2]), '[0:1]={"1","2"}'),
        (array_of(Kind.JSONB), [Json(None), None, Json([Decimal(1)])], '{"null",NULL,"[1]"}'),
        (type_of(Kind.ARRAY, array_of(Kind.TEXT)), [["a"], [["b"]]], '{"{\\"a\\"}","{{\\"b\\"}}"}'),
        (
            type_of(Kind.ARRAY, array_of(Kind.TEXT)),
            Bounded("[1:1][1:1]", [[["a"]]]),
            '[1:1][1:1]={{"{\\"a\\"}"}}',
        ),
    ],
)
def test_each_kind_has_its_text(column_type: ColumnType, value: Value, text: str) -> None:
    assert column_text(value, column_type) == text


@pytest.mark.parametrize(
    ("column_type", "value"),
    [
        *((type_of(kind), None) for kind in Kind if kind is not Kind.ARRAY),
        *((type_of(kind), Undecodable()) for kind in Kind if kind is not Kind.ARRAY),
        (type_of(Kind.TEXT), "a\0"),
        (type_of(Kind.TEXT), 1),
        (type_of(Kind.INTEGER), True),
        (type_of(Kind.INTEGER), Decimal(1)),
        (type_of(Kind.NUMERIC), 1),
        (type_of(Kind.BOOLEAN), 1),
        (type_of(Kind.INTEGER), Endless.PAST),
        (type_of(Kind.JSON), {"a": 1}),
        (array_of(Kind.TEXT), "{}"),
        (array_of(Kind.TEXT), Unknown()),
        (array_of(Kind.TEXT), [1]),
        (array_of(Kind.TEXT), [["secret", 1]]),
        (type_of(Kind.ARRAY), []),
    ],
)
def test_what_is_no_value_of_the_type_is_refused_and_not_shown(column_type: ColumnType, value: Any) -> None:
    with pytest.raises(ValueError, match=r"not a value of the type|zero character") as refused:
        column_text(value, column_type)
    assert "secret" not in str(refused.value)


@given(st.dates())
def test_days_become_the_dates_of_the_calendar(day: date) -> None:
    days = (day - date(2000, 1, 1)).days
    assert column_text(days, type_of(Kind.DATE)) == day.isoformat()
    assert date(2000, 1, 1) + timedelta(days) == day


@given(st.integers(-2_451_545, 2_145_031_948))
def test_a_civil_date_is_counted_back_to_its_days(days: int) -> None:
    year, month, day = calendar.civil_date(days)
    shown = f"{year:04d}" if 0 <= year <= 9999 else f"{year:+07d}"
    assert calendar.read_date(f"{shown}-{month:02d}-{day:02d}") == days
