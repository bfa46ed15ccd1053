"""The table of types in the documentation is true: its forms are those that the encoder writes on a real server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import orjson

from pg2dynamo.errors import RowRefused
from pg2dynamo.mapping.decode import Decoder
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.table import TableMapping, quote_identifier
from pg2dynamo.mapping.type_table import FAMILIES, Family, markdown
from pg2dynamo.mapping.types import ColumnType, Kind
from tests.conftest import Database
from tests.integration.reading import copied_lines, mapping_of, selected_rows, session
from tests.integration.types_of_every_kind import SUBJECTS
from tests.integration.zoo_table import ZOO, fill_zoo, make_zoo

GROUPS = {
    "enums": ("enum",),
    "arrays": ("integer[]", "jsonb[]", "text[]", "inet[]", "array of domain over array"),
    "other ranges and multiranges": ("range of text", "multirange of text"),
    "composites": ("composite", "composite of composites"),
    "every other type": ("hstore", "cube"),
}
"""What the table says in words, by names of the zoo."""


def test_the_page_shows_the_table() -> None:
    assert markdown() in (Path(__file__).parents[2] / "docs" / "types.md").read_text()


def test_each_row_of_the_table_names_the_forms_that_its_types_are_written_in(database: Database) -> None:
    with database.connect() as writer:
        fill_zoo(writer, make_zoo(writer))
    with session(database) as reader:
        mapping = mapping_of(reader, ZOO)
        types = {a.name: a.type for a in mapping.attributes if a.name != "id"}
        written = forms(mapping, copied_lines(reader, mapping))
    for family in FAMILIES:
        members = set(members_of(family, types))
        assert {types[name].kind for name in members} <= {family.kind}, family
        found: set[str] = set()
        found = found.union(*(written[name] for name in members))
        assert found == set(family.forms if members else ()), family


def forms(mapping: TableMapping, lines: list[bytes]) -> dict[str, set[str]]:
    """Return the letters of the forms that each attribute is written in."""
    encoder = Encoder(mapping)
    found: dict[str, set[str]] = {attribute.name: set() for attribute in mapping.attributes}
    for line in lines:
        try:
            item = orjson.loads(encoder.encode(line).item)
        except RowRefused:
            continue
        for name, value in item.items():
            found[name] |= value.keys()
    return found


def members_of(family: Family, types: dict[str, ColumnType]) -> Iterator[str]:
    """Yield the subjects of the zoo that the row speaks of; each type that it names must have one."""
    for name, column_type in types.items():
        if bare_name(column_type) in family.types:
            yield name
    for group in family.groups:
        yield from GROUPS.get(group, ())


def bare_name(column_type: ColumnType) -> str:
    """Return the name of a type without schema, length, precision and fields."""
    name = re.sub(r"\([0-9,-]+\)", "", column_type.name).removeprefix("kinds.")
    return "interval" if name.startswith("interval ") else name


def test_the_table_and_the_zoo_have_the_same_types(database: Database) -> None:
    named = [name for family in FAMILIES for name in family.types]
    assert len(set(named)) == len(named), "a type that stands in two rows"
    in_groups = {name for names in GROUPS.values() for name in names} - {"hstore", "cube"}
    with database.connect() as writer:
        have = make_zoo(writer)
    with session(database) as reader:
        types = {a.name: a.type for a in mapping_of(reader, ZOO).attributes if a.name != "id"}
    alone = {bare_name(t) for name, t in types.items() if name not in in_groups and "domain" not in name}
    lacking = {bare_name(ColumnType(Kind.OUTPUT, s.type, 0)) for n, s in SUBJECTS.items() if n not in have}
    assert {name for name in alone if not name.endswith("[]")} | lacking == set(named)


def test_a_column_as_text_is_exactly_what_postgresql_writes_whatever_its_type(database: Database) -> None:
    with database.connect() as writer:
        names = make_zoo(writer)
        fill_zoo(writer, names)
    with session(database) as reader:
        mapping = mapping_of(reader, ZOO, attributes={name: {"as": "text"} for name in names})
        encoder, decoder = Encoder(mapping), Decoder(mapping)
        items = [orjson.loads(encoder.encode(line).item) for line in copied_lines(reader, mapping)]
        attributes = [attribute.name for attribute in mapping.attributes]
        rows = [dict(zip(attributes, row.values, strict=True)) for row in selected_rows(reader, mapping)]
        assert [decoder.decode(item) for item in items] == [
            {name: value for name, value in row.items() if value is not None} for row in rows
        ]
        for name in names:
            column = quote_identifier(name)
            shown = reader.execute(
                f"SELECT id, format('%s', {column}) FROM {ZOO} WHERE num_nulls({column}) = 0 ORDER BY id".encode()
            )
            assert [(int(item["id"]["N"]), item[name]["S"]) for item in items if name in item] == shown.fetchall()
