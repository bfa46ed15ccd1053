"""Lines as COPY … TO STDOUT writes them, of every form that a fast encoder knows, for tests by hypothesis."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from pg2dynamo.mapping.table import Attribute, TableMapping
from pg2dynamo.mapping.types import Kind
from tests.mappings import column, mapping_of

_ESCAPES = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\"}


def copy_field(text: str) -> str:
    """The field of COPY's text format for a value's text."""
    return "".join(_ESCAPES.get(character, character) for character in text)


TEXTS = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
    st.text("ab\"\\'/\b\f\n\r\t\v\x01\x1f\x7f{},:é☃𝄞%N", max_size=12),
    st.sampled_from(["", "NULL", "\\N", "%s", "{0}", "a" * 600]),
)
NUMBERS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9).map(str),
    st.sampled_from(["0", "0.00", "-0", "1e+20", "1e-07", "1.50", "NaN", "Infinity", "9" * 38, "9" * 39, "1e-131"]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
DATES = st.one_of(
    st.dates().map(str), st.sampled_from(["infinity", "-infinity", "0044-03-15 BC", "12024-01-02", "0001-01-01 BC"])
)
_CLOCKS = st.builds(
    lambda time, digits: time.strftime("%H:%M:%S") + (f".{time.microsecond:06d}"[: digits + 1] if digits else ""),
    st.times(),
    st.integers(0, 6),
)
TIMESTAMPS = st.one_of(
    st.builds(lambda day, clock, era: f"{day} {clock}{era}", st.dates(), _CLOCKS, st.sampled_from(["", "", " BC"])),
    st.sampled_from(["infinity", "-infinity", "12024-01-02 03:04:05.12345"]),
)
TIMESTAMPTZS = st.one_of(
    st.builds(lambda day, clock, era: f"{day} {clock}+00{era}", st.dates(), _CLOCKS, st.sampled_from(["", "", " BC"])),
    st.sampled_from(["infinity", "-infinity", "12024-01-02 03:04:05+00"]),
)
_JSON_NUMBERS = st.one_of(
    st.integers(),
    st.sampled_from([1.5, 0.1, -2.25, 100.0, 0.00001, 123456789.123, 10**25, 10**130, 1.10]),
)
DOCUMENTS = st.recursive(
    st.one_of(st.none(), st.booleans(), _JSON_NUMBERS, TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from("abcd"), TEXTS), inner, max_size=4)
    ),
    max_leaves=12,
)


def jsonb_text(value: Any) -> str:
    """A document as PostgreSQL writes jsonb: spaces after commas and colons, few escapes, shorter names first."""
    text = json.dumps(_sorted(value), ensure_ascii=False, separators=(", ", ": "))
    return text.replace("1e-05", "0.00001")


def _sorted(value: Any) -> Any:
    if isinstance(value, list):
        return [_sorted(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    names = sorted(value, key=lambda name: (len(name.encode()), name.encode()))
    return {name: _sorted(value[name]) for name in names}


def array_text(elements: list[str | None]) -> str:
    """A literal as array_out writes it: quotes only where they must be."""
    return "{" + ",".join("NULL" if element is None else _element(element) for element in elements) + "}"


def _element(text: str) -> str:
    if text and text.upper() != "NULL" and not any(c in '{}",\\' or c.isspace() for c in text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


BOOLEANS = st.sampled_from(["t", "f"])
VALUES: dict[tuple[Kind, Kind | None], st.SearchStrategy[str]] = {
    (Kind.TEXT, None): TEXTS,
    (Kind.UUID, None): st.uuids().map(str),
    (Kind.INTEGER, None): st.integers(-(2**63), 2**63 - 1).map(str),
    (Kind.NUMERIC, None): NUMBERS,
    (Kind.FLOAT8, None): NUMBERS,
    (Kind.BOOLEAN, None): BOOLEANS,
    (Kind.BYTEA, None): st.binary(max_size=20).map(lambda data: "\\x" + data.hex()),
    (Kind.DATE, None): DATES,
    (Kind.TIME, None): _CLOCKS,
    (Kind.TIMETZ, None): _CLOCKS.map("{}+02".format),
    (Kind.TIMESTAMP, None): TIMESTAMPS,
    (Kind.TIMESTAMPTZ, None): TIMESTAMPTZS,
    (Kind.JSON, None): DOCUMENTS.map(json.dumps),
    (Kind.JSONB, None): DOCUMENTS.map(jsonb_text),
}
_NESTED = st.sampled_from(["{}", "{{a,b},{c,d}}", "[0:1]={a,b}", "{NULL}", '{"",a}', "{NULLS}"])
VALUES |= {
    (Kind.ARRAY, kind): st.lists(st.one_of(st.none(), VALUES[kind, None]), max_size=5).map(array_text)
    for kind in (
        Kind.TEXT, Kind.INTEGER, Kind.NUMERIC, Kind.BOOLEAN, Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.JSONB
    )
}  # fmt: skip
VALUES[Kind.ARRAY, Kind.TEXT] = st.one_of(VALUES[Kind.ARRAY, Kind.TEXT], _NESTED)

COLUMNS: tuple[Attribute, ...] = tuple(
    column(f'{kind.value} %s {{0}} "{element.value if element else ""}', kind, element) for kind, element in VALUES
)
FIELDS: tuple[st.SearchStrategy[str], ...] = tuple(
    st.one_of(st.just("\\N"), values.map(copy_field)) for values in VALUES.values()
)


def every_form() -> TableMapping:
    """A mapping with a column of every form, and a key of text before them."""
    return mapping_of(*COLUMNS)


def lines(longest: int = 6) -> st.SearchStrategy[list[bytes]]:
    """Lines of `every_form`, some of them with a fault that COPY does not make."""
    keys = st.one_of(TEXTS.map(copy_field), st.uuids().map(str), st.just("\\N"), st.just("k" * 3_000))
    line = st.tuples(keys, *FIELDS).map(lambda fields: "\t".join(fields).encode())
    broken = st.tuples(line, st.integers(0, 400), st.sampled_from([b"\t", b"\\", b"\xff", b"\n", b"\0", b"\\q", b'"']))
    spoilt = broken.map(lambda made: made[0][: made[1]] + made[2] + made[0][made[1] :])
    return st.lists(st.one_of(line, line, line, spoilt), max_size=longest)
