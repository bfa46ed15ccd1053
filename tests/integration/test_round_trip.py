"""What goes into DynamoDB comes back as the value that PostgreSQL holds, for every type and for hostile values.

Rows are read as copying reads them and encoded; the items are decoded and compared with the same rows read
by verification's other path, in binary, and with the value meant where no server is needed to know it. Then they
are written back into PostgreSQL, and read there again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import orjson
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pg2dynamo.errors import RowRefused
from pg2dynamo.local.postgres import PostgresServer
from pg2dynamo.mapping.decode import Decoder, decode_key
from pg2dynamo.mapping.digest import digest_row, encode_value
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.limits import item_bytes
from pg2dynamo.mapping.restore import column_text
from pg2dynamo.mapping.table import TableMapping, TableName, quote_identifier
from pg2dynamo.mapping.values import Value
from pg2dynamo.plan.compile import compile_table
from pg2dynamo.plan.table import TablePlan
from pg2dynamo.postgres.binary import select_rows
from pg2dynamo.postgres.catalog import read_tables
from pg2dynamo.postgres.connect import connect
from pg2dynamo.postgres.rows import copy_rows
from pg2dynamo.postgres.segments import plan_segments
from pg2dynamo.secret import Secret
from tests.conftest import Database, _fresh_database
from tests.integration.hostile_values import Subject, of_labels
from tests.integration.types_of_every_kind import SETUP, SUBJECTS

TABLE = TableName("kinds", 'the "table"')
BACK = TableName("kinds", "back")
BOUNDED = settings(
    max_examples=2,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Source:
    """A database with the types of `SETUP`: a session that writes, and one as copying opens it."""

    def __init__(self, database: Database, writer: psycopg.Connection[Any], reader: psycopg.Connection[Any]) -> None:
        self.database, self.writer, self.reader = database, writer, reader

    def create(self, columns: dict[str, str], key: str = "id") -> TableMapping:
        """Make the table anew and return its mapping."""
        body = ", ".join(f"{quote_identifier(name)} {sql_type}" for name, sql_type in columns.items())
        self.execute(f"DROP TABLE IF EXISTS {TABLE.quoted}")
        self.execute(f"CREATE TABLE {TABLE.quoted} ({body}, PRIMARY KEY ({quote_identifier(key)}))")
        plan = TablePlan.model_validate({"from": TABLE.quoted, "to": "things", "key": {"hash": key}})
        return compile_table(plan, read_tables(self.reader, [TABLE])[TABLE], {})

    def execute(self, query: str, *parameters: Any) -> None:
        """Run a statement as the one who writes."""
        self.writer.execute(query.encode(), parameters)

    def has(self, subject: Subject) -> bool:
        """Whether the server has what the subject needs; made when it is an extension."""
        try:
            self.execute(subject.needs or "SELECT")
        except (psycopg.NotSupportedError, psycopg.errors.UndefinedFile, psycopg.DataError):
            return False
        return True

    def require(self, subject: Subject) -> None:
        """Skip the test when the server lacks what the subject needs."""
        if not self.has(subject):
            pytest.skip(f"this server lacks what {subject.type} needs: {subject.needs}")

    def lines(self, mapping: TableMapping) -> list[bytes]:
        """The rows as copying reads them."""
        segments = plan_segments(self.reader, mapping.source)
        return [line for s in segments for batch in copy_rows(self.reader, mapping, s) for line in batch]

    def values(self, mapping: TableMapping) -> list[dict[str, Value]]:
        """The rows as verification reads them."""
        names = [attribute.name for attribute in mapping.attributes]
        segments = plan_segments(self.reader, mapping.source)
        rows = [row for s in segments for batch in select_rows(self.reader, mapping, s) for row in batch]
        return [dict(zip(names, row.values, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def source(postgres: PostgresServer) -> Iterator[Source]:
    with (
        contextmanager(_fresh_database)(postgres) as database,
        database.connect() as writer,
        connect(Secret(database.dsn)) as reader,
    ):
        writer.execute("SET lc_monetary = 'C'")
        writer.execute(SETUP.encode())
        yield Source(database, writer, reader)


def round_trip(source: Source, mapping: TableMapping) -> tuple[list[dict[str, Value]], Counter[str]]:
    """Encode and decode every row, compare with the other path, and return the decoded rows and the refusals."""
    encoder, decoder = Encoder(mapping), Decoder(mapping)
    decoded, refused = [], Counter[str]()
    for line, held in zip(source.lines(mapping), source.values(mapping), strict=True):
        try:
            encoded = encoder.encode(line)
        except RowRefused as refusal:
            refused[f"{refusal.attribute}: {refusal.reason}"] += 1
            digest_row(held.items())
            continue
        item = orjson.loads(encoded.item)
        values = decoder.decode(item)
        present = {name: value for name, value in held.items() if value is not None}
        assert values == present
        assert {n: encode_value(v) for n, v in values.items()} == {n: encode_value(v) for n, v in present.items()}
        assert digest_row(values.items()) == digest_row(held.items())
        assert decode_key(mapping, orjson.loads(encoded.key)) == {n: held[n] for n in mapping.key_attributes}
        assert item_bytes(item) <= encoded.size
        decoded.append(values)
    return decoded, refused


def write_back(source: Source, mapping: TableMapping, decoded: list[dict[str, Value]]) -> list[tuple[Any, ...]]:
    """Write the decoded rows into an equal table, read them there, and return what differs in its text."""
    source.execute(f"DROP TABLE IF EXISTS {BACK.quoted}; CREATE TABLE {BACK.quoted} (LIKE {TABLE.quoted})")
    types = {attribute.name: attribute.type for attribute in mapping.attributes}
    with source.writer.cursor().copy(f"COPY {BACK.quoted} FROM STDIN".encode()) as copy:
        for row in decoded:
            copy.write_row([column_text(row[n], t) if n in row else None for n, t in types.items()])
    held = source.values(replace(mapping, source=BACK))
    assert [{n: value for n, value in row.items() if value is not None} for row in held] == decoded
    names = [quote_identifier(name) for name in types]
    shown = ", ".join(f"CASE WHEN num_nulls({n}) = 0 THEN format('%s', {n}) END" for n in names)
    query = f"SELECT {shown} FROM {BACK.quoted} EXCEPT ALL SELECT {shown} FROM {TABLE.quoted}"
    return source.writer.execute(query.encode()).fetchall()


def fill(source: Source, subject: Subject, texts: Sequence[str]) -> None:
    source.execute(f"TRUNCATE {TABLE.quoted}")
    rows = "unnest(%s::text[]) WITH ORDINALITY AS given(v, n)"
    source.execute(
        f"INSERT INTO {TABLE.quoted} SELECT n, {subject.expression.replace('%', '%%')} FROM {rows}", list(texts)
    )


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_value_of_every_type_comes_back_equal(source: Source, name: str) -> None:
    subject = SUBJECTS[name]
    source.require(subject)
    mapping = source.create({"id": "int", "value": subject.type})

    @BOUNDED
    @given(st.lists(subject.random, min_size=10, max_size=40))
    def check(random: list[str]) -> None:
        texts = [*subject.hostile, *random]
        fill(source, subject, texts)
        decoded, refused = round_trip(source, mapping)
        for reason in refused:
            assert any(words in reason for words in subject.refusals), reason
        assert len(decoded) + refused.total() == len(texts)
        changed = write_back(source, mapping, decoded)
        assert not (changed and subject.text_kept)
        for row in decoded if subject.expected else ():
            number = row["id"]
            assert isinstance(number, int)
            assert row["value"] == subject.expected(texts[number - 1])  # type: ignore[misc]

    check()


NOT_ARRAYS = [name for name in SUBJECTS if not name.endswith("[]") and "array" not in name]


@pytest.mark.parametrize("name", NOT_ARRAYS)
def test_arrays_of_every_type_with_any_dimensions_and_bounds_come_back_equal(source: Source, name: str) -> None:
    subject = SUBJECTS[name]
    source.require(subject)
    mapping = source.create({"id": "int", "value": f"{subject.type}[]"})
    element = subject.expression.replace("%", "%%")
    texts = list(subject.hostile[:40])
    shapes = (
        "ARRAY[{0}]",
        "ARRAY[[{0}, NULL::{1}], [NULL::{1}, {0}]]",
        "('[-2:-1][3:4][0:0]=' || (ARRAY[[[{0}], [NULL::{1}]], [[NULL::{1}], [{0}]]])::text)::{1}[]",
    )
    for start, shape in enumerate(shapes):
        array = shape.format(element, subject.type)
        rows = "unnest(%s::text[]) WITH ORDINALITY AS given(v, n)"
        query = f"INSERT INTO {TABLE.quoted} SELECT n * 3 + {start}, {array}::{subject.type}[] FROM {rows}"
        source.execute(query, texts)
    decoded, refused = round_trip(source, mapping)
    assert len(decoded) + refused.total() == 3 * len(texts)
    changed = write_back(source, mapping, decoded)
    assert not (changed and subject.text_kept)
    for reason in refused:
        assert any(words in reason for words in (*subject.refusals, "levels of nesting", "JSON null")), reason


NO_COLUMN_HOLDS = {
    "gtsvector": "its input function refuses every text: the keys of a GiST index",
    "pg_brin_bloom_summary": "its input function refuses every text: what a BRIN index holds",
    "pg_brin_minmax_multi_summary": "its input function refuses every text: what a BRIN index holds",
    "pg_dependencies": "its input function refuses every text: extended statistics",
    "pg_mcv_list": "its input function refuses every text: extended statistics",
    "pg_ndistinct": "its input function refuses every text: extended statistics",
    "pg_node_tree": "its input function refuses every text: expressions in the catalog",
}
"""Types of which no value can be made, and why."""


def test_every_type_that_a_column_may_have_is_in_the_zoo(source: Source) -> None:
    built_in = source.writer.execute(
        "SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm') "
        "AND typoutput <> 'array_out'::regproc"
    )
    of_every_server = [subject.type for subject in SUBJECTS.values() if "EXTENSION" not in subject.needs]
    zoo = source.writer.execute(
        "SELECT typname FROM unnest(%s::text[]) AS zoo(name) JOIN pg_type t ON t.oid = zoo.name::regtype",
        [of_every_server],
    )
    assert {row[0] for row in built_in} - {row[0] for row in zoo} == NO_COLUMN_HOLDS.keys()
    for name in NO_COLUMN_HOLDS:
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            source.execute(f"SELECT ''::{name}")


def test_columns_that_number_or_compute_themselves_are_columns_as_any_other(source: Source) -> None:
    virtual = "int GENERATED ALWAYS AS (a * 2) VIRTUAL" if source.database.server.version >= (18,) else "int"
    uuid_ossp = of_labels("uuid", "", needs='CREATE EXTENSION IF NOT EXISTS "uuid-ossp" SCHEMA kinds')
    mapping = source.create(
        {
            "id": "serial",
            "uuid": f"uuid DEFAULT {'kinds.uuid_generate_v4' if source.has(uuid_ossp) else 'gen_random_uuid'}()",
            "small": "smallserial",
            "big": "bigserial",
            "identity": "int GENERATED ALWAYS AS IDENTITY",
            "a": "numeric(6, 2) DEFAULT 1.50 NOT NULL",
            "stored": "text GENERATED ALWAYS AS (a::text || '!') STORED",
            "virtual": virtual,
        }
    )
    source.execute(f"INSERT INTO {TABLE.quoted} DEFAULT VALUES")
    [values], refused = round_trip(source, mapping)
    assert not refused
    assert values["stored"] == "1.50!"


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str | None]]]:
    """Types of columns, and rows of texts for them."""
    names = draw(st.lists(st.sampled_from([*SUBJECTS]), min_size=1, max_size=15))
    cells = [st.none() | st.sampled_from(SUBJECTS[n].hostile or ("{}",)) | SUBJECTS[n].random for n in names]
    return names, draw(st.lists(st.tuples(*cells).map(list), min_size=1, max_size=5))


@settings(BOUNDED, max_examples=30)
@given(tables())
def test_rows_of_random_tables_come_back_equal(source: Source, table: tuple[list[str], list[list[str | None]]]) -> None:
    drawn, drawn_rows = table
    there = [source.has(SUBJECTS[name]) for name in drawn]
    names = [name for name, has in zip(drawn, there, strict=True) if has]
    rows = [[cell for cell, has in zip(row, there, strict=True) if has] for row in drawn_rows]
    columns = {"id": "int"} | {f'column {n} "é\\': SUBJECTS[name].type for n, name in enumerate(names)}
    mapping = source.create(columns)
    for number, row in enumerate(rows):
        values = ["%s"]
        for name, text in zip(names, row, strict=True):
            made = f"(SELECT {SUBJECTS[name].expression.replace('%', '%%')} FROM (SELECT %s::text AS v) AS given)"
            values.append("NULL" if text is None else made)
        given = [text for text in row if text is not None]
        source.execute(f"INSERT INTO {TABLE.quoted} VALUES ({', '.join(values)})", number, *given)
    decoded, refused = round_trip(source, mapping)
    assert len(decoded) + refused.total() == len(rows)
    changed = write_back(source, mapping, decoded)
    assert not (changed and all(SUBJECTS[name].text_kept for name in names))


KEYS = ["text", "char(n)", "enum", "bigint", "numeric", "double precision", "bytea", "uuid", "date", "timestamptz"]


@pytest.mark.parametrize("name", [*KEYS, "interval", "timetz", "inet"])
def test_keys_of_every_type_come_back_equal(source: Source, name: str) -> None:
    subject = SUBJECTS[name]
    mapping = source.create({"value": subject.type}, key="value")
    rows = "unnest(%s::text[]) AS given(v)"
    expression = subject.expression.replace("%", "%%")
    source.execute(
        f"INSERT INTO {TABLE.quoted} SELECT {expression} FROM {rows} ON CONFLICT DO NOTHING", list(subject.hostile)
    )
    decoded, refused = round_trip(source, mapping)
    assert decoded
    for reason in refused:
        assert any(words in reason for words in (*subject.refusals, "an empty key")), reason


def test_settings_of_the_role_and_database_change_nothing(source: Source) -> None:
    subject_types = ("timestamptz", "date", "interval", "bytea", "double precision", "money", "time")
    mapping = source.create({"id": "int"} | {name: name for name in subject_types})
    texts = ("2024-07-02 03:04:05.6+02", "2024-01-02", "1 year -2 days 3 hours", "\\x00ff", "0.1", "1.5", "03:04:05")
    source.execute(f"INSERT INTO {TABLE.quoted} VALUES (1{', %s' * len(texts)})", *texts)
    before = source.lines(mapping)
    for setting in (
        "DateStyle = 'German, DMY'",
        "IntervalStyle = iso_8601",
        "TimeZone = 'Asia/Kathmandu'",
        "bytea_output = escape",
        "extra_float_digits = -5",
    ):
        source.execute(f"ALTER DATABASE {quote_identifier(source.database.name)} SET {setting}")
    try:
        with connect(Secret(source.database.dsn)) as reader:
            changed = Source(source.database, source.writer, reader)
            assert changed.lines(mapping) == before
            decoded, refused = round_trip(changed, mapping)
    finally:
        source.execute(f"ALTER DATABASE {quote_identifier(source.database.name)} RESET ALL")
    assert len(decoded) == 1
    assert not refused
