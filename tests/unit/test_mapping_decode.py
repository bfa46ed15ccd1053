"""Items become the values of PostgreSQL again; whatever this mapping would not have written is Undecodable."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg2dynamo.mapping import calendar
from pg2dynamo.mapping.decode import Decoder, ItemUndecodable, decode_key
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.mapping.values import Bounded, Endless, Json, Undecodable, Unknown, Value
from tests.mappings import column, mapping_of, type_of

DAY = 86_400_000_000


def decode(kind: Kind, value: Any, element: Kind | ColumnType | None = None) -> Value:
    return Decoder(mapping_of(column("value", kind, element))).decode({"value": value})["value"]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Kind.TEXT, {"S": ""}, ""),
        (Kind.OUTPUT, {"S": "(1,2)"}, "(1,2)"),
        (Kind.UUID, {"S": "0d2f6f0e-8a55-4b0e-9c7b-0a1b2c3d4e5f"}, "0d2f6f0e-8a55-4b0e-9c7b-0a1b2c3d4e5f"),
        (Kind.INTEGER, {"N": "-9223372036854775808"}, -9223372036854775808),
        (Kind.INTEGER, {"N": "1E+3"}, 1000),
        (Kind.NUMERIC, {"N": "1.5"}, Decimal("1.5")),
        (Kind.NUMERIC, {"N": "1" + "0" * 60}, Decimal("1E60")),
        (Kind.NUMERIC, {"N": "0." + "0" * 129 + "1"}, Decimal("1E-130")),
        (Kind.FLOAT8, {"N": "1E-100"}, Decimal("1E-100")),
        (Kind.FLOAT4, {"N": "0.1"}, Decimal("0.1")),
        (Kind.BOOLEAN, {"BOOL": False}, False),
        (Kind.BYTEA, {"B": "AP9h"}, b"\x00\xffa"),
        (Kind.BYTEA, {"B": ""}, b""),
        (Kind.DATE, {"S": "2000-01-01"}, 0),
        (Kind.DATE, {"S": "1999-12-31"}, -1),
        (Kind.DATE, {"S": "2024-02-29"}, 8825),
        (Kind.DATE, {"S": "0000-12-31"}, -730120),
        (Kind.DATE, {"S": "-004713-11-24"}, -2451545),
        (Kind.DATE, {"S": "+5874897-12-31"}, 2145031948),
        (Kind.DATE, {"S": "infinity"}, Endless.FUTURE),
        (Kind.TIME, {"S": "24:00:00.000000"}, DAY),
        (Kind.TIME, {"S": "00:00:01.000002"}, 1_000_002),
        (Kind.TIMETZ, {"S": "00:00:01.000000+02:00"}, (1_000_000, -7200)),
        (Kind.TIMETZ, {"S": "00:00:00.000000-15:59:59"}, (0, 57599)),
        (Kind.TIMETZ, {"S": "00:00:00.000000+00:00"}, (0, 0)),
        (Kind.TIMESTAMP, {"S": "2000-01-02T00:00:00.000001"}, DAY + 1),
        (Kind.TIMESTAMP, {"S": "1999-12-31T23:59:59.999999"}, -1),
        (Kind.TIMESTAMP, {"S": "-infinity"}, Endless.PAST),
        (Kind.TIMESTAMPTZ, {"S": "2000-01-01T00:00:00.000000Z"}, 0),
        (Kind.TIMESTAMPTZ, {"S": "+294276-12-31T23:59:59.999999Z"}, 9223371331199999999),
        (Kind.INTERVAL, {"S": "00:00:00"}, (0, 0, 0)),
        (Kind.INTERVAL, {"S": "1 mon"}, (1, 0, 0)),
        (Kind.INTERVAL, {"S": "30 days"}, (0, 30, 0)),
        (Kind.INTERVAL, {"S": "-1 years -2 mons +3 days -04:05:06.7"}, (-14, 3, -14706700000)),
        (Kind.INTERVAL, {"S": "1 day -00:00:00.000001"}, (0, 1, -1)),
        (Kind.INTERVAL, {"S": "infinity"}, Endless.FUTURE),
        (Kind.JSONB, {"NULL": True}, Json(None)),
        (Kind.JSONB, {"L": [{"N": "1.5"}, {"BOOL": True}]}, Json([Decimal("1.5"), True])),
        (Kind.JSON, {"M": {"a": {"S": "b"}, "c": {"M": {}}}}, Json({"a": "b", "c": {}})),
    ],
)
def test_each_kind_is_read_in_its_form(kind: Kind, value: dict[str, Any], expected: Value) -> None:
    decoded = decode(kind, value)
    assert decoded == expected
    assert type(decoded) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.TEXT, {"N": "1"}),
        (Kind.TEXT, {"NULL": True}),
        (Kind.TEXT, {"S": 1}),
        (Kind.TEXT, {"S": "a", "N": "1"}),
        (Kind.TEXT, {}),
        (Kind.TEXT, None),
        (Kind.TEXT, "a"),
        (Kind.TEXT, {"SS": ["a"]}),
        (Kind.UUID, {"S": "0D2F6F0E-8A55-4B0E-9C7B-0A1B2C3D4E5F"}),
        (Kind.UUID, {"S": "0d2f6f0e-8a55-4b0e-9c7b-0a1b2c3d4e5f "}),
        (Kind.UUID, {"S": "0d2f6f0e8a554b0e9c7b0a1b2c3d4e5f"}),
        (Kind.INTEGER, {"S": "1"}),
        (Kind.INTEGER, {"N": "1.5"}),
        (Kind.INTEGER, {"N": 1}),
        (Kind.INTEGER, {"N": " 1"}),
        (Kind.INTEGER, {"N": "1_000"}),
        (Kind.INTEGER, {"N": "١"}),
        (Kind.NUMERIC, {"N": "NaN"}),
        (Kind.NUMERIC, {"N": "Infinity"}),
        (Kind.NUMERIC, {"N": ""}),
        (Kind.FLOAT8, {"S": "1.5"}),
        (Kind.BOOLEAN, {"BOOL": "true"}),
        (Kind.BOOLEAN, {"S": "true"}),
        (Kind.BOOLEAN, {"N": "1"}),
        (Kind.BYTEA, {"B": "AP9h!"}),
        (Kind.BYTEA, {"B": "A"}),
        (Kind.BYTEA, {"S": "AP9h"}),
        (Kind.DATE, {"S": "2024-02-30"}),
        (Kind.DATE, {"S": "2023-02-29"}),
        (Kind.DATE, {"S": "2024-13-01"}),
        (Kind.DATE, {"S": "2024-00-01"}),
        (Kind.DATE, {"S": "2024-01-00"}),
        (Kind.DATE, {"S": "2024-1-1"}),
        (Kind.DATE, {"S": "20240101"}),
        (Kind.DATE, {"S": "2024-01-01\n"}),
        (Kind.DATE, {"S": "+002024-01-01"}),
        (Kind.DATE, {"S": "-000000-01-01"}),
        (Kind.DATE, {"S": "+0010000-01-01"}),
        (Kind.DATE, {"S": "Infinity"}),
        (Kind.DATE, {"N": "0"}),
        (Kind.TIME, {"S": "03:04:05"}),
        (Kind.TIME, {"S": "03:04:60.000000"}),
        (Kind.TIME, {"S": "24:00:00.000001"}),
        (Kind.TIMETZ, {"S": "03:04:05.000000"}),
        (Kind.TIMETZ, {"S": "03:04:05.000000Z"}),
        (Kind.TIMETZ, {"S": "03:04:05.000000-00:00"}),
        (Kind.TIMETZ, {"S": "03:04:05.000000+02:00:00"}),
        (Kind.TIMETZ, {"S": "03:04:05.000000+02:60"}),
        (Kind.TIMESTAMP, {"S": "2024-01-02 03:04:05.000000"}),
        (Kind.TIMESTAMP, {"S": "2024-01-02T03:04:05"}),
        (Kind.TIMESTAMP, {"S": "2024-01-02T03:04:05.000"}),
        (Kind.TIMESTAMP, {"S": "2024-01-02T03:04:05.000000Z"}),
        (Kind.TIMESTAMP, {"S": "2024-01-02T24:00:00.000000"}),
        (Kind.TIMESTAMP, {"S": "2024-01-02"}),
        (Kind.TIMESTAMPTZ, {"S": "2024-01-02T03:04:05.000000"}),
        (Kind.TIMESTAMPTZ, {"S": "2024-01-02T03:04:05.000000+00:00"}),
        (Kind.TIMESTAMPTZ, {"S": "infinityZ"}),
        (Kind.INTERVAL, {"S": ""}),
        (Kind.INTERVAL, {"S": "P1D"}),
        (Kind.INTERVAL, {"S": "12 mons"}),
        (Kind.INTERVAL, {"S": "1 days"}),
        (Kind.INTERVAL, {"S": "1 day 00:00:00"}),
        (Kind.INTERVAL, {"S": "+1 day"}),
        (Kind.INTERVAL, {"S": "00:00:00.0"}),
        (Kind.INTERVAL, {"S": "1 day  01:00:00"}),
        (Kind.JSON, {"SS": ["a"]}),
        (Kind.JSON, {"B": "AP9h"}),
        (Kind.JSON, {"M": {"a": {"NS": ["1"]}}}),
        (Kind.JSON, {"NULL": False}),
        (Kind.JSON, {"L": {"S": "a"}}),
        (Kind.JSON, {"M": {"a": "b"}}),
    ],
)
def test_another_form_is_undecodable(kind: Kind, value: Any) -> None:
    assert isinstance(decode(kind, value), Undecodable)


@pytest.mark.parametrize(
    ("element", "value", "expected"),
    [
        (Kind.INTEGER, {"L": []}, []),
        (Kind.INTEGER, {"L": [{"N": "1"}, {"NULL": True}]}, [1, None]),
        (Kind.TEXT, {"L": [{"L": [{"S": "a"}]}, {"L": [{"NULL": True}]}]}, [["a"], [None]]),
        (
            Kind.TEXT,
            {"M": {"bounds": {"S": "[0:1]"}, "elements": {"L": [{"S": "a"}, {"S": "b"}]}}},
            Bounded("[0:1]", ["a", "b"]),
        ),
        (Kind.JSONB, {"L": [{"L": [{"N": "1"}]}, {"NULL": True}]}, [Json([Decimal(1)]), None]),
        (
            Kind.JSONB,
            {"M": {"bounds": {"S": "[1:1][1:1]"}, "elements": {"L": [{"L": [{"L": [{"N": "1"}]}]}]}}},
            [[Json([Decimal(1)])]],
        ),
    ],
)
def test_arrays_are_read_by_dimension(element: Kind, value: Any, expected: Value) -> None:
    assert decode(Kind.ARRAY, value, element) == expected


@pytest.mark.parametrize(
    ("element", "value"),
    [
        (Kind.INTEGER, {"L": [{"S": "1"}]}),
        (Kind.INTEGER, {"SS": ["1"]}),
        (Kind.INTEGER, {"NS": ["1"]}),
        (Kind.INTEGER, {"S": "{1}"}),
        (Kind.INTEGER, {"L": [{"N": "1"}], "M": {}}),
        (Kind.INTEGER, {"M": {"bounds": {"S": "[1:1]"}, "elements": {"L": [{"N": "1"}]}}}),
        (Kind.INTEGER, {"M": {"bounds": {"S": "[0:1]"}, "elements": {"L": [{"N": "1"}]}}}),
        (Kind.INTEGER, {"M": {"bounds": {"S": "[0:0]="}, "elements": {"L": [{"N": "1"}]}}}),
        (Kind.INTEGER, {"M": {"bounds": {"S": "[00:0]"}, "elements": {"L": [{"N": "1"}]}}}),
        (Kind.INTEGER, {"M": {"bounds": {"S": ""}, "elements": {"L": [{"N": "1"}]}}}),
        (Kind.INTEGER, {"M": {"bounds": {"S": "[0:-1]"}, "elements": {"L": []}}}),
        (Kind.INTEGER, {"M": {"bounds": {"S": "[0:0][0:0]"}, "elements": {"L": [{"N": "1"}]}}}),
        (Kind.INTEGER, {"M": {"bounds": {"S": "[0:0]"}, "elements": {"L": [{"N": "1"}]}, "more": {"S": ""}}}),
        (Kind.INTEGER, {"M": {"elements": {"L": [{"N": "1"}]}}}),
        (Kind.JSONB, {"M": {"bounds": {"S": "[1:1]"}, "elements": {"L": [{"N": "1"}]}}}),
    ],
)
def test_another_form_of_array_is_undecodable(element: Kind, value: Any) -> None:
    assert isinstance(decode(Kind.ARRAY, value, element), Undecodable)


def test_dimensions_of_an_array_of_arrays_are_not_its_elements() -> None:
    inner = type_of(Kind.ARRAY, Kind.TEXT)
    one: dict[str, Any] = {"L": [{"L": [{"L": [{"S": "a"}]}]}, {"NULL": True}]}
    two = {"M": {"bounds": {"S": "[1:1][1:1]"}, "elements": {"L": [{"L": [{"L": [{"S": "a"}]}]}]}}}
    low = {"L": [{"M": {"bounds": {"S": "[0:0]"}, "elements": {"L": [{"S": "a"}]}}}]}
    assert decode(Kind.ARRAY, one, inner) == [[["a"]], None]
    assert decode(Kind.ARRAY, two, inner) == Bounded("[1:1][1:1]", [[["a"]]])
    assert decode(Kind.ARRAY, low, inner) == [Bounded("[0:0]", ["a"])]


def test_an_absent_attribute_has_no_value() -> None:
    assert Decoder(mapping_of(column("a", Kind.TEXT))).decode({"id": {"S": "k"}}) == {"id": "k"}


def test_an_attribute_that_the_mapping_lacks_is_unknown_and_does_not_hide_the_others() -> None:
    values = Decoder(mapping_of(column("a", Kind.TEXT))).decode({"id": {"S": "k"}, "b": {"S": "x"}, "a": {"N": "1"}})
    assert values["id"] == "k"
    assert isinstance(values["b"], Unknown)
    assert isinstance(values["a"], Undecodable)


def test_what_is_undecodable_or_unknown_equals_nothing_not_even_itself() -> None:
    for marker in (Undecodable(), Unknown()):
        same = marker
        assert marker != same
        assert [marker] != [Undecodable()]
        assert marker not in (None, "", Undecodable())


def test_a_document_too_deep_for_the_stack_is_undecodable() -> None:
    value: dict[str, Any] = {"N": "1"}
    for _ in range(5_000):
        value = {"L": [value]}
    assert isinstance(decode(Kind.JSONB, value), Undecodable)


def test_a_key_is_decoded_hash_first_and_refused_when_it_is_not_the_mappings() -> None:
    mapping = mapping_of(column("r", Kind.INTEGER), column("h", Kind.UUID), hash="h", range="r")
    uuid = "0d2f6f0e-8a55-4b0e-9c7b-0a1b2c3d4e5f"
    key = decode_key(mapping, {"r": {"N": "7"}, "h": {"S": uuid}, "other": {"S": "x"}})
    assert list(key.items()) == [("h", uuid), ("r", 7)]
    for item, attribute in (({"h": {"S": "foreign"}, "r": {"N": "7"}}, "h"), ({"h": {"S": uuid}}, "r")):
        with pytest.raises(ItemUndecodable) as refused:
            decode_key(mapping, item)
        assert refused.value.attribute == attribute
        assert "foreign" not in str(refused.value)


def test_an_array_type_without_element_cannot_be_read() -> None:
    with pytest.raises(TypeError):
        Decoder(mapping_of(column("a", Kind.ARRAY)))
    assert type_of(Kind.ARRAY).element is None


@given(st.dates())
def test_dates_are_counted_as_the_calendar_does(date: Any) -> None:
    assert calendar.read_date(date.isoformat()) == date.toordinal() - 730_120


@given(st.datetimes())
def test_timestamps_are_counted_as_the_calendar_does(moment: Any) -> None:
    expected = (moment.toordinal() - 730_120) * DAY
    expected += ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1_000_000 + moment.microsecond
    assert calendar.read_timestamp(moment.isoformat(timespec="microseconds")) == expected


@given(st.integers(-4713, 294_276))
def test_a_year_has_as_many_days_as_the_calendar_gives_it(year: int) -> None:
    def first(of: int) -> Any:
        return calendar.read_date(f"{of:04d}-01-01" if 0 <= of <= 9999 else f"{of:+07d}-01-01")

    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    assert first(year + 1) - first(year) == 365 + leap
