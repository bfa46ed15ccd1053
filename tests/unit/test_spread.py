"""Segments are copied far apart, every one once, and all tables are under way at once."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg2dynamo.migration.spread import spread


@given(st.lists(st.integers(0, 70), max_size=6), st.integers(1, 9))
def test_every_segment_of_every_table_comes_once(sizes: list[int], turn: int) -> None:
    tables = [[(table, number) for number in range(size)] for table, size in enumerate(sizes)]
    ordered = list(spread(tables, turn))
    assert sorted(ordered) == sorted(segment for table in tables for segment in table)
    assert ordered == list(spread(tables, turn))


@pytest.mark.parametrize("size", [16, 100, 1_000])
def test_neighbours_are_far_apart_in_time(size: int) -> None:
    ordered = list(spread([range(size)], 8))
    assert min(abs(one - next_one) for one, next_one in pairwise(ordered)) >= size // 8
    first_half = sorted(ordered[: size // 2])
    assert max(b - a for a, b in pairwise(first_half)) <= 4


def test_tables_take_turns_by_their_sizes_and_end_together() -> None:
    small, large = [("small", n) for n in range(16)], [("large", n) for n in range(64)]
    ordered = [name for name, _ in spread([small, large], 4)]
    assert ordered[0] == "small"
    assert [ordered[n : n + 4] for n in range(0, 80, 4)] == [[name] * 4 for name in ordered[::4]]
    assert ordered[:40].count("small") in range(6, 13)
    assert "small" in ordered[-40:]


def test_a_single_segment_and_none_are_no_special_case() -> None:
    assert list(spread([[], ["only"], []], 8)) == ["only"]
    assert list(spread([], 8)) == []
