"""Cursors: whoever was given one can use it where it was given, and nowhere else; nobody else can make one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboarding.api.cursors import Cursors, InvalidCursor
from onboarding.api.keys import TokenKeys

KEY, OLD_KEY = b"k" * 32, b"o" * 32
CURSORS = Cursors(TokenKeys((KEY,)))
HERE = ("/accounts", "tenant", "status", "active")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=255), max_size=2).map(tuple))
def test_a_cursor_gives_its_position_back(position: tuple[str, ...]) -> None:
    cursor = CURSORS.cursor(HERE, position)
    assert CURSORS.position(HERE, cursor) == position


def test_the_longest_position_of_a_listing_fits() -> None:
    for character in ("\U0010ffff", "\x01", '"'):
        position = ("2026-01-02T03:04:05.000000", character * 255)
        assert CURSORS.position(HERE, CURSORS.cursor(HERE, position)) == position


@pytest.mark.parametrize(
    "elsewhere",
    [
        ("/schedules", *HERE[1:]),
        (HERE[0], "other", *HERE[2:]),
        (*HERE[:3], "error"),
        HERE[:2],
        ("/accounts", "tenantstatus", "active"),
    ],
    ids=["route", "tenant", "filter", "no filter", "run together"],
)
def test_a_cursor_is_worth_nothing_in_another_listing(elsewhere: tuple[str, ...]) -> None:
    with pytest.raises(InvalidCursor):
        CURSORS.position(elsewhere, CURSORS.cursor(HERE, ("a", "b")))


def test_a_cursor_altered_in_any_character_is_refused() -> None:
    cursor = CURSORS.cursor(HERE, ("2026-01-02T03:04:05.000000", "some id"))
    for place in range(len(cursor)):
        altered = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        with pytest.raises(InvalidCursor):
            CURSORS.position(HERE, altered)


@given(st.text(max_size=80))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        CURSORS.position(HERE, text)


def test_a_cursor_outlives_one_change_of_key() -> None:
    cursor = Cursors(TokenKeys((OLD_KEY,))).cursor(HERE, ("a",))
    assert Cursors(TokenKeys((KEY, OLD_KEY))).position(HERE, cursor) == ("a",)
    with pytest.raises(InvalidCursor):
        CURSORS.position(HERE, cursor)
