"""Items of every shape that a plan can ask for: copied, verified in both directions, changed, mended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pg2dynamo.errors import PlanError, SourceChanged
from pg2dynamo.migration.export import export
from pg2dynamo.migration.import_ import ImportOptions, import_export
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.migration.source import compile_plan, open_source
from pg2dynamo.migration.verify_export import verify_export
from pg2dynamo.plan.load import parse_plan
from tests.conftest import Database
from tests.integration.moved import HEAD, Moved, ready

DDL = """
CREATE TABLE countries (code text PRIMARY KEY, name text NOT NULL, money text);
CREATE TABLE people (
  id int PRIMARY KEY, nick text, street text, city text, "zip code" text, country text REFERENCES countries,
  price numeric, spec json, expires timestamptz, gone boolean NOT NULL DEFAULT false, enabled boolean, tax numeric
);
INSERT INTO countries VALUES ('fr', 'France', NULL), ('it', 'Italy', 'euro');
INSERT INTO people SELECT n, CASE WHEN n % 5 > 0 THEN 'nick ' || n END,
  CASE WHEN n % 2 > 0 THEN 'street ' || n END, CASE WHEN n % 3 > 0 THEN 'city' END, CASE WHEN n % 4 > 0 THEN 'z' END,
  CASE n % 3 WHEN 0 THEN 'fr' WHEN 1 THEN 'it' END, n + 0.50, ('{ "b" : 1.0, "a": ' || n || ', "b": 2 }')::json,
  CASE WHEN n % 7 = 0 THEN 'infinity'
    WHEN n % 3 > 0 THEN timestamptz '2030-01-01 00:00:00.9Z' + n * interval '1 day' END,
  n % 10 = 0, n % 2 = 0, n * 2
FROM generate_series(1, 60) n;
"""
ENTRY = """
  - from: people
    to: {unique}-people
    key: {hash: number}
    where: "NOT gone"
    rename: {id: number, gone: deleted}
    leave_out: [tax]
    constants: {type: PERSON, version: 3, current: true}
    nulls: null
    attributes:
      price: {as: text}
      spec: {as: text}
      nick: {nulls: absent}
      loud: {sql: upper(nick)}
      enabled: {sql: "CASE WHEN enabled THEN 'y' ELSE 'n' END", back: "enabled = 'y'"}
    maps:
      address: [street, city]
      place: {zip: zip code, land: country}
    lookups:
      - {from: countries, on: {code: country}, attributes: {land_name: name, land_money: money}}
    ttl: {attribute: expires_at, from: expires}
