"""Embedded and looked-up rows by the two ways of reading, on each server: of every type, table and depth."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson
import psycopg
import pytest

from pg2dynamo.errors import RowRefused, SourceDenied
from pg2dynamo.local.postgres import PostgresServer
from pg2dynamo.mapping.decode import Decoder
from pg2dynamo.mapping.digest import digest_row, encode_value
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration.check import CheckReport, Level, check
from pg2dynamo.migration.copy import CopyOptions, copy
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.migration.source import compile_one, read_by
from pg2dynamo.plan.attributes import Policy
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.table import TablePlan
from pg2dynamo.postgres.catalog import read_tables
from tests.conftest import Database, _fresh_database
from tests.integration.moved import HEAD
from tests.integration.reading import copied_lines, run, selected_rows, session
from tests.integration.types_of_every_kind import SUBJECTS
from tests.integration.zoo_table import ZOO, fill_zoo, make_zoo


@pytest.fixture(scope="module")
def source(postgres: PostgresServer) -> Iterator[Database]:
    """A database on each server in turn; a test's tables are in a schema of its own."""
    with contextmanager(_fresh_database)(postgres) as database:
        yield database


def compiled(connection: psycopg.Connection, name: str, **more: Any) -> TableMapping:
    plan = TablePlan.model_validate({"from": name, "to": "items", "key": {"hash": "id"}} | more)
    return compile_one(connection, plan, read_tables(connection, read_by(plan)), Policy())


