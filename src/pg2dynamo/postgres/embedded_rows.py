"""Embedded rows as verification sees them: an array of records in binary form, each column by its own send function.

Nothing is shared with the text that is copied but which rows belong to a row, and their order.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace

from pg2dynamo.mapping.joins import column, embedded_rows
from pg2dynamo.mapping.table import Attribute, Embedded, TableName
from pg2dynamo.mapping.types import ColumnType
from pg2dynamo.mapping.values import Value
from pg2dynamo.postgres.binary_values import Reader, reader

Output = Callable[[str, ColumnType], str]

_ARRAY = struct.Struct("!iiI").unpack_from
_COUNT = struct.Struct("!i").unpack_from
_FIELD = struct.Struct("!Ii").unpack_from
_HEAD_BYTES, _BOUNDS_BYTES = 12, 8


def as_records(attribute: Attribute, outer: TableName, output: Output) -> Attribute:
    """Return an attribute that holds embedded rows with SQL that gives them as records; any other as it is.

    `output` is the SQL of a value as its reader expects it.
    """
    embed = attribute.embed
    return attribute if embed is None else replace(attribute, sql=_records(embed, outer, output))


def attribute_reader(attribute: Attribute) -> Reader:
    """Return the function that decodes an attribute, as the server sends it for `as_records`."""
    return reader(attribute.type) if attribute.embed is None else _rows_reader(attribute.embed)


def _records(embed: Embedded, outer: TableName, output: Output) -> str:
    inner = [as_records(attribute, embed.source, output).sql for attribute in embed.attributes]
    cells = [output(column(n), attribute.type) for n, attribute in enumerate(embed.attributes)]
    sorts = [column(len(inner) + n) for n in range(len(embed.order))]
    rows = embedded_rows(embed, outer, [*inner, *embed.order])
    return f"ARRAY(SELECT ROW({', '.join(cells)}) FROM {rows} ORDER BY {', '.join(sorts)})"  # noqa: S608


def _rows_reader(embed: Embedded) -> Reader:
    readers = [(attribute.name, attribute_reader(attribute)) for attribute in embed.attributes]

    def rows(data: bytes) -> Value:
        found: list[Value] = [_record(record, readers) for record in _elements(data)]
        if not embed.one:
            return found
        # Two rows where one is meant are a list, which no item holds there.
        return found[0] if len(found) == 1 else found or None

    return rows


def _elements(data: bytes) -> Iterator[bytes]:  # array_send, of one dimension and without NULL
    dimensions, _has_null, _oid = _ARRAY(data)
    offset = _HEAD_BYTES + _BOUNDS_BYTES * dimensions
    while offset < len(data):
        [length] = _COUNT(data, offset)
        offset += 4
        yield data[offset : offset + length]
        offset += length


def _record(data: bytes, readers: list[tuple[str, Reader]]) -> dict[str, Value]:  # record_send
    """Return the values of a record by name, without those that are NULL."""
    values: dict[str, Value] = {}
    offset = 4
    for name, read in readers:
        _oid, length = _FIELD(data, offset)
        offset += 8
        if length < 0:
            continue
        value = read(data[offset : offset + length])
        if value is not None:
            values[name] = value
        offset += length
    return values