"""
PLAN = "\ntables:\n" + ENTRY


@pytest.fixture
def people(database: Database, aws_environ: dict[str, str], unique: str, tmp_path: Path) -> Moved:
    """The people, on each server and each DynamoDB."""
    return ready(database, aws_environ, unique, tmp_path, DDL, PLAN)


@pytest.fixture
def local(any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path) -> Moved:
    """The people, on one of each."""
    return ready(any_database, any_aws_environ, unique, tmp_path, DDL, PLAN)


def test_a_row_becomes_the_item_that_the_plan_shapes(people: Moved) -> None:
    assert people.move().tables["public.people"].rows == 54
    items = people.items(0)
    assert items["1"] == {
        "number": {"N": "1"},
        "deleted": {"BOOL": False},
        "nick": {"S": "nick 1"},
        "loud": {"S": "NICK 1"},
        "price": {"S": "1.50"},
        "spec": {"S": '{ "b" : 1.0, "a": 1, "b": 2 }'},
        "expires": {"S": "2030-01-02T00:00:00.900000Z"},
        "expires_at": {"N": "1893542400"},
        "enabled": {"S": "n"},
        "type": {"S": "PERSON"},
        "version": {"N": "3"},
        "current": {"BOOL": True},
        "address": {"M": {"street": {"S": "street 1"}, "city": {"S": "city"}}},
        "place": {"M": {"zip": {"S": "z"}, "land": {"S": "it"}}},
        "land_name": {"S": "Italy"},
        "land_money": {"S": "euro"},
    }


def test_null_is_written_as_the_plan_says(local: Moved) -> None:
    local.move()
    items, null = local.items(0), {"NULL": True}
    assert "nick" not in items["5"]
    assert items["5"]["loud"] == null
    assert items["6"]["address"] == {"M": {"street": null, "city": null}}
    assert items["2"]["place"] == {"M": {"zip": {"S": "z"}, "land": null}}
    assert items["2"]["land_name"] == null
    assert items["3"]["land_money"] == null
    assert items["3"]["land_name"] == {"S": "France"}
    assert items["7"]["expires"] == {"S": "infinity"}
    assert "expires_at" not in items["7"]


def test_maps_whose_columns_are_all_null_are_absent_when_null_is(
    any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path
) -> None:
    case = ready(any_database, any_aws_environ, unique, tmp_path, DDL, PLAN.replace("nulls: null", "nulls: absent"))
    case.move()
    assert "address" not in case.items(0)["6"]
    assert "place" in case.items(0)["6"]
    case.put(0, case.items(0)["6"] | {"address": {"M": {}}})
    assert not case.verify().equal
    assert case.found() == {("public.people", "different", ("6",), ("address",))}


PLANTED: tuple[tuple[dict[str, Any], tuple[str, ...]], ...] = (
    ({"address": {"M": {"street": {"S": "other"}, "city": {"S": "city"}}}}, ("address.street",)),
    ({"address": {"M": {"street": {"S": "street 1"}}}}, ("address.city",)),
    ({"address": {"M": {"street": {"S": "street 1"}, "city": {"S": "city"}, "x": {"S": ""}}}}, ("address.x",)),
    ({"address": {"S": "street 1"}}, ("address", "address.city", "address.street")),
    ({"address.street": {"S": "street 1"}}, (".address.street",)),
    ({"nick": {"NULL": True}}, ("nick",)),
    ({"price": {"N": "1.5"}}, ("price",)),
    ({"type": {"S": "person"}}, ("type",)),
    ({"current": {"BOOL": False}}, ("current",)),
    ({"land_name": {"S": "Italia"}}, ("land_name",)),
    ({"expires_at": {"N": "1893542401"}}, ("expires_at",)),
    ({"tax": {"N": "2"}}, ("tax",)),
    ({"spec": {"S": '{ "b" : 1.0, "a": 1, "b": 2}'}}, ("spec",)),
)


def test_every_planted_difference_is_named_and_mended(local: Moved) -> None:
    local.move()
    whole = local.items(0)["1"]
    for planted, attributes in PLANTED:
        local.put(0, whole | planted)
        assert not local.verify().equal
        assert local.found() == {("public.people", "different", ("1",), attributes)}, planted
    local.repair()
    assert local.verify().equal
    assert local.items(0)["1"] == whole


def test_an_attribute_of_null_that_is_missing_is_a_difference(local: Moved) -> None:
    local.move()
    whole = local.items(0)["5"]
    local.put(0, {name: value for name, value in whole.items() if name != "loud"})
    local.verify()
    assert local.found() == {("public.people", "different", ("5",), ("loud",))}


def test_rows_that_leave_and_enter_the_filter_follow(local: Moved) -> None:
    local.move()
    local.execute("UPDATE people SET gone = true WHERE id = 1; UPDATE people SET gone = false WHERE id = 10")
    local.move()
    assert "1" not in local.items(0)
    assert "10" in local.items(0)
    local.put(0, {"number": {"N": "20"}})
    local.verify()
    assert local.found() == {("public.people", "extra", ("20",), ())}
    local.repair()
    assert local.verify().equal


def test_a_row_looked_up_that_changes_is_copied_anew(local: Moved) -> None:
    local.move()
    local.execute("UPDATE countries SET name = 'République' WHERE code = 'fr'")
    local.move()
    assert local.items(0)["3"]["land_name"] == {"S": "République"}


def test_shaped_items_pass_through_an_export(local: Moved, tmp_path: Path) -> None:
    export(local.plan, local.environ, tmp_path / "x", processes=0)
    import_export(local.plan, local.environ, tmp_path / "x", ImportOptions(processes=0))
    assert verify_export(local.plan, local.environ, tmp_path / "x", processes=0, report=local.report).equal
    assert local.verify().equal


def compiled(database: Database, tables: str) -> None:
    environ = {"DATABASE_URL": database.dsn}
    plan = parse_plan(HEAD.format(unique="x") + "tables:\n" + tables.replace("{unique}", "x"), environ)
    with open_source(plan, environ) as connection:
        compile_plan(connection, plan)


REFUSED: tuple[tuple[str, str, str], ...] = (
    ("leave_out: [tax]", "leave_out: [id]", "`rename` names id, which is left out"),
    ("rename: {id: number", "rename: {nobody: number", "`rename` names nobody"),
    ("{hash: number}", "{hash: id}", "its attribute is number"),
    ("constants: {type: PERSON", "constants: {expires: PERSON", "two attributes would have the name expires"),
    ("address: [street, city]", "address: [street, town]", "names town"),
    ("address: [street, city]", "nick: [street, city]", "two attributes would have the name nick"),
    ("address: [street, city]", "address: [id, city]", "two places"),
    ("on: {code: country}", "on: {name: country}", "several rows of public.countries"),
    ("on: {code: country}", "on: {kode: country}", "names kode"),
    ("{land_name: name,", "{land_name: title,", "names title"),
    ("from: expires}", "from: nick}", "needs a date or timestamp"),
    ('where: "NOT gone"', "where: id", "must be true or false"),
    ('where: "NOT gone"', "where: nonsense", "does not accept the SQL of where"),
    ("loud: {sql: upper(nick)}", "number: {nulls: null}", "not possible for number"),
    ("loud: {sql: upper(nick)}", "loud: {as: text}", "neither column nor computed"),
    ("loud: {sql: upper(nick)}", 'nick: {template: "{id}"}', "two attributes|is a column too|stands twice"),
    ("ttl:", "schema: 0123456789ab\n    ttl:", "not those that the plan was made for"),
)


@pytest.mark.parametrize(("old", "new", "words"), REFUSED)
def test_what_does_not_fit_is_refused_with_words(any_database: Database, old: str, new: str, words: str) -> None:
    with any_database.connect() as connection:
        connection.execute(DDL.encode())
    assert old in ENTRY
    with pytest.raises((PlanError, SourceChanged), match=words):
        compiled(any_database, ENTRY.replace(old, new))


def test_prepare_makes_local_indexes_and_tells_them_from_global_ones(
    any_database: Database, aws_environ: dict[str, str], unique: str, tmp_path: Path
) -> None:
    ddl = "CREATE TABLE visits (person int, place text, seen date, PRIMARY KEY (person, place))"
    tables = """
tables:
  - from: visits
    to: {unique}-visits
    key: {hash: person, range: place}
    indexes: [{name: by-day, hash: person, range: seen, local: true}]
"""
    case = ready(any_database, aws_environ, unique, tmp_path, ddl, tables)
    case.execute("INSERT INTO visits SELECT n % 3, 'p' || n, date '2024-01-01' + n FROM generate_series(1, 20) n")
    case.move()
    found = case.journal().client.query(
        TableName=case.plan.tables[0].to,
        IndexName="by-day",
        KeyConditionExpression="person = :p AND seen < :d",
        ExpressionAttributeValues={":p": {"N": "1"}, ":d": {"S": "2024-01-06"}},
    )
    assert [item["place"]["S"] for item in found["Items"]] == ["p1", "p4"]
    globally = parse_plan(case.plan_text.replace(", local: true", ""), case.environ)
    with pytest.raises(Exception, match="its index by-day is local, the plan's is global"):
        prepare(globally, case.environ)
