"""A cell of hundreds of megabytes takes nothing down: its row is set aside, and memory stays flat."""

from __future__ import annotations

import os

import pytest

from pg2dynamo.errors import RowRefused
from pg2dynamo.mapping.encode import LINE_BYTES, Encoder
from pg2dynamo.mapping.types import Kind
from pg2dynamo.postgres import oversized
from pg2dynamo.postgres.lines import UnreadableRow
from pg2dynamo.postgres.oversized import TOO_LARGE
from pg2dynamo.postgres.rows import copy_rows, copy_rows_by_key
from pg2dynamo.postgres.segments import plan_segments
from tests.conftest import Database
from tests.integration.reading import mapping_of, run, selected_rows, session
from tests.integration.test_memory import MORE_MB, peak_mb, sink
from tests.mappings import column
from tests.mappings import mapping_of as mapping_without_catalog

__all__ = ["sink"]

TABLE = "CREATE TABLE public.t (id int PRIMARY KEY, t text, b bytea, j jsonb, a numeric[])"
SMALL = "INSERT INTO public.t SELECT n, 'row ' || n, '\\x00', '{}', '{1}' FROM generate_series(1, 50) n"
# The largest item of one document that DynamoDB holds: 136,000 numbers of three bytes each.
LARGEST = "(SELECT jsonb_agg(1e-129) FROM generate_series(1, 136000))"
CELLS = {
    "t": "INSERT INTO public.t (id, t) VALUES (99, repeat('x', 1100000))",
    "b": "INSERT INTO public.t (id, b) VALUES (99, decode(repeat('00', 1100000), 'hex'))",
    "j": "INSERT INTO public.t (id, j) VALUES (99, to_jsonb(repeat('x', 20000010)))",
    "a": "INSERT INTO public.t (id, a) SELECT 99, array_agg(n / 7.0) FROM generate_series(1, 500000) n",
}


@pytest.fixture
def table(database: Database) -> Database:
    run(database, TABLE, "ALTER TABLE public.t ALTER t SET STORAGE external, ALTER b SET STORAGE external", SMALL)
    run(database, "ALTER TABLE public.t ALTER j SET STORAGE external, ALTER a SET STORAGE external")
    return database


@pytest.mark.parametrize("name", CELLS)
def test_the_row_is_set_aside_by_its_key_and_the_others_are_read(table: Database, name: str) -> None:
    run(table, CELLS[name])
    aside: list[UnreadableRow] = []
    with session(table) as conn:
        mapping = mapping_of(conn, "t")
        [segment] = plan_segments(conn, mapping.source)
        lines = [line for b in copy_rows(conn, mapping, segment, on_unreadable=aside.append) for line in b]
        rows = selected_rows(conn, mapping)
        assert list(copy_rows_by_key(conn, mapping, [{"id": "99"}], aside.append)) == [[]]
    assert [line.split(b"\t")[0] for line in lines] == [b"%d" % n for n in range(1, 51)]
    assert [(row.attribute, row.reason, Encoder(mapping).source_key(row.line)) for row in aside] == [
        (name, TOO_LARGE, {"id": "99"})
    ] * 2
    assert {row.values[0]: row.unrestored for row in rows if row.unrestored} == {99: (name,)}
    assert [row.values[1:] for row in rows if row.unrestored] == [(None,) * 4]


def test_cells_that_an_item_can_hold_are_read(table: Database) -> None:
    run(table, f"INSERT INTO public.t (id, j) VALUES (99, {LARGEST})")
    run(table, "INSERT INTO public.t (id, a) SELECT 98, array_agg(1e-129) FROM generate_series(1, 136000)")
    run(table, "INSERT INTO public.t (id, t) VALUES (97, repeat('x', 409000))")
    run(table, "INSERT INTO public.t (id, b) VALUES (96, decode(repeat('00', 409000), 'hex'))")
    aside: list[UnreadableRow] = []
    with session(table) as conn:
        mapping = mapping_of(conn, "t")
        [segment] = plan_segments(conn, mapping.source)
        encoder = Encoder(mapping)
        sizes = [encoder.encode(line).size for b in copy_rows(conn, mapping, segment, None, aside.append) for line in b]
        assert all(not row.unrestored for row in selected_rows(conn, mapping))
    assert (aside, len(sizes), min(sizes[-4:]) > 400_000) == ([], 54, True)


def test_a_table_without_large_cells_is_read_without_looking_at_them(
    table: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looks(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(oversized.Guarded, "__init__", looks)
    with session(table) as conn:
        mapping = mapping_of(conn, "t")
        assert len(selected_rows(conn, mapping)) == 50
        run(table, CELLS["t"])
        with pytest.raises(AssertionError):
            selected_rows(conn, mapping)


@pytest.mark.parametrize("line", [b"k\t" + b"x" * LINE_BYTES, b"k\t[" + b"1," * 410_000 + b"1]"], ids=["long", "many"])
def test_a_line_that_no_item_can_be_is_not_split(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Encoder(mapping_without_catalog(column("j", Kind.JSON)))
    monkeypatch.setattr(Encoder, "_convert", None)
    with pytest.raises(RowRefused, match="an item of more than 409,600 bytes"):
        encoder.encode(line)


@pytest.fixture
def huge(any_database: Database) -> Database:
    """Two tables alike but for a jsonb cell of 260 MB (the most there can be), a text of 300 MB, a bytea of 600 MB.

    PostgreSQL itself cannot write the bytea out: its text would be longer than the 1 GB that a value can have.
    """
    for name in ("small", "large"):
        run(any_database, TABLE.replace(".t ", f".{name} "), SMALL.replace(".t ", f".{name} "))
    external = ", ".join(f"ALTER {name} SET STORAGE external" for name in "tbj")
    run(any_database, f"ALTER TABLE public.large {external}")  # compressing takes longer than writing
    run(any_database, "INSERT INTO public.large (id, t) VALUES (97, repeat('x', 300000000))")
    run(any_database, "INSERT INTO public.large (id, b) VALUES (98, convert_to(repeat('x', 600000000), 'UTF8'))")
    run(any_database, "INSERT INTO public.large (id, j) VALUES (99, to_jsonb(repeat('x', 260000000)))")
    return any_database


def test_memory_stays_flat_with_huge_cells(huge: Database, sink: str) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
        "DATABASE_URL": huge.dsn,
        "AWS_ENDPOINT_URL_DYNAMODB": sink,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    for what in ("copy", "verify"):
        small = peak_mb(what, "small", 50, environ)
        assert peak_mb(what, "large", 53, environ) < small + MORE_MB
