"""What a plan may say, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pg2dynamo.errors import PlanError
from pg2dynamo.mapping.table import TableName, quote_identifier
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.model import Decrypt, Plan, SecretPlan, Source
from pg2dynamo.plan.table import parse_table_name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accounts", TableName("public", "accounts")),
        ("app.accounts", TableName("app", "accounts")),
        ('"My app"."Acc.ounts"', TableName("My app", "Acc.ounts")),
        ('"a""b"', TableName("public", 'a"b')),
        ('app."x"', TableName("app", "x")),
    ],
)
def test_table_names_are_read_with_and_without_schema_and_quotes(text: str, expected: TableName) -> None:
    assert parse_table_name(text) == expected


@pytest.mark.parametrize("text", ["", "a.b.c", ".a", "a.", 'a"b', '"a'])
def test_what_is_no_table_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a table name"):
        parse_table_name(text)


@pytest.mark.parametrize("name", ["a", 'a"b', 'A "" b', "é.x"])
def test_quoted_names_read_back_as_they_were(name: str) -> None:
    assert parse_table_name(TableName(name, name).quoted) == TableName(name, name)
    assert quote_identifier(name).count('"') % 2 == 0


@pytest.mark.parametrize(
    "dsn", ["postgresql://app:hunter2@db/x", "host=db password=hunter2", "host=db PASSWORD = hunter2"]
)
def test_a_plan_holds_no_password_and_does_not_repeat_it(dsn: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Source(dsn=dsn)
    assert "hunter2" not in "".join(str(e["msg"]) for e in caught.value.errors())


@pytest.mark.parametrize("dsn", ["env:DATABASE_URL", "postgresql://app@db/x", "host=db user=app"])
def test_a_connection_string_without_password_is_taken(dsn: str) -> None:
    assert Source(dsn=dsn).dsn == dsn


@pytest.mark.parametrize("key", ["CREDENTIAL_KEY", "env:", "env:9", "file:/key", "hunter2"])
def test_a_credential_key_is_a_reference_and_never_a_key(key: str) -> None:
    with pytest.raises(ValidationError, match="environment variable"):
        Decrypt(keys=(key,))


def test_a_format_with_keys_needs_keys_and_plaintext_none() -> None:
    with pytest.raises(ValidationError, match="needs keys"):
        Decrypt()
    assert Decrypt(format="plaintext").keys == ()


def _secret(**changes: Any) -> SecretPlan:
    values = {
        "from": "c",
        "name": "app/{a}/{b}",
        "ciphertext": "x",
        "newest_by": "t",
        "decrypt": {"format": "plaintext"},
    }
    return SecretPlan.model_validate(values | changes)


def test_the_name_of_a_secret_is_a_template_over_columns() -> None:
    assert (_secret().name_columns, _secret().name_prefix) == (("a", "b"), "app/")
    with pytest.raises(ValidationError, match="needs a column"):
        _secret(name="app/one-for-all")


def test_fields_need_a_place_for_the_decrypted_value() -> None:
    with pytest.raises(ValidationError, match="plaintext"):
        _secret(fields=["a"])
    assert _secret(fields=["a"], plaintext="value").fields == ("a",)


def _plan(**changes: Any) -> Plan:
    return Plan.model_validate({"name": "x", **changes})


@pytest.mark.parametrize(
    ("tables", "what"),
    [
        ([("a", "one"), ("public.a", "two")], "from: public.a stands more than once"),
        ([("a", "pg2dynamo-control")], "is the control table"),
    ],
)
def test_no_table_is_read_or_written_twice(tables: list[tuple[str, str]], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        _plan(tables=[{"from": source, "to": target, "key": {"hash": "id"}} for source, target in tables])


def _tables(*entries: dict[str, Any]) -> Plan:
    first = {"from": "a", "to": "one", "key": {"hash": "id"}}
    return _plan(tables=[first | {"to": f"t{number}"} | entry for number, entry in enumerate(entries)])


def test_an_entry_goes_by_its_source_unless_it_has_a_name() -> None:
    plan = _tables({}, {"name": "a-by-mail"}, {"from": '"S p".b'}, {"from": "c", "name": "public.c"})
    assert [(t.name, t.named) for t in plan.tables] == [
        ("public.a", False),
        ("a-by-mail", True),
        ("S p.b", False),
        ("public.c", False),
    ]
    assert Plan.model_validate(plan.model_dump(by_alias=True, exclude_none=True)) == plan


def test_a_second_entry_of_a_source_is_told_which_name_to_add() -> None:
    with pytest.raises(ValidationError, match="name: a-by-mail-kind-of"):
        _tables({}, {"from": "public.a", "key": {"hash": "mail", "range": "kind of"}})


def test_the_only_entry_without_name_may_be_any_of_a_sources_entries() -> None:
    assert [t.name for t in _tables({"name": "x"}, {}, {"name": "y"}).tables] == ["x", "public.a", "y"]


@pytest.mark.parametrize(
    "entries", [[{"name": "x"}, {"name": "x", "from": "b"}], [{"from": "b"}, {"name": "public.b"}]]
)
def test_no_two_entries_have_one_name(entries: list[dict[str, Any]]) -> None:
    with pytest.raises(ValidationError, match=r"name: .* stands more than once"):
        _tables(*entries)


def test_no_entry_has_the_name_or_the_source_of_a_secret() -> None:
    secret = _secret().model_dump(by_alias=True)
    for entry, what in (({"name": "public.c"}, "name: public.c"), ({"from": "c", "name": "x"}, "from: public.c")):
        with pytest.raises(ValidationError, match=what):
            _plan(tables=[{"from": "a", "to": "one", "key": {"hash": "id"}} | entry], secrets=[secret])


@pytest.mark.parametrize("name", ["", ".", "..", "-a", "a b", "a/b", "a#b", "é", "x" * 65])
def test_other_names_of_entries_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="a name has up to 64"):
        _tables({"name": name})


@pytest.mark.parametrize(
    ("columns", "what"), [([], "at least"), (None, "at least"), (["id", "id"], "id stands more than once")]
)
def test_columns_are_a_list_without_repeats(columns: list[str] | None, what: str) -> None:
    assert _tables({"columns": ["id", "b"]}).tables[0].columns == ("id", "b")
    with pytest.raises(ValidationError, match=what):
        _tables({"columns": columns})


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "x" * 64])
def test_names_of_migrations_are_short_and_plain(name: str) -> None:
    assert _plan(name=name).name == name


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "x" * 65])
def test_other_names_of_migrations_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        _plan(name=name)


def test_a_plan_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        _plan().name = "y"


CREDENTIALS = """
secrets:
  - {from: credentials, name: "a/{account}", ciphertext: encrypted, decrypt: {format: plaintext}, newest_by: at}
tables:
  - from: accounts
    to: accounts
    key: {hash: id}
"""


@pytest.mark.parametrize(
    "how",
    [
        "    embed: {all: {from: credentials, on: {account: id}}}\n",
        "    embed: {some: {from: credentials, on: {account: id}, columns: [encrypted]}}\n",
        "    embed: {outer: {from: o, on: {a: id}, embed: {inner: {from: credentials, on: {account: id}}}}}\n",
        "    lookups: [{from: credentials, on: {account: id}, attributes: {x: encrypted}}]\n",
    ],
)
def test_the_ciphertext_of_credentials_does_not_get_into_items_by_way_of_other_tables(how: str) -> None:
    with pytest.raises(PlanError, match="ciphertext"):
        parse_plan(f"name: x{CREDENTIALS}{how}", {})


def test_other_columns_of_credentials_may_be_embedded() -> None:
    parse_plan(
        f"name: x{CREDENTIALS}    embed: {{e: {{from: credentials, on: {{account: id}}, leave_out: [encrypted]}}}}\n",
        {},
    )
