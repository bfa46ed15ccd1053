"""A plan inferred from a catalog loads, is deterministic, and says in comments what it could not decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg2dynamo.mapping.limits import GLOBAL_INDEXES, table_name_fault
from pg2dynamo.mapping.table import TableName
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.plan.compile import compile_table
from pg2dynamo.plan.infer import infer
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.model import Plan
from pg2dynamo.plan.schema import ForeignKey, SourceColumn, SourceIndex, SourceTable

TEXT = ColumnType(Kind.TEXT, "text", 25)
BOOLEAN = ColumnType(Kind.BOOLEAN, "boolean", 16)
JSONB = ColumnType(Kind.JSONB, "jsonb", 3802)
BYTEA = ColumnType(Kind.BYTEA, "bytea", 17)
TIMESTAMP = ColumnType(Kind.TIMESTAMP, "timestamp", 1114)


def table(
    name: str = "accounts",
    columns: Mapping[str, ColumnType] | Sequence[str] = ("id",),
    *,
    key: tuple[str, ...] = ("id",),
    unique: Sequence[tuple[str, ...]] = (),
    foreign: Sequence[tuple[str, ...]] = (),
    others: Sequence[SourceIndex] = (),
    nullable: Sequence[str] = (),
    kind: str = "table",
    schema: str = "public",
) -> SourceTable:
    """Build a table as the catalog would give it."""
    types = columns if isinstance(columns, Mapping) else dict.fromkeys(columns, TEXT)
    primary = [SourceIndex(f"{name}_pkey", key, unique=True, primary=True)] if key else []
    indexes = [SourceIndex("_".join(c), c, unique=True, primary=False) for c in unique]
    return SourceTable(
        name=TableName(schema, name),
        oid=1,
        kind=kind,
        columns=tuple(SourceColumn(n, t, not_null=n not in nullable) for n, t in types.items()),
        primary_key=key,
        indexes=(*primary, *indexes, *others),
        foreign_keys=tuple(ForeignKey("_".join(c), c, TableName("public", "x"), ("id",)) for c in foreign),
    )


def plan_of(*tables: SourceTable, database: str = "shop") -> Plan:
    """Infer a plan, and load it."""
    return parse_plan(infer(database, tables), {})


def test_a_key_of_one_column_is_the_hash_and_of_two_hash_and_range() -> None:
    one, two = plan_of(table("a"), table("b", ("x", "y"), key=("y", "x"))).tables
    assert (one.key.hash, one.key.range, one.to, str(one.source)) == ("id", None, "shop-a", "public.a")
    assert (two.key.hash, two.key.range) == ("y", "x")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (table(key=()), "it has no primary key"),
        (table(columns=("a", "b", "c"), key=("a", "b", "c")), "its primary key has 3 columns"),
        (table(columns={"id": BOOLEAN}), "has type boolean, which cannot be a key"),
        (table(kind="view", key=()), "views are not copied"),
        (table(kind="materialized view", key=()), "materialized views are not copied"),
        (table(kind="foreign", key=()), "foreign tables are not copied"),
        (table(columns=("id", "${HOME}")), "a name in it contains ${"),
        (table(columns=("k" * 256,), key=("k" * 256,)), "a key attribute name of more than 255 bytes"),
    ],
)
def test_a_table_that_cannot_be_copied_is_a_comment_with_the_reason(source: SourceTable, reason: str) -> None:
    text = infer("shop", [source])
    assert parse_plan(text, {}).tables == ()
    assert f"# {source.name} is left out: " in text
    assert reason in text


def test_foreign_keys_and_unique_indexes_become_indexes_once() -> None:
    source = table(
        columns=("id", "tenant", "name", "a", "b", "c"),
        unique=[("tenant", "name"), ("name",), ("a", "b", "c"), ("id",)],
        foreign=[("tenant",), ("name",)],
    )
    [plan] = plan_of(source).tables
    assert [(i.name, i.hash, i.range) for i in plan.indexes] == [
        ("tenant-index", "tenant", None),
        ("name-index", "name", None),
        ("tenant-name-index", "tenant", "name"),
    ]
    assert "no index on a, b, c" in infer("shop", [source])


def test_other_indexes_are_named_in_comments() -> None:
    text = infer(
        "shop",
        [
            table(
                columns=("id", "a"),
                others=[
                    SourceIndex("partial", ("a",), unique=True, primary=False, predicate="a IS NOT NULL"),
                    SourceIndex("expression", (None,), unique=True, primary=False),
                    SourceIndex("plain", ("a",), unique=False, primary=False),
                ],
            )
        ],
    )
    assert parse_plan(text, {}).tables[0].indexes == ()
    for note in ("index partial: partial", "index expression: over an expression", "index plain: not unique (a)"):
        assert f"# {note}" in text


@pytest.mark.parametrize("number", [GLOBAL_INDEXES, GLOBAL_INDEXES + 1])
def test_indexes_stop_at_the_limit(number: int) -> None:
    columns = [f"c{n}" for n in range(number)]
    source = table(columns=("id", *columns), unique=[(c,) for c in columns])
    assert len(plan_of(source).tables[0].indexes) == GLOBAL_INDEXES
    assert (f"no index on c{GLOBAL_INDEXES}: a table can have 20" in infer("shop", [source])) is (
        number > GLOBAL_INDEXES
    )


def test_a_boolean_in_an_index_is_computed_as_text_and_back() -> None:
    source = table(
        columns={"id": TEXT, "on": BOOLEAN, "maybe": BOOLEAN}, unique=[("on",), ("maybe",)], nullable=("maybe",)
    )
    [plan] = plan_of(source).tables
    assert plan.attributes["on"].sql == "CASE WHEN \"on\" THEN 'true' ELSE 'false' END"
    assert plan.attributes["on"].back == "\"on\" = 'true'"
    assert plan.attributes["maybe"].sql == "CASE WHEN \"maybe\" THEN 'true' WHEN NOT \"maybe\" THEN 'false' END"
    mapping = compile_table(plan, source, dict.fromkeys(plan.attributes, TEXT))
    assert dict(mapping.key_types) == {"id": "S", "on": "S", "maybe": "S"}


def test_an_index_over_what_cannot_be_a_key_is_left_out_with_a_comment() -> None:
    source = table(columns={"id": TEXT, "data": JSONB}, unique=[("data",)])
    assert plan_of(source).tables[0].indexes == ()
    assert "no index on data: of a type that cannot be a key" in infer("shop", [source])


def test_columns_that_look_like_credentials_are_suggested_as_secrets() -> None:
    columns = {"id": TEXT, "account_id": TEXT, "encrypted_data": BYTEA, "created_at": TIMESTAMP}
    text = infer("shop", [table("credentials", columns, foreign=[("account_id",)])])
    suggestion = "\n".join(line[2:] for line in text.splitlines() if line.startswith("# "))
    plan = parse_plan(f"name: x\n{suggestion[suggestion.index('secrets:') :]}", {})
    assert plan.secrets[0].name == "shop-credentials/{account_id}"
    assert (plan.secrets[0].ciphertext, plan.secrets[0].newest_by) == ("encrypted_data", "created_at")


def test_what_a_reader_should_know_is_said() -> None:
    text = infer("shop", [table(columns=("id", "a"), unique=[("a",)], nullable=("a",), kind="partitioned")])
    assert "# partitioned;" in text
    assert "# rows where a is NULL will not be in the indexes over it" in text


def test_names_of_tables_differ_even_when_only_their_case_or_signs_did() -> None:
    names = [t.to for t in plan_of(table("A"), table("a"), table("a!"), table("control", schema="pg2dynamo")).tables]
    assert len({name.lower() for name in names}) == 4
    [control] = plan_of(table("control"), database="pg2dynamo").tables
    assert control.to == "pg2dynamo-control-2"


def test_the_same_catalog_gives_the_same_text() -> None:
    tables = [table("b"), table("a")]
    assert infer("shop", tables) == infer("shop", reversed(tables))


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=63)


@given(database=NAMES, schema=NAMES, name=NAMES, columns=st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_whatever_the_names_the_plan_loads_and_fits(database: str, schema: str, name: str, columns: list[str]) -> None:
    source = table(name, columns, key=(columns[0],), unique=[(c,) for c in columns], schema=schema)
    plan = plan_of(source, database=database)
    for entry in plan.tables:
        assert entry.source == source.name
        assert table_name_fault(entry.to) is None
        mapping = compile_table(entry, source, {})
        assert [a.name for a in mapping.attributes] == columns
        assert all(table_name_fault(index.name) is None for index in mapping.indexes)
