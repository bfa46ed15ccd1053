"""On every type of the zoo, rows and items have the same digests by the fast path and by the reference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import psycopg
import pytest

from pg2dynamo.errors import RowRefused
from pg2dynamo.mapping.decode import Decoder
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.item_digests import Item, ItemDigests
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration.difference import Expectation
from pg2dynamo.migration.verify_segment import digested_item, digested_row
from pg2dynamo.postgres.binary import ReadRows, row_digests, select_rows
from pg2dynamo.postgres.rows import copy_rows
from pg2dynamo.postgres.segments import plan_segments
from tests.conftest import Database
from tests.integration.reading import mapping_of, session
from tests.integration.zoo_table import ZOO, fill_zoo, make_zoo

Digested = tuple[bytes, bytes]


@pytest.fixture
def zoo(database: Database) -> Iterator[tuple[psycopg.Connection, TableMapping]]:
    with database.connect() as writer:
        fill_zoo(writer, make_zoo(writer))
    with session(database) as conn:
        yield conn, mapping_of(conn, ZOO)


def test_rows_and_items_of_every_type_have_the_references_digests(
    zoo: tuple[psycopg.Connection, TableMapping],
) -> None:
    conn, mapping = zoo
    rows, restored = digests_of_rows(conn, mapping)
    items, left = digests_of_items(conn, mapping)
    assert restored == len(rows) > 600
    assert len(items) > restored * 2 // 3
    assert items <= rows
    # Infinite instants, years of more than four digits, numbers with an exponent, and nothing else.
    assert left < len(items) // 5


def digests_of_rows(conn: psycopg.Connection, mapping: TableMapping) -> tuple[set[Digested], int]:
    """Read all rows in both ways and compare; return their digests, and how many the fast path has made."""
    fast, expected = row_digests(mapping), Expectation(mapping)
    found: set[Digested] = set()
    restored = 0
    for segment in plan_segments(conn, mapping.source):
        for rows in select_rows(conn, mapping, segment):
            pairs = [expected.pairs(row.values, row.unrestored, row.texts) or () for row in rows]
            digests = [digested_row(mapping, of)[:2] for of in pairs]
            if isinstance(rows, ReadRows) and rows.restored:
                assert list(zip(*fast.digest(rows.result), strict=True)) == digests
                restored += len(rows)
            found.update(digests)
    return found, restored


def items_of(conn: psycopg.Connection, mapping: TableMapping) -> list[Item]:
    """The items of all rows that can be such."""
    encoder, items = Encoder(mapping), []
    for segment in plan_segments(conn, mapping.source):
        for line in (line for lines in copy_rows(conn, mapping, segment) for line in lines):
            try:
                items.append(orjson.loads(encoder.encode(line).item))
            except RowRefused:
                continue
    return items


def digests_of_items(conn: psycopg.Connection, mapping: TableMapping) -> tuple[set[Digested], int]:
    """Digest the items of all rows that can be such in both ways and compare; return how many were left as well."""
    decoder, fast = Decoder(mapping), ItemDigests(mapping)
    left: list[Item] = []

    def reference(item: Item) -> Digested:
        left.append(item)
        return digested_item(mapping, decoder, item)[:2]

    items = items_of(conn, mapping)
    digests = list(zip(*fast.digest(items, reference), strict=True))
    assert digests == [digested_item(mapping, decoder, item)[:2] for item in items]
    return set(digests), len(left)


def test_a_corrupted_item_of_any_type_equals_no_row(zoo: tuple[psycopg.Connection, TableMapping]) -> None:
    conn, mapping = zoo
    rows, _ = digests_of_rows(conn, mapping)
    fast, decoder, corrupted = ItemDigests(mapping), Decoder(mapping), 0
    for item in items_of(conn, mapping):
        for name in item.keys() - {"id"}:
            others = {other: item[other] for other in item if other != name}
            spoilt = [others, {**item, "unknown": {"S": ""}}]
            spoilt += [{**others, name: value} for value in corruptions(item[name])]
            keys, digests = fast.digest(spoilt, lambda item: digested_item(mapping, decoder, item)[:2])
            equal = [s for s, found in zip(spoilt, zip(keys, digests, strict=True), strict=True) if found in rows]
            assert not equal, (item, equal)
            corrupted += 1
    assert corrupted > 500


def corruptions(value: dict[str, Any]) -> list[Any]:
    """Attribute values that are not this one, nor another way to write it."""
    [[form, content]] = value.items()
    another: dict[str, Any] = {
        "S": lambda: [f"{content}x", content[:-1] + "\1x", content.swapcase() + " "],
        "N": lambda: [f"{content}1" if "E" not in content.upper() else "7", f"0{content}x", f" {content}"],
        "B": lambda: [f"AAAA{content}", f"{content}A"],
        "BOOL": lambda: [not content, str(content), int(content)],
        "NULL": lambda: [False, 1],
        "L": lambda: [[*content, {"S": "x"}], [*content, {"NULL": True}], {"elements": content}],
        "M": lambda: [{**content, "": {"S": "x"}}, {**content, "x": {"NULL": True}}, [content]],
    }
    wrong = "N" if form == "S" else "S"
    more = [{wrong: content}, {form: content, wrong: "1"}, {"L": [value]}, {"M": {"": value}}, {}, content]
    return [{form: other} for other in another[form]()] + more
