"""Keys of every kind: joined, sorted, shared by several sources in one table, told apart by any unique index."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pg2dynamo.errors import PlanError
from pg2dynamo.migration.source import compile_plan, open_source
from pg2dynamo.plan.load import parse_plan
from tests.conftest import Database
from tests.integration.moved import HEAD, Moved, ready

SHARED_DDL = """
CREATE TABLE tenants (id text PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE accounts (tenant text NOT NULL REFERENCES tenants, number int NOT NULL, label text, score numeric,
  PRIMARY KEY (tenant, number));
CREATE TABLE settings (tenant text PRIMARY KEY REFERENCES tenants, dark boolean);
INSERT INTO tenants SELECT 't' || n, 'name#' || n FROM generate_series(1, 12) n;
INSERT INTO accounts SELECT 't' || n % 12 + 1, n - 60, CASE WHEN n % 3 > 0 THEN 'label#\\' || n END, n / 4.0
  FROM generate_series(1, 120) n;
INSERT INTO settings SELECT id, true FROM tenants;
"""
SHARED = """
tables:
  - from: tenants
    to: {unique}-app
    key: {hash: pk, range: sk}
    constants: {type: TENANT}
    attributes: {pk: {template: "TENANT#{id}"}, sk: {template: "TENANT"}, by: {template: "NAME#{name}"}}
    indexes: [{name: by-key, hash: by}]
  - from: accounts
    to: {unique}-app
    key: {hash: pk, range: sk}
    constants: {type: ACCOUNT}
    attributes:
      pk: {template: "TENANT#{tenant}"}
      sk: {template: "ACCOUNT#{number:sort}"}
      by: {template: "LABEL#{label}#{number}"}
      score_key: {sql: "CASE WHEN number > 0 THEN score END"}
    leave_out: [tenant]
    indexes:
      - {name: by-key, hash: by}
      - {name: by-score, hash: pk, range: score_key, local: true}
  - from: settings
    to: {unique}-app
    key: {hash: pk, range: sk}
    attributes: {pk: {template: "TENANT#{tenant}"}, sk: {template: "SETTINGS"}}
"""
ENTRIES = ("public.tenants", "public.accounts", "public.settings")


@pytest.fixture
def app(database: Database, aws_environ: dict[str, str], unique: str, tmp_path: Path) -> Moved:
    """Three sources in one table, on each server and each DynamoDB."""
    return ready(database, aws_environ, unique, tmp_path, SHARED_DDL, SHARED)


@pytest.fixture
def local(any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path) -> Moved:
    """The same on one of each."""
    return ready(any_database, any_aws_environ, unique, tmp_path, SHARED_DDL, SHARED)


def test_several_sources_share_one_table_and_are_read_together(app: Moved) -> None:
    report = app.move()
    assert [report.tables[entry].items for entry in ENTRIES] == [12, 120, 12]
    assert len(app.items(0)) == 144
    found = app.journal().client.query(
        TableName=app.plan.tables[0].to,
        KeyConditionExpression="pk = :p AND begins_with(sk, :s)",
        ExpressionAttributeValues={":p": {"S": "TENANT#t1"}, ":s": {"S": "ACCOUNT#"}},
    )["Items"]
    assert [int(item["number"]["N"]) for item in found] == sorted(n - 60 for n in range(12, 121, 12))
    assert {item["type"]["S"] for item in found} == {"ACCOUNT"}


def test_an_index_is_sparse_where_its_key_is_null(app: Moved) -> None:
    app.move()
    client, table = app.journal().client, app.plan.tables[0].to
    by = client.scan(TableName=table, IndexName="by-key")["Items"]
    assert len(by) == 12 + 80
    assert {"S": "LABEL#label\\#\\\\1#-59"} in [item["by"] for item in by]
    assert len(client.scan(TableName=table, IndexName="by-score")["Items"]) == 60


def test_each_source_keeps_to_its_own_items(local: Moved) -> None:
    local.move()
    local.execute("DELETE FROM accounts WHERE number < -50; DELETE FROM settings WHERE tenant = 't5'")
    local.execute("UPDATE accounts SET tenant = 't1', number = 1000 WHERE number = 60")
    report = local.move(max_deletes=100)
    assert [report.tables[entry].deleted for entry in ENTRIES] == [0, 10, 1]
    assert len(local.items(0)) == 144 - 9 - 1


def test_one_entry_of_a_shared_table_is_verified_alone(local: Moved) -> None:
    local.copy()
    for entry in ENTRIES:
        assert local.verify(tables=[entry]).equal, local.found()


def test_what_is_nobodys_is_named_once_and_what_is_corrupt_by_its_owner(local: Moved) -> None:
    local.move()
    stray = {"pk": {"S": "OTHER#1"}, "sk": {"S": "ACCOUNT#0000000001"}}
    extra = {"pk": {"S": "TENANT#t1"}, "sk": {"S": "ACCOUNT#9"}, "number": {"N": "9"}}
    local.put(0, stray)
    local.put(0, extra)
    local.put(0, local.items(0)["TENANT#t2/SETTINGS"] | {"dark": {"BOOL": False}})
    local.delete(0, {"pk": {"S": "TENANT#t3"}, "sk": {"S": "TENANT"}})
    item = local.items(0)["TENANT#t1/ACCOUNT#-9999999952"]
    local.put(0, item | {"by": {"S": "LABEL#x#-48"}})
    assert not local.verify().equal
    assert local.found() == {
        ("public.tenants", "extra", ("OTHER#1", "ACCOUNT#0000000001"), ()),
        ("public.accounts", "extra", ("TENANT#t1", "ACCOUNT#9"), ()),
        ("public.settings", "different", ("TENANT#t2", "SETTINGS"), ("dark",)),
        ("public.tenants", "missing", ("TENANT#t3", "TENANT"), ()),
        ("public.accounts", "different", ("TENANT#t1", "ACCOUNT#-9999999952"), ("by",)),
    }
    local.repair()
    assert local.verify().equal


JOINED_DDL = """
CREATE TABLE "Odd keys" (
  a text NOT NULL, "b c" text NOT NULL, n numeric NOT NULL, raw bytea NOT NULL, flag boolean NOT NULL,
  day date NOT NULL,
  payload text, PRIMARY KEY (a, "b c", n, raw, flag, day)
);
"""
JOINED = """
tables:
  - from: 'public."Odd keys"'
    to: {unique}-odd
    key: {hash: pk, range: sk}
    attributes:
      pk: {template: "{a}#{b c}"}
      sk: {template: "{n:sort}#{raw:sort}#{flag:sort}#{day:sort}"}
"""
TEXTS = ("", "a", "a#b", "b#c", "#", "\\", "\\#", "a\\", "\\#b", "##", " ", "é", "𝄞", "a\tb\n", "NULL", "\x01")


def test_joined_keys_of_hostile_values_never_meet_and_sort_as_the_rows_do(
    database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path
) -> None:
    case = ready(database, any_aws_environ, unique, tmp_path, JOINED_DDL, JOINED)
    numbers = ("0", "-1", "1", "-1e40", "1e-30", "-10", "9.99", "NaN", "100", "-0.5")
    draw = random.Random(7)
    with database.connect() as connection:
        for number, (one, other) in enumerate((a, b) for a in TEXTS for b in TEXTS):
            day = f"20{number % 90 + 10}-01-01"
            row = (one, other, numbers[number % 10], bytes([number % 3]), number % 2 == 0, day)
            connection.execute('INSERT INTO "Odd keys" VALUES (%s, %s, %s, %s, %s, %s)', row)
        for value in numbers:
            row = ("a", "same", value, draw.randbytes(2), draw.random() > 0.5, "infinity")
            connection.execute('INSERT INTO "Odd keys" VALUES (%s, %s, %s, %s, %s, %s)', row)
        ordered = connection.execute(
            'SELECT n::text AS shown FROM "Odd keys" WHERE "b c" = \'same\' ORDER BY n, raw, flag, day'
        ).fetchall()
    # NaN cannot be an attribute, though it can stand in a key: those rows are kept back.
    case.execute("UPDATE \"Odd keys\" SET n = 7 WHERE n = 'NaN' AND \"b c\" <> 'same'")
    case.execute("DELETE FROM \"Odd keys\" WHERE n = 'NaN'")
    assert case.move().tables["public.Odd keys"].items == len(TEXTS) ** 2 + len(numbers) - 1
    found = case.journal().client.query(
        TableName=case.plan.tables[0].to,
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": "a#same"}},
    )["Items"]
    read = [float(item["n"]["N"]) for item in found]
    assert read == [float(n) for (n,) in ordered if n != "NaN"]


IDENTITY_DDL = """
CREATE TABLE logs (host text NOT NULL, at timestamptz NOT NULL, line text, nullable int UNIQUE);
CREATE UNIQUE INDEX ON logs (at, host);
CREATE UNIQUE INDEX ON logs (line) WHERE line IS NOT NULL;
INSERT INTO logs SELECT 'h' || n % 3, timestamptz '2024-01-01Z' + n * interval '1 s', 'line', NULL
  FROM generate_series(1, 0) n;
INSERT INTO logs SELECT 'h' || n % 3, timestamptz '2024-01-01Z' + n * interval '1 s', 'line ' || n, NULL
  FROM generate_series(1, 90) n;
"""
IDENTITY = """
tables:
  - {from: logs, to: "{unique}-logs", key: {hash: host, range: at}}
"""


def test_rows_without_primary_key_are_told_apart_by_a_unique_index(
    database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path
) -> None:
    case = ready(database, any_aws_environ, unique, tmp_path, IDENTITY_DDL, IDENTITY)
    case.move()
    case.execute("DELETE FROM logs WHERE host = 'h1'; UPDATE logs SET line = 'x' || line WHERE host = 'h2'")
    assert case.move().tables["public.logs"].deleted == 30
    case.put(0, {"host": {"S": "h9"}, "at": {"S": "2024-01-01T00:00:00.000000Z"}})
    case.verify()
    case.repair()
    assert case.verify().equal


REFUSED = (
    ("CREATE TABLE t (a int, b int)", "{hash: a}", "", "no primary key and no unique index"),
    ("CREATE TABLE t (a int UNIQUE)", "{hash: a}", "", "columns that may be NULL.*NOT NULL to the columns of the uniq"),
    ("CREATE TABLE t (a int NOT NULL); CREATE UNIQUE INDEX ON t (a) WHERE a > 0", "{hash: a}", "", "are partial"),
    ("CREATE TABLE t (a int NOT NULL); CREATE UNIQUE INDEX ON t ((a + 1))", "{hash: a}", "", "over expressions"),
    ("CREATE TABLE t (a int, b int NOT NULL UNIQUE)", "{hash: a}", "identity: [a]", "no unique index.*is unique"),
    ("CREATE TABLE t (a int, b int NOT NULL UNIQUE)", "{hash: a}", "", "would overwrite one another"),
    ("CREATE TABLE t (a int, b int NOT NULL UNIQUE)", "{hash: b}", "identity: [c]", "`identity` names c"),
    (
        "CREATE TABLE t (a int, b int, PRIMARY KEY (a, b))",
        "{hash: k}",
        'attributes: {k: {template: "{a}{b}"}}',
        "the template of k",
    ),
    (
        "CREATE TABLE t (a int PRIMARY KEY, b json)",
        "{hash: k}",
        'attributes: {k: {template: "{b}#{a}"}}',
        "the template of k",
    ),
    (
        "CREATE TABLE t (a int PRIMARY KEY)",
        "{hash: k}",
        'attributes: {k: {template: "{nobody}"}}',
        "names nobody, which is no column",
    ),
    (
        "CREATE TABLE t (a numeric PRIMARY KEY)",
        "{hash: k}",
        'attributes: {k: {template: "K{a}"}, a: {unfit: text}}',
        "not possible for a, which is in a template",
    ),
    ("CREATE TABLE t (a numeric PRIMARY KEY)", "{hash: a}", "attributes: {a: {unfit: text}}", "not possible for a"),
    ("CREATE TABLE t (a int PRIMARY KEY)", "{hash: a}", "attributes: {a: {unfit: null}}", "not possible for a"),
    (
        "CREATE TABLE t (a int PRIMARY KEY, b int)",
        "{hash: k}",
        'attributes: {k: {template: "{b}"}}',
        "would overwrite one another",
    ),
)


@pytest.mark.parametrize(("ddl", "key", "rest", "words"), REFUSED)
def test_keys_under_which_rows_could_meet_are_refused(
    any_database: Database, ddl: str, key: str, rest: str, words: str
) -> None:
    with any_database.connect() as connection:
        connection.execute(ddl.encode())
    expect_refused(any_database, f"\ntables:\n  - from: t\n    to: things\n    key: {key}\n    {rest}\n", words)


def expect_refused(database: Database, tables: str, words: str) -> None:
    environ = {"DATABASE_URL": database.dsn}
    plan = parse_plan(HEAD.format(unique="x") + tables, environ)
    with open_source(plan, environ) as connection, pytest.raises(PlanError, match=f"(?s){words}"):
        compile_plan(connection, plan)


UNSHARED = (
    ('template: "SETTINGS"', 'template: "ACCOUNT#{dark}"', "nothing says that their keys never meet"),
    ('template: "SETTINGS"', 'template: "{tenant}"', "nothing says that their keys never meet"),
    ('template: "SETTINGS"', 'template: "TENANT"', "nothing says that their keys never meet"),
    ("hash: by}]", "hash: by, range: name}]", "the index by-key has different keys"),
)


@pytest.mark.parametrize(("old", "new", "words"), UNSHARED)
def test_sources_that_cannot_share_a_table_are_refused(any_database: Database, old: str, new: str, words: str) -> None:
    with any_database.connect() as connection:
        connection.execute(SHARED_DDL.encode())
    assert old in SHARED
    expect_refused(any_database, SHARED.replace(old, new).replace("{unique}", "x"), words)
