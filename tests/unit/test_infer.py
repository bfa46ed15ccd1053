"""A plan inferred from a catalog loads, fits it, is deterministic, and says in comments what it could not decide."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pg2dynamo.mapping.limits import table_name_fault
from pg2dynamo.plan.infer import infer
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.schema import SourceTable, fingerprint
from pg2dynamo.plan.statistics import TableStatistics
from tests.unit.inferred import JSON, JSONB, NUMERIC, TEXT, comments, compiled, plan_of, statistics, table


def test_the_first_line_tells_an_editor_what_completes_and_checks_the_plan() -> None:
    text = infer("shop", [table()])
    assert text.splitlines()[0] == "# yaml-language-server: $schema=plan.schema.json"
    assert "`pg2dynamo plan --schema > plan.schema.json`" in text


def test_each_entry_holds_the_fingerprint_of_its_table() -> None:
    source = table()
    assert plan_of(source).tables[0].schema_ == fingerprint(source)


def test_a_fingerprint_of_digits_is_read_as_the_text_that_it_is() -> None:
    for number in range(40):
        source = table(columns=("id", f"c{number}"))
        assert plan_of(source).tables[0].schema_ == fingerprint(source)


def test_what_a_reader_should_know_is_said() -> None:
    partitioned = replace(table(kind="partitioned"), inherited=True, row_security=True)
    said = comments(infer("shop", [partitioned]))
    for words in ("partitioned; its partitions", "other tables inherit from it", "row-level security hides rows"):
        assert words in said


def test_rows_and_the_size_of_an_item_are_told_where_they_are_known() -> None:
    source = table(columns=("id", "a"))
    assert "about 5,000 rows, 21 bytes an item" in comments(infer("shop", [source], statistics(source, 5_000)))
    assert "rows, " not in comments(infer("shop", [source]))


def test_items_that_may_be_too_large_are_named_with_the_remedy() -> None:
    source = table(columns=("id", "body"))
    small, large = (statistics(source, 100, toast_bytes=100 * size) for size in (10_000, 60_000))
    assert "more than 400 KB" not in comments(infer("shop", [source], small))
    assert "items of more than 400 KB go to quarantine" in comments(infer("shop", [source], large))


def test_names_of_attributes_that_fill_the_items_are_named_with_the_remedy() -> None:
    wide = table(columns=("id", *(f"a_rather_long_name_{n}" for n in range(559))))
    assert "the names of its 560 columns are 12.2 KB of every item" in comments(infer("shop", [wide]))
    assert "the names of its" not in comments(infer("shop", [table()]))


def test_tables_that_were_never_analysed_are_named_once() -> None:
    tables = [table(f"t{n}") for n in range(9)]
    unseen = {t.name: TableStatistics(t.name, 5, False, 0, 0, {}) for t in tables}
    said = comments(infer("shop", tables, unseen))
    assert "Never analysed" in said
    assert "public.t5 and 3 more" in said


def test_columns_that_keep_less_than_their_text_are_named_once_however_many_there_are() -> None:
    columns = {"id": TEXT} | {f"j{n}": JSON for n in range(300)} | {"b": JSONB, "n": NUMERIC}
    text = infer("shop", [table(columns=columns)])
    assert "public.accounts.j5 and 294 more" in comments(text)
    assert "numeric without a scale" in comments(text)
    assert "accounts.b" not in text
    assert len(text.splitlines()) < 25


def test_a_name_that_looks_like_a_variable_of_the_plan_is_taken_as_it_is() -> None:
    source = table("${TABLE}", ("${HOME}", "${A:-b}"), key=("${HOME}",), unique=[("${A:-b}",)], schema="${S}")
    text = infer("shop", [source])
    plan = parse_plan(text, {"HOME": "no", "TABLE": "no", "S": "no", "A": "no"})
    assert plan.tables[0].source == source.name
    assert plan.tables[0].key.hash == "${HOME}"
    assert plan.tables[0].indexes[0].hash == "${A:-b}"


def test_names_of_tables_differ_even_when_only_their_case_or_signs_did() -> None:
    names = [t.to for t in plan_of(table("A"), table("a"), table("a!"), table("control", schema="pg2dynamo")).tables]
    assert len({name.lower() for name in names}) == 4
    [control] = plan_of(table("control"), database="pg2dynamo").tables
    assert control.to == "pg2dynamo-control-2"


def test_the_schema_is_in_the_name_unless_it_is_public() -> None:
    names = [t.to for t in plan_of(table("users", schema="a"), table("users", schema="b"), table("users")).tables]
    assert names == ["shop-a-users", "shop-b-users", "shop-users"]


def test_a_name_that_dynamodb_does_not_allow_is_mapped_and_the_mapping_told_on_its_line() -> None:
    text = infer("shop", [table("café"), table("таблица"), table("two_words")])
    assert "to: shop-cafe  # café, in characters that DynamoDB allows" in text
    assert "to: shop-table  # таблица, in" in text
    assert "to: shop-two-words\n" in text
    assert "to: shop-a-2  # a, with a number, as the name is taken" in infer("shop", [table("a"), table("A")])


def test_the_same_catalog_gives_the_same_text() -> None:
    tables = [table("b"), table("a")]
    assert infer("shop", tables) == infer("shop", reversed(tables))


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=63)


@given(
    database=NAMES,
    schema=NAMES,
    name=NAMES,
    columns=st.lists(NAMES, min_size=1, max_size=5, unique=True),
    width=st.integers(1, 5),
    single=st.booleans(),
)
def test_whatever_the_names_the_plan_loads_and_fits(
    database: str, schema: str, name: str, columns: list[str], width: int, single: bool
) -> None:
    source = table(name, columns, key=tuple(columns[:width]), unique=[(c,) for c in columns], schema=schema)
    plan = plan_of(source, database=database, design="single-table" if single else "tables")
    for mapping in compiled(plan, source):
        assert mapping.source == source.name
        assert table_name_fault(mapping.target) is None
        assert [a.column for a in mapping.attributes if a.column] == columns
        assert all(table_name_fault(index.name) is None for index in mapping.indexes)


def test_nothing_to_move_is_a_plan_too() -> None:
    nothing: list[SourceTable] = []
    assert parse_plan(infer("shop", nothing), {}).tables == ()
