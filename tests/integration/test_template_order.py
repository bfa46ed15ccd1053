"""Texts with `:sort` stand as the server's ORDER BY has the rows, on the encoder's path and on verification's."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import psycopg
import pytest

from pg2dynamo.errors import PlanError
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.table import TableMapping
from tests.conftest import Database
from tests.integration.reading import copied_lines, mapping_of, run, selected_rows, session

TEXTS = ("", "a", "ab", "a b", "a\t", "a!", "a\x01", "a#b", "\\", "a\\", "$", "$T", "%", "Z", "é", "\uffff", "𝄞", "#")
NUMBERS = ("0", "-1", "1", "-1.50", "-1.51", "1.5", "1.51", "15", "150", "-15", "0.001", "-0.001", "99", "-99", "100")
FLOATS = (*NUMBERS, "-0", "1.1", "-1.1", "0.1", "16777216", "1e-37", "-1e37")
INSTANTS = (
    *("-infinity", "4713-12-31 BC", "0044-03-15 BC", "0044-05-15 BC", "0001-12-31 BC", "0001-01-01", "1999-12-31"),
    *("2000-01-01", "9999-12-31", "10000-01-01", "99999-12-31", "100000-01-01", "294276-12-31", "infinity"),
)
HOSTILE = {
    "smallint": ("-32768", "-32767", "-10", "-9", "-1", "0", "1", "9", "10", "32767"),
    "integer": ("-2147483648", "-10", "-9", "-1", "0", "1", "9", "10", "2147483647"),
    "bigint": ("-9223372036854775808", "-10", "-9", "-1", "0", "1", "9", "10", "9223372036854775807"),
    "oid": ("0", "1", "9", "10", "4294967295"),
    "numeric": (*NUMBERS, "1e37", "-1e37", "1e-100", "-1e-100", "1.234567890123456789", "1.2345678901234567891"),
    "real": (*FLOATS, "3.4028235e38", "1e-45", "-1e-45"),
    "double precision": (*FLOATS, "1e125", "-1e125", "0.30000000000000004", "0.3"),
    "text": TEXTS,
    "character varying(20)": TEXTS,
    "character(5)": (*TEXTS, "a\n", "a\x1f"),
    "name": TEXTS,
    "uuid": tuple(f"{first}0000000-0000-0000-0000-00000000000{last}" for first in "089Af" for last in "0b"),
    "bytea": ("\\x", "\\x00", "\\x0000", "\\x01", "\\x23", "\\x7f80", "\\xff"),
    "boolean": ("false", "true"),
    "date": (*INSTANTS, "5874897-12-31"),
    "time": ("00:00", "00:00:00.000001", "09:59", "10:00", "23:59:59.999999", "24:00"),
    "timestamp": (*INSTANTS, "2000-01-01 00:00:00.000001", "0044-03-15 10:00 BC"),
    "timestamptz": (*INSTANTS, "2000-01-01 00:00:00.000001+14", "0044-03-15 10:00-08 BC"),
}
COLLATED = ("text", "character varying(20)", "character(5)", "name")
TEMPLATE = {"k": {"template": "K#{a:sort}#{b:sort}#{c:sort}"}}


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection]:
    """A session by the code under test, on each PostgreSQL in turn."""
    with session(database) as conn:
        yield conn


def test_sortable_texts_stand_as_the_server_sorts_the_tuples(
    database: Database, connection: psycopg.Connection
) -> None:
    for number, (type_name, values) in enumerate(HOSTILE.items()):
        fill(database, f"t{number}", type_name, values)
        mapping = mapping_of(connection, f"public.t{number}", attributes=TEMPLATE)
        copied, selected = texts_as_copied(connection, mapping), texts_as_selected(connection, mapping)
        assert copied == selected, type_name
        rank = ranks(database, f"t{number}", type_name)
        by_text = sorted(copied, key=lambda row: copied[row].encode())
        assert [rank[row] for row in by_text] == sorted(rank.values()), type_name


@pytest.mark.parametrize("type_name", ['"char"', "bpchar", "mood", "citext", "money", "interval", "timetz", "inet"])
def test_what_the_server_sorts_otherwise_than_any_text_is_refused(any_database: Database, type_name: str) -> None:
    run(any_database, "CREATE EXTENSION citext", "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')")
    run(any_database, f"CREATE TABLE t (id int PRIMARY KEY, b {type_name} NOT NULL)")
    with session(any_database) as conn, pytest.raises(PlanError, match="there is no `:sort`: leave it out"):
        mapping_of(conn, "public.t", attributes={"k": {"template": "{b:sort}"}})


def fill(database: Database, table: str, type_name: str, values: tuple[str, ...]) -> None:
    """Make a table of all tuples of a text, one of the values, and a text again."""
    run(database, f"CREATE TABLE {table} (id serial PRIMARY KEY, a text NOT NULL, b {type_name} NOT NULL, c text)")
    with database.connect() as conn:
        conn.execute(
            f"INSERT INTO {table} (a, b, c) SELECT a, b::{type_name}, c"
            " FROM unnest(ARRAY['a', '', 'ab', 'a ']) a, unnest(%s::text[]) b, unnest(ARRAY['z', '']) c",
            (list(values),),
        )


def ranks(database: Database, table: str, type_name: str) -> dict[int, int]:
    """Return where the server sorts each row; equal tuples have one rank."""
    collate = 'COLLATE "C"' if type_name in COLLATED else ""
    order = f'ORDER BY a COLLATE "C", b {collate}, c COLLATE "C"'
    with database.connect() as conn:
        rows = conn.execute(f"SELECT id, dense_rank() OVER ({order}) FROM {table}".encode()).fetchall()
    return dict(rows)


def texts_as_copied(conn: psycopg.Connection, mapping: TableMapping) -> dict[int, str]:
    """Return the encoder's text of each row, by id."""
    encoder = Encoder(mapping)
    items = [orjson.loads(encoder.encode(line).item) for line in copied_lines(conn, mapping)]
    return {int(item["id"]["N"]): item["k"]["S"] for item in items}


def texts_as_selected(conn: psycopg.Connection, mapping: TableMapping) -> dict[int, str]:
    """Return the text that verification makes of each row's values, by id; each gives its values again."""
    [derived] = mapping.derived
    texts = {}
    for row in selected_rows(conn, mapping):
        values = dict(zip((attribute.name for attribute in mapping.read), row.values, strict=True))
        text = derived.template.of_values(values)
        assert text is not None
        assert derived.template.values(text) == {name: values[name] for name in "abc"}
        texts[int(str(values["id"]))] = text
    return texts