def both_ways(database: Database, name: str, **more: Any) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return the items by id and the reasons of refusals, proven equal to what the other way of reading gives."""
    items, refused = {}, {}
    with session(database) as connection:
        mapping = compiled(connection, name, **more)
        encoder, decoder = Encoder(mapping), Decoder(mapping)
        names = [attribute.name for attribute in mapping.attributes]
        lines, rows = copied_lines(connection, mapping), selected_rows(connection, mapping)
        for line, row in zip(lines, rows, strict=True):
            values = {n: v for n, v in zip(names, row.values, strict=True) if v is not None}
            try:
                item = orjson.loads(encoder.encode(line).item)
            except RowRefused as refusal:
                refused[str(encoder.source_key(line)["id"])] = refusal.reason
                digest_row(values.items())
                continue
            decoded = decoder.decode(item)
            assert decoded == values
            assert {n: encode_value(v) for n, v in decoded.items()} == {n: encode_value(v) for n, v in values.items()}
            items[str(item["id"]["N"])] = item
    return items, refused


def test_every_value_of_every_type_may_stand_in_an_embedded_row(source: Database) -> None:
    with source.connect() as writer:
        names = make_zoo(writer)
        fill_zoo(writer, names)
        writer.execute(f"CREATE TABLE kinds.parents AS SELECT id FROM {ZOO}".encode())
        writer.execute(b"ALTER TABLE kinds.parents ADD PRIMARY KEY (id)")
    embed = {"zoo": {"from": ZOO, "on": {"id": "id"}, "one": True}}
    deep = {"zoo": {"from": ZOO, "on": {"id": "id"}, "columns": ["id"], "embed": embed}}
    items, refused = both_ways(source, "kinds.parents", embed=deep)
    assert len(items) > 500
    allowed = {words for name in names for words in SUBJECTS[name].refusals} | {"levels of nesting", "JSON null"}
    for reason in refused.values():
        assert any(words in reason for words in allowed), reason
    held = {name for item in items.values() for entry in item["zoo"]["L"] for name in entry["M"]["zoo"]["M"]}
    assert held == {"id", *(name for name in names if SUBJECTS[name].hostile)}


def test_rows_are_those_of_the_table_itself_with_all_partitions(source: Database) -> None:
    run(
        source,
        """CREATE SCHEMA tree;
        CREATE TABLE tree.parents (id int PRIMARY KEY);
        CREATE TABLE tree.plain (id int PRIMARY KEY, parent int);
        CREATE TABLE tree.heir (more text) INHERITS (tree.plain);
        CREATE TABLE tree.parted (id int, parent int, PRIMARY KEY (id)) PARTITION BY HASH (id);
        CREATE TABLE tree.part0 PARTITION OF tree.parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE tree.part1 PARTITION OF tree.parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        CREATE VIEW tree.seen AS SELECT id, parent FROM tree.parted WHERE id > 5;
        CREATE MATERIALIZED VIEW tree.kept AS SELECT * FROM tree.seen;
        INSERT INTO tree.parents VALUES (1), (2);
        INSERT INTO tree.plain SELECT n, 1 FROM generate_series(1, 3) n;
        INSERT INTO tree.heir SELECT n, 1, 'x' FROM generate_series(4, 9) n;
        INSERT INTO tree.parted SELECT n, 1 FROM generate_series(1, 9) n;
        REFRESH MATERIALIZED VIEW tree.kept;""",
    )
    names = ("plain", "parted", "part0", "seen", "kept")
    embed = {name: {"from": f"tree.{name}", "on": {"parent": "id"}, "columns": ["id"]} for name in names}
    items, _ = both_ways(source, "tree.parents", embed=embed)
    found = {name: [entry["M"]["id"]["N"] for entry in items["1"][name]["L"]] for name in names}
    assert found["plain"] == ["1", "2", "3"]
    assert found["parted"] == [str(n) for n in range(1, 10)]
    assert found["seen"] == found["kept"] == ["6", "7", "8", "9"]
    assert 0 < len(found["part0"]) < 9
    assert all(items["2"][name] == {"L": []} for name in names)


def asked(database: Database, query: str) -> str:
    """Return the one value that a query gives."""
    with database.connect() as connection:
        row = connection.execute(query.encode()).fetchone()
    return str(row[0]) if row else ""


def test_text_is_ordered_by_its_bytes_other_types_as_they_sort_and_null_comes_last(source: Database) -> None:
    # One that does not sort by bytes, where the server has one.
    query = "SELECT coalesce(min(collname), 'C') FROM pg_collation WHERE collname IN ('und-x-icu', 'en_US.utf8')"
    collation = asked(source, query)
    run(
        source,
        f"""CREATE SCHEMA sorts;
        CREATE TYPE sorts.size AS ENUM ('small', 'large', 'huge');
        CREATE TABLE sorts.parents (id int PRIMARY KEY);
        CREATE TABLE sorts.rows (
          id int PRIMARY KEY, parent int DEFAULT 1, t text COLLATE "{collation}", j json, e sorts.size, a inet
        );
        INSERT INTO sorts.parents VALUES (1);
        INSERT INTO sorts.rows (id, t, j, e, a) VALUES (5, NULL, NULL, NULL, NULL), (3, 'B', '1', 'small', '10.0.0.10'),
          (1, 'b', '2', 'huge', '10.0.0.9'), (4, 'é', NULL, NULL, NULL), (2, 'a', '10', 'large', '9.0.0.0');""",
    )
    expected = {"t": "32145", "j": "32145", "e": "32145", "a": "21345", "parent": "12345"}
    whole = {"from": "sorts.rows", "on": {"parent": "id"}, "columns": ["id"]}
    embed = {name: whole | {"order_by": [name]} for name in expected}
    items, _ = both_ways(source, "sorts.parents", embed=embed)
    assert {n: "".join(entry["M"]["id"]["N"] for entry in items["1"][n]["L"]) for n in expected} == expected


def test_names_that_mean_something_to_sql_are_only_names(source: Database) -> None:
    run(
        source,
        """CREATE SCHEMA "s'%s";
        CREATE TABLE "s'%s"."the ""t" (id int PRIMARY KEY, "select" text, "0" int, "1" int, "the ""t" text);
        INSERT INTO "s'%s"."the ""t" VALUES (1, 'a', 1, 2, 'x'), (2, 'b', 1, 1, 'y');""",
    )
    name = '"s\'%s"."the ""t"'
    inner = {"from": name, "on": {"1": "0"}, "attributes": {"sql": {"sql": '"the ""t"."select" || "0"'}}}
    embed = {'é "\\': {"from": name, "on": {"0": "id"}, "where": '"the ""t"."1" > 0', "embed": {"{}": inner}}}
    items, _ = both_ways(source, name, embed=embed)
    [first, second] = items["1"]['é "\\']["L"]
    assert first["M"]["{}"]["L"][0]["M"]["sql"] == {"S": "b1"}
    assert second["M"]['the "t'] == {"S": "y"}


def test_text_that_arrays_must_quote_passes_through_many_levels(source: Database) -> None:
    run(
        source,
        """CREATE SCHEMA deep;
        CREATE TABLE deep.rows (id int PRIMARY KEY, t text);
        INSERT INTO deep.rows VALUES (1, repeat('"\\', 20000));""",
    )
    embed: dict[str, Any] = {}
    for level in range(12):
        columns = ["id"] if level else ["id", "t"]
        embed = {"inner": {"from": "deep.rows", "on": {"id": "id"}, "columns": columns, "embed": embed}}
    items, refused = both_ways(source, "deep.rows", columns=["id"], embed=embed)
    assert not refused
    held = items["1"]["inner"]
    for _ in range(11):
        held = held["L"][0]["M"]["inner"]
    assert held["L"][0]["M"]["t"] == {"S": '"\\' * 20_000}


def test_rows_join_by_the_columns_own_equality_wherever_its_operator_stands(source: Database) -> None:
    try:
        run(source, "CREATE SCHEMA ci; CREATE EXTENSION IF NOT EXISTS citext SCHEMA ci")
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this server has no citext")
    citext = asked(
        source, "SELECT format('%I.citext', extnamespace::regnamespace) FROM pg_extension WHERE extname = 'citext'"
    )
    run(
        source,
        f"""CREATE TABLE ci.mails (address {citext} PRIMARY KEY, name text);
        CREATE TABLE ci.people (id int PRIMARY KEY, mail {citext});
        INSERT INTO ci.mails VALUES ('A@x', 'Ada');
        INSERT INTO ci.people VALUES (1, 'a@X');""",
    )
    lookups = [{"from": "ci.mails", "on": {"address": "mail"}, "attributes": {"name": "name"}}]
    embed = {"all": {"from": "ci.mails", "on": {"address": "mail"}}}
    items, _ = both_ways(source, "ci.people", lookups=lookups, embed=embed)
    assert items["1"]["name"] == {"S": "Ada"}
    assert items["1"]["all"]["L"][0]["M"]["address"] == {"S": "A@x"}


def test_no_row_is_lost_or_doubled_where_rows_are_read_by_key_and_in_small_segments(source: Database) -> None:
    run(
        source,
        """CREATE SCHEMA many;
        CREATE TABLE many.parents (id int PRIMARY KEY, pad text);
        CREATE TABLE many.rows (parent int, n int, PRIMARY KEY (parent, n));
        INSERT INTO many.parents SELECT n, repeat('x', 500) FROM generate_series(1, 400) n;
        INSERT INTO many.rows SELECT p, n FROM generate_series(1, 400) p, generate_series(1, 20) n
          WHERE n <= p % 21;""",
    )
    embed = {"rows": {"from": "many.rows", "on": {"parent": "id"}, "leave_out": ["parent"], "at_most": 20}}
    items, refused = both_ways(source, "many.parents", embed=embed)
    assert not refused
    assert {int(key): len(item["rows"]["L"]) for key, item in items.items()} == {n: n % 21 for n in range(1, 401)}


PLAN = """
tables:
  - from: people
    to: {unique}-people
    key: {hash: id}
    lookups: [{from: towns, on: {id: town}, attributes: {town_name: name}}]
    embed:
      visits: {from: visits, on: {person: id}}
