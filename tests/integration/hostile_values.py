"""What a subject of the zoo of types is, texts that are hard to keep, and strategies that make random ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from pg2dynamo.mapping.values import Endless, Value

DAY = 86_400_000_000


@dataclass(frozen=True)
class Subject:
    """A type under test.

    Values travel to the server as text `v`, which `sql` makes a value of the type. `expected` gives, for
    types where it is known without asking a server, the value of that text. `refusals` are words of the
    reasons for which values of this type may be refused. `needs` is a statement that fails on servers which lack
    the type or these values. `text_kept` is false where the way back gives an equal value of another text.
    """

    type: str
    hostile: tuple[str, ...]
    random: st.SearchStrategy[str]
    sql: str = "v::{type}"
    expected: Callable[[str], Value] | None = None
    refusals: tuple[str, ...] = ()
    needs: str = ""
    text_kept: bool = True

    @property
    def expression(self) -> str:
        """The SQL that makes a value of the text `v`."""
        return self.sql.format(type=self.type)


def of_labels(type_name: str, *labels: str, needs: str = "") -> Subject:
    """A type of which every value under test is one of these texts."""
    return Subject(type_name, labels, st.sampled_from(labels), needs=needs)


def whole(lowest: int, highest: int) -> st.SearchStrategy[str]:
    """Whole numbers as text."""
    return st.integers(lowest, highest).map(str)


def texts(longest: int = 20) -> st.SearchStrategy[str]:
    """Any text that PostgreSQL can store, often of characters that some syntax means something by."""
    anything = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    return st.text(anything | st.sampled_from("\\\"'{},; \t\n\r\b\f\v[]()=:N"), max_size=longest)


HOSTILE_TEXTS = (
    *("", " ", "  a  ", "\\", "\\N", "\\.", "\\\\", "\t", "\n", "\r\n", "\b\f\v", "\x01\x1f\x7f", '"', "'", '\\"'),
    *("NULL", "null", "{}", "{a,b}", "é", "e\u0301", "\ufeff", "𝄞", "\u2028", "\uffff", "a\tb\\tc\\\td", "N" * 2_000),
)


def instant(text: str) -> Value:
    """The number that a text holds, or an infinity."""
    return Endless(text) if "infinity" in text else int(text)


def time_text(microseconds: int) -> str:
    """A time of day."""
    seconds, fraction = divmod(microseconds, 1_000_000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:06d}"


def interval_of(text: str) -> Value:
    """Months, days and microseconds."""
    months, days, microseconds = map(int, text.split())
    return months, days, microseconds


def array_literal(elements: list[Any], delimiter: str = ",") -> str:
    """An array as PostgreSQL reads it: every element quoted."""
    parts = []
    for element in elements:
        if element is None:
            parts.append("NULL")
        elif isinstance(element, list):
            parts.append(array_literal(element, delimiter))
        else:
            parts.append('"' + element.replace("\\", "\\\\").replace('"', '\\"') + '"')
    return "{" + delimiter.join(parts) + "}"


def arrays_of(elements: st.SearchStrategy[str], delimiter: str = ",") -> st.SearchStrategy[str]:
    """Arrays of one to three dimensions, rectangular, with NULLs, some with lower bounds of their own."""

    @st.composite
    def literal(draw: st.DrawFn) -> str:
        lengths = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))

        def nested(level: int) -> list[Any]:
            if level == len(lengths):
                raise AssertionError
            deeper = level + 1 < len(lengths)
            return [nested(level + 1) if deeper else draw(st.none() | elements) for _ in range(lengths[level])]

        text = array_literal(nested(0), delimiter)
        if draw(st.booleans()):
            return text
        lowers = [draw(st.integers(-3, 3)) for _ in lengths]
        bounds = "".join(f"[{low}:{low + length - 1}]" for low, length in zip(lowers, lengths, strict=True))
        return f"{bounds}={text}"

    return st.just("{}") | literal()


json_numbers = st.integers(-(10**38) + 1, 10**38 - 1).map(str) | st.sampled_from(
    ["0", "-0", "0.0", "1.50", "1e5", "1E+5", "12e-3", "1e-130", "9e125", "0.1", "-1.25e2", "0e9999", "1" + "0" * 60]
)
json_strings = texts(6).map(lambda text: json.dumps(text)) | texts(6).map(lambda t: json.dumps(t, ensure_ascii=False))


def json_documents() -> st.SearchStrategy[str]:
    """JSON texts with spaces, escapes and numbers in all their forms; some have duplicate or empty names."""
    return st.recursive(
        st.sampled_from(["null", "true", "false"]) | json_numbers | json_strings,
        lambda inner: (
            st.lists(inner, max_size=4).map(lambda parts: f"[ {' , '.join(parts)}\n]")
            | st.lists(st.tuples(json_strings, inner), max_size=4).map(
                lambda pairs: "{" + ", ".join(f"{name} : {value}" for name, value in pairs) + "}"
            )
        ),
        max_leaves=10,
    )


HOSTILE_JSON = (
    *(
        "null",
        "true",
        '""',
        "[]",
        "{}",
        "0",
        "-0",
        "1.0",
        "1e5",
        '"\\u00e9\\n\\"\\\\"',
        '"\\ud834\\udd1e"',
        '{"a":{"a":{}}}',
    ),
    *("12345678901234567890.1234567890123456", "1" * 38, "1" * 39, "1e125", "1e126", "1e-130", "1e-131"),
    *('{"":1}', '[{"b":1,"a":[null,true,{"S":"x"},{"N":"1"}]}]', '{"L":[],"NULL":true}', '"\\\\N"'),
    *("[" * 31 + "]" * 31, "[" * 32 + "]" * 32, "[" * 33 + "]" * 33, "[" * 3_000 + "]" * 3_000),
    *('{"a":' * 32 + "1" + "}" * 32, '{"a":' * 33 + "1" + "}" * 33),
)
JSON_REFUSALS = ("in json", "levels of nesting", "a number", "surrogate")


def floats(width: int) -> st.SearchStrategy[str]:
    """Floating-point numbers of every magnitude, infinities and NaN."""
    return st.floats(width=32 if width == 32 else 64).map(repr).map(lambda text: text.replace("inf", "Infinity"))


def powers_of_two(lowest: int, highest: int) -> tuple[str, ...]:
    """Where the distance between floating-point numbers changes, and printing them is hardest."""
    return tuple(repr(2.0**exponent) for exponent in range(lowest, highest))


FLOATS = ("0", "-0", "1", "-1.5", "0.1", "1e23", "2e23", "5e-324", "1e-130", "1e-131", "9007199254740993", "1e-300")
NOT_FINITE = ("NaN", "Infinity", "-Infinity")
NUMBER_REFUSALS = ("no number for", "a number")

timestamps = whole(-211_813_488_000_000_000, 9_223_371_331_199_999_999)
HOSTILE_TIMESTAMPS = (
    *("0", "-1", "1", "-211813488000000000", "9223371331199999999", "infinity", "-infinity"),
    *("-63082281600000000", "-63082281600000001", "-63113904000000000", "-63113904000000001"),  # years 1 and 0
    *("252455615999999999", "252455616000000000"),  # the end of year 9999
)
FROM_MICROSECONDS = (
    "CASE WHEN v LIKE '%infinity' THEN v::{type} ELSE '2000-01-01Z'::{type} + (v || ' microseconds')::interval END"
)
offsets = st.integers(-57_599, 57_599)


def timetz_text(microseconds: int, east: int) -> str:
    """A time of day with its offset."""
    return f"{time_text(microseconds)}{'-' if east < 0 else '+'}{time_text(abs(east) * 1_000_000)[:8]}"
