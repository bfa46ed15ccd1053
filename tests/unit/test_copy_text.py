"""The escapes of COPY's text format are undone, and those that COPY TO does not write are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg2dynamo.mapping.copy_text import field_text, unescape
from tests.copy_lines import TEXTS, copy_field


@given(st.one_of(TEXTS, st.text("\\nN\n\tb", max_size=12)))
def test_the_text_of_a_field_is_the_values(text: str) -> None:
    assert unescape(copy_field(text)) == text
    assert field_text(copy_field(text)) == text


def test_null_is_no_text() -> None:
    assert field_text("\\N") is None


@pytest.mark.parametrize("field", ["\\", "a\\", "\\\\\\", "\\q", "\\\\\\q", "\\\\a\\N", "\\x41", "\\\n"])
def test_an_escape_that_copy_does_not_write_is_refused(field: str) -> None:
    with pytest.raises(KeyError):
        unescape(field)