"""
TABLES = """
CREATE TABLE people (id int PRIMARY KEY, town int);
CREATE TABLE towns (id int PRIMARY KEY, name text);
CREATE TABLE visits (person int, day date, PRIMARY KEY (person, day));
INSERT INTO people VALUES (1, 1); INSERT INTO towns VALUES (1, 'x'); INSERT INTO visits VALUES (1, '2024-01-01');
"""


class Restricted:
    """A plan that a role without much power runs."""

    def __init__(self, database: Database, environ: Mapping[str, str], unique: str) -> None:
        self.database = database
        run(
            database,
            TABLES,
            f"CREATE ROLE {unique} LOGIN PASSWORD '{unique}'",
            f"GRANT SELECT ON people, towns, visits TO {unique}",
        )
        dsn = f"postgresql://{unique}:{unique}@{database.dsn.partition('@')[2]}"
        self.environ = {**environ, "DATABASE_URL": dsn, "PATH": os.environ["PATH"]}
        self.plan = parse_plan(HEAD.format(unique=unique) + PLAN.replace("{unique}", unique), self.environ)
        self.role = unique

    def check(self) -> CheckReport:
        return check(self.plan, self.environ)

    def failures(self) -> list[str]:
        return [f"{line.subject}: {line.message}" for line in self.check().lines if line.level is Level.FAILED]

    def copy(self) -> None:
        prepare(self.plan, self.environ)
        copy(self.plan, self.environ, CopyOptions(processes=0))


@pytest.fixture
def restricted(any_database: Database, any_aws_environ: dict[str, str], unique: str) -> Iterator[Restricted]:
    found = Restricted(any_database, any_aws_environ, unique)
    yield found
    run(any_database, f"DROP OWNED BY {unique}", f"DROP ROLE {unique}")


@pytest.mark.parametrize("table", ["towns", "visits"])
def test_row_level_security_on_a_table_that_is_embedded_or_looked_up_stops_the_copy(
    restricted: Restricted, table: str
) -> None:
    assert restricted.failures() == []
    run(restricted.database, f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    assert restricted.failures() == [f"table public.{table}: row-level security would hide rows from this role"]
    with pytest.raises(SourceDenied):
        restricted.copy()


@pytest.mark.parametrize("table", ["towns", "visits"])
def test_a_table_that_may_not_be_read_stops_the_copy(restricted: Restricted, table: str) -> None:
    run(restricted.database, f"REVOKE SELECT ON {table} FROM {restricted.role}")
    assert f"table public.{table}: the role may not read it" in restricted.failures()
    with pytest.raises(SourceDenied):
        restricted.copy()


def test_the_checklist_speaks_of_indexes_that_embeds_need(restricted: Restricted) -> None:
    run(
        restricted.database,
        "ALTER TABLE visits DROP CONSTRAINT visits_pkey",
        "INSERT INTO visits SELECT n, '2024-01-02' FROM generate_series(1, 2000) n",
        "ANALYZE visits",
    )
    [line] = [line for line in restricted.check().lines if line.subject == "table public.people, embed visits"]
    assert (line.level, "CREATE INDEX CONCURRENTLY" in line.remedy) == (Level.WARNING, True)
    run(restricted.database, line.remedy.partition(";")[0])
    assert "table public.people, embed visits" not in [line.subject for line in restricted.check().lines]
