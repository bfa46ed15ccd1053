"""The spill of keys: what is unequal comes out once, and nothing stays on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from pg2dynamo.migration.spill import Spill, SpilledKey


def key(number: int, row: bytes = b"same") -> SpilledKey:
    return SpilledKey(number.to_bytes(32, "big"), f'{{"id":"{number}"}}', row)


def unequal(spill: Spill, size: int = 100) -> list[str]:
    return [key for group in spill.unequal(size) for key in group]


def test_equal_keys_do_not_come_out(tmp_path: Path) -> None:
    with Spill(tmp_path) as spill:
        spill.add("rows", [key(1), key(2)])
        spill.add("items", [key(2), key(1)])
        assert unequal(spill) == []


def test_missing_different_and_extra_keys_come_out_once_each(tmp_path: Path) -> None:
    with Spill(tmp_path) as spill:
        spill.add("rows", [key(1), key(2, b"old"), key(3)])
        spill.add("items", [key(1), key(2, b"new"), key(4)])
        assert sorted(unequal(spill)) == ['{"id":"2"}', '{"id":"3"}', '{"id":"4"}']


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_groups_have_at_most_the_size_asked_for(tmp_path: Path, size: int) -> None:
    with Spill(tmp_path) as spill:
        spill.add("rows", [key(n) for n in range(3)])
        groups = list(spill.unequal(size))
    assert max(len(group) for group in groups) == min(size, 3)
    assert sum(len(group) for group in groups) == 3


def test_a_part_may_be_added_again(tmp_path: Path) -> None:
    with Spill(tmp_path) as spill:
        spill.add("rows", [key(1, b"before")])
        spill.add("rows", [key(1, b"after")])
        spill.add("items", [key(1, b"after")])
        assert unequal(spill) == []


def test_nothing_stays_on_disk(tmp_path: Path) -> None:
    with Spill(tmp_path) as spill:
        spill.add("rows", [key(1)])
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


def test_nothing_stays_on_disk_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Spill(tmp_path):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
