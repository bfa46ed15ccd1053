"""The page of the plan keeps true: each example compiles against tables as it has them, each refusal refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pg2dynamo.errors import Pg2DynamoError
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration.source import compile_plan
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.schema import fingerprint
from pg2dynamo.postgres.catalog import read_tables
from pg2dynamo.postgres.connect import connect
from pg2dynamo.secret import Secret

PAGE = (Path(__file__).parents[2] / "docs" / "plan.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

SCHEMA = """
CREATE TABLE tenants (tenant_id text PRIMARY KEY, tenant_name text NOT NULL UNIQUE);
CREATE TABLE providers (
  provider_id text PRIMARY KEY, tenant_id text NOT NULL, provider_type text NOT NULL, UNIQUE (tenant_id, provider_type)
);
CREATE TABLE accounts (account_id text PRIMARY KEY, tenant_id text, status text);
CREATE TABLE schedules (schedule_id text PRIMARY KEY, enabled boolean);
CREATE TABLE account_credentials (id int PRIMARY KEY, account_id text, encrypted_data bytea, created_at timestamp);
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE orders (
  id bigint PRIMARY KEY, customer int REFERENCES customers, placed_at timestamptz, street text, city text,
  price numeric, currency text, weight int, weight_g int, internal text
);
CREATE TABLE products (sku text PRIMARY KEY, title text, price numeric);
CREATE TABLE order_lines (order_id bigint, number int, sku text, quantity int, PRIMARY KEY (order_id, number));
CREATE TABLE events (tenant text NOT NULL, number int NOT NULL, deleted_at timestamptz, UNIQUE (tenant, number));
CREATE VIEW open_orders AS SELECT id, customer, placed_at FROM orders;
CREATE TABLE measures (id int PRIMARY KEY, ratio float8, note text, document json);
CREATE TABLE sessions (
  customer int, id uuid, started_at timestamptz, ends_at timestamptz, device text, PRIMARY KEY (customer, id)
);
CREATE TABLE keyless (a int, b int UNIQUE);
"""


@pytest.fixture(scope="module")
def source(servers: Any) -> Iterator[psycopg.Connection]:
    """A database of the tables that the examples speak of, read as a migration reads it."""
    server = servers.postgres("pg18-wheel")
    with psycopg.connect(server.dsn, autocommit=True) as admin:
        admin.execute("CREATE DATABASE plan_examples TEMPLATE template0")
    dsn = server.dsn.rpartition("/")[0] + "/plan_examples"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SCHEMA.encode())
    with connect(Secret(dsn)) as connection:
        yield connection
    with psycopg.connect(server.dsn, autocommit=True) as admin:
        admin.execute("DROP DATABASE plan_examples WITH (FORCE)")


def compiled(source: psycopg.Connection, text: str) -> list[TableMapping]:
    return compile_plan(source, parse_plan(text, {}))


@pytest.mark.parametrize("text", [pytest.param(text, id=f"example-{n}") for n, text in enumerate(EXAMPLES, 1)])
def test_every_example_of_the_page_compiles(source: psycopg.Connection, text: str) -> None:
    assert compiled(source, text)


FEATURES = (
    "name identity where rename leave_out columns constants maps sql back template as unfit nulls lookups embed one "
    "order_by at_most ttl indexes range local schema"
)


@pytest.mark.parametrize("key", FEATURES.split())
def test_every_feature_has_an_example(key: str) -> None:
    assert any(re.search(rf"^[^#]*\b{key}:", text, re.MULTILINE) for text in EXAMPLES)


def test_the_fingerprint_of_the_example_is_that_of_its_table(source: psycopg.Connection) -> None:
    [text] = [text for text in EXAMPLES if " schema: " in text]
    plan = parse_plan(text, {})
    assert plan.tables[0].schema_ == fingerprint(read_tables(source, [plan.tables[0].source])[plan.tables[0].source])


REFUSED = {
    "a table without primary key and without a unique index over NOT NULL columns": (
        "{from: keyless, to: t, key: {hash: b}}",
        "cannot be told apart",
    ),
    "a view or foreign table without `identity`": ("{from: open_orders, to: t, key: {hash: id}}", "is a view, so its"),
    "a key that holds no unique key of the source": ("{from: orders, to: t, key: {hash: city}}", "is not unique"),
    "a template in which values could run together, as `{a}{b}`": (
        "{from: order_lines, to: t, key: {hash: pk}, attributes: {pk: {template: '{order_id}{number}{sku}'}}}",
        "cannot run together",
    ),
    "entries of one target whose keys could meet": (
        "{from: orders, to: t, key: {hash: id}}\n  - {from: measures, to: t, key: {hash: id}}",
        "nothing says that their keys never meet",
    ),
    "a password in `dsn`": ("{from: orders, to: t, key: {hash: id}}\nsource: {dsn: 'password=x'}", "hold a password"),
    "the same source twice without a name": (
        "{from: orders, to: t, key: {hash: id}}\n  - {from: orders, to: u, key: {hash: id}}",
        "stands more than once",
    ),
    "one source in `tables` and `secrets`": (
        "{from: accounts, to: t, key: {hash: account_id}}\nsecrets:\n  - {from: accounts, name: 'a/{account_id}', "
        "ciphertext: status, newest_by: status, decrypt: {format: plaintext}}",
        "stands more than once",
    ),
    "an embed or lookup that takes the ciphertext of `secrets`": (
        "{from: orders, to: t, key: {hash: id}, embed: {a: {from: accounts, on: {account_id: id}}}}\nsecrets:\n"
        "  - {from: accounts, name: 'a/{account_id}', ciphertext: status, newest_by: status, "
        "decrypt: {format: plaintext}}",
        "it is a credential's ciphertext",
    ),
    "`columns` or `leave_out` that leave out an attribute of a key": (
        "{from: orders, to: t, key: {hash: id}, leave_out: [id]}",
        "`leave_out` leaves out id",
    ),
    "two attributes of one name": (
        "{from: orders, to: t, key: {hash: id}, rename: {street: city}}",
        "two attributes would have the name city",
    ),
    "a lookup by what is not unique": (
        "{from: orders, to: t, key: {hash: id}, "
        "lookups: [{from: order_lines, on: {order_id: id}, attributes: {s: sku}}]}",
        "several rows of public.order_lines could belong",
    ),
    "`unfit: text` or `nulls: null` for a key": (
        "{from: orders, to: t, key: {hash: id}, attributes: {id: {unfit: text}}}",
        "`unfit: text` is not possible for id",
    ),
    "a table whose columns are not those of `schema`": (
        "{from: orders, to: t, key: {hash: id}, schema: 0123456789ab}",
        "are not those that the plan was made for",
    ),
}


def test_every_refusal_of_the_page_has_a_plan_that_is_refused() -> None:
    table = PAGE.partition("## What is refused")[2]
    assert re.findall(r"^\| (.*?) \| .* \|$", table, re.MULTILINE)[1:] == list(REFUSED)


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_page_calls_refused_is(source: psycopg.Connection, what: str) -> None:
    entries, message = REFUSED[what]
    with pytest.raises(Pg2DynamoError, match=re.escape(message)):
        compiled(source, f"name: refused\ntables:\n  - {entries}\n")
