"""The code that digests rows of one mapping gives the reference's digests for all that PostgreSQL can send."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import pq

from pg2dynamo.mapping.digest import digest_key, digest_row
from pg2dynamo.mapping.keys import derived_values
from pg2dynamo.mapping.table import Attribute, Derived, TableMapping
from pg2dynamo.mapping.templates import Placeholder, Template
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.postgres import row_digests
from pg2dynamo.postgres.binary_values import reader
from pg2dynamo.postgres.row_digests import RowDigests
from tests.copy_lines import DOCUMENTS, jsonb_text
from tests.mappings import column, mapping_of, type_of

Cells = Sequence[bytes | None]


@dataclass(frozen=True)
class Rows:
    """Rows as libpq holds them."""

    cells: Sequence[Cells]

    @property
    def ntuples(self) -> int:
        return len(self.cells)

    def get_value(self, row: int, column: int) -> bytes | None:
        return self.cells[row][column]


def fast(mapping: TableMapping, *rows: Cells) -> list[tuple[bytes, bytes]]:
    made = RowDigests(mapping, [reader(attribute.type) for attribute in mapping.read])
    keys, digests = made.digest(cast(pq.abc.PGresult, Rows(rows)))
    return list(zip(keys, digests, strict=True))


def reference(mapping: TableMapping, row: Cells) -> tuple[bytes, bytes]:
    values = {
        attribute.name: None if cell is None else reader(attribute.type)(cell)
        for attribute, cell in zip(mapping.read, row, strict=True)
    }
    values |= derived_values(mapping, values)
    present = {name: values.get(name) for name in mapping.names}
    return digest_key([(name, values.get(name)) for name in mapping.key_attributes]), digest_row(present.items())


def require_equal(mapping: TableMapping, *rows: Cells) -> None:
    assert fast(mapping, *rows) == [reference(mapping, row) for row in rows]


def packed(form: str) -> Callable[..., bytes]:
    return struct.Struct(f"!{form}").pack


@st.composite
def numerics(draw: st.DrawFn) -> bytes:
    """numeric_send, also with digits of zero at both ends, which the server does not send."""
    digits = draw(st.lists(st.sampled_from([0, 1, 10, 1000, 5000, 9999]) | st.integers(0, 9999), max_size=12))
    sign = draw(st.sampled_from([0, 0, 0x4000, 0xC000, 0xD000, 0xF000]))
    return struct.pack(f"!HhHH{len(digits)}H", len(digits), draw(st.integers(-40, 40)), sign, 5, *digits)


ENDS = [0, 1, -1, 9, 10, -10, 1000, (1 << 63) - 1, -(1 << 63), (1 << 63) - 2, 1 - (1 << 63), 10**18, 1_000_000]
longs = (st.sampled_from(ENDS) | st.integers(-(1 << 63), (1 << 63) - 1)).map(packed("q"))
dates = (st.sampled_from([0, 10, (1 << 31) - 1, -(1 << 31)]) | st.integers(-(1 << 31), (1 << 31) - 1)).map(packed("i"))
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8).map(str.encode)
documents = DOCUMENTS.map(jsonb_text) | st.sampled_from(
    ["1" * 20, "0." + "1" * 20, "[" * 2000 + "]" * 2000, '{"a": 0.10000000000000000555}', "9007199254740993", "0.00001"]
)
WIRE: dict[Kind, st.SearchStrategy[bytes]] = {
    Kind.TEXT: texts,
    Kind.OUTPUT: texts,
    Kind.UUID: st.uuids().map(lambda uuid: uuid.bytes),
    Kind.INTEGER: longs | st.integers(-(1 << 15), (1 << 15) - 1).map(packed("h")) | dates,
    Kind.NUMERIC: numerics(),
    Kind.FLOAT4: st.floats(width=32).map(packed("f")),
    Kind.FLOAT8: (st.floats() | st.sampled_from([1e-4, 9.9e-5, 1e15, 9e15, 0.1, -0.0, 5e-324, 2.0**60])).map(
        packed("d")
    ),
    Kind.BOOLEAN: st.sampled_from([b"\0", b"\1"]),
    Kind.BYTEA: st.binary(max_size=8),
    Kind.DATE: dates,
    Kind.TIME: st.integers(0, 86_400_000_000).map(packed("q")),
    Kind.TIMETZ: st.tuples(st.integers(0, 86_400_000_000), st.integers(-57_599, 57_599)).map(
        lambda t: packed("qi")(*t)
    ),
    Kind.TIMESTAMP: longs,
    Kind.TIMESTAMPTZ: longs,
    Kind.INTERVAL: st.tuples(longs, dates, dates).map(b"".join),
    Kind.JSON: documents.map(str.encode),
    Kind.JSONB: documents.map(lambda text: b"\1" + text.encode()),
}


@st.composite
def arrays(draw: st.DrawFn, elements: st.SearchStrategy[bytes]) -> bytes:
    """array_send: of no, one or two dimensions, with NULLs, some with a lower bound of their own."""
    lengths = draw(st.lists(st.integers(1, 3), max_size=2))
    bounds = [(length, draw(st.sampled_from([1, 1, 0, -2]))) for length in lengths]
    count = 0 if not lengths else lengths[0] * (lengths[1] if len(lengths) == 2 else 1)
    cells = [draw(st.none() | elements) for _ in range(count)]
    head = struct.pack("!iiI", len(lengths), 1, 0) + b"".join(struct.pack("!ii", *bound) for bound in bounds)
    return head + b"".join(
        struct.pack("!i", -1) if cell is None else struct.pack("!i", len(cell)) + cell for cell in cells
    )


@pytest.mark.parametrize("kind", WIRE)
@given(data=st.data())
def test_a_value_of_each_kind_has_the_references_encoding(kind: Kind, data: st.DataObject) -> None:
    mapping = mapping_of(column("100% {h} {n} 'v'", kind))
    require_equal(mapping, (b"k", data.draw(WIRE[kind])), (b"k", None))


@pytest.mark.parametrize("kind", [kind for kind in WIRE if kind is not Kind.OUTPUT])
@given(data=st.data())
def test_an_array_of_each_kind_has_the_references_encoding(kind: Kind, data: st.DataObject) -> None:
    require_equal(mapping_of(column("v", Kind.ARRAY, kind)), (b"k", data.draw(arrays(WIRE[kind]))))


@given(arrays(arrays(longs)))
def test_an_array_of_a_domain_over_arrays_has_the_references_encoding(data: bytes) -> None:
    require_equal(mapping_of(column("v", Kind.ARRAY, type_of(Kind.ARRAY, Kind.INTEGER))), (b"k", data))


@given(st.integers(0, (1 << 32) - 1))
def test_an_oid_has_no_sign(number: int) -> None:
    oid = ColumnType(Kind.INTEGER, "oid", 26)
    oids = ColumnType(Kind.ARRAY, "oid[]", 1028, oid)
    mapping = mapping_of(Attribute("v", "v", oid, "v"), Attribute("w", "w", oids, "w"))
    data = packed("I")(number)
    require_equal(mapping, (b"k", data, struct.pack("!iiIiii", 1, 0, 26, 1, 1, 4) + data))


def test_types_that_are_read_as_their_output_are_text() -> None:
    char = ColumnType(Kind.TEXT, '"char"', 18)
    mapping = mapping_of(
        Attribute("c", "c", char, "c"),
        Attribute("a", "a", ColumnType(Kind.ARRAY, '"char"[]', 1002, char), "a"),
        column("o", Kind.ARRAY, Kind.OUTPUT),
    )
    require_equal(mapping, (b"k", b"\\200", b"[0:1]={a,NULL}", b'{"a,b",c}'), (b"k", None, None, None))


def test_null_is_absent_and_attributes_of_any_order_make_the_key() -> None:
    mapping = mapping_of(column("z", Kind.TEXT), column("b", Kind.INTEGER), column("a", Kind.TEXT), hash="z", range="b")
    one = packed("q")(1)
    rows: list[Cells] = [(b"x", one, b"y"), (b"x", one, None), (b"x", None, b"y"), (None, None, None), (b"x", one, b"")]
    require_equal(mapping, *rows)
    assert len({row for _, row in fast(mapping, *rows)}) == len(rows)


def test_an_attribute_of_a_template_is_made_of_what_is_read_and_absent_with_it() -> None:
    bare = mapping_of(column("n", Kind.INTEGER))
    hidden = column("h", Kind.TEXT)
    template = Template(("N#", Placeholder("n", type_of(Kind.INTEGER)), "#", Placeholder("h", hidden.type)))
    mapping = TableMapping(
        **{name: getattr(bare, name) for name in ("source", "target", "attributes", "source_key", "indexes")},
        hash="id", range="both", key_types=(), hidden=(hidden,), derived=(Derived("both", template),),
    )  # fmt: skip
    one = packed("q")(1)
    require_equal(mapping, (b"k", one, b"x"), (b"k", None, b"x"), (b"k", one, None))


def test_what_is_remembered_of_dates_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_digests, "_MOST_DATES", 10)
    mapping = mapping_of(column("v", Kind.DATE))
    rows: list[Any] = [(b"k", packed("i")(day)) for day in range(40)]
    require_equal(mapping, *rows, *rows)
