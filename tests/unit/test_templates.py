"""Templates: different values never make one text, every text gives its values again, `:sort` keeps the order."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg2dynamo.mapping.numbers import canonical
from pg2dynamo.mapping.rendering import Renderer
from pg2dynamo.mapping.sortable import SORTABLE, has_sortable_text, sortable_text
from pg2dynamo.mapping.templates import Placeholder, Template, disjoint, fault, parse_template
from pg2dynamo.mapping.types import KEY_FORMS, ColumnType, Kind
from pg2dynamo.mapping.value_text import value_text
from pg2dynamo.mapping.values import Endless, Value

DAY = 86_400_000_000
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]) | st.sampled_from("#\\$!\x01ab"))
NUMBERS = st.builds(
    lambda sign, digits, exponent: Decimal((sign, tuple(map(int, str(digits))), exponent)),
    st.sampled_from((0, 1)),
    st.integers(0, 10**38 - 1) | st.integers(0, 30),
    st.integers(-90, 80) | st.integers(-3, 3),
)
DAYS = st.integers(-2_451_545 + 200, 2_145_000_000) | st.integers(-800_000, 3_000_000)
ENDLESS = st.sampled_from(Endless)
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: TEXTS,
    Kind.INTEGER: st.integers(-(2**63), 2**63 - 1) | st.integers(-20, 20),
    Kind.NUMERIC: NUMBERS,
    Kind.BOOLEAN: st.booleans(),
    Kind.BYTEA: st.binary(max_size=4),
    Kind.UUID: st.uuids().map(str),
    Kind.DATE: DAYS | ENDLESS,
    Kind.TIME: st.integers(0, DAY),
    Kind.TIMESTAMP: st.integers(-211_813_488_000_000_000, 9_223_371_331_199_999_999) | ENDLESS,
    Kind.TIMESTAMPTZ: st.integers(-211_813_488_000_000_000, 9_223_371_331_199_999_999) | ENDLESS,
    Kind.TIMETZ: st.tuples(st.integers(0, DAY), st.integers(-57_599, 57_599)),
    Kind.INTERVAL: st.tuples(*[st.integers(-(10**6), 10**6)] * 3) | ENDLESS,
    Kind.OUTPUT: TEXTS,
}
RANKS = {Endless.PAST: float("-inf"), Endless.FUTURE: float("inf")}


def of(kind: Kind, name: str = "a", *, sort: bool = False, oid: int = 20) -> Placeholder:
    return Placeholder(name, ColumnType(kind, kind.value, 25 if kind is Kind.TEXT else oid), sort)


def contents(kind: Kind, value: Any) -> dict[str, Any]:
    """What the encoder writes for a value."""
    if kind is Kind.BOOLEAN:
        return {"BOOL": value}
    if kind is Kind.BYTEA:
        return {"B": b64encode(value).decode()}
    if kind is Kind.NUMERIC:
        return {"N": canonical(f"{value:f}")}
    return {KEY_FORMS[kind]: value_text(kind, value)}


@st.composite
def rows(draw: st.DrawFn) -> tuple[Template, dict[str, Value], dict[str, Value]]:
    """A template of two or three values, and two rows for it."""
    separator = draw(st.sampled_from(("#", "##", "#\\", "-x", "x", " ", "0", "1.", ":", "é")))
    sort = draw(st.booleans()) and separator.startswith("#")
    kinds = draw(st.lists(st.sampled_from([k for k in VALUES if not sort or k in SORTABLE]), min_size=2, max_size=3))
    parts: list[str | Placeholder] = []
    for number, kind in enumerate(kinds):
        parts += (*([separator] if number else ["K" * draw(st.integers(0, 1))]), of(kind, f"c{number}", sort=sort))
    names = {f"c{number}": kind for number, kind in enumerate(kinds)}
    one, other = ({name: draw(VALUES[kind]) for name, kind in names.items()} for _ in range(2))
    return Template(tuple(part for part in parts if part)), one, other


@given(rows())
def test_a_text_gives_its_values_again_and_other_values_have_another(
    case: tuple[Template, dict[str, Value], dict[str, Value]],
) -> None:
    template, one, other = case
    assert fault(template) is None
    text = template.of_values(one)
    assert text is not None
    assert template.values(text) == one
    assert (template.of_values(other) == text) == (one == other)


@given(rows())
def test_the_encoders_path_makes_the_same_text(case: tuple[Template, dict[str, Value], dict[str, Value]]) -> None:
    template, one, _ = case
    kinds = {part.name: part.type.kind for part in template.parts if isinstance(part, Placeholder)}
    written = {name: contents(kinds[name], value) for name, value in one.items()}
    assert Renderer(template).render(written) == template.of_values(one)


def test_values_that_hold_the_separator_do_not_run_into_one_another() -> None:
    template = Template((of(Kind.TEXT, "a"), "#", of(Kind.TEXT, "b")))
    assert template.of_values({"a": "a#b", "b": "c"}) == "a\\#b#c"
    assert template.of_values({"a": "a", "b": "b#c"}) == "a#b#c"


@pytest.mark.parametrize("kind", [k for k in VALUES if k in SORTABLE], ids=str)
def test_sortable_texts_stand_in_the_order_of_the_values(kind: Kind) -> None:
    @given(st.lists(VALUES[kind], min_size=2, max_size=6))
    def check(values: list[Any]) -> None:
        column_type = ColumnType(kind, kind.value, 20)
        by_text = sorted(values, key=lambda value: sortable_text(column_type, value) + "#")
        assert [rank(value) for value in by_text] == sorted(rank(value) for value in values)
        assert "#" not in "".join(sortable_text(column_type, value) for value in values)

    check()


def rank(value: Any) -> Any:
    return RANKS.get(value, value) if isinstance(value, Endless) else value


CHARACTER = ColumnType(Kind.TEXT, "character(5)", 1042)


@given(st.lists(TEXTS.map(lambda text: text[:5].ljust(5)), min_size=2, max_size=6))
def test_padded_texts_stand_in_the_order_that_they_have_without_padding(values: list[str]) -> None:
    template = Template((Placeholder("a", CHARACTER, sort=True), "#"))
    texts = {template.of_values({"a": value}) or "": value for value in values}
    assert [texts[text].rstrip(" ") for text in sorted(texts)] == sorted({value.rstrip(" ") for value in values})
    for text, value in texts.items():
        assert template.values(text) == {"a": value}
        assert Renderer(template).render({"a": {"S": value}}) == text


def test_tuples_stand_in_order_whatever_their_texts_begin_with() -> None:
    template = Template((of(Kind.TEXT, "a", sort=True), "#", of(Kind.TEXT, "b", sort=True)))
    tuples = sorted((a, b) for a in ("", "a", "ab", "a b", "a#", "a\x01", "a$", "a%", "é") for b in ("", "a", "#", "z"))
    texts = [template.of_values({"a": a, "b": b}) or "" for a, b in tuples]
    assert texts == sorted(texts)
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("oid", "name", "sorts"),
    [
        *((25, "text", True), (1043, "character varying(9)", True), (1042, "character(5)", True), (19, "name", True)),
        *((18, '"char"', False), (142, "xml", False), (1042, "bpchar", False), (16_400, "public.mood", False)),
        (16_401, "public.citext", False),
    ],
)
def test_only_texts_that_sort_by_their_characters_have_a_sortable_text(oid: int, name: str, sorts: bool) -> None:
    assert has_sortable_text(ColumnType(Kind.TEXT, name, oid)) is sorts


@pytest.mark.parametrize(
    "text", ["1E+9999999999", "1E+999999999999999999", "-1E-9999999999", "1E+99999999999999999999"]
)
def test_a_key_with_an_exponent_beyond_all_memory_is_read_without_its_zeros(text: str) -> None:
    template = Template((of(Kind.NUMERIC),))
    with suppress(ValueError):
        assert str(template.values(text)["a"]) == text
    assert disjoint(template, Template(("K",)))


def test_a_number_as_long_as_postgresql_has_them_is_read_back() -> None:
    number = Decimal("-" + "9" * 131_072 + "." + "1" * 16_383)
    for sort in (False, True):
        template = Template((of(Kind.NUMERIC, sort=sort),))
        assert template.values(template.of_values({"a": number}) or "") == {"a": number}


@pytest.mark.parametrize(("oid", "lowest"), [(21, -(2**15)), (23, -(2**31)), (20, -(2**63))])
def test_integers_of_each_width_keep_order_and_value(oid: int, lowest: int) -> None:
    template = Template((of(Kind.INTEGER, sort=True, oid=oid),))
    numbers = [lowest, lowest + 1, -10, -9, -1, 0, 1, 9, 10, -lowest - 1]
    texts = [template.of_values({"a": number}) or "" for number in numbers]
    assert texts == sorted(texts)
    assert [template.values(text)["a"] for text in texts] == numbers
    assert [Renderer(template).render({"a": {"N": str(number)}}) for number in numbers] == texts


def test_numbers_that_are_none_have_a_place() -> None:
    numeric = ColumnType(Kind.NUMERIC, "numeric", 1700)
    ordered = [
        "-Infinity",
        "-1E+40",
        "-2",
        "-1.51",
        "-1.5",
        "-0.001",
        "0",
        "1E-16383",
        "0.5",
        "1.5",
        "1.51",
        "9E+131071",
    ]
    texts = [sortable_text(numeric, Decimal(n)) for n in (*ordered, "Infinity", "NaN")]
    assert texts == sorted(texts)


def test_a_null_makes_no_text() -> None:
    template = Template(("K#", of(Kind.TEXT, "a")))
    assert template.of_values({"a": None}) is None
    assert Renderer(template).render({}) is None
    assert Renderer(template).render({"a": {"NULL": True}}) is None


@pytest.mark.parametrize("text", ["", "K", "K#", "k#1", "K#01", "K#1 ", "K#x", "K#1#", "K#1#2024-01-01#", "K#1.0#x"])
def test_texts_that_it_does_not_write_are_refused(text: str) -> None:
    template = Template(("K#", of(Kind.INTEGER, "a"), "#", of(Kind.DATE, "b")))
    with pytest.raises(ValueError, match="no text of this template"):
        template.values(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("TENANT#{tenant_id}", ("TENANT#", ("tenant_id", False))),
        ("{a:sort}#{b c}", (("a", True), "#", ("b c", False))),
        ("META", ("META",)),
        ("{{{a}}}", ("{", ("a", False), "}")),
    ],
)
def test_templates_are_read(text: str, parts: tuple[str | tuple[str, bool], ...]) -> None:
    assert parse_template(text) == parts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{a:desc}", "only `sort`"),
        ("{}", "write columns in braces"),
        ("{:sort}", "write columns in braces"),
        ("{a", "in braces"),
        ("a}", "braces"),
        ("", "empty"),
    ],
)
def test_malformed_templates_are_refused_with_words(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_template(text)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((of(Kind.TEXT, "a"), of(Kind.TEXT, "b")), "write text between a and b"),
        ((of(Kind.TEXT, "a"), "\\", of(Kind.TEXT, "b")), "must not begin with a backslash"),
        ((of(Kind.JSONB, "a"),), "cannot be part of a key"),
        ((of(Kind.ARRAY, "a"),), "cannot be part of a key"),
        ((of(Kind.INTERVAL, "a", sort=True),), "no `:sort`"),
        ((of(Kind.TIMETZ, "a", sort=True),), "no `:sort`: leave it out"),
        ((Placeholder("a", ColumnType(Kind.TEXT, "mood", 16_400), sort=True),), "a cast to text"),
        ((of(Kind.OUTPUT, "a", sort=True),), "no `:sort`"),
        ((of(Kind.TEXT, "a", sort=True), "-", of(Kind.TEXT, "b")), "must begin with #"),
    ],
)
def test_what_would_collide_or_not_sort_is_a_fault(parts: tuple[str | Placeholder, ...], words: str) -> None:
    assert words in (fault(Template(parts)) or "")


ACCOUNT = Template(("ACCOUNT#", of(Kind.INTEGER, "a")))


@pytest.mark.parametrize(
    ("other", "apart"),
    [
        (Template(("ORDER#", of(Kind.INTEGER, "a"))), True),
        (Template(("ACCOUNT",)), True),
        (Template(("ACCOUNT#x",)), True),
        (Template(("ACCOUNT#7",)), False),
        (Template(("ACCOUNT#", of(Kind.TEXT, "a"))), False),
        (Template(("ACC", of(Kind.TEXT, "a"))), False),
        (Template((of(Kind.INTEGER, "a"),)), False),
    ],
)
def test_texts_are_apart_only_where_it_is_certain(other: Template, apart: bool) -> None:
    assert disjoint(ACCOUNT, other) is apart
    assert disjoint(other, ACCOUNT) is apart


def test_a_template_without_values_is_constant() -> None:
    assert Template(("META",)).constant == "META"
    assert ACCOUNT.constant is None
    assert Template(("META",)).of_values({}) == "META"
    assert disjoint(Template(("META",)), Template(("META",))) is False
