"""Every limit is tested at its edge and one past it."""

from __future__ import annotations

from typing import Any

import pytest

from pg2dynamo.mapping import limits
from pg2dynamo.mapping.limits import item_bytes, nesting, value_bytes


def test_numbers_of_38_digits_fit_and_of_39_do_not() -> None:
    assert limits.number_fault(38, 0) is None
    assert limits.number_fault(39, 0) is not None


def test_numbers_from_1e_minus_130_to_below_1e126_fit() -> None:
    assert limits.number_fault(1, -130) is None
    assert limits.number_fault(38, 125) is None
    assert limits.number_fault(1, -131) is not None
    assert limits.number_fault(1, 126) is not None


@pytest.mark.parametrize("length", [3, 255])
def test_names_of_tables_have_3_to_255_characters(length: int) -> None:
    assert limits.table_name_fault("a" * length) is None


@pytest.mark.parametrize("name", ["", "ab", "a" * 256, "a table", "tablé", "a/b", "abc\n"])
def test_other_names_of_tables_are_refused(name: str) -> None:
    assert limits.table_name_fault(name) is not None


def test_names_of_secrets_have_up_to_512_of_their_characters() -> None:
    assert limits.secret_name_fault("aZ09/_+=.@-") is None
    assert limits.secret_name_fault("a" * 512) is None
    for name in ("", "a" * 513, "a b", "é", "a\n", "a:b"):
        assert limits.secret_name_fault(name) is not None


def test_secrets_have_up_to_65536_bytes() -> None:
    assert limits.secret_value_fault(65_536) is None
    assert limits.secret_value_fault(65_537) is not None


def test_attribute_names_have_1_to_65535_bytes_and_those_of_keys_255() -> None:
    assert limits.attribute_name_fault("a" * 65_535) is None
    assert limits.attribute_name_fault("a" * 65_536) is not None
    assert limits.attribute_name_fault("é" * 32_768) is not None
    assert limits.attribute_name_fault("") is not None
    assert limits.key_attribute_name_fault("a" * 255) is None
    assert limits.key_attribute_name_fault("a" * 256) is not None
    assert limits.key_attribute_name_fault("") is not None


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": ""}, 0),
        ({"S": "é☃𝄞"}, 9),
        ({"B": ""}, 0),
        ({"B": "AA=="}, 1),
        ({"B": "AAA="}, 2),
        ({"B": "AAAA"}, 3),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"L": []}, 3),
        ({"M": {}}, 3),
        ({"L": [{"S": "ab"}, {"NULL": True}]}, 3 + 1 + 2 + 1 + 1),
        ({"M": {"k": {"S": "ab"}}}, 3 + 1 + 1 + 2),
        ({"N": "0"}, 1),
        ({"N": "1"}, 2),
        ({"N": "12"}, 2),
        ({"N": "123"}, 3),
        ({"N": "-123"}, 4),
        ({"N": "1000000"}, 2),
        ({"N": "0.0001"}, 2),
        ({"N": "1.5E+101"}, 2),
        ({"N": "1.5E+100"}, 3),
        ({"N": "1.5"}, 3),
        ({"N": "12000"}, 3),
        ({"N": "0.012"}, 3),
        ({"N": "1E-101"}, 2),
        ({"N": "1." + "1" * 37}, 21),
        ({"N": "1" * 38}, 20),
    ],
)
def test_values_are_measured_as_dynamodb_counts(value: dict[str, Any], size: int) -> None:
    assert value_bytes(value) == size
    assert item_bytes({"näme": value}) == 5 + size


def test_nesting_counts_containers() -> None:
    assert nesting({"S": "a"}) == 0
    assert nesting({"L": []}) == 1
    assert nesting({"L": [{"S": "a"}, {"M": {"a": {"L": [{"N": "1"}]}}}]}) == 3


def test_a_write_unit_is_each_kilobyte_begun_and_again_for_every_index() -> None:
    assert [limits.write_units(size) for size in (0, 1, 1_024, 1_025, 2_048)] == [1, 1, 1, 2, 2]
    assert limits.write_units(1_025, indexes=2) == 6
